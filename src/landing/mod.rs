//! Click ids → cookies.

use crate::exchange::UnixMillis;

/// What of a request matters to a landing.
pub struct LandingRequest<'a> {
    /// Method.
    pub method: &'a str,
    /// Query without `?`.
    pub query: &'a str,
    /// Received Host, port included, lower case.
    pub host: &'a str,
    /// The visitor spoke https.
    pub https: bool,
    /// `Referer`.
    pub referer: Option<&'a str>,
    /// Cookies, raw.
    pub cookies: Vec<(&'a str, &'a str)>,
    /// `Sec-Fetch-Dest`.
    pub sec_fetch_dest: Option<&'a str>,
    /// `Sec-Fetch-Mode`.
    pub sec_fetch_mode: Option<&'a str>,
    /// `Accept`.
    pub accept: Option<&'a str>,
    /// `Sec-Purpose` (or `Purpose`): prefetch, prerender.
    pub sec_purpose: Option<&'a str>,
}

/// Whether the request is a document navigation that may gain a cookie.
#[must_use]
pub fn may_matter(_request: &LandingRequest<'_>, _mint_fbp: bool) -> bool {
    false
}

/// The `Set-Cookie` values to append. `site_sets(name)` says whether the site's answer sets that cookie itself;
/// `mint` is the random part of a new `_fbp`, `None` when minting is off.
#[must_use]
pub fn set_cookies(
    _request: &LandingRequest<'_>,
    _site_sets: impl Fn(&str) -> bool,
    _mint: Option<u32>,
    _now: UnixMillis,
) -> Vec<String> {
    Vec::new()
}

/// The `Cache-Control` of an answer that gains a cookie; `None` when the site's own value already keeps shared caches
/// from storing it.
#[must_use]
pub fn cache_control_private(_current: Option<&str>) -> Option<String> {
    None
}

/// `fbc` of a submission.
#[must_use]
pub fn fbc_for_submission(
    _page_url: Option<&str>,
    _host: &str,
    _cookie: Option<&str>,
    _first_seen: UnixMillis,
) -> Option<String> {
    None
}

/// `fbp` of a submission: the cookie if it is valid.
#[must_use]
pub fn fbp_for_submission(_cookie: Option<&str>) -> Option<String> {
    None
}
