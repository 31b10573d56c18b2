//! What is due, and what became of it.

use super::super::*;

pub fn what_is_handed_out_is_not_handed_out_again_until_it_is_settled_or_the_process_died(kind: &dyn Kind) {
    let mut store = Opened::new(kind);
    store.admit(&[admission(1), admission(2)]);
    let due = store.due("111", START);
    assert_eq!(due.len(), 2);
    assert!(due.iter().all(|due| due.in_doubt_since.is_none() && due.attempts == 0));
    let event = (due[0].event_time, &*due[0].body, due[0].event_only);
    assert_eq!(event, (START.as_secs() + 2, "{\"user_data\":{\"em\":[\"hash-of-2\"]}}", false));
    for now in [START, after(MINUTE), after(5 * DAY)] {
        assert!(store.due("111", now).is_empty());
        assert_eq!(store.store.next_due("111", now).unwrap(), None);
    }
    store.settle(due[0].id, retry_at(START));
    assert_eq!(store.due_ids("111", START), ["fallback-2"]);
    let mut store = store.crash();
    let again = store.due("111", after(MINUTE));
    assert_eq!(again.iter().map(|due| due.in_doubt_since).collect::<Vec<_>>(), [Some(START), Some(START)]);
    let mut store = store.crash();
    store.admit(&[admission(3)]);
    let doubts: Vec<_> = store.due("111", after(2 * MINUTE)).iter().map(|due| due.in_doubt_since).collect();
    assert_eq!(doubts, [None, Some(START), Some(START)], "since the first time that Meta may have got it");
}

pub fn an_attempt_counts_and_leaves_doubt_as_it_is_told(kind: &dyn Kind) {
    let mut store = Opened::new(kind);
    store.admit(&[admission(1)]);
    let mut now = START;
    for (counts, in_doubt, expected) in [
        (true, false, (1, None)),
        (true, true, (2, Some(after(HOUR)))),
        // Doubt is no less after an attempt that was not even begun.
        (false, true, (2, Some(after(HOUR)))),
        (true, false, (3, None)),
        (false, true, (3, Some(after(4 * HOUR)))),
    ] {
        let id = store.due("111", now)[0].id;
        now.0 += HOUR;
        store.settle(id, Verdict::Retry { due_at: now, counts, in_doubt, body: None, reason: "transient" });
        assert!(store.due("111", UnixMillis(now.0 - 1)).is_empty(), "not before it is due");
        let due = store.due("111", now);
        assert_eq!((due[0].attempts, due[0].in_doubt_since), expected);
        // Back, as it was.
        store.settle(due[0].id, Verdict::Retry { due_at: now, counts: false, in_doubt, body: None, reason: "token" });
    }
    assert_eq!(store.row("fallback-1", "111").attempts, 3);
}

pub fn an_event_without_user_data_comes_alone_and_last(kind: &dyn Kind) {
    let mut store = Opened::new(kind);
    let bare = |print| Admission { event_only: true, ..admission(print) };
    store.admit(&[bare(8), bare(9), admission(1), admission(2)]);
    // What Meta wants goes before what it will refuse, even if that is newer.
    let taken: Vec<_> = std::iter::repeat_with(|| store.due("111", START)).take(4).collect();
    let taken: Vec<Vec<_>> =
        taken.iter().map(|due| due.iter().map(|due| (due.event_id.as_str(), due.event_only)).collect()).collect();
    let expected = [
        vec![("fallback-2", false), ("fallback-1", false)],
        vec![("fallback-9", true)],
        vec![("fallback-8", true)],
        vec![],
    ];
    assert_eq!(taken, expected);
}

pub fn every_pixel_has_a_delivery_of_its_own(kind: &dyn Kind) {
    let mut store = Opened::new(kind);
    store.admit(&[for_two(1), admission(2)]);
    assert!(store.due("333", START).is_empty() && store.store.next_due("333", START).unwrap().is_none());
    let (one, two) = (store.due("111", START), store.due("222", START));
    assert_eq!((one.len(), two.len()), (2, 1));
    store.settle(two[0].id, Verdict::Delivered);
    store.settle(one[1].id, retry_at(after(HOUR)));
    assert_eq!(store.due_ids("111", after(HOUR)), ["fallback-1"]);
    assert!(store.due("222", after(HOUR)).is_empty());
    let states = ["111", "222"].map(|pixel| store.row("fallback-1", pixel).state);
    assert_eq!(states, ["pending", "delivered"]);
}

