//! Tunnels: after a 101 both sides are spliced, whatever they speak.

use std::cell::Cell;
use std::io;
use std::time::Duration;

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};
use tokio::time::{Instant, sleep_until};

/// One direction's buffer. Tunnels carry chat more often than files; a socket buffer's worth would be kept for every
/// idle one.
const BUFFER: usize = 16 * 1024;

/// Splices two upgraded connections until both directions have ended, one of them fails, or nothing moves for `idle`.
/// A half-close is passed on and the other direction goes on.
pub async fn tunnel(visitor: OnUpgrade, site: OnUpgrade, idle: Duration) {
    let (Ok(visitor), Ok(site)) = (visitor.await, site.await) else { return };
    let (from_visitor, to_visitor) = split(TokioIo::new(visitor));
    let (from_site, to_site) = split(TokioIo::new(site));
    let last = Cell::new(Instant::now());
    let both = async {
        // An error ends both: one end of a tunnel is of no use alone.
        let _ = tokio::try_join!(copy(from_visitor, to_site, &last), copy(from_site, to_visitor, &last));
    };
    let silence = async {
        while last.get().elapsed() < idle {
            sleep_until(last.get() + idle).await;
        }
    };
    tokio::select! { () = both => {}, () = silence => {} }
}

async fn copy(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    last: &Cell<Instant>,
) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let read = from.read(&mut buffer).await?;
        last.set(Instant::now());
        let Some(piece) = buffer.get(..read).filter(|piece| !piece.is_empty()) else {
            return to.shutdown().await;
        };
        to.write_all(piece).await?;
        to.flush().await?;
    }
}
