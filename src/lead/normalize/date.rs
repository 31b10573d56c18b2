//! `db`: a real calendar date as `YYYYMMDD`, from any order that can mean one day only.

use jiff::civil;

use super::Unusable;
use super::text::{ascii_digit, fold};

/// Meta: from 1900 to now. There is no clock here, and none is needed for long: who was born after this version was made
/// is not yet thirteen, and may not be Meta's user, before 2039.
const YEARS: std::ops::RangeInclusive<i16> = 1900..=2026;

pub(super) fn normalize(raw: &str) -> Result<String, Unusable> {
    let text: String = raw.trim().chars().map(|c| ascii_digit(c).unwrap_or(c)).collect();
    let date = without_time(&text);
    let (numbers, words) = read(date)?;
    let (year, month, day) = match (&numbers[..], &words[..]) {
        ([all], []) if all.len() == 8 && all.len() == date.len() => {
            let ((year, month), day) = (all.split_at(6).0.split_at(4), all.split_at(6).1);
            (year, number(month)?, day)
        }
        (&[year, month, day], []) if year.len() == 4 => (year, number(month)?, day),
        // Dots are written where the day comes first.
        (&[day, month, year], []) if year.len() == 4 && date.contains('.') => (year, number(month)?, day),
        (&[first, second, year], []) if year.len() == 4 => match (number(first)?, number(second)?) {
            (a, b) if a > 12 || a == b => (year, b, first),
            (a, b) if b > 12 => (year, a, second),
            _ => return Err(Unusable::AmbiguousDate),
        },
        (&[day, year], &[month]) if year.len() == 4 => (year, month, day),
        (&[year, day], &[month]) if year.len() == 4 => (year, month, day),
        _ => return Err(Unusable::NotADate),
    };
    let parsed = (|| civil::Date::new(year.parse().ok()?, month, day.parse().ok()?).ok())();
    match parsed {
        Some(date) if YEARS.contains(&date.year()) => {
            Ok(format!("{:04}{:02}{:02}", date.year(), date.month(), date.day()))
        }
        _ => Err(Unusable::NotADate),
    }
}

/// The numbers of a date, and the months that words name. Any other word makes it none.
fn read(date: &str) -> Result<(Vec<&str>, Vec<i8>), Unusable> {
    let (mut numbers, mut months) = (Vec::new(), Vec::new());
    let mut rest = date;
    while let Some(first) = rest.chars().next() {
        let is_same = |c: char| match first {
            '0'..='9' => c.is_ascii_digit(),
            _ if first.is_alphabetic() => c.is_alphabetic(),
            _ => !c.is_ascii_digit() && !c.is_alphabetic(),
        };
        let (run, after) =
            rest.split_at_checked(rest.find(|c| !is_same(c)).unwrap_or(rest.len())).unwrap_or((rest, ""));
        if first.is_ascii_digit() {
            numbers.push(run);
        } else if first.is_alphabetic() {
            let behind_number = date.len() > rest.len()
                && date
                    .get(..date.len() - rest.len())
                    .is_some_and(|before| before.ends_with(|c: char| c.is_ascii_digit()));
            let word = fold(run);
            match month(&word) {
                Some(month) => months.push(month),
                None if FILLERS.contains(&word.as_str()) || behind_number && is_unit(run, &word) => {}
                None => return Err(Unusable::NotADate),
            }
        }
        rest = after;
    }
    Ok((numbers, months))
}

fn number(text: &str) -> Result<i8, Unusable> {
    text.parse().map_err(|_| Unusable::NotADate)
}

fn month(word: &str) -> Option<i8> {
    let at = MONTHS.iter().position(|names| names.split('|').any(|name| name == word))?;
    i8::try_from(at + 1).ok()
}

/// What stands behind a number: `1st`, `1er`, `16º`, `1997年2月16日`.
fn is_unit(run: &str, folded: &str) -> bool {
    matches!(folded, "st" | "nd" | "rd" | "th" | "er" | "e" | "o" | "a")
        || matches!(run, "年" | "月" | "日" | "년" | "월" | "일")
}

/// Words between the parts of a date.
const FILLERS: &[&str] = &["of", "de", "del", "di", "den", "the", "r"];

