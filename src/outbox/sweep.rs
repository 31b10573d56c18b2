//! What is kept no longer than it is needed.

use rusqlite::{Connection, params};

use super::SEEN_FOR;
use super::admit::millis;
use crate::exchange::UnixMillis;

/// Contact hashes of dead letters: as long as Meta would still take the event.
const DEAD_BODIES_S: i64 = 7 * 24 * 3600;
/// What happened, without contact data.
const LEDGER_MS: i64 = 30 * 24 * 3600 * 1000;
/// Rows per statement, so that nobody waits long for the write lock.
const CHUNK: i64 = 500;

/// One round; called now and then.
pub fn sweep(connection: &Connection, now: UnixMillis) -> rusqlite::Result<()> {
    let seen = millis(now) - i64::try_from(SEEN_FOR.as_millis()).unwrap_or(i64::MAX);
    connection.execute(
        "DELETE FROM submission WHERE fingerprint IN (SELECT fingerprint FROM submission WHERE seen <= ?1 LIMIT ?2)",
        params![seen, CHUNK],
    )?;
    connection.execute(
        "DELETE FROM supplied WHERE (id, contact) IN (SELECT id, contact FROM supplied WHERE seen <= ?1 LIMIT ?2)",
        params![seen, CHUNK],
    )?;
    connection.execute(
        "UPDATE event SET body = '' WHERE id IN (SELECT id FROM event WHERE body <> '' AND event_time < ?1
         AND NOT EXISTS (SELECT 1 FROM delivery WHERE event = event.id AND state = 'pending') LIMIT ?2)",
        params![millis(now) / 1000 - DEAD_BODIES_S, CHUNK],
    )?;
    connection.execute(
        "DELETE FROM delivery WHERE id IN (SELECT id FROM delivery WHERE state <> 'pending' AND settled < ?1 LIMIT ?2)",
        params![millis(now) - LEDGER_MS, CHUNK],
    )?;
    connection.execute(
        "DELETE FROM event WHERE id IN (SELECT id FROM event WHERE event_time < ?1
         AND NOT EXISTS (SELECT 1 FROM delivery WHERE event = event.id) LIMIT ?2)",
        params![(millis(now) - LEDGER_MS) / 1000, CHUNK],
    )?;
    connection.execute_batch("PRAGMA incremental_vacuum(200)")?;
    // The log holds old copies of what was erased until it is written back and cut.
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
}
