//! Meta for `WooCommerce`: `wc_facebook_signals_state`, `active` or `held`, which a banner's integration sets for the plugin's
//! pixel and its Conversions API.
//!
//! The plugin takes a missing cookie for `active`; here it is no signal. What no server can see: an integration that calls
//! `release` on loading instead of on the visitor's yes.

use super::{Name, Reader};
use crate::config::ConsentRule;
use crate::consent::Signals;
use crate::consent::finding::{Finding, agreed};

pub const READER: Reader = Reader::banner("woocommerce_signals", &[Name::Is("wc_facebook_signals_state")], read);

fn read(signals: &Signals<'_>, rule: &ConsentRule) -> Option<Finding> {
    let name = rule.name.as_deref().unwrap_or("wc_facebook_signals_state");
    agreed(signals.cookies_named(name).map(|value| Finding::of_category("signals", Some(value), "active", "held")))
}
