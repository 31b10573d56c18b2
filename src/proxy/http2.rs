//! HTTP/2 with visitors: each request becomes one of HTTP/1.1 (RFC 9113 8), and goes the full way like any other.
//!
//! The site is always spoken to in HTTP/1.1. What floods of resets, continuations and settings cost is bounded by h2 itself.

use std::cell::Cell;
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, COOKIE, HOST};
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri, Version};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::{Instant, sleep, timeout};

use super::body::ResponseBody;
use super::error::{BoxError, own_answer};
use super::forward::{Shared, forward};
use super::peer::Peer;
use super::progress::Progress;
use super::socket::Socket;
use super::target::Refusal;
use super::visitor_io::VisitorIo;

/// What a connection begins with that speaks HTTP/2 by prior knowledge (RFC 9113 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Requests at once on one connection; RFC 9113 6.5.2 advises against less, and browsers hardly use more.
const MAX_STREAMS: u32 = 100;
/// What one upload may send ahead of the site. Less than the connection's, so that an upload which the site does not read
/// leaves room for the other requests.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// What is kept of one answer that the visitor does not read.
const SEND_BUFFER: usize = 64 * 1024;
/// A visitor from whom nothing comes for so long is asked for a sign of life (PING, RFC 9113 6.7), and is gone if there is
/// none for so long: else a connection whose other end has vanished would hold its streams, and a drain.
const PING_AFTER: Duration = Duration::from_secs(15);
/// A PONG may have to wait behind an answer on a slow line.
const PONG_WITHIN: Duration = Duration::from_secs(30);
/// The shortest pause between two looks at a connection that does nothing.
const GLANCE: Duration = Duration::from_millis(250);

/// What a connection in cleartext turned out to speak; the bytes were read to find out.
pub enum Sniffed {
    /// Something else: HTTP/1, or nonsense.
    Other(Bytes),
    /// HTTP/2.
    Preface(Bytes),
}

/// Whether these first bytes of a connection are, or become, the preface: nothing else begins with such a request line.
#[must_use]
pub fn is_announced_by(read: &[u8]) -> bool {
    let common = read.len().min(PREFACE.len());
    common >= b"PRI * HTTP/2".len() && read.get(..common) == PREFACE.get(..common)
}

/// Reads until it is clear what a new connection speaks. `None` when it ends before that, or does not begin in time.
pub async fn sniff(socket: &mut Socket, shared: &Shared) -> Option<Sniffed> {
    let reading = async {
        let mut read = Bytes::new();
        loop {
            let more = poll_fn(|cx| {
                // Not kept while nothing comes.
                let mut scratch = [0; 16 * 1024];
                let mut buf = ReadBuf::new(&mut scratch);
                Pin::new(&mut *socket).poll_read(cx, &mut buf).map_ok(|()| Bytes::copy_from_slice(buf.filled()))
            });
            let more = more.await.ok().filter(|more| !more.is_empty())?;
            read = if read.is_empty() { more } else { [read, more].concat().into() };
            if read.starts_with(PREFACE) {
                return Some(Sniffed::Preface(read));
            }
            if !PREFACE.starts_with(&read) {
                return Some(Sniffed::Other(read));
            }
        }
    };
    tokio::select! {
        sniffed = timeout(shared.timeouts.header_read, reading) => sniffed.ok().flatten(),
        () = shared.drain.begun() => None,
    }
}

/// Runs the streams of a connection on the worker's own thread.
#[derive(Clone)]
struct OnThisThread;

impl<F: Future + 'static> Executor<F> for OnThisThread {
    fn execute(&self, stream: F) {
        tokio::task::spawn_local(async move {
            stream.await;
        });
    }
}

