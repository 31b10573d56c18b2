//! Submissions that wait for their visitor's choice.

use super::super::held::{AT_ONCE, MAX_HELD};
use super::super::*;

fn browsers(store: &mut Opened<'_>) -> Vec<u8> {
    let mut browsers: Vec<_> = store.store.held_browsers().unwrap().iter().map(|browser| browser[0]).collect();
    browsers.sort_unstable();
    browsers
}

/// Which, and what was admitted.
fn choose(store: &mut Opened<'_>, choice: Choice, now: UnixMillis) -> Vec<(u8, Option<Admitted>)> {
    let mut released: Vec<_> = store.store.choose(choice, now).unwrap();
    released.sort_by_key(|one| one.fingerprint);
    assert!(released.iter().all(|one| one.place == ("shop.example".to_owned(), "/quote".to_owned())));
    released.into_iter().map(|one| (one.fingerprint[0], one.admitted)).collect()
}

pub fn a_submission_waits_once_and_is_not_sent_before_its_visitor_chose(kind: &dyn Kind) {
    let mut store = Opened::new(kind);
    store.admit(&[admission(1)]);
    let again = |id: &str| Holding::Duplicate { event_id: id.to_owned() };
    for (admission, expected) in [
        (admission(1), again("fallback-1")),
        (admission(2), Holding::Waits),
        (admission(2), again("fallback-2")),
        (with_id(3, "page", 3), Holding::Waits),
        (admission(3), again("page")),
    ] {
        assert_eq!(store.store.hold(&held(admission, 1, true), START).unwrap(), expected);
    }
    assert_eq!(store.store.hold(&held(admission(4), 2, true), START).unwrap(), Holding::Waits);
    let mut store = store.crash();
    assert_eq!(browsers(&mut store), [1, 2]);
    assert_eq!(store.store.tally().unwrap(), tally(1, 0, 3));
    assert_eq!(store.due_ids("111", after(2 * HOUR)), ["fallback-1"]);
    assert_eq!(store.store.hold(&held(admission(2), 1, true), START).unwrap(), again("fallback-2"));
}

pub fn a_yes_admits_what_waits_of_that_browser_and_nothing_else(kind: &dyn Kind) {
    let mut store = Opened::new(kind);
    let all = Admission { ties: vec![[100; TIE_BYTES], [101; TIE_BYTES]], ..for_two(1) };
    store.store.hold(&held(all, 1, true), START).unwrap();
    store.store.hold(&held(with_id(2, "page", 2), 1, false), START).unwrap();
    store.store.hold(&held(admission(3), 2, true), START).unwrap();
    assert!(choose(&mut store, Choice::Granted([9; 32]), START).is_empty());
    let now = after(HOUR / 2);
    let released = choose(&mut store, Choice::Granted([1; 32]), now);
    assert_eq!(released, [(1, Some(new("fallback-1"))), (2, Some(new("page")))]);
    assert!(choose(&mut store, Choice::Granted([1; 32]), now).is_empty());
    assert_eq!(browsers(&mut store), [2]);
    let mut store = store.crash();
    assert_eq!(store.store.next_due("111", now).unwrap(), Some(now));
    assert_eq!(store.due_ids("111", now), ["page", "fallback-1"]);
    let due = store.due("222", now);
    assert_eq!((&*due[0].body, due[0].event_only), ("{\"user_data\":{\"em\":[\"hash-of-1\"]}}", false));
    assert_eq!(due[0].event_time, START.as_secs() + 1, "when it happened, not when it was allowed");
    assert_eq!(store.admit(&[admission(1), with_id(4, "page", 2)]), [duplicate("fallback-1"), duplicate("page")]);
    // Its ties came along.
    assert_eq!(store.store.withdraw(&[[101; TIE_BYTES]], now).unwrap(), 1);
}

pub fn a_no_leaves_the_bare_event_or_nothing(kind: &dyn Kind) {
    let mut store = Opened::new(kind);
    let first = Admission { pixels: vec!["111".to_owned(), "222".to_owned()], ..tied(1, 100) };
    store.store.hold(&held(first, 1, true), START).unwrap();
    store.store.hold(&held(admission(2), 1, false), START).unwrap();
    let released = choose(&mut store, Choice::Denied([1; 32]), START);
    let [(1, Some(Admitted::New { event_id, supplied_id_was_taken: false })), (2, None)] = &released[..] else {
        panic!("{released:?}");
    };
    assert!(!event_id.contains("fallback"), "an id that derives from nothing");
    assert!(browsers(&mut store).is_empty());
    for pixel in ["111", "222"] {
        let due = store.due(pixel, START);
        assert_eq!((due.len(), &due[0].event_id, &*due[0].body), (1, event_id, "{\"event_name\":\"Lead\"}"));
        assert_eq!((due[0].event_only, due[0].event_time), (true, START.as_secs() + 1));
    }
    assert_eq!(store.store.withdraw(&[[100; TIE_BYTES]], START).unwrap(), 0, "nothing tells whose it was");
    assert!(!store.mentions("hash-of-") && !store.mentions("fallback-"));
    assert_eq!(store.admit(&[admission(1)]), [new("fallback-1")], "who says yes later and sends again is new");
}

