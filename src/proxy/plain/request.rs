//! Which requests are plain, and what becomes of their heads. Strict by construction: whatever is not on the short list here takes
//! the full way. A form is plain when all of it has come with its head, as a browser sends a short one: then there is no upload to
//! watch over.

use std::mem::MaybeUninit;

use http::{HeaderName, HeaderValue, Method};
use httparse::{Header, Request, Status};

use super::lines::{Lines, offset, write_line, write_own};
use crate::proxy::forwarded::{self, Change};
use crate::proxy::{headers, target};

/// Header lines a plain request may have.
pub const MAX_LINES: usize = 64;
/// Bytes that its head may have: nginx's and Apache's default is half of it.
pub const MAX_HEAD: usize = 16 * 1024;

/// Bytes of a body that has come with its head.
pub const MAX_BODY: usize = 16 * 1024;

/// Room for the lines of a head.
pub type Room<'b> = [MaybeUninit<Header<'b>>; MAX_LINES];

/// What the beginning of a buffer is.
pub enum Seen<'l, 'b> {
    /// Not a whole head yet.
    Partial,
    /// A request for the full way.
    Odd,
    /// Something that the full way has to make sense of, and to stay with.
    Strange,
    /// A plain request.
    Plain(Plain<'l, 'b>),
}

/// The methods that are plain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb<'b> {
    /// GET.
    Get,
    /// HEAD.
    Head,
    /// POST, with its body.
    Post(&'b [u8]),
}

impl<'b> Verb<'b> {
    /// The method.
    #[must_use]
    pub const fn method(self) -> Method {
        match self {
            Self::Get => Method::GET,
            Self::Head => Method::HEAD,
            Self::Post(_) => Method::POST,
        }
    }

    /// The body; empty where there is none.
    #[must_use]
    pub const fn body(self) -> &'b [u8] {
        match self {
            Self::Get | Self::Head => &[],
            Self::Post(body) => body,
        }
    }
}

/// The head of a plain request.
pub struct Plain<'l, 'b> {
    /// What is asked.
    pub verb: Verb<'b>,
    /// Path and query.
    pub target: &'b str,
    /// The one Host.
    pub host: &'b str,
    /// The visitor wants the connection to end after the answer.
    pub close: bool,
    /// Bytes of the head.
    pub length: usize,
    /// The header lines.
    pub lines: Lines<'l, 'b>,
}

/// Looks at the beginning of a buffer.
#[must_use]
pub fn look<'l, 'b>(bytes: &'b [u8], room: &'l mut Room<'b>) -> Seen<'l, 'b> {
    let mut request = Request::new(&mut []);
    let length = match request.parse_with_uninit_headers(bytes, room) {
        Ok(Status::Complete(length)) => length,
        Ok(Status::Partial) if bytes.len() < MAX_HEAD => return Seen::Partial,
        _ => return Seen::Strange,
    };
    let Request { method: Some(method), path: Some(target), version: Some(1), headers: lines } = request else {
        return Seen::Strange;
    };
    // Empty lines before the head are tolerated (RFC 9112 2.2), but not plain.
    if !bytes.starts_with(method.as_bytes()) {
        return Seen::Strange;
    }
    let lines = Lines(lines);
    let has = |name: &str| lines.0.iter().any(|line| line.name.eq_ignore_ascii_case(name));
    // With two framings the connection has to end after the answer (RFC 9112 6.1), and hyper alone knows of both.
    if has("upgrade") || (has("content-length") && has("transfer-encoding")) {
        return Seen::Strange;
    }
    let Some(fields) = fields(bytes, length, lines) else { return Seen::Odd };
    if length > MAX_HEAD || !target.starts_with('/') || target.contains('#') {
        return Seen::Odd;
    }
    let verb = match (method, fields.content_length) {
        ("GET", None) => Verb::Get,
        ("HEAD", None) => Verb::Head,
        // The rest of a longer one, or of one that comes in pieces, has to be waited for.
        ("POST", Some(body @ ..=MAX_BODY)) => match bytes.get(length..length + body) {
            Some(body) => Verb::Post(body),
            None => return Seen::Odd,
        },
        _ => return Seen::Odd,
    };
    Seen::Plain(Plain { verb, target, host: fields.host, close: fields.close, length, lines })
}

struct Known<'b> {
    host: &'b str,
    close: bool,
    content_length: Option<usize>,
}

