//! Which pages are worth learning from, and when: the data plane's memory of what was read, without a lock, and a
//! bound on the time that reading may take.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use http::header::CONTENT_LENGTH;

use crate::proxy::fields::Fields;

/// Pages whose reading is remembered; more share their places, and are read more often.
const SLOTS: usize = 8192;
/// A page with forms is read again after this: forms change when somebody edits them.
const WITH_FORMS: u64 = 300;
/// One without, after this.
const WITHOUT: u64 = 3600;
/// One that has another length than before, after this: it has changed, or its length changes all the time.
const CHANGED: u64 = 2;
/// One whose copy came to nothing, after this.
const UNREAD: u64 = 5;
/// Copies that may be under way or waiting at once.
const MAX_UNDER_WAY: u32 = 16;
/// Submissions that may wait before pages stand back.
const MAX_SUBMISSIONS: u32 = 32;
/// Reading takes at most one part in this of one core, in the long run.
const SHARE: u64 = 100;
/// After a quiet time, so much reading may be done at once.
const BURST: Duration = Duration::from_secs(1);

/// Shared by the workers, which ask, and the lead plane, which reads.
pub struct PageWatch {
    slots: Box<[AtomicU64]>,
    started: Instant,
    /// Until when the time for reading is spent, in microseconds since the start (a leaky bucket, kept as its theoretical
    /// arrival time).
    spent_until: AtomicU64,
    under_way: Arc<AtomicU32>,
    submissions: AtomicU32,
}

impl Default for PageWatch {
    fn default() -> Self {
        Self {
            slots: (0..SLOTS).map(|_| AtomicU64::new(0)).collect(),
            started: Instant::now(),
            spent_until: AtomicU64::new(0),
            under_way: Arc::new(AtomicU32::new(0)),
            submissions: AtomicU32::new(0),
        }
    }
}

/// A copy that is under way, or waits.
pub struct Place(Arc<AtomicU32>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A slot: 20 bits of the page's number, 18 of its length, 2 of what became of it, 24 of when, in seconds since the start
/// (half a year, then everything is due once).
#[derive(Clone, Copy, PartialEq, Eq)]
struct Slot(u64);

/// What became of a page.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Claimed = 1,
    WithForms = 2,
    Without = 3,
}

impl Slot {
    fn new(key: u64, length: u64, fate: Fate, at: u64) -> Self {
        Self(((key & 0xf_ffff) << 44) | ((length & 0x3_ffff) << 26) | ((fate as u64) << 24) | (at & 0xff_ffff))
    }

    fn is_for(self, key: u64) -> bool {
        self.0 != 0 && self.0 >> 44 == key & 0xf_ffff
    }

    fn has_length(self, length: u64) -> bool {
        (self.0 >> 26) & 0x3_ffff == length & 0x3_ffff
    }

    fn with(self, fate: Fate, at: u64) -> Self {
        Self((self.0 & !0x3ff_ffff) | ((fate as u64) << 24) | (at & 0xff_ffff))
    }

    /// Seconds after which it is due again.
    fn interval(self) -> u64 {
        match (self.0 >> 24) & 3 {
            1 => UNREAD,
            2 => WITH_FORMS,
            _ => WITHOUT,
        }
    }

    fn at(self) -> u64 {
        self.0 & 0xff_ffff
    }
}

impl PageWatch {
    /// Whether the page should be copied now; it is then under way until the place is dropped.
    pub fn claim(&self, key: u64, answer: &dyn Fields) -> Option<Place> {
        if self.under_way.load(Ordering::Relaxed) >= MAX_UNDER_WAY
            || self.submissions.load(Ordering::Relaxed) > MAX_SUBMISSIONS
            || self.is_spent()
        {
            return None;
        }
        let (length, now) = (hash(answer.first(&CONTENT_LENGTH)), self.seconds());
        let place = self.slots.get(place_of(key))?;
        let seen = place.load(Ordering::Relaxed);
        let slot = Slot(seen);
        if slot.is_for(key) {
            let interval = if slot.has_length(length) { slot.interval() } else { slot.interval().min(CHANGED) };
            // The clock of a slot comes round every half a year.
            if now.wrapping_sub(slot.at()) & 0xff_ffff < interval {
                return None;
            }
        }
        // Two workers at once: one of them reads it.
        let claimed = Slot::new(key, length, Fate::Claimed, now).0;
        place.compare_exchange(seen, claimed, Ordering::Relaxed, Ordering::Relaxed).ok()?;
        self.under_way.fetch_add(1, Ordering::Relaxed);
        Some(Place(Arc::clone(&self.under_way)))
    }

