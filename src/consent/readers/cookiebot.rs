//! Cookiebot: `CookieConsent`, a JavaScript object literal with `'` and `,` percent-encoded.
//!
//! Other products use the same cookie name, so only Cookiebot's shape counts as present. Outside the regions that
//! demand consent it writes a full object with `stamp:'-1'` and `method:'implied'`, which nobody chose.

use super::{Name, Reader};
use crate::config::ConsentRule;
use crate::consent::Signals;
use crate::consent::decode::{colon_pairs, layers, sole};
use crate::consent::finding::{Finding, agreed};

pub const READER: Reader = Reader::banner("cookiebot", &[Name::Is("CookieConsent")], read);

fn read(signals: &Signals<'_>, rule: &ConsentRule) -> Option<Finding> {
    let category = rule.category.as_deref().unwrap_or("marketing");
    agreed(
        signals
            .cookies_named(rule.name.as_deref().unwrap_or("CookieConsent"))
            .filter_map(|value| judge(value, category)),
    )
}

/// `None` when it is not Cookiebot's.
fn judge(raw: &str, category: &str) -> Option<Finding> {
    match raw {
        "0" => return Some(Finding::denied("CookieConsent:0")),
        "-1" => return Some(Finding::no_choice("CookieConsent:-1")),
        _ => {}
    }
    // No field of it holds text from elsewhere, so the innermost layer is the one to read.
    let text = layers(raw).last()?;
    let body = text.trim().strip_prefix('{')?;
    let Some(body) = body.strip_suffix('}') else {
        return body.starts_with("stamp:").then(|| Finding::undecodable("CookieConsent"));
    };
    let value_of = |key| sole(colon_pairs(body), key);
    if !colon_pairs(body).any(|(key, _)| key == "stamp") {
        return None;
    }
    Some(match (value_of("stamp"), value_of("method")) {
        (Some("-1"), _) => Finding::no_choice("stamp:-1"),
        (_, Some("implied")) => Finding::no_choice("method:implied"),
        _ => Finding::of_category(category, value_of(category), "true", "false"),
    })
}

#[cfg(test)]
mod tests {
    use crate::consent::finding::Choice;
    use crate::consent::tests::{choice, choice_by_rule};

    const EXPLICIT: &str = "{stamp:%27aBc+d/E==%27%2Cnecessary:true%2Cpreferences:false%2Cstatistics:false%2C\
                            marketing:MARKETING%2Cmethod:%27explicit%27%2Cver:1%2Cutc:1795607000000%2Cregion:%27de%27}";

    #[test]
    fn only_an_explicit_choice_counts() {
        let yes = EXPLICIT.replace("MARKETING", "true");
        for (cookie, expected) in [
            (yes.as_str(), Some(Choice::Granted)),
            (&EXPLICIT.replace("MARKETING", "false"), Some(Choice::Denied)),
            (&yes.replace("explicit", "implied"), Some(Choice::None)),
            (&yes.replace("aBc+d/E==", "-1"), Some(Choice::None)),
            (&yes.replace("marketing:true%2C", ""), Some(Choice::None)),
            (&yes.replace("marketing:true", "marketing:true%2Cmarketing:false"), Some(Choice::None)),
            (&yes.replace('%', "%25"), Some(Choice::Granted)),
            (&yes.replace("%27", "'").replace("%2C", ","), Some(Choice::Granted)),
            (yes.trim_end_matches('}'), Some(Choice::None)),
            ("0", Some(Choice::Denied)),
            ("-1", Some(Choice::None)),
        ] {
            assert_eq!(choice("cookiebot", &format!("CookieConsent={cookie}")), expected, "{cookie}");
        }
    }

    #[test]
    fn other_products_cookies_of_that_name_are_not_there() {
        for cookie in ["true", "", "{marketing:true}", "{\"marketing\":true,\"necessary\":true}", "marketing:true"] {
            assert_eq!(choice("cookiebot", &format!("CookieConsent={cookie}")), None, "{cookie}");
        }
    }

    #[test]
    fn a_rule_names_the_category() {
        let cookie = format!("CookieConsent={}", EXPLICIT.replace("MARKETING", "true"));
        assert_eq!(choice_by_rule("cookiebot", "statistics", &cookie), Some(Choice::Denied));
    }
}
