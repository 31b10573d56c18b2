//! Recorded form posts of real software, replayed through `form::read`.
//!
//! The recordings are not part of the repository: `CAPI_FIXTURES` names the folder that holds `forms/<case>/` with
//! `request.http`, `response.http`, `expect.json` and, where there was one, `page.html`.

// Helpers of a test may stop at the first surprise, like the test itself.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use capi_sidecar::exchange::{Captured, Exchange, RequestRecord, ResponseRecord, UnixMillis};
use capi_sidecar::form::multipart::Reducer;
use capi_sidecar::form::page::Page;
use capi_sidecar::form::{self, Reading, Verdict};
use capi_sidecar::lead::contact::Key;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde_json::Value;

/// Handlers whose leads must be recognised; of the others only the no's are checked.
const UNDERSTOOD: &[&str] = &["cf7", "fluent", "formidable", "ninja", "wordpress", "wpforms"];

/// First line, header fields, body.
fn message(path: &Path) -> (String, HeaderMap, Bytes) {
    let raw = fs::read(path).unwrap();
    let end = raw.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(raw[..end].to_vec()).unwrap();
    let mut lines = head.split("\r\n");
    let first = lines.next().unwrap().to_owned();
    let mut headers = HeaderMap::new();
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        headers.append(name, HeaderValue::from_str(value.trim()).unwrap());
    }
    (first, headers, Bytes::copy_from_slice(&raw[end + 4..]))
}

fn exchange(case: &Path) -> Exchange {
    let (line, headers, body) = message(&case.join("request.http"));
    let mut words = line.split(' ');
    let method: Method = words.next().unwrap().parse().unwrap();
    let target = words.next().unwrap().to_owned();
    let host = headers["host"].to_str().unwrap().to_owned();
    let request = RequestRecord {
        method,
        target,
        https: false,
        host,
        headers,
        body: Captured::Whole(body),
        client_ip: None,
        received: UnixMillis(1_795_608_000_000),
    };
    let (line, headers, body) = message(&case.join("response.http"));
    let status = StatusCode::from_bytes(line.split(' ').nth(1).unwrap().as_bytes()).unwrap();
    Exchange { request, response: Some(ResponseRecord { status, headers, body: Captured::Whole(body) }) }
}

/// The body as the data plane copies it: in small frames, files left out.
fn thinned(request: &RequestRecord) -> Captured {
    let content_type = request.headers["content-type"].to_str().unwrap();
    let Some(mut reducer) = Reducer::new(content_type) else { return request.body.clone() };
    let mut keep = Vec::new();
    for frame in request.body.bytes().chunks(7) {
        reducer.push(&Bytes::copy_from_slice(frame), &mut keep);
    }
    reducer.finish(&mut keep);
    Captured::Whole(keep.concat().into())
}

fn check(case: &Path, expected: &Value, reading: &Reading, with_page: bool) {
    let case = case.file_name().unwrap().to_str().unwrap();
    let handler = expected["handler"].as_str().unwrap();
    let understood = UNDERSTOOD.contains(&handler);
    if expected["lead"] == false {
        let Verdict::NoLead(reason) = reading.verdict else { panic!("{case} is no lead") };
        if understood {
            assert_eq!(reason.code(), expected["reason"].as_str().unwrap(), "{case}");
        }
        return;
    }
    if !understood {
        assert_eq!(reading.outcome, "unknown", "{case}: nothing may be taken for granted");
        return;
    }
    assert_eq!(reading.verdict, Verdict::Lead, "{case}: {}", reading.marker);
    assert_eq!(reading.handler, handler, "{case}");
    assert_eq!(reading.page_url.as_deref(), expected["page"].as_str(), "{case}");
    let first = |key| reading.roles.contact.first(key);
    for (key, value) in expected["fields"].as_object().unwrap() {
        let read = match key.as_str() {
            "name" => [first(Key::Fn), first(Key::Ln)].into_iter().flatten().collect::<Vec<_>>().join(" "),
            key => first(Key::from_name(key).unwrap()).unwrap_or_default().to_owned(),
        };
        // Without its page a form tells less; what it tells is right all the same, and the address is always there.
        if with_page || key == "em" || !read.is_empty() {
            assert_eq!(read, value.as_str().unwrap(), "{case}: {key}, with the page: {with_page}");
        }
    }
    let more = reading.roles.sources.iter().find(|source| expected["fields"].get(source.role).is_none());
    assert_eq!(more, None, "{case}: nothing else is contact data");
}

#[test]
#[ignore = "needs the recorded fixtures in CAPI_FIXTURES"]
fn recorded_posts_are_read_as_they_were_meant() {
    let root = PathBuf::from(std::env::var_os("CAPI_FIXTURES").expect("CAPI_FIXTURES names the folder of forms/"));
    let mut cases = 0;
    for entry in fs::read_dir(root.join("forms")).unwrap() {
        let case = entry.unwrap().path();
        let Ok(expected) = fs::read(case.join("expect.json")) else { continue };
        let expected: Value = serde_json::from_slice(&expected).unwrap();
        let mut exchange = exchange(&case);
        let page = fs::read(case.join("page.html")).ok().map(|html| Page::parse(&html));
        check(&case, &expected, &form::read(&exchange, &[], &None), false);
        exchange.request.body = thinned(&exchange.request);
        check(&case, &expected, &form::read(&exchange, &[], &page.as_ref()), page.is_some());
        cases += 1;
    }
    assert!(cases >= 15, "only {cases} cases found");
}
