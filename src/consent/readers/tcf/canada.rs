//! The Canadian section of a GPP string (IAB Canada TCF v1): the European one's sister, with express and implied
//! consent instead of consent and legitimate interest, and without purpose 1.
//!
//! Implied consent is there before anybody was asked, so these strings grant nothing: without an objection they count
//! as not there, like those of the US.

use crate::consent::bits::Bits;
use crate::consent::finding::Finding;

/// `None`: nothing was objected to.
pub fn judge(text: &str, purposes: &[u8]) -> Option<Finding> {
    let Some(consented) = decode(text) else { return Some(Finding::undecodable("the Canadian TC string")) };
    let is_refused = |purpose: &&u8| (2..=24).contains(*purpose) && consented >> (24 - **purpose) & 1 == 0;
    purposes.iter().find(is_refused).map(|purpose| Finding::denied(format!("purpose {purpose}:no (Canada)")))
}

/// The purposes with express or implied consent.
fn decode(text: &str) -> Option<u32> {
    let mut bits = Bits::of(text.trim().split('.').next()?)?;
    let version = bits.number(6)?;
    // As in the European core, without IsServiceSpecific.
    bits.skip(36 + 36 + 12 + 12 + 6 + 12 + 12 + 6 + 1 + 12)?;
    let (express, implied) = (bits.number(24)?, bits.number(24)?);
    (version == 1).then_some(express | implied)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consent::bits::tests::written;
    use crate::consent::finding::Choice;

    #[test]
    fn an_objection_denies_and_consent_grants_nothing() {
        let bits = |purposes: &[u8]| purposes.iter().fold(0, |bits, purpose| bits | 1_u64 << (24 - purpose));
        let string = |version, express: &[u8], implied: &[u8]| {
            let head = [(version, 6), (0, 36 + 36), (300, 12), (0, 12 + 6 + 12 + 12 + 6 + 1 + 12)];
            written(head.into_iter().chain([(bits(express), 24), (bits(implied), 24), (0, 34)]))
        };
        let choice = |text: &str| judge(text, &[1, 3, 4, 7]).map(|found| found.choice);
        for (express, implied, expected) in [
            (&[2, 3, 4, 7][..], &[][..], None),
            (&[3, 4], &[7], None),
            (&[], &[2, 3, 4, 5, 6, 7, 8, 9], None),
            (&[3, 4], &[8], Some(Choice::Denied)),
            (&[], &[], Some(Choice::Denied)),
        ] {
            assert_eq!(choice(&string(1, express, implied)), expected, "{express:?} {implied:?}");
        }
        assert_eq!(choice(&string(2, &[3, 4, 7], &[])), Some(Choice::None));
        assert_eq!(choice(&string(1, &[3, 4, 7], &[])[..33]), Some(Choice::None));
        assert_eq!(choice(""), Some(Choice::None));
    }
}
