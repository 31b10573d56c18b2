//! Sites behind TLS and behind socket files.

use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::NOWHERE;
use crate::peers::{ask, rest, site_side, text};
use crate::support::{InProcess, Message, Site, answer, connect, read_message, send};

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n";

/// A site over TLS that says which name it was asked for; connections and requests are noted.
struct Secure {
    site: Site,
    connections: Arc<AtomicUsize>,
    requests: Arc<Mutex<Vec<Message>>>,
}

fn secure_site() -> Secure {
    secure_site_as("site")
}

fn secure_site_as(own: &'static str) -> Secure {
    let (connections, requests) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
    let (opened, seen) = (Arc::clone(&connections), Arc::clone(&requests));
    let site = Site::raw(move |tcp| {
        let Some((mut stream, name)) = site_side(tcp, own) else { return };
        opened.fetch_add(1, Ordering::SeqCst);
        while let Some(request) = read_message(&mut stream, false) {
            let body = format!("{} {}", name.as_deref().unwrap_or("no name"), request.text());
            let upgrade = request.header("upgrade").is_some();
            seen.lock().unwrap().push(request);
            if upgrade {
                let head = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n";
                stream.write_all(format!("{head}early").as_bytes()).unwrap();
                let mut got = [0; 4];
                stream.read_exact(&mut got).unwrap();
                let _ = stream.write_all(&got);
                stream.conn.send_close_notify();
                let _ = stream.flush();
                return;
            }
            stream.write_all(&answer("200 OK", &[], &body)).unwrap();
            stream.flush().unwrap();
        }
    });
    Secure { site, connections, requests }
}

fn url(secure: &Secure, host: &str) -> String {
    format!("https://{host}:{}", secure.site.address.port())
}

#[test]
fn a_site_over_tls_is_verified_and_gets_the_visitors_host() {
    let secure = secure_site();
    let authority = text("authority.pem");
    let flags = [("upstream-ca-file", authority.as_str()), ("workers", "1")];
    let proxy = InProcess::start(&url(&secure, "localhost"), NOWHERE, &flags);
    let mut visitor = connect(proxy.address);
    let body = "x".repeat(100_000);
    let post = format!("POST / HTTP/1.1\r\nHost: Shop.Example\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    for request in [std::str::from_utf8(GET).unwrap(), &post, std::str::from_utf8(GET).unwrap()] {
        let reply = ask(&mut visitor, request);
        assert!(reply.status() == 200 && reply.text().starts_with("localhost "), "{}", reply.head);
    }
    let requests = secure.requests.lock().unwrap();
    assert_eq!(requests[1].header("host"), Some("Shop.Example"));
    assert_eq!(requests[1].text(), body);
    assert_eq!(requests[1].header("x-forwarded-proto"), Some("http"), "the visitor's, not ours");
    drop(requests);
    for _ in 0..5 {
        assert_eq!(ask(&mut visitor, std::str::from_utf8(GET).unwrap()).status(), 200);
    }
    // One for each way through the proxy.
    assert!(secure.connections.load(Ordering::SeqCst) <= 2, "handshakes are saved by keeping the connection");
}

#[test]
fn an_address_can_stand_in_a_certificate_as_well() {
    let secure = secure_site();
    let authority = text("authority.pem");
    let proxy = InProcess::start(&url(&secure, "127.0.0.1"), NOWHERE, &[("upstream-ca-file", &authority)]);
    assert_eq!(send(proxy.address, GET).text(), "no name ");
}

#[test]
fn a_site_that_nobody_vouches_for_gets_no_request() {
    let secure = secure_site();
    let authority = text("authority.pem");
    // The authority is unknown; the name is another; the site speaks cleartext.
    let unknown = InProcess::start(&url(&secure, "localhost"), NOWHERE, &[]);
    let other = secure_site_as("other");
    let misnamed = InProcess::start(&url(&other, "localhost"), NOWHERE, &[("upstream-ca-file", &authority)]);
    let clear = Site::raw(|mut stream| {
        let _ = stream.read(&mut [0; 1024]);
        let _ = stream.write_all(&answer("400 Bad Request", &[], ""));
    });
    let clear_url = format!("https://{}", clear.address);
    let cleartext = InProcess::start(&clear_url, NOWHERE, &[("upstream-ca-file", &authority)]);
    for (proxy, kind) in
        [(&unknown, "tls_certificate_error"), (&misnamed, "tls_certificate_error"), (&cleartext, "tls_protocol_error")]
    {
        let reply = send(proxy.address, GET);
        assert_eq!(reply.status(), 502);
        assert_eq!(reply.header("proxy-status"), Some(format!("capi-sidecar; error={kind}").as_str()));
    }
    assert!([&secure, &other].iter().all(|site| site.requests.lock().unwrap().is_empty()));
}

