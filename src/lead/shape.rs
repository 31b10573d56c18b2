//! Recognises contact data by its looks, where it must not be sent in the clear: URLs and `custom_data`.

/// Whether a text holds an e-mail address or a telephone number, alone or among other words.
#[must_use]
pub fn is_contact_like(text: &str) -> bool {
    has_email(text) || phone_runs(text).any(is_phone)
}

/// Whether there is an `@` between a word and a dotted domain.
pub(super) fn has_email(text: &str) -> bool {
    let starts = text.match_indices(['@', '＠']);
    starts.into_iter().any(|(at, sign)| {
        let before = text.get(..at).and_then(|before| before.chars().next_back());
        let after = text.get(at + sign.len()..).unwrap_or_default();
        let end = after.find(|c: char| !(c.is_alphanumeric() || matches!(c, '.' | '-'))).unwrap_or(after.len());
        let domain = after.get(..end).unwrap_or_default().trim_end_matches(['.', '-']);
        let top = domain.rsplit_once('.').map(|(_, top)| top).unwrap_or_default();
        before.is_some_and(|c| c.is_alphanumeric() || "_%+-.'".contains(c))
            && top.chars().count() >= 2
            && top.chars().any(char::is_alphabetic)
    })
}

/// Whether there is a number with `+` and as many digits as countries use.
pub(super) fn has_international_phone(text: &str) -> bool {
    text.contains('+') && phone_runs(text).any(|run| run.starts_with('+') && (8..=15).contains(&digits(run)))
}

/// Whether the whole text is digits with phone punctuation, as many as a number has.
pub(super) fn is_bare_phone(text: &str) -> bool {
    let text = text.trim();
    text.chars().all(is_phone_char) && (7..=15).contains(&digits(text))
}

/// Digits and what people put between them.
fn phone_runs(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !is_phone_char(c)).map(|run| run.trim_matches([' ', '-', '.', '/', ')']))
}

fn is_phone_char(c: char) -> bool {
    matches!(c, '0'..='9' | ' ' | '+' | '-' | '(' | ')' | '.' | '/' | '\u{A0}' | '\u{2013}')
}

fn digits(text: &str) -> usize {
    text.bytes().filter(u8::is_ascii_digit).count()
}

/// A number, unless it reads as a date, an amount or a range (`10000-20000`).
fn is_phone(run: &str) -> bool {
    let count = digits(run);
    if is_date(run) {
        return false;
    }
    if run.starts_with(['+', '(', '0']) {
        return (7..=15).contains(&count);
    }
    let is_range = run.split('-').count() == 2 && run.split('-').all(|side| digits(side) >= 4);
    (9..=15).contains(&count) && !is_range
}

/// `2026-11-24`, `24.11.2026`; the hour may follow.
fn is_date(run: &str) -> bool {
    let date = run.split(' ').next().unwrap_or_default();
    let groups: Vec<&str> = date.split(['.', '-', '/']).collect();
    let is_year = |group: &str| group.len() == 4 && (group.starts_with("19") || group.starts_with("20"));
    let is_day = |group: &str| matches!(group.len(), 1 | 2);
    match groups[..] {
        [a, b, c] => is_day(b) && (is_year(a) && is_day(c) || is_day(a) && is_year(c)) && digits(run) <= 10,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn addresses_and_numbers_are_seen_among_words() {
        for text in [
            "ana@example.com",
            "write to Ana.Ruiz+x@mail.example.org, please",
            "ana@bücher.example",
            "ana＠example.com",
            "0171 555 01234",
            "call +49 171 5550123 now",
            "(650) 555-1212",
            "650-555-1212",
            "6505551212",
            "030/5550123",
        ] {
            assert!(is_contact_like(text), "{text}");
        }
    }

    #[test]
    fn amounts_dates_and_handles_are_not_contact_data() {
        for text in [
            "",
            "35.00",
            "1000000",
            "10000-20000",
            "10.000 - 20.000",
            "2026-11-24",
            "24.11.2026",
            "01.02.2026",
            "@example",
            "50 @ 3.50",
            "pkg@1.2.3",
            "Quote request",
            "3 rooms, 120 sqm",
            "100 - 250 EUR",
            "2026-11-24 10:30",
        ] {
            assert!(!is_contact_like(text), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_examined_without_panic(text in any::<String>(), near in "[0-9@.+ ()/é-]{0,30}") {
            let _ = is_contact_like(&text);
            let _ = is_contact_like(&near);
        }
    }
}
