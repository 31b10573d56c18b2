//! One worker: a thread with a single-threaded runtime, its own upstream connections and nothing to lock.

use std::cell::Cell;
use std::io;
use std::net::{SocketAddr, TcpStream as StdStream};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

use tokio::net::TcpStream;
use tokio::runtime;
use tokio::sync::{mpsc, watch};
use tokio::task::LocalSet;

use super::address::TrustedProxies;
use super::connection;
use super::forward::Shared;
use super::pool::Pool;
use super::server::{Options, Phase};
use crate::metrics::ProxyCounts;

/// The other end of a worker thread.
pub struct Worker {
    connections: mpsc::UnboundedSender<(StdStream, SocketAddr)>,
    /// Connections it is serving, for even distribution.
    pub live: Arc<AtomicUsize>,
    thread: JoinHandle<()>,
}

impl Worker {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the runtime or the thread cannot be made.
    pub fn start(index: usize, options: Arc<Options>, phase: watch::Receiver<Phase>) -> io::Result<Self> {
        let (connections, incoming) = mpsc::unbounded_channel();
        let live = Arc::new(AtomicUsize::new(0));
        let runtime = runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        let counted = Arc::clone(&live);
        let thread = thread::Builder::new().name(format!("worker-{index}")).spawn(move || {
            LocalSet::new().block_on(&runtime, run(options, incoming, phase, counted));
        })?;
        Ok(Self { connections, live, thread })
    }

    /// Gives it a connection. `false` when the thread has ended.
    #[must_use]
    pub fn give(&self, stream: StdStream, peer: SocketAddr) -> bool {
        self.live.fetch_add(1, Ordering::Relaxed);
        self.connections.send((stream, peer)).is_ok()
    }

    /// Waits for the thread; `false` when it panicked.
    #[must_use]
    pub fn join(self) -> bool {
        drop(self.connections);
        self.thread.join().is_ok()
    }
}

/// Counts a connection down, however its task ends.
struct Live(Arc<AtomicUsize>, Rc<Cell<usize>>, Rc<tokio::sync::Notify>);

impl Drop for Live {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
        self.1.set(self.1.get().saturating_sub(1));
        if self.1.get() == 0 {
            self.2.notify_one();
        }
    }
}

async fn run(
    options: Arc<Options>,
    mut incoming: mpsc::UnboundedReceiver<(StdStream, SocketAddr)>,
    mut phase: watch::Receiver<Phase>,
    live: Arc<AtomicUsize>,
) {
    let counts = Arc::new(ProxyCounts::default());
    options.counts.register(Arc::clone(&counts));
    let config = &options.config;
    let pool =
        Pool::new(config.upstream.clone(), config.timeouts, &config.limits, config.header_case, Arc::clone(&counts));
    tokio::task::spawn_local(Rc::clone(&pool).tidy());
    let shared = Rc::new(Shared {
        hooks: Arc::clone(&options.hooks),
        pool,
        trusted: TrustedProxies::new(config.trusted_proxies.clone(), config.client_ip_header.clone()),
        forwarded_headers: config.forwarded_headers,
        reserved: config.landing.click_id_headers.iter().map(|(_, name)| name.clone()).collect(),
        header_case: config.header_case,
        timeouts: config.timeouts,
        limits: config.limits,
        budget: Arc::clone(&options.budget),
        commit_wait: config.store.commit_wait,
        counts: Arc::clone(&counts),
        proto_hint: Arc::clone(&options.proto_hint),
    });
    let builder = connection::builder(&config.timeouts, &config.limits, config.header_case);
    let (open, all_closed) = (Rc::new(Cell::new(0)), Rc::new(tokio::sync::Notify::new()));
    let watched = phase.clone();
    let accept = |stream: StdStream, peer: SocketAddr| {
        counts.connections.fetch_add(1, Ordering::Relaxed);
        open.set(open.get() + 1);
        let guard = Live(Arc::clone(&live), Rc::clone(&open), Rc::clone(&all_closed));
        match TcpStream::from_std(stream) {
            Ok(stream) => {
                let serving =
                    connection::serve(stream, peer.ip(), builder.clone(), Rc::clone(&shared), watched.clone());
                tokio::task::spawn_local(async move {
                    serving.await;
                    drop(guard);
                });
            }
            Err(error) => tracing::warn!(%error, "a connection could not be registered"),
        }
    };
    loop {
        tokio::select! {
            next = incoming.recv() => match next { Some((stream, peer)) => accept(stream, peer), None => break },
            _ = phase.wait_for(|phase| *phase == Phase::Draining) => break,
        }
    }
    // Accepted before the drain began: these visitors get their answer as well.
    while let Ok((stream, peer)) = incoming.try_recv() {
        accept(stream, peer);
    }
    // Draining: the connections were told by the same signal; tunnels and slow answers get until the deadline.
    let deadline = tokio::time::sleep(config.timeouts.drain);
    tokio::pin!(deadline);
    while open.get() > 0 || counts.tunnels.load(Ordering::Relaxed) > 0 {
        tokio::select! {
            () = all_closed.notified() => {}
            () = tokio::time::sleep(std::time::Duration::from_millis(50)) => {}
            () = &mut deadline => break,
        }
    }
}
