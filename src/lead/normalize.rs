//! Normalisation and hashing by Meta's documentation.

use super::contact::Key;

/// An ISO 3166-1 alpha-2 country, upper case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Country([u8; 2]);

/// Normalises one value. `region` is the country of phone numbers without a country code.
///
/// # Errors
/// Why the value is unusable: a fixed word, never the value.
pub fn normalize(_key: Key, _raw: &str, _region: Option<Country>) -> Result<String, &'static str> {
    Err("not_yet")
}
