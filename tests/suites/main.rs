//! Other people's suites against the proxy, by both ways through it: what gunicorn's tests refuse and accept, what a cache
//! may see, and visitors who take their time on purpose.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod cache;
mod corpus;
mod raw;
mod slow;
mod strict;
#[path = "../support/mod.rs"]
mod support;

use std::process::{Command, Stdio};

/// Both ways through the proxy: flags, without dashes.
const WAYS: [(&str, &str); 2] = [("plain-way", "true"), ("plain-way", "false")];

/// What a program printed. It must have succeeded.
fn output(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output().expect("the program is installed");
    assert!(output.status.success(), "{command:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
