//! Sourcepoint: `consentUUID` says that there is a record of a choice, and the browser's local storage which. Where the
//! site has the TC string in a cookie, that one is judged (`tcf`) and this reader has nothing to add.

use super::{Category, Name, Reader, tcf};
use crate::config::ConsentRule;
use crate::consent::Signals;
use crate::consent::finding::Finding;

pub const READER: Reader =
    Reader { category: Category::None, ..Reader::banner("sourcepoint", &[Name::Is("consentUUID")], read) };

fn read(signals: &Signals<'_>, rule: &ConsentRule) -> Option<Finding> {
    signals.cookies_named(rule.name.as_deref().unwrap_or("consentUUID")).next()?;
    let tcf_answers = (tcf::READER.read)(signals, &ConsentRule::default()).is_some();
    (!tcf_answers).then(|| Finding::unreadable("consentUUID names a record in the browser"))
}
