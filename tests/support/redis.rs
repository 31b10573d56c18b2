//! Real Redis servers on loopback: one alone, a cluster of three, a master and a replica under a sentinel's eyes. They can be
//! killed, brought back on the same port and folder, and stopped as a hanging machine is. Knows nothing of its neighbours, so
//! that the unit tests can include this file as well. `CAPI_REDIS_SERVER` names another server, e.g. `valkey-server`.
#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::missing_panics_doc)]

use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Longer than anything that works takes, shorter than a hung CI run.
const PATIENCE: Duration = Duration::from_secs(20);
/// What a promise of durability needs: every write is on disk before it is answered.
/// <https://redis.io/docs/latest/operate/oss_and_stack/management/persistence/>
const DURABLE: [&str; 6] = ["--appendonly", "yes", "--appendfsync", "always", "--save", ""];

/// A server that ends with its owner. One in a `static` has no end: nothing drops it.
pub struct Redis {
    dir: tempfile::TempDir,
    port: u16,
    arguments: Vec<String>,
    child: Child,
}

impl Redis {
    /// A server that loses nothing.
    pub fn start() -> Self {
        Self::start_with(&DURABLE)
    }

    /// A server with other settings, e.g. `["--appendonly", "no"]`.
    pub fn start_with(arguments: &[&str]) -> Self {
        // Somebody else may take the port that was free a moment ago.
        for _ in 0..5 {
            let dir = tempfile::tempdir().unwrap();
            let mut arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
            arguments.extend(["--bind", "127.0.0.1", "--dir"].map(str::to_owned));
            arguments.push(dir.path().display().to_string());
            let port = free_port();
            let mut server = Self { child: spawn(port, &arguments), dir, port, arguments };
            if server.answers() {
                return server;
            }
        }
        panic!("{} does not start", program());
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// The process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Its folder; what it wrote is found in here.
    pub fn dir(&self) -> &std::path::Path {
        self.dir.path()
    }

    /// The answer to one command, as it came: `+OK`, `:3`, the bytes of a string. Panics when there is none.
    pub fn ask(&self, command: &str) -> String {
        ask(self.port, command).unwrap_or_else(|error| panic!("{command}: {error}"))
    }

    /// SIGKILL. Its port is free afterwards, so that [`Redis::restart`] must not be long in coming.
    pub fn kill(&mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it has ended");
    }

    /// The same port and folder again.
    pub fn restart(&mut self) {
        self.child = spawn(self.port, &self.arguments);
        assert!(self.answers(), "the server does not come back");
    }

    /// SIGSTOP: its connections stay, and nothing answers.
    pub fn pause(&self) {
        signal(self.child.id(), "STOP");
    }

    /// SIGCONT.
    pub fn resume(&self) {
        signal(self.child.id(), "CONT");
    }

    /// Whether it answers, and still lives: on a port that was taken, somebody else would.
    fn answers(&mut self) -> bool {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if self.child.try_wait().expect("its state can be read").is_some() {
                return false;
            }
            // While it reads its log it answers with an error.
            if ask(self.port, "PING").is_ok_and(|answer| answer == "+PONG" || answer.starts_with("-NOAUTH")) {
                return true;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        false
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // One that was killed by the test is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Three masters that share the slots.
pub struct Cluster {
    pub nodes: Vec<Redis>,
}

impl Cluster {
    pub fn start() -> Self {
        let node = || {
            let bus = free_port().to_string();
            let mut arguments = DURABLE.to_vec();
            arguments.extend(["--cluster-enabled", "yes", "--cluster-node-timeout", "2000", "--cluster-port", &bus]);
            Redis::start_with(&arguments)
        };
        let nodes: Vec<_> = std::iter::repeat_with(node).take(3).collect();
        let made = Command::new(program().replace("server", "cli"))
            .args(["--cluster", "create"])
            .args(nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)))
            .args(["--cluster-replicas", "0", "--cluster-yes"])
            .output()
            .expect("the client starts");
        assert!(
            made.status.success(),
            "{}{}",
            String::from_utf8_lossy(&made.stdout),
            String::from_utf8_lossy(&made.stderr)
        );
        wait_until("all nodes to know all slots", || {
            nodes.iter().all(|node| node.ask("CLUSTER INFO").contains("cluster_state:ok"))
        });
        Self { nodes }
    }

    /// All of its nodes, for a program that is told several addresses.
    pub fn addresses(&self) -> Vec<String> {
        self.nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)).collect()
    }
}

