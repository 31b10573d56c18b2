//! IAB Transparency and Consent Framework v2: the TC string and, where there is one, Google's additional-consent
//! string. They come in cookies of their own, in a GPP string and in Google's dialog.
//!
//! Meta is not on the Global Vendor List, so there is no vendor bit to ask for; where an additional-consent string is
//! present, it must list Meta's provider id among the consented ones. Legitimate interest does not count.

mod additional;
mod canada;
mod tc_string;

use std::cell::LazyCell;

use self::tc_string::Core;
use super::{Category, Name, Reader, Source, Standing, funding_choices, gpp};
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
        Name::Is("__gpp"),
        Name::Is("OTGPPConsent"),
        Name::Is("IABGPP_HDR_GppString"),
        Name::Is(funding_choices::COOKIE),
    ]),
    read,
    category: Category::Purposes,
    standing: Standing::Banner,
};

/// Names are convention only; Real Cookie Banner adds its own (see [`is_real_cookie_banner`]).
const TC_COOKIES: [&str; 3] = ["euconsent-v2", "eupubconsent-v2", "dm-euconsent-v2"];
const AC_COOKIES: [&str; 2] = ["addtl_consent", "OTAdditionalConsentString"];

/// In the list of registered banners.
const INMOBI: u32 = 10;

/// Storage on the device, an advertising profile, personalised ads, measurement of ads.
const DEFAULT_PURPOSES: &str = "1,3,4,7";

/// The purposes in a rule's category, if it is a list of them.
pub fn purposes(list: &str) -> Option<Vec<u8>> {
    list.split(',').map(|n| n.trim().parse().ok().filter(|n| (1..=24).contains(n))).collect()
}

fn read(signals: &Signals<'_>, rule: &ConsentRule) -> Option<Finding> {
    let wanted = rule.category.as_deref().unwrap_or(DEFAULT_PURPOSES);
    let strings = |name: &str| agreed(signals.cookies_named(name).map(|raw| judge(raw, wanted)));
    let named = TC_COOKIES.into_iter().chain(rule.name.as_deref()).filter_map(strings);
    let own = signals.cookies().filter(|(name, _)| is_real_cookie_banner(name)).map(|(_, raw)| judge(raw, wanted));
    let tc = strictest(named.chain(agreed(own)).chain(in_gpp(signals, wanted)).chain(in_dialog(signals, wanted)));
    let distances = LazyCell::new(|| is_by_inmobi(signals));
    let additional = AC_COOKIES
        .into_iter()
        .filter_map(|name| agreed(signals.cookies_named(name).map(|raw| additional::judge(raw, name, *distances))));
    let in_dialog = signals
        .cookies_named(funding_choices::COOKIE)
        .filter_map(|raw| funding_choices::string(raw, funding_choices::ADDITIONAL))
        .map(|text| additional::judge(&text, funding_choices::COOKIE, false));
    match (tc, strictest(additional.chain(agreed(in_dialog)))) {
        (None, Some(Finding { choice: Choice::Granted, .. })) => Some(Finding::no_choice("no TC string")),
        (tc, additional) => strictest(tc.into_iter().chain(additional)),
    }
}

/// `real_cookie_banner-v:3_blog:1_path:…-tcf`.
fn is_real_cookie_banner(name: &str) -> bool {
    name.starts_with("real_cookie_banner") && name.ends_with("-tcf")
}

/// Its additional-consent strings are written in a way of its own.
fn is_by_inmobi(signals: &Signals<'_>) -> bool {
    let named = TC_COOKIES.into_iter().flat_map(|name| signals.cookies_named(name));
    let in_gpp = gpp::texts(signals, gpp::TCF_EU);
    let mut raw = named.chain(in_gpp.iter().map(String::as_str));
    raw.any(|raw| layers(raw).find_map(|text| Core::decode(&text)).is_some_and(|core| core.cmp == INMOBI))
}

/// The European and the Canadian section. Where another section is in force, a yes is none, and a no still is one.
fn in_gpp(signals: &Signals<'_>, wanted: &str) -> Option<Finding> {
    let is_in_force = gpp::is_in_force(signals, gpp::TCF_EU);
    let eu = gpp::texts(signals, gpp::TCF_EU).into_iter().map(|text| judge(&text, wanted));
    let eu = eu.filter(|found| is_in_force || found.choice != Choice::Granted);
    let asked = purposes(wanted).unwrap_or_default();
    let canada = gpp::texts(signals, gpp::TCF_CANADA).into_iter().filter_map(|text| canada::judge(&text, &asked));
    strictest(eu.chain(canada))
}

/// What Google's dialog holds; in the US it holds none.
fn in_dialog(signals: &Signals<'_>, wanted: &str) -> Option<Finding> {
    agreed(signals.cookies_named(funding_choices::COOKIE).filter_map(|raw| {
        let Some(list) = funding_choices::list(raw) else {
            return Some(Finding::undecodable(funding_choices::COOKIE));
        };
        Some(judge(list.pointer(funding_choices::TC)?.as_str()?, wanted))
    }))
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
            ("2~89~dv.", Choice::Granted),
            ("1%257E35%252E89", Choice::Granted),
            // Torn, or something else.
            ("2~35.89", Choice::None),
            ("2~35.89~", Choice::None),
            ("2~35.89~dv", Choice::None),
            ("2~89~dv.35~89", Choice::None),
            ("1~89~dv.35", Choice::None),
            ("1~89.", Choice::None),
            ("1~0000089", Choice::None),
            ("1~8 9", Choice::None),
            ("3~89~dv.", Choice::None),
            ("89", Choice::None),
            ("", Choice::None),
            ("garbage", Choice::None),
        ] {
            for name in ["addtl_consent", "OTAdditionalConsentString"] {
                let cookies = format!("{yes}; {name}={additional}");
                assert_eq!(choice("tcf", &cookies), Some(expected), "{additional}");
            }
        }
    }

    #[test]
    fn inmobis_distances_are_summed() {
        let cookies = |cmp, additional| {
            let tc = TcString { cmp, ..TcString::default() }.build();
            format!("euconsent-v2={tc}; addtl_consent={additional}; IABGPP_HDR_GppString=DBABMA~{tc}")
        };
        assert_eq!(choice("tcf", &cookies(10, "1~43.3.9.6.9.13.6.4")), Some(Choice::Granted));
        assert_eq!(choice("tcf", &cookies(300, "1~43.3.9.6.9.13.6.4")), Some(Choice::Denied));
        assert_eq!(choice("tcf", &cookies(10, "1~100.89")), Some(Choice::Denied));
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