pub fn the_newest_come_first_or_the_oldest(kind: &dyn Kind) {
    let mut store = Opened::new(kind);
    // More than ten, lest "10" come before "9"; the last three in the same second.
    let second = |print| Admission { event_time: START.as_secs() + 300, ..admission(print) };
    let mut batch: Vec<_> = [5, 9, 1, 2, 7, 3, 8, 4, 6].map(admission).into();
    batch.extend([second(10), second(12), second(11)]);
    store.admit(&batch);
    let mut expected: Vec<_> = (1..10).chain([10, 12, 11]).map(|print| format!("fallback-{print}")).collect();
    let mut take = |order| {
        let due = store.store.take_due(&Wanted { order, ..wanted("111", START, 1000, 1 << 20) }).unwrap();
        let back: Vec<_> = due.iter().map(|due| settlement(due.id, retry_at(START))).collect();
        store.store.settle(&back, START).unwrap();
        due.into_iter().map(|due| due.event_id).collect::<Vec<_>>()
    };
    assert_eq!(take(Order::Oldest), expected, "as they came");
    expected.reverse();
    assert_eq!(take(Order::Newest), expected);
}

pub fn a_batch_is_bounded_by_count_and_by_bytes(kind: &dyn Kind) {
    let mut store = Opened::new(kind);
    store.admit(&(0..10).map(admission).collect::<Vec<_>>());
    let mut take = |limit, bytes| store.store.take_due(&wanted("111", START, limit, bytes)).unwrap().len();
    assert_eq!(take(3, 1 << 20), 3);
    assert_eq!(take(100, 80), 2);
    assert_eq!(take(100, 1), 1, "one at least");
    assert_eq!(take(100, 1 << 20), 4);
}

pub fn the_next_one_is_due_when_the_first_of_those_that_wait_is(kind: &dyn Kind) {
    let mut store = Opened::new(kind);
    assert_eq!(store.store.next_due("111", START).unwrap(), None);
    store.admit(&[for_two(1), admission(2), admission(3)]);
    let next = |store: &mut Opened<'_>| store.store.next_due("111", START).unwrap();
    assert_eq!(next(&mut store), Some(START));
    let due = store.due("111", START);
    assert_eq!(next(&mut store), None, "all are on their way");
    store.settle(due[0].id, retry_at(after(2 * HOUR)));
    assert_eq!(next(&mut store), Some(after(2 * HOUR)));
    store.settle(due[1].id, retry_at(after(HOUR)));
    assert_eq!(next(&mut store), Some(after(HOUR)));
    assert_eq!(store.due("111", after(HOUR)).len(), 1);
    assert_eq!(next(&mut store), Some(after(2 * HOUR)));
    store.settle(due[2].id, Verdict::Delivered);
    assert_eq!(store.store.next_due("222", START).unwrap(), Some(START), "another pixel's");
}

pub fn a_clock_that_jumped_back_does_not_put_anything_to_sleep(kind: &dyn Kind) {
    let mut store = Opened::new(kind);
    store.admit(&[admission(1), admission(2)]);
    let due = store.due("111", START);
    store.settle(due[0].id, retry_at(after(10 * DAY)));
    let next = store.store.next_due("111", START).unwrap().unwrap();
    assert!(next <= START, "{next:?}");
    // One that is due in a while does not hide the one that only seems to be.
    store.settle(due[1].id, retry_at(after(2 * HOUR)));
    let next = store.store.next_due("111", START).unwrap().unwrap();
    assert!(next <= START, "{next:?}");
    assert_eq!(store.due_ids("111", START), ["fallback-2"]);
    assert_eq!(store.store.next_due("111", START).unwrap(), Some(after(2 * HOUR)));
}

