//! What the data plane hands to the lead plane: a copy of one request and of its answer.
//!
//! The proxy fills it without knowing what it is for; `explain` fills it from recorded files. It holds contact data, so
//! it lives in memory only and its `Debug` shows sizes, never content.

use std::fmt;
use std::net::IpAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, header};

/// A point in time as Unix milliseconds. Pure code gets it as a parameter instead of reading a clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixMillis(pub u64);

impl UnixMillis {
    /// The system clock, for the rooms that have I/O. A clock before 1970 reads as 0.
    #[must_use]
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    /// Whole seconds, as Meta's `event_time` wants them.
    #[must_use]
    pub const fn as_secs(self) -> u64 {
        self.0 / 1000
    }
}

/// The copy of a body. Whatever is not [`Captured::Whole`] must never be read as proof of anything.
#[derive(Clone)]
pub enum Captured {
    /// All of it; of a multipart body, all but the content of its file parts.
    Whole(Bytes),
    /// It was longer than `limits.capture_bytes`.
    OverCap,
    /// No memory was left in `limits.capture_budget`.
    OverBudget,
    /// The sender broke off.
    Aborted,
}

impl Captured {
    /// The bytes that were kept.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Whole(bytes) => bytes,
            Self::OverCap | Self::OverBudget | Self::Aborted => &[],
        }
    }

    /// The bytes, if they are all there.
    #[must_use]
    pub fn whole(&self) -> Option<&[u8]> {
        match self {
            Self::Whole(bytes) => Some(bytes),
            _ => None,
        }
    }
}

impl fmt::Debug for Captured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(b) => write!(f, "Whole({} bytes)", b.len()),
            Self::OverCap => f.write_str("OverCap"),
            Self::OverBudget => f.write_str("OverBudget"),
            Self::Aborted => f.write_str("Aborted"),
        }
    }
}

/// The request as the visitor sent it, before the proxy changed anything.
#[derive(Clone)]
pub struct RequestRecord {
    /// The method.
    pub method: Method,
    /// Path and query exactly as received.
    pub target: String,
    /// Whether the visitor spoke https, by our own TLS or a trusted peer's word.
    pub https: bool,
    /// The received Host, port included, lower-cased. Never X-Forwarded-Host.
    pub host: String,
    /// The received header fields.
    pub headers: HeaderMap,
    /// The body.
    pub body: Captured,
    /// The visitor's address: the right-most hop that is not a trusted proxy.
    pub client_ip: Option<IpAddr>,
    /// When the head arrived.
    pub received: UnixMillis,
}

impl RequestRecord {
    /// The path without the query.
    #[must_use]
    pub fn path(&self) -> &str {
        path_of(&self.target)
    }

    /// The query without its `?`; empty when there is none.
    #[must_use]
    pub fn query(&self) -> &str {
        query_of(&self.target)
    }

    /// The host without its port.
    #[must_use]
    pub fn host_name(&self) -> &str {
        host_name(&self.host)
    }

    /// `https` or `http`.
    #[must_use]
    pub const fn scheme(&self) -> &'static str {
        if self.https { "https" } else { "http" }
    }

    /// The first line of a header, if it is visible ASCII or UTF-8.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        header_text(&self.headers, name)
    }
}

impl fmt::Debug for RequestRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequestRecord({} {}, {:?})", self.method, self.path(), self.body)
    }
}

/// The site's answer.
#[derive(Clone)]
pub struct ResponseRecord {
    /// The status.
    pub status: StatusCode,
    /// The header fields as the site sent them.
    pub headers: HeaderMap,
    /// The body as it travelled, still compressed if it was.
    pub body: Captured,
}

impl ResponseRecord {
    /// The first line of a header, if it is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        header_text(&self.headers, name)
    }
}

impl fmt::Debug for ResponseRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ResponseRecord({}, {:?})", self.status, self.body)
    }
}

/// One request with its answer.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// What the visitor sent.
    pub request: RequestRecord,
    /// What the site answered; `None` when it did not.
    pub response: Option<ResponseRecord>,
}

/// A target's path.
#[must_use]
pub fn path_of(target: &str) -> &str {
    target.split(['?', '#']).next().unwrap_or_default()
}

/// A target's query without its `?`; empty when there is none.
#[must_use]
pub fn query_of(target: &str) -> &str {
    target.split_once('?').map_or("", |(_, query)| query)
}

/// A host without its port: `shop.example:8080` → `shop.example`, `[::1]:80` → `[::1]`.
#[must_use]
pub fn host_name(host: &str) -> &str {
    if host.starts_with('[') {
        return host.find(']').map_or(host, |end| &host[..=end]);
    }
    host.split(':').next().unwrap_or_default()
}

/// The first line of a header as text; bytes outside UTF-8 make it `None`.
#[must_use]
pub fn header_text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| std::str::from_utf8(value.as_bytes()).ok())
}

/// The cookies of a request as they were sent: name and raw value, in order, duplicates included. Values keep their
/// encoding and their quotes; several `Cookie` lines (HTTP/2 crumbs) are read as one.
pub fn cookies(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b';'))
        // A byte outside UTF-8 spoils the cookie it is in, not its neighbours.
        .filter_map(|pair| std::str::from_utf8(pair).ok())
        .flat_map(split_cookies)
}

/// Splits one `Cookie` header value into names and raw values (RFC 6265 5.4 in reverse, as lenient as servers are).
pub fn split_cookies(line: &str) -> impl Iterator<Item = (&str, &str)> {
    let ends = memchr::memchr_iter(b';', line.as_bytes()).chain(std::iter::once(line.len()));
    ends.scan(0, |start, end| Some(line.get(std::mem::replace(start, end + 1)..end).unwrap_or_default())).filter_map(
        |pair| {
            let at = memchr::memchr(b'=', pair.as_bytes())?;
            let (name, value) = (pair.get(..at)?.trim_ascii(), pair.get(at + 1..)?.trim_ascii());
            (!name.is_empty()).then_some((name, value))
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_cut_from_hosts_of_every_shape() {
        for (host, name) in
            [("shop.example", "shop.example"), ("shop.example:81", "shop.example"), ("[::1]:80", "[::1]"), ("", "")]
        {
            assert_eq!(host_name(host), name);
        }
    }

    #[test]
    fn raw_json_in_a_cookie_survives_splitting() {
        let all: Vec<_> = split_cookies(r#"a={"x":"1","y":2}; b=c=d;  ; e"#).collect();
        assert_eq!(all, [("a", r#"{"x":"1","y":2}"#), ("b", "c=d")]);
    }
}
