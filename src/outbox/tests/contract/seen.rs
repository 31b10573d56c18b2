//! "Seen before?"

use super::super::*;

pub fn a_submission_is_new_once_and_then_a_duplicate_of_the_first(kind: &dyn Kind) {
    let mut store = Opened::new(kind);
    for (admission, expected) in [
        (admission(1), new("fallback-1")),
        (admission(1), duplicate("fallback-1")),
        // The same data, now with an id: the first one's stands.
        (with_id(1, "page-1", 1), duplicate("fallback-1")),
        (with_id(2, "page-2", 2), new("page-2")),
        // Another message by the same person under the same id: a repeat.
        (with_id(3, "page-2", 2), duplicate("page-2")),
        (admission(3), duplicate("page-2")),
        // A page cache hands the id to somebody else.
        (with_id(4, "page-2", 9), new_instead("fallback-4")),
        (with_id(5, "page-2", 9), duplicate("fallback-4")),
        (admission(5), duplicate("fallback-4")),
        // And to a third one; the first two are still known.
        (with_id(6, "page-2", 8), new_instead("fallback-6")),
        (with_id(7, "page-2", 2), duplicate("page-2")),
        (with_id(8, "page-2", 9), duplicate("fallback-4")),
    ] {
        assert_eq!(store.admit(std::slice::from_ref(&admission)), [expected], "{admission:?}");
    }
    assert_eq!(store.rows().len(), 4);
    let mut store = store.crash();
    let batch = [admission(1), admission(9), admission(9), with_id(10, "page-10", 1), with_id(11, "page-10", 1)];
    let expected =
        [duplicate("fallback-1"), new("fallback-9"), duplicate("fallback-9"), new("page-10"), duplicate("page-10")];
    assert_eq!(store.admit(&batch), expected, "also within one batch");
    assert_eq!(store.rows().len(), 6);
}

pub fn a_full_store_takes_all_of_a_batch_or_nothing(kind: &dyn Kind) {
    let mut store = Opened::new(kind);
    assert_eq!(store.admit(&[admission(1)]), [new("fallback-1")]);
    if !kind.fill(true) {
        return;
    }
    let batch = [admission(2), Admission { body: "x".repeat(3_000_000).into(), ..with_id(3, "page", 3) }];
    assert!(store.store.admit(&batch, START).is_err());
    assert!(kind.fill(false));
    assert_eq!(store.rows().len(), 1);
    // A store that had lost its connection over it needs a moment.
    let start = std::time::Instant::now();
    let admitted = loop {
        match store.store.admit(&batch, START) {
            Ok(admitted) => break admitted,
            Err(error) => assert!(start.elapsed().as_secs() < 10, "{error}"),
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    };
    assert_eq!(admitted, [new("fallback-2"), new("page")], "nothing of it was remembered");
}

pub fn what_was_seen_is_forgotten_after_48_hours_and_not_before(kind: &dyn Kind) {
    let mut store = Opened::new(kind);
    let batch = [admission(1), with_id(2, "page", 2)];
    assert_eq!(store.admit(&batch), [new("fallback-1"), new("page")]);
    let repeats = [duplicate("fallback-1"), duplicate("page")];
    let soon = store.store.admit(&batch, after(48 * HOUR - 1)).unwrap();
    assert_eq!(soon, repeats);
    store.store.sweep(after(48 * HOUR - 1)).unwrap();
    assert_eq!(store.store.admit(&batch, after(48 * HOUR - 1)).unwrap(), repeats, "sweeping forgets no sooner");
    // A repeat does not begin the 48 hours anew: Meta counts from the first event.
    let late = after(48 * HOUR);
    if kind.forgets_by_its_own_clock() {
        kind.forget_seen();
    }
    let again = [new("fallback-1-2"), new_instead("fallback-2")];
    assert_eq!(store.store.admit(&batch, late).unwrap(), again);
    assert_eq!(store.store.admit(&batch, late).unwrap(), [duplicate("fallback-1-2"), duplicate("fallback-2")]);
}

pub fn an_id_that_an_earlier_event_has_is_not_given_to_another_even_days_later(kind: &dyn Kind) {
    let mut store = Opened::new(kind);
    assert_eq!(store.admit(&[with_id(1, "cached", 1), admission(3)]), [new("cached"), new("fallback-3")]);
    kind.forget_seen();
    let later = [with_id(2, "cached", 2), admission(3)];
    assert_eq!(store.admit(&later), [new_instead("fallback-2"), new("fallback-3-2")]);
    assert_eq!(store.due("111", START).len(), 4, "one without a delivery is lost");
    assert_eq!(store.admit(&later), [duplicate("fallback-2"), duplicate("fallback-3-2")]);
    kind.forget_seen();
    assert_eq!(store.admit(&later), [new_instead("fallback-2-2"), new("fallback-3-3")]);
}

pub fn events_of_different_names_may_have_one_id(kind: &dyn Kind) {
    let mut store = Opened::new(kind);
    let named = |print, name: &str| Admission {
        event_name: name.to_owned(),
        fallback_event_id: "same".to_owned(),
        ..admission(print)
    };
    let batch = [named(1, "Lead"), named(2, "Contact"), named(3, "Lead"), named(4, "Lead")];
    assert_eq!(store.admit(&batch), [new("same"), new("same"), new("same-2"), new("same-3")]);
    assert_eq!(store.due("111", START).len(), 4);
}

/// Meta may have the event, and would take the next one of its id for the same.
pub fn the_id_of_what_an_operator_dropped_is_not_given_again(kind: &dyn Kind) {
    let mut store = Opened::new(kind);
    store.admit(&[admission(1)]);
    let id = store.due("111", START)[0].id;
    store.settle(id, Verdict::Delivered);
    assert_eq!(kind.inspector().drop_deliveries(&[id]).unwrap(), 1);
    assert_eq!(store.admit(&[admission(1)]), [duplicate("fallback-1")], "a repeat is still one");
    kind.forget_seen();
    assert_eq!(store.admit(&[admission(1)]), [new("fallback-1-2")]);
}
