//! One request through the full way: checked, cleaned, sent on, answered.
//!
//! The order is that of a gateway: validate target and framing, take the upgrade, strip what belongs to the hop, set
//! our own fields last, send, clean the answer, add what a landing adds.

use std::cell::{Cell, RefCell};
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use http::header::{CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, TRANSFER_ENCODING, UPGRADE};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::upgrade::OnUpgrade;
use tokio::time::{Instant, sleep_until};

use super::address::TrustedProxies;
use super::body::{Hold, RequestBody, ResponseBody, Upload, UploadFault};
use super::capture::Capture;
use super::copy::{Commit, Copy, HandOver, is_followed_at_once};
use super::drain::Drain;
use super::error::{Failure, own_answer};
use super::fields::{self, Fields};
use super::hooks::{Head, Hooks, PageAddress, PageCopy, Watch};
use super::peer::Peer;
use super::plain::scratch::Scratch;
use super::pool::{Lease, Pool};
use super::tee::{Budget, Tee};
use super::{expect, forwarded, headers, target, upgrade};
use crate::config::{ForwardedHeaders, HeaderCase, Limits, Timeouts};
use crate::exchange::{Captured, RequestRecord, UnixMillis};
use crate::metrics::ProxyCounts;

/// What every request of a worker shares.
pub struct Shared {
    /// The listener.
    pub hooks: Arc<dyn Hooks>,
    /// Upstream connections.
    pub pool: Rc<Pool>,
    /// Whose forwarding fields are believed.
    pub trusted: TrustedProxies,
    /// Whether ours are set.
    pub forwarded_headers: ForwardedHeaders,
    /// Names of request fields that only this proxy sets.
    pub reserved: Vec<HeaderName>,
    /// Whether the case of header names is kept.
    pub header_case: HeaderCase,
    /// Timeouts.
    pub timeouts: Timeouts,
    /// Bounds.
    pub limits: Limits,
    /// The memory of all captures.
    pub budget: Arc<Budget>,
    /// How long the end of an answer waits for the lead plane.
    pub commit_wait: Duration,
    /// This worker's counters.
    pub counts: Arc<ProxyCounts>,
    /// Said once per process: how to make the proxy believe the peer that terminates TLS.
    pub proto_hint: Arc<std::sync::Once>,
    /// Whether requests may take the plain way.
    pub plain_way: bool,
    /// The site's own name, for requests of HTTP/1.0 that name no host.
    pub site: Option<HeaderValue>,
    /// hyper's settings for visitors' connections.
    pub server: http1::Builder,
    /// Tells connections of the end.
    pub drain: Drain,
    /// Buffers that the plain way's connections share.
    pub scratch: RefCell<Scratch>,
}

/// Who waits for the answer.
struct Listening {
    landing: Option<RequestRecord>,
    page: Option<PageAddress>,
    capture: Option<Capture>,
}

