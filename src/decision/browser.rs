//! How a browser is known again: by its session on the site, and by Meta's cookies. Only keyed hashes of these leave this
//! file, and nothing of it ever goes to Meta.

use http::{HeaderMap, header};

use crate::config::ConsentConfig;
use crate::exchange::{RequestRecord, cookies, split_cookies};
use crate::landing;
use crate::lead::event_id::{IdSecret, browser_digest};
use crate::outbox::{TIE_BYTES, Tie};

/// Our own session cookie, for sites without one that is named in `consent.session_cookie`. Set only where a submission may
/// have to wait for the visitor's choice; it ends with the browser's session.
pub const OWN_SESSION: &str = "capi_session";
/// Longer values are no session ids; PHP's have 26 to 256 characters.
const MAX_SESSION: usize = 512;

/// The name of the cookie that ties a browser's requests together.
#[must_use]
pub fn session_cookie(config: &ConsentConfig) -> &str {
    config.session_cookie.as_deref().unwrap_or(OWN_SESSION)
}

/// The browser behind a request: what its session cookie says, or the one that the site's answer starts.
#[must_use]
pub fn of(
    secret: &IdSecret,
    config: &ConsentConfig,
    request: &RequestRecord,
    answer: Option<&HeaderMap>,
) -> Option<[u8; 32]> {
    let name = session_cookie(config);
    let known = cookies(&request.headers).find(|(own, _)| *own == name).map(|(_, value)| value);
    let started = || {
        let lines = answer?.get_all(header::SET_COOKIE).iter().filter_map(|line| line.to_str().ok());
        // The last one counts, as in a browser.
        lines.filter_map(|line| split_cookies(line).next()).rfind(|(own, _)| *own == name).map(|(_, v)| v)
    };
    digest(secret, known.or_else(started)?)
}

/// The same from a `Cookie` line.
#[must_use]
pub fn of_cookie_line(secret: &IdSecret, config: &ConsentConfig, line: &[u8]) -> Option<[u8; 32]> {
    let name = session_cookie(config);
    let line = std::str::from_utf8(line).ok()?;
    digest(secret, split_cookies(line).find(|(own, _)| *own == name)?.1)
}

fn digest(secret: &IdSecret, session: &str) -> Option<[u8; 32]> {
    (1..=MAX_SESSION).contains(&session.len()).then(|| browser_digest(secret, "session", session))
}

/// By what an event is found again when its visitor takes the consent back: the session, `_fbp`, and the click.
#[must_use]
pub fn ties(secret: &IdSecret, config: &ConsentConfig, request: &RequestRecord, fbc: Option<&str>) -> Vec<Tie> {
    let shortened = |digest: [u8; 32]| digest.first_chunk::<TIE_BYTES>().copied();
    let mut ties: Vec<Tie> = of(secret, config, request, None).and_then(shortened).into_iter().collect();
    let mut add = |kind, value: &str| ties.extend(shortened(browser_digest(secret, kind, value)));
    for (name, value) in cookies(&request.headers) {
        match (name, landing::payload(value)) {
            ("_fbp", Some(_)) => add("fbp", value),
            ("_fbc", Some(click)) => add("click", click),
            _ => {}
        }
    }
    if let Some(click) = fbc.and_then(landing::payload) {
        add("click", click);
    }
    ties.sort_unstable();
    ties.dedup();
    ties
}
