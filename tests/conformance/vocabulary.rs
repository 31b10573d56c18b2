//! Pieces of heads and bodies, and what is put together of them: likely things mostly, some odd, some damaged.

use std::fmt::Write as _;

use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::message::bytes;

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

/// A request.
pub fn request() -> impl Strategy<Value = Vec<u8>> {
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

/// An answer.
pub fn answer() -> impl Strategy<Value = Vec<u8>> {
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
pub fn generate<T>(strategy: impl Strategy<Value = T>, count: usize) -> Vec<T> {
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    (0..count).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect()
}

/// Several in one go; only the last may be anything.
pub fn breath() -> impl Strategy<Value = Vec<u8>> {
    let calm = proptest::collection::vec(select(CALM).prop_map(bytes), 1..6);
    (calm, request()).prop_map(|(calm, last)| [calm.concat(), last].concat())
}
