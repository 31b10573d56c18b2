//! The upstream connections of one worker: a stack of idle ones over hyper's own connection API.
//!
//! It belongs to one thread, so it has no lock. It knows how to get a connection and take it back; how a request is
//! sent over it is [`super::forward`]'s business.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::body::RequestBody;
use super::error::Failure;
use crate::config::{HeaderCase, Limits, Timeouts, Upstream};
use crate::metrics::ProxyCounts;

/// Idle connections a worker keeps: enough for a burst of a browser's six connections from several visitors; a site's
/// own worker limit (PHP-FPM's default is far lower) is reached before that.
const MAX_IDLE: usize = 64;

/// No descriptor left: this process has none, or the whole machine.
const EMFILE: i32 = 24;
const ENFILE: i32 = 23;
/// How long to wait for another visitor's.
const SHORTAGE: Duration = Duration::from_millis(20);

/// One worker's connections to the site.
pub struct Pool {
    upstream: Upstream,
    timeouts: Timeouts,
    client: http1::Builder,
    idle: RefCell<VecDeque<Idle>>,
    counts: Arc<ProxyCounts>,
}

struct Idle {
    connection: Connection,
    since: Instant,
}

struct Connection {
    sender: SendRequest<RequestBody>,
    /// `None` once the connection lives on by itself, as a tunnel.
    task: Option<JoinHandle<()>>,
}

impl Drop for Connection {
    /// hyper keeps a connection alive whose answer ended before its request body did (hyper#4176): the task is ours, so
    /// it ends with its owner.
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// A connection in use. Dropping it closes it; [`Lease::give_back`] keeps it.
pub struct Lease {
    connection: Connection,
    pool: Rc<Pool>,
    /// Whether it has carried a request before: only then can a broken connection mean "the site closed it while it
    /// was idle".
    pub reused: bool,
}

impl Pool {
    /// An empty pool.
    #[must_use]
    pub fn new(
        upstream: Upstream,
        timeouts: Timeouts,
        limits: &Limits,
        case: HeaderCase,
        counts: Arc<ProxyCounts>,
    ) -> Rc<Self> {
        let mut client = http1::Builder::new();
        client
            .preserve_header_case(case == HeaderCase::Preserve)
            .max_headers(limits.max_headers)
            .max_buf_size(limits.max_head_bytes)
            // What old CGI scripts print (RFC 9112 5.1, 5.2): accepted and repaired instead of answered with 502.
            .allow_obsolete_multiline_headers_in_responses(true)
            .allow_spaces_after_header_name_in_responses(true)
            .ignore_invalid_headers_in_responses(true);
        Rc::new(Self { upstream, timeouts, client, idle: RefCell::default(), counts })
    }

    /// The most recently used idle connection that is still alive, or a new one.
    pub async fn lease(self: &Rc<Self>) -> Result<Lease, Failure> {
        while let Some(mut idle) = self.pop() {
            if idle.connection.sender.ready().await.is_ok() {
                self.counts.upstream_reused.fetch_add(1, Ordering::Relaxed);
                return Ok(Lease { connection: idle.connection, pool: Rc::clone(self), reused: true });
            }
        }
        self.connect().await
    }

    /// A new connection.
    pub async fn connect(self: &Rc<Self>) -> Result<Lease, Failure> {
        let stream = timeout(self.timeouts.connect, self.dial())
            .await
            .map_err(|_| Failure::ConnectTimeout)?
            .map_err(Failure::Connect)?;
        // Heads and small bodies must not wait for an acknowledgement (Nagle).
        stream.set_nodelay(true).map_err(Failure::Connect)?;
        let (sender, connection) = self.client.handshake(TokioIo::new(stream)).await.map_err(Failure::Upstream)?;
        let task = tokio::task::spawn_local(async move {
            // Its errors reach whoever waits for the answer; afterwards there is nobody to tell.
            let _ = connection.with_upgrades().await;
        });
        self.counts.upstream_opened.fetch_add(1, Ordering::Relaxed);
        Ok(Lease { connection: Connection { sender, task: Some(task) }, pool: Rc::clone(self), reused: false })
    }

    /// Without a descriptor it waits for one: a form must not fail because of a shortage that passes.
    async fn dial(&self) -> io::Result<TcpStream> {
        loop {
            match TcpStream::connect((self.upstream.host.as_str(), self.upstream.port)).await {
                Err(error) if matches!(error.raw_os_error(), Some(EMFILE | ENFILE)) => sleep(SHORTAGE).await,
                dialled => return dialled,
            }
        }
    }

    fn pop(&self) -> Option<Idle> {
        let mut idle = self.idle.borrow_mut();
        while let Some(candidate) = idle.pop_back() {
            if candidate.since.elapsed() < self.timeouts.pool_idle && !candidate.connection.sender.is_closed() {
                return Some(candidate);
            }
        }
        None
    }

    /// Closes what has been idle for too long. Run now and then: a connection the site is about to close anyway is one
    /// more chance of losing a request on it.
    pub async fn tidy(self: Rc<Self>) {
        let pause = self.timeouts.pool_idle.clamp(Duration::from_millis(100), Duration::from_secs(5));
        loop {
            sleep(pause).await;
            let limit = self.timeouts.pool_idle;
            self.idle.borrow_mut().retain(|idle| idle.since.elapsed() < limit && !idle.connection.sender.is_closed());
        }
    }
}

impl Lease {
    /// The way to send.
    pub fn sender(&mut self) -> &mut SendRequest<RequestBody> {
        &mut self.connection.sender
    }

    /// Lets the connection live on without the pool: it has become a tunnel.
    pub fn detach(mut self) {
        self.connection.task = None;
    }

    /// Keeps the connection for the next request.
    pub fn give_back(self) {
        if self.connection.sender.is_closed() {
            return;
        }
        let mut idle = self.pool.idle.borrow_mut();
        if idle.len() >= MAX_IDLE {
            idle.pop_front();
        }
        idle.push_back(Idle { connection: self.connection, since: Instant::now() });
    }
}
