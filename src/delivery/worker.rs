//! One pixel: takes all that waits while a request is in flight, sends it, settles it, and rests when it must.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::DeliveryCounts;
use super::classify::{Answer, Class, MALFORMED_CLICK_ID};
use super::graph;
use super::retry::{self, PROBE};
use super::search::Search;
use crate::config::{Config, Pixel};
use crate::exchange::UnixMillis;
use crate::lead::event;
use crate::outbox::{Due, Outbox, Settlement, Verdict};

/// Events per request at most, by Meta's rule.
pub const MAX_EVENTS: usize = 1000;
/// Bytes of events per request: well below what gateways refuse.
const MAX_BYTES: usize = 2 * 1024 * 1024;
/// The longest sleep without looking: the clock may have been set meanwhile.
const LOOK: Duration = Duration::from_secs(30);
/// How long to leave a store alone that cannot be read.
const STORE_REST: Duration = Duration::from_secs(1);

/// What a pixel's task works with.
pub struct Worker {
    pub id: String,
    pub config: watch::Receiver<Arc<Config>>,
    pub outbox: Outbox,
    pub client: reqwest::Client,
    pub counts: Arc<DeliveryCounts>,
    /// Becomes `Some` at the shutdown: until then what is due is still sent.
    pub stop: watch::Receiver<Option<Instant>>,
    /// Events in the next request at most: half of a request that failed, doubled by one that did not. So an event over
    /// which Graph stumbles every time is alone soon, and a request too large for the timeout becomes a smaller one.
    pub limit: usize,
    /// Graph refuses the token or the pixel, and that has been said.
    pub paused: bool,
}

impl Worker {
    /// Runs until the pixel is gone from the configuration or the shutdown is over.
    pub async fn run(mut self) {
        let mut news = self.outbox.news();
        let (mut failures, mut rest) = (0, None::<Instant>);
        loop {
            let config = Arc::clone(&self.config.borrow_and_update());
            news.mark_unchanged();
            let Some(pixel) = config.pixels.iter().find(|pixel| pixel.id == self.id) else { return };
            let stopping = *self.stop.borrow();
            if stopping.is_some_and(|deadline| deadline <= Instant::now()) {
                return;
            }
            if let Some(until) = rest {
                if until > Instant::now() {
                    if stopping.is_some() {
                        return;
                    }
                    // A new configuration may have brought a new token.
                    tokio::select! {
                        () = sleep_until(until) => {}
                        changed = self.config.changed() => if changed.is_ok() { rest = None },
                        _ = self.stop.changed() => {}
                    }
                    continue;
                }
                rest = None;
            }
            let now = UnixMillis::now();
            match self.outbox.due(&self.id, now, self.limit, MAX_BYTES).await {
                Ok(due) if due.is_empty() => {
                    if stopping.is_some() {
                        return;
                    }
                    self.sleep(&mut news, now).await;
                }
                Ok(due) => {
                    let outcome = self.deliver(&config, pixel, due, failures).await;
                    failures = if outcome.is_some() { failures.saturating_add(1) } else { 0 };
                    rest = outcome;
                }
                Err(error) => {
                    // The store says so itself, and once.
                    tracing::debug!(%error, pixel = self.id, "the outbox hands nothing out; trying again");
                    if stopping.is_some() {
                        return;
                    }
                    tokio::time::sleep(STORE_REST).await;
                }
            }
        }
    }

