//! What each consent signal said, for the operator who wants to know whether the banner is read right.

use std::collections::{BTreeMap, BTreeSet};

use crate::consent::{Consent, Elsewhere, State};
use crate::exchange::UnixMillis;

/// Names of unread cookies, and banners on pages, that are remembered.
const MAX_NAMES: usize = 20;

/// One signal since the start.
#[derive(Clone, Debug, Default)]
pub struct SignalSeen {
    /// Requests in which it said yes.
    pub granted: u64,
    /// No.
    pub denied: u64,
    /// Nothing yet, or nothing that could be read.
    pub unknown: u64,
    /// Of those: its answer is where no server can read it.
    pub unreadable: u64,
    /// When it was there last.
    pub last_at: UnixMillis,
    /// What it said then: fixed words and the operator's own category.
    pub last: String,
}

/// All of them, of submissions that came to a decision about consent and of landings.
#[derive(Clone, Debug, Default)]
pub struct ConsentSeen {
    /// By name.
    pub signals: BTreeMap<&'static str, SignalSeen>,
    /// Requests without any.
    pub none: u64,
    /// Cookies that look like a banner's and are not read.
    pub unread: BTreeSet<String>,
    /// Banners that the site's pages load and whose answer no cookie shows.
    pub on_pages: BTreeMap<&'static str, &'static Elsewhere>,
}

impl ConsentSeen {
    /// Takes in what was read of one request.
    pub fn add(&mut self, consent: &Consent, unread: Vec<String>, at: UnixMillis) {
        self.none += u64::from(consent.seen.is_empty());
        for seen in &consent.seen {
            let signal = self.signals.entry(seen.signal).or_default();
            match seen.state {
                State::Granted => signal.granted += 1,
                State::Denied => signal.denied += 1,
                State::Unknown => signal.unknown += 1,
            }
            signal.unreadable += u64::from(seen.unreadable);
            signal.last_at = at;
            signal.last.clone_from(&seen.reason);
        }
        for name in unread {
            if self.unread.len() < MAX_NAMES {
                self.unread.insert(name);
            }
        }
    }
}
