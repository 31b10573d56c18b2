//! Finds the parts of a multipart body as it streams past, wherever its frames are cut (RFC 2046 5.1.1).
//!
//! Both readers of multipart, the decoder and the [`super::Reducer`], stand on this scanner, so they cannot disagree on
//! where a part begins. It looks at each byte a bounded number of times and holds back at most one delimiter and one
//! part's header block.

use bytes::Bytes;
use memchr::memmem;

/// A part's header block; browsers send about 200 bytes.
const MAX_HEADERS: usize = 8 * 1024;
/// White space that may follow a boundary (RFC 2046 "transport-padding").
const MAX_PADDING: usize = 64;
/// RFC 2046 5.1.1: a boundary has 1 to 70 characters.
const MAX_BOUNDARY: usize = 70;

/// Takes what the scanner finds.
pub(super) trait Sink {
    /// A part begins with this header block (ends with an empty line; empty when the part has no headers). Says whether
    /// its content is wanted.
    fn part(&mut self, headers: Bytes) -> bool;
    /// A piece of the content of the current part, if it is wanted.
    fn content(&mut self, piece: Bytes);
    /// The closing delimiter: the body is complete.
    fn close(&mut self);
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Between delimiters: the preamble or a part's content.
    Content { wanted: bool },
    /// After `--boundary`: what follows says whether it is a delimiter at all.
    Delimiter { wanted: bool },
    /// Inside a part's header block.
    Headers,
    /// After the closing delimiter, or after something that cannot be read: the rest does not matter.
    Done,
}

/// The scanner of one body.
pub(super) struct Scanner {
    /// CRLF, two hyphens, the boundary.
    needle: Bytes,
    finder: memmem::Finder<'static>,
    state: State,
    /// The end of the last frame that may be the beginning of a delimiter.
    held: Vec<u8>,
    /// What followed a boundary so far.
    tail: Vec<u8>,
    /// A header block that is not complete.
    headers: Vec<u8>,
}

impl Scanner {
    /// `None` when the boundary is none.
    pub(super) fn new(boundary: &str) -> Option<Self> {
        // CR and LF cannot be part of it: the search for a cut-off delimiter relies on CR being only its first byte.
        if !(1..=MAX_BOUNDARY).contains(&boundary.len()) || boundary.bytes().any(|b| b.is_ascii_control()) {
            return None;
        }
        let needle = Bytes::from(format!("\r\n--{boundary}"));
        Some(Self {
            finder: memmem::Finder::new(&needle).into_owned(),
            needle,
            state: State::Content { wanted: false },
            // The first delimiter may stand at the very beginning; with this it looks like any other.
            held: b"\r\n".to_vec(),
            tail: Vec::new(),
            headers: Vec::new(),
        })
    }

    /// CRLF, two hyphens, the boundary.
    pub(super) fn delimiter(&self) -> Bytes {
        self.needle.clone()
    }

    /// The next frame.
    pub(super) fn push(&mut self, frame: &Bytes, sink: &mut impl Sink) {
        let mut rest = frame.clone();
        while !rest.is_empty() {
            rest = match self.state {
                State::Content { wanted } => self.content(&rest, wanted, sink),
                State::Delimiter { wanted } => self.after_boundary(&rest, wanted, sink),
                State::Headers => self.header_block(&rest, sink),
                State::Done => return,
            };
        }
    }

    fn content(&mut self, rest: &Bytes, wanted: bool, sink: &mut impl Sink) -> Bytes {
        let text = if self.held.is_empty() {
            rest.clone()
        } else {
            self.held.extend_from_slice(rest);
            Bytes::from(std::mem::take(&mut self.held))
        };
        let (content, next) = match self.finder.find(&text) {
            Some(at) => {
                self.state = State::Delimiter { wanted };
                (at, at + self.needle.len())
            }
            None => (text.len() - self.cut_off_delimiter(&text), text.len()),
        };
        if wanted && content > 0 {
            sink.content(text.slice(..content));
        }
        if self.state == (State::Content { wanted }) {
            self.held.extend_from_slice(text.get(content..).unwrap_or_default());
        }
        text.slice(next..)
    }

    /// How many of the last bytes may be the beginning of a delimiter.
    fn cut_off_delimiter(&self, text: &[u8]) -> usize {
        let window = text.len().saturating_sub(self.needle.len() - 1);
        let end = text.get(window..).unwrap_or_default();
        memchr::memrchr(b'\r', end)
            .and_then(|at| end.get(at..))
            .filter(|beginning| self.needle.starts_with(beginning))
            .map_or(0, <[u8]>::len)
    }

    fn after_boundary(&mut self, rest: &Bytes, wanted: bool, sink: &mut impl Sink) -> Bytes {
        for (index, byte) in rest.iter().enumerate() {
            match (self.tail.last(), byte) {
                (Some(b'\r'), b'\n') => {
                    self.tail.clear();
                    self.state = State::Headers;
                    return rest.slice(index + 1..);
                }
                (Some(b'-'), b'-') => {
                    self.state = State::Done;
                    sink.close();
                    return Bytes::new();
                }
                (None, b'-') => self.tail.push(b'-'),
                (None | Some(b' ' | b'\t'), b' ' | b'\t' | b'\r') if self.tail.len() < MAX_PADDING => {
                    self.tail.push(*byte);
                }
                _ => {
                    // The boundary was the beginning of something else: content after all.
                    if wanted {
                        sink.content(self.needle.clone());
                        sink.content(Bytes::from(std::mem::take(&mut self.tail)));
                    }
                    self.tail.clear();
                    self.state = State::Content { wanted };
                    return rest.slice(index..);
                }
            }
        }
        Bytes::new()
    }

    fn header_block(&mut self, rest: &Bytes, sink: &mut impl Sink) -> Bytes {
        let block = if self.headers.is_empty() && end_of_headers(rest).is_some() {
            // The usual case: all of it in one frame, nothing is copied.
            rest.clone()
        } else {
            let room = MAX_HEADERS.saturating_sub(self.headers.len());
            let taken = rest.len().min(room);
            let before = self.headers.len();
            self.headers.extend_from_slice(rest.get(..taken).unwrap_or_default());
            let Some(end) = end_of_headers_from(&self.headers, before) else {
                if self.headers.len() >= MAX_HEADERS {
                    self.state = State::Done;
                }
                return rest.slice(taken..);
            };
            self.headers.truncate(end);
            let used = end.saturating_sub(before);
            let wanted = sink.part(Bytes::from(std::mem::take(&mut self.headers)));
            self.state = State::Content { wanted };
            return rest.slice(used..);
        };
        let end = end_of_headers(&block).unwrap_or(block.len());
        let wanted = sink.part(block.slice(..end));
        self.state = State::Content { wanted };
        block.slice(end..)
    }
}

/// Where the content begins, if the empty line is within reach.
fn end_of_headers(block: &[u8]) -> Option<usize> {
    end_of_headers_from(block.get(..MAX_HEADERS).unwrap_or(block), 0)
}

/// The same, when everything before `seen` was searched before.
fn end_of_headers_from(block: &[u8], seen: usize) -> Option<usize> {
    if block.starts_with(b"\r\n") {
        return Some(2);
    }
    let from = seen.saturating_sub(3);
    memmem::find(block.get(from..)?, b"\r\n\r\n").map(|at| from + at + 4)
}
