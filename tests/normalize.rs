//! Normalisation against a table of what people type, beside Meta's own libraries, and against arbitrary text.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use capi_sidecar::lead::contact::Key;
use capi_sidecar::lead::normalize::{Country, Normalized, hash, normalize, sha256_hex};
use proptest::prelude::*;
use serde_json::{Value, json};

const TABLE: &str = include_str!("normalize/table.tsv");

struct Row {
    key: Key,
    country: Option<Country>,
    input: String,
    /// `None`: unusable.
    expected: Option<&'static str>,
    source: &'static str,
}

fn table() -> Vec<Row> {
    let lines = TABLE.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| row(line).unwrap_or_else(|| panic!("not a row: {line}"))).collect()
}

fn row(line: &'static str) -> Option<Row> {
    let [field, country, input, expected, source] = line.split('\t').collect::<Vec<_>>().try_into().ok()?;
    Some(Row {
        key: Key::from_name(field)?,
        country: if country.is_empty() { None } else { Some(Country::from_alpha2(country)?) },
        input: serde_json::from_str(input).ok()?,
        expected: Some(expected).filter(|expected| *expected != "-"),
        source: Some(source).filter(|source| !source.is_empty())?,
    })
}

fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

#[test]
fn every_row_of_the_table_is_right() {
    let mut wrong = Vec::new();
    let rows = table();
    for row in &rows {
        let ours = normalize(row.key, &row.input, row.country);
        let text = ours.as_ref().ok().map(Normalized::as_str);
        if text != row.expected {
            let ours = ours.as_ref().map(Normalized::as_str);
            wrong.push(format!(
                "{} {:?}: {ours:?}, not {:?} ({})",
                row.key.name(),
                row.input,
                row.expected,
                row.source
            ));
        }
    }
    assert!(wrong.is_empty(), "{} rows of {} are wrong:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
}

#[test]
fn the_table_has_every_field_and_no_row_twice() {
    let rows = table();
    assert!(rows.len() >= 300);
    for key in Key::ALL {
        assert!(rows.iter().filter(|row| row.key == key).count() >= 25, "{}", key.name());
    }
    let mut inputs: Vec<_> = rows.iter().map(|row| (row.key, row.country.map(Country::alpha2), &row.input)).collect();
    inputs.sort();
    assert_eq!(inputs.windows(2).find(|pair| pair[0] == pair[1]), None);
    let countries = rows.iter().filter(|row| row.key == Key::Ph).filter_map(|row| row.country);
    assert!(countries.map(Country::alpha2).collect::<std::collections::BTreeSet<_>>().len() >= 40);
}

/// <https://developers.facebook.com/docs/marketing-api/conversions-api/parameters/customer-information-parameters>
#[test]
fn metas_published_hashes_come_out() {
    for (key, raw, expected) in [
        (Key::Em, "John_Smith@gmail.com", "62a14e44f765419d10fea99367361a727c12365e2520f32218d505ed9aa0f62f"),
        (Key::Ph, "+1 (650) 555-1212", "e323ec626319ca94ee8bff2e4c87cf613be6ea19919ed1364124e16807ab3176"),
        (Key::Fn, "Mary", "6915771be1c5aa0c886870b6951b03d7eafc121fea0e80a5ea83beb7c449f4ec"),
        (Key::Fn, "정", "8fa8cd9c440be61d0151429310034083132b35975c4bea67fdd74158eb51db14"),
        (Key::Ln, "Valéry", "08e1996b5dd49e62a4b4c010d44e4345592a863bb9f8e3976219bac29417149c"),
        (Key::Db, "2/16/1997", "01acdbf6ec7b4f478a225f1a246e5d6767eeab1a7ffa17f025265b5b94f40f0c"),
        (Key::Country, "United States", "79adb2a2fce5c6ba215fe5f27f532d4e7edbac4b6a5e09e1ef3a08084a904621"),
    ] {
        assert_eq!(hash(key, raw, None).as_deref(), Ok(expected), "{raw}");
    }
}

/// The characters of a normal form, as `docs/NORMALISATION.md` has them.
fn is_of_the_alphabet(key: Key, text: &str) -> bool {
    let of = |is: fn(char) -> bool| text.chars().all(is);
    let is_lower = text.to_lowercase() == text;
    match key {
        Key::Em => of(|c| c.is_ascii_graphic() && !c.is_ascii_uppercase()) && text.matches('@').count() == 1,
        Key::Ph => of(|c| c.is_ascii_digit()) && (8..=15).contains(&text.len()) && !text.starts_with('0'),
        Key::Fn | Key::Ln | Key::Ct | Key::St => {
            is_lower && of(|c| !c.is_whitespace() && !c.is_control() && !c.is_ascii_punctuation())
        }
        Key::Zp => is_lower && of(|c| c.is_ascii_alphanumeric()) && text.len() <= 12,
        Key::Country => of(|c| c.is_ascii_lowercase()) && text.len() == 2,
        Key::Db => of(|c| c.is_ascii_digit()) && text.len() == 8,
        Key::Ge => matches!(text, "f" | "m"),
        Key::ExternalId => is_lower && of(|c| !c.is_whitespace()),
    }
}

fn raw() -> impl Strategy<Value = String> {
    let rows = table().into_iter().map(|row| row.input).collect::<Vec<_>>();
    prop_oneof![
        any::<String>(),
        "[ 0-9a-zA-Z@.+()/:#xéßİΣ\u{301}\u{200B}\u{A0}-]{0,40}",
        "[a-zA-Z.+]{1,8}@[a-zäöü]{1,8}\\.[a-z]{2,3}",
        "[+0]{0,2}[0-9() -]{5,20}",
        "[0-9]{1,4}[./ -][0-9]{1,2}[./ -][0-9]{1,4}",
        "[A-Za-z0-9]{2,4}[ -][A-Za-z0-9]{2,4}",
        "(Dr\\.|Herr|M\\.)? ?[A-ZÀ-Ÿ][a-zà-ÿ'’-]{1,9}(, PhD)?",
        proptest::sample::select(rows.clone()),
        // Two rows in one field.
        (proptest::sample::select(rows.clone()), "[ ,;/-]", proptest::sample::select(rows))
            .prop_map(|(a, between, b)| format!("{a}{between}{b}")),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn normal_forms_are_of_the_documented_alphabet_and_stay_what_they_are(
        key in proptest::sample::select(&Key::ALL[..]),
        raw in raw(),
        region in proptest::sample::select(&["DE", "US", "IT", "GB", "FR", "CA", "NL", "BR", "AR", "RU", "JP", ""][..]),
    ) {
        let region = Country::from_alpha2(region);
        if let Ok(first) = normalize(key, &raw, region) {
            match &first {
                Normalized::Hash(hash) => prop_assert!(is_hash(hash)),
                Normalized::Text(text) => prop_assert!(is_of_the_alphabet(key, text), "{text:?}"),
            }
            // Digits alone do not say that they have a country code: to a region, some of them are its own number.
            let again = if key == Key::Ph && !is_hash(first.as_str()) {
                normalize(key, &format!("+{}", first.as_str()), region)
            } else {
                normalize(key, first.as_str(), region)
            };
            prop_assert_eq!(again.as_ref().map(Normalized::as_str), Ok(first.as_str()));
            prop_assert_eq!(again.map(|again| again.sha256()), Ok(first.sha256()));
        }
    }
}

/// By the library's name.
type Answers = BTreeMap<String, Value>;

/// What a library sends for a row, without the parameter builder's own suffix.
fn sent(answer: &Value) -> Option<&str> {
    let text = answer["sent"].as_str().filter(|text| !text.is_empty())?;
    Some(text.split_once('.').filter(|(hash, _)| is_hash(hash)).map_or(text, |(hash, _)| hash))
}

/// A value that should be left out may be refused in any way. An external id may be sent without hashing it.
fn is_right(row: &Row, answer: &Value) -> bool {
    match (row.expected, sent(answer)) {
        (None, None) => true,
        (Some(expected), Some(sent)) if is_hash(expected) => sent == expected,
        (Some(expected), Some(sent)) => sent == sha256_hex(expected) || row.key == Key::ExternalId && sent == expected,
        _ => false,
    }
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

/// The answers of Meta's libraries, newest versions, to every row.
fn ask_metas_libraries(rows: &[Row], dir: &Path) -> Vec<Answers> {
    let questions: String =
        rows.iter().map(|row| format!("{}\n", json!({"field": row.key.name(), "input": row.input}))).collect();
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/normalize");

    run(Command::new("python3").args(["-m", "venv"]).arg(dir.join("venv")), "");
    let python = dir.join("venv/bin/python");
    let install = ["-m", "pip", "install", "-q", "--disable-pip-version-check"];
    run(Command::new(&python).args(install).args(["facebook-business", "capi_param_builder_python"]), "");
    let by_python = run(Command::new(&python).arg(scripts.join("python_libraries.py")), &questions);

    let install = ["install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"];
    let packages = ["capi-param-builder-nodejs", "facebook-nodejs-business-sdk"];
    run(Command::new("npm").args(install).arg(dir).args(packages), "");
    let script = scripts.join("node_libraries.js");
    let by_node = run(Command::new("node").env("NODE_PATH", dir.join("node_modules")).arg(script), &questions);

    let parse = |line: &str| serde_json::from_str::<Answers>(line).expect(line);
    let both = by_python.lines().zip(by_node.lines()).map(|(python, node)| {
        let mut answers = parse(python);
        answers.extend(parse(node));
        answers
    });
    both.collect()
}

#[test]
#[ignore = "needs python3-venv, npm and network registries"]
fn nobody_is_right_more_often_than_we_are() {
    let rows = table();
    let dir = tempfile::tempdir().unwrap();
    let answers = ask_metas_libraries(&rows, dir.path());
    assert_eq!(answers.len(), rows.len());
    let libraries: Vec<&String> =
        answers[0].iter().filter(|(_, answer)| !answer.is_null()).map(|(name, _)| name).collect();
    for (name, _) in answers[0].iter().filter(|(_, answer)| answer.is_null()) {
        println!("{name} offers no normalisation: left out");
    }

    println!("\nBy Meta's page alone:");
    compare(&rows, &answers, &libraries, |row| row.source.starts_with("doc: "));
    println!("\nAll rows:");
    let (ours, theirs) = compare(&rows, &answers, &libraries, |_| true);
    for library in &libraries {
        let raised = answers.iter().filter(|answers| answers[*library]["raised"] == true).count();
        println!("{library} raises an error for {raised} rows: with the value goes the event, if nobody catches it");
    }
    assert!(theirs.iter().all(|theirs| *theirs < ours));
}

/// Prints who is right how often, and returns the sums. Nobody may be right more often than we are, in any field.
fn compare(rows: &[Row], answers: &[Answers], libraries: &[&String], counts: fn(&Row) -> bool) -> (usize, Vec<usize>) {
    let names: String = libraries.iter().map(|name| format!(" {name} |")).collect();
    println!("| Field | Rows | capi-sidecar |{names}\n|---|---|---|{}", "---|".repeat(libraries.len()));
    let (mut all, mut ours_in_all, mut theirs_in_all) = (0, 0, vec![0; libraries.len()]);
    for key in Key::ALL {
        let of_key: Vec<_> = rows.iter().zip(answers).filter(|(row, _)| row.key == key && counts(row)).collect();
        let ours = |row: &Row| json!({"sent": hash(row.key, &row.input, row.country).ok()});
        let ours = of_key.iter().filter(|(row, _)| is_right(row, &ours(row))).count();
        all += of_key.len();
        ours_in_all += ours;
        let mut line = format!("| `{}` | {} | {ours} |", key.name(), of_key.len());
        for (library, in_all) in libraries.iter().zip(&mut theirs_in_all) {
            let theirs = of_key.iter().filter(|(row, answers)| is_right(row, &answers[*library])).count();
            *in_all += theirs;
            let _ = write!(line, " {theirs} |");
            assert!(ours >= theirs, "{library} is right more often for {}", key.name());
        }
        println!("{line}");
    }
    let sums: String = theirs_in_all.iter().map(|count| format!(" {count} |")).collect();
    println!("| All | {all} | {ours_in_all} |{sums}");
    (ours_in_all, theirs_in_all)
}
