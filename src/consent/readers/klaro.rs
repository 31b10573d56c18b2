//! Klaro: `klaro`, a JSON object of services with true or false, percent-encoded; some sites write it raw.
//!
//! It is written by a button only: nothing is there before, and an answer to one embedded content is kept only after
//! the banner was answered. Service names are the site's own. What no server can see: a service that the site declares
//! `required` (declined ones are true then, too), one it added after the choice, and `storageMethod: "localStorage"`.

use super::known_names::of_services;
use super::{Name, Reader};
use crate::config::ConsentRule;
use crate::consent::Signals;
use crate::consent::decode::object;
use crate::consent::finding::{Finding, agreed};

pub const READER: Reader = Reader::banner("klaro", &[Name::Is("klaro")], read);

fn read(signals: &Signals<'_>, rule: &ConsentRule) -> Option<Finding> {
    let copies = signals.cookies_named(rule.name.as_deref().unwrap_or("klaro"));
    agreed(copies.map(|raw| match object(raw) {
        Some(services) => {
            of_services(services.iter().map(|(name, value)| (name.as_str(), value.as_bool())), rule.category.as_deref())
        }
        None => Finding::undecodable("klaro"),
    }))
}
