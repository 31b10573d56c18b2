//! What hours of visitors leave behind: memory, descriptors, the store, and whether every lead arrived exactly once.
//!
//! A sidecar with two workers stands before nginx, and a mix of visitors comes at a modest constant rate: kept and new
//! connections, pages with forms, landings, forms, duplicates, denied consent, waves, visitors who leave early or take their
//! time, tunnels, HTTP/2. Everybody leaves twice, after the warm-up and at the end, and what is left is compared.
//!
//! `cargo bench --bench soak -- --minutes 60` needs nginx and taskset; `--every N` is the seconds between two lines, `--program PATH`
//! another sidecar than the one just built.
//! `-- --quick` takes 20 seconds or so, to see that it runs: its growth says nothing. It ends with an error if a lead is missing
//! or doubled, or descriptors stay open; memory is shown, not judged.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::cast_precision_loss)]

mod ledger;
#[path = "../cost/origin.rs"]
mod origin;
#[path = "../support/mod.rs"]
mod support;
mod visitors;
mod watch;

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio, exit};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ledger::Ledger;
use origin::Origin;
use support::{Process, free_port, has, wait_for};
use visitors::Visitors;
use watch::{Sample, Watch, slope};

const PATIENCE: Duration = Duration::from_secs(30);
/// Connections to Graph come and go by themselves; so does one to the admin port.
const NO_LEAK: usize = 3;

struct Plan {
    program: String,
    warm_up: Duration,
    length: Duration,
    every: Duration,
    /// Until connections to the site are given up, and memory is given back.
    quiet: Duration,
}

impl Plan {
    fn parse(args: impl Iterator<Item = String>) -> Result<Self, String> {
        let seconds = Duration::from_secs;
        let mut plan = Self {
            program: env!("CARGO_BIN_EXE_capi-sidecar").to_owned(),
            warm_up: seconds(300),
            length: seconds(3600),
            every: seconds(30),
            quiet: seconds(30),
        };
        let mut args = args.filter(|argument| argument != "--bench");
        while let Some(argument) = args.next() {
            if argument == "--program" {
                plan.program = args.next().ok_or("--program needs a path")?;
                continue;
            }
            let mut number = || args.next().and_then(|number| number.parse().ok()).filter(|number| *number > 0);
            match argument.as_str() {
                "--quick" => {
                    plan =
                        Self { warm_up: seconds(4), length: seconds(8), every: seconds(2), quiet: seconds(5), ..plan };
                }
                "--minutes" => plan.length = seconds(60 * number().ok_or("--minutes needs a number")?),
                "--every" => plan.every = seconds(number().ok_or("--every needs a number")?),
                other => return Err(format!("{other}?")),
            }
        }
        plan.warm_up = plan.warm_up.min(plan.length);
        Ok(plan)
    }
}

fn main() {
    let plan = Plan::parse(std::env::args().skip(1)).unwrap_or_else(|trouble| {
        eprintln!("soak: {trouble}");
        exit(64);
    });
    let missing: Vec<_> = ["nginx", "taskset"].into_iter().filter(|name| !has(name)).collect();
    if !missing.is_empty() {
        eprintln!("soak: {} needed; nothing was measured", missing.join(", "));
        exit(69);
    }
    let dir = tempfile::tempdir().expect("a folder");
    let locations = format!(
        "location /contact/ {{ try_files /contact.html =404; }}\n\
         location = /live {{ proxy_pass http://127.0.0.1:{}; proxy_http_version 1.1;\n\
         proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; }}\n",
        visitors::echo()
    );
    let origin = Origin::start_with(dir.path(), &locations);
    let ledger = Ledger::start();
    let (sidecar, port, watch) = start(&plan.program, dir.path(), &origin, &ledger.graph);
    // All threads have started, and what the start took is given back.
    thread::sleep(Duration::from_secs(1));
    println!("{}", Sample::COLUMNS);
    println!("{}   at start", watch.look().line());

    let number = AtomicU64::new(0);
    visit(&plan, plan.warm_up, port, &ledger, &number, &watch);
    let before = rest(&plan, usize::MAX, &ledger, &watch);
    let samples = visit(&plan, plan.length, port, &ledger, &number, &watch);
    let after = rest(&plan, before.descriptors + NO_LEAK, &ledger, &watch);
    drop(sidecar);

    let mut errors = ledger.errors();
    report(&samples, &before, &after, &ledger);
    if after.descriptors > before.descriptors + NO_LEAK {
        errors.push(format!("{} descriptors more than after the warm-up", after.descriptors - before.descriptors));
    }
    for error in &errors {
        eprintln!("soak: {error}");
    }
    exit(i32::from(!errors.is_empty()));
}

