//! The lead plane's ears on the data path: cheap looks at heads, and a queue that is never waited for.

use std::sync::atomic::Ordering;
use std::sync::mpsc::TrySendError;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, COOKIE, REFERER, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use memchr::memmem::Finder;
use tokio::sync::{oneshot, watch};

use super::follow_ups::{VisitKey, Visits};
use super::held::Awaited;
use super::landing::edit;
use super::pages::PageWatch;
use super::{IntakeStats, Message, Queue, Report, Reports, Secrets};
use crate::config::Config;
use crate::consent::{self, Signals, State};
use crate::decision;
use crate::exchange::{Exchange, RequestRecord, cookies};
use crate::form;
use crate::form::multipart::Reducer;
use crate::form::page::{page_key, page_number};
use crate::landing;
use crate::proxy::fields::Fields;
use crate::proxy::hooks::{
    BodyFilter, Head, Hooks, Landing, LandingCookie, LandingEdit, PageAddress, PageCopy, PageTicket, Settled, Watch,
};
use crate::proxy::tee::Reservation;
use crate::reason::{DecisionKind, Reason};

const X_INERTIA: HeaderName = HeaderName::from_static("x-inertia");
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// Made once: making one costs more than looking through a head with it.
static FBCLID: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("fbclid="));
static OURS: LazyLock<[Finder<'static>; 2]> = LazyLock::new(|| ["_fbc=", "_capi_"].map(Finder::new));
static LOGGED_IN: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("wordpress_logged_in_"));
static HTML: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("text/html"));

/// What the data plane talks to.
pub struct Intake {
    pub(super) config: watch::Receiver<Arc<Config>>,
    pub(super) queue: Queue,
    pub(super) reports: Arc<Reports>,
    pub(super) pages: Arc<PageWatch>,
    pub(super) visits: Arc<Visits>,
    pub(super) awaited: Arc<Awaited>,
    pub(super) secrets: Arc<Secrets>,
    /// Counters.
    pub stats: Arc<IntakeStats>,
}

impl Intake {
    /// A click id in the query or in the page it came from, or `_fbp` to be minted.
    fn may_be_landing(&self, head: &Head<'_>) -> bool {
        let mentions = |bytes: &[u8]| FBCLID.find(bytes).is_some();
        if mentions(head.target.as_bytes()) || head.fields.first(&REFERER).is_some_and(mentions) {
            return true;
        }
        let landing = &self.config.borrow().landing;
        let referer = head.fields.first(&REFERER).unwrap_or_default();
        landing.mint_fbp
            || landing.click_ids.iter().any(|id| {
                let name = id.parameter.as_bytes();
                [head.target.as_bytes(), referer].iter().any(|text| memchr::memmem::find(text, name).is_some())
            })
    }

    /// The browser of a request head, by its session.
    pub(super) fn browser(&self, head: &Head<'_>) -> Option<[u8; 32]> {
        let config = Arc::clone(&self.config.borrow());
        let of = |line| decision::browser::of_cookie_line(&self.secrets.lasting, &config.consent, line);
        head.fields.all(&COOKIE).into_iter().find_map(of)
    }

    pub(super) fn send(&self, message: Message) -> bool {
        match self.queue.try_send(message) {
            Ok(()) => true,
            Err(TrySendError::Full(message) | TrySendError::Disconnected(message)) => {
                let mut report = match message {
                    // A page that a submission waits for: that one gets its report when it has waited long enough.
                    Message::Exchange { exchange, .. } if exchange.request.method == Method::GET => return false,
                    Message::Exchange { exchange, .. } => Report::of(&exchange.request),
                    Message::Note(report) => report,
                    // They come by again.
                    Message::Page(_) | Message::Choice(_) | Message::Withdrawn(_) => return false,
                };
                self.stats.queue_full.fetch_add(1, Ordering::Relaxed);
                report.kind = DecisionKind::Skipped;
                report.reason = Reason::QueueFull;
                self.reports.count(&report);
                false
            }
        }
    }
}

impl Hooks for Intake {
    fn watch(&self, head: &Head<'_>) -> Watch {
        if *head.method == Method::GET {
            let expected = self.visits.any() && self.visits.expects(visit_of(head));
            // Inertia's script loads the page itself.
            if expected && (asks_for_document(head) || head.fields.first(&X_INERTIA).is_some()) {
                return Watch::FollowUp;
            }
            let is_awaited = self.awaited.any() && self.browser(head).is_some_and(|browser| self.awaited.has(&browser));
            if !asks_for_document(head) {
                return if is_awaited { Watch::Landing { learn: false } } else { Watch::Nothing };
            }
            let matters = is_awaited || has_our_cookies(head) || self.may_be_landing(head);
            return match (matters, is_of_somebody_known(head)) {
                (true, known) => Watch::Landing { learn: !known },
                (false, false) => Watch::Page,
                (false, true) => Watch::Nothing,
            };
        }
        if *head.method != Method::POST {
            return Watch::Nothing;
        }
        let content_type = head.fields.first(&CONTENT_TYPE).and_then(|value| std::str::from_utf8(value).ok());
        if !form::is_form_post(head.method, head.target, content_type) {
            let report = Report::note(head.host, head.target, Reason::NotAForm);
            self.send(Message::Note(report));
            return Watch::Nothing;
        }
        let filter = content_type.and_then(Reducer::new).map(|reducer| Box::new(FileSkipper(reducer)) as _);
        Watch::Capture { filter }
    }

    fn landing(&self, head: &Head<'_>) -> Option<Landing> {
        self.find_landing(head)
    }

