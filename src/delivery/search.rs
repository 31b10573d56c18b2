//! Which events of a refused request are the wrong ones. Pure; knows nothing of events.
//!
//! Meta refuses a whole request for one wrong event. So a refused group is halved, and only *one* half is sent: accepted,
//! it proves that the other half holds the culprit; refused, the other half joins those of whom nothing is known. A culprit
//! costs ⌈log₂ n⌉ requests that way, and one more for those of whom nothing is known; sending both halves costs twice as
//! much. Where culprits are many, groups shrink to the size in which one is to be expected, so that even a batch of
//! nothing else costs no more than three requests per event.

/// So many culprits in one batch are no longer an exception.
const MANY: usize = 4;

/// The search within one batch.
pub struct Search<T> {
    /// At least one of these is wrong. Never one alone: that one is a culprit.
    suspects: Vec<T>,
    /// Nothing is known of these.
    unknown: Vec<T>,
    /// The size of the batch.
    total: usize,
    /// Culprits so far.
    found: usize,
}

impl<T> Search<T> {
    /// Of these.
    pub fn new(batch: Vec<T>) -> Self {
        Self { total: batch.len(), suspects: Vec::new(), unknown: batch, found: 0 }
    }

    /// What to send next; `None` when all have been dealt with. An accepted group needs no word, a refused one goes to
    /// [`Search::refused`]; then ask for a culprit.
    pub fn next_group(&mut self) -> Option<Vec<T>> {
        let group: Vec<T> = if self.suspects.is_empty() {
            self.unknown.drain(..self.stretch()).collect()
        } else {
            self.suspects.drain(..self.suspects.len() / 2).collect()
        };
        (!group.is_empty()).then_some(group)
    }

    /// How many of the unknown to try at once.
    fn stretch(&self) -> usize {
        let left = self.unknown.len();
        if self.found < MANY { left } else { ((self.total - left) / self.found).max(1).min(left) }
    }

    /// A group that was refused.
    pub fn refused(&mut self, group: Vec<T>) {
        self.unknown.append(&mut self.suspects);
        self.suspects = group;
    }

    /// The one event that must be what the last refusal was about.
    pub fn culprit(&mut self) -> Option<T> {
        let culprit = if self.suspects.len() == 1 { self.suspects.pop() } else { None };
        self.found += usize::from(culprit.is_some());
        culprit
    }

    /// What has not been dealt with, when the search is broken off.
    pub fn rest(mut self) -> Vec<T> {
        self.suspects.append(&mut self.unknown);
        self.suspects
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What was accepted, who was found, and how many requests it took.
    fn search(batch: u32, wrong: &[u32]) -> (Vec<u32>, Vec<u32>, u32) {
        let mut search = Search::new((0..batch).collect());
        let (mut accepted, mut culprits, mut requests) = (Vec::new(), Vec::new(), 0);
        while let Some(group) = search.next_group() {
            requests += 1;
            if group.iter().any(|event| wrong.contains(event)) {
                search.refused(group);
            } else {
                accepted.extend(group);
            }
            culprits.extend(search.culprit());
        }
        accepted.sort_unstable();
        culprits.sort_unstable();
        (accepted, culprits, requests)
    }

    proptest! {
        #[test]
        fn exactly_the_wrong_ones_are_found_and_the_others_sent_once(
            batch in 0_u32..200,
            wrong in prop_oneof![
                prop::collection::btree_set(0_u32..200, 0..5),
                prop::collection::btree_set(0_u32..200, 0..200),
            ]
        ) {
            let wrong: Vec<_> = wrong.into_iter().filter(|event| *event < batch).collect();
            let (accepted, culprits, requests) = search(batch, &wrong);
            prop_assert_eq!(&culprits, &wrong);
            prop_assert_eq!(accepted, (0..batch).filter(|event| !wrong.contains(event)).collect::<Vec<_>>());
            let each = batch.max(1).next_power_of_two().ilog2() + 1;
            let found = u32::try_from(wrong.len()).unwrap();
            prop_assert!(found >= 4 || requests <= 1 + found * each, "{} requests", requests);
            prop_assert!(requests <= 1 + 3 * batch, "{} requests", requests);
        }
    }

    #[test]
    fn one_wrong_event_of_fifty_costs_seven_requests_at_most() {
        for wrong in 0..50 {
            assert!(search(50, &[wrong]).2 <= 1 + 7);
        }
        assert_eq!(search(50, &[]).2, 1);
    }
}
