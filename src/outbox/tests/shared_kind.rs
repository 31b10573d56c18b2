//! What replicas run, before the tests of every kind of store: with its Redis there it must be like Redis, and with Redis away like
//! the file that stands in.

use std::sync::Mutex;

use super::redis_kind::Redis;
use super::sqlite_kind::Sqlite;
use super::*;

/// With Redis there. Every replica has a file of its own.
pub struct There {
    redis: Redis,
    files: Mutex<Vec<tempfile::TempDir>>,
}

impl There {
    pub fn new() -> Self {
        Self { redis: Redis::new(), files: Mutex::default() }
    }
}

impl Kind for There {
    fn open(&self) -> Box<dyn Store> {
        let dir = tempfile::tempdir().unwrap();
        let local = SqliteStore::open_as_stand_in(&dir.path().join("local.db")).unwrap();
        self.files.lock().unwrap().push(dir);
        let redis = RedisStore::open(self.redis.url()).unwrap();
        Box::new(SharedStore::new(redis, Some(local), Duration::from_secs(3600)))
    }

    fn inspector(&self) -> Box<dyn Inspector> {
        self.redis.inspector()
    }

    fn bytes(&self) -> Vec<u8> {
        self.redis.bytes()
    }

    fn forget_seen(&self) {
        self.redis.forget_seen();
    }

    fn forgets_by_its_own_clock(&self) -> bool {
        true
    }

    fn can_share(&self) -> bool {
        true
    }

    fn end_leases(&self) {
        self.redis.end_leases();
    }
}

/// With Redis away for longer than leads wait for it.
pub struct Away(Sqlite);

impl Away {
    pub fn new() -> Self {
        Self(Sqlite::new())
    }
}

impl Kind for Away {
    fn open(&self) -> Box<dyn Store> {
        let local = SqliteStore::open_as_stand_in(&self.0.path()).unwrap();
        // Nobody listens there.
        let nowhere = RedisUrl::parse("redis://127.0.0.1:1").unwrap().unwrap();
        Box::new(SharedStore::new(RedisStore::open(&nowhere).unwrap(), Some(local), Duration::ZERO))
    }

    fn inspector(&self) -> Box<dyn Inspector> {
        Box::new(Negative(self.0.inspector()))
    }

    fn bytes(&self) -> Vec<u8> {
        self.0.bytes()
    }

    fn forget_seen(&self) {
        self.0.forget_seen();
    }
}

/// The file's numbers as the shared store hands them out.
struct Negative(Box<dyn Inspector>);

fn negative(ids: &[i64]) -> Vec<i64> {
    ids.iter().map(|id| -id).collect()
}

impl Inspector for Negative {
    fn list(&mut self, state: Option<&str>, each: &mut dyn FnMut(DeliveryRow) -> bool) -> Result<(), StoreError> {
        self.0.list(state, &mut |row| each(DeliveryRow { id: -row.id, ..row }))
    }

    fn show(&mut self, id: i64) -> Result<Option<(DeliveryRow, Option<serde_json::Value>)>, StoreError> {
        let shown = self.0.show(-id)?;
        Ok(shown.map(|(row, event)| (DeliveryRow { id: -row.id, ..row }, event)))
    }

    fn retry(&mut self, ids: &[i64]) -> Result<usize, StoreError> {
        self.0.retry(&negative(ids))
    }

    fn drop_deliveries(&mut self, ids: &[i64]) -> Result<usize, StoreError> {
        self.0.drop_deliveries(&negative(ids))
    }

    fn erase_by_email(&mut self, hashes: &std::collections::HashSet<String>) -> Result<usize, StoreError> {
        self.0.erase_by_email(hashes)
    }
}
