//! A delivery that is due, and what became of it.

use std::sync::Arc;
use std::time::Duration;

use crate::exchange::UnixMillis;

/// No delivery is ever put off for longer. One that seems to be was put off before the clock jumped back, so it is due.
pub const MAX_WAIT: Duration = Duration::from_secs(6 * 3600);

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

/// What a pixel asks for.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The pixel.
    pub pixel: String,
    /// What is due by then.
    pub now: UnixMillis,
    /// So many at most.
    pub limit: usize,
    /// About so many bytes of events; one at least is handed out.
    pub max_bytes: usize,
    /// Which of them first.
    pub order: Order,
}

/// In which order a backlog is handed out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Fresh leads are worth most to Meta, and after an outage the old ones are late already.
    #[default]
    Newest,
    /// As they came.
    Oldest,
}
