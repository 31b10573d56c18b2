//! What is not sent yet and must not be any more: a visitor took the consent back, or somebody asked to be erased.

use std::collections::HashSet;

use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use super::admit::millis;
use super::deliveries::erase;
use crate::exchange::UnixMillis;
use crate::outbox::Tie;
use crate::outbox::inspect::has_email;

/// Ends the deliveries of a browser's events that wait, and erases the events and what is held. Returns how many events had
/// waited.
pub fn withdraw(connection: &mut Connection, ties: &[Tie], now: UnixMillis) -> rusqlite::Result<usize> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut events = HashSet::new();
    for tie in ties {
        let mut select = transaction.prepare_cached("SELECT event FROM tie WHERE tie = ?1")?;
        for event in select.query_map(params![tie.as_slice()], |row| row.get::<_, i64>(0))? {
            events.insert(event?);
        }
        // Ties of what is held are one blob of fixed parts, so a match at another place than a part's start is chance
        // of 2^-128.
        transaction.prepare_cached("DELETE FROM held WHERE instr(ties, ?1) > 0")?.execute(params![tie.as_slice()])?;
    }
    let mut ended = 0;
    for event in events {
        ended += usize::from(end(&transaction, event, "withdrawn", now)?);
    }
    transaction.commit()?;
    Ok(ended)
}

/// Erases every event that has one of these hashed e-mail addresses, whatever its state: those that wait are not sent, dead
/// letters lose their event. Returns how many events it was, with those that were held.
pub fn erase_by_email(
    connection: &mut Connection,
    hashes: &HashSet<String>,
    now: UnixMillis,
) -> rusqlite::Result<usize> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut events = Vec::new();
    {
        let mut select = transaction.prepare("SELECT id, body FROM event WHERE body <> ''")?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            if has_email(row.get_ref(1)?.as_str()?, hashes) {
                events.push(row.get::<_, i64>(0)?);
            }
        }
    }
    let mut held = Vec::new();
    {
        let mut select = transaction.prepare("SELECT fingerprint, body FROM held")?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            if has_email(row.get_ref(1)?.as_str()?, hashes) {
                held.push(row.get::<_, [u8; 32]>(0)?);
            }
        }
    }
    for print in &held {
        transaction.execute("DELETE FROM held WHERE fingerprint = ?1", params![print.as_slice()])?;
    }
    for event in &events {
        end(&transaction, *event, "erased", now)?;
    }
    transaction.commit()?;
    Ok(events.len() + held.len())
}

/// Whether anything of it waited. One that is on its way at this moment cannot be called back; it is not tried again, and if
/// Meta takes it, that is what the ledger says in the end.
fn end(transaction: &Transaction<'_>, event: i64, reason: &str, now: UnixMillis) -> rusqlite::Result<bool> {
    let waited = transaction
        .prepare_cached(
            "UPDATE delivery SET state = 'refused', reason = ?2, settled = ?3, in_doubt_since = NULL
             WHERE event = ?1 AND state = 'pending'",
        )?
        .execute(params![event, reason, millis(now)])?;
    erase(transaction, event)?;
    Ok(waited > 0)
}
