//! Normalisation and hashing by Meta's documentation; where it is silent or Meta's libraries disagree, the reading that
//! damages no value: Unicode is kept, nothing is truncated or guessed, and what cannot be right is left out with a
//! reason.
//! <https://developers.facebook.com/docs/marketing-api/conversions-api/parameters/customer-information-parameters>

mod country;
mod date;
mod email;
mod gender;
mod numbering;
mod phone;
mod place;
mod text;

use std::fmt;

use sha2::{Digest, Sha256};

pub use country::Country;

use super::contact::Key;
use super::name;
use text::{compact, lower_nfc, without_invisible};

/// No contact value is longer; what is, is a message in the wrong field.
const MAX_BYTES: usize = 512;
/// Longest suffix behind a hash (see [`prehashed`]).
const MAX_SUFFIX: usize = 16;
/// In front of a first name these are an initial and a syllable; in front of a last name, French and Polish for Mr.
const LAST_NAME_TITLES: [&str; 2] = ["M. ", "Pan "];
/// What people and programs write where there is nothing to write, lower case.
const NOTHING: [&str; 3] = ["n/a", "undefined", "[object object]"];
/// SHA-256 of nothing: what a page sends that hashed an empty field.
const HASH_OF_NOTHING: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// Why a value cannot be used. Never the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// Nothing is left of it.
    Empty,
    /// It is too long to be contact data.
    TooLong,
    /// An MD5 hash: Meta takes SHA-256 only, and nobody can turn one into the other.
    Md5,
    /// The SHA-256 of an empty string.
    HashOfNothing,
    /// Not exactly one address with a dotted domain.
    NotAnEmail,
    /// An address whose part before the `@` is not ASCII.
    NonAsciiLocalPart,
    /// Digits that cannot be a telephone number.
    NotAPhone,
    /// A telephone number without country code, and none to be had.
    NoCountryCode,
    /// No letters, or an address instead of a name.
    NotAName,
    /// No letters in a city or state.
    NotAPlace,
    /// No digits in a postal code, or too many.
    NotAPostalCode,
    /// Not a country's code or name.
    UnknownCountry,
    /// Not a calendar date on which a living person can be born.
    NotADate,
    /// A date that may be two.
    AmbiguousDate,
    /// Not a word for female or male.
    UnknownGender,
    /// What is written where there is nothing to write: as an id it would make strangers one person.
    Placeholder,
}

impl Unusable {
    /// One fixed word.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::TooLong => "too_long",
            Self::Md5 => "md5",
            Self::HashOfNothing => "hash_of_nothing",
            Self::NotAnEmail => "not_an_email",
            Self::NonAsciiLocalPart => "non_ascii_local_part",
            Self::NotAPhone => "not_a_phone",
            Self::NoCountryCode => "no_country_code",
            Self::NotAName => "not_a_name",
            Self::NotAPlace => "not_a_place",
            Self::NotAPostalCode => "not_a_postal_code",
            Self::UnknownCountry => "unknown_country",
            Self::NotADate => "not_a_date",
            Self::AmbiguousDate => "ambiguous_date",
            Self::UnknownGender => "unknown_gender",
            Self::Placeholder => "placeholder",
        }
    }
}

/// A value in the form in which Meta compares it. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub enum Normalized {
    /// Contact data, never empty.
    Text(String),
    /// It came as a SHA-256 hash: 64 lower-case hex digits.
    Hash(String),
}

impl Normalized {
    /// The normalised text, or the hash that came instead of it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Text(text) | Self::Hash(text) => text,
        }
    }

    /// What is sent.
    #[must_use]
    pub fn sha256(&self) -> String {
        match self {
            Self::Text(text) => sha256_hex(text),
            Self::Hash(hash) => hash.clone(),
        }
    }
}

impl fmt::Debug for Normalized {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text(_) => "Text(…)",
            Self::Hash(_) => "Hash(…)",
        })
    }
}

