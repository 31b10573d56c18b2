//! What is remembered beside the queue.

use super::super::pages::MAX_ROWS;
use super::super::*;

pub fn the_secret_is_made_once(kind: &dyn Kind) {
    let mut store = Opened::new(kind);
    let secret = store.store.secret().unwrap();
    assert_ne!(secret, [0; 32]);
    assert_eq!(store.store.secret().unwrap(), secret);
    assert_eq!(store.crash().store.secret().unwrap(), secret);
}

pub fn the_first_use_of_a_label_is_remembered(kind: &dyn Kind) {
    let mut store = Opened::new(kind);
    assert_eq!(store.store.first_use("TEST1", after(HOUR)).unwrap(), after(HOUR));
    assert_eq!(store.store.first_use("TEST1", after(2 * HOUR)).unwrap(), after(HOUR));
    assert_eq!(store.store.first_use("TEST2", after(3 * HOUR)).unwrap(), after(3 * HOUR));
    let mut store = store.crash();
    store.store.sweep(after(60 * DAY)).unwrap();
    assert_eq!(store.store.first_use("TEST1", START).unwrap(), after(HOUR), "also after the clock jumped back");
}

fn page(key: &str, minute: u64, forms: Option<&str>) -> PageRow {
    PageRow {
        key: key.to_owned(),
        host: "shop.example".to_owned(),
        at: after(minute * MINUTE),
        forms: forms.map(str::to_owned),
    }
}

pub fn pages_are_remembered_the_oldest_first(kind: &dyn Kind) {
    let mut store = Opened::new(kind);
    assert!(store.store.pages().unwrap().is_empty());
    let rows =
        [page("c", 3, Some("{}")), page("a", 1, Some("[1]")), page("b", 2, Some("[2]")), page("d", 4, Some("é"))];
    store.store.keep_pages(&rows).unwrap();
    // One was loaded again, one has no forms any more, and one never had any.
    store.store.keep_pages(&[page("a", 5, Some("[3]")), page("b", 5, None), page("e", 5, None)]).unwrap();
    store.store.keep_pages(&[]).unwrap();
    let mut store = store.crash();
    let expected = [page("c", 3, Some("{}")), page("d", 4, Some("é")), page("a", 5, Some("[3]"))];
    assert_eq!(store.store.pages().unwrap(), expected);
}

pub fn no_more_pages_are_kept_than_are_useful_and_the_oldest_go(kind: &dyn Kind) {
    let mut store = Opened::new(kind);
    let most = u64::from(MAX_ROWS);
    let rows: Vec<_> = (0..most).map(|number| page(&number.to_string(), 10 + number, Some("{}"))).collect();
    store.store.keep_pages(&rows).unwrap();
    assert_eq!(store.store.pages().unwrap().len(), rows.len());
    store.store.keep_pages(&[page("newest", 10 + most, Some("{}")), page("oldest", 0, Some("{}"))]).unwrap();
    let kept = store.store.pages().unwrap();
    assert_eq!(kept.len(), rows.len());
    assert_eq!((kept[0].key.as_str(), kept[kept.len() - 1].key.as_str()), ("1", "newest"));
}

pub fn what_there_is_is_counted(kind: &dyn Kind) {
    let mut store = Opened::new(kind);
    assert_eq!(store.store.tally().unwrap(), Tally::default());
    store.admit(&[for_two(1), admission(2), admission(3)]);
    store.store.hold(&held(admission(4), 1, true), START).unwrap();
    let due = store.due("111", START);
    assert_eq!(store.store.tally().unwrap(), tally(4, 0, 1), "what is on its way waits as well");
    store.settle(due[0].id, Verdict::Dead { reason: "payload" });
    store.settle(due[1].id, Verdict::Delivered);
    store.settle(due[2].id, retry_at(after(HOUR)));
    assert_eq!(store.store.tally().unwrap(), tally(2, 1, 1));
    store.store.choose(Choice::Granted([1; 32]), START).unwrap();
    assert_eq!(kind.inspector().retry(&[]).unwrap(), 1);
    assert_eq!(store.store.tally().unwrap(), tally(4, 0, 0));
    assert_eq!(store.crash().store.tally().unwrap(), tally(4, 0, 0));
}
