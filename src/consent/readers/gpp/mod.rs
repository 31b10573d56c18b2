//! IAB Global Privacy Platform: its US sections, and the US Privacy string inside it. `tcf` reads the European and the
//! Canadian section.
//!
//! An opt-out of sale, of sharing or of targeted advertising is a no. Its absence is no yes: in the US nobody needs to
//! be asked, so "did not opt out" is what every visitor's string says who never saw a banner. Such a string counts as
//! not there. Who serves the US alone sets `unknown = "grant"` for those hosts; opt-outs still deny.
//!
//! `__gpp_sid` says which sections are in force where the visitor is now; an opt-out counts wherever it was made.

mod header;
mod us;

use super::{Category, Name, Reader, Source, Standing, us_privacy};
use crate::config::ConsentRule;
use crate::consent::Signals;
use crate::consent::decode::layers;
use crate::consent::finding::{Choice, Finding, strictest};
use header::{Section, sections};

pub const READER: Reader = Reader {
    name: "gpp",
    source: Source::Cookies(&[Name::Is("__gpp"), Name::Is("OTGPPConsent"), Name::Is("IABGPP_HDR_GppString")]),
    read,
    category: Category::None,
    standing: Standing::UsOptOut,
};

/// By convention, OneTrust's, InMobi's. (The specification leaves the place to the banner.)
const COOKIES: [&str; 3] = ["__gpp", "OTGPPConsent", "IABGPP_HDR_GppString"];

/// The European section, which `tcf` reads.
pub const TCF_EU: u32 = 2;
/// The Canadian one, which `tcf` reads as well.
pub const TCF_CANADA: u32 = 5;
const US_PRIVACY: u32 = 6;

fn read(signals: &Signals<'_>, rule: &ConsentRule) -> Option<Finding> {
    let names = COOKIES.into_iter().chain(rule.name.as_deref());
    strictest(names.flat_map(|name| signals.cookies_named(name)).filter_map(judge))
}

/// `None`: nothing was opted out of.
fn judge(raw: &str) -> Option<Finding> {
    if raw.is_empty() {
        return None;
    }
    layers(raw)
        .find_map(|text| Some(judge_sections(&sections(&text)?)))
        .unwrap_or_else(|| Some(Finding::undecodable("the GPP string")))
}

fn judge_sections(sections: &[Section<'_>]) -> Option<Finding> {
    let found: Vec<Finding> = sections
        .iter()
        .filter_map(|(id, text)| match *id {
            TCF_EU | TCF_CANADA => None,
            US_PRIVACY => match us_privacy::opts_out(text) {
                Some(opts_out) => opts_out.then(|| Finding::denied("uspv1 OptOutSale:Y")),
                None => Some(Finding::undecodable("uspv1")),
            },
            id => us::judge(id, text),
        })
        .collect();
    let mut states = found.iter().filter(|found| found.choice == Choice::Denied).filter_map(|found| found.us_state);
    let first = states.next();
    // Opt-outs under the law of several states: which one it is, Meta finds out.
    let us_state = first.filter(|first| states.all(|state| state == *first));
    strictest(found).map(|found| Finding { us_state, ..found })
}

/// The texts of one section.
pub fn texts(signals: &Signals<'_>, id: u32) -> Vec<String> {
    let of = |raw: &str| {
        let whole = layers(raw).find(|text| sections(text).is_some())?;
        sections(&whole)?.into_iter().find(|section| section.0 == id).map(|(_, text)| text.to_owned())
    };
    COOKIES.into_iter().flat_map(|name| signals.cookies_named(name)).filter_map(of).collect()
}

/// Whether a section is in force where the visitor is now; where nothing says which are, all of them.
pub fn is_in_force(signals: &Signals<'_>, id: u32) -> bool {
    let is_it = |listed: &str| listed.trim().parse() == Ok(id);
    let lists_it = |text: &str| text.split([',', '_']).any(is_it);
    signals.cookies_named("__gpp_sid").all(|raw| layers(raw).last().is_some_and(|text| lists_it(&text)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consent::tests::{choice, find};

    fn state(value: &str) -> Option<u16> {
        let rule = ConsentRule { signal: "gpp".to_owned(), ..Default::default() };
        find(&rule, &format!("__gpp={value}")).and_then(|found| found.us_state).map(|state| state.0)
    }

    #[test]
    fn a_string_without_an_opt_out_is_as_good_as_none() {
        for (value, expected) in [
            ("DBABLA~BVQqAAAAAgA.QA", None),
            ("DBABLA~BVQVAAAAAgA.QA", Some(Choice::Denied)),
            ("DBABLA~BVQqAAAAAgA.YA", Some(Choice::Denied)),
            ("DBABLA%7EBVQVAAAAAgA.QA", Some(Choice::Denied)),
            ("DBABLA%257EBVQVAAAAAgA.QA", Some(Choice::Denied)),
            ("DBABTA~1YYN", Some(Choice::Denied)),
            ("DBABTA~1YNN", None),
            ("DBABTA~18YN", Some(Choice::None)),
            ("DBABTA~present", Some(Choice::None)),
            ("DBAA", None),
            ("", None),
            ("DBABLA", Some(Choice::None)),
            ("DBABLA~", Some(Choice::None)),
            ("DBABLA~BVQ", Some(Choice::None)),
            ("DBABLA~BVQqAAAAAgA.QA~", Some(Choice::None)),
            ("1YNN", Some(Choice::None)),
        ] {
            for name in COOKIES {
                assert_eq!(choice("gpp", &format!("{name}={value}")), expected, "{value}");
            }
        }
    }

    #[test]
    fn the_state_is_named_where_there_is_one() {
        for (value, expected) in [
            ("DBABBg~BUUAAABA", Some(1000)),
            // usnat and usca; usca and usco.
            ("DBABrw~BAAVAAAAAAA~BAUAAAAA", Some(1000)),
            ("DBACBm~BAUAAAAA~BAUAAAA", None),
            ("DBABLA~BVQVAAAAAgA", None),
        ] {
            assert_eq!(choice("gpp", &format!("__gpp={value}")), Some(Choice::Denied), "{value}");
            assert_eq!(state(value), expected, "{value}");
        }
    }
}
