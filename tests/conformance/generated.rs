//! Messages that nobody thought of: pieces of heads and bodies put together at random, some of them damaged. Whatever they
//! are, what arrives at the site is strictly valid, and both ways make the same of them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::message::{Fault, bytes, read, text};
use crate::support::{InProcess, Site, connect};

const CASES: usize = 240;
const THREADS: usize = 4;
/// Nothing more comes when nothing has come for so long; a difference is looked at again with more patience.
const QUIET: [Duration; 2] = [Duration::from_millis(60), Duration::from_millis(600)];

const METHODS: &[&str] = &["GET", "GET", "GET", "HEAD", "POST", "PUT", "OPTIONS", "get"];
const TARGETS: &[&str] = &["/", "/a?b=c", "//x/../", "http://a/x", "*", "a:80", "/x#y"];
const VERSIONS: &[&str] = &[" HTTP/1.1", " HTTP/1.1", " HTTP/1.1", " HTTP/1.1", " HTTP/1.0", " HTTP/1.2", ""];
const FIELDS: &[&str] = &[
    "Host: a",
    "Host: a",
    "Host: b",
    "Host: a b",
    "Connection: close",
    "Connection: keep-alive",
    "Connection: X-A, x-b",
    "Connection: TE",
    "connection:",
    "X-A: 1",
    "X-B: \u{fc}",
    "X-A:   spaced \t ",
    "TE: trailers",
    "Trailer: X-T",
    "Content-Length: 3",
    "Content-Length: 3",
    "Content-Length: 0",
    "Content-Length: 30",
    "Content-Length: +3",
    "Transfer-Encoding: chunked",
    "Transfer-Encoding: gzip, chunked",
    "Upgrade: websocket",
    "X-Forwarded-For: 192.0.2.1",
    "X_Forwarded_For: 192.0.2.1",
    "Forwarded: for=192.0.2.1",
    "Keep-Alive: 5",
    "Proxy: x",
    "Cookie: a=b",
    "Cookie: c=d",
    "Content_Length: 9",
    " folded",
    "X-A : b",
    "nonsense",
    ": x",
];
const BODIES: &[&str] = &[
    "",
    "",
    "abc",
    "3|abc|0||",
    "3;x=y|abc|0||",
    "3|abc|0|X-T: 1|X-U: 2||",
    "zz|abc|0||",
    "3|abcd|0||",
    "0||",
    "GET /evil HTTP/1.1|Host: a||",
];
/// Requests of both ways, one of which has to be the last on its connection.
const CALM: &[&str] = &[
    "GET /1 HTTP/1.1|Host: a||",
    "GET /2?x HTTP/1.1|Host: a|Cookie: a=b|X-Forwarded-For: 192.0.2.1||",
    "GET /3 HTTP/1.1|Host: a|Connection: X-A|X-A: 1||",
    "GET /4 HTTP/1.1|Host: a|Content-Length: 3||abc",
    "GET /5 HTTP/1.1|Host: a|Transfer-Encoding: chunked||3|abc|0||",
    "GET http://b/6 HTTP/1.1|Host: a||",
    "GET /7 HTTP/1.0|Host: a|Connection: keep-alive||",
    "POST /8 HTTP/1.1|Host: a|Content-Length: 3||abc",
    "POST /9 HTTP/1.1|Host: a|Transfer-Encoding: chunked||3|abc|0||",
    "POST /10 HTTP/1.1|Host: a|Content-Length: 9|Transfer-Encoding: chunked||3|abc|0||",
    "POST /11 HTTP/1.1|Host: a||",
    "|GET /12 HTTP/1.1|Host: a||",
    "GET /13 HTTP/1.1\nHost: a\n\n",
    "OPTIONS * HTTP/1.1|Host: a||",
];
const DAMAGE: &[&[u8]] = &[b"\r", b"\n", b"\0", b" ", b":", b"\x80", b"\r\n", b"\t", b","];

fn request() -> impl Strategy<Value = Vec<u8>> {
    let fields = proptest::collection::vec(select(FIELDS), 0..6);
    let host = prop_oneof![4 => Just("|Host: a"), 1 => Just("")];
    let head = (select(METHODS), select(TARGETS), select(VERSIONS), host, fields, select(BODIES));
    (head, damage()).prop_map(|((method, target, version, host, fields, body), damage)| {
        let mut text = format!("{method} {target}{version}{host}");
        for field in fields {
            let _ = write!(text, "|{field}");
        }
        damaged(bytes(&format!("{text}||{body}")), damage)
    })
}

