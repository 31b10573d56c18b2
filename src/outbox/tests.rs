//! The store as its users see it, on real files.

use std::time::Duration;

use super::*;
use crate::outbox::inspect::{DeliveryRow, Inspector};

struct Store {
    dir: tempfile::TempDir,
    outbox: Outbox,
}

fn open() -> Store {
    let dir = tempfile::tempdir().unwrap();
    let outbox = Outbox::open(&dir.path().join("capi.db")).unwrap();
    Store { dir, outbox }
}

impl Store {
    fn path(&self) -> std::path::PathBuf {
        self.dir.path().join("capi.db")
    }

    fn reopen(self) -> Self {
        self.outbox.close();
        let outbox = Outbox::open(&self.dir.path().join("capi.db")).unwrap();
        Self { dir: self.dir, outbox }
    }

    fn rows(&self) -> Vec<DeliveryRow> {
        let mut rows = Vec::new();
        Inspector::open(&self.path())
            .unwrap()
            .list(None, |row| {
                rows.push(row);
                true
            })
            .unwrap();
        rows
    }

    fn due(&self, pixel: &str, now: UnixMillis) -> Vec<Due> {
        block(self.outbox.due(pixel, now, Order::Newest, 1000, 1 << 20)).unwrap()
    }

    fn settle(&self, id: i64, verdict: Verdict) {
        let settlement = Settlement { id, verdict, code: Some(1), subcode: None, fbtrace_id: Some("trace".into()) };
        block(self.outbox.settle(vec![settlement], UnixMillis::now())).unwrap();
    }
}

fn block<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

fn admission(print: u8, supplied: Option<(&str, u8)>) -> Admission {
    Admission {
        fingerprint: [print; 32],
        supplied: supplied.map(|(id, contact)| SuppliedId { id: id.to_owned(), contact: [contact; 32] }),
        fallback_event_id: format!("fallback-{print}"),
        event_name: "Lead".to_owned(),
        event_time: UnixMillis::now().as_secs() + u64::from(print),
        body: format!("{{\"user_data\":{{\"em\":[\"hash-of-{print}\"]}}}}").into(),
        event_only: false,
        pixels: vec!["111".to_owned()],
        ties: Vec::new(),
    }
}

fn later(hours: u64) -> UnixMillis {
    UnixMillis(UnixMillis::now().0 + hours * 3_600_000)
}

#[test]
fn a_submission_is_new_once_and_then_a_duplicate_of_the_first() {
    let store = open();
    let new = |id: &str, taken| Admitted::New { event_id: id.to_owned(), supplied_id_was_taken: taken };
    let duplicate = |id: &str| Admitted::Duplicate { event_id: id.to_owned() };
    for (print, supplied, expected) in [
        (1, None, new("fallback-1", false)),
        (1, None, duplicate("fallback-1")),
        // The same data, now with an id: the first one's stands.
        (1, Some(("page-1", 1)), duplicate("fallback-1")),
        (2, Some(("page-2", 2)), new("page-2", false)),
        // Another message by the same person under the same id: a repeat.
        (3, Some(("page-2", 2)), duplicate("page-2")),
        (3, None, duplicate("page-2")),
        // A page cache hands the id to somebody else.
        (4, Some(("page-2", 9)), new("fallback-4", true)),
        (5, Some(("page-2", 9)), duplicate("fallback-4")),
    ] {
        let admitted = store.outbox.admit_blocking(vec![admission(print, supplied)]).unwrap();
        assert_eq!(admitted, [expected], "{print} {supplied:?}");
    }
    assert_eq!(store.rows().len(), 3);
    let store = store.reopen();
    let admitted =
        store.outbox.admit_blocking(vec![admission(1, None), admission(7, None), admission(7, None)]).unwrap();
    assert_eq!(admitted, [duplicate("fallback-1"), new("fallback-7", false), duplicate("fallback-7")]);
}

