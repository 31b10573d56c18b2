//! Bytes move when they come, and stop when nobody takes them.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::message::{bytes, read};
use crate::stage::both_ways;
use crate::support::{Site, connect, wait_until};

/// A GET, and one that cannot take the plain way.
const ASKS: [&str; 2] = ["GET / HTTP/1.1|Host: a||", "GET / HTTP/1.1|Host: a|TE: trailers||"];

fn until(stream: &mut TcpStream, end: &str) -> Vec<u8> {
    let mut seen = Vec::new();
    let mut byte = [0];
    while !seen.ends_with(end.as_bytes()) {
        assert_eq!(stream.read(&mut byte).unwrap(), 1, "it ended before {end:?}");
        seen.push(byte[0]);
    }
    seen
}

#[test]
fn events_arrive_one_by_one() {
    for framing in ["Transfer-Encoding: chunked", "Connection: close"] {
        let (next, wait) = channel::<()>();
        let wait = Mutex::new(wait);
        let site = Site::raw(move |mut stream| {
            while read(&mut stream, false).is_ok() {
                stream
                    .write_all(&bytes(&format!("HTTP/1.1 200 OK|Content-Type: text/event-stream|{framing}||")))
                    .unwrap();
                for number in 0..3 {
                    // Only when the visitor has the one before.
                    wait.lock().unwrap().recv_timeout(Duration::from_secs(10)).unwrap();
                    let event = format!("data: {number}\n\n");
                    let whole = match framing {
                        "Connection: close" => event,
                        _ => format!("{:x}\r\n{event}\r\n", event.len()),
                    };
                    stream.write_all(whole.as_bytes()).unwrap();
                }
                if framing == "Connection: close" {
                    return;
                }
                stream.write_all(b"0\r\n\r\n").unwrap();
            }
        });
        both_ways(&site, &[], |proxy| {
            for request in ASKS {
                let mut visitor = connect(proxy.address);
                visitor.write_all(&bytes(request)).unwrap();
                until(&mut visitor, "\r\n\r\n");
                for number in 0..3 {
                    next.send(()).unwrap();
                    let got = until(&mut visitor, "\n\n\r\n");
                    assert!(String::from_utf8(got).unwrap().contains(&format!("data: {number}\n")), "{framing}");
                }
                until(&mut visitor, "0\r\n\r\n");
            }
        });
    }
}

#[test]
fn an_upload_arrives_as_it_is_sent() {
    let (sender, receiver) = channel();
    let sender = Mutex::new(sender);
    let site = Site::raw(move |mut stream| {
        until(&mut stream, "\r\n\r\n");
        for _ in 0..3 {
            let got = until(&mut stream, "!");
            sender.lock().unwrap().send(got).unwrap();
        }
        until(&mut stream, "0\r\n\r\n");
        stream.write_all(&bytes(crate::stage::OK)).unwrap();
    });
    both_ways(&site, &[], |proxy| {
        let mut visitor = connect(proxy.address);
        visitor.write_all(&bytes("POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked||")).unwrap();
        for number in 0..3 {
            visitor.write_all(&bytes(&format!("3|p{number}!|"))).unwrap();
            let got = receiver.recv_timeout(Duration::from_secs(10)).expect("it arrives before the upload ends");
            assert!(String::from_utf8(got).unwrap().ends_with(&format!("p{number}!")));
        }
        visitor.write_all(b"0\r\n\r\n").unwrap();
        assert_eq!(read(&mut visitor, false).unwrap().status(), 200);
    });
}

#[test]
fn an_answer_before_the_end_of_an_upload_arrives_whole() {
    let site = Site::raw(|mut stream| {
        until(&mut stream, "\r\n\r\n");
        stream.write_all(&bytes("HTTP/1.1 413 Content Too Large|Connection: close|Content-Length: 3||big")).unwrap();
        // It reads on for a while, as servers do that know their clients.
        let _ = stream.read_to_end(&mut Vec::new());
    });
    both_ways(&site, &[], |proxy| {
        for framing in ["Content-Length: 3000000", "Transfer-Encoding: chunked"] {
            let mut visitor = connect(proxy.address);
            let mut writer = visitor.try_clone().unwrap();
            let head = bytes(&format!("POST / HTTP/1.1|Host: a|{framing}||"));
            let writing = thread::spawn(move || {
                writer.write_all(&head)?;
                for _ in 0..30 {
                    let piece = [&b"186a0\r\n"[..], &vec![b'x'; 100_000], b"\r\n"].concat();
                    writer.write_all(&piece)?;
                    thread::sleep(Duration::from_millis(2));
                }
                writer.write_all(b"0\r\n\r\n")
            });
            let reply = read(&mut visitor, false).unwrap();
            assert_eq!((reply.status(), reply.text().as_str()), (413, "big"), "{framing}");
            // Whether all of it could be written is not what matters.
            let _ = writing.join().unwrap();
        }
    });
}

