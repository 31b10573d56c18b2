//! The numbering plans of all countries, as `build.rs` has laid them out: nothing is read before the first phone number, and
//! patterns are compiled when a number of their length asks for them.

use std::sync::{LazyLock, OnceLock};

use regex_lite::{Captures, Regex};

/// Sorted by country code; the main region of a code first.
static PLANS: LazyLock<Vec<Plan>> = LazyLock::new(|| LINES.lines().filter_map(Plan::read).collect());
const LINES: &str = include_str!(concat!(env!("OUT_DIR"), "/numbering.tsv"));

/// Kinds in front that most numbers belong to: landlines, mobile phones.
const COMMON: usize = 2;

/// How numbers are made in one region.
pub struct Plan {
    id: &'static str,
    pub code: u16,
    /// What dials abroad.
    pub international_prefix: Option<Pattern>,
    /// What dials within the country, usually a zero.
    pub national_prefix: Option<&'static str>,
    /// The same in all its forms, carriers included.
    pub national_prefix_pattern: Option<Pattern>,
    /// What remains of a number behind that, made of its groups.
    pub transform_rule: Option<&'static str>,
    kinds: Vec<Kind>,
}

/// One kind of number that a person may leave in a form.
struct Kind {
    /// Bit by bit; none: any.
    lengths: u32,
    pattern: Option<Pattern>,
}

/// By the two letters of ISO 3166.
pub fn plan_of(region: &str) -> Option<&'static Plan> {
    PLANS.iter().find(|plan| plan.id == region)
}

/// The regions that share a country code; none if nobody has it.
pub fn plans_of(code: u16) -> &'static [Plan] {
    let from = PLANS.partition_point(|plan| plan.code < code);
    let to = PLANS.partition_point(|plan| plan.code <= code);
    PLANS.get(from..to).unwrap_or_default()
}

impl Plan {
    fn read(line: &'static str) -> Option<Self> {
        let mut fields = line.split('\t');
        let mut field = || fields.next().map(|field| Some(field).filter(|field| !field.is_empty()));
        let (id, code) = (field()??, field()??.parse().ok()?);
        Some(Self {
            id,
            code,
            international_prefix: field()?.map(Pattern::new),
            national_prefix: field()?,
            national_prefix_pattern: field()?.map(Pattern::new),
            transform_rule: field()?,
            kinds: std::iter::from_fn(|| Some(Kind::read(field()?, field()?))).collect(),
        })
    }

    /// Whether the plan gives this national number to somebody.
    pub fn is_assigned(&self, digits: &str) -> bool {
        self.kinds.iter().any(|kind| kind.is_match(digits))
    }

    /// Whether landlines or mobile phones have numbers of this length.
    pub fn is_common_length(&self, length: usize) -> bool {
        self.kinds.iter().take(COMMON).any(|kind| kind.lengths & bit(length) != 0)
    }
}

impl Kind {
    fn read(lengths: Option<&str>, pattern: Option<&'static str>) -> Self {
        let lengths = lengths.unwrap_or_default().split(',').filter_map(|length| length.parse().ok());
        Self { lengths: lengths.map(bit).fold(0, |all, one| all | one), pattern: pattern.map(Pattern::new) }
    }

    fn is_match(&self, digits: &str) -> bool {
        (self.lengths == 0 || self.lengths & bit(digits.len()) != 0)
            && self.pattern.as_ref().is_some_and(|pattern| pattern.captures(digits).is_some())
    }
}

/// No number is longer than 31 digits: E.164 ends at 15.
const fn bit(length: usize) -> u32 {
    if length < 32 { 1 << length } else { 0 }
}

/// A regular expression for the beginning of a number.
pub struct Pattern {
    source: &'static str,
    compiled: OnceLock<Option<Regex>>,
}

impl Pattern {
    const fn new(source: &'static str) -> Self {
        Self { source, compiled: OnceLock::new() }
    }

    /// All of libphonenumber's compile (tested); one that did not would match nothing.
    fn regex(&self) -> Option<&Regex> {
        self.compiled.get_or_init(|| Regex::new(&format!("^(?:{})", self.source)).ok()).as_ref()
    }

    /// The groups of what the digits begin with.
    pub fn captures<'d>(&self, digits: &'d str) -> Option<Captures<'d>> {
        self.regex()?.captures(digits)
    }

    /// The length of what the digits begin with.
    pub fn prefix_of(&self, digits: &str) -> Option<usize> {
        self.regex()?.find(digits).map(|found| found.end())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use phonenumber::Metadata;
    use phonenumber::metadata::{DATABASE, Descriptor};

    /// Each plan beside libphonenumber's.
    fn pairs() -> Vec<(&'static Plan, &'static Metadata)> {
        let theirs = |code: u16| DATABASE.by_code(&code).unwrap_or_default();
        let pairs = (1..1000).flat_map(|code| {
            assert_eq!(plans_of(code).len(), theirs(code).len(), "{code}");
            plans_of(code).iter().zip(theirs(code))
        });
        pairs.collect()
    }

    #[test]
    fn every_region_is_there_and_every_pattern_compiles() {
        let pairs = pairs();
        assert!(pairs.len() > 240, "{}", pairs.len());
        for (plan, theirs) in pairs {
            assert_eq!((plan.id, plan.code), (theirs.id(), theirs.country_code()));
            let prefixes = plan.international_prefix.iter().chain(&plan.national_prefix_pattern);
            let kinds = plan.kinds.iter().filter_map(|kind| kind.pattern.as_ref());
            for pattern in prefixes.chain(kinds) {
                assert!(pattern.regex().is_some(), "{} {}", plan.id, pattern.source);
            }
            assert_eq!(plan.kinds.len(), 7, "{}", plan.id);
        }
    }

    #[test]
    fn numbers_are_judged_as_libphonenumber_judges_them() {
        // Near real numbers, where patterns end: a digit of an example becomes a neighbour, one goes, one comes.
        for (plan, theirs) in pairs() {
            let all = theirs.descriptors();
            let kinds = [
                all.fixed_line(),
                all.mobile(),
                all.voip(),
                all.personal_number(),
                all.toll_free(),
                all.shared_cost(),
                all.uan(),
            ];
            for example in kinds.into_iter().flatten().filter_map(Descriptor::example) {
                let near = (0..example.len()).flat_map(|at| {
                    let (before, digit, after) = (&example[..at], example.as_bytes()[at], &example[at + 1..]);
                    let other = char::from(if digit == b'9' { b'0' } else { digit + 1 });
                    [format!("{before}{other}{after}"), format!("{before}{after}")]
                });
                for digits in near.chain([format!("{example}0"), format!("0{example}")]) {
                    let expected = kinds.into_iter().flatten().any(|kind| kind.is_match(&digits));
                    assert_eq!(plan.is_assigned(&digits), expected, "{} {digits}", plan.id);
                    let ours = plan.national_prefix_pattern.as_ref().map(|prefix| prefix.prefix_of(&digits));
                    let expected = theirs
                        .national_prefix_for_parsing()
                        .map(|prefix| prefix.find(&digits).filter(|found| found.start() == 0).map(|found| found.end()));
                    assert_eq!(ours, expected, "{} {digits}", plan.id);
                }
            }
        }
    }
}
