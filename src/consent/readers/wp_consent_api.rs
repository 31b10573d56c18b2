//! WP Consent API: one plain cookie per category, `wp_consent_marketing` = `allow` or `deny`, written by the site's banner
//! and read by other plugins.
//!
//! The cookie is as true as the banner that wrote it. `CookieYes` on its opt-out setting and `Complianz` where no law
//! applies write `allow` before anybody clicked; their own cookies tell, and are read by their own readers. That a site
//! takes silence for a yes (`optout`) is in no cookie: absence stays absence.

use super::lists::refuses_meta;
use super::{Name, Reader};
use crate::config::ConsentRule;
use crate::consent::Signals;
use crate::consent::decode::layers;
use crate::consent::finding::{Finding, agreed, strictest};

pub const READER: Reader = Reader::banner("wp_consent_api", &[Name::Begins("wp_consent_")], read);

fn read(signals: &Signals<'_>, rule: &ConsentRule) -> Option<Finding> {
    let category = rule.category.as_deref().unwrap_or("marketing");
    // The site may have another prefix (filter `wp_consent_cookie_prefix`).
    let prefix = rule.name.as_deref().unwrap_or("wp_consent").trim_end_matches('_');
    let cookie = |suffix: &str| format!("{prefix}_{suffix}");
    let chosen = agreed(signals.cookies_named(&cookie(category)).map(|raw| {
        let value = layers(raw).last();
        Finding::of_category(category, value.as_deref(), "allow", "deny")
    }));
    let services = refuses_meta(signals.cookies_named(&cookie("consented_services")));
    let missing = || {
        let there = signals.cookies().any(|(name, _)| name.starts_with(&cookie("")));
        there.then(|| Finding::of_category(category, None, "allow", "deny"))
    };
    strictest(chosen.or_else(missing).into_iter().chain(services))
}
