//! File descriptors run out: what is over waits, no form is answered with an error, and all is well again when there are
//! some, without a restart.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../examples/demo/graph.rs"]
mod graph;
mod support;

use std::collections::HashSet;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use graph::Graph;
use sha2::{Digest, Sha256};
use support::{PATIENCE, Process, Site, answer, form_post, read_message, run_args, send, wait_until};

const GRANTED: &str = "Cookie: cookieyes-consent=consentid:x,consent:yes,action:yes,necessary:yes,advertisement:yes";

fn post(visitor: usize) -> Vec<u8> {
    form_post("/quote", "shop.example", &[GRANTED], &format!("email=visitor{visitor}%40example.com"))
}

/// Visitors submit, each on a connection of their own that waits its turn; what they were answered.
fn submit(address: SocketAddr, visitors: std::ops::Range<usize>) -> Vec<JoinHandle<u16>> {
    visitors.map(|visitor| thread::spawn(move || send(address, &post(visitor)).status())).collect()
}

fn all_arrive(graph: &Graph, visitors: std::ops::Range<usize>) {
    let expected: HashSet<_> =
        visitors.map(|visitor| hex::encode(Sha256::digest(format!("visitor{visitor}@example.com")))).collect();
    let arrived = || -> Vec<String> {
        graph.events().iter().map(|event| event["user_data"]["em"][0].as_str().unwrap().to_owned()).collect()
    };
    wait_until("every lead", || expected.is_subset(&arrived().into_iter().collect()));
    assert_eq!(arrived().len(), expected.len(), "a lead was sent twice");
}

fn descriptors(sidecar: &Process) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", sidecar.id())).unwrap().count()
}

fn start(limit: usize, dir: &Path, site: &Site, graph: &Graph, more: &[&str]) -> Process {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit -n {limit}; exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_capi-sidecar")]);
    command.env("CAPI_ACCESS_TOKEN", "test-token");
    Process::start(command.args(run_args(dir, &site.url(), &graph.url())).args(more))
}

fn stage() -> (Graph, Site, tempfile::TempDir) {
    let (site, _received) = Site::new(|_| answer("303 See Other", &["Location: /thank-you"], ""));
    (Graph::start(), site, tempfile::tempdir().unwrap())
}

#[test]
fn forms_behind_a_crowd_of_idle_connections_wait_and_are_answered_when_it_leaves() {
    let (graph, site, dir) = stage();
    let mut sidecar = start(96, dir.path(), &site, &graph, &[]);
    let address = sidecar.address("address");
    // Not all of them fit into the kernel's queue either.
    let idle: Vec<_> = (0..300)
        .map(|_| thread::spawn(move || TcpStream::connect_timeout(&address, Duration::from_millis(500)).ok()))
        .map(|connecting| connecting.join().unwrap())
        .take_while(Option::is_some)
        .collect();
    assert!(idle.len() > 100, "only {} connected", idle.len());
    assert!(descriptors(&sidecar) < 96);
    let forms = submit(address, 0..20);
    thread::sleep(Duration::from_millis(300));
    drop(idle);
    for form in forms {
        assert_eq!(form.join().unwrap(), 303, "{}", sidecar.output());
    }
    let started = Instant::now();
    for form in submit(address, 20..30) {
        assert_eq!(form.join().unwrap(), 303);
    }
    assert!(started.elapsed() < Duration::from_secs(5), "it has not recovered");
    all_arrive(&graph, 0..30);
    assert!(sidecar.ended().is_none());
}

#[test]
fn idle_connections_that_do_not_leave_are_shown_out_and_forms_get_their_turn() {
    let (graph, site, dir) = stage();
    let sidecar = start(96, dir.path(), &site, &graph, &["--timeouts-header-read", "500ms"]);
    let address = sidecar.address("address");
    let _idle: Vec<_> = (0..80).map(|_| TcpStream::connect(address).unwrap()).collect();
    for form in submit(address, 0..20) {
        assert_eq!(form.join().unwrap(), 303);
    }
    all_arrive(&graph, 0..20);
}

#[test]
fn a_limit_lowered_below_what_is_in_use_delays_forms_and_fails_none() {
    let (graph, site, dir) = stage();
    let mut sidecar = start(400, dir.path(), &site, &graph, &["--timeouts-pool-idle", "200ms"]);
    let address = sidecar.address("address");
    let mut open: Vec<_> = (0..20).map(|_| TcpStream::connect(address).unwrap()).collect();
    for form in submit(address, 0..5) {
        assert_eq!(form.join().unwrap(), 303);
    }
    all_arrive(&graph, 0..5);
    // Without connections to the site left, so that each form needs a new one.
    thread::sleep(Duration::from_millis(800));
    let limit = |files: usize| {
        let limit = format!("--nofile={files}:400");
        assert!(Command::new("prlimit").args(["--pid", &sidecar.id().to_string(), &limit]).status().unwrap().success());
    };
    let used = descriptors(&sidecar);
    assert!(used > 20);
    limit(used - 10);
    // On connections that exist, and on new ones, which cannot even be accepted.
    let known: Vec<_> = open
        .drain(..10)
        .zip(5..)
        .map(|(mut stream, visitor)| {
            thread::spawn(move || {
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                stream.write_all(&post(visitor)).unwrap();
                read_message(&mut stream, false).map(|reply| reply.status())
            })
        })
        .collect();
    let new = submit(address, 15..20);
    thread::sleep(Duration::from_secs(1));
    assert!(!known.iter().any(JoinHandle::is_finished), "the shortage was not felt");
    limit(400);
    for form in known {
        assert_eq!(form.join().unwrap(), Some(303), "{}", sidecar.output());
    }
    for form in new {
        assert_eq!(form.join().unwrap(), 303);
    }
    all_arrive(&graph, 0..20);
    assert!(sidecar.ended().is_none());
}
