//! Complianz: one plain cookie per category, `cmplz_marketing` = `allow` or `deny`; on some multisites with the prefix
//! `cmplz_rt_`.

use super::{Name, Reader};
use crate::config::ConsentRule;
use crate::consent::Signals;
use crate::consent::decode::layers;
use crate::consent::finding::{Finding, agreed, strictest};

pub const READER: Reader = Reader::banner("complianz", &[Name::Begins("cmplz_")], read);

fn read(signals: &Signals<'_>, rule: &ConsentRule) -> Option<Finding> {
    let category = rule.category.as_deref().unwrap_or("marketing");
    let chosen = ["cmplz_", "cmplz_rt_"].into_iter().filter_map(|prefix| {
        let name = format!("{prefix}{category}");
        agreed(signals.cookies_named(&name).map(|raw| {
            let value = layers(raw).last();
            Finding::of_category(&name, value.as_deref(), "allow", "deny")
        }))
    });
    // Its other cookies show that the banner is there.
    strictest(chosen).or_else(|| {
        let there = signals.cookies().any(|(name, _)| name.starts_with("cmplz_"));
        there.then(|| Finding::of_category(&format!("cmplz_{category}"), None, "allow", "deny"))
    })
}

#[cfg(test)]
mod tests {
    use crate::consent::finding::Choice;
    use crate::consent::tests::{choice, choice_by_rule};

    #[test]
    fn the_marketing_cookie_counts() {
        for (cookies, expected) in [
            ("cmplz_marketing=allow; cmplz_statistics=deny", Some(Choice::Granted)),
            ("cmplz_marketing=deny; cmplz_statistics=allow", Some(Choice::Denied)),
            ("cmplz_rt_marketing=allow", Some(Choice::Granted)),
            ("cmplz_rt_marketing=deny", Some(Choice::Denied)),
            ("cmplz_marketing=allow; cmplz_rt_marketing=deny", Some(Choice::Denied)),
            ("cmplz_marketing=allow; cmplz_marketing=deny", Some(Choice::Denied)),
            ("cmplz_marketing=", Some(Choice::None)),
            ("cmplz_marketing=Allow", Some(Choice::None)),
            ("cmplz_functional=allow; cmplz_policy_id=12", Some(Choice::None)),
            ("marketing=allow", None),
        ] {
            assert_eq!(choice("complianz", cookies), expected, "{cookies}");
        }
    }

    #[test]
    fn a_rule_names_the_category() {
        let cookies = "cmplz_marketing=deny; cmplz_statistics=allow";
        assert_eq!(choice_by_rule("complianz", "statistics", cookies), Some(Choice::Granted));
    }
}
