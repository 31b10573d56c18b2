//! One exchange on the plain way: the request to the site, the answer to the visitor, as the bytes come.

use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};

use http::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Visitor;
use super::answer::{self, Additions, Answer, Framing};
use super::body::{Body, End};
use super::scratch::{self, Scratch};
use crate::exchange::RequestRecord;
use crate::proxy::capture::Capture;
use crate::proxy::copy::{Commit, Copy, is_followed_at_once};
use crate::proxy::error::{Failure, on_the_wire};
use crate::proxy::fields::Fields;
use crate::proxy::forward::Shared;
use crate::proxy::hooks::{LandingEdit, PageAddress, Settled};
use crate::proxy::socket::Socket;

/// A head and what came of its body, up to this size, are put together for one plain write.
const JOIN: usize = 16 * 1024;
/// What of a visitor's next requests is read while this one is answered.
const EARLY: usize = 16 * 1024;
/// Answers before the answer (103 Early Hints) that are put up with.
const MAX_INTERIM: usize = 16;

const TOO_LARGE: Failure = Failure::Invalid("its head is larger than limits.max_head_bytes");

/// What is to be done.
pub struct Job {
    /// For the site: the head, and the body if there is one.
    pub request: Vec<u8>,
    /// Bytes of it that the site has got.
    pub sent: usize,
    /// HEAD.
    pub is_head: bool,
    /// It may be sent again where nobody knows what the site has made of it (RFC 9110 9.2.2).
    pub is_idempotent: bool,
    /// The visitor's connection ends afterwards.
    pub close: bool,
    /// The request as it was, if it is a landing.
    pub landing: Option<Box<RequestRecord>>,
    /// Where to learn from the answer.
    pub page: Option<PageAddress>,
    /// The copy of it, if it is a form.
    pub capture: Option<Capture>,
}

/// Whether the visitor's connection can go on.
pub async fn exchange(visitor: &mut Visitor<'_>, shared: &Rc<Shared>, mut job: Box<Job>) -> bool {
    let (site, begun) = match ask(visitor, shared, &mut job).await {
        Ok(answered) => answered,
        Err(Trouble::Visitor) => return false,
        Err(Trouble::Site(failure)) => {
            shared.counts.failures.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(error = %failure, "request not answered by the site");
            if let Some(capture) = job.capture.take() {
                capture.unanswered();
            }
            let mut owed = on_the_wire(&failure, &scratch::date(), job.is_head);
            visitor.watchdog.set(shared.timeouts.body_stall);
            // Whether it arrives is the visitor's business: the connection ends here.
            let _ = poll_fn(|cx| visitor.poll_owed(cx, &mut owed)).await;
            return false;
        }
    };
    drop(job);
    pass(visitor, shared, site, begun).await
}

/// Whose fault it is.
enum Trouble {
    Visitor,
    Site(Failure),
}

/// An answer whose head, and what came with it, is on its way to the visitor.
struct Begun {
    body: Body,
    /// Not taken by the visitor's socket yet.
    owed: Vec<u8>,
    /// What is owed waits for this.
    commit: Option<Commit>,
    close: bool,
}

/// Sends the request and waits for the head of the answer; over a new connection if the pooled one turns out to be dead, and the
/// request is idempotent, or has not left.
async fn ask(visitor: &mut Visitor<'_>, shared: &Rc<Shared>, job: &mut Job) -> Result<(Socket, Begun), Trouble> {
    if let Some(site) = poll_fn(|cx| Poll::Ready(shared.pool.reuse(cx))).await {
        match ask_over(site, visitor, shared, job).await {
            Err(Trouble::Site(failure)) if failure.is_dead_connection() && (job.is_idempotent || job.sent == 0) => {
                shared.counts.upstream_retries.fetch_add(1, Ordering::Relaxed);
            }
            other => return other,
        }
    }
    // Boxed, because it is rare: what connecting needs would be part of every connection that waits.
    let site = Box::pin(shared.pool.open()).await.map_err(Trouble::Site)?;
    ask_over(site, visitor, shared, job).await
}

