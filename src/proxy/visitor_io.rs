//! A visitor's socket as hyper gets it: with what has been read from it already, with an end to patience, and with a close
//! that does not take the answer away from a visitor who is still sending.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::progress::Progress;
use super::socket::Socket;
use super::stall::Stall;

/// After the last byte of an answer: how long a visitor who goes on sending may be silent.
const LINGER_SILENCE: Duration = Duration::from_secs(2);
/// And for how long it is read at all. nginx's `lingering_time`.
const LINGER: Duration = Duration::from_secs(30);

/// The socket.
pub struct VisitorIo {
    socket: Socket,
    /// Read before hyper got the socket.
    prefix: Bytes,
    /// Notices a visitor who does not read: while nothing can be written no body is asked for, and so no body's stall is.
    stall: Stall,
    progress: Arc<Progress>,
    closing: Option<Closing>,
}

struct Closing {
    until: Instant,
    stall: Stall,
}

impl VisitorIo {
    /// Writes may be pending for `patience` at most.
    #[must_use]
    pub fn new(socket: Socket, prefix: Bytes, patience: Duration, progress: Arc<Progress>) -> Self {
        Self { socket, prefix, stall: Stall::new(patience), progress, closing: None }
    }

    /// The socket; everything that was read before has been used up by whoever had it in between, or is in the second part.
    #[must_use]
    pub fn into_parts(self) -> (Socket, Bytes) {
        (self.socket, self.prefix)
    }

    fn watched<T>(&mut self, result: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.stall.progress();
            return result;
        }
        self.stall.poll(cx).map(|()| Err(io::Error::new(io::ErrorKind::TimedOut, "the visitor does not read")))
    }
}

impl AsyncRead for VisitorIo {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.prefix.is_empty() {
            return Pin::new(&mut self.socket).poll_read(cx, buf);
        }
        let fits = self.prefix.len().min(buf.remaining());
        buf.put_slice(self.prefix.get(..fits).unwrap_or_default());
        self.prefix.advance(fits);
        if self.prefix.is_empty() {
            // An empty `Bytes` can still hold the buffer it was cut from.
            self.prefix = Bytes::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for VisitorIo {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.socket).poll_write(cx, buf);
        self.watched(result, cx)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    /// Says "no more", and then reads on for a while where the visitor may still be sending: a socket that is closed with
    /// unread bytes resets the connection, and the visitor loses the answer (RFC 9112 9.6).
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.progress.is_tunnel() {
            // A half-close: what the visitor goes on sending is for the site.
            return Pin::new(&mut self.socket).poll_shutdown(cx);
        }
        self.progress.shut();
        if self.closing.is_none() {
            std::task::ready!(Pin::new(&mut self.socket).poll_shutdown(cx))?;
            let until = Instant::now() + LINGER;
            self.closing = Some(Closing { until, stall: Stall::new(LINGER_SILENCE) });
        }
        if self.progress.is_agreed_end() {
            return Poll::Ready(Ok(()));
        }
        let Self { socket, closing: Some(closing), .. } = &mut *self else { return Poll::Ready(Ok(())) };
        let mut scratch = [0; 8 * 1024];
        loop {
            let mut buf = ReadBuf::new(&mut scratch);
            match Pin::new(&mut *socket).poll_read(cx, &mut buf) {
                Poll::Ready(Ok(())) if !buf.filled().is_empty() => {
                    closing.stall.progress();
                    if Instant::now() >= closing.until {
                        return Poll::Ready(Ok(()));
                    }
                }
                // Gone, one way or another.
                Poll::Ready(_) => return Poll::Ready(Ok(())),
                Poll::Pending => return closing.stall.poll(cx).map(Ok),
            }
        }
    }

    // Both must be forwarded, or hyper copies every body together (hyper#2338).
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.socket).poll_write_vectored(cx, bufs);
        self.watched(result, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }
}
