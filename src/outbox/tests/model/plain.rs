//! A store in plain lists, written to be read. What it knows of time, it is told.

mod admit;
mod queue;

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::sample::Index;

use super::super::*;
use super::steps::{End, Step, Take};

/// What a step came to.
#[derive(Debug, PartialEq)]
pub enum Answer {
    Done,
    Admitted(Vec<Admitted>),
    /// Event, body, attempts, since when in doubt.
    Taken(Vec<(String, Arc<str>, u32, Option<UnixMillis>)>),
    Holding(Holding),
    /// In the order of the store: none is promised.
    Released(Vec<(u8, Option<Admitted>)>),
    Count(usize),
}

struct Event {
    id: String,
    time: u64,
    only: bool,
    /// `None`: erased.
    body: Option<Arc<str>>,
    ties: Vec<Tie>,
    /// The submission that it remembers, whose own id it has, and since when; no sweep takes that away.
    print: Option<([u8; 32], UnixMillis)>,
}

struct Delivery {
    event: usize,
    pixel: String,
    state: &'static str,
    reason: Option<&'static str>,
    attempts: u32,
    due_at: UnixMillis,
    in_doubt_since: Option<UnixMillis>,
    /// Somebody has it on its way.
    taken: bool,
    /// An answer was recorded.
    answered: bool,
    /// An operator removed it.
    dropped: bool,
}

/// An id, and when it was given.
type Seen = (String, UnixMillis);

pub struct Plain {
    pub now: UnixMillis,
    own_clock: bool,
    /// Those that no event remembers.
    prints: BTreeMap<[u8; 32], Seen>,
    supplied: BTreeMap<(String, [u8; 32]), Seen>,
    /// In the order in which they came, as the deliveries are.
    events: Vec<Event>,
    deliveries: Vec<Delivery>,
    held: BTreeMap<u8, Held>,
}

/// An operator's retry is due by the system's clock: long before all of this.
const LONG_AGO: UnixMillis = UnixMillis(0);

fn less(time: UnixMillis, by: Duration) -> UnixMillis {
    UnixMillis(time.0 - u64::try_from(by.as_millis()).unwrap())
}

impl Plain {
    pub fn new(kind: &dyn Kind) -> Self {
        let own_clock = kind.forgets_by_its_own_clock();
        let (prints, supplied, held) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { now: START, own_clock, prints, supplied, events: Vec::new(), deliveries: Vec::new(), held }
    }

    pub fn act(&mut self, step: &Step, found: &Answer) -> Answer {
        match step {
            Step::Submit(submissions) => {
                Answer::Admitted(submissions.iter().map(|one| self.admit(&one.admission())).collect())
            }
            Step::Take(take) => Answer::Taken(self.take(take)),
            Step::Settle(ends) => {
                for (nth, verdict) in self.picked(ends) {
                    self.settle(nth, verdict);
                }
                Answer::Done
            }
            Step::Crash => {
                self.deliveries.iter_mut().for_each(|delivery| delivery.taken = false);
                Answer::Done
            }
            Step::Hold(submission, browser, bare) => {
                let held =
                    Held { until: UnixMillis(self.now.0 + HOUR), ..held(submission.admission(), *browser, *bare) };
                Answer::Holding(self.hold(held))
            }
            Step::Choose(choice) => Answer::Released(self.choose(*choice, found)),
            Step::Withdraw(tie) => Answer::Count(self.withdraw([*tie; TIE_BYTES])),
            Step::Retry(index) => Answer::Count(self.any(*index).map_or(0, |nth| self.retry(nth))),
            Step::RetryAll => Answer::Count((0..self.deliveries.len()).map(|nth| self.retry(nth)).sum()),
            Step::Drop(index) => {
                let nth = self.any(*index);
                if let Some(nth) = nth {
                    self.deliveries[nth].dropped = true;
                    self.erase_unneeded(nth);
                }
                Answer::Count(usize::from(nth.is_some()))
            }
            Step::Erase(print) => Answer::Count(self.erase_by_email(*print)),
            Step::Clock(minutes) => {
                let now = self.now.0.saturating_add_signed(minutes * MINUTE.cast_signed());
                // Short of the month after which the ledger forgets: it is told apart elsewhere.
                self.now = UnixMillis(now.clamp(START.0 - 4 * DAY, START.0 + 25 * DAY));
                Answer::Done
            }
            Step::Forget => {
                self.prints.clear();
                self.events.iter_mut().for_each(|event| event.print = None);
                self.supplied.clear();
                Answer::Done
            }
            Step::Sweep => {
                self.sweep();
                Answer::Done
            }
        }
    }

    fn event(&self, nth: usize) -> &Event {
        &self.events[self.deliveries[nth].event]
    }

    fn erase(&mut self, event: usize) {
        self.events[event].body = None;
        self.events[event].ties.clear();
    }

    fn erase_unneeded(&mut self, nth: usize) {
        let event = self.deliveries[nth].event;
        let needs = |one: &Delivery| one.event == event && !one.dropped && ["pending", "dead"].contains(&one.state);
        if !self.deliveries.iter().any(needs) {
            self.erase(event);
        }
    }