const STATUSES: &[&str] = &[
    "HTTP/1.1 200 OK",
    "HTTP/1.1 200 OK",
    "HTTP/1.1 200 OK",
    "HTTP/1.0 200 OK",
    "HTTP/1.1 204 No Content",
    "HTTP/1.1 304 Not Modified",
    "HTTP/1.1 404 ",
    "HTTP/1.1 404",
    "HTTP/1.1 100 Continue||HTTP/1.1 200 OK",
    "HTTP/1.1 101 Switching Protocols",
    "HTTP/2 200 OK",
];
const ANSWER_FIELDS: &[&str] = &[
    "Connection: close",
    "Connection: keep-alive, X-A",
    "X-A: 1",
    "X-A: \u{fc}",
    "Content-Length: 3",
    "Content-Length: 3",
    "Content-Length: 3, 3",
    "Content-Length: 0",
    "Content-Length: 30",
    "Content-Length: +3",
    "Transfer-Encoding: chunked",
    "Transfer-Encoding: chunked",
    "Transfer-Encoding: gzip, chunked",
    "Transfer-Encoding: gzip",
    "Upgrade: h2c",
    "Set-Cookie: a=b",
    "Set-Cookie: c=d",
    "Date: Tue, 24 Nov 2026 12:00:00 GMT",
    "Keep-Alive: 5",
    "Trailer: X-T",
    "X-Fold: a| b",
    "X-Space : b",
    "nonsense",
    ": x",
];

fn answer() -> impl Strategy<Value = Vec<u8>> {
    let fields = proptest::collection::vec(select(ANSWER_FIELDS), 0..5);
    (select(STATUSES), fields, select(BODIES), damage()).prop_map(|(status, fields, body, damage)| {
        let mut text = status.to_owned();
        for field in fields {
            let _ = write!(text, "|{field}");
        }
        damaged(bytes(&format!("{text}||{body}")), damage)
    })
}

/// Where and with what; mostly nowhere.
fn damage() -> impl Strategy<Value = Option<(usize, &'static [u8], bool)>> {
    prop_oneof![2 => Just(None), 1 => (any::<usize>(), select(DAMAGE), any::<bool>()).prop_map(Some)]
}

fn damaged(mut message: Vec<u8>, damage: Option<(usize, &'static [u8], bool)>) -> Vec<u8> {
    if let Some((at, with, instead)) = damage {
        let at = at % message.len();
        message.splice(at..at + usize::from(instead), with.iter().copied());
    }
    message
}

/// The same on every run: what fails here fails everywhere.
fn generate<T>(strategy: impl Strategy<Value = T>, count: usize) -> Vec<T> {
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    (0..count).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect()
}

/// Everything that comes until nothing comes for a while, or the end.
fn hear(stream: &mut TcpStream, quiet: Duration) -> Vec<u8> {
    stream.set_read_timeout(Some(quiet)).unwrap();
    let mut heard = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return heard,
            Ok(count) => heard.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return heard,
        }
    }
}

/// The messages in it; what cannot be read is the last one. Broken off before anything or in the middle is the same: no answer.
fn messages(mut heard: &[u8], bodiless: bool) -> Vec<String> {
    let mut all = Vec::new();
    loop {
        match read(&mut heard, bodiless) {
            Ok(mut message) => {
                // The second at which it was asked for is nobody's doing.
                message.drop("date");
                // What hyper leaves out, or joins (docs/LIMITS.md).
                message.drop("trailer");
                if message.status() == 304 {
                    message.drop("content-length");
                }
                if !message.start.is_ascii() {
                    message.start.truncate("HTTP/1.1 200 ".len());
                }
                let fields = crate::message::by_name(&message.fields);
                let fields: BTreeMap<_, _> = fields.into_iter().filter(|(name, _)| name != "connection").collect();
                let own = message.header("proxy-status").is_some();
                let (body, fields) = if own { (String::new(), BTreeMap::new()) } else { (text(&message.body), fields) };
                all.push(format!("{} {fields:?} {body:?} {:?}", message.start, message.trailers));
            }
            Err(Fault::Closed | Fault::Truncated(_)) => return all,
            Err(Fault::Invalid(what)) => {
                all.push(format!("INVALID {what}"));
                return all;
            }
        }
    }
}

