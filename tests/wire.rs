//! The proxy on the wire: raw bytes in, raw bytes out, on both sides.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::io::{Read, Write};
use std::net::Shutdown;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use support::{InProcess, Site, answer, connect, form_post, read_message, send, wait_until};

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
fn forwarding_headers_of_strangers_are_overwritten_and_nothing_is_touched_when_asked() {
    let (site, received) = Site::new(|_| answer("200 OK", &[], ""));
    let get =
        b"GET / HTTP/1.1\r\nHost: shop.example\r\nX-Forwarded-For: 203.0.113.9\r\nX_Forwarded_For: 203.0.113.8\r\n\
                X-Forwarded-Proto: https\r\nProxy: evil\r\n\r\n";
    let stranger = proxy(&site, &[]);
    send(stranger.address, get);
    let seen = received.next();
    assert_eq!(seen.all("x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(seen.header("x-forwarded-proto"), Some("http"));
    assert_eq!((seen.header("x_forwarded_for"), seen.header("proxy")), (None, None));
    let trusted = proxy(&site, &[("trusted-proxy", "127.0.0.0/8")]);
    send(trusted.address, get);
    let seen = received.next();
    assert_eq!(seen.all("x-forwarded-for"), ["203.0.113.9, 127.0.0.1"]);
    assert_eq!(seen.header("x-forwarded-proto"), Some("https"));
    let untouched = proxy(&site, &[("forwarded-headers", "untouched")]);
    send(untouched.address, get);
    let seen = received.next();
    assert_eq!(seen.all("x-forwarded-for"), ["203.0.113.9"]);
    assert_eq!(seen.header("x-forwarded-host"), None);
}

#[test]
fn hop_by_hop_fields_end_here_in_both_directions() {
    let (site, received) =
        Site::new(|_| answer("200 OK", &["Connection: X-Mine", "X-Mine: 1", "Keep-Alive: timeout=5"], "ok"));
    let proxy = proxy(&site, &[]);
    let reply = send(
        proxy.address,
        b"GET / HTTP/1.1\r\nHost: a\r\nConnection: X-One\r\nConnection: x-two, Cookie\r\nX-One: 1\r\nX-Two: 2\r\n\
          Cookie: a=b\r\nTE: gzip, trailers\r\nUpgrade: h2c\r\n\r\n",
    );
    let seen = received.next();
    assert_eq!((seen.header("x-one"), seen.header("x-two"), seen.header("upgrade")), (None, None, None));
    assert_eq!((seen.header("cookie"), seen.header("te")), (Some("a=b"), Some("trailers")));
    assert_eq!((reply.header("x-mine"), reply.header("keep-alive")), (None, None));
}

#[test]
fn ambiguous_requests_never_reach_the_site() {
    let (site, received) = Site::new(|_| answer("200 OK", &[], ""));
    let proxy = proxy(&site, &[]);
    for (request, status) in [
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        ("GET shop.example:443 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("CONNECT shop.example:443 HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 1\r\n\r\nx", 400),
    ] {
        assert_eq!(send(proxy.address, request.as_bytes()).status(), status, "{request}");
    }
    let absolute = send(proxy.address, b"GET http://shop.example/x HTTP/1.1\r\nHost: other\r\n\r\n");
    assert_eq!(absolute.status(), 200);
    let seen = received.next();
    assert_eq!((seen.first_line(), seen.header("host")), ("GET /x HTTP/1.1", Some("shop.example")));
    assert!(received.is_empty(), "only the last one was forwarded");
}

#[test]
fn a_site_that_is_down_is_said_to_be_down() {
    let proxy = InProcess::start(NOWHERE, NOWHERE, &[]);
    let reply = send(proxy.address, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(reply.status(), 502);
    assert!(reply.text().contains("the site behind this proxy cannot be reached"), "{}", reply.text());
    assert!(reply.header("proxy-status").is_some());
}

#[test]
fn bodies_keep_their_framing_and_chunked_gets_keep_their_body() {
    let (site, received) = Site::new(|request| match request.first_line() {
        "GET /both HTTP/1.1" => {
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
                .to_vec()
        }
        "GET /old HTTP/1.1" => {
            b"HTTP/1.1 200 OK\r\nX-Fold: a\r\n  b\r\nX-Space : c\r\nContent-Length: 1\r\n\r\nx".to_vec()
        }
        _ => answer("200 OK", &[], "ok"),
    });
    let proxy = proxy(&site, &[]);
    send(proxy.address, b"GET /q HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
    assert_eq!(received.next().body, b"abc");
    send(proxy.address, b"POST /q HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(received.next().header("content-length"), Some("0"));
    assert_eq!(send(proxy.address, b"GET /both HTTP/1.1\r\nHost: a\r\n\r\n").body, b"hello");
    let old = send(proxy.address, b"GET /old HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!((old.status(), old.header("x-space")), (200, Some("c")));
    let malformed = send(proxy.address, b"POST /bad HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n");
    assert_eq!(malformed.status(), 400, "bad chunking is the visitor's fault");
}

#[test]
fn uploads_and_answers_stream() {
    let site = Site::raw(|mut stream| {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        let mut first = [0; 8];
        stream.read_exact(&mut first).unwrap();
        // Answers while the upload goes on, and echoes as it comes.
        stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n").unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
    });
    let proxy = proxy(&site, &[]);
    let mut visitor = connect(proxy.address);
    visitor.write_all(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n12345678").unwrap();
    let mut seen = Vec::new();
    let mut buffer = [0; 1024];
    while !seen.ends_with(b"5\r\nfirst\r\n") {
        let read = visitor.read(&mut buffer).expect("the beginning of the answer arrives during the upload");
        assert!(read > 0);
        seen.extend_from_slice(&buffer[..read]);
    }
}

#[test]
fn a_visitor_who_does_not_read_stops_the_site_and_one_who_leaves_ends_it() {
    let sent = Arc::new(AtomicUsize::new(0));
    let ended = Arc::new(Mutex::new(None));
    let (count, end) = (Arc::clone(&sent), Arc::clone(&ended));
    let site = Site::raw(move |mut stream| {
        read_message(&mut stream, false).unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n").unwrap();
        let block = vec![b'x'; 64 * 1024];
        while stream.write_all(&block).is_ok() {
            count.fetch_add(block.len(), Ordering::Relaxed);
        }
        *end.lock().unwrap() = Some(Instant::now());
    });
    let proxy = proxy(&site, &[]);
    let mut visitor = connect(proxy.address);
    visitor.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let mut last = 0;
    wait_until("the site to be held back", || {
        thread::sleep(Duration::from_millis(200));
        std::mem::replace(&mut last, sent.load(Ordering::Relaxed)) == sent.load(Ordering::Relaxed) && last > 0
    });
    assert!(last < 32 * 1024 * 1024, "{last} bytes were taken for a visitor who reads nothing");
    drop(visitor);
    wait_until("the site to notice that the visitor left", || ended.lock().unwrap().is_some());
}

#[test]
fn an_upgrade_becomes_a_tunnel_with_the_bytes_that_came_along() {
    let site = Site::raw(|mut stream| {
        let request = read_message(&mut stream, true).unwrap();
        assert_eq!(request.header("upgrade"), Some("websocket"));
        stream
            .write_all(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nearly")
            .unwrap();
        let mut got = [0; 4];
        stream.read_exact(&mut got).unwrap();
        stream.write_all(&got).unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
        stream.write_all(b"bye").unwrap();
    });
    let proxy = proxy(&site, &[]);
    let mut visitor = connect(proxy.address);
    visitor.write_all(b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n").unwrap();
    let head = read_message(&mut visitor, true).unwrap();
    assert_eq!(head.status(), 101);
    let mut early = [0; 5];
    visitor.read_exact(&mut early).unwrap();
    assert_eq!(&early, b"early");
    visitor.write_all(b"ping").unwrap();
    let mut pong = [0; 4];
    visitor.read_exact(&mut pong).unwrap();
    assert_eq!(&pong, b"ping");
    visitor.shutdown(Shutdown::Write).unwrap();
    let mut rest = Vec::new();
    visitor.read_to_end(&mut rest).unwrap();
    assert_eq!(rest, b"bye", "a half-close inside a tunnel leaves the other half open");
}

#[test]
fn a_pooled_connection_that_died_costs_a_bodiless_get_nothing_and_a_post_is_never_sent_twice() {
    let connections = Arc::new(AtomicUsize::new(0));
    let posts = Arc::new(AtomicUsize::new(0));
    let (opened, posted) = (Arc::clone(&connections), Arc::clone(&posts));
    let site = Site::raw(move |mut stream| {
        opened.fetch_add(1, Ordering::SeqCst);
        let Some(first) = read_message(&mut stream, false) else { return };
        if first.first_line().starts_with("POST") {
            posted.fetch_add(1, Ordering::SeqCst);
        }
        stream.write_all(&answer("200 OK", &[], "ok")).unwrap();
        // Takes one more request and dies with it: the keep-alive race.
        if let Some(second) = read_message(&mut stream, false)
            && second.first_line().starts_with("POST")
        {
            posted.fetch_add(1, Ordering::SeqCst);
        }
    });
    let proxy = proxy(&site, &[("workers", "1")]);
    let get = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    assert_eq!(send(proxy.address, get).status(), 200);
    assert_eq!(send(proxy.address, get).status(), 200, "sent again over a new connection");
    assert_eq!(connections.load(Ordering::SeqCst), 2);
    let post = form_post("/", "a", &[], "a=b");
    assert_eq!(send(proxy.address, &post).status(), 502, "the pooled connection died with it");
    assert_eq!(posts.load(Ordering::SeqCst), 1, "a POST that may have been seen is not repeated");
}

#[test]
fn timeouts_fire_each_for_itself() {
    let (silent, _received) = Site::new(|_| {
        thread::sleep(Duration::from_secs(3));
        Vec::new()
    });
    let waiting = proxy(&silent, &[("timeouts-response", "300ms")]);
    assert_eq!(send(waiting.address, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").status(), 504);

    let stalls = Site::raw(|mut stream| {
        read_message(&mut stream, false).unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf").unwrap();
        thread::sleep(Duration::from_secs(3));
    });
    let stalled = proxy(&stalls, &[("timeouts-body-stall", "300ms")]);
    let mut visitor = connect(stalled.address);
    visitor.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let mut all = Vec::new();
    let start = Instant::now();
    let _ = visitor.read_to_end(&mut all);
    assert!(all.ends_with(b"half") && start.elapsed() < Duration::from_secs(2), "cut off, visibly");

    let upload = proxy(&silent, &[("timeouts-body-stall", "300ms")]);
    let stuck = send(upload.address, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf");
    assert_eq!(stuck.status(), 408);

    let slow_head = proxy(&silent, &[("timeouts-header-read", "300ms")]);
    let mut visitor = connect(slow_head.address);
    visitor.write_all(b"GET / HTTP/1.1\r\nHo").unwrap();
    let start = Instant::now();
    let _ = visitor.read_to_end(&mut Vec::new());
    assert!(start.elapsed() < Duration::from_secs(2));

    let tunnels = Site::raw(|mut stream| {
        read_message(&mut stream, true).unwrap();
        stream.write_all(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n").unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let idle = proxy(&tunnels, &[("timeouts-tunnel-idle", "300ms")]);
    let mut visitor = connect(idle.address);
    visitor.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n").unwrap();
    let start = Instant::now();
    let _ = visitor.read_to_end(&mut Vec::new());
    assert!(start.elapsed() < Duration::from_secs(2));
}

#[test]
fn a_visitor_who_never_reads_is_given_up() {
    let ended = Arc::new(Mutex::new(false));
    let end = Arc::clone(&ended);
    let site = Site::raw(move |mut stream| {
        read_message(&mut stream, false).unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n").unwrap();
        while stream.write_all(&[b'x'; 8 * 1024]).is_ok() {}
        *end.lock().unwrap() = true;
    });
    let proxy = proxy(&site, &[("timeouts-body-stall", "400ms")]);
    let mut visitor = connect(proxy.address);
    visitor.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    wait_until("the site to be released", || *ended.lock().unwrap());
    drop(visitor);
}

#[test]
fn a_request_that_timed_out_is_not_sent_again() {
    let seen = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&seen);
    let site = Site::raw(move |mut stream| {
        while read_message(&mut stream, false).is_some() {
            if count.fetch_add(1, Ordering::SeqCst) > 0 {
                thread::sleep(Duration::from_secs(3));
            }
            let _ = stream.write_all(&answer("200 OK", &[], "ok"));
        }
    });
    let proxy = proxy(&site, &[("workers", "1"), ("timeouts-response", "300ms")]);
    let get = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    assert_eq!(send(proxy.address, get).status(), 200);
    assert_eq!(send(proxy.address, get).status(), 504, "over the pooled connection");
    assert_eq!(seen.load(Ordering::SeqCst), 2);
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
