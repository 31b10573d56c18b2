//! The end of a sidecar, as an orchestrator brings it about: SIGTERM, a grace period, a deadline.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../examples/demo/graph.rs"]
mod graph;
mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use graph::Graph;
use support::{PATIENCE, Process, Site, answer, connect, form_post, read_message, run_args, send, wait_until};

const NOWHERE: &str = "http://127.0.0.1:9";
const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n";

/// A site with a page that takes a while, a chat that never ends, a form, and other pages.
fn site() -> Site {
    Site::raw(|mut stream| {
        while let Some(request) = read_message(&mut stream, false) {
            let bytes = match request.first_line() {
                "GET /slow HTTP/1.1" => {
                    thread::sleep(Duration::from_secs(2));
                    answer("200 OK", &[], "at last")
                }
                "GET /never HTTP/1.1" => {
                    thread::sleep(PATIENCE);
                    return;
                }
                "GET /chat HTTP/1.1" => {
                    let switch = b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: chat\r\n\r\n";
                    stream.write_all(switch).unwrap();
                    let _ = stream.read_to_end(&mut Vec::new());
                    return;
                }
                line if line.starts_with("POST") => answer("303 See Other", &["Location: /thank-you"], ""),
                _ => answer("200 OK", &[], "fine"),
            };
            if stream.write_all(&bytes).is_err() {
                return;
            }
        }
    })
}

fn start(dir: &std::path::Path, site: &Site, graph: &str, grace: &str, drain: &str) -> Process {
    let mut args = run_args(dir, &site.url(), graph);
    args.extend(["--timeouts-shutdown-grace", grace, "--timeouts-drain", drain].map(str::to_owned));
    Process::sidecar(&args.iter().map(String::as_str).collect::<Vec<_>>())
}

fn signal(sidecar: &Process) {
    assert!(Command::new("kill").arg(sidecar.id().to_string()).status().unwrap().success());
}

fn is_ready(admin: SocketAddr) -> bool {
    send(admin, b"GET /ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").status() == 200
}

fn exit_code(sidecar: &mut Process) -> Option<i32> {
    let mut ended = None;
    wait_until("the sidecar to end", || {
        ended = sidecar.ended();
        ended.is_some()
    });
    ended.and_then(|status| status.code())
}

#[test]
fn it_is_unready_at_once_serves_on_through_the_grace_finishes_what_is_under_way_and_sends_the_last_leads() {
    let (site, graph, dir) = (site(), Graph::start(), tempfile::tempdir().unwrap());
    let mut sidecar = start(dir.path(), &site, &graph.url(), "2s", "10s");
    let (address, admin) = (sidecar.address("address"), sidecar.address("admin"));
    let mut idle = connect(address);
    idle.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    assert_eq!(read_message(&mut idle, false).unwrap().status(), 200);
    assert!(is_ready(admin));
    signal(&sidecar);
    let told = Instant::now();
    wait_until("it to be unready", || !is_ready(admin));
    assert!(told.elapsed() < Duration::from_secs(1), "a load balancer learns of it before the listener closes");
    assert_eq!(send(address, GET).status(), 200, "new visitors are still served");
    // Under way when the grace ends, on either way through the proxy.
    thread::sleep(Duration::from_millis(1200).saturating_sub(told.elapsed()));
    let mut slow = connect(address);
    slow.write_all(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let mut slow_and_full = connect(address);
    slow_and_full.write_all(b"GET /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n").unwrap();
    let consent = "Cookie: cookieyes-consent=consentid:x,consent:yes,action:yes,necessary:yes,advertisement:yes";
    let form =
        form_post("/quote", "shop.example", &[consent, "Referer: http://shop.example/quote"], "email=a%40example.com");
    assert_eq!(send(address, &form).status(), 303);
    for visitor in [&mut slow, &mut slow_and_full] {
        let reply = read_message(visitor, false).expect("an answer");
        assert_eq!(reply.text(), "at last");
        assert_eq!(reply.header("connection"), Some("close"), "the visitor learns that it was the last");
    }
    assert!(TcpStream::connect(address).is_err(), "nobody is let in after the grace");
    assert_eq!(idle.read(&mut [0; 16]).unwrap(), 0, "who waits for nothing is shown out");
    assert_eq!(exit_code(&mut sidecar), Some(0));
    assert_eq!(graph.events().len(), 1, "the lead of the last minute was sent");
}

#[test]
fn tunnels_and_endless_answers_get_until_the_deadline() {
    let (site, dir) = (site(), tempfile::tempdir().unwrap());
    let mut sidecar = start(dir.path(), &site, NOWHERE, "0s", "2s");
    let address = sidecar.address("address");
    let mut chat = connect(address);
    chat.write_all(b"GET /chat HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: chat\r\n\r\n").unwrap();
    assert_eq!(read_message(&mut chat, true).unwrap().status(), 101);
    let mut never = connect(address);
    never.write_all(b"GET /never HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    thread::sleep(Duration::from_millis(300));
    let told = Instant::now();
    signal(&sidecar);
    for visitor in [&mut chat, &mut never] {
        assert!(visitor.read(&mut [0; 16]).map_or(true, |read| read == 0));
        assert!(told.elapsed() > Duration::from_secs(1), "they had their time");
    }
    assert_eq!(exit_code(&mut sidecar), Some(0));
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let (site, dir) = (site(), tempfile::tempdir().unwrap());
    let mut sidecar = start(dir.path(), &site, NOWHERE, "0s", "10m");
    let mut never = connect(sidecar.address("address"));
    never.write_all(b"GET /never HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    thread::sleep(Duration::from_millis(300));
    signal(&sidecar);
    thread::sleep(Duration::from_millis(500));
    assert!(sidecar.ended().is_none(), "somebody waits for an answer");
    signal(&sidecar);
    assert_eq!(exit_code(&mut sidecar), Some(0));
    wait_until("the reason to be printed", || sidecar.output().contains("second signal"));
}

#[test]
fn readiness_never_depends_on_graph() {
    let (site, dir) = (site(), tempfile::tempdir().unwrap());
    let sidecar = start(dir.path(), &site, NOWHERE, "0s", "1s");
    let consent = "Cookie: cookieyes-consent=consentid:x,consent:yes,action:yes,necessary:yes,advertisement:yes";
    let form =
        form_post("/quote", "shop.example", &[consent, "Referer: http://shop.example/quote"], "email=a%40example.com");
    assert_eq!(send(sidecar.address("address"), &form).status(), 303);
    let admin = sidecar.address("admin");
    wait_until("a delivery to fail", || support::metric(admin, "capi_graph_failures_total") > 0);
    assert!(is_ready(admin));
}
