//! The lead plane: takes copies from the data plane, decides, commits, reports.
//!
//! One thread, so that decisions are cheap to reason about; whatever waits in the queue while a commit is in flight is
//! committed together with it. A panic in a parser costs one decision. Nothing here can reach the visitor but by
//! settling late, and the data plane bounds that wait.

mod consent_seen;
mod denied;
mod follow_ups;
mod held;
mod hooks;
mod landing;
mod learning;
mod pages;
mod report;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use std::{io, mem};

use http::Method;
use tokio::sync::{oneshot, watch};

pub use hooks::Intake;

pub use consent_seen::{ConsentSeen, SignalSeen};
use denied::DeniedMemory;
use follow_ups::{Awaited, FollowUps, VisitKey};
use held::Holds;
use learning::Learning;
use pages::PageWatch;
pub use report::{Coverage, Report, Reports};

use crate::config::Config;
use crate::consent::{self, Signals};
use crate::decision::{self, Decision, Policy, Submission, Told};
use crate::exchange::{Exchange, RequestRecord, UnixMillis};
use crate::lead::event_id::IdSecret;
use crate::metrics::counters;
use crate::outbox::{Admission, Admitted, Choice, Outbox, StoreError, Tie, random_fingerprint};
use crate::proxy::hooks::PageCopy;
use crate::proxy::tee::Reservation;
use crate::reason::{DecisionKind, Reason};

/// Exchanges looked at before what is waiting is committed, leads or not.
const MAX_BATCH: usize = 32;
/// How long a lead waits at most for others to be committed with: much less than the data plane waits for it.
const GATHER: Duration = Duration::from_millis(3);

/// What the data plane sends.
enum Message {
    /// A copy to decide on.
    Exchange {
        exchange: Box<Exchange>,
        /// Given back when the copy is gone.
        memory: Vec<Reservation>,
        settled: oneshot::Sender<()>,
    },
    /// A browser that submissions wait for shows its choice.
    Choice(Choice),
    /// A visitor took the consent back.
    Withdrawn(Vec<Tie>),
    /// A POST that was never worth a copy; it gets its line all the same.
    Note(Report),
    /// A page to learn from.
    Page(PageCopy),
}

counters! {
    /// Counters of the lead plane.
    IntakeStats {
        /// Exchanges that found the queue full.
        queue_full: Counter "capi_queue_full_total",
        /// Leads whose commit came after the answer had gone out (or the visitor had left).
        late: Counter "capi_outbox_late_total",
        /// Decisions that ended in a caught panic.
        panics: Counter "capi_decision_panics_total",
        /// Pages whose forms were read.
        pages_read: Counter "capi_pages_read_total",
        /// Microseconds that reading them took.
        pages_micros: Counter "capi_pages_read_microseconds_total",
        /// Pages whose forms are known.
        pages_known: Gauge "capi_pages_known",
    }
}

/// The running lead plane.
pub struct LeadPlane {
    thread: JoinHandle<()>,
}

impl LeadPlane {
    /// Starts the thread and returns the hooks for the data plane with it.
    ///
    /// # Errors
    /// When the thread cannot be made.
    pub fn start(
        config: watch::Receiver<Arc<Config>>,
        outbox: Outbox,
        secrets: Secrets,
        reports: Arc<Reports>,
    ) -> io::Result<(Self, Arc<Intake>)> {
        let (sender, receiver) = sync_channel(config.borrow().limits.queue);
        let stats = Arc::new(IntakeStats::default());
        let watch = Arc::new(PageWatch::default());
        let follow_ups = FollowUps::default();
        let holds = Holds::resume(&outbox);
        let secrets = Arc::new(secrets);
        let intake = Arc::new(Intake {
            config: config.clone(),
            queue: sender,
            reports: Arc::clone(&reports),
            pages: Arc::clone(&watch),
            visits: follow_ups.visits(),
            awaited: holds.awaited(),
            secrets: Arc::clone(&secrets),
            stats: Arc::clone(&stats),
        });
        let pages = Learning::resume(watch, &outbox, Arc::clone(&stats));
        let worker = Worker {
            config,
            outbox,
            secrets,
            denied: DeniedMemory::default(),
            pages,
            follow_ups,
            holds,
            reports,
            stats,
        };
        let thread = thread::Builder::new().name("intake".into()).spawn(move || worker.run(&receiver))?;
        Ok((Self { thread }, intake))
    }

