//! The US sections of a GPP string (IAB Tech Lab, "Sections/US-National" and "Sections/US-States"), as far as an
//! opt-out needs them.
//!
//! Core first, then sub-sections, set apart by `.`. What was opted out of is a row of two-bit fields in the core: 0 not
//! applicable, 1 opted out, 2 did not opt out. A sub-section of type 1 repeats the browser's Global Privacy Control.

use crate::consent::bits::Bits;
use crate::consent::finding::{Finding, UsState};

const SALE: &str = "SaleOptOut";
const SHARING: &str = "SharingOptOut";
const TARGETED: &str = "TargetedAdvertisingOptOut";

const OPTED_OUT: u32 = 1;
const INVALID: u32 = 3;
const GPC: u32 = 1;

/// From Maryland's on, the specification puts a header before the core, which the IAB's own library leaves out; and the
/// core begins with the version of the agreement among advertisers, not with its own.
const FIRST_HEADED: u32 = 24;

struct Section {
    id: u32,
    name: &'static str,
    /// Where the row of opt-outs begins in the core.
    first: usize,
    opt_outs: &'static [&'static str],
    /// How long the core is. Of usnat, the first version's.
    bits: usize,
}

const fn section(id: u32, name: &'static str, first: usize, opt_outs: &'static [&'static str], bits: usize) -> Section {
    Section { id, name, first, opt_outs, bits }
}

const SECTIONS: [Section; 21] = [
    section(7, "usnat", 18, &[SALE, SHARING, TARGETED], 60),
    section(8, "usca", 12, &[SALE, SHARING], 46),
    section(9, "usva", 12, &[SALE, TARGETED], 40),
    section(10, "usco", 12, &[SALE, TARGETED], 38),
    section(11, "usut", 14, &[SALE, TARGETED], 42),
    section(12, "usct", 12, &[SALE, TARGETED], 44),
    section(13, "usfl", 12, &[SALE, TARGETED], 46),
    section(14, "usmt", 12, &[SALE, TARGETED], 46),
    section(15, "usor", 12, &[SALE, TARGETED], 52),
    section(16, "ustx", 12, &[SALE, TARGETED], 42),
    section(17, "usde", 12, &[SALE, TARGETED], 52),
    section(18, "usia", 14, &[SALE, TARGETED], 42),
    section(19, "usne", 12, &[SALE, TARGETED], 42),
    section(20, "usnh", 12, &[SALE, TARGETED], 46),
    section(21, "usnj", 12, &[SALE, TARGETED], 54),
    section(22, "ustn", 12, &[SALE, TARGETED], 42),
    section(23, "usmn", 12, &[SALE, TARGETED], 42),
    section(24, "usmd", 16, &[SALE, TARGETED], 22),
    section(25, "usin", 16, &[SALE, TARGETED], 24),
    section(26, "usky", 16, &[SALE, TARGETED], 24),
    section(27, "usri", 16, &[SALE, TARGETED], 24),
];

/// `None`: nothing was opted out of. A section that is not known yet cannot be decoded.
pub fn judge(id: u32, text: &str) -> Option<Finding> {
    let Some(section) = SECTIONS.iter().find(|section| section.id == id) else {
        return Some(Finding::undecodable("a section of the GPP string"));
    };
    let Ok(opt_out) = section.opt_out(text) else { return Some(Finding::undecodable(section.name)) };
    let denied = Finding::denied(format!("{} {}:1", section.name, opt_out?));
    let state = section.name.strip_prefix("us").and_then(UsState::of_code);
    Some(match state {
        Some(state) => denied.in_state(state),
        None => denied,
    })
}

struct Undecodable;

impl Section {
    /// What was opted out of.
    fn opt_out(&self, text: &str) -> Result<Option<&'static str>, Undecodable> {
        let (core, further) = self.parts(text)?;
        let mut in_core = self.opt_outs_in_core(core).ok_or(Undecodable)?;
        let by_browser = self.signals_gpc(further).ok_or(Undecodable)?;
        Ok(in_core.next().or(by_browser.then_some("Gpc")))
    }

    /// The core, and the sub-sections behind it.
    fn parts<'a>(&self, text: &'a str) -> Result<(&'a str, Option<&'a str>), Undecodable> {
        let split = |text: &'a str| text.split_once('.').map_or((text, None), |(first, rest)| (first, Some(rest)));
        let (first, rest) = split(text);
        let mut header = Bits::of(first).ok_or(Undecodable)?;
        if self.id < FIRST_HEADED || header.number(6) != Some(self.id) {
            return Ok((first, rest));
        }
        if header.number(6) != Some(1) {
            return Err(Undecodable);
        }
        rest.map(split).ok_or(Undecodable)
    }

    fn opt_outs_in_core(&self, core: &str) -> Option<impl Iterator<Item = &'static str> + use<>> {
        let mut bits = Bits::of(core).filter(|bits| bits.len() >= self.bits)?;
        let version = bits.number(6)?;
        let is_known = match self.id {
            7 => (1..=2).contains(&version),
            FIRST_HEADED.. => true,
            _ => version == 1,
        };
        bits.skip(self.first - 6)?;
        let values = self.opt_outs.iter().map(|name| Some((*name, bits.number(2)?))).collect::<Option<Vec<_>>>()?;
        let is_valid = is_known && values.iter().all(|(_, value)| *value < INVALID);
        is_valid.then(|| values.into_iter().filter(|(_, value)| *value == OPTED_OUT).map(|(name, _)| name))
    }

    /// Indiana, Kentucky and Rhode Island have something else where others have the browser's signal.
    fn signals_gpc(&self, further: Option<&str>) -> Option<bool> {
        let mut signals = false;
        for part in further.into_iter().flat_map(|further| further.split('.')) {
            let mut bits = Bits::of(part)?;
            if self.id <= FIRST_HEADED {
                let is_gpc = bits.number(2)? == GPC;
                signals |= is_gpc.then(|| bits.flag())??;
            }
        }
        Some(signals)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consent::bits::tests::written;
    use crate::consent::finding::Choice;

    /// A core whose opt-outs have these values, and all else zero.
    fn core(section: &Section, version: u64, values: &[u64]) -> String {
        let used = 2 * section.opt_outs.len();
        let values = section.opt_outs.iter().zip(values.iter().chain([0; 3].iter())).map(|(_, value)| (*value, 2));
        let fields = [(version, 6), (0, section.first - 6)].into_iter().chain(values);
        written(fields.chain([(0, section.bits - section.first - used)]))
    }

    fn choice(section: &Section, text: &str) -> Option<Choice> {
        judge(section.id, text).map(|found| found.choice)
    }

    #[test]
    fn each_opt_out_of_each_section_denies_under_its_states_law() {
        for section in &SECTIONS {
            assert_eq!(choice(section, &core(section, 1, &[2, 2, 2])), None, "{}", section.name);
            assert_eq!(choice(section, &core(section, 1, &[0, 0, 0])), None, "{}", section.name);
            for (number, name) in section.opt_outs.iter().enumerate() {
                let mut values = [2, 2, 2];
                values[number] = 1;
                let found = judge(section.id, &core(section, 1, &values)).unwrap();
                let state = UsState::of_code(&section.name[2..]);
                assert_eq!((found.choice, found.us_state), (Choice::Denied, state), "{}", section.name);
                assert_eq!(found.reason, format!("{} {name}:1", section.name));
                values[number] = 3;
                assert_eq!(choice(section, &core(section, 1, &values)), Some(Choice::None), "{}", section.name);
            }
        }
        let state = |id| judge(id, &core(&SECTIONS[id as usize - 7], 1, &[1])).and_then(|found| found.us_state);
        assert_eq!((state(7), state(8), state(9), state(24)), (None, Some(UsState(1000)), None, Some(UsState(1012))));
    }

    #[test]
    fn a_version_that_is_not_known_or_a_torn_core_is_no_choice() {
        for section in &SECTIONS {
            let known = if section.id == 7 { 2 } else { 1 };
            assert_eq!(choice(section, &core(section, known, &[2, 2, 2])), None);
            let is_versioned = section.id < FIRST_HEADED;
            for unknown in [0, known + 1] {
                let found = choice(section, &core(section, unknown, &[2, 2, 2]));
                assert_eq!(found, is_versioned.then_some(Choice::None), "{}", section.name);
            }
            let whole = core(section, 1, &[1, 1, 1]);
            for end in 0..whole.len() {
                assert_eq!(choice(section, &whole[..end]), Some(Choice::None), "{} {end}", section.name);
            }
        }
        for id in [0, 1, 3, 4, 6, 28, 4000] {
            assert_eq!(judge(id, "BVVVVVVVVWA").map(|found| found.choice), Some(Choice::None));
        }
    }

    #[test]
    fn the_browsers_signal_counts_where_the_section_has_it() {
        for section in &SECTIONS {
            let has_it = section.id <= FIRST_HEADED;
            for (further, expected) in [
                (".YA", has_it.then_some(Choice::Denied)),
                (".Y", has_it.then_some(Choice::Denied)),
                (".QA", None),
                (".QA.YA", has_it.then_some(Choice::Denied)),
                // Of another type.
                (".oA", has_it.then_some(Choice::None)),
                (".", Some(Choice::None)),
                (".!", Some(Choice::None)),
            ] {
                let text = core(section, 1, &[2, 2, 2]) + further;
                assert_eq!(choice(section, &text), expected, "{} {further}", section.name);
            }
        }
    }

    #[test]
    fn the_newer_sections_may_have_a_header_of_their_own() {
        for section in SECTIONS.iter().filter(|section| section.id >= FIRST_HEADED) {
            // Id, version, and a range with the core alone.
            let header = |id, version| written([(id, 6), (version, 6), (1, 12), (0, 1), (0b11, 2)]);
            let (yes, no) = (core(section, 1, &[2, 2]), core(section, 1, &[2, 1]));
            let id = u64::from(section.id);
            for (text, expected) in [
                (format!("{}.{yes}", header(id, 1)), None),
                (format!("{}.{no}", header(id, 1)), Some(Choice::Denied)),
                (format!("{}.{no}", header(id, 2)), Some(Choice::None)),
                (header(id, 1), Some(Choice::None)),
                (format!("{}.", header(id, 1)), Some(Choice::None)),
            ] {
                assert_eq!(choice(section, &text), expected, "{} {text}", section.name);
            }
            let gpc = choice(section, &format!("{}.{yes}.YA", header(id, 1)));
            assert_eq!(gpc, (section.id == FIRST_HEADED).then_some(Choice::Denied));
        }
    }
}
