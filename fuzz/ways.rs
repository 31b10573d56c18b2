//! The two ways through the proxy, on the same bytes: what the plain way takes for a request, hyper must take for the same one, and
//! what both make of it for the site must be the same; what the plain way takes for an answer, hyper's client must take for
//! the same one, with the same body. Request and answer are divided by a byte that neither may contain.
#![no_main]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::mem::MaybeUninit;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use capi_sidecar::proxy::hooks::LandingEdit;
use capi_sidecar::proxy::peer::Peer;
use capi_sidecar::proxy::plain::answer::{self, Framing};
use capi_sidecar::proxy::plain::body::{Body as PlainBody, End};
use capi_sidecar::proxy::plain::request::{self, MAX_LINES, Seen, Verb};
use capi_sidecar::proxy::{forwarded, headers, target};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::Body as _;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use libfuzzer_sys::fuzz_target;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

const DIVIDER: u8 = 0xfe;
type Fields = BTreeMap<String, Vec<Vec<u8>>>;

fuzz_target!(|input: &[u8]| {
    let mut parts = input.splitn(2, |byte| *byte == DIVIDER);
    let (request, answer) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    requests(request);
    for is_head in [false, true] {
        answers(answer, is_head);
    }
});

fn requests(bytes: &[u8]) {
    let mut room = [const { MaybeUninit::uninit() }; MAX_LINES];
    let Seen::Plain(plain) = request::look(bytes, &mut room) else { return };
    let Some(mut full) = as_hyper_reads(bytes) else {
        // What http's URI parser refuses is passed on the plain way (docs/LIMITS.md); hyper's length limit is its own.
        assert!(plain.target.parse::<http::Uri>().is_err(), "hyper refuses {:?}", String::from_utf8_lossy(bytes));
        return;
    };
    target::normalise(&mut full).expect("what is plain is unambiguous");
    assert!(headers::framing_is_understood(full.headers()));
    assert_eq!(*full.method(), plain.verb.method());
    let body = if let Verb::Post(body) = plain.verb { body.len() as u64 } else { 0 };
    assert_eq!(*full.body(), Some(body));
    assert_eq!(full.uri().path_and_query().map(|target| target.as_str()), Some(plain.target));
    for trusted in [false, true] {
        let peer = Peer::clear([192, 0, 2, 7].into());
        let mut map = full.headers().clone();
        let host = map.get("host").cloned();
        headers::strip_hop_by_hop(&mut map);
        headers::strip_httpoxy(&mut map);
        headers::strip_framing_twins(&mut map);
        forwarded::update(&mut map, peer, trusted, host.as_ref());
        let changes = forwarded::changes(&plain.lines, peer, trusted, host.as_ref().map(HeaderValue::as_bytes));
        let mut out = Vec::new();
        request::write(&mut out, bytes, &plain, Some(&changes), &[], &[]);
        let mut lines = [httparse::EMPTY_HEADER; MAX_LINES + 8];
        let mut again = httparse::Request::new(&mut lines);
        let head = again.parse(&out).expect("it is a head");
        assert!(head.is_complete(), "{:?}", String::from_utf8_lossy(&out));
        assert_eq!(&out[head.unwrap()..], plain.verb.body());
        assert_eq!(again.path, Some(plain.target));
        let sent = again.headers.iter().map(|line| (line.name.to_ascii_lowercase(), line.value.to_vec()));
        assert_eq!(collect(sent), of_map(&map), "{:?}", String::from_utf8_lossy(bytes));
    }
}

fn collect(lines: impl Iterator<Item = (String, Vec<u8>)>) -> Fields {
    let mut fields = Fields::new();
    for (name, value) in lines {
        fields.entry(name).or_default().push(value);
    }
    fields
}

fn of_map(map: &HeaderMap) -> Fields {
    collect(map.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec())))
}

/// With the length of the body, if that is known.
fn as_hyper_reads(bytes: &[u8]) -> Option<Request<Option<u64>>> {
    let seen = Rc::new(RefCell::new(None));
    let note = Rc::clone(&seen);
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        note.borrow_mut().get_or_insert(request.map(|body| body.size_hint().exact()));
        std::future::pending::<Result<Response<Empty<Bytes>>, Infallible>>()
    });
    let io = TokioIo::new(Tape { bytes: bytes.to_vec(), at: 0, answers: false, asked: false });
    let mut server = hyper::server::conn::http1::Builder::new();
    let mut connection = pin!(server.max_headers(256).max_buf_size(512 * 1024).serve_connection(io, service));
    let _ = connection.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    seen.take()
}

/// A whole answer, as far as both must agree on it.
#[derive(Debug, PartialEq)]
struct Whole {
    status: u16,
    fields: Fields,
    body: Vec<u8>,
}

fn answers(bytes: &[u8], is_head: bool) {
    // The plain way loses patience with who only ever answers for now; hyper does not.
    if bytes.windows(7).filter(|at| at == b"HTTP/1.").count() > 16 {
        return;
    }
    let (plain, full) = (on_the_plain_way(bytes, is_head), on_the_full_way(bytes, is_head));
    // hyper overlooks control bytes in chunk extensions (RFC 9112 7.1.1 has none) and bare line feeds in trailers; the plain
    // way does not.
    let is_control = |byte: &u8| byte.is_ascii_control() && !b"\t\r\n".contains(byte);
    let is_bare = |at: usize| bytes[at] == b'\n' && (at == 0 || bytes[at - 1] != b'\r');
    if plain.is_none() && (bytes.iter().any(is_control) || (0..bytes.len()).any(is_bare)) {
        return;
    }
    assert_eq!(plain, full, "HEAD: {is_head}, {:?}", String::from_utf8_lossy(bytes));
}

