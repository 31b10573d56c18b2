//! Cookie Consent by Osano, the free script of versions 3 and 4: `cookieconsent_status` = `allow`, `deny` or `dismiss`;
//! version 4 has a cookie per category, `cookieconsent_status_MARKETING` = `ALLOW`.
//!
//! Version 3 asks one question, so its `allow`, which only a button writes, is a yes to all there is. `dismiss` is
//! written for scrolling and for waiting as well. Others use the name too, with their categories in cookies beside it:
//! Consentmo (`cookieconsent_preferences_disabled`), DataReporter (`cookieconsent_mode`), and sites' own scripts.

use super::{Name, Reader};
use crate::config::ConsentRule;
use crate::consent::Signals;
use crate::consent::decode::layers;
use crate::consent::finding::{Choice, Finding, agreed, strictest};

pub const READER: Reader = Reader::banner(
    "osano_cookieconsent",
    &[
        Name::Is("cookieconsent_status"),
        Name::Begins("cookieconsent_status_"),
        Name::Is("cookieconsent_preferences_disabled"),
    ],
    read,
);

fn read(signals: &Signals<'_>, rule: &ConsentRule) -> Option<Finding> {
    let category = rule.category.as_deref().unwrap_or("MARKETING");
    let of_category = agreed(signals.cookies_named(&format!("cookieconsent_status_{category}")).map(|raw| match raw {
        "DISMISS" => Finding::no_choice("DISMISS"),
        _ => Finding::of_category(category, Some(raw), "ALLOW", "DENY"),
    }));
    let name = rule.name.as_deref().unwrap_or("cookieconsent_status");
    let is_there = |name| signals.cookies_named(name).next().is_some();
    let status = if is_there("cookieconsent_preferences_disabled") {
        consentmo_refusal(signals)
    } else {
        let has_more = |(other, _): (&str, &str)| other.starts_with("cookieconsent_") && other != name;
        let has_categories = rule.category.is_some() || signals.cookies().any(has_more);
        agreed(signals.cookies_named(name).filter_map(|raw| status(raw, has_categories)))
    };
    // Beside a category's, a status is one that version 3 has left: of that a no counts.
    let status = status.filter(|status| of_category.is_none() || status.choice == Choice::Denied);
    strictest(of_category.into_iter().chain(status))
}

/// `None` when it is another product's.
fn status(raw: &str, has_categories: bool) -> Option<Finding> {
    match raw {
        "allow" if has_categories => Some(Finding::unassigned("allow says nothing about the categories")),
        "allow" => Some(Finding::granted("cookieconsent_status:allow")),
        "deny" => Some(Finding::denied("cookieconsent_status:deny")),
        "dismiss" => Some(Finding::no_choice("cookieconsent_status:dismiss")),
        _ => None,
    }
}

/// What is a no in any case; Consentmo's yes is not for this reader to find.
fn consentmo_refusal(signals: &Signals<'_>) -> Option<Finding> {
    let refuses = |list: &str| layers(list).last().is_some_and(|list| list.split(',').any(|name| name == "marketing"));
    let lists = signals.cookies_named("cookieconsent_preferences_disabled").filter(|list| refuses(list));
    let lists = lists.map(|_| Finding::denied("cookieconsent_preferences_disabled lists marketing"));
    let status = signals.cookies_named("cookieconsent_status").filter(|status| *status == "deny");
    lists.chain(status.map(|_| Finding::denied("cookieconsent_status:deny"))).next()
}
