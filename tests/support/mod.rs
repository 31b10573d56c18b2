//! What the integration tests share: raw HTTP over real sockets, scripted sites, the sidecar in process or as a child.
//! Blocking on purpose: a test reads like the conversation it checks.
#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::missing_panics_doc)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use capi_sidecar::config::{Config, Purpose, Sources, load};
use capi_sidecar::sidecar::Sidecar;

/// Longer than anything that works takes, shorter than a hung CI run.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// An HTTP/1.1 message as it was on the wire.
#[derive(Clone, Debug, Default)]
pub struct Message {
    /// Request line or status line, and headers, with their line ends.
    pub head: String,
    /// The body without its framing.
    pub body: Vec<u8>,
    /// Exactly what arrived.
    pub raw: Vec<u8>,
}

impl Message {
    pub fn first_line(&self) -> &str {
        self.head.lines().next().unwrap_or_default()
    }

    pub fn status(&self) -> u16 {
        self.first_line().split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or_default()
    }

    /// All values of a header, compared without case.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let line = |line: &str| line.split_once(':').is_some_and(|(n, _)| n.eq_ignore_ascii_case(name));
        self.head.lines().skip(1).filter(|l| line(l)).filter_map(|l| l.split_once(':')).map(|(_, v)| v.trim()).collect()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.all(name).first().copied()
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Reads one message. `bodiless`: the answer to a HEAD, or anything else that has no body whatever its headers say.
/// `None` when the peer closed before a head was complete.
pub fn read_message(stream: &mut impl Read, bodiless: bool) -> Option<Message> {
    let mut raw = Vec::new();
    let mut byte = [0];
    while !raw.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => raw.push(byte[0]),
            _ => return None,
        }
    }
    let mut message = Message { head: String::from_utf8_lossy(&raw).into_owned(), body: Vec::new(), raw };
    let is_answer = message.head.starts_with("HTTP/");
    let status = message.status();
    if bodiless || (is_answer && (status == 204 || status == 304 || status < 200)) {
        return Some(message);
    }
    if message.header("transfer-encoding").is_some_and(|te| te.eq_ignore_ascii_case("chunked")) {
        loop {
            let line = read_line(stream, &mut message.raw)?;
            let size = usize::from_str_radix(line.split(';').next()?.trim(), 16).ok()?;
            let mut chunk = vec![0; size];
            stream.read_exact(&mut chunk).ok()?;
            message.raw.extend_from_slice(&chunk);
            message.body.extend_from_slice(&chunk);
            if size == 0 {
                while !read_line(stream, &mut message.raw)?.is_empty() {}
                return Some(message);
            }
            read_line(stream, &mut message.raw)?;
        }
    }
    if let Some(length) = message.header("content-length").and_then(|length| length.parse::<usize>().ok()) {
        let mut body = vec![0; length];
        stream.read_exact(&mut body).ok()?;
        message.raw.extend_from_slice(&body);
        message.body = body;
    } else if is_answer {
        stream.read_to_end(&mut message.body).ok()?;
        message.raw.extend_from_slice(&message.body);
    }
    Some(message)
}

fn read_line(stream: &mut impl Read, raw: &mut Vec<u8>) -> Option<String> {
    let mut line = Vec::new();
    let mut byte = [0];
    while !line.ends_with(b"\r\n") {
        stream.read_exact(&mut byte).ok()?;
        line.push(byte[0]);
    }
    raw.extend_from_slice(&line);
    Some(String::from_utf8_lossy(line.strip_suffix(b"\r\n")?).into_owned())
}

/// A connection with patience.
pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the listener accepts");
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Sends raw bytes on a connection of their own and reads one answer.
pub fn send(address: SocketAddr, bytes: &[u8]) -> Message {
    let mut stream = connect(address);
    // A proxy that refuses early may close before everything is written; its answer is what counts.
    let _ = stream.write_all(bytes);
    read_message(&mut stream, bytes.starts_with(b"HEAD ")).expect("an answer")
}

