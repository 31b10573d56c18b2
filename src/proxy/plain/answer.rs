//! The head of the site's answer: where its body ends, and what becomes of its lines.

use std::mem::MaybeUninit;

use http::header::{CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, DATE, SET_COOKIE, TRANSFER_ENCODING};
use httparse::{Header, ParserConfig, Response, Status};

use super::lines::{Lines, write_line, write_own};
use crate::proxy::fields::Fields;
use crate::proxy::headers;
use crate::proxy::hooks::LandingEdit;

/// Lines of an answer for which there is always room; more need a list of their own.
const LINES: usize = 128;

/// How the end of the body is known (RFC 9112 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// There is no body.
    Bodiless,
    /// So many bytes.
    Length(u64),
    /// In chunks.
    Chunked,
    /// The site closes the connection.
    Close,
}

/// What matters of a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// How the body ends.
    pub framing: Framing,
    /// The connection can be used again afterwards.
    pub keep: bool,
    /// Bytes of the head.
    pub length: usize,
}

/// The answer is none that could be passed on.
#[derive(Debug, PartialEq, Eq)]
pub struct Invalid(pub &'static str);

/// Looks at the beginning of an answer and, if its head is complete, hands it over with its lines. What old CGI scripts print is
/// accepted, as on the full way.
///
/// # Errors
/// [`Invalid`].
pub fn with_head<T>(
    bytes: &[u8],
    is_head: bool,
    max_lines: usize,
    then: impl FnOnce(Answer, Lines<'_, '_>) -> T,
) -> Result<Option<T>, Invalid> {
    let mut room = [const { MaybeUninit::uninit() }; LINES];
    let mut response = Response::new(&mut []);
    match parser().parse_response_with_uninit_headers(&mut response, bytes, &mut room) {
        Ok(Status::Partial) => Ok(None),
        Ok(Status::Complete(length)) if response.headers.len() <= max_lines => {
            answer(&response, length, is_head).map(|answer| Some(then(answer, Lines(response.headers))))
        }
        Err(httparse::Error::TooManyHeaders) if max_lines > LINES => with_many(bytes, is_head, max_lines, then),
        Ok(Status::Complete(_)) | Err(httparse::Error::TooManyHeaders) => Err(TOO_MANY),
        Err(_) => Err(Invalid("its head is malformed")),
    }
}

const TOO_MANY: Invalid = Invalid("its head has more lines than limits.max_headers");

fn with_many<T>(
    bytes: &[u8],
    is_head: bool,
    max_lines: usize,
    then: impl FnOnce(Answer, Lines<'_, '_>) -> T,
) -> Result<Option<T>, Invalid> {
    let mut room = vec![httparse::EMPTY_HEADER; max_lines];
    let mut response = Response::new(&mut room);
    match parser().parse_response(&mut response, bytes) {
        Ok(Status::Partial) => Ok(None),
        Ok(Status::Complete(length)) => {
            answer(&response, length, is_head).map(|answer| Some(then(answer, Lines(response.headers))))
        }
        Err(httparse::Error::TooManyHeaders) => Err(TOO_MANY),
        Err(_) => Err(Invalid("its head is malformed")),
    }
}

fn parser() -> ParserConfig {
    let mut parser = ParserConfig::default();
    parser
        .allow_obsolete_multiline_headers_in_responses(true)
        .allow_spaces_after_header_name_in_responses(true)
        .ignore_invalid_headers_in_responses(true);
    parser
}

fn answer(response: &Response<'_, '_>, length: usize, is_head: bool) -> Result<Answer, Invalid> {
    let (Some(status @ 100..), Some(version)) = (response.code, response.version) else {
        return Err(Invalid("its head is malformed"));
    };
    let (mut lengths, mut trouble, mut coding, mut keep) = (None, None, None, version == 1);
    for line in response.headers.iter() {
        match line.name.len() {
            10 if is(line, &CONNECTION) => {
                let mut tokens = line.value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
                keep &= !tokens.any(|token| token.eq_ignore_ascii_case(b"close"));
            }
            14 if is(line, &CONTENT_LENGTH) => match content_length(line.value) {
                Some(value) if lengths.replace(value).is_none_or(|before| before == value) => {}
                Some(_) => trouble = Some(Invalid("it has two lengths")),
                None => trouble = Some(Invalid("its Content-Length is no length")),
            },
            // A list passed on without its label would be another body (RFC 9112 6.1).
            17 if is(line, &TRANSFER_ENCODING) => {
                let known = line.value.trim_ascii().eq_ignore_ascii_case(b"chunked");
                coding = Some(known && coding.is_none());
            }
            _ => {}
        }
    }
    // An answer before the answer has no body, whatever it says; it goes no further.
    if status >= 200
        && let (Some(trouble), None) = (trouble, coding)
    {
        return Err(trouble);
    }
    let framing = match (coding, lengths) {
        _ if is_head || matches!(status, 100..=199 | 204 | 304) => Framing::Bodiless,
        // Whatever length stands beside it means nothing (RFC 9112 6.3); HTTP/1.0 knows no coding (6.1).
        (Some(true), _) if version == 1 => Framing::Chunked,
        (Some(_), _) => return Err(Invalid("its transfer coding is not supported")),
        (None, Some(length)) => Framing::Length(length),
        (None, None) => Framing::Close,
    };
    Ok(Answer { status, framing, keep: keep && framing != Framing::Close, length })
}

fn is(line: &Header<'_>, name: &http::HeaderName) -> bool {
    line.name.eq_ignore_ascii_case(name.as_str())
}

/// One number, or the same number several times (RFC 9110 8.6).
fn content_length(value: &[u8]) -> Option<u64> {
    let mut length = None;
    for part in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
        let number = headers::number(part)?;
        if length.replace(number).is_some_and(|before| before != number) {
            return None;
        }
    }
    length
}

