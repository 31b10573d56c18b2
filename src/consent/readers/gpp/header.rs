//! A GPP string: a header that lists the ids of the sections, and the sections, set apart by `~` (IAB Tech Lab, "Global
//! Privacy Platform String").

use crate::consent::bits::Bits;

/// What the first six bits of a header are.
const TYPE: u32 = 3;
/// The only one there is.
const VERSION: u32 = 1;
/// Some thirty sections exist.
const MAX_SECTIONS: usize = 64;

/// A section's id and text.
pub type Section<'a> = (u32, &'a str);

/// `None`: it is no GPP string, or not the whole of it.
pub fn sections(text: &str) -> Option<Vec<Section<'_>>> {
    let mut parts = text.trim().split('~');
    let ids = ids(parts.next()?)?;
    let texts: Vec<&str> = parts.take(MAX_SECTIONS + 1).collect();
    (ids.len() == texts.len()).then(|| ids.into_iter().zip(texts).collect())
}

/// Ids rise: each is written as its distance to the one before, and a row of them as first and distance to the last.
fn ids(header: &str) -> Option<Vec<u32>> {
    let mut bits = Bits::of(header)?;
    if (bits.number(6)?, bits.number(6)?) != (TYPE, VERSION) {
        return None;
    }
    let mut ids = Vec::new();
    let mut last = 0_u32;
    for _ in 0..bits.number(12)? {
        let is_row = bits.flag()?;
        let first = last.checked_add(bits.fibonacci()?)?;
        last = if is_row { first.checked_add(bits.fibonacci()?)? } else { first };
        ids.extend((first..=last).take(MAX_SECTIONS + 1));
        if ids.len() > MAX_SECTIONS {
            return None;
        }
    }
    bits.is_at_end().then_some(ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_in_rows_and_alone() {
        for (header, expected) in [
            // The specification's examples.
            ("DBABM", Some(vec![2])),
            ("DBACNY", Some(vec![2, 6])),
            ("DBABjw", Some(vec![5, 6])),
            // With the padding that banners write.
            ("DBABLA", Some(vec![7])),
            ("DBABBg", Some(vec![8])),
            ("DBACNYA", Some(vec![2, 6])),
            // What `iab_gpp` 0.1.2 took for [2, 6, 6]: 0 011, 0 1011, 0 011.
            ("DBADNZg", Some(vec![2, 6, 8])),
            ("DBAA", Some(vec![])),
            ("DBAC", None),
            ("DBABM1", None),
            ("DBA", None),
            ("DCABM", None),
            ("CBABM", None),
            ("", None),
        ] {
            assert_eq!(ids(header), expected, "{header}");
        }
    }

    #[test]
    fn a_hostile_header_is_not_unrolled() {
        // A row from 1 that is 100 000 ids long, and 4 095 of them.
        let row = crate::consent::bits::tests::written([(3, 6), (1, 6), (1, 12), (1, 1), (3, 2), (0, 24), (3, 2)]);
        assert_eq!(ids(&row), None);
        assert_eq!(ids(&format!("DBP_{}", "_".repeat(8000))), None);
    }

    #[test]
    fn every_section_has_its_text() {
        assert_eq!(sections("DBACNY~CQ~1YNN"), Some(vec![(2, "CQ"), (6, "1YNN")]));
        assert_eq!(sections(" DBACNY~CQ~1YNN "), Some(vec![(2, "CQ"), (6, "1YNN")]));
        assert_eq!(sections("DBAA"), Some(vec![]));
        for torn in ["DBACNY~CQ", "DBACNY", "DBACNY~CQ~1YNN~1YNN", "DBAA~", "", "~"] {
            assert_eq!(sections(torn), None, "{torn}");
        }
    }
}
