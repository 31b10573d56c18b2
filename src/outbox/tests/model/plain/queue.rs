//! What is due, and what became of it.

use super::*;

impl Plain {
    fn waits(delivery: &Delivery, pixel: &str) -> bool {
        delivery.pixel == pixel && delivery.state == "pending" && !delivery.taken && !delivery.dropped
    }

    /// When it is due: now, if it seems to be put off for longer than anything is.
    fn due_at(&self, delivery: &Delivery) -> UnixMillis {
        let latest = self.now.0 + u64::try_from(MAX_WAIT.as_millis()).unwrap();
        if delivery.due_at.0 > latest { self.now } else { delivery.due_at }
    }

    pub(super) fn take(&mut self, take: &Take) -> Vec<(String, Arc<str>, u32, Option<UnixMillis>)> {
        let wanted = take.wanted(self.now);
        let is_due = |one: &Delivery| Self::waits(one, &wanted.pixel) && self.due_at(one) <= self.now;
        let mut due: Vec<usize> = (0..self.deliveries.len()).filter(|&nth| is_due(&self.deliveries[nth])).collect();
        due.sort_by_key(|&nth| (self.event(nth).time, nth));
        if wanted.order == Order::Newest {
            due.reverse();
        }
        let (bare, leads): (Vec<_>, Vec<_>) = due.into_iter().partition(|&nth| self.event(nth).only);
        let (from, limit) = if leads.is_empty() { (bare, 1) } else { (leads, wanted.limit) };
        let mut bytes = 0;
        let mut taken = Vec::new();
        for nth in from.into_iter().take(limit) {
            let (id, body) = (self.event(nth).id.clone(), Arc::clone(self.event(nth).body.as_ref().unwrap()));
            bytes += body.len();
            if bytes > wanted.max_bytes && !taken.is_empty() {
                break;
            }
            let delivery = &mut self.deliveries[nth];
            taken.push((id, body, delivery.attempts, delivery.in_doubt_since));
            delivery.taken = true;
            delivery.in_doubt_since.get_or_insert(self.now);
        }
        taken
    }

    /// When the first of a pixel's is due; of what is due already, now.
    pub fn next_due(&self, pixel: &str) -> Option<UnixMillis> {
        let waiting = self.deliveries.iter().filter(|delivery| Self::waits(delivery, pixel));
        waiting.map(|delivery| self.due_at(delivery).max(self.now)).min()
    }

    /// Of what is on its way, each once, and what is said of it.
    pub fn picked(&self, ends: &[(Index, End)]) -> Vec<(usize, Verdict)> {
        let mut taken: Vec<_> = (0..self.deliveries.len()).filter(|&nth| self.deliveries[nth].taken).collect();
        let mut picked = Vec::new();
        for (index, end) in ends {
            if !taken.is_empty() {
                let nth = taken.remove(index.index(taken.len()));
                picked.push((nth, self.verdict(nth, *end)));
            }
        }
        picked
    }

    fn verdict(&self, nth: usize, end: End) -> Verdict {
        match end {
            End::Delivered => Verdict::Delivered,
            End::Refused => Verdict::Refused,
            End::Dead => Verdict::Dead { reason: "payload" },
            End::Retry { minutes, counts, in_doubt, changed } => Verdict::Retry {
                due_at: UnixMillis(self.now.0 + minutes * MINUTE),
                counts,
                in_doubt,
                body: changed.then(|| self.event(nth).body.as_deref().unwrap_or("{}").replace('}', ",\"c\":1}").into()),
                reason: "transient",
            },
        }
    }

    pub(super) fn settle(&mut self, nth: usize, verdict: Verdict) {
        let delivery = &mut self.deliveries[nth];
        delivery.taken = false;
        if delivery.dropped || (delivery.state != "pending" && verdict != Verdict::Delivered) {
            return;
        }
        delivery.answered = true;
        match verdict {
            Verdict::Retry { due_at, counts, in_doubt, body, reason } => {
                delivery.due_at = due_at;
                delivery.attempts += u32::from(counts);
                delivery.in_doubt_since = delivery.in_doubt_since.filter(|_| in_doubt);
                delivery.reason = Some(reason);
                let event = delivery.event;
                if body.is_some() {
                    self.events[event].body = body;
                }
                return;
            }
            Verdict::Delivered => (delivery.state, delivery.reason) = ("delivered", None),
            Verdict::Refused => (delivery.state, delivery.reason) = ("refused", Some("event_only")),
            Verdict::Dead { reason } => (delivery.state, delivery.reason) = ("dead", Some(reason)),
        }
        delivery.attempts += 1;
        self.erase_unneeded(nth);
    }
}
