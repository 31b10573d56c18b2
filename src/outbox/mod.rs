//! The durable queue and the memory of what was seen.
//!
//! It must not know what an event means: it stores bytes under ids, and the state of their delivery. One thread owns the
//! [`Store`] (`writer`); everybody else holds an [`Outbox`] and talks to it through a channel.

mod admission;
mod asks;
mod error;
mod held;
pub mod inspect;
mod pages;
mod redis;
mod ring;
mod shared;
mod sqlite;
mod store;
#[cfg(test)]
mod tests;
mod turn;
mod url;
mod verdict;
mod writer;

use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::exchange::UnixMillis;
use crate::metrics::{Sample, counters};
pub use admission::{Admission, Admitted, SEEN_FOR, SuppliedId, TIE_BYTES, Tie, random_fingerprint};
pub use error::StoreError;
pub use held::{Choice, Held, Holding, Released};
pub use pages::PageRow;
pub use redis::{RedisInspector, RedisStore, RedisUrl, probe};
pub use shared::SharedStore;
pub use sqlite::{SCHEMA_VERSION, SqliteInspector, SqliteStore};
pub use store::{StandIn, Store, Tally};
pub use url::StoreUrl;
pub use verdict::{Due, MAX_WAIT, Order, Settlement, Verdict, Wanted};
use writer::{Command, Writer};

counters! {
    /// Counters of the store.
    OutboxCounts {
        /// Events committed to disk.
        committed: Counter "capi_outbox_committed_total",
        /// Submissions that had been seen before.
        duplicates: Counter "capi_outbox_duplicates_total",
        /// Transactions that the store refused.
        refused: Counter "capi_outbox_refused_writes_total",
        /// Leads that wait in memory because the store refuses writes.
        ring: Gauge "capi_outbox_waiting_in_memory",
        /// Leads lost because the store refused writes and the memory was full.
        lost: Counter "capi_outbox_lost_total",
        /// Deliveries that wait.
        pending: Gauge "capi_outbox_pending",
        /// Submissions that wait for the visitor's choice.
        held: Gauge "capi_outbox_held",
        /// Events erased unsent because the visitor took the consent back.
        withdrawn: Counter "capi_outbox_withdrawn_total",
        /// Deliveries given up.
        dead: Gauge "capi_outbox_dead",
        /// Deliveries that wait in the local file because Redis is away or was.
        local: Gauge "capi_outbox_local",
        /// 1 while Redis is away.
        away: Gauge "capi_store_away",
    }
}

/// Commands that may wait for the writer. Its callers are few and wait for their answers, so this is never reached.
const QUEUE: usize = 1024;

/// A handle to the store; clones share it.
#[derive(Clone)]
pub struct Outbox {
    commands: SyncSender<Command>,
    counts: Arc<OutboxCounts>,
    secret: [u8; 32],
    shared: bool,
    thread: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl Outbox {
    /// Starts the thread that owns the store.
    ///
    /// # Errors
    /// When the store cannot be read, or the system refuses a thread.
    pub fn start(mut store: Box<dyn Store>) -> Result<Self, StoreError> {
        let (commands, receiver): (_, Receiver<Command>) = sync_channel(QUEUE);
        let counts = Arc::new(OutboxCounts::default());
        let secret = store.secret()?;
        let shared = store.is_shared();
        let writer = Writer::new(store, Arc::clone(&counts));
        let thread = std::thread::Builder::new()
            .name("outbox".into())
            .spawn(move || writer.run(&receiver))
            .map_err(StoreError::Thread)?;
        Ok(Self { commands, counts, secret, shared, thread: Arc::new(Mutex::new(Some(thread))) })
    }

    /// Opens the store at an address. `local`: the file that stands in for a shared one while that is away, and after how
    /// long leads are sent from there.
    ///
    /// # Errors
    /// As [`SqliteStore::open`], [`RedisStore::open`] and [`Outbox::start`]. A Redis that is away is none.
    pub fn open_at(url: &StoreUrl, local: &Path, patience: Duration) -> Result<Self, StoreError> {
        let redis = match url {
            StoreUrl::Sqlite(path) => return Self::open(path),
            StoreUrl::Redis(url) => RedisStore::open(url)?,
        };
        let stand_in = SqliteStore::open_as_stand_in(local).inspect_err(|error| {
            tracing::warn!(%error, "no local store (store.local): while Redis is away leads wait in memory only");
        });
        Self::start(Box::new(SharedStore::new(redis, stand_in.ok(), patience)))
    }

    /// Opens or makes a file, see [`SqliteStore::open`].
    ///
    /// # Errors
    /// As there, and as [`Outbox::start`].
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Self::start(Box::new(SqliteStore::open(path)?))
    }

