//! CookieYes: `cookieyes-consent`, raw `key:value` pairs. WebToffee's `wt_consent` has the same syntax.
//!
//! The cookie is there from the first page on, in opt-out regions with every category at `yes`; `action:yes` marks that
//! somebody acted. The X is an act as well and leaves everything else as it was: without `consent:yes` nobody said yes. More
//! than that `consent:yes` does not mean, a custom save with everything off has it too. What no server can see: a
//! Californian opt-out, which also writes `consent:yes`, where the site exempted advertising from it.

use super::{Name, Reader};
use crate::config::ConsentRule;
use crate::consent::Signals;
use crate::consent::decode::{colon_pairs, layers, sole};
use crate::consent::finding::{Choice, Finding, agreed, strictest};

pub const READER: Reader = Reader::banner("cookieyes", &[Name::Is("cookieyes-consent"), Name::Is("wt_consent")], read);

/// The marketing category's slug; sites that renamed it call it `marketing`.
const MARKETING: [&str; 2] = ["advertisement", "marketing"];

fn read(signals: &Signals<'_>, rule: &ConsentRule) -> Option<Finding> {
    let judged = |value| judge(value, rule.category.as_deref());
    let undecodable = || Finding::undecodable("cookieyes-consent");
    let name = rule.name.as_deref().unwrap_or("cookieyes-consent");
    let cookieyes = signals.cookies_named(name).map(|value| judged(value).unwrap_or_else(undecodable));
    let webtoffee = signals.cookies_named("wt_consent").filter_map(judged);
    strictest(agreed(cookieyes).into_iter().chain(agreed(webtoffee)))
}

/// `None` when it is not in CookieYes' syntax.
fn judge(raw: &str, category: Option<&str>) -> Option<Finding> {
    let text = layers(raw).find(|layer| colon_pairs(layer).any(|(key, _)| key == "action"))?;
    let pairs: Vec<_> = colon_pairs(&text).collect();
    let names = |wanted| pairs.iter().any(|(key, _)| *key == wanted);
    let value_of = |key| sole(pairs.iter().copied(), key);
    if value_of("action") != Some("yes") {
        return Some(Finding::no_choice("action is empty"));
    }
    let is_unsaid = names("consent") && value_of("consent") != Some("yes");
    let of_category = |category| match Finding::of_category(category, value_of(category), "yes", "no") {
        Finding { choice: Choice::Granted, .. } if is_unsaid => Finding::no_choice("closed without consent:yes"),
        finding => finding,
    };
    if let Some(category) = category {
        return Some(of_category(category));
    }
    let present = MARKETING.into_iter().filter(|slug| names(slug));
    Some(strictest(present.map(of_category)).unwrap_or_else(|| of_category(MARKETING[0])))
}

#[cfg(test)]
mod tests {
    use crate::consent::finding::Choice;
    use crate::consent::tests::{choice, choice_by_rule};

    #[test]
    fn the_advertisement_category_counts_once_somebody_acted() {
        for (cookie, expected) in [
            (
                "consentid:Ab1,consent:yes,action:yes,necessary:yes,analytics:no,advertisement:yes",
                Some(Choice::Granted),
            ),
            ("consentid:Ab1,consent:yes,action:yes,necessary:yes,analytics:yes,advertisement:no", Some(Choice::Denied)),
            ("consentid:Ab1,consent:no,action:yes,necessary:yes,advertisement:no,other:no", Some(Choice::Denied)),
            // Written on the first page of an opt-out region.
            ("consentid:Ab1,consent:,action:,necessary:yes,analytics:yes,advertisement:yes", Some(Choice::None)),
            ("consentid:Ab1,consent:,action:,necessary:,advertisement:", Some(Choice::None)),
            // The X: of an opt-out banner, of an opt-in banner.
            ("consentid:Ab1,consent:no,action:yes,necessary:yes,advertisement:yes", Some(Choice::None)),
            ("consentid:Ab1,consent:,action:yes,necessary:yes,advertisement:yes", Some(Choice::None)),
            ("consentid:Ab1,consent:no,action:yes,necessary:yes,advertisement:no", Some(Choice::Denied)),
            ("consentid:Ab1,consent:yes,action:yes,marketing:yes", Some(Choice::Granted)),
            ("action:yes,advertisement:yes,marketing:no", Some(Choice::Denied)),
            ("action:yes,necessary:yes", Some(Choice::None)),
            ("action:yes,advertisement:yes,advertisement:no", Some(Choice::None)),
            ("consentid%3AAb1%2Caction%3Ayes%2Cadvertisement%3Ayes", Some(Choice::Granted)),
            ("consentid:Ab1%2Caction:yes%2Cadvertisement:no", Some(Choice::Denied)),
            ("yes", Some(Choice::None)),
            ("", Some(Choice::None)),
        ] {
            assert_eq!(choice("cookieyes", &format!("cookieyes-consent={cookie}")), expected, "{cookie}");
        }
    }

    #[test]
    fn webtoffee_is_recognised_by_its_syntax_only() {
        assert_eq!(choice("cookieyes", "wt_consent=consent:yes,action:yes,advertisement:yes"), Some(Choice::Granted));
        assert_eq!(choice("cookieyes", "wt_consent=1"), None);
    }

    #[test]
    fn copies_that_disagree_are_a_no() {
        let yes = "cookieyes-consent=action:yes,advertisement:yes";
        assert_eq!(choice("cookieyes", &format!("{yes}; {yes}")), Some(Choice::Granted));
        for other in ["action:yes,advertisement:no", "action:,advertisement:yes", "garbage"] {
            assert_eq!(choice("cookieyes", &format!("{yes}; cookieyes-consent={other}")), Some(Choice::Denied));
            assert_eq!(choice("cookieyes", &format!("cookieyes-consent={other}; {yes}")), Some(Choice::Denied));
        }
    }

    #[test]
    fn a_rule_names_the_category() {
        let cookie = "cookieyes-consent=action:yes,advertisement:no,social:yes";
        assert_eq!(choice_by_rule("cookieyes", "social", cookie), Some(Choice::Granted));
        assert_eq!(choice_by_rule("cookieyes", "video", cookie), Some(Choice::None));
    }
}
