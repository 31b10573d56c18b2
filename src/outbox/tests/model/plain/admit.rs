//! "Seen before?", and submissions that wait for their visitor's choice.

use super::*;

impl Plain {
    fn is_seen(&self, at: UnixMillis) -> bool {
        self.own_clock || at > less(self.now, SEEN_FOR)
    }

    fn seen(&self, admission: &Admission) -> Option<String> {
        let print = &admission.fingerprint;
        let own = self.events.iter().filter(|event| event.id == admission.fallback_event_id);
        let mut own = own.filter(|event| event.print.is_some_and(|(one, at)| one == *print && self.is_seen(at)));
        let other = || self.prints.get(print).filter(|(_, at)| self.is_seen(*at)).map(|(id, _)| id.clone());
        own.next().map(|event| event.id.clone()).or_else(other)
    }

    pub(super) fn admit(&mut self, admission: &Admission) -> Admitted {
        if let Some(event_id) = self.seen(admission) {
            return Admitted::Duplicate { event_id };
        }
        let mut wanted = &admission.fallback_event_id;
        if let Some(SuppliedId { id, contact }) = &admission.supplied {
            let same_person = self.supplied.get(&(id.clone(), *contact));
            // That each owner of an id is known for 48 hours, every kind knows by the time that it is told.
            if let Some((first, _)) = same_person.filter(|seen| seen.1 > less(self.now, SEEN_FOR)) {
                let event_id = first.clone();
                self.prints.insert(admission.fingerprint, (event_id.clone(), self.now));
                return Admitted::Duplicate { event_id };
            }
            if !self.supplied.iter().any(|((other, _), seen)| other == id && self.is_seen(seen.1)) {
                wanted = id;
            }
        }
        let numbered = (2..).map(|number| format!("{}-{number}", admission.fallback_event_id));
        let mut ids = [wanted.clone(), admission.fallback_event_id.clone()].into_iter().chain(numbered);
        let event_id = ids.find(|id| self.events.iter().all(|event| event.id != *id)).unwrap();
        if event_id != admission.fallback_event_id {
            self.prints.insert(admission.fingerprint, (event_id.clone(), self.now));
        }
        if let Some(SuppliedId { id, contact }) = &admission.supplied {
            self.supplied.insert((id.clone(), *contact), (event_id.clone(), self.now));
        }
        self.store(admission, &event_id);
        let supplied_id_was_taken = admission.supplied.as_ref().is_some_and(|supplied| supplied.id != event_id);
        Admitted::New { event_id, supplied_id_was_taken }
    }

    fn store(&mut self, admission: &Admission, id: &str) {
        let event = self.events.len();
        self.events.push(Event {
            id: id.to_owned(),
            time: admission.event_time,
            only: admission.event_only,
            body: Some(Arc::clone(&admission.body)),
            ties: admission.ties.clone(),
            print: (id == admission.fallback_event_id).then_some((admission.fingerprint, self.now)),
        });
        self.deliveries.extend(admission.pixels.iter().map(|pixel| Delivery {
            event,
            pixel: pixel.clone(),
            state: "pending",
            reason: None,
            attempts: 0,
            due_at: self.now,
            in_doubt_since: None,
            taken: false,
            answered: false,
            dropped: false,
        }));
    }

    pub(super) fn hold(&mut self, held: Held) -> Holding {
        let print = held.admission.fingerprint;
        if let Some(Held { admission, .. }) = self.held.get(&print[0]) {
            let supplied = admission.supplied.as_ref().map(|supplied| &supplied.id);
            return Holding::Duplicate { event_id: supplied.unwrap_or(&admission.fallback_event_id).clone() };
        }
        if let Some(event_id) = self.seen(&held.admission) {
            return Holding::Duplicate { event_id };
        }
        self.held.insert(print[0], held);
        Holding::Waits
    }

    pub(super) fn choose(&mut self, choice: Choice, found: &Answer) -> Vec<(u8, Option<Admitted>)> {
        let now = self.now;
        let is_meant = |held: &Held| match choice {
            Choice::Granted(browser) | Choice::Denied(browser) => held.browser == browser && held.until > now,
            Choice::Expired => held.until <= now,
        };
        let mut meant: Vec<u8> = self.held.iter().filter(|(_, held)| is_meant(held)).map(|(&print, _)| print).collect();
        let Answer::Released(found) = found else { panic!("{found:?}") };
        meant.sort_by_key(|print| found.iter().position(|(other, _)| other == print));
        let mut released = Vec::new();
        for print in meant {
            let Held { admission, bare, .. } = self.held.remove(&print).unwrap();
            let admitted = match (choice, bare) {
                (Choice::Granted(_), _) => Some(self.admit(&admission)),
                (_, Some(body)) => {
                    // Its id is random: whatever it is, it is not one of ours.
                    let given =
                        found.iter().find(|(other, _)| *other == print).and_then(|(_, admitted)| admitted.clone());
                    if let Some(Admitted::New { event_id, .. }) = &given {
                        assert!(!event_id.starts_with("fallback") && !event_id.starts_with("page"), "{event_id}");
                        let bare = Admission { body, event_only: true, ties: Vec::new(), ..admission };
                        self.store(&bare, event_id);
                    }
                    Some(given.unwrap_or_else(|| new("a random one")))
                }
                (_, None) => None,
            };
            released.push((print, admitted));
        }
        released
    }
}
