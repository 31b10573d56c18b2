//! The part of a request that consent is read from: its cookies, header fields and query, and the fields of a form.

use std::borrow::Cow;

use http::{HeaderMap, HeaderValue, header};

use crate::exchange::{RequestRecord, split_cookies};

/// Requests with more cookies grow the list.
const TYPICAL_COOKIES: usize = 64;

/// The signals of one request.
pub struct Signals<'a> {
    lines: Vec<Cow<'a, str>>,
    /// Cookies of somebody else's lines.
    split: Vec<(&'a str, &'a str)>,
    headers: &'a HeaderMap,
    query: &'a str,
    host: &'a str,
    path: &'a str,
    fields: Option<Vec<(&'a str, &'a str)>>,
}

impl<'a> Signals<'a> {
    /// From request headers; all `Cookie` lines (HTTP/2 crumbs) count.
    #[must_use]
    pub fn from_headers(headers: &'a HeaderMap) -> Self {
        let empty = Self { lines: Vec::new(), split: Vec::new(), headers, query: "", host: "", path: "", fields: None };
        headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes).fold(empty, Self::with_cookie_line)
    }

    /// From a request.
    #[must_use]
    pub fn of(request: &'a RequestRecord) -> Self {
        let (query, host, path) = (request.query(), request.host_name(), request.path());
        Self { query, host, path, ..Self::from_headers(&request.headers) }
    }

    /// With what was submitted: a consent checkbox is one of the fields, or is missing among them.
    #[must_use]
    pub fn with_fields(mut self, fields: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        self.fields = Some(fields.collect());
        self
    }

    /// Adds the value of a `Cookie` field, whatever bytes it has: one that a header map would not take, too. Bytes
    /// outside UTF-8 spoil the cookie they are in, not its neighbours: a no must not get lost by somebody else's byte.
    #[must_use]
    pub fn with_cookie_line(mut self, line: &'a [u8]) -> Self {
        // The lossy way looks at each byte by itself; nearly every line needs none of it.
        self.lines.push(std::str::from_utf8(line).map_or_else(|_| String::from_utf8_lossy(line), Cow::Borrowed));
        self
    }

    /// All cookies as sent: name and raw value.
    pub fn cookies(&self) -> impl Iterator<Item = (&str, &str)> {
        self.split.iter().copied().chain(self.lines.iter().flat_map(|line| split_cookies(line)))
    }

    /// The same request with its cookies split. All of them: a reader looks for companions of its cookie as well, and one
    /// that is left out could turn a no into a yes.
    pub(super) fn split(&self) -> Signals<'_> {
        let mut split = Vec::with_capacity(TYPICAL_COOKIES);
        split.extend(self.cookies());
        Signals { lines: Vec::new(), split, fields: self.fields.clone(), ..*self }
    }

    /// The raw values of all cookies of that name.
    pub fn cookies_named(&self, name: &str) -> impl Iterator<Item = &str> {
        self.cookies().filter(move |(n, _)| *n == name).map(|(_, value)| value)
    }

    /// All lines of a header.
    pub fn header_lines(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        self.headers.get_all(name).iter().map(HeaderValue::as_bytes)
    }

    /// The raw values of all query parameters of that name.
    pub fn query_values(&self, name: &str) -> impl Iterator<Item = &'a str> {
        let pairs = self.query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.filter(move |(n, _)| *n == name).map(|(_, value)| value)
    }

    /// The values of all submitted fields of that name; `None` when the request is no submission.
    #[must_use]
    pub fn field_values(&self, name: &str) -> Option<impl Iterator<Item = &'a str>> {
        let fields = self.fields.as_ref()?;
        Some(fields.iter().filter(move |(n, _)| *n == name).map(|(_, value)| *value))
    }

    /// The host that was asked, without its port.
    #[must_use]
    pub const fn host(&self) -> &'a str {
        self.host
    }

    /// The path that was asked.
    #[must_use]
    pub const fn path(&self) -> &'a str {
        self.path
    }
}
