//! What the rules share: Unicode form, invisible characters, which characters count.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// NFC, then lower case, as Meta's example `valéry` is hashed.
pub(super) fn lower_nfc(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    // Lower-casing can take a letter apart again: U+0130.
    text.nfc().collect::<String>().to_lowercase().nfc().collect()
}

/// Lower case without whitespace, punctuation and symbols: letters, digits and marks of every script stay.
pub(super) fn compact(text: &str) -> String {
    let lower = lower_nfc(text);
    let kept = lower.chars().filter(|c| counts(*c));
    if lower.is_ascii() { kept.collect() } else { kept.nfc().collect() }
}

/// A key for look-ups in tables: [`compact`], without accents, and in ASCII where a letter has a usual spelling.
pub(super) fn fold(text: &str) -> String {
    let mut key = String::with_capacity(text.len());
    for c in compact(text).nfkd().filter(|c| !is_combining_mark(*c)) {
        match c {
            'ß' => key.push_str("ss"),
            'ø' => key.push('o'),
            'ł' => key.push('l'),
            'đ' | 'ð' => key.push('d'),
            'æ' => key.push_str("ae"),
            'œ' => key.push_str("oe"),
            _ => key.push(c),
        }
    }
    key
}

/// Without the characters that pasting brings along and nobody sees. Spaces of every width stay: within a value they
/// separate.
pub(super) fn without_invisible(text: &str) -> String {
    text.chars().filter(|c| !is_invisible(*c)).collect()
}

/// The value of a decimal digit: ASCII, full-width, Arabic-Indic (both), Devanagari.
pub(super) fn ascii_digit(c: char) -> Option<char> {
    let code = u32::from(c);
    let zero = [0x30, 0xFF10, 0x660, 0x6F0, 0x966].into_iter().find(|zero| (*zero..*zero + 10).contains(&code))?;
    char::from_digit(code - zero, 10)
}

fn counts(c: char) -> bool {
    let mark = is_combining_mark(c) && !matches!(c, '\u{20D0}'..='\u{20FF}') && !is_invisible(c);
    // U+02BC is how keyboards of some scripts type the apostrophe of a name; Unicode calls it a letter.
    mark || c.is_alphanumeric() && !is_invisible(c) && !matches!(c, '\u{2B9}'..='\u{2BF}')
}

/// Unicode's default-ignorable characters, as far as text fields meet them.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}' | '\u{1160}' | '\u{180B}'..='\u{180E}'
        | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{3164}'
        | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E0FFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_and_accents_stay_and_everything_else_goes() {
        for (raw, expected) in [
            ("Mary-Ann O’Brien", "maryannobrien"),
            ("Jean\u{2013}Luc", "jeanluc"),
            ("O\u{2BC}Neill", "oneill"),
            ("Vale\u{301}ry", "val\u{e9}ry"),
            ("정", "정"),
            ("Москва", "москва"),
            ("हिन्दी", "हिन्दी"),
            ("Ana ❤\u{FE0F}", "ana"),
            ("e'\u{301}", "\u{e9}"),
        ] {
            assert_eq!(compact(raw), expected);
        }
    }

    #[test]
    fn table_keys_ignore_accents_and_case() {
        for (raw, expected) in [
            ("Österreich", "osterreich"),
            ("Großbritannien", "grossbritannien"),
            ("Côte d’Ivoire", "cotedivoire"),
            ("Łotwa", "lotwa"),
        ] {
            assert_eq!(fold(raw), expected);
        }
    }
}
