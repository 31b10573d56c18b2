//! One pixel: takes all that waits while a request is in flight, sends it, settles it, and rests when it must.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::DeliveryCounts;
use super::pace::Pace;
use crate::clock::{Moment, Reading, Timekeeper};
use crate::config::Config;
use crate::outbox::{Due, Order, Outbox, StoreError, Wanted};

/// Events per request at most, by Meta's rule.
pub const MAX_EVENTS: usize = 1000;
/// Bytes of events per request: well below what gateways refuse.
const MAX_BYTES: usize = 2 * 1024 * 1024;
/// The longest sleep without looking: the clock may have been set meanwhile.
const LOOK: Duration = Duration::from_secs(30);
/// How long to leave a store alone that cannot be read.
const STORE_REST: Duration = Duration::from_secs(1);

/// Reads the clocks; tests have their own.
pub type Clock = Arc<dyn Fn() -> Reading + Send + Sync>;

/// What a pixel's task works with.
pub struct Worker {
    pub id: String,
    pub config: watch::Receiver<Arc<Config>>,
    pub outbox: Outbox,
    pub client: reqwest::Client,
    pub counts: Arc<DeliveryCounts>,
    /// Becomes `Some` at the shutdown: until then what is due is still sent.
    pub stop: watch::Receiver<Option<Instant>>,
    pub clock: Clock,
    pub time: Timekeeper,
    /// How fast requests may follow each other.
    pub pace: Pace,
    /// Nothing is sent before then.
    pub rest: Option<Instant>,
    /// Batches in a row that did not get through.
    pub failures: u32,
    /// Events in the next request at most: half of a request that failed, doubled by one that did not. So an event over
    /// which Graph stumbles every time is alone soon, and a request too large for the timeout becomes a smaller one.
    pub limit: usize,
    /// Graph refuses the token or the pixel, and that has been said.
    pub paused: bool,
    /// Seconds by which our clock is ahead of Graph's: to Graph the present would be the future.
    pub ahead: u64,
    /// The last answer has shown that it is further ahead than was known.
    pub learnt: bool,
}

impl Worker {
    /// Runs until the pixel is gone from the configuration or the shutdown is over.
    pub async fn run(mut self) {
        loop {
            // A new configuration may have brought a new token, perhaps while the old one was being refused.
            if self.config.has_changed().unwrap_or(false) {
                self.rest = None;
            }
            let config = Arc::clone(&self.config.borrow_and_update());
            let Some(pixel) = config.pixels.iter().find(|pixel| pixel.id == self.id) else { return };
            let stopping = *self.stop.borrow();
            if stopping.is_some_and(|deadline| deadline <= Instant::now()) {
                return;
            }
            if let Some(until) = self.rest.max(self.pace.next()).filter(|until| *until > Instant::now()) {
                if stopping.is_some() {
                    return;
                }
                // To the pace a new configuration means nothing: Graph's wish stands.
                tokio::select! {
                    () = sleep_until(until) => {}
                    Ok(()) = self.config.changed() => self.rest = None,
                    Ok(()) = self.stop.changed() => {}
                }
                continue;
            }
            self.rest = None;
            let now = self.look().steady;
            // Who refuses the token is asked with one lead, not with the hashes of all who wait.
            let (order, limit) = if self.paused { (Order::Newest, 1) } else { (config.delivery.order, self.limit) };
            let wanted = Wanted { pixel: self.id.clone(), now, limit, max_bytes: MAX_BYTES, order };
            match self.next(wanted, stopping.is_some()).await {
                Ok(due) if due.is_empty() => {
                    if stopping.is_some() {
                        return;
                    }
                }
                Ok(due) => {
                    // It may have been a long wait.
                    let moment = self.look();
                    self.rest = self.deliver(&config, pixel, due, moment).await;
                    self.failures = if self.rest.is_some() { self.failures.saturating_add(1) } else { 0 };
                }
                Err(error) => {
                    // The store says so itself, and once.
                    tracing::debug!(%error, pixel = self.id, "the outbox hands nothing out; trying again");
                    if stopping.is_some() {
                        return;
                    }
                    tokio::time::sleep(STORE_REST).await;
                }
            }
        }
    }

    /// Looks at the clocks.
    pub fn look(&mut self) -> Moment {
        self.time.look((self.clock)())
    }

    /// What is due, or nothing when there is a reason to look around first. What was asked for is always waited for: it is
    /// handed out once.
    async fn next(&mut self, wanted: Wanted, stopping: bool) -> Result<Vec<Due>, StoreError> {
        let outbox = self.outbox.clone();
        let mut due = pin!(outbox.due(wanted));
        // A copy, so that a new configuration is new to the next round as well, whatever comes of this one.
        let mut config = self.config.clone();
        tokio::select! {
            biased;
            due = &mut due => return due,
            () = tokio::time::sleep(LOOK), if !stopping => {}
            Ok(()) = config.changed(), if !stopping => {}
            Ok(()) = self.stop.changed(), if !stopping => {}
            () = std::future::ready(()), if stopping => {}
        }
        outbox.wait_no_longer(&self.id);
        due.await
    }

    /// Waits until the next request may go; `false` when the shutdown comes first.
    pub async fn keep_pace(&mut self) -> bool {
        let Some(next) = self.pace.next().filter(|next| *next > Instant::now()) else { return true };
        tokio::select! {
            () = sleep_until(next) => true,
            Ok(_) = self.stop.wait_for(Option::is_some) => false,
        }
    }
}
