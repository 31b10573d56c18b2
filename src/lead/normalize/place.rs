//! `ct`, `st`, `zp`.

use super::text::{ascii_digit, compact, fold};
use super::{Country, Unusable};

/// Letters of every script with their accents, as Meta's text and SDKs have it; digits (a postal code in the same
/// field) go.
pub(super) fn city(raw: &str) -> Result<String, Unusable> {
    let without_digits: String = raw.chars().filter(|c| !c.is_numeric()).collect();
    let city = compact(&without_digits);
    if city.is_empty() { Err(Unusable::NotAPlace) } else { Ok(city) }
}

/// US states and territories and Canadian provinces by exact name or code become the code; every other state is its
/// full name. Nothing is cut to two letters: that would make New South Wales Nebraska.
pub(super) fn state(raw: &str) -> Result<String, Unusable> {
    let name = compact(raw);
    if !name.chars().any(char::is_alphabetic) {
        return Err(Unusable::NotAPlace);
    }
    let key = fold(raw);
    // `US-CA`: ISO 3166-2.
    let iso = raw.trim().split_once('-').filter(|(country, _)| matches!(fold(country).as_str(), "us" | "ca"));
    let iso = iso.map(|(_, code)| fold(code)).unwrap_or_default();
    // `California (CA)`: what lists put behind a name.
    let bare = raw.split_once('(').map(|(name, _)| fold(name)).unwrap_or_default();
    let is_named = |names: &str| names.split('|').map(fold).any(|name| name == key || name == bare);
    let found = STATES.iter().find(|(code, names)| *code == key || *code == iso || is_named(names));
    Ok(found.map_or(name, |(code, _)| (*code).to_owned()))
}