#[test]
fn a_refusal_reaches_a_visitor_who_is_still_sending() {
    let site = Site::raw(|_| ());
    both_ways(&site, &[], |proxy| {
        for head in [
            "POST / HTTP/1.1|Host: a|Host: b|Content-Length: 3000000||",
            "POST / HTTP/1.1|Host: a b|Transfer-Encoding: chunked||ffffff|",
            "POST / HTTP/1.1|Host: a|Transfer-Encoding: gzip, chunked||ffffff|",
            "POST / HTTP/1.1|Host: a|X-A : b|Content-Length: 3000000||",
        ] {
            let mut visitor = connect(proxy.address);
            let mut writer = visitor.try_clone().unwrap();
            let head = bytes(head);
            let writing = thread::spawn(move || {
                writer.write_all(&head)?;
                for _ in 0..30 {
                    writer.write_all(&vec![b'x'; 100_000])?;
                    thread::sleep(Duration::from_millis(1));
                }
                writer.flush()
            });
            let reply = read(&mut visitor, false).unwrap();
            assert!(matches!(reply.status(), 400 | 501), "{}", reply.head);
            drop(visitor);
            let _ = writing.join().unwrap();
        }
        assert_eq!(proxy.metric("capi_upstream_connections_total"), 0, "nothing of this is for the site");
    });
}

#[test]
fn a_visitor_who_does_not_read_holds_the_site_back() {
    let (sent, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let (count, stopped) = (Arc::clone(&sent), Arc::clone(&stop));
    let site = Site::raw(move |mut stream| {
        if read(&mut stream, false).is_err() {
            return;
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n").unwrap();
        let block = vec![b'x'; 64 * 1024];
        while !stopped.load(Ordering::SeqCst) && stream.write_all(&block).is_ok() {
            count.fetch_add(block.len(), Ordering::SeqCst);
        }
    });
    both_ways(&site, &[], |proxy| {
        for request in ASKS {
            sent.store(0, Ordering::SeqCst);
            let mut visitor = connect(proxy.address);
            visitor.write_all(&bytes(request)).unwrap();
            let mut last = 0;
            wait_until("the site to be held back", || {
                thread::sleep(Duration::from_millis(200));
                std::mem::replace(&mut last, sent.load(Ordering::SeqCst)) == sent.load(Ordering::SeqCst) && last > 0
            });
            assert!(last < 32 * 1024 * 1024, "{last} bytes were taken for a visitor who reads nothing");
        }
    });
    stop.store(true, Ordering::SeqCst);
}

#[test]
fn a_visitor_who_never_reads_is_given_up() {
    let ended = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&ended);
    let site = Site::raw(move |mut stream| {
        if read(&mut stream, false).is_ok() {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n").unwrap();
            while stream.write_all(&[b'x'; 8 * 1024]).is_ok() {}
            count.fetch_add(1, Ordering::SeqCst);
        }
    });
    both_ways(&site, &[("timeouts-body-stall", "400ms")], |proxy| {
        for request in ASKS {
            let before = ended.load(Ordering::SeqCst);
            let mut visitor = connect(proxy.address);
            visitor.write_all(&bytes(request)).unwrap();
            wait_until("the site to be released", || ended.load(Ordering::SeqCst) > before);
        }
    });
}

#[test]
fn a_site_that_does_not_read_holds_the_visitor_back() {
    let site = Site::raw(|mut stream| {
        until(&mut stream, "\r\n\r\n");
        thread::sleep(Duration::from_secs(8));
    });
    both_ways(&site, &[], |proxy| {
        let mut visitor = connect(proxy.address);
        visitor.set_write_timeout(Some(Duration::from_millis(700))).unwrap();
        visitor.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n").unwrap();
        let (mut taken, block) = (0, vec![b'x'; 64 * 1024]);
        while visitor.write_all(&block).is_ok() && taken < 64 * 1024 * 1024 {
            taken += block.len();
        }
        assert!(taken < 32 * 1024 * 1024, "{taken} bytes were taken for a site that reads nothing");
    });
}

#[test]
fn large_bodies_are_whole_in_both_directions() {
    let site = Site::raw(|mut stream| {
        while let Ok(request) = read(&mut stream, false) {
            let sum: u64 = request.body.iter().map(|b| u64::from(*b)).sum();
            let body: Vec<u8> = (0..2_000_000_u32).map(|i| u8::try_from(i % 251).unwrap()).collect();
            let head = format!(
                "HTTP/1.1 200 OK\r\nX-Sum: {} {sum}\r\nContent-Length: {}\r\n\r\n",
                request.body.len(),
                body.len()
            );
            if stream.write_all(head.as_bytes()).is_err() || stream.write_all(&body).is_err() {
                return;
            }
        }
    });
    both_ways(&site, &[], |proxy| {
        for request in [
            "GET / HTTP/1.1|Host: a||".to_owned(),
            format!("POST / HTTP/1.1|Host: a|Content-Length: 1000000||{}", "y".repeat(1_000_000)),
        ] {
            let mut visitor = connect(proxy.address);
            visitor.write_all(&bytes(&request)).unwrap();
            let reply = read(&mut visitor, false).unwrap();
            assert!(
                reply.body.len() == 2_000_000 && reply.body.iter().enumerate().all(|(i, b)| usize::from(*b) == i % 251)
            );
            let sum = if request.starts_with("GET") { "0 0" } else { "1000000 121000000" };
            assert_eq!(reply.header("x-sum"), Some(sum));
        }
    });
}
