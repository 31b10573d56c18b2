//! The durable queue and the memory of what was seen.
//!
//! It must not know what an event means: it stores bytes under ids, and the state of their delivery.

use std::sync::Arc;

use crate::exchange::UnixMillis;

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
}

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
    /// An earlier request went out and was never answered: Meta may have it.
    pub in_doubt: bool,
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
}

/// A handle to the store; clones share it.
#[derive(Clone)]
pub struct Outbox {}

impl Outbox {
    /// Opens or makes the file and starts the writer thread.
    pub fn open(_path: &std::path::Path) -> Result<Self, StoreError> {
        Ok(Self {})
    }

    /// The random secret made once and kept in the store: the default `event_id_secret`.
    #[must_use]
    pub fn secret(&self) -> [u8; 32] {
        [0; 32]
    }

    /// One transaction for all of them; blocks until it is on disk. Called from the lead plane's thread.
    pub fn admit_blocking(&self, _admissions: Vec<Admission>) -> Result<Vec<Admitted>, StoreError> {
        Ok(Vec::new())
    }

    /// Deliveries of one pixel that are due, newest first: at most `limit` and about `max_bytes` of bodies. An
    /// event-only one comes alone.
    pub async fn due(
        &self,
        _pixel: &str,
        _now: UnixMillis,
        _limit: usize,
        _max_bytes: usize,
    ) -> Result<Vec<Due>, StoreError> {
        Ok(Vec::new())
    }

    /// When the next delivery of a pixel is due; `None` when nothing waits.
    pub async fn next_due(&self, _pixel: &str) -> Result<Option<UnixMillis>, StoreError> {
        Ok(None)
    }

    /// Records what became of deliveries, in one transaction.
    pub async fn settle(&self, _settlements: Vec<Settlement>, _now: UnixMillis) -> Result<(), StoreError> {
        Ok(())
    }

    /// When a label (a test event code) was first used, remembered over restarts.
    pub async fn first_use(&self, _label: &str, now: UnixMillis) -> Result<UnixMillis, StoreError> {
        Ok(now)
    }

    /// A receiver that changes whenever new deliveries were committed or an operator asked for a retry.
    #[must_use]
    pub fn news(&self) -> tokio::sync::watch::Receiver<u64> {
        tokio::sync::watch::channel(0).1
    }

    /// Writes what waits in memory and ends the writer thread.
    pub fn close(self) {}

    /// Counters and gauges.
    #[must_use]
    pub fn samples(&self) -> Vec<crate::metrics::Sample> {
        Vec::new()
    }
}
