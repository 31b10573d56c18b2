//! `CookieHub`: `cookiehub`, base64 of JSON. `categories` are numbers of what was allowed, in older versions objects with
//! `cid`, `id` and `value`; with `allAllowed` the list is empty. 4 is marketing.
//!
//! There before the choice with `answered: false`; `implict` (so spelt, and `implicit`) and `preconsent` mark what was
//! allowed without being asked. `allowSale: false` is an opt-out of sale under US law.

use serde_json::{Map, Value};

use super::{Name, Reader};
use crate::config::ConsentRule;
use crate::consent::Signals;
use crate::consent::decode::base64_object;
use crate::consent::finding::{Finding, agreed};

pub const READER: Reader = Reader::banner("cookiehub", &[Name::Is("cookiehub")], read);

/// Marks of a yes that nobody said.
const UNASKED: [&str; 4] = ["implict", "implicit", "preconsent", "dnt"];

fn read(signals: &Signals<'_>, rule: &ConsentRule) -> Option<Finding> {
    let category = rule.category.as_deref().unwrap_or("4");
    let name = rule.name.as_deref().unwrap_or("cookiehub");
    agreed(signals.cookies_named(name).map(|raw| match base64_object(raw) {
        Some(cookie) => judge(&cookie, category),
        None => Finding::undecodable("cookiehub"),
    }))
}

fn judge(cookie: &Map<String, Value>, category: &str) -> Finding {
    let is = |key: &str, answer: bool| cookie.get(key) == Some(&Value::Bool(answer));
    if is("allowSale", false) {
        return Finding::denied("allowSale:false");
    }
    if !is("answered", true) {
        return Finding::no_choice("answered is not true");
    }
    if let Some(mark) = UNASKED.into_iter().find(|mark| cookie.contains_key(*mark) && !is(mark, false)) {
        return Finding::no_choice(mark);
    }
    if is("allAllowed", true) {
        return Finding::granted("allAllowed:true");
    }
    let Some(Value::Array(categories)) = cookie.get("categories") else { return Finding::undecodable("categories") };
    let answer = categories.iter().find_map(|entry| match entry {
        Value::Number(number) => (number.to_string() == category).then_some(Some(true)),
        Value::Object(entry) => {
            let is_it = |key: &str| match entry.get(key) {
                Some(Value::Number(number)) => number.to_string() == category,
                Some(Value::String(text)) => text == category,
                _ => false,
            };
            let unasked = entry.get("preconsent") == Some(&Value::Bool(true));
            let value = entry.get("value").and_then(Value::as_bool).filter(|value| !*value || !unasked);
            (is_it("cid") || is_it("id")).then_some(value)
        }
        _ => None,
    });
    match answer {
        Some(Some(true)) => Finding::granted(format!("{category}:true")),
        Some(None) => Finding::no_choice("preconsent"),
        Some(Some(false)) | None => Finding::denied(format!("{category} is not allowed")),
    }
}
