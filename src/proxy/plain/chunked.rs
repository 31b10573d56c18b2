//! Chunk framing (RFC 9112 7.1) as it passes: the bytes stay as they are, and all that is found out is where data is and
//! where the end. Strict: a framing that two readers could read in two ways is an error.

/// Bytes of extensions in one body, and of the trailer section, that are put up with.
const MAX_EXTENSIONS: usize = 16 * 1024;
const MAX_TRAILERS: usize = 64 * 1024;

/// The framing is malformed.
#[derive(Debug, PartialEq, Eq)]
pub struct Malformed;

/// What a piece of a body was.
#[derive(Debug, PartialEq, Eq)]
pub struct Fed {
    /// So many bytes of it pass: all, or up to and including the line of the last chunk.
    pub pass: usize,
    /// So many bytes of it belong to the body, trailers included; `None`: all, and there is more to come.
    pub end: Option<usize>,
}

/// A body on its way.
#[derive(Debug)]
pub struct Chunks {
    state: State,
    extensions: usize,
    trailers: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// In the digits of a size: its value so far, and how many digits.
    Size(u64, u8),
    /// White space after the digits: only an extension or the line end may follow.
    Blank(u64),
    /// In an extension, up to the line end.
    Extension(u64),
    /// The line feed must follow.
    SizeEnd(u64),
    /// So many bytes of data.
    Data(u64),
    /// CR after the data.
    DataCr,
    /// LF after that.
    DataLf,
    /// At the beginning of a line of the trailer section.
    Trailer,
    /// In the name of a trailer.
    TrailerName,
    /// In its value.
    TrailerValue,
    /// LF must follow it.
    TrailerLf,
    /// LF must follow the empty line at the very end.
    LastLf,
    Ended,
}

impl Default for Chunks {
    fn default() -> Self {
        Self { state: State::Size(0, 0), extensions: 0, trailers: 0 }
    }
}

impl Chunks {
    /// Takes the next piece; `data` is called with what of it is data.
    ///
    /// # Errors
    /// [`Malformed`]: nothing after it can be trusted.
    pub fn feed(&mut self, bytes: &[u8], mut data: impl FnMut(&[u8])) -> Result<Fed, Malformed> {
        let (mut at, mut pass) = (0, 0);
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            if let State::Data(left) = self.state {
                let take = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
                data(rest.get(..take).unwrap_or_default());
                at += take;
                pass = at;
                let left = left - take as u64;
                self.state = if left == 0 { State::DataCr } else { State::Data(left) };
                continue;
            }
            let in_trailers = self.is_in_trailers();
            self.state = self.next(rest.first().copied().unwrap_or_default())?;
            at += 1;
            if !in_trailers {
                pass = at;
            }
            if self.state == State::Ended {
                return Ok(Fed { pass, end: Some(at) });
            }
        }
        Ok(Fed { pass, end: None })
    }

    fn trailer(&mut self, state: State) -> Result<State, Malformed> {
        self.trailers += 1;
        if self.trailers > MAX_TRAILERS { Err(Malformed) } else { Ok(state) }
    }

    fn is_in_trailers(&self) -> bool {
        use State::{LastLf, Trailer, TrailerLf, TrailerName, TrailerValue};
        matches!(self.state, Trailer | TrailerName | TrailerValue | TrailerLf | LastLf)
    }

    fn next(&mut self, byte: u8) -> Result<State, Malformed> {
        Ok(match (self.state, byte) {
            (State::Size(value, digits), _) if byte.is_ascii_hexdigit() => {
                if digits >= 15 {
                    return Err(Malformed);
                }
                let digit = char::from(byte).to_digit(16).ok_or(Malformed)?;
                State::Size(value * 16 + u64::from(digit), digits + 1)
            }
            (State::Size(_, 0), _) => return Err(Malformed),
            (State::Size(value, _) | State::Blank(value) | State::Extension(value), b'\r') => State::SizeEnd(value),
            (State::Size(value, _) | State::Blank(value), b';') => State::Extension(value),
            (State::Size(value, _) | State::Blank(value), b' ' | b'\t') => State::Blank(value),
            (State::Extension(value), _) if is_text(byte) => {
                self.extensions += 1;
                if self.extensions > MAX_EXTENSIONS {
                    return Err(Malformed);
                }
                State::Extension(value)
            }
            (State::SizeEnd(0) | State::TrailerLf, b'\n') => State::Trailer,
            (State::SizeEnd(value), b'\n') => State::Data(value),
            (State::DataCr, b'\r') => State::DataLf,
            (State::DataLf, b'\n') => State::Size(0, 0),
            (State::Trailer, b'\r') => State::LastLf,
            (State::TrailerValue, b'\r') => State::TrailerLf,
            (State::TrailerName, b':') => self.trailer(State::TrailerValue)?,
            (State::TrailerValue, _) if is_text(byte) => self.trailer(State::TrailerValue)?,
            (State::Trailer | State::TrailerName, _) if is_token(byte) => self.trailer(State::TrailerName)?,
            (State::LastLf, b'\n') => State::Ended,
            _ => return Err(Malformed),
        })
    }
}

