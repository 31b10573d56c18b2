//! What is kept no longer than it is needed.

use std::collections::HashSet;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, params};

use super::admit::millis;
use super::schema::BUSY;
use crate::exchange::UnixMillis;
use crate::outbox::SEEN_FOR;

/// Contact hashes of dead letters: as long as Meta would still take the event.
const DEAD_BODIES_S: i64 = 7 * 24 * 3600;
/// What happened, without contact data.
const LEDGER_MS: i64 = 30 * 24 * 3600 * 1000;
/// Pages that nobody has loaded since.
const PAGES_MS: i64 = 90 * 24 * 3600 * 1000;
/// What is held is looked at every second; by then something is wrong.
const HELD_TOO_LONG_MS: i64 = 60 * 1000;
/// Rows per statement, so that nobody waits long for the write lock.
const CHUNK: i64 = 500;
/// The ledger is in the order of time, so what is too old is among its first rows; no more are looked at.
const OLDEST: i64 = 20_000;

/// One round; called now and then.
pub fn sweep(connection: &Connection, in_flight: &HashSet<i64>, now: UnixMillis) -> rusqlite::Result<()> {
    let seen = millis(now) - i64::try_from(SEEN_FOR.as_millis()).unwrap_or(i64::MAX);
    connection.execute(
        "DELETE FROM submission WHERE fingerprint IN (SELECT fingerprint FROM submission WHERE seen <= ?1 LIMIT ?2)",
        params![seen, CHUNK],
    )?;
    connection.execute(
        "DELETE FROM supplied WHERE (id, contact) IN (SELECT id, contact FROM supplied WHERE seen <= ?1 LIMIT ?2)",
        params![seen, CHUNK],
    )?;
    give_up(connection, in_flight, now)?;
    connection.execute(
        "UPDATE event SET body = '' WHERE id IN (SELECT event.id FROM delivery AS d INDEXED BY delivery_dead
         CROSS JOIN event ON event.id = d.event WHERE d.state = 'dead' AND d.event_time < ?1 AND body <> ''
         AND NOT EXISTS (SELECT 1 FROM delivery WHERE event = event.id AND state = 'pending') LIMIT ?2)",
        params![millis(now) / 1000 - DEAD_BODIES_S, CHUNK],
    )?;
    connection.execute(
        "DELETE FROM tie WHERE (tie, event) IN (SELECT tie.tie, tie.event FROM tie JOIN event ON event.id = tie.event
         WHERE event.event_time < ?1 AND event.body = '' LIMIT ?2)",
        params![millis(now) / 1000 - DEAD_BODIES_S, CHUNK],
    )?;
    // Nobody was there to end its wait: holding was switched off, or the sidecar was.
    connection.execute(
        "DELETE FROM held WHERE fingerprint IN (SELECT fingerprint FROM held WHERE until < ?1 LIMIT ?2)",
        params![millis(now) - HELD_TOO_LONG_MS, CHUNK],
    )?;
    connection.execute(
        "DELETE FROM delivery WHERE id IN (SELECT id FROM (SELECT * FROM delivery ORDER BY id LIMIT ?3)
         WHERE state <> 'pending' AND settled < ?1 LIMIT ?2)",
        params![millis(now) - LEDGER_MS, CHUNK, OLDEST],
    )?;
    connection.execute(
        "DELETE FROM event WHERE id IN (SELECT id FROM (SELECT id, event_time FROM event ORDER BY id LIMIT ?3) AS old
         WHERE event_time < ?1 AND NOT EXISTS (SELECT 1 FROM delivery WHERE event = old.id) LIMIT ?2)",
        params![(millis(now) - LEDGER_MS) / 1000, CHUNK, OLDEST],
    )?;
    connection.execute("DELETE FROM parked WHERE event NOT IN (SELECT id FROM event)", [])?;
    connection.execute(
        "DELETE FROM page WHERE key IN (SELECT key FROM page WHERE at < ?1 LIMIT ?2)",
        params![millis(now) - PAGES_MS, CHUNK],
    )?;
    connection.execute_batch("PRAGMA incremental_vacuum(200)")?;
    // The log holds old copies of what was erased until it is written back and cut. While somebody else reads, the next
    // round will do: leads must not wait for a backup to end.
    connection.busy_timeout(Duration::ZERO)?;
    let cut = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    connection.busy_timeout(BUSY)?;
    match cut {
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => Ok(()),
        cut => cut,
    }
}

/// Of a pixel that is no longer configured: nobody else gives them up. What is on its way is left to whoever has it.
fn give_up(connection: &Connection, in_flight: &HashSet<i64>, now: UnixMillis) -> rusqlite::Result<()> {
    let too_old = millis(now) / 1000 - DEAD_BODIES_S;
    let ids: Vec<i64> = connection
        .prepare_cached(
            "SELECT id FROM delivery INDEXED BY delivery_newest WHERE state = 'pending' AND event_time < ?1 LIMIT ?2",
        )?
        .query_map(params![too_old, CHUNK], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for id in ids.iter().filter(|id| !in_flight.contains(id)) {
        connection
            .prepare_cached(
                "UPDATE delivery SET state = 'dead', reason = 'expired', settled = ?2, in_doubt_since = NULL
                 WHERE id = ?1 AND state = 'pending'",
            )?
            .execute(params![id, millis(now)])?;
    }
    Ok(())
}
