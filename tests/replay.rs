//! Recorded traffic of real plugins, replayed through the running sidecar. The recordings are not part of this
//! repository: `CAPI_FIXTURES` names the folder that holds `forms/`, one folder per case with `request.http`,
//! `response.http`, `expect.json` and mostly `page.html`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../examples/demo/graph.rs"]
mod graph;
mod support;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use capi_sidecar::lead::contact::Key;
use capi_sidecar::lead::name::split_name;
use capi_sidecar::lead::normalize::{Country, normalize};
use graph::Graph;
use serde_json::Value;
use support::{InProcess, Site, decisions, send, wait_until};

fn cases() -> Vec<PathBuf> {
    let root = std::env::var("CAPI_FIXTURES").expect("CAPI_FIXTURES names the folder of the recordings");
    let mut cases: Vec<_> = std::fs::read_dir(Path::new(&root).join("forms"))
        .expect("a folder named forms")
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.join("request.http").is_file())
        .collect();
    cases.sort();
    cases
}

fn expected_hashes(fields: &Value) -> Vec<(&'static str, String)> {
    let mut expected = Vec::new();
    let mut add = |key: Key, raw: &str| {
        expected.push((key.name(), normalize(key, raw, Country::from_alpha2("DE")).unwrap().sha256()));
    };
    for (name, value) in fields.as_object().unwrap() {
        let raw = value.as_str().unwrap();
        if name == "name" {
            let (first, last) = split_name(raw);
            for (key, part) in [(Key::Fn, first), (Key::Ln, last)] {
                if let Some(part) = part {
                    add(key, &part);
                }
            }
        } else {
            add(Key::from_name(name).unwrap(), raw);
        }
    }
    expected
}

#[test]
#[ignore = "needs CAPI_FIXTURES, the folder of recorded plugin traffic"]
fn recorded_plugins_are_judged_as_they_should_be() {
    let graph = Graph::start();
    let next_answer = Arc::new(Mutex::new(Vec::new()));
    let scripted = Arc::clone(&next_answer);
    let (site, received) = Site::new(move |_| scripted.lock().unwrap().clone());
    let flags = [("consent-unknown", "grant"), ("default-country", "DE")];
    let proxy = InProcess::start(&site.url(), &graph.url(), &flags);
    let mut judged = 0;
    for case in cases() {
        let name = case.file_name().unwrap().to_string_lossy().into_owned();
        let expect: Value = serde_json::from_slice(&std::fs::read(case.join("expect.json")).unwrap()).unwrap();
        // Handlers that are not supported yet must at least never be taken for a lead.
        let supported = ["cf7", "fluent", "formidable", "ninja", "wordpress", "wpforms"]
            .contains(&expect["handler"].as_str().unwrap());
        let lead = expect["lead"].as_bool().unwrap() && supported;
        // The visitor loads the page first, and the sidecar learns its forms.
        if let Ok(html) = std::fs::read_to_string(case.join("page.html")) {
            let page = support::answer("200 OK", &["Content-Type: text/html; charset=UTF-8"], &html);
            next_answer.lock().unwrap().clone_from(&page);
            let target = std::fs::read_to_string(case.join("page.url")).unwrap();
            let get = format!("GET {} HTTP/1.1\r\nHost: shop.example.test\r\nAccept: text/html\r\n\r\n", target.trim());
            assert!(send(proxy.address, get.as_bytes()).text() == html, "{name}: the page passed unchanged");
            received.next();
        }
        let request = std::fs::read(case.join("request.http")).unwrap();
        let response = std::fs::read(case.join("response.http")).unwrap();
        next_answer.lock().unwrap().clone_from(&response);
        let before = graph.events().len();
        let before_it = decided(&proxy);
        let reply = send(proxy.address, &request);
        let end = |bytes: &[u8]| bytes.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
        assert!(received.next().body == request[end(&request)..], "{name}: the request's body passed unchanged");
        assert!(reply.body == response[end(&response)..], "{name}: the answer's body passed unchanged");
        wait_until("the decision", || decided(&proxy) > before_it);
        if lead {
            graph.wait_for(before + 1, support::PATIENCE);
            let event = graph.events().pop().unwrap();
            for (key, hash) in expected_hashes(&expect["fields"]) {
                assert_eq!(event["user_data"][key], serde_json::json!([hash]), "{name}: {key}");
            }
            assert_eq!(event["event_source_url"], expect["page"], "{name}");
        } else {
            std::thread::sleep(Duration::from_millis(100));
            assert_eq!(graph.events().len(), before, "{name} is no lead");
            if supported {
                let reason = expect["reason"].as_str().unwrap();
                let metric = format!("capi_decisions_total{{decision=\"no_lead\",reason=\"{reason}\"}}");
                assert!(proxy.metric(&metric) > 0, "{name}: {reason}");
            }
        }
        judged += usize::from(supported);
    }
    assert!(judged >= 6, "only {judged} cases of supported handlers were found");
}

/// All decisions so far, whatever they were.
fn decided(proxy: &InProcess) -> u64 {
    decisions(proxy.admin).values().sum()
}
