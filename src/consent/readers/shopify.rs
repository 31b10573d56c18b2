//! Shopify's Customer Privacy: `_tracking_consent`, percent-encoded JSON in version 2.1, `3<choices>.<allowed>_<region>_…` in
//! version 3.
//!
//! Only `con.CMP`, and in version 3 what stands between the `3` and the dot, is the visitor's: a capital letter for a yes,
//! a small one for a no. `purposes`, and what follows the dot (`3.AMPS_USCA_f_f_…`), is what the shop may do by the law of
//! the region, without anybody having been asked. `s` is sale and sharing: a no to it is a no to Meta. What no server can
//! see: an app that calls `setTrackingConsent` on loading instead of on the visitor's yes.

use serde_json::Value;

use super::{Name, Reader};
use crate::config::ConsentRule;
use crate::consent::Signals;
use crate::consent::decode::{layers, object};
use crate::consent::finding::{Finding, agreed};

pub const READER: Reader = Reader::banner("shopify", &[Name::Is("_tracking_consent")], read);

fn read(signals: &Signals<'_>, rule: &ConsentRule) -> Option<Finding> {
    let category = rule.category.as_deref().unwrap_or("m");
    let name = rule.name.as_deref().unwrap_or("_tracking_consent");
    agreed(signals.cookies_named(name).map(|raw| judge(raw, category)))
}

fn judge(raw: &str, category: &str) -> Finding {
    let compact = layers(raw).find(|layer| layer.starts_with('3') && layer.contains('.'));
    let answers = match &compact {
        Some(text) => compact_answers(text, [category, "s"]),
        None => json_answers(raw, [category, "s"]),
    };
    match answers {
        Some([_, Some(false)]) => Finding::of_bool("s", Some(false)),
        Some([Some(answer), _]) => Finding::of_bool(category, Some(answer)),
        Some([None, _]) => Finding::no_choice("no answer"),
        None => Finding::undecodable("_tracking_consent"),
    }
}

fn compact_answers(text: &str, purposes: [&str; 2]) -> Option<[Option<bool>; 2]> {
    let (choices, _) = text.strip_prefix('3')?.split_once('.')?;
    let are_letters = choices.len() <= 8 && choices.bytes().all(|letter| letter.is_ascii_alphabetic());
    are_letters.then(|| {
        purposes.map(|letter| match () {
            () if choices.contains(&letter.to_ascii_lowercase()) => Some(false),
            () if choices.contains(&letter.to_ascii_uppercase()) => Some(true),
            () => None,
        })
    })
}

fn json_answers(raw: &str, purposes: [&str; 2]) -> Option<[Option<bool>; 2]> {
    let cookie = object(raw)?;
    let chosen = cookie.get("con")?.get("CMP")?.as_object()?;
    Some(purposes.map(|letter| match chosen.get(letter).and_then(Value::as_str) {
        Some("1") => Some(true),
        Some("0") => Some(false),
        _ => None,
    }))
}
