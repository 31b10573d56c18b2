//! The one timer of a connection.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// A deadline that is set anew with every step, without touching the timer each time: the timer runs for `tick` at most, and
/// what is due is looked at when it fires. No deadline may be shorter than `tick`.
pub struct Watchdog {
    due: Instant,
    tick: Duration,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Watchdog {
    /// A timer that fires at least that often.
    #[must_use]
    pub fn new(tick: Duration) -> Self {
        Self { due: Instant::now(), tick, sleep: None }
    }

    /// From now on, so long.
    pub fn set(&mut self, limit: Duration) {
        self.due = Instant::now() + limit;
    }

    /// Ready when it is due. Called when everything else is pending.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let (due, tick) = (self.due, self.tick);
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(due.min(Instant::now() + tick))));
        while sleep.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            if self.due <= now {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(self.due.min(now + tick));
        }
        Poll::Pending
    }
}