/// `None`: something that is not on the list.
fn fields<'b>(bytes: &'b [u8], length: usize, lines: Lines<'_, 'b>) -> Option<Known<'b>> {
    let (mut host, mut close, mut content_length) = (None, false, None);
    for line in lines.0 {
        match line.name.len() {
            2 if line.name.eq_ignore_ascii_case("te") => return None,
            4 if line.name.eq_ignore_ascii_case("host") => {
                let value = std::str::from_utf8(line.value).ok().filter(|value| is_host(value))?;
                if host.replace(value).is_some() {
                    return None;
                }
            }
            6 if line.name.eq_ignore_ascii_case("expect") => return None,
            7 if line.name.eq_ignore_ascii_case("trailer") => return None,
            10 if line.name.eq_ignore_ascii_case("connection") => {
                for token in line.value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
                    if token.eq_ignore_ascii_case(b"close") {
                        close = true;
                    } else if !token.is_empty() && !token.eq_ignore_ascii_case(b"keep-alive") {
                        return None;
                    }
                }
            }
            14 if line.name.eq_ignore_ascii_case("content-length") => {
                let length = headers::number(line.value).and_then(|length| usize::try_from(length).ok())?;
                if content_length.replace(length).is_some() {
                    return None;
                }
            }
            17 if line.name.eq_ignore_ascii_case("transfer-encoding") => return None,
            _ => {}
        }
    }
    // No bare line feed anywhere: what a line is must not be a matter of opinion.
    let head = bytes.get(..length)?;
    let clean = memchr::memchr_iter(b'\n', head).all(|at| at > 0 && head.get(at - 1) == Some(&b'\r'));
    Some(Known { host: host.filter(|_| clean)?, close, content_length })
}

/// A Host with a name in it (RFC 9112 3.2), and nothing that a list could be made of.
fn is_host(value: &str) -> bool {
    !value.is_empty() && !value.contains(',') && target::is_host(value.as_bytes())
}

