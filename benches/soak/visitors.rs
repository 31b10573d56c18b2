//! The mix: each kind of visitor on a thread of its own, at a constant rate; some 300 requests a second together.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::ledger::Ledger;

/// Everybody who visits.
pub struct Visitors<'a> {
    pub port: u16,
    pub ledger: &'a Ledger,
    pub stop: AtomicBool,
    /// The next new one.
    pub number: &'a AtomicU64,
}

const HEAD: &str = "Host: shop.example\r\nAccept: text/html,application/xhtml+xml\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Example/1.0\r\n";
const GRANTED: &str = "cookieyes-consent=consentid:x,consent:yes,action:yes,necessary:yes,advertisement:yes";
const DENIED: &str = "cookieyes-consent=consentid:x,consent:no,action:yes,necessary:yes,advertisement:no";
/// Set aside for films and examples, as they are typed in their countries.
const PHONES: &[&str] =
    &["%2B1+650+555+01", "%2B44+7700+9001", "%2B49+171+55501", "%2B33+1+99+00+12+", "%2B61+491+570+1"];

/// How soon the end is noticed.
const NOTICED: Duration = Duration::from_millis(100);
/// What a wave brings, and how long it stays.
const WAVE: usize = 300;
const WAVE_STAYS: Duration = Duration::from_secs(5);
/// Tunnels at a time.
const TUNNELS: usize = 20;

