//! Submissions that wait for the visitor's choice: the data plane's view of whose choice is awaited, and the reports that
//! are given when it is known.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Report;
use crate::consent::{Consent, State};
use crate::decision::HoldPlan;
use crate::exchange::UnixMillis;
use crate::outbox::{Admission, Admitted, Choice, Held, Holding, Outbox, Released, StoreError};
use crate::reason::{DecisionKind, Reason};

/// How often those are looked for that have waited long enough.
const LOOK: Duration = Duration::from_secs(1);
/// Reports kept for when a choice comes; of one that is not, or of an earlier run's, a shorter one is made.
const MAX_REPORTS: usize = 1000;

/// Whose choice is awaited.
#[derive(Default)]
pub struct Awaited {
    count: AtomicUsize,
    browsers: Mutex<HashSet<[u8; 32]>>,
}

impl Awaited {
    /// Whether anybody's is: all that most requests ask.
    pub fn any(&self) -> bool {
        self.count.load(Ordering::Acquire) > 0
    }

    /// Whether this one's is.
    pub fn has(&self, browser: &[u8; 32]) -> bool {
        self.browsers.lock().unwrap_or_else(PoisonError::into_inner).contains(browser)
    }

    /// Takes it out: one message about a choice is enough.
    pub fn take(&self, browser: &[u8; 32]) -> bool {
        self.change(|browsers| browsers.remove(browser))
    }

    /// Puts it (back) in.
    pub fn put(&self, browser: [u8; 32]) {
        self.change(|browsers| browsers.insert(browser));
    }

    /// These and no others.
    fn replace(&self, all: Vec<[u8; 32]>) {
        self.change(|browsers| *browsers = all.into_iter().collect());
    }

    fn change<T>(&self, change: impl FnOnce(&mut HashSet<[u8; 32]>) -> T) -> T {
        let mut browsers = self.browsers.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = change(&mut browsers);
        self.count.store(browsers.len(), Ordering::Release);
        changed
    }
}

/// The choice that a request shows, if it shows one.
pub fn choice(browser: [u8; 32], consent: &Consent) -> Option<Choice> {
    match consent.state {
        State::Granted => Some(Choice::Granted(browser)),
        State::Denied => Some(Choice::Denied(browser)),
        State::Unknown => None,
    }
}

/// The lead plane's side.
pub struct Holds {
    awaited: Arc<Awaited>,
    reports: HashMap<[u8; 32], Report>,
    looked: Instant,
    /// Other replicas hold submissions as well, whose visitors may come here to choose.
    shared: bool,
}

impl Holds {
    /// With what an earlier run left.
    pub fn resume(outbox: &Outbox) -> Self {
        let awaited = Arc::new(Awaited::default());
        match outbox.held_browsers_blocking() {
            Ok(browsers) => awaited.replace(browsers),
            Err(error) => {
                tracing::warn!(%error, "submissions that wait for consent could not be read; they will expire");
            }
        }
        Self { awaited, reports: HashMap::new(), looked: Instant::now(), shared: outbox.is_shared() }
    }

    /// What the data plane looks at.
    pub fn awaited(&self) -> Arc<Awaited> {
        Arc::clone(&self.awaited)
    }

    /// When to look for those that have waited long enough, and for what other replicas hold; `None`: nobody waits.
    pub fn deadline(&self) -> Option<Duration> {
        (self.shared || self.awaited.any()).then(|| LOOK.saturating_sub(self.looked.elapsed()))
    }

    /// Whether it is time for that.
    pub fn is_time(&mut self) -> bool {
        let is_time = (self.shared || self.awaited.any()) && self.looked.elapsed() >= LOOK;
        if is_time {
            self.looked = Instant::now();
        }
        is_time
    }

    /// Stores it away. A report that comes back is to be given now: it does not wait.
    pub fn hold(
        &mut self,
        mut report: Report,
        admission: Admission,
        plan: HoldPlan,
        outbox: &Outbox,
    ) -> Option<Report> {
        let until =
            UnixMillis(report.at.0.saturating_add(u64::try_from(plan.patience.as_millis()).unwrap_or(u64::MAX)));
        let place = (report.host.clone(), report.path.clone());
        let fingerprint = admission.fingerprint;
        let held = Held { admission, bare: plan.bare, browser: plan.browser, until, place };
        match outbox.hold_blocking(held) {
            Ok(Holding::Waits) => {
                tracing::info!(host = report.host, path = report.path, "a submission waits for the visitor's choice");
                self.awaited.put(plan.browser);
                if self.reports.len() < MAX_REPORTS {
                    self.reports.insert(fingerprint, report);
                }
                return None;
            }
            Ok(Holding::Duplicate { event_id }) => {
                report.kind = DecisionKind::Duplicate;
                report.event_id = Some(event_id);
            }
            Ok(Holding::TooMany) => (report.kind, report.reason) = (DecisionKind::Skipped, Reason::OverBudget),
            Err(_) => (report.kind, report.reason) = (DecisionKind::Skipped, Reason::StoreRefused),
        }
        Some(report)
    }

    /// Ends the wait of what a choice is about, with the reports that are now due.
    pub fn choose(&mut self, choice: Choice, outbox: &Outbox) -> Result<Vec<Report>, StoreError> {
        let released = match outbox.choose_blocking(choice) {
            Ok(released) => released,
            Err(error) => {
                if let Choice::Granted(browser) | Choice::Denied(browser) = choice {
                    self.awaited.put(browser);
                }
                return Err(error);
            }
        };
        if choice == Choice::Expired && (self.shared || !released.is_empty()) {
            // A later submission of the same browser may wait on.
            self.awaited.replace(outbox.held_browsers_blocking()?);
        }
        Ok(released.into_iter().map(|released| self.report(choice, released)).collect())
    }

    fn report(&mut self, choice: Choice, released: Released) -> Report {
        let mut report = self.reports.remove(&released.fingerprint).unwrap_or_else(|| {
            let (host, path) = &released.place;
            Report::note(host, path, Reason::ConsentUnknown)
        });
        let (kind, reason, state, words) = match choice {
            Choice::Granted(_) => (DecisionKind::Lead, Reason::Accepted, "granted", "chosen after the submission"),
            Choice::Denied(_) => (DecisionKind::Denied, Reason::ConsentDenied, "denied", "chosen after the submission"),
            Choice::Expired => {
                (DecisionKind::Denied, Reason::ConsentUnknown, "unknown", "no choice in the time to wait")
            }
        };
        (report.kind, report.reason) = (kind, reason);
        report.consent = Some((state, words.to_owned()));
        match released.admitted {
            Some(Admitted::New { event_id, supplied_id_was_taken }) => {
                report.event_id = Some(event_id);
                report.id_was_taken = supplied_id_was_taken;
            }
            Some(Admitted::Duplicate { event_id }) => {
                report.event_id = Some(event_id);
                report.kind = DecisionKind::Duplicate;
            }
            None => report.event_id = None,
        }
        if report.kind != DecisionKind::Lead {
            report.match_keys.clear();
        }
        report
    }
}
