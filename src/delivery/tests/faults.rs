//! Whatever happens to a request: its leads arrive, under the same ids, and not twice unless nobody can know.

use super::*;

#[test]
fn every_kind_of_failure_is_repeated_under_the_same_id() {
    let faults = [
        Fault::status(500, r#"{"error":{"code":2,"is_transient":true}}"#),
        Fault::code(500, 1, None),
        Fault::code(400, 1, Some(99)),
        Fault::status(500, "{}"),
        Fault::status(502, "<html>Bad Gateway</html>"),
        Fault::status(200, "<!DOCTYPE html><title>Sorry</title>"),
        Fault::status(503, ""),
        Fault::status(200, ""),
        Fault::status(200, r#"{"events_received":0}"#),
        Fault::code(200, 2, None),
        Fault::HangUp,
        Fault::Reset,
        Fault::Silence,
        Fault::AcceptAndHangUp,
        Fault::AcceptAndCut,
        Fault::AcceptAndReset,
        Fault::AcceptAndSilence,
        Fault::AcceptAndMiscount,
        Fault::Delay(Duration::from_millis(1600)),
        Fault::Drip(Duration::from_millis(20)),
    ];
    each(&faults, |fault| {
        let stage = Stage::set();
        stage.change(|config| config.delivery.timeout = Duration::from_secs(1));
        stage.graph.fault(fault.clone());
        stage.admit([(1, lead())]);
        let delivery = stage.deliver();
        let rows = stage.wait_for("delivered", 1);
        assert_eq!(rows[0].attempts, 2, "{fault:?}");
        // The stand-in notes a request when it has dealt with it, the delayed one last.
        stage.wait_for_requests(2);
        let requests = stage.graph.requests();
        assert!(requests.iter().all(|request| request.events[0]["event_id"] == "id-1"), "{fault:?}");
        // Twice only where nothing said that it had been received.
        assert_eq!(stage.graph.duplicates().len(), usize::from(fault.accepts()), "{fault:?}");
        delivery.shutdown(Duration::from_secs(1));
    });
}

#[test]
fn only_what_may_have_arrived_is_in_doubt() {
    // Whether a request left is what tells a harmless repeat from one that may count twice after two days.
    for (fault, in_doubt) in [
        (Fault::code(500, 2, None), false),
        (Fault::status(403, "<html>blocked by a proxy</html>"), false),
        (Fault::status(502, "<html>"), true),
        (Fault::Reset, true),
        (Fault::Silence, true),
        (Fault::AcceptAndMiscount, true),
    ] {
        let stage = Stage::set();
        stage.change(|config| config.delivery.timeout = Duration::from_millis(300));
        stage.graph.outage(None, Some(fault.clone()));
        stage.admit([(1, lead())]);
        let delivery = stage.deliver();
        stage.wait_for_reason("transient", 1);
        // Younger than the last day at which Meta takes the event, older than the two days in which it knows a repeat.
        stage.clocks.pass(50 * 60);
        stage.wake();
        if in_doubt {
            assert_eq!(stage.wait_for("dead", 1)[0].reason.as_deref(), Some("ambiguous"), "{fault:?}");
        } else {
            stage.graph.outage(None, None);
            stage.wait_for("delivered", 1);
        }
        delivery.shutdown(Duration::from_secs(1));
    }
}

#[test]
fn what_never_left_is_in_no_doubt() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let plain = Graph::start();
    // Nobody listens; whoever listens does not speak TLS.
    for endpoint in [format!("http://{closed}"), plain.url().replace("http:", "https:")] {
        let stage = Stage::set();
        let graph = stage.graph.url();
        stage.change(|config| config.delivery.graph_endpoint.clone_from(&endpoint));
        stage.admit([(1, lead())]);
        let delivery = stage.deliver();
        stage.wait_for_reason("transient", 1);
        stage.clocks.pass(50 * 60);
        stage.change(|config| config.delivery.graph_endpoint = graph);
        stage.wait_for("delivered", 1);
        assert!(plain.requests().is_empty(), "{endpoint}");
        delivery.shutdown(Duration::from_secs(1));
    }
}

#[test]
fn what_is_in_doubt_is_sent_again_within_two_days_and_not_after() {
    for (hours, delivered) in [(47, true), (49, false)] {
        let stage = Stage::set();
        stage.change(|config| config.delivery.timeout = Duration::from_millis(300));
        stage.graph.outage(None, Some(Fault::AcceptAndSilence));
        stage.admit([(1, lead())]);
        let delivery = stage.deliver();
        stage.wait_for_reason("transient", 1);
        // A second one that fails an hour later prolongs nothing: the first doubt counts.
        stage.clocks.pass(60);
        stage.wake();
        stage.wait_until(|| stage.rows("pending").iter().any(|row| row.attempts == 2).then_some(()), "second attempt");
        let sent = stage.graph.requests().len();
        stage.graph.outage(None, None);
        stage.clocks.pass((hours - 1) * 60);
        stage.wake();
        if delivered {
            stage.wait_for("delivered", 1);
            assert_eq!(stage.graph.requests()[sent].events[0]["event_id"], "id-1");
        } else {
            assert_eq!(stage.wait_for("dead", 1)[0].reason.as_deref(), Some("ambiguous"));
            assert_eq!(stage.graph.requests().len(), sent, "not sent again");
        }
        delivery.shutdown(Duration::from_secs(1));
    }
}

#[test]
fn one_request_never_has_an_event_twice() {
    // The store's unique keys see to it: one event of a name and id, one delivery of it for each pixel.
    let stage = Stage::set();
    stage.change(|config| config.delivery.timeout = Duration::from_millis(300));
    for fault in [Fault::code(500, 2, None), Fault::Reset, Fault::code(500, 1, None)] {
        stage.graph.fault(fault);
    }
    let delivery = stage.deliver();
    for n in 0..20 {
        stage.admit([(n, lead())]);
        thread::sleep(Duration::from_millis(10));
    }
    stage.wait_for("delivered", 20);
    for request in stage.graph.requests() {
        let ids: std::collections::HashSet<_> = request.events.iter().map(|event| event["event_id"].as_str()).collect();
        assert_eq!(ids.len(), request.events.len());
    }
    assert!(stage.graph.duplicates().is_empty(), "none of these requests was accepted");
    delivery.shutdown(Duration::from_secs(1));
}
