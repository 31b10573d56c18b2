//! What connections that wait take, and what is left of it when they are gone.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::Plan;
use crate::field::{Contestant, FULL_WAY, NGINX, SIDECAR};
use crate::origin::{HELLO, Origin};
use crate::scenarios::HOST;
use crate::table::Table;

pub const NAME: &str = "memory";

/// KiB of a contestant's processes.
#[derive(Clone, Copy)]
struct Memory {
    resident: f64,
    /// Not backed by a file: what it allocated.
    anonymous: f64,
}

pub fn run(dir: &Path, origin: &Origin, plan: &Plan) -> Table {
    let (idle, all, patience) = if plan.quick { (500, 1000, 2) } else { (4000, 10_000, 10) };
    let patience = Duration::from_secs(patience);
    // The sidecar takes no more connections than it has descriptors for two of each.
    let files = rlimit::increase_nofile_limit(u64::MAX).expect("a limit of open files");
    let all = all.min(usize::try_from(files).expect("a number") / 2 - 100);
    let room = all + all / 5;
    let columns = [
        "KiB",
        "at start",
        "of it anonymous",
        "per idle connection",
        "of it anonymous",
        &format!("with {all} idle"),
        &format!("{} s after they closed", patience.as_secs()),
    ];
    let note = format!(
        "Resident memory of all processes of a contestant. Idle: one GET, then nothing; per connection over the first {idle}. nginx \
         and HAProxy are configured for {room} connections, and nginx sets room aside for them at its start."
    );
    let mut table = Table::new(&format!("Memory (`{NAME}`)"), &columns, note);
    let field = [
        Contestant::nginx(NGINX, dir, origin, room),
        Contestant::haproxy(dir, origin, room),
        Contestant::sidecar(SIDECAR, dir, origin, &[]),
        Contestant::sidecar(FULL_WAY, dir, origin, &["--plain-way=false"]),
    ];
    thread::sleep(Duration::from_secs(1));
    for contestant in &field {
        let pid = contestant.process.0.id();
        let start = Memory::of(pid);
        // What the first request brings in for good is nobody's connection.
        drop(visit(contestant));
        let first = Memory::of(pid);
        let mut waiting: Vec<_> = (0..idle).map(|_| visit(contestant)).collect();
        let some = Memory::of(pid);
        waiting.extend((idle..all).map(|_| visit(contestant)));
        let most = Memory::of(pid);
        drop(waiting);
        thread::sleep(patience);
        let after = Memory::of(pid);
        let each = |with: f64, without: f64| format!("{:.2}", (with - without) / idle as f64);
        table.rows.push(vec![
            contestant.name.to_owned(),
            format!("{:.0}", start.resident),
            format!("{:.0}", start.anonymous),
            each(some.resident, first.resident),
            each(some.anonymous, first.anonymous),
            format!("{:.0}", most.resident),
            format!("{:.0}", after.resident),
        ]);
    }
    table
}

/// A connection that has been used once.
fn visit(contestant: &Contestant) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", contestant.port)).expect("a contestant accepts");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
    stream.write_all(format!("GET / HTTP/1.1\r\n{HOST}\r\n\r\n").as_bytes()).expect("a contestant reads");
    let (mut answer, mut part) = (Vec::new(), [0; 4096]);
    while !answer.ends_with(HELLO.as_bytes()) {
        let count =
            stream.read(&mut part).unwrap_or_else(|error| panic!("{} does not answer: {error}", contestant.name));
        assert!(count > 0, "the answer ended early: {}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&part[..count]);
    }
    stream
}

impl Memory {
    /// Of a process and its children.
    fn of(pid: u32) -> Self {
        let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).expect("the contestant runs");
        let field = |name: &str| -> f64 {
            let line = text.lines().find_map(|line| line.strip_prefix(name)).expect("a field of smaps_rollup");
            line.split_whitespace().next().and_then(|kib| kib.parse().ok()).expect("KiB")
        };
        let own = Self { resident: field("Rss:"), anonymous: field("Anonymous:") };
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        children.split_whitespace().filter_map(|child| child.parse().ok()).map(Self::of).fold(own, |sum, child| Self {
            resident: sum.resident + child.resident,
            anonymous: sum.anonymous + child.anonymous,
        })
    }
}
