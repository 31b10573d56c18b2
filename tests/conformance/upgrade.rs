//! Upgrades (RFC 9110 7.8): a tunnel after the site's 101, and not a byte before it.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::message::{bytes, read};
use crate::stage::{Case, arrives, both_ways, passes, refused, table};
use crate::support::{InProcess, PATIENCE, Site, connect, wait_until};

const ASKS: &str = "GET /ws HTTP/1.1|Host: a|Connection: Upgrade|Upgrade: websocket|Sec-WebSocket-Key: x||";
const SWITCHES: &str =
    "HTTP/1.1 101 Switching Protocols|Connection: Upgrade|Upgrade: websocket|Sec-WebSocket-Accept: y||";

fn exactly(stream: &mut TcpStream, count: usize) -> String {
    let mut buffer = vec![0; count];
    stream.read_exact(&mut buffer).unwrap();
    String::from_utf8(buffer).unwrap()
}

fn rest(stream: &mut TcpStream) -> String {
    let mut rest = String::new();
    stream.read_to_string(&mut rest).unwrap();
    rest
}

#[test]
fn an_upgrade_is_asked_for_with_its_own_connection_line() {
    const ASKED: &str = "GET /ws HTTP/1.1|Host: a|Connection: upgrade|Upgrade: websocket|Sec-WebSocket-Key: x||";
    table(&[
        arrives("and a refusal is an answer like any other", ASKS, ASKED)
            .then("HTTP/1.1 403 Forbidden|Content-Length: 2||no", "HTTP/1.1 403 Forbidden|Content-Length: 2||no"),
        arrives("426 says what would be accepted", ASKS, ASKED).then(
            "HTTP/1.1 426 Upgrade Required|Connection: upgrade|Upgrade: x|Content-Length: 0||",
            "HTTP/1.1 426 Upgrade Required|Content-Length: 0||",
        ),
        arrives(
            "among other tokens",
            "GET /ws HTTP/1.1|Host: a|Connection: keep-alive, Upgrade, X-A|X-A: 1|Upgrade: websocket|Sec-WebSocket-Key: x||",
            ASKED,
        ),
        passes("of any protocol", "GET / HTTP/1.1|Host: a|Connection: upgrade|Upgrade: foo/2||"),
        passes("of any method", "OPTIONS / HTTP/1.1|Host: a|Connection: upgrade|Upgrade: foo/2||"),
        arrives(
            "not to h2c",
            "GET / HTTP/1.1|Host: a|Connection: upgrade|Upgrade: websocket, h2c||",
            "GET / HTTP/1.1|Host: a||",
        ),
        arrives(
            "not without being nominated",
            "GET / HTTP/1.1|Host: a|Connection: keep-alive|Upgrade: websocket||",
            "GET / HTTP/1.1|Host: a||",
        ),
        Case {
            gets: "HTTP/1.0 200 OK|Content-Length: 2||ok",
            ..arrives(
                "not in HTTP/1.0",
                "GET / HTTP/1.0|Host: a|Connection: upgrade|Upgrade: websocket||",
                "GET / HTTP/1.1|Host: a||",
            )
        },
        refused(
            "with a length",
            "GET / HTTP/1.1|Host: a|Connection: upgrade|Upgrade: websocket|Content-Length: 1||x",
            "400",
        ),
        refused(
            "with chunks",
            "POST / HTTP/1.1|Host: a|Connection: upgrade|Upgrade: websocket|Transfer-Encoding: chunked||1|x|0||",
            "400",
        ),
        passes(
            "with a length of nothing",
            "POST / HTTP/1.1|Host: a|Connection: upgrade|Upgrade: foo|Content-Length: 0||",
        ),
        Case {
            answers: "HTTP/1.1 101 Switching Protocols|Connection: upgrade|Upgrade: h2c||",
            arrives: Some("GET / HTTP/1.1|Host: a||"),
            ..refused(
                "a switch that was not asked for on this hop",
                "GET / HTTP/1.1|Host: a|Connection: upgrade, HTTP2-Settings|Upgrade: h2c|HTTP2-Settings: x||",
                "502",
            )
        },
    ]);
}

