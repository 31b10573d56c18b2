//! `http-cache-tests` from npm asks what a cache in front of a site does: some 350 exchanges with every field that concerns
//! caching. Through a proxy that caches nothing and changes nothing, every answer must be the one without it.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::support::{InProcess, Process, free_port, wait_for_port};
use crate::{WAYS, output};

const NOWHERE: &str = "http://127.0.0.1:9";

/// The suite's server. It knows each test of each run by an id of its own, so all runs can share it.
fn server(package: &Path) -> (Process, u16) {
    let port = free_port();
    let mut node = Command::new("node");
    node.arg("server/server.mjs").current_dir(package);
    node.env("npm_config_protocol", "http").env("npm_config_port", port.to_string()).env("npm_config_pidfile", "pid");
    let server = Process::start(&mut node);
    wait_for_port(port);
    (server, port)
}

fn client(package: &Path, base: &str) -> Child {
    let mut node = Command::new("node");
    node.args(["--no-warnings", "cli.mjs"]).current_dir(package);
    node.env("npm_config_base", base).env("npm_package_config_id", "");
    node.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().expect("node is installed")
}

fn results(client: Child) -> Value {
    let output = client.wait_with_output().expect("the client ends");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// A test in which the server answers with a transfer coding that it has made up: a proxy that does not know it cannot pass
/// the answer on (502).
const MADE_UP: &str = "headers-store-Transfer-Encoding";

/// A test passes, or fails for the same reason. Where the server breaks the connection off or its framing, on purpose, a client
/// without a proxy sees that, and one behind a proxy what the proxy makes of it (502): both fail.
fn is_the_same(name: &str, direct: &Value, proxied: &Value) -> bool {
    if direct[0] == "FetchError" || name == MADE_UP {
        *direct != Value::Bool(true) && *proxied != Value::Bool(true)
    } else {
        direct == proxied
    }
}

#[test]
#[ignore = "needs node, npm and a network registry"]
fn a_cache_test_suite_cannot_tell_the_proxy_from_none() {
    let dir = tempfile::tempdir().unwrap();
    let install = ["install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"];
    output(Command::new("npm").args(install).arg(dir.path()).arg("http-cache-tests@0.4.5"));
    let package = dir.path().join("node_modules/http-cache-tests");

    let (_server, port) = server(&package);
    let direct = client(&package, &format!("http://127.0.0.1:{port}"));
    let proxied = WAYS.map(|way| {
        let proxy = InProcess::start(&format!("http://127.0.0.1:{port}"), NOWHERE, &[way]);
        (client(&package, &format!("http://{}", proxy.address)), proxy)
    });
    let direct = results(direct);
    let proxied = proxied.map(|(client, proxy)| (results(client), proxy));

    let tests = direct.as_object().expect("results by test");
    let passed = tests.values().filter(|result| **result == Value::Bool(true)).count();
    println!("{} results, {passed} of them passes: what there is of a cache without one", tests.len());
    assert!(tests.len() >= 300 && passed >= 100, "the suite ran: {} results, {passed} passes", tests.len());
    let mut differing = Vec::new();
    for ((result, _), way) in proxied.iter().zip(WAYS) {
        assert_eq!(result.as_object().map(serde_json::Map::len), Some(tests.len()));
        let wrong = tests.iter().filter(|(name, direct)| !is_the_same(name, direct, &result[name.as_str()]));
        differing
            .extend(wrong.map(|(name, direct)| format!("{way:?} {name}: {direct}, not {}", result[name.as_str()])));
    }
    assert!(differing.is_empty(), "{} results differ:\n{}", differing.len(), differing.join("\n"));
}
