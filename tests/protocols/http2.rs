//! HTTP/2 with visitors: by prior knowledge and over TLS.

use std::future::{Future, poll_fn};
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::RecvStream;
use h2::client::SendRequest;
use http::{HeaderMap, Request, Response};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::NOWHERE;
use crate::graph::Graph;
use crate::peers::{ask, client_config, curl, rest, text};
use crate::support::{InProcess, PATIENCE, Site, answer, connect, read_message, wait_until};

fn on_a_runtime<T>(test: impl Future<Output = T>) -> T {
    on_a_runtime_for(PATIENCE, test)
}

fn on_a_runtime_for<T>(patience: Duration, test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(patience, test).await.expect("nothing hangs") })
}

type Ended = JoinHandle<Result<(), h2::Error>>;

async fn client(io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> (SendRequest<Bytes>, Ended) {
    let (sender, connection) = h2::client::handshake(io).await.unwrap();
    (sender.ready().await.unwrap(), tokio::spawn(connection))
}

async fn visit(address: SocketAddr) -> (SendRequest<Bytes>, Ended) {
    client(TcpStream::connect(address).await.unwrap()).await
}

fn get(path: &str) -> http::request::Builder {
    Request::builder().uri(format!("http://shop.example{path}"))
}

/// Sends a request with a body, if there is one, and waits for the head of the answer.
async fn send(
    sender: &mut SendRequest<Bytes>,
    request: Request<()>,
    body: Option<&'static [u8]>,
) -> Result<Response<RecvStream>, h2::Error> {
    let (answer, mut upload) = sender.send_request(request, body.is_none())?;
    if let Some(body) = body {
        upload.send_data(Bytes::from_static(body), true)?;
    }
    answer.await
}

/// The whole body, and the trailers.
async fn read(answer: Response<RecvStream>) -> Result<(Vec<u8>, Option<HeaderMap>), h2::Error> {
    let mut body = answer.into_body();
    let mut all = Vec::new();
    while let Some(data) = body.data().await {
        let data = data?;
        all.extend_from_slice(&data);
        body.flow_control().release_capacity(data.len())?;
    }
    Ok((all, body.trailers().await?))
}

#[test]
fn a_request_becomes_one_of_http1_and_its_answer_comes_back() {
    let (site, received) = Site::new(|_| {
        answer(
            "203 Non-Authoritative Information",
            &["Set-Cookie: a=1", "Set-Cookie: b=2", "Connection: X-Hop", "X-Hop: 1"],
            "fine",
        )
    });
    let proxy = InProcess::start(&site.url(), NOWHERE, &[]);
    on_a_runtime(async {
        let (mut sender, _ended) = visit(proxy.address).await;
        let request = get("/a/../b?x=%2F")
            .header("cookie", "a=1")
            .header("x-between", "y")
            .header("cookie", "b=2")
            .header("te", "trailers")
            .header("x-forwarded-proto", "https")
            .header("x_forwarded_for", "198.51.100.66");
        let answer = send(&mut sender, request.body(()).unwrap(), None).await.unwrap();
        assert_eq!(answer.status(), 203);
        let cookies: Vec<_> = answer.headers().get_all("set-cookie").iter().collect();
        assert_eq!(cookies, ["a=1", "b=2"]);
        assert!(!answer.headers().contains_key("connection") && !answer.headers().contains_key("x-hop"));
        assert_eq!(read(answer).await.unwrap().0, b"fine");
    });
    let seen = received.next();
    assert_eq!(seen.first_line(), "GET /a/../b?x=%2F HTTP/1.1");
    assert_eq!(seen.all("host"), ["shop.example"]);
    assert_eq!(seen.all("cookie"), ["a=1; b=2"]);
    assert_eq!((seen.header("te"), seen.header("connection")), (Some("trailers"), Some("te")));
    assert_eq!(
        (seen.header("x-forwarded-proto"), seen.header("x-forwarded-host")),
        (Some("http"), Some("shop.example"))
    );
    assert_eq!((seen.header("x_forwarded_for"), seen.header("transfer-encoding")), (None, None));
}

#[test]
fn bodies_are_framed_for_http1_and_trailers_pass() {
    let (site, received) = Site::new(|request| match request.first_line() {
        "POST /trailers HTTP/1.1" => {
            b"HTTP/1.1 200 OK\r\nTrailer: x-sum\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nx-sum: 7\r\n\r\n"
                .to_vec()
        }
        _ => answer("200 OK", &[], "ok"),
    });
    let proxy = InProcess::start(&site.url(), NOWHERE, &[]);
    on_a_runtime(async {
        let (mut sender, _ended) = visit(proxy.address).await;
        let post = |path: &str| get(path).method("POST");
        let request = post("/trailers").header("trailer", "x-check").body(()).unwrap();
        let (answer, mut upload) = sender.send_request(request, false).unwrap();
        upload.send_data(Bytes::from_static(b"abc"), false).unwrap();
        upload.send_trailers(HeaderMap::from_iter([("x-check".parse().unwrap(), "9".parse().unwrap())])).unwrap();
        let (body, trailers) = read(answer.await.unwrap()).await.unwrap();
        assert_eq!((body.as_slice(), trailers.unwrap()["x-sum"].as_bytes()), (&b"ok"[..], &b"7"[..]));
        let sized = post("/sized").header("content-length", "3").body(()).unwrap();
        assert_eq!(send(&mut sender, sized, Some(b"abc")).await.unwrap().status(), 200);
        let bare = post("/bare").body(()).unwrap();
        assert_eq!(send(&mut sender, bare, None).await.unwrap().status(), 200);
    });
    let seen = received.next();
    assert_eq!((seen.header("transfer-encoding"), seen.text()), (Some("chunked"), "abc".to_owned()));
    let raw = String::from_utf8_lossy(&seen.raw);
    assert!(raw.ends_with("\r\n0\r\nx-check: 9\r\n\r\n"), "{raw}");
    let seen = received.next();
    assert_eq!(
        (seen.header("content-length"), seen.header("transfer-encoding"), seen.text()),
        (Some("3"), None, "abc".into())
    );
    let seen = received.next();
    assert_eq!((seen.header("transfer-encoding"), seen.text()), (None, String::new()));
}

#[test]
fn an_expectation_reaches_the_site_and_a_body_that_comes_unasked_is_passed_on() {
    let (site, received) = Site::new(|_| answer("200 OK", &[], "fine"));
    let proxy = InProcess::start(&site.url(), NOWHERE, &[]);
    on_a_runtime(async {
        let (mut sender, _ended) = visit(proxy.address).await;
        let request = get("/").method("POST").header("expect", "100-continue").body(()).unwrap();
        let (mut answer, mut upload) = sender.send_request(request, false).unwrap();
        // hyper has no way to send an informational answer over HTTP/2.
        let silence = tokio::time::timeout(Duration::from_millis(300), poll_fn(|cx| answer.poll_informational(cx)));
        assert!(silence.await.is_err());
        upload.send_data(Bytes::from_static(b"abc"), true).unwrap();
        assert_eq!(answer.await.unwrap().status(), 200);
    });
    let seen = received.next();
    assert_eq!((seen.header("expect"), seen.text()), (Some("100-continue"), "abc".to_owned()));
}

#[test]
fn what_is_ambiguous_never_reaches_the_site() {
    let (site, received) = Site::new(|_| answer("200 OK", &[], ""));
    let proxy = InProcess::start(&site.url(), NOWHERE, &[("limits-max-headers", "20")]);
    on_a_runtime(async {
        let (mut sender, _ended) = visit(proxy.address).await;
        let many = (0..30).fold(get("/"), |request, number| request.header(format!("x-{number}"), "y"));
        for (request, status) in [
            (get("/").header("host", "evil.example"), 400),
            (get("/").header("host", "shop.example").header("host", "evil.example"), 400),
            (Request::builder().method("CONNECT").uri("shop.example:443"), 405),
            (many, 431),
        ] {
            let answer = send(&mut sender, request.body(()).unwrap(), None).await.unwrap();
            assert_eq!(answer.status(), status);
            assert!(!answer.headers().contains_key("connection"));
        }
        // What HTTP/2 itself forbids ends in a reset (RFC 9113 8.2.2).
        for line in [("connection", "x"), ("transfer-encoding", "chunked"), ("upgrade", "websocket"), ("te", "gzip")] {
            let request = get("/").header(line.0, line.1).body(()).unwrap();
            assert!(send(&mut sender, request, None).await.is_err(), "{line:?}");
        }
    });
    assert!(received.is_empty());
}

#[test]
fn a_head_of_more_bytes_than_allowed_is_refused() {
    let (site, received) = Site::new(|_| answer("200 OK", &[], ""));
    let proxy = InProcess::start(&site.url(), NOWHERE, &[("limits-max-head-bytes", "8KiB")]);
    on_a_runtime(async {
        let (mut sender, _ended) = visit(proxy.address).await;
        let request = get("/").header("x-long", "y".repeat(10_000)).body(()).unwrap();
        let refused = send(&mut sender, request, None).await;
        assert!(refused.is_err() || refused.is_ok_and(|answer| answer.status() == 431));
    });
    assert!(received.is_empty());
}

#[test]
fn prior_knowledge_is_recognised_however_it_is_cut_and_http1_is_not_mistaken_for_it() {
    let (site, received) = Site::new(|_| answer("200 OK", &[], "fine"));
    let proxy = InProcess::start(&site.url(), NOWHERE, &[]);
    let mut visitor = connect(proxy.address);
    for byte in b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0" {
        visitor.write_all(&[*byte]).unwrap();
    }
    let mut frame = [0; 9];
    visitor.read_exact(&mut frame).unwrap();
    assert_eq!(frame[3], 4, "its SETTINGS");
    for pieces in
        [["P", "UT / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"], ["PR", "OPFIND / HTTP/1.1\r\nHost: a\r\n\r\n"]]
    {
        let mut visitor = connect(proxy.address);
        visitor.write_all(pieces[0].as_bytes()).unwrap();
        thread::sleep(Duration::from_millis(50));
        assert_eq!(ask(&mut visitor, pieces[1]).text(), "fine");
        assert_eq!(received.next().first_line(), format!("{}{}", pieces[0], pieces[1].lines().next().unwrap()));
    }
    // Only at the beginning of a connection, and only if it is allowed.
    let mut visitor = connect(proxy.address);
    assert_eq!(ask(&mut visitor, "GET / HTTP/1.1\r\nHost: a\r\n\r\n").status(), 200);
    let without = InProcess::start(&site.url(), NOWHERE, &[("http2", "false")]);
    for mut visitor in [visitor, connect(without.address)] {
        visitor.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").unwrap();
        assert!(rest(&mut visitor).is_empty());
    }
    let full = InProcess::start(&site.url(), NOWHERE, &[("plain-way", "false")]);
    on_a_runtime(async {
        let (mut sender, _ended) = visit(full.address).await;
        assert_eq!(send(&mut sender, get("/").body(()).unwrap(), None).await.unwrap().status(), 200);
    });
    assert_eq!(ask(&mut connect(full.address), "GET / HTTP/1.1\r\nHost: a\r\n\r\n").status(), 200);
}

