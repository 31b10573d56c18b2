//! Consent.

use http::HeaderMap;

use crate::config::{ConsentRule, OnDenied, OnUnknown};
use crate::reason::Reason;

/// What a browser's banner, headers and cookies say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Yes.
    Granted,
    /// No.
    Denied,
    /// No choice yet, nothing there, or unreadable.
    Unknown,
}

impl State {
    /// `granted`, `denied`, `unknown`.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::Denied => "denied",
            Self::Unknown => "unknown",
        }
    }
}

/// The combined state before the policy for unknown is applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consent {
    /// The state.
    pub state: State,
    /// The signal that decided: `cookieyes`, `gpc`, …
    pub signal: Option<&'static str>,
    /// Why: machine-made words and the evidence's key, never an identifier of the visitor.
    pub reason: String,
    /// The denial came from GPC, GPP's US sections or US Privacy.
    pub us_opt_out: bool,
}

/// The signals of one request.
pub struct Signals<'a> {
    headers: &'a HeaderMap,
}

impl<'a> Signals<'a> {
    /// From request headers.
    #[must_use]
    pub const fn from_headers(headers: &'a HeaderMap) -> Self {
        Self { headers }
    }
}

/// Reads and combines.
#[must_use]
pub fn read(signals: &Signals<'_>, _rules: &[ConsentRule]) -> Consent {
    let _ = signals.headers;
    Consent { state: State::Unknown, signal: None, reason: String::new(), us_opt_out: false }
}

/// What to do with an accepted submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// Send it.
    Granted,
    /// Send it with Limited Data Use.
    Ldu(Reason),
    /// Send nothing.
    Drop(Reason),
    /// Send the bare event.
    EventOnly(Reason),
}

/// Applies the policy.
#[must_use]
pub fn rule(_consent: &Consent, _unknown: OnUnknown, _denied: OnDenied) -> Ruling {
    Ruling::Granted
}

/// Whether cookies may be set.
#[must_use]
pub fn allows_cookies(_consent: &Consent, _unknown: OnUnknown) -> bool {
    false
}

/// Names of the signals that a `[[consent.rule]]` can be for.
pub fn signals() -> impl Iterator<Item = &'static str> {
    ["onetrust", "cookiebot", "cookieyes", "complianz", "tcf"].into_iter()
}

/// Whether there is such a signal.
#[must_use]
pub fn is_signal(name: &str) -> bool {
    signals().any(|signal| signal == name)
}
