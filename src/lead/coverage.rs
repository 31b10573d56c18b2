//! Which share of leads carries which match key, and what to do about the missing ones. This is coverage, not Meta's Event
//! Match Quality: that depends on what Meta really matched, and cannot be computed here.

/// How much Meta says a key matters (Business Help, "About Event Match Quality").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// E-mail and click id.
    High,
    /// Phone, browser id and a few more.
    Medium,
    /// Names and places.
    Low,
    /// Sent, and not on Meta's list.
    Unlisted,
}

impl Priority {
    /// Meta's word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::High => "High",
            Self::Medium => "Medium",
            Self::Low => "Low",
            Self::Unlisted => "–",
        }
    }
}

/// A match key as the list has it.
#[derive(Clone, Copy, Debug)]
pub struct CoverageKey {
    /// Meta's name in `user_data`.
    pub name: &'static str,
    /// What it is.
    pub label: &'static str,
    /// By Meta's list.
    pub priority: Priority,
    /// What to do where it is missing.
    pub advice: &'static str,
}

const fn key(name: &'static str, label: &'static str, priority: Priority, advice: &'static str) -> CoverageKey {
    CoverageKey { name, label, priority, advice }
}

const ASK: &str =
    "Only forms that ask for it have it; map the field with [[form]] fields if it is asked for and not read.";

/// The keys in the order of their weight.
pub const KEYS: &[CoverageKey] = &[
    key("em", "e-mail address", Priority::High, "Ask for it. If forms do, see `explain` for why it is not read."),
    key(
        "fbc",
        "ad click",
        Priority::High,
        "Only visitors from Meta's ads have one. If they do and it is missing: is fbclid cut off by a redirect, is the \
         banner answered?",
    ),
    key("ph", "phone number", Priority::Medium, "Ask for it; set default_country if numbers lack their country code."),
    key("fbp", "browser id", Priority::Medium, "Set by Meta's pixel; without one, landing.mint_fbp sets it."),
    key("country", "country", Priority::Medium, ASK),
    key("db", "date of birth", Priority::Medium, ASK),
    key("external_id", "your own id", Priority::Medium, ASK),
    key("fn", "first name", Priority::Low, ASK),
    key("ln", "last name", Priority::Low, ASK),
    key("ct", "city", Priority::Low, ASK),
    key("zp", "postal code", Priority::Low, ASK),
    key("st", "state", Priority::Unlisted, ASK),
    key("ge", "gender", Priority::Unlisted, ASK),
    key(
        "client_ip_address",
        "address",
        Priority::Unlisted,
        "Missing where the proxy in front is not in trusted_proxies, or does not say who the visitor is.",
    ),
    key("client_user_agent", "browser", Priority::Unlisted, "Every browser sends it."),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lead::contact::Key;

    #[test]
    fn every_key_that_can_be_sent_is_listed_once_and_the_weightiest_first() {
        for name in Key::ALL.map(Key::name).into_iter().chain(["fbc", "fbp", "client_ip_address", "client_user_agent"])
        {
            assert_eq!(KEYS.iter().filter(|key| key.name == name).count(), 1, "{name}");
        }
        assert!(KEYS.is_sorted_by_key(|key| key.priority));
    }
}
