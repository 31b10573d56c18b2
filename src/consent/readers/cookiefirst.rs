//! `CookieFirst`: `cookiefirst-consent`, percent-encoded JSON with true or false for each category, or with `type: "granular"`
//! for each service.
//!
//! Known from observed cookies: whether one is written where the site does not ask is not known.

use serde_json::Value;

use super::known_names::of_services;
use super::{Name, Reader};
use crate::config::ConsentRule;
use crate::consent::Signals;
use crate::consent::decode::object;
use crate::consent::finding::{Finding, agreed};

pub const READER: Reader = Reader::banner("cookiefirst", &[Name::Is("cookiefirst-consent")], read);

fn read(signals: &Signals<'_>, rule: &ConsentRule) -> Option<Finding> {
    let name = rule.name.as_deref().unwrap_or("cookiefirst-consent");
    agreed(signals.cookies_named(name).map(|raw| {
        let Some(cookie) = object(raw) else { return Finding::undecodable("cookiefirst-consent") };
        match &rule.category {
            Some(category) => Finding::of_bool(category, cookie.get(category).and_then(Value::as_bool)),
            None if cookie.get("type").and_then(Value::as_str) == Some("granular") => {
                let services = cookie.iter().map(|(name, answer)| (name.as_str(), answer.as_bool()));
                of_services(services.filter(|(_, answer)| answer.is_some()), None)
            }
            None => Finding::of_bool("advertising", cookie.get("advertising").and_then(Value::as_bool)),
        }
    }))
}
