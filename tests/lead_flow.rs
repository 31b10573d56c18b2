//! A form post through the running sidecar: what the site got, what Graph got, and what never left.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../examples/demo/graph.rs"]
mod graph;
mod support;

use std::io::{Read, Write};
use std::thread;
use std::time::{Duration, Instant};

use graph::{Fault, Graph};
use serde_json::{Value, json};
use support::{InProcess, Message, Received, Site, answer, connect, form_post, read_message, send, wait_until};

const GRANTED: &str = "Cookie: cookieyes-consent=consentid:x,consent:yes,action:yes,necessary:yes,advertisement:yes";
const DENIED: &str = "Cookie: cookieyes-consent=consentid:x,consent:no,action:yes,necessary:yes,advertisement:no";
const REFERER: &str = "Referer: http://shop.example/quote";

/// A legacy site: redirects accepted posts to its thanks page, shows the form again with marked errors otherwise.
fn site() -> (Site, Received) {
    Site::new(|request| {
        if request.first_line().starts_with("GET") {
            return answer("200 OK", &["Content-Type: text/html"], "<html>hello</html>");
        }
        if request.text().contains("refuse=1") {
            let page = "<form method=post><input name=email aria-invalid=\"true\" class=\"error\"></form>";
            return answer("200 OK", &["Content-Type: text/html"], page);
        }
        if request.header("accept") == Some("application/json") {
            return answer("200 OK", &["Content-Type: application/json"], "{\"success\":true}");
        }
        answer("303 See Other", &["Location: /thank-you"], "")
    })
}

fn start(graph: &Graph, flags: &[(&str, &str)]) -> (InProcess, Received) {
    let (site, received) = site();
    let mut all = vec![("default-country", "DE"), ("trusted-proxy", "127.0.0.0/8")];
    all.extend(flags);
    (InProcess::start(&site.url(), &graph.url(), &all), received)
}

fn decisions(proxy: &InProcess, decision: &str, reason: &str) -> u64 {
    proxy.metric(&format!("capi_decisions_total{{decision=\"{decision}\",reason=\"{reason}\"}}"))
}

fn wait_for_decision(proxy: &InProcess, decision: &str, reason: &str) {
    wait_until(&format!("{decision}/{reason}"), || decisions(proxy, decision, reason) > 0);
}

#[test]
fn the_designs_visitor_becomes_the_designs_event() {
    let graph = Graph::start();
    let (site, received) = site();
    let toml = "[[form]]\npath = \"/quote\"\nvalue = 35.0\ncurrency = \"EUR\"\ncontent_name = \"Quote request\"\n";
    let flags = [("default-country", "DE"), ("trusted-proxy", "127.0.0.0/8")];
    let proxy = InProcess::start_with(&site.url(), &graph.url(), &flags, toml);
    let body = "email=Ana.Ruiz%40Example.com+&phone=0171+555+01234&first_name=Ana&last_name=Ru%C3%ADz\
                &event_id=9e1b6b8a-6c0e-4f8d-bce1-c4a3a6f4d2b1&referrer_url=https%3A%2F%2Fshop.example%2F";
    let cookies = format!("{GRANTED}; _fbp=fb.1.1795607000000.1234567890; _fbc=fb.1.1795607000000.IwAR0abcd1234");
    let headers =
        ["X-Forwarded-For: 203.0.113.42", "X-Forwarded-Proto: https", "Referer: https://shop.example/quote", &cookies];
    let post = form_post("/quote", "shop.example", &headers, body);
    let reply = send(proxy.address, &post);
    assert_eq!((reply.status(), reply.header("location")), (303, Some("/thank-you")));
    let seen = received.next();
    assert_eq!(seen.text(), body, "the site got exactly what the visitor sent");
    graph.wait_for(1, support::PATIENCE);
    let events = graph.events();
    let mut expected = json!({"event_name":"Lead","event_id":"9e1b6b8a-6c0e-4f8d-bce1-c4a3a6f4d2b1",
      "action_source":"website","event_source_url":"https://shop.example/quote","referrer_url":"https://shop.example/",
      "user_data":{
        "em":["539dba384e7bad34cfe11197def7787e078172956b42bdfbb3e529537d6e0267"],
        "ph":["db92e55cc6349bf15f42231754bdd47089390a8fe8ee7a6c9dee8af6147caf5c"],
        "fn":["24d4b96f58da6d4a8512313bbd02a28ebf0ca95dec6e4c86ef78ce7f01e788ac"],
        "ln":["24c45ed73a90ff5d9d50969f02ec7dba7e716b700e135ac719c7898e61ac2085"],
        "fbp":"fb.1.1795607000000.1234567890","fbc":"fb.1.1795607000000.IwAR0abcd1234",
        "client_ip_address":"203.0.113.42","client_user_agent":"Mozilla/5.0 (X11; Linux x86_64) Example/1.0"},
      "custom_data":{"currency":"EUR","value":35.0,"content_name":"Quote request"}});
    // The only thing a running clock decides.
    expected["event_time"] = events[0]["event_time"].clone();
    assert_eq!(events, [expected]);
    let now = capi_sidecar::exchange::UnixMillis::now().as_secs();
    assert!(events[0]["event_time"].as_u64().is_some_and(|time| time <= now && time > now - 20));
    proxy.stop();
}

