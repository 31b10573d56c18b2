//! Clocks that leap, and machines that sleep.

use super::*;

const DAY: i64 = 24;

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

fn of_hours_ago(hours: u64) -> Value {
    let mut lead = lead();
    lead["event_time"] = (UnixMillis::now().as_secs() - hours * 3600).into();
    lead
}

#[test]
fn a_clock_that_leaps_ahead_buries_nothing_if_it_is_set_right_in_time() {
    let stage = Stage::set();
    stage.graph.outage(None, Some(Fault::code(500, 2, None)));
    stage.admit((0..20).map(|n| (n, of_hours_ago(u64::from(n)))));
    let delivery = stage.deliver();
    stage.wait_for_reason("transient", 20);
    stage.clocks.leap(10 * DAY);
    stage.wake();
    stage.wait_for_reason("clock", 20);
    let sent = stage.graph.requests().len();
    stage.graph.outage(None, None);
    // Five minutes later somebody sees it; after ten the leads are looked at again.
    stage.clocks.pass(5);
    stage.clocks.leap(-10 * DAY);
    stage.wake();
    stage.clocks.pass(6);
    stage.wake();
    let rows = stage.wait_for("delivered", 20);
    assert!(rows.iter().all(|row| row.reason.is_none()) && stage.rows("dead").is_empty());
    assert!(stage.graph.requests().len() > sent);
    delivery.shutdown(Duration::from_secs(1));
}

#[test]
fn a_clock_that_stays_ahead_is_believed_after_a_while() {
    let stage = Stage::set();
    stage.graph.outage(None, Some(Fault::code(500, 2, None)));
    stage.admit([(1, lead())]);
    let delivery = stage.deliver();
    stage.wait_for_reason("transient", 1);
    stage.clocks.leap(10 * DAY);
    stage.wake();
    stage.wait_for_reason("clock", 1);
    let sent = stage.graph.requests().len();
    stage.clocks.pass(11);
    stage.wake();
    assert_eq!(stage.wait_for("dead", 1)[0].reason.as_deref(), Some("expired"));
    assert_eq!(stage.graph.requests().len(), sent, "the too old is not sent");
    delivery.shutdown(Duration::from_secs(1));
}

#[test]
fn a_machine_that_slept_for_days_knows_what_is_too_old() {
    let stage = Stage::set();
    stage.graph.outage(None, Some(Fault::code(500, 2, None)));
    stage.admit([(1, lead()), (2, of_hours_ago(4 * 24))]);
    let delivery = stage.deliver();
    stage.wait_for_reason("transient", 2);
    stage.graph.outage(None, None);
    stage.clocks.pass(3 * 24 * 60);
    stage.wake();
    assert_eq!(stage.wait_for("dead", 1)[0].event_id, "id-2");
    assert_eq!(stage.wait_for("delivered", 1)[0].event_id, "id-1");
    delivery.shutdown(Duration::from_secs(1));
}

#[test]
fn a_clock_that_is_set_back_delays_no_lead_and_makes_none_of_the_future() {
    let stage = Stage::set();
    stage.graph.fault(Fault::code(500, 2, None));
    stage.admit((0..5).map(|n| (n, lead())));
    let delivery = stage.deliver();
    stage.wait_for_requests(1);
    stage.clocks.leap(-3);
    // By the right time, which Graph has, these leads are of the future.
    stage.graph.set_clock(-3 * 3600);
    stage.wake();
    stage.wait_for("delivered", 5);
    let now = UnixMillis::now().as_secs() - 3 * 3600;
    assert!(stage.graph.events().iter().all(|event| event["event_time"].as_u64().unwrap() <= now));
    assert_eq!(stage.rows("dead").len(), 0);
    delivery.shutdown(Duration::from_secs(1));
}