/// January to December in the languages of forms (EN DE FR ES IT PT NL PL SV), folded, whole and short. None of these
/// means two months.
const MONTHS: [&str; 12] = [
    "january|jan|januar|janner|jaenner|janvier|janv|enero|ene|gennaio|gen|janeiro|januari|styczen|stycznia|sty",
    "february|feb|februar|feber|fevrier|fevr|fev|febrero|febbraio|fevereiro|februari|luty|lutego|lut",
    "march|mar|marz|maerz|mrz|mars|marzo|marco|maart|mrt|marzec|marca",
    "april|apr|avril|avr|abril|abr|aprile|kwiecien|kwietnia|kwi",
    "may|mai|mayo|maggio|mag|maio|mei|maj|maja",
    "june|jun|juni|juin|junio|giugno|giu|junho|czerwiec|czerwca|cze",
    "july|jul|juli|juillet|juil|julio|luglio|lug|julho|lipiec|lipca|lip",
    "august|aug|aout|agosto|ago|augustus|augusti|sierpien|sierpnia|sie",
    "september|sep|sept|septembre|septiembre|setiembre|settembre|set|setembro|wrzesien|wrzesnia|wrz",
    "october|oct|oktober|okt|octobre|octubre|ottobre|ott|outubro|out|pazdziernik|pazdziernika|paz",
    "november|nov|novembre|noviembre|novembro|listopad|listopada|lis",
    "december|dec|dezember|dez|decembre|diciembre|dic|dicembre|dezembro|grudzien|grudnia|gru",
];

/// Cuts `T00:00:00Z` and ` 00:00`.
fn without_time(date: &str) -> &str {
    let is_digit = |at: Option<usize>| at.and_then(|at| date.as_bytes().get(at)).is_some_and(u8::is_ascii_digit);
    let mut marker = date.match_indices(['T', 't']).map(|(at, _)| at);
    let end = marker.find(|at| is_digit(at.checked_sub(1)) && is_digit(Some(at + 1)));
    let end = end.or_else(|| date.get(..date.find(':')?)?.rfind(' '));
    end.and_then(|end| date.get(..end)).unwrap_or(date)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_where_the_order_is_certain() {
        for raw in [
            "1997-02-16",
            "19970216",
            "16.02.1997",
            "16. 2. 1997",
            "1997/02/16",
            "16/02/1997",
            "02/16/1997",
            "16-02-1997",
            "1997-02-16T00:00:00Z",
            "1997-02-16 00:00:00",
            " 1997.02.16 ",
            "16 Feb 1997",
            "February 16th, 1997",
            "16. Februar 1997",
            "16 de febrero de 1997",
            "1997-Feb-16",
            "1997年2月16日",
        ] {
            assert_eq!(normalize(raw).as_deref(), Ok("19970216"), "{raw}");
        }
        assert_eq!(normalize("03/03/1997").as_deref(), Ok("19970303"));
        assert_eq!(normalize("03.04.1997").as_deref(), Ok("19970403"));
        assert_eq!(normalize("1er août 1997").as_deref(), Ok("19970801"));
        assert_eq!(normalize("29.02.2000").as_deref(), Ok("20000229"));
    }

    #[test]
    fn three_or_four_in_front_may_be_the_month() {
        for raw in ["03/04/1997", "3-4-1997"] {
            assert_eq!(normalize(raw), Err(Unusable::AmbiguousDate), "{raw}");
        }
    }

    #[test]
    fn what_is_no_date_of_birth_is_unusable() {
        for raw in [
            "02/30/1990",
            "99999999",
            "3/4/90",
            "29.02.1900",
            "1899-12-31",
            "2031-01-01",
            "16021997",
            "1997",
            "16 Feb 97",
            "Feb 1997",
            "Feb Mar 16 1997",
            "1997-13-01",
            "1997-00-10",
            "+19970216",
            "today",
            "flat 16/02/1997",
        ] {
            assert_eq!(normalize(raw), Err(Unusable::NotADate), "{raw}");
        }
    }

    #[test]
    fn no_month_has_two_names_alike() {
        let names: Vec<&str> = MONTHS.iter().flat_map(|names| names.split('|')).collect();
        for (at, name) in names.iter().enumerate() {
            assert_eq!(fold(name), *name);
            assert!(!names[..at].contains(name), "{name}");
        }
    }
}
