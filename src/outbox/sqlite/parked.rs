//! Events that wait here only because the store that replicas share is away: enough is kept with them to put them before that
//! store as if they had just come.

use std::collections::HashSet;
use std::sync::Arc;

use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use crate::outbox::{Admission, SuppliedId, Tie};

/// An event that waits, by its number here.
pub struct Parked {
    /// Its number.
    pub event: i64,
    /// What was put before the store, with the pixels that still wait for it.
    pub admission: Admission,
    /// The id that it got.
    pub event_id: String,
    /// Some of it is on its way to Meta or was: it is finished from here.
    pub begun: bool,
}

/// Keeps what another store will ask for.
pub fn park(transaction: &Transaction<'_>, event: i64, admission: &Admission) -> rusqlite::Result<()> {
    let supplied = admission.supplied.as_ref();
    transaction
        .prepare_cached(
            "INSERT INTO parked (event, fingerprint, supplied_id, supplied_contact, fallback) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            event,
            admission.fingerprint.as_slice(),
            supplied.map(|supplied| &supplied.id),
            supplied.map(|supplied| supplied.contact.as_slice()),
            admission.fallback_event_id,
        ])
        .map(drop)
}

/// The oldest of them after the event with this number; all, or only those that are begun.
pub fn read(
    connection: &Connection,
    in_flight: &HashSet<i64>,
    after: i64,
    limit: usize,
    only_begun: bool,
) -> rusqlite::Result<Vec<Parked>> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut select = connection.prepare_cached(
        "SELECT e.id, p.fingerprint, p.supplied_id, p.supplied_contact, p.fallback, e.event_id, e.event_name, e.event_time,
         e.event_only, e.body FROM parked p JOIN event e ON e.id = p.event WHERE p.event > ?1 AND (NOT ?3 OR EXISTS
         (SELECT 1 FROM delivery d WHERE d.event = e.id AND
          (d.state <> 'pending' OR d.attempts > 0 OR d.in_doubt_since IS NOT NULL))) ORDER BY p.event LIMIT ?2",
    )?;
    let mut parked: Vec<Parked> = select
        .query_map(params![after, limit, only_begun], |row| {
            let supplied: Option<String> = row.get(2)?;
            let contact: Option<[u8; 32]> = row.get(3)?;
            let body: String = row.get(9)?;
            Ok(Parked {
                event: row.get(0)?,
                admission: Admission {
                    fingerprint: row.get(1)?,
                    supplied: supplied.zip(contact).map(|(id, contact)| SuppliedId { id, contact }),
                    fallback_event_id: row.get(4)?,
                    event_name: row.get(6)?,
                    event_time: u64::try_from(row.get::<_, i64>(7)?).unwrap_or_default(),
                    body: Arc::from(body),
                    event_only: row.get(8)?,
                    pixels: Vec::new(),
                    ties: Vec::new(),
                },
                event_id: row.get(5)?,
                begun: false,
            })
        })?
        .collect::<Result<_, _>>()?;
    let mut deliveries = connection.prepare_cached(
        "SELECT id, pixel, state, attempts > 0 OR in_doubt_since IS NOT NULL FROM delivery WHERE event = ?1",
    )?;
    let mut ties = connection.prepare_cached("SELECT tie FROM tie WHERE event = ?1")?;
    for one in &mut parked {
        let rows = deliveries.query_map(params![one.event], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?, row.get::<_, bool>(3)?))
        })?;
        for row in rows {
            let (id, pixel, state, tried) = row?;
            one.begun |= state != "pending" || tried || in_flight.contains(&id);
            one.admission.pixels.push(pixel);
        }
        one.admission.ties =
            ties.query_map(params![one.event], |row| row.get::<_, Tie>(0))?.collect::<Result<_, _>>()?;
    }
    Ok(parked)
}

/// The other store has these: here they are gone, or (those that are finished from here) no longer to be moved.
pub fn moved(connection: &mut Connection, parked: &[Parked]) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for one in parked {
        transaction.prepare_cached("DELETE FROM parked WHERE event = ?1")?.execute(params![one.event])?;
        if !one.begun {
            // That it was seen is known here as well, should the other store be away again.
            transaction
                .prepare_cached(
                    "INSERT OR REPLACE INTO submission (fingerprint, event_id, seen)
                     SELECT fingerprint, event_id, seen FROM event WHERE id = ?1 AND fingerprint IS NOT NULL",
                )?
                .execute(params![one.event])?;
            for table in ["tie", "delivery"] {
                transaction
                    .prepare_cached(&format!("DELETE FROM {table} WHERE event = ?1"))?
                    .execute(params![one.event])?;
            }
            transaction.prepare_cached("DELETE FROM event WHERE id = ?1")?.execute(params![one.event])?;
        }
    }
    transaction.commit()
}
