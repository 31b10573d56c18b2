//! Consent strings beside the IAB's own libraries: what they write, what we write, and both of it damaged.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use capi_sidecar::config::ConsentConfig;
use capi_sidecar::consent::{self, Consent, Signals, State};
use http::HeaderMap;
use serde_json::{Value, json};

const STRINGS: usize = 4000;

/// What a library makes of a string; see `consent/iab.js`.
#[derive(Debug)]
struct Verdict {
    kind: String,
    text: String,
    /// Of the European and the Canadian section together.
    tc: Option<State>,
    us_opt_out: Option<bool>,
}

impl Verdict {
    fn parse(line: &str) -> Self {
        let line: Value = serde_json::from_str(line).expect(line);
        let text = |key: &str| line[key].as_str().map(str::to_owned);
        let state = |key: &str| {
            text(key).map(|word| match word.as_str() {
                "granted" => State::Granted,
                "denied" => State::Denied,
                _ => State::Unknown,
            })
        };
        let strictest = |state: &State| [State::Granted, State::Unknown, State::Denied].iter().position(|s| s == state);
        // Of a Canadian string only a no counts.
        let canada = state("canada").filter(|state| *state == State::Denied);
        let tc = [state("tc"), canada].into_iter().flatten().max_by_key(strictest);
        Self { kind: text("kind").unwrap(), text: text("text").unwrap(), tc, us_opt_out: line["usOptOut"].as_bool() }
    }

    fn question(kind: &str, text: &str) -> String {
        format!("{}\n", json!({"kind": kind, "text": text}))
    }
}

fn ours(kind: &str, text: &str) -> Consent {
    let cookie = if kind == "tc" { "euconsent-v2" } else { "__gpp" };
    let line = format!("{cookie}={text}");
    let headers = HeaderMap::new();
    let signals = Signals::from_headers(&headers).with_cookie_line(line.as_bytes());
    consent::read(&signals, &ConsentConfig::default())
}

fn seen(consent: &Consent, signal: &str) -> Option<State> {
    consent.seen.iter().find(|seen| seen.signal == signal).map(|seen| seen.state)
}

/// The same answer as the library's, in every part of it.
fn agrees(verdict: &Verdict) -> bool {
    let consent = ours(&verdict.kind, &verdict.text);
    let us = verdict.us_opt_out.unwrap().then_some(State::Denied);
    (seen(&consent, "tcf"), seen(&consent, "gpp")) == (verdict.tc, us)
}

/// Of a damaged string: never a yes that the library does not see, and never an opt-out passed over.
fn is_safe(verdict: &Verdict) -> bool {
    let consent = ours(&verdict.kind, &verdict.text);
    let invented = consent.state == State::Granted && verdict.tc != Some(State::Granted);
    let passed_over = verdict.us_opt_out == Some(true) && seen(&consent, "gpp").is_none();
    !invented && !passed_over
}

fn run(command: &mut Command, stdin: &str) -> String {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the program is installed");
    let mut pipe = child.stdin.take().unwrap();
    let input = stdin.to_owned();
    let writer = std::thread::spawn(move || pipe.write_all(input.as_bytes()));
    let output = child.wait_with_output().unwrap();
    let _ = writer.join();
    assert!(output.status.success(), "{command:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn library(dir: &Path, arguments: &[&str], stdin: &str) -> Vec<Verdict> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/consent/iab.js");
    let mut node = Command::new("node");
    node.env("NODE_PATH", dir.join("node_modules")).arg(script).args(arguments);
    run(&mut node, stdin).lines().map(Verdict::parse).collect()
}

/// SplitMix64: the same strings every time.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut n = self.0;
        n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((n ^ (n >> 31)) % limit as u64).unwrap()
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

#[derive(Default)]
struct Bits(Vec<bool>);

impl Bits {
    fn put(&mut self, value: usize, len: usize) {
        self.0.extend((0..len).rev().map(|bit| value >> bit & 1 == 1));
    }

    fn put_fibonacci(&mut self, mut value: usize) {
        let mut numbers = vec![1, 2];
        while numbers[numbers.len() - 1] <= value {
            numbers.push(numbers[numbers.len() - 1] + numbers[numbers.len() - 2]);
        }
        let used: Vec<bool> = numbers
            .iter()
            .rev()
            .map(|number| {
                let fits = *number <= value;
                value -= if fits { *number } else { 0 };
                fits
            })
            .collect();
        let code: Vec<bool> = used.into_iter().skip_while(|bit| !bit).collect();
        self.0.extend(code.iter().rev());
        self.0.push(true);
    }