/// When one kind has gone, because something was wrong, the others go too.
struct Leaving<'a>(&'a AtomicBool);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Visitors<'_> {
    /// Sends everybody until `stop` is set.
    pub fn run(&self) {
        let kinds: [fn(&Self); 11] = [
            Self::keep,
            Self::come_anew,
            Self::read_pages,
            Self::land,
            Self::post,
            Self::post_without_consent,
            Self::come_in_waves,
            Self::leave_early,
            Self::dawdle,
            Self::tunnel,
            Self::speak_http2,
        ];
        thread::scope(|scope| {
            for kind in kinds {
                scope.spawn(move || {
                    let _others = Leaving(&self.stop);
                    kind(self);
                });
            }
        });
    }

    /// Does something at this pace. What comes too late is left out: the rest must not come in a burst.
    fn every(&self, pause: Duration, mut act: impl FnMut(usize)) {
        let mut due = Instant::now();
        for number in 0.. {
            while Instant::now() < due && !self.stop.load(Ordering::Relaxed) {
                thread::sleep(due.saturating_duration_since(Instant::now()).min(NOTICED));
            }
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            act(number);
            due = (due + pause).max(Instant::now());
        }
    }

    /// Somebody who was never here: a number, and header lines with an address of RFC 2544's networks.
    fn somebody(&self) -> (u64, String) {
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let address = format!("198.{}.{}.{}", 18 + (number >> 16) % 2, (number >> 8) % 256, number % 256);
        (number, format!("{HEAD}X-Forwarded-For: {address}\r\n"))
    }

    fn open(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).expect("the sidecar accepts");
        stream.set_nodelay(true).expect("an option");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
        stream
    }

    fn keep(&self) {
        let mut streams: Vec<_> = (0..8).map(|_| self.open()).collect();
        self.every(Duration::from_millis(10), |n| {
            ask(&mut streams[n % 8], &format!("GET / HTTP/1.1\r\n{HEAD}\r\n"), "200");
        });
    }

    fn come_anew(&self) {
        self.every(Duration::from_millis(25), |_| {
            ask(&mut self.open(), &format!("GET /browser HTTP/1.1\r\n{HEAD}Connection: close\r\n\r\n"), "200");
        });
    }

    /// Documents with a form; now and then at an address that nobody has seen.
    fn read_pages(&self) {
        let mut stream = self.open();
        self.every(Duration::from_millis(25), |n| {
            let (number, head) = self.somebody();
            let page = if n % 8 == 0 { number } else { number % 20 };
            let document = "Sec-Fetch-Dest: document\r\nSec-Fetch-Mode: navigate\r\n";
            ask(&mut stream, &format!("GET /contact/{page} HTTP/1.1\r\n{head}{document}\r\n"), "200");
        });
    }

    fn land(&self) {
        let mut stream = self.open();
        self.every(Duration::from_millis(33), |_| {
            let (number, head) = self.somebody();
            let request = format!(
                "GET /landing?fbclid=IwAR0abcdefghijklmnop{number:012} HTTP/1.1\r\n{head}Cookie: {GRANTED}\r\n\
                 Sec-Fetch-Dest: document\r\nSec-Fetch-Mode: navigate\r\n\r\n"
            );
            let answer = ask(&mut stream, &request, "200");
            assert!(answer.contains("_fbc=fb."), "a landing got no cookie: {answer}");
        });
    }

    /// Ever new visitors; every sixth submits twice.
    fn post(&self) {
        let mut stream = self.open();
        self.every(Duration::from_millis(33), |n| {
            let (number, head) = self.somebody();
            let email = format!("visitor{number}@example.com");
            let phone = PHONES[n % PHONES.len()];
            let body = format!("email={}&phone={phone}{:02}&message=a+quote", email.replace('@', "%40"), number % 100);
            let request = form(&head, GRANTED, &body);
            ask(&mut stream, &request, "303");
            self.ledger.posted(&email);
            if n % 6 == 0 {
                ask(&mut stream, &request, "303");
            }
        });
    }

    fn post_without_consent(&self) {
        self.every(Duration::from_millis(300), |_| {
            let (number, head) = self.somebody();
            let request = form(&head, DENIED, &format!("email=denied{number}%40example.com&message=a+quote"));
            ask(&mut self.open(), &request, "303");
            self.ledger.denied();
        });
    }

    fn come_in_waves(&self) {
        self.every(WAVE_STAYS * 4, |_| {
            let mut wave: Vec<_> = (0..WAVE).map(|_| self.open()).collect();
            for stream in &mut wave {
                ask(stream, &format!("GET / HTTP/1.1\r\n{HEAD}\r\n"), "200");
            }
            thread::sleep(WAVE_STAYS);
        });
    }

    /// In the middle of a head, of a form, of a download.
    fn leave_early(&self) {
        self.every(Duration::from_millis(100), |n| {
            let (number, head) = self.somebody();
            let mut stream = self.open();
            let request = match n % 3 {
                0 => format!("GET /half HTTP/1.1\r\n{head}"),
                1 => form(&head, GRANTED, &format!("email=gone{number}%40example.com&message=a+quote")),
                _ => format!("GET /download.bin HTTP/1.1\r\n{head}\r\n"),
            };
            let sent = request.len() - if n % 3 == 1 { 10 } else { 0 };
            stream.write_all(&request.as_bytes()[..sent]).expect("the sidecar reads");
            if n % 3 == 2 {
                stream.read_exact(&mut [0; 1024]).expect("a download begins");
            } else {
                thread::sleep(Duration::from_millis(5));
            }
        });
    }

    /// A head in pieces, then a download of which only some is read, slowly; eight at a time.
    fn dawdle(&self) {
        let mut slow = VecDeque::new();
        self.every(Duration::from_millis(50), |n| {
            if n % 20 == 0 {
                slow.push_back((self.open(), 0));
            }
            let request = format!("GET /download.bin HTTP/1.1\r\n{HEAD}\r\n");
            for (stream, sent) in &mut slow {
                if let Some(piece) = request.as_bytes().chunks(4).nth(*sent) {
                    stream.write_all(piece).expect("the sidecar reads");
                    *sent += 1;
                } else {
                    stream.read_exact(&mut [0; 1024]).expect("a download goes on");
                }
            }
            if slow.len() > 8 {
                slow.pop_front();
            }
        });
    }

    /// Some at a time, each used now and then; the oldest goes.
    fn tunnel(&self) {
        let mut tunnels = VecDeque::new();
        self.every(Duration::from_millis(500), |_| {
            let mut stream = self.open();
            let request = format!("GET /live HTTP/1.1\r\n{HEAD}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
            stream.write_all(request.as_bytes()).expect("the sidecar reads");
            let answer = read_head(&mut stream);
            assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
            tunnels.push_back(stream);
            for stream in &mut tunnels {
                let mut echo = [0; 4];
                stream.write_all(b"ping").expect("the tunnel takes it");
                stream.read_exact(&mut echo).expect("an echo");
                assert_eq!(&echo, b"ping");
            }
            if tunnels.len() > TUNNELS {
                tunnels.pop_front();
            }
        });
    }

    /// Ten requests over a connection, the last answer of which is not waited for.
    fn speak_http2(&self) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        self.every(Duration::from_millis(500), |_| {
            let visit = async {
                let stream = tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await?;
                let (sender, connection) = h2::client::handshake(stream).await.map_err(std::io::Error::other)?;
                let connection = tokio::spawn(connection);
                let mut sender = sender.ready().await.map_err(std::io::Error::other)?;
                for path in ["/", "/browser", "/contact.html"].iter().cycle().take(9) {
                    let status = http2_get(&mut sender, path).await.map_err(std::io::Error::other)?;
                    assert_eq!(status, 200, "{path} over HTTP/2");
                }
                let request = http::Request::get("http://shop.example/download.bin").body(()).expect("a request");
                drop(sender.send_request(request, true));
                drop(sender);
                connection.abort();
                Ok::<_, std::io::Error>(())
            };
            runtime.block_on(visit).expect("HTTP/2 is served");
        });
    }
}

