//! What sites call Meta's ads and the marketing category where every site chooses its own names.
//!
//! Only names that can mean nothing else. A plain `facebook` is as often the like box or an embedded post: a yes to it
//! is no yes, and a no to it, or to anything of Meta's under a name that is not in the list, takes the weight from a
//! yes to `marketing`.

use crate::consent::finding::{Finding, strictest};

/// Without case and punctuation.
const META_ADS: &[&str] = &[
    "facebookads",
    "facebookadvertising",
    "facebookcapi",
    "facebookconversion",
    "facebookconversionapi",
    "facebookconversions",
    "facebookconversionsapi",
    "facebookconversiontracking",
    "facebookcustomaudience",
    "facebookcustomaudiences",
    "facebookmetapixel",
    "facebookpixel",
    "facebookpixeltracking",
    "facebookremarketing",
    "facebookretargeting",
    "facebooktrackingpixel",
    "fbads",
    "fbpixel",
    "metaads",
    "metaadvertising",
    "metacapi",
    "metaconversionapi",
    "metaconversionsapi",
    "metaconversiontracking",
    "metafacebookpixel",
    "metapixel",
    "metapixelfacebook",
    "metaremarketing",
    "metaretargeting",
    "metatrackingpixel",
    "pixelfacebook",
    "pixelmeta",
];

const MARKETING: &[&str] = &[
    "advertisement",
    "advertisements",
    "advertising",
    "advertisingcookies",
    "behavioraladvertising",
    "marketing",
    "marketingcookies",
    "personalizedads",
    "personalizedadvertising",
    "pubblicita",
    "publicidad",
    "publicite",
    "targetedadvertising",
    "werbung",
];

/// As a service's name this may be Google's alone, or one tool.
const MARKETING_CATEGORY: &[&str] = &["ads", "targeting"];

const META: &[&str] = &["facebook", "fb", "meta"];

/// The list's word for a service that is Meta's ads and nothing else.
pub fn meta_ads(name: &str) -> Option<&'static str> {
    listed(name, META_ADS)
}

/// The list's word for the marketing category among categories.
pub fn marketing_category(name: &str) -> Option<&'static str> {
    marketing(name).or_else(|| listed(name, MARKETING_CATEGORY))
}

/// The same among services, where some sites have one for the whole category.
fn marketing(name: &str) -> Option<&'static str> {
    listed(name, MARKETING)
}

/// Meta, but perhaps not its ads.
pub fn is_meta(name: &str) -> bool {
    listed(name, META).is_some()
}

/// Something of Meta's, under whatever name.
fn mentions_meta(name: &str) -> bool {
    letters(name).is_some_and(|name| name.contains("facebook") || name.contains("meta") || name.starts_with("fb"))
}

/// The words of the lists, never the text itself: they go into reasons.
fn listed(name: &str, list: &'static [&'static str]) -> Option<&'static str> {
    let letters = letters(name)?;
    list.iter().copied().find(|word| *word == letters)
}

/// Without case and punctuation; `None` for what is too long to be any of the names.
pub fn letters(name: &str) -> Option<String> {
    const LONGEST: usize = 64;
    let letters =
        |name: &str| name.chars().filter(|char| char.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    (name.len() <= LONGEST).then(|| letters(name))
}

/// What a list of services with yes, no or no answer yet says about Meta's ads: all that mean them must be granted.
pub fn of_services<'a>(
    services: impl Iterator<Item = (&'a str, Option<bool>)> + Clone,
    category: Option<&str>,
) -> Finding {
    if let Some(category) = category {
        let named = services.filter(|(name, _)| *name == category).map(|(_, answer)| of_answer(category, answer));
        return strictest(named).unwrap_or_else(|| Finding::of_bool(category, None));
    }
    let known = |word: fn(&str) -> Option<&'static str>| {
        strictest(services.clone().filter_map(|(name, answer)| Some(of_answer(word(name)?, answer))))
    };
    let (ads, category) = (known(meta_ads), known(marketing));
    let unassigned = || Finding::unassigned("no service for Meta's ads is known");
    if ads.is_none() && services.clone().any(|(name, answer)| mentions_meta(name) && answer != Some(true)) {
        return strictest(category.into_iter().chain([unassigned()])).unwrap_or_else(unassigned);
    }
    strictest(ads.into_iter().chain(category)).unwrap_or_else(|| {
        let mut answers = services.map(|(_, answer)| answer).peekable();
        // Whichever of them it is.
        let all_refused = answers.peek().is_some() && answers.all(|answer| answer == Some(false));
        if all_refused { Finding::denied("every service:false") } else { unassigned() }
    })
}

fn of_answer(name: &str, answer: Option<bool>) -> Finding {
    match answer {
        Some(_) => Finding::of_bool(name, answer),
        None => Finding::no_choice(&format!("{name} has no answer")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consent::finding::Choice;

    #[test]
    fn names_are_compared_without_case_and_punctuation() {
        for name in ["facebook-pixel", "FacebookPixel", "facebook_pixel", "Facebook Pixel", "Meta Pixel", "META-ADS"] {
            assert!(meta_ads(name).is_some(), "{name}");
        }
        for name in ["facebook", "xfacebookpixel", "facebookpixel2", "facebook-page-plugin", "meta", "pixel", ""] {
            assert!(meta_ads(name).is_none(), "{name}");
        }
        assert!(marketing_category("Marketing").is_some() && marketing_category("google-ads").is_none());
    }

    #[test]
    fn all_that_mean_metas_ads_must_be_granted() {
        let (yes, no) = (Some(true), Some(false));
        for (services, expected) in [
            (&[("facebook-pixel", yes), ("matomo", no)][..], Choice::Granted),
            (&[("facebook-pixel", no), ("matomo", yes)], Choice::Denied),
            (&[("facebook-pixel", yes), ("meta-ads", no)], Choice::Denied),
            (&[("facebook-pixel", yes), ("meta-ads", None)], Choice::None),
            (&[("facebook-pixel", yes), ("marketing", no)], Choice::Denied),
            (&[("facebook-pixel", yes), ("facebook", no)], Choice::Granted),
            (&[("marketing", yes), ("facebook", yes)], Choice::Granted),
            (&[("marketing", yes), ("facebook", no)], Choice::None),
            (&[("marketing", no), ("facebook", no)], Choice::Denied),
            (&[("marketing", yes), ("fb-events", no)], Choice::None),
            (&[("marketing", yes), ("own-facebook-tool", None)], Choice::None),
            (&[("ads", yes)], Choice::None),
            (&[("facebook", yes)], Choice::None),
            (&[("facebook", no), ("matomo", yes)], Choice::None),
            (&[("matomo", no), ("youtube", no)], Choice::Denied),
            (&[("matomo", yes), ("youtube", no)], Choice::None),
            (&[], Choice::None),
        ] {
            assert_eq!(of_services(services.iter().copied(), None).choice, expected, "{services:?}");
        }
    }

    #[test]
    fn a_rule_names_one_of_them() {
        let services = [("facebook", Some(true)), ("facebook-pixel", Some(false))];
        assert_eq!(of_services(services.iter().copied(), Some("facebook")).choice, Choice::Granted);
        assert_eq!(of_services(services.iter().copied(), Some("Facebook")).choice, Choice::None);
    }
}