/// A master, its replica, and a sentinel that makes the replica the master when the master is gone for a second.
pub struct Watched {
    pub master: Redis,
    pub replica: Redis,
    pub sentinel: Redis,
}

impl Watched {
    /// What the sentinel calls them.
    pub const NAME: &str = "leads";

    pub fn start() -> Self {
        let master = Redis::start();
        let mut arguments = DURABLE.to_vec();
        let port = master.port.to_string();
        arguments.extend(["--replicaof", "127.0.0.1", &port]);
        let replica = Redis::start_with(&arguments);
        // Until the master says so, it only collects what the replica should have.
        wait_until("the replica to follow", || master.ask("INFO replication").contains("state=online"));
        // A sentinel writes what it learns into its settings.
        let settings = master.dir().join("sentinel.conf");
        let name = Self::NAME;
        let watch = format!(
            "sentinel monitor {name} 127.0.0.1 {port} 1\nsentinel down-after-milliseconds {name} 1000\n\
             sentinel failover-timeout {name} 5000\n"
        );
        std::fs::write(&settings, watch).unwrap();
        let sentinel = Redis::start_with(&[&settings.display().to_string(), "--sentinel"]);
        wait_until("the sentinel to know the replica", || sentinel.ask("INFO sentinel").contains("slaves=1"));
        Self { master, replica, sentinel }
    }

    /// Waits until the replica has all that the master has been told so far: it is copied after the answer, and what had
    /// not been copied is lost with the master.
    pub fn wait_for_copy(&self) {
        let field = |name: &str| {
            let told = self.master.ask("INFO replication");
            told.split(['\r', '\n', ',']).find_map(|part| part.strip_prefix(name)?.parse::<u64>().ok())
        };
        // By the address the replica's own `offset` is told from the master's.
        wait_until("the replica to have everything", || {
            field("offset=").zip(field("master_repl_offset:")).is_some_and(|(copied, written)| copied >= written)
        });
    }

    /// The port of the master that the sentinel names now.
    pub fn master_port(&self) -> u16 {
        let answer = self.sentinel.ask(&format!("SENTINEL GET-MASTER-ADDR-BY-NAME {}", Self::NAME));
        answer.lines().last().and_then(|port| port.parse().ok()).expect("an address")
    }
}

fn program() -> String {
    std::env::var("CAPI_REDIS_SERVER").unwrap_or_else(|_| "redis-server".to_owned())
}

fn spawn(port: u16, arguments: &[String]) -> Child {
    // A file of settings must come first.
    Command::new(program())
        .args(arguments)
        .args(["--port", &port.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("{}: {error}", program()))
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).unwrap().port()
}

fn signal(process: u32, name: &str) {
    let sent = Command::new("kill").args(["-s", name, &process.to_string()]).status().expect("kill starts");
    assert!(sent.success());
}

/// One command on a connection of its own, in the form for people. Nothing here needs a client library: this is how a test
/// of one is checked. <https://redis.io/docs/latest/develop/reference/protocol-spec/#inline-commands>
fn ask(port: u16, command: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    stream.write_all(format!("{command}\r\n").as_bytes())?;
    read_answer(&mut BufReader::new(stream))
}

/// Strings by themselves, the elements of a list in a line each.
fn read_answer(stream: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    if stream.read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let line = line.trim_end();
    let length = || line[1..].parse::<usize>().ok();
    match line.as_bytes().first() {
        Some(b'$') => {
            let Some(length) = length() else { return Ok(String::new()) };
            let mut bytes = vec![0; length + 2];
            stream.read_exact(&mut bytes)?;
            Ok(String::from_utf8_lossy(&bytes[..length]).into_owned())
        }
        Some(b'*') => {
            let parts: io::Result<Vec<String>> = (0..length().unwrap_or(0)).map(|_| read_answer(stream)).collect();
            Ok(parts?.join("\n"))
        }
        _ => Ok(line.to_owned()),
    }
}

fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
