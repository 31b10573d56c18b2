//! What the data plane asks of whoever listens. The proxy does not know what the answers are for.

use std::net::IpAddr;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, SET_COOKIE};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use tokio::sync::oneshot;

use super::fields::Fields;
use super::tee::Reservation;
use crate::exchange::{Exchange, RequestRecord};

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
    /// The visitor's address, found out only when it is asked for.
    pub visitor: &'a dyn Fn() -> IpAddr,
}

/// What to do with a request besides forwarding it.
pub enum Watch {
    /// Nothing: it costs nothing either.
    Nothing,
    /// Ask [`Hooks::reads_page`] when the answer's head is there.
    Page,
    /// Ask [`Hooks::landing`] when the answer's head is there.
    Landing {
        /// Ask [`Hooks::reads_page`] as well.
        learn: bool,
    },
    /// Copy the answer and hand it to [`Hooks::complete`], and ask [`Hooks::landing`] as well.
    FollowUp,
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
#[derive(Debug, Default, PartialEq, Eq)]
pub struct LandingEdit {
    /// Appended `Set-Cookie` lines.
    pub set_cookies: Vec<HeaderValue>,
    /// Replaces `Cache-Control`, so that no shared cache stores somebody's cookie.
    pub cache_control: Option<HeaderValue>,
}

impl LandingEdit {
    /// Another one, on top.
    pub fn add(&mut self, other: Self) {
        self.set_cookies.extend(other.set_cookies);
        self.cache_control = other.cache_control.or(self.cache_control.take());
    }

    /// Puts it into the head of an answer.
    pub fn apply(&self, answer: &mut HeaderMap) {
        for cookie in &self.set_cookies {
            answer.append(SET_COOKIE, cookie.clone());
        }
        if let Some(value) = &self.cache_control {
            answer.insert(CACHE_CONTROL, value.clone());
        }
    }
}

/// A page as a visitor asked for it. Cheap to keep: both parts are shared with the request, or in one piece.
pub enum PageAddress {
    /// Of a parsed request: the received Host, path and query.
    Parsed(Option<HeaderValue>, Option<PathAndQuery>),
    /// Host and target together, and where the target begins.
    Joined(Box<str>, usize),
}

impl PageAddress {
    /// Of the received Host and the target.
    #[must_use]
    pub fn joined(host: &str, target: &str) -> Self {
        Self::Joined([host, target].concat().into(), host.len())
    }

    /// The Host; empty when there is none that is text.
    #[must_use]
    pub fn host(&self) -> &str {
        match self {
            Self::Parsed(host, _) => host.as_ref().and_then(|host| host.to_str().ok()).unwrap_or_default(),
            Self::Joined(both, at) => both.get(..*at).unwrap_or_default(),
        }
    }

    /// Path and query.
    #[must_use]
    pub fn target(&self) -> &str {
        match self {
            Self::Parsed(_, target) => target.as_ref().map_or("/", PathAndQuery::as_str),
            Self::Joined(both, at) => both.get(*at..).unwrap_or("/"),
        }
    }
}

/// A copy of a page that has passed.
pub struct PageCopy {
    /// Under which name it was agreed on in [`Hooks::reads_page`].
    pub ticket: PageTicket,
    /// `Content-Type`.
    pub content_type: String,
    /// `Content-Encoding`.
    pub content_encoding: String,
    /// As it travelled.
    pub body: Bytes,
    /// Given back when the copy is gone.
    pub memory: Reservation,
}

/// What the listener wants to be told with the copy of a page.
pub struct PageTicket {
    /// The listener's number for the page.
    pub number: u64,
    /// Its lasting name for it.
    pub key: String,
    /// The Host.
    pub host: String,
    /// Dropped with the copy, or when it comes to nothing: how the listener counts what is under way.
    pub place: Box<dyn Send>,
}

/// Fires when the exchange has been dealt with: committed, or found to be nothing. A dropped sender counts as well.
pub type Settled = oneshot::Receiver<()>;

/// The listener. Called on the data path: every method returns at once and never panics.
pub trait Hooks: Send + Sync + 'static {
    /// A request head has arrived.
    fn watch(&self, head: &Head<'_>) -> Watch;

    /// The answer to a [`Watch::Landing`] request has its head.
    fn landing(&self, request: &RequestRecord, answer: &dyn Fields) -> Option<LandingEdit>;

    /// The answer to a captured request has its head: what it gains.
    fn answering(&self, request: &RequestRecord, status: StatusCode, answer: &HeaderMap) -> Option<LandingEdit>;

    /// Header fields that a captured request hands to the site. Those that visitors send under such a name are removed, by
    /// the names in [`crate::config::LandingConfig::click_id_headers`].
    fn hand_over(&self, request: &RequestRecord) -> Vec<(HeaderName, HeaderValue)>;

    /// Whether the body of this answer is worth a copy. Without one the exchange is complete all the same, with an answer
    /// of which nothing was kept.
    fn reads_answer(&self, answer: &HeaderMap) -> bool;

    /// Whether a copy of this page is wanted; it is handed to [`Hooks::page`] when all of it has passed, and only then.
    fn reads_page(&self, page: &PageAddress, answer: &dyn Fields) -> Option<PageTicket>;

    /// The copy of a page.
    fn page(&self, copy: PageCopy);

    /// A captured exchange is complete. `None`: nobody will settle it, so nothing needs to wait.
    fn complete(&self, exchange: Exchange, memory: Vec<Reservation>) -> Option<Settled>;
}
