//! What is known of the site's pages, kept over restarts. It is a memory aid beside the queue: written once a second at
//! most, lost without harm.

use std::collections::HashMap;

use rusqlite::{Connection, params};

use super::admit::millis;
use crate::exchange::UnixMillis;

/// Rows kept; the oldest go.
const MAX_ROWS: i64 = 2000;
/// Pages written in one transaction.
const MAX_AT_ONCE: usize = 20;
/// Pages that wait for the store at most; what does not fit is learned again some day.
const MAX_WAITING: usize = 500;

/// A page as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageRow {
    /// Its address, as a hash.
    pub key: String,
    /// The host it is on.
    pub host: String,
    /// When it was learned.
    pub at: UnixMillis,
    /// Its forms; `None`: it has none any more.
    pub forms: Option<String>,
}

/// Rows that wait to be written.
#[derive(Default)]
pub struct Unwritten(HashMap<String, PageRow>);

impl Unwritten {
    pub fn add(&mut self, row: PageRow) {
        if self.0.len() < MAX_WAITING || self.0.contains_key(&row.key) {
            self.0.insert(row.key.clone(), row);
        }
    }

    /// Writes some of them in one transaction; on an error they wait on.
    pub fn write(&mut self, connection: &mut Connection) -> rusqlite::Result<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        let transaction = connection.transaction()?;
        // A few at a time: leads wait meanwhile.
        let keys: Vec<_> = self.0.keys().take(MAX_AT_ONCE).cloned().collect();
        for row in keys.iter().filter_map(|key| self.0.get(key)) {
            match &row.forms {
                Some(forms) => transaction
                    .prepare_cached("INSERT OR REPLACE INTO page (key, host, at, forms) VALUES (?1, ?2, ?3, ?4)")?
                    .execute(params![row.key, row.host, millis(row.at), forms])?,
                None => transaction.prepare_cached("DELETE FROM page WHERE key = ?1")?.execute(params![row.key])?,
            };
        }
        transaction.execute(
            "DELETE FROM page WHERE key IN (SELECT key FROM page ORDER BY at DESC LIMIT -1 OFFSET ?1)",
            params![MAX_ROWS],
        )?;
        transaction.commit()?;
        for key in keys {
            self.0.remove(&key);
        }
        Ok(())
    }
}

/// All rows, the oldest first.
pub fn read(connection: &Connection) -> rusqlite::Result<Vec<PageRow>> {
    let mut statement = connection.prepare("SELECT key, host, at, forms FROM page ORDER BY at")?;
    let rows = statement.query_map([], |row| {
        let at: i64 = row.get(2)?;
        Ok(PageRow {
            key: row.get(0)?,
            host: row.get(1)?,
            at: UnixMillis(u64::try_from(at).unwrap_or_default()),
            forms: row.get(3)?,
        })
    })?;
    rows.collect()
}
