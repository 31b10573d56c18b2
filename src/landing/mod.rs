//! Click ids → cookies: `_fbc` for a landing with an `fbclid`, `_fbp` where the operator switched minting on.
//!
//! Pure, and blind to consent: the caller asks for cookies only where it is given. Whatever a visitor or a link puts
//! into query, Referer, Host or cookies, what comes out is one well-formed `Set-Cookie` line or nothing: every part of
//! it is a number or was checked character by character (`click_id`, `domain`).

mod cache_control;
mod click_id;
mod domain;
mod other_ids;
mod set_cookie;

pub use cache_control::cache_control_private;
pub use other_ids::{OTHER_CLICK_IDS, OtherClickId};

use crate::exchange::UnixMillis;
pub use click_id::payload;

use click_id::ClickId;
use domain::CookieScope;
use set_cookie::set_cookie;

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
    /// Cookies, raw; those that [`reads_cookie`] names are enough.
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

impl<'a> LandingRequest<'a> {
    /// A person opens a page: a GET for a document in a tab of its own, not in a frame, not ahead of time.
    ///
    /// Browsers say so by `Sec-Fetch-Dest`; older ones by an `Accept` that names `text/html`, which `fetch` and images
    /// do not have. No `Accept` at all means "anything" (RFC 9110 12.5.1).
    fn is_navigation(&self) -> bool {
        let asks_for_document = match self.sec_fetch_dest {
            Some(dest) => dest == "document" && self.sec_fetch_mode.is_none_or(|mode| mode == "navigate"),
            None => self.accept.is_none_or(|accept| accept.to_ascii_lowercase().contains("text/html")),
        };
        self.method == "GET" && asks_for_document && !self.is_ahead_of_time()
    }

    /// Prefetched or prerendered: nobody has come yet.
    fn is_ahead_of_time(&self) -> bool {
        let purpose = self.sec_purpose.unwrap_or_default().to_ascii_lowercase();
        ["prefetch", "prerender", "preview"].iter().any(|early| purpose.contains(early))
    }

    /// The click that led here, unless the visitor's `_fbc` has it already. The query goes before the page the visitor
    /// comes from, which is how a click lives on until the banner is answered.
    fn new_click(&self) -> Option<ClickId<'a>> {
        let from_referer = || self.referer.and_then(|referer| ClickId::from_url_of(referer, self.host));
        let click = ClickId::from_query(self.query).or_else(from_referer)?;
        (!self.payloads("_fbc").any(|known| known == click.as_str())).then_some(click)
    }

    fn lacks_fbp(&self) -> bool {
        self.payloads("_fbp").next().is_none()
    }

    /// Payloads of the valid cookies of that name; a name can arrive twice, host-only and for the domain.
    fn payloads(&self, name: &str) -> impl Iterator<Item = &'a str> {
        self.cookies.iter().filter(move |(n, _)| *n == name).filter_map(|(_, value)| payload(value))
    }
}

/// A cookie that a page is to set.
#[derive(Debug, PartialEq, Eq)]
pub struct NewCookie {
    /// Its name.
    pub name: &'static str,
    /// The value of its `Set-Cookie` line.
    pub line: String,
}

/// What the operator switched on besides `_fbc`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Extras<'a> {
    /// Mint `_fbp`.
    pub mint_fbp: bool,
    /// Click ids of other networks that are kept.
    pub click_ids: &'a [&'static OtherClickId],
}

/// Whether a cookie of this name is looked at here.
#[must_use]
pub fn reads_cookie(name: &str) -> bool {
    matches!(name, "_fbc" | "_fbp") || OTHER_CLICK_IDS.iter().any(|id| id.cookie == name)
}

/// Whether the request is a document navigation that may gain a cookie. Cheap: to be asked before consent is read.
#[must_use]
pub fn may_matter(request: &LandingRequest<'_>, extras: Extras<'_>) -> bool {
    request.is_navigation()
        && (request.new_click().is_some()
            || (extras.mint_fbp && request.lacks_fbp())
            || extras.click_ids.iter().any(|id| id.new_in(request).is_some()))
}

