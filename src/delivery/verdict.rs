//! What becomes of deliveries that were not accepted.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::batch::settlement;
use super::classify::{Answer, Class, IN_THE_FUTURE, MALFORMED_CLICK_ID, TOO_OLD};
use super::graph::Reply;
use super::retry::{self, PROBE};
use super::worker::Worker;
use crate::clock::{Moment, after};
use crate::exchange::UnixMillis;
use crate::lead::event;
use crate::outbox::{Due, Settlement, Verdict};

/// How long a lead rests over which Graph's clock and ours disagree.
const CLOCK_PAUSE: Duration = Duration::from_secs(600);

impl Worker {
    /// Buries what is too old or was too long in doubt; returns the others. By a clock that has just leapt nothing is too
    /// old: if it was set wrong, it is set right again before anything is lost.
    pub fn give_up_the_hopeless(&self, due: Vec<Due>, moment: Moment) -> Vec<Due> {
        let (mut batch, mut hopeless) = (Vec::with_capacity(due.len()), Vec::new());
        for due in due {
            let verdict = match retry::given_up(due.event_time, due.in_doubt_since, moment) {
                None => {
                    batch.push(due);
                    continue;
                }
                Some(reason) if moment.doubtful_for.is_zero() => {
                    tracing::error!(pixel = self.id, event_id = due.event_id, reason, "a lead was given up");
                    self.counts.dead.fetch_add(1, Ordering::Relaxed);
                    Verdict::Dead { reason }
                }
                Some(_) => again(&due, after(moment.steady, moment.doubtful_for), false, false, "clock"),
            };
            hopeless.push(settlement(&due, verdict, &Answer::none(false)));
        }
        if !hopeless.is_empty() {
            self.settle(hopeless);
        }
        batch
    }

    /// Settles a group that did not get through, and the `rest` of its batch that was not sent again; how long to wait.
    pub fn put_off(&mut self, reply: &Reply, group: &[Due], rest: Vec<Due>) -> Duration {
        let answer = &reply.answer;
        let wait = match answer.class {
            Class::Config => PROBE,
            _ => reply.wait.unwrap_or_else(|| retry::backoff(self.failures, dice())),
        };
        let transient = matches!(answer.class, Class::Transient { .. });
        let in_doubt = answer.class == Class::Transient { in_doubt: true };
        let (now, throw) = (self.look().steady, dice());
        let reason = answer.reason();
        let verdict = |due: &Due| match answer.class {
            // Stays due, so that a new token finds it at once.
            Class::Config => again(due, now, false, in_doubt, reason),
            // Later than the pixel's rest, by its own record: the others get their turn first. With one throw for all, so
            // that those who failed together come again together, and do not trickle in one by one for a minute.
            Class::Transient { .. } => {
                let own = wait.saturating_add(retry::backoff(due.attempts, throw));
                again(due, after(now, own), true, in_doubt, reason)
            }
            _ => again(due, after(now, wait), true, in_doubt, reason),
        };
        let mut settlements: Vec<_> = group.iter().map(|due| settlement(due, verdict(due), answer)).collect();
        settlements.extend(unsent(rest, now, answer));
        self.settle(settlements);
        self.counts.failed.fetch_add(1, Ordering::Relaxed);
        if transient {
            self.limit = (group.len() / 2).max(1);
        }
        if answer.class == Class::Config && !std::mem::replace(&mut self.paused, true) {
            tracing::error!(
                pixel = self.id,
                code = answer.code,
                subcode = answer.subcode,
                fbtrace_id = answer.fbtrace_id,
                "Graph refuses the access token or the pixel: nothing is sent and nothing is lost until that is mended; \
                 make a new token in Events Manager and put it where the old one is"
            );
        }
        wait
    }

    /// The shutdown came before these were sent.
    pub fn put_back(&mut self, rest: impl Iterator<Item = Due>) {
        let now = self.look().steady;
        self.settle(unsent(rest, now, &Answer::none(false)).collect());
    }

    /// The culprit of a refusal.
    pub fn refused(&self, due: &Due, answer: &Answer) -> Verdict {
        if due.event_only {
            self.counts.refused.fetch_add(1, Ordering::Relaxed);
            return Verdict::Refused;
        }
        // The same answer has shown by how much our clock is ahead: sent again, it is of the present.
        if answer.subcode == Some(IN_THE_FUTURE) && self.learnt {
            return again(due, (self.clock)().wall, true, false, "clock");
        }
        // One of the clocks is wrong, and the lead is good: ours may have been set back by days.
        if answer.subcode == Some(TOO_OLD) {
            tracing::warn!(
                pixel = self.id,
                event_id = due.event_id,
                "Graph finds an event too old that is not, by this machine's clock; trying again later. Please set the clock"
            );
            return again(due, after((self.clock)().wall, CLOCK_PAUSE), true, false, "clock");
        }
        let repaired = (answer.subcode == Some(MALFORMED_CLICK_ID)).then(|| event::without_fbc(&due.body)).flatten();
        if let Some(body) = repaired {
            tracing::warn!(pixel = self.id, event_id = due.event_id, "Graph refuses the click id; sending without it");
            return Verdict::Retry {
                due_at: (self.clock)().wall,
                counts: true,
                in_doubt: due.in_doubt_since.is_some(),
                body: Some(body.into()),
                reason: "click_id",
            };
        }
        self.counts.dead.fetch_add(1, Ordering::Relaxed);
        tracing::error!(
            pixel = self.id,
            event_id = due.event_id,
            code = answer.code,
            subcode = answer.subcode,
            fbtrace_id = answer.fbtrace_id,
            "Graph refuses this event: it is in the dead letters"
        );
        Verdict::Dead { reason: "payload" }
    }
}

/// Another attempt; a doubt that there was stays.
fn again(due: &Due, due_at: UnixMillis, counts: bool, in_doubt: bool, reason: &'static str) -> Verdict {
    let in_doubt = in_doubt || due.in_doubt_since.is_some();
    Verdict::Retry { due_at, counts, in_doubt, body: None, reason }
}

/// Handed out and not sent: due as before.
fn unsent(rest: impl IntoIterator<Item = Due>, now: UnixMillis, answer: &Answer) -> impl Iterator<Item = Settlement> {
    let reason = answer.reason();
    rest.into_iter().map(move |due| settlement(&due, again(&due, now, false, false, reason), answer))
}

/// Randomness for jitter; without any the wait is simply short.
fn dice() -> u64 {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map(|()| u64::from_le_bytes(bytes)).unwrap_or_default()
}
