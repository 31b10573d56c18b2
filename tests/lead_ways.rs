//! However a form comes and however the site answers it: one lead, the bytes as they were, and the end of the answer not before
//! the lead is on disk.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../examples/demo/graph.rs"]
mod graph;
mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use graph::Graph;
use support::{InProcess, PATIENCE, Site, connect, read_message, wait_until};

/// How long the end of an answer waits for a store that does not commit.
const WAIT: Duration = Duration::from_secs(20);
/// Between two pieces of an answer: far less than that.
const PAUSE: Duration = Duration::from_millis(30);
const COOKIE: &str = "cookieyes-consent=consentid:x,consent:yes,action:yes,necessary:yes,advertisement:yes";

/// A site's answer, in pieces; the last never passes before the commit.
struct Answered {
    name: &'static str,
    pieces: &'static [&'static str],
    /// Whether the visitor gets something before the commit; `None`: the head or nothing.
    early: Option<bool>,
    closes: bool,
}

const ANSWERS: &[Answered] = &[
    Answered {
        name: "a redirect",
        pieces: &["HTTP/1.1 303 See Other\r\nLocation: /thanks\r\nContent-Length: 0\r\n\r\n"],
        early: Some(false),
        closes: false,
    },
    Answered {
        name: "a redirect with a body that comes later",
        pieces: &["HTTP/1.1 302 Found\r\nLocation: /thanks\r\nContent-Length: 6\r\n\r\n", "follow"],
        early: Some(false),
        closes: false,
    },
    Answered {
        name: "all at once",
        pieces: &["HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n{\"success\":true}"],
        early: None,
        closes: false,
    },
    Answered {
        name: "in pieces",
        pieces: &[
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n",
            "{\"success\"",
            ":true}",
        ],
        early: Some(true),
        closes: false,
    },
    Answered {
        name: "in chunks",
        pieces: &[
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n",
            "a\r\n{\"success\"\r\n",
            "6\r\n:true}\r\n",
            "0\r\n\r\n",
        ],
        early: Some(true),
        closes: false,
    },
    Answered {
        name: "until the end of the connection",
        pieces: &["HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n", "{\"success\":true}"],
        early: Some(true),
        closes: true,
    },
];

/// A site that answers `/N` with the Nth of the answers.
fn site() -> Site {
    Site::raw(|mut stream| {
        stream.set_nodelay(true).unwrap();
        while let Some(request) = read_message(&mut stream, false) {
            let number: usize = request.first_line().split(['/', ' ']).nth(2).unwrap().parse().unwrap();
            let answer = &ANSWERS[number];
            for (at, piece) in answer.pieces.iter().enumerate() {
                if at > 0 {
                    thread::sleep(PAUSE);
                }
                stream.write_all(piece.as_bytes()).unwrap();
            }
            if answer.closes {
                return;
            }
        }
    })
}

/// Sends a form, one way or another.
fn submit(proxy: &InProcess, visitor: &mut TcpStream, way: &str, number: usize, email: &str) {
    let body = format!("email={email}&message=hello");
    let (framing, body) = match way {
        "in chunks" => ("Transfer-Encoding: chunked".to_owned(), format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len())),
        _ => (format!("Content-Length: {}", body.len()), body),
    };
    let head = format!(
        "POST /{number} HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) Example/1.0\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nReferer: http://shop.example/quote\r\nCookie: {COOKIE}\r\n\
         {framing}\r\n\r\n"
    );
    if way == "in two pieces" {
        let before = proxy.metric("capi_requests_total");
        visitor.write_all(head.as_bytes()).unwrap();
        wait_until("the head to be read", || proxy.metric("capi_requests_total") > before);
        visitor.write_all(body.as_bytes()).unwrap();
    } else {
        visitor.write_all((head + &body).as_bytes()).unwrap();
    }
}

#[test]
fn the_end_of_the_answer_waits_for_the_commit_however_the_form_and_the_answer_come() {
    let (graph, site) = (Graph::start(), site());
    let wait = format!("{}ms", WAIT.as_millis());
    let flags = [("store-commit-wait", wait.as_str()), ("workers", "1")];
    let proxy = InProcess::start(&site.url(), &graph.url(), &flags);
    let lock = rusqlite::Connection::open(proxy.store()).unwrap();
    let mut leads = 0;
    for way in ["in one piece", "in two pieces", "in chunks"] {
        let plain = proxy.metric("capi_plain_requests_total");
        for (number, answer) in ANSWERS.iter().enumerate() {
            let what = format!("a form {way}, answered {}", answer.name);
            lock.execute_batch("BEGIN IMMEDIATE").unwrap();
            let mut visitor = connect(proxy.address);
            submit(&proxy, &mut visitor, way, number, &format!("{}-{number}%40example.com", way.replace(' ', "-")));
            let (begin, mut early) = (Instant::now(), Vec::new());
            let awaits_more =
                |early: &[u8]| answer.early == Some(true) && early.is_empty() && begin.elapsed() < WAIT / 2;
            while begin.elapsed() < PAUSE * 7 || awaits_more(&early) {
                visitor.set_read_timeout(Some(PAUSE)).unwrap();
                let mut room = [0; 4096];
                match visitor.read(&mut room) {
                    Ok(length) => early.extend_from_slice(&room[..length]),
                    Err(error) => assert!(matches!(error.kind(), std::io::ErrorKind::WouldBlock), "{what}: {error}"),
                }
            }
            let early_text = String::from_utf8_lossy(&early).into_owned();
            assert!(answer.early.is_none_or(|expected| expected != early.is_empty()), "{what}: {early_text:?}");
            lock.execute_batch("COMMIT").unwrap();
            visitor.set_read_timeout(Some(PATIENCE)).unwrap();
            let whole = read_message(&mut early.as_slice().chain(&mut visitor), false).expect("a whole answer");
            assert!(whole.raw.len() > early.len(), "{what}: its end was there before the commit: {early_text:?}");
            let expected: String = answer.pieces.concat().split_once("\r\n\r\n").unwrap().1.to_owned();
            let expected = if answer.name == "in chunks" { "{\"success\":true}".to_owned() } else { expected };
            assert_eq!(whole.text(), expected, "{what}");
            leads += 1;
            graph.wait_for(leads, PATIENCE);
        }
        let plain = proxy.metric("capi_plain_requests_total") - plain;
        assert_eq!(plain, if way == "in one piece" { ANSWERS.len() as u64 } else { 0 }, "{way}");
    }
    let accepted = proxy.metric("capi_decisions_total{decision=\"lead\",reason=\"accepted\"}");
    assert_eq!((graph.events().len(), accepted), (leads, leads as u64));
    assert_eq!(proxy.metric("capi_outbox_late_total"), 0, "each was committed while its answer waited");
}
