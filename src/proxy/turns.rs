//! Whose turn it is to accept: the worker with the fewest connections listens, the others do not even look.
//!
//! One listener in every worker's epoll would wake all of them for each connection, and a thread that accepts for all would
//! hand every socket over. So the turn goes round: with one worker it costs nothing, with several a wake-up when it passes.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// The workers of a server, and whose turn it is.
#[derive(Debug)]
pub struct Turns {
    holder: AtomicUsize,
    seats: Vec<Seat>,
}

#[derive(Debug, Default)]
struct Seat {
    live: AtomicUsize,
    called: Notify,
}

/// Marks a worker that cannot accept any more. Half of the range: connections may still be counted on top.
const RETIRED: usize = usize::MAX / 2;

impl Turns {
    /// For that many workers; the first begins.
    #[must_use]
    pub fn new(workers: usize) -> Self {
        Self { holder: AtomicUsize::new(0), seats: (0..workers).map(|_| Seat::default()).collect() }
    }

    /// Waits for this worker's turn.
    pub async fn wait(&self, worker: usize) {
        let Some(seat) = self.seats.get(worker) else { return std::future::pending().await };
        // A call that came before is kept by `Notify`.
        while self.holder.load(Ordering::Acquire) != worker {
            seat.called.notified().await;
        }
    }

    /// Whether the turn is still this worker's, now that it has one connection more; if not, the other one is called.
    pub fn passes(&self, worker: usize) -> bool {
        let fewest = self.seats.iter().enumerate().min_by_key(|(_, seat)| seat.live.load(Ordering::Relaxed));
        let Some((next, seat)) = fewest else { return false };
        let own = self.seats.get(worker).map_or(RETIRED, |own| own.live.load(Ordering::Relaxed));
        if next == worker || seat.live.load(Ordering::Relaxed) >= own {
            return false;
        }
        self.holder.store(next, Ordering::Release);
        seat.called.notify_one();
        true
    }

    /// A connection of this worker has begun.
    pub fn begin(&self, worker: usize) {
        if let Some(seat) = self.seats.get(worker) {
            seat.live.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A connection of this worker has ended.
    pub fn end(&self, worker: usize) {
        if let Some(seat) = self.seats.get(worker) {
            seat.live.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// This worker cannot accept any more; another one does.
    pub fn retire(&self, worker: usize) {
        if let Some(seat) = self.seats.get(worker) {
            seat.live.fetch_add(RETIRED, Ordering::Relaxed);
        }
        self.passes(worker);
    }

    /// Connections of all workers.
    pub fn live(&self) -> usize {
        self.seats.iter().map(|seat| seat.live.load(Ordering::Relaxed) % RETIRED).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_turn_goes_to_whoever_has_the_fewest_connections() {
        let turns = Turns::new(3);
        turns.begin(0);
        assert!(turns.passes(0), "the second has none");
        assert_eq!(turns.holder.load(Ordering::Relaxed), 1);
        turns.begin(1);
        assert!(turns.passes(1));
        turns.begin(2);
        assert!(!turns.passes(2), "all have one: it stays where it is");
        turns.end(1);
        assert!(turns.passes(2));
        assert_eq!((turns.holder.load(Ordering::Relaxed), turns.live()), (1, 2));
    }

    #[test]
    fn a_worker_that_cannot_accept_is_passed_over_for_good() {
        let turns = Turns::new(2);
        turns.retire(0);
        for _ in 0..10 {
            turns.begin(1);
            assert!(!turns.passes(1));
        }
        assert_eq!((turns.holder.load(Ordering::Relaxed), turns.live()), (1, 10));
    }
}
