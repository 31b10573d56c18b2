//! What a proxied request costs: CPU per request of capi-sidecar next to nginx, HAProxy and a plain TCP relay.
//!
//! All contestants stand before the same origin and get the same load, in turn, round by round, each with one worker
//! pinned to one core; load and origin share the other. CPU time is what the kernel charged to the contestant's
//! processes. Only ratios mean anything: the machine's speed drifts between rounds.
//!
//! `cargo bench --bench cost` needs nginx and wrk; HAProxy is measured if it is there. `-- --quick` is one short round,
//! to see that it runs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::cast_precision_loss)]

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

use support::{CORES, Process, cpu_nanos, free_port, has, nginx, pinned, spread, start_sidecar, wait_for};

const CONNECTIONS: &str = "32";

struct Contestant {
    name: &'static str,
    port: u16,
    process: Process,
    /// Per round: CPU microseconds per request, and requests per second.
    rounds: Vec<(f64, f64)>,
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if let [_, word, from, to] = args.as_slice()
        && word == "relay"
    {
        return relay(from, to);
    }
    let quick = args.iter().any(|arg| arg == "--quick");
    let (rounds, seconds) = if quick { (1, 1) } else { (9, 4) };
    if !has("wrk") || !has("nginx") {
        eprintln!("cost: wrk and nginx are needed; nothing was measured");
        std::process::exit(1);
    }
    let dir = tempfile::tempdir().expect("a folder");
    let origin_port = free_port();
    let _origin = nginx(dir.path(), "origin", &origin_conf(origin_port), CORES.1, origin_port);
    let mut field = vec![relay_process(origin_port), nginx_proxy(dir.path(), origin_port)];
    if has("haproxy") {
        field.push(haproxy(dir.path(), origin_port));
    }
    field.push(sidecar(dir.path(), origin_port, "preserve"));
    field.push(sidecar(dir.path(), origin_port, "lower"));
    for _ in 0..rounds {
        for contestant in &mut field {
            contestant.measure(seconds);
        }
    }
    report(&field);
}

impl Contestant {
    fn start(name: &'static str, port: u16, process: Process) -> Self {
        wait_for(port);
        Self { name, port, process, rounds: Vec::new() }
    }

    fn measure(&mut self, seconds: u32) {
        let before = cpu_nanos(self.process.0.id());
        let out = Command::new("taskset")
            .args(["-c", CORES.1, "wrk", "-t1", "-c", CONNECTIONS, "-d", &format!("{seconds}s")])
            .arg(format!("http://127.0.0.1:{}/", self.port))
            .output()
            .expect("wrk runs");
        let spent = cpu_nanos(self.process.0.id()) - before;
        let text = String::from_utf8_lossy(&out.stdout);
        assert!(!text.contains("Non-2xx"), "{} answered with errors:\n{text}", self.name);
        let requests: f64 = text
            .lines()
            .find_map(|line| line.trim().split_once(" requests in").and_then(|(count, _)| count.parse().ok()))
            .expect("wrk counts requests");
        self.rounds.push((spent as f64 / 1000.0 / requests, requests / f64::from(seconds)));
    }
}

fn report(field: &[Contestant]) {
    let nginx = field.iter().find(|c| c.name == "nginx").expect("nginx ran");
    println!("small GET, {CONNECTIONS} keep-alive connections, {} rounds; CPU per request", nginx.rounds.len());
    println!("{:<24}{:>10}{:>22}{:>12}", "", "µs median", "ratio to nginx", "req/s");
    for contestant in field {
        let cpu: Vec<f64> = contestant.rounds.iter().map(|round| round.0).collect();
        let speed: Vec<f64> = contestant.rounds.iter().map(|round| round.1).collect();
        let ratios: Vec<f64> =
            contestant.rounds.iter().zip(&nginx.rounds).map(|(own, theirs)| own.0 / theirs.0).collect();
        let (low, middle, high) = spread(&ratios);
        println!(
            "{:<24}{:>10.2}{:>10.2} ({low:.2}–{high:.2}){:>12.0}",
            contestant.name,
            spread(&cpu).1,
            middle,
            spread(&speed).1
        );
    }
}

fn origin_conf(port: u16) -> String {
    format!("server {{ listen 127.0.0.1:{port}; location / {{ return 200 'hello'; }} }}")
}

fn nginx_proxy(dir: &Path, origin: u16) -> Contestant {
    let port = free_port();
    let http = format!(
        "upstream site {{ server 127.0.0.1:{origin}; keepalive 64; keepalive_requests 100000000; }}\n\
         server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://site; proxy_http_version 1.1;\n\
         proxy_set_header Connection ''; proxy_set_header Host $http_host;\n\
         proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Proto $scheme; }} }}"
    );
    Contestant::start("nginx", port, nginx(dir, "proxy", &http, CORES.0, port))
}

fn haproxy(dir: &Path, origin: u16) -> Contestant {
    let port = free_port();
    let conf = dir.join("haproxy.cfg");
    let text = format!(
        "global\n nbthread 1\ndefaults\n mode http\n timeout connect 5s\n timeout client 60s\n timeout server 60s\n \
         option forwardfor\n http-reuse always\nfrontend f\n bind 127.0.0.1:{port}\n default_backend b\n\
         backend b\n server s 127.0.0.1:{origin} pool-max-conn 64\n"
    );
    fs::write(&conf, text).expect("a configuration");
    Contestant::start("HAProxy", port, pinned(CORES.0, "haproxy", &["-db", "-f", &conf.to_string_lossy()]))
}

fn sidecar(dir: &Path, origin: u16, case: &'static str) -> Contestant {
    let (process, port) = start_sidecar(dir, case, origin, &["--header-case", case]);
    let name = if case == "lower" { "capi-sidecar, lower" } else { "capi-sidecar" };
    Contestant::start(name, port, process)
}

fn relay_process(origin: u16) -> Contestant {
    let port = free_port();
    let this = std::env::current_exe().expect("this program");
    let process = pinned(
        CORES.0,
        &this.to_string_lossy(),
        &["relay", &format!("127.0.0.1:{port}"), &format!("127.0.0.1:{origin}")],
    );
    Contestant::start("TCP relay", port, process)
}

/// The floor: bytes in, bytes out, one connection for one connection.
fn relay(from: &str, to: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(from).await.expect("a listener");
        loop {
            let Ok((mut visitor, _)) = listener.accept().await else { continue };
            let to = to.to_owned();
            tokio::spawn(async move {
                let Ok(mut site) = tokio::net::TcpStream::connect(to).await else { return };
                let _ = visitor.set_nodelay(true);
                let _ = site.set_nodelay(true);
                let _ = tokio::io::copy_bidirectional(&mut visitor, &mut site).await;
            });
        }
    });
}
