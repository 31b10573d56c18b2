//! What is due, and what became of it.

use std::collections::HashSet;
use std::sync::Arc;

use rusqlite::{Connection, Row, Transaction, TransactionBehavior, params};

use super::admit::millis;
use crate::exchange::UnixMillis;
use crate::failpoint;
use crate::outbox::{Due, MAX_WAIT, Order, Settlement, Verdict, Wanted};

/// Picks what is due and notes that it is on its way *before* it is: after a crash in between, Meta may have it.
pub fn take_due(connection: &mut Connection, in_flight: &HashSet<i64>, wanted: &Wanted) -> rusqlite::Result<Vec<Due>> {
    let due = pick(connection, in_flight, wanted)?;
    if due.is_empty() {
        return Ok(due);
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    note(&transaction, &due, wanted)?;
    transaction.commit()?;
    failpoint::pass("taking_due");
    Ok(due)
}

/// The same within a transaction.
pub fn take(transaction: &Transaction<'_>, in_flight: &HashSet<i64>, wanted: &Wanted) -> rusqlite::Result<Vec<Due>> {
    let due = pick(transaction, in_flight, wanted)?;
    note(transaction, &due, wanted)?;
    Ok(due)
}

fn note(transaction: &Transaction<'_>, due: &[Due], wanted: &Wanted) -> rusqlite::Result<()> {
    let mut note = transaction
        .prepare_cached("UPDATE delivery SET in_doubt_since = ?2 WHERE id = ?1 AND in_doubt_since IS NULL")?;
    for delivery in due {
        note.execute(params![delivery.id, millis(wanted.now)])?;
    }
    Ok(())
}

/// The index gives this order and the opposite one, so that of a long backlog no more is read than is handed out.
pub const DUE: &str = "SELECT d.id, d.event_id, d.event_time, e.body, d.event_only, d.attempts, d.in_doubt_since
     FROM delivery d INDEXED BY delivery_newest CROSS JOIN event e ON e.id = d.event
     WHERE d.pixel = ?1 AND d.event_only = ?4 AND d.state = 'pending' AND (d.due_at <= ?2 OR d.due_at > ?3)
     ORDER BY d.event_time DESC, d.id DESC";

/// Leads before event-only events, which Meta is expected to refuse.
fn pick(connection: &Connection, in_flight: &HashSet<i64>, wanted: &Wanted) -> rusqlite::Result<Vec<Due>> {
    let mut select = match wanted.order {
        Order::Newest => connection.prepare_cached(DUE)?,
        Order::Oldest => connection.prepare_cached(&DUE.replace("DESC", "ASC"))?,
    };
    let now = millis(wanted.now);
    let latest = now.saturating_add(i64::try_from(MAX_WAIT.as_millis()).unwrap_or(i64::MAX));
    let (mut due, mut bytes) = (Vec::<Due>::new(), 0);
    for (event_only, limit) in [(false, wanted.limit), (true, 1)] {
        let rows = select.query_map(params![wanted.pixel, now, latest, event_only], read_due)?;
        for row in rows {
            let row = row?;
            if in_flight.contains(&row.id) {
                continue;
            }
            bytes += row.body.len();
            if due.len() == limit || (bytes > wanted.max_bytes && !due.is_empty()) {
                break;
            }
            due.push(row);
        }
        if !due.is_empty() {
            break;
        }
    }
    Ok(due)
}

fn read_due(row: &Row<'_>) -> rusqlite::Result<Due> {
    let body: String = row.get(3)?;
    let since: Option<i64> = row.get(6)?;
    Ok(Due {
        id: row.get(0)?,
        event_id: row.get(1)?,
        event_time: u64::try_from(row.get::<_, i64>(2)?).unwrap_or_default(),
        body: Arc::from(body),
        event_only: row.get(4)?,
        attempts: row.get(5)?,
        in_doubt_since: since.and_then(|since| u64::try_from(since).ok()).map(UnixMillis),
    })
}

/// When the next one is due that is not on its way.
pub fn next_due(
    connection: &Connection,
    in_flight: &HashSet<i64>,
    pixel: &str,
    now: UnixMillis,
) -> rusqlite::Result<Option<UnixMillis>> {
    let now = millis(now);
    let latest = now.saturating_add(i64::try_from(MAX_WAIT.as_millis()).unwrap_or(i64::MAX));
    let mut select = connection.prepare_cached(
        "SELECT id, due_at FROM delivery INDEXED BY delivery_newest WHERE pixel = ?1 AND state = 'pending'",
    )?;
    let mut rows = select.query(params![pixel])?;
    let mut next: Option<i64> = None;
    while let Some(row) = rows.next()? {
        if !in_flight.contains(&row.get(0)?) {
            let due_at: i64 = row.get(1)?;
            let due_at = if due_at > latest { now } else { due_at };
            next = Some(next.map_or(due_at, |next| next.min(due_at)));
        }
    }
    Ok(next.map(|due_at| UnixMillis(u64::try_from(due_at).unwrap_or_default())))
}

/// Writes verdicts, all in one transaction.
pub fn settle(connection: &mut Connection, settlements: &[Settlement], now: UnixMillis) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for settlement in settlements {
        settle_one(&transaction, settlement, now)?;
    }
    failpoint::pass("before_mark_sent");
    transaction.commit()?;
    failpoint::pass("after_mark_sent");
    Ok(())
}

