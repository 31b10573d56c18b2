//! The listener and its workers.

use std::io;
use std::sync::{Arc, Once};

use tokio::sync::watch;

use super::dial::Dialer;
use super::front::Front;
use super::hooks::Hooks;
use super::listener::Listener;
use super::tee::Budget;
use super::turns::Turns;
use super::worker::Worker;
use crate::config::{Config, Listen};
use crate::metrics::WorkerCounts;

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
    /// How visitors' connections begin.
    pub front: Front,
    /// How the site is reached.
    pub dialer: Dialer,
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
    /// Its socket file is removed with it, when the drain begins.
    listener: Listener,
    phase: watch::Sender<Phase>,
    workers: Vec<Worker>,
}

impl Server {
    /// Starts all threads.
    ///
    /// # Errors
    /// When a thread cannot be made.
    pub fn start(options: Options, listener: Listener) -> io::Result<Self> {
        let (phase, watched) = watch::channel(Phase::Serving);
        let count = options.config.workers.max(1);
        let (options, turns) = (Arc::new(options), Arc::new(Turns::new(count)));
        let workers = (0..count)
            .map(|index| {
                Worker::start(index, Arc::clone(&options), listener.share()?, Arc::clone(&turns), watched.clone())
            })
            .collect::<io::Result<Vec<_>>>()?;
        Ok(Self { listener, phase, workers })
    }

    /// Where it listens; the port is real even if 0 was asked for.
    #[must_use]
    pub const fn place(&self) -> &Listen {
        self.listener.place()
    }

    /// Stops accepting, lets open requests finish within `timeouts.drain`, and waits for the threads. `false` when one
    /// of them panicked.
    #[must_use]
    pub fn drain(self) -> bool {
        let Self { listener, phase, workers } = self;
        phase.send_replace(Phase::Draining);
        // Or the kernel would go on letting visitors in whom nobody serves.
        drop(listener);
        // All are waited for, whatever became of the first.
        workers.into_iter().map(Worker::join).fold(true, |all, fine| all & fine)
    }
}