#[test]
fn what_is_handed_out_is_not_handed_out_again_until_it_is_settled_or_the_process_died() {
    let store = open();
    store.outbox.admit_blocking(vec![admission(1, None), admission(2, None)]).unwrap();
    let due = store.due("111", later(0));
    assert_eq!(
        due.iter().map(|due| due.event_id.as_str()).collect::<Vec<_>>(),
        ["fallback-2", "fallback-1"],
        "newest first"
    );
    assert!(due.iter().all(|due| due.in_doubt_since.is_none()));
    assert!(store.due("111", later(0)).is_empty());
    assert_eq!(block(store.outbox.next_due("111", later(0))).unwrap(), None);
    let store = store.reopen();
    let again = store.due("111", later(0));
    assert_eq!(again.len(), 2);
    assert!(again.iter().all(|due| due.in_doubt_since.is_some()), "Meta may have it already");
    let retry =
        |counts, in_doubt| Verdict::Retry { due_at: later(1), counts, in_doubt, body: None, reason: "transient" };
    store.settle(again[0].id, retry(true, false));
    store.settle(again[1].id, retry(false, true));
    assert!(store.due("111", later(0)).is_empty(), "not before it is due");
    let due = store.due("111", later(2));
    assert_eq!(
        due.iter().map(|due| (due.attempts, due.in_doubt_since.is_some())).collect::<Vec<_>>(),
        [(1, false), (0, true)]
    );
}

#[test]
fn an_event_without_user_data_comes_alone_and_other_pixels_wait_for_nobody() {
    let store = open();
    let mut bare = admission(9, None);
    bare.event_only = true;
    let mut two = admission(1, None);
    two.pixels = vec!["111".to_owned(), "222".to_owned()];
    store.outbox.admit_blocking(vec![bare, two, admission(2, None)]).unwrap();
    // What Meta wants goes before what it will refuse, even if that is newer.
    assert_eq!(store.due("111", later(0)).iter().map(|due| due.event_only).collect::<Vec<_>>(), [false, false]);
    assert_eq!(store.due("111", later(0)).iter().map(|due| due.event_only).collect::<Vec<_>>(), [true]);
    assert_eq!(store.due("222", later(0)).len(), 1);
}

#[test]
fn a_batch_is_bounded_by_count_and_by_bytes() {
    let store = open();
    store.outbox.admit_blocking((0..10).map(|n| admission(n, None)).collect()).unwrap();
    assert_eq!(block(store.outbox.due("111", later(0), Order::Newest, 3, 1 << 20)).unwrap().len(), 3);
    assert_eq!(block(store.outbox.due("111", later(0), Order::Newest, 100, 80)).unwrap().len(), 2);
    assert_eq!(block(store.outbox.due("111", later(0), Order::Newest, 100, 1)).unwrap().len(), 1, "one at least");
}

#[test]
fn a_clock_that_jumped_back_does_not_put_anything_to_sleep() {
    let store = open();
    store.outbox.admit_blocking(vec![admission(1, None)]).unwrap();
    let id = store.due("111", later(0))[0].id;
    store.settle(
        id,
        Verdict::Retry { due_at: later(240), counts: true, in_doubt: false, body: None, reason: "transient" },
    );
    let next = block(store.outbox.next_due("111", later(0))).unwrap().unwrap();
    assert!(next <= later(0), "{next:?}");
    assert_eq!(store.due("111", later(0)).len(), 1);
}