#[test]
fn over_tls_the_visitor_is_on_https() {
    let (site, received) = Site::new(|_| answer("200 OK", &[], "fine"));
    let (certificate, key) = (text("site.pem"), text("site.key"));
    let proxy = InProcess::start(&site.url(), NOWHERE, &[("tls-certificate", &certificate), ("tls-key", &key)]);
    on_a_runtime(async {
        let connector = tokio_rustls::TlsConnector::from(Arc::new(client_config(&[b"h2"])));
        let tcp = TcpStream::connect(proxy.address).await.unwrap();
        let stream = connector.connect(ServerName::try_from("localhost").unwrap(), tcp).await.unwrap();
        let (mut sender, _ended) = client(stream).await;
        let request = Request::builder().uri("https://shop.example/").body(()).unwrap();
        assert_eq!(read(send(&mut sender, request, None).await.unwrap()).await.unwrap().0, b"fine");
    });
    assert_eq!(received.next().header("x-forwarded-proto"), Some("https"));
}

#[test]
fn a_form_over_http2_becomes_a_lead_of_an_https_page() {
    let graph = Graph::start();
    let (site, _received) = Site::new(|_| answer("303 See Other", &["Location: /thank-you"], ""));
    let (certificate, key) = (text("site.pem"), text("site.key"));
    let proxy = InProcess::start(&site.url(), &graph.url(), &[("tls-certificate", &certificate), ("tls-key", &key)]);
    on_a_runtime(async {
        let connector = tokio_rustls::TlsConnector::from(Arc::new(client_config(&[b"h2"])));
        let tcp = TcpStream::connect(proxy.address).await.unwrap();
        let stream = connector.connect(ServerName::try_from("localhost").unwrap(), tcp).await.unwrap();
        let (mut sender, _ended) = client(stream).await;
        let request = Request::builder()
            .method("POST")
            .uri("https://shop.example/quote")
            .header("user-agent", "Mozilla/5.0 (X11; Linux x86_64) Example/1.0")
            .header("content-type", "application/x-www-form-urlencoded")
            .header("referer", "https://shop.example/quote")
            // In crumbs, as browsers send them: the banner's answer is in the second.
            .header("cookie", "session=1")
            .header("cookie", "cookieyes-consent=consentid:x,consent:yes,action:yes,necessary:yes,advertisement:yes")
            .body(())
            .unwrap();
        assert_eq!(send(&mut sender, request, Some(b"email=ana%40example.com")).await.unwrap().status(), 303);
    });
    graph.wait_for(1, PATIENCE);
    let event = &graph.events()[0];
    assert_eq!(event["event_source_url"], "https://shop.example/quote");
    assert!(event["user_data"]["em"][0].is_string(), "{event}");
}

