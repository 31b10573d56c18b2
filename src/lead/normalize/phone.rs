//! `ph`: digits with country code, without `+` and without leading zeros.
//!
//! Meta asks for a country code and names no rule for finding it; this follows libphonenumber's (its metadata is
//! in `numbering`). Numbers need only be plausible, not assigned: a number that the site accepted is
//! taken at its word, and fictitious ones must hash like real ones. The crate's own parser is not used: it applies the
//! default region's trunk prefix to foreign numbers and has panicked on crafted input.

use std::slice::from_ref;

use super::numbering::{Plan, plan_of, plans_of};
use super::text::ascii_digit;
use super::{Country, Unusable};

/// E.164: at most 15 digits with the country code.
const MAX_DIGITS: usize = 15;
/// The shortest subscriber numbers that exist have 8 with it, but for a few islands.
const MIN_DIGITS: usize = 8;
/// So many digits are more than an area code: what follows a letter behind them is an extension or a remark.
const MIN_BEFORE_REMARK: usize = 5;
/// Without `+` and without region, fewer digits are as likely a national number of some country.
const MIN_BARE_INTERNATIONAL: usize = 11;
/// Longer than 00 and 011.
const LONG_PREFIX: usize = 4;
/// Mexico dropped its prefixes in 2019; people and messengers (`+52 1 …`) still write them.
const OLD_PREFIXES: [(u16, &str); 4] = [(52, "044"), (52, "045"), (52, "01"), (52, "1")];
/// Italy and San Marino: the zero of `+39 (0)6` is part of the number.
const KEEPS_ZERO: [u16; 2] = [39, 378];

pub(super) fn normalize(raw: &str, region: Option<Country>) -> Result<String, Unusable> {
    let typed = Typed::read(raw)?;
    let plan = region.and_then(|region| plan_of(region.alpha2().as_str()));
    if typed.international {
        // Australia's 0011 begins like everybody else's 00.
        let abroad = plan.and_then(|plan| dialled_abroad(plan, &typed.digits, LONG_PREFIX));
        return abroad.map_or_else(|| international(&typed.digits, plausible), Ok);
    }
    let Some(plan) = plan else {
        return bare_international(&typed.digits).ok_or(Unusable::NoCountryCode);
    };
    let code = plan.code;
    let own = |typed: &str| number(code, &valid(from_ref(plan), typed)?);
    let own_code = || typed.digits.strip_prefix(&code.to_string()).and_then(own);
    // Where calls within the country begin with a zero, 49 171 … without one is rather a country code than an area code.
    let code_first = plan.national_prefix == Some("0");
    let plausible_code = || number(code, &plausible(from_ref(plan), typed.digits.strip_prefix(&code.to_string())?)?);
    let long_enough = typed.digits.len() >= MIN_BARE_INTERNATIONAL;
    let first = if code_first {
        own_code().or_else(|| plausible_code().filter(|_| long_enough)).or_else(|| own(&typed.digits))
    } else {
        own(&typed.digits).or_else(own_code)
    };
    first
        .or_else(|| dialled_abroad(plan, &typed.digits, 0))
        .or_else(|| bare_international(&typed.digits))
        // The country code before the whole: a normal form must not gain a second one.
        .or_else(plausible_code)
        .or_else(|| number(code, &plausible(from_ref(plan), &typed.digits)?))
        .ok_or(Unusable::NotAPhone)
}

/// What was typed: digits, and whether a country code leads them.
struct Typed {
    digits: String,
    international: bool,
}

