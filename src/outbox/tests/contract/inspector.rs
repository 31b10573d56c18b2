//! The store from outside, beside whoever uses it.

use super::super::*;

pub fn a_row_says_what_became_of_a_delivery(kind: &dyn Kind) {
    let mut store = Opened::new(kind);
    store.admit(&[1, 2, 3, 4, 5].map(admission));
    let due = store.due("111", START);
    let rest = Settlement { id: due[3].id, verdict: Verdict::Delivered, code: None, subcode: None, fbtrace_id: None };
    store.settle(
        due[0].id,
        Verdict::Retry {
            // Rounded up: it is not due before.
            due_at: after(HOUR + 1),
            counts: true,
            in_doubt: true,
            body: None,
            reason: "transient",
        },
    );
    store.settle(due[1].id, Verdict::Dead { reason: "payload" });
    store.settle(due[2].id, Verdict::Refused);
    store.store.settle(&[rest], START).unwrap();
    let row = |print: u8, state: &str, reason: Option<&str>| DeliveryRow {
        id: due[usize::from(5 - print)].id,
        event_id: format!("fallback-{print}"),
        event_name: "Lead".to_owned(),
        pixel: "111".to_owned(),
        state: state.to_owned(),
        reason: reason.map(str::to_owned),
        code: Some(1),
        subcode: Some(99),
        attempts: 1,
        event_time: i64::try_from(START.as_secs()).unwrap() + i64::from(print),
        due_at: None,
        fbtrace_id: Some("trace".to_owned()),
    };
    let seconds = i64::try_from(START.as_secs()).unwrap();
    let unanswered = |row| DeliveryRow { code: None, subcode: None, fbtrace_id: None, ..row };
    let expected = [
        DeliveryRow { due_at: Some(seconds + 3601), ..row(5, "pending", Some("transient")) },
        row(4, "dead", Some("payload")),
        row(3, "refused", Some("event_only")),
        unanswered(row(2, "delivered", None)),
        unanswered(DeliveryRow { due_at: Some(seconds), attempts: 0, ..row(1, "pending", None) }),
    ];
    assert_eq!(store.rows(), expected);
}

pub fn the_list_is_newest_first_by_state_and_ends_when_it_is_told(kind: &dyn Kind) {
    let mut store = Opened::new(kind);
    store.admit(&[2, 1, 4, 3].map(admission));
    let due = store.due("111", START);
    store.settle(due[1].id, Verdict::Delivered);
    store.settle(due[2].id, Verdict::Delivered);
    let mut inspector = kind.inspector();
    let ids = |rows: Vec<DeliveryRow>| rows.into_iter().map(|row| row.event_id).collect::<Vec<_>>();
    let all = ["fallback-4", "fallback-3", "fallback-2", "fallback-1"];
    assert_eq!(ids(list(&mut *inspector, None)), all);
    assert_eq!(ids(list(&mut *inspector, Some("delivered"))), all[1..3]);
    assert_eq!(ids(list(&mut *inspector, Some("pending"))), [all[0], all[3]]);
    assert!(list(&mut *inspector, Some("dead")).is_empty());
    let mut seen = 0;
    let mut two = |_| {
        seen += 1;
        seen < 2
    };
    inspector.list(None, &mut two).unwrap();
    assert_eq!(seen, 2);
}

pub fn an_event_is_shown_without_its_hashes(kind: &dyn Kind) {
    let mut store = Opened::new(kind);
    store.admit(&[admission(1)]);
    let row = store.row("fallback-1", "111");
    let (shown, event) = kind.inspector().show(row.id).unwrap().unwrap();
    assert_eq!((shown, event), (row, Some(serde_json::json!({"user_data": ["em"]}))));
    assert!(kind.inspector().show(9_999_999).unwrap().is_none());
}

pub fn an_operator_beside_it_can_retry_and_is_noticed(kind: &dyn Kind) {
    let mut store = Opened::new(kind);
    store.admit(&[1, 2, 3].map(admission));
    for due in store.due("111", START) {
        store.settle(due.id, Verdict::Dead { reason: "payload" });
    }
    store.store.tend(START).unwrap();
    let rows = store.rows();
    assert!(rows.iter().all(|row| row.state == "dead" && row.due_at.is_none()));
    let mut inspector = kind.inspector();
    assert_eq!(inspector.retry(&[rows[1].id, 9_999_999]).unwrap(), 1);
    assert!(store.store.tend(START).unwrap());
    let row = store.row("fallback-2", "111");
    assert_eq!((row.state.as_str(), row.reason.as_deref(), row.attempts), ("pending", Some("retry"), 1));
    let due = store.due("111", START);
    assert_eq!(due.iter().map(|due| (due.id, due.in_doubt_since)).collect::<Vec<_>>(), [(rows[1].id, None)]);
    assert_eq!(inspector.retry(&[]).unwrap(), 2, "none named: all that are dead");
    assert_eq!(inspector.retry(&[]).unwrap(), 0);
    assert!(store.store.tend(START).unwrap());
    assert_eq!(store.due_ids("111", START), ["fallback-3", "fallback-1"]);
}

pub fn a_dropped_delivery_is_gone_and_its_event_where_nobody_else_needs_it(kind: &dyn Kind) {
    let mut store = Opened::new(kind);
    store.admit(&[for_two(1), admission(2)]);
    let mut inspector = kind.inspector();
    let [one, two] = ["111", "222"].map(|pixel| store.row("fallback-1", pixel).id);
    assert_eq!(inspector.drop_deliveries(&[one, 9_999_999]).unwrap(), 1);
    assert!(inspector.show(one).unwrap().is_none());
    assert_eq!(store.due_ids("111", START), ["fallback-2"]);
    assert_eq!(store.due_ids("222", START), ["fallback-1"], "it is still one event for the other pixel");
    assert_eq!(inspector.drop_deliveries(&[one, two]).unwrap(), 1);
    drop(inspector);
    assert!(!store.mentions("hash-of-1") && store.mentions("hash-of-2"));
    assert_eq!(store.rows().len(), 1);
    assert_eq!(store.store.tally().unwrap().pending, 1);
}
