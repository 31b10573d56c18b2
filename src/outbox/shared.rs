//! The store of replicas: Redis, and while that is away a file that stands in for it.
//!
//! What is put here waits in the file and moves over when Redis is back: there the same submission may have come through
//! another replica meanwhile. Only when Redis stays away for long are leads sent from the file; what two replicas then send
//! has one event_id all the same, since that derives from the submission. What a call could not tell Redis (verdicts,
//! withdrawals, choices) is owed to it and told before anything else.

use std::time::{Duration, Instant};

use super::sqlite::Parked;
use super::{
    Admission, Admitted, Choice, Due, Held, Holding, PageRow, RedisStore, Released, Settlement, SqliteStore, StandIn,
    Store, StoreError, Tally, Tie, Wanted, random_fingerprint,
};
use crate::exchange::UnixMillis;

/// Events that move over in one step.
const CHUNK: usize = 32;
/// How long a round of moving may take: leads wait meanwhile.
const ROUND: Duration = Duration::from_millis(100);
/// When to ask again for what is about to move over.
const SOON: Duration = Duration::from_secs(1);
/// Who is away again within so short a time was not really back.
const LASTING: Duration = Duration::from_secs(60);
/// Debts at most; verdicts are the most of them, and without Redis nothing new gets on its way.
const MAX_OWED: usize = 10_000;

/// What Redis has not been told yet.
enum Owed {
    Settlements(Vec<Settlement>, UnixMillis),
    Withdrawal(Vec<Tie>, UnixMillis),
    Choice(Choice, UnixMillis),
}

/// Redis with a file beside it. A delivery of the file has its number with a minus sign.
pub struct SharedStore {
    redis: RedisStore,
    /// Without one (no place to write) leads wait in memory, as with any store that refuses.
    local: Option<SqliteStore>,
    owed: Vec<Owed>,
    /// The key of event ids that this replica uses.
    secret: Option<[u8; 32]>,
    /// Since when Redis is away.
    away: Option<Instant>,
    /// When it was away before this, and until when.
    was_away: Option<(Instant, Instant)>,
    /// It was away and nobody has been told yet that what waits there can be sent again.
    is_news: bool,
    /// How long leads wait in the file before they are sent from there.
    patience: Duration,
}

impl SharedStore {
    /// Redis, there or not, and the file.
    #[must_use]
    pub fn new(mut redis: RedisStore, local: Option<SqliteStore>, patience: Duration) -> Self {
        let away = if redis.is_there() { None } else { Some(Instant::now()) };
        if away.is_some() {
            tracing::error!(
                redis = redis.name(),
                "Redis is not there: starting with the local store, and trying to reach it"
            );
        }
        Self { redis, local, owed: Vec::new(), secret: None, away, was_away: None, is_news: false, patience }
    }

    /// The file, if it could be opened.
    fn file(&mut self) -> Option<&mut SqliteStore> {
        self.local.as_mut().filter(|local| local.is_open())
    }

    /// What the file adds to what Redis has said. If that has said it, trouble with the file is not the caller's.
    fn add<T: Default>(
        &mut self,
        redis_did: bool,
        question: impl FnOnce(&mut SqliteStore) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        match self.file().map_or_else(|| Ok(T::default()), question) {
            Err(error) if redis_did => {
                tracing::debug!(%error, "the local store refuses, and Redis does not");
                Ok(T::default())
            }
            answer => answer,
        }
    }

    /// Redis, if it is there, knowing all that it was owed.
    fn there(&mut self) -> Option<&mut RedisStore> {
        if !self.redis.is_there() {
            self.note_away(None);
            return None;
        }
        if self.away.is_some() || !self.owed.is_empty() {
            if let Err(error) = self.pay() {
                self.note_away(Some(&error));
                return None;
            }
            if let Some(away) = self.away.take() {
                self.is_news = true;
                self.was_away = Some((away, Instant::now()));
                tracing::info!(redis = self.redis.name(), seconds = away.elapsed().as_secs(), "Redis is back");
            }
        }
        Some(&mut self.redis)
    }

