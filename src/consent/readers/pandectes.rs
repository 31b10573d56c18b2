//! Pandectes (Shopify): `_pandectes_gdpr`, base64 of JSON with `status` and `preferences`.
//!
//! There before the choice with an empty status. `preferences` is the sum of what stays *blocked*: 1 functionality,
//! 2 performance, 4 targeting. What no server can see: whether `allow` came from a click.

use serde_json::{Map, Value};

use super::{Name, Reader};
use crate::config::ConsentRule;
use crate::consent::Signals;
use crate::consent::decode::base64_object;
use crate::consent::finding::{Finding, agreed};

pub const READER: Reader = Reader::banner("pandectes", &[Name::Is("_pandectes_gdpr")], read);

fn read(signals: &Signals<'_>, rule: &ConsentRule) -> Option<Finding> {
    let category = rule.category.as_deref().unwrap_or("4");
    let name = rule.name.as_deref().unwrap_or("_pandectes_gdpr");
    agreed(signals.cookies_named(name).map(|raw| match base64_object(raw) {
        Some(cookie) => judge(&cookie, category),
        None => Finding::undecodable("_pandectes_gdpr"),
    }))
}

fn judge(cookie: &Map<String, Value>, category: &str) -> Finding {
    match cookie.get("status").and_then(Value::as_str) {
        Some("allow" | "custom") => {}
        Some("deny") => return Finding::denied("status:deny"),
        _ => return Finding::no_choice("no status"),
    }
    let bit = category.parse::<u64>().ok().filter(|bit| [1, 2, 4].contains(bit));
    let Some(bit) = bit else { return Finding::undecodable("the rule's category (1, 2 or 4)") };
    match cookie.get("preferences").and_then(Value::as_u64) {
        Some(blocked) if blocked & bit == 0 => Finding::granted(format!("{bit} is not blocked")),
        Some(_) => Finding::denied(format!("{bit} is blocked")),
        None => Finding::undecodable("preferences"),
    }
}
