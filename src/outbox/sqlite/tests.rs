//! What is special about a store that is a file.

use super::*;
use crate::outbox::inspect::Inspector;
use crate::outbox::tests::{START, admission, after, list, new, settlement, wanted};
use crate::outbox::{StoreError, Verdict};

fn open() -> (tempfile::TempDir, PathBuf, SqliteStore) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("capi.db");
    let store = SqliteStore::open(&path).unwrap();
    (dir, path, store)
}

#[test]
fn a_second_sidecar_is_refused_and_a_newer_file_as_well() {
    let (_dir, path, store) = open();
    assert!(matches!(SqliteStore::open(&path), Err(StoreError::InUse { .. })));
    drop(store);
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    assert!(matches!(SqliteStore::open(&path), Err(StoreError::Newer { found: 99, .. })));
    assert!(matches!(SqliteInspector::open(&path), Err(StoreError::Newer { found: 99, .. })));
}

#[test]
fn the_verbs_make_no_file() {
    let (dir, ..) = open();
    let nothing = dir.path().join("nothing.db");
    assert!(matches!(SqliteInspector::open(&nothing), Err(StoreError::Open { .. })));
    assert!(!nothing.exists());
}

#[test]
fn a_corrupt_file_is_set_aside_and_a_new_one_started() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("capi.db");
    std::fs::write(&path, vec![b'x'; 8192]).unwrap();
    let mut store = SqliteStore::open(&path).unwrap();
    assert!(store.admit(&[admission(1)], START).is_ok());
    let names = std::fs::read_dir(dir.path()).unwrap().flatten().map(|file| file.file_name());
    let aside: Vec<_> = names.filter(|name| name.to_string_lossy().contains(".corrupt-")).collect();
    assert_eq!(aside.len(), 1);
    assert_eq!(std::fs::read(dir.path().join(&aside[0])).unwrap(), vec![b'x'; 8192], "untouched, for recovery");
}

#[test]
fn a_corrupt_file_is_replaced_under_the_same_secret() {
    let (_dir, path, mut store) = open();
    let secret = store.secret().unwrap();
    store.admit(&(0..100).map(admission).collect::<Vec<_>>(), START).unwrap();
    drop(store);
    // The secret lies in the first half.
    let mut bytes = std::fs::read(&path).unwrap();
    let half = bytes.len() / 2;
    bytes[half..].fill(0xA5);
    std::fs::write(&path, bytes).unwrap();
    let mut store = SqliteStore::open(&path).unwrap();
    assert_eq!(store.secret().unwrap(), secret, "a repeat gets the id that it had");
    assert_eq!(store.admit(&[admission(1)], START).unwrap(), [new("fallback-1")]);
}

#[test]
fn nobody_else_may_read_the_file() {
    use std::os::unix::fs::PermissionsExt;
    let (dir, _, _store) = open();
    for name in ["capi.db", "capi.db-wal", "capi.db.lock"] {
        let mode = std::fs::metadata(dir.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{name} {mode:o}");
    }
}

#[test]
fn another_programs_database_is_refused_untouched() {
    for sql in ["CREATE TABLE wp_posts (id)", "PRAGMA user_version = 1; CREATE TABLE t (id)"] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("capi.db");
        Connection::open(&path).unwrap().execute_batch(sql).unwrap();
        let before = std::fs::read(&path).unwrap();
        assert!(matches!(SqliteStore::open(&path), Err(StoreError::Foreign)));
        assert!(matches!(SqliteInspector::open(&path), Err(StoreError::Foreign)));
        assert!(std::fs::read(&path).unwrap() == before);
    }
}

#[test]
fn of_a_long_backlog_no_more_is_read_than_is_handed_out() {
    let (_dir, _, store) = open();
    let plan: Vec<String> = store
        .connection
        .prepare(&format!("EXPLAIN QUERY PLAN {}", deliveries::DUE))
        .unwrap()
        .query_map(params!["111", 1, 2, false], |row| row.get(3))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    assert!(plan.iter().all(|step| step.starts_with("SEARCH")), "neither scanned nor sorted: {plan:?}");
}