    async fn sleep(&mut self, news: &mut watch::Receiver<u64>, now: UnixMillis) {
        let next = self.outbox.next_due(&self.id, now).await.ok().flatten();
        let wait = next.map_or(LOOK, |next| Duration::from_millis(next.0.saturating_sub(now.0)).min(LOOK));
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            _ = news.changed() => {}
            _ = self.config.changed() => {}
            _ = self.stop.changed() => {}
        }
    }

    /// Sends a batch; on a refusal it is searched for the culprits. Returns the end of the rest that must
    /// follow.
    async fn deliver(&mut self, config: &Config, pixel: &Pixel, due: Vec<Due>, failures: u32) -> Option<Instant> {
        let batch = self.give_up_the_hopeless(due).await;
        let test_code = self.test_code(pixel, UnixMillis::now()).await;
        let mut search = Search::new(batch);
        // A culprit that was found by the others' being accepted is sent by itself to learn what is wrong with it: without
        // its click id it may be good.
        let mut suspect: Option<Due> = None;
        loop {
            let suspected = suspect.is_some();
            let group = suspect.take().map(|due| vec![due]).or_else(|| search.next_group())?;
            let reply = self.send(config, pixel, &group, test_code.as_deref()).await;
            let (answer, sent) = (&reply.answer, group.len());
            match answer.class {
                Class::Accepted => {
                    self.counts.delivered.fetch_add(group.len() as u64, Ordering::Relaxed);
                    self.settle(group.iter().map(|due| settlement(due, Verdict::Delivered, answer)).collect()).await;
                    self.limit = self.limit.saturating_mul(2).min(MAX_EVENTS);
                }
                Class::Payload => {
                    if let [culprit] = group.as_slice() {
                        self.settle(vec![settlement(culprit, self.refused(culprit, answer), answer)]).await;
                    }
                    if !suspected {
                        search.refused(group);
                    }
                }
                Class::Transient { .. } | Class::Throttle | Class::Config => {
                    let wait = self.put_off(&reply, &group, search.rest(), failures).await;
                    return Some(Instant::now() + wait);
                }
            }
            if std::mem::take(&mut self.paused) {
                tracing::info!(pixel = self.id, "Graph takes the access token again");
            }
            if !suspected {
                let refused_by_itself = answer.class == Class::Payload && sent == 1;
                suspect = search.culprit().filter(|_| !refused_by_itself);
            }
        }
    }

    /// Buries what is too old or was too long in doubt; returns the others.
    async fn give_up_the_hopeless(&self, due: Vec<Due>) -> Vec<Due> {
        let now = UnixMillis::now();
        let (mut batch, mut hopeless) = (Vec::with_capacity(due.len()), Vec::new());
        for due in due {
            let Some(reason) = retry::given_up(due.event_time, due.in_doubt_since, now) else {
                batch.push(due);
                continue;
            };
            tracing::error!(pixel = self.id, event_id = due.event_id, reason, "a lead was given up");
            self.counts.dead.fetch_add(1, Ordering::Relaxed);
            hopeless.push(settlement(&due, Verdict::Dead { reason }, &Answer::none(false)));
        }
        if !hopeless.is_empty() {
            self.settle(hopeless).await;
        }
        batch
    }

    /// Settles a group that did not get through, and the `rest` of its batch that was not sent again; how long to wait.
    async fn put_off(&mut self, reply: &graph::Reply, group: &[Due], rest: Vec<Due>, failures: u32) -> Duration {
        let answer = &reply.answer;
        let wait = match answer.class {
            Class::Config => PROBE,
            _ => reply.wait.unwrap_or_else(|| retry::backoff(failures, dice())),
        };
        let transient = matches!(answer.class, Class::Transient { .. });
        let in_doubt = answer.class == Class::Transient { in_doubt: true };
        let now = UnixMillis::now().0;
        let again = |due: &Due, due_at, counts, in_doubt| {
            let in_doubt = in_doubt || due.in_doubt_since.is_some();
            let due_at = UnixMillis(due_at);
            settlement(due, Verdict::Retry { due_at, counts, in_doubt, body: None, reason: answer.reason() }, answer)
        };
        let mut settlements: Vec<_> = group
            .iter()
            .map(|due| match answer.class {
                // Stays due, so that a new token finds it at once.
                Class::Config => again(due, now, false, in_doubt),
                // Later than the pixel's rest, by its own record: the others get their turn first.
                Class::Transient { .. } => {
                    let own = millis(wait.saturating_add(retry::backoff(due.attempts, dice())));
                    again(due, now.saturating_add(own), true, in_doubt)
                }
                _ => again(due, now.saturating_add(millis(wait)), true, in_doubt),
            })
            .collect();
        settlements.extend(rest.iter().map(|due| again(due, now, false, false)));
        self.settle(settlements).await;
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

    /// The culprit of a refusal.
    fn refused(&self, due: &Due, answer: &Answer) -> Verdict {
        if due.event_only {
            self.counts.refused.fetch_add(1, Ordering::Relaxed);
            return Verdict::Refused;
        }
        let repaired = (answer.subcode == Some(MALFORMED_CLICK_ID)).then(|| event::without_fbc(&due.body)).flatten();
        if let Some(body) = repaired {
            tracing::warn!(pixel = self.id, event_id = due.event_id, "Graph refuses the click id; sending without it");
            return Verdict::Retry {
                due_at: UnixMillis::now(),
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

    async fn send(&self, config: &Config, pixel: &Pixel, part: &[Due], test_code: Option<&str>) -> graph::Reply {
        let now = UnixMillis::now().as_secs();
        let events: Vec<Value> = part
            .iter()
            .map(|due| {
                // Only a damaged store could hold one that cannot be read; it is refused and becomes a dead letter.
                let mut event = event::with_event_id(&due.body, &due.event_id).unwrap_or_else(|| json!({}));
                // The store's word, which follows leaps of the clock. Of an earlier run it may be later than now all the
                // same: Meta refuses an event of the future, and all that comes with it.
                event["event_time"] = json!(due.event_time.min(now));
                event
            })
            .collect();
        let start = Instant::now();
        let mut stop = self.stop.clone();
        let reply = tokio::select! {
            reply = graph::send(&self.client, &config.delivery, pixel, events, test_code) => reply,
            // At the shutdown the deadline counts, not the timeout.
            () = deadline(&mut stop) => graph::Reply { answer: Answer::none(true), wait: None },
        };
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

    /// The test code, while it is fresh: test events count as real ones, and a forgotten code would go on for years.
    async fn test_code(&self, pixel: &Pixel, now: UnixMillis) -> Option<String> {
        let code = pixel.test_event_code.as_ref()?;
        let first = self.outbox.first_use(&format!("test_event_code:{}:{code}", pixel.id), now).await.ok()?;
        (now.0 < first.0.saturating_add(millis(pixel.test_event_code_expires))).then(|| code.clone())
    }

    async fn settle(&self, settlements: Vec<Settlement>) {
        if let Err(error) = self.outbox.settle(settlements, UnixMillis::now()).await {
            tracing::error!(%error, pixel = self.id, "what became of deliveries could not be recorded; they may be repeated");
        }
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

fn settlement(due: &Due, verdict: Verdict, answer: &Answer) -> Settlement {
    Settlement {
        id: due.id,
        verdict,
        code: answer.code,
        subcode: answer.subcode,
        fbtrace_id: answer.fbtrace_id.clone(),
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Randomness for jitter; without any the wait is simply short.
fn dice() -> u64 {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map(|()| u64::from_le_bytes(bytes)).unwrap_or_default()
}
