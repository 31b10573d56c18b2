//! What the visitor said to the consent banner, read from the request, and what follows from it.
//!
//! One reader per signal (`readers`) finds granted, denied or no choice yet; [`read`] combines them: denied beats no
//! choice, which beats granted, and an absent signal counts for nothing. [`rule`] and [`allows_cookies`] apply the
//! operator's policy. Pure: no I/O, no clock (so the age of a choice is not judged: banners expire their own cookies).
//!
//! **Invariants.** Nothing but a choice somebody made reads as granted: values that banners write before the first
//! click do not, and neither does anything unreadable. No reason contains content of a cookie, only words from this
//! room and from the operator's rules.

mod decode;
mod finding;
mod readers;
mod signals;

use thiserror::Error;

pub use signals::Signals;

use crate::config::{ConsentRule, OnDenied, OnUnknown};
use crate::reason::Reason;
use finding::{Choice, Finding};
use readers::{READERS, Reader};

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
    /// The signal that decided: `cookieyes`, `gpc`, … `None` only when there was no signal at all; a banner that waits
    /// for its answer is [`State::Unknown`] with its name here.
    pub signal: Option<&'static str>,
    /// Why: machine-made words and the evidence's key, never an identifier of the visitor.
    pub reason: String,
    /// The denial came from GPC, GPP's US sections or US Privacy, and nothing else stands against it: a banner that is
    /// there as well has a yes. (Otherwise a browser that sends GPC would share more than one that does not.)
    pub us_opt_out: bool,
}

/// Why a `[[consent.rule]]` cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RuleError {
    /// No reader has that name.
    #[error("no such consent signal: known are {}", signal_names().collect::<Vec<_>>().join(", "))]
    UnknownSignal,
    /// The signal exists, the category is not of its kind.
    #[error("`{signal}` {wanted}")]
    Category {
        /// The signal.
        signal: &'static str,
        /// What its category must be.
        wanted: &'static str,
    },
}

/// The names that `signal` in a `[[consent.rule]]` may have.
pub fn signal_names() -> impl Iterator<Item = &'static str> {
    READERS.iter().map(|reader| reader.name)
}

/// Whether a rule can work.
pub fn check_rule(rule: &ConsentRule) -> Result<(), RuleError> {
    let reader = READERS.iter().find(|reader| reader.name == rule.signal).ok_or(RuleError::UnknownSignal)?;
    match &rule.category {
        Some(category) if !reader.category.accepts(category) => {
            Err(RuleError::Category { signal: reader.name, wanted: reader.category.wanted() })
        }
        _ => Ok(()),
    }
}

/// Reads every signal and combines them; the first of the most restrictive ones in the order of the table decides.
#[must_use]
pub fn read(signals: &Signals<'_>, rules: &[ConsentRule]) -> Consent {
    let mut decided: Option<(&Reader, Finding)> = None;
    let mut banners_grant = true;
    for reader in READERS {
        let Some(finding) = read_one(reader, signals, rules) else { continue };
        banners_grant &= reader.us_opt_out || finding.choice == Choice::Granted;
        if decided.as_ref().is_none_or(|(_, so_far)| finding.choice > so_far.choice) {
            decided = Some((reader, finding));
        }
    }
    let Some((reader, finding)) = decided else {
        return Consent {
            state: State::Unknown,
            signal: None,
            reason: "no signal found".to_owned(),
            us_opt_out: false,
        };
    };
    Consent {
        state: finding.choice.into(),
        signal: Some(reader.name),
        us_opt_out: reader.us_opt_out && finding.choice == Choice::Denied && banners_grant,
        reason: finding.reason,
    }
}

/// One signal, once for each rule about it: several categories of one banner must all be granted.
fn read_one(reader: &Reader, signals: &Signals<'_>, rules: &[ConsentRule]) -> Option<Finding> {
    let mut categories = rules.iter().filter(|rule| rule.signal == reader.name).map(|rule| rule.category.as_deref());
    let first = (reader.read)(signals, categories.next().flatten());
    finding::strictest(first.into_iter().chain(categories.filter_map(|category| (reader.read)(signals, category))))
}

impl From<Choice> for State {
    fn from(choice: Choice) -> Self {
        match choice {
            Choice::Granted => Self::Granted,
            Choice::None => Self::Unknown,
            Choice::Denied => Self::Denied,
        }
    }
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

/// Applies the policy to an accepted submission.
///
/// Limited Data Use is only for US opt-outs: it limits nothing anywhere else (Meta, "Data Processing Options"), so any
/// other no becomes the bare event.
#[must_use]
pub fn rule(consent: &Consent, unknown: OnUnknown, denied: OnDenied) -> Ruling {
    if allows_cookies(consent, unknown) {
        return Ruling::Granted;
    }
    let reason = if consent.state == State::Denied { Reason::ConsentDenied } else { Reason::ConsentUnknown };
    match denied {
        OnDenied::Drop => Ruling::Drop(reason),
        OnDenied::Ldu if consent.us_opt_out => Ruling::Ldu(reason),
        OnDenied::Ldu | OnDenied::EventOnly => Ruling::EventOnly(reason),
    }
}

/// Whether cookies may be set.
///
/// `OnUnknown::Grant` speaks for sites without a banner: it applies where *no* signal was found. A banner that is there
/// and waits for its answer, or cannot be read, is no consent under either setting.
#[must_use]
pub fn allows_cookies(consent: &Consent, unknown: OnUnknown) -> bool {
    match consent.state {
        State::Granted => true,
        State::Denied => false,
        State::Unknown => consent.signal.is_none() && unknown == OnUnknown::Grant,
    }
}

#[cfg(test)]
mod tests;
