//! What is known of the site's pages, kept over restarts. It is a memory aid beside the queue: written once a second at
//! most, lost without harm.

use std::collections::HashMap;

use super::{Store, StoreError};
use crate::exchange::UnixMillis;

/// Rows kept; the oldest go.
pub const MAX_ROWS: u16 = 2000;
/// Pages written at once: leads wait meanwhile.
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

    /// Writes some of them; on an error they wait on.
    pub fn write(&mut self, store: &mut dyn Store) -> Result<(), StoreError> {
        if self.0.is_empty() {
            return Ok(());
        }
        let rows: Vec<_> = self.0.values().take(MAX_AT_ONCE).cloned().collect();
        store.keep_pages(&rows)?;
        for row in rows {
            self.0.remove(&row.key);
        }
        Ok(())
    }
}
