//! The two ways through the proxy are held together: the same traffic through both must mean the same to the site and to the
//! visitor. Traffic is made at random of what is common, odd and broken. `CAPI_DIFFERENTIAL=20000` runs that many cases.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::sync::{Arc, Mutex};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};
use support::{InProcess, Site, connect, read_message};

const NOWHERE: &str = "http://127.0.0.1:9";
/// What hyper's URI parser refuses (docs/LIMITS.md) and the plain way passes.
const ONLY_PLAIN: &[char] = &['<', '>', '"', '`'];

/// One case: what the visitor sends, what the site answers, and whether it closes then.
#[derive(Clone, Debug)]
struct Case {
    request: String,
    answer: String,
    close: bool,
}

/// What came of it.
#[derive(Debug, PartialEq)]
struct Outcome {
    /// What the site received: first line, fields, body.
    seen: Option<Seen>,
    /// What the visitor got; `None`: an end before a complete head.
    got: Option<Got>,
    /// Whether the visitor's connection went on.
    open: bool,
}

type Fields = BTreeMap<String, Vec<String>>;
type Seen = (String, Fields, Vec<u8>);

#[derive(Debug, PartialEq)]
struct Got {
    first_line: String,
    fields: Fields,
    /// `None`: cut off.
    body: Option<Vec<u8>>,
}

fn fields(head: &str) -> Fields {
    let mut fields = Fields::new();
    for (name, value) in head.lines().skip(1).filter_map(|line| line.split_once(':')) {
        fields.entry(name.to_ascii_lowercase()).or_default().push(value.trim().to_owned());
    }
    fields
}

/// A site that answers the scripted bytes, and anything at `/after` plainly.
struct Stage {
    script: Arc<Mutex<(Vec<u8>, bool)>>,
    seen: Arc<Mutex<Option<Seen>>>,
    ways: [InProcess; 2],
}

impl Stage {
    fn new() -> Self {
        let script = Arc::new(Mutex::new((Vec::new(), false)));
        let seen = Arc::new(Mutex::new(None));
        let (played, noted) = (Arc::clone(&script), Arc::clone(&seen));
        let site = Site::raw(move |mut stream| {
            while let Some(request) = read_message(&mut stream, false) {
                if request.first_line().contains("/after") {
                    stream.write_all(b"HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 2\r\n\r\nok").unwrap();
                    continue;
                }
                let what = (request.first_line().to_owned(), fields(&request.head), request.body);
                noted.lock().unwrap().replace(what);
                let (answer, close) = played.lock().unwrap().clone();
                if stream.write_all(&answer).is_err() || close {
                    return;
                }
            }
        });
        let way = |plain| InProcess::start(&site.url(), NOWHERE, &[("plain-way", plain), ("workers", "1")]);
        Self { script, seen, ways: [way("true"), way("false")] }
    }

    fn outcome(&self, way: usize, case: &Case) -> Outcome {
        *self.script.lock().unwrap() = (case.answer.clone().into_bytes(), case.close);
        self.seen.lock().unwrap().take();
        let mut visitor = connect(self.ways[way].address);
        visitor.write_all(case.request.as_bytes()).unwrap();
        let got = read(&mut visitor, case.request.starts_with("HEAD"));
        let whole = got.as_ref().is_some_and(|got| got.body.is_some());
        let after = b"GET /after HTTP/1.1\r\nHost: a\r\n\r\n";
        let open = whole
            && visitor.write_all(after).is_ok()
            && read_message(&mut visitor, false).is_some_and(|after| after.body == b"ok");
        Outcome { seen: self.seen.lock().unwrap().take(), got, open }
    }
}

fn read(visitor: &mut impl Read, is_head: bool) -> Option<Got> {
    let mut all = Recorder { stream: visitor, bytes: Vec::new() };
    let message = read_message(&mut all, is_head);
    let head = String::from_utf8_lossy(&all.bytes).into_owned();
    let head = head.split_once("\r\n\r\n")?.0.to_owned();
    let first_line = head.lines().next()?.to_owned();
    Some(Got { first_line, fields: fields(&head), body: message.map(|message| message.body) })
}

struct Recorder<'s, S> {
    stream: &'s mut S,
    bytes: Vec<u8>,
}

impl<S: Read> Read for Recorder<'_, S> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.stream.read(buffer)?;
        self.bytes.extend_from_slice(&buffer[..read]);
        Ok(read)
    }
}

