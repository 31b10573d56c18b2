//! The wall clock leaps: the machine booted without a clock and now knows the time, or somebody set it. What was stored
//! in this run is as old as the machine's own clock says, so it moves along; otherwise a lead that came while the clock
//! stood in 1970 would be too old to be sent a moment later, and a repeat would not be recognised.
//!
//! What an earlier run had stored stays: under which clock that was, nobody knows.

use rusqlite::{Connection, TransactionBehavior, params};

use super::admit::millis;
use crate::clock::Reading;
use crate::exchange::UnixMillis;

/// Less is the ordinary work of a time server.
const LEAP_MS: i64 = 60 * 1000;

/// Compares the wall clock with the time since the machine booted, which goes on while it sleeps.
pub struct Leaps {
    /// Wall clock minus time since boot, when last looked at.
    offset: i64,
    /// When this run began, by the present wall clock.
    began: i64,
    /// The newest event of earlier runs.
    last_before: i64,
    /// A leap that is not yet stored.
    owed: i64,
}

impl Leaps {
    /// From here on.
    pub fn watch(connection: &Connection) -> rusqlite::Result<Self> {
        let last_before = connection.query_row("SELECT coalesce(max(id), 0) FROM event", [], |row| row.get(0))?;
        Ok(Self { offset: offset(), began: millis(UnixMillis::now()), last_before, owed: 0 })
    }

    /// Notices a leap.
    pub fn look(&mut self) {
        let leapt = offset() - self.offset;
        // A small one is kept in mind, so that many small ones are not overlooked.
        if leapt.abs() >= LEAP_MS {
            tracing::warn!(seconds = leapt / 1000, "the clock has leapt: what came in this run moves along");
            self.offset += leapt;
            self.owed += leapt;
        }
    }

    /// Moves what this run has stored; again at the next call if the store refuses. `true` when something was owed.
    pub fn follow(&mut self, connection: &mut Connection) -> rusqlite::Result<bool> {
        let by = self.owed;
        if by == 0 {
            return Ok(false);
        }
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for table in ["submission", "supplied"] {
            let update = format!("UPDATE {table} SET seen = seen + ?1 WHERE seen >= ?2");
            transaction.execute(&update, params![by, self.began])?;
        }
        let seconds = by / 1000;
        let moved = "UPDATE event SET event_time = max(0, event_time + ?1), seen = seen + ?3 WHERE id > ?2";
        transaction.execute(moved, params![seconds, self.last_before, by])?;
        let moved = "UPDATE delivery SET event_time = max(0, event_time + ?1) WHERE event > ?2";
        transaction.execute(moved, params![seconds, self.last_before])?;
        let doubt = "UPDATE delivery SET in_doubt_since = in_doubt_since + ?1 WHERE in_doubt_since >= ?2";
        transaction.execute(doubt, params![by, self.began])?;
        // Put off by another clock: nobody knows until when.
        let due = "UPDATE delivery SET due_at = ?1 WHERE state = 'pending'";
        transaction.execute(due, params![millis(UnixMillis::now())])?;
        let held = "UPDATE held SET until = until + ?1, event_time = max(0, event_time + ?2) WHERE event_time >= ?3";
        transaction.execute(held, params![by, seconds, self.began / 1000])?;
        transaction.commit()?;
        self.began += by;
        self.owed = 0;
        Ok(true)
    }
}

/// Wall clock minus time since boot.
fn offset() -> i64 {
    let Reading { wall, boot } = Reading::now();
    millis(wall) - i64::try_from(boot.as_millis()).unwrap_or(i64::MAX)
}
