//! After an outage.

use std::sync::Mutex;

use super::*;
use crate::outbox::Order;

#[test]
fn a_backlog_is_drained_in_the_order_that_is_wished() {
    let at = UnixMillis::now().as_secs();
    for (order, first) in [(Order::Newest, "id-0"), (Order::Oldest, "id-29")] {
        let stage = Stage::set();
        stage.change(|config| config.delivery.order = order);
        stage.admit((0..30).map(|n| {
            let mut lead = lead();
            lead["event_time"] = (at - 60 * u64::from(n)).into();
            (n, lead)
        }));
        let delivery = stage.deliver();
        stage.wait_for("delivered", 30);
        let times: Vec<_> = stage.graph.events().iter().map(|event| event["event_time"].as_u64().unwrap()).collect();
        assert_eq!(stage.graph.events()[0]["event_id"], first);
        assert!(times.is_sorted_by(|a, b| if order == Order::Newest { a > b } else { a < b }), "{times:?}");
        delivery.shutdown(Duration::from_secs(1));
    }
}

#[test]
fn an_outage_shrinks_requests_and_its_end_lets_them_grow_again() {
    let stage = Stage::set();
    stage.graph.outage(None, Some(Fault::status(503, "")));
    stage.admit((0..200).map(|n| (n, lead())));
    let delivery = stage.deliver();
    stage.wait_for_requests(3);
    stage.graph.outage(None, None);
    stage.wait_for("delivered", 200);
    let sizes = sizes(&stage.graph);
    assert!(sizes[0] == 200 && sizes[1] <= 100 && sizes[2] <= 50, "{sizes:?}");
    assert!(sizes.len() < 40, "{sizes:?}");
    assert!(stage.graph.duplicates().is_empty());
    delivery.shutdown(Duration::from_secs(1));
}

/// Resident memory in bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim_end_matches("kB").trim().parse::<u64>().unwrap() * 1024
}

/// What a server that keeps no events notes of them.
#[derive(Default)]
struct Notes {
    sizes: Vec<usize>,
    seen: Vec<bool>,
    repeated: usize,
    most_memory: u64,
}

/// By itself, so that what it measures is its own: `cargo test --lib backlog_of_any_length -- --ignored --nocapture`.
/// The full count is `CAPI_BACKLOG=100000`.
#[test]
#[ignore = "needs time, and memory that no other test uses"]
fn a_backlog_of_any_length_goes_out_a_thousand_at_a_time_with_memory_flat() {
    let count: u32 = std::env::var("CAPI_BACKLOG").map_or(5000, |count| count.parse().unwrap());
    let total = usize::try_from(count).unwrap();
    let notes = Arc::new(Mutex::new(Notes { seen: vec![false; total], ..Notes::default() }));
    let stage = Stage::set();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    stage.change(|config| {
        config.delivery.graph_endpoint = url;
        config.delivery.timeout = Duration::from_secs(20);
    });
    let noting = Arc::clone(&notes);
    graph_stand_in::http::serve(listener, move |request| {
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        let events = body["data"].as_array().unwrap();
        let mut notes = noting.lock().unwrap();
        for event in events {
            let number: usize = event["event_id"].as_str().unwrap().strip_prefix("id-").unwrap().parse().unwrap();
            notes.repeated += usize::from(std::mem::replace(&mut notes.seen[number], true));
        }
        notes.sizes.push(events.len());
        notes.most_memory = notes.most_memory.max(resident());
        let text = serde_json::json!({"events_received": events.len()}).to_string();
        Some(graph_stand_in::http::answer(200, &[], &text))
    });
    let mut event = lead();
    event["user_data"]["client_user_agent"] = "Mozilla/5.0 (made up) ".repeat(20).into();
    for first in (0..count).step_by(1000) {
        stage.admit_all((first..count.min(first + 1000)).map(|n| (n, event.clone())));
    }
    let (before, start) = (resident(), std::time::Instant::now());
    let delivery = stage.deliver();
    let patience = Duration::from_secs(600);
    while !notes.lock().unwrap().seen.iter().all(|seen| *seen) {
        assert!(start.elapsed() < patience, "{:?}", notes.lock().unwrap().sizes);
        thread::sleep(Duration::from_millis(20));
    }
    let took = start.elapsed();
    delivery.shutdown(Duration::from_secs(5));
    let notes = notes.lock().unwrap();
    let growth = notes.most_memory.saturating_sub(before) / 1024;
    println!(
        "{count} events of {} bytes: {} requests of {} events at most in {took:?}; memory grew by {growth} KiB from {} KiB",
        event.to_string().len(),
        notes.sizes.len(),
        notes.sizes.iter().max().unwrap(),
        before / 1024,
    );
    assert_eq!(notes.repeated, 0);
    assert_eq!(notes.sizes.len(), total.div_ceil(1000));
    // One batch in its several forms; all of them would be a hundred times that.
    assert!(growth < 64 * 1024, "{growth} KiB");
}