#[test]
fn streams_go_on_side_by_side_and_share_the_workers_connections() {
    let (site, _received) = Site::new(|request| {
        thread::sleep(Duration::from_millis(200));
        answer("200 OK", &[], request.first_line())
    });
    let proxy = InProcess::start(&site.url(), NOWHERE, &[]);
    let start = Instant::now();
    on_a_runtime(async {
        let (sender, _ended) = visit(proxy.address).await;
        let mut waiting = Vec::new();
        for number in 0..50 {
            let mut sender = sender.clone().ready().await.unwrap();
            waiting.push(tokio::spawn(async move {
                let answer = send(&mut sender, get(&format!("/{number}")).body(()).unwrap(), None).await.unwrap();
                let expected = format!("GET /{number} HTTP/1.1");
                assert_eq!(read(answer).await.unwrap().0, expected.as_bytes());
            }));
        }
        for stream in waiting {
            stream.await.unwrap();
        }
    });
    assert!(start.elapsed() < Duration::from_secs(8), "one after the other they would take ten seconds");
}

#[test]
fn a_visitor_who_gives_a_stream_up_ends_the_sites_work_and_no_other_stream() {
    let ended = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&ended);
    let site = Site::raw(move |mut stream| {
        let Some(request) = read_message(&mut stream, false) else { return };
        if request.first_line().contains("/endless") {
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
            while stream.write_all(&[b'x'; 4096]).is_ok() {
                thread::sleep(Duration::from_millis(1));
            }
            count.fetch_add(1, Ordering::SeqCst);
        } else if request.first_line().contains("/silent") {
            // Nothing is answered; the end of the connection is seen.
            assert_eq!(stream.read(&mut [0]).unwrap_or_default(), 0);
            count.fetch_add(1, Ordering::SeqCst);
        } else {
            stream.write_all(&answer("200 OK", &[], "fine")).unwrap();
        }
    });
    let proxy = InProcess::start(&site.url(), NOWHERE, &[]);
    on_a_runtime(async {
        let (mut sender, _ended) = visit(proxy.address).await;
        let endless = send(&mut sender, get("/endless").body(()).unwrap(), None).await.unwrap();
        let (silent, _) = sender.send_request(get("/silent").body(()).unwrap(), true).unwrap();
        assert!(tokio::time::timeout(Duration::from_millis(300), silent).await.is_err());
        drop(endless);
        while ended.load(Ordering::SeqCst) < 2 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(send(&mut sender, get("/").body(()).unwrap(), None).await.unwrap().status(), 200);
    });
}

