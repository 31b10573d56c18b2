//! What a visitor's POST costs while Graph takes requests and never answers, next to a Graph that is well.
//!
//! Two sidecars stand before one site, share a core, and get the same forms in turn, one after the other, in random
//! order: whatever the machine does meanwhile, it does to both. The one whose Graph is silent collects a backlog that it
//! takes up and puts off again all the time; what that adds is the difference of the two 99th percentiles, round by round.
//! The disk is shared, too.
//!
//! `cargo bench --bench blackhole`; `-- --quick` is one short round, to see that it runs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::cast_precision_loss)]

#[path = "../examples/demo/graph.rs"]
mod graph;
mod support;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use graph::{Graph, http};
use support::{CORES, Process, free_port, spread, wait_for};

/// Forms per second and sidecar.
const RATE: u32 = 100;
const GRANTED: &str = "cookieyes-consent=consentid:x,consent:yes,action:yes,necessary:yes,advertisement:yes";

fn main() {
    let quick = std::env::args().any(|arg| arg == "--quick");
    let (rounds, seconds) = if quick { (1, 2) } else { (9, 10) };
    let dir = tempfile::tempdir().expect("a folder");
    let site = TcpListener::bind("127.0.0.1:0").expect("a port");
    let origin = format!("http://{}", site.local_addr().expect("its address"));
    http::serve(site, |_| Some(http::answer(303, &["Location: /thank-you"], "")));
    let graph = Graph::start();
    let mut field = [
        Contestant::start(dir.path(), "Graph well", &origin, &graph.url()),
        Contestant::start(dir.path(), "Graph silent", &origin, &silence()),
    ];
    let mut number = 0_u32;
    for _ in 0..rounds {
        let begun = Instant::now();
        for tick in 0..RATE * seconds {
            thread::sleep((begun + Duration::from_secs(1) / RATE * tick).saturating_duration_since(Instant::now()));
            number += 1;
            let first = usize::from(number.wrapping_mul(2_654_435_761) >> 31 == 1);
            for index in [first, 1 - first] {
                field[index].submit(number);
            }
        }
        field.iter_mut().for_each(Contestant::end_round);
    }
    report(&field);
    let delivered = graph.events().len();
    assert!(
        delivered > usize::try_from(number).unwrap_or_default() * 9 / 10,
        "only {delivered} of {number} leads reached the Graph that is well"
    );
}

struct Contestant {
    name: &'static str,
    _process: Process,
    stream: TcpStream,
    /// Milliseconds of this round.
    round: Vec<f64>,
    /// Per round: median and 99th percentile.
    rounds: Vec<(f64, f64)>,
}

impl Contestant {
    fn start(dir: &Path, name: &'static str, origin: &str, graph: &str) -> Self {
        let port = free_port();
        let store = format!("sqlite:{}", dir.join(format!("{name}.db")).display());
        let child = Command::new("taskset")
            .args(["-c", CORES.0, env!("CARGO_BIN_EXE_capi-sidecar"), "run", "--workers", "1"])
            .args(["--listen", &format!("127.0.0.1:{port}"), "--admin-listen", "127.0.0.1:0", "--upstream", origin])
            .args(["--graph-endpoint", graph, "--pixel-id", "1234567890", "--store", &store])
            .env("CAPI_ACCESS_TOKEN", "bench")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the sidecar starts");
        wait_for(port);
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
        stream.set_nodelay(true).expect("an option");
        Self { name, _process: Process(child), stream, round: Vec::new(), rounds: Vec::new() }
    }

    /// One form on the visitor's connection, from its first byte to the answer's last.
    fn submit(&mut self, number: u32) {
        let body = format!("email=visitor{number}%40example.com");
        let post = format!(
            "POST /quote HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) Example/1.0\r\n\
             Cookie: {GRANTED}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let begun = Instant::now();
        self.stream.write_all(post.as_bytes()).expect("it reads");
        let (mut answer, mut buffer) = (Vec::new(), [0; 4096]);
        while !answer.ends_with(b"\r\n\r\n") {
            let read = self.stream.read(&mut buffer).expect("it answers");
            assert!(read > 0, "{} closed the connection", self.name);
            answer.extend_from_slice(&buffer[..read]);
        }
        assert!(answer.starts_with(b"HTTP/1.1 303 "), "{}", String::from_utf8_lossy(&answer));
        self.round.push(begun.elapsed().as_secs_f64() * 1000.0);
    }

    fn end_round(&mut self) {
        self.round.sort_by(f64::total_cmp);
        let at = |share: usize| self.round[self.round.len() * share / 100];
        self.rounds.push((at(50), at(99)));
        self.round.clear();
    }
}

/// A Graph that accepts, reads and says nothing.
fn silence() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("its address"));
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            thread::spawn(move || while stream.read(&mut [0; 8192]).is_ok_and(|read| read > 0) {});
        }
    });
    url
}

fn report(field: &[Contestant; 2]) {
    println!(
        "POST of a form, {RATE} a second and sidecar, {} rounds; milliseconds, median of the rounds",
        field[0].rounds.len()
    );
    println!("{:<16}{:>24}{:>24}", "", "p50", "p99");
    let column = |values: Vec<f64>| {
        let (low, middle, high) = spread(&values);
        format!("{middle:.2} ({low:.2}–{high:.2})")
    };
    for contestant in field {
        let (half, most) = contestant.rounds.iter().copied().unzip();
        println!("{:<16}{:>24}{:>24}", contestant.name, column(half), column(most));
    }
    let added: Vec<_> = field[0].rounds.iter().zip(&field[1].rounds).collect();
    let half = added.iter().map(|(well, silent)| silent.0 - well.0).collect();
    let most = added.iter().map(|(well, silent)| silent.1 - well.1).collect();
    println!("{:<16}{:>24}{:>24}", "added", column(half), column(most));
}