#[test]
fn a_lead_reaches_graph_within_a_second() {
    let graph = Graph::start();
    let (proxy, _received) = start(&graph, &[]);
    // The first one pays for the connection.
    send(proxy.address, &form_post("/q", "shop.example", &[GRANTED, REFERER], "email=first%40example.com"));
    graph.wait_for(1, support::PATIENCE);
    let start = Instant::now();
    send(proxy.address, &form_post("/q", "shop.example", &[GRANTED, REFERER], "email=second%40example.com"));
    graph.wait_for(2, support::PATIENCE);
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
}

#[test]
fn repeats_are_one_event_and_other_people_are_not() {
    let graph = Graph::start();
    let (proxy, _received) = start(&graph, &[]);
    let post = |body: &str| form_post("/quote", "shop.example", &[GRANTED, REFERER], body);
    // A double click: both at once, with a nonce that differs.
    let address = proxy.address;
    let clicks: Vec<_> = (0..2)
        .map(|n| {
            let post = post(&format!("email=ana%40example.com&_wpnonce=abc{n}"));
            thread::spawn(move || send(address, &post).status())
        })
        .collect();
    for click in clicks {
        assert_eq!(click.join().unwrap(), 303, "both visitors' requests reach the site");
    }
    send(address, &post("email=bo%40example.com"));
    // A page cache hands the same event_id to two people.
    send(address, &post("email=cy%40example.com&event_id=cached-1"));
    send(address, &post("email=di%40example.com&event_id=cached-1"));
    send(address, &post("email=cy%40example.com&event_id=cached-1"));
    graph.wait_for(4, support::PATIENCE);
    wait_until("all decisions", || {
        decisions(&proxy, "lead", "accepted") + decisions(&proxy, "duplicate", "accepted") == 6
    });
    let events = graph.events();
    let ids: std::collections::HashSet<_> = events.iter().map(|event| event["event_id"].as_str().unwrap()).collect();
    assert_eq!((events.len(), ids.len()), (4, 4));
    assert!(ids.contains("cached-1"));
    assert_eq!(decisions(&proxy, "duplicate", "accepted"), 2);
}

#[test]
fn what_the_site_refused_is_no_lead() {
    let graph = Graph::start();
    let (proxy, received) = start(&graph, &[]);
    let reply =
        send(proxy.address, &form_post("/q", "shop.example", &[GRANTED, REFERER], "email=a%40example.com&refuse=1"));
    assert_eq!(reply.status(), 200);
    received.next();
    let login = form_post("/wp-login.php", "shop.example", &[GRANTED], "log=a%40example.com&pwd=secret");
    send(proxy.address, &login);
    wait_for_decision(&proxy, "no_lead", "login");
    wait_until("the refused form", || {
        decisions(&proxy, "no_lead", "unknown_outcome") + decisions(&proxy, "no_lead", "validation") == 1
    });
    thread::sleep(Duration::from_millis(200));
    assert!(graph.requests().is_empty());
}

