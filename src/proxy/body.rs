//! The two bodies on their way through: watched for stalls, copied where asked, and, for one kind of answer, held back
//! at the very end until the lead plane has committed.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Instant;

use super::copy::{Commit, Copy};
use super::error::BoxError;
use super::expect::Permission;
use super::pool::Lease;
use super::stall::Stall;
use super::tee::Tee;

/// How a request's upload is getting on, shared with whoever waits for the answer.
#[derive(Debug)]
pub struct Upload {
    /// When the last piece went by.
    pub last: Cell<Instant>,
    /// The body has been read to its end.
    pub finished: Cell<bool>,
    /// What went wrong, if it was the visitor's doing.
    pub fault: Cell<Option<UploadFault>>,
    /// It waits for the site's leave, and so does the visitor.
    pub withheld: Cell<bool>,
}

/// How a visitor's upload can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UploadFault {
    /// Malformed, or broken off.
    Broken,
    /// Nothing came for `timeouts.body_stall`.
    Stalled,
}

/// The request body on its way to the site.
pub struct RequestBody(Option<Box<UploadBody>>);

struct UploadBody {
    inner: Incoming,
    tee: Option<Rc<RefCell<Tee>>>,
    upload: Rc<Upload>,
    stall: Stall,
    permission: Option<Permission>,
}

impl RequestBody {
    /// No body.
    #[must_use]
    pub const fn empty() -> Self {
        Self(None)
    }

    /// A body that passes, with an optional copy, once it has the permission.
    pub fn passing(
        inner: Incoming,
        tee: Option<Rc<RefCell<Tee>>>,
        upload: Rc<Upload>,
        stall: Duration,
        permission: Option<Permission>,
    ) -> Self {
        Self(Some(Box::new(UploadBody { inner, tee, upload, stall: Stall::new(stall), permission })))
    }
}

