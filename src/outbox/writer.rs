//! The thread that owns the store. It does one thing at a time, so that no write waits for another; submissions, verdicts
//! and deliveries that are due at the same moment are one thing (`turn`).
//!
//! When the store refuses (disk full, locked, broken), admissions wait in a bounded memory and settlements wait with
//! them; both are tried again every second, without a restart.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};
use std::{iter, mem};

use tokio::sync::oneshot;

use super::asks::{Ask, Asks};
use super::pages::{PageRow, Unwritten};
use super::ring::Ring;
use super::turn::Turn;
use super::{
    Admission, Admitted, Choice, Due, Held, Holding, OutboxCounts, Released, Settlement, Store, StoreError, Tie,
    Verdict, Wanted,
};
use crate::clock::{Reading, Timekeeper};
use crate::exchange::UnixMillis;

/// How often what was refused is tried again, and changes by other processes are looked for.
const TICK: Duration = Duration::from_secs(1);
/// How often old rows are swept.
const SWEEP: Duration = Duration::from_secs(60);
/// How long verdicts wait for a submission to be committed with. A crash in that time sends the events again under their
/// ids, as one during the request does, which takes longer.
const LINGER: Duration = Duration::from_millis(20);
/// Admissions tried again in one transaction.
const BATCH: usize = 32;

pub type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

/// To a thread that waits for it.
pub type Answer<T> = SyncSender<Result<T, StoreError>>;

/// What the writer is asked to do.
pub enum Command {
    Admit { admissions: Vec<Admission>, reply: Answer<Vec<Admitted>> },
    Due { wanted: Wanted, reply: Reply<Vec<Due>> },
    WaitNoLonger { pixel: String },
    Settle { settlements: Vec<Settlement>, now: UnixMillis },
    FirstUse { label: String, now: UnixMillis, reply: Reply<UnixMillis> },
    Pages { reply: Answer<Vec<PageRow>> },
    Hold { held: Box<Held>, reply: Answer<Holding> },
    Choose { choice: Choice, reply: Answer<Vec<Released>> },
    HeldBrowsers { reply: Answer<Vec<[u8; 32]>> },
    Withdraw { ties: Vec<Tie>, reply: Answer<usize> },
    KeepPage(PageRow),
    Close,
}

pub struct Writer {
    store: Box<dyn Store>,
    counts: Arc<OutboxCounts>,
    /// What has come since the last turn, with who waits for it.
    arrived: Vec<(Vec<Admission>, Answer<Vec<Admitted>>)>,
    asks: Asks,
    unsettled: Vec<(Settlement, UnixMillis)>,
    /// When these are written at the latest. `None`: they were refused, and are tried again in time.
    settle_at: Option<Instant>,
    ring: Ring,
    /// Pages to be remembered.
    unwritten: Unwritten,
    /// It refuses, and that has been said.
    refusing: bool,
}

impl Writer {
    pub fn new(store: Box<dyn Store>, counts: Arc<OutboxCounts>) -> Self {
        let mut writer = Self {
            store,
            counts,
            arrived: Vec::new(),
            asks: Asks::default(),
            unsettled: Vec::new(),
            settle_at: None,
            ring: Ring::default(),
            unwritten: Unwritten::default(),
            refusing: false,
        };
        // What an earlier run left is known from the first moment.
        writer.gauge();
        writer
    }

    pub fn run(mut self, commands: &Receiver<Command>) {
        let (mut ticked, mut swept) = (Instant::now(), Instant::now());
        let mut clock = Timekeeper::new(Reading::now());
        let mut open = true;
        while open {
            let next = self.settle_at.into_iter().chain(self.asks.next()).chain(ticked.checked_add(TICK)).min();
            let wait = next.unwrap_or(ticked).saturating_duration_since(Instant::now());
            match commands.recv_timeout(wait) {
                // What has come meanwhile is done together with it.
                Ok(first) => open = iter::once(first).chain(commands.try_iter()).all(|command| self.serve(command)),
                Err(RecvTimeoutError::Disconnected) => open = false,
                Err(RecvTimeoutError::Timeout) => {}
            }
            self.take_turn(!open);
            if ticked.elapsed() >= TICK {
                ticked = Instant::now();
                self.tick();
            }
            // Nothing is too old by a clock that has just leapt.
            if clock.look(Reading::now()).doubtful_for.is_zero() && swept.elapsed() >= SWEEP {
                swept = Instant::now();
                let done = self.store.sweep(UnixMillis::now());
                self.notice("sweeping", &done);
            }
        }
        self.tick();
        if self.ring.len() > 0 {
            tracing::error!(leads = self.ring.len(), "stopped while the store refuses writes: these leads are lost");
        }
    }

