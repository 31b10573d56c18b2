//! What is kept no longer than it is needed.

use super::super::*;

/// A part each time: often enough for all of it.
fn sweep(store: &mut Opened<'_>, now: UnixMillis) {
    for _ in 0..3 {
        store.store.sweep(now).unwrap();
    }
}

/// Of a pixel that is no longer configured, which nobody asks for.
pub fn what_meta_would_no_longer_take_is_given_up_and_erased(kind: &dyn Kind) {
    let mut store = Opened::new(kind);
    store.admit(&[for_two(1), admission(200)]);
    let due = store.due("111", START);
    store.settle(due[0].id, retry_at(START));
    sweep(&mut store, after(7 * DAY));
    assert_eq!(store.store.tally().unwrap().pending, 3);
    // Past a week for the first, not for the second.
    sweep(&mut store, after(7 * DAY + MINUTE));
    assert_eq!(store.row("fallback-1", "222").state, "dead");
    assert_eq!(store.row("fallback-1", "111").state, "pending", "on its way: left to whoever has it");
    assert!(store.mentions("hash-of-1"), "and so it may be tried again");
    store.settle(due[1].id, retry_at(START));
    sweep(&mut store, after(7 * DAY + MINUTE));
    for pixel in ["111", "222"] {
        let row = store.row("fallback-1", pixel);
        assert_eq!((row.state.as_str(), row.reason.as_deref(), row.due_at), ("dead", Some("expired"), None));
    }
    assert!(!store.mentions("hash-of-1") && store.mentions("hash-of-200"));
    assert_eq!(kind.inspector().retry(&[]).unwrap(), 0);
    assert_eq!(store.due_ids("111", after(7 * DAY + MINUTE)), ["fallback-200"]);
}

pub fn a_dead_letters_event_goes_after_a_week_and_the_ledger_after_a_month(kind: &dyn Kind) {
    let mut store = Opened::new(kind);
    store.admit(&[tied(1, 100), admission(2), admission(3)]);
    let due = store.due("111", START);
    store.settle(due[2].id, Verdict::Dead { reason: "payload" });
    store.settle(due[1].id, Verdict::Delivered);
    store.store.settle(&[settlement(due[0].id, Verdict::Refused)], after(DAY)).unwrap();
    sweep(&mut store, after(47 * HOUR));
    assert!(store.mentions("hash-of-1"), "a dead letter can be looked at");
    assert_eq!(store.rows().len(), 3);
    sweep(&mut store, after(8 * DAY));
    assert!(!store.mentions("hash-of-1"));
    assert_eq!(store.rows().len(), 3, "what happened stays for a while");
    sweep(&mut store, after(30 * DAY));
    assert_eq!(store.rows().len(), 3);
    sweep(&mut store, after(30 * DAY + MINUTE));
    let rows = store.rows();
    assert_eq!(
        rows.iter().map(|row| row.event_id.as_str()).collect::<Vec<_>>(),
        ["fallback-3"],
        "counted from its end"
    );
    sweep(&mut store, after(31 * DAY + MINUTE));
    assert!(store.rows().is_empty());
    assert_eq!(store.store.tally().unwrap(), Tally::default());
}

pub fn what_still_waits_for_a_choice_long_after_its_time_is_erased(kind: &dyn Kind) {
    let mut store = Opened::new(kind);
    store.store.hold(&held(admission(1), 1, true), START).unwrap();
    sweep(&mut store, after(HOUR + MINUTE / 2));
    assert_eq!(store.store.tally().unwrap().held, 1, "somebody may still come and end it");
    sweep(&mut store, after(HOUR + 2 * MINUTE));
    assert_eq!(store.store.tally().unwrap().held, 0);
    assert!(store.store.held_browsers().unwrap().is_empty());
    assert!(store.store.choose(Choice::Expired, after(2 * HOUR)).unwrap().is_empty());
    assert!(!store.mentions("hash-of-1"));
}

pub fn pages_that_nobody_loads_go_after_a_season(kind: &dyn Kind) {
    let mut store = Opened::new(kind);
    let page =
        |key: &str, at| PageRow { key: key.to_owned(), host: "shop.example".into(), at, forms: Some("{}".into()) };
    store.store.keep_pages(&[page("old", START), page("young", after(2 * DAY))]).unwrap();
    sweep(&mut store, after(89 * DAY));
    assert_eq!(store.store.pages().unwrap().len(), 2);
    sweep(&mut store, after(91 * DAY));
    let kept: Vec<_> = store.store.pages().unwrap().into_iter().map(|row| row.key).collect();
    assert_eq!(kept, ["young"]);
}
