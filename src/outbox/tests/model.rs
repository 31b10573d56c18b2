//! A store against a plain model of it, under random steps: what one answers, the other one must have answered, and in the
//! end both list the same. `PROPTEST_CASES` sets how many cases there are.

mod plain;
mod steps;

use std::collections::BTreeMap;

use proptest::sample::Index;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use super::*;
use plain::{Answer, Plain};
use steps::{PIXELS, Step, steps};

/// For every run of all tests: seconds.
const SQLITE_CASES: u32 = 40;
const REDIS_CASES: u32 = 100;

fn agrees(kind: impl Fn() -> Box<dyn Kind>, cases: u32) {
    // The default is what the variable says.
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { Config::default().cases } else { cases };
    // A failing case is shown in full, and small: nothing is to be written beside the sources.
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 4000, ..Config::default() };
    if let Err(error) = TestRunner::new(config).run(&steps(), |steps| Both::new(&*kind()).run(&steps)) {
        panic!("{error}");
    }
}

#[test]
fn sqlite_does_what_a_plain_model_of_it_does() {
    agrees(|| Box::new(sqlite_kind::Sqlite::new()), SQLITE_CASES);
}

#[test]
#[ignore = "needs redis-server"]
fn redis_does_what_a_plain_model_of_it_does() {
    let server = redis_kind::Redis::new();
    agrees(|| Box::new(server.emptied()), REDIS_CASES);
}

/// The store and its model.
struct Both<'a> {
    kind: &'a dyn Kind,
    store: Option<Box<dyn Store>>,
    plain: Plain,
    /// The numbers of what was handed out, by event and pixel.
    numbers: BTreeMap<(String, String), i64>,
}

impl<'a> Both<'a> {
    fn new(kind: &'a dyn Kind) -> Self {
        Self { kind, store: Some(kind.open()), plain: Plain::new(kind), numbers: BTreeMap::new() }
    }

    fn run(mut self, steps: &[Step]) -> Result<(), TestCaseError> {
        for (number, step) in steps.iter().enumerate() {
            let after = |what: &str| format!("{what} step {number}, {step:?}");
            let answer = self.act(step);
            let expected = self.plain.act(step, &answer);
            same(&answer, &expected, || after("the answer to"))?;
            let now = self.plain.now;
            let store = self.store();
            let tally = store.tally().unwrap();
            // A store may look too early, at what was due before the clock was set back; never too late.
            let next = PIXELS.map(|pixel| store.next_due(pixel, now).unwrap().map(|next| next.max(now)));
            same(&tally, &self.plain.tally(), || after("what there is after"))?;
            for (pixel, next) in PIXELS.into_iter().zip(next) {
                let expected = self.plain.next_due(pixel);
                let looked = matches!((step, &answer), (Step::Take(take), Answer::Taken(taken))
                    if PIXELS[take.pixel] == pixel && taken.is_empty());
                if looked || next.is_some() != expected.is_some() || next > expected {
                    same(&next, &expected, || after("what is due next after"))?;
                }
            }
        }
        let mut rows = list(&mut *self.kind.inspector(), None);
        for row in &mut rows {
            row.id = 0;
            // By the system's clock: an operator's retry.
            row.due_at =
                row.due_at.map(|due_at| if due_at < after(0).as_secs().cast_signed() / 2 { 0 } else { due_at });
        }
        same(&rows, &self.plain.list(), || "the list in the end".to_owned())
    }

    fn store(&mut self) -> &mut dyn Store {
        &mut **self.store.as_mut().unwrap()
    }

    /// Does it to the store.
    fn act(&mut self, step: &Step) -> Answer {
        let now = self.plain.now;
        match step {
            Step::Submit(submissions) => {
                let admissions: Vec<_> = submissions.iter().map(steps::Submission::admission).collect();
                Answer::Admitted(self.store().admit(&admissions, now).unwrap())
            }
            Step::Take(take) => {
                let due = self.store().take_due(&take.wanted(now)).unwrap();
                let named = due.iter().map(|due| ((due.event_id.clone(), PIXELS[take.pixel].to_owned()), due.id));
                self.numbers.extend(named);
                let due = due.into_iter().map(|due| (due.event_id, due.body, due.attempts, due.in_doubt_since));
                Answer::Taken(due.collect())
            }
            Step::Settle(ends) => {
                let picked = self.plain.picked(ends).into_iter();
                let settlements: Vec<_> = picked
                    .map(|(nth, verdict)| {
                        let (event, pixel) = self.plain.names(nth);
                        let id = self.numbers[&(event.to_owned(), pixel.to_owned())];
                        settlement(id, verdict)
                    })
                    .collect();
                self.store().settle(&settlements, now).unwrap();
                Answer::Done
            }
            Step::Crash => {
                self.store = self.store.take().map(|store| self.kind.reopen_after_crash(store));
                Answer::Done
            }
            Step::Hold(submission, browser, bare) => {
                let held = Held { until: UnixMillis(now.0 + HOUR), ..held(submission.admission(), *browser, *bare) };
                Answer::Holding(self.store().hold(&held, now).unwrap())
            }
            Step::Choose(choice) => {
                let released = self.store().choose(*choice, now).unwrap();
                Answer::Released(released.into_iter().map(|one| (one.fingerprint[0], one.admitted)).collect())
            }
            Step::Withdraw(tie) => Answer::Count(self.store().withdraw(&[[*tie; TIE_BYTES]], now).unwrap()),
            Step::Retry(index) => {
                let ids = self.listed(*index);
                // None named would be all.
                Answer::Count(if ids.is_empty() { 0 } else { self.kind.inspector().retry(&ids).unwrap() })
            }
            Step::RetryAll => Answer::Count(self.kind.inspector().retry(&[]).unwrap()),
            Step::Drop(index) => Answer::Count(self.kind.inspector().drop_deliveries(&self.listed(*index)).unwrap()),
            Step::Erase(print) => {
                let hashes = [format!("hash-of-{print}")].into();
                Answer::Count(self.kind.inspector().erase_by_email(&hashes).unwrap())
            }
            Step::Clock(_) => Answer::Done,
            Step::Forget => {
                self.kind.forget_seen();
                Answer::Done
            }
            Step::Sweep => {
                self.store().sweep(now).unwrap();
                Answer::Done
            }
        }
    }

    /// The number of a delivery in the ledger, as an operator finds it.
    fn listed(&self, index: Index) -> Vec<i64> {
        let Some(nth) = self.plain.any(index) else { return Vec::new() };
        let rows = list(&mut *self.kind.inspector(), None);
        let named = |row: &&DeliveryRow| (row.event_id.as_str(), row.pixel.as_str()) == self.plain.names(nth);
        rows.iter().filter(named).map(|row| row.id).collect()
    }
}

fn same<T: PartialEq + std::fmt::Debug>(found: &T, expected: &T, at: impl Fn() -> String) -> Result<(), TestCaseError> {
    if found == expected {
        return Ok(());
    }
    Err(TestCaseError::fail(format!("{}:\n  the store says {found:?}\n  the model says {expected:?}", at())))
}
