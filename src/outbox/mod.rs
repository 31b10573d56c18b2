//! The durable queue and the memory of what was seen.
//!
//! It must not know what an event means: it stores bytes under ids, and the state of their delivery. One thread owns the
//! SQLite connection (`writer`); everybody else holds an [`Outbox`] and talks to it through a channel. Another kind of
//! store takes its place behind the same methods.

mod admit;
mod away;
mod deliveries;
mod held;
pub mod inspect;
mod leap;
mod pages;
mod schema;
mod sweep;
#[cfg(test)]
mod tests;
mod withdraw;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::{oneshot, watch};

use crate::exchange::UnixMillis;
use crate::metrics::{Sample, counters};
pub use held::{Choice, Held, Holding, Released};
pub use pages::PageRow;
pub use schema::VERSION as SCHEMA_VERSION;
use writer::{Command, Writer};

/// Everything one transaction needs: the memory of the submission, the event, and a delivery row per pixel.
#[derive(Clone, Debug)]
pub struct Admission {
    /// What makes two submissions the same one: HMAC over site, form and fields.
    pub fingerprint: [u8; 32],
    /// An id that came with the submission, with a digest of the contact data it came with.
    pub supplied: Option<SuppliedId>,
    /// The id when none was supplied (or the supplied one turns out to be somebody else's).
    pub fallback_event_id: String,
    /// Meta's event name, for lists.
    pub event_name: String,
    /// When it happened, Unix seconds.
    pub event_time: u64,
    /// The event as JSON without its `event_id`, which is only known inside the transaction. Shared, not copied.
    pub body: Arc<str>,
    /// Sent alone and expected to be refused (consent denied, `event-only`).
    pub event_only: bool,
    /// One delivery each.
    pub pixels: Vec<String>,
    /// By what its browser is known again if the consent is taken back.
    pub ties: Vec<Tie>,
}

/// Bytes of a [`Tie`].
pub const TIE_BYTES: usize = 16;

/// A keyed hash of something that a browser sends again (`_fbp`, the click, a session), so that what it has not sent yet
/// is found when its visitor takes the consent back.
pub type Tie = [u8; TIE_BYTES];

/// An `event_id` that the site or the page supplied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SuppliedId {
    /// The id as supplied.
    pub id: String,
    /// A keyed digest of the contact data that came with it.
    pub contact: [u8; 32],
}

/// What the transaction found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admitted {
    /// Never seen: event and deliveries are stored.
    New {
        /// The id under which it will be sent.
        event_id: String,
        /// The supplied id was known with other contact data (a page cache repeats it): the fallback id was taken.
        supplied_id_was_taken: bool,
    },
    /// Seen within [`SEEN_FOR`]: nothing was stored.
    Duplicate {
        /// The first one's id.
        event_id: String,
    },
}

/// How long a submission is remembered: Meta's deduplication window, 48 hours.
/// <https://developers.facebook.com/docs/marketing-api/conversions-api/deduplicate-pixel-and-server-events>
pub const SEEN_FOR: std::time::Duration = std::time::Duration::from_secs(48 * 3600);

/// A delivery that is due.
#[derive(Clone, Debug)]
pub struct Due {
    /// The delivery's id.
    pub id: i64,
    /// The event's id.
    pub event_id: String,
    /// Unix seconds.
    pub event_time: u64,
    /// The event as JSON without its `event_id`.
    pub body: Arc<str>,
    /// To be sent in a request of its own.
    pub event_only: bool,
    /// Attempts so far that count.
    pub attempts: u32,
    /// When a request with it first went out without being answered (or before the process was killed): Meta may have it.
    pub in_doubt_since: Option<UnixMillis>,
}

/// What became of a delivery.
#[derive(Clone, Debug)]
pub struct Settlement {
    /// The delivery.
    pub id: i64,
    /// Its new state.
    pub verdict: Verdict,
    /// Meta's error code, if it gave one.
    pub code: Option<i64>,
    /// Meta's error subcode.
    pub subcode: Option<i64>,
    /// Meta's trace id.
    pub fbtrace_id: Option<String>,
}

