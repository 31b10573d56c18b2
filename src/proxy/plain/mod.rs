//! The plain way.

use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;

use bytes::Bytes;
use tokio::io::{AsyncRead, ReadBuf};

use super::forward::Shared;
use super::peer::Peer;
use super::socket::Socket;

/// How it goes on with a connection.
pub enum Next {
    /// It has ended.
    End,
    /// These bytes were read, and are a request for the full way.
    Full(Bytes),
    /// The same, and the connection may become something else.
    Upgrade(Bytes),
}

/// Waits for a request.
pub async fn serve(socket: &mut Socket, read: Bytes, _peer: Peer, shared: &Rc<Shared>) -> Next {
    if !read.is_empty() {
        return Next::Full(read);
    }
    let first = poll_fn(|cx| {
        let mut scratch = [0; 16 * 1024];
        let mut buf = ReadBuf::new(&mut scratch);
        Pin::new(&mut *socket).poll_read(cx, &mut buf).map_ok(|()| Bytes::copy_from_slice(buf.filled()))
    });
    let read = tokio::select! {
        read = tokio::time::timeout(shared.timeouts.header_read, first) => read,
        () = shared.drain.begun() => return Next::End,
    };
    match read {
        Ok(Ok(read)) if !read.is_empty() => {
            let asks = memchr::memmem::find(&read, b"pgrade:").is_some();
            if asks { Next::Upgrade(read) } else { Next::Full(read) }
        }
        _ => Next::End,
    }
}
