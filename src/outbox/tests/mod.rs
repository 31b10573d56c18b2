//! What is promised of every kind of store (`contract`), the same against a plain model under random steps (`model`), and the
//! thread that owns one (`writer`). Only there and in the kinds' own tests is it known which kind it is.

mod contract;
mod model;
mod redis_kind;
mod shared_kind;
mod sqlite_kind;
mod writer;

use super::inspect::{DeliveryRow, Inspector};
use super::*;

/// A kind of store, as the tests need it: somewhere to be, empty at first.
pub trait Kind {
    /// Opens it, beside others that are open if [`Kind::can_share`].
    fn open(&self) -> Box<dyn Store>;

    /// Another handle after the process with this one died. What that one had on its way is nobody's any more: leases, if the
    /// kind has any, are over.
    fn reopen_after_crash(&self, store: Box<dyn Store>) -> Box<dyn Store> {
        drop(store);
        self.end_leases();
        self.open()
    }

    /// As the `outbox` verbs open it, beside the store.
    fn inspector(&self) -> Box<dyn Inspector>;

    /// Everything that it holds, wherever that is: what is erased must not be found in it.
    fn bytes(&self) -> Vec<u8>;

    /// As if 48 hours had gone by for the memory of submissions and of supplied ids, and for nothing else.
    fn forget_seen(&self);

    /// Whether that memory ends by the server's clock, not by the time that the methods are given.
    fn forgets_by_its_own_clock(&self) -> bool {
        false
    }

    /// Whether several processes may have it open.
    fn can_share(&self) -> bool {
        false
    }

    /// As if all that have something on their way had been silent for longer than their lease lasts.
    fn end_leases(&self) {}

    /// From now on it refuses what needs room, or takes it again. `false`: it cannot be done here.
    fn fill(&self, _full: bool) -> bool {
        false
    }
}

/// When the tests happen. Far from the system's clock, so that nothing that looks there passes by chance; and later, so that
/// what an operator makes due now is due.
pub const START: UnixMillis = UnixMillis(4_102_444_800_000);
const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

pub const fn after(milliseconds: u64) -> UnixMillis {
    UnixMillis(START.0 + milliseconds)
}

/// An open store with short ways to its methods.
pub struct Opened<'a> {
    kind: &'a dyn Kind,
    store: Box<dyn Store>,
}

impl<'a> Opened<'a> {
    pub fn new(kind: &'a dyn Kind) -> Self {
        Self { kind, store: kind.open() }
    }

    pub fn crash(self) -> Self {
        Self { kind: self.kind, store: self.kind.reopen_after_crash(self.store) }
    }

    pub fn admit(&mut self, admissions: &[Admission]) -> Vec<Admitted> {
        self.store.admit(admissions, START).unwrap()
    }

    /// All that is due.
    pub fn due(&mut self, pixel: &str, now: UnixMillis) -> Vec<Due> {
        self.store.take_due(&wanted(pixel, now, 1000, 1 << 20)).unwrap()
    }

    /// Their events' ids.
    pub fn due_ids(&mut self, pixel: &str, now: UnixMillis) -> Vec<String> {
        self.due(pixel, now).into_iter().map(|due| due.event_id).collect()
    }

    pub fn settle(&mut self, id: i64, verdict: Verdict) {
        self.store.settle(&[settlement(id, verdict)], START).unwrap();
    }

    /// The delivery of an event to a pixel.
    pub fn row(&self, event_id: &str, pixel: &str) -> DeliveryRow {
        let mut rows = self.rows().into_iter().filter(|row| row.event_id == event_id && row.pixel == pixel);
        rows.next().unwrap_or_else(|| panic!("{event_id} for {pixel} is not in the ledger"))
    }

    /// All of the ledger, newest first.
    pub fn rows(&self) -> Vec<DeliveryRow> {
        list(&mut *self.kind.inspector(), None)
    }

    /// Whether anything that the store holds has this in it, after it has been given the time to erase.
    pub fn mentions(&mut self, text: &str) -> bool {
        self.store.sweep(START).unwrap();
        memchr::memmem::find(&self.kind.bytes(), text.as_bytes()).is_some()
    }
}

pub fn list(inspector: &mut dyn Inspector, state: Option<&str>) -> Vec<DeliveryRow> {
    let mut rows = Vec::new();
    let mut each = |row| {
        rows.push(row);
        true
    };
    inspector.list(state, &mut each).unwrap();
    rows
}

pub fn wanted(pixel: &str, now: UnixMillis, limit: usize, max_bytes: usize) -> Wanted {
    Wanted { pixel: pixel.to_owned(), now, limit, max_bytes, order: Order::Newest }
}

pub fn settlement(id: i64, verdict: Verdict) -> Settlement {
    Settlement { id, verdict, code: Some(1), subcode: Some(99), fbtrace_id: Some("trace".to_owned()) }
}

pub fn retry_at(due_at: UnixMillis) -> Verdict {
    Verdict::Retry { due_at, counts: true, in_doubt: false, body: None, reason: "transient" }
}

pub fn new(id: &str) -> Admitted {
    Admitted::New { event_id: id.to_owned(), supplied_id_was_taken: false }
}

/// New, under another id than the supplied one.
pub fn new_instead(id: &str) -> Admitted {
    Admitted::New { event_id: id.to_owned(), supplied_id_was_taken: true }
}

pub fn duplicate(id: &str) -> Admitted {
    Admitted::Duplicate { event_id: id.to_owned() }
}

pub fn tally(pending: u64, dead: u64, held: u64) -> Tally {
    Tally { pending, dead, held }
}

/// Each is newer than those with a smaller number.
pub fn admission(print: u8) -> Admission {
    Admission {
        fingerprint: [print; 32],
        supplied: None,
        fallback_event_id: format!("fallback-{print}"),
        event_name: "Lead".to_owned(),
        event_time: START.as_secs() + u64::from(print),
        body: format!("{{\"user_data\":{{\"em\":[\"hash-of-{print}\"]}}}}").into(),
        event_only: false,
        pixels: vec!["111".to_owned()],
        ties: Vec::new(),
    }
}

pub fn with_id(print: u8, id: &str, contact: u8) -> Admission {
    Admission { supplied: Some(SuppliedId { id: id.to_owned(), contact: [contact; 32] }), ..admission(print) }
}

pub fn for_two(print: u8) -> Admission {
    Admission { pixels: vec!["111".to_owned(), "222".to_owned()], ..admission(print) }
}

/// With a tie that others have as well, and one of its own.
pub fn tied(print: u8, tie: u8) -> Admission {
    Admission { ties: vec![[tie; TIE_BYTES], [print; TIE_BYTES]], ..admission(print) }
}

/// Waits for an hour.
pub fn held(admission: Admission, browser: u8, bare: bool) -> Held {
    Held {
        admission,
        bare: bare.then(|| "{\"event_name\":\"Lead\"}".into()),
        browser: [browser; 32],
        until: after(HOUR),
        place: ("shop.example".to_owned(), "/quote".to_owned()),
    }
}
