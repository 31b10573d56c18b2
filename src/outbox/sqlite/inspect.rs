//! What the `outbox` verbs do with a file.

use std::collections::HashSet;
use std::path::Path;

use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, Transaction, params, params_from_iter};
use serde_json::Value;

use super::admit::millis;
use super::{StoreError, deliveries, schema, withdraw};
use crate::exchange::UnixMillis;
use crate::outbox::inspect::{DeliveryRow, Inspector, without_hashes};

const COLUMNS: &str =
    "id, event_id, event_name, pixel, state, reason, code, subcode, attempts, event_time, due_at, fbtrace_id";

fn read_row(row: &Row<'_>) -> rusqlite::Result<DeliveryRow> {
    let state: String = row.get(4)?;
    let due_at = if state == "pending" { Some(row.get::<_, i64>(10)?.saturating_add(999) / 1000) } else { None };
    Ok(DeliveryRow {
        id: row.get(0)?,
        event_id: row.get(1)?,
        event_name: row.get(2)?,
        pixel: row.get(3)?,
        state,
        reason: row.get(5)?,
        code: row.get(6)?,
        subcode: row.get(7)?,
        attempts: row.get(8)?,
        event_time: row.get(9)?,
        due_at,
        fbtrace_id: row.get(11)?,
    })
}

/// A file opened beside whoever else uses it.
pub struct SqliteInspector(Connection);

impl SqliteInspector {
    /// Opens an existing store.
    ///
    /// # Errors
    /// When it is not there, cannot be opened, or belongs to another version.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        std::fs::metadata(path).map_err(|source| StoreError::Open { path: path.to_owned(), source })?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        let found = schema::check(&connection)?;
        schema::configure(&connection)?;
        if found != schema::VERSION {
            return Err(StoreError::Newer { found, known: schema::VERSION });
        }
        Ok(Self(connection))
    }
}

impl Inspector for SqliteInspector {
    fn list(&mut self, state: Option<&str>, each: &mut dyn FnMut(DeliveryRow) -> bool) -> Result<(), StoreError> {
        let mut select = self.0.prepare(&format!(
            "SELECT {COLUMNS} FROM delivery WHERE ?1 IS NULL OR state = ?1 ORDER BY event_time DESC, id DESC"
        ))?;
        for row in select.query_map(params![state], read_row)? {
            if !each(row?) {
                break;
            }
        }
        Ok(())
    }

    fn show(&mut self, id: i64) -> Result<Option<(DeliveryRow, Option<Value>)>, StoreError> {
        let mut select = self.0.prepare(&format!("SELECT {COLUMNS}, event FROM delivery WHERE id = ?1"))?;
        let found = select.query_row(params![id], |row| Ok((read_row(row)?, row.get::<_, i64>(12)?))).optional()?;
        let Some((row, event)) = found else { return Ok(None) };
        let body: String =
            self.0.query_row("SELECT body FROM event WHERE id = ?1", params![event], |row| row.get(0))?;
        Ok(Some((row, without_hashes(&body))))
    }

    fn retry(&mut self, ids: &[i64]) -> Result<usize, StoreError> {
        let named = if ids.is_empty() { String::new() } else { format!("AND id IN ({})", marks(ids)) };
        let sql = format!(
            "UPDATE OR IGNORE delivery SET state = 'pending', due_at = {now}, reason = 'retry', settled = NULL,
             in_doubt_since = NULL WHERE state = 'dead' {named}
             AND EXISTS (SELECT 1 FROM event WHERE event.id = delivery.event AND body <> '')",
            now = millis(UnixMillis::now()),
        );
        Ok(self.0.execute(&sql, params_from_iter(ids))?)
    }

    fn drop_deliveries(&mut self, ids: &[i64]) -> Result<usize, StoreError> {
        let transaction: Transaction<'_> = self.0.transaction()?;
        let mut dropped = 0;
        for id in ids {
            transaction.execute("UPDATE delivery SET state = 'refused' WHERE id = ?1", params![id])?;
            deliveries::erase_unneeded(&transaction, *id)?;
            dropped += transaction.execute("DELETE FROM delivery WHERE id = ?1", params![id])?;
        }
        transaction.commit()?;
        Ok(dropped)
    }

    fn erase_by_email(&mut self, hashes: &HashSet<String>) -> Result<usize, StoreError> {
        Ok(withdraw::erase_by_email(&mut self.0, hashes, UnixMillis::now())?)
    }
}

fn marks(ids: &[i64]) -> String {
    vec!["?"; ids.len()].join(", ")
}
