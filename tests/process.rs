//! The sidecar as a process: killed and started again, reloaded, and all that it writes looked through.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../examples/demo/graph.rs"]
mod graph;
mod support;

use std::thread;
use std::time::Duration;

use graph::Graph;
use support::{PATIENCE, Process, Site, answer, form_post, run_args, wait_until};

const GRANTED: &str = "Cookie: cookieyes-consent=consentid:x,consent:yes,action:yes,necessary:yes,advertisement:yes";
fn start(dir: &std::path::Path, site: &str, graph: &str) -> Process {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_capi-sidecar"));
    command.env("CAPI_ACCESS_TOKEN", "test-token").args(run_args(dir, site, graph));
    // All that any part of it has to say.
    command.env("CAPI_LOG_LEVEL", "trace");
    // The bound is another test's subject: here "acknowledged" means "committed".
    Process::start(command.args(["--store-commit-wait", "20s"]))
}

#[test]
fn a_lead_that_was_acknowledged_right_before_a_kill_is_delivered_after_the_restart() {
    let graph = Graph::start();
    let (site, _received) = Site::new(|_| answer("303 See Other", &["Location: /thank-you"], ""));
    let dir = tempfile::tempdir().unwrap();
    // Graph cannot be reached before the kill.
    let mut sidecar = start(dir.path(), &site.url(), "http://127.0.0.1:9");
    let post = form_post("/q", "shop.example", &[GRANTED], "email=ana%40example.com");
    assert_eq!(support::send(sidecar.address("address"), &post).status(), 303);
    sidecar.kill();
    assert!(graph.events().is_empty());
    let mut again = start(dir.path(), &site.url(), &graph.url());
    let address = again.address("address");
    graph.wait_for(1, PATIENCE);
    // The memory of what was seen survives as well.
    assert_eq!(support::send(address, &post).status(), 303);
    thread::sleep(Duration::from_millis(300));
    assert_eq!(graph.events().len(), 1);
    assert_eq!(again.terminate(), Some(0), "{}", again.output());
}

/// What must be nowhere: a visitor's words, and the token.
const SECRETS: [&str; 6] = ["very.secret", "55501234", "555 01234", "zebulon", "confidential", "test-token"];

/// Looks through everything the sidecar writes or says: log, files (the log of the store and what was set aside among
/// them), admin port, `outbox` verbs.
fn assert_discreet(sidecar: &Process, dir: &std::path::Path) {
    let mut everything = sidecar.output().into_bytes();
    for file in std::fs::read_dir(dir).unwrap().flatten() {
        everything.extend(std::fs::read(file.path()).unwrap());
    }
    for path in ["/metrics", "/", "/ready"] {
        let get = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        let page = support::send(sidecar.address("admin"), get.as_bytes());
        assert_eq!(page.status(), 200);
        everything.extend(page.raw);
    }
    let store = format!("sqlite:{}", dir.join("capi.db").display());
    for verb in [&["show", "1"][..], &["export"], &["list"], &["list", "--format", "json"], &["retry", "1"]] {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_capi-sidecar"))
            .arg("outbox")
            .args(verb)
            .args(["--store", &store])
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        assert!(output.status.success() && !said.is_empty(), "{verb:?}");
        everything.extend(said);
    }
    let text = String::from_utf8_lossy(&everything).to_lowercase();
    for secret in SECRETS {
        assert!(!text.contains(secret), "{secret}");
    }
}

#[test]
fn contact_data_and_token_are_nowhere_whatever_goes_wrong() {
    let graph = Graph::start();
    let (site, _received) = Site::new(|_| answer("303 See Other", &["Location: /thank-you"], ""));
    let dir = tempfile::tempdir().unwrap();
    let submit = |sidecar: &Process, visitor: usize| {
        let body = format!(
            "email=very.secret{visitor}%40example.com&phone=0171+555+01234&first_name=Zebulon&message=confidential"
        );
        let referer = format!("Referer: http://shop.example/q?email=very.secret{visitor}%40example.com");
        let post = form_post("/q?name=Zebulon", "shop.example", &[GRANTED, &referer], &body);
        assert_eq!(support::send(sidecar.address("address"), &post).status(), 303);
    };
    // Graph quotes what it got, in every way it can fail.
    let quoting = "very.secret0@example.com Zebulon test-token";
    let error =
        |code: u16| format!("{{\"error\":{{\"message\":\"{quoting}\",\"code\":{code},\"fbtrace_id\":\"Az\"}}}}");
    for fault in [
        graph::Fault::HangUp,
        graph::Fault::AcceptAndHangUp,
        graph::Fault::Answer(500, format!("<html>{quoting}</html>")),
        graph::Fault::Answer(200, quoting.to_owned()),
        graph::Fault::Answer(400, error(2)),
    ] {
        graph.fault(fault);
    }
    let mut sidecar = start(dir.path(), &site.url(), &graph.url());
    (0..5).for_each(|visitor| submit(&sidecar, visitor));
    wait_until("Graph to have failed", || graph.requests().len() > 4);
    assert_discreet(&sidecar, dir.path());
    sidecar.kill();
    // A store in pieces, and a token that is refused with its own words.
    let database = dir.path().join("capi.db");
    let length = std::fs::metadata(&database).unwrap().len();
    std::fs::File::options().write(true).open(&database).unwrap().set_len(length / 2).unwrap();
    std::fs::remove_file(dir.path().join("capi.db-wal")).unwrap();
    graph.fault(graph::Fault::Answer(401, error(190)));
    let sidecar = start(dir.path(), &site.url(), &graph.url());
    (5..8).for_each(|visitor| submit(&sidecar, visitor));
    wait_until("the refused token", || sidecar.output().contains("refuses the access token"));
    assert!(sidecar.output().contains("the store is corrupt"), "{}", sidecar.output());
    assert_discreet(&sidecar, dir.path());
}

