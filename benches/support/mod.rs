//! What the benches share: programs pinned to a core, what the kernel charged them, and how the rounds spread.
#![allow(dead_code, reason = "each bench uses a part of it")]

use std::collections::BTreeMap;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The contestant's core, and the one for everything else.
pub const CORES: (&str, &str) = ("0", "1");

/// A program that ends with its owner, and the children it has made: it leads a process group.
pub struct Process(pub Child);

impl Drop for Process {
    fn drop(&mut self) {
        // nginx's worker would outlive its master.
        let group = format!("kill -s KILL -- -{}", self.0.id());
        let _ = Command::new("sh").args(["-c", &group]).stderr(Stdio::null()).status();
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Least, median, greatest.
pub fn spread(values: &[f64]) -> (f64, f64, f64) {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    (sorted[0], sorted[sorted.len() / 2], sorted[sorted.len() - 1])
}

pub fn has(program: &str) -> bool {
    let found = |dir: PathBuf| dir.join(program).is_file();
    std::env::var_os("PATH").is_some_and(|path| std::env::split_paths(&path).any(found))
        || Path::new("/usr/sbin").join(program).is_file()
}

pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port()
}

pub fn wait_for(port: u16) {
    let start = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(start.elapsed() < Duration::from_secs(10), "port {port} does not open");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What the kernel charged to all threads of a process and of its children (nginx's worker is one).
pub fn cpu_nanos(pid: u32) -> u64 {
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

/// The same by the names of a process's threads.
pub fn cpu_of_threads(pid: u32) -> BTreeMap<String, u64> {
    let mut threads = BTreeMap::new();
    for task in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
        let read = |name: &str| fs::read_to_string(task.path().join(name)).unwrap_or_default();
        let nanos = read("schedstat").split(' ').next().and_then(|nanos| nanos.parse::<u64>().ok());
        *threads.entry(read("comm").trim().to_owned()).or_default() += nanos.unwrap_or(0);
    }
    threads
}

pub fn pinned(core: &str, program: &str, args: &[&str]) -> Process {
    let child = Command::new("taskset")
        .args(["-c", core, program])
        .args(args)
        .env("PATH", format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default()))
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    Process(child.unwrap_or_else(|error| panic!("{program}: {error}")))
}

pub fn nginx(dir: &Path, name: &str, http: &str, core: &str, port: u16) -> Process {
    nginx_for(1024, dir, name, http, core, port)
}

/// nginx with room for so many connections, its own to the site included.
pub fn nginx_for(connections: usize, dir: &Path, name: &str, http: &str, core: &str, port: u16) -> Process {
    let conf = dir.join(format!("{name}.conf"));
    let text = format!(
        "daemon off; worker_processes 1; error_log {0}/{name}.log; pid {0}/{name}.pid;\n\
         events {{ worker_connections {connections}; }}\n\
         http {{ access_log off; client_body_temp_path {0}/b; proxy_temp_path {0}/p; fastcgi_temp_path {0}/f;\n\
         uwsgi_temp_path {0}/u; scgi_temp_path {0}/s; keepalive_requests 100000000; {http} }}\n",
        dir.display()
    );
    fs::write(&conf, text).expect("a configuration");
    let process = pinned(core, "nginx", &["-c", &conf.to_string_lossy()]);
    wait_for(port);
    process
}

/// The sidecar on the measured core, with one worker, before `origin`; `more` are flags. Nobody listens where Graph should be.
pub fn start_sidecar(dir: &Path, name: &str, origin: u16, more: &[&str]) -> (Process, u16) {
    start_sidecar_with(dir, name, origin, "http://127.0.0.1:9", more)
}

/// The same with a Graph.
pub fn start_sidecar_with(dir: &Path, name: &str, origin: u16, graph: &str, more: &[&str]) -> (Process, u16) {
    let port = free_port();
    let child = Command::new("taskset")
        .args(["-c", CORES.0, env!("CARGO_BIN_EXE_capi-sidecar"), "run", "--workers", "1"])
        .args(["--listen", &format!("127.0.0.1:{port}"), "--upstream", &format!("http://127.0.0.1:{origin}")])
        .args(["--pixel-id", "1234567890", "--admin-listen", "127.0.0.1:0", "--graph-endpoint", graph])
        .args(["--store", &format!("sqlite:{}", dir.join(format!("{name}.db")).display())])
        .args(more)
        .env("CAPI_ACCESS_TOKEN", "bench")
        .process_group(0)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the sidecar starts");
    wait_for(port);
    (Process(child), port)
}
