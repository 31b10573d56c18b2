//! The wall clock of the running process leaps (libfaketime), the machine's own does not.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../examples/demo/graph.rs"]
mod graph;
mod support;

use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use graph::Graph;
use sha2::{Digest, Sha256};
use support::{Process, Site, answer, form_post, run_args};

const GRANTED: &str = "Cookie: cookieyes-consent=consentid:x,consent:yes,action:yes,necessary:yes,advertisement:yes";
const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;
/// After a few seconds without Graph, back-off alone may take so long.
const RESUMES: Duration = Duration::from_secs(45);

struct Stage {
    graph: Graph,
    graph_is_up: Arc<AtomicBool>,
    sidecar: Process,
    dir: tempfile::TempDir,
    site: String,
    gate: String,
    visitors: usize,
}

impl Stage {
    /// A sidecar whose clock is `offset` seconds off, before a Graph that hangs up on whoever asks.
    fn start(offset: i64) -> Self {
        let (site, _received) = Site::new(|_| answer("303 See Other", &["Location: /thank-you"], ""));
        let graph = Graph::start();
        let graph_is_up = Arc::new(AtomicBool::new(false));
        let gate = gate(&graph, &graph_is_up).url();
        let dir = tempfile::tempdir().unwrap();
        set_clock(&dir, offset);
        let sidecar = sidecar(&dir, &site.url(), &gate);
        Self { graph, graph_is_up, sidecar, dir, site: site.url(), gate, visitors: 0 }
    }

    /// Killed and started again.
    fn restart(&mut self) {
        self.sidecar.kill();
        self.sidecar = sidecar(&self.dir, &self.site, &self.gate);
    }

    fn submit(&mut self, visitors: usize) {
        for visitor in self.visitors..self.visitors + visitors {
            let post =
                form_post("/quote", "shop.example", &[GRANTED], &format!("email=visitor{visitor}%40example.com"));
            assert_eq!(support::send(self.sidecar.address("address"), &post).status(), 303);
        }
        self.visitors += visitors;
    }

    fn set_clock(&self, offset: i64) {
        set_clock(&self.dir, offset);
    }

    /// Lets time pass in which nothing but waiting and the rare attempt is to be done.
    fn rest(&self, time: Duration) {
        let before = cpu(&self.sidecar);
        thread::sleep(time);
        let spent = cpu(&self.sidecar).saturating_sub(before);
        assert!(spent < time / 5, "a busy loop? {spent:?} of CPU in {time:?}");
    }

    /// Graph is back: everything arrives soon, at most a minute from `ages` old by the real clock, and nothing is refused.
    fn all_arrive(&self, ages: std::ops::RangeInclusive<u64>) {
        self.graph_is_up.store(true, Ordering::Relaxed);
        let hash = |visitor| hex::encode(Sha256::digest(format!("visitor{visitor}@example.com")));
        let expected: HashSet<_> = (0..self.visitors).map(hash).collect();
        let arrived = || -> HashSet<String> {
            self.graph.events().iter().map(|event| event["user_data"]["em"][0].as_str().unwrap().to_owned()).collect()
        };
        let begun = Instant::now();
        while arrived() != expected {
            assert!(begun.elapsed() < RESUMES, "{:?}\n{}", arrived().len(), self.sidecar.output());
            thread::sleep(Duration::from_millis(50));
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        for event in self.graph.events() {
            let time = event["event_time"].as_u64().unwrap();
            assert!(
                time <= now && ages.contains(&((now - time) / 60)),
                "{} s ago, by its own word",
                now.cast_signed() - time.cast_signed()
            );
        }
        // The stand-in refuses what is of the future or too old.
        assert!(self.graph.requests().iter().all(|request| request.status == 200), "{:#?}", self.graph.requests());
        assert_eq!(self.graph.events().len(), self.visitors, "sent twice");
    }
}

/// Before Graph: hangs up as long as it is not up.
fn gate(graph: &Graph, is_up: &Arc<AtomicBool>) -> Site {
    let (address, is_up) = (graph.url().replace("http://", ""), Arc::clone(is_up));
    Site::raw(move |mut visitor| {
        if !is_up.load(Ordering::Relaxed) {
            // After reading, so that the request may have been understood.
            let _ = visitor.read(&mut [0; 4096]);
            return;
        }
        let mut graph = TcpStream::connect(&address).unwrap();
        let (mut from, mut to) = (visitor.try_clone().unwrap(), graph.try_clone().unwrap());
        thread::spawn(move || {
            let _ = std::io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Write);
        });
        let _ = std::io::copy(&mut graph, &mut visitor);
    })
}

