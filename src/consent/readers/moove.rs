//! GDPR Cookie Compliance by Moove: `moove_gdpr_popup`, percent-encoded JSON with `"1"` and `"0"`.
//!
//! Clicks write texts. What scrolling or a timer writes, where the site has that on, are the site's defaults as numbers:
//! nobody's choice. `advanced` is the plugin's group for advertising; sites that use `thirdparty` say so by a rule. On
//! some settings a refusal deletes the cookie. What no server can see: the setting that takes a click on the X for a yes.

use serde_json::Value;

use super::{Name, Reader};
use crate::config::ConsentRule;
use crate::consent::Signals;
use crate::consent::decode::object;
use crate::consent::finding::{Finding, agreed};

pub const READER: Reader = Reader::banner("moove", &[Name::Is("moove_gdpr_popup")], read);

fn read(signals: &Signals<'_>, rule: &ConsentRule) -> Option<Finding> {
    let category = rule.category.as_deref().unwrap_or("advanced");
    let name = rule.name.as_deref().unwrap_or("moove_gdpr_popup");
    agreed(signals.cookies_named(name).map(|raw| {
        let Some(cookie) = object(raw) else { return Finding::undecodable("moove_gdpr_popup") };
        if cookie.get("strict").is_some_and(Value::is_number) || cookie.get(category).is_some_and(Value::is_number) {
            return Finding::no_choice("numbers: written without a click");
        }
        Finding::of_category(category, cookie.get(category).and_then(Value::as_str), "1", "0")
    }))
}