/// Serves one connection until it ends, does nothing for too long, or the worker drains.
pub async fn serve(socket: Socket, prefix: Bytes, peer: Peer, shared: Rc<Shared>) {
    // GOAWAY tells both sides where the end is: no close has to linger.
    let progress = Arc::new(Progress::default());
    progress.end();
    let timeouts = shared.timeouts;
    let io = VisitorIo::new(socket, prefix, timeouts.body_stall, progress);
    let head = u32::try_from(shared.limits.max_head_bytes).unwrap_or(u32::MAX);
    let streams = Rc::new(Streams::default());
    let (drain, watched) = (Rc::clone(&shared), Rc::clone(&streams));
    let service = service_fn(move |request| {
        let (shared, stream) = (Rc::clone(&shared), Stream::open(&streams));
        async move { Ok::<_, Infallible>(answer(shared, peer, request).await.map(|body| Tracked { body, stream })) }
    });
    let connection = http2::Builder::new(OnThisThread)
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_AFTER)
        .keep_alive_timeout(PONG_WITHIN)
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(head)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .serve_connection(TokioIo::new(io), service);
    tokio::pin!(connection);
    let mut ending = false;
    let result = loop {
        tokio::select! {
            result = connection.as_mut() => break result,
            () = drain.drain.begun(), if !ending => {}
            silence = watched.silence(timeouts.header_read, timeouts.body_stall), if !ending => {
                if silence == Silence::VisitorDoesNotRead {
                    tracing::debug!("an HTTP/2 connection whose answers are not read was closed");
                    return;
                }
            }
            // The end was announced, and nothing came of it.
            () = sleep(timeouts.body_stall), if ending && watched.open.get() == 0 => return,
        }
        ending = true;
        connection.as_mut().graceful_shutdown();
    };
    if let Err(error) = result {
        // The visitor's doing in nearly all cases: broken off, malformed, too slow.
        tracing::debug!(%error, "connection ended early");
    }
}

async fn answer(shared: Rc<Shared>, peer: Peer, mut request: Request<Incoming>) -> Response<ResponseBody> {
    let mut answer = match as_http1(&mut request, shared.limits.max_headers) {
        Ok(()) => forward(shared, peer, request).await,
        Err((status, sentence)) => {
            shared.counts.requests.fetch_add(1, Ordering::Relaxed);
            shared.counts.refused_requests.fetch_add(1, Ordering::Relaxed);
            own_answer(status, "http_request_error", sentence)
        }
    };
    // Belongs to HTTP/1 (RFC 9113 8.2.2); a stream ends by itself.
    answer.headers_mut().remove(CONNECTION);
    answer
}

/// The request as a visitor would have sent it in HTTP/1.1.
fn as_http1<B>(request: &mut Request<B>, max_headers: usize) -> Result<(), Refusal> {
    if request.headers().len() > max_headers {
        return Err((StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "too many header fields"));
    }
    // Refused like any other.
    if request.method() == Method::CONNECT {
        return Ok(());
    }
    if let Some(authority) = request.uri().authority() {
        // RFC 9113 8.3.1: no user in it, and a Host beside it must name the same.
        let same = |host: &HeaderValue| host.as_bytes().eq_ignore_ascii_case(authority.as_str().as_bytes());
        if authority.as_str().contains('@') || !request.headers().get_all(HOST).iter().all(same) {
            return Err((StatusCode::BAD_REQUEST, ":authority is malformed, or Host contradicts it"));
        }
        let host = HeaderValue::from_str(authority.as_str())
            .map_err(|_| (StatusCode::BAD_REQUEST, ":authority is malformed"))?;
        request.headers_mut().insert(HOST, host);
    }
    let Some(target) = request.uri().path_and_query().cloned().filter(|target| !target.path().is_empty()) else {
        return Err((StatusCode::BAD_REQUEST, "no :path"));
    };
    *request.uri_mut() = Uri::from(target);
    *request.version_mut() = Version::HTTP_11;
    join_cookies(request.headers_mut());
    Ok(())
}

/// HTTP/2 may cut `Cookie` into crumbs; HTTP/1.1 has one line (RFC 9113 8.2.3), and sites and caches read only the first.
fn join_cookies(headers: &mut http::HeaderMap) {
    if headers.get_all(COOKIE).iter().nth(1).is_none() {
        return;
    }
    let crumbs: Vec<&[u8]> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    // Made of header values: it is one.
    if let Ok(whole) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..])) {
        headers.insert(COOKIE, whole);
    }
}

/// What the streams of a connection are doing.
struct Streams {
    open: Cell<usize>,
    /// Of these: how many have an answer that goes on as soon as the visitor takes what there is of it.
    unread: Cell<usize>,
    /// When anything happened.
    last: Cell<Instant>,
}

/// What a connection is that does nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Silence {
    Idle,
    VisitorDoesNotRead,
}

