//! TLS with visitors.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use capi_sidecar::config::{Purpose, Sources, load};

use crate::NOWHERE;
use crate::peers::{ask, certificate, curl, file, rest, secure, shown, text, visit};
use crate::support::{InProcess, Process, Received, Site, answer, connect, read_message, run_args, wait_until};

const GET: &str = "GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n";

fn start(more: &[(&str, &str)]) -> (InProcess, Received) {
    let (site, received) = Site::new(|request| answer("200 OK", &[], &request.text()));
    (InProcess::start(&site.url(), NOWHERE, &[&own_tls()[..], more].concat()), received)
}

/// Kept for the whole run: flags are borrowed.
fn own_tls() -> [(&'static str, &'static str); 2] {
    const HERE: &str = env!("CARGO_MANIFEST_DIR");
    assert!(file("site.pem").starts_with(HERE));
    [
        ("tls-certificate", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/certificates/site.pem")),
        ("tls-key", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/certificates/site.key")),
    ]
}

#[test]
fn behind_own_tls_the_visitor_is_on_https() {
    let (proxy, received) = start(&[]);
    let mut visitor = visit(proxy.address, &[b"http/1.1"]);
    let claims = "X-Forwarded-Proto: http\r\nForwarded: for=198.51.100.1;proto=http\r\n";
    for _ in 0..2 {
        let request = format!("GET / HTTP/1.1\r\nHost: shop.example\r\n{claims}\r\n");
        assert_eq!(ask(&mut visitor, &request).status(), 200);
        let seen = received.next();
        assert_eq!(seen.all("x-forwarded-proto"), ["https"]);
        assert_eq!(seen.all("forwarded"), ["for=127.0.0.1;proto=https"]);
        assert_eq!(seen.header("host"), Some("shop.example"));
    }
}

#[test]
fn a_trusted_proxy_that_speaks_tls_with_us_knows_better_what_the_visitor_speaks() {
    let (proxy, received) = start(&[("trusted-proxy", "127.0.0.0/8")]);
    for (line, proto) in [("X-Forwarded-Proto: http\r\n", "http"), ("", "https")] {
        ask(&mut visit(proxy.address, &[]), &format!("GET / HTTP/1.1\r\nHost: shop.example\r\n{line}\r\n"));
        assert_eq!(received.next().all("x-forwarded-proto"), [proto]);
    }
}

#[test]
fn where_nothing_is_to_be_touched_tls_touches_nothing() {
    let (proxy, received) = start(&[("forwarded-headers", "untouched")]);
    ask(
        &mut visit(proxy.address, &[]),
        "GET / HTTP/1.1\r\nHost: a\r\nForwarded: for=_x\r\nX-Forwarded-Proto: http\r\n\r\n",
    );
    let seen = received.next();
    assert_eq!((seen.header("x-forwarded-for"), seen.header("x-forwarded-host")), (None, None));
    assert_eq!((seen.header("forwarded"), seen.header("x-forwarded-proto")), (Some("for=_x"), Some("http")));
}

#[test]
fn landing_cookies_are_secure_behind_tls_only() {
    let landing = "GET /?fbclid=IwAR0abcd1234 HTTP/1.1\r\nHost: shop.example\r\nSec-Fetch-Dest: document\r\nAccept: text/html\r\n\
                   User-Agent: Mozilla/5.0 (X11; Linux x86_64) Example/1.0\r\nCookie: cookieyes-consent=consentid:x,\
                   consent:yes,action:yes,necessary:yes,advertisement:yes\r\n\r\n";
    let (proxy, _received) = start(&[]);
    let reply = ask(&mut visit(proxy.address, &[]), landing);
    let cookie = reply.header("set-cookie").expect("a landing cookie").to_owned();
    assert!(cookie.starts_with("_fbc=fb.1.") && cookie.contains("; Secure"), "{cookie}");
    let (site, _received) = Site::new(|_| answer("200 OK", &[], ""));
    let clear = InProcess::start(&site.url(), NOWHERE, &[]);
    let reply = ask(&mut connect(clear.address), landing);
    assert!(!reply.header("set-cookie").unwrap().contains("Secure"));
}

#[test]
fn bodies_pass_whole_in_both_directions() {
    let (proxy, received) = start(&[]);
    let body: String = (0..300_000).map(|number| char::from(b'a' + u8::try_from(number % 23).unwrap())).collect();
    let mut visitor = visit(proxy.address, &[]);
    for framing in [format!("Content-Length: {}\r\n\r\n{body}", body.len()), {
        let (one, two) = body.split_at(100_001);
        format!("Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{one}\r\n{:x}\r\n{two}\r\n0\r\n\r\n", one.len(), two.len())
    }] {
        let reply = ask(&mut visitor, &format!("POST / HTTP/1.1\r\nHost: shop.example\r\n{framing}"));
        assert_eq!(reply.text(), body);
        assert_eq!(received.next().text(), body);
    }
}

#[test]
fn the_visitor_chooses_between_the_versions_and_http2_can_be_switched_off() {
    let agreed = |address, offered: &[&[u8]]| {
        let visitor = visit(address, offered);
        visitor.conn.alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned())
    };
    let (proxy, _received) = start(&[]);
    assert_eq!(agreed(proxy.address, &[b"h2", b"http/1.1"]).as_deref(), Some("h2"));
    assert_eq!(agreed(proxy.address, &[b"http/1.1", b"h2"]).as_deref(), Some("h2"), "ours is the order");
    assert_eq!(agreed(proxy.address, &[b"http/1.1"]).as_deref(), Some("http/1.1"));
    assert_eq!(agreed(proxy.address, &[]), None);
    assert!(secure(connect(proxy.address), &[b"acme-tls/1"]).is_err());
    let (without, _received) = start(&[("http2", "false")]);
    assert_eq!(agreed(without.address, &[b"h2", b"http/1.1"]).as_deref(), Some("http/1.1"));
}

#[test]
fn whoever_does_not_shake_hands_is_closed() {
    let (proxy, received) = start(&[("timeouts-header-read", "300ms")]);
    let mut clear = connect(proxy.address);
    clear.write_all(GET.as_bytes()).unwrap();
    let said = rest(&mut clear);
    assert!(said.len() < 32 && !said.starts_with(b"HTTP"), "an alert at most");
    let start = Instant::now();
    let mut silent = connect(proxy.address);
    silent.write_all(&[0x16, 0x03]).unwrap();
    assert!(rest(&mut silent).is_empty());
    assert!(start.elapsed() < Duration::from_secs(5));
    wait_until("both to be counted", || proxy.metric("capi_refused_connections_total") == 2);
    assert!(received.is_empty());
}

#[test]
fn a_tunnel_goes_through_tls_with_the_bytes_that_came_along() {
    let site = Site::raw(|mut stream| {
        read_message(&mut stream, true).unwrap();
        let head = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
        stream.write_all(format!("{head}early").as_bytes()).unwrap();
        let mut got = [0; 4];
        stream.read_exact(&mut got).unwrap();
        stream.write_all(&got).unwrap();
    });
    let proxy = InProcess::start(&site.url(), NOWHERE, &own_tls());
    let mut visitor = visit(proxy.address, &[b"http/1.1"]);
    let upgrade = "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    visitor.write_all(upgrade.as_bytes()).unwrap();
    assert_eq!(read_message(&mut visitor, true).unwrap().status(), 101);
    visitor.write_all(b"ping").unwrap();
    assert_eq!(rest(&mut visitor), b"earlyping");
}

fn sources(certificate: &str, key: &str) -> Sources {
    let flags = [
        ("upstream", "http://127.0.0.1:8000"),
        ("pixel-id", "1234567890"),
        ("tls-certificate", certificate),
        ("tls-key", key),
    ];
    let flags =
        flags.iter().filter(|(_, value)| !value.is_empty()).map(|(k, v)| ((*k).to_owned(), vec![(*v).to_owned()]));
    let env = [("CAPI_ACCESS_TOKEN".to_owned(), "test-token".to_owned())].into();
    Sources { file: None, env, flags: flags.collect() }
}

#[test]
fn certificates_that_cannot_work_are_configuration_errors_that_say_which_file() {
    let key = std::fs::read_to_string(file("other.key")).unwrap();
    let secret = key.lines().nth(1).unwrap();
    for (certificate, key, expected) in [
        (text("site.pem"), text("other.key"), "tls.key = "),
        (text("site.pem"), text("missing.key"), "no PEM private key can be read from"),
        (text("missing.pem"), text("site.key"), "tls.certificate = "),
        (text("other.key"), text("site.key"), "has no PEM certificate in it"),
        (text("site.pem"), text("site.pem"), "no PEM private key can be read from"),
        (text("site.pem"), String::new(), "tls.key: missing"),
        (String::new(), text("site.key"), "tls.certificate: missing"),
    ] {
        let errors = load(&sources(&certificate, &key), Purpose::Run).unwrap_err().to_string();
        assert!(errors.contains(expected) && !errors.contains(secret), "{expected}: {errors}");
    }
}

#[test]
fn a_new_certificate_is_shown_without_a_restart_and_a_bad_one_keeps_the_old() {
    let (site, _received) = Site::new(|_| answer("200 OK", &[], "fine"));
    let dir = tempfile::tempdir().unwrap();
    let (pem, key) = (dir.path().join("tls.pem"), dir.path().join("tls.key"));
    let install = |name: &str| {
        std::fs::copy(file(&format!("{name}.pem")), &pem).unwrap();
        std::fs::copy(file(&format!("{name}.key")), &key).unwrap();
    };
    install("site");
    let mut args = run_args(dir.path(), &site.url(), NOWHERE);
    args.extend([format!("--tls-certificate={}", pem.display()), format!("--tls-key={}", key.display())]);
    let sidecar = Process::sidecar(&args.iter().map(String::as_str).collect::<Vec<_>>());
    let address: SocketAddr = sidecar.address("address");
    let mut open = visit(address, &[]);
    assert_eq!(shown(&open), certificate("site.pem"));

    // Half of a renewal: the key is still the old one. What is served goes on.
    std::fs::copy(file("renewed.pem"), &pem).unwrap();
    let hang_up = || {
        let status = std::process::Command::new("kill").args(["-HUP", &sidecar.id().to_string()]).status().unwrap();
        assert!(status.success());
    };
    hang_up();
    wait_until("it to be refused", || sidecar.output().contains("configuration not reloaded, the running one stays"));
    assert!(sidecar.output().contains("the key belongs to another certificate"), "{}", sidecar.output());
    assert_eq!(shown(&visit(address, &[])), certificate("site.pem"));

    std::fs::copy(file("renewed.key"), &key).unwrap();
    hang_up();
    wait_until("the new one to be shown", || shown(&visit(address, &[])) == certificate("renewed.pem"));
    assert_eq!(ask(&mut open, GET).text(), "fine", "connections that were open go on");
    assert_eq!(shown(&open), certificate("site.pem"));

    // A change of the files is enough.
    install("site");
    wait_until("the files to be noticed", || shown(&visit(address, &[])) == certificate("site.pem"));
}

#[test]
#[ignore = "needs curl"]
fn curl_verifies_the_certificate_and_agrees_on_a_version() {
    let (proxy, received) = start(&[]);
    let url = format!("https://localhost:{}/", proxy.address.port());
    let authority = text("authority.pem");
    for (version, expected) in [("--http1.1", "1.1"), ("--http2", "2")] {
        let said =
            curl(&["--cacert", &authority, version, "-o", "/dev/null", "-w", "%{http_version} %{http_code}", &url]);
        assert_eq!(said, format!("{expected} 200"));
        assert_eq!(received.next().header("x-forwarded-proto"), Some("https"));
    }
}
