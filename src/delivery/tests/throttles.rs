//! Graph asks for less.

use super::*;

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
fn every_throttle_is_heeded_and_costs_nothing_but_time() {
    for (fault, seconds) in [
        (Fault::retry_after(60), 60),
        (Fault::AnswerWith(429, "slow down".to_owned(), "Retry-After: 60".to_owned()), 60),
        (Fault::business_throttle(80_004, 5), 300),
        (Fault::business_throttle(17, 5), 300),
        (Fault::business_throttle(613, 1), 60),
        (Fault::AnswerWith(400, r#"{"error":{"code":4}}"#.to_owned(), "Retry-After: 99999".to_owned()), 3600),
    ] {
        let stage = Stage::set();
        stage.graph.outage(None, Some(fault.clone()));
        stage.admit([(1, lead())]);
        let delivery = stage.deliver();
        let row = stage.wait_for_reason("throttle", 1).remove(0);
        let due_in = row.due_at.unwrap() - i64::try_from(UnixMillis::now().as_secs()).unwrap();
        assert!((seconds - 5..=seconds + 1).contains(&due_in), "{due_in} s after {fault:?}");
        // Neither a new lead nor a new configuration shortens Graph's wish.
        stage.graph.outage(None, None);
        stage.admit([(2, lead())]);
        stage.wake();
        thread::sleep(Duration::from_millis(300));
        assert_eq!(stage.graph.requests().len(), 1, "{fault:?}");
        delivery.shutdown(Duration::from_secs(1));
    }
}

/// A lead; then twenty that come one by one, and how many requests they took.
fn trickle(stage: &Stage) -> Vec<graph_stand_in::Received> {
    stage.admit([(100, lead())]);
    let delivery = stage.deliver();
    stage.wait_for("delivered", 1);
    for n in 0..20 {
        stage.admit([(n, lead())]);
        thread::sleep(Duration::from_millis(30));
    }
    stage.wait_for("delivered", 21);
    delivery.shutdown(Duration::from_secs(1));
    assert!(stage.graph.duplicates().is_empty());
    stage.graph.requests()
}

#[test]
fn slowed_down_it_sends_the_same_leads_with_fewer_requests() {
    let stage = Stage::set();
    assert!(trickle(&stage).len() > 6, "nearly each as it comes");
    for fault in [Fault::retry_after(1), Fault::app_usage(97)] {
        let stage = Stage::set();
        stage.graph.fault(fault.clone());
        let requests = trickle(&stage);
        // Half of one request a second, and a little more after each that was accepted.
        let accepted: Vec<_> = requests.iter().filter(|request| request.status == 200).collect();
        assert!(accepted.len() <= 6, "{fault:?}: {} requests", accepted.len());
        assert!(accepted[1].events.len() > 5, "what came meanwhile goes with the next: {:?}", sizes(&stage.graph));
        for pair in accepted.windows(2) {
            assert!(pair[1].at.duration_since(pair[0].at) >= Duration::from_millis(1700), "{fault:?}");
        }
    }
}

#[test]
fn a_quota_that_is_half_used_slows_nothing() {
    let stage = Stage::set();
    stage.graph.outage(None, Some(Fault::app_usage(50)));
    assert!(trickle(&stage).len() > 6);
}

#[test]
fn a_search_keeps_the_pace_too_and_the_shutdown_does_not_wait_for_it() {
    let stage = Stage::set();
    stage.graph.fault(Fault::app_usage(100));
    stage.admit((0..4).map(|n| (n, if n == 2 { with("em", "not a hash") } else { lead() })));
    let delivery = stage.deliver();
    stage.wait_for_requests(2);
    let requests = stage.graph.requests();
    assert!(requests[1].at.duration_since(requests[0].at) >= Duration::from_millis(1900));
    let start = std::time::Instant::now();
    delivery.shutdown(Duration::from_secs(5));
    assert!(start.elapsed() < Duration::from_secs(1));
    let left = stage.rows("pending");
    assert!(!left.is_empty(), "the next start has what was not sent");
    assert_eq!(left.len() + stage.rows("delivered").len(), 4);
}