#[test]
fn without_consent_only_a_bare_event_goes_out_and_its_refusal_is_expected() {
    let graph = Graph::start();
    let (proxy, _received) = start(&graph, &[]);
    let post = form_post(
        "/quote?secret=1",
        "shop.example",
        &[DENIED, "Referer: http://shop.example/quote?secret=1"],
        "email=a%40example.com",
    );
    send(proxy.address, &post);
    send(proxy.address, &post);
    send(proxy.address, &form_post("/quote", "shop.example", &[GRANTED, REFERER], "email=b%40example.com"));
    graph.wait_for(1, support::PATIENCE);
    wait_for_decision(&proxy, "denied", "consent_denied");
    wait_until("the refusal", || listed(&proxy, "refused").len() == 1);
    let bare: Vec<Value> = graph
        .requests()
        .iter()
        .flat_map(|request| request.events.clone())
        .filter(|event| event["user_data"].is_null())
        .collect();
    assert_eq!(bare.len(), 1, "the repeat is one event");
    let fields: Vec<_> = bare[0].as_object().unwrap().keys().map(String::as_str).collect();
    for field in &fields {
        assert!(
            ["event_name", "event_time", "event_id", "action_source", "event_source_url"].contains(field),
            "{fields:?}"
        );
    }
    assert_eq!(bare[0]["event_source_url"], "http://shop.example/quote");
    let alone = graph
        .requests()
        .iter()
        .filter(|request| request.events.iter().any(|e| e["user_data"].is_null()))
        .all(|request| request.events.len() == 1);
    assert!(alone, "always in a request of its own");
    let row = &listed(&proxy, "refused")[0];
    assert_eq!((&row["code"], &row["subcode"]), (&json!(100), &json!(2_804_050)));
    assert!(listed(&proxy, "dead").is_empty());
}

