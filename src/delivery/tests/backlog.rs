//! After an outage.

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
    assert!(sizes.len() < 30, "{sizes:?}");
    assert!(stage.graph.duplicates().is_empty());
    delivery.shutdown(Duration::from_secs(1));
}
