//! `Expect: 100-continue` (RFC 9110 10.1.1): nobody uploads what the site refuses.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use crate::message::{bytes, read};
use crate::stage::{Case, arrives, both_ways, passes, table};
use crate::support::{InProcess, PATIENCE, Site, connect};

const HEAD: &str = "POST / HTTP/1.1|Host: a|Expect: 100-continue|Content-Length: 5||";

/// Reads up to the end of a head: its body may not have been sent yet.
fn head(stream: &mut TcpStream) -> String {
    let mut line = Vec::new();
    let mut byte = [0];
    while !line.ends_with(b"\r\n\r\n") {
        assert_eq!(
            stream.read(&mut byte).unwrap(),
            1,
            "the connection ended after {:?}",
            String::from_utf8_lossy(&line)
        );
        line.push(byte[0]);
    }
    String::from_utf8(line).unwrap()
}

fn ask(proxy: &InProcess) -> TcpStream {
    let mut visitor = connect(proxy.address);
    visitor.write_all(&bytes(HEAD)).unwrap();
    visitor
}

#[test]
fn the_visitor_is_told_to_go_on_when_the_site_has_said_so() {
    let site = Site::raw(|mut stream| {
        assert!(head(&mut stream).contains("Expect: 100-continue\r\n"));
        stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        assert!(stream.read(&mut [0]).is_err(), "nothing comes before the site has spoken");
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n").unwrap();
        let mut body = [0; 5];
        stream.read_exact(&mut body).unwrap();
        assert_eq!(&body, b"hello");
        stream.write_all(&bytes(crate::stage::OK)).unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    });
    both_ways(&site, &[], |proxy| {
        let start = Instant::now();
        let mut visitor = ask(proxy);
        assert_eq!(head(&mut visitor), "HTTP/1.1 100 Continue\r\n\r\n");
        assert!(start.elapsed() >= Duration::from_millis(250), "not before the site");
        visitor.write_all(b"hello").unwrap();
        let answer = read(&mut visitor, false).unwrap();
        assert_eq!((answer.status(), answer.text().as_str()), (200, "ok"), "one 100, not two");
        // The connection goes on.
        visitor.write_all(&bytes(HEAD)).unwrap();
        assert_eq!(head(&mut visitor), "HTTP/1.1 100 Continue\r\n\r\n");
    });
}

#[test]
fn a_site_that_refuses_gets_no_upload_and_the_visitor_no_leave() {
    let (sender, receiver) = channel();
    let sender = Mutex::new(sender);
    let site = Site::raw(move |mut stream| {
        head(&mut stream);
        stream.write_all(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno").unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        sender.lock().unwrap().send(rest).unwrap();
    });
    both_ways(&site, &[], |proxy| {
        let mut visitor = ask(proxy);
        let answer = read(&mut visitor, false).unwrap();
        assert_eq!((answer.status(), answer.text().as_str()), (401, "no"), "and no 100 before it");
        assert_eq!(answer.header("connection"), Some("close"), "whether a body still comes cannot be known");
        assert_eq!(visitor.read(&mut [0]).unwrap_or(0), 0);
        assert_eq!(receiver.recv_timeout(PATIENCE), Ok(Vec::new()), "uploaded all the same");
    });
}

#[test]
fn a_site_that_knows_nothing_of_it_gets_the_body_after_a_while() {
    let site = Site::raw(|mut stream| {
        while let Ok(request) = read(&mut stream, false) {
            assert_eq!(request.body, b"hello");
            stream.write_all(&bytes(crate::stage::OK)).unwrap();
        }
    });
    both_ways(&site, &[], |proxy| {
        let mut visitor = ask(proxy);
        assert_eq!(head(&mut visitor), "HTTP/1.1 100 Continue\r\n\r\n");
        visitor.write_all(b"hello").unwrap();
        assert_eq!(read(&mut visitor, false).unwrap().status(), 200);
        // A visitor that does not wait loses nothing either.
        let mut visitor = connect(proxy.address);
        visitor.write_all(&bytes(&format!("{HEAD}hello"))).unwrap();
        let first = head(&mut visitor);
        let answer = if first.contains(" 100 ") { head(&mut visitor) } else { first };
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    });
}

#[test]
fn a_visitor_who_leaves_while_waiting_is_gone_for_the_site_too() {
    let (sender, receiver) = channel();
    let sender = Mutex::new(sender);
    let site = Site::raw(move |mut stream| {
        head(&mut stream);
        let read = stream.read(&mut [0]);
        sender.lock().unwrap().send(matches!(read, Ok(0) | Err(_))).unwrap();
    });
    both_ways(&site, &[], |proxy| {
        let visitor = ask(proxy);
        thread::sleep(Duration::from_millis(100));
        drop(visitor);
        assert_eq!(receiver.recv_timeout(Duration::from_secs(10)), Ok(true));
    });
}

#[test]
fn where_there_is_nothing_to_wait_for_nobody_waits() {
    table(&[
        passes("no body", "GET / HTTP/1.1|Host: a|Expect: 100-continue||"),
        passes(
            "another expectation is the site's business",
            "POST / HTTP/1.1|Host: a|Expect: the-best|Content-Length: 1||x",
        ),
        Case {
            gets: "HTTP/1.0 200 OK|Content-Length: 2||ok",
            ..arrives(
                "HTTP/1.0 cannot wait",
                "POST / HTTP/1.0|Host: a|Expect: 100-continue|Content-Length: 1||x",
                "POST / HTTP/1.1|Host: a|Content-Length: 1||x",
            )
        },
    ]);
}
