//! The store from outside: what the `outbox` verbs do, beside a running sidecar or without one.

use std::collections::HashSet;

use serde::Serialize;
use serde_json::Value;

use super::sqlite::SqliteInspector;
use super::{RedisInspector, StoreError, StoreUrl};

/// One delivery as the verbs show it. No contact data, not even hashed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeliveryRow {
    /// The delivery's id in this store.
    pub id: i64,
    /// The event's id.
    pub event_id: String,
    /// Meta's event name.
    pub event_name: String,
    /// The pixel.
    pub pixel: String,
    /// `pending`, `delivered`, `refused`, `dead`.
    pub state: String,
    /// One word, e.g. `transient`, `token`, `payload`.
    pub reason: Option<String>,
    /// Meta's error code.
    pub code: Option<i64>,
    /// Meta's error subcode.
    pub subcode: Option<i64>,
    /// Attempts that count.
    pub attempts: i64,
    /// Unix seconds.
    pub event_time: i64,
    /// Unix seconds, rounded up; `null` once it is settled.
    pub due_at: Option<i64>,
    /// Meta's trace id of the last answer.
    pub fbtrace_id: Option<String>,
}

/// A store opened beside whoever else uses it.
pub trait Inspector {
    /// Deliveries, newest first, until `each` says `false`.
    fn list(&mut self, state: Option<&str>, each: &mut dyn FnMut(DeliveryRow) -> bool) -> Result<(), StoreError>;

    /// One delivery and its event, with the names of the match keys in place of the hashes. `None`: no such id.
    fn show(&mut self, id: i64) -> Result<Option<(DeliveryRow, Option<Value>)>, StoreError>;

    /// Makes dead deliveries due again: those named, or all. Those whose event has been erased stay dead. Returns how many.
    fn retry(&mut self, ids: &[i64]) -> Result<usize, StoreError>;

    /// Removes deliveries for good, with their events where nothing else needs them. Returns how many.
    fn drop_deliveries(&mut self, ids: &[i64]) -> Result<usize, StoreError>;

    /// Erases every event that has one of these e-mail addresses (as hashes), and what waits for its visitor's choice.
    /// Returns how many it was. What Meta has already is for its own tools.
    fn erase_by_email(&mut self, hashes: &HashSet<String>) -> Result<usize, StoreError>;
}

/// Opens an existing store.
///
/// # Errors
/// When it is not there, cannot be opened, or belongs to another version.
pub fn open(url: &StoreUrl) -> Result<Box<dyn Inspector>, StoreError> {
    match url {
        StoreUrl::Sqlite(path) => Ok(Box::new(SqliteInspector::open(path)?)),
        StoreUrl::Redis(url) => Ok(Box::new(RedisInspector::open(url)?)),
    }
}

/// An event as it is shown: the names of its match keys in place of the hashes. `None`: it has been erased.
pub(super) fn without_hashes(body: &str) -> Option<Value> {
    let mut event: Value = serde_json::from_str(body).ok()?;
    if let Some(data) = event.get_mut("user_data") {
        *data = data.as_object().into_iter().flatten().map(|(key, _)| Value::from(key.clone())).collect();
    }
    Some(event)
}

/// Whether an event has one of these hashed e-mail addresses.
pub(super) fn has_email(body: &str, hashes: &HashSet<String>) -> bool {
    let event: Value = serde_json::from_str(body).unwrap_or_default();
    let emails = event.pointer("/user_data/em").and_then(Value::as_array);
    emails.into_iter().flatten().filter_map(Value::as_str).any(|hash| hashes.contains(hash))
}
