//! `explain`: the decision on one recorded exchange, by the same function that `run` uses.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use clap::ArgMatches;
use secrecy::ExposeSecret;

use super::{Exit, complain, explanation, is_json, recorded, say};
use crate::config::Config;
use crate::consent::{self, Consent, Signals};
use crate::decision::{self, Decision, Policy, Told};
use crate::exchange::{Exchange, UnixMillis};
use crate::form::page::Page;
use crate::lead::event::Sent;
use crate::lead::event_id::IdSecret;
use crate::proxy::address::TrustedProxies;
use crate::reason::Reason;

/// Reads the files, decides, prints.
pub fn explain(args: &ArgMatches, config: &Config) -> Exit {
    match decide(args, config) {
        Ok((decision, consent)) => {
            let sent = decision.submission.as_ref().and_then(|s| Sent::new(&s.body, s.event_id()));
            let event = sent.and_then(|sent| serde_json::to_value(sent).ok());
            if is_json(args) {
                say(&explanation::as_json(&decision, &consent, event.as_ref()).to_string());
            } else {
                let own_secret = config.store.event_id_secret.is_some();
                for line in explanation::as_text(&decision, &consent, event.as_ref(), own_secret) {
                    if !say(&line) {
                        break;
                    }
                }
            }
            Exit::Fine
        }
        Err(problem) => {
            complain(&problem);
            Exit::Usage
        }
    }
}

fn decide(args: &ArgMatches, config: &Config) -> Result<(Decision, Consent), String> {
    let file = |name: &str| args.get_one::<PathBuf>(name);
    let peer: IpAddr = args
        .get_one::<String>("peer")
        .and_then(|peer| peer.parse().ok())
        .ok_or("--peer: not an address; write e.g. 203.0.113.42")?;
    let now = match args.get_one::<String>("time") {
        None => UnixMillis::now(),
        Some(text) => {
            let time: jiff::Timestamp =
                text.parse().map_err(|_| format!("--time {text}: not RFC 3339; write e.g. 2026-11-24T12:00:00Z"))?;
            UnixMillis(u64::try_from(time.as_millisecond()).map_err(|_| format!("--time {text}: before 1970"))?)
        }
    };
    let trusted = TrustedProxies::new(config.trusted_proxies.clone(), config.client_ip_header.clone());
    let path = file("request").ok_or("--request is missing")?;
    let mut request = recorded::request(&read(path)?, trusted.contains(peer), now).map_err(|e| at(path, &e))?;
    request.client_ip = Some(trusted.visitor(peer, &request.headers));
    let response = match file("response") {
        Some(path) => Some(recorded::response(&read(path)?).map_err(|error| at(path, &error))?),
        None => None,
    };
    let page = match file("page") {
        Some(path) => {
            let page = Page::of_answer(&read(path)?, "text/html", "");
            Some(page.ok_or_else(|| at(path, "larger than what is read of a page"))?)
        }
        None => None,
    };
    // Without a configured secret the real one is in the store; the ids shown here are then stable, but others.
    let secret = match &config.store.event_id_secret {
        Some(secret) => IdSecret::from_text(secret.expose_secret()),
        None => IdSecret::new([0; 32]),
    };
    let policy = Policy {
        forms: &config.forms,
        consent: &config.consent,
        click_ids: &config.landing.click_ids,
        internal_addresses: &config.internal_addresses,
        default_country: config.default_country,
        secret: &secret,
        volatile_secret: &secret,
    };
    let without_fields = consent::read(&Signals::of(&request), &config.consent);
    let random_id = uuid::Uuid::new_v4().to_string();
    let exchange = Exchange { request, response };
    let mut decision = decision::decide(&exchange, &page.as_ref(), &policy, random_id, now);
    if decision.expected.is_some() {
        let told = match file("follow-up") {
            Some(path) => {
                let answer = recorded::response(&read(path)?).map_err(|error| at(path, &error))?;
                let mut request = exchange.request;
                request.method = http::Method::GET;
                decision::follow_up(&mut decision, &Exchange { request, response: Some(answer) }) == Told::Yes
            }
            None => false,
        };
        if !told {
            decision.refuse(Reason::UnknownOutcome);
        }
    }
    // A decision that did not come to consent shows what would have been read.
    let consent = decision.consent.clone().unwrap_or(without_fields);
    Ok((decision, consent))
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| at(path, &error.to_string()))
}

fn at(path: &Path, problem: &str) -> String {
    format!("{}: {problem}", path.display())
}
