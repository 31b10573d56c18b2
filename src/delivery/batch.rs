//! One batch: sent, and on a refusal searched for the events that are wrong.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::classify::{Answer, Class};
use super::graph::{self, Reply};
use super::pace::Signal;
use super::search::Search;
use super::worker::{MAX_EVENTS, Worker};
use crate::clock::Moment;
use crate::config::{Config, Pixel};
use crate::exchange::UnixMillis;
use crate::lead::event::Sent;
use crate::outbox::{Due, Settlement, Verdict};

/// A clock that is no further ahead of Graph's than this is right enough.
const AHEAD_S: u64 = 60;

impl Worker {
    /// Sends a batch; on a refusal it is searched for the culprits. Returns the end of the rest that must follow.
    pub async fn deliver(&mut self, config: &Config, pixel: &Pixel, due: Vec<Due>, moment: Moment) -> Option<Instant> {
        let batch = self.give_up_the_hopeless(due, moment);
        let test_code = self.test_code(pixel, moment.wall).await;
        let mut search = Search::new(batch);
        while let Some(group) = search.next_group() {
            if !self.keep_pace().await {
                self.put_back(group.into_iter().chain(search.rest()));
                return Some(Instant::now() + Duration::from_secs(1));
            }
            let reply = self.send(config, pixel, &group, test_code.as_deref()).await;
            let answer = &reply.answer;
            match answer.class {
                Class::Accepted => {
                    self.counts.delivered.fetch_add(group.len() as u64, Ordering::Relaxed);
                    self.settle(group.iter().map(|due| settlement(due, Verdict::Delivered, answer)).collect());
                    self.limit = self.limit.saturating_mul(2).min(MAX_EVENTS);
                    search.accepted();
                }
                Class::Payload => {
                    if let Some(culprit) = search.refused(group) {
                        self.settle(vec![settlement(&culprit, self.refused(&culprit, answer), answer)]);
                    }
                }
                Class::Transient { .. } | Class::Throttle | Class::Config => {
                    let wait = self.put_off(&reply, &group, search.rest());
                    return Some(Instant::now() + wait);
                }
            }
            if std::mem::take(&mut self.paused) {
                tracing::info!(pixel = self.id, "Graph takes the access token again");
            }
        }
        None
    }

    async fn send(&mut self, config: &Config, pixel: &Pixel, part: &[Due], test_code: Option<&str>) -> Reply {
        let now = self.look().wall.as_secs();
        let latest = now.saturating_sub(self.ahead);
        let events = part.iter().map(|due| as_sent(due, latest)).collect();
        let start = Instant::now();
        self.pace.sent(start);
        let mut stop = self.stop.clone();
        let reply = tokio::select! {
            reply = graph::send(&self.client, &config.delivery, pixel, events, test_code) => reply,
            // At the shutdown the deadline counts, not the timeout.
            () = deadline(&mut stop) => Reply::none(true),
        };
        self.pace.answered(signal(&reply), Instant::now());
        self.compare_clocks(now, reply.date);
        tracing::info!(
            pixel = self.id,
            events = part.len(),
            outcome = reply.answer.reason(),
            code = reply.answer.code,
            subcode = reply.answer.subcode,
            fbtrace_id = reply.answer.fbtrace_id,
            milliseconds = millis(start.elapsed()),
            "sent to Graph"
        );
        reply
    }

    /// `now` when the request went out; what `graphs` clock said is of later, which is no harm.
    fn compare_clocks(&mut self, now: u64, graphs: Option<u64>) {
        let known = self.ahead;
        if let Some(graphs) = graphs {
            let ahead = now.saturating_sub(graphs);
            self.ahead = if ahead > AHEAD_S { ahead } else { 0 };
        }
        self.learnt = self.ahead > known.saturating_add(AHEAD_S / 2);
        if self.learnt {
            tracing::warn!(
                pixel = self.id,
                seconds = self.ahead,
                "this machine's clock is ahead of Graph's; please set it"
            );
        }
    }

    /// The test code, while it is fresh: test events count as real ones, and a forgotten code would go on for years.
    async fn test_code(&self, pixel: &Pixel, now: UnixMillis) -> Option<String> {
        let code = pixel.test_event_code.as_ref()?;
        let first = self.outbox.first_use(&format!("test_event_code:{}:{code}", pixel.id), now).await.ok()?;
        (now.0 < first.0.saturating_add(millis(pixel.test_event_code_expires))).then(|| code.clone())
    }

    pub fn settle(&self, settlements: Vec<Settlement>) {
        if let Err(error) = self.outbox.settle(settlements, (self.clock)().wall) {
            tracing::error!(%error, pixel = self.id, "what became of deliveries could not be recorded; they may be repeated");
        }
    }
}

/// The event as it goes out. Its time is the store's, and never after `latest`: Meta refuses an event of the future, and all
/// that comes with it. Only a damaged store could hold one that cannot be read; it is refused and becomes a dead letter.
fn as_sent(due: &Due, latest: u64) -> Sent<'_> {
    Sent::new(&due.body, &due.event_id).map(|event| event.at(due.event_time.min(latest))).unwrap_or_default()
}

fn signal(reply: &Reply) -> Signal {
    match reply.answer.class {
        Class::Throttle => Signal::Throttled(reply.wait),
        _ if reply.nearly_full => Signal::NearlyFull,
        Class::Accepted => Signal::Fine,
        _ => Signal::None,
    }
}

/// Ends at the deadline of the shutdown; without a shutdown never.
async fn deadline(stop: &mut watch::Receiver<Option<Instant>>) {
    let deadline = match stop.wait_for(Option::is_some).await {
        Ok(deadline) => *deadline,
        Err(_) => None,
    };
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

pub fn settlement(due: &Due, verdict: Verdict, answer: &Answer) -> Settlement {
    Settlement {
        id: due.id,
        verdict,
        code: answer.code,
        subcode: answer.subcode,
        fbtrace_id: answer.fbtrace_id.clone(),
    }
}

pub fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
