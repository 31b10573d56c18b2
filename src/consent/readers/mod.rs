//! One file per consent signal, and the table of them. A new signal is a file with a `READER`, its `mod` line and its
//! row in [`READERS`].
//!
//! A reader tells five things apart: granted, denied, no choice yet (which covers undecodable), unreadable, not there. It
//! goes by what means advertising alone: a global yes is written for partial choices too, and a refusal of statistics is
//! not a refusal of marketing. It recognises by content where a cookie's name is not its own.

mod axeptio;
mod commanders_act;
mod complianz;
mod consentmanager;
mod cookiebot;
mod cookieyes;
mod didomi;
mod gpc;
mod iubenda;
mod ketch;
mod klaro;
mod known_names;
mod onetrust;
mod operator;
mod orejime;
mod osano;
mod osano_cookieconsent;
mod sourcepoint;
mod tarteaucitron;
mod tcf;
mod tealium;
mod trustarc;
mod vanilla_cookieconsent;
mod zaraz;

use super::Signals;
use super::finding::Finding;
use crate::config::ConsentRule;

/// Every signal. Banners come first: where a banner and a US opt-out both say no, the banner is the one to name.
pub const READERS: &[Reader] = &[
    operator::BRIDGE,
    operator::COOKIE,
    operator::HEADER,
    operator::FIELD,
    cookieyes::READER,
    cookiebot::READER,
    onetrust::READER,
    complianz::READER,
    iubenda::READER,
    didomi::READER,
    axeptio::READER,
    trustarc::READER,
    klaro::READER,
    tarteaucitron::READER,
    orejime::READER,
    vanilla_cookieconsent::READER,
    osano_cookieconsent::READER,
    consentmanager::READER,
    commanders_act::READER,
    tealium::READER,
    zaraz::READER,
    ketch::READER,
    osano::READER,
    sourcepoint::READER,
    tcf::READER,
    gpc::READER,
];

/// How one signal is read.
pub struct Reader {
    /// Its name in rules, reasons and logs.
    pub name: &'static str,
    /// Where it is: what is not there is not asked.
    pub source: Source,
    /// Reads it, by the operator's rule for it (an empty one when there is none). `None`: the signal is not there.
    pub read: fn(&Signals<'_>, &ConsentRule) -> Option<Finding>,
    /// What a rule's category is.
    pub category: Category,
    /// Whose word it is.
    pub standing: Standing,
}

impl Reader {
    /// A banner that keeps the answer in these cookies.
    pub const fn banner(
        name: &'static str,
        cookies: &'static [Name],
        read: fn(&Signals<'_>, &ConsentRule) -> Option<Finding>,
    ) -> Self {
        Self { name, source: Source::Cookies(cookies), read, category: Category::Name, standing: Standing::Banner }
    }
}

/// Where a signal is.
pub enum Source {
    /// In cookies of these names, or of the name that a rule gives.
    Cookies(&'static [Name]),
    /// In other parts of the request: asked every time.
    Request,
    /// Where the operator's rules say: asked once for each rule, and never without one.
    Rules,
}

/// The name of a cookie.
pub enum Name {
    /// This one.
    Is(&'static str),
    /// One that begins like this.
    Begins(&'static str),
}

/// Whose word a signal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// A banner's or a framework's.
    Banner,
    /// A browser's or a string's under US state law (GPC, US Privacy, GPP's US sections): its no is an opt-out.
    UsOptOut,
    /// The operator named it: it speaks for banners that cannot be read.
    Operator,
}

/// What a rule's `category` means to a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Category {
    /// The signal has none.
    None,
    /// The name or id of one category, group, purpose or service.
    Name,
    /// TCF purposes.
    Purposes,
    /// It is not a banner: the rule names where to look and what means yes.
    Matcher,
}

impl Category {
    /// Whether the text is a category of this kind.
    pub fn accepts(self, text: &str) -> bool {
        match self {
            Self::None | Self::Matcher => false,
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
            Self::Matcher => "takes no category; write name, granted and denied",
        }
    }
}
