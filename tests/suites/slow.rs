//! Visitors who take their time on purpose (`slowhttptest`, Debian's): heads that never end, bodies that never end, answers
//! that are never read. They hold connections of a sidecar with its default settings, and nobody else is to notice.

use std::io::Write;
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{Process, Site, answer, connect, read_message, run_args};

/// Slow visitors, and for how long.
const SLOW: &str = "300";
const SECONDS: &str = "12";

/// What a second visitor is ready to wait.
const AT_MOST: Duration = Duration::from_secs(1);

/// More than the sidecar can get rid of: what the kernel takes of an answer for a visitor who reads nothing is some 2 MiB.
const LONG: usize = 4 << 20;

#[test]
#[ignore = "needs slowhttptest, and half a minute"]
fn visitors_who_take_their_time_keep_nobody_else_out() {
    for (what, path, flags) in [
        ("slow heads", "/", &["-H", "-i", "3"][..]),
        ("slow bodies", "/", &["-B", "-i", "3", "-s", "8192"]),
        ("slow reading", "/long", &["-X", "-w", "1024", "-y", "2048", "-n", "3", "-z", "32"]),
    ] {
        let site = Site::raw(serve);
        let dir = tempfile::tempdir().unwrap();
        let args = run_args(dir.path(), &site.url(), "http://127.0.0.1:9");
        let sidecar = Process::sidecar(&args.iter().map(String::as_str).collect::<Vec<_>>());
        let address = sidecar.address("address");
        let attack = attack(&format!("http://{address}{path}"), flags);
        let (mut times, mut most) = (Vec::new(), 0);
        let begun = Instant::now();
        // Its visitors come within five seconds, and stay.
        while begun.elapsed() < Duration::from_secs(10) {
            times.push(visit(address));
            most = most.max(open_connections(&sidecar));
            thread::sleep(Duration::from_millis(100));
        }
        let output = attack.wait_with_output().expect("slowhttptest ends");
        let slowest = times.iter().max().expect("visits");
        println!("{what}: up to {most} descriptors of the sidecar's; {} visits, {slowest:?} at most", times.len());
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(most >= 300, "{what}: the slow visitors were there; it said:\n{text}");
        assert!(*slowest < AT_MOST, "{what}: a visitor waited {slowest:?}");
        assert!(times.len() >= 40, "{what}: {} visits", times.len());
    }
}

fn attack(url: &str, flags: &[&str]) -> Child {
    let mut command = Command::new("slowhttptest");
    command.args(["-c", SLOW, "-r", "60", "-l", SECONDS, "-u", url]).args(flags);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("slowhttptest is installed")
}

/// A new connection, one GET.
fn visit(address: std::net::SocketAddr) -> Duration {
    let begun = Instant::now();
    let mut stream = connect(address);
    stream.write_all(b"GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n").unwrap();
    let reply = read_message(&mut stream, false).expect("an answer");
    assert_eq!(reply.status(), 200);
    begun.elapsed()
}

fn open_connections(sidecar: &Process) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", sidecar.id())).unwrap().count()
}

/// Reads a head, and a body to its end; answers shortly or at length.
fn serve(mut stream: TcpStream) {
    static ANSWER: LazyLock<Vec<u8>> = LazyLock::new(|| answer("200 OK", &[], &"x".repeat(LONG)));
    while let Some(request) = read_message(&mut stream, false) {
        let is_long = request.first_line().contains("/long");
        let written = if is_long { stream.write_all(&ANSWER) } else { stream.write_all(&answer("200 OK", &[], "ok")) };
        if written.is_err() {
            return;
        }
    }
}