    fn note_away(&mut self, error: Option<&StoreError>) {
        if self.away.is_none() {
            // One that comes only to go is away: leads must not wait for it for ever.
            let lasting = self.was_away.filter(|(_, until)| until.elapsed() < LASTING).map(|(since, _)| since);
            self.away = Some(lasting.unwrap_or_else(Instant::now));
            let error = error.map(ToString::to_string).unwrap_or_default();
            tracing::error!(
                redis = self.redis.name(),
                error,
                stand_in = self.local.as_ref().map(Store::name),
                "Redis is away: leads wait in the local store until it is back"
            );
        }
    }

    /// Asks Redis; `None`: it is away, and whoever asks has to do without.
    fn ask<T>(&mut self, question: impl FnOnce(&mut RedisStore) -> Result<T, StoreError>) -> Option<T> {
        match question(self.there()?) {
            Ok(answer) => Some(answer),
            Err(error) => {
                self.note_away(Some(&error));
                None
            }
        }
    }

    /// Asks Redis, or else the file.
    fn ask_either<T>(
        &mut self,
        redis: impl FnOnce(&mut RedisStore) -> Result<T, StoreError>,
        local: impl FnOnce(&mut SqliteStore) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if let Some(answer) = self.ask(redis) {
            return Ok(answer);
        }
        self.file().ok_or_else(nowhere).and_then(local)
    }

    /// How long nothing is sent from the file: Redis may come back, or it is there and what is in the file moves over first.
    /// What had been begun from the file is finished from there.
    fn local_waits_for(&mut self) -> Result<Duration, StoreError> {
        if let Some(since) = self.away {
            return Ok(self.patience.saturating_sub(since.elapsed()));
        }
        let moves = self.add(true, |local| Ok(!local.parked(0, 1)?.is_empty()))?;
        Ok(if moves { SOON } else { Duration::ZERO })
    }

    fn owe(&mut self, debt: Owed) {
        if self.owed.len() < MAX_OWED {
            self.owed.push(debt);
        } else {
            tracing::error!("Redis is owed too much: a verdict or a withdrawal is forgotten");
        }
    }

    /// Tells Redis what it is owed, in order, and what was sent from the file.
    fn pay(&mut self) -> Result<(), StoreError> {
        self.compare_secrets()?;
        while let Some(debt) = self.owed.first() {
            match debt {
                Owed::Settlements(settlements, now) => self.redis.settle(settlements, *now)?,
                Owed::Withdrawal(ties, now) => drop(self.redis.withdraw(ties, *now)?),
                Owed::Choice(choice, now) => {
                    let released = self.redis.choose(*choice, *now)?.len();
                    tracing::info!(released, "a choice that was made while Redis was away counts now");
                }
            }
            self.owed.remove(0);
        }
        let Some(local) = self.local.as_ref().filter(|local| local.is_open()) else { return Ok(()) };
        let mut after = 0;
        loop {
            // A file that cannot be read is no reason to do without Redis.
            let begun = match local.begun(after, CHUNK) {
                Ok(begun) => begun,
                Err(error) => {
                    tracing::warn!(%error, "what was sent from the local store cannot be told to Redis");
                    return Ok(());
                }
            };
            let Some(last) = begun.last() else { return Ok(()) };
            after = last.event;
            self.redis.remember(&begun.iter().collect::<Vec<_>>(), UnixMillis::now())?;
        }
    }

    /// Started without Redis, this replica used its own secret; if Redis has none yet, that is everybody's from now on.
    fn compare_secrets(&mut self) -> Result<(), StoreError> {
        let Some(own) = self.secret else { return Ok(()) };
        let common = self.redis.offer_secret(&own)?;
        if common != own
            && let Some(local) = &mut self.local
        {
            adopt(local, &common);
            tracing::error!(
                "this replica was started for the first time while Redis was away, so its event ids differ from those of \
                 the others: restart it (or set store.event_id_secret, the same for all)"
            );
        }
        Ok(())
    }

