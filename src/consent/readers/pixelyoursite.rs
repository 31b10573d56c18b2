//! `PixelYourSite`: `pys_consent`, base64 of `{"facebook":true,…}`, and its own banner `ConsentMagic`:
//! `cs_viewed_cookie_policy` and one `cs_enabled_cookie_term_<id>` per category.
//!
//! A true is also written when a page loads: beside `ConsentMagic` before the first click, and after a refusal where Limited
//! Data Use is on; beside Cookiebot for a yes that nobody said; beside Real Cookie Banner for a service that it does not
//! know. So a true counts only with the cookie of the banner that was answered; what that cookie says is its own
//! reader's word, so that reader must not be left out of `consent.signals`. Of `ConsentMagic`'s categories a rule names the
//! one for Meta; without a rule all of them must be allowed. A false always counts. What no server can see:
//! `ConsentMagic`'s settings that inform and allow everything by the click on OK.

use serde_json::Value;

use super::{Name, Reader, cookie_law_info, cookie_notice, cookiebot, cookieyes, real_cookie_banner};
use crate::config::ConsentRule;
use crate::consent::Signals;
use crate::consent::decode::base64_object;
use crate::consent::finding::{Choice, Finding, agreed, strictest};

pub const READER: Reader = Reader::banner(
    "pixelyoursite",
    &[Name::Is("pys_consent"), Name::Is("cs_viewed_cookie_policy"), Name::Begins(TERM)],
    read,
);

const TERM: &str = "cs_enabled_cookie_term";
/// The banners that it follows.
const BANNERS: [Reader; 5] =
    [cookieyes::READER, cookie_law_info::READER, cookiebot::READER, cookie_notice::READER, real_cookie_banner::READER];

fn read(signals: &Signals<'_>, rule: &ConsentRule) -> Option<Finding> {
    let name = rule.name.as_deref().unwrap_or("pys_consent");
    let pixel = agreed(signals.cookies_named(name).map(|raw| {
        let answer = base64_object(raw).and_then(|pixels| pixels.get("facebook").and_then(Value::as_bool));
        answer.map_or_else(|| Finding::undecodable("pys_consent"), |answer| Finding::of_bool("facebook", Some(answer)))
    }));
    let magic = consent_magic(signals, rule.category.as_deref(), pixel.is_some());
    match (pixel, magic) {
        (Some(pixel), None) if pixel.choice == Choice::Granted && !follows_another(signals) => {
            Some(Finding::no_choice("pys_consent without a banner's cookie"))
        }
        (pixel, magic) => strictest(pixel.into_iter().chain(magic)),
    }
}

fn consent_magic(signals: &Signals<'_>, category: Option<&str>, has_pixel: bool) -> Option<Finding> {
    let mut terms = signals.cookies().filter(|(name, _)| name.starts_with(TERM)).peekable();
    let viewed = signals.cookies_named("cs_viewed_cookie_policy");
    let viewed = agreed(viewed.map(|value| Finding::of_category("cs_viewed_cookie_policy", Some(value), "yes", "no")));
    match viewed {
        Some(viewed) if viewed.choice == Choice::Granted => {}
        Some(viewed) => return Some(viewed),
        None => return terms.peek().map(|_| Finding::no_choice("no cs_viewed_cookie_policy")),
    }
    let Some(category) = category else {
        let all_are_allowed = terms.peek().is_some() && terms.all(|(_, value)| value == "yes");
        return Some(if all_are_allowed && has_pixel {
            Finding::granted("every category is allowed")
        } else {
            Finding::unassigned("no category for Meta is known")
        });
    };
    let of = |value| Finding::of_category(category, Some(value), "yes", "no");
    let chosen = agreed(signals.cookies_named(&format!("{TERM}_{category}")).map(of));
    chosen.or_else(|| Some(Finding::of_category(category, None, "yes", "no")))
}

fn follows_another(signals: &Signals<'_>) -> bool {
    BANNERS.iter().any(|banner| (banner.read)(signals, &ConsentRule::default()).is_some())
}
