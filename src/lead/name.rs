//! Full names → first and last name. A wrong name hurts more than a missing one: what does not look like one person's
//! name yields nothing.
//!
//! What is decided here: of several words the first is the first name and the last one, with the particles before it,
//! the last name; middle names belong to neither. One word alone is a first name, or after a title (`Herr Müller`) a
//! last name. A comma puts the last name first, and so do capitals (`RUIZ Ana`) and East Asian scripts.

/// Longer ones are not names.
const MAX_BYTES: usize = 120;
const MAX_WORDS: usize = 7;

/// Forms of address and academic titles, lower case, with or without a dot behind them.
const TITLES: &[&str] = &[
    "mr",
    "mrs",
    "ms",
    "miss",
    "mx",
    "dr",
    "dra",
    "prof",
    "professor",
    "doctor",
    "herr",
    "herrn",
    "frau",
    "frl",
    "fräulein",
    "monsieur",
    "madame",
    "mademoiselle",
    "mme",
    "mlle",
    "señor",
    "señora",
    "señorita",
    "sr",
    "sra",
    "srta",
    "signor",
    "signora",
    "signorina",
    "sig.ra",
    "dott",
    "dott.ssa",
    "dottor",
    "dottoressa",
    "senhor",
    "senhora",
    "dhr",
    "mevr",
    "mevrouw",
    "meneer",
    "drs",
    "mej",
    "pani",
    "mgr",
    "fru",
    "fröken",
    "dipl.-ing",
    "dr.-ing",
    "mister",
    "madam",
    "sir",
    "rev",
    "reverend",
    "doña",
    "dña",
    "profa",
    "prof.ssa",
    "sig.na",
];
/// The same, but names or nothing without the dot; the second line follows a doctor's.
const DOTTED_TITLES: &[&str] = &[
    "sig.", "ing.", "mag.", "ir.", "fr.", "avv.", "mw.", "hr.", "inż.", "hon.", "lic.", "eng.", "exmo.", "exma.",
    "med.", "h.c.", "mult.", "rer.", "nat.", "phil.", "jur.", "iur.", "hab.", "habil.", "techn.",
];
/// Behind a name; they say what a person learned, not what the family is called.
const DEGREES: &[&str] = &["phd", "ph.d", "dphil", "mba", "msc", "m.sc", "bsc", "b.sc", "llm", "ll.m", "m.d", "esq"];
/// The same, but names where no comma is before them.
const DEGREES_BEHIND_A_COMMA: &[&str] = &["md", "ma", "ba", "jd", "rn", "dds", "cpa"];
/// Behind a name.
const SUFFIXES: &[&str] =
    &["jr", "sr", "ii", "iii", "iv", "phd", "ph.d", "md", "m.d", "mba", "msc", "bsc", "esq", "jun", "sen"];
/// Words that belong to the last name after them.
const PARTICLES: &[&str] = &[
    "van", "von", "der", "den", "de", "del", "della", "dello", "di", "da", "do", "dos", "das", "du", "des", "la", "le",
    "las", "los", "ter", "ten", "te", "zu", "zum", "zur", "vom", "af", "av", "'t", "bin", "ibn", "ben", "al", "el",
    "san", "santa", "st", "d'", "lo",
];
/// Words that join two last names: Ortega y Gasset.
const CONNECTORS: &[&str] = &["y", "e", "i"];
/// Words of two persons, or of no person.
const NOT_ONE_PERSON: &[&str] = &[
    "and", "und", "et", "och", "gmbh", "ltd", "inc", "llc", "ag", "kg", "ug", "bv", "sarl", "srl", "familie", "family",
    "familia", "team",
];

/// First and last name of a full name; see the head of this file.
#[must_use]
pub fn split_name(full: &str) -> (Option<String>, Option<String>) {
    parts(full).unwrap_or_default()
}

/// A name without the titles in front of it, unless nothing else is there.
pub(super) fn without_titles(name: &str) -> &str {
    let mut rest = name.trim_start();
    loop {
        let word = rest.split(char::is_whitespace).next().unwrap_or_default();
        let glued = word.find('.').map(|dot| dot + 1).and_then(|end| word.split_at_checked(end));
        let after = if is_title(word) {
            rest.get(word.len()..)
        } else if word.eq_ignore_ascii_case("de") && rest.get(2..8).is_some_and(|w| w.eq_ignore_ascii_case(" heer ")) {
            rest.get(8..)
        } else if let Some((title, name)) = glued
            && is_title(title)
            && name.chars().filter(|c| c.is_alphabetic()).count() > 2
        {
            rest.get(title.len()..)
        } else {
            None
        };
        match after.map(str::trim_start) {
            Some(after) if after.chars().any(char::is_alphabetic) => rest = after,
            _ => return rest,
        }
    }
}

