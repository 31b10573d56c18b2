//! What a decision costs: microseconds and allocations, for submissions of the usual kinds.
//!
//! Everything that the lead plane's thread does for a submission but the store: the decision and its report. The time is
//! the processor's, so that a busy machine shows in it as little as possible; the figure is the median of rounds, with the
//! least and the greatest. Allocations are the same in every round.
//!
//! `cargo bench --bench decide`; `-- --quick` is one short round, to see that it runs. The beginning of a name
//! (`-- redirect`) measures those kinds alone, for a profile.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::cast_precision_loss)]

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use capi_sidecar::config::{Config, Purpose, Sources, load};
use capi_sidecar::decision::{self, Policy};
use capi_sidecar::exchange::{Captured, Exchange, RequestRecord, ResponseRecord, UnixMillis};
use capi_sidecar::form::page::Page;
use capi_sidecar::intake::Report;
use capi_sidecar::lead::event_id::IdSecret;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use support::spread;

/// The system's allocator, counted.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// The count has no part in what the allocator promises.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const GRANTED: &str = "_fbp=fb.1.1795607000000.1234567890; _ga=GA1.1.123456789.1795607000; \
    cookieyes-consent=consentid:YWJj,consent:yes,action:yes,necessary:yes,functional:yes,analytics:yes,\
    performance:yes,advertisement:yes";
const DENIED: &str = "_ga=GA1.1.123456789.1795607000; cookieyes-consent=consentid:YWJj,consent:no,action:yes,\
    necessary:yes,functional:no,analytics:no,performance:no,advertisement:no";
const URLENCODED: &str = "application/x-www-form-urlencoded";
const CONTACT: &str = "name=Ana+Ruiz&email=ana.ruiz%40example.com&phone=%2B49+171+5550123&message=about+a+quote";

/// One submission, and what the site answers.
struct Kind {
    name: &'static str,
    exchange: Exchange,
    page: Option<Page>,
    /// What the decision must be: a bench of something else would be worth nothing.
    reason: &'static str,
}

fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
    let lines = lines.iter();
    lines.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())).collect()
}

