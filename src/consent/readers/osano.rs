//! Osano's consent manager: `osano_consentmanager` is encrypted, and there before anybody chose. Its script tells the
//! page (`Osano.cm.getConsent()`), which can set the bridge cookie.

use super::{Category, Name, Reader};
use crate::config::ConsentRule;
use crate::consent::Signals;
use crate::consent::finding::Finding;

pub const READER: Reader = Reader {
    category: Category::None,
    ..Reader::banner("osano", &[Name::Is("osano_consentmanager"), Name::Is("osano_consentmanager_uuid")], read)
};

fn read(signals: &Signals<'_>, rule: &ConsentRule) -> Option<Finding> {
    let names = ["osano_consentmanager", "osano_consentmanager_uuid"].into_iter().chain(rule.name.as_deref());
    let there = names.into_iter().any(|name| signals.cookies_named(name).next().is_some());
    there.then(|| Finding::unreadable("osano_consentmanager is encrypted"))
}
