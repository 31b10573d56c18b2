//! `CookieScript`: `CookieScriptConsent`, JSON; `action` is `accept` for partial choices as well, `categories` a list that is
//! itself written as a text.
//!
//! There with `bannershown` alone while the banner waits. Known from observed cookies. What no server can see: settings that
//! take scrolling or going on for `accept`.

use serde_json::{Map, Value};

use super::lists::texts;
use super::{Name, Reader};
use crate::config::ConsentRule;
use crate::consent::Signals;
use crate::consent::decode::object;
use crate::consent::finding::{Finding, agreed};

pub const READER: Reader = Reader::banner("cookiescript", &[Name::Is("CookieScriptConsent")], read);

fn read(signals: &Signals<'_>, rule: &ConsentRule) -> Option<Finding> {
    let category = rule.category.as_deref().unwrap_or("targeting");
    let name = rule.name.as_deref().unwrap_or("CookieScriptConsent");
    agreed(signals.cookies_named(name).map(|raw| match object(raw) {
        Some(cookie) => judge(&cookie, category),
        None => Finding::undecodable("CookieScriptConsent"),
    }))
}

fn judge(cookie: &Map<String, Value>, category: &str) -> Finding {
    match cookie.get("action").and_then(Value::as_str) {
        Some("reject") => return Finding::denied("action:reject"),
        Some("accept") => {}
        _ => return Finding::no_choice("no action"),
    }
    let list = match cookie.get("categories") {
        Some(Value::String(list)) => serde_json::from_str(list).unwrap_or_default(),
        list => list.cloned().unwrap_or_default(),
    };
    match texts(&list) {
        None => Finding::undecodable("categories"),
        Some(accepted) if accepted.contains(&category) => Finding::granted(format!("{category} is listed")),
        Some(_) => Finding::denied(format!("{category} is not listed")),
    }
}
