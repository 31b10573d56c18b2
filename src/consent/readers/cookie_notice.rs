//! Cookie Notice by Hu-manity: `cookie_notice_accepted`, one answer for everything, and with their service `hu-consent`, raw
//! JSON with numbered categories.
//!
//! `hu-consent`'s own `consent` is true for the smallest choice as well; 4 is "ad personalization". What no server can see:
//! settings of the simple notice that take scrolling, or a click anywhere, for its yes.

use serde_json::Value;

use super::{Name, Reader};
use crate::config::ConsentRule;
use crate::consent::Signals;
use crate::consent::decode::object;
use crate::consent::finding::{Finding, agreed, strictest};

pub const READER: Reader =
    Reader::banner("cookie_notice", &[Name::Is("cookie_notice_accepted"), Name::Is("hu-consent")], read);

fn read(signals: &Signals<'_>, rule: &ConsentRule) -> Option<Finding> {
    let category = rule.category.as_deref().unwrap_or("4");
    let name = rule.name.as_deref().unwrap_or("cookie_notice_accepted");
    let simple = signals.cookies_named(name);
    let simple =
        agreed(simple.map(|value| Finding::of_category("cookie_notice_accepted", Some(value), "true", "false")));
    let detailed = agreed(signals.cookies_named("hu-consent").map(|raw| judge(raw, category)));
    strictest(simple.into_iter().chain(detailed))
}

fn judge(raw: &str, category: &str) -> Finding {
    let Some(cookie) = object(raw) else { return Finding::undecodable("hu-consent") };
    match cookie.get("consent").and_then(Value::as_bool) {
        Some(true) => {}
        Some(false) => return Finding::denied("consent:false"),
        None => return Finding::no_choice("no consent"),
    }
    let answer = cookie.get("categories").and_then(|categories| categories.get(category));
    Finding::of_bool(category, answer.and_then(Value::as_bool))
}