#[test]
fn bytes_in_the_same_segment_as_the_heads_reach_the_other_side_in_order() {
    let site = Site::raw(|mut stream| {
        let request = read(&mut stream, false).unwrap();
        assert_eq!(request.all("upgrade"), ["websocket"]);
        stream.write_all(&bytes(&format!("{SWITCHES}early"))).unwrap();
        let got = exactly(&mut stream, 11);
        stream.write_all(format!("[{got}]").as_bytes()).unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    });
    both_ways(&site, &[], |proxy| {
        let mut visitor = connect(proxy.address);
        visitor.write_all(&bytes(&format!("{ASKS}too"))).unwrap();
        visitor.write_all(b" soon").unwrap();
        let head = read(&mut visitor, false).unwrap();
        assert_eq!((head.status(), head.header("sec-websocket-accept")), (101, Some("y")));
        assert_eq!((head.header("connection"), head.header("upgrade")), (Some("upgrade"), Some("websocket")));
        assert_eq!(exactly(&mut visitor, 5), "early");
        visitor.write_all(b"now").unwrap();
        assert_eq!(exactly(&mut visitor, 13), "[too soonnow]");
    });
}

#[test]
fn before_the_switch_the_site_sees_nothing_but_the_request() {
    let early = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&early);
    let site = Site::raw(move |mut stream| {
        read(&mut stream, false).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        let mut buffer = [0; 64];
        count.fetch_add(stream.read(&mut buffer).unwrap_or(0), Ordering::SeqCst);
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno").unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    });
    both_ways(&site, &[], |proxy| {
        let mut visitor = connect(proxy.address);
        visitor.write_all(&bytes(&format!("{ASKS}GET /evil HTTP/1.1|Host: a||"))).unwrap();
        assert_eq!(read(&mut visitor, false).unwrap().status(), 200);
        assert_eq!(early.load(Ordering::SeqCst), 0);
    });
}

#[test]
fn a_half_close_passes_and_the_other_half_goes_on_either_way() {
    let (sender, receiver) = channel();
    let sender = Mutex::new(sender);
    let site = Site::raw(move |mut stream| {
        let request = read(&mut stream, false).unwrap();
        stream.write_all(&bytes(SWITCHES)).unwrap();
        if request.start.starts_with("GET /ws") {
            let all = rest(&mut stream);
            stream.write_all(format!("{all}, bye").as_bytes()).unwrap();
        } else {
            stream.write_all(b"first").unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
            sender.lock().unwrap().send(rest(&mut stream)).unwrap();
        }
    });
    both_ways(&site, &[], |proxy| {
        let mut visitor = connect(proxy.address);
        visitor.write_all(&bytes(ASKS)).unwrap();
        assert_eq!(read(&mut visitor, false).unwrap().status(), 101);
        visitor.write_all(b"hello").unwrap();
        visitor.shutdown(Shutdown::Write).unwrap();
        assert_eq!(rest(&mut visitor), "hello, bye");

        let mut visitor = connect(proxy.address);
        visitor.write_all(&bytes(&ASKS.replace("/ws", "/site-first"))).unwrap();
        assert_eq!(read(&mut visitor, false).unwrap().status(), 101);
        assert_eq!(rest(&mut visitor), "first");
        visitor.write_all(b"last").unwrap();
        visitor.shutdown(Shutdown::Write).unwrap();
        assert_eq!(receiver.recv_timeout(PATIENCE).as_deref(), Ok("last"));
        wait_until("the tunnels to end", || proxy.metric("capi_tunnels") == 0);
    });
}

#[test]
fn both_ends_of_a_tunnel_end_together_and_much_fits_through() {
    const MUCH: usize = 3_000_000;
    let ended = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&ended);
    let site = Site::raw(move |mut stream| {
        read(&mut stream, false).unwrap();
        stream.write_all(&bytes(SWITCHES)).unwrap();
        let mut writer = stream.try_clone().unwrap();
        let writing = thread::spawn(move || writer.write_all(&vec![b'y'; MUCH]));
        let mut buffer = vec![0; MUCH];
        stream.read_exact(&mut buffer).unwrap();
        assert!(buffer.iter().all(|b| *b == b'x') && writing.join().unwrap().is_ok());
        // The visitor is about to leave: this ends.
        let _ = stream.read(&mut [0]);
        count.fetch_add(1, Ordering::SeqCst);
    });
    both_ways(&site, &[], |proxy| {
        let before = ended.load(Ordering::SeqCst);
        let mut visitor = connect(proxy.address);
        visitor.write_all(&bytes(ASKS)).unwrap();
        assert_eq!(read(&mut visitor, false).unwrap().status(), 101);
        let mut writer = visitor.try_clone().unwrap();
        let writing = thread::spawn(move || writer.write_all(&vec![b'x'; MUCH]));
        let mut buffer = vec![0; MUCH];
        visitor.read_exact(&mut buffer).unwrap();
        assert!(buffer.iter().all(|b| *b == b'y') && writing.join().unwrap().is_ok());
        drop(visitor);
        wait_until("the site's end to end", || ended.load(Ordering::SeqCst) > before);
    });
}