    /// Moves what waits in the file, as much as a round allows. Returns whether any of it did.
    fn move_over(&mut self) -> Result<bool, StoreError> {
        let (started, mut moved) = (Instant::now(), 0);
        while self.there().is_some() && started.elapsed() < ROUND {
            let Some(local) = self.local.as_mut().filter(|local| local.is_open()) else { break };
            let now = UnixMillis::now();
            if let Some(held) = local.first_held(1)?.pop() {
                let fingerprint = held.admission.fingerprint;
                if let Err(error) = self.redis.hold(&held, now) {
                    self.note_away(Some(&error));
                    break;
                }
                local.forget_held(&fingerprint)?;
                continue;
            }
            let parked = local.parked(0, CHUNK)?;
            if parked.is_empty() {
                break;
            }
            let admissions: Vec<_> = movable(&parked).map(|one| one.admission.clone()).collect();
            let begun: Vec<_> = parked.iter().filter(|one| one.begun).collect();
            let done = self.redis.remember(&begun, now).and_then(|()| self.redis.admit(&admissions, now));
            match done {
                Ok(admitted) => {
                    let known = admitted.iter().filter(|one| matches!(one, Admitted::Duplicate { .. })).count();
                    tracing::info!(
                        leads = admissions.len(),
                        of_which_redis_knew = known,
                        "leads from the local store are with Redis"
                    );
                }
                Err(error) => {
                    self.note_away(Some(&error));
                    break;
                }
            }
            local.moved(&parked)?;
            moved += admissions.len();
        }
        Ok(moved > 0)
    }
}

fn movable(parked: &[Parked]) -> impl Iterator<Item = &Parked> {
    parked.iter().filter(|one| !one.begun)
}

/// For a start without Redis. If the file refuses now, it will be asked again at the next start.
fn adopt(local: &mut SqliteStore, secret: &[u8; 32]) {
    if let Err(error) = local.adopt_secret(secret) {
        tracing::warn!(%error, store = local.name(), "the local store does not take the secret of event ids");
    }
}

fn nowhere() -> StoreError {
    StoreError::Redis("it is away, and there is no local store to stand in for it".to_owned())
}

impl Store for SharedStore {
    fn name(&self) -> String {
        self.redis.name()
    }

    fn is_shared(&self) -> bool {
        true
    }

    /// Redis' own, kept in the file for a start without it: ids that derive from it must be the same everywhere.
    fn secret(&mut self) -> Result<[u8; 32], StoreError> {
        let secret = match (self.ask(Store::secret), self.local.as_mut()) {
            (Some(secret), local) => {
                if let Some(local) = local {
                    adopt(local, &secret);
                }
                secret
            }
            (None, Some(local)) => local.secret()?,
            // The site must not be down for that. It is offered to Redis when that is there.
            (None, None) => random_fingerprint(),
        };
        self.secret = Some(secret);
        Ok(secret)
    }

    fn admit(&mut self, admissions: &[Admission], now: UnixMillis) -> Result<Vec<Admitted>, StoreError> {
        // If Redis had done it all the same and only its answer was lost, it will know them when they move over.
        self.ask_either(|redis| redis.admit(admissions, now), |local| local.admit(admissions, now))
    }

    fn take_due(&mut self, wanted: &Wanted) -> Result<Vec<Due>, StoreError> {
        let due = self.ask(|redis| redis.take_due(wanted));
        if let Some(due) = due.filter(|due| !due.is_empty()) {
            return Ok(due);
        }
        if self.local_waits_for()? > Duration::ZERO {
            return Ok(Vec::new());
        }
        let away = self.away.is_some();
        let mut due = self.add(!away, |local| local.take_due(wanted))?;
        for due in &mut due {
            due.id = -due.id;
        }
        Ok(due)
    }

    fn next_due(&mut self, pixel: &str, now: UnixMillis) -> Result<Option<UnixMillis>, StoreError> {
        let shared = self.ask(|redis| redis.next_due(pixel, now)).flatten();
        let wait = u64::try_from(self.local_waits_for()?.as_millis()).unwrap_or(u64::MAX);
        let away = self.away.is_some();
        let own = self.add(!away, |local| local.next_due(pixel, now))?;
        let own = own.map(|own| own.max(UnixMillis(now.0.saturating_add(wait))));
        Ok(shared.into_iter().chain(own).min())
    }

