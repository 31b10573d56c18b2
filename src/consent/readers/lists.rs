//! Lists that several banners share: of what was allowed, under names that the site chose, and of single services.

use serde_json::Value;

use super::known_names::{is_meta, letters, marketing_category, meta_ads};
use crate::consent::decode::object;
use crate::consent::finding::Finding;

/// Categories that are not advertising, under whatever name advertising is on the same site. Without case and
/// punctuation.
const HARMLESS: [&str; 20] = [
    "analytical",
    "analytics",
    "essential",
    "essentials",
    "externalmedia",
    "functional",
    "functionality",
    "measurement",
    "necessary",
    "performance",
    "personalization",
    "preference",
    "preferences",
    "required",
    "security",
    "statistic",
    "statistics",
    "strictlynecessary",
    "technical",
    "uncategorized",
];

/// What the list says. A list without any name of advertising is a no only where every name on it is known to be
/// something else: the site's own word for advertising could be among the others.
pub fn of_list(allowed: &[&str], category: Option<&str>) -> Finding {
    if let Some(category) = category {
        return if allowed.contains(&category) {
            Finding::granted(format!("{category} is listed"))
        } else {
            Finding::denied(format!("{category} is not listed"))
        };
    }
    if let Some(word) = allowed.iter().find_map(|name| marketing_category(name)) {
        return Finding::granted(format!("{word} is listed"));
    }
    if allowed.iter().all(|name| is_harmless(name)) {
        return Finding::denied("no category for advertising is listed");
    }
    Finding::unassigned("no category for advertising is known")
}

/// A no to Meta's service, where services can be refused beneath a category that is allowed: JSON objects of services with
/// true or false. A yes to a service is no answer: it may be to an embedded post.
pub fn refuses_meta<'a>(mut cookies: impl Iterator<Item = &'a str>) -> Option<Finding> {
    let is_refusal = |(name, answer): (&String, &Value)| {
        *answer == Value::Bool(false) && (is_meta(name) || meta_ads(name).is_some())
    };
    let is_refused = cookies.any(|raw| object(raw).is_some_and(|services| services.iter().any(is_refusal)));
    is_refused.then(|| Finding::denied("Meta's service:false"))
}

/// The texts of a JSON list; `None` for anything else.
pub fn texts(list: &Value) -> Option<Vec<&str>> {
    list.as_array()?.iter().map(Value::as_str).collect()
}

fn is_harmless(name: &str) -> bool {
    letters(name).is_some_and(|letters| HARMLESS.contains(&letters.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consent::finding::Choice;

    #[test]
    fn an_unknown_name_could_be_the_one() {
        for (list, category, expected) in [
            (&["necessary", "Marketing"][..], None, Choice::Granted),
            (&["strictly_necessary", "analytics"], None, Choice::Denied),
            (&[], None, Choice::Denied),
            (&["necessary", "tracking"], None, Choice::None),
            (&["necessary", "tracking"], Some("tracking"), Choice::Granted),
            (&["necessary", "marketing"], Some("tracking"), Choice::Denied),
        ] {
            assert_eq!(of_list(list, category).choice, expected, "{list:?} {category:?}");
        }
    }
}
