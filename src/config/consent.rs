//! `[consent]`: the policy, the rules and the hosts with a policy of their own.

use super::reader::Reader;
use super::table::{CONSENT_HOST, CONSENT_RULE};
use super::{ConsentConfig, ConsentRule, HostConsent, OnDenied, OnGpc, OnUnknown};
use crate::consent;

/// What is in the table.
pub fn of(top: &mut Reader<'_>) -> ConsentConfig {
    let mut rules = top.tables("consent.rule", CONSENT_RULE, rule);
    rules.extend(top.with("consent.bridge_cookie", cookie_name).map(|name| ConsentConfig::bridge(&name)));
    let mut signals = top.list("consent.signals", |name| {
        let known = consent::banner_names().any(|known| known == name);
        let names = || consent::banner_names().collect::<Vec<_>>().join(", ");
        known.then(|| name.to_owned()).ok_or_else(|| format!("no such banner: known are {}", names()))
    });
    // They leave the word to their TC string where they write one.
    if signals.iter().any(|name| matches!(name.as_str(), "sourcepoint" | "didomi" | "real_cookie_banner")) {
        signals.push("tcf".to_owned());
    }
    ConsentConfig {
        unknown: on_unknown(&top.text("consent.unknown")),
        denied: on_denied(&top.text("consent.denied")),
        gpc: if top.text("consent.gpc") == "yield" { OnGpc::Yield } else { OnGpc::Deny },
        signals,
        rules,
        hosts: top.tables("consent.host", CONSENT_HOST, |row| {
            if !row.given("hosts") {
                row.error("hosts", "missing; name the hosts this policy is for, e.g. [\"us.shop.example\"]");
            }
            HostConsent {
                hosts: hosts(row),
                unknown: row.given("unknown").then(|| on_unknown(&row.text("unknown"))),
                denied: row.given("denied").then(|| on_denied(&row.text("denied"))),
                hold: row.given("hold").then(|| row.flag("hold")),
            }
        }),
        hold: top.flag("consent.hold"),
        hold_for: top.duration("consent.hold_for"),
        session_cookie: top.with("consent.session_cookie", cookie_name),
    }
}

fn rule(row: &mut Reader<'_>) -> ConsentRule {
    let text = |text: &str| Ok(text.to_owned());
    let rule = ConsentRule {
        signal: row.text("signal"),
        category: row.optional("category"),
        name: row.optional("name"),
        granted: row.list("granted", text),
        denied: row.list("denied", text),
        pointer: row.with("pointer", |pointer| {
            let right = pointer.starts_with('/');
            right.then(|| pointer.to_owned()).ok_or_else(|| "not a JSON pointer; write e.g. /categories/ads".to_owned())
        }),
        base64: row.flag("base64"),
        hosts: hosts(row),
        path: row.optional("path"),
    };
    if !row.given("signal") {
        row.error("signal", "missing; name the signal this rule is for, e.g. \"onetrust\"");
    } else if let Err(problem) = consent::check_rule(&rule) {
        row.error(problem.key(), &problem.to_string());
    }
    rule
}

fn hosts(row: &mut Reader<'_>) -> Vec<String> {
    row.list("hosts", |host| Ok(host.to_ascii_lowercase()))
}

fn on_unknown(word: &str) -> OnUnknown {
    if word == "grant" { OnUnknown::Grant } else { OnUnknown::Deny }
}

fn on_denied(word: &str) -> OnDenied {
    match word {
        "drop" => OnDenied::Drop,
        "ldu" => OnDenied::Ldu,
        _ => OnDenied::EventOnly,
    }
}

/// A token (RFC 6265 4.1.1), so that it can be found in a Cookie field.
fn cookie_name(name: &str) -> Result<String, String> {
    let fits = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte));
    fits.then(|| name.to_owned()).ok_or_else(|| "not the name of a cookie; use letters, digits, - and _".to_owned())
}