/// Normalises one value. `region` is the country of phone numbers without a country code, and decides whether a postal
/// code is a US one.
///
/// # Errors
/// Why the value is unusable: a fixed word, never the value.
pub fn normalize(key: Key, raw: &str, region: Option<Country>) -> Result<Normalized, Unusable> {
    if raw.len() > MAX_BYTES {
        return Err(Unusable::TooLong);
    }
    let visible = without_invisible(raw);
    let visible = visible.trim();
    if visible.is_empty() {
        return Err(Unusable::Empty);
    }
    if let Some(hash) = prehashed(visible) {
        return if hash == HASH_OF_NOTHING { Err(Unusable::HashOfNothing) } else { Ok(Normalized::Hash(hash)) };
    }
    if NOTHING.contains(&visible.to_lowercase().as_str()) {
        return Err(Unusable::Placeholder);
    }
    // An external id may well be a UUID without dashes.
    let is_md5 = |text: &str| key != Key::ExternalId && text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
    if is_md5(visible) {
        return Err(Unusable::Md5);
    }
    let normalized = match key {
        Key::Em => email::normalize(visible),
        Key::Ph => phone::normalize(visible, region),
        Key::Fn => person_name(visible),
        Key::Ln => {
            person_name(LAST_NAME_TITLES.iter().find_map(|title| visible.strip_prefix(title)).unwrap_or(visible))
        }
        Key::Ct => place::city(visible),
        Key::St => place::state(visible),
        Key::Zp => place::postal_code(visible, region),
        Key::Country => {
            Country::from_name(visible).map(|country| country.alpha2().to_lowercase()).ok_or(Unusable::UnknownCountry)
        }
        Key::Db => date::normalize(visible),
        Key::Ge => gender::normalize(visible),
        Key::ExternalId => external_id(visible),
    }?;
    // What is a hash or a placeholder only without its punctuation is nobody's name either.
    if prehashed(&normalized).is_some() || is_md5(&normalized) || NOTHING.contains(&normalized.as_str()) {
        return Err(Unusable::Placeholder);
    }
    if normalized.is_empty() { Err(Unusable::Empty) } else { Ok(Normalized::Text(normalized)) }
}

/// [`normalize`], then SHA-256: what an event carries.
///
/// # Errors
/// Why the value is unusable.
pub fn hash(key: Key, raw: &str, region: Option<Country>) -> Result<String, Unusable> {
    normalize(key, raw, region).map(|normalized| normalized.sha256())
}

/// SHA-256 of the UTF-8 bytes, lower-case hex.
#[must_use]
pub fn sha256_hex(normalized: &str) -> String {
    hex::encode(Sha256::digest(normalized.as_bytes()))
}

/// A page may hash its fields before it sends them; Meta's own scripts then append `.` and a few characters.
fn prehashed(text: &str) -> Option<String> {
    let (hash, suffix) = text.split_once('.').unwrap_or((text, "_"));
    let is_suffix = (1..=MAX_SUFFIX).contains(&suffix.len())
        && suffix.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    (hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit()) && is_suffix).then(|| hash.to_ascii_lowercase())
}

/// Titles, degrees, whitespace and punctuation go; accents and every script stay, as in Meta's own example `valéry`.
fn person_name(raw: &str) -> Result<String, Unusable> {
    let name = compact(name::without_degrees(name::without_titles(raw)));
    // An e-mail or web address without its punctuation would pass for a name.
    let is_address = raw.contains('@') || raw.contains("://");
    if is_address || !name.chars().any(char::is_alphabetic) {
        return Err(Unusable::NotAName);
    }
    Ok(name)
}

