//! A landing on the data path: what the answer gains is decided while the request's head is there, and kept as a few bytes.

use std::borrow::Cow;
use std::sync::Arc;

use http::header::{ACCEPT, CACHE_CONTROL, REFERER, SET_COOKIE, USER_AGENT};
use http::{HeaderName, HeaderValue};

use super::hooks::Intake;
use super::{Message, held};
use crate::config::Config;
use crate::consent::{self, Consent, Signals};
use crate::decision;
use crate::exchange::{UnixMillis, host_name, query_of};
use crate::landing::{self, Extras, LandingRequest};
use crate::proxy::fields::{Fields, text};
use crate::proxy::hooks::{Head, Landing, LandingCookie, LandingEdit};
use crate::visitor;

const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const SEC_PURPOSE: HeaderName = HeaderName::from_static("sec-purpose");
const PURPOSE: HeaderName = HeaderName::from_static("purpose");

impl Intake {
    /// What the answer to a request gains. Whoever waits for this browser's choice is told it as well.
    pub(super) fn find_landing(&self, head: &Head<'_>) -> Option<Landing> {
        let config = Arc::clone(&self.config.borrow());
        let host = lower_case(head.host);
        let signals = Signals::from_headers(head.fields).on(host_name(&host), head.target);
        let request = landing_request(head, &host, &signals);
        let extras = Extras { mint_fbp: config.landing.mint_fbp, click_ids: &config.landing.click_ids };
        let gains = landing::may_matter(&request, extras) && !is_no_visitor(head, &config);
        let has_ours = landing::has_our_cookies(&request, extras);
        let awaited = self.awaited_browser(head);
        if !gains && !has_ours && awaited.is_none() {
            return None;
        }
        let consent = consent::read(&signals, &config.consent);
        if let Some(browser) = awaited {
            self.tell_choice(browser, &consent);
        }
        let now = UnixMillis::now();
        if gains {
            self.reports.saw_consent(&consent, Vec::new(), now);
        }
        let allowed = consent::allows_cookies(&consent, config.consent.policy(signals.host()).unknown);
        let cookies: Vec<LandingCookie> = if gains && allowed {
            let mint = config.landing.mint_fbp.then(random_u31).flatten();
            let set = landing::set_cookies(&request, mint, extras.click_ids, now);
            set.into_iter().filter_map(|cookie| line(cookie.line, Some(cookie.name))).collect()
        } else if has_ours && consent.is_refused() && self.tell_withdrawal(head, &config) {
            landing::expire_cookies(&request, extras).into_iter().filter_map(|expired| line(expired, None)).collect()
        } else {
            Vec::new()
        };
        (!cookies.is_empty()).then_some(Landing { cookies })
    }

    /// The browser of a request, if its choice is awaited.
    fn awaited_browser(&self, head: &Head<'_>) -> Option<[u8; 32]> {
        if !self.awaited.any() {
            return None;
        }
        self.browser(head).filter(|browser| self.awaited.has(browser))
    }

    /// What waits for this browser is released, or erased.
    fn tell_choice(&self, browser: [u8; 32], consent: &Consent) {
        let Some(choice) = held::choice(browser, consent) else { return };
        if self.awaited.take(&browser) && !self.send(Message::Choice(choice)) {
            self.awaited.put(browser);
        }
    }

    /// `false` when there was no room for it: the cookies stay for now, so that it is told with the next page.
    fn tell_withdrawal(&self, head: &Head<'_>, config: &Config) -> bool {
        let ties = decision::browser::ties(&self.secrets.lasting, &config.consent, &head.record(), None);
        ties.is_empty() || self.send(Message::Withdrawn(ties))
    }
}