#[test]
fn contact_data_and_token_are_nowhere_but_where_they_belong() {
    let graph = Graph::start();
    graph.fault(graph::Fault::status(400, "{\"error\":{\"code\":100,\"error_subcode\":2804019}}"));
    let (site, _received) = Site::new(|_| answer("303 See Other", &["Location: /thank-you"], ""));
    let dir = tempfile::tempdir().unwrap();
    let sidecar = start(dir.path(), &site.url(), &graph.url());
    let referer = "Referer: http://shop.example/q/very.secret@example.com?email=very.secret@example.com";
    let target = "/q/very.secret@example.com?email=very.secret%40example.com";
    let body = "email=very.secret%40example.com&phone=0171+555+01234&first_name=Zebulon&message=confidential";
    support::send(sidecar.address("address"), &form_post(target, "shop.example", &[GRANTED, referer], body));
    // Malformed ones are where careless programs quote what they stumbled over.
    let malformed = "very.secret@example.com".repeat(3);
    let post = format!(
        "POST /q HTTP/1.1\r\nHost: shop.example\r\n{GRANTED}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{malformed}",
        malformed.len()
    );
    support::send(sidecar.address("address"), post.as_bytes());
    wait_until("the refusal", || sidecar.output().contains("dead letters"));
    wait_until("both decisions", || sidecar.output().matches("decision=").count() == 2);
    assert_discreet(&sidecar, dir.path());
    for request in graph.requests() {
        assert!(!request.target.contains("test-token"), "the token is never in a URL");
        assert!(!request.body.to_string().contains("very.secret"));
    }
}

#[test]
fn a_second_sidecar_on_the_same_store_is_refused() {
    let (site, _received) = Site::new(|_| answer("200 OK", &[], ""));
    let dir = tempfile::tempdir().unwrap();
    let first = start(dir.path(), &site.url(), "http://127.0.0.1:9");
    let _ = first.address("address");
    let second = start(dir.path(), &site.url(), "http://127.0.0.1:9");
    wait_until("the refusal", || second.output().contains("capi.db"));
    assert!(!second.output().contains("listening"), "{}", second.output());
}

#[test]
fn a_changed_file_is_taken_over_and_a_bad_one_is_not() {
    let (site, _received) = Site::new(|_| answer("303 See Other", &["Location: /thank-you"], ""));
    let graph = Graph::start();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("capi.toml");
    let write = |consent: &str| {
        std::fs::write(
            &file,
            format!(
                "listen = \"127.0.0.1:0\"\nupstream = \"{}\"\n[admin]\nlisten = \"127.0.0.1:0\"\n[[pixel]]\nid = \"1234567890\"\n\
                 [store]\nurl = \"sqlite:{}\"\n[delivery]\ngraph_endpoint = \"{}\"\n[consent]\nunknown = \"{consent}\"\n",
                site.url(),
                dir.path().join("capi.db").display(),
                graph.url()
            ),
        )
        .unwrap();
    };
    write("deny");
    let sidecar = Process::sidecar(&["run", "--config", &file.display().to_string(), "--consent-denied", "drop"]);
    let address = sidecar.address("address");
    let post = form_post("/q", "shop.example", &[], "email=ana%40example.com");
    support::send(address, &post);
    write("perhaps");
    let hangup = || std::process::Command::new("kill").args(["-HUP", &sidecar.id().to_string()]).status().unwrap();
    hangup();
    wait_until("the bad file to be refused", || sidecar.output().contains("not reloaded"));
    assert!(graph.requests().is_empty());
    write("grant");
    hangup();
    wait_until("the good file to be taken over", || sidecar.output().contains("configuration reloaded"));
    support::send(address, &post);
    graph.wait_for(1, PATIENCE);
}