/// Appends the request for the site: what belongs to this hop out, `changes` and `added` in, everything else as it came.
pub fn write(
    out: &mut Vec<u8>,
    bytes: &[u8],
    request: &Plain<'_, '_>,
    changes: Option<&[(HeaderName, Change<'_>)]>,
    reserved: &[HeaderName],
    added: &[(HeaderName, HeaderValue)],
) {
    let first_line = offset(bytes, request.lines.0.first().map_or(&[], |line| line.name.as_bytes()));
    // There is at least Host. What comes before the first line is the request line, which has been checked.
    out.extend_from_slice(bytes.get(..first_line).unwrap_or_default());
    for line in request.lines.0 {
        if !goes(line.name, changes, reserved) {
            write_line(out, bytes, line);
        }
    }
    for (name, change) in changes.unwrap_or_default() {
        if let Change::Set(value) = change {
            write_own(out, name.as_str(), value);
        }
    }
    for (name, value) in added {
        write_own(out, name.as_str(), value.as_bytes());
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(request.verb.body());
}

/// Whether a line of the visitor's ends here.
fn goes(name: &str, changes: Option<&[(HeaderName, Change<'_>)]>, reserved: &[HeaderName]) -> bool {
    let is_ours = |changes: &[(HeaderName, Change<'_>)]| {
        let replaced = |(own, change): &(HeaderName, Change<'_>)| {
            *change != Change::Keep && own.as_str().eq_ignore_ascii_case(name)
        };
        changes.iter().any(replaced) || forwarded::is_underscore_twin(name)
    };
    headers::is_hop_by_hop(name)
        || headers::is_framing_twin(name)
        || name.eq_ignore_ascii_case("proxy")
        || headers::is_reserved(name, reserved)
        || changes.is_some_and(is_ours)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::peer::Peer;

    fn seen(bytes: &str) -> &'static str {
        let mut room = [const { MaybeUninit::uninit() }; MAX_LINES];
        match look(bytes.as_bytes(), &mut room) {
            Seen::Partial => "partial",
            Seen::Odd => "odd",
            Seen::Strange => "strange",
            Seen::Plain(_) => "plain",
        }
    }

    #[test]
    fn only_what_is_on_the_short_list_is_plain() {
        for (request, expected) in [
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "plain"),
            (
                "HEAD //x/../%zz?a=\"<>`|^{}\\ü HTTP/1.1\r\nhost:[::1]:80\r\nConnection: keep-alive, close\r\n\r\n",
                "plain",
            ),
            ("GET / HTTP/1.1\r\nHost: a\r\nConnection:\r\nX_y: z\r\n\r\nGET", "plain"),
            ("GET / HTTP/1.1\r\nHost: a\r\n", "partial"),
            ("G", "partial"),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na=bGET", "plain"),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", "plain"),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\na=b", "odd"),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\na=b", "odd"),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 3\r\n\r\na=b", "odd"),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\na=b", "odd"),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n", "odd"),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\na=b", "odd"),
            ("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na=b", "odd"),
            ("POST / HTTP/1.1\r\nHost: a\r\n\r\n", "odd"),
            ("get / HTTP/1.1\r\nHost: a\r\n\r\n", "odd"),
            ("GET /#f HTTP/1.1\r\nHost: a\r\n\r\n", "odd"),
            ("GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", "odd"),
            ("GET * HTTP/1.1\r\nHost: a\r\n\r\n", "odd"),
            ("GET / HTTP/1.1\r\n\r\n", "odd"),
            ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", "odd"),
            ("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", "odd"),
            ("GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", "odd"),
            ("GET / HTTP/1.1\r\nHost:\r\n\r\n", "odd"),
            ("GET / HTTP/1.1\r\nHost: a\r\nConnection: x-a\r\n\r\n", "odd"),
            ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", "odd"),
            ("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", "odd"),
            ("GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\n", "odd"),
            ("GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n", "odd"),
            ("GET / HTTP/1.1\nHost: a\n\n", "odd"),
            ("GET / HTTP/1.1\r\nHost: a\r\nX: y\n\r\n", "odd"),
            ("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\n\r\n", "strange"),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "strange"),
            ("GET / HTTP/1.1\r\nHost: a:8x\r\n\r\n", "odd"),
            ("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "strange"),
            ("GET / HTTP/1.0\r\nHost: a\r\n\r\n", "strange"),
            ("GET /  HTTP/1.1\r\nHost: a\r\n\r\n", "strange"),
            ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", "strange"),
            ("GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n", "strange"),
            ("GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n", "strange"),
            ("GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n", "strange"),
            ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "strange"),
            ("\u{16}\u{3}\u{1}", "strange"),
        ] {
            assert_eq!(seen(request), expected, "{request:?}");
        }
        let long = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}", "y".repeat(MAX_HEAD));
        assert_eq!((seen(&long), seen(&format!("{long}\r\n\r\n"))), ("strange", "odd"));
        let many = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "x: y\r\n".repeat(MAX_LINES));
        assert_eq!(seen(&many), "strange");
        for (length, expected) in [(MAX_BODY, "plain"), (MAX_BODY + 1, "odd")] {
            let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
            assert_eq!(seen(&(head + &"x".repeat(length))), expected, "{length}");
        }
    }

    #[test]
    fn the_head_for_the_site_differs_by_the_hops_own_lines_only() {
        let request = "GET /p?q HTTP/1.1\r\nHost: Shop.Example\r\nX-Forwarded-For: 203.0.113.9\r\naccept:*/*\r\nCookie: a\r\n\
                       Connection: keep-alive\r\nKeep-Alive: 5\r\nProxy: evil\r\nX_Forwarded_Proto: x\r\nCookie:  b\r\nX-Own: 1\r\n\
                       X-Forwarded-Proto: https\r\nx-empty:\r\n\r\n";
        let mut room = [const { MaybeUninit::uninit() }; MAX_LINES];
        let Seen::Plain(plain) = look(request.as_bytes(), &mut room) else { panic!("it is plain") };
        let peer = Peer::clear("192.0.2.7".parse().unwrap());
        let write = |changes: Option<&[_]>| {
            let mut out = Vec::new();
            super::write(&mut out, request.as_bytes(), &plain, changes, &[HeaderName::from_static("x-own")], &[]);
            String::from_utf8(out).unwrap()
        };
        let host = Some(&b"Shop.Example"[..]);
        assert_eq!(
            write(Some(&forwarded::changes(&plain.lines, peer, false, host))),
            "GET /p?q HTTP/1.1\r\nHost: Shop.Example\r\naccept:*/*\r\nCookie: a\r\nCookie:  b\r\nx-empty:\r\n\
             x-forwarded-for: 192.0.2.7\r\nx-forwarded-proto: http\r\nx-forwarded-host: Shop.Example\r\n\r\n"
        );
        assert_eq!(
            write(Some(&forwarded::changes(&plain.lines, peer, true, host))),
            "GET /p?q HTTP/1.1\r\nHost: Shop.Example\r\naccept:*/*\r\nCookie: a\r\nCookie:  b\r\n\
             X-Forwarded-Proto: https\r\nx-empty:\r\nx-forwarded-for: 203.0.113.9, 192.0.2.7\r\n\
             x-forwarded-host: Shop.Example\r\n\r\n"
        );
        assert_eq!(
            write(None),
            "GET /p?q HTTP/1.1\r\nHost: Shop.Example\r\nX-Forwarded-For: 203.0.113.9\r\naccept:*/*\r\nCookie: a\r\n\
             X_Forwarded_Proto: x\r\nCookie:  b\r\nX-Forwarded-Proto: https\r\nx-empty:\r\n\r\n"
        );
    }
}
