//! The part of a request that consent is read from: its cookies, header fields and query, and the fields of a form.

use std::borrow::Cow;

use http::{HeaderName, header};

use crate::exchange::{RequestRecord, path_of, query_of, split_cookies};
use crate::proxy::fields::Fields;

/// Requests with more cookies grow the list.
const TYPICAL_COOKIES: usize = 16;

/// The signals of one request.
pub struct Signals<'a> {
    /// Split once: several readers look through all of them.
    cookies: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    headers: &'a dyn Fields,
    query: &'a str,
    host: &'a str,
    path: &'a str,
    fields: Option<Vec<(&'a str, &'a str)>>,
}

impl<'a> Signals<'a> {
    /// From request headers; all `Cookie` lines (HTTP/2 crumbs) count.
    #[must_use]
    pub fn from_headers(headers: &'a dyn Fields) -> Self {
        let empty = Self { cookies: Vec::new(), headers, query: "", host: "", path: "", fields: None };
        headers.all(&header::COOKIE).into_iter().fold(empty, Self::with_cookie_line)
    }

    /// From a request.
    #[must_use]
    pub fn of(request: &'a RequestRecord) -> Self {
        Self::from_headers(&request.headers).on(request.host_name(), &request.target)
    }

    /// Where it was asked: a host without its port, path and query.
    #[must_use]
    pub fn on(self, host: &'a str, target: &'a str) -> Self {
        Self { host, path: path_of(target), query: query_of(target), ..self }
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
        self.cookies.reserve(TYPICAL_COOKIES);
        if let Ok(line) = std::str::from_utf8(line) {
            self.cookies.extend(split_cookies(line).map(|(name, value)| (name.into(), value.into())));
        } else {
            // This way looks at each byte by itself; nearly every line needs none of it.
            let line = String::from_utf8_lossy(line);
            let owned = |text: &str| Cow::Owned(text.to_owned());
            self.cookies.extend(split_cookies(&line).map(|(name, value)| (owned(name), owned(value))));
        }
        self
    }

    /// All cookies as sent: name and raw value.
    pub fn cookies(&self) -> impl Iterator<Item = (&str, &str)> {
        self.cookies.iter().map(|(name, value)| (&**name, &**value))
    }

    /// The raw values of all cookies of that name.
    pub fn cookies_named(&self, name: &str) -> impl Iterator<Item = &str> {
        self.cookies().filter(move |(n, _)| *n == name).map(|(_, value)| value)
    }

    /// All lines of a header.
    pub fn header_lines(&self, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.headers.all(name).into_iter()
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