impl Typed {
    fn read(raw: &str) -> Result<Self, Unusable> {
        if raw.contains('@') {
            return Err(Unusable::NotAPhone);
        }
        let mut digits = String::new();
        let mut plus = false;
        let mut remark = false;
        let mut zero_in_brackets = None;
        let chars: Vec<char> = raw.chars().collect();
        let mut at = 0;
        while let Some(&c) = chars.get(at) {
            at += 1;
            if let Some(digit) = ascii_digit(c) {
                if remark {
                    return Err(Unusable::NotAPhone);
                }
                digits.push(digit);
            } else if matches!(c, '(' | '[')
                && zero_in_brackets.is_none()
                && let Some(length) = bracketed_zero(chars.get(at..).unwrap_or_default())
            {
                zero_in_brackets = Some(digits.len());
                at += length;
            } else if c.is_alphabetic() || matches!(c, '#' | ';' | ',' | '+' | '＋') {
                if digits.len() >= MIN_BEFORE_REMARK {
                    break;
                }
                plus |= digits.is_empty() && matches!(c, '+' | '＋');
                remark |= c.is_alphabetic() && !digits.is_empty();
            }
        }
        let mut international = plus || digits.starts_with("00");
        if let Some(before) = zero_in_brackets {
            let code = digits.get(..before).unwrap_or_default().trim_start_matches('0').parse().ok();
            let is_code = code.is_some_and(|code: u16| !plans_of(code).is_empty());
            international |= is_code;
            if !is_code || code.is_some_and(|code| KEEPS_ZERO.contains(&code)) {
                digits.insert(before, '0');
            }
        }
        if digits.is_empty() { Err(Unusable::NotAPhone) } else { Ok(Self { digits, international }) }
    }
}

/// The length of `0)` with spaces.
fn bracketed_zero(after: &[char]) -> Option<usize> {
    let end = after.iter().position(|c| matches!(c, ')' | ']'))?;
    let inside: String = after.get(..end)?.iter().collect();
    (inside.trim() == "0").then_some(end + 1)
}

/// Digits that start with a country code, zeros before it ignored.
fn international(digits: &str, significant: impl Fn(&[Plan], &str) -> Option<String>) -> Result<String, Unusable> {
    let digits = digits.trim_start_matches('0');
    for length in 1..=3 {
        let Some((code, rest)) = digits.split_at_checked(length) else { break };
        let Ok(code) = code.parse() else { break };
        let regions = plans_of(code);
        if !regions.is_empty() {
            return significant(regions, rest).and_then(|rest| number(code, &rest)).ok_or(Unusable::NotAPhone);
        }
    }
    Err(Unusable::NoCountryCode)
}

/// A number behind the region's way of dialling abroad, if that has so many digits: 011 in North America, 0011 in Australia.
fn dialled_abroad(plan: &Plan, digits: &str, at_least: usize) -> Option<String> {
    let prefix = plan.international_prefix.as_ref()?.prefix_of(digits)?;
    international(digits.get(prefix..).filter(|_| prefix >= at_least)?, plausible).ok()
}

/// Digits that are a complete international number although nothing says so: an assigned one, or longer than the numbers
/// of any country but a few.
fn bare_international(digits: &str) -> Option<String> {
    let assigned =
        |regions: &[Plan], rest: &str| regions.iter().any(|plan| plan.is_assigned(rest)).then(|| rest.to_owned());
    if digits.len() < MIN_BARE_INTERNATIONAL || digits.starts_with('0') {
        return None;
    }
    let too_long_for_one_country = digits.len() > MIN_BARE_INTERNATIONAL;
    let plausible = || international(digits, plausible).ok().filter(|_| too_long_for_one_country);
    international(digits, assigned).ok().or_else(plausible)
}

fn number(code: u16, significant: &str) -> Option<String> {
    // North American area codes start with 2 at the lowest: 123 456 7890 is what people type who do not want calls.
    if code == 1 && significant.starts_with(['0', '1']) {
        return None;
    }
    let number = format!("{code}{significant}");
    (MIN_DIGITS..=MAX_DIGITS).contains(&number.len()).then_some(number)
}

/// The national significant number if it is assigned: as typed, or without trunk prefix.
fn valid(regions: &[Plan], typed: &str) -> Option<String> {
    let assigned = |digits: &str| regions.iter().any(|plan| plan.is_assigned(digits));
    if assigned(typed) {
        return Some(typed.to_owned());
    }
    let main = regions.first()?;
    without_trunk_prefix(main, typed).filter(|rest| assigned(rest)).or_else(|| {
        // Colombia's pattern takes the first digit of a mobile number for a carrier's.
        typed.strip_prefix(main.national_prefix?).filter(|rest| assigned(rest)).map(str::to_owned)
    })
}