fn sidecar(dir: &tempfile::TempDir, site: &str, graph: &str) -> Process {
    let mut command = Command::new(env!("CARGO_BIN_EXE_capi-sidecar"));
    command
        .env("CAPI_ACCESS_TOKEN", "test-token")
        .env("LD_PRELOAD", libfaketime())
        .env("FAKETIME_TIMESTAMP_FILE", dir.path().join("clock"))
        .env("FAKETIME_NO_CACHE", "1")
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .args(run_args(dir.path(), site, graph));
    let sidecar = Process::start(&mut command);
    let _ = sidecar.address("address");
    sidecar
}

fn set_clock(dir: &tempfile::TempDir, offset: i64) {
    let new = dir.path().join("clock.new");
    std::fs::File::create(&new).unwrap().write_all(format!("{offset:+}\n").as_bytes()).unwrap();
    std::fs::rename(new, dir.path().join("clock")).unwrap();
}

fn libfaketime() -> PathBuf {
    let found = std::fs::read_dir("/usr/lib").unwrap().flatten();
    found
        .map(|dir| dir.path().join("faketime/libfaketime.so.1"))
        .find(|file| file.exists())
        .expect("faketime is installed")
}

/// What the kernel charged to the process so far.
fn cpu(sidecar: &Process) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", sidecar.id())).unwrap();
    let fields: Vec<_> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    // utime and stime, in hundredths of a second on every Linux there is.
    let ticks: u64 = fields[11..13].iter().map(|field| field.parse::<u64>().unwrap()).sum();
    Duration::from_millis(ticks * 10)
}

#[test]
#[ignore = "needs faketime"]
fn a_leap_that_is_undone_loses_no_lead_whichever_way_it_went() {
    let tests: Vec<_> = [HOUR, -HOUR, 10 * DAY, -10 * DAY]
        .map(|leap| {
            thread::spawn(move || {
                let mut stage = Stage::start(0);
                stage.submit(3);
                stage.rest(Duration::from_millis(700));
                stage.set_clock(leap);
                stage.submit(2);
                stage.rest(Duration::from_secs(3));
                stage.set_clock(0);
                stage.submit(1);
                stage.all_arrive(0..=1);
            })
        })
        .into();
    for test in tests {
        test.join().unwrap();
    }
}

#[test]
#[ignore = "needs faketime"]
fn a_clock_that_is_set_while_leads_wait_puts_nothing_to_sleep() {
    let tests: Vec<_> = [HOUR, -HOUR, 10 * DAY, -10 * DAY]
        .into_iter()
        .map(|before| {
            thread::spawn(move || {
                let mut stage = Stage::start(before);
                stage.submit(3);
                stage.rest(Duration::from_secs(2));
                stage.set_clock(0);
                stage.rest(Duration::from_secs(2));
                stage.submit(2);
                stage.all_arrive(0..=1);
            })
        })
        .collect();
    for test in tests {
        test.join().unwrap();
    }
}

#[test]
#[ignore = "needs faketime"]
fn leads_that_came_while_the_clock_stood_in_1970_are_sent_as_of_when_they_came() {
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap();
    let mut stage = Stage::start(DAY - now);
    stage.submit(3);
    stage.rest(Duration::from_secs(2));
    stage.set_clock(0);
    stage.submit(2);
    // A repeat of one that came in 1970.
    let post = form_post("/quote", "shop.example", &[GRANTED], "email=visitor0%40example.com");
    assert_eq!(support::send(stage.sidecar.address("address"), &post).status(), 303);
    stage.all_arrive(0..=1);
}

/// What an earlier run left is not known to be of this clock, and does not move: here delivery's own caution after a leap
/// is all that keeps it from being given up.
#[test]
#[ignore = "needs faketime"]
fn a_leap_that_is_undone_buries_no_lead_of_an_earlier_run() {
    let mut stage = Stage::start(0);
    stage.submit(3);
    stage.rest(Duration::from_millis(700));
    stage.restart();
    stage.rest(Duration::from_millis(700));
    stage.set_clock(10 * DAY);
    stage.rest(Duration::from_secs(3));
    stage.set_clock(0);
    stage.all_arrive(0..=1);
}