async fn ask_over(
    mut site: Socket,
    visitor: &mut Visitor<'_>,
    shared: &Rc<Shared>,
    job: &mut Job,
) -> Result<(Socket, Begun), Trouble> {
    visitor.watchdog.set(shared.timeouts.response);
    let (mut head, mut interim) = (Vec::new(), 0);
    job.sent = 0;
    let begun = poll_fn(|cx| {
        loop {
            while let Some(rest) = job.request.get(job.sent..).filter(|rest| !rest.is_empty()) {
                match Pin::new(&mut site).poll_write(cx, rest) {
                    Poll::Ready(Ok(0)) => return Poll::Ready(Err(broken(io::ErrorKind::WriteZero.into()))),
                    Poll::Ready(Ok(written)) => job.sent += written,
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(broken(error))),
                    Poll::Pending => return visitor.poll_wait(cx),
                }
            }
            // TLS keeps what it has not been able to send; it goes on as soon as there is room.
            if let Poll::Ready(Err(error)) = Pin::new(&mut site).poll_flush(cx) {
                return Poll::Ready(Err(broken(error)));
            }
            let mut scratch = shared.scratch.borrow_mut();
            let scratch = &mut *scratch;
            let mut buf = ReadBuf::new(&mut scratch.input);
            let received = match Pin::new(&mut site).poll_read(cx, &mut buf) {
                Poll::Ready(Ok(())) => buf.filled().len(),
                // Before the first byte of an answer; after it, nothing may be sent again.
                Poll::Ready(Err(error)) if head.is_empty() && interim == 0 => return Poll::Ready(Err(broken(error))),
                Poll::Ready(Err(_)) => 0,
                Poll::Pending => return visitor.poll_wait(cx),
            };
            if received == 0 {
                let failure = if head.is_empty() && interim == 0 {
                    Failure::Broken(io::ErrorKind::UnexpectedEof.into())
                } else {
                    Failure::Invalid("it ends within its head")
                };
                return Poll::Ready(Err(Trouble::Site(failure)));
            }
            let Scratch { input, output } = scratch;
            let received = input.get(..received).unwrap_or_default();
            if !head.is_empty() {
                head.extend_from_slice(received);
            }
            let mut bytes = if head.is_empty() { received } else { &head };
            loop {
                output.clear();
                let begun = begin(shared, job, bytes, output).map_err(Trouble::Site)?;
                let Some(Opening { answer, copy, settled }) = begun else {
                    if bytes.len() > shared.limits.max_head_bytes {
                        return Poll::Ready(Err(Trouble::Site(TOO_LARGE)));
                    }
                    head = bytes.to_vec();
                    break;
                };
                let rest = bytes.get(answer.length..).unwrap_or_default();
                if answer.status < 200 {
                    interim += 1;
                    if answer.status == 101 {
                        return Poll::Ready(Err(Trouble::Site(Failure::UnaskedSwitch)));
                    }
                    if interim > MAX_INTERIM {
                        return Poll::Ready(Err(Trouble::Site(Failure::Invalid("it never gets to its answer"))));
                    }
                    bytes = rest;
                    continue;
                }
                let (mut body, mut owed) = (Body::new(&answer, copy), Vec::new());
                let close = job.close || shared.drain.has_begun();
                // A broken body shows in the answer: it is not there as announced.
                let piece = body.feed(rest);
                if let Some(settled) = settled.or_else(|| body.settled()) {
                    piece.parts().iter().for_each(|part| output.extend_from_slice(part));
                    let commit = Some(Commit::new(settled, shared.commit_wait));
                    return Poll::Ready(Ok(Begun { body, owed: output.clone(), commit, close }));
                }
                let sent = if output.len() + piece.data.len() <= JOIN {
                    piece.parts().iter().for_each(|part| output.extend_from_slice(part));
                    send(visitor.socket, cx, &[output], &mut owed)
                } else {
                    let [before, data, after] = piece.parts();
                    send(visitor.socket, cx, &[output, before, data, after], &mut owed)
                };
                return match sent {
                    Ok(()) => Poll::Ready(Ok(Begun { body, owed, commit: None, close })),
                    Err(_) => Poll::Ready(Err(Trouble::Visitor)),
                };
            }
        }
    })
    .await?;
    Ok((site, begun))
}

