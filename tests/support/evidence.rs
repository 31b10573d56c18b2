//! All that a sidecar has written, and whether a secret is anywhere in it, however it is written.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::missing_panics_doc)]

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use crate::support::send;

/// How a text may be found again: as it is, each of its bytes as an URL or a JSON text may write it, in hexadecimal (all of
/// these in lower case), and in base64 at each of the three places where it may begin.
fn disguises(secret: &str) -> (Vec<String>, Vec<String>) {
    let lower = secret.to_lowercase();
    let each = |write: &dyn Fn(u8) -> String| -> String { lower.bytes().map(write).collect() };
    let plain = vec![
        lower.clone(),
        lower.replace(' ', "+"),
        lower.replace(' ', "%20"),
        each(&|byte| format!("%{byte:02x}")),
        each(&|byte| format!("\\u{byte:04x}")),
        each(&|byte| format!("&#{byte};")),
        each(&|byte| format!("{byte}, ")),
        hex::encode(&lower),
    ];
    let base64 = |before: usize| {
        let text = STANDARD_NO_PAD.encode([&vec![b' '; before], secret.as_bytes()].concat());
        // The first and the last characters hold bits of the neighbours.
        text[(before * 8).div_ceil(6)..(before + secret.len()) * 8 / 6].to_owned()
    };
    (plain, (0..3).map(base64).collect())
}

/// What of the secrets is in there.
pub fn leaks(haystack: &[u8], secrets: &[&str]) -> Vec<String> {
    let text = String::from_utf8_lossy(haystack);
    let lower = text.to_lowercase();
    let found = |secret: &&str| {
        let (plain, base64) = disguises(secret);
        let plain = plain.into_iter().filter(|disguise| lower.contains(disguise));
        plain.chain(base64.into_iter().filter(|disguise| text.contains(disguise))).collect::<Vec<_>>()
    };
    secrets.iter().flat_map(found).collect()
}

/// All that was written, and who wrote it.
pub struct Evidence(pub Vec<(String, Vec<u8>)>);

impl Evidence {
    pub fn add(&mut self, from: impl Into<String>, what: impl Into<Vec<u8>>) {
        self.0.push((from.into(), what.into()));
    }

    /// Every file below a folder.
    pub fn add_files(&mut self, dir: &Path) {
        for entry in std::fs::read_dir(dir).unwrap().flatten().map(|entry| entry.path()) {
            if entry.is_dir() {
                self.add_files(&entry);
            } else if let Ok(bytes) = std::fs::read(&entry) {
                self.add(entry.display().to_string(), bytes);
            }
        }
    }

    pub fn add_pages(&mut self, admin: SocketAddr) {
        for path in ["/metrics", "/"] {
            let get = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
            let page = send(admin, get.as_bytes());
            assert_eq!(page.status(), 200);
            self.add(path, page.raw);
        }
    }

    /// What a verb says, on both ends; the store's address comes as it should when it has a password.
    fn add_verb(&mut self, store: &str, args: &[&str]) -> String {
        let output = verb(store, args, None);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(!output.stdout.is_empty(), "{args:?} says nothing");
        let text = String::from_utf8(output.stdout.clone()).unwrap();
        self.add(format!("{args:?}"), output.stdout);
        self.add(format!("{args:?}"), output.stderr);
        text
    }

    /// All verbs, the last of which changes what there is.
    pub fn add_verbs(&mut self, store: &str) {
        self.add_verb(store, &["list"]);
        let exported = self.add_verb(store, &["export"]);
        let rows: Vec<serde_json::Value> = exported.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let ids: Vec<String> = rows.iter().map(|row| row["id"].to_string()).collect();
        assert!(!ids.is_empty(), "there is nothing to show");
        for format in [&["show"][..], &["show", "--format", "json"]] {
            self.add_verb(store, &[format, &ids.iter().map(String::as_str).collect::<Vec<_>>()].concat());
        }
        self.add_verb(store, &["retry"]);
        self.add_verb(store, &["drop", &ids[0]]);
        // A slip of the pen is told by its line.
        let slip = verb(store, &["drop", "--email-stdin"], Some("very.secret0@example.com\nvery.secret @@ Zebulon\n"));
        assert!(!slip.status.success());
        self.add("drop --email-stdin", slip.stderr);
    }

    pub fn has(&self, text: &str) -> bool {
        self.0.iter().any(|(_, bytes)| bytes.windows(text.len()).any(|window| window == text.as_bytes()))
    }

    pub fn holds_none_of(&self, secrets: &[&str]) {
        for (from, bytes) in &self.0 {
            let found = leaks(bytes, secrets);
            assert!(found.is_empty(), "{from} has {found:?}");
        }
    }
}

pub fn verb(store: &str, args: &[&str], stdin: Option<&str>) -> std::process::Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_capi-sidecar"))
        .arg("outbox")
        .args(args)
        .env("CAPI_STORE", store)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    std::io::Write::write_all(&mut input, stdin.unwrap_or_default().as_bytes()).unwrap();
    drop(input);
    child.wait_with_output().unwrap()
}
