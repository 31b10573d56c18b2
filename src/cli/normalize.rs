//! `normalize`: what would be sent for a value, to compare with other tools.

use clap::ArgMatches;
use serde_json::json;

use super::{Exit, complain, each_line, say};
use crate::lead::contact::Key;
use crate::lead::normalize::{self, Country};

/// Values on stdin, one JSON line each.
pub fn normalize(args: &ArgMatches) -> Exit {
    let Some(key) = args.get_one::<String>("field").and_then(|name| Key::from_name(name)) else { return Exit::Usage };
    let region = match args.get_one::<String>("country") {
        None => None,
        Some(code) => {
            let country = Country::from_alpha2(code);
            if country.is_none() {
                complain(&format!("--country {code}: not an ISO 3166 code; write e.g. DE"));
                return Exit::Usage;
            }
            country
        }
    };
    each_line(|line| {
        let input = String::from_utf8_lossy(line);
        let answer = match normalize::normalize(key, &input, region) {
            Ok(value) => {
                json!({"input": input, "normalized": value.as_str(), "sha256": value.sha256(), "reason": null})
            }
            Err(why) => json!({"input": input, "normalized": null, "sha256": null, "reason": why.code()}),
        };
        say(&answer.to_string())
    })
}
