//! A TC string, as far as a purpose needs it (IAB Tech Lab, "Consent string and vendor list formats v2"). Vendors and
//! publisher restrictions decide nothing, since Meta is no vendor there; they are walked over to see that a string has
//! its end.

use crate::consent::bits::Bits;

/// 0 and 1 are nobody's: banners are registered from 2 on.
const MIN_CMP: u32 = 2;
/// Strings under an older policy lost their validity on 2023-09-30.
const MIN_POLICY: u32 = 4;
/// A to Z are 0 to 25.
const LETTERS: u32 = 26;
/// Not allowed, consent required, legitimate interest required.
const MAX_RESTRICTION: u32 = 2;

/// A valid core segment.
#[derive(Debug)]
pub struct Core {
    /// Which banner wrote it.
    pub cmp: u32,
    purposes_consent: u32,
}

impl Core {
    /// `None` when the string is not base64url, not whole or followed by something else, not version 2, by no banner,
    /// under a policy that is no longer valid, or not service-specific (which makes it invalid as well).
    pub fn decode(text: &str) -> Option<Self> {
        let mut segments = text.trim().split('.');
        let core = Self::decode_core(segments.next()?)?;
        segments.all(|segment| is_further_segment(segment).is_some()).then_some(core)
    }

    fn decode_core(segment: &str) -> Option<Self> {
        let mut bits = Bits::of(segment)?;
        let version = bits.number(6)?;
        // Created, LastUpdated.
        bits.skip(36 + 36)?;
        let cmp = bits.number(12)?;
        // CmpVersion, ConsentScreen, ConsentLanguage, VendorListVersion.
        bits.skip(12 + 6 + 12 + 12)?;
        let (policy, is_service_specific) = (bits.number(6)?, bits.flag()?);
        // UseNonStandardTexts, SpecialFeatureOptIns.
        bits.skip(1 + 12)?;
        let purposes_consent = bits.number(24)?;
        // PurposesLITransparency, PurposeOneTreatment.
        bits.skip(24 + 1)?;
        let country = [bits.number(6)?, bits.number(6)?];
        skip_vendors(&mut bits)?;
        skip_vendors(&mut bits)?;
        for _ in 0..bits.number(12)? {
            let (purpose, kind) = (bits.number(6)?, bits.number(2)?);
            (purpose > 0 && kind <= MAX_RESTRICTION).then(|| skip_range(&mut bits))??;
        }
        let is_valid = version == 2
            && cmp >= MIN_CMP
            && policy >= MIN_POLICY
            && is_service_specific
            && country.iter().all(|letter| *letter < LETTERS)
            && bits.is_at_end();
        is_valid.then_some(Self { cmp, purposes_consent })
    }

    /// Whether purpose 1 to 24 is consented to.
    pub fn consents_to(&self, purpose: u8) -> bool {
        (1..=24).contains(&purpose) && self.purposes_consent >> (24 - purpose) & 1 == 1
    }
}

fn is_further_segment(segment: &str) -> Option<()> {
    let mut bits = Bits::of(segment)?;
    match bits.number(3)? {
        // Disclosed vendors; allowed vendors (2.0 only).
        1 | 2 => skip_vendors(&mut bits)?,
        // The publisher's own purposes: the standard ones, and custom ones.
        3 => {
            bits.skip(24 + 24)?;
            let custom = usize::try_from(bits.number(6)?).ok()?;
            bits.skip(2 * custom)?;
        }
        _ => return None,
    }
    bits.is_at_end().then_some(())
}

/// A bit for each vendor up to the highest, or a range.
fn skip_vendors(bits: &mut Bits<'_>) -> Option<()> {
    let highest = bits.number(16)?;
    if bits.flag()? { skip_range(bits) } else { bits.skip(usize::try_from(highest).ok()?) }
}