    /// `false`: it was the last command. A caller that has stopped waiting for its answer needs none.
    fn serve(&mut self, command: Command) -> bool {
        match command {
            Command::Admit { admissions, reply } => self.arrived.push((admissions, reply)),
            Command::Due { wanted, reply } => self.asks.add(Ask::new(wanted, reply)),
            Command::WaitNoLonger { pixel } => {
                self.take_turn(false);
                self.asks.dismiss(&pixel);
            }
            Command::Settle { settlements, now } => {
                let waits = settlements.iter().any(|one| matches!(one.verdict, Verdict::Retry { .. }));
                let at = if waits { Some(Instant::now()) } else { Instant::now().checked_add(LINGER) };
                self.settle_at = self.settle_at.into_iter().chain(at).min();
                self.unsettled.extend(settlements.into_iter().map(|settlement| (settlement, now)));
            }
            Command::FirstUse { label, now, reply } => drop(reply.send(self.store.first_use(&label, now))),
            Command::Pages { reply } => drop(reply.send(self.store.pages())),
            Command::Hold { held, reply } => {
                self.take_turn(false);
                let holding = self.store.hold(&held, UnixMillis::now());
                self.notice("holding a submission", &holding);
                drop(reply.send(holding));
            }
            Command::Choose { choice, reply } => {
                self.take_turn(false);
                let released = self.store.choose(choice, UnixMillis::now());
                let admitted = released.iter().flatten().filter(|one| one.admitted.is_some()).count();
                if admitted > 0 {
                    self.counts.committed.fetch_add(admitted as u64, Ordering::Relaxed);
                    self.asks.news();
                }
                self.notice("ending the wait of submissions", &released);
                drop(reply.send(released));
            }
            Command::HeldBrowsers { reply } => drop(reply.send(self.store.held_browsers())),
            Command::Withdraw { ties, reply } => {
                // What Meta has is known before anything is said to be withdrawn.
                self.take_turn(true);
                drop(reply.send(self.withdraw(&ties)));
            }
            Command::KeepPage(row) => self.unwritten.add(row),
            Command::Close => return false,
        }
        true
    }

    /// All that is to be done now, in one step. Verdicts wait a moment for a submission, to be committed with it; not if
    /// they are to be settled now.
    fn take_turn(&mut self, settle: bool) {
        let (counted, admissions): (Vec<_>, Vec<_>) = mem::take(&mut self.arrived)
            .into_iter()
            .map(|(admissions, reply)| ((admissions.len(), reply), admissions))
            .unzip();
        let mut admissions = admissions.concat();
        let settle = settle || !admissions.is_empty() || self.settle_at.is_some_and(|at| at <= Instant::now());
        let unsettled = self.unsettled.iter().filter(|_| settle && self.settle_at.is_some());
        let settlements: Vec<_> = unsettled.map(|(settlement, _)| settlement.clone()).collect();
        let asks = self.asks.that_look(&admissions);
        if admissions.is_empty() && settlements.is_empty() && asks.is_empty() {
            return;
        }
        let now = UnixMillis::now();
        let newest = if admissions.is_empty() { UnixMillis(0) } else { now };
        let wanted: Vec<_> = asks.iter().map(|ask| ask.wanted(newest)).collect();
        let done = self.store.turn(&Turn {
            settlements: &settlements,
            settled: self.unsettled.last().map_or(now, |(_, at)| *at),
            admissions: &admissions,
            now,
            wanted: &wanted,
        });
        // One word about all of it: a broken store is set aside once.
        match done.first_error() {
            Some((what, error)) => self.complain(what, error),
            None if settlements.is_empty() && admissions.is_empty() => {}
            None => self.works_again(),
        }
        if !settlements.is_empty() {
            self.settled(&settlements, done.settled.is_ok());
        }
        if !admissions.is_empty() {
            self.count_admitted(&done.admitted);
        }
        let mut admitted = done.admitted.map(Vec::into_iter).map_err(|error| error.to_string());
        for (count, reply) in counted {
            let answer = match &mut admitted {
                Ok(admitted) => Ok(admitted.take(count).collect()),
                Err(cause) => Err(self.keep(admissions.drain(..count.min(admissions.len())).collect(), cause.clone())),
            };
            drop(reply.send(answer));
        }
        for ((ask, wanted), due) in asks.into_iter().zip(&wanted).zip(done.due) {
            match due {
                Ok(due) if due.is_empty() => match self.store.next_due(&wanted.pixel, wanted.now) {
                    Ok(next) => {
                        let wait = next.map(|next| Duration::from_millis(next.0.saturating_sub(wanted.now.0)));
                        self.asks.wait(ask, wait);
                    }
                    Err(error) => ask.answer(Err(error)),
                },
                due => ask.answer(due),
            }
        }
    }

