//! The click id: where it comes from, what it may look like, and how a cookie carries it.

use crate::exchange::{UnixMillis, host_name};

/// Longer ones are not Meta's: its browser library has the same limit, real ones have some 60 to 200 characters.
const MAX_CLICK_ID: usize = 500;
/// 2^64 has 20 digits; real times in milliseconds have 13.
const MAX_DIGITS: usize = 20;

/// A validated `fbclid`: 1 to 500 characters of `A-Za-z0-9_-`, exactly as they were in the URL. Anything else is
/// ignored, never repaired: Meta reports a modified click id, and a `;` or `.` would break the cookie it goes into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClickId<'a>(&'a str);

impl<'a> ClickId<'a> {
    fn new(text: &'a str) -> Option<Self> {
        let fits = !text.is_empty() && text.len() <= MAX_CLICK_ID && text.bytes().all(is_base64url);
        fits.then_some(Self(text))
    }

    /// From a query without its `?`. The key is exactly `fbclid`. Of a repeated key the first usable value counts:
    /// never both joined, and not the last, because scripts in the page (`URLSearchParams.get`) see the first, and two
    /// readers of one URL must not rewrite the cookie in turns.
    pub fn from_query(query: &'a str) -> Option<Self> {
        query.split('&').filter_map(|pair| pair.strip_prefix("fbclid=")).find_map(Self::new)
    }

    /// From an absolute URL, if its host is `host`. A click that led to somebody else's page is not ours.
    pub fn from_url_of(url: &'a str, host: &str) -> Option<Self> {
        own_query(url, host).and_then(Self::from_query)
    }

    /// The value as it was.
    pub const fn as_str(self) -> &'a str {
        self.0
    }

    /// `fb.<subdomain index>.<ms>.<fbclid>`: Meta's fbc in its base format
    /// (<https://developers.facebook.com/docs/marketing-api/conversions-api/parameters/fbp-and-fbc>).
    pub fn to_fbc(self, subdomain_index: usize, first_seen: UnixMillis) -> String {
        format!("fb.{subdomain_index}.{}.{}", first_seen.0, self.0)
    }
}

/// The query of an absolute http URL whose host is `host` (port and case apart).
pub(super) fn own_query<'a>(url: &'a str, host: &str) -> Option<&'a str> {
    let (scheme, rest) = url.split_once("://")?;
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return None;
    }
    let before_fragment = rest.split('#').next()?;
    let (before_query, query) = before_fragment.split_once('?')?;
    // Browsers leave userinfo out; here it would only disguise another host.
    let authority = before_query.split('/').next().filter(|authority| !authority.contains('@'))?;
    let ours = host_name(host);
    (!ours.is_empty() && host_name(authority).eq_ignore_ascii_case(ours)).then_some(query)
}

/// The payload (4th segment) of a valid `_fbc` or `_fbp`: `fb.<digits>.<digits>.<payload>`, followed in cookies of
/// Meta's own libraries by an appendix of 2 or 8 characters. `None` for anything else; Meta refuses a whole request for
/// one such value (100/2804001).
pub fn payload(cookie: &str) -> Option<&str> {
    let mut segments = cookie.split('.');
    let (prefix, index, created, payload) = (segments.next()?, segments.next()?, segments.next()?, segments.next()?);
    let digits = |text: &str| (1..=MAX_DIGITS).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    let appendix_fits = match segments.next() {
        None => true,
        Some(appendix) => matches!(appendix.len(), 2 | 8) && appendix.bytes().all(is_base64url),
    };
    let payload_fits =
        (1..=MAX_CLICK_ID).contains(&payload.len()) && payload.bytes().all(|byte| byte.is_ascii_graphic());
    let valid = prefix == "fb" && digits(index) && digits(created) && payload_fits && appendix_fits;
    (valid && segments.next().is_none()).then_some(payload)
}

const fn is_base64url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_query(query: &str) -> Option<&str> {
        ClickId::from_query(query).map(ClickId::as_str)
    }

    #[test]
    fn a_click_id_is_taken_byte_for_byte_or_not_at_all() {
        let long = "a".repeat(MAX_CLICK_ID);
        for (query, found) in [
            ("fbclid=IwAR0-aB_c_aem_Z", Some("IwAR0-aB_c_aem_Z")),
            ("utm_source=fb&fbclid=A&x=1", Some("A")),
            (&format!("fbclid={long}"), Some(long.as_str())),
            (&format!("fbclid={long}a"), None),
            ("", None),
            ("fbclid", None),
            ("fbclid=", None),
            ("FBCLID=A", None),
            ("xfbclid=A", None),
            ("%66bclid=A", None),
            ("fbclid=A%42", None),
            ("fbclid=A+B", None),
            ("fbclid=A.B", None),
            ("fbclid=A;Domain=evil.example", None),
            ("fbclid=A%0d%0aSet-Cookie:x", None),
            ("fbclid=Ä", None),
            ("fbclid=A=B", None),
            // Repeated: the first usable one.
            ("fbclid=A&fbclid=B", Some("A")),
            ("fbclid=&fbclid=B", Some("B")),
            ("fbclid=a.b&fbclid=B", Some("B")),
        ] {
            assert_eq!(in_query(query), found, "{query}");
        }
    }

    #[test]
    fn a_url_counts_only_on_its_own_host() {
        for (url, found) in [
            ("https://shop.example/a?x=1&fbclid=A", Some("A")),
            ("http://SHOP.example:81?fbclid=A", Some("A")),
            ("HTTPS://shop.example/?fbclid=A#fbclid=B", Some("A")),
            ("https://shop.example/#?fbclid=A", None),
            ("https://www.shop.example/?fbclid=A", None),
            ("https://evil.example/?fbclid=A", None),
            ("https://shop.example@evil.example/?fbclid=A", None),
            ("https://shop.example:80@evil.example/?fbclid=A", None),
            ("https://evil.example?https://shop.example/?fbclid=A", None),
            ("https://evil.example/\\shop.example/?fbclid=A", None),
            ("ftp://shop.example/?fbclid=A", None),
            ("shop.example/?fbclid=A", None),
            ("/?fbclid=A", None),
            ("https://", None),
        ] {
            assert_eq!(ClickId::from_url_of(url, "shop.example:8080").map(ClickId::as_str), found, "{url}");
        }
        assert!(ClickId::from_url_of("https:///?fbclid=A", "").is_none());
    }

    #[test]
    fn cookies_of_four_and_five_segments_are_valid() {
        for (cookie, found) in [
            ("fb.1.1795607000000.IwAR0-a_b", Some("IwAR0-a_b")),
            ("fb.2.1795607000000.A.BA", Some("A")),
            ("fb.2.1795607000000.A.AQYBAQMD", Some("A")),
            // Seconds, or long ago: kept as they are.
            ("fb.1.1500000000.A", Some("A")),
            ("fb.1.1795607000000.A.BAD", None),
            ("fb.1.1795607000000.A.", None),
            ("fb.1.1795607000000.A.BA.BA", None),
            ("fb.1.1795607000000.", None),
            ("fb.1.1795607000000", None),
            ("fb.1.x.A", None),
            ("fb..1795607000000.A", None),
            ("fb.-1.1795607000000.A", None),
            ("FB.1.1795607000000.A", None),
            ("fb.1.1795607000000.A B", None),
            ("fb.1.1795607000000.é", None),
            ("\"fb.1.1795607000000.A\"", None),
            ("", None),
        ] {
            assert_eq!(payload(cookie), found, "{cookie}");
        }
    }
}
