//! Delivery against the stand-in for Graph, over real sockets and a real store.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use secrecy::SecretString;
use serde_json::Value;

use super::*;
use crate::config::{Purpose, Sources, load};
use crate::exchange::UnixMillis;
use crate::outbox::SqliteInspector;
use crate::outbox::inspect::{DeliveryRow, Inspector};
use crate::outbox::{Admission, Admitted};

mod backlog;
mod faults;
#[path = "../../examples/demo/graph.rs"]
mod graph_stand_in;
mod pixels;
mod refusals;
mod throttles;
mod time;
use graph_stand_in::{Fault, Graph};

const PATIENCE: Duration = Duration::from_secs(20);
/// The pixel that every stage has.
const PIXEL: &str = "1234567890";
const OTHER: &str = "2222222222";

/// Clocks that a test sets. The machine has been up for a day.
#[derive(Clone, Default)]
struct Clocks {
    wall_ms: Arc<AtomicI64>,
    boot_ms: Arc<AtomicU64>,
    looks: Arc<AtomicU64>,
}

impl Clocks {
    fn read(&self) -> Reading {
        self.looks.fetch_add(1, Ordering::Relaxed);
        let now = Reading::now();
        let wall = UnixMillis(now.wall.0.saturating_add_signed(self.wall_ms.load(Ordering::Relaxed)));
        let day = Duration::from_secs(24 * 3600);
        Reading { wall, boot: now.boot + day + Duration::from_millis(self.boot_ms.load(Ordering::Relaxed)) }
    }

    /// The wall clock is set.
    fn leap(&self, hours: i64) {
        self.wall_ms.fetch_add(hours * 3_600_000, Ordering::Relaxed);
    }

    /// Time passes, by both clocks.
    fn pass(&self, minutes: u32) {
        self.wall_ms.fetch_add(i64::from(minutes) * 60_000, Ordering::Relaxed);
        self.boot_ms.fetch_add(u64::from(minutes) * 60_000, Ordering::Relaxed);
    }
}

struct Stage {
    graph: Graph,
    outbox: Outbox,
    config: watch::Sender<Arc<Config>>,
    clocks: Clocks,
    dir: tempfile::TempDir,
}

