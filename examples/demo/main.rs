//! The whole thing on one machine: a made-up site, the real sidecar in front of it, and a stand-in for Meta's Graph API.
//! Nothing leaves the machine.
//!
//! `cargo run --release --example demo` prints the URL to open and shows every decision and every event as it happens.
//! `-- --port 8080` asks for a port; `-- --smoke` drives itself instead of a browser and ends.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod graph;
mod site;
mod smoke;

use std::collections::BTreeMap;
use std::error::Error;
use std::io::IsTerminal;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use capi_sidecar::config::{Purpose, Sources, load};
use capi_sidecar::sidecar::Sidecar;
use graph::Graph;

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("demo: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<bool, Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let smoke = args.iter().any(|arg| arg == "--smoke");
    let port = args.iter().position(|arg| arg == "--port").and_then(|at| args.get(at + 1)).map_or("0", String::as_str);
    tracing_subscriber::fmt()
        .with_env_filter("decision=info,capi_sidecar=info")
        .without_time()
        .with_ansi(std::io::stdout().is_terminal())
        .init();

    let store = tempfile::tempdir()?;
    let graph = Graph::start();
    graph.set_token("demo-token");
    let sidecar = start_sidecar(&site::start()?.to_string(), &graph, store.path(), port)?;
    let address = sidecar.place().tcp().ok_or("the sidecar listens on an address")?;
    let url = format!("http://localhost:{}", address.port());
    println!("\n  The site, behind the sidecar:  {url}/?fbclid=IwAR0demo_Click-1");
    println!("  The sidecar's status page:     http://{}/", sidecar.admin_address());
    println!("  Graph here is a stand-in: it checks Meta's documented rules and is not Meta.\n");
    if smoke {
        let passed = smoke::run(address, &graph);
        return Ok(sidecar.stop() && passed);
    }
    println!("  Press Ctrl-C to end.\n");
    show_events(&graph)
}

/// The real sidecar, with the settings that a site's owner would give.
fn start_sidecar(site: &str, graph: &Graph, store: &std::path::Path, port: &str) -> Result<Sidecar, Box<dyn Error>> {
    let settings = [
        ("listen", format!("127.0.0.1:{port}")),
        ("admin-listen", "127.0.0.1:0".to_owned()),
        ("upstream", format!("http://{site}")),
        ("pixel-id", "1234567890".to_owned()),
        ("graph-endpoint", graph.url()),
        ("default-country", "DE".to_owned()),
        ("store", format!("sqlite:{}", store.join("demo.db").display())),
    ];
    let flags = settings.into_iter().map(|(flag, value)| (flag.to_owned(), vec![value])).collect();
    let env = BTreeMap::from([("CAPI_ACCESS_TOKEN".to_owned(), "demo-token".to_owned())]);
    let loaded = load(&Sources { file: None, env, flags }, Purpose::Run)?;
    Ok(Sidecar::start(loaded.config)?)
}

fn show_events(graph: &Graph) -> ! {
    let mut shown = 0;
    loop {
        for request in graph.requests().iter().skip(shown) {
            shown += 1;
            let verdict = if request.status == 200 { "accepted" } else { "refused" };
            for event in &request.events {
                println!("\n  The stand-in for Graph {verdict}:\n{event:#}\n");
            }
        }
        thread::sleep(Duration::from_millis(100));
    }
}