    /// A list of ids as ranges and single ids, as the specification has them.
    fn put_range(&mut self, random: &mut Random) {
        let entries = random.below(6);
        self.put(entries, 12);
        for _ in 0..entries {
            let (is_pair, first) = (random.chance(50), 1 + random.below(900));
            self.put(usize::from(is_pair), 1);
            self.put(first, 16);
            if is_pair {
                self.put(first + 1 + random.below(99), 16);
            }
        }
    }

    fn text(&self) -> String {
        let six = |six: &[bool]| (0..6).fold(0, |n, at| n << 1 | usize::from(six.get(at) == Some(&true)));
        self.0.chunks(6).map(|bits| char::from(DIGITS[six(bits)])).collect()
    }
}

fn our_tc(random: &mut Random) -> String {
    let mut bits = Bits::default();
    let policy = [5, 5, 4, 4, 3][random.below(5)];
    let purposes = if random.chance(50) { 0b1011_0010 << 16 } else { 0 } | random.below(1 << 11) << 13;
    for (value, len) in [
        (2, 6),
        (17_956_070_000, 36),
        (17_956_070_000, 36),
        (300, 12),
        (random.below(4096), 12),
        (random.below(64), 6),
        (random.below(26) << 6 | random.below(26), 12),
        (random.below(4096), 12),
        (policy, 6),
        (usize::from(random.chance(90)), 1),
        (random.below(2), 1),
        (random.below(4) << 10, 12),
        (purposes, 24),
        (random.below(1 << 5) << 13, 24),
        (random.below(2), 1),
        (random.below(26) << 6 | random.below(26), 12),
    ] {
        bits.put(value, len);
    }
    for _ in 0..2 {
        if random.chance(50) {
            bits.put(1000, 16);
            bits.put(1, 1);
            bits.put_range(random);
        } else {
            let highest = random.below(300);
            bits.put(highest, 16);
            bits.put(0, 1);
            for at in 0..highest {
                // The highest is one of them.
                bits.put(if at + 1 == highest { 1 } else { random.below(2) }, 1);
            }
        }
    }
    let restrictions = random.below(3);
    bits.put(restrictions, 12);
    for _ in 0..restrictions {
        bits.put(1 + random.below(11), 6);
        bits.put(random.below(3), 2);
        bits.put_range(random);
    }
    bits.text()
}

/// Id, where the opt-outs begin, how many there are, how long the core is, and whether the browser's signal may follow.
const SECTIONS: [(usize, usize, usize, usize, bool); 21] = [
    (7, 18, 3, 70, true),
    (8, 12, 2, 46, true),
    (9, 12, 2, 40, false),
    (10, 12, 2, 38, true),
    (11, 14, 2, 42, false),
    (12, 12, 2, 44, true),
    (13, 12, 2, 46, false),
    (14, 12, 2, 46, true),
    (15, 12, 2, 52, true),
    (16, 12, 2, 42, true),
    (17, 12, 2, 52, true),
    (18, 14, 2, 42, true),
    (19, 12, 2, 42, true),
    (20, 12, 2, 46, true),
    (21, 12, 2, 54, true),
    (22, 12, 2, 42, true),
    (23, 12, 2, 42, true),
    (24, 16, 2, 22, true),
    (25, 16, 2, 24, false),
    (26, 16, 2, 24, false),
    (27, 16, 2, 24, false),
];

fn our_section(random: &mut Random, (id, first, opt_outs, len, has_gpc): (usize, usize, usize, usize, bool)) -> String {
    let mut bits = Bits::default();
    bits.put(if id == 7 { 2 } else { 1 }, 6);
    for at in (6..len).step_by(2) {
        let is_opt_out = (first..first + 2 * opt_outs).contains(&at);
        let value = if is_opt_out && !random.chance(10) { 2 * random.below(2) } else { random.below(3) };
        bits.put(value, 2);
    }
    let gpc = ["", ".YA", ".QA", ".Q", ".Y"][if has_gpc && random.chance(30) { random.below(5) } else { 0 }];
    bits.text() + gpc
}

