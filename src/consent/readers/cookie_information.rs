//! Cookie Information: `CookieInformationConsent`, percent-encoded JSON that lists `consents_approved` and
//! `consents_denied`.
//!
//! Known from observed cookies: whether one is written where the site does not ask is not known.

use super::lists::texts;
use super::{Name, Reader};
use crate::config::ConsentRule;
use crate::consent::Signals;
use crate::consent::decode::object;
use crate::consent::finding::{Finding, agreed};

pub const READER: Reader = Reader::banner("cookie_information", &[Name::Is("CookieInformationConsent")], read);

fn read(signals: &Signals<'_>, rule: &ConsentRule) -> Option<Finding> {
    let category = rule.category.as_deref().unwrap_or("cookie_cat_marketing");
    let name = rule.name.as_deref().unwrap_or("CookieInformationConsent");
    agreed(signals.cookies_named(name).map(|raw| {
        let cookie = object(raw);
        let list = |key: &str| cookie.as_ref().and_then(|cookie| texts(cookie.get(key)?));
        let Some(approved) = list("consents_approved") else {
            return Finding::undecodable("CookieInformationConsent");
        };
        let denied = list("consents_denied").unwrap_or_default();
        match (approved.contains(&category), denied.contains(&category)) {
            (true, true) => Finding::undecodable("CookieInformationConsent"),
            (true, false) => Finding::granted(format!("{category} is approved")),
            (false, _) => Finding::denied(format!("{category} is not approved")),
        }
    }))
}
