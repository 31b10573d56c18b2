//! A bounded, refcounted copy of a body that passes. It can fail; the body it copies cannot fail through it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::{Bytes, BytesMut};

use super::hooks::BodyFilter;
use crate::exchange::Captured;

/// Frames below this size are copied together: a refcount on a ten-byte slice would keep a whole read buffer alive
/// and make the budget a lie.
const COPY_BELOW: usize = 4096;

/// The memory that all captures of the process may use together.
#[derive(Debug)]
pub struct Budget {
    used: AtomicUsize,
    limit: usize,
}

impl Budget {
    /// A budget of that many bytes.
    #[must_use]
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { used: AtomicUsize::new(0), limit })
    }

    /// Bytes in use.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Whether half of it is in use: what can be done without must stand back then.
    #[must_use]
    pub fn is_tight(&self) -> bool {
        self.used() > self.limit / 2
    }

    fn take(&self, bytes: usize) -> bool {
        let before = self.used.fetch_add(bytes, Ordering::Relaxed);
        let fits = before.saturating_add(bytes) <= self.limit;
        if !fits {
            self.used.fetch_sub(bytes, Ordering::Relaxed);
        }
        fits
    }
}

/// A part of the budget, given back on drop. It travels with the copy.
#[derive(Debug)]
pub struct Reservation {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Reservation {
    fn give_back(&mut self) {
        self.budget.used.fetch_sub(std::mem::take(&mut self.bytes), Ordering::Relaxed);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.give_back();
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Copying,
    Complete,
    OverCap,
    OverBudget,
}

/// The copy of one body.
pub struct Tee {
    frames: Vec<Bytes>,
    tail: BytesMut,
    cap: usize,
    filter: Option<Box<dyn BodyFilter>>,
    filtered: bool,
    /// It gives way as soon as the budget is tight.
    spares: bool,
    state: State,
    reserved: Reservation,
}

impl Tee {
    /// A copy of at most `cap` bytes.
    #[must_use]
    pub fn new(cap: usize, budget: &Arc<Budget>, filter: Option<Box<dyn BodyFilter>>) -> Self {
        Self {
            frames: Vec::new(),
            tail: BytesMut::new(),
            cap,
            filtered: filter.is_some(),
            filter,
            spares: false,
            state: State::Copying,
            reserved: Reservation { budget: Arc::clone(budget), bytes: 0 },
        }
    }

    /// The same for a copy that can be done without: it ends when half of the budget is in use.
    #[must_use]
    pub fn sparing(cap: usize, budget: &Arc<Budget>) -> Self {
        Self { spares: true, ..Self::new(cap, budget, None) }
    }

    /// The next frame of the body.
    pub fn push(&mut self, frame: &Bytes) {
        if self.state != State::Copying {
            return;
        }
        let Some(mut filter) = self.filter.take() else { return self.keep(frame) };
        let mut kept = Vec::new();
        filter.push(frame, &mut kept);
        for piece in &kept {
            self.keep(piece);
        }
        self.filter = Some(filter);
    }

    /// The body has ended.
    pub fn end(&mut self) {
        if self.state != State::Copying {
            return;
        }
        if let Some(mut filter) = self.filter.take() {
            let mut kept = Vec::new();
            filter.finish(&mut kept);
            for piece in &kept {
                self.keep(piece);
            }
        }
        if self.state == State::Copying {
            self.state = State::Complete;
        }
    }

    /// The result, with the memory it holds. A body that never ended is [`Captured::Aborted`].
    #[must_use]
    pub fn into_captured(mut self) -> (Captured, Reservation) {
        self.flush_tail();
        let captured = match self.state {
            State::Complete => Captured::Whole(self.joined()),
            State::OverCap => Captured::OverCap,
            State::OverBudget => Captured::OverBudget,
            State::Copying => Captured::Aborted,
        };
        (captured, self.reserved)
    }

    fn keep(&mut self, piece: &Bytes) {
        if self.state != State::Copying || piece.is_empty() {
            return;
        }
        if piece.len() > self.cap.saturating_sub(self.reserved.bytes) {
            return self.give_up(State::OverCap);
        }
        if (self.spares && self.reserved.budget.is_tight()) || !self.reserved.budget.take(piece.len()) {
            return self.give_up(State::OverBudget);
        }
        self.reserved.bytes += piece.len();
        // What a filter picks out of a frame must not keep the whole frame: the budget counts what is kept.
        if self.filtered || piece.len() < COPY_BELOW {
            self.tail.extend_from_slice(piece);
        } else {
            self.flush_tail();
            self.frames.push(piece.clone());
        }
    }

