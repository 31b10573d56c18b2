//! OneTrust and CookiePro: `OptanonConsent`, form-urlencoded, and `OptanonAlertBoxClosed`.
//!
//! `OptanonConsent` is there before any choice, on opt-out sites with the marketing group already at 1. A choice is
//! shown by `OptanonAlertBoxClosed` and, where the version writes it, an `interactionCount` above 0. Closing the banner is an
//! interaction too and leaves the groups as they were; newer versions write the kind as `intType`. Group ids are the
//! tenant's own; `C0004` (targeting) is the template's. What no server can see: the X of older versions on opt-out sites.

use std::borrow::Cow;

use super::{Name, Reader};
use crate::config::ConsentRule;
use crate::consent::Signals;
use crate::consent::decode::{colon_pairs, layers, sole};
use crate::consent::finding::{Choice, Finding, agreed};

pub const READER: Reader =
    Reader::banner("onetrust", &[Name::Is("OptanonConsent"), Name::Is("OptanonAlertBoxClosed")], read);

/// Kinds of interaction (`intType`) that are no yes: everything rejected, banner closed.
const NO_YES: [&str; 2] = ["2", "3"];
/// Fields by which the cookie is recognised.
const FIELDS: [&str; 4] = ["groups", "interactionCount", "datestamp", "isGpcEnabled"];

fn read(signals: &Signals<'_>, rule: &ConsentRule) -> Option<Finding> {
    let group = rule.category.as_deref().unwrap_or("C0004");
    let mut closings = signals.cookies_named("OptanonAlertBoxClosed").peekable();
    let there = closings.peek().is_some();
    let closed = closings.any(|time| !time.is_empty());
    let name = rule.name.as_deref().unwrap_or("OptanonConsent");
    agreed(signals.cookies_named(name).map(|value| judge(value, group, closed)))
        .or_else(|| there.then(|| Finding::no_choice("no OptanonConsent")))
}

fn judge(raw: &str, group: &str, closed: bool) -> Finding {
    let Some(text) = layers(raw).find(|layer| fields(layer).any(|(key, _)| FIELDS.contains(&key))) else {
        return Finding::undecodable("OptanonConsent");
    };
    if !closed {
        return Finding::no_choice("no OptanonAlertBoxClosed");
    }
    let interactions = fields(&text).filter(|(key, _)| *key == "interactionCount").map(|(_, count)| count);
    if interactions.map(str::parse::<u32>).any(|count| count.unwrap_or(0) == 0) {
        return Finding::no_choice("interactionCount=0");
    }
    if fields(&text).any(|field| field == ("AwaitingReconsent", "true")) {
        return Finding::no_choice("AwaitingReconsent=true");
    }
    let groups = sole(fields(&text), "groups").and_then(|groups| layers(groups).last()).unwrap_or(Cow::Borrowed(""));
    match Finding::of_category(group, sole(colon_pairs(&groups), group), "1", "0") {
        Finding { choice: Choice::Granted, .. }
            if fields(&text).any(|(key, kind)| key == "intType" && NO_YES.contains(&kind)) =>
        {
            Finding::no_choice("intType: closed or rejected")
        }
        finding => finding,
    }
}

/// Name and raw value, as in a query.
fn fields(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split('&').filter_map(|field| field.split_once('='))
}

#[cfg(test)]
mod tests {
    use crate::consent::finding::Choice;
    use crate::consent::tests::{choice, choice_by_rule};

    const CLOSED: &str = "OptanonAlertBoxClosed=2026-11-02T10:00:00.000Z";

    fn consent(interactions: &str, groups: &str, rest: &str) -> String {
        format!(
            "OptanonConsent=isGpcEnabled=0&datestamp=Mon+Nov+02+2026+10%3A00%3A00+GMT%2B0100&version=202409.1.0\
             &consentId=00000000-0000-4000-8000-000000000000&interactionCount={interactions}&groups={groups}{rest}"
        )
    }

    #[test]
    fn the_targeting_group_counts_once_the_banner_was_answered() {
        let (yes, no) = ("C0001%3A1%2CC0002%3A0%2CC0004%3A1", "C0001%3A1%2CC0002%3A1%2CC0004%3A0");
        for (cookies, expected) in [
            (format!("{}; {CLOSED}", consent("1", yes, "&AwaitingReconsent=false")), Choice::Granted),
            (format!("{CLOSED}; {}", consent("12", no, "&AwaitingReconsent=false")), Choice::Denied),
            (format!("{}; {CLOSED}", consent("1", "C0001:1,C0004:1", "")), Choice::Granted),
            (format!("{}; {CLOSED}", consent("1", &yes.replace('%', "%25"), "")), Choice::Granted),
            (format!("{}; {CLOSED}", consent("1", no, "").replace("interactionCount=1&", "")), Choice::Denied),
            // Before the choice.
            (format!("{}; {CLOSED}", consent("0", yes, "")), Choice::None),
            (format!("{}; {CLOSED}", consent("", yes, "")), Choice::None),
            (consent("1", yes, ""), Choice::None),
            (format!("{}; OptanonAlertBoxClosed=", consent("1", yes, "")), Choice::None),
            (format!("{}; {CLOSED}", consent("1", yes, "&AwaitingReconsent=true")), Choice::None),
            // Nothing to go by.
            (format!("{}; {CLOSED}", consent("1", "1%3A1%2C4%3A1", "")), Choice::None),
            (format!("{}; {CLOSED}", consent("1", "C0004%3A2", "")), Choice::None),
            (format!("{}; {CLOSED}", consent("1", yes, "&groups=C0004%3A0")), Choice::None),
            (format!("OptanonConsent=garbage; {CLOSED}"), Choice::None),
            (CLOSED.to_owned(), Choice::None),
        ] {
            assert_eq!(choice("onetrust", &cookies), Some(expected), "{cookies}");
        }
    }

    #[test]
    fn a_cookie_encoded_once_more_is_read() {
        let inner = consent("1", "C0001%3A1%2CC0004%3A1", "");
        let value = inner.trim_start_matches("OptanonConsent=");
        let outer = value.replace('%', "%25").replace('=', "%3D").replace('&', "%26");
        assert_eq!(choice("onetrust", &format!("OptanonConsent={outer}; {CLOSED}")), Some(Choice::Granted));
    }

    #[test]
    fn a_crafted_link_in_the_landing_path_adds_no_groups() {
        let landing =
            "&landingPath=https%3A%2F%2Fshop.example%2F%3Fx%3D1%26groups%3DC0004%253A1%26interactionCount%3D9";
        let no = consent("1", "C0001%3A1%2CC0004%3A0", landing);
        assert_eq!(choice("onetrust", &format!("{no}; {CLOSED}")), Some(Choice::Denied));
        let missing = consent("1", "C0001%3A1", landing);
        assert_eq!(choice("onetrust", &format!("{missing}; {CLOSED}")), Some(Choice::None));
    }

    #[test]
    fn a_rule_names_the_group() {
        let cookies = format!("{}; {CLOSED}", consent("1", "C0004%3A0%2CC0005%3A1", ""));
        assert_eq!(choice_by_rule("onetrust", "C0005", &cookies), Some(Choice::Granted));
    }
}
