//! The body of an answer as it passes: where its data is, where it ends, and what the visitor gets of it.

use bytes::Bytes;

use super::answer::{Answer, Framing};
use super::chunked::Chunks;
use crate::proxy::copy::Copy;
use crate::proxy::hooks::Settled;

/// Whether a body has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// There is more to come.
    NotYet,
    /// With its last byte.
    Clean,
    /// With something after it that nobody asked for: the connection is of no use any more.
    Excess,
    /// Before its end, or malformed.
    Broken,
}

/// The body of an answer as it passes.
pub struct Body {
    framing: Framing,
    chunks: Chunks,
    copy: Option<Box<Copy>>,
    settled: Option<Settled>,
    keep: bool,
    end: End,
}

/// What the visitor gets of a piece of a body.
pub struct Piece<'p> {
    before: String,
    /// What the site sent.
    pub data: &'p [u8],
    after: &'static [u8],
}

impl Piece<'_> {
    /// Everything, in order.
    #[must_use]
    pub fn parts(&self) -> [&[u8]; 3] {
        [self.before.as_bytes(), self.data, self.after]
    }
}

impl Body {
    /// After that head.
    #[must_use]
    pub fn new(answer: &Answer, copy: Option<Box<Copy>>) -> Self {
        let end =
            if matches!(answer.framing, Framing::Bodiless | Framing::Length(0)) { End::Clean } else { End::NotYet };
        Self { framing: answer.framing, chunks: Chunks::default(), copy, settled: None, keep: answer.keep, end }
    }

    /// Whether it has ended.
    #[must_use]
    pub const fn end(&self) -> End {
        self.end
    }

    /// It has ended, and the connection to the site can be used again.
    #[must_use]
    pub fn leaves_connection(&self) -> bool {
        self.keep && self.end == End::Clean
    }

    /// What the end of the answer has to wait for, once it is there.
    pub fn settled(&mut self) -> Option<Settled> {
        self.settled.take()
    }

    /// Takes what the site sent.
    pub fn feed<'p>(&mut self, bytes: &'p [u8]) -> Piece<'p> {
        let nothing = Piece { before: String::new(), data: &[], after: &[] };
        if bytes.is_empty() {
            return nothing;
        }
        if self.end != End::NotYet {
            self.end = End::Excess;
            return nothing;
        }
        let copy = &mut self.copy;
        let mut keep_copy = |data: &[u8]| {
            if let Some(copy) = copy {
                copy.push(&Bytes::copy_from_slice(data));
            }
        };
        match &mut self.framing {
            Framing::Bodiless => nothing,
            Framing::Length(left) => {
                let take = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                let (data, excess) = bytes.split_at_checked(take).unwrap_or((bytes, &[]));
                keep_copy(data);
                *left -= take as u64;
                if *left == 0 {
                    self.finish(if excess.is_empty() { End::Clean } else { End::Excess });
                }
                Piece { data, ..nothing }
            }
            Framing::Chunked => {
                let Ok(fed) = self.chunks.feed(bytes, keep_copy) else {
                    self.end = End::Broken;
                    return nothing;
                };
                let data = bytes.get(..fed.pass).unwrap_or_default();
                let Some(end) = fed.end else { return Piece { data, ..nothing } };
                self.finish(if end == bytes.len() { End::Clean } else { End::Excess });
                // Without the trailers: this visitor has not said that it wants them (RFC 9110 6.5.1).
                Piece { data, after: b"\r\n", ..nothing }
            }
            Framing::Close => {
                keep_copy(bytes);
                Piece { before: format!("{:x}\r\n", bytes.len()), data: bytes, after: b"\r\n" }
            }
        }
    }

    /// The site has closed the connection.
    pub fn close(&mut self) -> Piece<'static> {
        let whole = self.framing == Framing::Close;
        self.finish(if whole { End::Clean } else { End::Broken });
        Piece { before: String::new(), data: &[], after: if whole { b"0\r\n\r\n" } else { &[] } }
    }

    fn finish(&mut self, end: End) {
        self.end = end;
        if end == End::Broken {
            return;
        }
        self.settled = self.copy.take().and_then(|mut copy| copy.complete());
    }
}
