//! The plain way: requests without oddities, and without a body or with all of a short one, relayed as bytes.
//!
//! [`request`] says what is plain and edits its head, [`answer`], [`body`] and [`chunked`] find the end of what comes back, [`relay`] moves the
//! bytes; all but the last are pure. The rules are those of the full way (`headers`, `forwarded`), and so are the hooks. A
//! connection that waits holds no buffer: what is read goes into the worker's [`scratch`], and is kept only if it cannot be
//! passed on at once.

pub mod answer;
pub mod body;
pub mod chunked;
pub mod lines;
pub mod relay;
pub mod request;
pub mod scratch;
pub mod watchdog;

use std::future::{Future, poll_fn};
use std::mem::MaybeUninit;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};

use super::capture::Capture;
use super::fields::Fields;
use super::forward::Shared;
use super::forwarded;
use super::hooks::{BodyFilter, Head, PageAddress, Watch};
use super::peer::Peer;
use super::socket::Socket;
use super::tee::Tee;
use crate::config::ForwardedHeaders;
use crate::exchange::{Captured, RequestRecord, UnixMillis};
use relay::Job;
use request::{Plain, Seen, Verb};
use watchdog::Watchdog;

/// How it goes on with a connection.
pub enum Next {
    /// It has ended.
    End,
    /// These bytes were read, and begin with a request for the full way.
    Full(Bytes),
    /// The same, and the full way has to stay with it: it asks for an upgrade, or is not HTTP/1.1 as it should be.
    ForGood(Bytes),
}

/// A visitor's connection while it is on the plain way.
pub struct Visitor<'s> {
    socket: &'s mut Socket,
    /// Read and not used yet: part of a head, or requests that came too early.
    read: Vec<u8>,
    watchdog: Watchdog,
    peer: Peer,
    trusted: bool,
}

/// Serves plain requests until one comes that is not, or the connection ends. `untouched` is cleared by the first of them.
pub async fn serve(socket: &mut Socket, read: Bytes, peer: Peer, untouched: &mut bool, shared: &Rc<Shared>) -> Next {
    let timeouts = &shared.timeouts;
    let tick = timeouts.header_read.min(timeouts.response).min(timeouts.body_stall);
    let trusted = shared.trusted.contains(peer.address);
    let mut visitor = Visitor { socket, read: read.into(), watchdog: Watchdog::new(tick), peer, trusted };
    let mut drained = pin!(shared.drain.begun());
    let mut draining = false;
    loop {
        visitor.watchdog.set(timeouts.header_read);
        let mut seen = !visitor.read.is_empty();
        let step = poll_fn(|cx| {
            loop {
                match visitor.poll_head(cx, shared, &mut seen) {
                    Poll::Ready(Some(step)) => return Poll::Ready(Some(step)),
                    Poll::Ready(None) => {}
                    // A head that is there is served first.
                    Poll::Pending => break,
                }
            }
            draining = draining || drained.as_mut().poll(cx).is_ready();
            if draining { Poll::Ready(None) } else { Poll::Pending }
        })
        .await;
        let job = match step {
            Some(Step::Go(job)) => {
                *untouched = false;
                job
            }
            Some(Step::Leave(next)) => return next,
            None => return Next::End,
        };
        shared.counts.requests.fetch_add(1, Ordering::Relaxed);
        shared.counts.plain_requests.fetch_add(1, Ordering::Relaxed);
        if !relay::exchange(&mut visitor, shared, job).await {
            // A TLS peer is owed a farewell; for TCP the end of the socket is one. Whether it arrives is the visitor's business.
            if !visitor.socket.is_tcp() {
                let _ = visitor.socket.shutdown().await;
            }
            return Next::End;
        }
    }
}

enum Step {
    Go(Box<Job>),
    Leave(Next),
}