/// A name without the degrees behind it. `Jr.` stays: it is part of the name that a passport shows.
pub(super) fn without_degrees(name: &str) -> &str {
    let ends = |c: char| c == ',' || c.is_whitespace();
    let mut rest = name.trim_end_matches(ends);
    while let Some((before, word)) = rest.rsplit_once(ends) {
        let comma = rest.trim_end_matches(word).trim_end().ends_with(',');
        let degree = is_one_of(word, DEGREES) || comma && is_one_of(word, DEGREES_BEHIND_A_COMMA);
        if !degree || !before.chars().any(char::is_alphabetic) {
            break;
        }
        rest = before.trim_end_matches(ends);
    }
    rest
}

fn parts(full: &str) -> Option<(Option<String>, Option<String>)> {
    let foreign = |c: char| c.is_numeric() || matches!(c, '@' | ':' | '<' | '>' | '&' | '+' | '/');
    if full.len() > MAX_BYTES || full.chars().any(foreign) {
        return None;
    }
    let all: Vec<&str> = full.split(|c: char| c == ',' || c.is_whitespace()).collect();
    if all.len() > MAX_WORDS || all.iter().any(|word| is_one_of(word, NOT_ONE_PERSON)) {
        return None;
    }
    let sections: Vec<Vec<&str>> = full.split(',').map(words).filter(|words| !words.is_empty()).collect();
    match &sections[..] {
        [words] => Some(in_order(words, without_titles(full) != full.trim_start())),
        [last, first] => Some((first.first().filter(|word| !is_initial(word)).map(owned), Some(last.join(" ")))),
        _ => None,
    }
}

/// The words of a name, without titles, suffixes, and initials in the middle.
fn words(section: &str) -> Vec<&str> {
    let words = without_titles(section)
        .split_whitespace()
        .filter(|word| word.chars().any(char::is_alphabetic) && !is_title(word) && !is_one_of(word, SUFFIXES));
    words.enumerate().filter(|(at, word)| *at == 0 || !is_initial(word)).map(|(_, word)| word).collect()
}

fn in_order(words: &[&str], after_title: bool) -> (Option<String>, Option<String>) {
    match words {
        [] => (None, None),
        [only] if is_east_asian(only) || is_initial(only) => (None, None),
        [only] if after_title => (None, Some(owned(only))),
        [only] => (Some(owned(only)), None),
        [last, first] if is_east_asian(last) && is_east_asian(first) || is_capitals(last) && !is_capitals(first) => {
            (Some(owned(first)), Some(owned(last)))
        }
        // `von Berg`, `Frau van Dijk`: no first name.
        [first, rest @ ..]
            if is_one_of(first, PARTICLES)
                && (after_title || is_lower(first) && !rest.iter().all(|word| is_lower(word))) =>
        {
            (None, Some(words.join(" ")))
        }
        [first, rest @ ..] => (Some(owned(first)).filter(|first| !is_initial(first)), last_name(rest)),
    }
}

/// The last word with what belongs to it.
fn last_name(words: &[&str]) -> Option<String> {
    let is = |at: Option<usize>, list| at.and_then(|at| words.get(at)).is_some_and(|word| is_one_of(word, list));
    let mut start = words.len().checked_sub(1)?;
    loop {
        if is(start.checked_sub(1), PARTICLES) {
            start -= 1;
        } else if start >= 2 && is(Some(start - 1), CONNECTORS) {
            start -= 2;
        } else {
            return words.get(start..).map(|words| words.join(" "));
        }
    }
}

fn is_title(word: &str) -> bool {
    is_one_of(word, TITLES) || DOTTED_TITLES.contains(&word.to_lowercase().as_str())
}

fn is_one_of(word: &str, list: &[&str]) -> bool {
    list.contains(&word.trim_end_matches('.').to_lowercase().as_str())
}

/// `Q`, `Q.`, `J.R.R.`; but `y` joins names.
fn is_initial(word: &str) -> bool {
    let letters = word.split('.').all(|part| part.chars().filter(|c| c.is_alphabetic()).count() <= 1);
    letters && !CONNECTORS.contains(&word) && !is_east_asian(word)
}