fn kind(
    name: &'static str,
    reason: &'static str,
    request: (&str, &str, &str, &str),
    answer: (u16, &[(&'static str, &str)], &str),
) -> Kind {
    let (target, content_type, cookies, body) = request;
    let (status, lines, content) = answer;
    let exchange = Exchange {
        request: RequestRecord {
            method: Method::POST,
            target: target.to_owned(),
            https: true,
            host: "shop.example".to_owned(),
            headers: headers(&[
                ("content-type", content_type),
                ("origin", "https://shop.example"),
                ("referer", "https://shop.example/contact?utm_source=letter"),
                ("user-agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Example/141.0"),
                ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
                ("cookie", cookies),
            ]),
            body: Captured::Whole(Bytes::copy_from_slice(body.as_bytes())),
            client_ip: Some("203.0.113.42".parse().unwrap()),
            received: UnixMillis(1_795_608_000_000),
        },
        response: Some(ResponseRecord {
            status: StatusCode::from_u16(status).unwrap(),
            headers: headers(lines),
            body: Captured::Whole(Bytes::copy_from_slice(content.as_bytes())),
        }),
    };
    Kind { name, exchange, page: None, reason }
}

/// A form of many questions, with its contact data among them.
fn long_form() -> String {
    let mut fields: Vec<_> =
        (1..=56).map(|n| format!("answers%5B{n}%5D%5Bquestion_text%5D=choice+number+{n}")).collect();
    fields.insert(20, CONTACT.to_owned());
    fields.join("&")
}

fn multipart(fields: &[(&str, &str)]) -> String {
    let part = |(name, value): &(&str, &str)| {
        format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    fields.iter().map(part).collect::<String>() + "--x--\r\n"
}

fn kinds() -> Vec<Kind> {
    let thanks: &[(&str, &str)] = &[("content-type", "text/html; charset=UTF-8"), ("location", "/thank-you")];
    let json: &[(&str, &str)] = &[("content-type", "application/json; charset=UTF-8")];
    let page = format!(
        "<form action=/send>{}</form>",
        ["name", "email", "phone", "message"].map(|name| format!("<label>{name} <input name={name}></label>")).concat()
    );
    let cf7 = multipart(&[
        ("_wpcf7", "5"),
        ("_wpcf7_version", "6.1.6"),
        ("_wpcf7_locale", "en_US"),
        ("_wpcf7_unit_tag", "wpcf7-f5-p7-o1"),
        ("_wpcf7_container_post", "7"),
        ("your-name", "Ana Ruiz"),
        ("your-email", "ana.ruiz@example.com"),
        ("your-subject", "A quote"),
        ("your-message", "about a quote"),
    ]);
    let feedback = "/wp-json/contact-form-7/v1/contact-forms/5/feedback";
    let mut known =
        kind("redirect, page known", "accepted", ("/send", URLENCODED, GRANTED, CONTACT), (302, thanks, ""));
    known.page = Page::of_answer(page.as_bytes(), "text/html", "");
    vec![
        kind("redirect", "accepted", ("/send", URLENCODED, GRANTED, CONTACT), (302, thanks, "")),
        known,
        kind(
            "cf7, JSON",
            "accepted",
            (feedback, "multipart/form-data; boundary=x", GRANTED, &cf7),
            (200, json, r##"{"contact_form_id":5,"status":"mail_sent","message":"Thanks.","into":"#wpcf7-f5-p7-o1"}"##),
        ),
        kind("60 fields", "accepted", ("/send", URLENCODED, GRANTED, &long_form()), (302, thanks, "")),
        kind("denied", "consent_denied", ("/send", URLENCODED, DENIED, CONTACT), (302, thanks, "")),
        kind(
            "login, no lead",
            "login",
            ("/wp-login.php", URLENCODED, GRANTED, "log=ana&pwd=secret&rememberme=forever&redirect_to=%2Fwp-admin%2F"),
            (302, &[("location", "/wp-admin/")], ""),
        ),
    ]
}

/// What the thread `intake` does for one submission.
fn decide(kind: &Kind, config: &Config, secret: &IdSecret) -> Report {
    let policy = Policy {
        forms: &config.forms,
        consent: &config.consent,
        click_ids: &config.landing.click_ids,
        internal_addresses: &config.internal_addresses,
        default_country: config.default_country,
        secret,
        volatile_secret: secret,
    };
    let exchange = black_box(&kind.exchange);
    let mut report = Report::of(&exchange.request);
    let now = UnixMillis(1_795_608_000_500);
    let decision = decision::decide(exchange, &kind.page.as_ref(), &policy, String::new(), now);
    report.fill(&decision);
    report
}

/// What the kernel has charged to this thread.
fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").expect("a Linux");
    stat.split(' ').next().and_then(|nanos| nanos.parse::<f64>().ok()).expect("nanoseconds") / 1e9
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let quick = args.iter().any(|arg| arg == "--quick");
    let only = args.iter().find(|arg| !arg.starts_with("--"));
    let (rounds, times) = if quick { (1, 3_000) } else { (15, 5_000) };
    let config = load(&Sources::default(), Purpose::Explain).expect("defaults").config;
    let secret = IdSecret::new([7; 32]);
    println!("µs of processor time per decision: median (least–greatest) of {rounds} rounds of {times}; allocations");
    for kind in kinds().iter().filter(|kind| only.is_none_or(|only| kind.name.starts_with(only.as_str()))) {
        // The first ones make tables.
        let reason = decide(kind, &config, &secret).reason.code();
        assert_eq!(reason, kind.reason, "{}", kind.name);
        drop(decide(kind, &config, &secret));
        let before = ALLOCATIONS.load(Ordering::Relaxed);
        drop(decide(kind, &config, &secret));
        let allocations = ALLOCATIONS.load(Ordering::Relaxed) - before;
        let mut micros = Vec::new();
        for _ in 0..rounds {
            let start = processor_seconds();
            for _ in 0..times {
                drop(black_box(decide(kind, &config, &secret)));
            }
            micros.push((processor_seconds() - start) * 1e6 / f64::from(times));
        }
        let (least, median, greatest) = spread(&micros);
        println!("{:<24}{median:>8.2} ({least:.2}–{greatest:.2}){allocations:>8}", kind.name);
    }
}
