//! tarteaucitron: `tarteaucitron`, `!service=answer` in a row, with `true`, `false` or `wait`.
//!
//! Its cookie is there from the first page on, each service at `wait`; `facebookpixel` is the pixel, `facebook` the
//! like button. What no server can see: a site that sets `highPrivacy: false` (reading on counts as a yes), a
//! `serviceDefaultState` of true, `needConsent: false` for the pixel, or `user.bypass` for visitors from outside the EU
//! gets the same `true` without a click. Such a site needs `consent.signals` without this banner.

use super::known_names::of_services;
use super::{Name, Reader};
use crate::config::ConsentRule;
use crate::consent::Signals;
use crate::consent::decode::layers;
use crate::consent::finding::{Finding, agreed};

pub const READER: Reader = Reader::banner("tarteaucitron", &[Name::Is("tarteaucitron")], read);

fn read(signals: &Signals<'_>, rule: &ConsentRule) -> Option<Finding> {
    let copies = signals.cookies_named(rule.name.as_deref().unwrap_or("tarteaucitron"));
    agreed(copies.map(|raw| {
        // It has no text from elsewhere, so the innermost layer is the one to read.
        let Some(text) = layers(raw).last().filter(|text| services(text).next().is_some()) else {
            return Finding::undecodable("tarteaucitron");
        };
        of_services(services(&text), rule.category.as_deref())
    }))
}

/// Whole tokens: `facebook` is inside `xfacebook`.
fn services(text: &str) -> impl Iterator<Item = (&str, Option<bool>)> + Clone {
    // What stands before the first mark is no service.
    text.split('!').skip(1).filter_map(|service| service.split_once('=')).map(|(name, answer)| {
        let answer = match answer {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        };
        (name, answer)
    })
}
