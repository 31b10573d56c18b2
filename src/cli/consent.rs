//! `consent`: how a Cookie header is read, before the policy for visitors without a signal is applied.

use std::io::{self, BufRead};

use clap::ArgMatches;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::json;

use super::{Exit, complain, say};
use crate::config::Config;
use crate::consent::{self, Signals};

/// Cookie header values on stdin, exactly one JSON line each.
pub fn consent(args: &ArgMatches, config: &Config) -> Exit {
    let mut headers = HeaderMap::new();
    for line in args.get_many::<String>("header").into_iter().flatten() {
        let parsed = line.split_once(':').and_then(|(name, value)| {
            Some((name.trim().parse::<HeaderName>().ok()?, HeaderValue::from_str(value.trim()).ok()?))
        });
        let Some((name, value)) = parsed else {
            complain(&format!("--header {line:?}: not a header; write it as \"Sec-GPC: 1\""));
            return Exit::Usage;
        };
        headers.append(name, value);
    }
    for line in io::stdin().lock().split(b'\n') {
        let line = match line {
            Ok(line) => line,
            Err(error) => {
                complain(&format!("stdin: {error}"));
                return Exit::Usage;
            }
        };
        let cookies = line.strip_suffix(b"\r").unwrap_or(&line);
        let consent = consent::read(&Signals::from_headers(&headers).with_cookie_line(cookies), &config.consent.rules);
        let answer = json!({"state": consent.state.code(), "signal": consent.signal, "reason": consent.reason});
        if !say(&answer.to_string()) {
            break;
        }
    }
    Exit::Fine
}
