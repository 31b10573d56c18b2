//! What the data plane asks of whoever listens. The proxy does not know what the answers are for.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use tokio::sync::oneshot;

use super::tee::Reservation;
use crate::exchange::{Exchange, RequestRecord};

/// Header fields, wherever they are kept.
pub trait Fields {
    /// The first line of that name.
    fn first(&self, name: &HeaderName) -> Option<&[u8]>;
}

impl Fields for HeaderMap {
    fn first(&self, name: &HeaderName) -> Option<&[u8]> {
        self.get(name).map(HeaderValue::as_bytes)
    }
}

/// A request head as received.
pub struct Head<'a> {
    /// The method.
    pub method: &'a Method,
    /// Path and query.
    pub target: &'a str,
    /// The received Host.
    pub host: &'a str,
    /// The fields.
    pub fields: &'a dyn Fields,
}

/// What to do with a request besides forwarding it.
pub enum Watch {
    /// Nothing: it costs nothing either.
    Nothing,
    /// Ask [`Hooks::landing`] when the answer's head is there.
    Landing,
    /// Copy both bodies and hand them to [`Hooks::complete`].
    Capture {
        /// Thins the copy of the request body as it passes.
        filter: Option<Box<dyn BodyFilter>>,
    },
}

/// Chooses what of a body is worth copying.
pub trait BodyFilter {
    /// Takes the next frame and pushes what is to be kept.
    fn push(&mut self, frame: &Bytes, keep: &mut Vec<Bytes>);
    /// The body has ended: pushes what was held back.
    fn finish(&mut self, keep: &mut Vec<Bytes>);
}

/// What a landing adds to an answer's head.
#[derive(Debug, Default)]
pub struct LandingEdit {
    /// Appended `Set-Cookie` lines.
    pub set_cookies: Vec<HeaderValue>,
    /// Replaces `Cache-Control`, so that no shared cache stores somebody's cookie.
    pub cache_control: Option<HeaderValue>,
}

/// Fires when the exchange has been dealt with: committed, or found to be nothing. A dropped sender counts as well.
pub type Settled = oneshot::Receiver<()>;

/// The listener. Called on the data path: every method returns at once and never panics.
pub trait Hooks: Send + Sync + 'static {
    /// A request head has arrived.
    fn watch(&self, head: &Head<'_>) -> Watch;

    /// The answer to a [`Watch::Landing`] request has its head.
    fn landing(&self, request: &RequestRecord, status: StatusCode, answer: &HeaderMap) -> Option<LandingEdit>;

    /// Whether the body of this answer is worth a copy. Without one the exchange is complete all the same, with an answer
    /// of which nothing was kept.
    fn reads_answer(&self, answer: &HeaderMap) -> bool;

    /// A captured exchange is complete. `None`: nobody will settle it, so nothing needs to wait.
    fn complete(&self, exchange: Exchange, memory: Vec<Reservation>) -> Option<Settled>;
}
