//! The operator's `[[form]]` rules: which one is meant, and whether its success rule holds.

use super::answer::Answer;
use super::handlers::Outcome;
use super::url::{self, Url};
use crate::config::{FormRule, SuccessRule};
use crate::exchange::{RequestRecord, host_name};
use crate::glob;
use crate::reason::Reason;

/// The first rule whose path, host and handler fit: the path that was posted to, or that of the page the form was on (all
/// forms of a site may post to one endpoint).
pub(super) fn find(rules: &[FormRule], request: &RequestRecord, handler: &str, page_url: &str) -> Option<usize> {
    let page = Url::absolute(page_url);
    rules.iter().position(|rule| {
        let host = rule.host.as_deref().is_none_or(|host| {
            host.eq_ignore_ascii_case(request.host_name()) || host.eq_ignore_ascii_case(&request.host)
        });
        let path = rule.path.as_deref().is_none_or(|pattern| {
            glob::matches(pattern, request.path())
                || page.as_ref().is_some_and(|page| glob::matches(pattern, &page.path))
        });
        let software = rule.handler.as_deref().is_none_or(|name| name == handler);
        host && path && software
    })
}

/// Whether a success rule says anything at all.
pub(super) fn is_set(rule: &SuccessRule) -> bool {
    !rule.status.is_empty()
        || rule.contains.is_some()
        || rule.location.is_some()
        || rule.selector.is_some()
        || !rule.header.is_empty()
        || !rule.json.is_empty()
}

/// A success rule alone decides: all it names must hold.
pub(super) fn outcome(rule: &SuccessRule, request: &RequestRecord, answer: &Answer<'_>) -> Outcome {
    let status = answer.status();
    let unmet = |what: &str| {
        Outcome::of_status(answer)
            .unwrap_or_else(|| Outcome::refused(Reason::UnknownOutcome, format!("rule_unmet:{what}")))
    };
    if !rule.status.is_empty() && !rule.status.contains(&status.as_u16()) {
        return unmet("status");
    }
    // A rule that names no status does not mean the error page that quotes the text.
    if rule.status.is_empty() && status.as_u16() >= 400 {
        return unmet("status");
    }
    if let Some(pattern) = &rule.location {
        let own = url::own(request);
        let target = Url::absolute(&own).zip(answer.header("location"));
        let to = target.and_then(|(own, location)| Url::resolve(location, &own));
        let fits = to.is_some_and(|to| {
            let with_query =
                if to.query.is_empty() { to.path.to_string() } else { format!("{}?{}", to.path, to.query) };
            let absolute = format!("{}{}", host_name(&to.host), to.path);
            glob::matches(pattern, &to.path)
                || glob::matches(pattern, &with_query)
                || pattern.split_once("://").is_some_and(|(_, pattern)| glob::matches(pattern, &absolute))
        });
        if !fits {
            return unmet("location");
        }
    }
    for (name, pattern) in &rule.header {
        if !answer.header(name).is_some_and(|value| glob::matches(pattern, value.trim())) {
            return unmet("header");
        }
    }
    if (rule.selector.is_some() || !rule.json.is_empty())
        && let Err(why) = answer.body()
    {
        return Outcome::without_body(why);
    }
    for (pointer, pattern) in &rule.json {
        let value = answer.json().and_then(|json| json.pointer(pointer));
        let text = value.map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        if !text.is_some_and(|text| glob::matches(pattern, &text)) {
            return unmet("json");
        }
    }
    if rule.selector.as_ref().is_some_and(|selector| !answer.has(selector)) {
        return unmet("selector");
    }
    if let Some(text) = &rule.contains {
        match answer.contains(text) {
            Ok(true) => {}
            Ok(false) => return unmet("contains"),
            Err(why) => return Outcome::without_body(why),
        }
    }
    Outcome::accepted("rule")
}