/// RFC 9110 5.5.
const fn is_text(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

/// RFC 9110 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What passes, the data, and whether it has ended, fed in pieces of that size.
    fn fed(body: &str, piece: usize) -> Result<(String, String, bool), Malformed> {
        let (mut chunks, mut passed, mut data, mut ended) = (Chunks::default(), Vec::new(), Vec::new(), false);
        for piece in body.as_bytes().chunks(piece) {
            assert!(!ended, "bytes after the end are not fed");
            let fed = chunks.feed(piece, |bytes| data.extend_from_slice(bytes))?;
            passed.extend_from_slice(&piece[..fed.pass]);
            ended = fed.end.is_some();
        }
        Ok((String::from_utf8(passed).unwrap(), String::from_utf8(data).unwrap(), ended))
    }

    #[test]
    fn bodies_pass_as_they_are_up_to_the_trailers_in_pieces_of_any_size() {
        for (body, passed, data, ended) in [
            ("5\r\nhello\r\n0\r\n\r\n", "5\r\nhello\r\n0\r\n", "hello", true),
            ("5;a=b\r\nhello\r\n00\r\nX: y\r\nZ: \r\n\r\n", "5;a=b\r\nhello\r\n00\r\n", "hello", true),
            ("A\r\n0123456789\r\n1 \r\n\r\r\n", "A\r\n0123456789\r\n1 \r\n\r\r\n", "0123456789\r", false),
            ("5\r\nhel", "5\r\nhel", "hel", false),
            ("0\r\n\r\n", "0\r\n", "", true),
        ] {
            for piece in 1..=body.len() {
                let expected = (passed.to_owned(), data.to_owned(), ended);
                assert_eq!(fed(body, piece), Ok(expected), "{body:?} in pieces of {piece}");
            }
        }
    }

    #[test]
    fn what_two_readers_could_read_in_two_ways_is_an_error() {
        for body in [
            "\r\n",
            ";a\r\n",
            "5\nhello\r\n",
            "5\r\nhello\n",
            "5\r\nhello0\r\n",
            "g\r\n",
            "-1\r\n",
            "0x5\r\n",
            " 5\r\n",
            "5\r\r\nhello",
            "0\r\n\n",
            "0\r\nX: y\n\r\n",
            "0\r\nhello\r\n",
            "0\r\n: x\r\n",
            "0\r\nX y: z\r\n",
            "0\r\nX: a\r\n b\r\n",
            "1000000000000000\r\n",
            "5;a\nb\r\n",
            "5;\u{1}\r\n",
            "5 5\r\n",
            "5 ;\u{7f}\r\n",
        ] {
            for piece in 1..=body.len() {
                assert_eq!(fed(body, piece), Err(Malformed), "{body:?} in pieces of {piece}");
            }
        }
    }

    #[test]
    fn what_follows_the_end_is_left_alone() {
        let bytes = b"1\r\nx\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n";
        assert_eq!(Chunks::default().feed(bytes, |_| {}), Ok(Fed { pass: 9, end: Some(11) }));
    }

    #[test]
    fn endless_extensions_and_trailers_are_not_put_up_with() {
        assert_eq!(fed(&format!("5;{}\r\n", "a".repeat(MAX_EXTENSIONS + 1)), 4096), Err(Malformed));
        assert_eq!(fed(&format!("0\r\n{}", "a: b\r\n".repeat(MAX_TRAILERS)), 4096), Err(Malformed));
    }
}
