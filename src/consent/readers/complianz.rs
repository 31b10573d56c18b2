//! Complianz: one plain cookie per category, `cmplz_marketing` = `allow` or `deny`; on some multisites with the prefix
//! `cmplz_rt_`.
//!
//! Where no law applies, version 6 and later allow everything by themselves. A click leaves `cmplz_banner-status` at
//! `dismissed`, that does not; `cmplz_policy_id` tells such a request from one that was cut short. Versions before 6 kept
//! `cmplz_consent_status` (before 5 `complianz_consent_status`) instead, which scrolling can write as well where opting out
//! is the law: its no counts, its yes only with the category's. Opt-out regimes are in no cookie: absence stays absence. What
//! no server can see: version 5 (2021), which wrote both by itself where no law applies or by scrolling where opting out is
//! the law.

use super::lists::refuses_meta;
use super::{Name, Reader};
use crate::config::ConsentRule;
use crate::consent::Signals;
use crate::consent::decode::layers;
use crate::consent::finding::{Choice, Finding, agreed, strictest};

pub const READER: Reader =
    Reader::banner("complianz", &[Name::Begins("cmplz_"), Name::Is("complianz_consent_status")], read);

const PREFIXES: [&str; 2] = ["cmplz_", "cmplz_rt_"];
const STATUSES: [&str; 3] = ["complianz_consent_status", "cmplz_consent_status", "cmplz_rt_consent_status"];

fn read(signals: &Signals<'_>, rule: &ConsentRule) -> Option<Finding> {
    let category = rule.category.as_deref().unwrap_or("marketing");
    let chosen = PREFIXES.into_iter().filter_map(|prefix| {
        let name = format!("{prefix}{category}");
        agreed(signals.cookies_named(&name).map(|raw| {
            let value = layers(raw).last();
            Finding::of_category(&name, value.as_deref(), "allow", "deny")
        }))
    });
    let chosen = strictest(chosen).map(|chosen| match chosen.choice {
        Choice::Granted if nobody_clicked(signals) => Finding::no_choice("no cmplz_banner-status"),
        _ => chosen,
    });
    // Its other cookies show that the banner is there.
    let missing = || {
        let there = signals.cookies().any(|(name, _)| name.starts_with("cmplz_") || name == STATUSES[0]);
        there.then(|| Finding::of_category(&format!("cmplz_{category}"), None, "allow", "deny"))
    };
    let refused = STATUSES.into_iter().find(|name| signals.cookies_named(name).any(|status| status == "deny"));
    let refusal = refused.map(|name| Finding::denied(format!("{name}:deny")));
    let services = PREFIXES.map(|prefix| refuses_meta(signals.cookies_named(&format!("{prefix}consented_services"))));
    strictest(chosen.or_else(missing).into_iter().chain(refusal).chain(services.into_iter().flatten()))
}

/// Version 6 or later, and nothing of what a click leaves behind: neither a dismissed banner nor a refused category.
fn nobody_clicked(signals: &Signals<'_>) -> bool {
    let has = |suffix: &str, wanted: Option<&str>| {
        signals.cookies().any(|(name, value)| {
            PREFIXES.iter().any(|prefix| name.strip_prefix(prefix) == Some(suffix)) && wanted.is_none_or(|w| w == value)
        })
    };
    let refused_some = || signals.cookies().any(|(name, value)| name.starts_with("cmplz_") && value == "deny");
    let is_old = || STATUSES.iter().any(|name| signals.cookies_named(name).next().is_some());
    has("policy_id", None) && !has("banner-status", Some("dismissed")) && !refused_some() && !is_old()
}

#[cfg(test)]
mod tests {
    use crate::consent::finding::Choice;
    use crate::consent::tests::{choice, choice_by_rule};

    #[test]
    fn the_marketing_cookie_counts() {
        for (cookies, expected) in [
            ("cmplz_marketing=allow; cmplz_statistics=deny", Some(Choice::Granted)),
            ("cmplz_marketing=deny; cmplz_statistics=allow", Some(Choice::Denied)),
            ("cmplz_rt_marketing=allow", Some(Choice::Granted)),
            ("cmplz_rt_marketing=deny", Some(Choice::Denied)),
            ("cmplz_marketing=allow; cmplz_rt_marketing=deny", Some(Choice::Denied)),
            ("cmplz_marketing=allow; cmplz_marketing=deny", Some(Choice::Denied)),
            ("cmplz_marketing=", Some(Choice::None)),
            ("cmplz_marketing=Allow", Some(Choice::None)),
            ("cmplz_functional=allow; cmplz_policy_id=12", Some(Choice::None)),
            // A whole request: of a click, and of a region without a law.
            ("cmplz_policy_id=12; cmplz_marketing=allow; cmplz_banner-status=dismissed", Some(Choice::Granted)),
            ("cmplz_policy_id=12; cmplz_marketing=allow; cmplz_statistics=allow", Some(Choice::None)),
            ("cmplz_policy_id=12; cmplz_marketing=allow; cmplz_banner-status=show", Some(Choice::None)),
            ("cmplz_policy_id=12; cmplz_marketing=allow; cmplz_statistics=deny", Some(Choice::Granted)),
            ("cmplz_marketing=allow; cmplz_consented_services={\"facebook\":false}", Some(Choice::Denied)),
            ("cmplz_marketing=deny; cmplz_consented_services={\"facebook\":true}", Some(Choice::Denied)),
            // Versions before 6.
            ("complianz_consent_status=allow; cmplz_marketing=allow; cmplz_stats=allow", Some(Choice::Granted)),
            ("complianz_consent_status=deny; cmplz_marketing=allow", Some(Choice::Denied)),
            ("complianz_consent_status=deny", Some(Choice::Denied)),
            ("complianz_consent_status=allow", Some(Choice::None)),
            ("complianz_consent_status=dismiss", Some(Choice::None)),
            ("marketing=allow", None),
        ] {
            assert_eq!(choice("complianz", cookies), expected, "{cookies}");
        }
    }

    #[test]
    fn a_rule_names_the_category() {
        let cookies = "cmplz_marketing=deny; cmplz_statistics=allow";
        assert_eq!(choice_by_rule("complianz", "statistics", cookies), Some(Choice::Granted));
    }
}