/// Takes out what the two may differ by: where hyper leaves out what is optional, and the second in which `Date` was added.
fn comparable(mut outcome: Outcome, site_sent_date: bool) -> Outcome {
    if let Some(got) = &mut outcome.got {
        let status = got.first_line.split(' ').nth(1).unwrap_or_default().to_owned();
        // Framing is compared by what it says: the body, or that it was cut off.
        got.fields.remove("transfer-encoding");
        got.fields.remove("content-length");
        // hyper joins its lines, and leaves it out of what has no chunks.
        got.fields.remove("trailer");
        let is_ours = got.fields.contains_key("proxy-status") || status == "400";
        if (!site_sent_date || is_ours)
            && let Some(date) = got.fields.get_mut("date")
        {
            *date = vec!["now".to_owned()];
        }
        // A standard reason may be spelled out where the site sent none, and one outside ASCII is lost.
        if !got.first_line.is_ascii() || got.first_line.split(' ').nth(2).is_none_or(str::is_empty) {
            got.first_line = format!("HTTP/1.1 {status}");
        }
        // Our own words for it.
        if status == "502" {
            got.body = Some(Vec::new());
            got.fields.remove("proxy-status");
        }
    }
    outcome
}

fn requests() -> impl Strategy<Value = String> {
    let method =
        prop_oneof![8 => Just("GET"), 3 => Just("HEAD"), 4 => Just("POST"), 1 => select(vec!["PUT", "OPTIONS", "get"])];
    let target = prop_oneof![
        6 => select(vec!["/", "/a/../b//%2F%zz?x=+&&", "//", "/?", "/p?fbclid=abc", "/index.php?a[]=1&b={}|^\\"]),
        1 => select(vec!["/<x>", "/?q=\"y\"", "/`", "/#top", "*", "http://other/x", "a:443", "/ü"]),
    ];
    let line = prop_oneof![
        8 => select(vec![
            "Accept: text/html", "accept:*/*", "Cookie: a=b; c={\"x\":1}", "COOKIE: d", "X-Empty:", "X-Tab:\ta\tb \t",
            "User-Agent: Example/1.0", "Referer: http://shop.example/?fbclid=abc", "If-None-Match: \"x\"", "Range: bytes=0-1",
            "X-Bytes: \u{fc}", "Connection: keep-alive", "Authorization: Basic eDp5", "Upgrade-Insecure-Requests: 1",
        ]),
        4 => select(vec![
            "X-Forwarded-For: 203.0.113.9", "X-Forwarded-For: 203.0.113.8, 203.0.113.7", "X-Forwarded-Proto: https",
            "X-Forwarded-Host: evil.example", "Forwarded: for=203.0.113.9", "X_Forwarded_For: 1", "x-forwarded_proto: https",
            "Content_Length: 5", "Proxy: evil", "Keep-Alive: timeout=5", "Proxy-Connection: keep-alive", "HTTP2-Settings: x",
            "Connection: close", "Connection: X-Empty, Cookie", "connection:", "Proxy-Authorization: Basic eDp5",
        ]),
        1 => select(vec![
            "TE: trailers", "TE: gzip", "Connection: te", "Content-Length: 0", "Expect: 100-continue", "Upgrade: h2c", "Host: b",
            "Trailer: X-T", "X-Odd : a", "X-Fold: a\r\n b", " X: y", "Bad Name: x", "X-Nul: \0", "X-Cr: a\rb",
        ]),
    ];
    let host = prop_oneof![12 => Just("Host: shop.example\r\n"), 1 => select(vec!["", "Host:\r\n", "Host: a b\r\n", "Host: [::1]:80\r\n"])];
    let version =
        prop_oneof![15 => Just("HTTP/1.1"), 1 => select(vec!["HTTP/1.0", "HTTP/1.2", "HTTP/2.0", "http/1.1"])];
    let end = prop_oneof![15 => Just("\r\n"), 1 => Just("\n")];
    let body = prop_oneof![8 => select(vec![0, 3, 700, 16 * 1024]).prop_map(Some), 1 => Just(Some(16 * 1024 + 1)), 1 => Just(None)];
    (method, target, version, host, vec(line, 0..6), end, body).prop_map(
        |(method, target, version, host, lines, end, body)| {
            let lines: String = lines.iter().map(|line| format!("{line}{end}")).collect();
            let (length, body) = match body.filter(|_| ["POST", "PUT"].contains(&method)) {
                Some(length) => (format!("Content-Length: {length}{end}"), "x".repeat(length)),
                None => Default::default(),
            };
            format!("{method} {target} {version}\r\n{host}{lines}{length}\r\n{body}")
        },
    )
}

