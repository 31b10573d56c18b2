//! SQLite before the tests of every kind of store.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

/// A file in a folder of its own.
pub struct Sqlite {
    dir: tempfile::TempDir,
    full: Arc<AtomicBool>,
}

impl Sqlite {
    pub fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), full: Arc::default() }
    }

    pub fn path(&self) -> std::path::PathBuf {
        self.dir.path().join("capi.db")
    }
}

impl Kind for Sqlite {
    fn open(&self) -> Box<dyn Store> {
        let mut store = SqliteStore::open(&self.path()).unwrap();
        store.fill(&self.full);
        Box::new(store)
    }

    fn inspector(&self) -> Box<dyn Inspector> {
        Box::new(SqliteInspector::open(&self.path()).unwrap())
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = std::fs::read(self.path()).unwrap();
        bytes.extend(std::fs::read(self.dir.path().join("capi.db-wal")).unwrap());
        bytes
    }

    fn forget_seen(&self) {
        let connection = rusqlite::Connection::open(self.path()).unwrap();
        let forget = "UPDATE supplied SET seen = 0; UPDATE submission SET seen = 0; UPDATE event SET seen = 0";
        connection.execute_batch(forget).unwrap();
    }

    fn fill(&self, full: bool) -> bool {
        self.full.store(full, Ordering::Relaxed);
        true
    }
}