/// The cookies to set, unless the site's answer sets them itself; `mint` is the random part of a new `_fbp`, `None` when minting is off; `click_ids` are those of other networks to keep.
///
/// A valid cookie with the same click is kept, with its time of creation; one with another click (case counts), or one
/// that is not valid, is replaced.
#[must_use]
pub fn set_cookies(
    request: &LandingRequest<'_>,
    mint: Option<u32>,
    click_ids: &[&'static OtherClickId],
    now: UnixMillis,
) -> Vec<NewCookie> {
    let Some(scope) = CookieScope::of(request.host).filter(|_| request.is_navigation()) else {
        return Vec::new();
    };
    let fbc = request.new_click().map(|click| ("_fbc", click.to_fbc(scope.subdomain_index, now)));
    let fbp = mint
        .filter(|_| request.lacks_fbp())
        .map(|random| ("_fbp", format!("fb.{}.{}.{random}", scope.subdomain_index, now.0)));
    let others = click_ids.iter().filter_map(|id| Some((id.cookie, id.new_in(request)?.to_owned())));
    let line = |(name, value): (_, String)| NewCookie { name, line: set_cookie(name, &value, &scope, request.https) };
    fbc.into_iter().chain(fbp).chain(others).map(line).collect()
}

/// The cookies that we may have set: those of Meta that are minted here, and those of other click ids.
fn ours(extras: Extras<'_>) -> impl Iterator<Item = &'static str> + use<'_> {
    let others = OTHER_CLICK_IDS.iter().map(|id| id.cookie);
    // `_fbp` is the pixel's own where we do not mint it.
    ["_fbc"].into_iter().chain(extras.mint_fbp.then_some("_fbp")).chain(others)
}

/// Whether a navigation carries one of them.
#[must_use]
pub fn has_our_cookies(request: &LandingRequest<'_>, extras: Extras<'_>) -> bool {
    request.is_navigation() && ours(extras).any(|name| request.cookies.iter().any(|(own, _)| *own == name))
}

/// The `Set-Cookie` values that take back what the visitor no longer consents to.
#[must_use]
pub fn expire_cookies(request: &LandingRequest<'_>, extras: Extras<'_>) -> Vec<String> {
    let Some(scope) = CookieScope::of(request.host) else { return Vec::new() };
    let carried = |name: &&'static str| request.cookies.iter().any(|(own, _)| own == name);
    ours(extras).filter(carried).map(|name| set_cookie::expired(name, &scope)).collect()
}

/// A session cookie of our own: gone with the browser's session, out of reach of scripts, never for anybody else.
#[must_use]
pub fn session_cookie(name: &str, value: &str, https: bool) -> String {
    let secure = if https { "; Secure" } else { "" };
    format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{secure}")
}

/// `fbc` of a submission. A click id in the page's URL beats a cookie with another one; a valid cookie goes out byte
/// for byte, an invalid one not at all. `page_url` counts only if its host is `host`.
///
/// A value made here has index 1, Meta's rule for values that no cookie stores.
#[must_use]
pub fn fbc_for_submission(
    page_url: Option<&str>,
    host: &str,
    cookie: Option<&str>,
    first_seen: UnixMillis,
) -> Option<String> {
    let stored = cookie.and_then(|cookie| Some((cookie, payload(cookie)?)));
    let click = page_url.and_then(|url| ClickId::from_url_of(url, host));
    match (click, stored) {
        (Some(click), Some((cookie, payload))) if payload == click.as_str() => Some(cookie.to_owned()),
        (Some(click), _) => Some(click.to_fbc(1, first_seen)),
        (None, stored) => stored.map(|(cookie, _)| cookie.to_owned()),
    }
}

/// Whether a cookie has the shape of `_fbc` and `_fbp`. A name can arrive twice; the first valid one counts.
#[must_use]
pub fn is_valid_cookie(value: &str) -> bool {
    payload(value).is_some()
}

/// `fbp` of a submission: the cookie if it is valid.
#[must_use]
pub fn fbp_for_submission(cookie: Option<&str>) -> Option<String> {
    cookie.filter(|cookie| payload(cookie).is_some()).map(str::to_owned)
}

#[cfg(test)]
mod tests;
