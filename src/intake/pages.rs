//! Which pages are worth learning from, and when: the data plane's memory of what was read, without a lock, and a
//! bound on the time that reading may take.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use http::header::CONTENT_LENGTH;
use http::{HeaderMap, HeaderValue};

/// Pages whose reading is remembered; more share their places, and are read more often.
const SLOTS: usize = 8192;
/// A page with forms is read again after this: forms change when somebody edits them.
const WITH_FORMS: Duration = Duration::from_secs(300);
/// One without, after this.
const WITHOUT: Duration = Duration::from_secs(3600);
/// One that is being read.
const IN_HAND: Duration = Duration::from_secs(5);
/// Copies that may wait at once.
const MAX_WAITING: u32 = 8;
/// Submissions that may wait before pages stand back.
const MAX_SUBMISSIONS: u32 = 32;
/// Reading takes at most one part in this of one core, in the long run.
const SHARE: u32 = 50;
/// After a quiet time, so much reading may be done at once.
const BURST: Duration = Duration::from_secs(1);

/// Shared by the workers, which ask, and the lead plane, which reads. A slot holds 40 bits of what page it is for and 24
/// bits of when it is due again, in seconds since the start.
pub struct PageWatch {
    slots: Box<[AtomicU64]>,
    started: Instant,
    /// Until when the time for reading is spent, in microseconds since the start (a leaky bucket, kept as its theoretical
    /// arrival time).
    spent_until: AtomicU64,
    waiting: AtomicU32,
    submissions: AtomicU32,
}

impl Default for PageWatch {
    fn default() -> Self {
        Self {
            slots: (0..SLOTS).map(|_| AtomicU64::new(0)).collect(),
            started: Instant::now(),
            spent_until: AtomicU64::new(0),
            waiting: AtomicU32::new(0),
            submissions: AtomicU32::new(0),
        }
    }
}

/// 2^24 - 1 seconds are half a year; then everything is due, once.
const DUE_BITS: u32 = 24;
const DUE_MASK: u64 = (1 << DUE_BITS) - 1;

impl PageWatch {
    /// Whether the page should be copied now; it is then in hand.
    pub fn claim(&self, key: &str, answer: &HeaderMap) -> bool {
        if self.waiting.load(Ordering::Relaxed) >= MAX_WAITING
            || self.submissions.load(Ordering::Relaxed) > MAX_SUBMISSIONS
            || self.is_spent()
        {
            return false;
        }
        let (slot, tag) = Self::place(key, answer);
        let Some(slot) = self.slots.get(slot) else { return false };
        let now = self.seconds();
        let seen = slot.load(Ordering::Relaxed);
        if seen & !DUE_MASK == tag && now < seen & DUE_MASK {
            return false;
        }
        // Two workers at once: one of them reads it.
        let value = tag | ((now + IN_HAND.as_secs()) & DUE_MASK);
        slot.compare_exchange(seen, value, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// It has been read. A page that was left unread comes up again when it is no longer in hand.
    pub fn has_read(&self, key: &str, has_forms: bool, took: Duration) {
        self.spend(took);
        // The length that it came with is part of the tag and unknown here; the place is not.
        let Some(slot) = self.slots.get(place_of(key)) else { return };
        let due = self.seconds() + if has_forms { WITH_FORMS } else { WITHOUT }.as_secs();
        let seen = slot.load(Ordering::Relaxed);
        slot.store((seen & !DUE_MASK) | (due & DUE_MASK), Ordering::Relaxed);
    }

    /// The page is to be read at the next opportunity: a submission had fields that are not known of it.
    pub fn forget(&self, key: &str) {
        if let Some(slot) = self.slots.get(place_of(key)) {
            slot.store(0, Ordering::Relaxed);
        }
    }

    /// A copy has been put into the queue, or taken out of it.
    pub fn count_waiting(&self, more: bool) {
        count(&self.waiting, more);
    }

    /// The same for a submission.
    pub fn count_submission(&self, more: bool) {
        count(&self.submissions, more);
    }

    fn is_spent(&self) -> bool {
        let window = micros(BURST) * u64::from(SHARE);
        self.spent_until.load(Ordering::Relaxed) > self.micros() + window
    }

    fn spend(&self, took: Duration) {
        let cost = micros(took) * u64::from(SHARE);
        let from = self.spent_until.load(Ordering::Relaxed).max(self.micros());
        self.spent_until.store(from + cost, Ordering::Relaxed);
    }

    /// A page that has another length is another page: it has changed, or somebody else is served there.
    fn place(key: &str, answer: &HeaderMap) -> (usize, u64) {
        let mut hash = DefaultHasher::new();
        key.hash(&mut hash);
        answer.get(CONTENT_LENGTH).map(HeaderValue::as_bytes).hash(&mut hash);
        (place_of(key), hash.finish() & !DUE_MASK)
    }

    fn seconds(&self) -> u64 {
        self.started.elapsed().as_secs()
    }

    fn micros(&self) -> u64 {
        micros(self.started.elapsed())
    }
}

fn place_of(key: &str) -> usize {
    let mut hash = DefaultHasher::new();
    key.hash(&mut hash);
    usize::try_from(hash.finish() % SLOTS as u64).unwrap_or_default()
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

fn count(counter: &AtomicU32, more: bool) {
    if more {
        counter.fetch_add(1, Ordering::Relaxed);
    } else {
        counter.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn answer(length: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(CONTENT_LENGTH, HeaderValue::from_static(length))])
    }

    #[test]
    fn a_page_is_read_once_until_it_changes_or_is_forgotten() {
        let watch = PageWatch::default();
        assert!(watch.claim("a", &answer("10")));
        assert!(!watch.claim("a", &answer("10")), "in hand");
        watch.has_read("a", true, Duration::ZERO);
        assert!(!watch.claim("a", &answer("10")));
        assert!(watch.claim("a", &answer("11")), "another length");
        watch.forget("a");
        assert!(watch.claim("a", &answer("11")));
        assert!(watch.claim("b", &HeaderMap::new()));
    }

    #[test]
    fn reading_stops_when_its_time_is_spent_or_submissions_wait() {
        let watch = PageWatch::default();
        watch.has_read("a", true, BURST);
        assert!(watch.claim("b", &HeaderMap::new()), "a burst is fine");
        watch.has_read("b", true, BURST / 10);
        assert!(!watch.claim("c", &HeaderMap::new()));

        let watch = PageWatch::default();
        for _ in 0..=MAX_SUBMISSIONS {
            watch.count_submission(true);
        }
        assert!(!watch.claim("a", &HeaderMap::new()));
        watch.count_submission(false);
        for _ in 0..MAX_WAITING {
            assert!(watch.claim("a", &HeaderMap::new()));
            watch.count_waiting(true);
            watch.forget("a");
        }
        assert!(!watch.claim("a", &HeaderMap::new()));
    }
}