/// Of a delivery that has ended meanwhile (withdrawn, expired), only that Meta has it is news: the ledger keeps why it ended.
pub fn settle_one(transaction: &Transaction<'_>, settlement: &Settlement, now: UnixMillis) -> rusqlite::Result<()> {
    let Settlement { id, verdict, code, subcode, fbtrace_id } = settlement;
    let (state, reason) = match verdict {
        Verdict::Delivered => ("delivered", None),
        Verdict::Refused => ("refused", Some("event_only")),
        Verdict::Dead { reason } => ("dead", Some(*reason)),
        Verdict::Retry { due_at, counts, in_doubt, body, reason } => {
            let waits = transaction
                .prepare_cached(
                    "UPDATE delivery SET due_at = ?2, attempts = attempts + ?3, reason = ?4, code = ?5, subcode = ?6,
                     fbtrace_id = ?7, in_doubt_since = CASE WHEN ?8 THEN in_doubt_since END
                     WHERE id = ?1 AND state = 'pending'",
                )?
                .execute(params![
                    id,
                    millis(*due_at),
                    i64::from(*counts),
                    reason,
                    code,
                    subcode,
                    fbtrace_id,
                    in_doubt
                ])?;
            if let Some(body) = body
                && waits > 0
            {
                transaction
                    .prepare_cached("UPDATE event SET body = ?2 WHERE id = (SELECT event FROM delivery WHERE id = ?1)")?
                    .execute(params![id, &**body])?;
            }
            return Ok(());
        }
    };
    transaction
        .prepare_cached(
            "UPDATE delivery SET state = ?2, reason = ?3, code = ?4, subcode = ?5, fbtrace_id = ?6, settled = ?7,
             attempts = attempts + 1, in_doubt_since = NULL
             WHERE id = ?1 AND (state = 'pending' OR ?2 = 'delivered')",
        )?
        .execute(params![id, state, reason, code, subcode, fbtrace_id, millis(now)])?;
    erase_unneeded(transaction, *id)
}

/// Contact hashes go as soon as no pixel waits for them. A dead delivery keeps them for a while, for a retry by hand.
pub fn erase_unneeded(transaction: &Transaction<'_>, delivery: i64) -> rusqlite::Result<()> {
    let erased = transaction
        .prepare_cached(
            "UPDATE event SET body = '' WHERE id = (SELECT event FROM delivery WHERE id = ?1) AND body <> ''
             AND NOT EXISTS (SELECT 1 FROM delivery WHERE event = event.id AND state IN ('pending', 'dead'))",
        )?
        .execute(params![delivery])?;
    if erased > 0 {
        transaction
            .prepare_cached("DELETE FROM tie WHERE event = (SELECT event FROM delivery WHERE id = ?1)")?
            .execute(params![delivery])?;
    }
    Ok(())
}

/// The event's body, and by what its browser could be known.
pub fn erase(transaction: &Transaction<'_>, event: i64) -> rusqlite::Result<()> {
    transaction.prepare_cached("UPDATE event SET body = '' WHERE id = ?1")?.execute(params![event])?;
    transaction.prepare_cached("DELETE FROM tie WHERE event = ?1")?.execute(params![event])?;
    Ok(())
}
