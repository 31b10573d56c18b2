//! All contestants under the same load in the same instant: what a request costs each of them.

use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Plan;
use crate::field::{Contestant, FULL_WAY, FULL_WAY_LOWER, Field, HAPROXY, NGINX, NGINX_AGAIN, RELAY, SIDECAR};
use crate::graph::Graph;
use crate::scenarios::{HOST, Scenario, Unit};
use crate::support::{CORES, cpu_nanos, cpu_of_threads};
use crate::table::{Table, median, ranged, ratios};

/// What a scenario cost everybody, in the field's order and round by round.
pub struct Outcome {
    scenario: &'static Scenario,
    /// CPU microseconds per request, or per MiB.
    cost: Vec<Vec<f64>>,
    /// Requests per second.
    speed: Vec<Vec<f64>>,
    /// How much of their core all contestants used together.
    busy: Vec<f64>,
    leads: usize,
    /// Whose threads a sidecar's cost was in: CPU microseconds per request.
    threads: Vec<(String, f64)>,
}

/// What wrk counted.
struct Counted {
    requests: usize,
    mebibytes: f64,
}

pub fn run(scenario: &'static Scenario, field: &Field, plan: &Plan) -> Outcome {
    for contestant in &field.0 {
        probe(scenario, contestant);
    }
    // First connections and cold caches are nobody's subject; a quick run has no time for that.
    if !plan.quick {
        round(scenario, field, "warm", 1);
    }
    let nobody = || vec![Vec::new(); field.0.len()];
    let mut outcome =
        Outcome { scenario, cost: nobody(), speed: nobody(), busy: Vec::new(), leads: 0, threads: Vec::new() };
    let sidecar = field.0[field.place(SIDECAR)].process.0.id();
    let before = cpu_of_threads(sidecar);
    for number in 0..plan.rounds {
        let begun = Instant::now();
        let results = round(scenario, field, &number.to_string(), plan.seconds);
        let all: f64 = results.iter().map(|(spent, _, _)| spent).sum();
        outcome.busy.push(all / begun.elapsed().as_secs_f64() / 1e6);
        for (place, (spent, counted, leads)) in results.into_iter().enumerate() {
            let units = if scenario.unit == Unit::MiB { counted.mebibytes } else { counted.requests as f64 };
            outcome.cost[place].push(spent / units);
            outcome.speed[place].push(counted.requests as f64 / f64::from(plan.seconds));
            outcome.leads += leads;
        }
    }
    let requests = outcome.speed[field.place(SIDECAR)].iter().sum::<f64>() * f64::from(plan.seconds);
    for (name, spent) in cpu_of_threads(sidecar) {
        let spent = spent - before.get(&name).copied().unwrap_or(0);
        outcome.threads.push((name, spent as f64 / 1000.0 / requests));
    }
    outcome.threads.sort_by(|one, other| other.1.total_cmp(&one.1));
    outcome
}

/// One request as wrk will send it, to see that the answer is what the scenario is about.
fn probe(scenario: &Scenario, contestant: &Contestant) {
    let mut stream = TcpStream::connect(("127.0.0.1", contestant.port)).expect("a contestant accepts");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
    let (method, body) = if scenario.is_form { ("POST", "email=probe%40example.com") } else { ("GET", "") };
    let length = if scenario.is_form { format!("Content-Length: {}\r\n", body.len()) } else { String::new() };
    let lines = scenario.headers.iter().filter(|line| !line.starts_with("Connection"));
    let lines: String = lines.map(|line| format!("{line}\r\n")).collect();
    let request =
        format!("{method} {} HTTP/1.1\r\n{HOST}\r\n{lines}{length}Connection: close\r\n\r\n{body}", scenario.path);
    stream.write_all(request.as_bytes()).expect("a contestant reads");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer that ends");
    let head = String::from_utf8_lossy(&answer[..answer.len().min(4096)]).to_ascii_lowercase();
    let (name, status) = (contestant.name, format!("http/1.1 {}", scenario.status));
    assert!(head.starts_with(&status), "{}: {name} answered {head}", scenario.name);
    if let Some(added) = scenario.adds {
        assert_eq!(head.contains(added), contestant.graph.is_some(), "{}: {name} answered {head}", scenario.name);
    }
}

/// Per contestant: CPU microseconds, what was counted, and leads that were delivered.
fn round(scenario: &Scenario, field: &Field, name: &str, seconds: u32) -> Vec<(f64, Counted, usize)> {
    let dir = tempfile::tempdir().expect("a folder");
    let script = dir.path().join("load.lua");
    fs::write(&script, lua(scenario, name)).expect("a script");
    let taken = |contestant: &Contestant| contestant.graph.as_ref().map_or(0, Graph::taken);
    let before: Vec<_> = field.0.iter().map(|one| (cpu_nanos(one.process.0.id()), taken(one))).collect();
    let running: Vec<_> = field.0.iter().map(|contestant| wrk(scenario, contestant, &script, seconds)).collect();
    let counted: Vec<_> = running.into_iter().zip(&field.0).map(|(child, one)| Counted::of(child, one.name)).collect();
    let each = field.0.iter().zip(before).zip(counted);
    each.map(|((contestant, (cpu, leads)), counted)| {
        if let (true, Some(graph)) = (scenario.is_form, &contestant.graph) {
            // Every form is a lead, and its delivery is part of what it costs.
            graph.wait_for(leads + counted.requests);
        }
        let spent = (cpu_nanos(contestant.process.0.id()) - cpu) as f64 / 1000.0;
        (spent, counted, taken(contestant) - leads)
    })
    .collect()
}