/// Letters and digits up to the first dash; US codes are five digits.
pub(super) fn postal_code(raw: &str, region: Option<Country>) -> Result<String, Unusable> {
    let raw: String = raw.chars().map(|c| ascii_digit(c).unwrap_or(c)).collect();
    let whole = compact(&raw);
    if is_letter_code(&whole) {
        return Ok(whole);
    }
    let is_dash = |c: char| matches!(c, '-' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{FF0D}');
    let mut parts = raw.split(is_dash).map(compact);
    let first = parts.next().unwrap_or_default();
    // `D-10115`: letters alone in front of a dash are the country.
    let letters_only = !first.is_empty() && first.len() <= 3 && first.bytes().all(|b| b.is_ascii_alphabetic());
    let code = if letters_only { parts.next().unwrap_or_default() } else { first };
    // No country's code has five letters in a row: a city is in the same field.
    let has_word = code.split(|c: char| !c.is_ascii_alphabetic()).any(|letters| letters.len() > 4);
    let fits = (2..=12).contains(&code.len()) && code.is_ascii();
    if !fits || has_word || !code.bytes().any(|b| b.is_ascii_digit()) {
        return Err(Unusable::NotAPostalCode);
    }
    let is_us = region.is_some_and(|region| region.alpha2() == "US");
    let zip = code.get(..5).filter(|_| is_us && code.len() == 9 && code.bytes().all(|b| b.is_ascii_digit()));
    Ok(zip.map_or_else(|| code.clone(), str::to_owned))
}

/// Canada, the United Kingdom, the Netherlands: a dash in `K1A-0B1` is a space to whoever typed it, and cutting there
/// would leave a district.
fn is_letter_code(code: &str) -> bool {
    let shape: String = code
        .chars()
        .map(|c| match c {
            '0'..='9' => '9',
            'a'..='z' => 'a',
            _ => '?',
        })
        .collect();
    matches!(shape.as_str(), "a9a9a9" | "9999aa" | "a99aa" | "a999aa" | "aa99aa" | "aa999aa" | "a9a9aa" | "aa9a9aa")
}

/// USPS and Canada Post codes; French names of provinces beside the English ones.
const STATES: &[(&str, &str)] = &[
    ("al", "Alabama"),
    ("ak", "Alaska"),
    ("az", "Arizona"),
    ("ar", "Arkansas"),
    ("ca", "California"),
    ("co", "Colorado"),
    ("ct", "Connecticut"),
    ("de", "Delaware"),
    ("dc", "District of Columbia|Washington DC"),
    ("fl", "Florida"),
    ("ga", "Georgia"),
    ("hi", "Hawaii"),
    ("id", "Idaho"),
    ("il", "Illinois"),
    ("in", "Indiana"),
    ("ia", "Iowa"),
    ("ks", "Kansas"),
    ("ky", "Kentucky"),
    ("la", "Louisiana"),
    ("me", "Maine"),
    ("md", "Maryland"),
    ("ma", "Massachusetts"),
    ("mi", "Michigan"),
    ("mn", "Minnesota"),
    ("ms", "Mississippi"),
    ("mo", "Missouri"),
    ("mt", "Montana"),
    ("ne", "Nebraska"),
    ("nv", "Nevada"),
    ("nh", "New Hampshire"),
    ("nj", "New Jersey"),
    ("nm", "New Mexico"),
    ("ny", "New York|New York State"),
    ("nc", "North Carolina"),
    ("nd", "North Dakota"),
    ("oh", "Ohio"),
    ("ok", "Oklahoma"),
    ("or", "Oregon"),
    ("pa", "Pennsylvania"),
    ("ri", "Rhode Island"),
    ("sc", "South Carolina"),
    ("sd", "South Dakota"),
    ("tn", "Tennessee"),
    ("tx", "Texas"),
    ("ut", "Utah"),
    ("vt", "Vermont"),
    ("va", "Virginia"),
    ("wa", "Washington|Washington State"),
    ("wv", "West Virginia"),
    ("wi", "Wisconsin"),
    ("wy", "Wyoming"),
    ("as", "American Samoa"),
    ("gu", "Guam"),
    ("mp", "Northern Mariana Islands"),
    ("pr", "Puerto Rico"),
    ("vi", "US Virgin Islands|Virgin Islands|United States Virgin Islands|Virgin Islands, US"),
    ("aa", "Armed Forces Americas"),
    ("ae", "Armed Forces Europe"),
    ("ap", "Armed Forces Pacific"),
    ("ab", "Alberta"),
    ("bc", "British Columbia|Colombie-Britannique"),
    ("mb", "Manitoba"),
    ("nb", "New Brunswick|Nouveau-Brunswick"),
    ("nl", "Newfoundland and Labrador|Newfoundland|Newfoundland & Labrador|Terre-Neuve-et-Labrador"),
    ("ns", "Nova Scotia|Nouvelle-Écosse"),
    ("nt", "Northwest Territories|NWT|Territoires du Nord-Ouest"),
    ("nu", "Nunavut"),
    ("on", "Ontario"),
    ("pe", "Prince Edward Island|PEI|Île-du-Prince-Édouard"),
    ("qc", "Québec"),
    ("sk", "Saskatchewan"),
    ("yt", "Yukon|Yukon Territory"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cities_keep_letters_only() {
        for (raw, expected) in [
            ("São Paulo", "sãopaulo"),
            ("Москва", "москва"),
            ("10115 Berlin", "berlin"),
            ("E0\u{301}vora", "\u{e9}vora"),
            ("St. John's", "stjohns"),
            ("Washington, DC", "washingtondc"),
        ] {
            assert_eq!(city(raw).as_deref(), Ok(expected), "{raw}");
        }
        assert_eq!(city("10115"), Err(Unusable::NotAPlace));
    }

    #[test]
    fn states_of_the_us_and_canada_become_codes_and_others_stay_whole() {
        for (raw, expected) in [
            ("California", "ca"),
            ("CA", "ca"),
            ("US-CA", "ca"),
            ("Washington, D.C.", "dc"),
            ("D.C.", "dc"),
            ("West Virginia", "wv"),
            ("Puerto Rico", "pr"),
            ("Quebec", "qc"),
            ("Ontario", "on"),
            ("New South Wales", "newsouthwales"),
            ("Bayern", "bayern"),
            ("Île-de-France", "îledefrance"),
            ("Texas (TX)", "tx"),
            ("State of West Virginia", "stateofwestvirginia"),
        ] {
            assert_eq!(state(raw).as_deref(), Ok(expected), "{raw}");
        }
        assert_eq!(state("12"), Err(Unusable::NotAPlace));
    }

    #[test]
    fn postal_codes_are_cut_as_meta_cuts_them() {
        for (raw, region, expected) in [
            ("94025", "US", "94025"),
            ("94025-1234", "US", "94025"),
            ("94025 1234", "US", "94025"),
            ("940251234", "US", "94025"),
            ("94025-1234", "", "94025"),
            ("SW1A 1AA", "GB", "sw1a1aa"),
            ("SW1A 1AA", "US", "sw1a1aa"),
            ("00-950", "PL", "00"),
            ("D-10115", "DE", "10115"),
            ("K1A 0B1", "CA", "k1a0b1"),
            ("K1A-0B1", "CA", "k1a0b1"),
            ("SW1A-1AA", "GB", "sw1a1aa"),
            ("NL-1234 AB", "NL", "1234ab"),
            ("１００－０００１", "JP", "100"),
            ("94025\u{2013}1234", "", "94025"),
        ] {
            assert_eq!(postal_code(raw, Country::from_alpha2(region)).as_deref(), Ok(expected), "{raw}");
        }
        for raw in ["Berlin", "n/a", "1234567890123", "10115 Berlin", "1"] {
            assert_eq!(postal_code(raw, None), Err(Unusable::NotAPostalCode), "{raw}");
        }
    }
}
