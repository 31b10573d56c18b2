//! Drupal's EU Cookie Compliance: `cookie-agreed`, `0`, `1` or `2`, and with categories `cookie-agreed-categories`, a JSON list of
//! the accepted ones.
//!
//! Name and values can be changed; a rule's name renames both, and other values read as no choice. What no server can
//! see: the setting that writes `2`, and all categories, for visitors from outside the EU, and the one that takes any
//! click or scrolling for a yes.

use serde_json::Value;

use super::lists::{of_list, texts};
use super::{Name, Reader};
use crate::config::ConsentRule;
use crate::consent::Signals;
use crate::consent::decode::layers;
use crate::consent::finding::{Choice, Finding, agreed};

pub const READER: Reader = Reader::banner(
    "eu_cookie_compliance",
    &[Name::Is("cookie-agreed"), Name::Is("cookie-agreed-categories"), Name::Is("cookie-agreed-version")],
    read,
);

fn read(signals: &Signals<'_>, rule: &ConsentRule) -> Option<Finding> {
    let name = rule.name.as_deref().unwrap_or("cookie-agreed");
    let beside = |suffix: &str| format!("{name}-{suffix}");
    let status = agreed(signals.cookies_named(name).map(|value| match value {
        "0" => Finding::denied("cookie-agreed:0"),
        "1" | "2" => Finding::granted("cookie-agreed"),
        _ => Finding::undecodable("cookie-agreed"),
    }));
    let of_categories = |raw: &str| {
        let list = layers(raw).find_map(|layer| serde_json::from_str::<Value>(&layer).ok());
        match list.as_ref().and_then(texts) {
            Some(allowed) => of_list(&allowed, rule.category.as_deref()),
            None => Finding::undecodable("cookie-agreed-categories"),
        }
    };
    let categories = agreed(signals.cookies_named(&beside("categories")).map(of_categories));
    match (status, categories) {
        (Some(status), Some(categories)) if status.choice == Choice::Granted => Some(categories),
        (Some(status), _) => Some(status),
        (None, Some(_)) => Some(Finding::no_choice("no cookie-agreed")),
        (None, None) => {
            let there = signals.cookies_named(&beside("version")).next().is_some();
            there.then(|| Finding::no_choice("no cookie-agreed"))
        }
    }
}