/// The new state of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Meta has it. Its body is erased once no delivery of the event is open.
    Delivered,
    /// Meta refused an event-only event, as expected.
    Refused,
    /// Given up, with the reason.
    Dead {
        /// One word, e.g. `payload`, `expired`, `ambiguous`.
        reason: &'static str,
    },
    /// Try again.
    Retry {
        /// Not before then.
        due_at: UnixMillis,
        /// Whether this attempt counts (a dead token burns none).
        counts: bool,
        /// The request went out and was not answered.
        in_doubt: bool,
        /// A changed event to send instead (a malformed click id was dropped).
        body: Option<Arc<str>>,
        /// One word for lists, e.g. `transient`, `throttle`, `token`.
        reason: &'static str,
    },
}

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It refuses writes; the submission is kept in memory until it takes them again.
    #[error("the store refuses writes ({cause}); the lead waits in memory")]
    Kept {
        /// SQLite's words.
        cause: String,
    },
    /// It refuses, and the memory that stands in for it is full.
    #[error("the store refuses writes ({cause}) and the memory that stands in for it is full")]
    Full {
        /// SQLite's words.
        cause: String,
    },
    /// It cannot be read or written.
    #[error("{0}")]
    Sqlite(#[from] rusqlite::Error),
    /// Its file cannot be opened.
    #[error("cannot open {}: {source}; does the folder exist, may this user write there?", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: std::io::Error,
    },
    /// Another sidecar has it.
    #[error("{} is in use by another capi-sidecar; give each its own store", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// It was made by a newer version.
    #[error("its schema version is {found}, this program knows versions up to {known}; use the newer program")]
    Newer {
        /// In the file.
        found: u32,
        /// In this program.
        known: u32,
    },
    /// The file is a database, and not ours.
    #[error("it is another program's database; choose another file")]
    Foreign,
    /// The writer thread has ended.
    #[error("the store's thread has ended")]
    Gone,
}

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
    }
}

/// Commands that may wait for the writer. Its callers are few and wait for their answers, so this is never reached.
const QUEUE: usize = 1024;

/// For events that must not be traceable to their contact data, not even by somebody with the secret.
#[must_use]
pub fn random_fingerprint() -> [u8; 32] {
    let (a, b) = (uuid::Uuid::new_v4().into_bytes(), uuid::Uuid::new_v4().into_bytes());
    let mut bytes = [0; 32];
    bytes.iter_mut().zip(a.into_iter().chain(b)).for_each(|(to, from)| *to = from);
    bytes
}

/// A handle to the store; clones share it.
#[derive(Clone)]
pub struct Outbox {
    commands: SyncSender<Command>,
    counts: Arc<OutboxCounts>,
    news: watch::Receiver<u64>,
    secret: [u8; 32],
    thread: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl Outbox {
    /// Opens or makes the file and starts the writer thread. A corrupt file is set aside and reported; one that a full or
    /// failing disk keeps from being opened is opened as soon as it can be, and leads wait in memory until then.
    ///
    /// # Errors
    /// When the file has a place where it cannot be, belongs to another sidecar, or to a newer version.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let (commands, receiver): (_, Receiver<Command>) = sync_channel(QUEUE);
        let counts = Arc::new(OutboxCounts::default());
        let (sender, news) = watch::channel(0);
        let writer = Writer::open(path, Arc::clone(&counts), sender)?;
        let secret = writer.secret()?;
        let thread = std::thread::Builder::new()
            .name("outbox".into())
            .spawn(move || writer.run(&receiver))
            .map_err(|source| StoreError::Open { path: path.to_owned(), source })?;
        Ok(Self { commands, counts, news, secret, thread: Arc::new(Mutex::new(Some(thread))) })
    }

    /// The random secret made once and kept in the store: the default `event_id_secret`.
    #[must_use]
    pub const fn secret(&self) -> [u8; 32] {
        self.secret
    }

    /// One transaction for all of them; blocks until it is on disk. Called from the lead plane's thread.
    ///
    /// # Errors
    /// [`StoreError::Kept`] when they wait in memory, anything else when they are lost.
    pub fn admit_blocking(&self, admissions: Vec<Admission>) -> Result<Vec<Admitted>, StoreError> {
        self.ask_blocking(|reply| Command::Admit { admissions, reply })
    }

    /// Deliveries of one pixel that are due, newest first: at most `limit` and about `max_bytes` of bodies. An
    /// event-only one comes alone, and only when nothing else is due. They are not handed out again until settled.
    ///
    /// # Errors
    /// When the store cannot be read, or cannot note that they are on their way.
    pub async fn due(
        &self,
        pixel: &str,
        now: UnixMillis,
        limit: usize,
        max_bytes: usize,
    ) -> Result<Vec<Due>, StoreError> {
        let pixel = pixel.to_owned();
        self.ask(|reply| Command::Due { pixel, now, limit, max_bytes, reply }).await
    }

    /// When the next delivery of a pixel is due; `None` when nothing waits.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn next_due(&self, pixel: &str, now: UnixMillis) -> Result<Option<UnixMillis>, StoreError> {
        let pixel = pixel.to_owned();
        self.ask(|reply| Command::NextDue { pixel, now, reply }).await
    }

    /// Records what became of deliveries, in one transaction. What the store refuses is kept and written later; until
    /// then the deliveries are not handed out again.
    ///
    /// # Errors
    /// When the store has ended.
    pub async fn settle(&self, settlements: Vec<Settlement>, now: UnixMillis) -> Result<(), StoreError> {
        self.ask(|reply| Command::Settle { settlements, now, reply }).await
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

    /// A receiver that changes whenever new deliveries were committed or an operator asked for a retry.
    #[must_use]
    pub fn news(&self) -> watch::Receiver<u64> {
        self.news.clone()
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
