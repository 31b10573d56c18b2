//! Events that Graph refuses, and those that were sent with them.

use super::*;

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
