//! What a proxied request costs: capi-sidecar next to nginx, HAProxy and a plain TCP relay.
//!
//! All contestants stand before the same origin, each with one worker, all on one core; the origin and the load share the
//! other. They are loaded **in the same instant** with the same number of connections, round by round: the machine's speed
//! drifts too much for contestants that run in turn. CPU time is what the kernel charged to all threads of a contestant,
//! so who got how much of the core does not matter. A second nginx runs beside the first; what it differs in is the noise.
//! Only ratios mean anything.
//!
//! `cargo bench --bench cost` needs nginx, HAProxy, wrk and taskset. `-- --quick`: every scenario, one short round, to see
//! that it runs. `-- small-get latency`: these scenarios. `--rounds N`, `--seconds N` (per round and scenario). `--markdown`:
//! the tables as in `docs/BENCHMARKS.md`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::cast_precision_loss)]

mod field;
mod graph;
mod latency;
mod load;
mod memory;
mod origin;
mod scenarios;
#[path = "../support/mod.rs"]
mod support;
mod table;

use std::path::Path;
use std::process::{Command, exit};
use std::time::Instant;

use field::Field;
use origin::Origin;
use scenarios::{SCENARIOS, Scenario};
use support::{CORES, has};
use table::Table;

/// What the command line asks for.
struct Plan {
    quick: bool,
    markdown: bool,
    rounds: usize,
    seconds: u32,
    /// Scenarios by name; none: all.
    names: Vec<String>,
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [word, from, to] = args.as_slice()
        && word == "relay"
    {
        return field::relay(from, to);
    }
    let plan = Plan::parse(args).unwrap_or_else(|trouble| {
        eprintln!("cost: {trouble}");
        exit(64);
    });
    let missing: Vec<_> = ["nginx", "haproxy", "wrk", "taskset"].into_iter().filter(|name| !has(name)).collect();
    if !missing.is_empty() {
        eprintln!("cost: {} needed; nothing was measured", missing.join(", "));
        exit(69);
    }
    // This process sends requests and plays Graph: like all load it stays off the contestants' core.
    let own = std::process::id().to_string();
    let pinned = Command::new("taskset").args(["-apc", CORES.1, &own]).output().expect("taskset runs");
    assert!(pinned.status.success(), "this process could not be pinned");

    let dir = tempfile::tempdir().expect("a folder");
    let tables = run(&plan, dir.path());
    for table in &tables {
        println!("{}", if plan.markdown { table.markdown() } else { table.text() });
    }
}

fn run(plan: &Plan, dir: &Path) -> Vec<Table> {
    let origin = Origin::start(dir);
    let begun = Instant::now();
    let say = |name: &str| eprintln!("cost: {name}, {} s after the start", begun.elapsed().as_secs());
    let chosen: Vec<&Scenario> = SCENARIOS.iter().filter(|scenario| plan.wants(scenario.name)).collect();
    let mut tables = Vec::new();
    if !chosen.is_empty() || plan.wants(latency::NAME) {
        let field = Field::start(dir, &origin);
        let mut outcomes = Vec::new();
        for scenario in chosen {
            say(scenario.name);
            outcomes.push(load::run(scenario, &field, plan));
        }
        tables.extend((outcomes.len() > 1).then(|| load::overview(&field, &outcomes)));
        tables.extend(outcomes.iter().map(|outcome| outcome.table(&field)));
        if plan.wants(latency::NAME) {
            say(latency::NAME);
            tables.push(latency::run(&field, &origin, plan));
        }
    }
    if plan.wants(memory::NAME) {
        say(memory::NAME);
        tables.push(memory::run(dir, &origin, plan));
    }
    tables
}

impl Plan {
    fn parse(args: Vec<String>) -> Result<Self, String> {
        let quick = args.iter().any(|arg| arg == "--quick");
        let (rounds, seconds) = if quick { (1, 1) } else { (9, 4) };
        let mut plan = Self { quick, markdown: false, rounds, seconds, names: Vec::new() };
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            let mut number = || args.next().and_then(|n| n.parse().ok()).filter(|n| *n > 0).ok_or(format!("{arg} N"));
            match arg.as_str() {
                // Cargo's own.
                "--bench" | "--quick" => {}
                "--markdown" => plan.markdown = true,
                "--rounds" => plan.rounds = number()? as usize,
                "--seconds" => plan.seconds = number()?,
                name if known().any(|known| known == name) => plan.names.push(arg),
                _ => return Err(format!("{arg}? The scenarios are {}", known().collect::<Vec<_>>().join(", "))),
            }
        }
        Ok(plan)
    }

    fn wants(&self, name: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|wanted| wanted == name)
    }
}

fn known() -> impl Iterator<Item = &'static str> {
    SCENARIOS.iter().map(|scenario| scenario.name).chain([latency::NAME, memory::NAME])
}