pub fn a_changed_event_is_what_is_sent_from_then_on(kind: &dyn Kind) {
    let mut store = Opened::new(kind);
    store.admit(&[for_two(1)]);
    let id = store.due("111", START)[0].id;
    let body = Some("{\"without\":\"fbc\"}".into());
    store.settle(id, Verdict::Retry { due_at: START, counts: true, in_doubt: false, body, reason: "fbc" });
    for pixel in ["111", "222"] {
        assert_eq!(&*store.due(pixel, START)[0].body, "{\"without\":\"fbc\"}", "it is one event for all pixels");
    }
    assert_eq!(store.row("fallback-1", "111").reason.as_deref(), Some("fbc"));
}

pub fn a_settlement_for_an_unknown_id_harms_nothing(kind: &dyn Kind) {
    let mut store = Opened::new(kind);
    store.admit(&[admission(1), admission(2)]);
    let due = store.due("111", START);
    let body = Some("{}".into());
    let changed = Verdict::Retry { due_at: START, counts: true, in_doubt: true, body, reason: "fbc" };
    let settlements = [
        settlement(9_999_999, Verdict::Delivered),
        settlement(-9_999_999, changed),
        settlement(due[0].id, Verdict::Delivered),
        settlement(0, Verdict::Dead { reason: "payload" }),
        settlement(i64::MAX, Verdict::Refused),
    ];
    store.store.settle(&settlements, START).unwrap();
    let states: Vec<_> = store.rows().into_iter().map(|row| (row.event_id, row.state, row.attempts)).collect();
    let expected = [("fallback-2", "delivered", 1), ("fallback-1", "pending", 0)];
    assert_eq!(states, expected.map(|(id, state, attempts)| (id.to_owned(), state.to_owned(), attempts)));
    assert_eq!(store.store.tally().unwrap(), tally(1, 0, 0));
}

/// An operator drops what is on its way, a lead comes, and the answer to the dropped one after that.
pub fn a_settlement_is_never_taken_for_that_of_a_later_delivery(kind: &dyn Kind) {
    let mut store = Opened::new(kind);
    store.admit(&[admission(1), admission(2)]);
    let due = store.due("111", START);
    let ids: Vec<_> = due.iter().map(|due| due.id).collect();
    assert_eq!(kind.inspector().drop_deliveries(&ids).unwrap(), 2);
    store.admit(&[admission(3)]);
    assert_eq!(store.due_ids("111", START), ["fallback-3"]);
    let settlements = [settlement(ids[0], Verdict::Delivered), settlement(ids[1], Verdict::Delivered)];
    store.store.settle(&settlements, START).unwrap();
    assert_eq!(store.row("fallback-3", "111").state, "pending");
    let mut store = store.crash();
    let now = store.due("111", START);
    assert!(!ids.contains(&now[0].id), "and the operator does not drop it by its number");
}

/// One that was withdrawn or expired while it was on its way.
pub fn only_meta_having_it_changes_what_has_ended_meanwhile(kind: &dyn Kind) {
    let mut store = Opened::new(kind);
    store.admit(&[1, 2, 3, 4].map(|print| tied(print, 100)));
    let due = store.due("111", START);
    assert_eq!(store.store.withdraw(&[[100; TIE_BYTES]], START).unwrap(), 4);
    let verdicts = [
        Verdict::Delivered,
        Verdict::Refused,
        Verdict::Dead { reason: "payload" },
        Verdict::Retry { due_at: START, counts: true, in_doubt: true, body: Some("{}".into()), reason: "transient" },
    ];
    for (due, verdict) in due.iter().zip(verdicts) {
        store.settle(due.id, verdict);
    }
    let rows: Vec<_> = store.rows().into_iter().map(|row| (row.state, row.reason, row.attempts)).collect();
    let withdrawn = || ("refused".to_owned(), Some("withdrawn".to_owned()), 0);
    assert_eq!(rows, [("delivered".to_owned(), None, 1), withdrawn(), withdrawn(), withdrawn()]);
    assert_eq!(store.store.tally().unwrap(), Tally::default());
    assert!(store.crash().due("111", after(HOUR)).is_empty());
}