fn our_gpp(random: &mut Random) -> String {
    let density = [5, 20, 60, 100][random.below(4)];
    let mut sections: Vec<(usize, String)> = Vec::new();
    if random.chance(20) {
        sections.push((2, our_tc(random)));
    }
    if random.chance(20) {
        let word = |random: &mut Random| ["Y", "N", "-", "N"][random.below(4)];
        sections.push((6, format!("1{}{}{}", word(random), word(random), word(random))));
    }
    for section in SECTIONS {
        if random.chance(density) {
            sections.push((section.0, our_section(random, section)));
        }
    }
    let ids: Vec<usize> = sections.iter().map(|(id, _)| *id).collect();
    let rows: Vec<&[usize]> = ids.chunk_by(|a, b| a + 1 == *b).collect();
    let mut header = Bits::default();
    for (value, len) in [(3, 6), (1, 6), (rows.len(), 12)] {
        header.put(value, len);
    }
    let mut last = 0;
    for row in rows {
        header.put(usize::from(row.len() > 1), 1);
        header.put_fibonacci(row[0] - last);
        last = row[row.len() - 1];
        if row.len() > 1 {
            header.put_fibonacci(last - row[0]);
        }
    }
    sections.into_iter().fold(header.text(), |text, (_, section)| text + "~" + &section)
}

fn damaged(text: &str, random: &mut Random) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..=random.below(3) {
        let at = random.below(bytes.len());
        let digit = match random.below(8) {
            0 => b"~.=%,"[random.below(5)],
            _ => DIGITS[random.below(64)],
        };
        match random.below(5) {
            0 => bytes.insert(at, digit),
            1 if bytes.len() > 1 => drop(bytes.remove(at)),
            2 if at > 0 => bytes.truncate(at),
            3 => bytes.push(digit),
            _ => bytes[at] = digit,
        }
    }
    String::from_utf8(bytes).unwrap()
}

#[test]
#[ignore = "needs npm and a network registry"]
fn consent_strings_mean_to_us_what_they_mean_to_the_iabs_libraries() {
    let dir = tempfile::tempdir().unwrap();
    let install = ["install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"];
    run(Command::new("npm").args(install).arg(dir.path()).args(["@iabtcf/core", "@iabgpp/cmpapi"]), "");
    let mut random = Random(20_261_125);

    let theirs = library(dir.path(), &["write", &STRINGS.to_string(), "20261125"], "");
    assert_eq!(theirs.len(), STRINGS);
    check("written by the libraries", &theirs, agrees);

    let written = (0..STRINGS).map(|n| match n % 2 {
        0 => Verdict::question("tc", &our_tc(&mut random)),
        _ => Verdict::question("gpp", &our_gpp(&mut random)),
    });
    let written: String = written.collect();
    let written = library(dir.path(), &["read"], &written);
    check("written by us", &written, agrees);

    // Of TC strings the short ones: the library unrolls a damaged range, which takes seconds.
    let is_short = |verdict: &&Verdict| verdict.kind != "tc" || verdict.text.len() < 75;
    let torn = theirs.iter().chain(&written).filter(is_short);
    let torn: String =
        torn.map(|verdict| Verdict::question(&verdict.kind, &damaged(&verdict.text, &mut random))).collect();
    check("damaged", &library(dir.path(), &["read"], &torn), is_safe);
}

fn check(what: &str, verdicts: &[Verdict], is_right: fn(&Verdict) -> bool) {
    let count = |state| verdicts.iter().filter(|verdict| verdict.tc == Some(state)).count();
    let opt_outs = verdicts.iter().filter(|verdict| verdict.us_opt_out == Some(true)).count();
    println!(
        "{} strings {what}: TCF {} yes, {} no, {} not valid; {opt_outs} with a US opt-out",
        verdicts.len(),
        count(State::Granted),
        count(State::Denied),
        count(State::Unknown)
    );
    let wrong: Vec<_> = verdicts.iter().filter(|verdict| !is_right(verdict)).collect();
    let shown: Vec<_> =
        wrong.iter().take(5).map(|verdict| (verdict, ours(&verdict.kind, &verdict.text).seen)).collect();
    assert!(wrong.is_empty(), "{} of {what}:\n{shown:#?}", wrong.len());
}
