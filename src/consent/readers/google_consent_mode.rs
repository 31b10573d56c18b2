//! Google Consent Mode, where a tagging server passes its state on: header `x-ga-gcs`, and the parameters of Google's
//! own hits. Banners keep no cookie of it.
//!
//! `gcs` is `G1`, then `ad_storage` and `analytics_storage`, each `1`, `0`, or `-` for not set. It does not tell a
//! visitor's yes from a default. `gcd` does, and has `ad_user_data`, but Google documents it nowhere: it restricts, and
//! grants nothing. A link that anybody can make up grants nothing either: of the query only a no counts.

use http::HeaderName;

use super::{Category, Reader, Source, Standing};
use crate::config::ConsentRule;
use crate::consent::Signals;
use crate::consent::decode::layers;
use crate::consent::finding::{Choice, Finding, agreed, strictest};

const X_GA_GCS: HeaderName = HeaderName::from_static("x-ga-gcs");
const X_GA_GCD: HeaderName = HeaderName::from_static("x-ga-gcd");

pub const READER: Reader = Reader {
    name: "google_consent_mode",
    source: Source::Request(&[]),
    read,
    category: Category::None,
    standing: Standing::Banner,
};

fn read(signals: &Signals<'_>, _rule: &ConsentRule) -> Option<Finding> {
    let header = |name: HeaderName, judge: fn(&str) -> Option<Finding>, what: &str| {
        agreed(signals.header_lines(&name).map(|line| {
            let text = std::str::from_utf8(line).ok();
            text.and_then(|text| judge(text.trim())).unwrap_or_else(|| Finding::undecodable(what))
        }))
    };
    let by_header = strictest(header(X_GA_GCS, of_gcs, "gcs"));
    let by_header = match header(X_GA_GCD, of_gcd, "gcd") {
        Some(gcd) if gcd.choice == Choice::Granted => by_header,
        gcd => strictest(by_header.into_iter().chain(gcd)),
    };
    let query = |name, judge: fn(&str) -> Option<Finding>| {
        let said = signals.query_values(name).filter_map(move |raw| layers(raw).find_map(|text| judge(text.trim())));
        said.filter(|found| found.choice == Choice::Denied)
    };
    strictest(by_header.into_iter().chain(query("gcs", of_gcs)).chain(query("gcd", of_gcd)))
}

/// `None`: it is no such value.
fn of_gcs(text: &str) -> Option<Finding> {
    match text.as_bytes() {
        [b'G', b'1', storage @ (b'0' | b'1' | b'-'), b'0' | b'1' | b'-'] => Some(match storage {
            b'1' => Finding::granted("gcs ad_storage:1"),
            b'0' => Finding::denied("gcs ad_storage:0"),
            _ => Finding::no_choice("gcs ad_storage:-"),
        }),
        _ => None,
    }
}

/// `1`, then for `ad_storage`, `analytics_storage`, `ad_user_data` and `ad_personalization` a digit and a letter, then
/// more. A letter is the default and the update in two bits each, as a digit of `0-9a-zA-Z`: 1 not set, 2 denied, 3
/// granted.
fn of_gcd(text: &str) -> Option<Finding> {
    let [b'1', _, ad_storage, _, _, _, ad_user_data, _, _, ..] = *text.as_bytes() else { return None };
    let parts = [("ad_storage", default_and_update(ad_storage)?), ("ad_user_data", default_and_update(ad_user_data)?)];
    let effective = |(default, update): (u8, u8)| if update == 1 { default } else { update };
    Some(if let Some((name, _)) = parts.iter().find(|(_, states)| effective(*states) == 2) {
        Finding::denied(format!("gcd {name}:denied"))
    } else if parts.iter().all(|(_, (_, update))| *update == 3) {
        Finding::granted("gcd ad_user_data:granted")
    } else {
        Finding::no_choice("gcd has defaults only")
    })
}