/// A site that notes what it hears, and answers.
struct Stage {
    proxy: InProcess,
    heard: Arc<Mutex<Vec<String>>>,
    answer: Arc<Mutex<Vec<u8>>>,
}

impl Stage {
    fn start(plain: &str) -> Self {
        let (heard, answer) = (Arc::<Mutex<Vec<String>>>::default(), Arc::<Mutex<Vec<u8>>>::default());
        let (notes, says) = (Arc::clone(&heard), Arc::clone(&answer));
        let site = Site::raw(move |mut stream| {
            loop {
                match read(&mut stream, false) {
                    Ok(request) => {
                        let fields = crate::message::by_name(&request.fields);
                        notes.lock().unwrap().push(format!(
                            "{} {fields:?} {:?} {:?}",
                            request.start,
                            text(&request.body),
                            request.trailers
                        ));
                        let says = says.lock().unwrap().clone();
                        if says.is_empty() {
                            // Without a body, so that it is one to a HEAD too.
                            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
                        } else {
                            let _ = stream.write_all(&says);
                            return;
                        }
                    }
                    // A visitor who is gone, noticed sooner or later.
                    Err(Fault::Closed | Fault::Truncated(_)) => return,
                    Err(Fault::Invalid(what)) => {
                        notes.lock().unwrap().push(format!("INVALID {what}"));
                        return;
                    }
                }
            }
        });
        let flags = [("plain-way", plain), ("workers", "1"), ("trusted-proxy", "127.0.0.1")];
        Self { proxy: InProcess::start(&site.url(), "http://127.0.0.1:9", &flags), heard, answer }
    }

    /// What the site and the visitor got.
    fn play(&self, request: &[u8], answer: &[u8], quiet: Duration) -> (Vec<String>, Vec<String>) {
        self.heard.lock().unwrap().clear();
        *self.answer.lock().unwrap() = answer.to_vec();
        let mut visitor = connect(self.proxy.address);
        let _ = visitor.write_all(request);
        let heard = hear(&mut visitor, quiet);
        drop(visitor);
        let got = messages(&heard, request.starts_with(b"HEAD"));
        let seen = std::mem::take(&mut *self.heard.lock().unwrap());
        (seen, got)
    }
}

/// Plays all, each through both ways, and says where they differ, or what is invalid.
fn play_all(cases: &[(Vec<u8>, Vec<u8>)]) {
    let share = cases.len().div_ceil(THREADS);
    let failures = &Mutex::new(String::new());
    thread::scope(|scope| {
        for cases in cases.chunks(share) {
            scope.spawn(move || {
                let (plain, full) = (Stage::start("true"), Stage::start("false"));
                for (request, answer) in cases {
                    let play = |quiet| (plain.play(request, answer, quiet), full.play(request, answer, quiet));
                    let (mut one, mut other) = play(QUIET[0]);
                    if one != other {
                        (one, other) = play(QUIET[1]);
                    }
                    let invalid = [&one.0, &one.1, &other.0, &other.1].iter().any(|list| list.iter().any(|m| m.starts_with("INVALID")));
                    if one != other || invalid {
                        let mut failures = failures.lock().unwrap();
                        let _ = write!(
                            failures,
                            "\n{:?}\n  answered {:?}\n  plain: site {:?}\n         visitor {:?}\n  full:  site {:?}\n         visitor {:?}\n",
                            text(request), text(answer), one.0, one.1, other.0, other.1
                        );
                    }
                }
            });
        }
    });
    let failures = failures.lock().unwrap();
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn whatever_is_asked_what_arrives_is_valid_and_both_ways_agree() {
    let cases: Vec<_> = generate(request(), CASES).into_iter().map(|request| (request, Vec::new())).collect();
    play_all(&cases);
}

#[test]
fn whatever_is_asked_in_one_breath_becomes_the_same_requests_on_both_ways() {
    let calm = proptest::collection::vec(select(CALM).prop_map(bytes), 1..6);
    let breath = (calm, request()).prop_map(|(calm, last)| [calm.concat(), last].concat());
    let cases: Vec<_> = generate(breath, CASES).into_iter().map(|requests| (requests, Vec::new())).collect();
    play_all(&cases);
}

#[test]
fn whatever_is_answered_what_arrives_is_valid_and_both_ways_agree() {
    let get = bytes(crate::stage::GET);
    let cases: Vec<_> = generate(answer(), CASES).into_iter().map(|answer| (get.clone(), answer)).collect();
    play_all(&cases);
}