#[test]
fn a_clock_that_is_ahead_of_graphs_costs_no_lead() {
    for (leads, fault) in [(1, None), (5, None), (1, Some(Fault::Reset))] {
        let stage = Stage::set();
        stage.graph.set_clock(-2 * 3600);
        if let Some(fault) = fault {
            stage.graph.fault(fault);
        }
        stage.admit((0..leads).map(|n| (n, lead())));
        let delivery = stage.deliver();
        stage.wait_for("delivered", usize::from(leads));
        let now = UnixMillis::now().as_secs() - 2 * 3600;
        let times: Vec<_> = stage.graph.events().iter().map(|event| event["event_time"].as_u64().unwrap()).collect();
        assert!(times.iter().all(|time| (now - 30..=now).contains(time)), "{times:?} at {now}");
        // Known from then on.
        let requests = stage.graph.requests().len();
        stage.admit([(99, lead())]);
        stage.wait_for("delivered", usize::from(leads) + 1);
        assert_eq!(stage.graph.requests().len(), requests + 1);
        delivery.shutdown(Duration::from_secs(1));
    }
}

#[test]
fn an_event_that_graph_finds_of_the_future_all_the_same_is_a_dead_letter() {
    let stage = Stage::set();
    stage.graph.outage(None, Some(Fault::code(400, 100, Some(2_804_004))));
    stage.admit([(1, lead())]);
    let delivery = stage.deliver();
    assert_eq!(stage.wait_for("dead", 1)[0].subcode, Some(2_804_004));
    assert_eq!(stage.graph.requests().len(), 1, "both clocks are right: sent again it would be the same");
    delivery.shutdown(Duration::from_secs(1));
}

#[test]
fn a_lead_that_only_graph_finds_too_old_waits_for_the_clock_to_be_set() {
    let stage = Stage::set();
    stage.graph.outage(None, Some(Fault::code(400, 100, Some(2_804_003))));
    stage.admit((0..4).map(|n| (n, lead())));
    let delivery = stage.deliver();
    stage.wait_for_reason("clock", 4);
    stage.graph.outage(None, None);
    stage.clocks.pass(11);
    stage.wake();
    stage.wait_for("delivered", 4);
    assert!(stage.rows("dead").is_empty());
    delivery.shutdown(Duration::from_secs(1));
}

#[test]
fn the_time_that_is_sent_is_the_stores() {
    let stage = Stage::set();
    let event = of_hours_ago(5);
    let time = event["event_time"].clone();
    stage.admit([(1, event)]);
    let store = rusqlite::Connection::open(stage.dir.path().join("capi.db")).unwrap();
    store.execute_batch("UPDATE event SET body = json_set(body, '$.event_time', 1)").unwrap();
    let delivery = stage.deliver();
    stage.graph.wait_for(1, PATIENCE);
    assert_eq!(stage.graph.events()[0]["event_time"], time);
    delivery.shutdown(Duration::from_secs(1));
}

#[test]
fn no_leap_makes_a_busy_loop_or_a_sleep_without_an_end() {
    let leaps = [(0, 0), (1, 0), (-1, 0), (240, 0), (-240, 0), (0, 14 * 24 * 60), (-24 * 365 * 40, 0)];
    each(&leaps, |&(hours, minutes)| {
        let stage = Stage::set();
        stage.graph.outage(None, Some(Fault::code(500, 2, None)));
        stage.admit([(1, lead())]);
        let delivery = stage.deliver();
        stage.wait_for_reason("transient", 1);
        stage.clocks.leap(hours);
        stage.clocks.pass(minutes);
        stage.wake();
        let before = stage.clocks.looks.load(Ordering::Relaxed);
        thread::sleep(Duration::from_millis(500));
        let looks = stage.clocks.looks.load(Ordering::Relaxed) - before;
        assert!(looks < 60, "{looks} looks at the clock in half a second after {hours} h");
        // A lead that comes now goes at once, whatever the clock says.
        let now = stage.clocks.read().wall.as_secs();
        stage.graph.set_clock(i64::try_from(now).unwrap() - i64::try_from(UnixMillis::now().as_secs()).unwrap());
        stage.graph.outage(None, None);
        stage.wake();
        let mut fresh = lead();
        fresh["event_time"] = now.into();
        stage.admit([(2, fresh)]);
        stage.wait_until(|| stage.graph.events().iter().any(|event| event["event_id"] == "id-2").then_some(()), "lead");
        delivery.shutdown(Duration::from_secs(1));
    });
}
