//! The proxy as a whole: a request through it, its workers, its end. Item by item it is looked at in `conformance`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::io::Write;
use std::thread;
use std::time::Duration;

use support::{InProcess, Site, answer, connect, read_message, send, wait_until};

/// Nothing listens there.
const NOWHERE: &str = "http://127.0.0.1:9";

fn proxy(site: &Site, flags: &[(&str, &str)]) -> InProcess {
    InProcess::start(&site.url(), NOWHERE, flags)
}

#[test]
fn a_request_and_its_answer_pass_as_they_are() {
    let (site, received) = Site::new(|_| {
        b"HTTP/1.1 299 Quite Fine\r\nX-CamelCase: a  b\r\nSet-Cookie: one=1\r\nset-cookie: two=2\r\n\
          X-Bytes: \xfc\xff\r\nDate: Tue, 24 Nov 2026 12:00:00 GMT\r\nContent-Length: 5\r\n\r\nhello"
            .to_vec()
    });
    let proxy = proxy(&site, &[]);
    let request = "DELETE /a/../b//%2F%zz?x=+&&fbclid=abc HTTP/1.1\r\nHost: Shop.Example:81\r\nX-Weird_Case: 1\r\n\
                   ACCEPT: */*\r\nCookie: a={\"x\":1}; b=c\r\nX-Empty:\r\nContent-Length: 3\r\n\r\nabc";
    let reply = send(proxy.address, request.as_bytes());
    let seen = received.next();
    assert_eq!(seen.first_line(), "DELETE /a/../b//%2F%zz?x=+&&fbclid=abc HTTP/1.1");
    for line in ["Host: Shop.Example:81", "X-Weird_Case: 1", "ACCEPT: */*", "Cookie: a={\"x\":1}; b=c"] {
        assert!(seen.head.contains(&format!("{line}\r\n")), "{line} in\n{}", seen.head);
    }
    assert_eq!((seen.header("x-empty"), seen.body.as_slice()), (Some(""), &b"abc"[..]));
    assert_eq!(reply.first_line(), "HTTP/1.1 299 Quite Fine");
    assert!(reply.head.contains("X-CamelCase: a  b\r\n"));
    assert_eq!(reply.all("set-cookie"), ["one=1", "two=2"]);
    assert!(reply.raw.windows(2).any(|pair| pair == b"\xfc\xff"), "bytes outside ASCII pass");
    assert_eq!(reply.body, b"hello");
}

#[test]
fn connections_are_spread_over_the_workers() {
    let (site, _received) = Site::new(|_| answer("200 OK", &[], ""));
    let proxy = proxy(&site, &[("workers", "2")]);
    let mut open = Vec::new();
    for _ in 0..8 {
        let mut visitor = connect(proxy.address);
        visitor.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        read_message(&mut visitor, false).unwrap();
        open.push(visitor);
    }
    // One worker alone would have reused a single upstream connection for all of them.
    assert_eq!(proxy.metric("capi_upstream_connections_total"), 2);
}

#[test]
fn a_drain_finishes_the_request_that_is_under_way() {
    let (site, received) = Site::new(|_| {
        thread::sleep(Duration::from_millis(500));
        answer("200 OK", &[], "finished")
    });
    let proxy = proxy(&site, &[("timeouts-drain", "5s")]);
    let address = proxy.address;
    let visitor = thread::spawn(move || send(address, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
    wait_until("the request to be at the site", || proxy.metric("capi_requests_total") == 1);
    proxy.stop();
    assert_eq!(visitor.join().unwrap().text(), "finished");
    drop(received);
}
