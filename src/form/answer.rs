//! The site's answer, ready to be asked: decoded, as JSON or as HTML, each at most once.
//!
//! A body that is not whole is no body here: what was cut off may have been the error.

use std::borrow::Cow;
use std::cell::OnceCell;

use encoding_rs::{Encoding, UTF_8};
use http::StatusCode;
use serde_json::Value;

use super::body::parameter;
use super::content_coding::{self, Unreadable};
use super::html;
use super::page::Page;
use crate::exchange::{Captured, ResponseRecord};

/// Why an answer's body cannot be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoBody {
    OverCap,
    OverBudget,
    Aborted,
    Unreadable,
}

/// An answer.
pub(super) struct Answer<'a> {
    record: &'a ResponseRecord,
    body: Result<Cow<'a, [u8]>, NoBody>,
    json: OnceCell<Option<Value>>,
    page: OnceCell<Page>,
}

impl<'a> Answer<'a> {
    pub(super) fn new(record: &'a ResponseRecord) -> Self {
        let body = match &record.body {
            Captured::Whole(bytes) => {
                let codings = record.header("content-encoding").unwrap_or_default();
                content_coding::decode(bytes, codings).map_err(|why| match why {
                    Unreadable::Coding => NoBody::Unreadable,
                    Unreadable::TooLarge => NoBody::OverCap,
                })
            }
            Captured::OverCap => Err(NoBody::OverCap),
            Captured::OverBudget => Err(NoBody::OverBudget),
            Captured::Aborted => Err(NoBody::Aborted),
        };
        Self { record, body, json: OnceCell::new(), page: OnceCell::new() }
    }

    pub(super) fn status(&self) -> StatusCode {
        self.record.status
    }

    /// Whether the status is what programs answer to a form they are done with. 301, 307 and 308 are servers moving a
    /// URL: the form was not looked at.
    pub(super) fn is_redirect(&self) -> bool {
        matches!(self.record.status.as_u16(), 302 | 303)
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.record.header(name)
    }

    /// The decoded body.
    pub(super) fn body(&self) -> Result<&[u8], NoBody> {
        self.body.as_deref().map_err(|why| *why)
    }

    /// The body as JSON, whatever type it is sent under (plugins send JSON as `text/html`); `None` for a bare word.
    ///
    /// Comments of HTML may stand around it: Gravity Forms marks so where its JSON begins and ends, for the case that
    /// another plugin prints something of its own, and caching plugins sign what they pass on.
    pub(super) fn json(&self) -> Option<&Value> {
        self.json
            .get_or_init(|| {
                let body = self.body().ok()?;
                let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
                let body = without_comments_around(body);
                let looks = matches!(body.first(), Some(b'{' | b'['));
                looks.then(|| serde_json::from_slice(body).ok()).flatten()
            })
            .as_ref()
    }

    /// The body, if it is HTML; Turbo's streams are HTML under a name of their own.
    pub(super) fn html(&self) -> Option<&[u8]> {
        let essence = self.header("content-type").unwrap_or("text/html").split(';').next().unwrap_or_default().trim();
        let is_html = ["text/html", "application/xhtml+xml", "text/vnd.turbo-stream.html"]
            .iter()
            .any(|html| essence.eq_ignore_ascii_case(html));
        self.body().ok().filter(|_| is_html && self.json().is_none())
    }

    /// The forms of an HTML answer.
    pub(super) fn page(&self) -> Option<&Page> {
        let html = self.html()?;
        Some(self.page.get_or_init(|| Page::parse(html)))
    }

    /// The first element of an HTML answer that a selector selects, as `read` sees it.
    pub(super) fn select<T>(
        &self,
        selector: &str,
        read: impl FnMut(&lol_html::html_content::Element<'_, '_>) -> Option<T>,
    ) -> Option<T> {
        html::first(self.html()?, selector, read)
    }

    /// Whether a selector selects anything in an HTML answer.
    pub(super) fn has(&self, selector: &str) -> bool {
        self.html().is_some_and(|html| html::has(html, selector))
    }

    /// Whether a text stands in the body, in whatever encoding the site writes.
    pub(super) fn contains(&self, text: &str) -> Result<bool, NoBody> {
        let body = self.body()?;
        if memchr::memmem::find(body, text.as_bytes()).is_some() {
            return Ok(true);
        }
        Ok(match self.encoding() {
            Some(encoding) if encoding != UTF_8 => encoding.decode_without_bom_handling(body).0.contains(text),
            _ => false,
        })
    }

    /// The encoding the site declares for its answer, and so for its pages.
    pub(super) fn encoding(&self) -> Option<&'static Encoding> {
        let label = parameter(self.header("content-type")?, "charset")?;
        Encoding::for_label(label.as_bytes())
    }
}

/// A body without blanks and comments of HTML at its beginning and its end.
fn without_comments_around(body: &[u8]) -> &[u8] {
    let mut body = body.trim_ascii();
    while let Some(after) = body.strip_prefix(b"<!--") {
        let Some(end) = memchr::memmem::find(after, b"-->") else { break };
        body = after.get(end + 3..).unwrap_or_default().trim_ascii_start();
    }
    while let Some(before) = body.strip_suffix(b"-->") {
        let Some(start) = memchr::memmem::rfind(before, b"<!--") else { break };
        body = before.get(..start).unwrap_or_default().trim_ascii_end();
    }
    body
}
