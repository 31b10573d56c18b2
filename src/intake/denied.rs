//! The memory of denied submissions, so that a double click is one event-only event. It ends with the process.

use std::collections::HashMap;

use crate::exchange::UnixMillis;
use crate::outbox::SEEN_FOR;

/// Submissions remembered at most: about 8 MiB.
const CAPACITY: usize = 50_000;

/// Fingerprints of denied submissions, under a key that no one else has.
#[derive(Default)]
pub struct DeniedMemory(HashMap<[u8; 32], (UnixMillis, String)>);

impl DeniedMemory {
    /// The first one's id if this is a repeat within [`SEEN_FOR`]; else it is remembered with `event_id`.
    pub fn first_id(&mut self, fingerprint: [u8; 32], event_id: &str, now: UnixMillis) -> Option<String> {
        let window = u64::try_from(SEEN_FOR.as_millis()).unwrap_or(u64::MAX);
        let fresh = |at: UnixMillis| now.0.saturating_sub(at.0) < window;
        if let Some((_, first)) = self.0.get(&fingerprint).filter(|(at, _)| fresh(*at)) {
            return Some(first.clone());
        }
        if self.0.len() >= CAPACITY {
            self.0.retain(|_, (at, _)| fresh(*at));
            if self.0.len() >= CAPACITY {
                // Full of fresh ones: a flood. Forgetting all of it costs at worst a second event without user data.
                self.0.clear();
            }
        }
        self.0.insert(fingerprint, (now, event_id.to_owned()));
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeat_gets_the_first_ones_id_for_48_hours() {
        let mut memory = DeniedMemory::default();
        let hours = |h: u64| UnixMillis(h * 3_600_000);
        assert_eq!(memory.first_id([1; 32], "a", hours(0)), None);
        assert_eq!(memory.first_id([1; 32], "b", hours(47)).as_deref(), Some("a"));
        assert_eq!(memory.first_id([2; 32], "c", hours(47)), None);
        assert_eq!(memory.first_id([1; 32], "d", hours(49)), None);
    }
}