#[test]
fn a_tunnel_goes_through_tls_to_the_site() {
    let secure = secure_site();
    let authority = text("authority.pem");
    let proxy = InProcess::start(&url(&secure, "localhost"), NOWHERE, &[("upstream-ca-file", &authority)]);
    let mut visitor = connect(proxy.address);
    visitor.write_all(b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n").unwrap();
    assert_eq!(read_message(&mut visitor, true).unwrap().status(), 101);
    visitor.write_all(b"ping").unwrap();
    assert_eq!(rest(&mut visitor), b"earlyping");
}

#[test]
fn an_answer_that_breaks_off_without_the_end_of_tls_is_not_taken_for_whole() {
    let site = Site::raw(|tcp| {
        let Some((mut stream, _)) = site_side(tcp, "site") else { return };
        read_message(&mut stream, false);
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nhalf of it").unwrap();
        stream.flush().unwrap();
        // The connection ends, TLS does not: anybody on the way could have cut it (RFC 9112 9.8).
    });
    let authority = text("authority.pem");
    let upstream = format!("https://localhost:{}", site.address.port());
    let proxy = InProcess::start(&upstream, NOWHERE, &[("upstream-ca-file", &authority)]);
    let mut visitor = connect(proxy.address);
    visitor.write_all(GET).unwrap();
    let said = rest(&mut visitor);
    assert!(said.windows(10).any(|bytes| bytes == b"half of it"), "{}", String::from_utf8_lossy(&said));
    assert!(!said.ends_with(b"0\r\n\r\n"), "cut off, visibly");
}

fn unix_site(path: &Path) {
    let listener = UnixListener::bind(path).unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            thread::spawn(move || {
                while let Some(request) = read_message(&mut stream, false) {
                    let host = request.header("host").unwrap_or_default().to_owned();
                    stream.write_all(&answer("200 OK", &[], &format!("{host} {}", request.text()))).unwrap();
                }
            });
        }
    });
}

#[test]
fn a_site_behind_a_socket_file_is_a_site() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("site.sock");
    let proxy = InProcess::start(&format!("unix:{}", path.display()), NOWHERE, &[("workers", "1")]);
    let away = send(proxy.address, GET);
    assert_eq!((away.status(), away.header("proxy-status").is_some()), (502, true));
    unix_site(&path);
    let mut visitor = connect(proxy.address);
    for _ in 0..3 {
        assert_eq!(ask(&mut visitor, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi").text(), "a hi");
    }
    assert_eq!(proxy.metric("capi_upstream_connections_total"), 1);
}

fn check_online(upstream: &str, authority: Option<&str>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_capi-sidecar"));
    command.env("CAPI_ACCESS_TOKEN", "test-token").args(["check", "--online", "--pixel-id", "1234567890"]);
    command.args(["--upstream", upstream, "--graph-endpoint", NOWHERE]);
    command.args(authority.map(|authority| format!("--upstream-ca-file={authority}")));
    command.output().unwrap()
}

#[test]
fn check_online_connects_as_the_proxy_does() {
    let secure = secure_site();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("site.sock");
    unix_site(&path);
    let (socket, none) = (format!("unix:{}", path.display()), format!("unix:{}", dir.path().join("none").display()));
    let (https, authority) = (url(&secure, "localhost"), text("authority.pem"));
    for (upstream, authority, expected) in [
        (&https, Some(authority.as_str()), "the site accepts connections"),
        (&https, None, "is its authority known (upstream_ca_file)?"),
        (&socket, None, "the site accepts connections"),
        (&none, None, "is the site running"),
    ] {
        let output = check_online(upstream, authority);
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(said.contains(expected), "{upstream}: {said}");
    }
}
