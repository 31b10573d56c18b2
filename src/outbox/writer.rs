//! The thread that owns the connection. It does one thing at a time, so that no write waits for another.
//!
//! When the store refuses (disk full, locked, broken), admissions wait in a bounded memory and settlements wait with
//! them; both are tried again every second, without a restart.

use std::collections::{HashSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

use rusqlite::{Connection, OptionalExtension, params};
use tokio::sync::{oneshot, watch};

use super::leap::Leaps;
use super::pages::{PageRow, Unwritten};
use super::{
    Admission, Admitted, Choice, Due, Held, Holding, OutboxCounts, Released, Settlement, StoreError, Tie, Verdict,
};
use super::{admit, away, deliveries, held, pages, schema, sweep, withdraw};
use crate::exchange::UnixMillis;

/// How often what was refused is tried again, and changes by other processes are looked for.
const TICK: Duration = Duration::from_secs(1);
/// How often old rows are swept.
const SWEEP: Duration = Duration::from_secs(60);
/// Leads that wait in memory at most, and their bytes: a few minutes of a busy site.
const MAX_RING: usize = 1000;
const MAX_RING_BYTES: usize = 8 * 1024 * 1024;
/// Admissions tried again in one transaction.
const BATCH: usize = 32;

pub type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

/// To a thread that waits for it.
pub type Answer<T> = SyncSender<Result<T, StoreError>>;

/// What the writer is asked to do.
pub enum Command {
    Admit {
        admissions: Vec<Admission>,
        reply: Answer<Vec<Admitted>>,
    },
    Due {
        pixel: String,
        now: UnixMillis,
        limit: usize,
        max_bytes: usize,
        reply: Reply<Vec<Due>>,
    },
    NextDue {
        pixel: String,
        now: UnixMillis,
        reply: Reply<Option<UnixMillis>>,
    },
    Settle {
        settlements: Vec<Settlement>,
        now: UnixMillis,
        reply: Reply<()>,
    },
    FirstUse {
        label: String,
        now: UnixMillis,
        reply: Reply<UnixMillis>,
    },
    Pages {
        reply: Answer<Vec<PageRow>>,
    },
    Hold {
        held: Box<Held>,
        reply: Answer<Holding>,
    },
    Choose {
        choice: Choice,
        reply: Answer<Vec<Released>>,
    },
    HeldBrowsers {
        reply: Answer<Vec<[u8; 32]>>,
    },
    Withdraw {
        ties: Vec<Tie>,
        reply: Answer<usize>,
    },
    KeepPage(PageRow),
    /// Lets a test fill the disk.
    #[cfg(test)]
    LimitPages(Option<u32>),
    Close,
}

fn open_file(path: &Path) -> Result<(schema::Lock, Connection), StoreError> {
    let lock = schema::lock(path)?;
    Ok((lock, schema::open(path)?))
}

fn random_secret(path: &Path) -> Result<[u8; 32], StoreError> {
    let mut secret = [0; 32];
    let refused = |error: getrandom::Error| StoreError::Open {
        path: path.to_owned(),
        source: std::io::Error::other(error.to_string()),
    };
    getrandom::fill(&mut secret).map_err(refused)?;
    Ok(secret)
}

pub struct Writer {
    path: PathBuf,
    connection: Connection,
    /// `None` as long as the file could not be opened: the connection is to what stands in for it.
    lock: Option<schema::Lock>,
    counts: Arc<OutboxCounts>,
    news: watch::Sender<u64>,
    /// Handed out and not settled.
    in_flight: HashSet<i64>,
    ring: VecDeque<Admission>,
    ring_bytes: usize,
    unsettled: Vec<(Settlement, UnixMillis)>,
    /// Pages to be remembered.
    unwritten: Unwritten,
    data_version: i64,
    leaps: Leaps,
    /// It refuses, and that has been said.
    refusing: bool,
}

impl Writer {
    pub fn open(path: &Path, counts: Arc<OutboxCounts>, news: watch::Sender<u64>) -> Result<Self, StoreError> {
        let (lock, connection) = match open_file(path) {
            Ok((lock, connection)) => (Some(lock), connection),
            Err(error) if away::may_pass(&error) => {
                tracing::error!(
                    %error, store = %path.display(),
                    "the store cannot be opened: visitors are served, leads wait in memory, and nothing is sent, until it can"
                );
                (None, away::stand_in(path, &random_secret(path)?)?)
            }
            Err(error) => return Err(error),
        };
        let leaps = Leaps::watch(&connection)?;
        let mut writer = Self {
            path: path.to_owned(),
            connection,
            counts,
            news,
            in_flight: HashSet::new(),
            ring: VecDeque::new(),
            ring_bytes: 0,
            unsettled: Vec::new(),
            unwritten: Unwritten::default(),
            data_version: 0,
            leaps,
            // What stands in refuses, and that has been said.
            refusing: lock.is_none(),
            lock,
        };
        writer.data_version = writer.read_data_version()?;
        writer.gauge()?;
        Ok(writer)
    }

    /// The secret, made at the first call.
    pub fn secret(&self) -> Result<[u8; 32], StoreError> {
        if let Some(secret) = schema::read_secret(&self.connection)? {
            return Ok(secret);
        }
        let fresh = random_secret(&self.path)?;
        schema::keep_secret(&self.connection, &fresh)?;
        // Into the file itself, where it is found even if the log cannot be read one day.
        self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
        Ok(schema::read_secret(&self.connection)?.unwrap_or(fresh))
    }

    /// Opens the file that could not be opened at the start. If it has a secret of its own, that counts from the next
    /// start on.
    fn come_back(&mut self) -> Result<(), StoreError> {
        let (lock, connection) = open_file(&self.path)?;
        schema::keep_secret(&connection, &self.secret()?)?;
        self.leaps = Leaps::watch(&connection)?;
        (self.lock, self.connection) = (Some(lock), connection);
        self.works_again();
        self.tell();
        Ok(())
    }

    pub fn run(mut self, commands: &Receiver<Command>) {
        let (mut ticked, mut swept) = (Instant::now(), Instant::now());
        loop {
            match commands.recv_timeout(TICK.saturating_sub(ticked.elapsed())) {
                Ok(Command::Close) | Err(RecvTimeoutError::Disconnected) => break,
                Ok(command) => {
                    self.follow_clock();
                    self.serve(command);
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
            if ticked.elapsed() >= TICK {
                ticked = Instant::now();
                self.tick();
            }
            if swept.elapsed() >= SWEEP && !self.leaps.in_doubt() {
                swept = Instant::now();
                if let Err(error) = sweep::sweep(&self.connection, UnixMillis::now()) {
                    self.complain("sweeping", &error);
                }
            }
        }
        self.tick();
        if !self.ring.is_empty() {
            tracing::error!(leads = self.ring.len(), "stopped while the store refuses writes: these leads are lost");
        }
    }

    // A caller that has stopped waiting for its answer needs none.
    fn serve(&mut self, command: Command) {
        match command {
            Command::Admit { admissions, reply } => drop(reply.send(self.admit(admissions))),
            Command::Due { pixel, now, limit, max_bytes, reply } => {
                let due = deliveries::take_due(&mut self.connection, &self.in_flight, &pixel, now, limit, max_bytes);
                match &due {
                    Ok(due) => self.in_flight.extend(due.iter().map(|due| due.id)),
                    Err(error) => self.complain("handing out deliveries", error),
                }
                drop(reply.send(due.map_err(Into::into)));
            }
            Command::NextDue { pixel, now, reply } => {
                let next = deliveries::next_due(&self.connection, &self.in_flight, &pixel, now);
                drop(reply.send(next.map_err(Into::into)));
            }
            Command::Settle { settlements, now, reply } => {
                self.unsettled.extend(settlements.into_iter().map(|settlement| (settlement, now)));
                self.write_settlements();
                drop(reply.send(Ok(())));
            }
            Command::FirstUse { label, now, reply } => drop(reply.send(self.first_use(&label, now))),
            Command::Pages { reply } => drop(reply.send(pages::read(&self.connection).map_err(Into::into))),
            Command::Hold { held, reply } => {
                let holding = held::hold(&mut self.connection, &held, UnixMillis::now());
                drop(reply.send(self.noticed("holding a submission", holding)));
            }
            Command::Choose { choice, reply } => {
                let released = held::choose(&mut self.connection, choice, UnixMillis::now());
                let admitted = released.iter().flatten().filter(|one| one.admitted.is_some()).count();
                if admitted > 0 {
                    self.counts.committed.fetch_add(admitted as u64, Ordering::Relaxed);
                    self.tell();
                }
                drop(reply.send(self.noticed("ending the wait of submissions", released)));
            }
            Command::HeldBrowsers { reply } => drop(reply.send(held::browsers(&self.connection).map_err(Into::into))),
            Command::Withdraw { ties, reply } => {
                let withdrawn = self.withdraw(&ties);
                drop(reply.send(self.noticed("erasing what was withdrawn", withdrawn)));
            }
            Command::KeepPage(row) => self.unwritten.add(row),
            #[cfg(test)]
            Command::LimitPages(pages) => self.limit_pages(pages),
            Command::Close => {}
        }
    }

    /// SQLite then answers as it does on a full disk.
    #[cfg(test)]
    pub fn limit_pages(&mut self, pages: Option<u32>) {
        // A limit below the present size means the present size.
        let pages = pages.unwrap_or(u32::MAX - 1);
        self.connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(())).unwrap();
    }

    fn noticed<T>(&mut self, what: &str, result: rusqlite::Result<T>) -> Result<T, StoreError> {
        if let Err(error) = &result {
            self.complain(what, error);
        }
        result.map_err(Into::into)
    }

    /// What waits in memory goes first: it would be stored afterwards.
    fn withdraw(&mut self, ties: &[Tie]) -> rusqlite::Result<usize> {
        let before = self.ring.len();
        self.ring.retain(|admission| !admission.ties.iter().any(|tie| ties.contains(tie)));
        self.ring_bytes = self.ring.iter().map(|admission| admission.body.len()).sum();
        self.counts.ring.store(self.ring.len() as u64, Ordering::Relaxed);
        let stored = withdraw::withdraw(&mut self.connection, ties, UnixMillis::now())?;
        let withdrawn = stored + before - self.ring.len();
        self.counts.withdrawn.fetch_add(withdrawn as u64, Ordering::Relaxed);
        Ok(withdrawn)
    }

    fn admit(&mut self, admissions: Vec<Admission>) -> Result<Vec<Admitted>, StoreError> {
        let cause = match self.try_admit(&admissions) {
            Ok(admitted) => return Ok(admitted),
            Err(error) => error.to_string(),
        };
        let bytes: usize = admissions.iter().map(|admission| admission.body.len()).sum();
        if self.ring.len() + admissions.len() > MAX_RING || self.ring_bytes + bytes > MAX_RING_BYTES {
            self.counts.lost.fetch_add(admissions.len() as u64, Ordering::Relaxed);
            return Err(StoreError::Full { cause });
        }
        self.ring_bytes += bytes;
        self.ring.extend(admissions);
        self.counts.ring.store(self.ring.len() as u64, Ordering::Relaxed);
        Err(StoreError::Kept { cause })
    }

    fn try_admit(&mut self, admissions: &[Admission]) -> rusqlite::Result<Vec<Admitted>> {
        let admitted = admit::admit(&mut self.connection, admissions, UnixMillis::now());
        match &admitted {
            Ok(admitted) => {
                self.works_again();
                let new = admitted.iter().filter(|one| matches!(one, Admitted::New { .. })).count() as u64;
                self.counts.committed.fetch_add(new, Ordering::Relaxed);
                self.counts.duplicates.fetch_add(admitted.len() as u64 - new, Ordering::Relaxed);
                if new > 0 {
                    self.tell();
                }
            }
            Err(error) => {
                self.counts.refused.fetch_add(1, Ordering::Relaxed);
                self.complain("storing leads", error);
            }
        }
        admitted
    }

    /// The file broke while running: what is in memory is still good, so it goes into a new one.
    fn start_anew(&mut self, error: &rusqlite::Error) {
        match schema::replace(&self.path, error) {
            Ok(connection) => {
                self.connection = connection;
                // Nothing in it is from before.
                match Leaps::watch(&self.connection) {
                    Ok(leaps) => self.leaps = leaps,
                    Err(error) => tracing::error!(%error, "leaps of the clock are measured by the old store"),
                }
                self.in_flight.clear();
                self.unsettled.clear();
            }
            Err(error) => tracing::error!(%error, store = %self.path.display(), "no new store could be started"),
        }
    }

    /// Before anything is measured by a clock that has leapt.
    fn follow_clock(&mut self) {
        let leapt = self.leaps.look();
        if leapt != 0 {
            tracing::warn!(seconds = leapt / 1000, "the clock has leapt: what came in this run moves along");
            for admission in &mut self.ring {
                admission.event_time = admission.event_time.saturating_add_signed(leapt / 1000);
            }
        }
        match self.leaps.follow(&mut self.connection) {
            Ok(true) => self.tell(),
            Ok(false) => {}
            Err(error) => self.complain("moving along with the clock", &error),
        }
    }

    fn tick(&mut self) {
        self.follow_clock();
        if self.lock.is_none()
            && let Err(error) = self.come_back()
        {
            tracing::debug!(%error, "the store still cannot be opened");
        }
        while !self.ring.is_empty() {
            let batch: Vec<_> = self.ring.iter().take(BATCH).cloned().collect();
            if self.try_admit(&batch).is_err() {
                break;
            }
            for admission in self.ring.drain(..batch.len()) {
                self.ring_bytes = self.ring_bytes.saturating_sub(admission.body.len());
            }
            tracing::info!(leads = batch.len(), "the store takes writes again: leads from memory are on disk");
        }
        self.counts.ring.store(self.ring.len() as u64, Ordering::Relaxed);
        self.write_settlements();
        if let Err(error) = self.unwritten.write(&mut self.connection) {
            self.complain("remembering pages", &error);
        }
        match self.read_data_version() {
            // Somebody else wrote: `outbox retry`.
            Ok(version) if version != self.data_version => {
                self.data_version = version;
                self.tell();
            }
            Ok(_) => {}
            Err(error) => self.complain("looking for changes", &error),
        }
        if let Err(error) = self.gauge() {
            self.complain("counting", &error);
        }
    }

    fn write_settlements(&mut self) {
        if self.unsettled.is_empty() {
            return;
        }
        let now = self.unsettled.last().map_or_else(UnixMillis::now, |(_, now)| *now);
        let settlements: Vec<_> = self.unsettled.iter().map(|(settlement, _)| settlement.clone()).collect();
        match deliveries::settle(&mut self.connection, &settlements, now) {
            Ok(()) => {
                for settlement in &settlements {
                    self.in_flight.remove(&settlement.id);
                }
                self.unsettled.clear();
                self.works_again();
                if settlements.iter().any(|settlement| matches!(settlement.verdict, Verdict::Retry { .. })) {
                    self.tell();
                }
            }
            Err(error) => self.complain("recording deliveries (tried again)", &error),
        }
    }

    fn first_use(&self, label: &str, now: UnixMillis) -> Result<UnixMillis, StoreError> {
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

    fn read_data_version(&self) -> rusqlite::Result<i64> {
        self.connection.pragma_query_value(None, "data_version", |row| row.get(0))
    }

    fn gauge(&self) -> rusqlite::Result<()> {
        let count = |state: &str| {
            self.connection
                .prepare_cached("SELECT count(*) FROM delivery WHERE state = ?1")?
                .query_row(params![state], |row| row.get::<_, i64>(0))
                .map(|count| u64::try_from(count).unwrap_or_default())
        };
        self.counts.pending.store(count("pending")?, Ordering::Relaxed);
        self.counts.dead.store(count("dead")?, Ordering::Relaxed);
        let held = held::count(&self.connection)?;
        self.counts.held.store(u64::try_from(held).unwrap_or_default(), Ordering::Relaxed);
        Ok(())
    }

    fn tell(&self) {
        self.news.send_modify(|news| *news = news.wrapping_add(1));
    }

    /// Once, until the store takes something again: a full disk must not be filled with words about it.
    fn complain(&mut self, what: &str, error: &rusqlite::Error) {
        if std::mem::replace(&mut self.refusing, true) {
            tracing::debug!(%error, what, "the store still refuses");
        } else {
            tracing::error!(
                %error, store = %self.path.display(), what,
                "the store refuses: leads wait in memory, and nothing is sent, until it works again"
            );
        }
        if schema::is_corrupt(error) {
            self.start_anew(error);
        }
    }

    fn works_again(&mut self) {
        if std::mem::take(&mut self.refusing) {
            tracing::info!(store = %self.path.display(), "the store works again");
        }
    }
}