fn broken(error: io::Error) -> Trouble {
    Trouble::Site(Failure::Broken(error))
}

/// The head of an answer, and what follows from it.
struct Opening {
    answer: Answer,
    copy: Option<Box<Copy>>,
    /// The head has to wait for this.
    settled: Option<Settled>,
}

/// Reads the head of an answer, if it is all there, and writes what the visitor gets of it.
fn begin(shared: &Shared, job: &mut Job, bytes: &[u8], output: &mut Vec<u8>) -> Result<Option<Opening>, Failure> {
    let begun = answer::with_head(bytes, job.is_head, shared.limits.max_headers, |answer, lines| {
        if answer.length > shared.limits.max_head_bytes {
            return Err(TOO_LARGE);
        }
        if answer.status < 200 {
            return Ok(Opening { answer, copy: None, settled: None });
        }
        let has_body = !matches!(answer.framing, Framing::Bodiless | Framing::Length(0));
        let (mut edit, mut copy, mut settled) = (LandingEdit::default(), None, None);
        if let (Some(capture), Ok(status)) = (job.capture.take(), StatusCode::from_u16(answer.status)) {
            let (gains, mut answer) = capture.answered(status, lines.to_map());
            edit = gains.unwrap_or_default();
            // An answer without a body has no last byte: its head waits.
            if is_followed_at_once(status, &lines) || !has_body {
                settled = answer.complete();
            } else {
                copy = Some(answer);
            }
        }
        // A landing sees what a form has gained already.
        let edited = (edit != LandingEdit::default()).then(|| {
            let mut head = lines.to_map();
            edit.apply(&mut head);
            head
        });
        let fields = edited.as_ref().map_or(&lines as &dyn Fields, |head| head);
        if let Some(gains) = job.landing.take().and_then(|record| shared.hooks.landing(&record, fields)) {
            shared.counts.landing_cookies.fetch_add(1, Ordering::Relaxed);
            edit.add(gains);
        }
        let page = job.page.take().filter(|_| answer.status == 200 && has_body);
        let copy = copy.or_else(|| page.and_then(|page| shared.copy_page(&page, &lines))).map(Box::new);
        let additions = Additions { edit: &edit, close: job.close || shared.drain.has_begun() };
        answer::write(output, bytes, &answer, lines, &additions, scratch::date);
        Ok(Opening { answer, copy, settled })
    });
    begun.map_err(|invalid| Failure::Invalid(invalid.0))?.transpose()
}

