//! A backlog after a long outage: how many requests it takes, and how much memory. In a process of its own, so that what is
//! measured is the delivery's.
#![allow(clippy::unwrap_used)]

#[path = "../examples/demo/http.rs"]
mod http;

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use capi_sidecar::config::{Config, Purpose, Sources, load};
use capi_sidecar::delivery::Delivery;
use capi_sidecar::exchange::UnixMillis;
use capi_sidecar::outbox::{Admission, Outbox};
use serde_json::{Value, json};
use tokio::sync::watch;

const PIXEL: &str = "1234567890";

/// What a server notes that keeps no events.
#[derive(Default)]
struct Notes {
    sizes: Vec<usize>,
    seen: Vec<bool>,
    repeated: usize,
    most_memory: u64,
}

/// Resident memory in KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim_end_matches("kB").trim().parse().unwrap()
}

/// Accepts everything.
fn serve(notes: &Arc<Mutex<Notes>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let notes = Arc::clone(notes);
    http::serve(listener, move |request| {
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        let events = body["data"].as_array().unwrap();
        let mut notes = notes.lock().unwrap();
        for event in events {
            let number: usize = event["event_id"].as_str().unwrap().strip_prefix("id-").unwrap().parse().unwrap();
            notes.repeated += usize::from(std::mem::replace(&mut notes.seen[number], true));
        }
        notes.sizes.push(events.len());
        notes.most_memory = notes.most_memory.max(resident());
        Some(http::answer(200, &[], &json!({"events_received": events.len()}).to_string()))
    });
    url
}

fn config(graph: &str) -> Config {
    let flags = [("pixel-id", PIXEL), ("upstream", "http://127.0.0.1:9"), ("graph-endpoint", graph)];
    let flags = flags.iter().map(|(flag, value)| ((*flag).to_owned(), vec![(*value).to_owned()])).collect();
    let env = BTreeMap::from([("CAPI_ACCESS_TOKEN".to_owned(), "good".to_owned())]);
    let mut config = load(&Sources { file: None, env, flags }, Purpose::Run).unwrap().config;
    config.delivery.timeout = Duration::from_secs(20);
    config
}

fn fill(outbox: &Outbox, count: u32) {
    let time = UnixMillis::now().as_secs();
    let event = json!({"event_name": "Lead", "event_time": time, "action_source": "website",
        "event_source_url": "https://shop.example/", "user_data": {"em": ["a".repeat(64)], "ph": ["b".repeat(64)],
        "client_user_agent": "Mozilla/5.0 (made up) ".repeat(16)}});
    let body: Arc<str> = event.to_string().into();
    let admission = |n: u32| Admission {
        fingerprint: std::array::from_fn(|at| n.to_be_bytes()[at % 4]),
        supplied: None,
        fallback_event_id: format!("id-{n}"),
        event_name: "Lead".to_owned(),
        event_time: time,
        event_only: false,
        body: Arc::clone(&body),
        pixels: vec![PIXEL.to_owned()],
        ties: Vec::new(),
    };
    for first in (0..count).step_by(1000) {
        outbox.admit_blocking((first..count.min(first + 1000)).map(admission).collect()).unwrap();
    }
}

/// `CAPI_BACKLOG=100000` is the full count: `cargo test --test backlog -- --ignored --nocapture`.
#[test]
#[ignore = "needs some seconds"]
fn a_backlog_of_any_length_goes_out_a_thousand_at_a_time_with_memory_flat() {
    let count: u32 = std::env::var("CAPI_BACKLOG").map_or(5000, |count| count.parse().unwrap());
    let total = usize::try_from(count).unwrap();
    let notes = Arc::new(Mutex::new(Notes { seen: vec![false; total], ..Notes::default() }));
    let config = watch::channel(Arc::new(config(&serve(&notes)))).0;
    let dir = tempfile::tempdir().unwrap();
    let outbox = Outbox::open(&dir.path().join("capi.db")).unwrap();
    fill(&outbox, count);
    let (before, start) = (resident(), Instant::now());
    let delivery = Delivery::start(config.subscribe(), outbox).unwrap();
    while !notes.lock().unwrap().seen.iter().all(|seen| *seen) {
        assert!(start.elapsed() < Duration::from_secs(600), "{:?}", notes.lock().unwrap().sizes);
        thread::sleep(Duration::from_millis(20));
    }
    let took = start.elapsed();
    delivery.shutdown(Duration::from_secs(5));
    let notes = notes.lock().unwrap();
    let growth = notes.most_memory.saturating_sub(before);
    println!(
        "{count} events: {} requests in {took:?}; memory grew by {growth} KiB from {before} KiB",
        notes.sizes.len()
    );
    assert_eq!(notes.repeated, 0);
    assert_eq!(notes.sizes.len(), total.div_ceil(1000), "{:?}", notes.sizes);
    // A batch in its several forms, here and in the server; all of them would be a hundred times that.
    assert!(growth < 40 * 1024, "{growth} KiB");
}
