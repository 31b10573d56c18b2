//! Normalisation and hashing by Meta's documentation, and where that is silent by the rule its libraries agree on.
//! <https://developers.facebook.com/docs/marketing-api/conversions-api/parameters/customer-information-parameters>
//!
//! A value that cannot be used is left out with a fixed reason; it never spoils the event.

mod country;
mod date;
mod email;
mod gender;
mod phone;
mod place;
mod text;

use sha2::{Digest, Sha256};

use super::contact::Key;

pub use country::Country;
pub(super) use text::without_titles;

/// SHA-256 of the empty string: what careless tools send for a field nobody filled in.
const EMPTY_HASH: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// Values longer than this are nobody's name or address.
const MAX_CHARS: usize = 500;

/// Why a value cannot be used. Never the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// Nothing is left of it.
    Empty,
    /// Longer than anything real.
    TooLong,
    /// Not the shape of such a value.
    Malformed,
    /// An e-mail address with characters outside ASCII before the `@`: libraries disagree on how to hash it.
    NonAsciiLocalPart,
    /// No country code, and no region to take it from.
    NoCountryCode,
    /// Too short or too long for a phone number.
    ImplausibleLength,
    /// Not a country, state, gender or whatever else has a fixed list.
    Unknown,
    /// Day and month could be either way round.
    Ambiguous,
    /// No such day.
    ImpossibleDate,
    /// An MD5 hash; Meta takes SHA-256 only.
    Md5,
}

impl Unusable {
    /// One fixed word.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::TooLong => "too_long",
            Self::Malformed => "malformed",
            Self::NonAsciiLocalPart => "non_ascii_local_part",
            Self::NoCountryCode => "no_country_code",
            Self::ImplausibleLength => "implausible_length",
            Self::Unknown => "unknown",
            Self::Ambiguous => "ambiguous",
            Self::ImpossibleDate => "impossible_date",
            Self::Md5 => "md5",
        }
    }
}

/// A value as it is hashed, or a hash that came as one. `Debug` shows the kind only.
#[derive(Clone, PartialEq, Eq)]
pub enum Normalized {
    /// To be hashed.
    Text(String),
    /// Hashed already, lower-case hex.
    Hash(String),
}

impl Normalized {
    /// The text, or the hash where there is no text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Text(text) | Self::Hash(text) => text,
        }
    }

    /// SHA-256 of the UTF-8 bytes, lower-case hex.
    #[must_use]
    pub fn sha256(&self) -> String {
        match self {
            Self::Text(text) => hex::encode(Sha256::digest(text)),
            Self::Hash(hash) => hash.clone(),
        }
    }
}

impl std::fmt::Debug for Normalized {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Text(_) => "Text",
            Self::Hash(_) => "Hash",
        })
    }
}

/// Loads the tables that are otherwise unpacked at the first use (libphonenumber's take tens of milliseconds): the first
/// visitor should not wait for them.
pub fn warm_up() {
    // A failure would only mean that the first visitor waits after all.
    let _ = normalize(Key::Ph, "030 5550123", Country::from_alpha2("DE"));
    let _ = normalize(Key::Em, "ana@b\u{fc}cher.example", None);
}

/// Normalises one value. `region` is the country of phone numbers without a country code, and of postal codes.
///
/// # Errors
/// Why the value is unusable.
pub fn normalize(key: Key, raw: &str, region: Option<Country>) -> Result<Normalized, Unusable> {
    if raw.chars().nth(MAX_CHARS).is_some() {
        return Err(Unusable::TooLong);
    }
    let clean = text::clean(raw);
    if clean.is_empty() {
        return Err(Unusable::Empty);
    }
    if let Some(hash) = given_hash(&clean) {
        return if hash == EMPTY_HASH { Err(Unusable::Empty) } else { Ok(Normalized::Hash(hash)) };
    }
    // An advertiser's own id may well be 32 hex digits; nothing else is.
    if key != Key::ExternalId && is_hex(&clean, 32) {
        return Err(Unusable::Md5);
    }
    let value = match key {
        Key::Em => email::email(&clean),
        Key::Ph => phone::phone(&clean, region),
        Key::Fn | Key::Ln => text::name(&clean),
        Key::Ct => place::city(&clean),
        Key::St => place::state(&clean),
        Key::Zp => place::zip(&clean, region),
        Key::Country => Country::from_name(&clean).map(Country::alpha2_lower).ok_or(Unusable::Unknown),
        Key::Db => date::birth(&clean),
        Key::Ge => gender::gender(&clean),
        Key::ExternalId => Ok(clean.to_lowercase().split_whitespace().collect()),
    }?;
    if value.is_empty() { Err(Unusable::Empty) } else { Ok(Normalized::Text(value)) }
}

/// SHA-256 in hex, alone or with the suffix of Meta's parameter builder (2 or 8 characters after a dot), which is cut.
/// Anchored: hex inside a longer text is not a hash.
fn given_hash(text: &str) -> Option<String> {
    let (hash, suffix) = text.split_once('.').unwrap_or((text, "AA"));
    let is_suffix =
        matches!(suffix.len(), 2 | 8) && suffix.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    (is_hex(hash, 64) && is_suffix).then(|| hash.to_ascii_lowercase())
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests;
