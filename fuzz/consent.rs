//! A `Cookie` line through every reader of consent: as it is, and as cookies of the names that are looked for. Each
//! part between zeros is a cookie: its first byte picks the name, the rest is the value.
#![no_main]

use capi_sidecar::config::ConsentConfig;
use capi_sidecar::consent::{self, Consent, Signals, State};
use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;

/// In no reason may anything of a cookie's value turn up.
const MARKER: &[u8] = b"zq7secret";

fuzz_target!(|input: &[u8]| {
    check(input);
    let names: Vec<&str> = consent::cookie_names().collect();
    let cookie = |part: &[u8]| {
        let (name, value) = part.split_first()?;
        let name = names[usize::from(*name) % names.len()];
        Some([name.as_bytes(), b"=", value].concat())
    };
    check(&input.split(|byte| *byte == 0).filter_map(cookie).collect::<Vec<_>>().join(&b"; "[..]));
});

fn read(line: &[u8], gpc: bool) -> Consent {
    let mut headers = HeaderMap::new();
    if gpc {
        headers.insert("sec-gpc", HeaderValue::from_static("1"));
    }
    consent::read(&Signals::from_headers(&headers).with_cookie_line(line), &ConsentConfig::default())
}

fn check(line: &[u8]) {
    let consent = read(line, false);
    is_coherent(&consent);
    // Copies that agree are one; a browser's no is a no, whatever else is there.
    assert_eq!(read(&[line, b"; ", line].concat(), false).state, consent.state);
    assert_eq!(read(line, true).state, State::Denied);
    for marked in [at_the_start(line), at_the_end(line), in_the_middle(line)] {
        let consent = read(&marked, false);
        is_coherent(&consent);
        for reason in consent.seen.iter().map(|seen| &seen.reason).chain([&consent.reason]) {
            assert!(!reason.as_bytes().windows(MARKER.len()).any(|part| part == MARKER), "{reason}");
        }
    }
}

/// The strictest of what was seen decides, and is named.
fn is_coherent(consent: &Consent) {
    let has = |state| consent.seen.iter().any(|seen| seen.state == state);
    let strictest = [State::Denied, State::Unknown, State::Granted].into_iter().find(|state| has(*state));
    assert_eq!(consent.state, strictest.unwrap_or(State::Unknown));
    let decider = consent.seen.iter().find(|seen| Some(seen.signal) == consent.signal);
    assert_eq!(decider.map(|seen| seen.state), strictest);
    assert_eq!(consent.signal.is_none(), consent.reason == "no signal found");
    assert!(consent.us_opt_out.is_none() || consent.state == State::Denied);
}

fn values(line: &[u8], mark: impl Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let pairs = line.split(|byte| *byte == b';').map(|pair| match pair.iter().position(|byte| *byte == b'=') {
        Some(at) => [&pair[..=at], &mark(&pair[at + 1..])].concat(),
        None => pair.to_vec(),
    });
    pairs.collect::<Vec<_>>().join(&b";"[..])
}

fn at_the_start(line: &[u8]) -> Vec<u8> {
    values(line, |value| [MARKER, value].concat())
}

fn at_the_end(line: &[u8]) -> Vec<u8> {
    values(line, |value| [value, MARKER].concat())
}

fn in_the_middle(line: &[u8]) -> Vec<u8> {
    values(line, |value| {
        let (start, end) = value.split_at(value.len() / 2);
        [start, MARKER, end].concat()
    })
}
