//! Global Privacy Control: `Sec-GPC: 1` (W3C, <https://www.w3.org/TR/gpc/>). Page scripts cannot set it, so a proxy can
//! trust it, and it is a legal opt-out in California, Colorado, Connecticut and further states.

use http::HeaderName;

use super::{Category, Reader, Source, Standing};
use crate::config::ConsentRule;
use crate::consent::Signals;
use crate::consent::finding::Finding;

const SEC_GPC: HeaderName = HeaderName::from_static("sec-gpc");

pub const READER: Reader =
    Reader { name: "gpc", source: Source::Request(&[]), read, category: Category::None, standing: Standing::UsOptOut };

/// `1` is the only value; anything else is as good as no header.
fn read(signals: &Signals<'_>, _rule: &ConsentRule) -> Option<Finding> {
    signals.header_lines(&SEC_GPC).any(|line| line.trim_ascii() == b"1").then(|| Finding::denied("Sec-GPC:1"))
}