#[test]
fn an_upgrade_gets_a_connection_of_its_own_and_it_is_never_used_again() {
    let opened = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&opened);
    let site = Site::raw(move |mut stream| {
        count.fetch_add(1, Ordering::SeqCst);
        while let Ok(request) = read(&mut stream, false) {
            if request.header("upgrade").is_some() {
                stream.write_all(&bytes(SWITCHES)).unwrap();
                let _ = stream.read_to_end(&mut Vec::new());
                return;
            }
            stream.write_all(&bytes(crate::stage::OK)).unwrap();
        }
    });
    both_ways(&site, &[], |proxy| {
        let ask = |request: &str| {
            let mut visitor = connect(proxy.address);
            visitor.write_all(&bytes(request)).unwrap();
            read(&mut visitor, false).unwrap().status()
        };
        let before = opened.load(Ordering::SeqCst);
        assert_eq!(ask(crate::stage::GET), 200);
        assert_eq!(ask(ASKS), 101);
        assert_eq!(ask(crate::stage::GET), 200);
        assert_eq!(opened.load(Ordering::SeqCst) - before, 2, "one for the requests, one for the tunnel");
    });
}

/// A site that switches and then only listens.
fn listener() -> Site {
    Site::raw(|mut stream| {
        read(&mut stream, false).unwrap();
        stream.write_all(&bytes(SWITCHES)).unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    })
}

fn tunnel(proxy: &InProcess) -> TcpStream {
    let mut visitor = connect(proxy.address);
    visitor.write_all(&bytes(ASKS)).unwrap();
    assert_eq!(read(&mut visitor, false).unwrap().status(), 101);
    visitor
}

#[test]
fn a_tunnel_in_which_nothing_moves_is_closed_and_one_in_which_something_does_is_not() {
    both_ways(&listener(), &[("timeouts-tunnel-idle", "800ms")], |proxy| {
        let start = Instant::now();
        assert_eq!(rest(&mut tunnel(proxy)), "");
        assert!(start.elapsed() >= Duration::from_millis(700));
        let mut busy = tunnel(proxy);
        for _ in 0..10 {
            busy.write_all(b"x").unwrap();
            thread::sleep(Duration::from_millis(150));
        }
        assert_eq!(proxy.metric("capi_tunnels"), 1);
        assert_eq!(rest(&mut busy), "");
    });
}

#[test]
fn a_drain_waits_for_tunnels_until_its_deadline() {
    for plain in ["true", "false"] {
        let site = listener();
        let flags = [("plain-way", plain), ("timeouts-drain", "700ms")];
        let proxy = InProcess::start(&site.url(), "http://127.0.0.1:9", &flags);
        let mut visitor = tunnel(&proxy);
        let start = Instant::now();
        let stopping = thread::spawn(move || proxy.stop());
        visitor.write_all(b"still here").unwrap();
        assert_eq!(rest(&mut visitor), "", "plain way: {plain}");
        assert!(start.elapsed() >= Duration::from_millis(600), "plain way: {plain}");
        stopping.join().unwrap();
    }
}
