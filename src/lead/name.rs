//! One field with the whole name → first and last name.

use super::normalize::without_titles;

/// Words that belong to the last name when they stand before it.
const PARTICLES: [&str; 34] = [
    "van", "von", "vom", "zu", "zum", "zur", "der", "den", "de", "del", "della", "delle", "di", "da", "do", "dos",
    "das", "du", "des", "la", "le", "los", "las", "lo", "ter", "ten", "te", "el", "al", "bin", "ibn", "af", "av", "y",
];

/// First and last name. `Last, First` is understood, titles are dropped, particles stay with the last name. Of three or
/// more words the last one (with its particles) is the last name, and the first one the first: middle names go, since a
/// wrong name hurts more than a missing one. A single word is taken as the first name, which is what people type when they
/// type one.
#[must_use]
pub fn split_name(full: &str) -> (Option<String>, Option<String>) {
    if let Some((last, first)) = full.split_once(',') {
        let first = without_titles(first).split_whitespace().next().map(str::to_owned);
        let last = Some(without_titles(last)).filter(|last| !last.is_empty());
        return if first.is_some() { (first, last) } else { split_name(last.as_deref().unwrap_or_default()) };
    }
    let name = without_titles(full);
    let words: Vec<_> = name.split_whitespace().collect();
    match words.as_slice() {
        [] => (None, None),
        [only] => (Some((*only).to_owned()), None),
        [first, rest @ ..] => {
            let particle = |word: &&&str| PARTICLES.contains(&word.to_lowercase().as_str());
            let before = rest.split_last().map_or(&rest[..0], |(_, before)| before);
            let particles = before.iter().rev().take_while(particle).count();
            let last = rest.get(rest.len().saturating_sub(particles + 1)..).unwrap_or_default().join(" ");
            (Some((*first).to_owned()), Some(last))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_split_as_people_write_them() {
        for (full, first, last) in [
            ("Ana Ruíz", "Ana", "Ruíz"),
            ("  Dr. Olga   Plain ", "Olga", "Plain"),
            ("Ruíz, Ana", "Ana", "Ruíz"),
            ("van Dijk, Dr. Jan Piet", "Jan", "van Dijk"),
            ("Jan van der Berg", "Jan", "van der Berg"),
            ("Anna Maria Schmidt", "Anna", "Schmidt"),
            ("Frau Müller", "Müller", ""),
            ("Cher", "Cher", ""),
            ("Ruíz,", "Ruíz", ""),
            ("", "", ""),
        ] {
            let (f, l) = split_name(full);
            assert_eq!((f.unwrap_or_default().as_str(), l.unwrap_or_default().as_str()), (first, last), "{full}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_split_without_panic_and_invents_nothing(text in ".*") {
            let (first, last) = split_name(&text);
            for part in first.iter().chain(&last) {
                prop_assert!(part.split_whitespace().all(|word| text.contains(word)));
            }
        }
    }
}
