//! Dates of birth: `YYYYMMDD`.

use jiff::civil::Date;

use super::Unusable;

/// A real day, unambiguously written: ISO, eight digits, or day and month in an order that only one reading allows.
/// Dots mean day first (where dots are used, nobody writes the month first).
pub fn birth(clean: &str) -> Result<String, Unusable> {
    // A time behind the date is not the date's business.
    let date = clean.split(['T', ' ']).next().unwrap_or_default();
    let parts: Vec<_> = date.split(['-', '/', '.']).filter(|part| !part.is_empty()).collect();
    let number = |text: &str| text.parse::<i16>().map_err(|_| Unusable::Malformed);
    let (year, month, day) = match parts.as_slice() {
        [all] if all.len() == 8 && all.bytes().all(|b| b.is_ascii_digit()) => {
            let (year, rest) = all.split_at(4);
            let (month, day) = rest.split_at(2);
            (number(year)?, number(month)?, number(day)?)
        }
        [year, month, day] if year.len() == 4 => (number(year)?, number(month)?, number(day)?),
        [first, second, year] if year.len() == 4 => {
            let (first, second, year) = (number(first)?, number(second)?, number(year)?);
            if date.contains('.') || first > 12 || first == second {
                (year, second, first)
            } else if second > 12 {
                (year, first, second)
            } else {
                return Err(Unusable::Ambiguous);
            }
        }
        [_, _, _] => return Err(Unusable::Ambiguous),
        _ => return Err(Unusable::Malformed),
    };
    if !(1900..=2100).contains(&year) {
        return Err(Unusable::ImpossibleDate);
    }
    let (month, day) = (i8::try_from(month), i8::try_from(day));
    let (Ok(month), Ok(day)) = (month, day) else { return Err(Unusable::ImpossibleDate) };
    Date::new(year, month, day).map_err(|_| Unusable::ImpossibleDate)?;
    Ok(format!("{year:04}{month:02}{day:02}"))
}
