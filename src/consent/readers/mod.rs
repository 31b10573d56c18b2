//! One file per consent signal, and the table of them. A new signal is a file with a `READER`, its `mod` line and its
//! row in [`READERS`].
//!
//! A reader tells four things apart: granted, denied, no choice yet (which covers unreadable), not there. It goes by
//! the marketing category alone: a global yes is written for partial choices too, and a refusal of statistics is not a
//! refusal of marketing. It recognises by content where a cookie's name is not its own.

mod complianz;
mod cookiebot;
mod cookieyes;
mod gpc;
mod onetrust;
mod tcf;

use super::Signals;
use super::finding::Finding;

/// Every signal. Banners come first: where a banner and a US opt-out both say no, the banner is the one to name.
pub const READERS: &[Reader] =
    &[cookieyes::READER, cookiebot::READER, onetrust::READER, complianz::READER, tcf::READER, gpc::READER];

/// How one signal is read.
pub struct Reader {
    /// Its name in rules, reasons and logs.
    pub name: &'static str,
    /// Reads it; `category` replaces what means marketing by default. `None`: the signal is not there.
    pub read: fn(&Signals<'_>, category: Option<&str>) -> Option<Finding>,
    /// What a rule's category is.
    pub category: Category,
    /// Its no is an opt-out under US state law (GPC, US Privacy, GPP's US sections).
    pub us_opt_out: bool,
}

/// What a rule's `category` means to a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Category {
    /// The signal has none.
    None,
    /// The name or id of one category.
    Name,
    /// TCF purposes.
    Purposes,
}

impl Category {
    /// Whether the text is a category of this kind.
    pub fn accepts(self, text: &str) -> bool {
        match self {
            Self::None => false,
            Self::Name => !text.is_empty(),
            Self::Purposes => tcf::purposes(text).is_some(),
        }
    }

    /// Completes the sentence that begins with the signal's name.
    pub const fn wanted(self) -> &'static str {
        match self {
            Self::None => "takes no category",
            Self::Name => "takes the name of one category",
            Self::Purposes => "takes purposes from 1 to 24, separated by commas: \"1,3,4,7\"",
        }
    }
}
