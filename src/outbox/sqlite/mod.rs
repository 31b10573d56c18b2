//! The store in a file: SQLite with a write-ahead log that is synced at every commit.
//! <https://www.sqlite.org/wal.html>, <https://www.sqlite.org/pragma.html#pragma_synchronous>

mod admit;
mod away;
mod deliveries;
mod held;
mod inspect;
mod leap;
mod pages;
mod parked;
mod schema;
mod sweep;
#[cfg(test)]
mod tests;
mod withdraw;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
#[cfg(test)]
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::turn::{Done, Turn, one_by_one};
use super::{
    Admission, Admitted, Choice, Due, Held, Holding, PageRow, Released, Settlement, Store, StoreError, Tally, Tie,
    Wanted, random_fingerprint,
};
use crate::exchange::UnixMillis;
use crate::failpoint;
pub use inspect::SqliteInspector;
use leap::Leaps;
pub use parked::Parked;
pub use schema::VERSION as SCHEMA_VERSION;

/// An open store. It owns the only connection that writes while the sidecar runs; the lock file keeps a second one off.
pub struct SqliteStore {
    path: PathBuf,
    connection: Connection,
    /// `None` as long as the file could not be opened: the connection is to what stands in for it.
    lock: Option<schema::Lock>,
    /// Handed out and not settled. Only in memory: when the process dies, nobody has them on their way any more.
    in_flight: HashSet<i64>,
    /// Tells whether another process wrote.
    data_version: i64,
    leaps: Leaps,
    /// It stands in for another store, which will ask for what is put here.
    parking: bool,
    #[cfg(test)]
    full: Option<Arc<AtomicBool>>,
}