impl Default for Streams {
    fn default() -> Self {
        Self { open: Cell::new(0), unread: Cell::new(0), last: Cell::new(Instant::now()) }
    }
}

impl Streams {
    /// Ready when there has been no request for `idle`, or no answer could go on for `stall`. HTTP/2 has windows of its own,
    /// so that a visitor can leave answers unread while the socket is fine.
    async fn silence(&self, idle: Duration, stall: Duration) -> Silence {
        loop {
            let (open, since) = (self.open.get(), self.last.get().elapsed());
            let (limit, silence) = if open == 0 { (idle, Silence::Idle) } else { (stall, Silence::VisitorDoesNotRead) };
            if since >= limit && self.unread.get() == open {
                return silence;
            }
            // What it is doing may change meanwhile, and with it the limit.
            sleep(limit.saturating_sub(since).min(idle).min(stall).max(GLANCE)).await;
        }
    }
}

/// One of the open streams, from its head to the end of its answer.
struct Stream {
    streams: Rc<Streams>,
    unread: bool,
}

impl Stream {
    fn open(streams: &Rc<Streams>) -> Self {
        streams.open.set(streams.open.get() + 1);
        streams.last.set(Instant::now());
        Self { streams: Rc::clone(streams), unread: false }
    }

    fn set_unread(&mut self, unread: bool) {
        self.streams.last.set(Instant::now());
        let count = self.streams.unread.get();
        match (std::mem::replace(&mut self.unread, unread), unread) {
            (false, true) => self.streams.unread.set(count + 1),
            (true, false) => self.streams.unread.set(count.saturating_sub(1)),
            _ => {}
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.set_unread(false);
        self.streams.open.set(self.streams.open.get().saturating_sub(1));
    }
}

/// An answer's body that says what its stream is doing: it is asked for more only when there is room at the visitor's.
struct Tracked {
    body: ResponseBody,
    stream: Stream,
}

impl Body for Tracked {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        self.stream.set_unread(matches!(polled, Poll::Ready(Some(Ok(_)))));
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn converted(target: &str, lines: &[(&'static str, &'static str)]) -> Result<Request<()>, u16> {
        let mut request = Request::builder().version(Version::HTTP_2).uri(target).body(()).unwrap();
        for (name, value) in lines {
            request.headers_mut().append(*name, HeaderValue::from_static(value));
        }
        as_http1(&mut request, 10).map_err(|(status, _)| status.as_u16())?;
        Ok(request)
    }

    #[test]
    fn the_authority_becomes_the_host_and_must_agree_with_one_that_is_there() {
        let request = converted("https://shop.example:8443/a?b", &[]).unwrap();
        assert_eq!((request.uri().to_string().as_str(), request.version()), ("/a?b", Version::HTTP_11));
        assert_eq!(request.headers()[HOST], "shop.example:8443");
        let same = converted("https://shop.example/", &[("host", "Shop.Example")]).unwrap();
        assert_eq!(same.headers().get_all(HOST).iter().count(), 1);
        for (target, host) in [
            ("https://shop.example/", "evil.example"),
            ("https://shop.example/", "shop.example:443"),
            ("https://user@shop.example/", "user@shop.example"),
        ] {
            assert_eq!(converted(target, &[("host", host)]).unwrap_err(), 400, "{target} {host}");
        }
        let twice = [("host", "shop.example"), ("host", "evil.example")];
        assert_eq!(converted("https://shop.example/", &twice).unwrap_err(), 400);
        let host_alone = converted("/", &[("host", "shop.example")]).unwrap();
        assert_eq!(host_alone.headers()[HOST], "shop.example");
    }

    #[test]
    fn cookie_crumbs_become_one_line() {
        let crumbs = [("cookie", "a=1"), ("x", "y"), ("cookie", "b=2; c=3"), ("cookie", "d=4")];
        let request = converted("https://a/", &crumbs).unwrap();
        let lines: Vec<_> = request.headers().get_all(COOKIE).iter().collect();
        assert_eq!(lines, ["a=1; b=2; c=3; d=4"]);
    }

    #[test]
    fn more_fields_than_allowed_are_refused() {
        assert_eq!(converted("https://a/", &[("x", "y"); 11]).unwrap_err(), 431);
    }
}