fn listed(proxy: &InProcess, state: &str) -> Vec<Value> {
    let store = format!("sqlite:{}", proxy.store().display());
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_capi-sidecar"))
        .args(["outbox", "list", "--store", &store, "--state", state, "--format", "json"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn no_signal_counts_as_no_and_drop_sends_nothing() {
    let graph = Graph::start();
    let (proxy, _received) = start(&graph, &[("consent-denied", "drop")]);
    send(proxy.address, &form_post("/q", "shop.example", &[REFERER], "email=a%40example.com"));
    wait_for_decision(&proxy, "denied", "consent_unknown");
    thread::sleep(Duration::from_millis(200));
    assert!(graph.requests().is_empty());
}

#[test]
fn landings_gain_the_cookie_only_with_consent() {
    let graph = Graph::start();
    let (proxy, received) = start(&graph, &[]);
    let get = |headers: &str| {
        let text = format!(
            "GET /?fbclid=IwAR0abc_-9 HTTP/1.1\r\nHost: www.shop.example\r\nAccept: text/html\r\n{headers}\r\n"
        );
        send(proxy.address, text.as_bytes())
    };
    assert_eq!(get("").header("set-cookie"), None);
    assert_eq!(get(&format!("{DENIED}\r\n")).header("set-cookie"), None);
    let landed = get(&format!("{GRANTED}\r\nX-Forwarded-Proto: https\r\n"));
    let cookie = landed.header("set-cookie").expect("a cookie");
    let mut parts = cookie.split("; ");
    let value: Vec<_> = parts.next().unwrap().split('.').collect();
    assert_eq!((value[0], value[1], value[3]), ("_fbc=fb", "1", "IwAR0abc_-9"));
    let attributes: Vec<_> = parts.map(str::to_ascii_lowercase).collect();
    for attribute in ["path=/", "max-age=7776000", "domain=shop.example", "samesite=lax", "secure"] {
        assert!(attributes.iter().any(|a| a == attribute), "{attribute} in {cookie}");
    }
    assert!(!attributes.iter().any(|a| a == "httponly"));
    assert!(landed.header("cache-control").is_some_and(|value| value.contains("private")));
    for _ in 0..3 {
        assert_eq!(received.next().first_line(), "GET /?fbclid=IwAR0abc_-9 HTTP/1.1");
    }
}

#[test]
fn hostile_click_ids_reach_no_header() {
    let graph = Graph::start();
    let (proxy, _received) = start(&graph, &[]);
    let long = "A".repeat(2000);
    for id in
        ["A;%20Domain=evil", "A%0d%0aSet-Cookie:%20x=1", "%00", "a.b", "", "Ä", "A,B", &long, "A%3B", "..", "<script>"]
    {
        let get = format!("GET /?fbclid={id} HTTP/1.1\r\nHost: shop.example\r\nAccept: text/html\r\n{GRANTED}\r\n\r\n");
        let reply = send(proxy.address, get.as_bytes());
        assert!(reply.all("set-cookie").is_empty(), "{id}: {}", reply.head);
    }
}

#[test]
fn hostile_bodies_reach_the_site_byte_for_byte_and_are_no_leads() {
    let graph = Graph::start();
    let (proxy, received) = start(&graph, &[]);
    let deep = format!("{}1{}", "[".repeat(50_000), "]".repeat(50_000));
    let many: String = (0..10_000).map(|n| format!("f{n}=v&")).collect();
    let boundary = "multipart/form-data; boundary=XX";
    let bodies: [(&str, Vec<u8>); 8] = [
        ("application/x-www-form-urlencoded", b"%zz=%&&&=&\xff\xfe=\x00".to_vec()),
        ("application/x-www-form-urlencoded; charset=klingon", b"email=%ff%fe%00".to_vec()),
        ("application/json", deep.into_bytes()),
        ("application/json", b"{\"email\":".to_vec()),
        ("application/x-www-form-urlencoded", many.into_bytes()),
        (boundary, b"--XX\r\nContent-Disposition: form-data; name=\"email\"\r\n\r\na@example.com".to_vec()),
        ("multipart/form-data", b"no boundary".to_vec()),
        (boundary, b"{\"a\":1}".to_vec()),
    ];
    for (index, (content_type, body)) in bodies.iter().enumerate() {
        let mut post = format!(
            "POST /q{index} HTTP/1.1\r\nHost: shop.example\r\n{GRANTED}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        post.extend_from_slice(body);
        assert_eq!(send(proxy.address, &post).status(), 303, "{index}");
        assert!(received.next().body == *body, "{index}");
    }
    thread::sleep(Duration::from_millis(300));
    assert_eq!(decisions(&proxy, "lead", "accepted"), 0);
    assert!(graph.requests().is_empty());
    assert_eq!(proxy.metric("capi_decision_panics_total"), 0);
}

#[test]
fn a_file_of_any_size_passes_beside_the_fields_and_memory_stays_bounded() {
    const FILE: usize = 40 * 1024 * 1024;
    let graph = Graph::start();
    let (site, received) = Site::new(|_| answer("303 See Other", &["Location: /thank-you"], ""));
    let proxy = InProcess::start(
        &site.url(),
        &graph.url(),
        &[("limits-capture-bytes", "64KiB"), ("limits-capture-budget", "1MiB")],
    );
    let start = "--XX\r\nContent-Disposition: form-data; name=\"cv\"; filename=\"cv.pdf\"\r\nContent-Type: application/pdf\r\n\r\n";
    let end = "\r\n--XX\r\nContent-Disposition: form-data; name=\"email\"\r\n\r\nana@example.com\r\n--XX--\r\n";
    let length = start.len() + FILE + end.len();
    let mut visitor = connect(proxy.address);
    let head = format!(
        "POST /jobs HTTP/1.1\r\nHost: shop.example\r\n{GRANTED}\r\n{REFERER}\r\nUser-Agent: Mozilla/5.0 Example/1.0\r\n\
         Content-Type: multipart/form-data; boundary=XX\r\nContent-Length: {length}\r\n\r\n{start}"
    );
    visitor.write_all(head.as_bytes()).unwrap();
    let block = vec![b'-'; 1024 * 1024];
    for _ in 0..FILE / block.len() {
        visitor.write_all(&block).unwrap();
    }
    visitor.write_all(end.as_bytes()).unwrap();
    assert_eq!(read_message(&mut visitor, false).unwrap().status(), 303);
    assert_eq!(received.next().body.len(), length);
    graph.wait_for(1, support::PATIENCE);
    wait_until("the copies to be gone", || proxy.metric("capi_capture_bytes") == 0);
}

#[test]
fn copies_that_cannot_be_had_cost_the_lead_and_never_the_traffic() {
    let graph = Graph::start();
    let (site, received) = Site::new(|_| answer("303 See Other", &["Location: /thank-you"], ""));
    let proxy = InProcess::start(&site.url(), &graph.url(), &[("limits-capture-bytes", "16KiB")]);
    let body = format!("email=a%40example.com&message={}", "x".repeat(100_000));
    let reply = send(proxy.address, &form_post("/q", "shop.example", &[GRANTED, REFERER], &body));
    assert_eq!(reply.status(), 303);
    assert_eq!(received.next().body.len(), body.len());
    wait_for_decision(&proxy, "skipped", "over_budget");
}

#[test]
fn trailers_on_either_side_hide_no_lead() {
    let graph = Graph::start();
    let site = Site::raw(|mut stream| {
        while read_message(&mut stream, false).is_some() {
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n";
            let body = "10\r\n{\"success\":true}\r\n0\r\nX-Sum: 1\r\n\r\n";
            stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
        }
    });
    let proxy = InProcess::start(&site.url(), &graph.url(), &[]);
    let fields = "email=a%40example.com";
    let post = format!(
        "POST /q HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: x\r\n{GRANTED}\r\n{REFERER}\r\nTE: trailers\r\nTrailer: X-Mine\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{fields}\r\n0\r\nX-Mine: 1\r\n\r\n",
        fields.len()
    );
    let reply = send(proxy.address, post.as_bytes());
    assert!(String::from_utf8_lossy(&reply.raw).to_lowercase().contains("x-sum: 1"), "the trailer passes");
    graph.wait_for(1, support::PATIENCE);
    assert_eq!(proxy.metric("capi_outbox_late_total"), 0, "committed before the end of the answer");
}

#[test]
fn streams_and_downloads_are_not_copied() {
    let graph = Graph::start();
    let site = Site::raw(|mut stream| {
        read_message(&mut stream, false);
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
        stream.write_all(head.as_bytes()).unwrap();
        let event = "data: ".to_owned() + &"x".repeat(5000) + "\n\n";
        while stream.write_all(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes()).is_ok() {
            thread::sleep(Duration::from_millis(5));
        }
    });
    let proxy = InProcess::start(&site.url(), &graph.url(), &[]);
    let mut visitor = connect(proxy.address);
    let post = form_post("/chat", "shop.example", &[GRANTED, REFERER], "email=a%40example.com");
    visitor.write_all(&post).unwrap();
    let mut seen = vec![0; 50_000];
    visitor.read_exact(&mut seen).expect("events stream on");
    let held = proxy.metric("capi_capture_bytes");
    assert!(held < 1000, "{held} bytes are held for a stream");
    drop(visitor);
    wait_until("one decision", || {
        decisions(&proxy, "no_lead", "unknown_outcome") + decisions(&proxy, "no_lead", "aborted") == 1
    });
}

#[test]
fn graph_being_down_is_invisible_and_the_lead_arrives_later_under_the_same_id() {
    let graph = Graph::start();
    for _ in 0..2 {
        graph.fault(Fault::status(500, "{\"error\":{\"code\":2,\"is_transient\":true}}"));
    }
    let (proxy, _received) = start(&graph, &[]);
    let begin = Instant::now();
    let reply = send(proxy.address, &form_post("/q", "shop.example", &[GRANTED, REFERER], "email=a%40example.com"));
    assert_eq!(reply.status(), 303);
    assert!(begin.elapsed() < Duration::from_secs(1));
    graph.wait_for(1, support::PATIENCE);
    let ids: std::collections::HashSet<_> =
        graph.requests().iter().flat_map(|request| request.events.clone()).map(|e| e["event_id"].to_string()).collect();
    assert_eq!((graph.requests().len(), ids.len()), (3, 1));
}

#[test]
fn the_end_of_the_answer_waits_for_the_disk_and_not_longer_than_allowed() {
    // A store that is locked by somebody else commits late: the answer goes out at the bound, the lead is not lost.
    let graph = Graph::start();
    let (proxy, _received) = start(&graph, &[("store-commit-wait", "200ms")]);
    let lock = rusqlite::Connection::open(proxy.store()).unwrap();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    let begin = Instant::now();
    let reply = send(proxy.address, &form_post("/q", "shop.example", &[GRANTED, REFERER], "email=a%40example.com"));
    let waited = begin.elapsed();
    assert_eq!(reply.status(), 303);
    assert!(waited >= Duration::from_millis(200) && waited < Duration::from_secs(2), "{waited:?}");
    lock.execute_batch("COMMIT").unwrap();
    graph.wait_for(1, support::PATIENCE);
    wait_until("the late commit to be counted", || proxy.metric("capi_outbox_late_total") == 1);
}

#[test]
fn a_visitor_who_leaves_before_the_answer_is_one_decision_too() {
    let graph = Graph::start();
    let site = Site::raw(|mut stream| {
        read_message(&mut stream, false);
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let proxy = InProcess::start(&site.url(), &graph.url(), &[]);
    let mut visitor = connect(proxy.address);
    visitor.write_all(&form_post("/q", "shop.example", &[GRANTED, REFERER], "email=a%40example.com")).unwrap();
    wait_until("the request to be under way", || proxy.metric("capi_requests_total") == 1);
    thread::sleep(Duration::from_millis(100));
    drop(visitor);
    wait_for_decision(&proxy, "no_lead", "aborted");
}

#[test]
fn the_admin_port_answers_probes_and_keeps_strangers_out() {
    let graph = Graph::start();
    let (proxy, _received) = start(&graph, &[]);
    let get = |path: &str, host: &str| {
        send(proxy.admin, format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").as_bytes())
    };
    assert_eq!(
        (get("/live", "x").status(), get("/ready", "x").status(), get("/metrics", "x").status()),
        (200, 200, 200)
    );
    assert_eq!((get("/", "localhost").status(), get("/", "rebound.example").status()), (200, 403));
    let page: Message = get("/", "127.0.0.1");
    assert!(page.text().contains("No form has been posted yet"));
}

#[test]
fn click_ids_of_other_networks_are_kept_with_consent_and_handed_to_the_site() {
    let graph = Graph::start();
    let (site, received) = site();
    let toml = "[landing]\nclick_ids = [\"gclid\"]\nclick_id_headers = { gclid = \"X-Gclid\" }\n";
    let proxy = InProcess::start_with(&site.url(), &graph.url(), &[], toml);
    let landing = |cookies: &str| {
        let get = format!(
            "GET /quote?gclid=Cj0-K_a HTTP/1.1\r\nHost: shop.example\r\nAccept: text/html\r\n{cookies}\r\n\r\n"
        );
        let answer = send(proxy.address, get.as_bytes());
        received.next();
        answer.header("set-cookie").map(str::to_owned)
    };
    let cookie = landing(GRANTED).unwrap();
    assert!(cookie.starts_with("_capi_gclid=Cj0-K_a; Domain=shop.example; Path=/; "), "{cookie}");
    assert_eq!((landing(DENIED), landing("X-A: b")), (None, None), "not without consent");
    let submit = |cookies: &str| {
        let cookies = format!("{cookies}; _capi_gclid=Cj0-K_a");
        let forged = ["X-Gclid: forged", "X_Gclid: forged", &cookies, REFERER];
        send(proxy.address, &form_post("/quote", "shop.example", &forged, "email=ana%40example.com"));
        received.next()
    };
    let with_consent = submit(GRANTED);
    assert_eq!((with_consent.all("x-gclid"), with_consent.all("x_gclid")), (vec!["Cj0-K_a"], vec![]));
    assert_eq!(submit(DENIED).all("x-gclid"), [""; 0]);
    graph.wait_for(1, support::PATIENCE);
    assert!(!graph.events()[0].to_string().contains("Cj0"), "it is nothing for Meta");
    let page = send(proxy.admin, b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").text();
    assert!(page.contains("gclid=Cj0-K_a"), "it is shown with the lead");
    assert!(page.contains("Match-key coverage of 1 leads"));
    assert_eq!(proxy.metric("capi_lead_match_keys_total{key=\"em\"}"), 1);
    send(
        proxy.address,
        &form_post("/quote", "shop.example", &[GRANTED, REFERER], "email=b%40example.com&country=Nowhere"),
    );
    let unusable = || {
        let text = send(proxy.admin, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").text();
        text.lines().any(|line| line.starts_with("capi_unusable_values_total{key=\"country\",reason="))
    };
    wait_until("the value that could not be used", unusable);
}

#[test]
fn crawlers_and_the_operators_own_people_get_no_cookie_and_make_no_lead() {
    let graph = Graph::start();
    let flags = [("internal-addresses", "203.0.113.0/24")];
    let (proxy, received) = start(&graph, &flags);
    let crawler = "Mozilla/5.0 (compatible; Examplebot/2.1; +http://example.com/bot)";
    for (headers, reason) in [
        (format!("User-Agent: {crawler}"), "bot"),
        ("User-Agent: Mozilla/5.0 Example/1.0\r\nX-Forwarded-For: 203.0.113.42".to_owned(), "internal"),
    ] {
        let get = format!(
            "GET /?fbclid=A HTTP/1.1\r\nHost: shop.example\r\nAccept: text/html\r\n{GRANTED}\r\n{headers}\r\n\r\n"
        );
        assert_eq!(send(proxy.address, get.as_bytes()).header("set-cookie"), None, "{reason}");
        received.next();
        let body = "email=ana%40example.com";
        let post = format!(
            "POST /quote HTTP/1.1\r\nHost: shop.example\r\n{headers}\r\n{GRANTED}\r\n{REFERER}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        assert_eq!(send(proxy.address, post.as_bytes()).status(), 303);
        received.next();
        wait_for_decision(&proxy, "no_lead", reason);
    }
    assert!(graph.events().is_empty());
}