#[test]
fn contact_hashes_are_gone_from_the_file_once_everybody_has_the_event() {
    let store = open();
    let mut two = admission(1, None);
    two.pixels = vec!["111".to_owned(), "222".to_owned()];
    store.outbox.admit_blocking(vec![two, admission(2, None)]).unwrap();
    let in_file = |store: &Store, text: &str| {
        let mut bytes = std::fs::read(store.path()).unwrap();
        bytes.extend(std::fs::read(store.dir.path().join("capi.db-wal")).unwrap_or_default());
        memchr::memmem::find(&bytes, text.as_bytes()).is_some()
    };
    assert!(in_file(&store, "hash-of-1"));
    store.settle(
        store.due("111", later(0)).iter().find(|due| due.event_id == "fallback-1").unwrap().id,
        Verdict::Delivered,
    );
    let show = Inspector::open(&store.path()).unwrap();
    let id = store.rows().iter().find(|row| row.event_id == "fallback-1").unwrap().id;
    assert!(show.show(id).unwrap().unwrap().1.is_some(), "the other pixel still needs it");
    store.settle(store.due("222", later(0))[0].id, Verdict::Refused);
    assert!(show.show(id).unwrap().unwrap().1.is_none());
    drop(show);
    let store = store.reopen();
    super::sweep::sweep(&rusqlite::Connection::open(store.path()).unwrap(), UnixMillis::now()).unwrap();
    assert!(!in_file(&store, "hash-of-1"));
    assert!(in_file(&store, "hash-of-2"));
}

#[test]
fn old_rows_are_swept() {
    let store = open();
    store.outbox.admit_blocking(vec![admission(1, Some(("page", 1))), admission(2, None)]).unwrap();
    let due = store.due("111", later(0));
    store.settle(due[0].id, Verdict::Delivered);
    store.settle(due[1].id, Verdict::Dead { reason: "payload" });
    let connection = rusqlite::Connection::open(store.path()).unwrap();
    let count = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    super::sweep::sweep(&connection, later(47)).unwrap();
    assert_eq!((count("SELECT count(*) FROM submission"), count("SELECT count(*) FROM supplied")), (2, 1));
    assert_eq!(count("SELECT count(*) FROM event WHERE body <> ''"), 1, "a dead letter can be looked at");
    super::sweep::sweep(&connection, later(8 * 24)).unwrap();
    assert_eq!((count("SELECT count(*) FROM submission"), count("SELECT count(*) FROM supplied")), (0, 0));
    assert_eq!(count("SELECT count(*) FROM event WHERE body <> ''"), 0);
    assert_eq!(count("SELECT count(*) FROM delivery"), 2, "what happened stays for a while");
    super::sweep::sweep(&connection, later(31 * 24)).unwrap();
    assert_eq!((count("SELECT count(*) FROM delivery"), count("SELECT count(*) FROM event")), (0, 0));
}

#[test]
fn an_operator_beside_it_can_retry_and_drop_and_is_noticed() {
    let store = open();
    store.outbox.admit_blocking(vec![admission(1, None), admission(2, None)]).unwrap();
    for due in store.due("111", later(0)) {
        store.settle(due.id, Verdict::Dead { reason: "payload" });
    }
    let mut news = store.outbox.news();
    news.mark_unchanged();
    let mut inspector = Inspector::open(&store.path()).unwrap();
    let rows = store.rows();
    assert!(
        rows.iter().all(|row| row.state == "dead" && row.reason.as_deref() == Some("payload") && row.due_at.is_none())
    );
    assert_eq!(inspector.drop_deliveries(&[rows[0].id]).unwrap(), 1);
    assert_eq!(inspector.retry(&[]).unwrap(), 1);
    block(async { tokio::time::timeout(Duration::from_secs(5), news.changed()).await })
        .expect("within a tick")
        .unwrap();
    assert_eq!(store.due("111", later(0)).len(), 1);
    assert!(matches!(Inspector::open(&store.dir.path().join("nothing.db")), Err(StoreError::Open { .. })));
}

#[test]
fn a_second_sidecar_is_refused_and_a_newer_file_as_well() {
    let store = open();
    assert!(matches!(Outbox::open(&store.path()), Err(StoreError::InUse { .. })));
    let path = store.path();
    store.outbox.clone().close();
    rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    assert!(matches!(Outbox::open(&path), Err(StoreError::Newer { found: 99, .. })));
}

