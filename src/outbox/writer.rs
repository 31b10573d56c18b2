//! The thread that owns the store. It does one thing at a time, so that no write waits for another.
//!
//! When the store refuses (disk full, locked, broken), admissions wait in a bounded memory and settlements wait with
//! them; both are tried again every second, without a restart.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

use tokio::sync::{oneshot, watch};

use super::pages::{PageRow, Unwritten};
use super::ring::Ring;
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
/// Admissions tried again in one transaction.
const BATCH: usize = 32;

pub type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

/// To a thread that waits for it.
pub type Answer<T> = SyncSender<Result<T, StoreError>>;

/// What the writer is asked to do.
pub enum Command {
    Admit { admissions: Vec<Admission>, reply: Answer<Vec<Admitted>> },
    Due { wanted: Wanted, reply: Reply<Vec<Due>> },
    NextDue { pixel: String, now: UnixMillis, reply: Reply<Option<UnixMillis>> },
    Settle { settlements: Vec<Settlement>, now: UnixMillis, reply: Reply<()> },
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
    news: watch::Sender<u64>,
    ring: Ring,
    unsettled: Vec<(Settlement, UnixMillis)>,
    /// Pages to be remembered.
    unwritten: Unwritten,
    /// It refuses, and that has been said.
    refusing: bool,
}

impl Writer {
    pub fn new(store: Box<dyn Store>, counts: Arc<OutboxCounts>, news: watch::Sender<u64>) -> Self {
        let (ring, unsettled, unwritten) = (Ring::default(), Vec::new(), Unwritten::default());
        let mut writer = Self { store, counts, news, ring, unsettled, unwritten, refusing: false };
        // What an earlier run left is known from the first moment.
        writer.gauge();
        writer
    }

    pub fn run(mut self, commands: &Receiver<Command>) {
        let (mut ticked, mut swept) = (Instant::now(), Instant::now());
        let mut clock = Timekeeper::new(Reading::now());
        loop {
            match commands.recv_timeout(TICK.saturating_sub(ticked.elapsed())) {
                Ok(Command::Close) | Err(RecvTimeoutError::Disconnected) => break,
                Ok(command) => self.serve(command),
                Err(RecvTimeoutError::Timeout) => {}
            }
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

    // A caller that has stopped waiting for its answer needs none.
    fn serve(&mut self, command: Command) {
        match command {
            Command::Admit { admissions, reply } => drop(reply.send(self.admit(admissions))),
            Command::Due { wanted, reply } => {
                let due = self.store.take_due(&wanted);
                self.notice("handing out deliveries", &due);
                drop(reply.send(due));
            }
            Command::NextDue { pixel, now, reply } => drop(reply.send(self.store.next_due(&pixel, now))),
            Command::Settle { settlements, now, reply } => {
                self.unsettled.extend(settlements.into_iter().map(|settlement| (settlement, now)));
                self.write_settlements();
                drop(reply.send(Ok(())));
            }
            Command::FirstUse { label, now, reply } => drop(reply.send(self.store.first_use(&label, now))),
            Command::Pages { reply } => drop(reply.send(self.store.pages())),
            Command::Hold { held, reply } => {
                let holding = self.store.hold(&held, UnixMillis::now());
                self.notice("holding a submission", &holding);
                drop(reply.send(holding));
            }
            Command::Choose { choice, reply } => {
                let released = self.store.choose(choice, UnixMillis::now());
                let admitted = released.iter().flatten().filter(|one| one.admitted.is_some()).count();
                if admitted > 0 {
                    self.counts.committed.fetch_add(admitted as u64, Ordering::Relaxed);
                    self.tell();
                }
                self.notice("ending the wait of submissions", &released);
                drop(reply.send(released));
            }
            Command::HeldBrowsers { reply } => drop(reply.send(self.store.held_browsers())),
            Command::Withdraw { ties, reply } => drop(reply.send(self.withdraw(&ties))),
            Command::KeepPage(row) => self.unwritten.add(row),
            Command::Close => {}
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

    fn admit(&mut self, admissions: Vec<Admission>) -> Result<Vec<Admitted>, StoreError> {
        let cause = match self.try_admit(&admissions) {
            Ok(admitted) => return Ok(admitted),
            Err(error) => error.to_string(),
        };
        match self.ring.put(admissions) {
            Ok(()) => {
                self.counts.ring.store(self.ring.len() as u64, Ordering::Relaxed);
                Err(StoreError::Kept { cause })
            }
            Err(lost) => {
                self.counts.lost.fetch_add(lost.len() as u64, Ordering::Relaxed);
                Err(StoreError::Full { cause })
            }
        }
    }

    fn try_admit(&mut self, admissions: &[Admission]) -> Result<Vec<Admitted>, StoreError> {
        let admitted = self.store.admit(admissions, UnixMillis::now());
        match &admitted {
            Ok(admitted) => {
                self.works_again();
                let new = admitted.iter().filter(|one| matches!(one, Admitted::New { .. })).count() as u64;
                self.counts.committed.fetch_add(new, Ordering::Relaxed);
                self.counts.duplicates.fetch_add(admitted.len() as u64 - new, Ordering::Relaxed);
                if new > 0 {
                    self.tell();
                }
            }
            Err(error) => {
                self.counts.refused.fetch_add(1, Ordering::Relaxed);
                self.complain("storing leads", error);
            }
        }
        admitted
    }

    fn tick(&mut self) {
        while self.ring.len() > 0 {
            let batch = self.ring.first(BATCH);
            if self.try_admit(&batch).is_err() {
                break;
            }
            self.ring.forget(batch.len());
            tracing::info!(leads = batch.len(), "the store takes writes again: leads from memory are on disk");
        }
        self.counts.ring.store(self.ring.len() as u64, Ordering::Relaxed);
        self.write_settlements();
        let written = self.unwritten.write(&mut *self.store);
        self.notice("remembering pages", &written);
        let tended = self.store.tend(UnixMillis::now());
        self.notice("looking for changes", &tended);
        if tended.unwrap_or(false) {
            self.tell();
        }
        self.gauge();
    }

    fn write_settlements(&mut self) {
        let Some((_, now)) = self.unsettled.last() else { return };
        let settlements: Vec<_> = self.unsettled.iter().map(|(settlement, _)| settlement.clone()).collect();
        match self.store.settle(&settlements, *now) {
            Ok(()) => {
                self.unsettled.clear();
                self.works_again();
                if settlements.iter().any(|settlement| matches!(settlement.verdict, Verdict::Retry { .. })) {
                    self.tell();
                }
            }
            Err(error) => self.complain("recording deliveries (tried again)", &error),
        }
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

    fn tell(&self) {
        self.news.send_modify(|news| *news = news.wrapping_add(1));
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