#[test]
fn an_answer_that_breaks_off_ends_in_a_reset() {
    let site = Site::raw(|mut stream| {
        read_message(&mut stream, false);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
    });
    let proxy = InProcess::start(&site.url(), NOWHERE, &[]);
    on_a_runtime(async {
        let (mut sender, _ended) = visit(proxy.address).await;
        let answer = send(&mut sender, get("/").body(()).unwrap(), None).await.unwrap();
        assert!(read(answer).await.is_err());
    });
}

#[test]
fn an_upload_that_the_site_does_not_read_stops_and_leaves_room_for_others() {
    let site = Site::raw(|mut stream| {
        let mut head = [0; 1];
        stream.read_exact(&mut head).unwrap();
        if head == *b"P" {
            thread::sleep(Duration::from_secs(2));
            return;
        }
        read_message(&mut stream, false);
        stream.write_all(&answer("200 OK", &[], "fine")).unwrap();
    });
    let proxy = InProcess::start(&site.url(), NOWHERE, &[]);
    on_a_runtime(async {
        let (mut sender, _ended) = visit(proxy.address).await;
        let (_answer, mut upload) = sender.send_request(get("/").method("POST").body(()).unwrap(), false).unwrap();
        let mut sent = 0;
        upload.reserve_capacity(64 * 1024 * 1024);
        while let Ok(Some(Ok(room))) =
            tokio::time::timeout(Duration::from_millis(500), poll_fn(|cx| upload.poll_capacity(cx))).await
        {
            upload.send_data(Bytes::from(vec![b'x'; room]), false).unwrap();
            sent += room;
        }
        assert!(sent > 64 * 1024 && sent < 32 * 1024 * 1024, "{sent} bytes were taken for a site that reads nothing");
        assert_eq!(send(&mut sender, get("/").body(()).unwrap(), None).await.unwrap().status(), 200);
    });
}

