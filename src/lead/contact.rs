//! Contact data as the visitor typed it, by Meta's match key. It lives in memory only until it is hashed.

use std::fmt;

/// Meta's customer-information parameters that are hashed.
/// <https://developers.facebook.com/docs/marketing-api/conversions-api/parameters/customer-information-parameters>
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    /// E-mail address.
    Em,
    /// Phone number.
    Ph,
    /// First name.
    Fn,
    /// Last name.
    Ln,
    /// City.
    Ct,
    /// State.
    St,
    /// Postal code.
    Zp,
    /// Country.
    Country,
    /// Date of birth.
    Db,
    /// Gender.
    Ge,
    /// The advertiser's own id.
    ExternalId,
}

impl Key {
    /// Every key, in the order in which events list them.
    pub const ALL: [Self; 11] = [
        Self::Em,
        Self::Ph,
        Self::Fn,
        Self::Ln,
        Self::Ct,
        Self::St,
        Self::Zp,
        Self::Country,
        Self::Db,
        Self::Ge,
        Self::ExternalId,
    ];

    /// Meta's name of the key.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Em => "em",
            Self::Ph => "ph",
            Self::Fn => "fn",
            Self::Ln => "ln",
            Self::Ct => "ct",
            Self::St => "st",
            Self::Zp => "zp",
            Self::Country => "country",
            Self::Db => "db",
            Self::Ge => "ge",
            Self::ExternalId => "external_id",
        }
    }

    /// The key with that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|key| key.name() == name)
    }
}

/// Raw contact values. `Debug` shows the keys only.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Contact {
    values: Vec<(Key, String)>,
}

impl Contact {
    /// Adds a value; empty ones and repeats are left out.
    pub fn add(&mut self, key: Key, value: impl Into<String>) {
        let value = value.into();
        if !value.trim().is_empty() && !self.values.iter().any(|(k, v)| *k == key && *v == value) {
            self.values.push((key, value));
        }
    }

    /// The values of one key, as typed.
    pub fn get(&self, key: Key) -> impl Iterator<Item = &str> {
        self.values.iter().filter(move |(k, _)| *k == key).map(|(_, v)| v.as_str())
    }

    /// The first value of a key.
    #[must_use]
    pub fn first(&self, key: Key) -> Option<&str> {
        self.get(key).next()
    }

    /// Every value with its key.
    pub fn iter(&self) -> impl Iterator<Item = (Key, &str)> {
        self.values.iter().map(|(k, v)| (*k, v.as_str()))
    }

    /// Whether there is an e-mail address or a phone number: what makes a form a lead form.
    #[must_use]
    pub fn is_reachable(&self) -> bool {
        self.values.iter().any(|(key, _)| matches!(key, Key::Em | Key::Ph))
    }
}

impl fmt::Debug for Contact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.values.iter().map(|(key, _)| key.name())).finish()
    }
}