/// A POST of an urlencoded form; `headers` are complete lines.
pub fn form_post(target: &str, host: &str, headers: &[&str], body: &str) -> Vec<u8> {
    let extra: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    format!(
        "POST {target} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) Example/1.0\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n{extra}\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// A site whose connections are answered by a function, each in a thread of its own.
pub struct Site {
    pub address: SocketAddr,
}

impl Site {
    pub fn raw(answer: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let answer = Arc::new(answer);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                let answer = Arc::clone(&answer);
                thread::spawn(move || answer(stream));
            }
        });
        Self { address }
    }

    /// Answers each request by a function, keeps connections alive, and reports what it received.
    pub fn new(answer: impl Fn(&Message) -> Vec<u8> + Send + Sync + 'static) -> (Self, Received) {
        let (sender, receiver) = channel();
        let sender: Mutex<Sender<Message>> = Mutex::new(sender);
        let site = Self::raw(move |mut stream| {
            while let Some(request) = read_message(&mut stream, false) {
                let bytes = answer(&request);
                let _ = sender.lock().unwrap().send(request);
                if stream.write_all(&bytes).is_err() {
                    return;
                }
            }
        });
        (site, Received(receiver))
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// What a site received, in order.
pub struct Received(Receiver<Message>);

impl Received {
    pub fn next(&self) -> Message {
        self.0.recv_timeout(PATIENCE).expect("the site received a request")
    }

    /// Nothing more has arrived so far.
    pub fn is_empty(&self) -> bool {
        self.0.try_recv().is_err()
    }
}

/// A plain answer with a Content-Length.
pub fn answer(status: &str, headers: &[&str], body: &str) -> Vec<u8> {
    let extra: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    format!("HTTP/1.1 {status}\r\n{extra}Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// A sidecar in this process, with a store in a folder of its own.
pub struct InProcess {
    sidecar: Option<Sidecar>,
    pub address: SocketAddr,
    pub admin: SocketAddr,
    pub dir: tempfile::TempDir,
    config: Config,
}

impl InProcess {
    /// `flags` are those of `run`, without dashes.
    pub fn start(upstream: &str, graph: &str, flags: &[(&str, &str)]) -> Self {
        Self::start_with(upstream, graph, flags, "")
    }

    /// The same with a configuration file.
    pub fn start_with(upstream: &str, graph: &str, flags: &[(&str, &str)], toml: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("config.toml");
        std::fs::write(&file, toml).unwrap();
        let store = format!("sqlite:{}", dir.path().join("capi.db").display());
        let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let defaults = [
            ("listen", "127.0.0.1:0"),
            ("admin-listen", "127.0.0.1:0"),
            ("upstream", upstream),
            ("graph-endpoint", graph),
            ("store", &store),
            ("pixel-id", "1234567890"),
            ("workers", "2"),
            ("timeouts-drain", "1s"),
        ];
        for (flag, value) in defaults.iter().chain(flags) {
            all.insert((*flag).to_owned(), vec![(*value).to_owned()]);
        }
        let env = BTreeMap::from([("CAPI_ACCESS_TOKEN".to_owned(), "test-token".to_owned())]);
        let loaded = load(&Sources { file: Some(file), env, flags: all }, Purpose::Run).expect("a valid configuration");
        Self::run(dir, loaded.config)
    }

    fn run(dir: tempfile::TempDir, config: Config) -> Self {
        let sidecar = Sidecar::start(config.clone()).expect("the sidecar starts");
        // Without an address it listens on a file, and its tests know which.
        let address = sidecar.place().tcp().unwrap_or_else(|| ([0, 0, 0, 0], 0).into());
        Self { address, admin: sidecar.admin_address(), sidecar: Some(sidecar), dir, config }
    }

    /// Stopped and started again, with the same store.
    pub fn restart(mut self) -> Self {
        assert!(self.sidecar.take().is_some_and(Sidecar::stop), "a thread panicked");
        let dir = std::mem::replace(&mut self.dir, tempfile::tempdir().unwrap());
        Self::run(dir, self.config.clone())
    }

    pub fn store(&self) -> PathBuf {
        self.dir.path().join("capi.db")
    }

    /// The value of a metric, labels included in its name.
    pub fn metric(&self, name: &str) -> u64 {
        metric(self.admin, name)
    }

    pub fn stop(mut self) {
        if let Some(sidecar) = self.sidecar.take() {
            assert!(sidecar.stop(), "a thread panicked");
        }
    }
}

impl Drop for InProcess {
    fn drop(&mut self) {
        if let Some(sidecar) = self.sidecar.take() {
            let _ = sidecar.stop();
        }
    }
}

/// A child process that ends with its owner.
pub struct Process {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Process {
    /// Starts it and collects what it writes to stderr. It gets a process group of its own, so that its children (PHP's
    /// workers, the browser) end with it.
    pub fn start(command: &mut Command) -> Self {
        Self::start_with_stdin(command.stdin(Stdio::null()))
    }

    /// The same, with whatever the command has for its input.
    pub fn start_with_stdin(command: &mut Command) -> Self {
        let mut child =
            command.process_group(0).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the program starts");
        let stderr = child.stderr.take().expect("stderr is piped");
        let lines = Arc::new(Mutex::new(Vec::new()));
        let collected = Arc::clone(&lines);
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                collected.lock().unwrap().push(line);
            }
        });
        Self { child, lines }
    }

    /// The real binary with these arguments.
    pub fn sidecar(args: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_capi-sidecar"));
        command.env("CAPI_ACCESS_TOKEN", "test-token").args(args);
        Self::start(&mut command)
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Everything it has written so far.
    pub fn output(&self) -> String {
        self.lines.lock().unwrap().join("\n")
    }

    /// The `key=value` address of its "listening" line.
    pub fn address(&self, key: &str) -> SocketAddr {
        let mut found = None;
        wait_until("the address to be printed", || {
            found = self.said_address(key);
            found.is_some() || self.output().contains("capi-sidecar: ")
        });
        found.unwrap_or_else(|| panic!("no address; it said:\n{}", self.output()))
    }

    /// The same, if it has been printed.
    pub fn said_address(&self, key: &str) -> Option<SocketAddr> {
        let output = self.output();
        let line = output.lines().find(|line| line.contains("listening"))?;
        line.split(&format!("{key}=")).nth(1)?.split(' ').next()?.parse().ok()
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// SIGKILL, at once, to it and its children.
    pub fn kill(&mut self) {
        let group = format!("kill -s KILL -- -{}", self.child.id());
        let _ = Command::new("sh").args(["-c", &group]).stderr(Stdio::null()).status();
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// SIGTERM by id; the exit code.
    pub fn terminate(&mut self) -> Option<i32> {
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        self.child.wait().ok().and_then(|status| status.code())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// `strace` on the one thread of a running sidecar that owns the store: system calls of its can be made to fail, or to end
/// the process. It lets go when it is dropped.
pub struct Strace(Child);

impl Strace {
    /// `args`: which calls, and what becomes of them.
    pub fn on_the_store(sidecar: &Process, args: &[&str]) -> Self {
        let tasks = format!("/proc/{}/task", sidecar.id());
        let is_store = |task: &PathBuf| std::fs::read_to_string(task.join("comm")).is_ok_and(|name| name == "outbox\n");
        let task = std::fs::read_dir(&tasks).unwrap().flatten().map(|task| task.path()).find(is_store);
        let task = task.expect("the store's thread");
        let id = task.file_name().unwrap().to_string_lossy().into_owned();
        let child = Command::new("strace")
            .args(["-qqq", "-o", "/dev/null", "-p", &id])
            .args(args)
            .stdin(Stdio::null())
            .spawn()
            .expect("strace is installed");
        let traced = |status: String| !status.contains("TracerPid:\t0\n");
        // Gone means traced as well: it was ended at once.
        wait_until("strace to hold the thread", || std::fs::read_to_string(task.join("status")).map_or(true, traced));
        Self(child)
    }
}

/// The value of a metric, labels included in its name.
pub fn metric(admin: SocketAddr, name: &str) -> u64 {
    let text = send(admin, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").text();
    let value = |line: &str| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok();
    text.lines().find_map(value).unwrap_or_default()
}

impl Drop for Strace {
    fn drop(&mut self) {
        // SIGTERM makes it detach in order.
        let _ = Command::new("kill").arg(self.0.id().to_string()).stderr(Stdio::null()).status();
        let _ = self.0.wait();
    }
}

/// The arguments of a sidecar with its store in `dir`, on ports of its own.
pub fn run_args(dir: &Path, site: &str, graph: &str) -> Vec<String> {
    let store = format!("sqlite:{}", dir.join("capi.db").display());
    let flags = [
        ("listen", "127.0.0.1:0"),
        ("admin-listen", "127.0.0.1:0"),
        ("upstream", site),
        ("graph-endpoint", graph),
        ("pixel-id", "1234567890"),
        ("store", &store),
        ("workers", "2"),
    ];
    let flags = flags.iter().flat_map(|(name, value)| [format!("--{name}"), (*value).to_owned()]);
    std::iter::once("run".to_owned()).chain(flags).collect()
}

/// A program that may lie where only administrators look.
pub fn system(program: &str) -> Command {
    let mut command = Command::new(program);
    command.env("PATH", format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default()));
    command
}

pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).unwrap().port()
}

pub fn wait_for_port(port: u16) {
    wait_until(&format!("port {port}"), || TcpStream::connect(("127.0.0.1", port)).is_ok());
}

/// Everything that was decided so far, as `"decision reason"` with how often.
pub fn decisions(admin: SocketAddr) -> BTreeMap<String, u64> {
    let text = send(admin, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").text();
    let row = |line: &str| {
        let (labels, count) = line.strip_prefix("capi_decisions_total{decision=\"")?.split_once("\"} ")?;
        Some((labels.replace("\",reason=\"", " "), count.parse().ok()?))
    };
    text.lines().filter_map(row).collect()
}

/// Waits for something that must become true.
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(5));
    }
}
