//! Didomi: `didomi_token`, base64 of JSON with enabled and disabled vendors and purposes; `didomi_dcs` is its binary
//! successor.
//!
//! Before the choice the token has neither lists nor a version. A yes needs both, Meta as a vendor and a purpose of
//! advertising; with the TCF on, the token has only the site's own purposes, and the TC string the others. Ids of own
//! vendors and purposes are nine letters of their name and a random end: `c:facebook-AbCd1234`. After a refusal
//! `disabled` may be missing, so a vendor in neither list is no answer. What no server can see: old settings that took
//! scrolling for a yes.

use serde_json::{Map, Value};

use super::known_names::{is_meta, marketing_category, meta_ads};
use super::{Name, Reader, tcf};
use crate::config::ConsentRule;
use crate::consent::Signals;
use crate::consent::decode::base64_object;
use crate::consent::finding::{Choice, Finding, agreed};

pub const READER: Reader = Reader::banner("didomi", &[Name::Is("didomi_token"), Name::Is("didomi_dcs")], read);

fn read(signals: &Signals<'_>, rule: &ConsentRule) -> Option<Finding> {
    if signals.cookies_named("didomi_dcs").next().is_some() {
        // A token beside it is one that is not written any more.
        let tcf_answers = rule.category.is_none() && tcf_says(signals).is_some();
        return (!tcf_answers).then(|| Finding::unreadable("didomi_dcs holds the answer"));
    }
    let name = rule.name.as_deref().unwrap_or("didomi_token");
    agreed(signals.cookies_named(name).map(|raw| match base64_object(raw) {
        Some(token) => judge(&token, rule.category.as_deref(), signals),
        None => Finding::undecodable("didomi_token"),
    }))
}

fn judge(token: &Map<String, Value>, category: Option<&str>, signals: &Signals<'_>) -> Finding {
    let (vendors, purposes) = (Answers::of(token, "vendors"), Answers::of(token, "purposes"));
    if vendors.is_empty() && purposes.is_empty() {
        return Finding::no_choice("no vendors and no purposes");
    }
    if let Some(id) = category {
        let (enabled, disabled) = (vendors.or(&purposes, true, id), vendors.or(&purposes, false, id));
        return match (enabled, disabled) {
            (true, true) => Finding::undecodable(id),
            (false, false) => Finding::of_bool(id, None),
            (enabled, _) => Finding::of_bool(id, Some(enabled)),
        };
    }
    if vendors.disabled.iter().any(|id| is_meta_vendor(id)) {
        return Finding::denied("Meta's vendor is disabled");
    }
    if purposes.disabled.iter().any(|id| is_ad_purpose(id)) {
        return Finding::denied("a purpose of advertising is disabled");
    }
    if !vendors.enabled.iter().any(|id| is_meta_vendor(id)) {
        return Finding::unassigned("no vendor for Meta is known");
    }
    if purposes.enabled.iter().any(|id| is_ad_purpose(id)) {
        return Finding::granted("Meta's vendor and a purpose of advertising are enabled");
    }
    match tcf_says(signals) {
        Some(Finding { choice: Choice::Granted, .. }) => Finding::granted("Meta's vendor is enabled, TC string agrees"),
        Some(other) => other,
        None => Finding::unassigned("no purpose of advertising is known"),
    }
}

fn tcf_says(signals: &Signals<'_>) -> Option<Finding> {
    (tcf::READER.read)(signals, &ConsentRule::default())
}

/// A pair of lists.
struct Answers<'a> {
    enabled: Vec<&'a str>,
    disabled: Vec<&'a str>,
}

impl<'a> Answers<'a> {
    fn of(token: &'a Map<String, Value>, kind: &str) -> Self {
        let list = |answer| {
            let list = token.get(kind).and_then(|lists| lists.get(answer)?.as_array());
            list.into_iter().flatten().filter_map(Value::as_str).collect()
        };
        Self { enabled: list("enabled"), disabled: list("disabled") }
    }

    fn is_empty(&self) -> bool {
        self.enabled.is_empty() && self.disabled.is_empty()
    }

    fn or(&self, other: &Self, enabled: bool, id: &str) -> bool {
        let list =
            |answers: &Self| if enabled { answers.enabled.contains(&id) } else { answers.disabled.contains(&id) };
        list(self) || list(other)
    }
}

/// A vendor is a company here, so its name alone will do; what it is for, the purposes say.
fn is_meta_vendor(id: &str) -> bool {
    let name = own_name(id);
    is_meta(name) || meta_ads(name).is_some() || ["facebooka", "facebookp", "metaplatf"].contains(&name)
}

/// Didomi's own ids of purposes 3 and 4, its older one, and own purposes by their name.
fn is_ad_purpose(id: &str) -> bool {
    let own = own_name(id);
    ["create_ads_profile", "select_personalized_ads", "advertising_personalization"].contains(&id)
        || marketing_category(own).is_some()
        || own == "advertisi"
}

/// `c:facebook-AbCd1234` → `facebook`.
fn own_name(id: &str) -> &str {
    const RANDOM: usize = 8;
    let id = id.strip_prefix("c:").unwrap_or(id);
    match id.rsplit_once('-') {
        Some((name, end)) if end.len() == RANDOM && end.bytes().all(|byte| byte.is_ascii_alphanumeric()) => name,
        _ => id,
    }
}