#[test]
fn a_corrupt_file_is_set_aside_and_a_new_one_started() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("capi.db");
    std::fs::write(&path, vec![b'x'; 8192]).unwrap();
    let outbox = Outbox::open(&path).unwrap();
    assert!(outbox.admit_blocking(vec![admission(1, None)]).is_ok());
    let aside =
        std::fs::read_dir(dir.path()).unwrap().flatten().any(|f| f.file_name().to_string_lossy().contains(".corrupt-"));
    assert!(aside);
}

#[test]
fn nobody_else_may_read_the_file() {
    use std::os::unix::fs::PermissionsExt;
    let store = open();
    for name in ["capi.db", "capi.db-wal", "capi.db.lock"] {
        let mode = std::fs::metadata(store.dir.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{name} {mode:o}");
    }
}

#[test]
fn a_full_store_keeps_leads_in_memory_and_writes_them_when_there_is_room_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("capi.db");
    let counts = Arc::new(OutboxCounts::default());
    let (sender, _news) = watch::channel(0);
    let mut writer = Writer::open(&path, Arc::clone(&counts), sender).unwrap();
    writer.limit_pages(Some(1));
    let big = |print: u8| Admission { body: "x".repeat(100_000).into(), ..admission(print, None) };
    let (commands, receiver) = sync_channel(10);
    let thread = std::thread::spawn(move || writer.run(&receiver));
    let admit = |admissions| {
        let (reply, answer) = sync_channel(1);
        commands.send(Command::Admit { admissions, reply }).unwrap();
        answer.recv().unwrap()
    };
    assert!(matches!(admit(vec![big(1), big(1)]), Err(StoreError::Kept { .. })));
    let many = (0..120).map(big).collect();
    assert!(matches!(admit(many), Err(StoreError::Full { .. })), "12 MB are more than the memory for it");
    commands.send(Command::LimitPages(None)).unwrap();
    let start = std::time::Instant::now();
    while counts.committed.load(std::sync::atomic::Ordering::Relaxed) == 0 {
        assert!(start.elapsed() < Duration::from_secs(10));
        std::thread::sleep(Duration::from_millis(20));
    }
    commands.send(Command::Close).unwrap();
    thread.join().unwrap();
    assert_eq!(counts.duplicates.load(std::sync::atomic::Ordering::Relaxed), 1, "repeats are recognised then");
    assert_eq!(counts.ring.load(std::sync::atomic::Ordering::Relaxed), 0);
}

#[test]
fn an_id_that_an_earlier_event_has_is_not_given_to_another_even_days_later() {
    let store = open();
    store.outbox.admit_blocking(vec![admission(1, Some(("cached", 1))), admission(3, None)]).unwrap();
    // Two days on, as the store would see it.
    let connection = rusqlite::Connection::open(store.path()).unwrap();
    connection.execute_batch("UPDATE supplied SET seen = 0; UPDATE submission SET seen = 0").unwrap();
    let later = vec![admission(2, Some(("cached", 2))), admission(3, None)];
    let new = |id: &str, supplied_id_was_taken| Admitted::New { event_id: id.to_owned(), supplied_id_was_taken };
    assert_eq!(
        store.outbox.admit_blocking(later.clone()).unwrap(),
        [new("fallback-2", true), new("fallback-3-2", false)]
    );
    assert_eq!(store.rows().iter().filter(|row| row.state == "pending").count(), 4, "one without a delivery is lost");
    let duplicate = |id: &str| Admitted::Duplicate { event_id: id.to_owned() };
    assert_eq!(store.outbox.admit_blocking(later).unwrap(), [duplicate("fallback-2"), duplicate("fallback-3-2")]);
}

