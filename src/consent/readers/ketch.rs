//! Ketch: `_swb_consent_`, base64 of JSON with what is allowed per purpose and under which legal basis, and
//! `_ketch_consent_v1_`, the same in short.
//!
//! On load the script writes `true` for every purpose that needs no opt-in and nobody has refused, so a true says
//! something only under `consent_optin`. The short cookie has no legal basis: there only a no can be read.

use serde_json::{Map, Value};

use super::known_names::letters;
use super::{Name, Reader};
use crate::config::ConsentRule;
use crate::consent::Signals;
use crate::consent::decode::base64_object;
use crate::consent::finding::{Choice, Finding, agreed, strictest};

pub const READER: Reader = Reader::banner("ketch", &[Name::Is("_swb_consent_"), Name::Is("_ketch_consent_v1_")], read);

/// `marketing` is not among them: e-mail marketing is a purpose of its own here.
const ADVERTISING: [&str; 4] =
    ["advertising", "behavioraladvertising", "personalizedadvertising", "targetedadvertising"];

fn read(signals: &Signals<'_>, rule: &ConsentRule) -> Option<Finding> {
    let category = rule.category.as_deref();
    let long = agreed(signals.cookies_named("_swb_consent_").map(|raw| {
        let record = base64_object(raw);
        let purposes = record.as_ref().and_then(|record| record.get("purposes")?.as_object());
        of_purposes(purposes, category, with_basis)
    }));
    let short = agreed(signals.cookies_named("_ketch_consent_v1_").map(|raw| {
        let purposes = base64_object(raw);
        of_purposes(purposes.as_ref(), category, without_basis)
    }));
    match (long, short) {
        (Some(long), Some(short)) if short.choice != Choice::Denied => Some(long),
        (long, short) => strictest(long.into_iter().chain(short)),
    }
}

fn of_purposes(purposes: Option<&Map<String, Value>>, category: Option<&str>, judge: fn(&Value) -> Finding) -> Finding {
    let Some(purposes) = purposes else { return Finding::undecodable("the purposes") };
    let is_wanted = |code: &str| match category {
        Some(category) => category == code,
        None => letters(code).is_some_and(|letters| ADVERTISING.contains(&letters.as_str())),
    };
    let wanted = purposes.iter().filter(|(code, _)| is_wanted(code)).map(|(_, answer)| judge(answer));
    strictest(wanted).unwrap_or_else(|| Finding::unassigned("no purpose of advertising is known"))
}

fn with_basis(answer: &Value) -> Finding {
    let text = |key| answer.get(key).and_then(Value::as_str);
    match (text("allowed"), text("legalBasisCode")) {
        (Some("true"), Some("consent_optin")) => Finding::granted("consent_optin:true"),
        (Some("true"), _) => Finding::no_choice("allowed, but not by opt-in"),
        (Some("false"), _) => Finding::denied("allowed:false"),
        _ => Finding::undecodable("a purpose"),
    }
}

fn without_basis(answer: &Value) -> Finding {
    match answer.as_str().or_else(|| answer.get("status")?.as_str()) {
        Some("granted") => Finding::unreadable("_ketch_consent_v1_ has defaults like answers"),
        Some("denied") => Finding::denied("status:denied"),
        _ => Finding::undecodable("a purpose"),
    }
}