/// Single ids, and pairs of first and last.
fn skip_range(bits: &mut Bits<'_>) -> Option<()> {
    for _ in 0..bits.number(12)? {
        let is_pair = bits.flag()?;
        let first = bits.number(16)?;
        let last = if is_pair { bits.number(16)? } else { first };
        (0 < first && first <= last).then_some(())?;
    }
    Some(())
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::consent::bits::tests::written;

    /// Writes TC strings.
    pub struct TcString {
        pub version: u64,
        pub cmp: u64,
        pub policy: u64,
        pub service_specific: u64,
        /// PublisherCC.
        pub country: u64,
        pub purposes: Vec<u8>,
        pub interests: Vec<u8>,
        /// What follows; both lists of vendors and the restrictions are empty by default.
        pub rest: Vec<(u64, usize)>,
    }

    impl Default for TcString {
        fn default() -> Self {
            let rest = vec![(0, 16 + 1), (0, 16 + 1), (0, 12)];
            let purposes = vec![1, 3, 4, 7];
            Self {
                version: 2,
                cmp: 300,
                policy: 5,
                service_specific: 1,
                country: 3 << 6 | 4,
                purposes,
                interests: Vec::new(),
                rest,
            }
        }
    }

    impl TcString {
        pub fn build(&self) -> String {
            let purposes = |list: &[u8]| u64::from(list.iter().fold(0_u32, |bits, purpose| bits | 1 << (24 - purpose)));
            let fields = [
                (self.version, 6),
                (17_956_070_000, 36), // Created
                (17_956_070_000, 36), // LastUpdated
                (self.cmp, 12),       // CmpId
                (1, 12),              // CmpVersion
                (1, 6),               // Screen
                (3 << 6 | 4, 12),     // Language DE
                (150, 12),            // VendorListVersion
                (self.policy, 6),
                (self.service_specific, 1),
                (0, 1),  // NonStandardTexts
                (0, 12), // SpecialFeatures
                (purposes(&self.purposes), 24),
                (purposes(&self.interests), 24),
                (0, 1), // PurposeOneTreatment
                (self.country, 12),
            ];
            written(fields.into_iter().chain(self.rest.iter().copied()))
        }
    }

    #[test]
    fn each_purpose_is_read_from_its_own_bit() {
        for purpose in 1..=24 {
            let core = Core::decode(&TcString { purposes: vec![purpose], ..TcString::default() }.build()).unwrap();
            let read: Vec<u8> = (0..=u8::MAX).filter(|n| core.consents_to(*n)).collect();
            assert_eq!(read, [purpose]);
        }
    }

    #[test]
    fn further_segments_do_not_matter_if_they_are_some() {
        let core = TcString::default().build();
        for (further, is_valid) in [
            (".IAAA.YAAAAAAAAAAA", true),
            (".f_gAD_gAAAAA.IAAA", true),
            (".YAAAAAAAAOAA", true),
            (".QAAA", true),
            // Torn, or with more than there is.
            (".YAAAAAAA", false),
            (".YAAAAAAAH4AA", false),
            (".IAB", false),
            (".IAAB", false),
            (".", false),
            (".IAAA.", false),
            (".AAAA", false),
            (".oAAA", false),
            (".IAA!", false),
            (",IAAA", false),
            ("~IAAA", false),
        ] {
            assert_eq!(Core::decode(&format!("{core}{further}")).is_some(), is_valid, "{further}");
        }
    }

    #[test]
    fn vendors_and_restrictions_are_walked_over_to_the_end() {
        let bit_field = [(9, 16), (0, 1), (0b1_0101_0101, 9)];
        let range = [(900, 16), (1, 1), (2, 12), (0, 1), (7, 16), (1, 1), (20, 16), (900, 16)];
        let none = [(0, 16), (0, 1)];
        let restrictions = [(2, 12), (2, 6), (1, 2), (1, 12), (0, 1), (7, 16), (9, 6), (0, 2), (0, 12)];
        for parts in [
            [&bit_field[..], &none, &[(0, 12)]].concat(),
            [&range[..], &bit_field, &[(0, 12)]].concat(),
            [&none[..], &range, &restrictions].concat(),
            [&range[..], &range, &restrictions].concat(),
        ] {
            let whole = TcString { rest: parts.clone(), ..TcString::default() }.build();
            assert!(Core::decode(&whole).is_some(), "{whole}");
            // Encoders pad to as much as 24 bits.
            assert!(Core::decode(&format!("{whole}AAA")).is_some());
            assert!(Core::decode(&format!("{whole}AAB")).is_none());
            for end in 0..whole.len() {
                assert!(Core::decode(&whole[..end]).is_none(), "{end} of {whole}");
            }
        }
    }

    #[test]
    fn what_no_banner_can_have_meant_is_refused() {
        let vendors =
            |first, last| [(900, 16), (1, 1), (1, 12), (1, 1), (first, 16), (last, 16), (0, 17), (0, 12)].to_vec();
        let restriction = |purpose, kind| [(0, 17), (0, 17), (1, 12), (purpose, 6), (kind, 2), (0, 12)].to_vec();
        for (rest, is_valid) in [
            (vendors(3, 3), true),
            (vendors(3, 900), true),
            (vendors(3, 2), false),
            (vendors(0, 2), false),
            (restriction(2, 0), true),
            (restriction(0, 0), false),
            (restriction(2, 3), false),
        ] {
            let string = TcString { rest, ..TcString::default() };
            assert_eq!(Core::decode(&string.build()).is_some(), is_valid, "{:?}", string.rest);
        }
    }

    #[test]
    fn strings_that_are_not_valid_any_more_or_never_were_are_refused() {
        for string in [
            TcString { version: 1, ..TcString::default() },
            TcString { version: 3, ..TcString::default() },
            TcString { cmp: 0, ..TcString::default() },
            TcString { cmp: 1, ..TcString::default() },
            TcString { country: 26 << 6, ..TcString::default() },
            TcString { country: 63, ..TcString::default() },
            TcString { policy: 3, ..TcString::default() },
            TcString { service_specific: 0, ..TcString::default() },
        ] {
            assert!(Core::decode(&string.build()).is_none());
        }
        let good = TcString { policy: 4, ..TcString::default() }.build();
        assert!(Core::decode(&good).is_some());
        assert!(Core::decode(&good.replace('A', "+")).is_none());
        assert!(Core::decode("").is_none());
    }
}
