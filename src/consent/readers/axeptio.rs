//! Axeptio: `axeptio_cookies`, JSON, encoded in part or whole: one key per vendor, and its own that begin with `$$`.
//!
//! `$$completed:false` is there before the choice. Vendor ids are the project's own, and may be there in two spellings.
//! A project may have no vendors but the signals of Google's consent mode in `$$googleConsentMode`. Their yes is one to
//! Google, and real visitors have it beside vendors that are all at false, so it counts by rule only (`category =
//! "ad_storage"`).

use serde_json::{Map, Value};

use super::known_names::of_services;
use super::{Name, Reader};
use crate::config::ConsentRule;
use crate::consent::Signals;
use crate::consent::decode::object;
use crate::consent::finding::{Choice, Finding, agreed};

pub const READER: Reader = Reader::banner(
    "axeptio",
    &[Name::Is("axeptio_cookies"), Name::Is("axeptio_authorized_vendors"), Name::Is("axeptio_all_vendors")],
    read,
);

const CONSENT_MODE: &str = "$$googleConsentMode";
const AD_SIGNALS: [&str; 3] = ["ad_storage", "ad_user_data", "ad_personalization"];

fn read(signals: &Signals<'_>, rule: &ConsentRule) -> Option<Finding> {
    let copies = signals.cookies_named(rule.name.as_deref().unwrap_or("axeptio_cookies"));
    let judged = |raw| match object(raw) {
        Some(cookie) => judge(&cookie, rule.category.as_deref()),
        None => Finding::undecodable("axeptio_cookies"),
    };
    agreed(copies.map(judged)).or_else(|| {
        let lists = ["axeptio_authorized_vendors", "axeptio_all_vendors"];
        let there = lists.into_iter().any(|name| signals.cookies_named(name).next().is_some());
        there.then(|| Finding::no_choice("no axeptio_cookies"))
    })
}

fn judge(cookie: &Map<String, Value>, category: Option<&str>) -> Finding {
    if cookie.get("$$completed") != Some(&Value::Bool(true)) {
        return Finding::no_choice("$$completed is not true");
    }
    let vendors = cookie.iter().filter(|(name, _)| !name.starts_with("$$"));
    let mut vendors = vendors.map(|(name, value)| (name.as_str(), value.as_bool())).peekable();
    let has_vendors = vendors.peek().is_some();
    let signal = |name: &str| {
        let value = cookie.get(CONSENT_MODE)?.get(name)?;
        Some(Finding::of_category(name, value.as_str(), "granted", "denied"))
    };
    match category {
        Some(name) if AD_SIGNALS.contains(&name) && !cookie.contains_key(name) => {
            signal(name).unwrap_or_else(|| Finding::of_bool(name, None))
        }
        None if !has_vendors => {
            let refused = AD_SIGNALS.into_iter().filter_map(signal).find(|found| found.choice == Choice::Denied);
            refused.unwrap_or_else(|| Finding::unassigned("no vendors, and ad_storage is Google's"))
        }
        _ => of_services(vendors, category),
    }
}