pub fn the_wait_ends_in_time_even_if_nobody_has_looked(kind: &dyn Kind) {
    let mut store = Opened::new(kind);
    let until = |print, until| Held { until, ..held(admission(print), 1, true) };
    store.store.hold(&until(1, after(HOUR)), START).unwrap();
    store.store.hold(&until(2, after(2 * HOUR)), START).unwrap();
    assert!(choose(&mut store, Choice::Expired, after(HOUR - 1)).is_empty());
    let over = after(HOUR);
    assert_eq!(choose(&mut store, Choice::Granted([1; 32]), over).len(), 1, "too late for the first one");
    assert!(choose(&mut store, Choice::Denied([1; 32]), over).is_empty());
    let expired = choose(&mut store, Choice::Expired, over);
    assert!(matches!(expired[..], [(1, Some(Admitted::New { .. }))]), "{expired:?}");
    assert!(choose(&mut store, Choice::Expired, over).is_empty());
    assert_eq!(store.due_ids("111", over), ["fallback-2"]);
    assert!(store.due("111", over)[0].event_only, "the bare event is what is left of it");
    assert!(!store.mentions("hash-of-1"));
}

pub fn what_was_sent_meanwhile_is_not_sent_again_by_a_yes(kind: &dyn Kind) {
    let mut store = Opened::new(kind);
    store.store.hold(&held(admission(1), 1, false), START).unwrap();
    store.store.hold(&held(with_id(2, "page", 2), 1, false), START).unwrap();
    store.store.hold(&held(with_id(3, "page", 2), 1, false), START).unwrap();
    assert_eq!(store.admit(&[admission(1)]), [new("fallback-1")]);
    let released = choose(&mut store, Choice::Granted([1; 32]), START);
    let admitted: Vec<_> = released.into_iter().filter_map(|(_, admitted)| admitted).collect();
    assert_eq!(admitted.iter().filter(|&one| *one == new("page")).count(), 1, "{admitted:?}");
    assert!(admitted.contains(&duplicate("fallback-1")) && admitted.contains(&duplicate("page")), "{admitted:?}");
    assert_eq!(store.due("111", START).len(), 2);
}

pub fn one_step_ends_so_many_waits(kind: &dyn Kind) {
    let mut store = Opened::new(kind);
    let most = usize::from(AT_ONCE);
    for number in 0..=u8::try_from(AT_ONCE).unwrap() {
        store.store.hold(&held(admission(number), 1, false), START).unwrap();
    }
    let mut step = || store.store.choose(Choice::Granted([1; 32]), START).unwrap().len();
    assert_eq!([step(), step(), step()], [most, 1, 0]);
    assert_eq!(store.due("111", START).len(), most + 1);
}

pub fn more_than_may_wait_are_turned_away(kind: &dyn Kind) {
    let mut store = Opened::new(kind);
    let numbered = |number: u16| {
        let mut admission = admission(1);
        admission.fingerprint[..2].copy_from_slice(&number.to_be_bytes());
        held(admission, 1, false)
    };
    for number in 0..MAX_HELD {
        assert_eq!(store.store.hold(&numbered(number), START).unwrap(), Holding::Waits, "{number}");
    }
    assert_eq!(store.store.hold(&numbered(MAX_HELD), START).unwrap(), Holding::TooMany);
    assert!(matches!(store.store.hold(&numbered(7), START).unwrap(), Holding::Duplicate { .. }));
    assert_eq!(store.store.choose(Choice::Denied([1; 32]), START).unwrap().len(), usize::from(AT_ONCE));
    assert_eq!(store.store.hold(&numbered(MAX_HELD), START).unwrap(), Holding::Waits);
}

pub fn a_withdrawal_ends_the_wait_too(kind: &dyn Kind) {
    let mut store = Opened::new(kind);
    store.store.hold(&held(tied(1, 100), 1, true), START).unwrap();
    store.store.hold(&held(tied(2, 101), 2, true), START).unwrap();
    assert_eq!(store.store.withdraw(&[[100; TIE_BYTES]], START).unwrap(), 0, "nothing of it was to be sent");
    assert_eq!(browsers(&mut store), [2], "but it waits no more");
    assert!(choose(&mut store, Choice::Granted([1; 32]), START).is_empty());
    assert!(!store.mentions("hash-of-1") && store.mentions("hash-of-2"));
    assert_eq!(store.store.withdraw(&[[2; TIE_BYTES]], START).unwrap(), 0);
    assert!(browsers(&mut store).is_empty());
}
