//! `explain`: the decision on one recorded exchange, by the same function that `run` uses.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use clap::ArgMatches;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::{Exit, complain, is_json, recorded, say};
use crate::config::Config;
use crate::consent::{self, Consent, Signals};
use crate::decision::{self, Decision, Policy};
use crate::exchange::{Exchange, UnixMillis};
use crate::form::page::Page;
use crate::lead::event;
use crate::lead::event_id::IdSecret;
use crate::proxy::address::TrustedProxies;

/// Reads the files, decides, prints.
pub fn explain(args: &ArgMatches, config: &Config) -> Exit {
    match decide(args, config) {
        Ok((decision, consent)) => {
            let event = decision.submission.as_ref().and_then(|s| event::with_event_id(&s.body, s.event_id()));
            if is_json(args) {
                say(&as_json(&decision, &consent, event.as_ref()).to_string());
            } else {
                as_text(&decision, &consent, event.as_ref(), config);
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
    let trusted = TrustedProxies::new(config.trusted_proxies.clone());
    let path = file("request").ok_or("--request is missing")?;
    let mut request = recorded::request(&read(path)?, trusted.contains(peer), now).map_err(|e| at(path, &e))?;
    request.client_ip = Some(trusted.visitor(peer, &request.headers));
    let response = match file("response") {
        Some(path) => Some(recorded::response(&read(path)?).map_err(|error| at(path, &error))?),
        None => None,
    };
    let page = file("page").map(|path| read(path)).transpose()?.map(|html| Page::parse(&html));
    // Without a configured secret the real one is in the store; the ids shown here are then stable, but others.
    let secret = match &config.store.event_id_secret {
        Some(secret) => IdSecret::from_text(secret.expose_secret()),
        None => IdSecret::new([0; 32]),
    };
    let policy = Policy {
        forms: &config.forms,
        consent: &config.consent,
        default_country: config.default_country,
        secret: &secret,
        volatile_secret: &secret,
    };
    let consent = consent::read(&Signals::from_headers(&request.headers), &config.consent.rules);
    let random_id = uuid::Uuid::new_v4().to_string();
    let exchange = Exchange { request, response };
    Ok((decision::decide(&exchange, &page.as_ref(), &policy, random_id, now), consent))
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| at(path, &error.to_string()))
}

fn at(path: &Path, problem: &str) -> String {
    format!("{}: {problem}", path.display())
}

fn as_json(decision: &Decision, consent: &Consent, event: Option<&Value>) -> Value {
    let roles = decision
        .roles
        .iter()
        .map(|role| json!({"field": role.field, "role": role.role, "source": role.source}))
        .collect::<Vec<_>>();
    json!({
        "decision": decision.kind.code(),
        "reason": decision.reason.code(),
        "handler": decision.handler,
        "form": decision.form,
        "outcome": decision.outcome,
        "marker": decision.marker,
        "roles": roles,
        "unusable": decision.unusable.iter().map(|(key, why)| json!({"field": key.name(), "reason": why})).collect::<Vec<_>>(),
        "consent": {"state": consent.state.code(), "signal": consent.signal, "reason": consent.reason},
        "event_id": decision.submission.as_ref().map(decision::Submission::event_id),
        "event_id_source": decision.event_id_source,
        "event": event,
    })
}

fn as_text(decision: &Decision, consent: &Consent, event: Option<&Value>, config: &Config) {
    let mut lines = vec![
        format!("form      {} {}", decision.handler, decision.form),
        format!("answer    {} {}", decision.outcome, decision.marker),
    ];
    lines.extend(
        decision.roles.iter().map(|role| format!("field     {} is {} (by {})", role.field, role.role, role.source)),
    );
    lines.extend(decision.unusable.iter().map(|(key, why)| format!("unusable  {}: {why}", key.name())));
    let signal = consent.signal.map_or(String::new(), |signal| format!(" by {signal}"));
    lines.push(format!("consent   {}{signal}: {}", consent.state.code(), consent.reason));
    if let (Some(submission), Some(source)) = (&decision.submission, decision.event_id_source) {
        let note = if source == "fingerprint" && config.store.event_id_secret.is_none() {
            "; the running sidecar's differs, its secret is in its store"
        } else {
            ""
        };
        lines.push(format!("event_id  {} (from {source}{note})", submission.event_id()));
    }
    lines.push(format!("decision  {}: {}", decision.kind, decision.reason));
    if let Some(event) = event {
        lines.push(format!("{event:#}"));
    }
    for line in lines {
        if !say(line.trim_end()) {
            return;
        }
    }
}
