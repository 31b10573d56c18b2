//! The Canadian section of a GPP string (IAB Canada TCF v1): the European one's sister, with express and implied consent
//! instead of consent and legitimate interest, and without purpose 1.

use crate::consent::bits::Bits;
use crate::consent::finding::Finding;

/// Express consent is a yes. Implied consent nobody gave; but it is withdrawn by objecting, and that is a no.
pub fn judge(text: &str, purposes: &[u8]) -> Finding {
    let Some((express, implied)) = decode(text) else { return Finding::undecodable("the Canadian TC string") };
    let has = |bits: u32, purpose: u8| bits >> (24 - u32::from(purpose)) & 1 == 1;
    let asked = || purposes.iter().copied().filter(|purpose| (2..=24).contains(purpose));
    if let Some(purpose) = asked().find(|purpose| !has(express | implied, *purpose)) {
        return Finding::denied(format!("purpose {purpose}:no (Canada)"));
    }
    match asked().next() {
        Some(_) if asked().all(|purpose| has(express, purpose)) => Finding::granted("express consent (Canada)"),
        Some(_) => Finding::no_choice("implied consent"),
        None => Finding::no_choice("no purpose that Canada has"),
    }
}

fn decode(text: &str) -> Option<(u32, u32)> {
    let mut bits = Bits::of(text.trim().split('.').next()?)?;
    let version = bits.number(6)?;
    // As in the European core, without IsServiceSpecific.
    bits.skip(36 + 36 + 12 + 12 + 6 + 12 + 12 + 6 + 1 + 12)?;
    let (express, implied) = (bits.number(24)?, bits.number(24)?);
    // Two lists of vendors follow.
    bits.skip(2 * 17)?;
    (version == 1).then_some((express, implied))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consent::bits::tests::written;
    use crate::consent::finding::Choice;

    #[test]
    fn express_consent_grants_implied_consent_does_not_and_an_objection_denies() {
        let bits = |purposes: &[u8]| purposes.iter().fold(0, |bits, purpose| bits | 1_u64 << (24 - purpose));
        let string = |version, express: &[u8], implied: &[u8]| {
            let head = [(version, 6), (0, 36 + 36), (300, 12), (0, 12 + 6 + 12 + 12 + 6 + 1 + 12)];
            written(head.into_iter().chain([(bits(express), 24), (bits(implied), 24), (0, 17), (0, 17)]))
        };
        for (express, implied, expected) in [
            (&[2, 3, 4, 7][..], &[][..], Choice::Granted),
            (&[3, 4, 7], &[], Choice::Granted),
            (&[3, 4], &[7], Choice::None),
            (&[], &[2, 3, 4, 5, 6, 7, 8, 9], Choice::None),
            (&[3, 4], &[8], Choice::Denied),
            (&[], &[], Choice::Denied),
        ] {
            let found = judge(&string(1, express, implied), &[1, 3, 4, 7]);
            assert_eq!(found.choice, expected, "{express:?} {implied:?}");
        }
        let yes = string(1, &[3, 4, 7], &[]);
        assert_eq!(judge(&yes, &[1]).choice, Choice::None);
        assert_eq!(judge(&string(2, &[3, 4, 7], &[]), &[3, 4, 7]).choice, Choice::None);
        assert_eq!(judge(&yes[..34], &[3, 4, 7]).choice, Choice::None);
    }
}
