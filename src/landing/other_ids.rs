//! Click ids of other networks, kept as they came for whoever reads the site's leads. They never go to Meta.

use super::click_id::own_query;

/// A network's parameter and the cookie it is kept in.
#[derive(Debug, PartialEq, Eq)]
pub struct OtherClickId {
    /// The query parameter.
    pub parameter: &'static str,
    /// Our cookie for it: the networks' own cookies have formats of their own, and are theirs.
    pub cookie: &'static str,
}

const fn id(parameter: &'static str, cookie: &'static str) -> OtherClickId {
    OtherClickId { parameter, cookie }
}

/// Google Ads (three), TikTok, Microsoft, LinkedIn, X.
pub static OTHER_CLICK_IDS: &[OtherClickId] = &[
    id("gclid", "_capi_gclid"),
    id("gbraid", "_capi_gbraid"),
    id("wbraid", "_capi_wbraid"),
    id("ttclid", "_capi_ttclid"),
    id("msclkid", "_capi_msclkid"),
    id("li_fat_id", "_capi_li_fat_id"),
    id("twclid", "_capi_twclid"),
];

/// Longer ones are nobody's.
const MAX_ID: usize = 500;

impl OtherClickId {
    /// The one with that parameter.
    #[must_use]
    pub fn named(parameter: &str) -> Option<&'static Self> {
        OTHER_CLICK_IDS.iter().find(|id| id.parameter == parameter)
    }

    /// From a query; the first usable value, never repaired.
    fn in_query<'a>(&self, query: &'a str) -> Option<&'a str> {
        let value = |pair: &'a str| pair.strip_prefix(self.parameter)?.strip_prefix('=');
        query.split('&').filter_map(value).find(|value| is_usable(value))
    }

    /// What the visitor's cookies hold.
    #[must_use]
    pub fn in_cookies<'a>(&self, cookies: impl IntoIterator<Item = (&'a str, &'a str)>) -> Option<&'a str> {
        let own = cookies.into_iter().filter(|(name, _)| *name == self.cookie).map(|(_, value)| value);
        own.filter(|value| is_usable(value)).last()
    }

    /// The click of a navigation that its cookies do not know yet: by its query, else by the page it comes from.
    pub(super) fn new_in<'a>(&self, request: &super::LandingRequest<'a>) -> Option<&'a str> {
        let from_referer = || self.in_query(own_query(request.referer?, request.host)?);
        let click = self.in_query(request.query).or_else(from_referer)?;
        (self.in_cookies(request.cookies.iter().copied()) != Some(click)).then_some(click)
    }
}

/// Letters, digits and the marks that the networks use; nothing that could leave a cookie or a header.
fn is_usable(value: &str) -> bool {
    (1..=MAX_ID).contains(&value.len())
        && value.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_taken_as_they_are_or_not_at_all() {
        let gclid = OtherClickId::named("gclid").unwrap();
        for (query, id) in [
            ("a=1&gclid=Cj0K-_x.y&b", Some("Cj0K-_x.y")),
            ("gclid=&gclid=B", Some("B")),
            ("gclid=a%3Bb", None),
            ("gclid=a;b", None),
            ("xgclid=A", None),
            ("GCLID=A", None),
            ("", None),
        ] {
            assert_eq!(gclid.in_query(query), id, "{query}");
        }
        assert_eq!(gclid.in_query(&format!("gclid={}", "x".repeat(501))), None);
        assert_eq!(gclid.in_cookies([("_capi_gclid", "a\"b"), ("_capi_gclid", "A")]), Some("A"));
        assert_eq!(OtherClickId::named("fbclid"), None);
    }
}
