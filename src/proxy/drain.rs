//! How a worker's connections learn that it is to end.

use std::cell::Cell;
use std::future::Future;

use tokio::sync::Notify;

/// One worker's, shared by its connections: no lock is taken while nothing happens.
#[derive(Debug, Default)]
pub struct Drain {
    begun: Cell<bool>,
    waiting: Notify,
}

impl Drain {
    /// From now on: no new requests.
    pub fn begin(&self) {
        self.begun.set(true);
        self.waiting.notify_waiters();
    }

    /// Whether it has begun.
    pub fn has_begun(&self) -> bool {
        self.begun.get()
    }

    /// Ready when it begins, or at once if it has.
    pub fn begun(&self) -> impl Future<Output = ()> + '_ {
        // Made before the look at the flag: there is no moment in between, on one thread and without an await.
        let waiting = self.waiting.notified();
        let begun = self.begun.get();
        async move {
            if !begun {
                waiting.await;
            }
        }
    }
}