#[test]
fn sweeping_leaves_no_rows_behind() {
    let (_dir, path, mut store) = open();
    let supplied = Admission {
        supplied: Some(crate::outbox::SuppliedId { id: "page".to_owned(), contact: [1; 32] }),
        ties: vec![[1; 16]],
        ..admission(1)
    };
    store.admit(&[supplied, admission(2)], START).unwrap();
    let due = store.take_due(&wanted("111", START, 10, 1000)).unwrap();
    let verdicts = [Verdict::Delivered, Verdict::Dead { reason: "payload" }];
    let settlements: Vec<_> = due.iter().zip(verdicts).map(|(due, verdict)| settlement(due.id, verdict)).collect();
    store.settle(&settlements, START).unwrap();
    let beside = Connection::open(&path).unwrap();
    let mut left = |hours: u64| {
        store.sweep(after(hours * 3_600_000)).unwrap();
        ["submission", "supplied", "event WHERE body <> ''", "tie", "delivery", "event"].map(|table| {
            beside.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get::<_, i64>(0)).unwrap()
        })
    };
    assert_eq!(left(47), [1, 1, 1, 1, 2, 2]);
    assert_eq!(left(48), [0, 0, 1, 1, 2, 2]);
    assert_eq!(left(8 * 24), [0, 0, 0, 0, 2, 2], "what happened stays for a while");
    assert_eq!(left(31 * 24), [0; 6]);
    assert!(list(&mut SqliteInspector::open(&path).unwrap() as &mut dyn Inspector, None).is_empty());
}

#[test]
fn a_file_of_any_earlier_version_is_brought_up_with_all_that_is_in_it() {
    for version in 1..schema::VERSION {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("capi.db");
        let old = Connection::open(&path).unwrap();
        for migration in &schema::MIGRATIONS[..version as usize] {
            old.execute_batch(migration).unwrap();
        }
        old.pragma_update(None, "application_id", 0x4341_5049).unwrap();
        old.pragma_update(None, "user_version", version).unwrap();
        let time = START.as_secs();
        old.execute_batch(&format!(
            "INSERT INTO event VALUES (7, 'one', 'Lead', {time}, 0, '{{\"one\":1}}'), (9, 'two', 'Lead', {time}, 0, '');
             INSERT INTO delivery (id, event, pixel, event_only, event_name, event_id, event_time, state, due_at, attempts,
                 in_doubt_since, reason, code, subcode, fbtrace_id, settled)
             VALUES (3, 7, '111', 0, 'Lead', 'one', {time}, 'pending', 5, 2, 4, 'transient', 1, 2, 'trace', NULL),
                    (8, 9, '111', 0, 'Lead', 'two', {time}, 'delivered', 5, 1, NULL, NULL, NULL, NULL, NULL, 6)"
        ))
        .unwrap();
        drop(old);
        let mut store = SqliteStore::open(&path).unwrap();
        let mut inspector = SqliteInspector::open(&path).unwrap();
        let rows = list(&mut inspector, None);
        let row =
            |row: &crate::outbox::inspect::DeliveryRow| (row.id, row.event_id.clone(), row.state.clone(), row.attempts);
        let expected = [(8, "two", "delivered", 1), (3, "one", "pending", 2)];
        let expected = expected.map(|(id, event, state, attempts)| (id, event.to_owned(), state.to_owned(), attempts));
        assert_eq!(rows.iter().map(row).collect::<Vec<_>>(), expected, "from version {version}");
        assert_eq!((rows[1].code, rows[1].subcode, rows[1].fbtrace_id.as_deref()), (Some(1), Some(2), Some("trace")));
        let due = store.take_due(&wanted("111", START, 10, 1000)).unwrap();
        let due: Vec<_> = due.iter().map(|due| (due.id, &*due.body, due.in_doubt_since.map(|since| since.0))).collect();
        assert_eq!(due, [(3, "{\"one\":1}", Some(4))], "from version {version}");
        // Numbers go on where they were, whatever is removed.
        assert_eq!(inspector.drop_deliveries(&[8]).unwrap(), 1);
        store.admit(&[admission(1)], START).unwrap();
        assert_eq!(store.take_due(&wanted("111", START, 10, 1000)).unwrap()[0].id, 9);
        let broken: i64 =
            store.connection.query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| row.get(0)).unwrap();
        assert_eq!(broken, 0);
    }
}
