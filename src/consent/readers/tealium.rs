//! Tealium's consent manager: `CONSENTMGR`, `key:value` pairs between bars: `c1:1|c4:0|ts:…|consent:true`.
//!
//! Which of the categories `c1` to `c15` the site has put Meta's tag into, only a rule can say (`category = "c4"`; for
//! a prompt without categories `"consent"`). `consent:true` is there for partial choices too, and sites that do not ask
//! first write it with every category at 1, so a rule is for sites that do; `consent:false` is a no to all.

use super::{Name, Reader};
use crate::config::ConsentRule;
use crate::consent::Signals;
use crate::consent::decode::{layers, sole};
use crate::consent::finding::{Finding, agreed};

pub const READER: Reader = Reader::banner("tealium", &[Name::Is("CONSENTMGR")], read);

fn read(signals: &Signals<'_>, rule: &ConsentRule) -> Option<Finding> {
    let copies = signals.cookies_named(rule.name.as_deref().unwrap_or("CONSENTMGR"));
    agreed(copies.map(|raw| judge(raw, rule.category.as_deref())))
}

fn judge(raw: &str, category: Option<&str>) -> Finding {
    // No value holds text from elsewhere, so the innermost layer is the one to read.
    let Some(text) = layers(raw).last().filter(|text| pairs(text).any(|(key, _)| is_own(key))) else {
        return Finding::undecodable("CONSENTMGR");
    };
    let value_of = |key| sole(pairs(&text), key);
    if pairs(&text).any(|pair| pair == ("consent", "false")) {
        return Finding::denied("consent:false");
    }
    match category {
        Some("consent") => Finding::of_category("consent", value_of("consent"), "true", "false"),
        Some(category) if pairs(&text).any(|(key, _)| key == category) && value_of(category).is_none() => {
            Finding::undecodable(category)
        }
        Some(category) => Finding::of_category(category, value_of(category), "1", "0"),
        None => Finding::unassigned("the category is the site's own"),
    }
}

fn is_own(key: &str) -> bool {
    let number = |rest: &str| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit());
    key == "consent" || key.strip_prefix('c').is_some_and(number)
}

fn pairs(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split('|').filter_map(|pair| pair.split_once(':'))
}
