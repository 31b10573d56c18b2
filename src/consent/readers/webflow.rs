//! Cookie Consent by Finsweet, for Webflow: `fs-cc`, JSON that is percent-encoded twice.
//!
//! Written by a click only; where the site merely informs, the click on the X is one.

use serde_json::Value;

use super::{Name, Reader};
use crate::config::ConsentRule;
use crate::consent::Signals;
use crate::consent::decode::object;
use crate::consent::finding::{Finding, agreed};

pub const READER: Reader = Reader::banner("webflow", &[Name::Is("fs-cc")], read);

fn read(signals: &Signals<'_>, rule: &ConsentRule) -> Option<Finding> {
    let category = rule.category.as_deref().unwrap_or("marketing");
    let name = rule.name.as_deref().unwrap_or("fs-cc");
    agreed(signals.cookies_named(name).map(|raw| {
        let cookie = object(raw);
        match cookie.as_ref().and_then(|cookie| cookie.get("consents")) {
            Some(consents @ Value::Object(_)) => {
                Finding::of_bool(category, consents.get(category).and_then(Value::as_bool))
            }
            _ => Finding::undecodable("fs-cc"),
        }
    }))
}
