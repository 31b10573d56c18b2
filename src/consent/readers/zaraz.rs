//! Cloudflare Zaraz: `cf_consent`, JSON of purposes with true or false, percent-encoded.
//!
//! The ids of purposes are random, so a rule names the one that means advertising; a site can rename the cookie, and
//! can set purposes by a script (`zaraz.consent.set`), which nobody can tell from a click. Other products have a word
//! in a cookie of that name.

use serde_json::Value;

use super::{Name, Reader};
use crate::config::ConsentRule;
use crate::consent::Signals;
use crate::consent::decode::{layers, object};
use crate::consent::finding::{Finding, agreed};

pub const READER: Reader = Reader::banner("zaraz", &[Name::Is("cf_consent")], read);

fn read(signals: &Signals<'_>, rule: &ConsentRule) -> Option<Finding> {
    let name = rule.name.as_deref().unwrap_or("cf_consent");
    // Under a name of the operator's it is nobody else's.
    let unknown = || rule.name.is_some().then(|| Finding::undecodable("cf_consent"));
    agreed(signals.cookies_named(name).filter_map(|raw| judge(raw, rule.category.as_deref()).or_else(unknown)))
}

fn judge(raw: &str, category: Option<&str>) -> Option<Finding> {
    let Some(purposes) = object(raw) else {
        let is_torn = layers(raw).any(|layer| layer.starts_with('{'));
        return is_torn.then(|| Finding::undecodable("cf_consent"));
    };
    if !purposes.values().all(Value::is_boolean) {
        return None;
    }
    let is_refused = || !purposes.is_empty() && purposes.values().all(|value| *value == Value::Bool(false));
    Some(match category {
        Some(id) => Finding::of_bool(id, purposes.get(id).and_then(Value::as_bool)),
        None if is_refused() => Finding::denied("every purpose:false"),
        None => Finding::unassigned("the purpose is the site's own"),
    })
}