async fn http2_get(sender: &mut h2::client::SendRequest<Bytes>, path: &str) -> Result<u16, h2::Error> {
    let request = http::Request::get(format!("http://shop.example{path}")).body(()).expect("a request");
    let answer = sender.send_request(request, true)?.0.await?;
    let status = answer.status().as_u16();
    let mut body = answer.into_body();
    while let Some(data) = body.data().await {
        body.flow_control().release_capacity(data?.len())?;
    }
    Ok(status)
}

fn form(head: &str, consent: &str, body: &str) -> String {
    format!(
        "POST /quote HTTP/1.1\r\n{head}Referer: http://shop.example/contact/1\r\nCookie: {consent}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Sends a request and reads its whole answer; its head.
fn ask(stream: &mut TcpStream, request: &str, status: &str) -> String {
    stream.write_all(request.as_bytes()).expect("the sidecar reads");
    let head = read_head(stream);
    assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{request} was answered with {head}");
    let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    stream.read_exact(&mut vec![0; length.expect("a length")]).expect("the whole answer");
    head
}

/// Byte by byte would be simpler, and cost the machine more than the sidecar does: looks first, then takes.
fn read_head(stream: &mut TcpStream) -> String {
    let mut bytes = [0; 8 * 1024];
    let mut seen = 0;
    loop {
        let count = stream.peek(&mut bytes).expect("an answer");
        assert!(count > 0, "the connection ended before the answer");
        if let Some(end) = bytes[..count].windows(4).position(|window| window == b"\r\n\r\n") {
            stream.read_exact(&mut bytes[..end + 4]).expect("what was seen");
            return String::from_utf8_lossy(&bytes[..end + 4]).into_owned();
        }
        // Half a head: the rest is on its way.
        if count == seen {
            thread::sleep(Duration::from_millis(1));
        }
        seen = count;
    }
}

/// A site's own end of a tunnel: switches protocols and says what it hears.
pub fn echo() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("its port").port();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            thread::spawn(move || repeat(&mut stream));
        }
    });
    port
}

fn repeat(stream: &mut TcpStream) -> std::io::Result<()> {
    read_head(stream);
    stream.write_all(b"HTTP/1.1 101 -\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")?;
    let mut bytes = [0; 64];
    loop {
        match stream.read(&mut bytes)? {
            0 => return Ok(()),
            count => stream.write_all(&bytes[..count])?,
        }
    }
}
