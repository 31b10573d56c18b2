//! What learning from pages costs: CPU per page with it, as a ratio to the same sidecar without it.
//!
//! Two loads of pages of 60 KiB with a form: a site of 500 pages, and the worst case, where no page comes twice. Both
//! sidecars stand before the same origin, share one core, and are loaded in the same instant: what else the machine does
//! touches both. CPU time is what the kernel charged to each.
//!
//! `cargo bench --bench pages` needs nginx and wrk; `-- --quick` is one short round, to see that it runs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::cast_precision_loss)]

mod support;

use std::fmt::Write;
use std::fs;
use std::process::Command;

use support::{CORES, Process, cpu_nanos, free_port, has, nginx, spread, start_sidecar};

const PAGE_BYTES: usize = 60 * 1024;

/// How wrk chooses the pages.
const LOADS: [(&str, &str); 2] = [
    ("a site of 500 pages", "request = function() return wrk.format(nil, \"/page/\" .. math.random(500)) end"),
    ("no page comes twice", "request = function() return wrk.format(nil, \"/page/\" .. math.random(1000000000)) end"),
];

fn main() {
    let quick = std::env::args().any(|arg| arg == "--quick");
    let (rounds, seconds) = if quick { (1, 1) } else { (7, 5) };
    if !has("wrk") || !has("nginx") {
        eprintln!("pages: wrk and nginx are needed; nothing was measured");
        std::process::exit(1);
    }
    let dir = tempfile::tempdir().expect("a folder");
    fs::write(dir.path().join("page.html"), page()).expect("a page");
    let origin = free_port();
    let conf = format!(
        "server {{ listen 127.0.0.1:{origin}; root {}; default_type text/html; location / {{ try_files /page.html =404; }} }}",
        dir.path().display()
    );
    let _origin = nginx(dir.path(), "origin", &conf, CORES.1, origin);
    println!("pages of {} KiB with a form; CPU per page with learning, as a ratio to without", PAGE_BYTES / 1024);
    for (name, script) in LOADS {
        let file = dir.path().join("load.lua");
        fs::write(&file, script).expect("a script");
        let contestants = [("true", "on"), ("false", "off")].map(|(learn, word)| {
            let flags = ["--learn-pages", learn];
            start_sidecar(dir.path(), &format!("{word}-{}", name.len()), origin, &flags)
        });
        let mut ratios = Vec::new();
        // The first round is the burst in which the site is learned; it is told apart.
        for _ in 0..=rounds {
            let [on, off] = std::thread::scope(|scope| {
                let measured =
                    contestants.each_ref().map(|(process, port)| scope.spawn(|| cost(process, *port, &file, seconds)));
                measured.map(|handle| handle.join().expect("a load that runs"))
            });
            ratios.push(on / off);
        }
        let first = ratios.remove(0);
        let (low, middle, high) = spread(&ratios);
        println!("{name:<24}{middle:>8.3} ({low:.3}–{high:.3}), {rounds} rounds; the first {seconds} s: {first:.3}");
    }
}

/// CPU microseconds per page.
fn cost(process: &Process, port: u16, script: &std::path::Path, seconds: u32) -> f64 {
    let before = cpu_nanos(process.0.id());
    let out = Command::new("taskset")
        .args(["-c", CORES.1, "wrk", "-t1", "-c8", "-H", "Accept: text/html", "-d", &format!("{seconds}s"), "-s"])
        .arg(script)
        .arg(format!("http://127.0.0.1:{port}/"))
        .output()
        .expect("wrk runs");
    let spent = cpu_nanos(process.0.id()) - before;
    let text = String::from_utf8_lossy(&out.stdout);
    assert!(!text.contains("Non-2xx"), "answered with errors:\n{text}");
    let pages: f64 = text
        .lines()
        .find_map(|line| line.trim().split_once(" requests in").and_then(|(count, _)| count.parse().ok()))
        .expect("wrk counts requests");
    spent as f64 / 1000.0 / pages
}

/// Prose, navigation and a form, as a theme prints them.
fn page() -> String {
    let mut html = String::from("<!doctype html><meta charset=utf-8><title>Quote</title><body>");
    let form = "<form method=post><label for=n>Name</label><input id=n name=n><label for=m>E-Mail</label>\
                <input id=m name=m type=email><label for=p>Telefon</label><input id=p name=p></form>";
    let mut number = 0;
    while html.len() < PAGE_BYTES - form.len() {
        number += 1;
        let _ = write!(
            html,
            "<div class=\"block block-{number}\"><h2 id=\"h{number}\">Heading</h2><p>Some words of prose, as pages have \
             them, with <a href=\"/page/{number}\">a link</a> and <em>stress</em>.</p></div>"
        );
    }
    html + form
}
