//! The PROXY protocol on the wire.

use std::io::Write;
use std::time::{Duration, Instant};

use crate::NOWHERE;
use crate::peers::{ask, curl, rest, secure, text};
use crate::support::{InProcess, Message, Received, Site, answer, connect, wait_until};

const GET: &str =
    "GET / HTTP/1.1\r\nHost: shop.example\r\nX-Forwarded-For: 198.51.100.66\r\nX-Forwarded-Proto: https\r\n\r\n";

fn start(more: &[(&str, &str)]) -> (InProcess, Received) {
    let (site, received) = Site::new(|_| answer("200 OK", &[], "fine"));
    let flags = [&[("proxy-protocol", "required"), ("trusted-proxy", "127.0.0.0/8")], more].concat();
    (InProcess::start(&site.url(), NOWHERE, &flags), received)
}

fn v2(command: u8, family: u8, block: &[u8]) -> Vec<u8> {
    let length = u16::try_from(block.len()).unwrap().to_be_bytes();
    [b"\r\n\r\n\0\r\nQUIT\n", &[command, family][..], &length, block].concat()
}

/// TCP over IPv4 from 192.0.2.7, with an extension.
fn v2_header() -> Vec<u8> {
    v2(0x21, 0x11, &[192, 0, 2, 7, 198, 51, 100, 1, 0xc7, 0x38, 1, 0xbb, 0x04, 0, 2, 0, 0])
}

fn seen(proxy: &InProcess, received: &Received, header: &[u8]) -> Message {
    let mut visitor = connect(proxy.address);
    // In one piece, so that a byte too many would be missing from the request.
    visitor.write_all(&[header, GET.as_bytes()].concat()).unwrap();
    let reply = crate::support::read_message(&mut visitor, false).expect("an answer");
    assert_eq!(reply.text(), "fine");
    received.next()
}

#[test]
fn the_header_names_the_visitor_whose_own_claims_are_not_believed() {
    let (proxy, received) = start(&[]);
    for (header, address) in [
        (&b"PROXY TCP4 192.0.2.7 198.51.100.1 51000 443\r\n"[..], "192.0.2.7"),
        (b"PROXY TCP6 2001:db8::7 2001:db8::1 51000 443\r\n", "2001:db8::7"),
        (&v2_header(), "192.0.2.7"),
    ] {
        let request = seen(&proxy, &received, header);
        assert_eq!(request.all("x-forwarded-for"), [address]);
        assert_eq!(request.header("x-forwarded-proto"), Some("http"));
    }
    // Said once, it holds for the whole connection, however it comes in.
    let mut visitor = connect(proxy.address);
    for byte in v2_header() {
        visitor.write_all(&[byte]).unwrap();
    }
    for _ in 0..3 {
        assert_eq!(ask(&mut visitor, GET).text(), "fine");
        assert_eq!(received.next().all("x-forwarded-for"), ["192.0.2.7"]);
    }
}

#[test]
fn the_balancers_own_connections_keep_their_address() {
    let (proxy, received) = start(&[]);
    for header in [&v2(0x20, 0, &[])[..], b"PROXY UNKNOWN\r\n", &v2(0x21, 0, &[1, 2, 3]), &v2(0x21, 0x31, &[b'x'; 216])]
    {
        let request = seen(&proxy, &received, header);
        assert_eq!(request.all("x-forwarded-for"), ["198.51.100.66, 127.0.0.1"], "a trusted peer is believed");
        assert_eq!(request.header("x-forwarded-proto"), Some("https"));
    }
}

#[test]
fn a_connection_without_a_valid_header_is_closed_without_a_word() {
    let (proxy, received) = start(&[]);
    for start in [
        GET.as_bytes(),
        b"PROXY TCP4 192.0.2.7 198.51.100.1 51000 99999\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"PROXY TCP4 192.0.2.7\r\n\r\n\r\n\r\n",
        &v2(0x21, 0x11, &[1, 2, 3]),
        &v2(0x31, 0x11, &[0; 12]),
    ] {
        let mut visitor = connect(proxy.address);
        visitor.write_all(start).unwrap();
        assert!(rest(&mut visitor).is_empty(), "{}", String::from_utf8_lossy(start));
    }
    assert_eq!(proxy.metric("capi_refused_connections_total"), 5);
    assert!(received.is_empty());
}

#[test]
fn a_header_of_somebody_who_is_not_trusted_is_not_read() {
    let (site, received) = Site::new(|_| answer("200 OK", &[], "fine"));
    let flags = [("proxy-protocol", "required"), ("trusted-proxy", "192.0.2.0/24")];
    let proxy = InProcess::start(&site.url(), NOWHERE, &flags);
    let mut visitor = connect(proxy.address);
    let _ = visitor.write_all(&[&v2_header(), GET.as_bytes()].concat());
    assert!(rest(&mut visitor).is_empty());
    wait_until("it to be counted", || proxy.metric("capi_refused_connections_total") == 1);
    assert!(received.is_empty());
}

#[test]
fn where_no_header_is_expected_one_is_no_request() {
    let (site, received) = Site::new(|_| answer("200 OK", &[], "fine"));
    let proxy = InProcess::start(&site.url(), NOWHERE, &[("trusted-proxy", "127.0.0.0/8")]);
    let mut visitor = connect(proxy.address);
    visitor.write_all(&[b"PROXY TCP4 192.0.2.7 198.51.100.1 51000 443\r\n", GET.as_bytes()].concat()).unwrap();
    assert_eq!(crate::support::read_message(&mut visitor, false).unwrap().status(), 400);
    assert!(received.is_empty());
}

#[test]
fn a_header_that_does_not_come_is_not_waited_for_long() {
    let (proxy, _received) = start(&[("timeouts-header-read", "300ms")]);
    let mut visitor = connect(proxy.address);
    visitor.write_all(b"PROXY TCP4 192.0").unwrap();
    let start = Instant::now();
    assert!(rest(&mut visitor).is_empty());
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn tls_begins_right_after_the_header() {
    let (proxy, received) = start(&[("tls-certificate", &text("site.pem")), ("tls-key", &text("site.key"))]);
    for header in [&v2_header()[..], b"PROXY TCP4 192.0.2.7 198.51.100.1 51000 443\r\n"] {
        let mut tcp = connect(proxy.address);
        tcp.write_all(header).unwrap();
        let mut visitor = secure(tcp, &[]).expect("the handshake succeeds");
        assert_eq!(ask(&mut visitor, GET).text(), "fine");
        let request = received.next();
        assert_eq!(request.all("x-forwarded-for"), ["192.0.2.7"]);
        assert_eq!(request.header("x-forwarded-proto"), Some("https"));
    }
}

#[test]
#[ignore = "needs curl"]
fn curl_sends_a_header() {
    let (proxy, received) = start(&[]);
    let url = format!("http://{}/", proxy.address);
    assert_eq!(curl(&["--haproxy-protocol", &url]), "fine");
    assert_eq!(received.next().all("x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(curl(&["--haproxy-protocol", "--http2-prior-knowledge", &url]), "fine");
}
