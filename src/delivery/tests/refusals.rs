//! Events that Graph refuses, and those that were sent with them.

use super::*;

#[test]
fn wrong_events_are_found_by_halving_and_the_good_ones_get_through() {
    for k in [1_u32, 3, 10, 25, 50] {
        let stage = Stage::set();
        // Spread over the batch, whatever their number.
        let bad: Vec<u8> = (0..k).map(|n| u8::try_from(n * 50 / k).unwrap()).collect();
        stage.admit((0..50).map(|n| (n, if bad.contains(&n) { with("em", "not a hash") } else { lead() })));
        let delivery = stage.deliver();
        let dead = stage.wait_for("dead", bad.len());
        stage.wait_for("delivered", 50 - bad.len());
        assert!(dead.iter().all(|row| {
            row.reason.as_deref() == Some("payload") && row.code == Some(100) && row.fbtrace_id.is_some()
        }));
        let ids: Vec<_> = dead.iter().map(|row| row.event_id.as_str()).collect();
        assert!(bad.iter().all(|n| ids.contains(&format!("id-{n}").as_str())));
        let extra = u32::try_from(stage.graph.requests().len() - 1).unwrap();
        assert!(f64::from(extra) <= 2.0 * f64::from(k) * 50_f64.log2() + 2.0, "{extra} for {k}");
        assert!(stage.graph.duplicates().is_empty());
        delivery.shutdown(Duration::from_secs(1));
    }
}

#[test]
fn each_of_metas_rules_refuses_the_event_that_breaks_it_and_no_other() {
    let now = UnixMillis::now().as_secs();
    let of = |changes: Value| {
        let mut event = lead();
        for (key, value) in changes.as_object().unwrap() {
            event[key] = value.clone();
        }
        event
    };
    let hash = "a".repeat(64);
    let broken = [
        (serde_json::json!({"event_name": ""}), Some(2_804_019)),
        (serde_json::json!({"event_time": now + 3600}), None), // sent as of now: this one is good
        (serde_json::json!({"action_source": "shop"}), None),
        (serde_json::json!({"event_source_url": null}), None),
        (serde_json::json!({"opt_out": "no"}), None),
        (serde_json::json!({"data_processing_options": ["LDU"]}), Some(2_804_030)),
        (serde_json::json!({"data_processing_options": ["GDPR"]}), None),
        (serde_json::json!({"user_data": {"ct": hash, "client_user_agent": "made up"}}), Some(2_804_050)),
        (serde_json::json!({"user_data": {"em": hash.to_uppercase()}}), None),
        (serde_json::json!({"user_data": {"em": hash, "client_ip_address": "192.0.2.1:80"}}), None),
        (serde_json::json!({"user_data": {"em": hash, "client_user_agent": hash}}), None),
        (serde_json::json!({"user_data": {"lead_id": "123"}}), Some(2_804_036)),
        (serde_json::json!({"custom_data": {"value": 3}}), Some(2_804_023)),
        (serde_json::json!({"custom_data": {"value": 3, "currency": "euros"}}), None),
        (serde_json::json!({"custom_data": {"contents": [{"quantity": 1}]}}), Some(2_804_008)),
    ];
    let stage = Stage::set();
    stage.admit((0..).zip(broken.iter().map(|(changes, _)| of(changes.clone()))));
    stage.admit((100..110).map(|n| (n, lead())));
    let delivery = stage.deliver();
    stage.wait_for("delivered", 11);
    for row in stage.wait_for("dead", broken.len() - 1) {
        let number: usize = row.event_id.strip_prefix("id-").unwrap().parse().unwrap();
        assert_eq!((row.code, row.subcode), (Some(100), broken[number].1), "{}", broken[number].0);
    }
    delivery.shutdown(Duration::from_secs(1));
}

#[test]
fn an_event_that_graph_stumbles_over_every_time_holds_up_no_others() {
    // Not refused as invalid: that could be isolated at once. A 500, an unknown code, a lost answer look like an outage.
    let stumbles = [(500, r#"{"error":{"code":1}}"#), (400, r#"{"error":{"code":987654}}"#), (502, "<html>")];
    each(&stumbles, |&(status, answer)| {
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
    });
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