    /// A part of a body proves nothing, so nothing of it is kept, and its memory goes back at once: the transfer may last.
    fn give_up(&mut self, state: State) {
        self.state = state;
        self.filter = None;
        self.frames = Vec::new();
        self.tail = BytesMut::new();
        self.reserved.give_back();
    }

    fn flush_tail(&mut self) {
        if !self.tail.is_empty() {
            self.frames.push(self.tail.split().freeze());
        }
    }

    fn joined(&mut self) -> Bytes {
        match self.frames.len() {
            1 => self.frames.swap_remove(0),
            _ => self.frames.concat().into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tee(cap: usize, budget: &Arc<Budget>) -> Tee {
        Tee::new(cap, budget, None)
    }

    #[test]
    fn a_body_within_the_cap_is_copied_whole_whatever_its_frames() {
        let budget = Budget::new(1 << 20);
        let mut copy = tee(64 * 1024, &budget);
        let mut expected = Vec::new();
        for (i, size) in [1, 10, 5000, 3, 4096, 0, 70].into_iter().enumerate() {
            let frame = Bytes::from(vec![u8::try_from(i).unwrap(); size]);
            expected.extend_from_slice(&frame);
            copy.push(&frame);
        }
        copy.end();
        assert_eq!(budget.used(), expected.len());
        let (captured, memory) = copy.into_captured();
        assert_eq!(captured.whole(), Some(&expected[..]));
        drop(memory);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn a_body_of_exactly_the_cap_is_whole_and_one_byte_more_is_not() {
        let budget = Budget::new(1 << 20);
        for (size, whole) in [(100, true), (101, false)] {
            let mut copy = tee(100, &budget);
            copy.push(&Bytes::from(vec![b'x'; size]));
            copy.end();
            assert_eq!(budget.used(), if whole { 100 } else { 0 }, "a copy that proves nothing takes no memory");
            let (captured, _memory) = copy.into_captured();
            assert_eq!(captured.whole().is_some(), whole);
        }
    }

    #[test]
    fn a_spent_budget_costs_the_copy_and_gives_its_memory_back() {
        let budget = Budget::new(100);
        let mut first = tee(1000, &budget);
        first.push(&Bytes::from(vec![b'a'; 80]));
        let mut second = tee(1000, &budget);
        second.push(&Bytes::from(vec![b'b'; 80]));
        second.end();
        assert!(matches!(second.into_captured().0, Captured::OverBudget));
        drop(first);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn a_copy_that_can_be_done_without_leaves_half_of_the_budget() {
        let budget = Budget::new(100);
        let mut page = Tee::sparing(1000, &budget);
        for _ in 0..10 {
            page.push(&Bytes::from(vec![b'a'; 10]));
        }
        page.end();
        assert!(matches!(page.into_captured().0, Captured::OverBudget));
        assert_eq!(budget.used(), 0);
        let mut submission = tee(1000, &budget);
        submission.push(&Bytes::from(vec![b'b'; 90]));
        submission.end();
        assert_eq!(submission.into_captured().0.bytes().len(), 90);
    }

    #[test]
    fn what_a_filter_picks_does_not_hold_the_frame_it_came_from() {
        struct Every(usize);
        impl BodyFilter for Every {
            fn push(&mut self, frame: &Bytes, keep: &mut Vec<Bytes>) {
                keep.push(frame.slice(..self.0));
            }
            fn finish(&mut self, _keep: &mut Vec<Bytes>) {}
        }
        let budget = Budget::new(1 << 20);
        let mut copy = Tee::new(1 << 20, &budget, Some(Box::new(Every(5000))));
        let frame = Bytes::from(vec![b'x'; 500_000]);
        copy.push(&frame);
        copy.end();
        assert!(frame.is_unique(), "the frame is nobody's but ours");
        assert_eq!((budget.used(), copy.into_captured().0.bytes().len()), (5000, 5000));
    }

    #[test]
    fn a_body_that_never_ended_proves_nothing() {
        let budget = Budget::new(100);
        let mut copy = tee(1000, &budget);
        copy.push(&Bytes::from_static(b"a=b"));
        assert!(matches!(copy.into_captured().0, Captured::Aborted));
    }
}