/// Forwards one request. Never fails: what goes wrong becomes an answer.
pub async fn forward(shared: Rc<Shared>, peer: Peer, mut request: Request<Incoming>) -> Response<ResponseBody> {
    shared.counts.requests.fetch_add(1, Ordering::Relaxed);
    if let Err((status, sentence)) = target::normalise(&mut request) {
        shared.counts.refused_requests.fetch_add(1, Ordering::Relaxed);
        return own_answer(status, "http_request_error", sentence);
    }
    if !headers::framing_is_understood(request.headers()) {
        shared.counts.refused_requests.fetch_add(1, Ordering::Relaxed);
        return own_answer(StatusCode::NOT_IMPLEMENTED, "http_request_error", "this transfer coding is not supported");
    }

    let wanted_upgrade = headers::upgrade_requested(request.version(), request.headers());
    if wanted_upgrade.is_some() && !request.body().is_end_stream() {
        // The bytes of such a body cannot be told from the tunnel's (CVE-2026-58055 in a sibling).
        return own_answer(StatusCode::BAD_REQUEST, "http_request_error", "an upgrade request cannot have a body");
    }
    let visitor_upgrade = wanted_upgrade.as_ref().map(|_| hyper::upgrade::on(&mut request));

    let (mut head, body) = request.into_parts();
    let trusted = shared.trusted.contains(peer.address);
    shared.hint_at_tls_terminator(peer.address, trusted, &head.headers);

    let host = head.headers.get(HOST).cloned();
    let watch = shared.watch(&head, host.as_ref(), peer);
    let page = matches!(watch, Watch::Page | Watch::Landing { learn: true })
        .then(|| PageAddress::Parsed(host.clone(), head.uri.path_and_query().cloned()));
    let record = match watch {
        Watch::Nothing | Watch::Page => None,
        _ => Some(shared.record(&head, host.as_ref(), peer, trusted)),
    };

    clean_request(&shared, &mut head, peer, trusted, host.as_ref(), wanted_upgrade, &body);
    if let (Watch::Capture { .. }, Some(record)) = (&watch, &record) {
        for (name, value) in shared.hooks.hand_over(record) {
            head.headers.insert(name, value);
        }
    }
    let upload = Rc::new(Upload {
        last: Cell::new(Instant::now()),
        finished: Cell::new(body.is_end_stream()),
        fault: Cell::new(None),
        withheld: Cell::new(false),
    });
    let (landing, capture) = match (watch, record) {
        (Watch::Landing { .. }, Some(record)) => (Some(record), None),
        (Watch::FollowUp, Some(record)) => {
            let mut tee = Tee::new(0, &shared.budget, None);
            tee.end();
            (Some(record.clone()), Some(Capture::new(&shared, record, tee)))
        }
        (Watch::Capture { filter }, Some(record)) => {
            let mut tee = Tee::new(shared.limits.capture_bytes, &shared.budget, filter);
            if body.is_end_stream() {
                tee.end();
            }
            (None, Some(Capture::new(&shared, record, tee)))
        }
        _ => (None, None),
    };
    let tee = capture.as_ref().map(Capture::tee);
    let waits = !body.is_end_stream() && headers::expects_continue(&head.headers);
    upload.withheld.set(waits);
    let (listener, permission) = waits.then(expect::wait).unzip();
    let body = if body.is_end_stream() {
        RequestBody::empty()
    } else {
        RequestBody::passing(body, tee, Rc::clone(&upload), shared.timeouts.body_stall, permission)
    };
    let mut request = Request::from_parts(head, body);
    if let Some(listener) = listener {
        listener.listen(&mut request);
    }

    let switches = visitor_upgrade.is_some();
    let answered = send(&shared, request, &upload, switches).await;
    match answered.and_then(|(answer, lease)| acceptable(&answer, switches).map(|()| (answer, lease))) {
        Ok((answer, lease)) => {
            finish(&shared, answer, lease, upload, visitor_upgrade, Listening { landing, page, capture }).await
        }
        Err(failure) => {
            let failure = match upload.fault.get() {
                Some(UploadFault::Broken) => Failure::BadBody,
                Some(UploadFault::Stalled) => Failure::BodyStalled,
                None => failure,
            };
            shared.counts.failures.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(error = %failure, "request not answered by the site");
            if let Some(capture) = capture {
                capture.unanswered();
            }
            failure.answer()
        }
    }
}

impl Shared {
    fn watch(&self, head: &Parts, host: Option<&HeaderValue>, peer: Peer) -> Watch {
        let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
        let host = host.and_then(|host| host.to_str().ok()).unwrap_or_default();
        let visitor = || self.trusted.visitor(peer.address, &head.headers);
        self.hooks.watch(&Head { method: &head.method, target, host, fields: &head.headers, visitor: &visitor })
    }

    fn record(&self, head: &Parts, host: Option<&HeaderValue>, peer: Peer, trusted: bool) -> RequestRecord {
        RequestRecord {
            method: head.method.clone(),
            target: head.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned(),
            https: forwarded::visitor_is_on_https(peer.https, trusted, &head.headers),
            host: host.and_then(|host| host.to_str().ok()).unwrap_or_default().to_ascii_lowercase(),
            headers: head.headers.clone(),
            body: Captured::Aborted,
            client_ip: Some(self.trusted.visitor(peer.address, &head.headers)),
            received: UnixMillis::now(),
        }
    }

    /// A copy of a page (answered with 200 and a body) for whoever learns from it. It waits for nothing, and an answer that breaks
    /// off teaches nothing.
    pub fn copy_page(&self, page: &PageAddress, answer: &dyn Fields) -> Option<Copy> {
        if self.budget.is_tight() {
            return None;
        }
        let ticket = self.hooks.reads_page(page, answer)?;
        let text = |name| fields::text(answer, &name).unwrap_or_default().to_owned();
        let (content_type, content_encoding) = (text(CONTENT_TYPE), text(CONTENT_ENCODING));
        let hooks = Arc::clone(&self.hooks);
        let hand_over: HandOver = Box::new(move |tee| {
            if let (Captured::Whole(body), memory) = tee.into_captured() {
                hooks.page(PageCopy { ticket, content_type, content_encoding, body, memory });
            }
            None
        });
        Some(Copy::new(Tee::sparing(self.limits.capture_bytes, &self.budget), hand_over))
    }

