//! Contact data that nobody needs any more, or that somebody does not want to be here.

use super::super::*;

pub fn contact_hashes_are_gone_once_everybody_has_the_event(kind: &dyn Kind) {
    let mut store = Opened::new(kind);
    store.admit(&[for_two(1), admission(2)]);
    assert!(store.mentions("hash-of-1"));
    let due = store.due("111", START);
    store.settle(due[1].id, Verdict::Delivered);
    let id = store.row("fallback-1", "111").id;
    assert!(kind.inspector().show(id).unwrap().unwrap().1.is_some(), "the other pixel still needs it");
    let other = store.due("222", START)[0].id;
    store.settle(other, Verdict::Refused);
    assert!(kind.inspector().show(id).unwrap().unwrap().1.is_none());
    assert!(!store.mentions("hash-of-1") && store.mentions("hash-of-2"));
    let mut store = store.crash();
    assert!(!store.mentions("hash-of-1") && store.mentions("hash-of-2"));
}

pub fn a_changed_events_old_hashes_are_gone(kind: &dyn Kind) {
    let mut store = Opened::new(kind);
    store.admit(&[admission(1)]);
    let id = store.due("111", START)[0].id;
    let body = Some("{\"user_data\":{\"em\":[\"other-hash\"]}}".into());
    store.settle(id, Verdict::Retry { due_at: START, counts: true, in_doubt: false, body, reason: "fbc" });
    assert!(!store.mentions("hash-of-1") && store.mentions("other-hash"));
}

pub fn a_dead_letter_keeps_its_event_for_a_retry(kind: &dyn Kind) {
    let mut store = Opened::new(kind);
    store.admit(&[for_two(1)]);
    let (one, two) = (store.due("111", START)[0].id, store.due("222", START)[0].id);
    store.settle(one, Verdict::Dead { reason: "payload" });
    store.settle(two, Verdict::Delivered);
    assert!(store.mentions("hash-of-1"));
    assert_eq!(kind.inspector().retry(&[one, two]).unwrap(), 1, "what was delivered is not sent again");
    let due = store.due("111", START);
    assert_eq!(&*due[0].body, "{\"user_data\":{\"em\":[\"hash-of-1\"]}}");
    store.settle(one, Verdict::Delivered);
    assert!(!store.mentions("hash-of-1"));
}

pub fn a_withdrawal_ends_what_waits_of_one_browser_and_what_is_on_its_way_is_not_tried_again(kind: &dyn Kind) {
    let mut store = Opened::new(kind);
    store.admit(&[tied(1, 100), tied(2, 100), tied(3, 101), tied(4, 100)]);
    let due = store.due("111", START);
    // 3 and 2 were not answered and wait again, 4 is dead; 1 is still on its way when the visitor says no.
    store.settle(due[0].id, Verdict::Dead { reason: "payload" });
    store.settle(due[1].id, retry_at(START));
    store.settle(due[2].id, retry_at(START));
    let ties = [[100; TIE_BYTES], [7; TIE_BYTES]];
    assert_eq!(store.store.withdraw(&ties, START).unwrap(), 2);
    assert_eq!(store.store.withdraw(&ties, START).unwrap(), 0);
    let body = Some("{\"user_data\":{\"em\":[\"hash-of-1\"]}}".into());
    store.settle(due[3].id, Verdict::Retry { due_at: START, counts: true, in_doubt: true, body, reason: "fbc" });
    assert_eq!(store.due_ids("111", after(HOUR)), ["fallback-3"]);
    let states: Vec<_> = store.rows().into_iter().map(|row| row.state).collect();
    assert_eq!(states, ["dead", "pending", "refused", "refused"]);
    let mut store = store.crash();
    for (hash, found) in [("hash-of-1", false), ("hash-of-2", false), ("hash-of-3", true), ("hash-of-4", false)] {
        assert_eq!(store.mentions(hash), found, "{hash}");
    }
    assert_eq!(kind.inspector().retry(&[]).unwrap(), 0, "a dead letter without its event stays dead");
}

pub fn a_withdrawal_spares_what_meta_has_and_ends_the_rest(kind: &dyn Kind) {
    let mut store = Opened::new(kind);
    store.admit(&[Admission { ties: vec![[100; TIE_BYTES]], ..for_two(1) }, tied(2, 100)]);
    let due = store.due("111", START);
    for due in due {
        store.settle(due.id, Verdict::Delivered);
    }
    // Of 2, all that could tell whose it was is gone already.
    assert_eq!(store.store.withdraw(&[[100; TIE_BYTES]], START).unwrap(), 1);
    let states = ["111", "222"].map(|pixel| store.row("fallback-1", pixel).state);
    assert_eq!(states, ["delivered", "refused"]);
    assert!(store.due("222", START).is_empty());
    assert_eq!(store.admit(&[tied(1, 100)]), [duplicate("fallback-1")], "the same submission is still a repeat");
}

pub fn an_erasure_request_finds_an_address_wherever_it_waits(kind: &dyn Kind) {
    let mut store = Opened::new(kind);
    store.admit(&[admission(1), admission(2), admission(3), for_two(6)]);
    let due = store.due("111", START);
    let id = |event: &str| due.iter().find(|due| due.event_id == event).unwrap().id;
    store.settle(id("fallback-1"), Verdict::Dead { reason: "payload" });
    store.settle(id("fallback-6"), Verdict::Delivered);
    for print in [4, 5] {
        assert_eq!(store.store.hold(&held(admission(print), 9, false), START).unwrap(), Holding::Waits);
    }
    let hashes = ["hash-of-1", "hash-of-2", "hash-of-4", "hash-of-6", "nobody"].map(str::to_owned).into();
    assert_eq!(kind.inspector().erase_by_email(&hashes).unwrap(), 4);
    assert_eq!(kind.inspector().erase_by_email(&hashes).unwrap(), 0);
    assert_eq!(kind.inspector().retry(&[]).unwrap(), 0, "a dead letter without its event");
    let released = store.store.choose(Choice::Granted([9; 32]), START).unwrap();
    assert_eq!(released.iter().map(|one| one.fingerprint[0]).collect::<Vec<_>>(), [5]);
    let row = store.row("fallback-2", "111");
    assert_eq!((row.state.as_str(), row.reason.as_deref()), ("refused", Some("erased")));
    let states = ["111", "222"].map(|pixel| store.row("fallback-6", pixel).state);
    assert_eq!(states, ["delivered", "refused"]);
    for (hash, found) in [(1, false), (2, false), (3, true), (4, false), (5, true), (6, false)] {
        assert_eq!(store.mentions(&format!("hash-of-{hash}")), found, "{hash}");
    }
}