fn wrk(scenario: &Scenario, contestant: &Contestant, script: &std::path::Path, seconds: u32) -> Child {
    let mut command = Command::new("taskset");
    command.args(["-c", CORES.1, "wrk", "-t1", "-c", &scenario.connections.to_string()]);
    command.args(["-d", &format!("{seconds}s"), "--timeout", "20s", "-H", HOST, "-s"]).arg(script);
    for line in scenario.headers {
        command.args(["-H", line]);
    }
    command.arg(format!("http://127.0.0.1:{}{}", contestant.port, scenario.path));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("wrk runs")
}

/// A form is another visitor's every time. Else wrk sends the same bytes again, and the script only prints the sums.
fn lua(scenario: &Scenario, round: &str) -> String {
    let form = format!(
        "local n = 0\nrequest = function()\n  n = n + 1\n  return wrk.format('POST', nil, nil, \
         'email=visitor' .. n .. '.{round}%40example.com&name=Ana+Ruiz&message=about+a+quote')\nend\n"
    );
    let done = "done = function(summary)\n  local e = summary.errors\n  print('counted', summary.requests, summary.bytes, \
                e.connect + e.read + e.write + e.timeout + e.status)\nend\n";
    format!("{}{done}", if scenario.is_form { &form } else { "" })
}

impl Counted {
    fn of(child: Child, name: &str) -> Self {
        let out = child.wait_with_output().expect("wrk ends");
        let text = String::from_utf8_lossy(&out.stdout);
        let numbers = text.lines().find_map(|line| line.strip_prefix("counted"));
        let numbers: Vec<usize> = numbers.unwrap_or_default().split_whitespace().flat_map(str::parse).collect();
        let [requests, bytes, 0] = numbers[..] else {
            panic!("{name} answered with errors:\n{text}{}", String::from_utf8_lossy(&out.stderr))
        };
        assert!(requests > 0, "{name} answered nothing:\n{text}");
        Self { requests, mebibytes: bytes as f64 / f64::from(1 << 20) }
    }
}

impl Outcome {
    /// Per round, the cost of whoever of the two was better.
    fn better_peer(&self, field: &Field) -> Vec<f64> {
        let [nginx, haproxy] = [NGINX, HAPROXY].map(|name| &self.cost[field.place(name)]);
        nginx.iter().zip(haproxy).map(|(one, other)| one.min(*other)).collect()
    }

    pub fn table(&self, field: &Field) -> Table {
        let unit = if self.scenario.unit == Unit::MiB { "CPU µs per MiB" } else { "CPU µs per request" };
        let mut note = format!(
            "{} connections each, {} rounds; together they used {:.0} % of their core.",
            self.scenario.connections,
            self.busy.len(),
            median(&self.busy) * 100.0
        );
        if self.scenario.is_form {
            let threads = self.threads.iter().filter(|(_, micros)| *micros >= 0.5);
            let threads: Vec<_> = threads.map(|(name, micros)| format!("{name} {micros:.0}")).collect();
            let _ = write!(
                note,
                " {} leads were committed and delivered within that CPU time. µs of `{SIDECAR}` by thread: {}.",
                self.leads,
                threads.join(", ")
            );
        }
        let columns = ["", unit, "to the better of nginx and HAProxy", "to the TCP relay", "requests/s"];
        let mut table = Table::new(&format!("{} (`{}`)", self.scenario.title, self.scenario.name), &columns, note);
        let (peer, relay) = (self.better_peer(field), &self.cost[field.place(RELAY)]);
        for (contestant, (cost, speed)) in field.0.iter().zip(self.cost.iter().zip(&self.speed)) {
            table.rows.push(vec![
                contestant.name.to_owned(),
                format!("{:.1}", median(cost)),
                ranged(&ratios(cost, &peer)),
                ranged(&ratios(cost, relay)),
                format!("{:.0}", median(speed)),
            ]);
        }
        table
    }
}

/// All scenarios at a glance.
pub fn overview(field: &Field, outcomes: &[Outcome]) -> Table {
    let shown = [SIDECAR, FULL_WAY, FULL_WAY_LOWER, RELAY];
    let mut columns = vec!["CPU to the better of nginx and HAProxy"];
    columns.extend(shown);
    columns.push("nginx to itself");
    let note = "Median over the rounds, and least to greatest. Less than 1: cheaper than the better of the two.";
    let mut table = Table::new("CPU per request", &columns, note.to_owned());
    for outcome in outcomes {
        let peer = outcome.better_peer(field);
        let mut row = vec![outcome.scenario.title.to_owned()];
        row.extend(shown.map(|name| ranged(&ratios(&outcome.cost[field.place(name)], &peer))));
        let [nginx, again] = [NGINX, NGINX_AGAIN].map(|name| &outcome.cost[field.place(name)]);
        row.push(ranged(&ratios(again, nginx)));
        table.rows.push(row);
    }
    table
}