impl Stage {
    fn set() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let graph = Graph::start();
        let flags = [("pixel-id", PIXEL), ("upstream", "http://127.0.0.1:9"), ("graph-endpoint", &graph.url())];
        let flags = flags.iter().map(|(flag, value)| ((*flag).to_owned(), vec![(*value).to_owned()])).collect();
        let env = [("CAPI_ACCESS_TOKEN".to_owned(), "good".to_owned())].into();
        let config = load(&Sources { file: None, env, flags }, Purpose::Run).unwrap().config;
        let outbox = Outbox::open(&dir.path().join("capi.db")).unwrap();
        Self { graph, outbox, config: watch::channel(Arc::new(config)).0, clocks: Clocks::default(), dir }
    }

    /// With a second pixel that gets every lead too.
    fn of_two() -> Self {
        let stage = Self::set();
        stage.change(|config| {
            let other = crate::config::Pixel { id: OTHER.to_owned(), ..config.pixels[0].clone() };
            config.pixels.push(other);
        });
        stage
    }

    fn deliver(&self) -> Delivery {
        let clocks = self.clocks.clone();
        Delivery::start_by(self.config.subscribe(), self.outbox.clone(), Arc::new(move || clocks.read())).unwrap()
    }

    fn change(&self, change: impl FnOnce(&mut Config)) {
        let mut config = Config::clone(&self.config.borrow());
        change(&mut config);
        self.config.send_replace(Arc::new(config));
    }

    /// The workers look up from their sleep.
    fn wake(&self) {
        self.change(|_| {});
    }

    fn admit(&self, events: impl IntoIterator<Item = (u8, Value)>) {
        self.admit_all(events.into_iter().map(|(n, event)| (u32::from(n), event)));
    }

    fn admit_all(&self, events: impl IntoIterator<Item = (u32, Value)>) {
        let pixels: Vec<_> = self.config.borrow().pixels.iter().map(|pixel| pixel.id.clone()).collect();
        let admissions: Vec<_> = events
            .into_iter()
            .map(|(n, event)| Admission {
                fingerprint: std::array::from_fn(|at| n.to_be_bytes()[at % 4]),
                supplied: None,
                fallback_event_id: format!("id-{n}"),
                event_name: "Lead".to_owned(),
                event_time: event["event_time"].as_u64().unwrap(),
                event_only: event["user_data"].is_null(),
                body: event.to_string().into(),
                pixels: pixels.clone(),
                ties: Vec::new(),
            })
            .collect();
        let admitted = self.outbox.admit_blocking(admissions).unwrap();
        assert!(admitted.iter().all(|one| matches!(one, Admitted::New { .. })));
    }

    fn rows(&self, state: &str) -> Vec<DeliveryRow> {
        let mut rows = Vec::new();
        let mut store = SqliteInspector::open(&self.dir.path().join("capi.db")).unwrap();
        store
            .list(Some(state), &mut |row| {
                rows.push(row);
                true
            })
            .unwrap();
        rows
    }

    fn wait_for(&self, state: &str, count: usize) -> Vec<DeliveryRow> {
        self.wait_until(|| Some(self.rows(state)).filter(|rows| rows.len() == count), state)
    }

    /// Waits until so many deliveries wait for this reason.
    fn wait_for_reason(&self, reason: &str, count: usize) -> Vec<DeliveryRow> {
        let waiting = || self.rows("pending").into_iter().filter(|row| row.reason.as_deref() == Some(reason)).collect();
        self.wait_until(|| Some(waiting()).filter(|rows: &Vec<_>| rows.len() == count), reason)
    }

    fn wait_for_requests(&self, count: usize) {
        self.wait_until(|| (self.graph.requests().len() >= count).then_some(()), "request");
    }

    fn wait_until<T>(&self, mut found: impl FnMut() -> Option<T>, what: &str) -> T {
        let start = std::time::Instant::now();
        loop {
            if let Some(found) = found() {
                return found;
            }
            let rows: Vec<_> = ["pending", "delivered", "dead"].iter().map(|state| self.rows(state).len()).collect();
            assert!(start.elapsed() < PATIENCE, "{what}: {rows:?}; {:#?}", self.graph.requests());
            thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Cases that mostly wait, side by side.
fn each<T: Sync>(cases: &[T], run: impl Fn(&T) + Sync) {
    thread::scope(|scope| {
        for case in cases {
            scope.spawn(|| run(case));
        }
    });
}

/// How many events each request had.
fn sizes(graph: &Graph) -> Vec<usize> {
    graph.requests().iter().map(|request| request.events.len()).collect()
}

fn lead() -> Value {
    serde_json::json!({"event_name": "Lead", "event_time": UnixMillis::now().as_secs(), "action_source": "website",
        "event_source_url": "https://shop.example/", "user_data": {"em": ["a".repeat(64)], "fbc": "fb.1.2.abc"}})
}

fn with(key: &str, value: &str) -> Value {
    let mut event = lead();
    event["user_data"][key] = value.into();
    event
}

#[test]
fn what_waits_goes_out_in_one_request_with_the_token_in_its_body() {
    let stage = Stage::set();
    stage.graph.set_token("good");
    stage.admit((0..50).map(|n| (n, lead())));
    let delivery = stage.deliver();
    stage.graph.wait_for(50, PATIENCE);
    let requests = stage.graph.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].target, "/v26.0/1234567890/events");
    assert!(!requests[0].head.to_lowercase().contains("good"));
    stage.wait_for("delivered", 50);
    // One that comes while nothing is under way goes at once.
    let start = std::time::Instant::now();
    stage.admit([(99, lead())]);
    stage.graph.wait_for(51, PATIENCE);
    assert!(start.elapsed() < Duration::from_secs(1));
    delivery.shutdown(Duration::from_secs(1));
}

#[test]
fn a_test_code_is_sent_until_it_expires() {
    let stage = Stage::set();
    stage.change(|config| {
        config.pixels[0].test_event_code = Some("TEST1".to_owned());
        config.pixels[0].test_event_code_expires = Duration::from_millis(400);
    });
    let delivery = stage.deliver();
    stage.admit([(1, lead())]);
    stage.graph.wait_for(1, PATIENCE);
    thread::sleep(Duration::from_millis(500));
    stage.admit([(2, lead())]);
    stage.graph.wait_for(2, PATIENCE);
    let codes: Vec<_> = stage.graph.requests().iter().map(|request| request.body["test_event_code"].clone()).collect();
    assert_eq!(codes, [Value::from("TEST1"), Value::Null]);
    delivery.shutdown(Duration::from_secs(1));
}

#[test]
fn the_shutdown_waits_for_what_is_under_way_and_not_for_ever() {
    let stage = Stage::set();
    stage.change(|config| config.delivery.timeout = Duration::from_secs(10));
    stage.graph.fault(Fault::Delay(Duration::from_millis(400)));
    stage.admit([(1, lead())]);
    let delivery = stage.deliver();
    thread::sleep(Duration::from_millis(150));
    delivery.shutdown(Duration::from_secs(3));
    assert_eq!(stage.graph.events().len(), 1);
    stage.wait_for("delivered", 1);
    stage.graph.fault(Fault::Delay(Duration::from_secs(8)));
    stage.admit([(2, lead())]);
    let delivery = stage.deliver();
    thread::sleep(Duration::from_millis(150));
    let start = std::time::Instant::now();
    delivery.shutdown(Duration::from_millis(300));
    assert!(start.elapsed() < Duration::from_secs(2));
    assert_eq!(stage.rows("pending").len(), 1, "it is sent at the next start");
}
