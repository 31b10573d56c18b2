//! The thread that owns a store, and the handle to it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::*;

fn open() -> (tempfile::TempDir, Outbox) {
    let dir = tempfile::tempdir().unwrap();
    let outbox = Outbox::open(&dir.path().join("capi.db")).unwrap();
    (dir, outbox)
}

fn block<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

/// Now by the system's clock, which is the writer's.
fn due(outbox: &Outbox) -> Vec<Due> {
    block(outbox.due(wanted("111", UnixMillis::now(), 1000, 1 << 20))).unwrap()
}

fn count(outbox: &Outbox, name: &str) -> u64 {
    let samples = outbox.samples();
    samples.iter().find(|sample| sample.name == name).expect(name).value
}

fn wait_until(mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(10));
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn what_was_committed_is_there_after_a_restart_and_the_secret_is_the_same() {
    let (dir, outbox) = open();
    let secret = outbox.secret();
    assert_eq!(
        outbox.admit_blocking(vec![admission(1), admission(1)]).unwrap(),
        [new("fallback-1"), duplicate("fallback-1")]
    );
    assert_eq!(count(&outbox, "capi_outbox_committed_total"), 1);
    assert_eq!(count(&outbox, "capi_outbox_duplicates_total"), 1);
    let other = outbox.clone();
    outbox.close();
    assert!(matches!(other.admit_blocking(vec![admission(2)]), Err(StoreError::Gone)));
    let outbox = Outbox::open(&dir.path().join("capi.db")).unwrap();
    assert_eq!(outbox.secret(), secret);
    assert_eq!(due(&outbox).len(), 1);
}

#[test]
fn news_come_with_leads_with_retries_with_a_yes_and_with_an_operator() {
    let (dir, outbox) = open();
    let mut news = outbox.news();
    let mut told = || {
        let changed = news.has_changed().unwrap();
        news.mark_unchanged();
        changed
    };
    outbox.admit_blocking(vec![admission(1)]).unwrap();
    assert!(told());
    outbox.admit_blocking(vec![admission(1)]).unwrap();
    assert!(!told(), "a repeat is no news");
    let id = due(&outbox)[0].id;
    block(outbox.settle(vec![settlement(id, retry_at(UnixMillis::now()))], UnixMillis::now())).unwrap();
    assert!(told());
    let waits = Held { until: UnixMillis(UnixMillis::now().0 + HOUR), ..held(admission(2), 1, false) };
    assert_eq!(outbox.hold_blocking(waits).unwrap(), Holding::Waits);
    assert!(!told());
    assert_eq!(outbox.choose_blocking(Choice::Granted([1; 32])).unwrap().len(), 1);
    assert!(told());
    for due in due(&outbox) {
        let dead = settlement(due.id, Verdict::Dead { reason: "payload" });
        block(outbox.settle(vec![dead], UnixMillis::now())).unwrap();
    }
    assert!(!told());
    assert_eq!(SqliteInspector::open(&dir.path().join("capi.db")).unwrap().retry(&[]).unwrap(), 2);
    wait_until(told);
    assert_eq!(due(&outbox).len(), 2);
    wait_until(|| count(&outbox, "capi_outbox_pending") == 2);
}

/// A store that refuses while the flag is set, its writer, and a way to ask it.
struct Cramped {
    _dir: tempfile::TempDir,
    full: Arc<AtomicBool>,
    counts: Arc<OutboxCounts>,
    commands: SyncSender<Command>,
    thread: JoinHandle<()>,
}

impl Cramped {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let counts = Arc::new(OutboxCounts::default());
        let (sender, _news) = watch::channel(0);
        let mut store = SqliteStore::open(&dir.path().join("capi.db")).unwrap();
        let full = Arc::new(AtomicBool::new(true));
        store.fill(&full);
        let writer = Writer::new(Box::new(store), Arc::clone(&counts), sender);
        let (commands, receiver) = sync_channel(10);
        let thread = std::thread::spawn(move || writer.run(&receiver));
        Self { _dir: dir, full, counts, commands, thread }
    }

    fn ask<T>(&self, command: impl FnOnce(SyncSender<Result<T, StoreError>>) -> Command) -> Result<T, StoreError> {
        let (reply, answer) = sync_channel(1);
        self.commands.send(command(reply)).unwrap();
        answer.recv().unwrap()
    }

    fn admit(&self, admissions: Vec<Admission>) -> Result<Vec<Admitted>, StoreError> {
        self.ask(|reply| Command::Admit { admissions, reply })
    }

    /// There is room again, and what waited is written.
    fn empty(self) -> Arc<OutboxCounts> {
        self.full.store(false, Ordering::Relaxed);
        wait_until(|| self.counts.committed.load(Ordering::Relaxed) > 0);
        self.commands.send(Command::Close).unwrap();
        self.thread.join().unwrap();
        assert_eq!(self.counts.ring.load(Ordering::Relaxed), 0);
        self.counts
    }
}

fn big(print: u8) -> Admission {
    Admission { body: "x".repeat(100_000).into(), ..admission(print) }
}

#[test]
fn a_full_store_keeps_leads_in_memory_and_writes_them_when_there_is_room_again() {
    let store = Cramped::new();
    assert!(matches!(store.admit(vec![big(1), big(1)]), Err(StoreError::Kept { .. })));
    let many = (0..120).map(big).collect();
    assert!(matches!(store.admit(many), Err(StoreError::Full { .. })), "12 MB are more than the memory for it");
    let counts = store.empty();
    assert_eq!(counts.committed.load(Ordering::Relaxed), 1);
    assert_eq!(counts.duplicates.load(Ordering::Relaxed), 1, "repeats are recognised then");
    assert_eq!(counts.lost.load(Ordering::Relaxed), 120);
}

#[test]
fn a_withdrawal_finds_what_waits_in_memory() {
    let store = Cramped::new();
    let tied = |print, tie| Admission { ties: vec![[tie; TIE_BYTES]], ..big(print) };
    assert!(store.admit(vec![tied(1, 100), tied(2, 101), tied(3, 100)]).is_err());
    let withdraw = |reply| Command::Withdraw { ties: vec![[100; TIE_BYTES]], reply };
    assert_eq!(store.ask(withdraw).unwrap(), 2);
    let counts = store.empty();
    assert_eq!(counts.committed.load(Ordering::Relaxed), 1);
    assert_eq!(counts.withdrawn.load(Ordering::Relaxed), 2);
}