    /// It has been read.
    pub fn has_read(&self, key: u64, has_forms: bool, took: Duration) {
        self.spend(took);
        let fate = if has_forms { Fate::WithForms } else { Fate::Without };
        if let Some(place) = self.slots.get(place_of(key)) {
            let slot = Slot(place.load(Ordering::Relaxed));
            if slot.is_for(key) {
                place.store(slot.with(fate, self.seconds()).0, Ordering::Relaxed);
            }
        }
    }

    /// The page is to be read at the next opportunity: a submission had fields that are not known of it.
    pub fn forget(&self, key: u64) {
        if let Some(place) = self.slots.get(place_of(key)) {
            place.store(0, Ordering::Relaxed);
        }
    }

    /// A submission has been put into the queue, or taken out of it.
    pub fn count_submission(&self, more: bool) {
        if more {
            self.submissions.fetch_add(1, Ordering::Relaxed);
        } else {
            self.submissions.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn is_spent(&self) -> bool {
        self.spent_until.load(Ordering::Relaxed) > self.micros() + micros(BURST) * SHARE
    }

    fn spend(&self, took: Duration) {
        let from = self.spent_until.load(Ordering::Relaxed).max(self.micros());
        self.spent_until.store(from + micros(took) * SHARE, Ordering::Relaxed);
    }

    fn seconds(&self) -> u64 {
        self.started.elapsed().as_secs()
    }

    fn micros(&self) -> u64 {
        micros(self.started.elapsed())
    }
}

fn hash(value: impl Hash) -> u64 {
    let mut hash = DefaultHasher::new();
    value.hash(&mut hash);
    hash.finish()
}

fn place_of(key: u64) -> usize {
    // The upper bits: the lower ones are in the slot.
    usize::try_from((key >> 20) % SLOTS as u64).unwrap_or_default()
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderMap, HeaderValue};

    fn answer(length: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(CONTENT_LENGTH, HeaderValue::from_static(length))])
    }

    #[test]
    fn a_page_is_read_once_until_it_changes_or_is_forgotten() {
        let watch = PageWatch::default();
        let claims = |key: u64, length| watch.claim(key, &answer(length)).is_some();
        assert!(claims(1 << 20, "10"));
        assert!(!claims(1 << 20, "10"), "under way");
        watch.has_read(1 << 20, true, Duration::ZERO);
        assert!(!claims(1 << 20, "10"));
        assert!(!claims(1 << 20, "11"), "another length, and just read");
        watch.forget(1 << 20);
        assert!(claims(1 << 20, "11"));
        assert!(claims(2 << 20, "11"));
    }

    #[test]
    fn when_a_page_is_due_depends_on_what_was_found() {
        let slot = Slot::new(7, 10, Fate::Claimed, 5);
        assert!(slot.is_for(7) && !slot.is_for(8) && slot.has_length(10) && !slot.has_length(11));
        assert_eq!((slot.at(), slot.interval()), (5, UNREAD));
        let read = slot.with(Fate::WithForms, 9);
        assert!(read.is_for(7) && read.has_length(10));
        assert_eq!((read.at(), read.interval()), (9, WITH_FORMS));
        assert_eq!(slot.with(Fate::Without, 9).interval(), WITHOUT);
        assert!(!Slot(0).is_for(0), "an empty slot is nobody's");
        let late = (1 << 24) + 7;
        let age = |now: u64| now.wrapping_sub(Slot::new(7, 10, Fate::Claimed, late).at()) & 0xff_ffff;
        assert_eq!((age(late), age(late + 3)), (0, 3), "after half a year");
    }

    #[test]
    fn reading_stops_when_its_time_is_spent_or_submissions_wait() {
        let watch = PageWatch::default();
        watch.has_read(1 << 20, true, BURST);
        assert!(watch.claim(2 << 20, &HeaderMap::new()).is_some(), "a burst is fine");
        watch.has_read(2 << 20, true, BURST / 10);
        assert!(watch.claim(3 << 20, &HeaderMap::new()).is_none());

        let watch = PageWatch::default();
        for _ in 0..=MAX_SUBMISSIONS {
            watch.count_submission(true);
        }
        assert!(watch.claim(1 << 20, &HeaderMap::new()).is_none());
        watch.count_submission(false);
        let mut places: Vec<_> =
            (0..MAX_UNDER_WAY).map(|n| watch.claim(u64::from(n + 9) << 20, &HeaderMap::new()).unwrap()).collect();
        assert!(watch.claim(2 << 20, &HeaderMap::new()).is_none());
        places.pop();
        assert!(watch.claim(2 << 20, &HeaderMap::new()).is_some());
    }
}
