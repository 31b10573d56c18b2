//! A phone number that a form takes in parts: country code, area code, number.

use super::submitted::Submitted;
use super::words::Words;

/// What a field is of a number.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    CountryCode,
    AreaCode,
}

/// Names of the parts, without punctuation.
const COUNTRY_CODE: &[&str] = &[
    "countrycode",
    "phonecountrycode",
    "phonecode",
    "phoneprefix",
    "dialcode",
    "diallingcode",
    "callingcode",
    "laendervorwahl",
    "landesvorwahl",
    "landvorwahl",
    "indicatif",
    "prefijo",
    "prefisso",
    "landnummer",
    "kierunkowy",
];
const AREA_CODE: &[&str] =
    &["vorwahl", "areacode", "phonearea", "telvorwahl", "telefonvorwahl", "ortsvorwahl", "citycode"];

/// The number of `field`, with what other fields hold of it in front. A number that has its country code stays as it is.
pub(super) fn whole(submitted: &Submitted<'_>, fields: &[Submitted<'_>]) -> String {
    let number = submitted.field.value.trim();
    if number.starts_with('+') || number.starts_with("00") {
        return number.to_owned();
    }
    let find = |part| {
        let others = fields.iter().filter(|other| other.name() != submitted.name() && other.is_filled());
        others.filter(|other| part_of(other, submitted.name()) == Some(part)).find_map(|other| match part {
            Part::CountryCode => country_code(&other.field.value),
            Part::AreaCode => area_code(&other.field.value),
        })
    };
    let area = find(Part::AreaCode).filter(|_| !number.starts_with('0'));
    let national = area.map_or_else(|| number.to_owned(), |area| format!("{area} {number}"));
    find(Part::CountryCode).map_or_else(|| national.clone(), |code| format!("+{code} {national}"))
}

/// By its name alone, or by its last segment beside the number's: `phone[area]` and `phone[number]`.
fn part_of(submitted: &Submitted<'_>, number: &str) -> Option<Part> {
    let whole = submitted.words.joined();
    if COUNTRY_CODE.iter().any(|code| whole.ends_with(code)) {
        return Some(Part::CountryCode);
    }
    if AREA_CODE.iter().any(|code| whole.ends_with(code)) {
        return Some(Part::AreaCode);
    }
    let (group, last) = submitted.name().strip_suffix(']')?.rsplit_once('[')?;
    let (own_group, _) = number.strip_suffix(']')?.rsplit_once('[')?;
    match Words::of(last).joined() {
        _ if group != own_group => None,
        "area" => Some(Part::AreaCode),
        "prefix" | "code" | "country" => Some(Part::CountryCode),
        _ => None,
    }
}

/// `+43`, `0043`, `43`, `Austria (+43)`.
fn country_code(value: &str) -> Option<String> {
    let after = value.rsplit_once('+').map_or_else(|| value.trim().trim_start_matches("00"), |(_, after)| after);
    let digits: String = after.trim().chars().take_while(char::is_ascii_digit).collect();
    let rest_is_plain = value.contains('+') || value.trim().bytes().all(|b| b.is_ascii_digit());
    ((1..=4).contains(&digits.len()) && rest_is_plain && !digits.starts_with('0')).then_some(digits)
}

fn area_code(value: &str) -> Option<String> {
    let digits: String = value.chars().filter(char::is_ascii_digit).collect();
    let plain = value.chars().all(|c| c.is_ascii_digit() || matches!(c, ' ' | '(' | ')' | '-' | '/'));
    ((2..=6).contains(&digits.len()) && plain).then_some(digits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::form::body::decode;

    fn phone(body: &str, name: &str) -> String {
        let fields = decode("application/x-www-form-urlencoded", body.as_bytes(), None).unwrap();
        let all = Submitted::all(&fields);
        whole(all.iter().find(|submitted| submitted.name() == name).unwrap(), &all)
    }

    #[test]
    fn a_number_in_parts_is_put_together() {
        for (body, name, number) in [
            ("country_code=%2B43&phone=664+1234567", "phone", "+43 664 1234567"),
            ("phoneCode=0043&phone=0664+1234567", "phone", "+43 0664 1234567"),
            ("dialCode=Austria+(%2B43)&phone=664+1234567", "phone", "+43 664 1234567"),
            ("vorwahl=0170&rufnummer=1234567", "rufnummer", "0170 1234567"),
            ("q5[area]=0170&q5[phone]=1234567", "q5[phone]", "0170 1234567"),
            ("p[prefix]=%2B43&p[number]=664+1234567", "p[number]", "+43 664 1234567"),
            ("country_code=%2B43&phone=%2B49+171+555012", "phone", "+49 171 555012"),
            ("country_code=AT&phone=0664+1234567", "phone", "0664 1234567"),
            ("country_code=&phone=0664+1234567", "phone", "0664 1234567"),
            ("vorwahl=030&phone=0171+555012", "phone", "0171 555012"),
            ("other[area]=0170&q5[phone]=1234567", "q5[phone]", "1234567"),
        ] {
            assert_eq!(phone(body, name), number, "{body}");
        }
    }
}
