//! "Seen before?" and the event, in one transaction.

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::{Admission, Admitted, SEEN_FOR};
use crate::exchange::UnixMillis;

/// Admits all of them or none. The write lock is taken at the beginning, so nothing can come between the questions and
/// the answers; the primary keys hold even if it could.
pub fn admit(
    connection: &mut Connection,
    admissions: &[Admission],
    now: UnixMillis,
) -> rusqlite::Result<Vec<Admitted>> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let admitted = admissions.iter().map(|admission| one(&transaction, admission, now)).collect::<Result<_, _>>()?;
    transaction.commit()?;
    Ok(admitted)
}

fn one(transaction: &Transaction<'_>, admission: &Admission, now: UnixMillis) -> rusqlite::Result<Admitted> {
    let oldest = millis(now) - i64::try_from(SEEN_FOR.as_millis()).unwrap_or(i64::MAX);
    let print = admission.fingerprint.as_slice();
    let mut seen =
        transaction.prepare_cached("SELECT event_id FROM submission WHERE fingerprint = ?1 AND seen > ?2")?;
    if let Some(event_id) = seen.query_row(params![print, oldest], |row| row.get(0)).optional()? {
        return Ok(Admitted::Duplicate { event_id });
    }
    let mut taken = false;
    let mut event_id = admission.fallback_event_id.clone();
    if let Some(supplied) = &admission.supplied {
        let contact = supplied.contact.as_slice();
        let mut owners =
            transaction.prepare_cached("SELECT contact, event_id FROM supplied WHERE id = ?1 AND seen > ?2")?;
        let owners: Vec<(Vec<u8>, String)> = owners
            .query_map(params![supplied.id, oldest], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?;
        if let Some((_, first)) = owners.iter().find(|(owner, _)| owner == contact) {
            remember(transaction, print, first, now)?;
            return Ok(Admitted::Duplicate { event_id: first.clone() });
        }
        taken = !owners.is_empty();
        if !taken {
            event_id.clone_from(&supplied.id);
        }
        transaction
            .prepare_cached("INSERT OR REPLACE INTO supplied (id, contact, event_id, seen) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![supplied.id, contact, event_id, millis(now)])?;
    }
    remember(transaction, print, &event_id, now)?;
    store(transaction, admission, &event_id, now)?;
    Ok(Admitted::New { event_id, supplied_id_was_taken: taken })
}

fn remember(transaction: &Transaction<'_>, print: &[u8], event_id: &str, now: UnixMillis) -> rusqlite::Result<usize> {
    transaction
        .prepare_cached("INSERT OR REPLACE INTO submission (fingerprint, event_id, seen) VALUES (?1, ?2, ?3)")?
        .execute(params![print, event_id, millis(now)])
}

fn store(
    transaction: &Transaction<'_>,
    admission: &Admission,
    event_id: &str,
    now: UnixMillis,
) -> rusqlite::Result<()> {
    let time = i64::try_from(admission.event_time).unwrap_or(i64::MAX);
    transaction
        .prepare_cached(
            "INSERT INTO event (event_id, event_name, event_time, event_only, body) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![event_id, admission.event_name, time, admission.event_only, &*admission.body])?;
    let event = transaction.last_insert_rowid();
    let mut insert = transaction.prepare_cached(
        "INSERT INTO delivery (event, pixel, event_name, event_id, event_time, state, due_at)
         VALUES (?1, ?2, ?3, ?4, ?5, 'pending', ?6) ON CONFLICT DO NOTHING",
    )?;
    for pixel in &admission.pixels {
        insert.execute(params![event, pixel, admission.event_name, event_id, time, millis(now)])?;
    }
    Ok(())
}

/// SQLite's integers are signed.
pub fn millis(time: UnixMillis) -> i64 {
    i64::try_from(time.0).unwrap_or(i64::MAX)
}
