//! The core segment of a TC string, as far as a purpose needs it (IAB Tech Lab, "Consent string and vendor list formats
//! v2", core string).

/// Bits up to the header of the vendor section: a shorter string has lost its end.
const MIN_BITS: usize = 230;
/// Strings under an older policy lost their validity on 2023-09-30.
const MIN_POLICY: u32 = 4;
/// Purpose n is this bit plus n - 1.
const PURPOSES_CONSENT: usize = 152;

/// A valid core segment.
#[derive(Debug)]
pub struct Core {
    purposes_consent: u32,
}

impl Core {
    /// `None` when the string is not base64url, too short, not version 2, under a policy that is no longer valid, or
    /// not service-specific (which makes it invalid as well).
    pub fn decode(text: &str) -> Option<Self> {
        let segment = text.trim().split('.').next()?;
        let sextets = segment.bytes().map(sextet).collect::<Option<Vec<u8>>>()?;
        if sextets.len() * 6 < MIN_BITS {
            return None;
        }
        let (version, policy, service_specific) =
            (number(&sextets, 0, 6)?, number(&sextets, 132, 6)?, number(&sextets, 138, 1)?);
        (version == 2 && policy >= MIN_POLICY && service_specific == 1)
            .then_some(Self { purposes_consent: number(&sextets, PURPOSES_CONSENT, 24)? })
    }

    /// Whether purpose 1 to 24 is consented to.
    pub fn consents_to(&self, purpose: u8) -> bool {
        (1..=24).contains(&purpose) && self.purposes_consent >> (24 - purpose) & 1 == 1
    }
}

/// The big-endian number of `len` bits that begins at bit `start`. Bit by bit over sextets, because encoders pad to
/// bytes, to 24 bits or not at all.
fn number(sextets: &[u8], start: usize, len: usize) -> Option<u32> {
    (start..start + len).try_fold(0, |number, bit| {
        let sextet = sextets.get(bit / 6)?;
        Some(number << 1 | u32::from(sextet >> (5 - bit % 6) & 1))
    })
}

/// The value of a base64url digit.
const fn sextet(digit: u8) -> Option<u8> {
    Some(match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'-' => 62,
        b'_' => 63,
        _ => return None,
    })
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// Writes TC strings.
    pub struct TcString {
        pub version: u32,
        pub policy: u32,
        pub service_specific: u32,
        pub purposes: Vec<u8>,
        pub interests: Vec<u8>,
    }

    impl Default for TcString {
        fn default() -> Self {
            Self { version: 2, policy: 5, service_specific: 1, purposes: vec![1, 3, 4, 7], interests: Vec::new() }
        }
    }

    impl TcString {
        pub fn build(&self) -> String {
            let purposes = |list: &[u8]| u64::from(list.iter().fold(0_u32, |bits, purpose| bits | 1 << (24 - purpose)));
            let mut bits = Vec::new();
            for (value, len) in [
                (u64::from(self.version), 6),
                (17_956_070_000, 36), // Created
                (17_956_070_000, 36), // LastUpdated
                (300, 12),            // CmpId
                (1, 12),              // CmpVersion
                (1, 6),               // Screen
                (3 << 6 | 4, 12),     // Language DE
                (150, 12),            // VendorListVersion
                (u64::from(self.policy), 6),
                (u64::from(self.service_specific), 1),
                (0, 1),  // NonStandardTexts
                (0, 12), // SpecialFeatures
                (purposes(&self.purposes), 24),
                (purposes(&self.interests), 24),
                (0, 1),           // PurposeOneTreatment
                (3 << 6 | 4, 12), // PublisherCC DE
                (0, 16 + 1),      // vendor consents: none
                (0, 16 + 1),      // vendor legitimate interests: none
                (0, 12),          // publisher restrictions: none
            ] {
                bits.extend((0..len).rev().map(|bit| (value >> bit & 1) as u8));
            }
            let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
            bits.chunks(6)
                .map(|six| digits[(0..6).fold(0, |n, i| n << 1 | usize::from(*six.get(i).unwrap_or(&0) == 1))] as char)
                .collect()
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
    fn further_segments_do_not_matter() {
        assert!(Core::decode(&format!("{}.IAAA.YAAA", TcString::default().build())).is_some());
    }

    #[test]
    fn strings_that_are_not_valid_any_more_or_never_were_are_refused() {
        for string in [
            TcString { version: 1, ..TcString::default() },
            TcString { version: 3, ..TcString::default() },
            TcString { policy: 3, ..TcString::default() },
            TcString { service_specific: 0, ..TcString::default() },
        ] {
            assert!(Core::decode(&string.build()).is_none());
        }
        let good = TcString { policy: 4, ..TcString::default() }.build();
        assert!(Core::decode(&good).is_some());
        assert!(Core::decode(&good[..38]).is_none());
        assert!(Core::decode(&good.replace('A', "+")).is_none());
        assert!(Core::decode("").is_none());
    }
}
