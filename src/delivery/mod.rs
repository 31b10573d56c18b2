//! Delivery to Graph: each pixel for itself, on a thread of its own. The data path knows nothing of it, and it nothing of
//! the data path; it lives on what is in the outbox.

mod batch;
mod classify;
mod graph;
mod pace;
mod retry;
mod search;
mod usage;
mod verdict;
mod worker;

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::clock::{Reading, Timekeeper};
use crate::config::Config;
use crate::metrics::{Sample, counters};
use crate::outbox::Outbox;
use pace::Pace;
use worker::{Clock, Worker};

counters! {
    /// Counters of delivery.
    DeliveryCounts {
        /// Events that Graph has accepted.
        delivered: Counter "capi_delivered_total",
        /// Events without user data that Graph refused, as expected.
        refused: Counter "capi_refused_total",
        /// Events given up; the outbox has them with the reason.
        dead: Counter "capi_dead_letters_total",
        /// Requests to Graph that failed and are repeated.
        failed: Counter "capi_graph_failures_total",
    }
}

/// The running delivery.
pub struct Delivery {
    stop: watch::Sender<Option<Instant>>,
    counts: Arc<DeliveryCounts>,
    thread: JoinHandle<()>,
}

impl Delivery {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the thread, its runtime or the TLS client cannot be made.
    pub fn start(config: watch::Receiver<Arc<Config>>, outbox: Outbox) -> io::Result<Self> {
        Self::start_by(config, outbox, Arc::new(Reading::now))
    }

    fn start_by(config: watch::Receiver<Arc<Config>>, outbox: Outbox, clock: Clock) -> io::Result<Self> {
        let client = graph::client(config.borrow().delivery.timeout).map_err(io::Error::other)?;
        let counts = Arc::new(DeliveryCounts::default());
        let (stop, stopped) = watch::channel(None);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let counted = Arc::clone(&counts);
        let thread = thread::Builder::new().name("delivery".into()).spawn(move || {
            runtime.block_on(supervise(config, outbox, client, counted, clock, stopped));
        })?;
        Ok(Self { stop, counts, thread })
    }

    /// A function that reads counters and gauges.
    #[must_use]
    pub fn samples(&self) -> Box<dyn Fn() -> Vec<Sample> + Send + Sync> {
        let counts = Arc::clone(&self.counts);
        Box::new(move || counts.read())
    }

    /// Sends what is due, for as long as `patience`, and ends the thread. What is left is on disk.
    pub fn shutdown(self, patience: Duration) {
        self.stop.send_replace(Some(Instant::now() + patience));
        if self.thread.join().is_err() {
            tracing::error!("the delivery thread had panicked");
        }
    }
}

/// Keeps one task per configured pixel.
async fn supervise(
    mut config: watch::Receiver<Arc<Config>>,
    outbox: Outbox,
    client: reqwest::Client,
    counts: Arc<DeliveryCounts>,
    clock: Clock,
    mut stop: watch::Receiver<Option<Instant>>,
) {
    let mut tasks = JoinSet::new();
    let mut running = HashMap::new();
    loop {
        let current = Arc::clone(&config.borrow_and_update());
        let stopping = stop.borrow().is_some();
        for pixel in &current.pixels {
            if stopping || running.contains_key(&pixel.id) {
                continue;
            }
            let worker = Worker {
                id: pixel.id.clone(),
                config: config.clone(),
                outbox: outbox.clone(),
                client: client.clone(),
                counts: Arc::clone(&counts),
                stop: stop.clone(),
                clock: Arc::clone(&clock),
                time: Timekeeper::new(clock()),
                pace: Pace::default(),
                rest: None,
                failures: 0,
                limit: worker::MAX_EVENTS,
                paused: false,
                ahead: 0,
                learnt: false,
            };
            running.insert(pixel.id.clone(), tasks.spawn(worker.run()).id());
        }
        if stopping && tasks.is_empty() {
            return;
        }
        tokio::select! {
            Some(ended) = tasks.join_next_with_id() => {
                let id = match ended {
                    Ok((id, ())) => id,
                    Err(error) => {
                        tracing::error!("a pixel's task ended by a bug; starting it again");
                        // Not at once: a bug that comes back at once must not become a busy loop.
                        tokio::time::sleep(Duration::from_secs(1)).await;
                        error.id()
                    }
                };
                running.retain(|_, task| *task != id);
            }
            _ = config.changed(), if !stopping => {}
            _ = stop.changed(), if !stopping => {}
        }
    }
}

#[cfg(test)]
mod tests;
