//! `check`: is the configuration right, and with `--online` are the site, Graph and a shared store there.

use std::time::Duration;

use secrecy::ExposeSecret;
use serde_json::Value;

use super::{Exit, complain, say};
use crate::config::{Config, Loaded, Pixel};
use crate::outbox::{self, StoreUrl};
use crate::proxy::dial::Dialer;
use crate::proxy::tls;

const TIMEOUT: Duration = Duration::from_secs(5);

/// Says what it found; the configuration itself is valid when this is called.
pub fn check(loaded: &Loaded, online: bool) -> Exit {
    loaded.warnings.iter().for_each(|warning| complain(&format!("warning: {warning}")));
    let config = &loaded.config;
    say(&format!(
        "configuration is valid: {} -> {}, {} pixel(s), store {}",
        config.listen,
        config.upstream,
        config.pixels.len(),
        config.store.url
    ));
    if !online {
        return Exit::Fine;
    }
    let mut problems = Vec::new();
    match site(config) {
        Ok(()) => {
            say("the site accepts connections");
        }
        Err(problem) => problems.push(problem),
    }
    if let StoreUrl::Redis(url) = &config.store.url {
        match outbox::probe(url) {
            Ok(warnings) => {
                say(&format!("store {url}: Redis is there and takes writes"));
                for warning in warnings {
                    complain(&format!("warning: {warning}"));
                }
            }
            Err(error) => problems.push(format!("store {url}: {error}; is it running, are user and password right?")),
        }
    }
    match graph(config) {
        Ok(lines) => {
            say(&lines.join("\n"));
        }
        Err(found) => problems.extend(found),
    }
    complain(&problems.join("\n"));
    if problems.is_empty() { Exit::Fine } else { Exit::Unavailable }
}

/// Connects as the proxy does, TLS and its verification included.
fn site(config: &Config) -> Result<(), String> {
    let upstream = &config.upstream;
    let system = |error: std::io::Error| format!("upstream {upstream}: it could not be tried: {error}");
    let dialer = Dialer::new(upstream.clone(), &config.upstream_ca)
        .map_err(|problem| format!("upstream {upstream}: TLS cannot be set up: {problem}"))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(system)?;
    let hint = "is the site running, is the address right?";
    match runtime.block_on(async { tokio::time::timeout(TIMEOUT, dialer.dial()).await }) {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) if tls::is_tls_trouble(&error) => Err(format!(
            "upstream {upstream}: {error}; is it https, is the certificate for this name, is its authority known \
             (upstream_ca_file)?"
        )),
        Ok(Err(error)) => Err(format!("upstream {upstream}: {error}; {hint}")),
        Err(_) => Err(format!("upstream {upstream}: no connection within {TIMEOUT:?}; {hint}")),
    }
}

/// What is asked of a data set: Meta's own score per event, and which share of events carried which key.
const QUALITY: &str = "web%7Bevent_name%2Cevent_match_quality%7Bcomposite_score%2Cmatch_key_feedback%7Bidentifier%2C\
                       coverage%7Bpercentage%7D%7D%7D%7D";

/// Asks for the data set's quality, which a token from Events Manager may read. That Graph knows the token is what
/// matters; the score is shown if it comes along.
fn graph(config: &Config) -> Result<Vec<String>, Vec<String>> {
    let system = |error: &dyn std::fmt::Display| vec![format!("Graph could not be asked: {error}")];
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| system(&e))?;
    let client = reqwest::Client::builder()
        .timeout(TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(|error| system(&error))?;
    let (mut fine, mut bad) = (Vec::new(), Vec::new());
    for pixel in &config.pixels {
        match runtime.block_on(ask(&client, config, pixel)) {
            Ok(line) => fine.push(line),
            Err(problem) => bad.push(problem),
        }
    }
    if bad.is_empty() { Ok(fine) } else { Err(bad) }
}

async fn ask(client: &reqwest::Client, config: &Config, pixel: &Pixel) -> Result<String, String> {
    let delivery = &config.delivery;
    let url = format!(
        "{}/{}/dataset_quality?dataset_id={}&fields={QUALITY}",
        delivery.graph_endpoint, delivery.graph_version, pixel.id
    );
    let token = pixel.access_token.as_ref().map(ExposeSecret::expose_secret).unwrap_or_default();
    let answer = client.get(url).bearer_auth(token).send().await.map_err(|error| {
        // The error's own text holds the URL only, and that has no token.
        format!("Graph {} does not answer: {error}; is outgoing https allowed?", delivery.graph_endpoint)
    })?;
    let body: Value = serde_json::from_str(&answer.text().await.unwrap_or_default()).unwrap_or_default();
    match body["error"]["code"].as_i64() {
        Some(190 | 102) => {
            Err(format!("pixel {}: Graph does not accept the access token; make a new one in Events Manager", pixel.id))
        }
        Some(code) => Ok(format!(
            "pixel {}: Graph answers and knows the token (it would not show the data set's quality: code {code})",
            pixel.id
        )),
        None => {
            let accepted = format!("pixel {}: Graph answers and accepts the token", pixel.id);
            Ok(std::iter::once(accepted).chain(scores(&body)).collect::<Vec<_>>().join("\n"))
        }
    }
}

/// Meta's Event Match Quality, as Graph reports it (48 hours, website events).
fn scores(body: &Value) -> Vec<String> {
    let events = body["web"].as_array().into_iter().flatten();
    events
        .filter_map(|event| {
            let quality = &event["event_match_quality"];
            let score = quality["composite_score"].as_f64()?;
            let keys = quality["match_key_feedback"].as_array().into_iter().flatten().filter_map(|key| {
                Some(format!("{} {:.0} %", key["identifier"].as_str()?, key["coverage"]["percentage"].as_f64()?))
            });
            let keys = keys.collect::<Vec<_>>().join(", ");
            let name = event["event_name"].as_str().unwrap_or("?");
            Some(format!("  Event Match Quality of {name}: {score:.1} of 10 ({keys})"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metas_own_score_is_shown_as_it_comes() {
        let body = serde_json::json!({"web": [
            {"event_name": "Lead", "event_match_quality": {"composite_score": 7.25, "match_key_feedback": [
                {"identifier": "email", "coverage": {"percentage": 98.4}},
                {"identifier": "phone", "coverage": {"percentage": 61}}]}},
            {"event_name": "PageView"}
        ]});
        assert_eq!(scores(&body), ["  Event Match Quality of Lead: 7.2 of 10 (email 98 %, phone 61 %)"]);
        assert!(scores(&Value::Null).is_empty());
    }
}
