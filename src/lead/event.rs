//! Meta's wire format of one event.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::Value;

use super::contact::{Contact, Key};
use super::normalize::{Country, Unusable};
use crate::exchange::UnixMillis;

/// Limited Data Use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ldu {
    country: u16,
    state: u16,
}

impl Ldu {
    /// Country 0, state 0: Meta finds out where the visitor is.
    #[must_use]
    pub const fn geolocated() -> Self {
        Self { country: 0, state: 0 }
    }
}

/// Hashed contact data, ready to send.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MatchKeys(BTreeMap<Key, Vec<String>>);

impl MatchKeys {
    /// Normalises and hashes; what cannot be used is named with the reason.
    #[must_use]
    pub fn from_contact(_contact: &Contact, _region: Option<Country>) -> (Self, Vec<(Key, Unusable)>) {
        (Self::default(), Vec::new())
    }

    /// The hashes of each key, in the order of [`Key::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = (Key, &[String])> {
        self.0.iter().map(|(key, hashes)| (*key, hashes.as_slice()))
    }
}

/// One website event, without its `event_id`, which only the outbox knows.
#[derive(Clone, Debug)]
pub struct Event {
    /// `event_name`.
    pub name: String,
    /// `event_time`.
    pub time: UnixMillis,
    /// `event_source_url`.
    pub source_url: String,
    /// `referrer_url`.
    pub referrer_url: Option<String>,
    /// Hashed contact data.
    pub match_keys: MatchKeys,
    /// `fbc`.
    pub fbc: Option<String>,
    /// `fbp`.
    pub fbp: Option<String>,
    /// `client_ip_address`.
    pub client_ip: Option<IpAddr>,
    /// `client_user_agent`.
    pub user_agent: Option<String>,
    /// `custom_data`.
    pub custom_data: BTreeMap<String, Value>,
    /// `data_processing_options`.
    pub ldu: Option<Ldu>,
}

impl Event {
    /// Meta's minimum (100/2804050).
    #[must_use]
    pub fn has_enough_user_data(&self) -> bool {
        false
    }

    /// The event as JSON without `event_id`.
    #[must_use]
    pub fn to_json(&self) -> String {
        String::new()
    }
}

/// The event of a denied submission.
#[must_use]
pub fn event_only_json(_name: &str, _time: UnixMillis, _url: &str) -> String {
    String::new()
}

/// The event with its id, as it is sent.
#[must_use]
pub fn with_event_id(_body: &str, _event_id: &str) -> Option<Value> {
    None
}

/// The event without `user_data.fbc`; `None` when it has none (2804001: a malformed click id is dropped and the event
/// sent again).
#[must_use]
pub fn without_fbc(_body: &str) -> Option<String> {
    None
}

/// A URL without query and fragment.
#[must_use]
pub fn without_query(url: &str) -> String {
    url.to_owned()
}

/// A URL without fragment and without query parameters that hold personal data; `fbclid` stays.
#[must_use]
pub fn clean_url(url: &str) -> String {
    url.to_owned()
}

/// An address that may be sent.
#[must_use]
pub fn sendable_ip(_ip: IpAddr) -> Option<IpAddr> {
    None
}

/// Whether a text looks like an e-mail address or a phone number.
#[must_use]
pub fn is_contact_like(_text: &str) -> bool {
    false
}
