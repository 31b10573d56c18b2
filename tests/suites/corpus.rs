//! The requests of gunicorn's own tests (`tests/requests` in its source package), sent as they are and, where HTTP/1.1 has
//! no Host, with one, since that alone would be reason enough to refuse them. What then reaches the site is read by
//! `strict`: an invalid request must not get there in a form that can be read in two ways, and a valid one must mean there
//! what gunicorn says it means.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde::Deserialize;

use crate::raw::{Site, ask};
use crate::strict::{self, Ambiguity, Conversation, text};
use crate::support::InProcess;
use crate::{WAYS, output};

/// Invalid to gunicorn, and yet passed on whole, in a form that is not ambiguous: why.
const PASSED_ON: &[(&str, &str)] = &[
    ("invalid/003c", "a hyphen may begin a method: it is a token"),
    ("invalid/006", "gunicorn's limit of a request line; here it is 65,534 bytes"),
    ("invalid/007", "gunicorn's limit of a field"),
    ("invalid/008", "gunicorn's limit of a field"),
    ("invalid/009", "gunicorn's limit of fields; here it is 256"),
    ("invalid/010", "a limit of fields that the test sets"),
    ("invalid/011", "a limit of fields that the test sets"),
    ("invalid/012", "a limit of a field that the test sets"),
    ("invalid/017", "a limit of a field that the test sets"),
    ("invalid/019", "contradicting forwarding fields of a stranger: X-Forwarded-Proto is overwritten"),
    ("invalid/040", "underscore twins of framing fields: removed"),
    ("invalid/041", "two Content-Types: they frame nothing, and are the site's business"),
    ("invalid/chunked_07", "the underscore twin of Transfer-Encoding: removed"),
    ("invalid/chunked_09", "white space after a chunk size: the body is chunked anew"),
    ("invalid/limit_header_default_01", "gunicorn's limit of a field"),
    ("invalid/rfc9110_trailer_forbidden_cl_01", "the trailer is dropped"),
    ("invalid/rfc9110_trailer_forbidden_host_01", "the trailer is dropped"),
    ("invalid/rfc9110_trailer_forbidden_te_01", "the trailer is dropped"),
    ("invalid/rfc9112_bare_lf_01", "a bare LF ends a line (RFC 9112 2.2), and becomes CRLF"),
    ("invalid/rfc9112_leading_crlf_02", "empty lines before a request are ignored (RFC 9112 2.2)"),
    ("invalid/rfc9112_smuggle_cl_te_chunked_01", "the length beside chunked is removed (RFC 9112 6.3)"),
    ("invalid/rfc9112_target_non_ascii_02", "UTF-8 in a target passes as it is"),
];

/// Valid to gunicorn, some with an option that is off by default, and yet not passed on or not as it was meant: all answers,
/// and why.
const NOT_THE_SAME: &[(&str, &str, &str)] = &[
    ("valid/005", "200", "the fragment is dropped"),
    ("valid/022", "200 400", "its second request has no Host"),
    ("valid/025", "501", "transfer codings other than chunked"),
    ("valid/025_line", "501", "transfer codings other than chunked"),
    ("valid/028", "400", "white space before a colon (RFC 9112 5.1)"),
    ("valid/029", "501", "transfer codings other than chunked"),
    ("valid/030", "501", "transfer codings other than chunked"),
    ("valid/031compat", "200", "an option of gunicorn's makes the method upper-case; here it stays what it is"),
    ("valid/040_compat", "200", "an option of gunicorn's keeps the underscore twins"),
    ("valid/099", "408", "its body is shorter than its Content-Length"),
    ("valid/compat_obs_fold", "400", "a folded line (RFC 9112 5.2)"),
    ("valid/compat_obs_fold_huge", "400", "a folded line (RFC 9112 5.2)"),
    ("valid/pp_01", "400", "the PROXY protocol where none is expected"),
    ("valid/pp_02", "400", "the PROXY protocol where none is expected"),
    ("valid/pp_04", "400", "the PROXY protocol where none is expected"),
    ("valid/pp_05", "400", "the PROXY protocol where none is expected"),
    ("valid/rfc9112_smuggle_gzip_chunked_01", "501", "transfer codings other than chunked"),
    ("valid/rfc9112_smuggle_te_identity_chunked_01", "501", "transfer codings other than chunked"),
    ("valid/rfc9112_target_absolute_userinfo_01", "400", "user information in a target (RFC 9110 4.2.4)"),
    ("valid/rfc9112_target_authority_connect_01", "405", "CONNECT"),
    ("valid/rfc9112_target_authority_ipv6_01", "405", "CONNECT"),
];