/// Moves the rest of the answer. Whether the visitor's connection can go on.
async fn pass(visitor: &mut Visitor<'_>, shared: &Rc<Shared>, site: Socket, begun: Begun) -> bool {
    let Begun { mut body, mut owed, mut commit, close } = begun;
    let stall = shared.timeouts.body_stall;
    visitor.watchdog.set(stall);
    let mut site = Some(site);
    let whole = poll_fn(|cx| {
        loop {
            // Whatever the visitor still waits for, the site has done its part.
            if body.leaves_connection()
                && let Some(site) = site.take()
            {
                shared.pool.keep(site);
            }
            if let Some(wait) = &mut commit {
                ready!(Pin::new(wait).poll(cx));
                commit = None;
            }
            if ready!(visitor.poll_owed(cx, &mut owed)).is_err() {
                return Poll::Ready(false);
            }
            let Some(site) = site.as_mut().filter(|_| body.end() == End::NotYet) else {
                return Poll::Ready(body.end() != End::Broken);
            };
            let mut scratch = shared.scratch.borrow_mut();
            let mut buf = ReadBuf::new(&mut scratch.input);
            let piece = match Pin::new(site).poll_read(cx, &mut buf) {
                Poll::Ready(Ok(())) if !buf.filled().is_empty() => body.feed(buf.filled()),
                Poll::Ready(Ok(())) => body.close(),
                // Reset: not an end that means anything.
                Poll::Ready(Err(_)) => return Poll::Ready(false),
                Poll::Pending => return visitor.poll_wait(cx).map(|_: Result<(), _>| false),
            };
            visitor.watchdog.set(stall);
            if let Some(settled) = body.settled() {
                piece.parts().iter().for_each(|part| owed.extend_from_slice(part));
                commit = Some(Commit::new(settled, shared.commit_wait));
                continue;
            }
            if send(visitor.socket, cx, &piece.parts(), &mut owed).is_err() {
                return Poll::Ready(false);
            }
        }
    })
    .await;
    whole && !close
}

impl Visitor<'_> {
    /// Ready when the visitor has gone, or the time is over.
    fn poll_wait<T>(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, Trouble>> {
        if self.poll_gone(cx).is_ready() {
            return Poll::Ready(Err(Trouble::Visitor));
        }
        self.watchdog.poll(cx).map(|()| Err(Trouble::Site(Failure::ResponseTimeout)))
    }

    /// Ready when the visitor has closed: the site must not go on working for nobody. What comes instead is the next request; it
    /// is kept, and beyond a bound left in the socket.
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.read.len() < EARLY {
            let mut room = [0; 2048];
            let mut buf = ReadBuf::new(&mut room);
            match ready!(Pin::new(&mut *self.socket).poll_read(cx, &mut buf)) {
                Ok(()) if !buf.filled().is_empty() => self.read.extend_from_slice(buf.filled()),
                _ => return Poll::Ready(()),
            }
        }
        Poll::Pending
    }

    /// Writes what is owed. Ready with an error when the visitor has gone or does not read.
    fn poll_owed(&mut self, cx: &mut Context<'_>, owed: &mut Vec<u8>) -> Poll<io::Result<()>> {
        let mut written = 0;
        while let Some(rest) = owed.get(written..).filter(|rest| !rest.is_empty()) {
            match Pin::new(&mut *self.socket).poll_write(cx, rest) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(some)) => written += some,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    owed.drain(..written);
                    return self.watchdog.poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()));
                }
            }
        }
        *owed = Vec::new();
        // TLS keeps what it has not been able to send.
        Pin::new(&mut *self.socket).poll_flush(cx)
    }
}

/// Writes the parts, as far as the socket takes them; the rest is owed.
fn send<const N: usize>(
    socket: &mut Socket,
    cx: &mut Context<'_>,
    parts: &[&[u8]; N],
    owed: &mut Vec<u8>,
) -> io::Result<()> {
    const { assert!(N <= 4, "as many slices as there is room for") };
    let total: usize = parts.iter().map(|part| part.len()).sum();
    if total == 0 {
        return Ok(());
    }
    let written = if let Some(single) = parts.iter().find(|part| part.len() == total) {
        Pin::new(socket).poll_write(cx, single)
    } else {
        let mut slices = [IoSlice::new(&[]); 4];
        slices.iter_mut().zip(parts).for_each(|(slice, part)| *slice = IoSlice::new(part));
        Pin::new(socket).poll_write_vectored(cx, &slices)
    };
    let mut written = match written {
        Poll::Ready(written) => written?,
        Poll::Pending => 0,
    };
    if written == total {
        return Ok(());
    }
    for part in parts {
        let skipped = written.min(part.len());
        written -= skipped;
        owed.extend_from_slice(part.get(skipped..).unwrap_or_default());
    }
    Ok(())
}
