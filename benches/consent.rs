//! What reading consent costs: microseconds per request, for Cookie headers of real shapes.
//!
//! A request of 4 KiB of cookies with a banner among them is the one to watch: it has to stay below 5 µs. One thread,
//! pinned by nobody; each figure is the median of rounds, with the least and the greatest.
//!
//! `cargo bench --bench consent`; `-- --quick` is one short round, to see that it runs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::cast_precision_loss)]

#[allow(unused_imports, reason = "each bench uses a part of it")]
mod support;

use std::hint::black_box;
use std::time::Instant;

use capi_sidecar::config::{ConsentConfig, Purpose, Sources, load};
use capi_sidecar::consent::{self, Signals};
use http::{HeaderMap, HeaderValue};
use support::spread;

/// What browsers of a real site carry besides the banner's: sessions, analytics, tests, baskets.
const FILLER: [(&str, usize); 12] = [
    ("PHPSESSID", 26),
    ("_ga", 26),
    ("_ga_ABCDEF1234", 40),
    ("_gid", 27),
    ("_fbp", 26),
    ("_gcl_au", 25),
    ("woocommerce_cart_hash", 32),
    ("wp_woocommerce_session_1a2b3c", 90),
    ("_hjSessionUser_1234567", 120),
    ("sbjs_current", 160),
    ("intercom-id-abcdefgh", 36),
    ("ab_variant", 8),
];

/// Cookies up to a size, with the banner's last.
fn line(size: usize, banner: &str) -> String {
    let mut line = String::new();
    for number in 0.. {
        let (name, length) = FILLER[number % FILLER.len()];
        let cookie = format!("{name}{}={}; ", if number < FILLER.len() { "" } else { "x" }, "a1".repeat(length / 2));
        if line.len() + cookie.len() + banner.len() > size {
            break;
        }
        line.push_str(&cookie);
    }
    line + banner
}

fn main() {
    let quick = std::env::args().any(|arg| arg == "--quick");
    let (rounds, times) = if quick { (1, 2_000) } else { (15, 50_000) };
    let config = load(&Sources::default(), Purpose::Explain).expect("defaults").config.consent;
    let onetrust = "OptanonConsent=isGpcEnabled=0&datestamp=Mon+Nov+02+2026+10%3A00%3A00+GMT%2B0100&version=202409.1.0\
        &isIABGlobal=false&hosts=&consentId=00000000-0000-4000-8000-000000000000&interactionCount=1\
        &landingPath=NotLandingPage&groups=C0001%3A1%2CC0002%3A1%2CC0003%3A1%2CC0004%3A1&AwaitingReconsent=false; \
        OptanonAlertBoxClosed=2026-11-02T10:00:00.000Z";
    let cookieyes = "cookieyes-consent=consentid:YWJj,consent:yes,action:yes,necessary:yes,functional:no,analytics:no,\
        performance:no,advertisement:yes";
    let klaro = "klaro=%7B%22facebook-pixel%22%3Atrue%2C%22matomo%22%3Afalse%7D";
    println!("reading consent, µs per request: median (least–greatest) of {rounds} rounds of {times}");
    for (name, size, banner) in [
        ("no cookies at all", 0, ""),
        ("1 KiB, CookieYes", 1024, cookieyes),
        ("4 KiB, no banner", 4096, ""),
        ("4 KiB, CookieYes", 4096, cookieyes),
        ("4 KiB, OneTrust", 4096, onetrust),
        ("4 KiB, Klaro (JSON)", 4096, klaro),
    ] {
        let mut headers = HeaderMap::new();
        if size > 0 {
            headers.insert("cookie", HeaderValue::from_str(&line(size, banner)).expect("a header"));
        }
        let mut micros = Vec::new();
        for _ in 0..=rounds {
            micros.push(measure(&headers, &config, times));
        }
        // The first one warms up.
        micros.remove(0);
        let (least, median, greatest) = spread(&micros);
        println!("{name:<24}{median:>8.2} ({least:.2}–{greatest:.2})");
    }
}

fn measure(headers: &HeaderMap, config: &ConsentConfig, times: u32) -> f64 {
    let start = Instant::now();
    for _ in 0..times {
        black_box(consent::read(&Signals::from_headers(black_box(headers)), black_box(config)));
    }
    start.elapsed().as_secs_f64() * 1e6 / f64::from(times)
}
