//! Civic Cookie Control: `CookieControl`, JSON, raw or percent-encoded; `optionalCookies` has `accepted`, `revoked` or
//! `legitimate interest` for each category, the lite form lists `acceptedCategories`.
//!
//! There before anybody acted, with `interactedWith: false` and, where the site recommends it, categories already
//! `accepted`. The names are the site's own. What no server can see: a click on the X of a banner whose switches the
//! site had turned on.

use serde_json::{Map, Value};

use super::known_names::marketing_category;
use super::lists::{of_list, texts};
use super::{Name, Reader};
use crate::config::ConsentRule;
use crate::consent::Signals;
use crate::consent::decode::{layers, object};
use crate::consent::finding::{Finding, agreed, strictest};

pub const READER: Reader = Reader::banner("civic", &[Name::Is("CookieControl")], read);

fn read(signals: &Signals<'_>, rule: &ConsentRule) -> Option<Finding> {
    let name = rule.name.as_deref().unwrap_or("CookieControl");
    agreed(signals.cookies_named(name).filter_map(|raw| match object(raw) {
        Some(cookie) => judge(&cookie, rule.category.as_deref()),
        None => layers(raw).any(|layer| layer.starts_with('{')).then(|| Finding::undecodable("CookieControl")),
    }))
}

/// `None` when it is another product's: the name is a common one.
fn judge(cookie: &Map<String, Value>, category: Option<&str>) -> Option<Finding> {
    let optional = cookie.get("optionalCookies").and_then(Value::as_object);
    let accepted = cookie.get("acceptedCategories").and_then(texts);
    if optional.is_none() && accepted.is_none() && !cookie.contains_key("interactedWith") {
        return None;
    }
    if cookie.get("interactedWith") != Some(&Value::Bool(true)) {
        return Some(Finding::no_choice("interactedWith is not true"));
    }
    Some(match (optional, accepted) {
        (Some(optional), _) => of_optional(optional, category),
        (None, Some(accepted)) => of_list(&accepted, category),
        (None, None) => Finding::no_choice("no categories"),
    })
}

fn of_optional(optional: &Map<String, Value>, category: Option<&str>) -> Finding {
    let answer = |name: &str, answer: &Value| Finding::of_category(name, answer.as_str(), "accepted", "revoked");
    if let Some(category) = category {
        let chosen = optional.get(category).and_then(Value::as_str);
        return Finding::of_category(category, chosen, "accepted", "revoked");
    }
    let known = optional.iter().filter_map(|(name, value)| Some(answer(marketing_category(name)?, value)));
    strictest(known).unwrap_or_else(|| {
        let mut answers = optional.values().peekable();
        if answers.peek().is_some() && answers.all(|answer| answer == "revoked") {
            Finding::denied("every category:revoked")
        } else {
            Finding::unassigned("no category for advertising is known")
        }
    })
}
