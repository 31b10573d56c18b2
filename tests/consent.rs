//! Consent against tables of what browsers really send. A false "granted" is the worst thing this program can do, so the
//! tables have more rows that must not be one than rows that must.
//!
//! A row is `signal`, `state`, `rule`, `request`, `source`, separated by tabs; lines that begin with `#` are comments.
//! * `signal`: the one that decides; `-`: none is there.
//! * `state`: `granted`, `denied`, `unknown`.
//! * `rule`: keys of a `[[consent.rule]]` for that signal as a TOML inline table without its braces, or empty.
//! * `request`: header lines as a JSON list of texts; `"Cookie: …"` mostly.
//! * `source`: where the shape is from.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use capi_sidecar::config::{ConsentConfig, Purpose, Sources, load};
use capi_sidecar::consent::{self, Signals};
use http::{HeaderMap, HeaderName, HeaderValue};

const TABLES: [(&str, &str); 4] = [
    ("first", include_str!("consent/first.tsv")),
    ("wordpress", include_str!("consent/wordpress.tsv")),
    ("scripts", include_str!("consent/scripts.tsv")),
    ("strings", include_str!("consent/strings.tsv")),
];

struct Row {
    place: String,
    signal: &'static str,
    state: &'static str,
    rule: &'static str,
    request: Vec<String>,
}

fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for (name, table) in TABLES {
        for (number, line) in table.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
            let place = format!("{name}.tsv:{}", number + 1);
            let Ok([signal, state, rule, request, source]) = <[_; 5]>::try_from(line.split('\t').collect::<Vec<_>>())
            else {
                panic!("{place}: not five columns: {line}");
            };
            assert!(["granted", "denied", "unknown"].contains(&state), "{place}: {state}");
            assert!(!source.is_empty(), "{place}: no source");
            let request = serde_json::from_str(request).unwrap_or_else(|error| panic!("{place}: {error}"));
            rows.push(Row { place, signal, state, rule, request });
        }
    }
    rows
}

/// The configuration as an operator would write it.
fn config(row: &Row) -> ConsentConfig {
    let dir = tempfile::tempdir().unwrap();
    let file: PathBuf = dir.path().join("capi.toml");
    let rule = if row.rule.is_empty() {
        String::new()
    } else {
        format!("[consent]\nrule = [{{ signal = \"{}\", {} }}]\n", row.signal, row.rule)
    };
    std::fs::write(&file, rule).unwrap();
    let sources = Sources { file: Some(file), ..Sources::default() };
    load(&sources, Purpose::Explain).unwrap_or_else(|errors| panic!("{}: {errors}", row.place)).config.consent
}

fn headers(row: &Row) -> HeaderMap {
    let line = |line: &String| {
        let (name, value) = line.split_once(": ").unwrap_or_else(|| panic!("{}: not a header: {line}", row.place));
        let value = HeaderValue::from_bytes(value.as_bytes()).unwrap_or_else(|_| panic!("{}: {line}", row.place));
        (name.parse::<HeaderName>().unwrap(), value)
    };
    row.request.iter().map(line).collect()
}

#[test]
fn every_row_of_the_tables_is_read_right() {
    let rows = rows();
    let mut wrong = String::new();
    for row in &rows {
        let headers = headers(row);
        let consent = consent::read(&Signals::from_headers(&headers), &config(row));
        let found = (consent.signal.unwrap_or("-"), consent.state.code());
        if found != (row.signal, row.state) {
            let _ = writeln!(
                wrong,
                "{}: {found:?}, not {:?} ({}): {:?}",
                row.place,
                (row.signal, row.state),
                consent.reason,
                row.request
            );
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn the_tables_have_enough_rows_of_each_kind() {
    let mut kinds: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let rows = rows();
    for row in &rows {
        *kinds.entry((row.signal, row.state)).or_default() += 1;
    }
    let count = |state: &str| kinds.iter().filter(|((_, s), _)| *s == state).map(|(_, count)| count).sum::<usize>();
    println!(
        "{} rows: {} granted, {} denied, {} unknown",
        rows.len(),
        count("granted"),
        count("denied"),
        count("unknown")
    );
    assert!(rows.len() >= 150 && count("denied") + count("unknown") > count("granted"), "{kinds:?}");
    for banner in consent::banner_names() {
        let has = |state| kinds.contains_key(&(banner, state));
        let never_grants = ["osano", "usercentrics", "sourcepoint"].contains(&banner);
        assert!(has("unknown") && (never_grants || (has("granted") && has("denied"))), "{banner} is not covered");
    }
}
