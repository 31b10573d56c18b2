//! `consent`: how a Cookie header is read, before the policy for visitors without a signal is applied.

use clap::ArgMatches;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::json;

use super::explanation::consent_json;
use super::{Exit, complain, each_line, say};
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
    each_line(|cookies| {
        let signals = Signals::from_headers(&headers).with_cookie_line(cookies);
        let consent = consent::read(&signals, &config.consent);
        let mut answer = consent_json(&consent);
        let unread = consent::unread(&signals);
        if !unread.is_empty() {
            answer["unread"] = json!(unread);
        }
        say(&answer.to_string())
    })
}