/// What this hop adds to an answer.
pub struct Additions<'a> {
    /// A landing's, or a form's.
    pub edit: &'a LandingEdit,
    /// The connection to the visitor ends afterwards.
    pub close: bool,
}

/// Appends the head for the visitor: what belongs to the hop to the site out, what belongs to this one in, everything else as it came.
/// `date` is asked where the site sent none (RFC 9110 6.6.1).
pub fn write(
    out: &mut Vec<u8>,
    bytes: &[u8],
    answer: &Answer,
    lines: Lines<'_, '_>,
    additions: &Additions<'_>,
    date: impl FnOnce() -> String,
) {
    write_status_line(out, bytes);
    let connection = lines.all(&CONNECTION);
    let length_goes = answer.status == 204 || lines.first(&TRANSFER_ENCODING).is_some();
    let cache_control_goes = additions.edit.cache_control.is_some();
    let (mut has_length, mut has_date) = (false, false);
    for line in lines.0 {
        if headers::is_hop_by_hop(line.name)
            || (!connection.is_empty() && headers::is_nominated(line.name, &connection))
        {
            continue;
        }
        match line.name.len() {
            4 if is(line, &DATE) => has_date = true,
            13 if cache_control_goes && is(line, &CACHE_CONTROL) => continue,
            14 if is(line, &CONTENT_LENGTH) => {
                // Repeated, it would be a list.
                if length_goes || std::mem::replace(&mut has_length, true) {
                    continue;
                }
                if line.value.contains(&b',') {
                    let length = line.value.split(|byte| *byte == b',').next().unwrap_or_default();
                    write_own(out, line.name, length.trim_ascii());
                    continue;
                }
            }
            17 if is(line, &TRANSFER_ENCODING) => continue,
            _ => {}
        }
        write_line(out, bytes, line);
    }
    for cookie in &additions.edit.set_cookies {
        write_own(out, SET_COOKIE.as_str(), cookie.as_bytes());
    }
    if let Some(value) = &additions.edit.cache_control {
        write_own(out, CACHE_CONTROL.as_str(), value.as_bytes());
    }
    if !has_date {
        write_own(out, DATE.as_str(), date().as_bytes());
    }
    if matches!(answer.framing, Framing::Chunked | Framing::Close) {
        write_own(out, TRANSFER_ENCODING.as_str(), b"chunked");
    }
    if additions.close {
        write_own(out, CONNECTION.as_str(), b"close");
    }
    out.extend_from_slice(b"\r\n");
}

