//! Which events of a refused request are the wrong ones. Pure; knows nothing of events.
//!
//! Meta refuses a whole request for one wrong event. So a refused group is halved, and only *one* half is sent: accepted,
//! it proves that the other half holds the culprit; refused, the other half joins those of whom nothing is known. A culprit
//! costs ⌈log₂ n⌉ requests that way, one more by itself if it was found by the others' being accepted, and one for those of
//! whom nothing is known; sending both halves costs twice as much. Where culprits are many, groups shrink to the size in
//! which one is to be expected, so that even a batch of nothing else costs no more than three requests per event.

/// So many culprits in one batch are no longer an exception.
const MANY: usize = 4;

/// The search within one batch.
pub struct Search<T> {
    /// At least one of these is wrong. Never one alone: that one is the `culprit`.
    suspects: Vec<T>,
    /// Nothing is known of these.
    unknown: Vec<T>,
    /// Found by the others' being accepted. It is sent by itself to learn what is wrong with it: without its click id it
    /// may be good.
    culprit: Option<T>,
    /// The group that was sent last is a culprit by itself.
    by_itself: bool,
    /// The size of the batch.
    total: usize,
    /// Culprits so far.
    found: usize,
}

impl<T> Search<T> {
    /// Of these.
    pub fn new(batch: Vec<T>) -> Self {
        let total = batch.len();
        Self { suspects: Vec::new(), unknown: batch, culprit: None, by_itself: false, total, found: 0 }
    }

    /// What to send next; `None` when all have been dealt with. The answer goes to [`Search::accepted`] or
    /// [`Search::refused`].
    pub fn next_group(&mut self) -> Option<Vec<T>> {
        let culprit = self.culprit.take();
        self.by_itself = culprit.is_some();
        let group: Vec<T> = match culprit {
            Some(culprit) => vec![culprit],
            None if self.suspects.is_empty() => self.unknown.drain(..self.stretch()).collect(),
            None => self.suspects.drain(..self.suspects.len() / 2).collect(),
        };
        (!group.is_empty()).then_some(group)
    }

    /// How many of the unknown to try at once.
    fn stretch(&self) -> usize {
        let left = self.unknown.len();
        if self.found < MANY { left } else { ((self.total - left) / self.found).max(1).min(left) }
    }

    /// The last group was accepted.
    pub fn accepted(&mut self) {
        if !self.by_itself && self.suspects.len() == 1 {
            self.culprit = self.suspects.pop();
            self.found += 1;
        }
    }

    /// The last group was refused. Returns the culprit that it consists of, judged by its own refusal.
    pub fn refused(&mut self, mut group: Vec<T>) -> Option<T> {
        if self.by_itself {
            return group.pop();
        }
        self.unknown.append(&mut self.suspects);
        if group.len() == 1 {
            self.found += 1;
            return group.pop();
        }
        self.suspects = group;
        None
    }

    /// What has not been dealt with, when the search is broken off.
    pub fn rest(mut self) -> Vec<T> {
        self.suspects.append(&mut self.unknown);
        self.suspects.extend(self.culprit);
        self.suspects
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What came of a batch, and how many requests it took.
    #[derive(Default)]
    struct Found {
        accepted: Vec<u32>,
        culprits: Vec<u32>,
        requests: u32,
    }

    /// As the worker does: group by group. What can be mended (without its click id it is good) comes again, mended, with
    /// the next batch.
    fn search(batch: u32, wrong: &[u32], mendable: impl Fn(u32) -> bool) -> Found {
        let mut found = Found::default();
        let (mut due, mut mended): (Vec<u32>, Vec<u32>) = ((0..batch).collect(), Vec::new());
        while !due.is_empty() {
            let mut search = Search::new(std::mem::take(&mut due));
            while let Some(group) = search.next_group() {
                found.requests += 1;
                if !group.iter().any(|event| wrong.contains(event) && !mended.contains(event)) {
                    found.accepted.extend(group);
                    search.accepted();
                } else if let Some(culprit) = search.refused(group) {
                    found.culprits.push(culprit);
                    if mendable(culprit) {
                        mended.push(culprit);
                        due.push(culprit);
                    }
                }
            }
            assert!(search.rest().is_empty());
        }
        found.accepted.sort_unstable();
        found.culprits.sort_unstable();
        found
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
            let Found { accepted, culprits, requests } = search(batch, &wrong, |_| false);
            prop_assert_eq!(&culprits, &wrong);
            prop_assert_eq!(accepted, (0..batch).filter(|event| !wrong.contains(event)).collect::<Vec<_>>());
            let each = batch.max(1).next_power_of_two().ilog2() + 2;
            let found = u32::try_from(wrong.len()).unwrap();
            prop_assert!(found >= 4 || requests <= 1 + found * each, "{} requests", requests);
            prop_assert!(requests <= 1 + 3 * batch, "{} requests", requests);
        }

        #[test]
        fn of_fifty_events_k_wrong_ones_cost_2_k_log2_50_and_2_requests_more_at_most(
            order in Just((0_u32..50).collect::<Vec<_>>()).prop_shuffle(), mendable in any::<u64>()
        ) {
            for k in 1..=50_u32 {
                let wrong = &order[..usize::try_from(k).unwrap()];
                let found = search(50, wrong, |event| mendable >> event & 1 == 1);
                let extra = f64::from(found.requests - 1);
                prop_assert!(extra <= 2.0 * f64::from(k) * 50_f64.log2() + 2.0, "{} for {}", extra, k);
                let dead = wrong.iter().filter(|event| mendable >> **event & 1 == 0).count();
                prop_assert_eq!(found.accepted.len(), 50 - dead);
            }
        }
    }

    #[test]
    fn one_wrong_event_of_fifty_costs_eight_requests_at_most() {
        let costs = |wrong: &[u32]| search(50, wrong, |_| false).requests - 1;
        assert!((0..50).all(|wrong| costs(&[wrong]) <= 8));
        assert_eq!(costs(&[]), 0);
        let all: Vec<_> = (0..50).collect();
        assert!(costs(&all) <= 75, "{}", costs(&all));
    }
}
