//! "Seen before?" and the event, in one transaction.

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::parked;
use crate::exchange::UnixMillis;
use crate::failpoint;
use crate::outbox::{Admission, Admitted, SEEN_FOR};

/// Admits all of them or none. The write lock is taken at the beginning, so nothing can come between the questions and
/// the answers; the primary keys hold even if it could.
pub fn admit(
    connection: &mut Connection,
    admissions: &[Admission],
    parking: bool,
    now: UnixMillis,
) -> rusqlite::Result<Vec<Admitted>> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let admitted =
        admissions.iter().map(|admission| one(&transaction, admission, parking, now)).collect::<Result<_, _>>()?;
    failpoint::pass("before_commit");
    transaction.commit()?;
    failpoint::pass("after_commit");
    Ok(admitted)
}

/// Admits one. `parking`: for another store, which will ask for it.
pub fn one(
    transaction: &Transaction<'_>,
    admission: &Admission,
    parking: bool,
    now: UnixMillis,
) -> rusqlite::Result<Admitted> {
    let print = admission.fingerprint.as_slice();
    if let Some(event_id) = seen(transaction, admission, now)? {
        return Ok(Admitted::Duplicate { event_id });
    }
    let oldest = oldest(now);
    let mut wanted = None;
    if let Some(supplied) = &admission.supplied {
        let mut owners =
            transaction.prepare_cached("SELECT contact, event_id FROM supplied WHERE id = ?1 AND seen > ?2")?;
        let owners: Vec<(Vec<u8>, String)> = owners
            .query_map(params![supplied.id, oldest], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?;
        if let Some((_, first)) = owners.iter().find(|(owner, _)| *owner == supplied.contact) {
            remember(transaction, print, first, now)?;
            return Ok(Admitted::Duplicate { event_id: first.clone() });
        }
        wanted = owners.is_empty().then_some(supplied.id.as_str());
    }
    let event_id = store(transaction, admission, wanted, parking, now)?;
    if event_id != admission.fallback_event_id {
        remember(transaction, print, &event_id, now)?;
    }
    let supplied_id_was_taken = admission.supplied.as_ref().is_some_and(|supplied| supplied.id != event_id);
    if let Some(supplied) = &admission.supplied {
        transaction
            .prepare_cached("INSERT OR REPLACE INTO supplied (id, contact, event_id, seen) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![supplied.id, supplied.contact.as_slice(), event_id, millis(now)])?;
    }
    Ok(Admitted::New { event_id, supplied_id_was_taken })
}

/// When what was seen is forgotten.
fn oldest(now: UnixMillis) -> i64 {
    millis(now) - i64::try_from(SEEN_FOR.as_millis()).unwrap_or(i64::MAX)
}

/// The id under which a submission went out, if it is remembered: by the event itself, if that has the id which derives from
/// the submission, or else by a row of its own.
pub fn seen(transaction: &Transaction<'_>, admission: &Admission, now: UnixMillis) -> rusqlite::Result<Option<String>> {
    let Admission { fingerprint, fallback_event_id: fallback, .. } = admission;
    transaction
        .prepare_cached(
            "SELECT event_id FROM event WHERE event_id = ?1 AND fingerprint = ?2 AND seen > ?3
             UNION ALL SELECT event_id FROM submission WHERE fingerprint = ?2 AND seen > ?3",
        )?
        .query_row(params![fallback, fingerprint.as_slice(), oldest(now)], |row| row.get(0))
        .optional()
}

fn remember(transaction: &Transaction<'_>, print: &[u8], event_id: &str, now: UnixMillis) -> rusqlite::Result<usize> {
    transaction
        .prepare_cached("INSERT OR REPLACE INTO submission (fingerprint, event_id, seen) VALUES (?1, ?2, ?3)")?
        .execute(params![print, event_id, millis(now)])
}

/// Stores the event and its deliveries under the first id that no other event of its name has while the ledger lists it:
/// the wanted one, the fallback, or (the same submission again after [`SEEN_FOR`]) the fallback with a number. Meta would
/// discard a second event with the id of one that it received within 48 hours, and that one may have been sent late.
fn store(
    transaction: &Transaction<'_>,
    admission: &Admission,
    wanted: Option<&str>,
    parking: bool,
    now: UnixMillis,
) -> rusqlite::Result<String> {
    let Admission { fallback_event_id: fallback, event_name, event_only, .. } = admission;
    // What nobody is to get is not kept.
    let (body, ties) =
        if admission.pixels.is_empty() { ("", [].as_slice()) } else { (&*admission.body, &*admission.ties) };
    let time = i64::try_from(admission.event_time).unwrap_or(i64::MAX);
    let mut insert = transaction.prepare_cached(
        "INSERT INTO event (event_id, event_name, event_time, event_only, body, fingerprint, seen)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (event_id, event_name) DO NOTHING",
    )?;
    let mut event_id = wanted.unwrap_or(fallback).to_owned();
    let mut number = if wanted.is_some() { 1_u32 } else { 2 };
    let (print, seen) = (admission.fingerprint.as_slice(), millis(now));
    while insert.execute(params![event_id, event_name, time, event_only, body, print, seen])? == 0 {
        event_id = if number == 1 { fallback.clone() } else { format!("{fallback}-{number}") };
        number += 1;
    }
    let event = transaction.last_insert_rowid();
    let mut insert = transaction.prepare_cached(
        "INSERT INTO delivery (event, pixel, event_only, event_name, event_id, event_time, state, due_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'pending', ?7) ON CONFLICT DO NOTHING",
    )?;
    for pixel in &admission.pixels {
        insert.execute(params![event, pixel, event_only, event_name, event_id, time, millis(now)])?;
    }
    let mut insert =
        transaction.prepare_cached("INSERT INTO tie (tie, event) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?;
    for tie in ties {
        insert.execute(params![tie.as_slice(), event])?;
    }
    if parking {
        parked::park(transaction, event, admission)?;
    }
    Ok(event_id)
}

/// SQLite's integers are signed.
pub fn millis(time: UnixMillis) -> i64 {
    i64::try_from(time.0).unwrap_or(i64::MAX)
}
