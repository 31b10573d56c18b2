//! What a visitor who submits a form notices of a Graph that is a black hole: it takes connections and never answers.
//!
//! Three sidecars stand before the same site, each with a store of its own, on one core, and are loaded in the same
//! moments by visitors of the same pace, so that what else the machine does touches all of them. Two have a Graph that
//! accepts at once; what they differ in is the noise of the method, and the third is compared with the first of them.
//! Time counts from the first byte of the form to the last one of the answer, which waits for the commit.
//!
//! `cargo bench --bench blackhole`; `-- --quick` is one short round, to see that it runs. Most of the time and of the noise
//! is the disk's: with `TMPDIR=/dev/shm` the stores are in memory, and what is left is the sidecar's own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../examples/demo/graph.rs"]
mod graph;
mod support;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use graph::{Graph, http};
use support::{Process, spread, start_sidecar_with};

const GRANTED: &str = "Cookie: cookieyes-consent=consentid:x,consent:yes,action:yes,necessary:yes,advertisement:yes";
const THANKS: &str = "thank you";
/// Visitors at a time before each sidecar, and how often each of them submits: together 100 forms a second.
const VISITORS: u32 = 4;
const EVERY: Duration = Duration::from_millis(40);
const SIDECARS: u32 = 3;

struct Contestant {
    name: &'static str,
    port: u16,
    store: PathBuf,
    _process: Process,
    posted: AtomicUsize,
    /// Per round, in order: milliseconds.
    rounds: Vec<Vec<f64>>,
}

fn main() {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let (rounds, length) = if quick { (1, Duration::from_secs(2)) } else { (9, Duration::from_secs(6)) };
    let dir = tempfile::tempdir().unwrap();
    let origin = site();
    let healthy = [Graph::start(), Graph::start()];
    let mut field = [
        Contestant::start(dir.path(), "healthy", origin, &healthy[0].url()),
        Contestant::start(dir.path(), "healthy too", origin, &healthy[1].url()),
        Contestant::start(dir.path(), "black hole", origin, &black_hole()),
    ];
    // First connections and cold caches are nobody's subject.
    load(&field, 0, Duration::from_secs(1));
    for round in 0..rounds {
        let times = load(&field, round, length);
        for (contestant, times) in field.iter_mut().zip(times) {
            contestant.rounds.push(times);
        }
    }
    for (contestant, graph) in field.iter().zip(&healthy) {
        graph.wait_for(contestant.posted.load(Ordering::Relaxed), Duration::from_secs(20));
    }
    for contestant in &field {
        assert_eq!(contestant.stored(), contestant.posted.load(Ordering::Relaxed), "leads of {}", contestant.name);
    }
    report(&field);
}

impl Contestant {
    fn start(dir: &Path, name: &'static str, origin: u16, graph: &str) -> Self {
        let (process, port) = start_sidecar_with(dir, name, origin, graph, &[]);
        let store = dir.join(format!("{name}.db"));
        Self { name, port, store, _process: process, posted: AtomicUsize::new(0), rounds: Vec::new() }
    }

    /// One visitor, from a moment on: milliseconds per form.
    fn visit(&self, from: Instant, length: Duration) -> Vec<f64> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("the sidecar accepts");
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let (mut next, mut times) = (from, Vec::new());
        while next < from + length {
            thread::sleep(next.saturating_duration_since(Instant::now()));
            let post = form(self.posted.fetch_add(1, Ordering::Relaxed));
            let start = Instant::now();
            stream.write_all(post.as_bytes()).unwrap();
            let answer = read_answer(&mut stream);
            times.push(start.elapsed().as_secs_f64() * 1000.0);
            assert!(answer.starts_with("HTTP/1.1 303 "), "{} answered {answer}", self.name);
            next += EVERY;
        }
        times
    }

    /// Leads in its store, delivered or not.
    fn stored(&self) -> usize {
        let out = Command::new(env!("CARGO_BIN_EXE_capi-sidecar"))
            .args(["outbox", "export", "--store", &format!("sqlite:{}", self.store.display())])
            .output()
            .expect("the sidecar starts");
        String::from_utf8_lossy(&out.stdout).lines().count()
    }

    fn percentiles(&self, percent: usize) -> Vec<f64> {
        self.rounds.iter().map(|times| percentile(times, percent)).collect()
    }
}

/// All are visited for so long, in turn, in another order in every round; their times.
fn load(field: &[Contestant; 3], round: u32, length: Duration) -> [Vec<f64>; 3] {
    let ready = Barrier::new((SIDECARS * VISITORS) as usize + 1);
    let from = Instant::now() + Duration::from_millis(100);
    thread::scope(|scope| {
        let mut place = 0;
        let visitors = field.each_ref().map(|contestant| {
            let turn = (place + round) % SIDECARS;
            place += 1;
            let ready = &ready;
            let visitor = |number: u32| {
                let at = from + EVERY * (number * SIDECARS + turn) / (VISITORS * SIDECARS);
                scope.spawn(move || {
                    ready.wait();
                    contestant.visit(at, length)
                })
            };
            (0..VISITORS).map(visitor).collect::<Vec<_>>()
        });
        ready.wait();
        visitors.map(|visitors| {
            let mut times: Vec<_> = visitors.into_iter().flat_map(|visitor| visitor.join().expect("answers")).collect();
            times.sort_by(f64::total_cmp);
            times
        })
    })
}

fn report(field: &[Contestant; 3]) {
    let healthy = &field[0];
    let forms: usize = healthy.rounds.iter().map(Vec::len).sum();
    println!(
        "{} rounds, {forms} forms to each, {} a second; milliseconds: of all rounds, and added per round",
        healthy.rounds.len(),
        rate()
    );
    for contestant in field {
        let mut all = contestant.rounds.concat();
        all.sort_by(f64::total_cmp);
        print!("{:<12}", contestant.name);
        for percent in [50, 99] {
            print!("   p{percent} {:>7.3}", percentile(&all, percent));
            if contestant.name != healthy.name {
                let pairs = contestant.percentiles(percent).into_iter().zip(healthy.percentiles(percent));
                let (least, middle, most) = spread(&pairs.map(|(own, theirs)| own - theirs).collect::<Vec<_>>());
                print!(", added {middle:>+7.3} ({least:+.3} to {most:+.3})");
            }
        }
        println!();
    }
}

fn rate() -> u128 {
    u128::from(VISITORS) * 1000 / EVERY.as_millis()
}

fn percentile(sorted: &[f64], percent: usize) -> f64 {
    sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)]
}

fn form(number: usize) -> String {
    let body = format!("email=visitor{number}%40example.com&message=about+a+quote");
    format!(
        "POST /quote HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) Example/1.0\r\n\
         Referer: http://shop.example/quote\r\n{GRANTED}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn read_answer(stream: &mut TcpStream) -> String {
    let (mut bytes, mut part) = (Vec::new(), [0; 4096]);
    while !bytes.ends_with(THANKS.as_bytes()) {
        let count = stream.read(&mut part).expect("an answer");
        assert!(count > 0, "the answer ended early: {}", String::from_utf8_lossy(&bytes));
        bytes.extend_from_slice(&part[..count]);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Accepts every form.
fn site() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    http::serve(listener, |_| Some(http::answer(303, &["Location: /thank-you"], THANKS)));
    port
}

/// Takes connections, and that is all.
fn black_hole() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        let kept: Vec<_> = listener.incoming().collect();
        drop(kept);
    });
    url
}