    fn land(&self, landing: Landing, answer: &dyn Fields) -> Option<LandingEdit> {
        edit(landing, answer)
    }

    fn answering(&self, request: &RequestRecord, status: StatusCode, answer: &HeaderMap) -> Option<LandingEdit> {
        let config = Arc::clone(&self.config.borrow());
        let consent = &config.consent;
        let here = consent.policy(request.host_name());
        if here.hold.is_none() || consent.session_cookie.is_some() || status.as_u16() >= 400 {
            return None;
        }
        if decision::browser::of(&self.secrets.lasting, consent, request, None).is_some()
            || decision::no_visitor(request, &config.internal_addresses).is_some()
        {
            return None;
        }
        // A checkbox may still say no; then the session is one that nothing waits for.
        let found = consent::read(&Signals::of(request), consent);
        if found.state != State::Unknown || consent::allows_cookies(&found, here.unknown) {
            return None;
        }
        let line = landing::session_cookie(decision::browser::OWN_SESSION, &random_session()?, request.https);
        let cookie = LandingCookie { yields_to: None, line: HeaderValue::try_from(line).ok()? };
        edit(Landing { cookies: vec![cookie] }, answer)
    }

    /// Documents and data say whether a form was accepted; downloads and endless event streams do not, and a copy of them
    /// would only take memory from others.
    fn reads_answer(&self, answer: &HeaderMap) -> bool {
        let content_type = answer.get(CONTENT_TYPE).map(|value| value.as_bytes().to_ascii_lowercase());
        content_type.is_none_or(|kind| {
            !kind.starts_with(b"text/event-stream")
                && [&b"text/"[..], b"json", b"xml", b"javascript", b"form-urlencoded"]
                    .iter()
                    .any(|readable| memchr::memmem::find(&kind, readable).is_some())
        })
    }

    fn reads_page(&self, page: &PageAddress, answer: &dyn Fields) -> Option<PageTicket> {
        let content_type = answer.first(&CONTENT_TYPE)?;
        let is_html = [&b"text/html"[..], b"application/xhtml"]
            .iter()
            .any(|html| content_type.get(..html.len()).is_some_and(|start| start.eq_ignore_ascii_case(html)));
        if !is_html || !self.config.borrow().learn_pages {
            return None;
        }
        let number = page_number(page.host(), page.target());
        let place = self.pages.claim(number, answer)?;
        let key = page_key(page.host(), page.target())?;
        Some(PageTicket { number, key, host: page.host().to_ascii_lowercase(), place: Box::new(place) })
    }

    fn page(&self, copy: PageCopy) {
        // Without room it comes by again.
        self.send(Message::Page(copy));
    }

    fn hand_over(&self, request: &RequestRecord) -> Vec<(HeaderName, HeaderValue)> {
        let config = Arc::clone(&self.config.borrow());
        if config.landing.click_id_headers.is_empty() {
            return Vec::new();
        }
        let consent = consent::read(&Signals::of(request), &config.consent);
        if !consent::allows_cookies(&consent, config.consent.policy(request.host_name()).unknown) {
            return Vec::new();
        }
        let line = |(id, header): &(&landing::OtherClickId, HeaderName)| {
            let value = id.in_cookies(cookies(&request.headers))?;
            Some((header.clone(), HeaderValue::from_str(value).ok()?))
        };
        config.landing.click_id_headers.iter().filter_map(line).collect()
    }

    fn complete(&self, exchange: Exchange, memory: Vec<Reservation>) -> Option<Settled> {
        let (settled, waiting) = oneshot::channel();
        self.pages.count_submission(true);
        let sent = self.send(Message::Exchange { exchange: Box::new(exchange), memory, settled });
        if !sent {
            self.pages.count_submission(false);
        }
        sent.then_some(waiting)
    }
}

/// Cookies that we set, and may have to take back. (`_fbp` is the pixel's, unless it is minted; then every document is
/// looked at.)
fn has_our_cookies(head: &Head<'_>) -> bool {
    let cookies = head.fields.first(&COOKIE).unwrap_or_default();
    OURS.iter().any(|name| name.find(cookies).is_some())
}

fn visit_of(head: &Head<'_>) -> VisitKey {
    let agent = head.fields.first(&USER_AGENT).unwrap_or_default();
    VisitKey::new(Some((head.visitor)()), agent, head.host, head.target)
}

/// Somebody who is logged in sees pages of their own: nothing of them is kept.
fn is_of_somebody_known(head: &Head<'_>) -> bool {
    head.fields.first(&AUTHORIZATION).is_some()
        || head.fields.first(&COOKIE).is_some_and(|cookies| LOGGED_IN.find(cookies).is_some())
}

/// What browsers say of a navigation; without that, whoever takes HTML.
fn asks_for_document(head: &Head<'_>) -> bool {
    match head.fields.first(&SEC_FETCH_DEST) {
        Some(dest) => matches!(dest, b"document" | b"iframe"),
        None => head.fields.first(&ACCEPT).is_none_or(|accept| HTML.find(accept).is_some()),
    }
}

/// 128 random bits. `None` when the system has no randomness to give.
fn random_session() -> Option<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).ok()?;
    Some(hex::encode(bytes))
}

/// Leaves file contents out of the copy of a multipart body, as they stream past.
struct FileSkipper(Reducer);

impl BodyFilter for FileSkipper {
    fn push(&mut self, frame: &Bytes, keep: &mut Vec<Bytes>) {
        self.0.push(frame, keep);
    }

    fn finish(&mut self, keep: &mut Vec<Bytes>) {
        self.0.finish(keep);
    }
}
