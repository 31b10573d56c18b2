//! The listener and its workers: accepted connections go to whichever worker has the fewest.

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Once};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime;
use tokio::sync::watch;

use super::hooks::Hooks;
use super::tee::Budget;
use super::worker::Worker;
use crate::config::Config;
use crate::metrics::WorkerCounts;

/// How long the listener rests when the kernel refuses a connection (out of descriptors or memory): ending would turn a
/// shortage into an outage, and trying again at once would burn the CPU.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);

/// What a server needs.
pub struct Options {
    /// The settings.
    pub config: Config,
    /// The listener for copies.
    pub hooks: Arc<dyn Hooks>,
    /// Memory for copies.
    pub budget: Arc<Budget>,
    /// Where workers register their counters.
    pub counts: Arc<WorkerCounts>,
    /// See [`super::forward::Shared`].
    pub proto_hint: Arc<Once>,
}

/// How far a shutdown has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Accepting.
    Serving,
    /// No new connections; open ones finish their request.
    Draining,
}

/// A running proxy.
pub struct Server {
    address: SocketAddr,
    phase: watch::Sender<Phase>,
    acceptor: JoinHandle<Vec<Worker>>,
}

impl Server {
    /// Binds and starts all threads.
    ///
    /// # Errors
    /// When the address cannot be bound or a thread cannot be made.
    pub fn start(options: Options) -> io::Result<Self> {
        let listener = StdListener::bind(options.config.listen)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let (phase, watched) = watch::channel(Phase::Serving);
        let options = Arc::new(options);
        let workers = (0..options.config.workers.max(1))
            .map(|index| Worker::start(index, Arc::clone(&options), watched.clone()))
            .collect::<io::Result<Vec<_>>>()?;
        let runtime = runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        let limit = options.config.limits.max_connections;
        let acceptor = thread::Builder::new().name("acceptor".into()).spawn(move || {
            if let Err(error) = runtime.block_on(accept(listener, &workers, limit, watched)) {
                tracing::error!(%error, "the listener ended");
            }
            workers
        })?;
        Ok(Self { address, phase, acceptor })
    }

    /// Where it listens; the port is real even if 0 was asked for.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops accepting, lets open requests finish within `timeouts.drain`, and waits for the threads. `false` when one
    /// of them panicked.
    #[must_use]
    pub fn drain(self) -> bool {
        self.phase.send_replace(Phase::Draining);
        match self.acceptor.join() {
            Ok(workers) => {
                let mut fine = true;
                for worker in workers {
                    fine &= worker.join();
                }
                fine
            }
            Err(_) => false,
        }
    }
}

async fn accept(
    listener: StdListener,
    workers: &[Worker],
    limit: usize,
    mut phase: watch::Receiver<Phase>,
) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = phase.wait_for(|phase| *phase == Phase::Draining) => return Ok(()),
        };
        match accepted {
            Ok((stream, peer)) => {
                if let Some(worker) = workers.iter().min_by_key(|worker| worker.live.load(Ordering::Relaxed)) {
                    match stream.into_std() {
                        Ok(stream) => drop(worker.give(stream, peer)),
                        Err(error) => tracing::warn!(%error, "a connection could not be handed to a worker"),
                    }
                }
            }
            Err(error) => {
                tracing::warn!(%error, "connection not accepted; resting");
                tokio::time::sleep(ACCEPT_BACKOFF).await;
            }
        }
        // At the limit new visitors wait in the kernel's queue instead of being turned away.
        while workers.iter().map(|worker| worker.live.load(Ordering::Relaxed)).sum::<usize>() >= limit {
            if *phase.borrow() == Phase::Draining {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}