impl Visitor<'_> {
    /// Reads once and looks at what is there. `None`: more is needed. `fresh`: there is something that has not been looked at.
    fn poll_head(&mut self, cx: &mut Context<'_>, shared: &Rc<Shared>, fresh: &mut bool) -> Poll<Option<Step>> {
        let mut scratch = shared.scratch.borrow_mut();
        let scratch = &mut *scratch;
        let mut received = 0;
        if !std::mem::take(fresh) {
            let mut buf = ReadBuf::new(&mut scratch.input);
            match Pin::new(&mut *self.socket).poll_read(cx, &mut buf) {
                Poll::Ready(Ok(())) if !buf.filled().is_empty() => received = buf.filled().len(),
                Poll::Ready(_) => return Poll::Ready(Some(Step::Leave(Next::End))),
                // Whoever sends half a head and no more is shown out like whoever sends nothing.
                Poll::Pending => return self.watchdog.poll(cx).map(|()| Some(Step::Leave(Next::End))),
            }
        }
        let received = scratch.input.get(..received).unwrap_or_default();
        if !self.read.is_empty() {
            self.read.extend_from_slice(received);
        }
        let bytes = if self.read.is_empty() { received } else { &self.read };
        let mut room = [const { MaybeUninit::uninit() }; request::MAX_LINES];
        let (length, job) = match request::look(bytes, &mut room) {
            Seen::Partial => {
                if self.read.is_empty() {
                    self.read = bytes.to_vec();
                }
                return Poll::Ready(None);
            }
            Seen::Odd => return Poll::Ready(Some(Step::Leave(Next::Full(self.take(received))))),
            Seen::Strange => return Poll::Ready(Some(Step::Leave(Next::ForGood(self.take(received))))),
            Seen::Plain(plain) => match job(shared, self.peer, self.trusted, bytes, &plain) {
                Some(job) => (plain.length + plain.verb.body().len(), job),
                None => return Poll::Ready(Some(Step::Leave(Next::Full(self.take(received))))),
            },
        };
        if self.read.is_empty() {
            self.read = received.get(length..).unwrap_or_default().to_vec();
        } else if length == self.read.len() {
            self.read = Vec::new();
        } else {
            self.read.drain(..length);
        }
        Poll::Ready(Some(Step::Go(Box::new(job))))
    }

    /// Everything that was read.
    fn take(&mut self, received: &[u8]) -> Bytes {
        if self.read.is_empty() { Bytes::copy_from_slice(received) } else { std::mem::take(&mut self.read).into() }
    }
}

/// What is to be done for a plain request; `None`: it takes the full way after all.
fn job(shared: &Rc<Shared>, peer: Peer, trusted: bool, bytes: &[u8], plain: &Plain<'_, '_>) -> Option<Job> {
    let lines = &plain.lines;
    // The full way says so.
    if lines.0.len() > shared.limits.max_headers || plain.length > shared.limits.max_head_bytes {
        return None;
    }
    let visitor = || shared.trusted.visitor(peer.address, lines);
    let method = plain.verb.method();
    let head = Head { method: &method, target: plain.target, host: plain.host, fields: lines, visitor: &visitor };
    let watch = shared.hooks.watch(&head);
    shared.hint_at_tls_terminator(peer.address, trusted, lines);
    let record = || RequestRecord {
        method: method.clone(),
        target: plain.target.to_owned(),
        https: forwarded::visitor_is_on_https(peer.https, trusted, lines),
        host: plain.host.to_ascii_lowercase(),
        headers: lines.to_map(),
        body: Captured::Aborted,
        client_ip: Some(visitor()),
        received: UnixMillis::now(),
    };
    let learns = matches!(watch, Watch::Page | Watch::Landing { learn: true });
    let (mut landing, mut capture, mut added) = (None, None, Vec::new());
    match watch {
        Watch::Nothing | Watch::Page => {}
        Watch::Landing { .. } => landing = Some(Box::new(record())),
        Watch::FollowUp => {
            let record = record();
            landing = Some(Box::new(record.clone()));
            capture = Some(Capture::new(shared, record, copied(shared, None, &[])));
        }
        Watch::Capture { filter } => {
            let record = record();
            added = shared.hooks.hand_over(&record);
            capture = Some(Capture::new(shared, record, copied(shared, filter, plain.verb.body())));
        }
    }
    let host = Some(plain.host.as_bytes());
    let changes = (shared.forwarded_headers == ForwardedHeaders::Update)
        .then(|| forwarded::changes(lines as &dyn Fields, peer, trusted, host));
    let mut request = Vec::with_capacity(plain.length + plain.verb.body().len() + 128);
    let changes = changes.as_ref().map(<[_; 4]>::as_slice);
    request::write(&mut request, bytes, plain, changes, &shared.reserved, &added);
    Some(Job {
        request,
        sent: 0,
        is_head: plain.verb == Verb::Head,
        is_idempotent: !matches!(plain.verb, Verb::Post(_)),
        close: plain.close,
        landing,
        page: learns.then(|| PageAddress::joined(plain.host, plain.target)),
        capture,
    })
}

/// The copy of a body that is all there.
fn copied(shared: &Shared, filter: Option<Box<dyn BodyFilter>>, body: &[u8]) -> Tee {
    let mut tee = Tee::new(shared.limits.capture_bytes, &shared.budget, filter);
    tee.push(&Bytes::copy_from_slice(body));
    tee.end();
    tee
}
