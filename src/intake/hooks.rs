//! The lead plane's ears on the data path: cheap looks at heads, and a queue that is never waited for.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::TrySendError;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, COOKIE, REFERER, SET_COOKIE, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use tokio::sync::{oneshot, watch};

use super::follow_ups::{VisitKey, Visits};
use super::held::{self, Awaited};
use super::pages::PageWatch;
use super::{IntakeStats, Message, Queue, Report, Reports, Secrets};
use crate::config::Config;
use crate::consent::{self, Consent, Signals, State};
use crate::decision;
use crate::exchange::{Exchange, RequestRecord, cookies};
use crate::form;
use crate::form::multipart::Reducer;
use crate::form::page::{page_key, page_number};
use crate::landing::{self, Extras, LandingRequest};
use crate::proxy::fields::Fields;
use crate::proxy::hooks::{BodyFilter, Head, Hooks, LandingEdit, PageAddress, PageCopy, PageTicket, Settled, Watch};
use crate::proxy::tee::Reservation;
use crate::reason::{DecisionKind, Reason};

const X_INERTIA: HeaderName = HeaderName::from_static("x-inertia");
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

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
        let mentions = |bytes: &[u8]| memchr::memmem::find(bytes, b"fbclid=").is_some();
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
    fn browser(&self, head: &Head<'_>) -> Option<[u8; 32]> {
        let config = Arc::clone(&self.config.borrow());
        decision::browser::of_cookie_line(&self.secrets.lasting, &config.consent, head.fields.first(&COOKIE)?)
    }

    /// The browser of a request, if its choice is awaited.
    fn awaited_browser(&self, request: &RequestRecord, config: &Config) -> Option<[u8; 32]> {
        if !self.awaited.any() {
            return None;
        }
        let browser = decision::browser::of(&self.secrets.lasting, &config.consent, request, None)?;
        self.awaited.has(&browser).then_some(browser)
    }

    /// What waits for this browser is released, or erased.
    fn tell_choice(&self, browser: [u8; 32], consent: &Consent) {
        let Some(choice) = held::choice(browser, consent) else { return };
        if self.awaited.take(&browser) && !self.send(Message::Choice(choice)) {
            self.awaited.put(browser);
        }
    }

    /// `false` when there was no room for it: the cookies stay for now, so that it is told with the next page.
    fn tell_withdrawal(&self, request: &RequestRecord, config: &Config) -> bool {
        let ties = decision::browser::ties(&self.secrets.lasting, &config.consent, request, None);
        ties.is_empty() || self.send(Message::Withdrawn(ties))
    }

    fn send(&self, message: Message) -> bool {
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

    fn landing(&self, request: &RequestRecord, answer: &dyn Fields) -> Option<LandingEdit> {
        let config = Arc::clone(&self.config.borrow());
        let landing = landing_request(request);
        let extras = Extras { mint_fbp: config.landing.mint_fbp, click_ids: &config.landing.click_ids };
        let gains = landing::may_matter(&landing, extras)
            && decision::no_visitor(request, &config.internal_addresses).is_none();
        let has_ours = landing::has_our_cookies(&landing, extras);
        let awaited = self.awaited_browser(request, &config);
        if !gains && !has_ours && awaited.is_none() {
            return None;
        }
        let consent = consent::read(&Signals::of(request), &config.consent);
        if let Some(browser) = awaited {
            self.tell_choice(browser, &consent);
        }
        if gains {
            self.reports.saw_consent(&consent, Vec::new(), request.received);
        }
        let allowed = consent::allows_cookies(&consent, config.consent.policy(request.host_name()).unknown);
        let set_cookies = if gains && allowed {
            let mint = config.landing.mint_fbp.then(random_u31).flatten();
            let site_sets = |name: &str| sets_cookie(answer, name);
            landing::set_cookies(&landing, site_sets, mint, extras.click_ids, request.received)
        } else if has_ours && consent.is_refused() && self.tell_withdrawal(request, &config) {
            landing::expire_cookies(&landing, extras)
        } else {
            Vec::new()
        };
        edit(&set_cookies, answer)
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
        edit(&[landing::session_cookie(decision::browser::OWN_SESSION, &random_session()?, request.https)], answer)
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

/// Whether the answer sets that cookie itself.
fn sets_cookie(answer: &dyn Fields, name: &str) -> bool {
    let names = |line: &[u8]| line.split(|b| *b == b'=').next().is_some_and(|n| n.trim_ascii() == name.as_bytes());
    answer.all(&SET_COOKIE).into_iter().any(names)
}

/// Appends these cookies and keeps shared caches from storing them.
fn edit(set_cookies: &[String], answer: &dyn Fields) -> Option<LandingEdit> {
    let set_cookies: Vec<_> = set_cookies.iter().filter_map(|cookie| HeaderValue::from_str(cookie).ok()).collect();
    if set_cookies.is_empty() {
        return None;
    }
    // Several lines are one list (RFC 9110 5.3), and the edit replaces all of them.
    let lines = answer.all(&CACHE_CONTROL);
    let current = lines.into_iter().filter_map(|line| std::str::from_utf8(line).ok()).collect::<Vec<_>>().join(", ");
    let cache_control = landing::cache_control_private(Some(current.as_str()).filter(|list| !list.is_empty()))
        .and_then(|value| HeaderValue::from_str(&value).ok());
    Some(LandingEdit { set_cookies, cache_control })
}

/// Cookies that we set, and may have to take back. (`_fbp` is the pixel's, unless it is minted; then every document is
/// looked at.)
fn has_our_cookies(head: &Head<'_>) -> bool {
    let cookies = head.fields.first(&COOKIE).unwrap_or_default();
    [&b"_fbc="[..], b"_capi_"].iter().any(|name| memchr::memmem::find(cookies, name).is_some())
}

fn visit_of(head: &Head<'_>) -> VisitKey {
    let agent = head.fields.first(&USER_AGENT).unwrap_or_default();
    VisitKey::new(Some((head.visitor)()), agent, head.host, head.target)
}

/// Somebody who is logged in sees pages of their own: nothing of them is kept.
fn is_of_somebody_known(head: &Head<'_>) -> bool {
    head.fields.first(&AUTHORIZATION).is_some()
        || head
            .fields
            .first(&COOKIE)
            .is_some_and(|cookies| memchr::memmem::find(cookies, b"wordpress_logged_in_").is_some())
}

/// What browsers say of a navigation; without that, whoever takes HTML.
fn asks_for_document(head: &Head<'_>) -> bool {
    match head.fields.first(&SEC_FETCH_DEST) {
        Some(dest) => matches!(dest, b"document" | b"iframe"),
        None => head.fields.first(&ACCEPT).is_none_or(|accept| memchr::memmem::find(accept, b"text/html").is_some()),
    }
}

fn landing_request(request: &RequestRecord) -> LandingRequest<'_> {
    LandingRequest {
        method: request.method.as_str(),
        query: request.query(),
        host: &request.host,
        https: request.https,
        referer: request.header("referer"),
        cookies: cookies(&request.headers).collect(),
        sec_fetch_dest: request.header("sec-fetch-dest"),
        sec_fetch_mode: request.header("sec-fetch-mode"),
        accept: request.header("accept"),
        sec_purpose: request.header("sec-purpose").or_else(|| request.header("purpose")),
    }
}

/// `_fbp`'s random part: server builders use 0..2^31-1. `None` when the system has no randomness to give.
fn random_u31() -> Option<u32> {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).ok()?;
    Some(u32::from_le_bytes(bytes) >> 1)
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
