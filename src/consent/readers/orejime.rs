//! Orejime: a JSON object of purposes with true or false; version 2 in `orejime`, raw, version 3 in `eu-consent`,
//! encoded in part.
//!
//! Written by a button only. The names are the site's own, and so may be the cookie's and its serialisation.
//! `eu-consent` is a name that home-made banners have as well, so there only an object of answers in this script's own
//! encoding counts: quotes and commas encoded, braces and colons not.

use serde_json::{Map, Value};

use super::known_names::of_services;
use super::{Name, Reader};
use crate::config::ConsentRule;
use crate::consent::Signals;
use crate::consent::decode::{object, truth};
use crate::consent::finding::{Finding, agreed, strictest};

pub const READER: Reader = Reader::banner("orejime", &[Name::Is("orejime"), Name::Is("eu-consent")], read);

fn read(signals: &Signals<'_>, rule: &ConsentRule) -> Option<Finding> {
    let judged = |raw| {
        let purposes = object(raw).filter(are_answers)?;
        let answers = purposes.iter().map(|(name, value)| (name.as_str(), truth(value)));
        Some(of_services(answers, rule.category.as_deref()))
    };
    let own = rule.name.as_deref().unwrap_or("orejime");
    let own = signals.cookies_named(own).map(|raw| judged(raw).unwrap_or_else(|| Finding::undecodable("orejime")));
    let third = signals.cookies_named("eu-consent").filter(|raw| raw.starts_with("{%22")).filter_map(judged);
    strictest(agreed(own).into_iter().chain(agreed(third)))
}

fn are_answers(purposes: &Map<String, Value>) -> bool {
    !purposes.is_empty() && purposes.values().all(|value| truth(value).is_some())
}
