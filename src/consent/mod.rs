//! What the visitor said to the consent banner, read from the request, and what follows from it.
//!
//! One reader per signal (`readers`) finds granted, denied or no choice yet; [`read`] combines them: denied beats no
//! choice, which beats granted, and an absent signal counts for nothing. [`rule`] and [`allows_cookies`] apply the
//! operator's policy. Pure: no I/O, no clock (so the age of a choice is not judged: banners expire their own cookies).
//!
//! **Invariants.** Nothing but a choice somebody made reads as granted: values that banners write before the first
//! click do not, and neither does anything unreadable. No reason contains content of a cookie, only words from this
//! room and from the operator's rules.

mod bits;
mod decode;
mod elsewhere;
mod finding;
mod index;
mod policy;
mod readers;
mod signals;
mod unread;

use thiserror::Error;

pub use elsewhere::{Elsewhere, banner_in};
pub use finding::UsState;
pub use policy::{Ruling, allows_cookies, rule};
pub use signals::Signals;
pub use unread::unread;

use crate::config::{ConsentConfig, ConsentRule, OnGpc};
use finding::{Choice, Finding};
use readers::{Category, Name, READERS, Reader, Source, Standing};

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
    /// there as well has a yes. (Otherwise a browser that sends GPC would share more than one that does not.) The state is
    /// the one whose law it is, where the signal says so.
    pub us_opt_out: Option<UsState>,
    /// Every signal that was there, in the order of the table, with what it says.
    pub seen: Vec<Seen>,
}

/// One signal's word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its name.
    pub signal: &'static str,
    /// What it says by itself.
    pub state: State,
    /// The banner is there, and its answer is where no server can read it.
    pub unreadable: bool,
    /// The evidence.
    pub reason: String,
}

impl Consent {
    /// The visitor said no to a banner: not merely to sales under US law, and not merely by silence.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.state == State::Denied && self.us_opt_out.is_none() && !self.only_us_opt_outs_deny()
    }

    fn only_us_opt_outs_deny(&self) -> bool {
        let denying = |seen: &&Seen| seen.state == State::Denied;
        self.seen.iter().filter(denying).all(|seen| is_us_opt_out(seen.signal))
    }
}

fn is_us_opt_out(signal: &str) -> bool {
    READERS.iter().any(|reader| reader.name == signal && reader.standing == Standing::UsOptOut)
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
    /// Its `name`.
    #[error("`{signal}` {wanted}")]
    Name {
        /// The signal.
        signal: &'static str,
        /// What its name must be.
        wanted: &'static str,
    },
    /// Its `granted`.
    #[error("`{signal}` {wanted}")]
    Granted {
        /// The signal.
        signal: &'static str,
        /// What must be there.
        wanted: &'static str,
    },
    /// Its `path`.
    #[error("`{signal}` {wanted}")]
    Path {
        /// The signal.
        signal: &'static str,
        /// Why it has none.
        wanted: &'static str,
    },
}

impl RuleError {
    /// The key of the rule that is wrong.
    #[must_use]
    pub const fn key(&self) -> &'static str {
        match self {
            Self::UnknownSignal => "signal",
            Self::Category { .. } => "category",
            Self::Name { .. } => "name",
            Self::Granted { .. } => "granted",
            Self::Path { .. } => "path",
        }
    }
}

/// The names that `signal` in a `[[consent.rule]]` may have.
pub fn signal_names() -> impl Iterator<Item = &'static str> {
    READERS.iter().map(|reader| reader.name)
}

/// The names that `consent.signals` may have.
pub fn banner_names() -> impl Iterator<Item = &'static str> {
    READERS.iter().filter(|reader| reader.standing == Standing::Banner).map(|reader| reader.name)
}

/// The names of all cookies that are looked into; where only the beginning of a name is known, that.
pub fn cookie_names() -> impl Iterator<Item = &'static str> {
    let names = READERS.iter().flat_map(|reader| match reader.source {
        Source::Cookies(names) | Source::Request(names) => names,
        Source::Rules => &[],
    });
    names.map(|name| match name {
        Name::Is(name) | Name::Begins(name) => *name,
    })
}

