//! Normalisation and hashing by Meta's documentation.

use super::contact::Key;

/// An ISO 3166-1 alpha-2 country, upper case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Country([u8; 2]);

impl Country {
    /// An alpha-2 code of a country that exists, in either case.
    #[must_use]
    pub fn from_alpha2(_code: &str) -> Option<Self> {
        None
    }

    /// A name (in the languages of the token table), an alpha-2 or an alpha-3 code; `UK` is `GB`.
    #[must_use]
    pub fn from_name(_name: &str) -> Option<Self> {
        None
    }

    /// The code, upper case.
    #[must_use]
    pub fn alpha2(self) -> String {
        String::from_utf8_lossy(&self.0).into_owned()
    }
}

/// Why a value cannot be used. Never the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// Nothing is left of it.
    Empty,
}

impl Unusable {
    /// One fixed word.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Empty => "empty",
        }
    }
}

/// Normalises one value. `region` is the country of phone numbers without a country code.
///
/// # Errors
/// Why the value is unusable: a fixed word, never the value.
pub fn normalize(_key: Key, _raw: &str, _region: Option<Country>) -> Result<String, Unusable> {
    Err(Unusable::Empty)
}

/// SHA-256 of the UTF-8 bytes, lower-case hex.
#[must_use]
pub fn sha256_hex(_normalized: &str) -> String {
    String::new()
}
