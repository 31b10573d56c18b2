//! `db`: a real calendar date as `YYYYMMDD`.

use jiff::civil;

use super::Unusable;
use super::text::ascii_digit;

/// Meta: from 1900. There is no clock here, so the future begins where nobody's birthday can be.
const YEARS: std::ops::RangeInclusive<i16> = 1900..=2100;

pub(super) fn normalize(raw: &str) -> Result<String, Unusable> {
    let date = without_time(raw.trim());
    if date.chars().any(char::is_alphabetic) {
        return Err(Unusable::NotADate);
    }
    let date: String = date.chars().map(|c| ascii_digit(c).unwrap_or(c)).collect();
    let groups: Vec<&str> = date.split(|c: char| !c.is_ascii_digit()).filter(|group| !group.is_empty()).collect();
    let (year, month, day) = match groups[..] {
        [all] if all.len() == 8 && all.len() == date.len() => {
            let ((year, month), day) = (all.split_at(6).0.split_at(4), all.split_at(6).1);
            (year, month, day)
        }
        [year, month, day] if year.len() == 4 => (year, month, day),
        // Dots are written where the day comes first.
        [day, month, year] if year.len() == 4 && date.contains('.') => (year, month, day),
        [first, second, year] if year.len() == 4 => match (first.parse::<u8>(), second.parse::<u8>()) {
            (Ok(a), Ok(b)) if a > 12 || a == b => (year, second, first),
            (Ok(_), Ok(b)) if b > 12 => (year, first, second),
            (Ok(_), Ok(_)) => return Err(Unusable::AmbiguousDate),
            _ => return Err(Unusable::NotADate),
        },
        _ => return Err(Unusable::NotADate),
    };
    let parsed = (|| civil::Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok())();
    match parsed {
        Some(date) if YEARS.contains(&date.year()) => {
            Ok(format!("{:04}{:02}{:02}", date.year(), date.month(), date.day()))
        }
        _ => Err(Unusable::NotADate),
    }
}

/// Cuts `T00:00:00Z` and ` 00:00`.
fn without_time(date: &str) -> &str {
    let end = date.find(['T', 't']).or_else(|| date.get(..date.find(':')?)?.rfind(' '));
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
        ] {
            assert_eq!(normalize(raw).as_deref(), Ok("19970216"), "{raw}");
        }
        assert_eq!(normalize("03/03/1997").as_deref(), Ok("19970303"));
        assert_eq!(normalize("03.04.1997").as_deref(), Ok("19970403"));
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
            "2101-01-01",
            "16021997",
            "1997",
            "16 Feb 1997",
            "1997-13-01",
            "1997-00-10",
            "+19970216",
            "today",
        ] {
            assert_eq!(normalize(raw), Err(Unusable::NotADate), "{raw}");
        }
    }
}
