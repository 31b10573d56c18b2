//! One visitor's connection: its requests go one of two ways, and it comes back here in between.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::AsyncWriteExt;

use super::forward::{Shared, forward};
use super::front::Speaks;
use super::http2::{self, Sniffed};
use super::peer::Peer;
use super::plain::{self, Next};
use super::progress::{Progress, Watched};
use super::socket::Socket;
use super::visitor_io::VisitorIo;
use crate::config::{HeaderCase, Limits, Timeouts};

/// hyper's server settings, the same for every connection.
#[must_use]
pub fn builder(timeouts: &Timeouts, limits: &Limits, case: HeaderCase) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        // Without a timer hyper's timeouts do nothing.
        .timer(TokioTimer::new())
        .header_read_timeout(timeouts.header_read)
        .preserve_header_case(case == HeaderCase::Preserve)
        .max_headers(limits.max_headers)
        // The first is a bound for hyper's buffer, which it exceeds by a read; the second is exact.
        .max_buf_size(limits.max_head_bytes)
        .max_header_size(limits.max_head_bytes)
        // A visitor who goes away must be noticed at once, so that the site can stop; the price is that a client that
        // half-closes before its answer gets none, as with nginx and HAProxy.
        .half_close(false);
    builder
}

/// Serves one connection until it ends or the worker drains.
/// `live` is dropped when it has ended.
pub async fn serve<G>(mut socket: Socket, peer: Peer, speaks: Speaks, shared: Rc<Shared>, live: G) {
    let _live = live;
    if speaks == Speaks::Http2 {
        return Box::pin(http2::serve(socket, Bytes::new(), peer, shared)).await;
    }
    if !shared.plain_way {
        return Box::pin(without_plain(socket, peer, speaks, shared)).await;
    }
    let (mut read, mut may_be_http2) = (Bytes::new(), speaks == Speaks::Unknown);
    loop {
        let prefix = match plain::serve(&mut socket, read, peer, &mut may_be_http2, &shared).await {
            Next::End => return,
            Next::ForGood(prefix) if may_be_http2 && http2::is_announced_by(&prefix) => {
                return Box::pin(http2::serve(socket, prefix, peer, shared)).await;
            }
            // Whatever it may become, hyper has to go along with it.
            Next::ForGood(prefix) => return Box::pin(for_good(socket, prefix, peer, shared)).await,
            Next::Full(prefix) => prefix,
        };
        may_be_http2 = false;
        // Boxed: what hyper needs is not kept for a connection that waits.
        match Box::pin(for_now(socket, prefix, peer, &shared)).await {
            Some(back) => (socket, read) = back,
            None => return,
        }
    }
}

/// Serves a connection with hyper from its first byte.
async fn without_plain(mut socket: Socket, peer: Peer, speaks: Speaks, shared: Rc<Shared>) {
    let mut read = Bytes::new();
    if speaks == Speaks::Unknown {
        match http2::sniff(&mut socket, &shared).await {
            Some(Sniffed::Other(begun)) => read = begun,
            Some(Sniffed::Preface(begun)) => return http2::serve(socket, begun, peer, shared).await,
            None => return,
        }
    }
    for_good(socket, read, peer, shared).await;
}

/// Serves all that follows on this connection with hyper.
async fn for_good(socket: Socket, prefix: Bytes, peer: Peer, shared: Rc<Shared>) {
    let progress = Arc::new(Progress::default());
    let io = VisitorIo::new(socket, prefix, shared.timeouts.body_stall, Arc::clone(&progress));
    let service = service(&shared, peer, &progress);
    let connection = shared.server.serve_connection(TokioIo::new(io), service).with_upgrades();
    tokio::pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = shared.drain.begun() => {
            if progress.is_idle() {
                progress.end();
            }
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    note(&result, &shared);
}

/// Serves the next request with hyper, and those that hyper has read by then; gives the socket back, with what was read of
/// the request after that, or `None` when the connection has ended.
async fn for_now(socket: Socket, prefix: Bytes, peer: Peer, shared: &Rc<Shared>) -> Option<(Socket, Bytes)> {
    let progress = Arc::new(Progress::default());
    let io = VisitorIo::new(socket, prefix, shared.timeouts.body_stall, Arc::clone(&progress));
    let service = service(shared, peer, &progress);
    let mut connection = shared.server.serve_connection(TokioIo::new(io), service);
    let drained = shared.drain.begun();
    tokio::pin!(drained);
    let (mut draining, mut back) = (false, false);
    let result = poll_fn(|cx| {
        loop {
            // hyper writes everything out before it shuts a socket down. Without the shutdown it only does so where it has to
            // decide between the next request and the end, and that is where the socket is asked for.
            let polled = if back { connection.poll_without_shutdown(cx) } else { Pin::new(&mut connection).poll(cx) };
            if let Poll::Ready(result) = polled {
                return Poll::Ready(result);
            }
            if !draining && drained.as_mut().poll(cx).is_ready() {
                draining = true;
                if progress.is_idle() {
                    progress.end();
                }
            } else if !back && progress.can_go_on() {
                // The head of the answer is out, so that nothing in it says "close".
                back = true;
            } else {
                return Poll::Pending;
            }
            Pin::new(&mut connection).graceful_shutdown();
        }
    })
    .await;
    let fine = result.is_ok();
    note(&result, shared);
    if !back {
        return None;
    }
    let parts = connection.into_parts();
    let mut io = parts.io.into_inner();
    if fine && progress.can_go_on() && !draining {
        let (socket, prefix) = io.into_parts();
        let read = if prefix.is_empty() { parts.read_buf } else { [parts.read_buf, prefix].concat().into() };
        return Some((socket, read));
    }
    // Whether the visitor learns of it is the visitor's business.
    let _ = io.shutdown().await;
    None
}

/// A request's way to its answer, in a box because only so a connection can be asked to stop between two requests.
type Answering = Pin<Box<dyn Future<Output = Result<Response<Watched>, Infallible>>>>;

fn service(
    shared: &Rc<Shared>,
    peer: Peer,
    progress: &Arc<Progress>,
) -> impl Service<Request<Incoming>, Response = Response<Watched>, Error = Infallible, Future = Answering> + use<> {
    let (shared, progress) = (Rc::clone(shared), Arc::clone(progress));
    service_fn(move |request| {
        progress.begin(&request);
        let (shared, progress) = (Rc::clone(&shared), Arc::clone(&progress));
        Box::pin(async move { Ok(progress.answer(forward(shared, peer, request).await)) }) as Answering
    })
}

fn note(result: &Result<(), hyper::Error>, shared: &Shared) {
    if let Err(error) = result {
        // The visitor's doing in nearly all cases: broken off, malformed, too slow.
        tracing::debug!(%error, "connection ended early");
        if error.is_parse() {
            // hyper has answered, and nobody was asked.
            shared.counts.refused_requests.fetch_add(1, Ordering::Relaxed);
        }
    }
}
