//! What the operator named: the bridge cookie that a banner's callback sets, and a cookie, a header or a form's checkbox of
//! a home-made banner.

use http::HeaderName;
use http::header::REFERER;
use serde_json::Value;

use super::{Category, Reader, Source, Standing};
use crate::config::ConsentRule;
use crate::consent::Signals;
use crate::consent::decode::{base64_text, layers, scalar};
use crate::consent::finding::{Finding, agreed};
use crate::glob;

/// The cookie `consent.bridge_cookie`, `granted` or `denied`.
pub const BRIDGE: Reader = of_the_operator("bridge", read_bridge, Category::None);
/// Signal `cookie` of a rule.
pub const COOKIE: Reader = of_the_operator("cookie", read_cookie, Category::Matcher);
/// Signal `header` of a rule.
pub const HEADER: Reader = of_the_operator("header", read_header, Category::Matcher);
/// Signal `field` of a rule: a checkbox.
pub const FIELD: Reader = of_the_operator("field", read_field, Category::Matcher);

const fn of_the_operator(
    name: &'static str,
    read: fn(&Signals<'_>, &ConsentRule) -> Option<Finding>,
    category: Category,
) -> Reader {
    Reader { name, source: Source::Rules, read, category, standing: Standing::Operator }
}

/// What checkboxes send that are checked (HTML's own default is `on`).
const CHECKED: [&str; 4] = ["on", "1", "yes", "true"];

fn read_bridge(signals: &Signals<'_>, rule: &ConsentRule) -> Option<Finding> {
    let name = rule.name.as_deref()?;
    agreed(signals.cookies_named(name).map(|value| Finding::of_category(name, Some(value), "granted", "denied")))
}

fn read_cookie(signals: &Signals<'_>, rule: &ConsentRule) -> Option<Finding> {
    agreed(signals.cookies_named(rule.name.as_deref()?).map(|raw| judge(raw, rule)))
}

fn read_header(signals: &Signals<'_>, rule: &ConsentRule) -> Option<Finding> {
    let lines = signals.header_lines(&HeaderName::from_bytes(rule.name.as_deref()?.as_bytes()).ok()?);
    agreed(lines.map(|line| judge(String::from_utf8_lossy(line).trim(), rule)))
}

/// A box that is not checked is not submitted, so a submission without the field is a no. Of a repeated field the last
/// counts, as PHP sees it: a hidden `0` before the box is a common companion.
fn read_field(signals: &Signals<'_>, rule: &ConsentRule) -> Option<Finding> {
    let name = rule.name.as_deref()?;
    if rule.path.as_deref().is_some_and(|pattern| !is_on(signals, pattern)) {
        return None;
    }
    let Some(value) = signals.field_values(name)?.last() else {
        return Some(Finding::denied(format!("{name} is not checked")));
    };
    let says_yes = if rule.granted.is_empty() {
        CHECKED.iter().any(|word| value.trim().eq_ignore_ascii_case(word))
    } else {
        is_one_of(&rule.granted, value.trim())
    };
    Some(if says_yes && !is_one_of(&rule.denied, value.trim()) {
        Finding::granted(format!("{name} is checked"))
    } else {
        Finding::denied(format!("{name} says no"))
    })
}

/// The form's own page or where it is posted to.
fn is_on(signals: &Signals<'_>, pattern: &str) -> bool {
    let page = signals.header_lines(&REFERER).next().and_then(|referer| {
        let (_, rest) = std::str::from_utf8(referer).ok()?.split_once("://")?;
        rest.get(rest.find('/')?..)?.split(['?', '#']).next()
    });
    glob::matches(pattern, signals.path()) || page.is_some_and(|path| glob::matches(pattern, path))
}

fn judge(raw: &str, rule: &ConsentRule) -> Finding {
    let name = rule.name.as_deref().unwrap_or_default();
    for layer in layers(raw) {
        let decoded = if rule.base64 {
            let Some(text) = base64_text(&layer) else { continue };
            text
        } else {
            layer.into_owned()
        };
        let text = match &rule.pointer {
            None => decoded,
            Some(pointer) => {
                let json = serde_json::from_str::<Value>(&decoded).ok();
                let Some(text) = json.as_ref().and_then(|json| scalar(json.pointer(pointer)?)) else { continue };
                text
            }
        };
        if is_one_of(&rule.denied, &text) {
            return Finding::denied(format!("{name} says no"));
        }
        if is_one_of(&rule.granted, &text) {
            return Finding::granted(format!("{name} says yes"));
        }
    }
    Finding::no_choice(&format!("{name} says neither"))
}

fn is_one_of(patterns: &[String], text: &str) -> bool {
    patterns.iter().any(|pattern| glob::matches(pattern, text))
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;
    use crate::consent::finding::Choice;

    fn rule(name: &str, granted: &[&str], denied: &[&str]) -> ConsentRule {
        let list = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
        ConsentRule { name: Some(name.to_owned()), granted: list(granted), denied: list(denied), ..Default::default() }
    }

    fn cookie(line: &str, rule: &ConsentRule) -> Option<Choice> {
        let headers = HeaderMap::new();
        read_cookie(&Signals::from_headers(&headers).with_cookie_line(line.as_bytes()), rule).map(|f| f.choice)
    }

    #[test]
    fn a_home_made_cookie_is_matched_as_it_is_and_decoded() {
        let plain = rule("ok", &["yes*", "all"], &["no", "yes-but-no"]);
        for (line, expected) in [
            ("ok=yes", Some(Choice::Granted)),
            ("ok=yes-2026", Some(Choice::Granted)),
            ("ok=%61ll", Some(Choice::Granted)),
            ("ok=no", Some(Choice::Denied)),
            ("ok=yes-but-no", Some(Choice::Denied)),
            ("ok=", Some(Choice::None)),
            ("ok=maybe", Some(Choice::None)),
            ("ok=yes; ok=no", Some(Choice::Denied)),
            ("ok=yes; ok=maybe", Some(Choice::Denied)),
            ("not=yes", None),
        ] {
            assert_eq!(cookie(line, &plain), expected, "{line}");
        }
    }

    #[test]
    fn a_pointer_reaches_into_json_and_base64_is_undone() {
        let json = ConsentRule { pointer: Some("/a/marketing".to_owned()), ..rule("c", &["true", "1"], &["false"]) };
        let packed = ConsentRule { base64: true, ..json.clone() };
        for (line, rule, expected) in [
            ("c={\"a\":{\"marketing\":true}}", &json, Choice::Granted),
            ("c=%7B%22a%22%3A%7B%22marketing%22%3A1%7D%7D", &json, Choice::Granted),
            ("c={\"a\":{\"marketing\":false}}", &json, Choice::Denied),
            ("c={\"a\":{\"marketing\":null}}", &json, Choice::None),
            ("c={\"a\":{\"marketing\":tr", &json, Choice::None),
            ("c=true", &json, Choice::None),
            ("c=eyJhIjp7Im1hcmtldGluZyI6dHJ1ZX19", &packed, Choice::Granted),
            ("c=eyJhIjp7Im1hcmtldGluZyI6ZmFsc2V9fQ==", &packed, Choice::Denied),
            ("c={\"a\":{\"marketing\":true}}", &packed, Choice::None),
        ] {
            assert_eq!(cookie(line, rule), Some(expected), "{line}");
        }
    }

    #[test]
    fn a_checkbox_counts_when_it_is_submitted_checked() {
        let headers = HeaderMap::new();
        let choice = |fields: &[(&str, &str)], rule: &ConsentRule| {
            let signals = Signals::from_headers(&headers).with_fields(fields.iter().copied());
            read_field(&signals, rule).map(|finding| finding.choice)
        };
        let plain = rule("ads", &[], &[]);
        for (fields, expected) in [
            (&[("ads", "on")][..], Choice::Granted),
            (&[("ads", "0"), ("ads", "1")], Choice::Granted),
            (&[("ads", "0")], Choice::Denied),
            (&[("ads", "")], Choice::Denied),
            (&[("ads", "no")], Choice::Denied),
            (&[("email", "a@example.com")], Choice::Denied),
            (&[], Choice::Denied),
        ] {
            assert_eq!(choice(fields, &plain), Some(expected), "{fields:?}");
        }
        assert_eq!(choice(&[("ads", "Ja, gern")], &rule("ads", &["Ja*"], &[])), Some(Choice::Granted));
        let elsewhere = ConsentRule { path: Some("/quote*".to_owned()), ..plain.clone() };
        assert_eq!(choice(&[], &elsewhere), None);
        // A landing is no submission: nothing was left unchecked.
        assert!(read_field(&Signals::from_headers(&headers), &plain).is_none());
    }
}