/// The same on the full way alone.
const NOT_THE_SAME_ON_THE_FULL_WAY: &[(&str, &str, &str)] =
    &[("valid/014", "400", "quotes in a query (hyper's URI parser)")];

#[derive(Deserialize)]
struct Line {
    name: String,
    bytes: String,
    requests: Option<Vec<Expected>>,
}

#[derive(Clone, Deserialize)]
struct Expected {
    method: String,
    target: String,
    fields: Vec<(String, String)>,
    body: String,
}

struct Case {
    name: String,
    bytes: Vec<u8>,
    /// With a Host that it did not have.
    hosted: bool,
    expected: Option<Vec<Expected>>,
}

/// What became of a case.
struct Outcome {
    /// Status codes of all answers.
    answers: Vec<String>,
    /// Per connection to the site.
    arrived: Vec<Result<Conversation, Ambiguity>>,
}

#[test]
#[ignore = "needs python3-venv and a package registry"]
fn what_gunicorn_refuses_never_arrives_ambiguous_and_what_it_takes_arrives_as_it_was_meant() {
    let dir = tempfile::tempdir().unwrap();
    let cases = cases(dir.path());
    assert!(cases.len() >= 190, "{} cases", cases.len());
    let findings: Vec<_> = WAYS.iter().flat_map(|way| judge(&cases, &run(&cases, *way), *way)).collect();
    assert!(findings.is_empty(), "{} findings:\n{}", findings.len(), findings.join("\n"));
}

/// What is not as it should be, or not as the tables say.
fn judge(cases: &[Case], outcomes: &[Outcome], way: (&str, &str)) -> Vec<String> {
    let (mut findings, mut passed_on, mut not_the_same) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
    let by_way = if way.1 == "false" { NOT_THE_SAME_ON_THE_FULL_WAY } else { &[] };
    let pinned = || NOT_THE_SAME.iter().chain(by_way);
    for (case, outcome) in cases.iter().zip(outcomes) {
        let label = format!("{}{} {way:?}", case.name, if case.hosted { " with a Host" } else { "" });
        let ambiguous = outcome.arrived.iter().filter_map(|arrived| arrived.as_ref().err());
        findings.extend(ambiguous.map(|broken| format!("{label} arrived ambiguous: {broken}")));
        if outcome.requests().any(|request| request.all("host").is_empty()) {
            findings.push(format!("{label} arrived without a Host"));
        }
        let answers = outcome.answers.join(" ");
        match &case.expected {
            None if outcome.requests().next().is_some() => {
                let how: String = format!("{:?}", outcome.arrived).chars().take(300).collect();
                passed_on.insert((case.name.as_str(), ""), format!("passed on: {label}: {how}"));
            }
            None => {}
            Some(expected) => {
                if let Err(difference) = compare(case, expected, outcome) {
                    let how = format!("not the same: {label}: answers {answers}; {difference}");
                    not_the_same.insert((case.name.as_str(), answers), how);
                }
            }
        }
    }
    for ((name, _), how) in &passed_on {
        findings.extend((!PASSED_ON.iter().any(|(known, _)| known == name)).then(|| how.clone()));
    }
    for ((name, answers), how) in &not_the_same {
        let is_known = pinned().any(|(known, status, _)| (known, *status) == (name, answers.as_str()));
        findings.extend((!is_known).then(|| how.clone()));
    }
    let gone = PASSED_ON.iter().filter(|(name, _)| !passed_on.contains_key(&(*name, "")));
    findings.extend(gone.map(|(name, why)| format!("no longer passed on: {name} ({why})")));
    let gone = pinned().filter(|(name, status, _)| !not_the_same.contains_key(&(*name, (*status).to_owned())));
    findings.extend(gone.map(|(name, status, why)| format!("no longer answered {status}: {name} ({why})")));
    findings
}

/// The source package, unpacked, is asked by a Python that has nothing else.
fn cases(dir: &Path) -> Vec<Case> {
    let python = dir.join("venv/bin/python");
    output(Command::new("python3").args(["-m", "venv"]).arg(dir.join("venv")));
    let download =
        ["-m", "pip", "download", "-q", "--disable-pip-version-check", "--no-deps", "--no-binary", "gunicorn"];
    output(Command::new(&python).args(download).arg("-d").arg(dir).arg("gunicorn==27.0.1"));
    output(Command::new("tar").args(["-xzf", "gunicorn-27.0.1.tar.gz"]).current_dir(dir));
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suites/gunicorn.py");
    let lines = output(Command::new(&python).arg(script).arg(dir.join("gunicorn-27.0.1")));
    let mut cases = Vec::new();
    for line in lines.lines() {
        let Line { name, bytes, requests: expected } = serde_json::from_str(line).expect(line);
        let bytes = hex::decode(bytes).unwrap();
        if let Some(bytes) = with_host(&bytes) {
            cases.push(Case { name: name.clone(), bytes, hosted: true, expected: expected.clone() });
        }
        cases.push(Case { name, bytes, hosted: false, expected });
    }
    cases
}