#[test]
fn of_a_long_backlog_no_more_is_read_than_is_handed_out() {
    let store = open();
    let connection = rusqlite::Connection::open(store.path()).unwrap();
    for order in [Order::Newest, Order::Oldest] {
        let plan: Vec<String> = connection
            .prepare(&format!("EXPLAIN QUERY PLAN {}", deliveries::select_due(order)))
            .unwrap()
            .query_map(rusqlite::params!["111", 1, 2, false], |row| row.get(3))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        assert!(plan.iter().all(|step| step.starts_with("SEARCH")), "neither scanned nor sorted: {plan:?}");
    }
}

#[test]
fn what_waits_for_a_pixel_that_is_gone_is_given_up_and_erased_when_it_is_too_old() {
    let store = open();
    store.outbox.admit_blocking(vec![admission(1, None)]).unwrap();
    let connection = rusqlite::Connection::open(store.path()).unwrap();
    sweep::sweep(&connection, later(8 * 24)).unwrap();
    assert_eq!(store.rows()[0].state, "dead");
    let bodies: i64 =
        connection.query_row("SELECT count(*) FROM event WHERE body <> ''", [], |row| row.get(0)).unwrap();
    assert_eq!(bodies, 0);
}

#[test]
fn another_programs_database_is_refused_untouched() {
    for sql in ["CREATE TABLE wp_posts (id)", "PRAGMA user_version = 1; CREATE TABLE t (id)"] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("capi.db");
        rusqlite::Connection::open(&path).unwrap().execute_batch(sql).unwrap();
        let before = std::fs::read(&path).unwrap();
        assert!(matches!(Outbox::open(&path), Err(StoreError::Foreign)));
        assert!(matches!(Inspector::open(&path), Err(StoreError::Foreign)));
        assert!(std::fs::read(&path).unwrap() == before);
    }
}

#[test]
fn a_corrupt_file_is_replaced_under_the_same_secret() {
    let store = open();
    let secret = store.outbox.secret();
    store.outbox.admit_blocking((0..100).map(|n| admission(n, None)).collect()).unwrap();
    let path = store.path();
    store.outbox.close();
    // The secret lies in the first half.
    let mut bytes = std::fs::read(&path).unwrap();
    let half = bytes.len() / 2;
    bytes[half..].fill(0xA5);
    std::fs::write(&path, bytes).unwrap();
    let outbox = Outbox::open(&path).unwrap();
    assert_eq!(outbox.secret(), secret, "a repeat gets the id that it had");
    outbox.admit_blocking(vec![admission(1, None)]).unwrap();
}

fn tied(print: u8, tie: u8) -> Admission {
    Admission { ties: vec![[tie; TIE_BYTES], [print; TIE_BYTES]], ..admission(print, None) }
}

#[test]
fn a_withdrawal_ends_what_waits_of_one_browser_and_what_is_on_its_way_is_not_tried_again() {
    let store = open();
    store.outbox.admit_blocking(vec![tied(1, 100), tied(2, 100), tied(3, 101)]).unwrap();
    let due = store.due("111", later(0));
    assert_eq!(due.len(), 3);
    // 3 and 2 were not answered and wait again; 1 is still on its way when the visitor says no.
    let retry = || Verdict::Retry { due_at: later(0), counts: true, in_doubt: false, body: None, reason: "transient" };
    due.iter().filter(|due| due.event_id != "fallback-1").for_each(|due| store.settle(due.id, retry()));
    assert_eq!(store.outbox.withdraw_blocking(vec![[100; TIE_BYTES], [7; TIE_BYTES]]).unwrap(), 2);
    assert_eq!(store.outbox.withdraw_blocking(vec![[100; TIE_BYTES]]).unwrap(), 0);
    let first = due.iter().find(|due| due.event_id == "fallback-1").unwrap();
    let changed = Verdict::Retry {
        due_at: later(0),
        counts: true,
        in_doubt: true,
        body: Some("{\"user_data\":{\"em\":[\"hash-of-1\"]}}".into()),
        reason: "fbc",
    };
    store.settle(first.id, changed);
    let again = store.due("111", later(7));
    assert_eq!(again.iter().map(|due| due.event_id.as_str()).collect::<Vec<_>>(), ["fallback-3"]);
    let states = store.rows().into_iter().map(|row| (row.event_id, row.state)).collect::<Vec<_>>();
    let expected = [("fallback-3", "pending"), ("fallback-2", "refused"), ("fallback-1", "refused")];
    assert_eq!(states, expected.map(|(id, state)| (id.to_owned(), state.to_owned())));
    let store = store.reopen();
    let bytes = std::fs::read(store.path()).unwrap();
    let mentions = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(!mentions("hash-of-1\"") && !mentions("hash-of-2") && mentions("hash-of-3"));
}