impl UploadBody {
    fn end(&self) {
        self.upload.finished.set(true);
        if let Some(tee) = &self.tee {
            tee.borrow_mut().end();
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Some(body) = self.0.as_mut() else { return Poll::Ready(None) };
        if let Some(permission) = &mut body.permission {
            ready!(permission.poll(cx));
            body.permission = None;
            body.upload.withheld.set(false);
        }
        match Pin::new(&mut body.inner).poll_frame(cx) {
            Poll::Pending => {
                ready!(body.stall.poll(cx));
                body.upload.fault.set(Some(UploadFault::Stalled));
                Poll::Ready(Some(Err("the request body stopped coming".into())))
            }
            Poll::Ready(None) => {
                body.end();
                Poll::Ready(None)
            }
            Poll::Ready(Some(Err(error))) => {
                body.upload.fault.set(Some(UploadFault::Broken));
                Poll::Ready(Some(Err(error.into())))
            }
            Poll::Ready(Some(Ok(frame))) => {
                body.stall.progress();
                body.upload.last.set(Instant::now());
                if let (Some(tee), Some(data)) = (&body.tee, frame.data_ref()) {
                    tee.borrow_mut().push(data);
                }
                // After trailers there is nothing more to be asked for, and hyper does not ask.
                if frame.is_trailers() || body.inner.is_end_stream() {
                    body.end();
                }
                Poll::Ready(Some(Ok(frame)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(|body| body.inner.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.0.as_ref().map_or_else(|| SizeHint::with_exact(0), |body| body.inner.size_hint())
    }
}

/// Copies an answer and holds its end back: the last frame of a body with a known length, the terminating chunk (or the
/// close) of one without. Everything before that streams on at once.
pub struct Hold {
    copy: Copy,
    wait: Duration,
    held: Option<Frame<Bytes>>,
    commit: Option<Commit>,
}

impl Hold {
    /// Waits at most `wait` for what comes of the copy.
    #[must_use]
    pub const fn new(copy: Copy, wait: Duration) -> Self {
        Self { copy, wait, held: None, commit: None }
    }

    fn complete(&mut self) {
        self.commit = self.copy.complete().map(|settled| Commit::new(settled, self.wait));
    }
}

/// The answer's body on its way to the visitor.
pub struct ResponseBody {
    kind: Kind,
    /// The request's body, if it had one that may still be on its way.
    upload: Option<Rc<Upload>>,
}

enum Kind {
    Own(Option<Bytes>),
    Passing(Box<Passing>),
}

struct Passing {
    inner: Incoming,
    lease: Option<Lease>,
    keep: bool,
    upload: Rc<Upload>,
    stall: Stall,
    hold: Option<Hold>,
    ended: bool,
    /// Why it breaks off, once hyper has been given the time to write what came before.
    broken: Option<BoxError>,
}

impl ResponseBody {
    /// A body of our own.
    #[must_use]
    pub fn full(text: impl Into<Bytes>) -> Self {
        Self { kind: Kind::Own(Some(text.into())), upload: None }
    }

    /// No body.
    #[must_use]
    pub const fn empty() -> Self {
        Self { kind: Kind::Own(None), upload: None }
    }

    /// The site's body. `lease` goes back to the pool at its end, if it is worth keeping and the upload has ended too.
    pub fn passing(
        inner: Incoming,
        lease: Lease,
        keep: bool,
        upload: Rc<Upload>,
        stall: Duration,
        hold: Option<Hold>,
    ) -> Self {
        let (stall, kept) = (Stall::new(stall), Some(Rc::clone(&upload)));
        let mut passing = Passing { inner, lease: Some(lease), keep, upload, stall, hold, ended: false, broken: None };
        if passing.hold.is_none() && passing.inner.is_end_stream() {
            passing.release();
            return Self { kind: Kind::Own(None), upload: kept };
        }
        Self { kind: Kind::Passing(Box::new(passing)), upload: kept }
    }

    /// Whether all of the request's body has been read: otherwise what follows on the connection is still part of it.
    #[must_use]
    pub fn request_was_read(&self) -> bool {
        self.upload.as_ref().is_none_or(|upload| upload.finished.get())
    }
}

impl Passing {
    /// The site's part is over: its connection can serve the next request, unless an upload is still running on it
    /// (hyper would neither reuse nor close it).
    fn release(&mut self) {
        self.ended = true;
        if let Some(lease) = self.lease.take()
            && self.keep
            && self.upload.finished.get()
        {
            lease.give_back();
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Some(error) = self.broken.take() {
            return Poll::Ready(Some(Err(error)));
        }
        while !self.ended {
            match Pin::new(&mut self.inner).poll_frame(cx) {
                Poll::Pending => {
                    ready!(self.stall.poll(cx));
                    return Poll::Ready(Some(Err("the site stopped sending".into())));
                }
                Poll::Ready(Some(Err(error))) => {
                    self.broken = Some(error.into());
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Poll::Ready(None) => {
                    self.release();
                    if let Some(hold) = &mut self.hold {
                        hold.complete();
                    }
                }
                Poll::Ready(Some(Ok(frame))) => {
                    self.stall.progress();
                    let last = frame.is_trailers() || self.inner.is_end_stream();
                    if last {
                        self.release();
                    }
                    let Some(hold) = &mut self.hold else { return Poll::Ready(Some(Ok(frame))) };
                    if let Some(data) = frame.data_ref() {
                        hold.copy.push(data);
                    }
                    if !last {
                        return Poll::Ready(Some(Ok(frame)));
                    }
                    hold.held = Some(frame);
                    hold.complete();
                }
            }
        }
        let Some(hold) = &mut self.hold else { return Poll::Ready(None) };
        if let Some(commit) = &mut hold.commit {
            ready!(Pin::new(commit).poll(cx));
            hold.commit = None;
        }
        Poll::Ready(hold.held.take().map(Ok))
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match &mut self.kind {
            Kind::Own(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Kind::Passing(passing) => passing.poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Own(bytes) => bytes.is_none(),
            Kind::Passing(passing) => {
                passing.ended && passing.hold.as_ref().is_none_or(|hold| hold.held.is_none() && hold.commit.is_none())
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Own(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |b| b.len() as u64)),
            Kind::Passing(passing) => passing.inner.size_hint(),
        }
    }
}
