//! Borlabs Cookie 2 and 3: `borlabs-cookie`, percent-encoded JSON; `consents` lists the accepted services of each accepted
//! group.
//!
//! Services can be accepted one by one, so a group that is there says only that something of it was accepted: without a
//! rule, Meta's own service must be among those of `marketing`. Groups and services have whatever ids the site gave them.
//! What no server can see: that the site has raised its version since and will ask again. Whether version 3 writes it for
//! visitors from countries where the site does not ask is not known.

use serde_json::{Map, Value};

use super::known_names::meta_ads;
use super::lists::{of_list, texts};
use super::{Name, Reader};
use crate::config::ConsentRule;
use crate::consent::Signals;
use crate::consent::decode::object;
use crate::consent::finding::{Choice, Finding, agreed};

pub const READER: Reader = Reader::banner("borlabs", &[Name::Is("borlabs-cookie")], read);

fn read(signals: &Signals<'_>, rule: &ConsentRule) -> Option<Finding> {
    let name = rule.name.as_deref().unwrap_or("borlabs-cookie");
    agreed(signals.cookies_named(name).map(|raw| {
        let cookie = object(raw);
        match cookie.as_ref().and_then(|cookie| cookie.get("consents")) {
            Some(Value::Object(consents)) => judge(consents, rule.category.as_deref()),
            _ => Finding::undecodable("borlabs-cookie"),
        }
    }))
}

/// A rule names a group or a service.
fn judge(consents: &Map<String, Value>, category: Option<&str>) -> Finding {
    let groups = consents.iter().filter(|(_, services)| allows_some(services)).map(|(group, _)| group.as_str());
    let mut allowed: Vec<&str> = groups.collect();
    if category.is_some() {
        allowed.extend(consents.values().filter_map(texts).flatten());
        return of_list(&allowed, category);
    }
    let of_groups = of_list(&allowed, None);
    if of_groups.choice != Choice::Granted || consents.get("marketing") == Some(&Value::Bool(true)) {
        return of_groups;
    }
    match consents.get("marketing").and_then(texts).unwrap_or_default().into_iter().find_map(meta_ads) {
        Some(word) => Finding::granted(format!("{word} is listed")),
        None => Finding::unassigned("no service for Meta is known"),
    }
}

fn allows_some(services: &Value) -> bool {
    match services {
        Value::Array(services) => !services.is_empty(),
        Value::Bool(allowed) => *allowed,
        _ => false,
    }
}