/// A copy of the program, so that it can be built anew meanwhile.
fn start(program: &str, dir: &Path, origin: &Origin, graph: &str) -> (Process, u16, Watch) {
    let (copy, store) = (dir.join("capi-sidecar"), dir.join("soak.db"));
    fs::copy(program, &copy).expect("a copy");
    let (port, admin) = (free_port(), free_port());
    let child = Command::new(copy)
        .args(["run", "--workers", "2", "--trusted-proxy", "127.0.0.0/8", "--pixel-id", "1234567890"])
        .args(["--listen", &format!("127.0.0.1:{port}"), "--upstream", &format!("http://127.0.0.1:{}", origin.port)])
        .args(["--admin-listen", &format!("127.0.0.1:{admin}"), "--graph-endpoint", graph])
        .args(["--store", &format!("sqlite:{}", store.display())])
        .env("CAPI_ACCESS_TOKEN", "bench")
        .process_group(0)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the sidecar starts");
    wait_for(port);
    wait_for(admin);
    let watch = Watch { pid: child.id(), admin, store, begun: Instant::now() };
    (Process(child), port, watch)
}

/// Lets everybody visit for so long.
fn visit(plan: &Plan, length: Duration, port: u16, ledger: &Ledger, number: &AtomicU64, watch: &Watch) -> Vec<Sample> {
    let visitors = Visitors { port, ledger, number, stop: AtomicBool::new(false) };
    let mut samples = Vec::new();
    thread::scope(|scope| {
        let visiting = scope.spawn(|| visitors.run());
        let end = Instant::now() + length;
        while Instant::now() < end && !visiting.is_finished() {
            thread::sleep(plan.every.min(end.saturating_duration_since(Instant::now())));
            samples.push(watch.look());
            println!("{}", samples[samples.len() - 1].line());
        }
        visitors.stop.store(true, Ordering::Relaxed);
    });
    samples
}

/// What is left when everybody has gone. A busy machine may take longer to close the last of more than so many descriptors.
fn rest(plan: &Plan, descriptors: usize, ledger: &Ledger, watch: &Watch) -> Sample {
    ledger.settle();
    thread::sleep(plan.quiet);
    let patience = Instant::now() + PATIENCE;
    let mut sample = watch.look();
    while sample.descriptors > descriptors && Instant::now() < patience {
        thread::sleep(Duration::from_secs(1));
        sample = watch.look();
    }
    println!("{}   everybody has left", sample.line());
    sample
}

fn report(samples: &[Sample], before: &Sample, after: &Sample, ledger: &Ledger) {
    let (posted, delivered) = ledger.counts();
    let hours = (after.seconds - before.seconds) / 3600.0;
    println!(
        "\nunder load, per hour by least squares: RSS {:+.0} KiB, anonymous {:+.0} KiB, descriptors {:+.1}",
        slope(samples, |sample| sample.resident),
        slope(samples, |sample| sample.anonymous),
        slope(samples, |sample| sample.descriptors as u64)
    );
    println!(
        "left behind by {:.2} hours: RSS {:+} KiB, anonymous {:+} KiB, descriptors {} ({} before), threads {} ({})",
        hours,
        after.resident.cast_signed() - before.resident.cast_signed(),
        after.anonymous.cast_signed() - before.anonymous.cast_signed(),
        after.descriptors,
        before.descriptors,
        after.threads,
        before.threads
    );
    let leads = after.committed - before.committed;
    println!("store: {} bytes per lead", (after.store - before.store.min(after.store)) * 1024 / leads.max(1));
    println!("leads posted {posted}, delivered {delivered}; requests {}", after.requests);
}
