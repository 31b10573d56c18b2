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

fn all() -> Wanted {
    // By the system's clock, which is the writer's.
    wanted("111", UnixMillis::now(), 1000, 1 << 20)
}

/// Waits until there is something.
fn due(outbox: &Outbox) -> Vec<Due> {
    block(outbox.due(all())).unwrap()
}

/// What is due now, be it nothing.
fn due_now(outbox: &Outbox) -> Vec<Due> {
    block(async {
        let mut due = std::pin::pin!(outbox.due(all()));
        tokio::select! {
            biased;
            due = &mut due => return due,
            () = std::future::ready(()) => outbox.wait_no_longer("111"),
        }
        due.await
    })
    .unwrap()
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

/// Waits for deliveries on a thread of its own, as a pixel's task does; what it gets comes out of the channel.
fn wait_for_due(outbox: &Outbox) -> std::sync::mpsc::Receiver<Vec<Due>> {
    let (got, came) = sync_channel(1);
    let outbox = outbox.clone();
    std::thread::spawn(move || got.send(due(&outbox)).unwrap());
    assert!(came.recv_timeout(Duration::from_millis(50)).is_err(), "nothing is due yet");
    came
}

#[test]
fn who_waits_is_handed_leads_retries_what_was_allowed_and_what_an_operator_wants() {
    let (dir, outbox) = open();
    let soon = Duration::from_secs(10);
    let came = wait_for_due(&outbox);
    assert_eq!(outbox.admit_blocking(vec![admission(1)]).unwrap(), [new("fallback-1")]);
    let first = came.recv_timeout(soon).unwrap();
    assert_eq!(first.len(), 1);
    assert_eq!(outbox.admit_blocking(vec![admission(1)]).unwrap(), [duplicate("fallback-1")]);
    assert!(due_now(&outbox).is_empty(), "a repeat is no news");
    let came = wait_for_due(&outbox);
    let later = UnixMillis(UnixMillis::now().0 + 100);
    outbox.settle(vec![settlement(first[0].id, retry_at(later))], UnixMillis::now()).unwrap();
    assert_eq!(came.recv_timeout(soon).unwrap()[0].id, first[0].id, "when its time has come");
    let waits = Held { until: UnixMillis(UnixMillis::now().0 + HOUR), ..held(admission(2), 1, false) };
    assert_eq!(outbox.hold_blocking(waits).unwrap(), Holding::Waits);
    let came = wait_for_due(&outbox);
    assert_eq!(outbox.choose_blocking(Choice::Granted([1; 32])).unwrap().len(), 1);
    let second = came.recv_timeout(soon).unwrap();
    for due in first.iter().chain(&second) {
        outbox.settle(vec![settlement(due.id, Verdict::Dead { reason: "payload" })], UnixMillis::now()).unwrap();
    }
    wait_until(|| count(&outbox, "capi_outbox_dead") == 2);
    let came = wait_for_due(&outbox);
    assert_eq!(SqliteInspector::open(&dir.path().join("capi.db")).unwrap().retry(&[]).unwrap(), 2);
    assert_eq!(came.recv_timeout(soon).unwrap().len(), 2);
    wait_until(|| count(&outbox, "capi_outbox_pending") == 2);
}

#[test]
fn another_pixels_leads_wake_nobody() {
    let (_dir, outbox) = open();
    let came = wait_for_due(&outbox);
    outbox.admit_blocking(vec![Admission { pixels: vec!["222".to_owned()], ..admission(1) }]).unwrap();
    assert!(came.recv_timeout(Duration::from_millis(50)).is_err());
    outbox.wait_no_longer("111");
    assert!(came.recv().unwrap().is_empty());
}

#[test]
fn verdicts_are_written_in_a_moment_with_the_next_lead_and_at_the_end() {
    let (dir, outbox) = open();
    let mut inspector = SqliteInspector::open(&dir.path().join("capi.db")).unwrap();
    let mut delivered = || list(&mut inspector, Some("delivered")).len();
    let deliver = |print| {
        outbox.admit_blocking(vec![admission(print)]).unwrap();
        let due = due(&outbox);
        outbox.settle(vec![settlement(due[0].id, Verdict::Delivered)], UnixMillis::now()).unwrap();
    };
    deliver(1);
    wait_until(|| delivered() == 1);
    deliver(2);
    outbox.admit_blocking(vec![admission(9)]).unwrap();
    assert_eq!(delivered(), 2);
    assert_eq!(due_now(&outbox).len(), 1);
    deliver(3);
    outbox.close();
    assert_eq!(delivered(), 3);
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
        let mut store = SqliteStore::open(&dir.path().join("capi.db")).unwrap();
        let full = Arc::new(AtomicBool::new(true));
        store.fill(&full);
        let writer = Writer::new(Box::new(store), Arc::clone(&counts));
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
