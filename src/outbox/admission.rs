//! What is put before the store, and what the store finds.

use std::sync::Arc;
use std::time::Duration;

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
pub const SEEN_FOR: Duration = Duration::from_secs(48 * 3600);

/// For events that must not be traceable to their contact data, not even by somebody with the secret.
#[must_use]
pub fn random_fingerprint() -> [u8; 32] {
    let (a, b) = (uuid::Uuid::new_v4().into_bytes(), uuid::Uuid::new_v4().into_bytes());
    let mut bytes = [0; 32];
    bytes.iter_mut().zip(a.into_iter().chain(b)).for_each(|(to, from)| *to = from);
    bytes
}
