//! Stores that earlier versions left behind, opened by this one: what waits is sent, what was buried can be dug up, what
//! was seen is known. And one that a later version left.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../examples/demo/graph.rs"]
mod graph;
mod support;

use std::process::Command;
use std::time::Duration;

use graph::Graph;
use support::{PATIENCE, Process, Site, answer, decisions, form_post, run_args, wait_until};

const GRANTED: &str = "Cookie: cookieyes-consent=consentid:x,consent:yes,action:yes,necessary:yes,advertisement:yes";

/// One for every schema version. A new version adds its line here, and a file written by hand.
const STORES: [&str; 5] = [
    include_str!("fixtures/store/v1.sql"),
    include_str!("fixtures/store/v2.sql"),
    include_str!("fixtures/store/v3.sql"),
    include_str!("fixtures/store/v4.sql"),
    include_str!("fixtures/store/v5.sql"),
];

fn stage(sql: &str) -> (tempfile::TempDir, Graph, Site) {
    let dir = tempfile::tempdir().unwrap();
    rusqlite::Connection::open(dir.path().join("capi.db")).unwrap().execute_batch(sql).unwrap();
    let (site, _received) = Site::new(|_| answer("303 See Other", &["Location: /thank-you"], ""));
    (dir, Graph::start(), site)
}

fn ids(graph: &Graph) -> Vec<String> {
    graph.events().iter().map(|event| event["event_id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_store_of_every_earlier_version_is_taken_over_whole() {
    assert_eq!(STORES.len(), usize::try_from(capi_sidecar::outbox::SCHEMA_VERSION).unwrap());
    for (sql, version) in STORES.iter().zip(1..) {
        let (dir, graph, site) = stage(sql);
        let args = run_args(dir.path(), &site.url(), &graph.url());
        let args: Vec<_> = args.iter().map(String::as_str).collect();
        let mut sidecar = Process::sidecar(&args);
        let address = sidecar.address("address");
        graph.wait_for(1, PATIENCE);
        assert_eq!(ids(&graph), ["waiting"], "version {version}");
        // The submission that the earlier version had sent, once more.
        let agent = form_post("/quote", "shop.example", &[GRANTED], "email=ana.ruiz%40example.com");
        assert_eq!(support::send(address, &agent).status(), 303);
        let admin = sidecar.address("admin");
        wait_until("the decision", || !decisions(admin).is_empty());
        assert_eq!(decisions(admin)["duplicate accepted"], 1, "version {version}: {:?}", decisions(admin));
        // The dead letter, by the operator's wish.
        let store = format!("sqlite:{}", dir.path().join("capi.db").display());
        let retry = ["outbox", "retry", "3", "--store", &store];
        assert!(Command::new(env!("CARGO_BIN_EXE_capi-sidecar")).args(retry).status().unwrap().success());
        graph.wait_for(2, PATIENCE);
        assert_eq!(ids(&graph), ["waiting", "dead"], "version {version}");
        sidecar.kill();
        let connection = rusqlite::Connection::open(dir.path().join("capi.db")).unwrap();
        let found: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
        assert_eq!(found, capi_sidecar::outbox::SCHEMA_VERSION);
    }
}

#[test]
fn the_store_of_a_later_version_is_refused_loudly_and_left_alone() {
    let (dir, graph, site) = stage(&format!("{}\nPRAGMA user_version = 999;", STORES[STORES.len() - 1]));
    let file = dir.path().join("capi.db");
    let before = std::fs::read(&file).unwrap();
    let args = run_args(dir.path(), &site.url(), &graph.url());
    let args: Vec<_> = args.iter().map(String::as_str).collect();
    let mut sidecar = Process::sidecar(&args);
    wait_until("it to end", || sidecar.ended().is_some());
    assert_eq!(sidecar.ended().unwrap().code(), Some(69));
    // The last line may still be on its way through the pipe.
    wait_until("its reason", || sidecar.output().contains("schema version is 999"));
    std::thread::sleep(Duration::from_millis(50));
    assert!(graph.requests().is_empty());
    assert_eq!(std::fs::read(&file).unwrap(), before);
}
