//! Submissions that wait for the visitor's choice: kept apart from the queue, so that nothing can send them, and for a
//! bounded time.

use std::sync::Arc;

use super::admission::random_fingerprint;
use super::{Admission, Admitted};
use crate::exchange::UnixMillis;

/// Submissions that may wait at once; a flood must not fill the store with what may never be sent.
pub const MAX_HELD: u16 = 10_000;
/// Those whose wait one step ends.
pub const AT_ONCE: u16 = 100;

/// A submission that waits.
#[derive(Clone, Debug)]
pub struct Held {
    /// What is admitted when the visitor says yes.
    pub admission: Admission,
    /// The event without user data that is admitted when they do not; `None`: nothing is.
    pub bare: Option<Arc<str>>,
    /// A keyed hash of the browser's session.
    pub browser: [u8; 32],
    /// How long it waits.
    pub until: UnixMillis,
    /// Host and path, for the report.
    pub place: (String, String),
}

/// What became of a submission that was to wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holding {
    /// It waits.
    Waits,
    /// The same one waits already, or was sent.
    Duplicate {
        /// The first one's id.
        event_id: String,
    },
    /// Too many wait.
    TooMany,
}

/// Whose wait has ended, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// This browser's visitor said yes.
    Granted([u8; 32]),
    /// This browser's visitor said no.
    Denied([u8; 32]),
    /// All that have waited long enough.
    Expired,
}

/// A submission whose wait has ended.
#[derive(Clone, Debug)]
pub struct Released {
    /// Which.
    pub fingerprint: [u8; 32],
    /// Host and path.
    pub place: (String, String),
    /// What was admitted; `None`: nothing, all of it is erased.
    pub admitted: Option<Admitted>,
}

/// Nothing that derives from the contact data goes into it: fingerprint and id are random.
pub fn without_user_data(admission: &Admission, bare: Arc<str>) -> Admission {
    Admission {
        fingerprint: random_fingerprint(),
        supplied: None,
        fallback_event_id: uuid::Uuid::new_v4().to_string(),
        event_name: admission.event_name.clone(),
        event_time: admission.event_time,
        body: bare,
        event_only: true,
        pixels: admission.pixels.clone(),
        ties: Vec::new(),
    }
}