/// `None` if there is a Host, or none is needed.
fn with_host(bytes: &[u8]) -> Option<Vec<u8>> {
    let whole = text(bytes);
    let first = whole.trim_start().lines().next()?;
    if !first.contains("HTTP/1.1") || whole.to_ascii_lowercase().contains("\nhost:") {
        return None;
    }
    let hosted = whole.replace(" HTTP/1.1\r\n", " HTTP/1.1\r\nHost: shop.example\r\n");
    Some(hosted.chars().map(|char| u8::try_from(char).unwrap()).collect())
}

/// Several proxies share the cases; each of them has a site of its own, so that it is known what came of which case.
fn run(cases: &[Case], way: (&str, &str)) -> Vec<Outcome> {
    let next = AtomicUsize::new(0);
    let outcomes = Mutex::new(BTreeMap::new());
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let site = Site::start();
                let patience = [("timeouts-header-read", "400ms"), ("timeouts-body-stall", "400ms"), way];
                let proxy = InProcess::start(&format!("http://{}", site.address), "http://127.0.0.1:9", &patience);
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(case) = cases.get(number) else { return };
                    let outcome = Outcome { answers: ask(proxy.address, &case.bytes), arrived: site.take() };
                    outcomes.lock().unwrap().insert(number, outcome);
                }
            });
        }
    });
    outcomes.into_inner().unwrap().into_values().collect()
}

impl Outcome {
    fn requests(&self) -> impl Iterator<Item = &strict::Request> {
        self.arrived.iter().filter_map(|arrived| arrived.as_ref().ok()).flat_map(|conversation| &conversation.requests)
    }
}

/// Whether the same requests arrived: method, target, Host, body, and every field that is not this hop's business.
fn compare(case: &Case, expected: &[Expected], outcome: &Outcome) -> Result<(), String> {
    let arrived: Vec<_> = outcome.requests().collect();
    if !case.hosted && with_host(&case.bytes).is_some() {
        // RFC 9112 3.2.
        let is_refused = arrived.is_empty() && outcome.answers.first().is_some_and(|status| status == "400");
        return if is_refused { Ok(()) } else { Err(format!("without a Host: {:?}", outcome.answers)) };
    }
    if arrived.len() != expected.len() {
        return Err(format!("{} of {} requests arrived", arrived.len(), expected.len()));
    }
    for (arrived, expected) in arrived.into_iter().zip(expected) {
        let (target, authority) = origin_form(&expected.target);
        let host = expected.fields.iter().find(|(name, _)| name == "HOST").map(|(_, value)| value.as_str());
        let host = authority.as_deref().or(host).or(case.hosted.then_some("shop.example"));
        same("method", &arrived.method, &expected.method)?;
        same("target", &arrived.target, &target)?;
        // HTTP/1.0 without one: it is the site's own address.
        if host.is_some() {
            same("Host", &arrived.all("host").first().copied(), &host)?;
        }
        same("body", &text(&arrived.body), &text(&hex::decode(&expected.body).unwrap()))?;
        let theirs = expected.fields.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone()));
        same("fields", &end_to_end(arrived.fields.iter().cloned()), &end_to_end(theirs))?;
    }
    Ok(())
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, arrived: &T, expected: &T) -> Result<(), String> {
    if arrived == expected { Ok(()) } else { Err(format!("{what} {arrived:?}, not {expected:?}")) }
}

/// RFC 9112 3.2.2: an absolute-form target names the Host; its userinfo is nobody's.
fn origin_form(target: &str) -> (String, Option<String>) {
    let Some((_, rest)) = target.split_once("://") else { return (target.to_owned(), None) };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit('@').next().unwrap_or_default();
    (if path.is_empty() { "/" } else { path }.to_owned(), Some(host.to_owned()))
}

fn end_to_end(fields: impl Iterator<Item = (String, String)>) -> Vec<(String, String)> {
    const OF_THE_HOP: [&str; 6] = ["host", "connection", "keep-alive", "te", "transfer-encoding", "content-length"];
    let is_kept = |name: &str| !OF_THE_HOP.contains(&name) && !name.starts_with("x-forwarded-");
    let mut fields: Vec<_> = fields.filter(|(name, _)| is_kept(name)).collect();
    fields.sort();
    fields
}
