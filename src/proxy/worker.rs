//! One worker: a thread with a single-threaded runtime, its own upstream connections and nothing to lock.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use http::HeaderValue;
use tokio::runtime::{self, LocalOptions};
use tokio::sync::{Notify, watch};
use tokio::time::sleep;

use super::address::TrustedProxies;
use super::connection;
use super::drain::Drain;
use super::forward::Shared;
use super::front::{Front, Speaks};
use super::guarded::Guarded;
use super::listener::Handle;
use super::peer::Peer;
use super::pool::Pool;
use super::server::{Options, Phase};
use super::socket::Socket;
use super::turns::Turns;
use crate::memory::{self, Tide};
use crate::metrics::ProxyCounts;

/// How long the listener rests when the kernel refuses a connection (out of descriptors or memory): ending would turn a
/// shortage into an outage, and trying again at once would burn the CPU.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);
/// How often it is looked whether many connections have gone.
const EBB: Duration = Duration::from_secs(2);
/// How often a listener at the limit of connections looks whether there is room again.
const FULL: Duration = Duration::from_millis(10);

/// The other end of a worker thread.
pub struct Worker {
    thread: JoinHandle<()>,
}

impl Worker {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the runtime or the thread cannot be made.
    pub fn start(
        index: usize,
        options: Arc<Options>,
        listener: Handle,
        turns: Arc<Turns>,
        phase: watch::Receiver<Phase>,
    ) -> io::Result<Self> {
        let (made, done) = mpsc::sync_channel(1);
        let thread = thread::Builder::new().name(format!("worker-{index}")).spawn(move || {
            // It cannot leave the thread it was made on; whether it was made is known before anybody is told that we serve.
            let mut builder = runtime::Builder::new_current_thread();
            let runtime = match builder.enable_io().enable_time().build_local(LocalOptions::default()) {
                Ok(runtime) => runtime,
                Err(error) => return drop(made.send(Err(error))),
            };
            drop(made.send(Ok(())));
            runtime.block_on(async move {
                let floor = Floor::new(index, &options, turns);
                floor.serve(listener, &options, phase).await;
            });
        })?;
        done.recv().map_err(io::Error::other)??;
        Ok(Self { thread })
    }

    /// Waits for the thread; `false` when it panicked.
    #[must_use]
    pub fn join(self) -> bool {
        self.thread.join().is_ok()
    }
}

/// Where the connections of a worker live.
struct Floor {
    index: usize,
    turns: Arc<Turns>,
    shared: Rc<Shared>,
    front: Rc<Front>,
    open: Rc<Open>,
}

/// The connections that are open.
#[derive(Default)]
struct Open {
    count: Cell<usize>,
    none: Notify,
}

/// Counts a connection down, however its task ends.
struct Live {
    index: usize,
    turns: Arc<Turns>,
    open: Rc<Open>,
}

impl Drop for Live {
    fn drop(&mut self) {
        self.turns.end(self.index);
        self.open.count.set(self.open.count.get().saturating_sub(1));
        if self.open.count.get() == 0 {
            self.open.none.notify_one();
        }
    }
}

impl Floor {
    fn new(index: usize, options: &Options, turns: Arc<Turns>) -> Self {
        let counts = Arc::new(ProxyCounts::default());
        options.counts.register(Arc::clone(&counts));
        let config = &options.config;
        let pool =
            Pool::new(options.dialer.clone(), config.timeouts, &config.limits, config.header_case, Arc::clone(&counts));
        tokio::task::spawn_local(Rc::clone(&pool).tidy());
        let shared = Rc::new(Shared {
            hooks: Arc::new(Guarded::new(Arc::clone(&options.hooks))),
            pool,
            trusted: TrustedProxies::new(config.trusted_proxies.clone(), config.client_ip_header.clone()),
            forwarded_headers: config.forwarded_headers,
            reserved: config.landing.click_id_headers.iter().map(|(_, name)| name.clone()).collect(),
            header_case: config.header_case,
            timeouts: config.timeouts,
            limits: config.limits,
            budget: Arc::clone(&options.budget),
            commit_wait: config.store.commit_wait,
            counts,
            proto_hint: Arc::clone(&options.proto_hint),
            plain_way: config.plain_way,
            site: HeaderValue::from_str(&config.upstream.authority()).ok(),
            server: connection::builder(&config.timeouts, &config.limits, config.header_case),
            drain: Drain::default(),
            scratch: RefCell::default(),
        });
        let open = Rc::default();
        tokio::task::spawn_local(Self::ebb(Rc::clone(&open)));
        Self { index, turns, shared, front: Rc::new(options.front.clone()), open }
    }

