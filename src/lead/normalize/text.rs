//! What all texts have in common, and names.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::Unusable;

/// Forms of address that people type into name fields. With a dot they are always one; without, only those that are
/// nobody's name.
const TITLES: [&str; 30] = [
    "mr",
    "mrs",
    "ms",
    "miss",
    "mx",
    "dr",
    "prof",
    "sir",
    "herr",
    "frau",
    "mme",
    "mlle",
    "monsieur",
    "madame",
    "mademoiselle",
    "sr",
    "sra",
    "srta",
    "señor",
    "señora",
    "sig",
    "sigra",
    "signor",
    "signora",
    "dott",
    "dottssa",
    "dhr",
    "mevr",
    "mevrouw",
    "ing",
];
const DOTTED_TITLES: [&str; 6] = ["m", "hr", "fr", "d", "dª", "mag"];

/// NFC, so that the same name typed on two keyboards is the same; invisible characters out; trimmed.
pub fn clean(raw: &str) -> String {
    let visible = raw.nfc().filter(|c| !is_invisible(*c)).collect::<String>();
    visible.trim().to_owned()
}

/// Zero-width characters, direction marks, soft hyphens, byte-order marks.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{206f}' | '\u{feff}')
}

/// Lower case without white space and punctuation; letters of every script and accents stay.
pub fn squeezed(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric() || is_combining_mark(*c)).flat_map(char::to_lowercase).nfc().collect()
}

/// A first or last name.
pub fn name(clean: &str) -> Result<String, Unusable> {
    // An address typed into the name field is no name, and must not be hashed as one.
    if clean.contains('@') || clean.contains("://") {
        return Err(Unusable::Malformed);
    }
    let value = squeezed(&without_titles(clean));
    if value.chars().any(char::is_alphabetic) { Ok(value) } else { Err(Unusable::Malformed) }
}

/// Drops leading titles where something remains.
pub fn without_titles(name: &str) -> String {
    let mut words: Vec<_> = name.split_whitespace().collect();
    while words.len() > 1 && words.first().is_some_and(|word| is_title(word)) {
        words.remove(0);
    }
    words.join(" ")
}

fn is_title(word: &str) -> bool {
    let dotted = word.ends_with('.');
    let bare: String = word.chars().filter(|c| *c != '.').flat_map(char::to_lowercase).collect();
    TITLES.contains(&bare.as_str()) || (dotted && DOTTED_TITLES.contains(&bare.as_str()))
}
