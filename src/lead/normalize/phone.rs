//! Phone numbers: digits with country code, without leading zeros.

use super::{Country, Unusable};

/// ITU-T E.164: at most 15 digits; no national number with its country code is shorter than 7.
const LENGTH: std::ops::RangeInclusive<usize> = 7..=15;

/// Words and signs behind which an extension stands.
const EXTENSIONS: [&str; 9] = ["ext", "extn", "x", "app", "poste", "anexo", "durchwahl", "dw", "interno"];

/// Digits that a number has at least before an extension can follow.
const MIN_BEFORE_EXTENSION: usize = 6;

/// With country code: `+`, `00`, or that of `region` by libphonenumber's rules.
pub fn phone(clean: &str, region: Option<Country>) -> Result<String, Unusable> {
    let text = without_extension(&ascii_digits(clean));
    // "+44 (0)20": the zero is what one dials inside the country only.
    let text = text.replace("(0)", "");
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    if digits.is_empty() {
        return Err(Unusable::Malformed);
    }
    let first = text.trim_start_matches(|c: char| !c.is_ascii_digit() && c != '+');
    let international = first.starts_with('+') || digits.starts_with("00");
    let e164 = if international {
        let digits = if first.starts_with('+') { digits.as_str() } else { digits.trim_start_matches('0') };
        parse(None, &format!("+{digits}")).unwrap_or_else(|| digits.to_owned())
    } else {
        let region = region.ok_or(Unusable::NoCountryCode)?;
        parse(Some(region), &digits).ok_or(Unusable::Malformed)?
    };
    let e164 = e164.trim_start_matches('0');
    if LENGTH.contains(&e164.len()) { Ok(e164.to_owned()) } else { Err(Unusable::ImplausibleLength) }
}

/// Country code and national number by libphonenumber: trunk prefixes go, Italy's leading zero stays. Its strict validity
/// is not asked for: number ranges are opened faster than libraries are updated.
fn parse(region: Option<Country>, digits: &str) -> Option<String> {
    let id = match region {
        Some(region) => Some(region.alpha2().parse().ok()?),
        None => None,
    };
    let number = phonenumber::parse(id, digits).ok()?;
    let national = number.national();
    // A trunk zero that the library left because it knows no such range; where zeros belong to numbers it says so.
    let zeros = if number.code().value() == 39 { "0".repeat(usize::from(national.zeros())) } else { String::new() };
    Some(format!("{}{zeros}{}", number.code().value(), national.value()))
}

/// Digits of other scripts as ASCII.
fn ascii_digits(text: &str) -> String {
    let digit = |c: char| {
        let zeros = ['\u{660}', '\u{6f0}', '\u{966}', '\u{9e6}', '\u{ff10}'];
        let value = zeros.iter().find_map(|zero| (c as u32).checked_sub(*zero as u32).filter(|value| *value < 10))?;
        char::from_digit(value, 10)
    };
    text.chars().map(|c| if c == '\u{ff0b}' { '+' } else { digit(c).unwrap_or(c) }).collect()
}

/// Cut at the first sign or word that announces an extension, once a whole number can have come before it.
fn without_extension(text: &str) -> String {
    let lower = text.to_lowercase();
    let (mut digits, mut word_start) = (0, None);
    for (index, c) in lower.char_indices().chain([(lower.len(), ' ')]) {
        if let (false, Some(start)) = (c.is_alphabetic(), word_start) {
            let word = lower.get(start..index).unwrap_or_default();
            if EXTENSIONS.contains(&word) && digits >= MIN_BEFORE_EXTENSION {
                return lower.get(..start).unwrap_or_default().to_owned();
            }
            word_start = None;
        } else if c.is_alphabetic() {
            word_start.get_or_insert(index);
        }
        if matches!(c, '#' | ';' | ',') && digits >= MIN_BEFORE_EXTENSION {
            return lower.get(..index).unwrap_or_default().to_owned();
        }
        digits += usize::from(c.is_ascii_digit());
    }
    lower
}