/// Appends the cookies that the answer does not set itself, and keeps shared caches from storing it.
pub(super) fn edit(landing: Landing, answer: &dyn Fields) -> Option<LandingEdit> {
    let own = answer.all(&SET_COOKIE);
    let names = |line: &[u8], name: &str| {
        line.split(|byte| *byte == b'=').next().is_some_and(|own| own.trim_ascii() == name.as_bytes())
    };
    let goes = |cookie: &LandingCookie| !cookie.yields_to.is_some_and(|name| own.iter().any(|line| names(line, name)));
    let set_cookies: Vec<_> = landing.cookies.into_iter().filter(goes).map(|cookie| cookie.line).collect();
    if set_cookies.is_empty() {
        return None;
    }
    // Several lines are one list (RFC 9110 5.3), and the edit replaces all of them.
    let lines = answer.all(&CACHE_CONTROL);
    let current = lines.into_iter().filter_map(|line| std::str::from_utf8(line).ok()).collect::<Vec<_>>().join(", ");
    let cache_control = match landing::cache_control_private(Some(current.as_str()).filter(|list| !list.is_empty())) {
        Some(Cow::Borrowed(value)) => Some(HeaderValue::from_static(value)),
        Some(Cow::Owned(value)) => HeaderValue::try_from(value).ok(),
        None => None,
    };
    Some(LandingEdit { set_cookies, cache_control })
}

fn line(text: String, yields_to: Option<&'static str>) -> Option<LandingCookie> {
    HeaderValue::try_from(text).ok().map(|line| LandingCookie { yields_to, line })
}

fn lower_case(host: &str) -> Cow<'_, str> {
    if host.bytes().any(|byte| byte.is_ascii_uppercase()) { host.to_ascii_lowercase().into() } else { host.into() }
}

fn is_no_visitor(head: &Head<'_>, config: &Config) -> bool {
    let agent = text(head.fields, &USER_AGENT);
    visitor::not_a_visitor(agent, Some((head.visitor)()), &config.internal_addresses).is_some()
}

fn landing_request<'r>(head: &Head<'r>, host: &'r str, signals: &'r Signals<'_>) -> LandingRequest<'r> {
    let field = |name: &HeaderName| text(head.fields, name);
    LandingRequest {
        method: head.method.as_str(),
        query: query_of(head.target),
        host,
        https: head.https,
        referer: field(&REFERER),
        cookies: signals.cookies().filter(|(name, _)| landing::reads_cookie(name)).collect(),
        sec_fetch_dest: field(&SEC_FETCH_DEST),
        sec_fetch_mode: field(&SEC_FETCH_MODE),
        accept: field(&ACCEPT),
        sec_purpose: field(&SEC_PURPOSE).or(field(&PURPOSE)),
    }
}

/// `_fbp`'s random part: server builders use 0..2^31-1. `None` when the system has no randomness to give.
fn random_u31() -> Option<u32> {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).ok()?;
    Some(u32::from_le_bytes(bytes) >> 1)
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    fn edited(
        answer: &[(HeaderName, &'static str)],
        cookies: &[(Option<&'static str>, &'static str)],
    ) -> Option<LandingEdit> {
        let answer: HeaderMap =
            answer.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect();
        let cookies = cookies.iter().filter_map(|(yields_to, text)| line((*text).to_owned(), *yields_to)).collect();
        edit(Landing { cookies }, &answer)
    }

    #[test]
    fn a_cookie_that_the_site_sets_is_left_to_it() {
        let both = [(Some("_fbc"), "_fbc=fb.1.2.A"), (Some("_fbp"), "_fbp=fb.1.2.3")];
        let lines = |answer: &[(HeaderName, &'static str)]| edited(answer, &both).map(|edit| edit.set_cookies);
        assert_eq!(lines(&[]).unwrap(), ["_fbc=fb.1.2.A", "_fbp=fb.1.2.3"]);
        assert_eq!(lines(&[(SET_COOKIE, "_fbc_x=1")]).unwrap().len(), 2);
        assert_eq!(lines(&[(SET_COOKIE, " _fbc =own; Path=/")]).unwrap(), ["_fbp=fb.1.2.3"]);
        assert!(lines(&[(SET_COOKIE, "_fbp=own"), (SET_COOKIE, "_fbc=own")]).is_none());
        // What is taken back is taken back.
        assert!(edited(&[(SET_COOKIE, "_fbc=own")], &[(None, "_fbc=; Path=/; Max-Age=0")]).is_some());
    }

    #[test]
    fn the_whole_list_of_cache_control_is_replaced() {
        let value = |answer: &[(HeaderName, &'static str)]| edited(answer, &[(None, "a=b")]).unwrap().cache_control;
        assert_eq!(value(&[]).unwrap(), "private");
        assert_eq!(value(&[(CACHE_CONTROL, "public"), (CACHE_CONTROL, "max-age=5")]).unwrap(), "private, max-age=5");
        assert!(value(&[(CACHE_CONTROL, "no-store")]).is_none());
    }
}