/// The version is this hop's own (RFC 9112 2.3); code and reason are the site's, byte for byte.
fn write_status_line(out: &mut Vec<u8>, bytes: &[u8]) {
    let line = bytes.split(|byte| *byte == b'\n').find(|line| line.starts_with(b"HTTP/")).unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    out.extend_from_slice(b"HTTP/1.1");
    out.extend_from_slice(line.get(8..).unwrap_or_default());
    // The space is owed even where no reason follows (RFC 9112 4).
    out.extend_from_slice(if line.len() == "HTTP/1.1 200".len() { b" \r\n" } else { b"\r\n" });
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn looked(head: &str, is_head: bool) -> Result<Option<(u16, Framing, bool)>, Invalid> {
        with_head(head.as_bytes(), is_head, 256, |answer, _| (answer.status, answer.framing, answer.keep))
    }

    #[test]
    fn the_end_of_a_body_is_known_or_the_answer_is_invalid() {
        for (fields, is_head, expected) in [
            ("200 OK\r\nContent-Length: 5\r\n", false, Ok((Framing::Length(5), true))),
            ("200 OK\r\nContent-Length: 5, 5\r\nContent-Length: 5\r\n", false, Ok((Framing::Length(5), true))),
            ("200 OK\r\nContent-Length: 5\r\n", true, Ok((Framing::Bodiless, true))),
            ("204 No Content\r\nContent-Length: 5\r\n", false, Ok((Framing::Bodiless, true))),
            ("304 Not Modified\r\nContent-Length: 5\r\n", false, Ok((Framing::Bodiless, true))),
            ("200 OK\r\nTransfer-Encoding: Chunked\r\nContent-Length: 5\r\n", false, Ok((Framing::Chunked, true))),
            ("200 OK\r\nConnection: x, CLOSE\r\nContent-Length: 0\r\n", false, Ok((Framing::Length(0), false))),
            ("200 OK\r\n", false, Ok((Framing::Close, false))),
            ("200 OK\r\nTransfer-Encoding: gzip, chunked\r\n", false, Err(())),
            ("200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", false, Err(())),
            ("200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n", false, Err(())),
            ("200 OK\r\nContent-Length: +5\r\n", false, Err(())),
            ("200 OK\r\nContent-Length: 99999999999999999999\r\n", false, Err(())),
            ("200 OK\r\nContent-Length:\r\n", false, Err(())),
        ] {
            let head = format!("HTTP/1.1 {fields}\r\n");
            let found = looked(&head, is_head).map(|found| found.map(|(_, framing, keep)| (framing, keep)));
            assert_eq!(found.map_err(|_| ()), expected.map(Some), "{head}");
        }
        assert_eq!(looked("HTTP/1.1 200 OK\r\nX: y\r\n", false), Ok(None));
        assert!(looked("HTTP/1.1 099 Low\r\n\r\n", false).is_err());
        let old = looked("HTTP/1.0 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive\r\n\r\n", false);
        assert_eq!(old, Ok(Some((200, Framing::Length(1), false))), "an old server's connection is not used again");
    }

    fn written(head: &str, additions: &Additions<'_>) -> String {
        with_head(head.as_bytes(), false, 256, |answer, lines| {
            let mut out = Vec::new();
            write(&mut out, head.as_bytes(), &answer, lines, additions, || "NOW".to_owned());
            String::from_utf8_lossy(&out).into_owned()
        })
        .unwrap()
        .unwrap()
    }

    #[test]
    fn everything_but_the_hops_own_lines_stays_byte_for_byte() {
        let plain = Additions { edit: &LandingEdit::default(), close: false };
        for (head, expected) in [
            (
                "HTTP/1.0 299  Quite  fine\r\nX-A:  b \t\r\nx-a:\r\nDate: then\r\nCONTENT-LENGTH:5\r\n\r\n",
                "HTTP/1.1 299  Quite  fine\r\nX-A:  b\r\nx-a:\r\nDate: then\r\nCONTENT-LENGTH:5\r\n\r\n",
            ),
            (
                "HTTP/1.1 200 OK\r\nConnection: X-Mine, Set-Cookie\r\nx-mine: 1\r\nSet-Cookie: a=b\r\nKeep-Alive: 5\r\n\
                 Upgrade: h2c\r\nProxy-Connection: x\r\nContent-Length: 0\r\n\r\n",
                "HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\ndate: NOW\r\n\r\n",
            ),
            (
                "HTTP/1.1 200\r\nDate: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\nLast: y\r\n\r\n",
                "HTTP/1.1 200 \r\nDate: x\r\nLast: y\r\ntransfer-encoding: chunked\r\n\r\n",
            ),
            (
                "HTTP/1.1 200 OK\nDate: x\nContent-Length: 5, 5\nContent-Length: 5\n\n",
                "HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 5\r\n\r\n",
            ),
            // What old CGI scripts print (RFC 9112 5.1, 5.2).
            (
                "HTTP/1.1 200 OK\r\nX-Fold: a\r\n \t b\r\nX-Space : c\r\n: nameless\r\nDate: x\r\n\r\n",
                "HTTP/1.1 200 OK\r\nX-Fold: a b\r\nX-Space: c\r\nDate: x\r\ntransfer-encoding: chunked\r\n\r\n",
            ),
        ] {
            assert_eq!(written(head, &plain), expected, "{head}");
        }
    }

    #[test]
    fn a_landing_appends_its_cookie_and_keeps_shared_caches_out() {
        let edit = LandingEdit {
            set_cookies: vec![HeaderValue::from_static("_fbc=fb.1.2.x")],
            cache_control: Some(HeaderValue::from_static("private")),
        };
        let head = "HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nCache-Control: public\r\ncache-control: max-age=5\r\nDate: x\r\n\
                    Content-Length: 0\r\n\r\n";
        let expected = "HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nDate: x\r\nContent-Length: 0\r\n\
                        set-cookie: _fbc=fb.1.2.x\r\ncache-control: private\r\nconnection: close\r\n\r\n";
        assert_eq!(written(head, &Additions { edit: &edit, close: true }), expected);
    }

    #[test]
    fn more_lines_than_the_limit_are_refused_and_the_limit_can_be_raised() {
        let head = |lines: usize| format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(lines));
        let fits = |lines, limit| with_head(head(lines).as_bytes(), false, limit, |_, lines| lines.0.len()).is_ok();
        for (lines, limit, expected) in [
            (100, 100, true),
            (101, 100, false),
            (129, 100, false),
            (129, 256, true),
            (257, 256, false),
            (300, 1000, true),
        ] {
            assert_eq!(fits(lines, limit), expected, "{lines} of {limit}");
        }
    }
}