/// Whether a rule can work.
pub fn check_rule(rule: &ConsentRule) -> Result<(), RuleError> {
    let reader = READERS.iter().find(|reader| reader.name == rule.signal).ok_or(RuleError::UnknownSignal)?;
    let signal = reader.name;
    if let Some(category) = &rule.category
        && !reader.category.accepts(category)
    {
        return Err(RuleError::Category { signal, wanted: reader.category.wanted() });
    }
    let is_matcher = reader.category == Category::Matcher;
    let matches_something =
        !rule.granted.is_empty() || !rule.denied.is_empty() || rule.pointer.is_some() || rule.base64;
    match () {
        () if reader.name == "bridge" => Err(RuleError::Name { signal, wanted: "is named by consent.bridge_cookie" }),
        () if is_matcher && rule.name.is_none() => Err(RuleError::Name { signal, wanted: "needs the name of it" }),
        () if is_matcher && reader.name != "field" && rule.granted.is_empty() => {
            Err(RuleError::Granted { signal, wanted: "needs granted: the values that mean yes" })
        }
        () if !is_matcher && matches_something => Err(RuleError::Granted {
            signal,
            wanted: "is read by its own rules; granted, denied, pointer and base64 are for cookie, header and field",
        }),
        () if rule.path.is_some() && reader.name != "field" => {
            Err(RuleError::Path { signal, wanted: "says the same on every page; a path is for field" })
        }
        () if rule.name.is_some() && !is_matcher && !matches!(reader.source, Source::Cookies(_)) => {
            Err(RuleError::Name { signal, wanted: "has no name that could be another" })
        }
        () => Ok(()),
    }
}

/// Reads every signal and combines them; the first of the most restrictive ones in the order of the table decides.
#[must_use]
pub fn read(signals: &Signals<'_>, config: &ConsentConfig) -> Consent {
    let mut found = findings(signals, config);
    let seen = found.iter().map(|(reader, finding)| Seen {
        signal: reader.name,
        state: finding.choice.into(),
        unreadable: finding.choice == Choice::Unreadable,
        reason: finding.reason.clone(),
    });
    let seen = seen.collect();
    let standing = |standing| move |(reader, _): &(&Reader, Finding)| reader.standing == standing;
    let is_granted = |(_, finding): &(&Reader, Finding)| finding.choice == Choice::Granted;
    // The operator's own place for the answer stands in for a banner that cannot be read.
    if found.iter().any(standing(Standing::Operator)) {
        found.retain(|(_, finding)| finding.choice != Choice::Unreadable);
    }
    let mut banners = found.iter().filter(|(reader, _)| reader.standing != Standing::UsOptOut);
    let banners_grant = banners.clone().all(is_granted);
    if config.gpc == OnGpc::Yield && banners_grant && banners.next().is_some() {
        found.retain(|(reader, _)| reader.name != "gpc");
    }
    let us_state = us_state(&found);
    let decided = found.into_iter().reduce(|kept, next| if next.1.choice > kept.1.choice { next } else { kept });
    let Some((reader, finding)) = decided else {
        let reason = "no signal found".to_owned();
        return Consent { state: State::Unknown, signal: None, reason, us_opt_out: None, seen };
    };
    let is_opt_out = reader.standing == Standing::UsOptOut && finding.choice == Choice::Denied && banners_grant;
    Consent {
        state: finding.choice.into(),
        signal: Some(reader.name),
        us_opt_out: is_opt_out.then_some(us_state),
        reason: finding.reason,
        seen,
    }
}

/// The state whose law the opt-outs name, if they name one and the same; else Meta finds it out.
fn us_state(found: &[(&Reader, Finding)]) -> UsState {
    let mut states =
        found.iter().filter(|(_, finding)| finding.choice == Choice::Denied).filter_map(|(_, f)| f.us_state);
    match states.next() {
        Some(first) if states.all(|state| state == first) => first,
        _ => UsState::UNKNOWN,
    }
}

fn findings<'r>(signals: &Signals<'_>, config: &ConsentConfig) -> Vec<(&'r Reader, Finding)> {
    let asked = index::asked(signals);
    let mut found = Vec::new();
    for (number, reader) in READERS.iter().enumerate() {
        let is_there = asked.has(number);
        // A rule can name another cookie, or none.
        if !is_there && config.rules.is_empty() {
            continue;
        }
        let listed = config.signals.is_empty() || config.signals.iter().any(|name| name == reader.name);
        if reader.standing == Standing::Banner && !listed {
            continue;
        }
        // Several categories of one banner must all be granted.
        let mut rules = config.rules_for(reader.name, signals.host()).peekable();
        let finding = if rules.peek().is_some() {
            let named = rules.filter(|rule| is_there || rule.name.is_some() || matches!(reader.source, Source::Rules));
            finding::strictest(named.filter_map(|rule| (reader.read)(signals, rule)))
        } else if is_there {
            (reader.read)(signals, &ConsentRule::default())
        } else {
            None
        };
        found.extend(finding.map(|finding| (reader, finding)));
    }
    found
}

impl From<Choice> for State {
    fn from(choice: Choice) -> Self {
        match choice {
            Choice::Granted => Self::Granted,
            Choice::None | Choice::Unreadable => Self::Unknown,
            Choice::Denied => Self::Denied,
        }
    }
}

#[cfg(test)]
mod tests;
