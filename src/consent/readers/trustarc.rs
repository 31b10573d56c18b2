//! TrustArc: `notice_gdpr_prefs` (`0,1,2:`) and `cmapi_cookie_privacy` (`permit 1,2,3`), the consented buckets counted
//! from 0 and from 1.
//!
//! In regions of implied consent both are there before any choice, with everything in them: newer scripts mark the
//! first with `::implied`, others do not, so a yes counts only beside `notice_behavior` = `expressed,…`, which the
//! script writes on each visit. Bucket 2 is advertising in the template of three; a site with more needs a rule, whose
//! category is a bucket, counted from 0. Where it has none, `cmapi_gtm_bl` may still show that ads are blocked.

use super::{Name, Reader};
use crate::config::ConsentRule;
use crate::consent::Signals;
use crate::consent::decode::layers;
use crate::consent::finding::{Choice, Finding, agreed, strictest};

pub const READER: Reader = Reader::banner(
    "trustarc",
    &[
        Name::Is("notice_gdpr_prefs"),
        Name::Is("cmapi_cookie_privacy"),
        Name::Is("notice_preferences"),
        Name::Is("notice_behavior"),
    ],
    read,
);

const ADVERTISING: &str = "2";
/// Google Ads conversion, remarketing and floodlight, as the tag manager calls them.
const AD_TAGS: [&str; 4] = ["awct", "sp", "flc", "fls"];

fn read(signals: &Signals<'_>, rule: &ConsentRule) -> Option<Finding> {
    let bucket = rule.category.as_deref().unwrap_or(ADVERTISING);
    let name = rule.name.as_deref().unwrap_or("notice_gdpr_prefs");
    let prefs = agreed(signals.cookies_named(name).filter_map(|raw| prefs(raw, bucket)));
    let cmapi = agreed(signals.cookies_named("cmapi_cookie_privacy").filter_map(|raw| cmapi(raw, bucket)));
    match strictest(prefs.into_iter().chain(cmapi)) {
        Some(yes) if yes.choice == Choice::Granted => Some(what_stands_against(signals).unwrap_or(yes)),
        Some(other) => Some(other),
        None => without_lists(signals),
    }
}

fn what_stands_against(signals: &Signals<'_>) -> Option<Finding> {
    let mut behaviors = signals.cookies_named("notice_behavior").filter_map(behavior).peekable();
    if behaviors.peek().is_none() || behaviors.any(|is_expressed| !is_expressed) {
        return Some(Finding::no_choice("notice_behavior is not expressed"));
    }
    let mut blocked = signals.cookies_named("cmapi_gtm_bl").flat_map(|list| list.split('-'));
    blocked.any(|tag| AD_TAGS.contains(&tag)).then(|| Finding::no_choice("cmapi_gtm_bl blocks ads"))
}

/// Whether consent must be expressed here; `None` when it is not TrustArc's.
fn behavior(raw: &str) -> Option<bool> {
    let text = layers(raw).last()?;
    match text.trim_matches('"').split([',', '|']).next()? {
        "expressed" => Some(true),
        "implied" => Some(false),
        _ => None,
    }
}

/// `0,1,2:` or `0|1|2:`, and after the colon a hash, or a second one and the regime: `:implied,us`.
fn prefs(raw: &str, bucket: &str) -> Option<Finding> {
    let text = layers(raw).last()?;
    let (list, rest) = text.trim_matches('"').split_once(':')?;
    let consented = numbers(list)?;
    let end = rest.rsplit(':').next()?;
    if !end.bytes().all(|byte| byte.is_ascii_hexdigit()) && behavior(end) != Some(true) {
        return Some(Finding::no_choice("notice_gdpr_prefs is not expressed"));
    }
    Some(of_bucket(&consented, 0, bucket))
}

/// `permit 1,2,3`, `permit_1|2|3`, `permit 1 required`.
fn cmapi(raw: &str, bucket: &str) -> Option<Finding> {
    let text = layers(raw).last()?;
    let list = text.trim_matches('"').strip_prefix("permit")?.trim_start_matches([' ', '_', '+']);
    let end = list.find([' ', '_', '+']).unwrap_or(list.len());
    let consented = numbers(list.get(..end)?)?;
    Some(of_bucket(&consented, 1, bucket))
}

fn numbers(list: &str) -> Option<Vec<u8>> {
    list.split([',', '|']).map(|number| number.parse().ok()).collect()
}

fn of_bucket(consented: &[u8], first: u8, bucket: &str) -> Finding {
    match bucket.parse::<u8>().ok().and_then(|bucket| bucket.checked_add(first)) {
        Some(number) => Finding::of_bool(bucket, Some(consented.contains(&number))),
        None => Finding::undecodable("the rule's bucket"),
    }
}

/// `notice_preferences` is the highest consented bucket, which says nothing about those below it. The others show that
/// the banner is there.
fn without_lists(signals: &Signals<'_>) -> Option<Finding> {
    let level = |raw| {
        let text = layers(raw).last()?;
        let (level, _) = text.trim_matches('"').split_once(':')?;
        Some(level.parse::<u8>().ok()? == 0)
    };
    let mut levels = signals.cookies_named("notice_preferences").filter_map(level).peekable();
    if levels.peek().is_some() {
        let all_zero = levels.all(|is_zero| is_zero);
        return Some(if all_zero {
            Finding::denied("notice_preferences:0")
        } else {
            Finding::no_choice("notice_preferences alone")
        });
    }
    let there = signals.cookies_named("notice_behavior").any(|raw| behavior(raw).is_some());
    there.then(|| Finding::no_choice("notice_behavior alone"))
}
