//! Whose fault it was, and how that is said (RFC 9110 15.5, 15.6; RFC 9209).

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use crate::message::{Fault, Message, bytes, read, text};
use crate::stage::{GET, OK, both_ways, both_ways_to};
use crate::support::{InProcess, PATIENCE, Site, connect, wait_until};

const POST: &str = "POST / HTTP/1.1|Host: a|Content-Length: 1||x";

fn ask(proxy: &InProcess, request: &str) -> Message {
    let mut visitor = connect(proxy.address);
    visitor.write_all(&bytes(request)).unwrap();
    read(&mut visitor, request.starts_with("HEAD")).unwrap()
}

fn is_own(answer: &Message, status: u16, kind: &str) {
    assert_eq!(answer.status(), status, "{}", answer.head);
    assert_eq!(answer.header("proxy-status"), Some(format!("capi-sidecar; error={kind}").as_str()));
    assert_eq!(answer.header("connection"), Some("close"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.all("date").len(), 1);
}

#[test]
fn a_site_that_is_not_there() {
    both_ways_to("http://127.0.0.1:9", &[], |proxy| {
        for request in [GET, POST] {
            let answer = ask(proxy, request);
            is_own(&answer, 502, "connection_refused");
            assert!(text(&answer.body).contains("cannot be reached"), "{}", text(&answer.body));
        }
        is_own(&ask(proxy, "HEAD / HTTP/1.1|Host: a||"), 502, "connection_refused");
    });
}

#[test]
fn a_site_that_does_not_even_accept() {
    // A listener whose queue is full drops what knocks.
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    listener.bind(&"127.0.0.1:0".parse::<SocketAddr>().unwrap().into()).unwrap();
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap().as_socket().unwrap();
    let waiting: Vec<_> = (0..4)
        .map(|_| {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            socket.set_nonblocking(true).unwrap();
            let _ = socket.connect(&address.into());
            socket
        })
        .collect();
    both_ways_to(&format!("http://{address}"), &[("timeouts-connect", "300ms")], |proxy| {
        for request in [GET, POST] {
            is_own(&ask(proxy, request), 504, "connection_timeout");
        }
    });
    drop(waiting);
}

#[test]
fn a_site_that_does_not_answer() {
    let site = Site::raw(|mut stream| {
        let _ = stream.read_to_end(&mut Vec::new());
    });
    both_ways(&site, &[("timeouts-response", "300ms")], |proxy| {
        for request in [GET, POST] {
            is_own(&ask(proxy, request), 504, "http_response_timeout");
        }
    });
}

#[test]
fn a_site_that_breaks_off_or_talks_nonsense() {
    let site = Site::raw(|mut stream| {
        let Ok(request) = read(&mut stream, false) else { return };
        if request.start.contains("/nonsense") {
            let _ = stream.write_all(b"nonsense\r\n\r\n");
        }
    });
    both_ways(&site, &[], |proxy| {
        for request in [GET, POST] {
            is_own(&ask(proxy, request), 502, "http_response_incomplete");
            is_own(&ask(proxy, &request.replace(" / ", " /nonsense ")), 502, "http_protocol_error");
        }
    });
}

#[test]
fn a_site_that_stops_in_the_middle_is_cut_off_visibly() {
    let site = Site::raw(|mut stream| {
        let Ok(request) = read(&mut stream, false) else { return };
        let framing = if request.start.contains("/chunked") {
            "Transfer-Encoding: chunked||5|hello|"
        } else {
            "Content-Length: 9||hello"
        };
        let framing =
            if request.start.contains("at-once") { framing.split_inclusive("||").next().unwrap() } else { framing };
        stream.write_all(&bytes(&format!("HTTP/1.1 200 OK|{framing}"))).unwrap();
        if request.start.contains("stalls") {
            let _ = stream.read_to_end(&mut Vec::new());
        }
    });
    both_ways(&site, &[("timeouts-body-stall", "300ms")], |proxy| {
        let targets =
            ["/", "/chunked", "/stalls", "/chunked-stalls", "/at-once", "/chunked-at-once", "/at-once-stalls"];
        for target in targets {
            for request in [GET, POST] {
                let mut visitor = connect(proxy.address);
                visitor.write_all(&bytes(&request.replace(" / ", &format!(" {target} ")))).unwrap();
                let start = Instant::now();
                match read(&mut visitor, false) {
                    Err(Fault::Truncated(body)) => {
                        assert_eq!(text(&body), if target.contains("at-once") { "" } else { "hello" }, "{target}");
                    }
                    other => panic!("{target}: {other:?}"),
                }
                assert!(start.elapsed() < Duration::from_secs(10), "{target}");
            }
        }
    });
}

#[test]
fn a_visitor_who_breaks_off_an_upload_leaves_it_visibly_broken() {
    let (sender, receiver) = channel();
    let sender = Mutex::new(sender);
    let site = Site::raw(move |mut stream| sender.lock().unwrap().send(read(&mut stream, false)).unwrap());
    both_ways(&site, &[], |proxy| {
        for framing in ["Content-Length: 9||hello", "Transfer-Encoding: chunked||5|hello|"] {
            let mut visitor = connect(proxy.address);
            visitor.write_all(&bytes(&format!("POST / HTTP/1.1|Host: a|{framing}"))).unwrap();
            visitor.shutdown(Shutdown::Write).unwrap();
            let mut rest = Vec::new();
            let _ = visitor.read_to_end(&mut rest);
            assert!(rest.is_empty() || rest.starts_with(b"HTTP/1.1 400 "), "{}", text(&rest));
            match receiver.recv_timeout(PATIENCE).unwrap() {
                Err(Fault::Truncated(_)) => {}
                other => panic!("the site saw {other:?}"),
            }
        }
    });
}

#[test]
fn visitors_who_dawdle_are_shown_out_each_by_its_own_clock() {
    let site = Site::raw(|mut stream| {
        while let Ok(_request) = read(&mut stream, false) {
            stream.write_all(&bytes(OK)).unwrap();
        }
    });
    let ends = |visitor: &mut TcpStream| {
        let (start, mut rest) = (Instant::now(), Vec::new());
        let _ = visitor.read_to_end(&mut rest);
        assert!(start.elapsed() < Duration::from_secs(10), "it was not shown out");
        text(&rest)
    };
    both_ways(&site, &[("timeouts-header-read", "300ms")], |proxy| {
        for beginning in ["", "GET / HT", "GET / HTTP/1.1|Ho", "POST / HTTP/1.1|Host: a|Content-Le"] {
            let mut visitor = connect(proxy.address);
            visitor.write_all(&bytes(beginning)).unwrap();
            assert_eq!(ends(&mut visitor), "", "{beginning}");
        }
        // Between two requests as well.
        let mut visitor = connect(proxy.address);
        visitor.write_all(&bytes(GET)).unwrap();
        assert_eq!(read(&mut visitor, false).unwrap().status(), 200);
        assert_eq!(ends(&mut visitor), "");
    });
    both_ways(&site, &[("timeouts-body-stall", "300ms")], |proxy| {
        for body in ["Content-Length: 9||hello", "Transfer-Encoding: chunked||5|hello|"] {
            is_own(&ask(proxy, &format!("POST / HTTP/1.1|Host: a|{body}")), 408, "http_request_error");
        }
    });
}

#[test]
fn a_visitor_who_leaves_is_gone_for_the_site_at_once() {
    let gone = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&gone);
    let site = Site::raw(move |mut stream| {
        if read(&mut stream, false).is_ok() && matches!(stream.read(&mut [0]), Ok(0) | Err(_)) {
            count.fetch_add(1, Ordering::SeqCst);
        }
    });
    both_ways(&site, &[], |proxy| {
        for request in [GET, POST] {
            let before = gone.load(Ordering::SeqCst);
            let mut visitor = connect(proxy.address);
            visitor.write_all(&bytes(request)).unwrap();
            thread::sleep(Duration::from_millis(100));
            drop(visitor);
            wait_until("the site to notice", || gone.load(Ordering::SeqCst) > before);
        }
    });
}

#[test]
fn a_visitor_who_half_closes_is_taken_for_one_who_left() {
    let site = Site::raw(|mut stream| {
        if read(&mut stream, false).is_ok() {
            thread::sleep(Duration::from_millis(300));
            let _ = stream.write_all(&bytes(OK));
        }
    });
    both_ways(&site, &[], |proxy| {
        let mut visitor = connect(proxy.address);
        visitor.write_all(&bytes(GET)).unwrap();
        visitor.shutdown(Shutdown::Write).unwrap();
        let mut rest = Vec::new();
        let _ = visitor.read_to_end(&mut rest);
        assert_eq!(text(&rest), "");
    });
}
