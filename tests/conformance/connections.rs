//! Several messages on one connection: each answer belongs to its request, whatever else comes along.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::message::{bytes, read};
use crate::stage::{GET, OK, both_ways};
use crate::support::{Site, answer, connect, wait_until};

/// Answers with the target it was asked for.
fn echo() -> Site {
    noting(Arc::default())
}

/// The same, and counts.
fn noting(count: Arc<AtomicUsize>) -> Site {
    Site::raw(move |mut stream| {
        while let Ok(request) = read(&mut stream, false) {
            count.fetch_add(1, Ordering::SeqCst);
            let target = request.start.split(' ').nth(1).unwrap().to_owned();
            let said = if request.body.is_empty() { target } else { format!("{target} {}", request.text()) };
            if stream.write_all(&answer("200 OK", &[], &said)).is_err() {
                return;
            }
        }
    })
}

fn told(visitor: &mut TcpStream) -> String {
    read(visitor, false).unwrap().text()
}

#[test]
fn requests_that_come_together_are_answered_in_order() {
    both_ways(&echo(), &[], |proxy| {
        let mut visitor = connect(proxy.address);
        let request = |number: usize| match number % 4 {
            3 => format!("POST /{number} HTTP/1.1|Host: a|Content-Length: 2||p{}", number % 10),
            2 => format!("PUT /{number} HTTP/1.1|Host: a|Transfer-Encoding: chunked||2|c{}|0||", number % 10),
            _ => format!("GET /{number} HTTP/1.1|Host: a||"),
        };
        let all: String = (0..20).map(request).collect();
        visitor.write_all(&bytes(&all)).unwrap();
        for number in 0..20 {
            let expected = match number % 4 {
                3 => format!("/{number} p{}", number % 10),
                2 => format!("/{number} c{}", number % 10),
                _ => format!("/{number}"),
            };
            assert_eq!(told(&mut visitor), expected);
        }
        assert!(proxy.metric("capi_upstream_connections_total") <= 2, "one for each way at most");
    });
}

#[test]
fn requests_cut_anywhere_are_the_same_requests() {
    let all = bytes(
        "GET /1 HTTP/1.1|Host: a||POST /2 HTTP/1.1|Host: a|Transfer-Encoding: chunked||3|abc|0||GET /3 HTTP/1.1|Host: a||",
    );
    both_ways(&echo(), &[], |proxy| {
        for piece in [1, 2, 3, 7, 20, 50] {
            let mut visitor = connect(proxy.address);
            let mut writer = visitor.try_clone().unwrap();
            let all = all.clone();
            let writing = thread::spawn(move || {
                for piece in all.chunks(piece) {
                    writer.write_all(piece).unwrap();
                    thread::sleep(Duration::from_millis(1));
                }
            });
            assert_eq!([told(&mut visitor), told(&mut visitor), told(&mut visitor)], ["/1", "/2 abc", "/3"], "{piece}");
            writing.join().unwrap();
        }
    });
}

#[test]
fn a_line_end_too_much_after_a_body_does_no_harm() {
    both_ways(&echo(), &[], |proxy| {
        let mut visitor = connect(proxy.address);
        let post = "POST /1 HTTP/1.1|Host: a|Content-Length: 3||abc|";
        visitor
            .write_all(&bytes(&format!("{post}GET /2 HTTP/1.1|Host: a||{post}{post}GET /3 HTTP/1.1|Host: a||")))
            .unwrap();
        for expected in ["/1 abc", "/2", "/1 abc", "/1 abc", "/3"] {
            assert_eq!(told(&mut visitor), expected);
        }
    });
}

#[test]
fn close_ends_the_connection_after_its_answer_and_what_follows_is_not_looked_at() {
    both_ways(&echo(), &[], |proxy| {
        for last in [
            "GET /1 HTTP/1.1|Host: a|Connection: close||",
            "POST /1 HTTP/1.1|Host: a|Connection: close|Content-Length: 0||",
            "GET /1 HTTP/1.1|Host: a|Connection: keep-alive|Connection: close||",
            "GET /1 HTTP/1.0|Host: a||",
        ] {
            let mut visitor = connect(proxy.address);
            visitor.write_all(&bytes(&format!("{last}GET /2 HTTP/1.1|Host: a||"))).unwrap();
            assert_eq!(told(&mut visitor), "/1", "{last}");
            let mut rest = Vec::new();
            let _ = visitor.read_to_end(&mut rest);
            assert!(rest.is_empty(), "{last}");
        }
        let mut visitor = connect(proxy.address);
        for number in 0..3 {
            visitor.write_all(&bytes(&format!("GET /{number} HTTP/1.0|Host: a|Connection: keep-alive||"))).unwrap();
            let reply = read(&mut visitor, false).unwrap();
            assert_eq!((reply.text(), reply.header("connection")), (format!("/{number}"), Some("keep-alive")));
        }
    });
}

#[test]
fn a_request_with_two_framings_is_the_last_even_among_others() {
    both_ways(&echo(), &[], |proxy| {
        let mut visitor = connect(proxy.address);
        // It can be seen from its lines only where it is the first that the full way gets.
        let two = "POST /2 HTTP/1.1|Host: a|Content-Length: 4|Transfer-Encoding: chunked||1|x|0||";
        visitor.write_all(&bytes(&format!("GET /1 HTTP/1.1|Host: a||{two}GET /3 HTTP/1.1|Host: a||"))).unwrap();
        assert_eq!([told(&mut visitor), told(&mut visitor)], ["/1", "/2 x"]);
        let mut rest = Vec::new();
        let _ = visitor.read_to_end(&mut rest);
        assert!(rest.is_empty(), "what followed was answered");
    });
}

