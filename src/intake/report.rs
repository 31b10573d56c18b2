//! The one line per POST, and what the metrics and the status page make of it. By type it cannot carry contact data.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use super::consent_seen::ConsentSeen;
use crate::consent::{Consent, Elsewhere};
use crate::decision::Decision;
use crate::exchange::{RequestRecord, UnixMillis};
use crate::lead::event::without_query;
use crate::reason::{DecisionKind, Reason};

/// Decisions the status page remembers.
const RECENT: usize = 50;
/// Paths longer than this are cut in reports.
const MAX_PATH: usize = 200;
/// Hosts likewise; no real one is longer (RFC 1035 2.3.4).
const MAX_HOST: usize = 253;

/// What became of one POST.
#[derive(Clone, Debug)]
pub struct Report {
    /// When the request arrived.
    pub at: UnixMillis,
    /// The Host.
    pub host: String,
    /// The path, never the query.
    pub path: String,
    /// What.
    pub kind: DecisionKind,
    /// Why.
    pub reason: Reason,
    /// The handler.
    pub handler: &'static str,
    /// The form.
    pub form: String,
    /// What in the answer decided.
    pub marker: String,
    /// The consent state, and the words that explain it.
    pub consent: Option<(&'static str, String)>,
    /// Click ids of other networks, `gclid=…`.
    pub click_ids: Vec<String>,
    /// What the event carries of the visitor, by Meta's names.
    pub match_keys: Vec<&'static str>,
    /// Contact values that could not be used: match key and reason.
    pub unusable: Vec<(&'static str, &'static str)>,
    /// Match keys found in the form.
    pub roles: Vec<&'static str>,
    /// The id it goes out under.
    pub event_id: Option<String>,
    /// Where that came from.
    pub event_id_source: Option<&'static str>,
    /// The supplied id belonged to somebody else: the page is served from a cache that repeats it.
    pub id_was_taken: bool,
    /// Committed after the answer had gone out.
    pub late: bool,
    /// On disk; `false` while it waits in memory for a store that refuses.
    pub durable: bool,
}

impl Report {
    /// A report that nothing is known for yet.
    #[must_use]
    pub fn of(request: &RequestRecord) -> Self {
        let mut report = Self::note(&request.host, &request.target, Reason::InternalError);
        report.at = request.received;
        report
    }

    /// A POST that was not looked into.
    #[must_use]
    pub fn note(host: &str, target: &str, reason: Reason) -> Self {
        // An address in a path is personal data as well.
        let path = without_query(target);
        Self {
            at: UnixMillis::now(),
            host: host.chars().take(MAX_HOST).collect(),
            path: path.chars().take(MAX_PATH).collect(),
            kind: DecisionKind::NoLead,
            reason,
            handler: "none",
            form: String::new(),
            marker: String::new(),
            consent: None,
            click_ids: Vec::new(),
            match_keys: Vec::new(),
            unusable: Vec::new(),
            roles: Vec::new(),
            event_id: None,
            event_id_source: None,
            id_was_taken: false,
            late: false,
            durable: true,
        }
    }

    /// Takes over what the decision says.
    pub fn fill(&mut self, decision: &Decision) {
        self.kind = decision.kind;
        self.reason = decision.reason;
        self.handler = decision.handler;
        let (path, id) = decision.form.split_once('#').unwrap_or((&decision.form, ""));
        let id = if id.is_empty() { String::new() } else { format!("#{id}") };
        self.form = format!("{}{id}", without_query(path));
        self.marker.clone_from(&decision.marker);
        self.consent = decision.consent.as_ref().map(|consent| (consent.state.code(), consent.reason.clone()));
        self.roles = decision.roles.iter().map(|source| source.role).collect();
        self.unusable = decision.unusable.iter().map(|(key, why)| (key.name(), *why)).collect();
        self.click_ids = decision.click_ids.iter().map(|(name, id)| format!("{name}={id}")).collect();
        self.event_id_source = decision.event_id_source;
    }
}

/// Counts by decision and reason, and the latest reports.
#[derive(Debug, Default)]
pub struct Reports {
    counts: Mutex<BTreeMap<(DecisionKind, Reason), u64>>,
    recent: Mutex<VecDeque<Report>>,
    coverage: Mutex<Coverage>,
    consent: Mutex<ConsentSeen>,
}

/// How many leads there were, and how many of them had each match key.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    /// Leads that were new.
    pub leads: u64,
    /// Those with the key.
    pub keys: BTreeMap<&'static str, u64>,
    /// Contact values that could not be used, by match key and reason.
    pub unusable: BTreeMap<(&'static str, &'static str), u64>,
}

impl Reports {
    /// Log line, counter and status page from one source.
    pub fn add(&self, report: Report) {
        self.count(&report);
        if report.kind == DecisionKind::Lead {
            let mut coverage = self.coverage.lock().unwrap_or_else(PoisonError::into_inner);
            coverage.leads += 1;
            for key in &report.match_keys {
                *coverage.keys.entry(key).or_default() += 1;
            }
            for unusable in &report.unusable {
                *coverage.unusable.entry(*unusable).or_default() += 1;
            }
        }
        let (consent, why) = report.consent.as_ref().map(|(state, why)| (*state, why.as_str())).unzip();
        let some = |text: &str| Some(text).filter(|text| !text.is_empty()).map(str::to_owned);
        tracing::info!(
            target: "decision",
            decision = report.kind.code(),
            reason = report.reason.code(),
            host = report.host,
            path = report.path,
            handler = report.handler,
            form = some(&report.form),
            marker = some(&report.marker),
            consent,
            consent_reason = why,
            roles = some(&report.roles.join(",")),
            unusable = some(&report.unusable.iter().map(|(key, why)| format!("{key}:{why}")).collect::<Vec<_>>().join(" ")),
            click_ids = some(&report.click_ids.join(" ")),
            event_id = report.event_id,
            event_id_source = report.event_id_source,
            // Said only when it is not as promised.
            durable = Some(false).filter(|_| !report.durable),
            late = Some(true).filter(|_| report.late),
        );
        if report.id_was_taken {
            tracing::warn!(
                host = report.host,
                path = report.path,
                "the event id that came with this lead was used before with other contact data: a page cache seems to \
                 repeat it; the lead was given the id of its fingerprint"
            );
        }
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if recent.len() == RECENT {
            recent.pop_back();
        }
        recent.push_front(report);
    }

    /// Counter only: for the data path, where a log line per lost copy would make a shortage worse.
    pub fn count(&self, report: &Report) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry((report.kind, report.reason)).or_default() += 1;
    }

    /// Counts so far.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<(DecisionKind, Reason), u64> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Match-key coverage so far.
    #[must_use]
    pub fn coverage(&self) -> Coverage {
        self.coverage.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What was read of a request's consent.
    pub fn saw_consent(&self, consent: &Consent, unread: Vec<String>, at: UnixMillis) {
        self.consent.lock().unwrap_or_else(PoisonError::into_inner).add(consent, unread, at);
    }

    /// A page loads a banner whose answer no cookie shows.
    pub fn saw_banner(&self, found: &'static Elsewhere) {
        self.consent.lock().unwrap_or_else(PoisonError::into_inner).on_pages.insert(found.banner, found);
    }

    /// What the consent signals said so far.
    #[must_use]
    pub fn consent(&self) -> ConsentSeen {
        self.consent.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The latest, newest first.
    #[must_use]
    pub fn recent(&self) -> Vec<Report> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}