    /// A private peer that speaks for visitors on https is nearly always a TLS terminator nobody told us about, and
    /// WordPress redirects in a loop behind it.
    pub fn hint_at_tls_terminator(&self, peer: IpAddr, trusted: bool, headers: &dyn Fields) {
        if trusted || headers.first(&forwarded::X_FORWARDED_PROTO).is_none() {
            return;
        }
        let peer = peer.to_canonical();
        let private = match peer {
            IpAddr::V4(address) => address.is_private() || address.is_loopback() || address.is_link_local(),
            IpAddr::V6(address) => address.is_loopback() || address.is_unique_local(),
        };
        if private {
            self.proto_hint.call_once(|| {
                tracing::warn!(
                    %peer,
                    "a peer sends X-Forwarded-Proto and is not trusted; if it terminates TLS for you, set \
                     trusted_proxies = [\"{peer}\"] (or --trusted-proxy {peer})"
                );
            });
        }
    }
}

fn clean_request(
    shared: &Shared,
    head: &mut Parts,
    peer: Peer,
    trusted: bool,
    host: Option<&HeaderValue>,
    wanted_upgrade: Option<HeaderValue>,
    body: &Incoming,
) {
    headers::strip_hop_by_hop(&mut head.headers);
    headers::strip_httpoxy(&mut head.headers);
    headers::strip_framing_twins(&mut head.headers);
    headers::strip_reserved(&mut head.headers, &shared.reserved);
    if shared.forwarded_headers == ForwardedHeaders::Update {
        forwarded::update(&mut head.headers, peer, trusted, host);
    }
    // HTTP/1.0 need not name a host, HTTP/1.1 must (RFC 9112 3.2), and sites refuse it otherwise.
    if let (None, Some(site)) = (host, &shared.site) {
        head.headers.insert(HOST, site.clone());
    }
    if let Some(protocol) = wanted_upgrade {
        head.headers.insert(UPGRADE, protocol);
        head.headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    }
    if head.version < Version::HTTP_11 {
        headers::strip_expect(&mut head.headers);
    }
    // The version is each hop's own (RFC 9112 2.3); hyper would otherwise repeat a visitor's HTTP/1.0.
    head.version = Version::HTTP_11;
    // A GET with a chunked body: without this hyper would send it without its body.
    if !body.is_end_stream() && !head.headers.contains_key(CONTENT_LENGTH) {
        head.headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
    if shared.header_case == HeaderCase::Lower {
        head.extensions.clear();
    }
}

/// Sends the request, over a new connection if the pooled one turns out to be dead. What was never written is sent
/// again whatever it is; what may have been is sent again once, and only if it is idempotent and has no body (RFC 9110
/// 9.2.2).
async fn send(
    shared: &Rc<Shared>,
    request: Request<RequestBody>,
    upload: &Upload,
    upgrade: bool,
) -> Result<(Response<Incoming>, Lease), Failure> {
    let mut lease = if upgrade { shared.pool.connect().await? } else { shared.pool.lease().await? };
    let spare = (lease.reused && request.body().is_end_stream() && is_idempotent(request.method())).then(|| {
        let mut spare = Request::new(RequestBody::empty());
        *spare.method_mut() = request.method().clone();
        *spare.uri_mut() = request.uri().clone();
        *spare.headers_mut() = request.headers().clone();
        *spare.extensions_mut() = request.extensions().clone();
        spare
    });
    let again = match attempt(shared, &mut lease, request, upload).await {
        Ok(answer) => return Ok((answer, lease)),
        Err((failure, unsent)) if lease.reused => {
            let spare = spare.filter(|_| failure.is_dead_connection());
            unsent.or(spare).ok_or(failure)?
        }
        Err((failure, _)) => return Err(failure),
    };
    shared.counts.upstream_retries.fetch_add(1, Ordering::Relaxed);
    let mut lease = shared.pool.connect().await?;
    match attempt(shared, &mut lease, again, upload).await {
        Ok(answer) => Ok((answer, lease)),
        Err((failure, _)) => Err(failure),
    }
}

fn is_idempotent(method: &Method) -> bool {
    [Method::GET, Method::HEAD, Method::OPTIONS, Method::TRACE].contains(method)
}

async fn attempt(
    shared: &Shared,
    lease: &mut Lease,
    request: Request<RequestBody>,
    upload: &Upload,
) -> Result<Response<Incoming>, (Failure, Option<Request<RequestBody>>)> {
    let answer = lease.sender().try_send_request(request);
    let limit = shared.timeouts.response;
    upload.last.set(Instant::now());
    // The clock runs from the last piece of the upload: a long upload is not a slow site.
    let too_late = async {
        while upload.last.get().elapsed() < limit {
            sleep_until(upload.last.get() + limit).await;
        }
    };
    tokio::select! {
        biased;
        answer = answer => answer.map_err(|mut error| {
            let unsent = error.take_message();
            (Failure::Upstream(error.into_error()), unsent)
        }),
        () = too_late => Err((Failure::ResponseTimeout, None)),
    }
}

/// What cannot be passed on, whatever it means.
fn acceptable(answer: &Response<Incoming>, switches: bool) -> Result<(), Failure> {
    if answer.status() == StatusCode::SWITCHING_PROTOCOLS && !switches {
        return Err(Failure::UnaskedSwitch);
    }
    if !answer.body().is_end_stream() && !headers::framing_is_understood(answer.headers()) {
        return Err(Failure::Invalid("its transfer coding is not supported"));
    }
    if !headers::length_is_clear(answer.headers()) {
        return Err(Failure::Invalid("its Content-Length is no length"));
    }
    Ok(())
}

async fn finish(
    shared: &Rc<Shared>,
    mut answer: Response<Incoming>,
    lease: Lease,
    upload: Rc<Upload>,
    visitor_upgrade: Option<OnUpgrade>,
    listening: Listening,
) -> Response<ResponseBody> {
    let Listening { landing, page, capture } = listening;
    if answer.status() == StatusCode::SWITCHING_PROTOCOLS
        && let Some(visitor) = visitor_upgrade
    {
        return switch(shared, answer, lease, visitor);
    }
    let copy = capture.map(|capture| {
        let (edit, copy) = capture.answered(answer.status(), answer.headers().clone());
        if let Some(edit) = edit {
            edit.apply(answer.headers_mut());
        }
        copy
    });
    let has_body = !answer.body().is_end_stream();
    let mut hold = page
        .filter(|_| answer.status() == StatusCode::OK && has_body)
        .and_then(|page| shared.copy_page(&page, answer.headers()))
        .map(|copy| Hold::new(copy, Duration::ZERO));
    headers::repair_answer_framing(answer.headers_mut());
    headers::strip_hop_by_hop(answer.headers_mut());
    if upload.withheld.get() {
        // Whether the visitor still sends a body that nobody asked for cannot be known (RFC 9110 10.1.1).
        answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    // hyper speaks HTTP/1.0 to a site that has once done so, and this hop does not (RFC 9112 2.3).
    let keep = answer.version() >= Version::HTTP_11;
    *answer.version_mut() = Version::HTTP_11;
    if shared.header_case == HeaderCase::Lower {
        answer.extensions_mut().clear();
    }
    if let Some(record) = landing
        && let Some(edit) = shared.hooks.landing(&record, answer.headers())
    {
        edit.apply(answer.headers_mut());
        shared.counts.landing_cookies.fetch_add(1, Ordering::Relaxed);
    }
    let (head, body) = answer.into_parts();
    let stall = shared.timeouts.body_stall;
    if let Some(mut copy) = copy {
        // An answer without a body has no last byte: its head waits.
        if is_followed_at_once(head.status, &head.headers) || body.is_end_stream() {
            if let Some(settled) = copy.complete() {
                Commit::new(settled, shared.commit_wait).await;
            }
        } else {
            hold = Some(Hold::new(copy, shared.commit_wait));
        }
    }
    Response::from_parts(head, ResponseBody::passing(body, lease, keep, upload, stall, hold))
}

/// Both sides are spliced only now, after the site's 101: bytes passed on earlier could be a second request
/// (CVE-2026-2833 in a sibling).
fn switch(
    shared: &Rc<Shared>,
    mut answer: Response<Incoming>,
    lease: Lease,
    visitor: OnUpgrade,
) -> Response<ResponseBody> {
    let site = hyper::upgrade::on(&mut answer);
    lease.detach();
    let idle = shared.timeouts.tunnel_idle;
    let counts = Arc::clone(&shared.counts);
    tokio::task::spawn_local(async move {
        counts.tunnels.fetch_add(1, Ordering::Relaxed);
        upgrade::tunnel(visitor, site, idle).await;
        counts.tunnels.fetch_sub(1, Ordering::Relaxed);
    });
    let (mut head, _) = answer.into_parts();
    let protocol = head.headers.get(UPGRADE).cloned();
    headers::strip_hop_by_hop(&mut head.headers);
    if let Some(protocol) = protocol {
        head.headers.insert(UPGRADE, protocol);
    }
    head.headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    Response::from_parts(head, ResponseBody::empty())
}
