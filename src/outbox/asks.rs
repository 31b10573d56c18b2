//! Pixels whose task has nothing to do until something is due.

use std::time::{Duration, Instant};

use super::writer::Reply;
use super::{Admission, Due, StoreError, Wanted};
use crate::clock::after;
use crate::exchange::UnixMillis;

const SHORTEST: Duration = Duration::from_millis(1);

/// One that asks.
pub struct Ask {
    wanted: Wanted,
    since: Instant,
    /// When something may be due; `None`: not before there is news.
    look_at: Option<Instant>,
    reply: Reply<Vec<Due>>,
}

impl Ask {
    pub fn new(wanted: Wanted, reply: Reply<Vec<Due>>) -> Self {
        let now = Instant::now();
        Self { wanted, since: now, look_at: Some(now), reply }
    }

    /// What it asks for now, by the clock of whoever asks. What came by `newest` is due, even if that clock is a moment behind.
    pub fn wanted(&self, newest: UnixMillis) -> Wanted {
        Wanted { now: after(self.wanted.now, self.since.elapsed()).max(newest), ..self.wanted.clone() }
    }

    pub fn answer(self, due: Result<Vec<Due>, StoreError>) {
        // Who has stopped waiting for its answer needs none.
        drop(self.reply.send(due));
    }
}

/// All that ask.
#[derive(Default)]
pub struct Asks(Vec<Ask>);

impl Asks {
    pub fn add(&mut self, ask: Ask) {
        self.0.push(ask);
    }

    /// Found nothing; looks again after so long, if it is known how long. Not at once: a store that contradicts itself must not
    /// become a busy loop.
    pub fn wait(&mut self, mut ask: Ask, wait: Option<Duration>) {
        ask.look_at = wait.and_then(|wait| Instant::now().checked_add(wait.max(SHORTEST)));
        self.0.push(ask);
    }

    /// Something may be due that was not.
    pub fn news(&mut self) {
        let now = Instant::now();
        self.0.iter_mut().for_each(|ask| ask.look_at = Some(now));
    }

    /// When the first of them looks again.
    pub fn next(&self) -> Option<Instant> {
        self.0.iter().filter_map(|ask| ask.look_at).min()
    }

    /// Those that look now: it is time, or something has come for them.
    pub fn that_look(&mut self, admissions: &[Admission]) -> Vec<Ask> {
        let now = Instant::now();
        let comes = |ask: &Ask| admissions.iter().any(|admission| admission.pixels.contains(&ask.wanted.pixel));
        self.0.extract_if(.., |ask| ask.look_at.is_some_and(|at| at <= now) || comes(ask)).collect()
    }

    /// Nothing is due, and this pixel waits no longer.
    pub fn dismiss(&mut self, pixel: &str) {
        for ask in self.0.extract_if(.., |ask| ask.wanted.pixel == pixel) {
            ask.answer(Ok(Vec::new()));
        }
    }
}
