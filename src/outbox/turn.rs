//! What is done in one step because it came in one moment: a commit costs more than what is in it.

use super::{Admission, Admitted, Due, Settlement, Store, StoreError, Wanted};
use crate::exchange::UnixMillis;

/// Verdicts, submissions, and who asks for deliveries, in this order: what has just been admitted is handed out as well.
pub struct Turn<'a> {
    pub settlements: &'a [Settlement],
    /// When the verdicts came.
    pub settled: UnixMillis,
    pub admissions: &'a [Admission],
    /// When the submissions came.
    pub now: UnixMillis,
    /// Of every pixel one at most.
    pub wanted: &'a [Wanted],
}

/// What came of it, each part for itself.
pub struct Done {
    pub settled: Result<(), StoreError>,
    pub admitted: Result<Vec<Admitted>, StoreError>,
    /// In the order of [`Turn::wanted`].
    pub due: Vec<Result<Vec<Due>, StoreError>>,
}

impl Done {
    /// What went wrong first, and with what.
    pub fn first_error(&self) -> Option<(&'static str, &StoreError)> {
        let settled = self.settled.as_ref().err().map(|error| ("recording deliveries (tried again)", error));
        let admitted = self.admitted.as_ref().err().map(|error| ("storing leads", error));
        let due = self.due.iter().find_map(|due| due.as_ref().err()).map(|error| ("handing out deliveries", error));
        settled.or(admitted).or(due)
    }
}

/// One step after the other, so that each has its own success or error.
pub fn one_by_one<S: Store + ?Sized>(store: &mut S, turn: &Turn<'_>) -> Done {
    let Turn { settlements, settled, admissions, now, wanted } = *turn;
    Done {
        settled: if settlements.is_empty() { Ok(()) } else { store.settle(settlements, settled) },
        admitted: if admissions.is_empty() { Ok(Vec::new()) } else { store.admit(admissions, now) },
        due: wanted.iter().map(|wanted| store.take_due(wanted)).collect(),
    }
}
