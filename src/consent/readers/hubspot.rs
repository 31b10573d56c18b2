//! `HubSpot`'s banner: `__hs_cookie_cat_pref`, `1:true,2:false,3:false` (or with `_`): analytics, advertisement, functionality.
//!
//! Banners without categories ask one question and write `__hs_opt_out`, `yes` or `no`. `__hs_do_not_track` is there when
//! the visitor asked not to be tracked. Known from the vendor's documentation and from observed cookies.

use super::{Name, Reader};
use crate::config::ConsentRule;
use crate::consent::Signals;
use crate::consent::decode::{colon_pairs, layers, sole};
use crate::consent::finding::{Choice, Finding, agreed, strictest};

pub const READER: Reader = Reader::banner(
    "hubspot",
    &[Name::Is("__hs_cookie_cat_pref"), Name::Is("__hs_opt_out"), Name::Is("__hs_do_not_track")],
    read,
);

fn read(signals: &Signals<'_>, rule: &ConsentRule) -> Option<Finding> {
    let category = rule.category.as_deref().unwrap_or("2");
    let name = rule.name.as_deref().unwrap_or("__hs_cookie_cat_pref");
    let chosen = agreed(signals.cookies_named(name).map(|raw| judge(raw, category)));
    let opted = agreed(
        signals
            .cookies_named("__hs_opt_out")
            .map(|value| Finding::of_category("__hs_opt_out", Some(value), "no", "yes")),
    );
    let untracked = signals.cookies_named("__hs_do_not_track").next().map(|_| Finding::denied("__hs_do_not_track"));
    // Beside categories the one question decides nothing but a no.
    let opted = opted.filter(|opted| chosen.is_none() || opted.choice == Choice::Denied);
    strictest(chosen.into_iter().chain(opted).chain(untracked))
}

fn judge(raw: &str, category: &str) -> Finding {
    let Some(text) = layers(raw).find(|layer| layer.contains(':')) else {
        return Finding::undecodable("__hs_cookie_cat_pref");
    };
    let list = text.replace('_', ",");
    Finding::of_category(category, sole(colon_pairs(&list), category), "true", "false")
}
