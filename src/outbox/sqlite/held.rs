//! Submissions that wait for the visitor's choice: kept apart from the queue, so that nothing can send them, and for a
//! bounded time. A choice turns them into an event, or erases them, in one transaction.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};

use super::admit::{self, millis};
use crate::exchange::UnixMillis;
use crate::outbox::held::{AT_ONCE, Choice, Held, Holding, MAX_HELD, Released, without_user_data};
use crate::outbox::{Admission, SuppliedId, TIE_BYTES, Tie};

/// As [`read`] wants them.
const COLUMNS: &str = "fingerprint, browser, until, host, path, event_name, event_time, supplied_id, supplied_contact, \
    fallback, body, bare, pixels, ties";

/// Keeps one until its visitor has chosen.
pub fn hold(connection: &mut Connection, held: &Held, now: UnixMillis) -> rusqlite::Result<Holding> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let Held { admission, bare, browser, until, place } = held;
    let print = admission.fingerprint.as_slice();
    let first = "SELECT coalesce(supplied_id, fallback) FROM held WHERE fingerprint = ?1";
    let waiting = transaction.prepare_cached(first)?.query_row(params![print], |row| row.get(0)).optional()?;
    if let Some(event_id) = waiting.map_or_else(|| admit::seen(&transaction, admission, now), |id| Ok(Some(id)))? {
        return Ok(Holding::Duplicate { event_id });
    }
    let count: i64 = transaction.prepare_cached("SELECT count(*) FROM held")?.query_row([], |row| row.get(0))?;
    if count >= i64::from(MAX_HELD) {
        return Ok(Holding::TooMany);
    }
    transaction
        .prepare_cached(
            "INSERT INTO held (fingerprint, browser, until, host, path, event_name, event_time, supplied_id,
             supplied_contact, fallback, body, bare, pixels, ties)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        )?
        .execute(params![
            print,
            browser.as_slice(),
            millis(*until),
            place.0,
            place.1,
            admission.event_name,
            i64::try_from(admission.event_time).unwrap_or(i64::MAX),
            admission.supplied.as_ref().map(|supplied| &supplied.id),
            admission.supplied.as_ref().map(|supplied| supplied.contact.as_slice()),
            admission.fallback_event_id,
            &*admission.body,
            bare.as_deref(),
            admission.pixels.join(" "),
            admission.ties.concat(),
        ])?;
    transaction.commit()?;
    Ok(Holding::Waits)
}

/// Ends the wait of those that a choice is about.
pub fn choose(
    connection: &mut Connection,
    choice: Choice,
    parking: bool,
    now: UnixMillis,
) -> rusqlite::Result<Vec<Released>> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let select = |about: &str| format!("SELECT {COLUMNS} FROM held WHERE {about} LIMIT {AT_ONCE}");
    let held: Vec<Held> = match choice {
        Choice::Granted(browser) | Choice::Denied(browser) => transaction
            .prepare_cached(&select("browser = ?1 AND until > ?2"))?
            .query_map(params![browser.as_slice(), millis(now)], read)?
            .collect::<Result<_, _>>()?,
        Choice::Expired => transaction
            .prepare_cached(&select("until <= ?1"))?
            .query_map(params![millis(now)], read)?
            .collect::<Result<_, _>>()?,
    };
    let yes = matches!(choice, Choice::Granted(_));
    let released =
        held.into_iter().map(|held| release(&transaction, held, yes, parking, now)).collect::<Result<_, _>>()?;
    transaction.commit()?;
    Ok(released)
}

fn release(
    transaction: &Transaction<'_>,
    held: Held,
    yes: bool,
    parking: bool,
    now: UnixMillis,
) -> rusqlite::Result<Released> {
    let Held { admission, bare, place, .. } = held;
    let fingerprint = admission.fingerprint;
    let admission = if yes { Some(admission) } else { bare.map(|bare| without_user_data(&admission, bare)) };
    let admitted = admission.map(|admission| admit::one(transaction, &admission, parking, now)).transpose()?;
    transaction.prepare_cached("DELETE FROM held WHERE fingerprint = ?1")?.execute(params![fingerprint.as_slice()])?;
    Ok(Released { fingerprint, place, admitted })
}

/// The first few that wait.
pub fn first(connection: &Connection, limit: usize) -> rusqlite::Result<Vec<Held>> {
    let sql = format!("SELECT {COLUMNS} FROM held ORDER BY until LIMIT ?1");
    let mut select = connection.prepare_cached(&sql)?;
    select.query_map(params![i64::try_from(limit).unwrap_or(i64::MAX)], read)?.collect()
}

/// They wait no more.
pub fn forget(connection: &mut Connection, fingerprint: &[u8; 32]) -> rusqlite::Result<()> {
    connection.execute("DELETE FROM held WHERE fingerprint = ?1", params![fingerprint.as_slice()]).map(drop)
}

/// The browsers that something waits for.
pub fn browsers(connection: &Connection) -> rusqlite::Result<Vec<[u8; 32]>> {
    connection.prepare("SELECT DISTINCT browser FROM held")?.query_map([], |row| row.get(0))?.collect()
}

fn read(row: &Row<'_>) -> rusqlite::Result<Held> {
    let (supplied, contact): (Option<String>, Option<[u8; 32]>) = (row.get(7)?, row.get(8)?);
    let (body, bare, pixels): (String, Option<String>, String) = (row.get(10)?, row.get(11)?, row.get(12)?);
    let ties: Vec<u8> = row.get(13)?;
    let unsigned = |value: i64| u64::try_from(value).unwrap_or_default();
    Ok(Held {
        admission: Admission {
            fingerprint: row.get(0)?,
            supplied: supplied.zip(contact).map(|(id, contact)| SuppliedId { id, contact }),
            fallback_event_id: row.get(9)?,
            event_name: row.get(5)?,
            event_time: unsigned(row.get(6)?),
            body: Arc::from(body),
            event_only: false,
            pixels: pixels.split_ascii_whitespace().map(str::to_owned).collect(),
            ties: ties.chunks_exact(TIE_BYTES).filter_map(|tie| Tie::try_from(tie).ok()).collect(),
        },
        bare: bare.map(Arc::from),
        browser: row.get(1)?,
        until: UnixMillis(unsigned(row.get(2)?)),
        place: (row.get(3)?, row.get(4)?),
    })
}