/// `l` to `v`, without the two that would have a fourth state.
fn default_and_update(letter: u8) -> Option<(u8, u8)> {
    let digit = matches!(letter, b'l'..=b'n' | b'p'..=b'r' | b't'..=b'v').then(|| letter - b'a' + 10)?;
    Some((digit >> 2 & 3, digit & 3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consent::tests::find_in;

    fn choice(target: &str, headers: &[(&str, &str)]) -> Option<Choice> {
        find_in("google_consent_mode", target, headers).map(|found| found.choice)
    }

    #[test]
    fn only_a_header_grants() {
        for (gcs, by_header, by_query) in [
            ("G111", Some(Choice::Granted), None),
            ("G110", Some(Choice::Granted), None),
            ("G1%31%30", Some(Choice::None), None),
            ("G101", Some(Choice::Denied), Some(Choice::Denied)),
            ("G100", Some(Choice::Denied), Some(Choice::Denied)),
            ("G10-", Some(Choice::Denied), Some(Choice::Denied)),
            ("G1--", Some(Choice::None), None),
            ("G1-1", Some(Choice::None), None),
            ("G1111", Some(Choice::None), None),
            ("g111", Some(Choice::None), None),
            ("", Some(Choice::None), None),
        ] {
            assert_eq!(choice("/", &[("x-ga-gcs", gcs)]), by_header, "{gcs}");
            assert_eq!(choice(&format!("/?a=1&gcs={gcs}"), &[]), by_query, "{gcs}");
        }
        assert_eq!(choice("/?gcs=G100", &[("x-ga-gcs", "G111")]), Some(Choice::Denied));
        assert_eq!(choice("/?gcs=G111", &[("x-ga-gcs", "G100")]), Some(Choice::Denied));
        assert_eq!(choice("/?gcs=G%3100", &[]), Some(Choice::Denied));
        assert_eq!(choice("/", &[("x-ga-gcs", "G111"), ("x-ga-gcs", "G100")]), Some(Choice::Denied));
    }

    #[test]
    fn gcd_restricts_and_grants_nothing() {
        for (gcd, with_yes, alone, by_query) in [
            // Denied by default, granted by the visitor; granted without a default; both.
            ("13r3r3r3r5l1", Some(Choice::Granted), None, None),
            ("11n1n1n1n5", Some(Choice::Granted), None, None),
            ("13v3v3v3v5l1", Some(Choice::Granted), None, None),
            // Granted by default only; nothing set.
            ("11t1t1t1t5", Some(Choice::None), Some(Choice::None), None),
            ("13l3l3l3l1l1", Some(Choice::None), Some(Choice::None), None),
            ("13r3r3t3r5l1", Some(Choice::None), Some(Choice::None), None),
            // The storage is granted, the use of the visitor's data is not.
            ("13r3r3p3r5l1", Some(Choice::Denied), Some(Choice::Denied), Some(Choice::Denied)),
            ("13r3r3q3r5l1", Some(Choice::Denied), Some(Choice::Denied), Some(Choice::Denied)),
            ("13u3r3r3r5l1", Some(Choice::Denied), Some(Choice::Denied), Some(Choice::Denied)),
            ("13m3r3r3r5l1", Some(Choice::Denied), Some(Choice::Denied), Some(Choice::Denied)),
            // Analytics does not matter.
            ("13r3p3r3r5l1", Some(Choice::Granted), None, None),
            ("garbage", Some(Choice::None), Some(Choice::None), None),
            ("1rrrrrrrr", Some(Choice::Granted), None, None),
            ("13o3r3r3r5", Some(Choice::None), Some(Choice::None), None),
            ("", Some(Choice::None), Some(Choice::None), None),
        ] {
            assert_eq!(choice("/", &[("x-ga-gcs", "G111"), ("x-ga-gcd", gcd)]), with_yes, "{gcd}");
            assert_eq!(choice("/", &[("x-ga-gcd", gcd)]), alone, "{gcd}");
            assert_eq!(choice(&format!("/?gcd={gcd}"), &[]), by_query, "{gcd}");
        }
    }
}