#[test]
fn such_a_request_is_the_last_behind_another_of_the_full_way_too() {
    let count = Arc::default();
    both_ways(&noting(Arc::clone(&count)), &[], |proxy| {
        count.store(0, Ordering::SeqCst);
        let mut visitor = connect(proxy.address);
        let one = "PUT /1 HTTP/1.1|Host: a|Content-Length: 1||y";
        let two = "POST /2 HTTP/1.1|Host: a|Content-Length: 4|Transfer-Encoding: chunked||1|x|0||";
        visitor.write_all(&bytes(&format!("{one}{two}GET /3 HTTP/1.1|Host: a||"))).unwrap();
        assert_eq!([told(&mut visitor), told(&mut visitor)], ["/1 y", "/2 x"]);
        let mut rest = Vec::new();
        let _ = visitor.read_to_end(&mut rest);
        assert!(rest.is_empty(), "what followed was answered");
        drop(visitor);
        thread::sleep(Duration::from_millis(50));
        assert_eq!(count.load(Ordering::SeqCst), 2, "what followed reached the site");
    });
}

#[test]
fn what_comes_after_an_answer_is_never_taken_for_the_next_one() {
    // Each with an answer of its own behind it, in the same segment and a little later.
    for first in [
        "HTTP/1.1 200 OK|Content-Length: 2||ok",
        "HTTP/1.1 200 OK|Transfer-Encoding: chunked||2|ok|0||",
        "HTTP/1.1 204 No Content||",
        "HTTP/1.1 304 Not Modified|Content-Length: 2||",
    ] {
        for late in [false, true] {
            let turn = Arc::new(AtomicUsize::new(0));
            let count = Arc::clone(&turn);
            let site = Site::raw(move |mut stream| {
                while read(&mut stream, false).is_ok() {
                    if count.fetch_add(1, Ordering::SeqCst) > 0 {
                        stream.write_all(&bytes(OK)).unwrap();
                        continue;
                    }
                    let evil = "HTTP/1.1 200 OK|Content-Length: 4||evil";
                    if late {
                        stream.write_all(&bytes(first)).unwrap();
                        thread::sleep(Duration::from_millis(50));
                        let _ = stream.write_all(&bytes(evil));
                    } else {
                        stream.write_all(&bytes(&format!("{first}{evil}"))).unwrap();
                    }
                }
            });
            both_ways(&site, &[], |proxy| {
                turn.store(0, Ordering::SeqCst);
                let mut visitor = connect(proxy.address);
                for number in 0..3 {
                    visitor.write_all(&bytes(GET)).unwrap();
                    let reply = read(&mut visitor, false).unwrap();
                    assert_ne!(reply.text(), "evil", "{first} {late} {number}");
                    thread::sleep(Duration::from_millis(if late { 100 } else { 5 }));
                }
            });
        }
    }
}

#[test]
fn the_body_of_a_head_is_not_the_next_answer() {
    let site = Site::raw(|mut stream| {
        while let Ok(request) = read(&mut stream, false) {
            let _ = stream.write_all(&bytes(OK));
            if request.start.starts_with("HEAD") {
                let _ = stream.write_all(&bytes("HTTP/1.1 200 OK|Content-Length: 4||evil"));
            }
        }
    });
    both_ways(&site, &[], |proxy| {
        let mut visitor = connect(proxy.address);
        for _ in 0..3 {
            visitor.write_all(&bytes(&GET.replace("GET", "HEAD"))).unwrap();
            assert_eq!(read(&mut visitor, true).unwrap().header("content-length"), Some("2"));
            visitor.write_all(&bytes(GET)).unwrap();
            assert_eq!(told(&mut visitor), "ok");
        }
    });
}

#[test]
fn connections_to_the_site_are_used_again_until_they_have_been_idle_for_too_long() {
    let opened = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&opened);
    let site = Site::raw(move |mut stream| {
        count.fetch_add(1, Ordering::SeqCst);
        while read(&mut stream, false).is_ok() {
            stream.write_all(&bytes(OK)).unwrap();
        }
        count.fetch_add(1000, Ordering::SeqCst);
    });
    both_ways(&site, &[("timeouts-pool-idle", "500ms")], |proxy| {
        for request in [GET, "POST / HTTP/1.1|Host: a|Content-Length: 1||x"] {
            opened.store(0, Ordering::SeqCst);
            for _ in 0..5 {
                let mut visitor = connect(proxy.address);
                visitor.write_all(&bytes(request)).unwrap();
                assert_eq!(told(&mut visitor), "ok");
            }
            assert!(opened.load(Ordering::SeqCst) <= 1, "{} connections", opened.load(Ordering::SeqCst));
            wait_until("the idle connection to be closed", || opened.load(Ordering::SeqCst) >= 1000);
        }
    });
}

#[test]
fn a_site_that_closes_after_each_answer_costs_connections_and_no_errors() {
    let site = Site::raw(|mut stream| {
        if read(&mut stream, false).is_ok() {
            stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok").unwrap();
        }
    });
    both_ways(&site, &[], |proxy| {
        let mut visitor = connect(proxy.address);
        for request in [GET, "POST / HTTP/1.1|Host: a|Content-Length: 1||x", GET, GET] {
            visitor.write_all(&bytes(request)).unwrap();
            assert_eq!(told(&mut visitor), "ok");
        }
    });
}