impl SqliteStore {
    /// Opens or makes the file. A corrupt one is set aside and reported; one that a full or failing disk keeps from being opened
    /// is opened as soon as it can be, and takes nothing until then.
    ///
    /// # Errors
    /// When the file has a place where it cannot be, belongs to another sidecar, or to a newer version.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let (lock, connection) = match open_file(path) {
            Ok((lock, connection)) => (Some(lock), connection),
            Err(error) if away::may_pass(&error) => {
                tracing::error!(
                    %error, store = %path.display(),
                    "the store cannot be opened: visitors are served, leads wait in memory, and nothing is sent, until it can"
                );
                (None, away::stand_in(path, &random_fingerprint())?)
            }
            Err(error) => return Err(error),
        };
        let leaps = Leaps::watch(&connection)?;
        let mut store = Self {
            path: path.to_owned(),
            connection,
            lock,
            in_flight: HashSet::new(),
            data_version: 0,
            leaps,
            parking: false,
            #[cfg(test)]
            full: None,
        };
        store.data_version = store.read_data_version()?;
        Ok(store)
    }

    /// Opens or makes the file as one that stands in for another store.
    ///
    /// # Errors
    /// As [`SqliteStore::open`].
    pub fn open_as_stand_in(path: &Path) -> Result<Self, StoreError> {
        Ok(Self { parking: true, ..Self::open(path)? })
    }

    /// Whether the file could be opened; until then it takes nothing.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.lock.is_some()
    }

    /// What waits for the other store, the oldest after this event first.
    pub fn parked(&self, after: i64, limit: usize) -> Result<Vec<Parked>, StoreError> {
        Ok(parked::read(&self.connection, &self.in_flight, after, limit, false)?)
    }

    /// Of that, what is sent from here or was: the other store has to hear of it before it takes anything new.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn begun(&self, after: i64, limit: usize) -> Result<Vec<Parked>, StoreError> {
        Ok(parked::read(&self.connection, &self.in_flight, after, limit, true)?)
    }

    /// The other store has these.
    pub fn moved(&mut self, parked: &[Parked]) -> Result<(), StoreError> {
        Ok(parked::moved(&mut self.connection, parked)?)
    }

    /// The first few submissions that wait for a choice.
    pub fn first_held(&self, limit: usize) -> Result<Vec<Held>, StoreError> {
        Ok(held::first(&self.connection, limit)?)
    }

    /// The other store has it.
    pub fn forget_held(&mut self, fingerprint: &[u8; 32]) -> Result<(), StoreError> {
        Ok(held::forget(&mut self.connection, fingerprint)?)
    }

    /// Takes over the secret of the other store, for when that is away.
    pub fn adopt_secret(&mut self, secret: &[u8; 32]) -> Result<(), StoreError> {
        Ok(schema::adopt_secret(&self.connection, secret)?)
    }

    /// Opens the file that could not be opened at the start. If it has a secret of its own, that counts from the next
    /// start on.
    fn come_back(&mut self) -> Result<(), StoreError> {
        let (lock, connection) = open_file(&self.path)?;
        if let Some(secret) = schema::read_secret(&self.connection)? {
            schema::keep_secret(&connection, &secret)?;
        }
        self.leaps = Leaps::watch(&connection)?;
        (self.lock, self.connection) = (Some(lock), connection);
        tracing::info!(store = %self.path.display(), "the store could be opened");
        Ok(())
    }

    /// Before anything is measured by a clock that has leapt. Returns whether that made something due.
    fn follow_clock(&mut self) -> rusqlite::Result<bool> {
        self.leaps.look();
        self.leaps.follow(&mut self.connection)
    }

    /// A turn in one transaction.
    fn at_once(&mut self, turn: &Turn<'_>) -> Result<Done, StoreError> {
        #[cfg(test)]
        self.limit_pages();
        self.follow_clock()?;
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for settlement in turn.settlements {
            deliveries::settle_one(&transaction, settlement, turn.settled)?;
        }
        let admissions = turn.admissions.iter();
        let admitted: Vec<_> =
            admissions.map(|one| admit::one(&transaction, one, self.parking, turn.now)).collect::<Result<_, _>>()?;
        let wanted = turn.wanted.iter();
        let due: Vec<_> =
            wanted.map(|wanted| deliveries::take(&transaction, &self.in_flight, wanted)).collect::<Result<_, _>>()?;
        let passes = |happens: bool, point| {
            if happens {
                failpoint::pass(point);
            }
        };
        passes(!turn.settlements.is_empty(), "before_mark_sent");
        passes(!turn.admissions.is_empty(), "before_commit");
        transaction.commit()?;
        passes(!turn.settlements.is_empty(), "after_mark_sent");
        passes(!turn.admissions.is_empty(), "after_commit");
        passes(due.iter().any(|due| !due.is_empty()), "taking_due");
        for settlement in turn.settlements {
            self.in_flight.remove(&settlement.id);
        }
        self.in_flight.extend(due.iter().flatten().map(|due| due.id));
        Ok(Done { settled: Ok(()), admitted: Ok(admitted), due: due.into_iter().map(Ok).collect() })
    }

    fn read_data_version(&self) -> rusqlite::Result<i64> {
        self.connection.pragma_query_value(None, "data_version", |row| row.get(0))
    }

    /// By an index of those in that state.
    fn count(&self, select: &str) -> rusqlite::Result<u64> {
        let count = self.connection.prepare_cached(select)?.query_row([], |row| row.get::<_, i64>(0))?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    /// SQLite answers as it does on a full disk, for as long as the flag is set.
    #[cfg(test)]
    pub fn fill(&mut self, full: &Arc<AtomicBool>) {
        self.full = Some(Arc::clone(full));
        self.limit_pages();
    }

    #[cfg(test)]
    fn limit_pages(&self) {
        let Some(full) = &self.full else { return };
        // A limit below the present size means the present size.
        let pages = if full.load(Ordering::Relaxed) { 1 } else { u32::MAX - 1 };
        self.connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(())).unwrap();
    }
}

fn open_file(path: &Path) -> Result<(schema::Lock, Connection), StoreError> {
    let lock = schema::lock(path)?;
    Ok((lock, schema::open(path)?))
}

impl Store for SqliteStore {
    fn name(&self) -> String {
        self.path.display().to_string()
    }

    fn secret(&mut self) -> Result<[u8; 32], StoreError> {
        if let Some(secret) = schema::read_secret(&self.connection)? {
            return Ok(secret);
        }
        let fresh = random_fingerprint();
        schema::keep_secret(&self.connection, &fresh)?;
        // Into the file itself, where it is found even if the log cannot be read one day.
        self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
        Ok(schema::read_secret(&self.connection)?.unwrap_or(fresh))
    }

    fn admit(&mut self, admissions: &[Admission], now: UnixMillis) -> Result<Vec<Admitted>, StoreError> {
        #[cfg(test)]
        self.limit_pages();
        self.follow_clock()?;
        Ok(admit::admit(&mut self.connection, admissions, self.parking, now)?)
    }

    fn turn(&mut self, turn: &Turn<'_>) -> Done {
        let parts = [turn.settlements.is_empty(), turn.admissions.is_empty(), turn.wanted.is_empty()];
        if parts.iter().filter(|is_empty| !**is_empty).count() < 2 {
            return one_by_one(self, turn);
        }
        self.at_once(turn).unwrap_or_else(|error| {
            tracing::debug!(%error, "what came together is done one by one");
            one_by_one(self, turn)
        })
    }

