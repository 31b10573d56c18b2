//! How long an answer takes at moderate load: small GETs at a constant rate, to one contestant after another in short turns,
//! since together they would wait for each other.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use crate::Plan;
use crate::field::{Field, NGINX};
use crate::origin::{HELLO, Origin};
use crate::scenarios::HOST;
use crate::table::{Table, median, ranged, ratios};

pub const NAME: &str = "latency";
pub const DIRECT: &str = "direct";

/// 2,000 requests a second, over 16 connections.
const CONNECTIONS: u32 = 16;
const EVERY: Duration = Duration::from_millis(8);
/// A contestant's turns in a round.
const TURNS: u32 = 4;

/// Microseconds, per contestant and round.
struct Times {
    p50: Vec<Vec<f64>>,
    p99: Vec<Vec<f64>>,
}

pub fn run(field: &Field, origin: &Origin, plan: &Plan) -> Table {
    let names: Vec<_> = [DIRECT].into_iter().chain(field.0.iter().map(|contestant| contestant.name)).collect();
    let ports: Vec<_> = [origin.port].into_iter().chain(field.0.iter().map(|contestant| contestant.port)).collect();
    let mut times = Times { p50: vec![Vec::new(); ports.len()], p99: vec![Vec::new(); ports.len()] };
    // All turns of a round together are half as long as a round of the other scenarios.
    let turn = Duration::from_secs(u64::from(plan.seconds)) / TURNS / 2;
    for _ in 0..plan.rounds {
        let mut turns = vec![(Vec::new(), Vec::new()); ports.len()];
        for number in 0..TURNS as usize {
            for place in 0..ports.len() {
                let place = (place + number * 3) % ports.len();
                let mut taken = load(ports[place], turn);
                taken.sort_by(f64::total_cmp);
                turns[place].0.push(taken[taken.len() / 2]);
                turns[place].1.push(taken[taken.len() * 99 / 100]);
            }
        }
        // The median turn: what else the machine does in one of them is nobody's latency.
        for (place, (p50, p99)) in turns.into_iter().enumerate() {
            times.p50[place].push(median(&p50));
            times.p99[place].push(median(&p99));
        }
    }
    times.table(&names, plan)
}

/// One turn: microseconds from the first byte of each request to the last one of its answer.
fn load(port: u16, turn: Duration) -> Vec<f64> {
    let from = Instant::now() + Duration::from_millis(20);
    thread::scope(|scope| {
        let visitors: Vec<_> =
            (0..CONNECTIONS).map(|n| scope.spawn(move || visit(port, from + EVERY * n / CONNECTIONS, turn))).collect();
        visitors.into_iter().flat_map(|visitor| visitor.join().expect("answers")).collect()
    })
}

fn visit(port: u16, from: Instant, turn: Duration) -> Vec<f64> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("a contestant accepts");
    stream.set_nodelay(true).expect("an option");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
    let request = format!("GET / HTTP/1.1\r\n{HOST}\r\n\r\n");
    let (mut due, mut times, mut answer) = (from, Vec::new(), [0; 4096]);
    // The first one opens the connection to the site; it is not counted.
    while due < from + turn {
        let late = Instant::now() > due;
        thread::sleep(due.saturating_duration_since(Instant::now()));
        // Who was kept waiting by the answer before this one has waited since it was due.
        let start = if late && !times.is_empty() { due } else { Instant::now() };
        stream.write_all(request.as_bytes()).expect("a contestant reads");
        let mut got = 0;
        while !answer[..got].ends_with(HELLO.as_bytes()) {
            let count = stream.read(&mut answer[got..]).expect("an answer");
            assert!(count > 0, "the answer ended early");
            got += count;
        }
        times.push(start.elapsed().as_secs_f64() * 1e6);
        due += EVERY;
    }
    times.split_off(1.min(times.len()))
}

impl Times {
    fn table(&self, names: &[&str], plan: &Plan) -> Table {
        let added = |times: &[Vec<f64>], place: usize| -> Vec<f64> {
            times[place].iter().zip(&times[0]).map(|(own, direct)| own - direct).collect()
        };
        let nginx = names.iter().position(|name| *name == NGINX).expect("nginx ran");
        let columns = ["µs", "p50", "p99", "added p50", "added p99", "added p50 to nginx's", "added p99 to nginx's"];
        let note = format!(
            "Small GETs, {} a second over {CONNECTIONS} connections, {} rounds. A round's p50 and p99 are those \
             of the median of its {TURNS} turns. Added: to `direct`, in the same round.",
            u128::from(CONNECTIONS) * 1000 / EVERY.as_millis(),
            plan.rounds
        );
        let mut table = Table::new(&format!("Latency (`{NAME}`)"), &columns, note);
        for (place, name) in names.iter().enumerate() {
            let middle = |values: &[f64]| format!("{:.0}", median(values));
            let mut row = vec![(*name).to_owned(), middle(&self.p50[place]), middle(&self.p99[place])];
            if place == 0 {
                row.extend(vec![String::new(); 4]);
            } else {
                row.extend([middle(&added(&self.p50, place)), middle(&added(&self.p99, place))]);
                for times in [&self.p50, &self.p99] {
                    row.push(ranged(&ratios(&added(times, place), &added(times, nginx))));
                }
            }
            table.rows.push(row);
        }
        table
    }
}