    /// Waits until everything in the queue is dealt with; `false` when the thread had panicked. The hooks must be gone
    /// by then, or this waits for ever.
    #[must_use]
    pub fn join(self) -> bool {
        self.thread.join().is_ok()
    }
}

/// The keys of fingerprints.
pub struct Secrets {
    /// Kept in the store or set by the operator, so that fingerprints mean the same after a restart.
    pub lasting: IdSecret,
    /// Random for this process: fingerprints of denied submissions mean nothing once it has ended.
    pub volatile: IdSecret,
}

struct Worker {
    config: watch::Receiver<Arc<Config>>,
    outbox: Outbox,
    secrets: Arc<Secrets>,
    denied: DeniedMemory,
    pages: Learning,
    follow_ups: FollowUps,
    holds: Holds,
    reports: Arc<Reports>,
    stats: Arc<IntakeStats>,
}

/// A decision whose submission waits for the commit.
struct Waiting {
    report: Report,
    admission: Admission,
    settled: oneshot::Sender<()>,
}

impl Worker {
    fn run(mut self, queue: &Receiver<Message>) {
        let mut waiting = Vec::new();
        loop {
            let deadlines = [self.follow_ups.deadline(), self.holds.deadline()];
            let first = match deadlines.into_iter().flatten().min() {
                None => queue.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(deadline) => queue.recv_timeout(deadline),
            };
            match first {
                Ok(first) => self.gather(first, queue, &mut waiting),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if !waiting.is_empty() {
                self.commit(mem::take(&mut waiting));
            }
            for awaited in self.follow_ups.expired(false) {
                self.give_up(awaited);
            }
            if self.holds.is_time() {
                self.choose(Choice::Expired);
            }
        }
        for awaited in self.follow_ups.expired(true) {
            self.give_up(awaited);
        }
    }

    fn gather(&mut self, first: Message, queue: &Receiver<Message>, waiting: &mut Vec<Waiting>) {
        let started = Instant::now();
        self.take(first, waiting);
        for _ in 1..MAX_BATCH {
            if !waiting.is_empty() && started.elapsed() > GATHER {
                break;
            }
            let Ok(next) = queue.try_recv() else { break };
            self.take(next, waiting);
        }
    }

    fn take(&mut self, message: Message, waiting: &mut Vec<Waiting>) {
        let (exchange, memory, settled) = match message {
            Message::Note(report) => return self.reports.add(report),
            Message::Page(copy) => return self.pages.learn(&copy, &self.outbox, &self.reports),
            Message::Choice(choice) => return self.choose(choice),
            Message::Withdrawn(ties) => return self.withdraw(ties),
            Message::Exchange { exchange, memory, settled } => (exchange, memory, settled),
        };
        self.pages.submission_taken();
        if exchange.request.method == Method::GET {
            return self.take_follow_up(&exchange, settled, waiting);
        }
        let mut report = Report::of(&exchange.request);
        let decided = catch_unwind(AssertUnwindSafe(|| self.decide(&exchange)));
        let Ok((decision, pixels)) = decided else {
            self.stats.panics.fetch_add(1, Ordering::Relaxed);
            report.kind = DecisionKind::Skipped;
            report.reason = Reason::InternalError;
            return self.reports.add(report);
        };
        self.notice_consent(&decision, &exchange.request);
        if let Some(page_url) = &decision.unlearned_page {
            self.pages.forget(page_url);
        }
        if let Some(key) = expected_visit(&decision, &exchange.request) {
            drop((exchange, memory));
            // Before the visitor gets the redirect, so that the page is seen.
            if let Some(other) = self.follow_ups.await_page(key, decision, report, pixels) {
                self.give_up(other);
            }
            return;
        }
        drop((exchange, memory));
        self.conclude(report, decision, pixels, settled, waiting);
    }

    /// For the status page; and the next submission shows a choice as well as any other request.
    fn notice_consent(&mut self, decision: &Decision, request: &RequestRecord) {
        let Some(consent) = &decision.consent else { return };
        let hints = if consent.signal.is_none() { consent::unread(&Signals::of(request)) } else { Vec::new() };
        self.reports.saw_consent(consent, hints, request.received);
        let awaited = self.holds.awaited();
        if !awaited.any() {
            return;
        }
        let config = Arc::clone(&self.config.borrow());
        let Some(browser) = decision::browser::of(&self.secrets.lasting, &config.consent, request, None) else {
            return;
        };
        if let Some(choice) = held::choice(browser, consent)
            && awaited.take(&browser)
        {
            self.choose(choice);
        }
    }

    fn choose(&mut self, choice: Choice) {
        match self.holds.choose(choice, &self.outbox) {
            Ok(reports) => reports.into_iter().for_each(|report| self.reports.add(report)),
            // The store has said so itself; they wait on.
            Err(error) => tracing::debug!(%error, "submissions that wait for consent wait on"),
        }
    }

    fn withdraw(&self, ties: Vec<Tie>) {
        match self.outbox.withdraw_blocking(ties) {
            Ok(0) => {}
            Ok(events) => tracing::info!(events, "a visitor took the consent back: what was not sent yet is erased"),
            Err(error) => {
                tracing::error!(%error, "a visitor took the consent back, and what waits could not be erased");
            }
        }
    }

    /// The page that a submission waited for.
    fn take_follow_up(&mut self, page: &Exchange, settled: oneshot::Sender<()>, waiting: &mut Vec<Waiting>) {
        let key = visit(&page.request);
        let Some(mut awaited) = self.follow_ups.take(key) else { return };
        let Ok(told) = catch_unwind(AssertUnwindSafe(|| decision::follow_up(&mut awaited.decision, page))) else {
            self.stats.panics.fetch_add(1, Ordering::Relaxed);
            awaited.report.kind = DecisionKind::Skipped;
            awaited.report.reason = Reason::InternalError;
            return self.reports.add(awaited.report);
        };
        let next = match told {
            Told::Yes => None,
            Told::No => Some(key),
            Told::Elsewhere => expected_visit(&awaited.decision, &page.request),
        };
        match next {
            Some(key) => {
                if let Some(other) = self.follow_ups.put_back(key, awaited) {
                    self.give_up(other);
                }
            }
            None => self.conclude(awaited.report, awaited.decision, awaited.pixels, settled, waiting),
        }
    }

    /// No page has told how it ended.
    fn give_up(&self, mut awaited: Awaited) {
        awaited.decision.refuse(Reason::UnknownOutcome);
        awaited.report.fill(&awaited.decision);
        self.reports.add(awaited.report);
    }

    /// A decision that stands: reported, or put before the store.
    fn conclude(
        &mut self,
        mut report: Report,
        decision: Decision,
        pixels: Vec<String>,
        settled: oneshot::Sender<()>,
        waiting: &mut Vec<Waiting>,
    ) {
        report.fill(&decision);
        let Some(submission) = decision.submission else { return self.reports.add(report) };
        if pixels.is_empty() {
            report.kind = DecisionKind::Skipped;
            report.reason = Reason::NoPixel;
            return self.reports.add(report);
        }
        report.match_keys.clone_from(&submission.match_keys);
        let mut admission = admission(submission, pixels);
        if let Some(plan) = decision.hold {
            if let Some(report) = self.holds.hold(report, admission, plan, &self.outbox) {
                self.reports.add(report);
            }
            // Stored or not, the answer has nothing more to wait for; a visitor who has left needs none.
            let _ = settled.send(());
            return;
        }
        if admission.event_only {
            // Nothing that derives from a denied submission's contact data is stored, not even its fingerprint: the
            // repeat is recognised here, in memory, and the store gets a random one.
            if let Some(first) = self.denied.first_id(admission.fingerprint, &admission.fallback_event_id, report.at) {
                report.kind = DecisionKind::Duplicate;
                report.event_id = Some(first);
                return self.reports.add(report);
            }
            admission.fingerprint = random_fingerprint();
        }
        waiting.push(Waiting { report, admission, settled });
    }

    fn decide(&self, exchange: &Exchange) -> (Decision, Vec<String>) {
        let config = Arc::clone(&self.config.borrow());
        let policy = Policy {
            forms: &config.forms,
            consent: &config.consent,
            click_ids: &config.landing.click_ids,
            internal_addresses: &config.internal_addresses,
            default_country: config.default_country,
            secret: &self.secrets.lasting,
            volatile_secret: &self.secrets.volatile,
        };
        let random_id = uuid::Uuid::new_v4().to_string();
        let decision = decision::decide(exchange, self.pages.known(), &policy, random_id, UnixMillis::now());
        let host = exchange.request.host_name();
        let serves = |hosts: &[String]| hosts.is_empty() || hosts.iter().any(|h| h.eq_ignore_ascii_case(host));
        let pixels = config.pixels.iter().filter(|pixel| serves(&pixel.hosts)).map(|pixel| pixel.id.clone());
        (decision, pixels.collect())
    }

    /// One transaction for all that waited; then, and only then, the answers are released.
    fn commit(&self, waiting: Vec<Waiting>) {
        let (admissions, rest): (Vec<_>, Vec<_>) =
            waiting.into_iter().map(|w| (w.admission, (w.report, w.settled))).unzip();
        let mut fallback_ids: Vec<_> = admissions
            .iter()
            .map(|a| a.supplied.as_ref().map_or(&a.fallback_event_id, |supplied| &supplied.id).clone())
            .collect();
        let mut result = self.outbox.admit_blocking(admissions).map(Vec::into_iter);
        for (index, (mut report, settled)) in rest.into_iter().enumerate() {
            match &mut result {
                Ok(admitted) => match admitted.next() {
                    Some(Admitted::New { event_id, supplied_id_was_taken }) => {
                        report.event_id = Some(event_id);
                        report.id_was_taken = supplied_id_was_taken;
                    }
                    Some(Admitted::Duplicate { event_id }) => {
                        report.event_id = Some(event_id);
                        report.kind = DecisionKind::Duplicate;
                    }
                    None => report.reason = Reason::StoreRefused,
                },
                Err(StoreError::Kept { .. }) => {
                    report.event_id = fallback_ids.get_mut(index).map(mem::take);
                    report.durable = false;
                }
                Err(_) => {
                    report.kind = DecisionKind::Skipped;
                    report.reason = Reason::StoreRefused;
                }
            }
            if settled.send(()).is_err() {
                self.stats.late.fetch_add(1, Ordering::Relaxed);
                report.late = true;
            }
            self.reports.add(report);
        }
    }
}

/// Who is on which page.
fn visit(request: &RequestRecord) -> VisitKey {
    let agent = request.header("user-agent").unwrap_or_default();
    VisitKey::new(request.client_ip, agent.as_bytes(), &request.host, &request.target)
}

/// Who will be on which page, if a decision waits for that.
fn expected_visit(decision: &Decision, request: &RequestRecord) -> Option<VisitKey> {
    let url = &decision.expected.as_ref()?.url;
    let rest = url.split_once("://")?.1;
    let (host, target) = rest.split_at_checked(rest.find('/')?)?;
    let agent = request.header("user-agent").unwrap_or_default();
    Some(VisitKey::new(request.client_ip, agent.as_bytes(), host, target))
}

fn admission(submission: Submission, pixels: Vec<String>) -> Admission {
    Admission {
        fingerprint: submission.fingerprint,
        supplied: submission.supplied,
        fallback_event_id: submission.fallback_event_id,
        event_name: submission.event_name,
        event_time: submission.event_time.as_secs(),
        body: submission.body,
        event_only: submission.event_only,
        pixels,
        ties: submission.ties,
    }
}

type Queue = SyncSender<Message>;
