//! What every kind of store can do. The writer's thread owns one and calls it, one thing at a time; what is promised here
//! is tested against each kind by the same tests (`tests::contract`).

use super::turn::{Done, Turn, one_by_one};
use super::{Admission, Admitted, Choice, Due, Held, Holding, PageRow, Released, Settlement, StoreError, Tie, Wanted};
use crate::exchange::UnixMillis;

/// A durable queue of deliveries and a memory of submissions. Each method is one atomic step: it happens as a whole or
/// not at all, also when the process or the machine dies in it. What returns `Ok` is durable.
pub trait Store: Send {
    /// How it is called in logs; without a password.
    fn name(&self) -> String;

    /// Whether others use it at the same time.
    fn is_shared(&self) -> bool {
        false
    }

    /// The random secret that was made once and is the same for all who share the store.
    fn secret(&mut self) -> Result<[u8; 32], StoreError>;

    /// "Seen before?" and the event with its deliveries, for all of them or for none.
    fn admit(&mut self, admissions: &[Admission], now: UnixMillis) -> Result<Vec<Admitted>, StoreError>;

    /// Hands out deliveries and notes that they are on their way *before* they are: after a crash in between, Meta may have
    /// them. Nobody else gets them until they are settled or whoever has them is dead.
    fn take_due(&mut self, wanted: &Wanted) -> Result<Vec<Due>, StoreError>;

    /// When the next delivery of a pixel is due that nobody has on its way.
    fn next_due(&mut self, pixel: &str, now: UnixMillis) -> Result<Option<UnixMillis>, StoreError>;

    /// Several of these in one step, where the store can; one that fails does not fail the others.
    fn turn(&mut self, turn: &Turn<'_>) -> Done {
        one_by_one(self, turn)
    }

    /// Records what became of deliveries.
    fn settle(&mut self, settlements: &[Settlement], now: UnixMillis) -> Result<(), StoreError>;

    /// When a label was first used.
    fn first_use(&mut self, label: &str, now: UnixMillis) -> Result<UnixMillis, StoreError>;

    /// Keeps a submission until its visitor has chosen.
    fn hold(&mut self, held: &Held, now: UnixMillis) -> Result<Holding, StoreError>;

    /// Ends the wait of what a choice is about.
    fn choose(&mut self, choice: Choice, now: UnixMillis) -> Result<Vec<Released>, StoreError>;

    /// The browsers that something waits for.
    fn held_browsers(&mut self) -> Result<Vec<[u8; 32]>, StoreError>;

    /// Erases what is not sent yet of the browser that these ties belong to; how many events that was.
    fn withdraw(&mut self, ties: &[Tie], now: UnixMillis) -> Result<usize, StoreError>;

    /// What is known of the site's pages, the oldest first.
    fn pages(&mut self) -> Result<Vec<PageRow>, StoreError>;

    /// Remembers pages. A memory aid: lost without harm.
    fn keep_pages(&mut self, rows: &[PageRow]) -> Result<(), StoreError>;

    /// How much of what there is.
    fn tally(&mut self) -> Result<Tally, StoreError>;

    /// What stands in for it, if anything does.
    fn stand_in(&mut self) -> Result<StandIn, StoreError> {
        Ok(StandIn::default())
    }

    /// Called about every second: what has to be done in time. Returns whether somebody else may have made deliveries due.
    fn tend(&mut self, now: UnixMillis) -> Result<bool, StoreError>;

    /// Called now and then: erases what is kept no longer than it is needed, a bounded part of it each time.
    fn sweep(&mut self, now: UnixMillis) -> Result<(), StoreError>;

    /// Asked after an error: whether the store had to start anew, so that what it had handed out is gone.
    fn start_anew(&mut self, _error: &StoreError) -> bool {
        false
    }
}

/// How much of what there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Deliveries that wait.
    pub pending: u64,
    /// Deliveries given up.
    pub dead: u64,
    /// Submissions that wait for the visitor's choice.
    pub held: u64,
}

/// What stands in for a store that is away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StandIn {
    /// Deliveries that wait in it.
    pub pending: u64,
    /// The store is away now.
    pub in_use: bool,
}