/// `None`: refused or cut off.
fn on_the_plain_way(mut bytes: &[u8], is_head: bool) -> Option<Whole> {
    loop {
        let mut out = Vec::new();
        let additions = answer::Additions { edit: &LandingEdit::default(), close: false };
        let found = answer::with_head(bytes, is_head, 256, |answer, lines| {
            answer::write(&mut out, bytes, &answer, lines, &additions, || "now".to_owned());
            answer
        });
        let answer = found.ok()??;
        let rest = &bytes[answer.length..];
        if answer.status < 200 {
            if answer.status == 101 {
                return None;
            }
            bytes = rest;
            continue;
        }
        let mut body = PlainBody::new(&answer, None);
        let mut framed = Vec::new();
        // In two pieces: what is remembered in between matters.
        for piece in [&rest[..rest.len() / 2], &rest[rest.len() / 2..]] {
            if body.end() == End::NotYet {
                framed.extend(body.feed(piece).parts().concat());
            }
        }
        if body.end() == End::NotYet {
            framed.extend(body.close().parts().concat());
        }
        if body.end() == End::Broken {
            return None;
        }
        let chunked = matches!(answer.framing, Framing::Chunked | Framing::Close);
        let body = if chunked { unchunked(&framed) } else { framed };
        return Some(Whole { status: answer.status, fields: of_head(&out), body });
    }
}

fn of_head(head: &[u8]) -> Fields {
    let mut lines = vec![httparse::EMPTY_HEADER; 300];
    let mut response = httparse::Response::new(&mut lines);
    assert!(response.parse(head).expect("it is a head").is_complete(), "{:?}", String::from_utf8_lossy(head));
    let lines = response.headers.iter().map(|line| (line.name.to_ascii_lowercase(), line.value.to_vec()));
    without_framing(collect(lines))
}

fn without_framing(mut fields: Fields) -> Fields {
    for name in ["transfer-encoding", "content-length", "date", "connection", "trailer", "te"] {
        fields.remove(name);
    }
    fields
}

/// Strict on purpose: what the plain way sends must be framed without doubt.
fn unchunked(mut framed: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let end = framed.windows(2).position(|end| end == b"\r\n").expect("a line");
        let line = std::str::from_utf8(framed[..end].split(|byte| b"; \t".contains(byte)).next().unwrap()).unwrap();
        let size = usize::from_str_radix(line, 16).expect("a size");
        framed = &framed[end + 2..];
        body.extend_from_slice(&framed[..size]);
        assert_eq!(&framed[size..size + 2], b"\r\n");
        framed = &framed[size + 2..];
        if size == 0 {
            assert!(framed.is_empty(), "the end is the end");
            return body;
        }
    }
}

fn on_the_full_way(bytes: &[u8], is_head: bool) -> Option<Whole> {
    let mut cx = Context::from_waker(Waker::noop());
    let io = TokioIo::new(Tape { bytes: bytes.to_vec(), at: 0, answers: true, asked: false });
    let mut client = hyper::client::conn::http1::Builder::new();
    client
        .max_headers(256)
        .max_buf_size(512 * 1024)
        .allow_obsolete_multiline_headers_in_responses(true)
        .allow_spaces_after_header_name_in_responses(true)
        .ignore_invalid_headers_in_responses(true);
    let Poll::Ready(Ok((mut sender, connection))) = pin!(client.handshake::<_, Empty<Bytes>>(io)).poll(&mut cx) else {
        return None;
    };
    let mut connection = pin!(connection);
    let request = Request::builder().method(if is_head { "HEAD" } else { "GET" }).uri("/").header("host", "a");
    let asked = sender.send_request(request.body(Empty::new()).unwrap());
    let mut whole = pin!(async move {
        let answer = asked.await.ok()?;
        let mut understood = headers::length_is_clear(answer.headers());
        understood &= http_body::Body::is_end_stream(answer.body()) || headers::framing_is_understood(answer.headers());
        if !understood || answer.status() == 101 {
            return None;
        }
        let (mut head, body) = answer.into_parts();
        headers::repair_answer_framing(&mut head.headers);
        headers::strip_hop_by_hop(&mut head.headers);
        let fields = without_framing(of_map(&head.headers));
        Some(Whole { status: head.status.as_u16(), fields, body: body.collect().await.ok()?.to_bytes().to_vec() })
    });
    for _ in 0..10_000 {
        if let Poll::Ready(whole) = whole.as_mut().poll(&mut cx) {
            return whole;
        }
        let _ = connection.as_mut().poll(&mut cx);
    }
    panic!("hyper does not come to an end with {:?}", String::from_utf8_lossy(bytes));
}

/// A connection on which everything has already come.
struct Tape {
    bytes: Vec<u8>,
    at: usize,
    /// A site's: it speaks when it has been asked, and closes after it. Otherwise a visitor's, silent after it.
    answers: bool,
    asked: bool,
}

impl AsyncRead for Tape {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let rest = &self.bytes[self.at..];
        if if self.answers { !self.asked } else { rest.is_empty() } {
            return Poll::Pending;
        }
        let take = rest.len().min(buf.remaining());
        buf.put_slice(&rest[..take]);
        self.at += take;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Tape {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.asked = true;
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
