//! Pages that go by teach the sidecar what the fields of their forms mean, and change in nothing by it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../examples/demo/graph.rs"]
mod graph;
mod support;

use std::io::Write;
use std::thread;

use capi_sidecar::lead::contact::Key;
use capi_sidecar::lead::normalize::{Country, normalize};
use flate2::Compression;
use flate2::write::GzEncoder;
use graph::Graph;
use serde_json::json;
use support::{InProcess, Received, Site, answer, form_post, send, wait_until};

const PAGE: &str = "<!doctype html><title>Quote</title><form method=post action=/send.php>
    <input type=hidden name=recipient value=sales@example.com>
    <label for=a>Ihr Name</label><input id=a name=f_1>
    <label for=b>E-Mail-Adresse</label><input id=b name=f_2>
    <label for=c>Telefon</label><input id=c name=f_3>
    <label for=d>Nachricht</label><textarea id=d name=f_4></textarea></form>";
const THANKS: &str = "<!doctype html><title>Quote</title><p>Vielen Dank, wir melden uns.</p>";
const BODY: &str =
    "recipient=sales%40example.com&f_1=Ana+Ru%C3%ADz&f_2=ana.ruiz%40example.com&f_3=0171+555+01234&f_4=Hallo";

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// A legacy script that prints its thanks; its pages are chunked and compressed for those who take that.
fn site() -> (Site, Received) {
    Site::new(|request| {
        let page =
            if request.first_line().starts_with("GET") || request.text().contains("refuse=1") { PAGE } else { THANKS };
        if request.header("accept-encoding") != Some("gzip") {
            return answer("200 OK", &["Content-Type: text/html; charset=utf-8"], page);
        }
        let body = gzip(page);
        let (start, end) = body.split_at(body.len() / 2);
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n";
        let mut bytes = head.as_bytes().to_vec();
        for chunk in [start, end, b""] {
            bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            bytes.extend_from_slice(chunk);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes
    })
}

fn start(graph: &Graph, more: &[(&str, &str)]) -> (InProcess, Received) {
    let (site, received) = site();
    let flags = [&[("default-country", "DE"), ("consent-unknown", "grant")], more].concat();
    (InProcess::start(&site.url(), &graph.url(), &flags), received)
}

fn get(target: &str, more: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nHost: shop.example\r\nAccept: text/html\r\n{more}\r\n").into_bytes()
}

fn post(body: &str) -> Vec<u8> {
    form_post("/send.php", "shop.example", &["Referer: http://shop.example/quote"], body)
}

fn hash(key: Key, value: &str) -> serde_json::Value {
    json!([normalize(key, value, Country::from_alpha2("DE")).unwrap().sha256()])
}

#[test]
fn opaque_names_get_their_meaning_from_the_page_and_keep_it_over_a_restart() {
    let graph = Graph::start();
    let dir = tempfile::tempdir().unwrap();
    let store = format!("sqlite:{}", dir.path().join("kept.db").display());
    let (proxy, _received) = start(&graph, &[("store", &store)]);
    let page = send(proxy.address, &get("/quote?fbclid=abc", "Accept-Encoding: gzip\r\n"));
    assert!(page.body == gzip(PAGE), "the page passed unchanged");
    send(proxy.address, &post(BODY));
    graph.wait_for(1, support::PATIENCE);
    let user_data = &graph.events()[0]["user_data"];
    for (key, value) in
        [(Key::Em, "ana.ruiz@example.com"), (Key::Ph, "0171 555 01234"), (Key::Fn, "Ana"), (Key::Ln, "Ru\u{ed}z")]
    {
        assert_eq!(user_data[key.name()], hash(key, value));
    }
    assert_eq!(proxy.metric("capi_pages_known"), 1);
    proxy.stop();

    let kept = std::fs::read(dir.path().join("kept.db")).unwrap();
    let holds = |text: &str| kept.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(
        holds("f_3") && !holds("sales@example.com") && !holds("/quote"),
        "names of fields, no values, no addresses"
    );
    let (proxy, _received) = start(&graph, &[("store", &store)]);
    send(proxy.address, &post(&BODY.replace("ana.ruiz", "other")));
    graph.wait_for(2, support::PATIENCE);
    assert_eq!(graph.events()[1]["user_data"]["ph"], hash(Key::Ph, "0171 555 01234"));
    proxy.stop();
}

#[test]
fn a_script_that_prints_its_thanks_is_understood_once_its_page_was_seen() {
    let graph = Graph::start();
    let (proxy, _received) = start(&graph, &[]);
    let decided = |decision: &str, reason: &str| {
        proxy.metric(&format!("capi_decisions_total{{decision=\"{decision}\",reason=\"{reason}\"}}"))
    };
    send(proxy.address, &post(BODY));
    wait_until("the first decision", || decided("no_lead", "unknown_outcome") == 1);
    send(proxy.address, &get("/quote", ""));
    send(proxy.address, &post(&format!("{BODY}&refuse=1")));
    wait_until("the form that came back", || decided("no_lead", "unknown_outcome") == 2);
    send(proxy.address, &post(BODY));
    graph.wait_for(1, support::PATIENCE);
    assert_eq!(decided("lead", "accepted"), 1);
}

#[test]
fn a_page_is_read_rarely_and_again_when_a_form_has_unknown_fields() {
    let graph = Graph::start();
    let (proxy, _received) = start(&graph, &[]);
    let address = proxy.address;
    let visitors: Vec<_> = (0..8)
        .map(|_| {
            thread::spawn(move || {
                for n in 0..20 {
                    assert!(send(address, &get(&format!("/quote?utm_source={n}"), "")).text() == PAGE);
                }
            })
        })
        .collect();
    for visitor in visitors {
        visitor.join().unwrap();
    }
    assert_eq!(proxy.metric("capi_pages_read_total"), 1);
    send(address, &post(&format!("{BODY}&added_since=1")));
    graph.wait_for(1, support::PATIENCE);
    send(address, &get("/quote", ""));
    wait_until("the page to be read again", || proxy.metric("capi_pages_read_total") == 2);
    // What no form can be in is not looked at.
    for more in ["Sec-Fetch-Dest: image\r\n", "Range: bytes=0-1\r\nSec-Fetch-Dest: empty\r\n"] {
        send(address, &get("/other", more));
    }
    send(address, b"HEAD /third HTTP/1.1\r\nHost: shop.example\r\n\r\n");
    assert_eq!(proxy.metric("capi_pages_read_total"), 2);
}

/// A site that redirects back to its form whatever happened, and tells on the next page: Post/Redirect/Get.
fn session_site() -> (Site, Received) {
    let flash = std::sync::Mutex::new("");
    Site::new(move |request| {
        let mut flash = flash.lock().unwrap();
        if request.first_line().starts_with("POST") {
            *flash = if request.text().contains("refuse=1") { "alert-danger" } else { "alert-success" };
            return answer("302 Found", &["Location: /quote"], "");
        }
        let message = std::mem::take(&mut *flash);
        let message = if message.is_empty() { String::new() } else { format!("<div class='alert {message}'>x</div>") };
        answer("200 OK", &["Content-Type: text/html"], &format!("{PAGE}{message}"))
    })
}

#[test]
fn an_outcome_that_shows_on_the_next_page_is_waited_for() {
    let graph = Graph::start();
    let (site, _received) = session_site();
    let flags = [("default-country", "DE"), ("consent-unknown", "grant"), ("trusted-proxy", "127.0.0.0/8")];
    let proxy = InProcess::start(&site.url(), &graph.url(), &flags);
    let decided = |decision: &str, reason: &str| {
        proxy.metric(&format!("capi_decisions_total{{decision=\"{decision}\",reason=\"{reason}\"}}"))
    };
    let visitor = |n: u8| {
        format!("User-Agent: Mozilla/5.0 (X11; Linux x86_64) Example/1.0\r\nX-Forwarded-For: 203.0.113.{n}\r\n")
    };
    let submit = |n: u8, body: &str| {
        let who = format!("X-Forwarded-For: 203.0.113.{n}");
        let headers = ["Referer: http://shop.example/quote", who.as_str()];
        assert_eq!(send(proxy.address, &form_post("/send.php", "shop.example", &headers, body)).status(), 302);
    };
    send(proxy.address, &get("/quote", &visitor(1)));
    submit(1, &format!("{BODY}&refuse=1"));
    send(proxy.address, &get("/quote", &visitor(1)));
    wait_until("the refusal", || decided("no_lead", "validation") == 1);

    submit(1, BODY);
    // Somebody else on the same page tells nothing of it, and gets the message in this site's simple-mindedness.
    assert!(!send(proxy.address, &get("/other", &visitor(1))).text().is_empty());
    submit(1, BODY);
    let from_the_ad = format!("{}Referer: http://shop.example/?fbclid=IwAR0abc\r\n", visitor(1));
    let page = send(proxy.address, &get("/quote", &from_the_ad));
    assert!(page.text().contains("alert-success"), "the page passed unchanged");
    assert!(
        page.header("set-cookie").is_some_and(|cookie| cookie.starts_with("_fbc=")),
        "it is a landing all the same"
    );
    graph.wait_for(1, support::PATIENCE);
    assert_eq!(graph.events()[0]["user_data"]["ph"], hash(Key::Ph, "0171 555 01234"));

    submit(2, &BODY.replace("ana.ruiz", "other"));
    send(proxy.address, &get("/quote", &visitor(3)));
    send(proxy.address, &get("/quote", &visitor(2)));
    // The message went to somebody else: nothing is told, and the submission waits on until it is given up.
    proxy.stop();
    assert_eq!(graph.events().len(), 1);
}