    fn notice<T>(&mut self, what: &str, result: &Result<T, StoreError>) {
        if let Err(error) = result {
            self.complain(what, error);
        }
    }

    /// What waits in memory goes first: it would be stored afterwards.
    fn withdraw(&mut self, ties: &[Tie]) -> Result<usize, StoreError> {
        let waiting = self.ring.withdraw(ties);
        self.counts.ring.store(self.ring.len() as u64, Ordering::Relaxed);
        let stored = self.store.withdraw(ties, UnixMillis::now());
        self.notice("erasing what was withdrawn", &stored);
        let withdrawn = waiting + stored?;
        self.counts.withdrawn.fetch_add(withdrawn as u64, Ordering::Relaxed);
        Ok(withdrawn)
    }

    /// Leads that the store has refused.
    fn keep(&mut self, admissions: Vec<Admission>, cause: String) -> StoreError {
        match self.ring.put(admissions) {
            Ok(()) => {
                self.counts.ring.store(self.ring.len() as u64, Ordering::Relaxed);
                StoreError::Kept { cause }
            }
            Err(lost) => {
                self.counts.lost.fetch_add(lost.len() as u64, Ordering::Relaxed);
                StoreError::Full { cause }
            }
        }
    }

    fn count_admitted(&self, admitted: &Result<Vec<Admitted>, StoreError>) {
        let Ok(admitted) = admitted else {
            self.counts.refused.fetch_add(1, Ordering::Relaxed);
            return;
        };
        let new = admitted.iter().filter(|one| matches!(one, Admitted::New { .. })).count() as u64;
        self.counts.committed.fetch_add(new, Ordering::Relaxed);
        self.counts.duplicates.fetch_add(admitted.len() as u64 - new, Ordering::Relaxed);
    }

    /// What the store refuses is tried again, in vain or not, until the process ends.
    fn settled(&mut self, settlements: &[Settlement], written: bool) {
        self.settle_at = None;
        if written {
            self.unsettled.clear();
            if settlements.iter().any(|settlement| matches!(settlement.verdict, Verdict::Retry { .. })) {
                self.asks.news();
            }
        }
    }

    fn tick(&mut self) {
        while self.ring.len() > 0 {
            let batch = self.ring.first(BATCH);
            let admitted = self.store.admit(&batch, UnixMillis::now());
            self.count_admitted(&admitted);
            self.notice("storing leads", &admitted);
            if admitted.is_err() {
                break;
            }
            self.works_again();
            self.asks.news();
            self.ring.forget(batch.len());
            tracing::info!(leads = batch.len(), "the store takes writes again: leads from memory are on disk");
        }
        self.counts.ring.store(self.ring.len() as u64, Ordering::Relaxed);
        if !self.unsettled.is_empty() && self.settle_at.is_none() {
            self.settle_at = Some(Instant::now());
            self.take_turn(false);
        }
        let written = self.unwritten.write(&mut *self.store);
        self.notice("remembering pages", &written);
        let tended = self.store.tend(UnixMillis::now());
        self.notice("looking for changes", &tended);
        if tended.unwrap_or(false) {
            self.asks.news();
        }
        self.gauge();
    }

    fn gauge(&mut self) {
        let tally = self.store.tally();
        self.notice("counting", &tally);
        if let Ok(tally) = tally {
            self.counts.pending.store(tally.pending, Ordering::Relaxed);
            self.counts.dead.store(tally.dead, Ordering::Relaxed);
            self.counts.held.store(tally.held, Ordering::Relaxed);
        }
        let stand_in = self.store.stand_in();
        self.notice("counting what waits in the local file", &stand_in);
        if let Ok(stand_in) = stand_in {
            self.counts.local.store(stand_in.pending, Ordering::Relaxed);
            self.counts.away.store(stand_in.in_use.into(), Ordering::Relaxed);
        }
    }

    /// Once, until the store takes something again: a full disk must not be filled with words about it.
    fn complain(&mut self, what: &str, error: &StoreError) {
        if std::mem::replace(&mut self.refusing, true) {
            tracing::debug!(%error, what, "the store still refuses");
        } else {
            tracing::error!(
                %error, store = self.store.name(), what,
                "the store refuses: leads wait in memory, and nothing is sent, until it works again"
            );
        }
        if self.store.start_anew(error) {
            self.unsettled.clear();
        }
    }

    fn works_again(&mut self) {
        if std::mem::take(&mut self.refusing) {
            tracing::info!(store = self.store.name(), "the store works again");
        }
    }
}
