//! One visitor's connection: request heads are read, each request goes through [`super::forward`].
//!
//! This is where a second way through the proxy can read a head first and take it, or hand the socket to hyper together
//! with what it has read.

use std::convert::Infallible;
use std::net::IpAddr;
use std::rc::Rc;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::forward::{Shared, forward};
use super::patient::Patient;
use super::server::Phase;
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
        .max_buf_size(limits.max_head_bytes)
        // A visitor who goes away must be noticed at once, so that the site can stop; the price is that a client that
        // half-closes before its answer gets none, as with nginx and HAProxy.
        .half_close(false);
    builder
}

/// Serves one connection until it ends or the server drains.
pub async fn serve(
    stream: TcpStream,
    peer: IpAddr,
    builder: http1::Builder,
    shared: Rc<Shared>,
    mut phase: watch::Receiver<Phase>,
) {
    // Answers in several pieces must not wait for acknowledgements. A socket that refuses the option is broken anyway.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let patience = shared.timeouts.body_stall;
    let service = service_fn(move |request| {
        let shared = Rc::clone(&shared);
        async move { Ok::<_, Infallible>(forward(shared, peer, request).await) }
    });
    let stream = Patient::new(stream, patience);
    let connection = builder.serve_connection(TokioIo::new(stream), service).with_upgrades();
    tokio::pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        _ = phase.wait_for(|phase| *phase == Phase::Draining) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        // The visitor's doing in nearly all cases: broken off, malformed, too slow.
        tracing::debug!(%error, "connection ended early");
    }
}
