//! consentmanager.net: `__cmpcvc…`, the vendors with consent (`__s7_s26_c24103_U__`), and `__cmpcpc…`, the purposes
//! (`__1_2_51__`). `__cmpconsent…` beside them is only in part a TC string.
//!
//! Each comes once plain and once with the CMP's number. Purposes are the account's own and so are some vendors, so a
//! rule names the one to ask for: `category = "s7"` a vendor, `"51"` a purpose.

use super::{Name, Reader};
use crate::config::ConsentRule;
use crate::consent::Signals;
use crate::consent::decode::layers;
use crate::consent::finding::{Finding, agreed};

pub const READER: Reader = Reader::banner(
    "consentmanager",
    &[Name::Begins("__cmpconsent"), Name::Begins("__cmpcvc"), Name::Begins("__cmpcpc")],
    read,
);

fn read(signals: &Signals<'_>, rule: &ConsentRule) -> Option<Finding> {
    let Some(id) = rule.category.as_deref() else {
        let there = signals.cookies().any(|(name, _)| name.starts_with("__cmpconsent") || is_list(name));
        return there.then(|| Finding::unassigned("vendors and purposes are the account's own"));
    };
    let is_purpose = id.bytes().all(|byte| byte.is_ascii_digit());
    let begin = if is_purpose { "__cmpcpc" } else { "__cmpcvc" };
    let is_it = |name: &str| rule.name.as_deref().map_or_else(|| name.starts_with(begin), |own| own == name);
    let lists = signals.cookies().filter(|(name, _)| is_it(name));
    agreed(lists.map(|(_, raw)| judge(raw, id))).or_else(|| {
        let there = signals.cookies().any(|(name, _)| name.starts_with("__cmpconsent") || is_list(name));
        there.then(|| Finding::of_bool(id, None))
    })
}

fn is_list(name: &str) -> bool {
    name.starts_with("__cmpcvc") || name.starts_with("__cmpcpc")
}

/// Only what has consent is listed, so the list must be whole.
fn judge(raw: &str, id: &str) -> Finding {
    let list = layers(raw).last();
    let Some(list) = list.as_deref().and_then(|text| text.strip_prefix("__")?.strip_suffix("__")) else {
        return Finding::undecodable(id);
    };
    Finding::of_bool(id, Some(list.split('_').any(|listed| listed == id)))
}
