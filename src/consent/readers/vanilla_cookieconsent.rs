//! CookieConsent by Orest Bida (vanilla-cookieconsent): `cc_cookie`, JSON with the list of accepted categories, raw or
//! percent-encoded.
//!
//! Version 3 marks a choice by `consentId` and `consentTimestamp`, version 2 by its list `level`; a site may have
//! written data of its own into the cookie before. Only accepted categories are listed, by the site's own ids. Where a
//! category has services (version 3), Meta's must be among the accepted ones. What no server can see: that the site has
//! raised `revision` since and will ask again, and `useLocalStorage`.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::known_names::{is_meta, letters, marketing_category, meta_ads};
use super::{Name, Reader};
use crate::config::ConsentRule;
use crate::consent::Signals;
use crate::consent::decode::{layers, object};
use crate::consent::finding::{Finding, agreed};

pub const READER: Reader = Reader::banner("vanilla_cookieconsent", &[Name::Is("cc_cookie")], read);

/// Categories that are not advertising, under whatever name advertising is on the same site.
const HARMLESS: [&str; 16] = [
    "analytics",
    "analytical",
    "essential",
    "experience",
    "functional",
    "functionality",
    "measurement",
    "necessary",
    "necessarycookies",
    "performance",
    "preferences",
    "required",
    "security",
    "statistics",
    "strictlynecessary",
    "technical",
];

fn read(signals: &Signals<'_>, rule: &ConsentRule) -> Option<Finding> {
    let name = rule.name.as_deref().unwrap_or("cc_cookie");
    // Under a name of the operator's it is nobody else's.
    let unknown = || rule.name.is_some().then(|| Finding::undecodable("cc_cookie"));
    agreed(signals.cookies_named(name).filter_map(|raw| judge(raw, rule.category.as_deref()).or_else(unknown)))
}

/// `None` when it is another product's: a short name, and a common one.
fn judge(raw: &str, category: Option<&str>) -> Option<Finding> {
    let Some(cookie) = object(raw) else {
        let is_torn = layers(raw).any(|layer| layer.starts_with('{'));
        return is_torn.then(|| Finding::undecodable("cc_cookie"));
    };
    let is_filled = |key: &str| cookie.get(key).and_then(Value::as_str).is_some_and(|text| !text.is_empty());
    let accepted = if is_filled("consentId") && is_filled("consentTimestamp") {
        texts(cookie.get("categories"))
    } else {
        texts(cookie.get("level"))
    };
    let Some(accepted) = accepted else { return Some(Finding::no_choice("no consentId and no level")) };
    // Version 2.9 has both lists, alike.
    if texts(cookie.get("categories")).is_some_and(|categories| categories != accepted) {
        return Some(Finding::undecodable("cc_cookie"));
    }
    let services = cookie.get("services").and_then(Value::as_object);
    Some(match category {
        Some(id) => {
            let is_accepted = accepted.contains(id) || is_accepted_service(&accepted, services, |name| name == id);
            Finding::of_bool(id, Some(is_accepted))
        }
        None => by_known_names(&accepted, services),
    })
}

fn by_known_names(accepted: &BTreeSet<&str>, services: Option<&Map<String, Value>>) -> Finding {
    if is_accepted_service(accepted, services, |name| meta_ads(name).is_some()) {
        return Finding::granted("services has Meta's ads");
    }
    let Some((id, word)) = accepted.iter().find_map(|id| Some((*id, marketing_category(id)?))) else {
        let is_harmless = |id: &&str| letters(id).is_some_and(|id| HARMLESS.contains(&id.as_str()));
        return if accepted.iter().all(is_harmless) {
            Finding::denied("only categories other than marketing")
        } else {
            Finding::unassigned("no category for marketing is known")
        };
    };
    let has_services = services.and_then(|services| services.get(id)?.as_array()).is_some_and(|list| !list.is_empty());
    if has_services && !is_accepted_service(&BTreeSet::from([id]), services, is_meta) {
        return Finding::unassigned("no service for Meta's ads is known");
    }
    Finding::granted(format!("{word} is accepted"))
}

/// Whether an accepted category has an accepted service of that kind.
fn is_accepted_service(
    accepted: &BTreeSet<&str>,
    services: Option<&Map<String, Value>>,
    is_it: impl Fn(&str) -> bool,
) -> bool {
    let lists = services.into_iter().flatten().filter(|(category, _)| accepted.contains(category.as_str()));
    lists.filter_map(|(_, list)| texts(Some(list))).flatten().any(is_it)
}

fn texts(list: Option<&Value>) -> Option<BTreeSet<&str>> {
    list?.as_array()?.iter().map(Value::as_str).collect()
}
