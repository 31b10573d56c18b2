//! Commanders Act (TrustCommander): `TC_PRIVACY`, fields between `@`: status (0 opted in, 1 opted out), versions, the
//! categories with consent, those a visitor cannot refuse, and three times.
//!
//! The categories are the site's own numbers, so a rule names the one that means advertising. How many fields stand
//! before them differs by version; the times tell where they are. What no server can see: a banner that takes reading
//! on for a yes. <https://community.commandersact.com/trustcommander/knowledge-base/consent-cookie>

use super::{Name, Reader};
use crate::config::ConsentRule;
use crate::consent::Signals;
use crate::consent::decode::layers;
use crate::consent::finding::{Finding, agreed};

pub const READER: Reader = Reader::banner("commanders_act", &[Name::Is("TC_PRIVACY")], read);

fn read(signals: &Signals<'_>, rule: &ConsentRule) -> Option<Finding> {
    let copies = signals.cookies_named(rule.name.as_deref().unwrap_or("TC_PRIVACY"));
    agreed(copies.map(|raw| {
        // No field holds text from elsewhere.
        let text = layers(raw).last();
        text.and_then(|text| judge(&text, rule.category.as_deref()))
            .unwrap_or_else(|| Finding::undecodable("TC_PRIVACY"))
    }))
}

fn judge(text: &str, category: Option<&str>) -> Option<Finding> {
    let fields: Vec<&str> = text.split('@').collect();
    let times = fields.iter().position(|field| are_times(field))?;
    let consented = fields.get(times.checked_sub(2)?)?;
    match (*fields.first()?, category) {
        ("1", _) => Some(Finding::denied("status:1")),
        ("0", None) => Some(Finding::unassigned("the category is the site's own")),
        ("0", Some(category)) => {
            let mut listed = consented.split(',').filter(|number| !number.is_empty()).peekable();
            let are_numbers = listed.clone().all(|number| number.bytes().all(|byte| byte.is_ascii_digit()));
            (listed.peek().is_none() || are_numbers)
                .then(|| Finding::of_bool(category, Some(listed.any(|number| number == category))))
        }
        _ => None,
    }
}

/// Updated, created and expiring, in milliseconds.
fn are_times(field: &str) -> bool {
    let is_time = |time: &str| time.len() >= 12 && time.bytes().all(|byte| byte.is_ascii_digit());
    field.split(',').count() == 3 && field.split(',').all(is_time)
}