    /// Accepts when it is this worker's turn, until the drain begins; then waits for what is open.
    async fn serve(self, listener: Handle, options: &Options, mut phase: watch::Receiver<Phase>) {
        let limit = options.config.limits.max_connections;
        tokio::select! {
            () = self.take_turns(listener, limit) => {}
            _ = phase.wait_for(|phase| *phase == Phase::Draining) => {}
        }
        // Tunnels and slow answers get until the deadline.
        self.shared.drain.begin();
        let deadline = sleep(options.config.timeouts.drain);
        tokio::pin!(deadline);
        while self.open.count.get() > 0 || self.shared.counts.tunnels.load(Ordering::Relaxed) > 0 {
            tokio::select! {
                () = self.open.none.notified() => {}
                () = sleep(Duration::from_millis(50)) => {}
                () = &mut deadline => break,
            }
        }
    }

    /// Gives the memory of connections back that have gone.
    async fn ebb(open: Rc<Open>) {
        let mut tide = Tide::default();
        loop {
            sleep(EBB).await;
            if tide.is_out(open.count.get()) {
                memory::give_back();
            }
        }
    }

    async fn take_turns(&self, mut listener: Handle, limit: usize) {
        loop {
            self.turns.wait(self.index).await;
            // Registered only for the turn: otherwise every connection would wake every worker.
            match self.take_turn(listener, limit).await {
                Ok(kept) => listener = kept,
                Err(error) => {
                    tracing::error!(%error, worker = self.index, "the listener of a worker ended; the others go on");
                    self.turns.retire(self.index);
                    return std::future::pending().await;
                }
            }
        }
    }

    async fn take_turn(&self, listener: Handle, limit: usize) -> io::Result<Handle> {
        let listener = listener.register()?;
        let mut refused = false;
        loop {
            // At the limit new visitors wait in the kernel's queue instead of being turned away.
            while self.turns.live() >= limit {
                sleep(FULL).await;
            }
            match listener.accept().await {
                Ok((socket, peer)) => {
                    refused = false;
                    self.accept(socket, peer);
                    if self.turns.passes(self.index) {
                        return listener.release();
                    }
                }
                Err(error) => {
                    // Said once per shortage.
                    if !std::mem::replace(&mut refused, true) {
                        tracing::warn!(%error, "connection not accepted; the listener rests and tries again");
                    }
                    sleep(ACCEPT_BACKOFF).await;
                }
            }
        }
    }

    fn accept(&self, socket: Socket, address: IpAddr) {
        self.shared.counts.connections.fetch_add(1, Ordering::Relaxed);
        self.turns.begin(self.index);
        self.open.count.set(self.open.count.get() + 1);
        let live = Live { index: self.index, turns: Arc::clone(&self.turns), open: Rc::clone(&self.open) };
        let shared = Rc::clone(&self.shared);
        if self.front.is_open() {
            // Given along instead of being held around it: a future that waits for another one is twice its size.
            let serving = connection::serve(socket, Peer::clear(address), self.front.clear(), shared, live);
            tokio::task::spawn_local(serving);
            return;
        }
        let front = Rc::clone(&self.front);
        tokio::task::spawn_local(async move {
            // Boxed: what a handshake needs is not kept for a connection that waits.
            if let Some((socket, peer, speaks)) = Box::pin(admit(&front, socket, address, &shared)).await {
                connection::serve(socket, peer, speaks, shared, live).await;
            }
        });
    }
}

/// `None`: the connection is closed without a word; there is nothing yet that an answer could be to.
async fn admit(front: &Front, socket: Socket, address: IpAddr, shared: &Shared) -> Option<(Socket, Peer, Speaks)> {
    let admitted = tokio::select! {
        admitted = front.admit(socket, address) => admitted,
        () = shared.drain.begun() => return None,
    };
    admitted
        .inspect_err(|refused| {
            shared.counts.refused_connections.fetch_add(1, Ordering::Relaxed);
            front.complain(address, refused);
        })
        .ok()
}
