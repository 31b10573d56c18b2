//! The IAB's US Privacy string: `1`, whether notice was given, whether the sale was opted out of, whether the contract
//! covers it; each `Y`, `N` or `-` ("CCPA Compliance Mechanism, US Privacy String").
//!
//! `1YNN` is what everybody's says who did not opt out, and no yes: it counts as not there, as in `gpp`.

use super::{Category, Name, Reader, Source, Standing, funding_choices};
use crate::config::ConsentRule;
use crate::consent::Signals;
use crate::consent::decode::layers;
use crate::consent::finding::{Finding, strictest};

pub const READER: Reader = Reader {
    name: "us_privacy",
    source: Source::Request(&[Name::Is("usprivacy"), Name::Is("us_privacy"), Name::Is(funding_choices::COOKIE)]),
    read,
    category: Category::None,
    standing: Standing::UsOptOut,
};

/// The specification's, and the parameter's.
const COOKIES: [&str; 2] = ["usprivacy", "us_privacy"];

/// Any of them can only restrict, so a link that somebody made up can as well.
fn read(signals: &Signals<'_>, _rule: &ConsentRule) -> Option<Finding> {
    let cookies = COOKIES.into_iter().flat_map(|name| signals.cookies_named(name));
    let raw = cookies.chain(signals.query_values("us_privacy"));
    let in_dialog = signals
        .cookies_named(funding_choices::COOKIE)
        .filter_map(|raw| judge(&funding_choices::string(raw, funding_choices::US_PRIVACY)?));
    strictest(raw.filter_map(|raw| layers(raw).find_map(|text| judge(&text))).chain(in_dialog))
}

/// `None`: nothing was opted out of, or it is something else.
fn judge(text: &str) -> Option<Finding> {
    match (opts_out(text), text.trim().as_bytes()) {
        (Some(true), _) => Some(Finding::denied("US Privacy OptOutSale:Y")),
        (None, [b'0'..=b'9', b'Y' | b'N' | b'-', ..]) => Some(Finding::undecodable("the US Privacy string")),
        (Some(false) | None, _) => None,
    }
}

/// `None`: it is no such string. What follows the four characters is not looked at: `1---N` exists.
pub fn opts_out(text: &str) -> Option<bool> {
    let is_word = |byte: &u8| matches!(byte.to_ascii_uppercase(), b'Y' | b'N' | b'-');
    match text.trim().as_bytes() {
        [b'1', words @ ..] => {
            let words = words.get(..3)?;
            words.iter().all(is_word).then(|| words.get(1).is_some_and(|sale| sale.eq_ignore_ascii_case(&b'Y')))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consent::finding::Choice;
    use crate::consent::tests::find_in;

    #[test]
    fn an_opt_out_denies_and_nothing_else_does_anything() {
        for (text, expected) in [
            ("1YYN", Some(Choice::Denied)),
            ("1-Y-", Some(Choice::Denied)),
            ("1YYY", Some(Choice::Denied)),
            ("1nyn", Some(Choice::Denied)),
            ("1YYN1YYN", Some(Choice::Denied)),
            ("1YNN", None),
            ("1NNN", None),
            ("1---", None),
            ("1---N", None),
            ("1YYX", Some(Choice::None)),
            ("1YY", Some(Choice::None)),
            ("1Y", Some(Choice::None)),
            ("2YYN", Some(Choice::None)),
            ("1", None),
            ("true", None),
            ("YYN", None),
            ("", None),
        ] {
            assert_eq!(judge(text).map(|found| found.choice), expected, "{text}");
        }
    }

    #[test]
    fn a_link_can_opt_out() {
        for (query, expected) in [
            ("us_privacy=1YYN", Some(Choice::Denied)),
            ("a=b&us_privacy=1YNN&us_privacy=1%59YN", Some(Choice::Denied)),
            ("us_privacy=1YNN", None),
            ("us_privacy=", None),
            ("usprivacy=1YYN", None),
        ] {
            let found = find_in("us_privacy", &format!("/?{query}"), &[]);
            assert_eq!(found.map(|found| found.choice), expected, "{query}");
        }
    }
}