    fn take_due(&mut self, wanted: &Wanted) -> Result<Vec<Due>, StoreError> {
        self.follow_clock()?;
        let due = deliveries::take_due(&mut self.connection, &self.in_flight, wanted)?;
        self.in_flight.extend(due.iter().map(|due| due.id));
        Ok(due)
    }

    fn next_due(&mut self, pixel: &str, now: UnixMillis) -> Result<Option<UnixMillis>, StoreError> {
        Ok(deliveries::next_due(&self.connection, &self.in_flight, pixel, now)?)
    }

    fn settle(&mut self, settlements: &[Settlement], now: UnixMillis) -> Result<(), StoreError> {
        deliveries::settle(&mut self.connection, settlements, now)?;
        for settlement in settlements {
            self.in_flight.remove(&settlement.id);
        }
        Ok(())
    }

    fn first_use(&mut self, label: &str, now: UnixMillis) -> Result<UnixMillis, StoreError> {
        let key = format!("first_use:{label}");
        self.connection.execute(
            "INSERT INTO meta (key, value) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
            params![key, now.0.to_be_bytes().as_slice()],
        )?;
        let first: Option<[u8; 8]> = self
            .connection
            .query_row("SELECT value FROM meta WHERE key = ?1", params![key], |row| row.get(0))
            .optional()?;
        Ok(first.map_or(now, |bytes| UnixMillis(u64::from_be_bytes(bytes))))
    }

    fn hold(&mut self, held: &Held, now: UnixMillis) -> Result<Holding, StoreError> {
        Ok(held::hold(&mut self.connection, held, now)?)
    }

    fn choose(&mut self, choice: Choice, now: UnixMillis) -> Result<Vec<Released>, StoreError> {
        Ok(held::choose(&mut self.connection, choice, self.parking, now)?)
    }

    fn held_browsers(&mut self) -> Result<Vec<[u8; 32]>, StoreError> {
        Ok(held::browsers(&self.connection)?)
    }

    fn withdraw(&mut self, ties: &[Tie], now: UnixMillis) -> Result<usize, StoreError> {
        Ok(withdraw::withdraw(&mut self.connection, ties, now)?)
    }

    fn pages(&mut self) -> Result<Vec<PageRow>, StoreError> {
        Ok(pages::read(&self.connection)?)
    }

    fn keep_pages(&mut self, rows: &[PageRow]) -> Result<(), StoreError> {
        Ok(pages::write(&mut self.connection, rows)?)
    }

    fn tally(&mut self) -> Result<Tally, StoreError> {
        Ok(Tally {
            pending: self.count("SELECT count(*) FROM delivery WHERE state = 'pending'")?,
            dead: self.count("SELECT count(*) FROM delivery WHERE state = 'dead'")?,
            held: self.count("SELECT count(*) FROM held")?,
        })
    }

    fn tend(&mut self, _now: UnixMillis) -> Result<bool, StoreError> {
        if self.lock.is_none() {
            let back = self.come_back();
            if let Err(error) = &back {
                tracing::debug!(%error, "the store still cannot be opened");
            }
            return Ok(back.is_ok());
        }
        let leapt = self.follow_clock()?;
        // Somebody else wrote: `outbox retry`.
        let version = self.read_data_version()?;
        Ok(std::mem::replace(&mut self.data_version, version) != version || leapt)
    }

    fn sweep(&mut self, now: UnixMillis) -> Result<(), StoreError> {
        Ok(sweep::sweep(&self.connection, &self.in_flight, now)?)
    }

    /// The file broke while running: what is in memory is still good, so it goes into a new one.
    fn start_anew(&mut self, error: &StoreError) -> bool {
        let StoreError::Sqlite(error) = error else { return false };
        if !schema::is_corrupt(error) {
            return false;
        }
        match schema::replace(&self.path, error) {
            Ok(connection) => {
                self.connection = connection;
                // Nothing in it is from before.
                match Leaps::watch(&self.connection) {
                    Ok(leaps) => self.leaps = leaps,
                    Err(error) => tracing::error!(%error, "leaps of the clock are measured by the old store"),
                }
                self.in_flight.clear();
                true
            }
            Err(error) => {
                tracing::error!(%error, store = %self.path.display(), "no new store could be started");
                false
            }
        }
    }
}