/// The national significant number if it is assigned, or at least of a length that occurs.
fn plausible(regions: &[Plan], typed: &str) -> Option<String> {
    if let Some(number) = valid(regions, typed) {
        return Some(number);
    }
    let main = regions.first()?;
    let zero_is_trunk = main.national_prefix == Some("0");
    let possible = |digits: &String| {
        if zero_is_trunk && digits.starts_with('0') {
            return false;
        }
        // Canada's 310-1234 must not make 555-1212 a number: the short kinds count when assigned only.
        main.is_common_length(digits.len())
    };
    let old = OLD_PREFIXES.iter().filter(|(code, _)| *code == main.code);
    let mut without_old = old.filter_map(|(_, prefix)| typed.strip_prefix(prefix)).map(str::to_owned);
    without_trunk_prefix(main, typed)
        .filter(possible)
        .or_else(|| without_old.find(possible))
        .or_else(|| Some(typed.to_owned()).filter(possible))
}

/// What remains behind the prefix for calls within the country; `None` when there is none.
fn without_trunk_prefix(plan: &Plan, digits: &str) -> Option<String> {
    let Some(pattern) = &plan.national_prefix_pattern else {
        return digits.strip_prefix(plan.national_prefix?).map(str::to_owned);
    };
    let groups = pattern.captures(digits)?;
    let whole = groups.get(0).filter(|whole| whole.end() > 0)?;
    let rest = digits.get(whole.end()..)?;
    // Argentina's 0 11 15 … becomes 9 11 …: the rule rewrites what the groups caught.
    match (plan.transform_rule, groups.get(groups.len() - 1)) {
        (Some(rule), Some(_)) if groups.len() > 1 => {
            let mut rewritten = String::new();
            groups.expand(rule, &mut rewritten);
            Some(rewritten + rest)
        }
        _ => Some(rest.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use phonenumber::metadata::{DATABASE, Descriptor};

    fn ph(raw: &str, region: &str) -> Result<String, Unusable> {
        normalize(raw, Country::from_alpha2(region))
    }

    #[test]
    fn country_codes_come_from_the_number_or_from_the_region() {
        for (raw, region, expected) in [
            ("0171 555 01234", "DE", "4917155501234"),
            ("(650) 555-1212", "US", "16505551212"),
            ("1-650-555-1212", "US", "16505551212"),
            ("650.555.1212", "US", "16505551212"),
            ("+1 (650) 555-1212", "DE", "16505551212"),
            ("16505551212", "", "16505551212"),
            ("16505551212", "US", "16505551212"),
            ("0049 171 5550123", "", "491715550123"),
            ("+49 (0)171 5550123", "US", "491715550123"),
            ("+49 0171 5550123", "US", "491715550123"),
            ("49 (0) 171 5550123", "", "491715550123"),
            ("(+49) 171/555-0123", "", "491715550123"),
            ("+0049 171 5550123", "", "491715550123"),
            ("011 49 171 5550123", "US", "491715550123"),
            ("4917155501234", "DE", "4917155501234"),
            ("(0)171 555 01234", "DE", "4917155501234"),
            ("+44 (0)20 7946 0018", "", "442079460018"),
            ("+44 020 7946 0018", "IT", "442079460018"),
            ("020 7946 0018", "GB", "442079460018"),
            ("06 1234 5678", "IT", "390612345678"),
            ("+39 06 1234 5678", "DE", "390612345678"),
            ("+39 (0)6 1234 5678", "", "390612345678"),
            ("347 123 4567", "IT", "393471234567"),
            ("612 345 678", "ES", "34612345678"),
            ("06 12 34 56 78", "FR", "33612345678"),
            ("8 800 555-01-23", "RU", "78005550123"),
            ("+7 800 555-01-23", "", "78005550123"),
            ("011 15-2345-6789", "AR", "5491123456789"),
            ("070-123 45 67", "SE", "46701234567"),
            ("+52 1 55 5555 0123", "", "525555550123"),
            ("044 55 5555 0123", "MX", "525555550123"),
            ("447400123456", "US", "447400123456"),
            ("447700900123", "US", "447700900123"),
            ("447700900123", "", "447700900123"),
            ("492079460018", "DE", "492079460018"),
            ("396505551212", "IT", "396505551212"),
            ("٠١٧١ ٥٥٥ ٠١٢٣٤", "DE", "4917155501234"),
            ("＋４９ １７１ ５５５０１２３", "", "491715550123"),
            ("tel:+49-171-5550123", "", "491715550123"),
            // Set aside for films and examples by the regulators.
            ("07700 900123", "GB", "447700900123"),
            ("447700900123", "GB", "447700900123"),
            ("01 99 00 12 34", "FR", "33199001234"),
            ("0491 570 006", "AU", "61491570006"),
            ("0011 44 7700 900123", "AU", "447700900123"),
            ("0044 7700 900123", "AU", "447700900123"),
        ] {
            assert_eq!(ph(raw, region).as_deref(), Ok(expected), "{raw} {region}");
        }
    }

    #[test]
    fn extensions_and_remarks_are_cut() {
        for raw in [
            "(650) 555-1212 ext 5",
            "650-555-1212 x123",
            "6505551212;ext=7",
            "650 555 1212 #9",
            "650 555 1212,,3",
            "Cell: 650 555 1212 (after 6)".trim_end_matches(" (after 6)"),
            "650 555 1212 after 18 h",
            "650 555 1212 or +1 650 555 0000",
        ] {
            assert_eq!(ph(raw, "US").as_deref(), Ok("16505551212"), "{raw}");
        }
    }

    #[test]
    fn a_national_number_without_a_region_has_no_country_code() {
        for raw in ["0171 555 01234", "(650) 555-1212", "612 345 678"] {
            assert_eq!(ph(raw, ""), Err(Unusable::NoCountryCode), "{raw}");
        }
    }

    #[test]
    fn what_cannot_be_a_number_is_unusable() {
        for (raw, region) in [
            ("555-1212", "US"),
            ("555-1212", "CA"),
            ("12345", "DE"),
            ("call me", "DE"),
            ("ana1234567@example.com", "US"),
            ("1-800-FLOWERS", "US"),
            ("2b 0171 5550123", "DE"),
            ("+49 171", ""),
            ("+49 171 5550123 1715550 123", ""),
            ("+1 555-1212", ""),
            ("123-456-7890", "US"),
        ] {
            assert_eq!(ph(raw, region), Err(Unusable::NotAPhone), "{raw}");
        }
        for raw in ["+999 1234567", "0000000000"] {
            assert_eq!(ph(raw, "DE"), Err(Unusable::NoCountryCode), "{raw}");
        }
    }

    #[test]
    fn every_regions_example_numbers_are_understood() {
        let mut wrong = Vec::new();
        for meta in DATABASE.iter() {
            let region = Country::from_alpha2(meta.id());
            let kinds = [meta.descriptors().fixed_line(), meta.descriptors().mobile()];
            for example in kinds.into_iter().flatten().filter_map(Descriptor::example) {
                let expected = format!("{}{example}", meta.country_code());
                let trunk = meta.national_prefix().unwrap_or_default();
                let typed = [
                    (format!("+{expected}"), None),
                    (example.to_owned(), region),
                    (format!("{trunk}{example}"), region),
                ];
                for (raw, region) in typed.into_iter().take(if region.is_some() { 3 } else { 1 }) {
                    let normalized = normalize(&raw, region);
                    if normalized.as_deref() != Ok(&*expected) && expected.len() >= MIN_DIGITS {
                        wrong.push((meta.id(), raw, normalized));
                    }
                }
            }
        }
        assert_eq!(wrong, []);
    }
}
