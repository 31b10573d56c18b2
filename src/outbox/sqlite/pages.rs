//! What is known of the site's pages.

use rusqlite::{Connection, params};

use super::admit::millis;
use crate::exchange::UnixMillis;
use crate::outbox::pages::{MAX_ROWS, PageRow};

/// Writes rows, in one transaction.
pub fn write(connection: &mut Connection, rows: &[PageRow]) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    for row in rows {
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
    transaction.commit()
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