    fn settle(&mut self, settlements: &[Settlement], now: UnixMillis) -> Result<(), StoreError> {
        let (shared, mut own): (Vec<_>, Vec<_>) =
            settlements.iter().cloned().partition(|settlement| settlement.id >= 0);
        if !own.is_empty()
            && let Some(local) = self.file()
        {
            for settlement in &mut own {
                settlement.id = -settlement.id;
            }
            local.settle(&own, now)?;
        }
        if !shared.is_empty() && self.ask(|redis| redis.settle(&shared, now)).is_none() {
            self.owe(Owed::Settlements(shared, now));
        }
        Ok(())
    }

    fn first_use(&mut self, label: &str, now: UnixMillis) -> Result<UnixMillis, StoreError> {
        self.ask_either(|redis| redis.first_use(label, now), |local| local.first_use(label, now))
    }

    fn hold(&mut self, held: &Held, now: UnixMillis) -> Result<Holding, StoreError> {
        self.ask_either(|redis| redis.hold(held, now), |local| local.hold(held, now))
    }

    fn choose(&mut self, choice: Choice, now: UnixMillis) -> Result<Vec<Released>, StoreError> {
        let shared = self.ask(|redis| redis.choose(choice, now));
        // What has waited long enough does so until somebody looks again.
        if shared.is_none() && choice != Choice::Expired {
            self.owe(Owed::Choice(choice, now));
        }
        let own = self.add(shared.is_some(), |local| local.choose(choice, now))?;
        let mut released = shared.unwrap_or_default();
        released.extend(own);
        Ok(released)
    }

    fn held_browsers(&mut self) -> Result<Vec<[u8; 32]>, StoreError> {
        let shared = self.ask(Store::held_browsers);
        let own = self.add(shared.is_some(), Store::held_browsers)?;
        let mut browsers = shared.unwrap_or_default();
        browsers.extend(own);
        Ok(browsers)
    }

    fn withdraw(&mut self, ties: &[Tie], now: UnixMillis) -> Result<usize, StoreError> {
        let shared = self.ask(|redis| redis.withdraw(ties, now));
        if shared.is_none() {
            self.owe(Owed::Withdrawal(ties.to_vec(), now));
        }
        let own = self.add(shared.is_some(), |local| local.withdraw(ties, now))?;
        Ok(shared.unwrap_or(0) + own)
    }

    fn pages(&mut self) -> Result<Vec<PageRow>, StoreError> {
        self.ask_either(Store::pages, Store::pages)
    }

    fn keep_pages(&mut self, rows: &[PageRow]) -> Result<(), StoreError> {
        self.ask_either(|redis| redis.keep_pages(rows), |local| local.keep_pages(rows))
    }

    fn tally(&mut self) -> Result<Tally, StoreError> {
        let shared = self.ask(Store::tally);
        let own = self.add(shared.is_some(), Store::tally)?;
        let shared = shared.unwrap_or_default();
        Ok(Tally { pending: shared.pending + own.pending, dead: shared.dead + own.dead, held: shared.held + own.held })
    }

    fn stand_in(&mut self) -> Result<StandIn, StoreError> {
        let away = self.away.is_some();
        let own = self.add(!away, Store::tally)?;
        Ok(StandIn { pending: own.pending, in_use: self.away.is_some() })
    }

    fn tend(&mut self, now: UnixMillis) -> Result<bool, StoreError> {
        let told = self.ask(|redis| redis.tend(now)).unwrap_or(false);
        let moved = self.move_over()?;
        let own = self.local.as_mut().map_or(Ok(false), |local| local.tend(now))?;
        Ok(std::mem::take(&mut self.is_news) || told || moved || own)
    }

    fn sweep(&mut self, now: UnixMillis) -> Result<(), StoreError> {
        let shared = self.ask(|redis| redis.sweep(now));
        self.add(shared.is_some(), |local| local.sweep(now))
    }

    fn start_anew(&mut self, error: &StoreError) -> bool {
        // Verdicts that wait are about Redis' deliveries as well: they stay. Those about the file's harm nobody.
        if let Some(local) = &mut self.local {
            local.start_anew(error);
        }
        false
    }
}