    /// The random secret made once and kept in the store: the default `event_id_secret`.
    #[must_use]
    pub const fn secret(&self) -> [u8; 32] {
        self.secret
    }

    /// Whether other replicas use it as well.
    #[must_use]
    pub const fn is_shared(&self) -> bool {
        self.shared
    }

    /// One transaction for all of them; blocks until it is on disk. Called from the lead plane's thread.
    ///
    /// # Errors
    /// [`StoreError::Kept`] when they wait in memory, anything else when they are lost.
    pub fn admit_blocking(&self, admissions: Vec<Admission>) -> Result<Vec<Admitted>, StoreError> {
        self.ask_blocking(|reply| Command::Admit { admissions, reply })
    }

    /// Deliveries of one pixel that are due; waits until there are any. An event-only one comes alone, and only when nothing
    /// else is due. They are not handed out again until settled, so whoever asks must wait for the answer;
    /// [`Outbox::wait_no_longer`] brings it about.
    ///
    /// # Errors
    /// When the store cannot be read, or cannot note that they are on their way.
    pub async fn due(&self, wanted: Wanted) -> Result<Vec<Due>, StoreError> {
        self.ask(|reply| Command::Due { wanted, reply }).await
    }

    /// Who waits for deliveries of this pixel gets an answer, be it none.
    pub fn wait_no_longer(&self, pixel: &str) {
        // Without a thread nobody waits.
        drop(self.commands.send(Command::WaitNoLonger { pixel: pixel.to_owned() }));
    }

    /// Records what became of deliveries, together with the next submissions or in a moment. What the store refuses is kept
    /// and written later; until it is written the deliveries are not handed out again.
    ///
    /// # Errors
    /// When the store has ended.
    pub fn settle(&self, settlements: Vec<Settlement>, now: UnixMillis) -> Result<(), StoreError> {
        self.commands.send(Command::Settle { settlements, now }).map_err(|_| StoreError::Gone)
    }

    /// When a label (a test event code) was first used, remembered over restarts.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn first_use(&self, label: &str, now: UnixMillis) -> Result<UnixMillis, StoreError> {
        let label = label.to_owned();
        self.ask(|reply| Command::FirstUse { label, now, reply }).await
    }

    /// What is known of the site's pages.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn pages_blocking(&self) -> Result<Vec<PageRow>, StoreError> {
        self.ask_blocking(|reply| Command::Pages { reply })
    }

    /// Keeps a submission until its visitor has chosen; blocks until it is on disk.
    ///
    /// # Errors
    /// When the store cannot be written: nothing of it is kept then.
    pub fn hold_blocking(&self, held: Held) -> Result<Holding, StoreError> {
        self.ask_blocking(|reply| Command::Hold { held: Box::new(held), reply })
    }

    /// Ends the wait of what a choice is about.
    ///
    /// # Errors
    /// When the store cannot be written: they wait on.
    pub fn choose_blocking(&self, choice: Choice) -> Result<Vec<Released>, StoreError> {
        self.ask_blocking(|reply| Command::Choose { choice, reply })
    }

    /// The browsers that something waits for, after a restart.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn held_browsers_blocking(&self) -> Result<Vec<[u8; 32]>, StoreError> {
        self.ask_blocking(|reply| Command::HeldBrowsers { reply })
    }

    /// Erases what waits of a browser whose visitor took the consent back. Returns how many events it was.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn withdraw_blocking(&self, ties: Vec<Tie>) -> Result<usize, StoreError> {
        self.ask_blocking(|reply| Command::Withdraw { ties, reply })
    }

    fn ask_blocking<T>(
        &self,
        command: impl FnOnce(SyncSender<Result<T, StoreError>>) -> Command,
    ) -> Result<T, StoreError> {
        let (reply, answer) = sync_channel(1);
        self.commands.send(command(reply)).map_err(|_| StoreError::Gone)?;
        answer.recv().map_err(|_| StoreError::Gone)?
    }

    /// Remembers a page, some time soon and if the store likes: nothing waits for it.
    pub fn keep_page(&self, row: PageRow) {
        // A queue that is full has better things to do.
        drop(self.commands.try_send(Command::KeepPage(row)));
    }

    async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<T, StoreError>>) -> Command,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).map_err(|_| StoreError::Gone)?;
        answer.await.map_err(|_| StoreError::Gone)?
    }

    /// Writes what waits in memory and ends the writer thread. Other handles get [`StoreError::Gone`] from then on.
    pub fn close(self) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if self.commands.send(Command::Close).is_ok()
            && let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!("the store's thread had panicked");
        }
    }

    /// Counters and gauges.
    #[must_use]
    pub fn samples(&self) -> Vec<Sample> {
        self.counts.read()
    }
}
