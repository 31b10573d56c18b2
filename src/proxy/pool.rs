//! The upstream connections of one worker: stacks of idle ones, for both ways through the proxy.
//!
//! It belongs to one thread, so it has no lock. It knows how to get a connection and take it back; how a request is
//! sent over it is others' business. A connection that the plain way has left can be taken up by the full way; hyper does not
//! give one back.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::body::RequestBody;
use super::dial::Dialer;
use super::error::Failure;
use super::socket::Socket;
use crate::config::{HeaderCase, Limits, Timeouts};
use crate::metrics::ProxyCounts;

/// Idle connections a worker keeps per way: enough for a burst of a browser's six connections from several visitors; a site's
/// own worker limit (PHP-FPM's default is far lower) is reached before that.
const MAX_IDLE: usize = 64;

/// No descriptor left: this process has none, or the whole machine.
const EMFILE: i32 = 24;
const ENFILE: i32 = 23;
/// How long to wait for another visitor's.
const SHORTAGE: Duration = Duration::from_millis(20);

/// One worker's connections to the site.
pub struct Pool {
    dialer: Dialer,
    timeouts: Timeouts,
    client: http1::Builder,
    /// With hyper on top.
    idle: RefCell<VecDeque<Idle<Connection>>>,
    /// As they are.
    bare: RefCell<VecDeque<Idle<Socket>>>,
    counts: Arc<ProxyCounts>,
}

struct Idle<T> {
    connection: T,
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

/// A connection in use by hyper. Dropping it closes it; [`Lease::give_back`] keeps it.
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
        dialer: Dialer,
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
            .max_header_size(limits.max_head_bytes)
            // What old CGI scripts print (RFC 9112 5.1, 5.2): accepted and repaired instead of answered with 502.
            .allow_obsolete_multiline_headers_in_responses(true)
            .allow_spaces_after_header_name_in_responses(true)
            .ignore_invalid_headers_in_responses(true);
        let (idle, bare) = (RefCell::default(), RefCell::default());
        Rc::new(Self { dialer, timeouts, client, idle, bare, counts })
    }

    /// The most recently used idle connection that is still alive, or a new one.
    pub async fn lease(self: &Rc<Self>) -> Result<Lease, Failure> {
        while let Some(mut idle) = self.pop(&self.idle, |connection| !connection.sender.is_closed()) {
            if idle.sender.ready().await.is_ok() {
                self.counts.upstream_reused.fetch_add(1, Ordering::Relaxed);
                return Ok(Lease { connection: idle, pool: Rc::clone(self), reused: true });
            }
        }
        match poll_fn(|cx| Poll::Ready(self.reuse(cx))).await {
            Some(socket) => self.with_hyper(socket, true).await,
            None => self.connect().await,
        }
    }

    /// A new connection.
    pub async fn connect(self: &Rc<Self>) -> Result<Lease, Failure> {
        let socket = self.open().await?;
        self.with_hyper(socket, false).await
    }

    async fn with_hyper(self: &Rc<Self>, socket: Socket, reused: bool) -> Result<Lease, Failure> {
        let (sender, connection) = self.client.handshake(TokioIo::new(socket)).await.map_err(Failure::Upstream)?;
        let task = tokio::task::spawn_local(async move {
            // Its errors reach whoever waits for the answer; afterwards there is nobody to tell.
            let _ = connection.with_upgrades().await;
        });
        Ok(Lease { connection: Connection { sender, task: Some(task) }, pool: Rc::clone(self), reused })
    }

    /// The most recently used idle connection without hyper that is still alive. Does not wait.
    pub fn reuse(&self, cx: &mut Context<'_>) -> Option<Socket> {
        let socket = self.pop(&self.bare, |socket| is_alive(socket, cx))?;
        self.counts.upstream_reused.fetch_add(1, Ordering::Relaxed);
        Some(socket)
    }

    /// A new connection without hyper.
    pub async fn open(&self) -> Result<Socket, Failure> {
        let socket = timeout(self.timeouts.connect, self.dial())
            .await
            .map_err(|_| Failure::ConnectTimeout)?
            .map_err(Failure::Connect)?;
        self.counts.upstream_opened.fetch_add(1, Ordering::Relaxed);
        Ok(socket)
    }

    /// Keeps a connection without hyper for the next request. Nothing may be owed on it in either direction.
    pub fn keep(&self, socket: Socket) {
        push(&self.bare, socket);
    }

    /// Without a descriptor it waits for one: a form must not fail because of a shortage that passes.
    async fn dial(&self) -> io::Result<Socket> {
        loop {
            match self.dialer.dial().await {
                Err(error) if matches!(error.raw_os_error(), Some(EMFILE | ENFILE)) => sleep(SHORTAGE).await,
                dialled => return dialled,
            }
        }
    }

    fn pop<T>(&self, idle: &RefCell<VecDeque<Idle<T>>>, mut is_alive: impl FnMut(&mut T) -> bool) -> Option<T> {
        let mut idle = idle.borrow_mut();
        while let Some(mut candidate) = idle.pop_back() {
            if candidate.since.elapsed() < self.timeouts.pool_idle && is_alive(&mut candidate.connection) {
                return Some(candidate.connection);
            }
        }
        None
    }

    /// Closes what has been idle for too long. Run now and then: a connection the site is about to close anyway is one
    /// more chance of losing a request on it.
    pub async fn tidy(self: Rc<Self>) {
        let limit = self.timeouts.pool_idle;
        let pause = limit.clamp(Duration::from_millis(100), Duration::from_secs(5));
        loop {
            sleep(pause).await;
            self.idle.borrow_mut().retain(|idle| idle.since.elapsed() < limit && !idle.connection.sender.is_closed());
            poll_fn(|cx| {
                let keep = |idle: &mut Idle<Socket>| idle.since.elapsed() < limit && is_alive(&mut idle.connection, cx);
                self.bare.borrow_mut().retain_mut(keep);
                Poll::Ready(())
            })
            .await;
        }
    }
}

/// Nothing has come on it: neither its end nor anything else, which nobody could have asked for.
fn is_alive(socket: &mut Socket, cx: &mut Context<'_>) -> bool {
    let mut byte = [0];
    Pin::new(socket).poll_read(cx, &mut ReadBuf::new(&mut byte)).is_pending()
}

fn push<T>(idle: &RefCell<VecDeque<Idle<T>>>, connection: T) {
    let mut idle = idle.borrow_mut();
    if idle.len() >= MAX_IDLE {
        idle.pop_front();
    }
    idle.push_back(Idle { connection, since: Instant::now() });
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
        if !self.connection.sender.is_closed() {
            push(&self.pool.idle, self.connection);
        }
    }
}
