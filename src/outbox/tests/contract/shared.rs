//! Several replicas at one store. Of a kind that cannot be shared, nothing is promised here.

use std::collections::BTreeSet;

use super::super::*;

const REPLICAS: usize = 8;

/// Does the same through so many handles at once.
fn all_at_once<T: Send>(kind: &dyn Kind, work: impl Fn(usize, &mut dyn Store) -> T + Sync) -> Vec<T> {
    let mut stores: Vec<_> = (0..REPLICAS).map(|_| kind.open()).collect();
    let (start, work) = (std::sync::Barrier::new(REPLICAS), &work);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (stores.iter_mut().enumerate())
            .map(|(number, store)| {
                let start = &start;
                scope.spawn(move || {
                    start.wait();
                    work(number, &mut **store)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

pub fn a_submission_that_comes_to_several_replicas_at_once_is_new_once(kind: &dyn Kind) {
    if !kind.can_share() {
        return;
    }
    let secrets: BTreeSet<_> = all_at_once(kind, |_, store| store.secret().unwrap()).into_iter().collect();
    assert_eq!(secrets.len(), 1);
    for print in 0..10 {
        // The fingerprint is the same for all; or the supplied id is, with messages that differ.
        let admitted = all_at_once(kind, |number, store| {
            let other = 100 + 10 * print + u8::try_from(number).unwrap();
            let batch = [admission(print), with_id(other, &format!("page-{print}"), 1)];
            store.admit(&batch, START).unwrap()
        });
        for (nth, id) in [format!("fallback-{print}"), format!("page-{print}")].iter().enumerate() {
            let answers: Vec<_> = admitted.iter().map(|answers| &answers[nth]).collect();
            let count = |expected: Admitted| answers.iter().filter(|&&answer| *answer == expected).count();
            assert_eq!((count(new(id)), count(duplicate(id))), (1, REPLICAS - 1), "{answers:?}");
        }
    }
    assert_eq!(Opened::new(kind).rows().len(), 20);
}

pub fn a_delivery_is_handed_to_one_replica(kind: &dyn Kind) {
    if !kind.can_share() {
        return;
    }
    Opened::new(kind).admit(&(0..100).map(admission).collect::<Vec<_>>());
    let taken = all_at_once(kind, |_, store| {
        let mut ids = Vec::new();
        loop {
            let due = store.take_due(&wanted("111", START, 3, 1 << 20)).unwrap();
            if due.is_empty() {
                return ids;
            }
            ids.extend(due.iter().map(|due| due.id));
        }
    });
    let taken = taken.concat();
    assert_eq!((taken.len(), taken.iter().collect::<BTreeSet<_>>().len()), (100, 100));
}

pub fn a_dead_replicas_deliveries_are_taken_over_in_doubt(kind: &dyn Kind) {
    if !kind.can_share() {
        return;
    }
    let (mut dead, mut alive) = (Opened::new(kind), Opened::new(kind));
    dead.admit(&[1, 2, 3].map(admission));
    let id = dead.due("111", START)[0].id;
    dead.settle(id, Verdict::Delivered);
    drop(dead);
    assert!(alive.due("111", START).is_empty(), "nobody knows yet that it is dead");
    assert_ne!(alive.store.next_due("111", START).unwrap(), Some(START), "nor is it asked all the time");
    kind.end_leases();
    alive.store.tend(after(MINUTE)).unwrap();
    let due = alive.due("111", after(MINUTE));
    let doubts: Vec<_> = due.iter().map(|due| (due.event_id.as_str(), due.in_doubt_since)).collect();
    assert_eq!(doubts, [("fallback-2", Some(START)), ("fallback-1", Some(START))]);
}

/// It hung, another one took over, and now it goes on where it was.
pub fn who_was_silent_too_long_can_still_say_that_meta_has_it(kind: &dyn Kind) {
    if !kind.can_share() {
        return;
    }
    let (mut slow, mut other) = (Opened::new(kind), Opened::new(kind));
    slow.admit(&[1, 2, 3].map(admission));
    let due = slow.due("111", START);
    kind.end_leases();
    other.store.tend(after(MINUTE)).unwrap();
    assert_eq!(other.due("111", after(MINUTE)).len(), 3);
    // Meta has the first; of the second it knows nothing, and the other is about to send it.
    slow.settle(due[0].id, Verdict::Delivered);
    slow.settle(due[1].id, retry_at(START));
    assert!(slow.due("111", after(MINUTE)).is_empty(), "what somebody else has on its way stays there");
    other.settle(due[0].id, retry_at(START));
    other.settle(due[1].id, Verdict::Delivered);
    other.settle(due[2].id, Verdict::Delivered);
    slow.settle(due[2].id, Verdict::Dead { reason: "payload" });
    assert!(slow.rows().iter().all(|row| row.state == "delivered"), "{:?}", slow.rows());
    assert!(slow.due("111", after(HOUR)).is_empty());
}
