//! What a proxied request costs: CPU per request of capi-sidecar next to nginx, HAProxy and a plain TCP relay.
//!
//! All contestants stand before the same origin and get the same load, in turn, round by round, each with one worker
//! pinned to one core; load and origin share the other. CPU time is what the kernel charged to the contestant's
//! processes. Only ratios mean anything: the machine's speed drifts between rounds.
//!
//! `cargo bench --bench cost` needs nginx and wrk; HAProxy is measured if it is there. `-- --quick` is one short round,
//! to see that it runs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::cast_precision_loss)]

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The contestant's core, and the one for everything else.
const CORES: (&str, &str) = ("0", "1");
const CONNECTIONS: &str = "32";

struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

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

fn spread(values: &[f64]) -> (f64, f64, f64) {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    (sorted[0], sorted[sorted.len() / 2], sorted[sorted.len() - 1])
}

fn has(program: &str) -> bool {
    let found = |dir: PathBuf| dir.join(program).is_file();
    std::env::var_os("PATH").is_some_and(|path| std::env::split_paths(&path).any(found))
        || Path::new("/usr/sbin").join(program).is_file()
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port()
}

fn wait_for(port: u16) {
    let start = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(start.elapsed() < Duration::from_secs(10), "port {port} does not open");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What the kernel charged to all threads of a process and of its children (nginx's worker is one).
fn cpu_nanos(pid: u32) -> u64 {
    let own: u64 = fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|task| fs::read_to_string(task.path().join("schedstat")).ok())
        .filter_map(|stat| stat.split(' ').next()?.parse::<u64>().ok())
        .sum();
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    own + children.split_whitespace().filter_map(|child| child.parse().ok()).map(cpu_nanos).sum::<u64>()
}

fn pinned(core: &str, program: &str, args: &[&str]) -> Process {
    let child = Command::new("taskset")
        .args(["-c", core, program])
        .args(args)
        .env("PATH", format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    Process(child.unwrap_or_else(|error| panic!("{program}: {error}")))
}

fn nginx(dir: &Path, name: &str, http: &str, core: &str, port: u16) -> Process {
    let conf = dir.join(format!("{name}.conf"));
    let text = format!(
        "daemon off; worker_processes 1; error_log {0}/{name}.log; pid {0}/{name}.pid;\n\
         events {{ worker_connections 1024; }}\n\
         http {{ access_log off; client_body_temp_path {0}/b; proxy_temp_path {0}/p; fastcgi_temp_path {0}/f;\n\
         uwsgi_temp_path {0}/u; scgi_temp_path {0}/s; keepalive_requests 100000000; {http} }}\n",
        dir.display()
    );
    fs::write(&conf, text).expect("a configuration");
    let process = pinned(core, "nginx", &["-c", &conf.to_string_lossy()]);
    wait_for(port);
    process
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
    let port = free_port();
    let child = Command::new("taskset")
        .args(["-c", CORES.0, env!("CARGO_BIN_EXE_capi-sidecar"), "run", "--workers", "1", "--header-case", case])
        .args(["--listen", &format!("127.0.0.1:{port}"), "--upstream", &format!("http://127.0.0.1:{origin}")])
        .args(["--pixel-id", "1234567890", "--admin-listen", "127.0.0.1:0", "--graph-endpoint", "http://127.0.0.1:9"])
        .args(["--store", &format!("sqlite:{}", dir.join(format!("{case}.db")).display())])
        .env("CAPI_ACCESS_TOKEN", "bench")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the sidecar starts");
    let name = if case == "lower" { "capi-sidecar, lower" } else { "capi-sidecar" };
    Contestant::start(name, port, Process(child))
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
