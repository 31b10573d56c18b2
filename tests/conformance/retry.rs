//! What is sent again over another connection when one has died (RFC 9110 9.2.2), and what never is.

use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::message::{Fault, bytes, read};
use crate::stage::{GET, OK, both_ways};
use crate::support::{InProcess, Site, connect};

/// A site whose connections answer one request, take another one and then do `dying` with it.
fn dies_with_the_second(dying: impl Fn(&mut TcpStream) + Send + Sync + 'static) -> (Site, Arc<Mutex<Vec<String>>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let list = Arc::clone(&seen);
    let site = Site::raw(move |mut stream| {
        for turn in 0..2 {
            let Ok(request) = read(&mut stream, false) else { return };
            let head = request.start.starts_with("HEAD");
            list.lock().unwrap().push(request.start);
            match turn {
                0 if head => stream.write_all(&bytes(OK.trim_end_matches("ok"))).unwrap(),
                0 => stream.write_all(&bytes(OK)).unwrap(),
                _ => dying(&mut stream),
            }
        }
    });
    (site, seen)
}

fn ask(proxy: &InProcess, request: &str) -> Result<u16, Fault> {
    let mut visitor = connect(proxy.address);
    visitor.write_all(&bytes(request)).unwrap();
    read(&mut visitor, request.starts_with("HEAD")).map(|answer| answer.status())
}

fn count(seen: &Mutex<Vec<String>>, method: &str) -> usize {
    seen.lock().unwrap().iter().filter(|line| line.starts_with(method)).count()
}

#[test]
fn a_bodiless_idempotent_request_is_sent_once_more_when_a_reused_connection_dies_with_it() {
    for method in ["GET", "HEAD", "OPTIONS"] {
        let (site, seen) = dies_with_the_second(|_| ());
        both_ways(&site, &[], |proxy| {
            seen.lock().unwrap().clear();
            let request = GET.replace("GET", method);
            assert_eq!(ask(proxy, &request).unwrap(), 200);
            assert_eq!(ask(proxy, &request).unwrap(), 200, "over a new connection: {method}");
            assert_eq!(count(&seen, method), 3, "{method}");
        });
    }
}

#[test]
fn a_request_that_may_have_done_something_is_never_sent_twice() {
    for request in [
        "POST / HTTP/1.1|Host: a|Content-Length: 1||x",
        "POST / HTTP/1.1|Host: a|Content-Length: 0||",
        "PATCH / HTTP/1.1|Host: a|Content-Length: 1||x",
        "LOCK / HTTP/1.1|Host: a||",
        "PURGE / HTTP/1.1|Host: a||",
        "GET / HTTP/1.1|Host: a|Content-Length: 1||x",
    ] {
        let (site, seen) = dies_with_the_second(|_| ());
        both_ways(&site, &[], |proxy| {
            // As the last one did, so that both ways have a connection to reuse.
            assert_eq!(ask(proxy, request).unwrap(), 200);
            seen.lock().unwrap().clear();
            assert_eq!(ask(proxy, request).unwrap(), 502, "{request}");
            assert_eq!(seen.lock().unwrap().len(), 1, "{request}");
        });
    }
}

#[test]
fn nothing_is_sent_again_over_a_fresh_connection() {
    let tried = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&tried);
    let site = Site::raw(move |mut stream| {
        if read(&mut stream, false).is_ok() {
            count.fetch_add(1, Ordering::SeqCst);
        }
    });
    both_ways(&site, &[], |proxy| {
        let before = tried.load(Ordering::SeqCst);
        assert_eq!(ask(proxy, GET).unwrap(), 502);
        assert_eq!(tried.load(Ordering::SeqCst) - before, 1);
    });
}

#[test]
fn nothing_is_sent_again_when_the_answer_has_begun() {
    let (site, seen) = dies_with_the_second(|stream| {
        stream.write_all(&bytes("HTTP/1.1 200 OK|Content-Length: 5||he")).unwrap();
    });
    both_ways(&site, &[], |proxy| {
        assert_eq!(ask(proxy, GET).unwrap(), 200);
        seen.lock().unwrap().clear();
        match ask(proxy, GET) {
            Err(Fault::Truncated(body)) => assert_eq!(body, b"he"),
            other => panic!("{other:?}"),
        }
        assert_eq!(count(&seen, "GET"), 1);
    });
}

#[test]
fn half_a_head_is_no_answer() {
    let (site, seen) = dies_with_the_second(|stream| stream.write_all(&bytes("HTTP/1.1 200 OK|Content-Le")).unwrap());
    let post = "POST / HTTP/1.1|Host: a|Content-Length: 1||x";
    both_ways(&site, &[], |proxy| {
        assert_eq!(ask(proxy, post).unwrap(), 200);
        seen.lock().unwrap().clear();
        assert_eq!(ask(proxy, post).unwrap(), 502);
        assert_eq!(count(&seen, "POST"), 1);
    });
}

#[test]
fn a_second_death_is_final() {
    let seen = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&seen);
    let site = Site::raw(move |mut stream| {
        while read(&mut stream, false).is_ok() {
            // Only the first request of all is answered.
            if count.fetch_add(1, Ordering::SeqCst) > 0 {
                return;
            }
            stream.write_all(&bytes(OK)).unwrap();
        }
    });
    both_ways(&site, &[], |proxy| {
        seen.store(0, Ordering::SeqCst);
        assert_eq!(ask(proxy, GET).unwrap(), 200);
        assert_eq!(ask(proxy, GET).unwrap(), 502);
        assert_eq!(seen.load(Ordering::SeqCst), 3, "the first, the second, and the second once more");
    });
}

#[test]
fn what_took_too_long_is_not_sent_again() {
    let seen = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&seen);
    let site = Site::raw(move |mut stream| {
        while read(&mut stream, false).is_ok() {
            if count.fetch_add(1, Ordering::SeqCst) > 0 {
                thread::sleep(Duration::from_secs(2));
            }
            let _ = stream.write_all(&bytes(OK));
        }
    });
    both_ways(&site, &[("timeouts-response", "300ms")], |proxy| {
        seen.store(0, Ordering::SeqCst);
        assert_eq!(ask(proxy, GET).unwrap(), 200);
        assert_eq!(ask(proxy, GET).unwrap(), 504, "over the pooled connection");
        assert_eq!(seen.load(Ordering::SeqCst), 2);
    });
}