/// Lower case without whitespace, as Meta's parameter builder has it in the browser: both must hash alike.
fn external_id(visible: &str) -> Result<String, Unusable> {
    let id: String = visible.chars().filter(|c| !c.is_whitespace()).collect();
    let id = lower_nfc(&id);
    // WordPress calls every visitor that is not logged in 0; a UUID of zeros is nobody's.
    let zeros = id.chars().all(|c| matches!(c, '0' | '-'));
    let word = id.trim_matches(['(', ')', '<', '>', '"']);
    let placeholder = zeros
        || matches!(
            word,
            "-1" | "null" | "nil" | "nan" | "none" | "true" | "false" | "unknown" | "guest" | "anonymous"
        );
    if placeholder || !id.chars().any(char::is_alphanumeric) { Err(Unusable::Placeholder) } else { Ok(id) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HASH: &str = "62a14e44f765419d10fea99367361a727c12365e2520f32218d505ed9aa0f62f";

    fn text(key: Key, raw: &str) -> Result<String, Unusable> {
        normalize(key, raw, None).map(|normalized| normalized.as_str().to_owned())
    }

    /// The examples on Meta's customer-information-parameters page.
    #[test]
    fn metas_examples_hash_as_documented() {
        for (key, raw, expected) in [
            (Key::Em, "John_Smith@gmail.com", HASH),
            (Key::Ph, "+1 (650) 555-1212", "e323ec626319ca94ee8bff2e4c87cf613be6ea19919ed1364124e16807ab3176"),
            (Key::Ph, "16505551212", "e323ec626319ca94ee8bff2e4c87cf613be6ea19919ed1364124e16807ab3176"),
            (Key::Fn, "Mary", "6915771be1c5aa0c886870b6951b03d7eafc121fea0e80a5ea83beb7c449f4ec"),
            (Key::Fn, "정", "8fa8cd9c440be61d0151429310034083132b35975c4bea67fdd74158eb51db14"),
            (Key::Fn, "Vale\u{301}ry", "08e1996b5dd49e62a4b4c010d44e4345592a863bb9f8e3976219bac29417149c"),
            (Key::Db, "2/16/1997", "01acdbf6ec7b4f478a225f1a246e5d6767eeab1a7ffa17f025265b5b94f40f0c"),
            (Key::Country, "US", "79adb2a2fce5c6ba215fe5f27f532d4e7edbac4b6a5e09e1ef3a08084a904621"),
        ] {
            assert_eq!(hash(key, raw, None).as_deref(), Ok(expected), "{raw}");
        }
    }

    #[test]
    fn names_lose_titles_spaces_and_punctuation() {
        for (raw, expected) in [
            ("Ruíz", "ruíz"),
            ("Mary Ann", "maryann"),
            ("O'Brien", "obrien"),
            ("Jean\u{2013}Luc", "jeanluc"),
            ("José", "josé"),
            ("Herr Dr. Müller", "müller"),
            ("Mrs. Smith", "smith"),
            ("Herr", "herr"),
            ("van der Berg", "vanderberg"),
        ] {
            assert_eq!(text(Key::Ln, raw).as_deref(), Ok(expected), "{raw}");
        }
        for raw in ["12345", "---", "ana@example.com", "https://spam.example"] {
            assert_eq!(text(Key::Fn, raw), Err(Unusable::NotAName), "{raw}");
        }
    }

    #[test]
    fn hashes_pass_through_without_case_padding_and_suffix() {
        let upper = HASH.to_uppercase();
        for raw in
            [HASH.to_owned(), upper.clone(), format!("  {upper}\n"), format!("{HASH}.AQ"), format!("{HASH}.AQEBAQAB")]
        {
            for key in Key::ALL {
                let normalized = normalize(key, &raw, None).expect("a hash");
                assert_eq!(normalized, Normalized::Hash(HASH.to_owned()), "{raw}");
                assert_eq!(normalized.sha256(), HASH);
            }
        }
        assert_eq!(text(Key::Em, &format!("{HASH}.a b")), Err(Unusable::NotAnEmail));
    }

    #[test]
    fn md5_and_the_hash_of_nothing_are_unusable() {
        assert_eq!(text(Key::Em, "D41D8CD98F00B204E9800998ECF8427E"), Err(Unusable::Md5));
        assert!(text(Key::ExternalId, "d41d8cd98f00b204e9800998ecf8427e").is_ok());
        assert_eq!(sha256_hex(""), HASH_OF_NOTHING);
        for key in Key::ALL {
            assert_eq!(text(key, HASH_OF_NOTHING), Err(Unusable::HashOfNothing));
        }
    }

    #[test]
    fn nothing_and_too_much_are_unusable() {
        for key in Key::ALL {
            for raw in ["", "  ", "\u{200B}\u{FEFF}\u{A0}"] {
                assert_eq!(text(key, raw), Err(Unusable::Empty));
            }
            assert_eq!(text(key, &"a".repeat(100_000)), Err(Unusable::TooLong));
        }
    }

    #[test]
    fn external_ids_are_lowered_and_placeholders_refused() {
        assert_eq!(text(Key::ExternalId, " Customer 42-A ").as_deref(), Ok("customer42-a"));
        assert_eq!(text(Key::ExternalId, "K \u{301}").as_deref(), Ok("\u{1e31}"));
        for raw in ["0", "null", "(null)", "Guest", "---", "00000000-0000-0000-0000-000000000000", "[object Object]"] {
            assert_eq!(text(Key::ExternalId, raw), Err(Unusable::Placeholder), "{raw}");
        }
    }

    #[test]
    fn debug_shows_no_value() {
        assert_eq!(format!("{:?}", normalize(Key::Fn, "Ana", None)), "Ok(Text(…))");
        assert_eq!(format!("{:?}", normalize(Key::Em, HASH, None)), "Ok(Hash(…))");
    }

    fn raw() -> impl Strategy<Value = String> {
        prop_oneof![
            any::<String>(),
            "[ 0-9a-zA-Z@.+()/:#xéß\u{301}\u{200B}-]{0,40}",
            "[a-z]{1,8}@[a-zäöü]{1,8}\\.[a-z]{2,3}",
            "[+0]{0,2}[0-9() -]{5,20}",
        ]
    }

    proptest! {
        #[test]
        fn nothing_panics_nothing_is_empty_and_normal_forms_stay(key in 0..Key::ALL.len(), raw in raw(), region in 0..4usize) {
            let (key, region) = (Key::ALL[key], ["DE", "US", "IT", ""][region]);
            if let Ok(first) = normalize(key, &raw, Country::from_alpha2(region)) {
                prop_assert!(!first.as_str().is_empty());
                prop_assert_ne!(first.sha256(), HASH_OF_NOTHING);
                // Digits alone do not say that they have a country code.
                if key != Key::Ph {
                    prop_assert_eq!(normalize(key, first.as_str(), Country::from_alpha2(region)), Ok(first));
                }
            }
        }
    }
}
