//! Google's additional-consent string: `1~1.35.41` or `2~<consented>~dv.<disclosed>`
//! (<https://support.google.com/admanager/answer/9681920>).
//!
//! InMobi's banner (once Quantcast's) writes each id as its distance to the one before: `1~43.3.9.6.9.13.6` is 43, 46,
//! 55, 61, 70, 83, 89. Lists that could be meant either way say yes only if both readings do.

use crate::consent::decode::layers;
use crate::consent::finding::Finding;

/// Meta among Google's ad technology providers.
const META: u32 = 89;
/// A longer list that rises all the way is none of distances.
const SHORT: usize = 6;

/// What it says of Meta; `distances`: by a banner that writes them.
pub fn judge(raw: &str, name: &str, distances: bool) -> Finding {
    match layers(raw).find_map(|text| lists_meta(&text, distances)) {
        Some(true) => Finding::granted(format!("{name} lists {META}")),
        Some(false) => Finding::denied(format!("{name} does not list {META}")),
        None => Finding::undecodable(name),
    }
}

/// Whether Meta is among the *consented* providers; ids after `dv.` were merely shown. `None`: no such string, or not
/// the whole of it: an `89` that the text ends with may be the beginning of another id, which only version 2 can tell.
fn lists_meta(text: &str, distances: bool) -> Option<bool> {
    let parts: Vec<&str> = text.trim().splitn(4, '~').collect();
    let (consented, disclosed) = match parts[..] {
        ["1", consented] => (consented, ""),
        ["2", consented, disclosed] => (consented, disclosed.strip_prefix("dv.")?),
        _ => return None,
    };
    ids(disclosed)?;
    let ids = ids(consented)?;
    let rises = ids.windows(2).all(|pair| pair.first() < pair.last());
    let (may_be_ids, may_be_distances) = match (rises, distances) {
        (true, false) => (true, false),
        (true, true) => (true, ids.len() <= SHORT),
        (false, true) => (false, true),
        (false, false) => (true, true),
    };
    let listed = ids.contains(&META);
    let summed = ids.iter().scan(0_u32, |sum, id| Some(add(sum, *id))).any(|id| id == META);
    Some((listed || !may_be_ids) && (summed || !may_be_distances))
}

fn add(sum: &mut u32, distance: u32) -> u32 {
    *sum = sum.saturating_add(distance);
    *sum
}

fn ids(list: &str) -> Option<Vec<u32>> {
    let id = |text: &str| {
        let is_id = (1..=6).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        is_id.then(|| text.parse().ok()).flatten()
    };
    if list.is_empty() { Some(Vec::new()) } else { list.split('.').map(id).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_may_be_meant_either_way_must_say_yes_both_ways() {
        for (text, plain, by_inmobi) in [
            ("1~", false, false),
            ("1~89", true, true),
            ("1~43.46.55.61.70.83.89.93", true, true),
            // The same, and without Meta, by distances.
            ("1~43.3.9.6.9.13.6.4", false, true),
            ("1~43.3.9.6.9.13.10", false, false),
            // 89 as a distance: 100 and 189; 70, 100 and 189.
            ("1~100.89", false, false),
            ("1~70.30.89", false, false),
            // 43 and 46, or 43 and 89; 46 and 43 out of order, or 46 and 89.
            ("1~43.46", false, false),
            ("1~46.43", false, true),
            ("1~89.43", true, true),
            ("1~12.89", true, false),
            ("2~43.46.55.61.70.83.89.93~dv.20", true, true),
        ] {
            assert_eq!(lists_meta(text, false), Some(plain), "{text}");
            assert_eq!(lists_meta(text, true), Some(by_inmobi), "{text}");
        }
    }
}