    /// Whether anything of it waited.
    fn end(&mut self, event: usize, reason: &'static str) -> bool {
        let mut waited = false;
        let its = |one: &&mut Delivery| one.event == event && !one.dropped && one.state == "pending";
        for delivery in self.deliveries.iter_mut().filter(its) {
            (delivery.state, delivery.reason) = ("refused", Some(reason));
            waited = true;
        }
        self.erase(event);
        waited
    }

    /// One of those that are in the ledger.
    pub fn any(&self, index: Index) -> Option<usize> {
        let listed: Vec<_> = (0..self.deliveries.len()).filter(|&nth| !self.deliveries[nth].dropped).collect();
        (!listed.is_empty()).then(|| *index.get(&listed))
    }

    fn withdraw(&mut self, tie: Tie) -> usize {
        self.held.retain(|_, held| !held.admission.ties.contains(&tie));
        let events: Vec<_> = (0..self.events.len()).filter(|&event| self.events[event].ties.contains(&tie)).collect();
        events.into_iter().filter(|&event| self.end(event, "withdrawn")).count()
    }

    fn erase_by_email(&mut self, print: u8) -> usize {
        let hash = format!("\"hash-of-{print}\"");
        let before = self.held.len();
        self.held.retain(|_, held| !held.admission.body.contains(&hash));
        let has = |event: &Event| event.body.as_ref().is_some_and(|body| body.contains(&hash));
        let events: Vec<_> = (0..self.events.len()).filter(|&event| has(&self.events[event])).collect();
        for &event in &events {
            self.end(event, "erased");
        }
        events.len() + before - self.held.len()
    }

    fn retry(&mut self, nth: usize) -> usize {
        let has_event = self.event(nth).body.is_some();
        let delivery = &mut self.deliveries[nth];
        if delivery.dropped || delivery.state != "dead" || !has_event {
            return 0;
        }
        (delivery.state, delivery.reason, delivery.in_doubt_since) = ("pending", Some("retry"), None);
        delivery.due_at = LONG_AGO;
        1
    }

    fn sweep(&mut self) {
        let (own_clock, oldest) = (self.own_clock, less(self.now, SEEN_FOR));
        self.prints.retain(|_, (_, at)| own_clock || *at > oldest);
        self.supplied.retain(|_, (_, at)| own_clock || *at > oldest);
        let week = less(self.now, Duration::from_millis(7 * DAY)).as_secs();
        for event in (0..self.events.len()).filter(|&event| self.events[event].time < week).collect::<Vec<_>>() {
            let waits = |one: &&mut Delivery| one.event == event && !one.dropped && one.state == "pending";
            let mut on_its_way = false;
            for delivery in self.deliveries.iter_mut().filter(waits) {
                if delivery.taken {
                    // It is left to whoever has it.
                    on_its_way = true;
                } else {
                    (delivery.state, delivery.reason) = ("dead", Some("expired"));
                }
            }
            if !on_its_way {
                self.erase(event);
            }
        }
        // An operator's erasure was long ago as well, so the ledger is past it.
        let erased = self.deliveries.iter_mut().filter(|one| one.reason == Some("erased"));
        erased.for_each(|delivery| delivery.dropped = true);
        let overdue = less(self.now, Duration::from_millis(MINUTE));
        self.held.retain(|_, held| held.until >= overdue);
    }

    pub fn tally(&self) -> Tally {
        let count = |state| self.deliveries.iter().filter(|one| one.state == state && !one.dropped).count() as u64;
        Tally { pending: count("pending"), dead: count("dead"), held: self.held.len() as u64 }
    }

    /// The event and the pixel of a delivery.
    pub fn names(&self, nth: usize) -> (&str, &str) {
        (&self.event(nth).id, &self.deliveries[nth].pixel)
    }

    /// The ledger as the verbs show it, but for the numbers.
    pub fn list(&self) -> Vec<DeliveryRow> {
        let mut listed: Vec<_> = (0..self.deliveries.len()).filter(|&nth| !self.deliveries[nth].dropped).collect();
        listed.sort_by_key(|&nth| std::cmp::Reverse((self.event(nth).time, nth)));
        let row = |nth: usize| {
            let (event, delivery) = (self.event(nth), &self.deliveries[nth]);
            DeliveryRow {
                id: 0,
                event_id: event.id.clone(),
                event_name: "Lead".to_owned(),
                pixel: delivery.pixel.clone(),
                state: delivery.state.to_owned(),
                reason: delivery.reason.map(str::to_owned),
                code: delivery.answered.then_some(1),
                subcode: delivery.answered.then_some(99),
                attempts: delivery.attempts.into(),
                event_time: event.time.cast_signed(),
                due_at: (delivery.state == "pending").then(|| delivery.due_at.0.div_ceil(1000).cast_signed()),
                fbtrace_id: delivery.answered.then(|| "trace".to_owned()),
            }
        };
        listed.into_iter().map(row).collect()
    }
}
