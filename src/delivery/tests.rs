//! Delivery against the stand-in for Graph, over real sockets and a real store.

use std::time::Duration;

use secrecy::SecretString;
use serde_json::Value;

use super::*;
use crate::config::{Purpose, Sources, load};
use crate::exchange::UnixMillis;
use crate::outbox::SqliteInspector;
use crate::outbox::inspect::{DeliveryRow, Inspector};
use crate::outbox::{Admission, Admitted};

#[path = "../../examples/demo/graph.rs"]
mod graph_stand_in;
use graph_stand_in::{Fault, Graph};

const PATIENCE: Duration = Duration::from_secs(20);

struct Stage {
    graph: Graph,
    outbox: Outbox,
    config: watch::Sender<Arc<Config>>,
    dir: tempfile::TempDir,
}

impl Stage {
    fn set() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let graph = Graph::start();
        let flags = [("pixel-id", "1234567890"), ("upstream", "http://127.0.0.1:9"), ("graph-endpoint", &graph.url())];
        let flags = flags.iter().map(|(flag, value)| ((*flag).to_owned(), vec![(*value).to_owned()])).collect();
        let env = [("CAPI_ACCESS_TOKEN".to_owned(), "good".to_owned())].into();
        let config = load(&Sources { file: None, env, flags }, Purpose::Run).unwrap().config;
        let outbox = Outbox::open(&dir.path().join("capi.db")).unwrap();
        Self { graph, outbox, config: watch::channel(Arc::new(config)).0, dir }
    }

    fn deliver(&self) -> Delivery {
        Delivery::start(self.config.subscribe(), self.outbox.clone()).unwrap()
    }

    fn change(&self, change: impl FnOnce(&mut Config)) {
        let mut config = Config::clone(&self.config.borrow());
        change(&mut config);
        self.config.send_replace(Arc::new(config));
    }

    fn admit(&self, events: impl IntoIterator<Item = (u8, Value)>) {
        let admissions: Vec<_> = events
            .into_iter()
            .map(|(n, event)| Admission {
                fingerprint: [n; 32],
                supplied: None,
                fallback_event_id: format!("id-{n}"),
                event_name: "Lead".to_owned(),
                event_time: event["event_time"].as_u64().unwrap(),
                event_only: event["user_data"].is_null(),
                body: event.to_string().into(),
                pixels: vec!["1234567890".to_owned()],
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
        let start = std::time::Instant::now();
        loop {
            let rows = self.rows(state);
            if rows.len() == count {
                return rows;
            }
            assert!(start.elapsed() < PATIENCE, "{} are {state}; all: {:#?}", rows.len(), self.graph.requests());
            thread::sleep(Duration::from_millis(10));
        }
    }
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
fn every_kind_of_failure_is_repeated_under_the_same_id() {
    for fault in [
        Fault::status(500, r#"{"error":{"code":2,"is_transient":true}}"#),
        Fault::status(502, "<html>Bad Gateway</html>"),
        Fault::status(200, ""),
        Fault::status(200, r#"{"events_received":0}"#),
        Fault::HangUp,
        Fault::AcceptAndHangUp,
        Fault::Delay(Duration::from_millis(600)),
    ] {
        let stage = Stage::set();
        stage.change(|config| config.delivery.timeout = Duration::from_millis(300));
        stage.graph.fault(fault.clone());
        stage.admit([(1, lead())]);
        let delivery = stage.deliver();
        let rows = stage.wait_for("delivered", 1);
        assert_eq!(rows[0].attempts, 2, "{fault:?}");
        // The stand-in notes a request when it has dealt with it, the delayed one last.
        let start = std::time::Instant::now();
        while stage.graph.requests().len() < 2 {
            assert!(start.elapsed() < PATIENCE, "{fault:?}");
            thread::sleep(Duration::from_millis(10));
        }
        let requests = stage.graph.requests();
        assert!(requests.iter().all(|request| request.events[0]["event_id"] == "id-1"), "{fault:?}");
        delivery.shutdown(Duration::from_secs(1));
    }
}

#[test]
fn graph_is_left_alone_for_as_long_as_it_asks() {
    let stage = Stage::set();
    let throttled = r#"{"error":{"code":80004}}"#.to_owned();
    stage.graph.fault(Fault::AnswerWith(429, throttled, "Retry-After: 2".to_owned()));
    stage.admit([(1, lead())]);
    let start = std::time::Instant::now();
    let delivery = stage.deliver();
    stage.graph.wait_for(1, PATIENCE);
    assert!(start.elapsed() >= Duration::from_secs(2));
    delivery.shutdown(Duration::from_secs(1));
}

#[test]
fn a_dead_token_pauses_the_pixel_burns_nothing_and_a_new_one_resumes_at_once() {
    let stage = Stage::set();
    stage.graph.set_token("new");
    stage.admit([(1, lead()), (2, lead())]);
    let delivery = stage.deliver();
    let start = std::time::Instant::now();
    while stage.rows("pending").iter().any(|row| row.reason.as_deref() != Some("token")) {
        assert!(start.elapsed() < PATIENCE);
        thread::sleep(Duration::from_millis(10));
    }
    thread::sleep(Duration::from_millis(300));
    assert_eq!(stage.graph.requests().len(), 1, "no hammering");
    assert!(stage.rows("pending").iter().all(|row| row.attempts == 0 && row.code == Some(190)));
    stage.change(|config| config.pixels[0].access_token = Some(SecretString::from("new")));
    stage.wait_for("delivered", 2);
    delivery.shutdown(Duration::from_secs(1));
}

#[test]
fn wrong_events_are_found_by_halving_and_the_good_ones_get_through() {
    let stage = Stage::set();
    let bad = [7, 23, 42];
    stage.admit((0..50).map(|n| (n, if bad.contains(&n) { with("em", "not a hash") } else { lead() })));
    let delivery = stage.deliver();
    let dead = stage.wait_for("dead", 3);
    stage.wait_for("delivered", 47);
    assert!(
        dead.iter()
            .all(|row| row.reason.as_deref() == Some("payload") && row.code == Some(100) && row.fbtrace_id.is_some())
    );
    let ids: Vec<_> = dead.iter().map(|row| row.event_id.as_str()).collect();
    assert!(bad.iter().all(|n| ids.contains(&format!("id-{n}").as_str())));
    let calls = stage.graph.requests().len();
    assert!(calls <= 1 + 3 * 8, "{calls}");
    delivery.shutdown(Duration::from_secs(1));
}

#[test]
fn an_event_that_graph_stumbles_over_every_time_holds_up_no_others() {
    // Not refused as invalid: that could be isolated at once. A 500, an unknown code, a lost answer look like an outage.
    for (status, answer) in [(500, r#"{"error":{"code":1}}"#), (400, r#"{"error":{"code":987654}}"#), (502, "<html>")] {
        let stage = Stage::set();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        stage.change(|config| config.delivery.graph_endpoint = url);
        graph_stand_in::http::serve(listener, move |request| {
            let body: Value = serde_json::from_slice(&request.body).unwrap();
            let events = body["data"].as_array().unwrap();
            if events.iter().any(|event| event["event_id"] == "id-3") {
                return Some(graph_stand_in::http::answer(status, &[], answer));
            }
            let text = serde_json::json!({"events_received": events.len()}).to_string();
            Some(graph_stand_in::http::answer(200, &[], &text))
        });
        stage.admit((1..=5).map(|n| (n, lead())));
        let delivery = stage.deliver();
        stage.wait_for("delivered", 4);
        assert_eq!(stage.rows("pending").len(), 1);
        delivery.shutdown(Duration::from_secs(1));
    }
}

#[test]
fn each_culprit_is_judged_by_its_own_refusal() {
    // The one with the click id can be repaired, wherever it stands beside one that cannot.
    for (first, second) in [(0, 1), (1, 0), (0, 7), (7, 0), (3, 4), (6, 7)] {
        let stage = Stage::set();
        stage.admit((0..8).map(|n| match n {
            n if n == first => (n, with("fbc", "fb.1.2.")),
            n if n == second => (n, with("em", "not a hash")),
            n => (n, lead()),
        }));
        let delivery = stage.deliver();
        let dead = stage.wait_for("dead", 1);
        assert_eq!(dead[0].event_id, format!("id-{second}"));
        stage.wait_for("delivered", 7);
        delivery.shutdown(Duration::from_secs(1));
    }
}

#[test]
fn a_malformed_click_id_is_dropped_and_the_event_sent() {
    let stage = Stage::set();
    stage.admit([(1, with("fbc", "fb.1.2."))]);
    let delivery = stage.deliver();
    stage.graph.wait_for(1, PATIENCE);
    assert!(stage.graph.events()[0]["user_data"].get("fbc").is_none());
    stage.wait_for("delivered", 1);
    delivery.shutdown(Duration::from_secs(1));
}

#[test]
fn an_event_without_user_data_is_sent_alone_and_its_refusal_is_no_dead_letter() {
    let stage = Stage::set();
    let mut bare = lead();
    bare.as_object_mut().unwrap().remove("user_data");
    stage.admit([(1, lead()), (2, bare), (3, lead())]);
    let delivery = stage.deliver();
    let refused = stage.wait_for("refused", 1);
    stage.wait_for("delivered", 2);
    assert_eq!((refused[0].code, refused[0].subcode, refused[0].attempts), (Some(100), Some(2_804_050), 1));
    for request in stage.graph.requests() {
        assert!(request.events.len() == 1 || request.events.iter().all(|event| event["user_data"].is_object()));
    }
    assert!(stage.rows("dead").is_empty());
    delivery.shutdown(Duration::from_secs(1));
}

#[test]
fn what_is_too_old_is_given_up_before_it_spoils_a_request() {
    let stage = Stage::set();
    let mut old = lead();
    old["event_time"] = (UnixMillis::now().as_secs() - 8 * 24 * 3600).into();
    stage.admit([(1, old), (2, lead())]);
    let delivery = stage.deliver();
    stage.wait_for("delivered", 1);
    let dead = stage.wait_for("dead", 1);
    assert_eq!(dead[0].reason.as_deref(), Some("expired"));
    assert_eq!(stage.graph.requests().len(), 1);
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
    assert_eq!(stage.rows("delivered").len(), 1);
    stage.graph.fault(Fault::Delay(Duration::from_secs(8)));
    stage.admit([(2, lead())]);
    let delivery = stage.deliver();
    thread::sleep(Duration::from_millis(150));
    let start = std::time::Instant::now();
    delivery.shutdown(Duration::from_millis(300));
    assert!(start.elapsed() < Duration::from_secs(2));
    assert_eq!(stage.rows("pending").len(), 1, "it is sent at the next start");
}
