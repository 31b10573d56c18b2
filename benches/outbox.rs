//! How many leads the store takes for good, and how that compares with what its machine could do at all: the same store
//! writing plain rows of the same size in groups of the same size. Interleaved rounds, each kind beside its own floor.
//!
//! `cargo bench --bench outbox` (`-- --quick`: one short round). Redis is measured when `redis-server` is there.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::cast_precision_loss)]

#[path = "../tests/support/redis.rs"]
mod redis_server;
#[allow(unused_imports, reason = "each bench uses a part of it")]
mod support;

use std::time::{Duration, Instant};

use capi_sidecar::exchange::UnixMillis;
use capi_sidecar::outbox::{
    Admission, Order, RedisStore, RedisUrl, Settlement, SqliteStore, Store, Verdict, Wanted, random_fingerprint,
};
use support::{has, spread};

/// What is committed together when the queue is never empty.
const GROUP: usize = 32;
/// A lead with five match keys.
const BYTES: usize = 800;
const PIXEL: &str = "1234567890";

fn main() {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let (rounds, length) = if quick { (1, Duration::from_millis(500)) } else { (7, Duration::from_secs(3)) };
    let dir = tempfile::tempdir().unwrap();
    let mut sqlite = SqliteStore::open(&dir.path().join("leads.db")).unwrap();
    let raw = raw_sqlite(&dir.path().join("raw.db"));
    report("SQLite", rounds, length, &mut sqlite, &mut || {
        raw.execute_batch("BEGIN IMMEDIATE").unwrap();
        for _ in 0..GROUP {
            raw.prepare_cached("INSERT INTO row (body) VALUES (?1)").unwrap().execute(["x".repeat(BYTES)]).unwrap();
        }
        raw.execute_batch("COMMIT").unwrap();
    });
    if !has("redis-server") {
        println!("Redis: no redis-server here, not measured");
        return;
    }
    let server = redis_server::Redis::start();
    let url = RedisUrl::parse(&server.url()).unwrap().unwrap();
    let mut store = RedisStore::open(&url).unwrap();
    let mut raw = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    report("Redis", rounds, length, &mut store, &mut || {
        let mut group = redis::pipe();
        group.atomic();
        for _ in 0..GROUP {
            group.cmd("RPUSH").arg("raw").arg("x".repeat(BYTES)).ignore();
        }
        group.query::<()>(&mut raw).unwrap();
    });
}

fn raw_sqlite(path: &std::path::Path) -> rusqlite::Connection {
    let raw = rusqlite::Connection::open(path).unwrap();
    raw.pragma_update(None, "journal_mode", "WAL").unwrap();
    raw.pragma_update(None, "synchronous", "FULL").unwrap();
    raw.execute_batch("CREATE TABLE row (id INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT").unwrap();
    raw
}

fn report(name: &str, rounds: usize, length: Duration, store: &mut dyn Store, raw: &mut dyn FnMut()) {
    let (mut floors, mut taken, mut lived) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        floors.push(rate(length, || {
            raw();
            GROUP
        }));
        taken.push(rate(length, || admit(store)));
        // What was only taken so far goes out first, unmeasured.
        while deliver(store) > 0 {}
        lived.push(rate(length, || {
            let taken = admit(store);
            deliver(store);
            taken
        }));
        store.sweep(UnixMillis::now()).unwrap();
    }
    for (what, rates) in
        [("plain rows", &floors), ("leads taken", &taken), ("leads taken, handed out, settled", &lived)]
    {
        let ratios: Vec<f64> = rates.iter().zip(&floors).map(|(rate, floor)| rate / floor).collect();
        let ((least, middle, most), (low, ratio, high)) = (spread(rates), spread(&ratios));
        println!(
            "{name:<7} {what:<34} {middle:>8.0} /s ({least:.0}-{most:.0})   of plain rows {ratio:.2} ({low:.2}-{high:.2})"
        );
    }
}

fn rate(length: Duration, mut group: impl FnMut() -> usize) -> f64 {
    let (start, mut count) = (Instant::now(), 0);
    while start.elapsed() < length {
        count += group();
    }
    count as f64 / start.elapsed().as_secs_f64()
}

fn admit(store: &mut dyn Store) -> usize {
    let admissions: Vec<_> = std::iter::repeat_with(lead).take(GROUP).collect();
    store.admit(&admissions, UnixMillis::now()).unwrap().len()
}

fn deliver(store: &mut dyn Store) -> usize {
    let now = UnixMillis::now();
    let wanted = Wanted { pixel: PIXEL.to_owned(), now, limit: 1000, max_bytes: 2 << 20, order: Order::Newest };
    let due = store.take_due(&wanted).unwrap();
    let settlements: Vec<_> = due
        .iter()
        .map(|due| Settlement { id: due.id, verdict: Verdict::Delivered, code: None, subcode: None, fbtrace_id: None })
        .collect();
    if !settlements.is_empty() {
        store.settle(&settlements, now).unwrap();
    }
    due.len()
}

fn lead() -> Admission {
    let fingerprint = random_fingerprint();
    Admission {
        fingerprint,
        supplied: None,
        fallback_event_id: hex::encode(fingerprint),
        event_name: "Lead".to_owned(),
        event_time: UnixMillis::now().as_secs(),
        body: "x".repeat(BYTES).into(),
        event_only: false,
        pixels: vec![PIXEL.to_owned()],
        ties: Vec::new(),
    }
}
