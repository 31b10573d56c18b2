//! The one timer of a connection.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// A deadline that is set anew with every step, without touching the timer each time: the timer runs for `tick` at most, and
/// what is due is looked at when it fires. No deadline may be shorter than `tick`. The time runs from the first moment in which
/// there is nothing to do: a step that need not wait does not look at the clock.
pub struct Watchdog {
    limit: Duration,
    due: Option<Instant>,
    tick: Duration,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Watchdog {
    /// A timer that fires at least that often.
    #[must_use]
    pub fn new(tick: Duration) -> Self {
        Self { limit: tick, due: None, tick, sleep: None }
    }

    /// From now on, so long.
    pub const fn set(&mut self, limit: Duration) {
        (self.limit, self.due) = (limit, None);
    }

    /// Ready when it is due. Called when everything else is pending.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let (limit, tick) = (self.limit, self.tick);
        let due = *self.due.get_or_insert_with(|| Instant::now() + limit);
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(due.min(Instant::now() + tick))));
        while sleep.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            if due <= now {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(due.min(now + tick));
        }
        Poll::Pending
    }
}
