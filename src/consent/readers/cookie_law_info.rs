//! Cookie Law Info, `WebToffee`'s and `CookieYes`' older plugin: `viewed_cookie_policy`, one `cookielawinfo-checkbox-<slug>`
//! for each category, and `CookieLawInfoConsent`, base64 of JSON with the same categories.
//!
//! The categories' cookies are there from the first page on, with the site's defaults; only `viewed_cookie_policy` shows
//! that the bar was answered, and its yes says nothing about a category: the X leaves everything as it was. What no
//! server can see: settings that take scrolling, a click on the X under Californian law or the bar's hiding itself for an
//! answer, which together with boxes that the site ticked beforehand look like a yes.

use super::known_names::marketing_category;
use super::{Name, Reader};
use crate::config::ConsentRule;
use crate::consent::Signals;
use crate::consent::decode::{base64_object, truth};
use crate::consent::finding::{Choice, Finding, agreed, strictest};

pub const READER: Reader = Reader::banner(
    "cookie_law_info",
    &[Name::Is("viewed_cookie_policy"), Name::Begins(BOX), Name::Is("CookieLawInfoConsent")],
    read,
);

const BOX: &str = "cookielawinfo-checkbox-";
/// Keys of the JSON that are not categories.
const NO_CATEGORIES: [&str; 2] = ["ver", "ccpaOptout"];

fn read(signals: &Signals<'_>, rule: &ConsentRule) -> Option<Finding> {
    let saved: Vec<_> = signals.cookies_named("CookieLawInfoConsent").map(base64_object).collect();
    let boxes = signals.cookies().filter_map(|(name, value)| Some((name.strip_prefix(BOX)?, value)));
    let mut answers: Vec<(&str, Option<bool>)> = boxes.map(|(slug, value)| (slug, yes_or_no(value))).collect();
    if saved.iter().flatten().any(|saved| saved.get("ccpaOptout").and_then(truth) == Some(true)) {
        return Some(Finding::denied("ccpaOptout:true"));
    }
    let viewed = signals.cookies_named(rule.name.as_deref().unwrap_or("viewed_cookie_policy"));
    let viewed = agreed(viewed.map(|value| Finding::of_category("viewed_cookie_policy", Some(value), "yes", "no")));
    match viewed {
        None if saved.is_empty() && answers.is_empty() => return None,
        None => return Some(Finding::no_choice("no viewed_cookie_policy")),
        Some(viewed) if viewed.choice != Choice::Granted => return Some(viewed),
        Some(_) if saved.iter().any(Option::is_none) => return Some(Finding::undecodable("CookieLawInfoConsent")),
        Some(_) => {}
    }
    let categories = saved.iter().flatten().flatten().filter(|(slug, _)| !NO_CATEGORIES.contains(&slug.as_str()));
    answers.extend(categories.map(|(slug, value)| (slug.as_str(), truth(value))));
    Some(judge(&answers, rule.category.as_deref()))
}

fn judge(answers: &[(&str, Option<bool>)], category: Option<&str>) -> Finding {
    let of = |(name, answer): (&str, Option<bool>)| match answer {
        Some(_) => Finding::of_bool(name, answer),
        None => Finding::undecodable(name),
    };
    if let Some(category) = category {
        let named = answers.iter().filter(|(slug, _)| *slug == category);
        return strictest(named.map(|(_, answer)| of((category, *answer))))
            .unwrap_or_else(|| Finding::of_bool(category, None));
    }
    let known = answers.iter().filter_map(|(slug, answer)| Some(of((marketing_category(slug)?, *answer))));
    strictest(known).unwrap_or_else(|| {
        let mut optional = answers.iter().filter(|(slug, _)| *slug != "necessary").peekable();
        if optional.peek().is_none() {
            Finding::of_bool("advertisement", None)
        } else if optional.all(|(_, answer)| *answer == Some(false)) {
            Finding::denied("every category is refused")
        } else {
            Finding::unassigned("no category for advertising is known")
        }
    })
}

fn yes_or_no(value: &str) -> Option<bool> {
    match value {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    }
}
