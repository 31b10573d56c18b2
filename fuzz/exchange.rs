//! A whole exchange through `form::read`: every body decoder, every handler, every reader of answers, with a page. Six
//! bytes of the input choose target, types, status and coding; then come the request's body, the answer's and the page, set
//! apart by zeros.
#![no_main]

use bytes::Bytes;
use capi_sidecar::exchange::{Captured, Exchange, RequestRecord, ResponseRecord, UnixMillis};
use capi_sidecar::form;
use capi_sidecar::form::page::Page;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use libfuzzer_sys::fuzz_target;

const TARGETS: &[&str] = &[
    "/contact",
    "/wp-admin/admin-ajax.php",
    "/wp-json/contact-form-7/v1/contact-forms/5/feedback",
    "/wp-json/sureforms/v1/submit-form",
    "/wp-json/metform/v1/entries/insert/3",
    "/livewire/update",
    "/?option=com_contact",
];
const STATUSES: &[u16] = &[200, 201, 204, 302, 303, 400, 422, 423, 500];
const TYPES: &[&str] = &[
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "application/json",
    "text/plain;charset=utf-16",
    "application/x-www-form-urlencoded; charset=shift_jis",
];
const ANSWERS: &[&str] = &["text/html; charset=utf-8", "application/json", "text/html; charset=iso-8859-1"];
const CODINGS: &[&str] = &["", "gzip", "br", "zstd", "deflate"];

fuzz_target!(|input: &[u8]| {
    let Some((choice, rest)) = input.split_at_checked(6) else { return };
    let pick = |at: usize, from: usize| usize::from(choice[at]) % from;
    let mut parts = rest.split(|byte| *byte == 0);
    let mut part = || Captured::Whole(Bytes::copy_from_slice(parts.next().unwrap_or_default()));
    let (body, answer, page) = (part(), part(), part());
    let header = |pairs: &[(&'static str, &'static str)]| -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect()
    };
    let exchange = Exchange {
        request: RequestRecord {
            method: Method::POST,
            target: TARGETS[pick(0, TARGETS.len())].to_owned(),
            https: true,
            host: "shop.example".to_owned(),
            headers: header(&[
                ("content-type", TYPES[pick(1, TYPES.len())]),
                ("referer", "https://shop.example/contact"),
                if choice[5] & 1 == 0 { ("accept", "application/json") } else { ("x-inertia", "true") },
            ]),
            body,
            client_ip: None,
            received: UnixMillis(1_795_608_000_000),
        },
        response: Some(ResponseRecord {
            status: StatusCode::from_u16(STATUSES[pick(2, STATUSES.len())]).unwrap(),
            headers: header(&[
                ("content-type", ANSWERS[pick(3, ANSWERS.len())]),
                ("content-encoding", CODINGS[pick(4, CODINGS.len())]),
                ("location", "/contact?sent=1"),
            ]),
            body: answer,
        }),
    };
    let page = Page::of_answer(page.bytes(), "text/html", "");
    let reading = form::read(&exchange, &[], &page.as_ref());
    if let Some(expected) = &reading.expected {
        let _ = form::follow_up(expected, &exchange);
    }
});
