//! IAB Transparency and Consent Framework v2: the TC string and, where there is one, Google's additional-consent
//! string.
//!
//! Meta is not on the Global Vendor List, so there is no vendor bit to ask for; where an additional-consent string is
//! present, it must list Meta's provider id among the consented ones. Legitimate interest does not count.

mod additional;
mod tc_string;

use self::tc_string::Core;
use super::{Category, Name, Reader, Source, Standing};
use crate::config::ConsentRule;
use crate::consent::Signals;
use crate::consent::decode::layers;
use crate::consent::finding::{Choice, Finding, agreed, strictest};

pub const READER: Reader = Reader {
    name: "tcf",
    source: Source::Cookies(&[
        Name::Is("euconsent-v2"),
        Name::Is("eupubconsent-v2"),
        Name::Is("dm-euconsent-v2"),
        Name::Is("addtl_consent"),
        Name::Is("OTAdditionalConsentString"),
        Name::Begins("real_cookie_banner"),
    ]),
    read,
    category: Category::Purposes,
    standing: Standing::Banner,
};

/// Names are convention only; Real Cookie Banner adds its own (see [`is_real_cookie_banner`]).
const TC_COOKIES: [&str; 3] = ["euconsent-v2", "eupubconsent-v2", "dm-euconsent-v2"];
const AC_COOKIES: [&str; 2] = ["addtl_consent", "OTAdditionalConsentString"];

/// Storage on the device, an advertising profile, personalised ads, measurement of ads.
const DEFAULT_PURPOSES: &str = "1,3,4,7";

/// The purposes in a rule's category, if it is a list of them.
pub fn purposes(list: &str) -> Option<Vec<u8>> {
    list.split(',').map(|n| n.trim().parse().ok().filter(|n| (1..=24).contains(n))).collect()
}

fn read(signals: &Signals<'_>, rule: &ConsentRule) -> Option<Finding> {
    let wanted = rule.category.as_deref().unwrap_or(DEFAULT_PURPOSES);
    let strings = |name: &str| agreed(signals.cookies_named(name).map(|raw| judge(raw, wanted)));
    let own = signals.cookies().filter(|(name, _)| is_real_cookie_banner(name)).map(|(_, raw)| judge(raw, wanted));
    let tc = strictest(TC_COOKIES.into_iter().chain(rule.name.as_deref()).filter_map(strings).chain(agreed(own)));
    let additional = strictest(AC_COOKIES.into_iter().filter_map(|name| {
        agreed(signals.cookies_named(name).map(
            |raw| match layers(raw).find_map(|text| additional::lists_meta(&text)) {
                Some(true) => Finding::granted(format!("{name} lists {}", additional::META)),
                Some(false) => Finding::denied(format!("{name} does not list {}", additional::META)),
                None => Finding::undecodable(name),
            },
        ))
    }));
    match (tc, additional) {
        (None, Some(Finding { choice: Choice::Granted, .. })) => Some(Finding::no_choice("no TC string")),
        (tc, additional) => strictest(tc.into_iter().chain(additional)),
    }
}

/// `real_cookie_banner-v:3_blog:1_path:…-tcf`.
fn is_real_cookie_banner(name: &str) -> bool {
    name.starts_with("real_cookie_banner") && name.ends_with("-tcf")
}

fn judge(raw: &str, wanted: &str) -> Finding {
    let Some(purposes) = purposes(wanted) else { return Finding::undecodable("the rule's list of purposes") };
    let Some(core) = layers(raw).find_map(|text| Core::decode(&text)) else {
        return Finding::undecodable("the TC string");
    };
    match purposes.into_iter().find(|purpose| !core.consents_to(*purpose)) {
        Some(purpose) => Finding::denied(format!("purpose {purpose}:no")),
        None => Finding::granted(format!("purposes {wanted}:yes")),
    }
}

#[cfg(test)]
mod tests {
    use super::tc_string::tests::TcString;
    use crate::consent::finding::Choice;
    use crate::consent::tests::{choice, choice_by_rule};

    fn tc(purposes: &[u8]) -> String {
        TcString { purposes: purposes.to_vec(), ..TcString::default() }.build()
    }

    #[test]
    fn all_of_the_purposes_are_needed_and_only_those() {
        for (purposes, expected) in [
            (&[1, 3, 4, 7][..], Choice::Granted),
            (&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11], Choice::Granted),
            (&[1, 2, 3, 4], Choice::Denied),
            (&[3, 4, 7], Choice::Denied),
            (&[], Choice::Denied),
        ] {
            for name in ["euconsent-v2", "eupubconsent-v2", "real_cookie_banner-v:3_blog:1_path:1234567-tcf"] {
                let cookie = format!("{name}={}", tc(purposes));
                assert_eq!(choice("tcf", &cookie), Some(expected), "{purposes:?}");
            }
        }
    }

    #[test]
    fn a_rule_lists_the_purposes() {
        let cookie = format!("euconsent-v2={}", tc(&[1, 7]));
        assert_eq!(choice_by_rule("tcf", "1,7", &cookie), Some(Choice::Granted));
        assert_eq!(choice_by_rule("tcf", "1, 9", &cookie), Some(Choice::Denied));
        for wrong in ["", "0", "25", "1,,7", "marketing"] {
            assert_eq!(choice_by_rule("tcf", wrong, &cookie), Some(Choice::None), "{wrong}");
        }
    }

    #[test]
    fn legitimate_interest_does_not_count() {
        let string = TcString { purposes: vec![1, 3, 4], interests: vec![7], ..TcString::default() };
        assert_eq!(choice("tcf", &format!("euconsent-v2={}", string.build())), Some(Choice::Denied));
    }

    #[test]
    fn an_additional_consent_string_must_list_meta() {
        let yes = format!("euconsent-v2={}", tc(&[1, 3, 4, 7]));
        for (additional, expected) in [
            ("1~35.89.143", Choice::Granted),
            ("2~89~dv.35.89", Choice::Granted),
            ("2%7E89%7Edv.35", Choice::Granted),
            ("1~", Choice::Denied),
            ("1~35.189.890", Choice::Denied),
            ("2~~dv.89", Choice::Denied),
            ("2~35~dv.89", Choice::Denied),
            ("garbage", Choice::None),
        ] {
            for name in ["addtl_consent", "OTAdditionalConsentString"] {
                let cookies = format!("{yes}; {name}={additional}");
                assert_eq!(choice("tcf", &cookies), Some(expected), "{additional}");
            }
        }
    }

    #[test]
    fn an_additional_consent_string_alone_grants_nothing() {
        assert_eq!(choice("tcf", "addtl_consent=1~89"), Some(Choice::None));
        assert_eq!(choice("tcf", "addtl_consent=1~35"), Some(Choice::Denied));
    }

    #[test]
    fn the_most_restrictive_of_several_strings_wins() {
        let (yes, no) = (tc(&[1, 3, 4, 7]), tc(&[1]));
        for (cookies, expected) in [
            (format!("euconsent-v2={yes}; eupubconsent-v2={no}"), Choice::Denied),
            (format!("euconsent-v2={yes}; euconsent-v2={no}"), Choice::Denied),
            (format!("euconsent-v2={yes}; eupubconsent-v2=garbage"), Choice::None),
            (format!("euconsent-v2={yes}; eupubconsent-v2={yes}"), Choice::Granted),
        ] {
            assert_eq!(choice("tcf", &cookies), Some(expected), "{cookies}");
        }
    }
}