#[test]
fn a_drain_says_so_and_finishes_what_is_under_way() {
    let (site, received) = Site::new(|_| {
        thread::sleep(Duration::from_millis(500));
        answer("200 OK", &[], "finished")
    });
    let proxy = InProcess::start(&site.url(), NOWHERE, &[("timeouts-drain", "5s")]);
    let address = proxy.address;
    let visitor = thread::spawn(move || {
        on_a_runtime(async {
            let (mut sender, ended) = visit(address).await;
            let (answer, _) = sender.send_request(get("/").body(()).unwrap(), true).unwrap();
            let (body, _) = read(answer.await.unwrap()).await.unwrap();
            assert_eq!(body, b"finished");
            // GOAWAY without an error: the connection ends by itself, and takes no other request.
            assert!(sender.ready().await.is_err());
            ended.await.unwrap().unwrap();
        });
    });
    wait_until("the request to be at the site", || proxy.metric("capi_requests_total") == 1);
    let start = Instant::now();
    proxy.stop();
    assert!(start.elapsed() < Duration::from_secs(4), "the drain does not wait for its deadline");
    visitor.join().unwrap();
    drop(received);
}

#[test]
fn a_connection_without_requests_is_ended_with_a_goodbye() {
    let (site, _received) = Site::new(|_| answer("200 OK", &[], "fine"));
    let proxy = InProcess::start(&site.url(), NOWHERE, &[("timeouts-header-read", "500ms")]);
    on_a_runtime(async {
        let (mut sender, ended) = visit(proxy.address).await;
        assert_eq!(read(send(&mut sender, get("/").body(()).unwrap(), None).await.unwrap()).await.unwrap().0, b"fine");
        ended.await.unwrap().expect("GOAWAY without an error");
    });
    // Half a preface is no connection either.
    let mut visitor = connect(proxy.address);
    visitor.write_all(b"PRI * HT").unwrap();
    assert!(rest(&mut visitor).is_empty());
}

