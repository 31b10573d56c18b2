//! What a connection on the full way is doing, as far as it matters for what becomes of it afterwards.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::CONNECTION;
use http::{HeaderMap, Request, Response, StatusCode, Version};
use http_body::{Body, Frame, SizeHint};

use super::body::ResponseBody;
use super::error::BoxError;
use super::headers;

/// One connection's, shared by its requests. Atomics because hyper wants to be able to send an upgraded socket elsewhere; they
/// stay on one thread.
#[derive(Debug, Default)]
pub struct Progress {
    begun: AtomicUsize,
    ended: AtomicUsize,
    /// Both sides know that the connection ends after the last exchange.
    last: AtomicBool,
    /// A request was answered before all of its body had been read.
    unread: AtomicBool,
    /// hyper has decided to end the connection, for a reason of its own (two framings, RFC 9112 6.1).
    shut: AtomicBool,
    /// It has become a tunnel.
    tunnel: AtomicBool,
}

impl Progress {
    /// A request has come.
    pub fn begin<B>(&self, request: &Request<B>) {
        self.begun.fetch_add(1, Relaxed);
        if request.version() < Version::HTTP_11 || says_close(request.headers()) {
            self.last.store(true, Relaxed);
        }
    }

    /// Its answer is on the way; its end will be noticed.
    pub fn answer(self: &Arc<Self>, answer: Response<ResponseBody>) -> Response<Watched> {
        if says_close(answer.headers()) {
            self.last.store(true, Relaxed);
        }
        if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
            self.tunnel.store(true, Relaxed);
        }
        answer.map(|body| Watched { body, progress: Arc::clone(self) })
    }

    /// Nothing more is to come: the drain has begun.
    pub fn end(&self) {
        self.last.store(true, Relaxed);
    }

    /// The socket is being shut down: what follows on it is nobody's request.
    pub fn shut(&self) {
        self.shut.store(true, Relaxed);
    }

    /// Each direction ends by itself, and what the visitor sends is no request.
    #[must_use]
    pub fn is_tunnel(&self) -> bool {
        self.tunnel.load(Relaxed)
    }

    /// All requests that came have been read and answered.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.begun.load(Relaxed) == self.ended.load(Relaxed) && !self.unread.load(Relaxed)
    }

    /// Another request may follow on this connection.
    #[must_use]
    pub fn can_go_on(&self) -> bool {
        self.is_idle() && !self.last.load(Relaxed) && !self.shut.load(Relaxed) && self.begun.load(Relaxed) > 0
    }

    /// The connection can be closed without anybody losing anything.
    #[must_use]
    pub fn is_agreed_end(&self) -> bool {
        self.is_idle() && self.last.load(Relaxed)
    }
}

fn says_close(headers: &HeaderMap) -> bool {
    headers::has_token(headers, &CONNECTION, "close")
}

/// An answer's body whose end is noticed.
pub struct Watched {
    body: ResponseBody,
    progress: Arc<Progress>,
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.progress.ended.fetch_add(1, Relaxed);
        if !self.body.request_was_read() {
            self.progress.unread.store(true, Relaxed);
        }
    }
}

impl Body for Watched {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
