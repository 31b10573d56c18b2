//! Each pixel for itself.

use super::*;

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
fn a_refused_pixel_is_asked_with_its_newest_lead_alone() {
    let stage = Stage::set();
    stage.graph.outage(None, Some(Fault::code(401, 190, Some(463))));
    let at = UnixMillis::now().as_secs();
    stage.admit((0..20).map(|n| {
        let mut lead = lead();
        lead["event_time"] = (at - u64::from(n)).into();
        (n, lead)
    }));
    let delivery = stage.deliver();
    stage.wait_for_reason("token", 20);
    // Each new configuration could have brought a new token.
    for probes in 1..=2 {
        stage.wake();
        stage.wait_for_requests(1 + probes);
    }
    stage.graph.outage(None, None);
    stage.wake();
    stage.wait_for("delivered", 20);
    let requests = stage.graph.requests();
    assert_eq!(sizes(&stage.graph)[..4], [20, 1, 1, 1]);
    assert!(requests[1..4].iter().all(|request| request.events[0]["event_id"] == "id-0"));
    assert!(stage.rows("delivered").iter().all(|row| row.attempts == 1), "the probes burnt none");
    assert!(stage.graph.duplicates().is_empty());
    delivery.shutdown(Duration::from_secs(1));
}

#[test]
fn whatever_is_wrong_with_the_token_or_the_pixel_pauses_it_and_loses_nothing() {
    for (status, code, subcode, reason) in [
        (401, 190, None, "token"),
        (400, 190, Some(463), "token"),
        (500, 190, Some(460), "token"),
        (400, 102, None, "token"),
        (403, 200, None, "permission"),
        (400, 10, None, "permission"),
        (400, 3, None, "permission"),
        (400, 100, Some(33), "permission"),
        (200, 190, None, "token"),
    ] {
        let stage = Stage::set();
        stage.graph.outage(None, Some(Fault::code(status, code, subcode)));
        stage.admit([(1, lead()), (2, lead())]);
        let delivery = stage.deliver();
        let rows = stage.wait_for_reason(reason, 2);
        assert!(rows.iter().all(|row| row.attempts == 0 && row.code == Some(code)), "{code}");
        stage.graph.outage(None, None);
        stage.wake();
        stage.wait_for("delivered", 2);
        assert_eq!(stage.graph.requests().len(), 3, "{code}: refused, asked again with one lead, the rest");
        delivery.shutdown(Duration::from_secs(1));
    }
}

#[test]
fn one_pixel_in_trouble_holds_up_no_other() {
    for fault in [
        Fault::Silence,
        Fault::Drip(Duration::from_millis(100)),
        Fault::retry_after(3600),
        Fault::business_throttle(80_004, 30),
        Fault::code(401, 190, None),
        Fault::status(503, ""),
        Fault::Reset,
    ] {
        let stage = Stage::of_two();
        stage.change(|config| config.delivery.timeout = Duration::from_secs(5));
        stage.graph.outage(Some(PIXEL), Some(fault.clone()));
        let delivery = stage.deliver();
        for n in 0..3 {
            let start = std::time::Instant::now();
            stage.admit([(n, lead())]);
            stage.graph.wait_for(usize::from(n) + 1, PATIENCE);
            // Against five seconds of silence, an hour of throttle.
            assert!(start.elapsed() < Duration::from_secs(2), "{fault:?}");
        }
        let delivered = stage.wait_for("delivered", 3);
        assert!(delivered.iter().all(|row| row.pixel == OTHER), "{fault:?}");
        assert!(stage.rows("pending").iter().all(|row| row.pixel == PIXEL), "{fault:?}");
        delivery.shutdown(Duration::ZERO);
    }
}
