//! What may happen to a store. Few different values: they must meet.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::Index;

use super::super::*;

pub const PIXELS: [&str; 2] = ["111", "222"];

#[derive(Clone, Debug)]
pub struct Submission {
    pub print: u8,
    /// A supplied id, and whose contact data came with it.
    pub supplied: Option<(u8, u8)>,
    pub tie: Option<u8>,
    /// The first, the second, both.
    pub pixels: u8,
    /// Seconds after the start.
    pub time: u64,
    pub event_only: bool,
}

impl Submission {
    pub fn admission(&self) -> Admission {
        let pixels =
            PIXELS.iter().zip([1, 2]).filter(|(_, bit)| self.pixels & bit != 0).map(|(&pixel, _)| pixel.to_owned());
        let mut admission = match self.supplied {
            Some((id, contact)) => with_id(self.print, &format!("page-{id}"), contact),
            None => admission(self.print),
        };
        admission.pixels = pixels.collect();
        admission.ties = self.tie.iter().map(|&tie| [tie; TIE_BYTES]).collect();
        admission.event_time = START.as_secs() + self.time;
        admission.event_only = self.event_only;
        admission
    }
}

#[derive(Clone, Debug)]
pub struct Take {
    pub pixel: usize,
    pub limit: usize,
    pub max_bytes: usize,
    pub oldest: bool,
}

impl Take {
    pub fn wanted(&self, now: UnixMillis) -> Wanted {
        let order = if self.oldest { Order::Oldest } else { Order::Newest };
        Wanted { order, ..wanted(PIXELS[self.pixel], now, self.limit, self.max_bytes) }
    }
}

#[derive(Clone, Copy, Debug)]
pub enum End {
    Delivered,
    Refused,
    Dead,
    Retry { minutes: u64, counts: bool, in_doubt: bool, changed: bool },
}

#[derive(Clone, Debug)]
pub enum Step {
    Submit(Vec<Submission>),
    Take(Take),
    /// Of what is on its way, which, and what became of it.
    Settle(Vec<(Index, End)>),
    Crash,
    /// The submission, the browser, whether a bare event is left of it after a no.
    Hold(Submission, u8, bool),
    Choose(Choice),
    Withdraw(u8),
    Retry(Index),
    RetryAll,
    Drop(Index),
    Erase(u8),
    /// Minutes.
    Clock(i64),
    /// 48 hours of the memory.
    Forget,
    Sweep,
}

fn submission() -> impl Strategy<Value = Submission> {
    let only = prop::bool::weighted(0.15);
    (0..6_u8, option::of((0..3_u8, 0..3_u8)), option::of(100..103_u8), 1..4_u8, 0..4_u64, only).prop_map(
        |(print, supplied, tie, pixels, time, event_only)| Submission {
            print,
            supplied,
            tie,
            pixels,
            time,
            event_only,
        },
    )
}

fn take() -> impl Strategy<Value = Take> {
    (0..2_usize, 1..5_usize, prop_oneof![Just(1 << 20), Just(1), Just(80)], any::<bool>())
        .prop_map(|(pixel, limit, max_bytes, oldest)| Take { pixel, limit, max_bytes, oldest })
}

fn end() -> impl Strategy<Value = End> {
    let retry = (prop_oneof![Just(0), 1..300_u64, Just(1000)], any::<bool>(), any::<bool>(), prop::bool::weighted(0.2));
    prop_oneof![
        3 => Just(End::Delivered),
        1 => Just(End::Refused),
        2 => Just(End::Dead),
        4 => retry.prop_map(|(minutes, counts, in_doubt, changed)| End::Retry { minutes, counts, in_doubt, changed }),
    ]
}

/// Forth and back, around what is waited for: a retry, the longest wait, 48 hours, the week that Meta takes an event.
fn minutes() -> impl Strategy<Value = i64> {
    prop_oneof![
        4 => 1..120_i64,
        2 => Just(7 * 60),
        1 => Just(49 * 60),
        1 => Just(8 * 24 * 60),
        2 => -120..0_i64,
        1 => Just(-7 * 60),
        1 => Just(-49 * 60),
    ]
}

fn choice() -> impl Strategy<Value = Choice> {
    prop_oneof![
        (0..2_u8).prop_map(|browser| Choice::Granted([browser; 32])),
        (0..2_u8).prop_map(|browser| Choice::Denied([browser; 32])),
        Just(Choice::Expired),
    ]
}

pub fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => vec(submission(), 1..4).prop_map(Step::Submit),
        8 => take().prop_map(Step::Take),
        8 => vec((any::<Index>(), end()), 1..4).prop_map(Step::Settle),
        2 => Just(Step::Crash),
        // What is held is a lead: only the bare event that may be left of it is event-only.
        3 => (submission(), 0..2_u8, any::<bool>())
            .prop_map(|(one, browser, bare)| Step::Hold(Submission { event_only: false, ..one }, browser, bare)),
        3 => choice().prop_map(Step::Choose),
        2 => (100..103_u8).prop_map(Step::Withdraw),
        1 => any::<Index>().prop_map(Step::Retry),
        1 => Just(Step::RetryAll),
        2 => any::<Index>().prop_map(Step::Drop),
        1 => (0..6_u8).prop_map(Step::Erase),
        4 => minutes().prop_map(Step::Clock),
        1 => Just(Step::Forget),
        2 => Just(Step::Sweep),
    ];
    vec(step, 1..50)
}