/// A body with its framing: lines, bytes, and whether the site closes.
fn bodies() -> impl Strategy<Value = (String, Vec<u8>, bool)> {
    let content = prop_oneof![Just(0), 1..200usize, Just(70_000), Just(300_000)].prop_map(|size| vec![b'x'; size]);
    (content, 0..16u8, 1..5000usize).prop_map(|(content, kind, size)| {
        let length = content.len();
        let chunked = |end: &str| {
            let mut bytes = Vec::new();
            for chunk in content.chunks(size) {
                bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                bytes.extend_from_slice(chunk);
                bytes.extend_from_slice(b"\r\n");
            }
            bytes.extend_from_slice(end.as_bytes());
            bytes
        };
        let te = "Transfer-Encoding: chunked\r\n".to_owned();
        match kind {
            0..=4 => (format!("Content-Length: {length}\r\n"), content, false),
            5 => (format!("Content-Length: {length}\r\nConnection: close\r\n"), content, true),
            6 => (format!("content-length:{length}\r\nContent-Length: {length}\r\n"), content, false),
            7 => (format!("Content-Length: {}\r\n", length + 5), content, true),
            8 => (String::new(), content, true),
            9 | 10 => (te, chunked("0\r\n\r\n"), false),
            11 => (format!("{te}Content-Length: 3\r\n"), chunked("0;ext=\"1\"\r\nX-Trailer: 1\r\n\r\n"), false),
            12 => (te, chunked("zz\r\n\r\n"), true),
            13 => (te, chunked(""), true),
            14 => (format!("Content-Length: {length}\r\nContent-Length: {}\r\n", length + 1), content, true),
            _ => ("Transfer-Encoding: gzip, chunked\r\n".to_owned(), chunked("0\r\n\r\n"), true),
        }
    })
}

fn answers() -> impl Strategy<Value = (String, bool)> {
    let status = prop_oneof![
        8 => select(vec!["200 OK", "404 Not Found", "302 Found", "299 Quite  Fine", "200 ", "500 Oh no"]),
        2 => select(vec!["204 No Content", "304 Not Modified", "200", "999 Far", "200 \u{fc}ber"]),
    ];
    let line = prop_oneof![
        8 => select(vec![
            "Set-Cookie: one=1", "set-cookie: two=2", "Content-Type: text/html; charset=utf-8", "X-CamelCase: a  b", "ETag: \"x\"",
            "Cache-Control: public, max-age=60", "Vary: Accept", "X-Empty:", "Location: /x?y", "Date: Tue, 24 Nov 2026 12:00:00 GMT",
        ]),
        2 => select(vec![
            "Connection: X-CamelCase", "Connection: keep-alive", "Keep-Alive: timeout=5", "Proxy-Connection: x", "Upgrade: h2c",
            "Trailer: X-Trailer", "X-Fold: a\r\n  b", "X-Space : c", "Proxy-Authenticate: Basic", "X-Bytes: \u{fc}",
        ]),
    ];
    let before = prop_oneof![
        12 => Just(""),
        1 => select(vec!["HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"]),
    ];
    let version = prop_oneof![8 => Just("HTTP/1.1"), 1 => Just("HTTP/1.0")];
    let excess = prop_oneof![12 => Just(""), 1 => Just("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")];
    (before, version, status, vec(line, 0..5), bodies(), excess).prop_map(
        |(before, version, status, lines, (framing, body, close), excess)| {
            let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
            let bodiless = status.starts_with("204") || status.starts_with("304");
            let mut bytes = format!("{before}{version} {status}\r\n{lines}{framing}\r\n").into_bytes();
            if !bodiless {
                bytes.extend_from_slice(&body);
                if !close {
                    bytes.extend_from_slice(excess.as_bytes());
                }
            }
            (String::from_utf8(bytes).unwrap(), close)
        },
    )
}

#[test]
fn the_same_traffic_means_the_same_on_both_ways() {
    let cases = std::env::var("CAPI_DIFFERENTIAL").ok().and_then(|cases| cases.parse().ok()).unwrap_or(400);
    let stage = Stage::new();
    let strategy = (requests(), answers()).prop_map(|(request, (mut answer, close))| {
        // Nothing follows an answer to HEAD but its head.
        let close = if request.starts_with("HEAD") {
            let interim = if answer.starts_with("HTTP/1.1 1") { answer.find("\r\n\r\n").unwrap() + 4 } else { 0 };
            answer.truncate(answer[interim..].find("\r\n\r\n").unwrap() + interim + 4);
            close
        } else {
            close
        };
        Case { request, answer, close }
    });
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 400, ..Config::default() };
    let result = TestRunner::new(config).run(&strategy, |case| {
        let dated = case.answer.contains("Date: ");
        let plain = comparable(stage.outcome(0, &case), dated);
        let full = comparable(stage.outcome(1, &case), dated);
        let target_is_odd = case.request.lines().next().is_some_and(|line| line.contains(ONLY_PLAIN));
        let refused = |outcome: &Outcome| outcome.got.as_ref().is_some_and(|got| got.first_line.contains(" 400"));
        if target_is_odd && refused(&full) && plain.seen.is_some() {
            return Ok(());
        }
        prop_assert_eq!(plain, full);
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
    let taken = stage.ways[0].metric("capi_plain_requests_total");
    assert!(taken > u64::from(cases) / 2, "{taken} of {cases} took the plain way");
    assert_eq!(stage.ways[1].metric("capi_plain_requests_total"), 0);
}
