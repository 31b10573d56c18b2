//! Header fields, wherever they are kept: hyper's map on the full way, the bytes as they came on the plain way. Rules that are
//! written for this hold on both.

use http::{HeaderMap, HeaderName, HeaderValue};

/// Header fields.
pub trait Fields {
    /// The first line of that name.
    fn first(&self, name: &HeaderName) -> Option<&[u8]>;

    /// All lines of that name.
    fn all<'f>(&'f self, name: &HeaderName) -> Vec<&'f [u8]>;

    /// As hyper's map holds them, for whoever keeps a copy.
    fn to_map(&self) -> HeaderMap;
}

impl Fields for HeaderMap {
    fn first(&self, name: &HeaderName) -> Option<&[u8]> {
        self.get(name).map(HeaderValue::as_bytes)
    }

    fn all<'f>(&'f self, name: &HeaderName) -> Vec<&'f [u8]> {
        self.get_all(name).iter().map(HeaderValue::as_bytes).collect()
    }

    fn to_map(&self) -> HeaderMap {
        self.clone()
    }
}

/// The first line of that name, if it is text.
#[must_use]
pub fn text<'f>(fields: &'f dyn Fields, name: &HeaderName) -> Option<&'f str> {
    fields.first(name).and_then(|value| std::str::from_utf8(value).ok())
}