#[test]
#[ignore = "needs three quarters of a minute"]
fn a_visitor_who_has_vanished_is_noticed_though_an_answer_is_still_waited_for() {
    let (left, gone) = mpsc::channel();
    let site = Site::raw(move |mut stream| {
        read_message(&mut stream, false);
        // Nothing is answered; the end of the connection is seen.
        stream.set_read_timeout(None).unwrap();
        assert_eq!(stream.read(&mut [0]).unwrap_or_default(), 0);
        left.send(()).unwrap();
    });
    let proxy = InProcess::start(&site.url(), NOWHERE, &[]);
    let mut vanished = connect(proxy.address);
    // SETTINGS, and :method GET, :scheme http, :path /, :authority a. Its PINGs stay unanswered; the socket is fine.
    let mut request = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
    request.extend(b"\0\0\x06\x01\x05\0\0\0\x01\x82\x86\x84\x41\x01a");
    vanished.write_all(&request).unwrap();
    on_a_runtime_for(Duration::from_secs(60), async {
        // Who answers them is not taken for gone.
        let (mut sender, _ended) = visit(proxy.address).await;
        let (mut answer, _) = sender.send_request(get("/").body(()).unwrap(), true).unwrap();
        assert!(tokio::time::timeout(Duration::from_secs(55), &mut answer).await.is_err());
    });
    gone.try_recv().expect("the site's work for the first was ended");
    assert!(gone.try_recv().is_err(), "and that for the second was not");
}

#[test]
fn answers_that_nobody_reads_are_given_up() {
    let over = Arc::new(Mutex::new(false));
    let end = Arc::clone(&over);
    let site = Site::raw(move |mut stream| {
        read_message(&mut stream, false);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n");
        while stream.write_all(&[b'x'; 8 * 1024]).is_ok() {}
        *end.lock().unwrap() = true;
    });
    let proxy = InProcess::start(&site.url(), NOWHERE, &[("timeouts-body-stall", "500ms")]);
    on_a_runtime(async {
        let (mut sender, _ended) = visit(proxy.address).await;
        // Its window is not opened again: the socket is fine all the time.
        let _answer = send(&mut sender, get("/").body(()).unwrap(), None).await.unwrap();
        while !*over.lock().unwrap() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
}

#[test]
fn a_flood_of_resets_ends_the_connection() {
    let (site, _received) = Site::new(|_| {
        thread::sleep(Duration::from_millis(50));
        answer("200 OK", &[], "")
    });
    let proxy = InProcess::start(&site.url(), NOWHERE, &[]);
    let mut flood = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
    // :method GET, :scheme http, :path /, :authority a; and its reset (CVE-2023-44487).
    let head = [0x82, 0x86, 0x84, 0x41, 0x01, b'a'];
    for stream in (1..4001_u32).step_by(2) {
        flood.extend([0, 0, 6, 1, 5]);
        flood.extend(stream.to_be_bytes());
        flood.extend(head);
        flood.extend([0, 0, 4, 3, 0]);
        flood.extend(stream.to_be_bytes());
        flood.extend(8_u32.to_be_bytes());
    }
    let mut visitor = connect(proxy.address);
    let _ = visitor.write_all(&flood);
    let said = rest(&mut visitor);
    // GOAWAY with ENHANCE_YOUR_CALM, or at least an end before all was taken.
    assert!(said.len() < 100_000);
    assert!(proxy.metric("capi_requests_total") < 1000, "{}", proxy.metric("capi_requests_total"));
}

#[test]
#[ignore = "needs curl"]
fn curl_speaks_http2_by_prior_knowledge() {
    let (site, received) = Site::new(|request| answer("200 OK", &[], &request.text()));
    let proxy = InProcess::start(&site.url(), NOWHERE, &[]);
    let url = format!("http://{}/", proxy.address);
    let said = curl(&["--http2-prior-knowledge", "-d", "a=b", "-w", " %{http_version}", &url]);
    assert_eq!(said, "a=b 2");
    assert_eq!(received.next().text(), "a=b");
}