#[test]
fn an_erasure_request_finds_an_address_wherever_it_waits() {
    let store = open();
    store.outbox.admit_blocking(vec![admission(1, None), admission(2, None), admission(3, None)]).unwrap();
    let due = store.due("111", later(0));
    store.settle(due.iter().find(|due| due.event_id == "fallback-1").unwrap().id, Verdict::Dead { reason: "payload" });
    let held = |print| Held {
        admission: admission(print, None),
        bare: None,
        browser: [9; 32],
        until: later(1),
        place: ("shop.example".to_owned(), "/".to_owned()),
    };
    assert_eq!(store.outbox.hold_blocking(held(4)).unwrap(), Holding::Waits);
    assert_eq!(store.outbox.hold_blocking(held(5)).unwrap(), Holding::Waits);
    let hashes = ["hash-of-1", "hash-of-2", "hash-of-4", "nobody"].map(str::to_owned).into();
    assert_eq!(Inspector::open(&store.path()).unwrap().erase_by_email(&hashes).unwrap(), 3);
    assert_eq!(Inspector::open(&store.path()).unwrap().retry(&[]).unwrap(), 0, "a dead letter without its event");
    let released = store.outbox.choose_blocking(Choice::Granted([9; 32])).unwrap();
    assert_eq!(released.iter().map(|one| one.fingerprint[0]).collect::<Vec<_>>(), [5]);
    assert!(store.rows().iter().any(|row| row.state == "refused" && row.reason.as_deref() == Some("erased")));
}

#[test]
fn what_waits_for_a_choice_is_bounded_in_time_and_the_same_submission_waits_once() {
    let store = open();
    let held = |print, until| Held {
        admission: tied(print, 100),
        bare: Some("{\"event_name\":\"Lead\"}".into()),
        browser: [print; 32],
        until,
        place: ("shop.example".to_owned(), "/".to_owned()),
    };
    let past = UnixMillis(UnixMillis::now().0 - 1);
    assert_eq!(store.outbox.hold_blocking(held(1, later(1))).unwrap(), Holding::Waits);
    let repeat = store.outbox.hold_blocking(held(1, later(1))).unwrap();
    assert_eq!(repeat, Holding::Duplicate { event_id: "fallback-1".to_owned() });
    assert_eq!(store.outbox.hold_blocking(held(2, past)).unwrap(), Holding::Waits);
    // Its time is over although nobody has looked yet.
    assert!(store.outbox.choose_blocking(Choice::Granted([2; 32])).unwrap().is_empty());
    let expired = store.outbox.choose_blocking(Choice::Expired).unwrap();
    assert_eq!(expired.len(), 1);
    assert!(store.due("111", later(0)).iter().all(|due| due.event_only), "the bare event is what is left of it");
    let store = store.reopen();
    assert_eq!(store.outbox.held_browsers_blocking().unwrap(), [[1; 32]]);
    assert_eq!(store.outbox.withdraw_blocking(vec![[100; TIE_BYTES]]).unwrap(), 0, "nothing of it was to be sent");
    assert!(store.outbox.held_browsers_blocking().unwrap().is_empty(), "but it waits no more");
}
