//! Noticing that nothing moves any more.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// A deadline that moves with every piece, without touching the timer each time: it is looked at only when it fires.
#[derive(Debug)]
pub struct Stall {
    limit: Duration,
    sleep: Option<Pin<Box<Sleep>>>,
    last: Instant,
}

impl Stall {
    /// Of that length.
    #[must_use]
    pub fn new(limit: Duration) -> Self {
        Self { limit, sleep: None, last: Instant::now() }
    }

    /// Something has moved.
    pub fn progress(&mut self) {
        if self.sleep.is_some() {
            self.last = Instant::now();
        }
    }

    /// Ready when nothing has moved for the limit. Called when the body is pending.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.sleep.is_none() {
            self.last = Instant::now();
        }
        let due = self.last + self.limit;
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(due)));
        while sleep.as_mut().poll(cx).is_ready() {
            let due = self.last + self.limit;
            if due <= Instant::now() {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(due);
        }
        Poll::Pending
    }
}