fn is_lower(word: &str) -> bool {
    !word.chars().any(char::is_uppercase)
}

/// Three letters or more: two are as likely initials.
fn is_capitals(word: &str) -> bool {
    word.chars().filter(|c| c.is_uppercase()).count() >= 3 && !word.chars().any(char::is_lowercase)
}

/// Han, kana, hangul: the family name comes first.
fn is_east_asian(word: &str) -> bool {
    word.chars().any(|c| matches!(c, '\u{3040}'..='\u{30FF}' | '\u{3400}'..='\u{9FFF}' | '\u{AC00}'..='\u{D7A3}' | '\u{20000}'..='\u{3FFFF}'))
}

fn owned(word: impl AsRef<str>) -> String {
    word.as_ref().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn first_and_last_names_are_told_apart() {
        for (full, first, last) in [
            ("Ana Ruíz", "Ana", "Ruíz"),
            ("  ana   ruiz ", "ana", "ruiz"),
            ("Mary Ann Smith", "Mary", "Smith"),
            ("John Q. Smith", "John", "Smith"),
            ("J. Smith", "", "Smith"),
            ("Ana R.", "Ana", ""),
            ("Ludwig van Beethoven", "Ludwig", "van Beethoven"),
            ("Vincent Van Der Berg", "Vincent", "Van Der Berg"),
            ("Juan Carlos de la Cruz", "Juan", "de la Cruz"),
            ("José Ortega y Gasset", "José", "Ortega y Gasset"),
            ("Leonardo da Vinci", "Leonardo", "da Vinci"),
            ("Ruiz García, Ana", "Ana", "Ruiz García"),
            ("Müller, Dr. Ana", "Ana", "Müller"),
            ("John Smith, Jr.", "John", "Smith"),
            ("John Smith, PhD", "John", "Smith"),
            ("Herr Prof. Dr. Max Müller", "Max", "Müller"),
            ("Dr.Müller", "", "Müller"),
            ("Frau Müller", "", "Müller"),
            ("Frau van Dijk", "", "van Dijk"),
            ("von Berg", "", "von Berg"),
            ("van morrison", "van", "morrison"),
            ("RUIZ Ana", "Ana", "RUIZ"),
            ("ANA RUIZ", "ANA", "RUIZ"),
            ("JP Smith", "JP", "Smith"),
            ("Ana", "Ana", ""),
            ("山田 太郎", "太郎", "山田"),
            ("김 철수", "철수", "김"),
        ] {
            let (f, l) = split_name(full);
            assert_eq!((f.as_deref().unwrap_or_default(), l.as_deref().unwrap_or_default()), (first, last), "{full}");
        }
    }

    #[test]
    fn what_is_not_one_persons_name_yields_nothing() {
        for full in [
            "",
            " ",
            "ana@example.com",
            "Ana und Luis Ruiz",
            "Ana & Luis Ruiz",
            "Example GmbH",
            "Smith 3",
            "山田太郎",
            "Q.",
            "Smith, John, Mary",
            "I would like to know more about your product please",
            "Herr",
            "...",
        ] {
            assert_eq!(split_name(full), (None, None), "{full}");
        }
    }

    #[test]
    fn a_title_alone_stays() {
        assert_eq!(without_titles("Herr"), "Herr");
        assert_eq!(without_titles("Dott.ssa Ana"), "Ana");
        assert_eq!(without_titles("Sig Hansen"), "Sig Hansen");
        assert_eq!(without_titles("Dr. med. Ana"), "Ana");
        assert_eq!(without_titles("De heer Jansen"), "Jansen");
        assert_eq!(without_titles("De Heer"), "De Heer");
    }

    #[test]
    fn degrees_go_and_what_a_family_is_called_stays() {
        for (name, expected) in [
            ("Ruiz, PhD", "Ruiz"),
            ("Ruiz Ph.D.", "Ruiz"),
            ("Ruiz, MD, MBA", "Ruiz"),
            ("Rahman Md", "Rahman Md"),
            ("Smith, Jr.", "Smith, Jr."),
            ("PhD", "PhD"),
            ("Ma", "Ma"),
        ] {
            assert_eq!(without_degrees(name), expected, "{name}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_split_without_panic(full in any::<String>(), name in "[A-Za-z .,'éß山김-]{0,40}") {
            let _ = split_name(&full);
            let (first, last) = split_name(&name);
            prop_assert!(first.is_none_or(|first| name.contains(&first)));
            prop_assert!(last.is_none_or(|last| !last.trim().is_empty()));
        }
    }
}
