//! What follows from the visitor's choice, by the operator's policy.

use super::{Consent, State, UsState};
use crate::config::{OnDenied, OnUnknown};
use crate::reason::Reason;

/// What to do with an accepted submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// Send it.
    Granted,
    /// Send it with Limited Data Use.
    Ldu(Reason, UsState),
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
        OnDenied::Ldu => match consent.us_opt_out {
            Some(state) => Ruling::Ldu(reason, state),
            None => Ruling::EventOnly(reason),
        },
        OnDenied::EventOnly => Ruling::EventOnly(reason),
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
