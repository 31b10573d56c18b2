//! A decision in words, for people who read it in a terminal and in support threads, and for programs.
//!
//! The text names fields, sources and markers and no values: hashes are cut, the address loses its end. The JSON is whole,
//! for tests of one's own rules.

use serde_json::{Map, Value, json};

use crate::consent::Consent;
use crate::decision::{Decision, Submission};
use crate::form::roles::{ENOUGH, RoleSource};
use crate::lead::event::clean_url;

/// The keys of `user_data` that are hashes end after this many characters.
const SHOWN_OF_HASH: usize = 8;

/// Everything, as one object.
pub fn as_json(decision: &Decision, consent: &Consent, event: Option<&Value>) -> Value {
    let roles = |list: &[RoleSource]| -> Vec<Value> {
        let row = |role: &RoleSource| json!({"field": role.field, "role": role.role, "source": role.source, "confidence": role.confidence});
        list.iter().map(row).collect()
    };
    let unusable = decision.unusable.iter().map(|(key, why)| json!({"field": key.name(), "reason": why}));
    json!({
        "decision": decision.kind.code(),
        "reason": decision.reason.code(),
        "handler": decision.handler,
        "form": decision.form,
        "page": decision.page_url.as_deref().map(clean_url),
        "page_form_known": decision.form_is_known,
        "outcome": decision.outcome,
        "marker": decision.marker,
        "roles": roles(&decision.roles),
        "doubtful": roles(&decision.doubtful),
        "unusable": unusable.collect::<Vec<_>>(),
        "consent": consent_json(consent),
        "event_id": decision.submission.as_ref().map(Submission::event_id),
        "event_id_source": decision.event_id_source,
        "event": event,
    })
}

/// What was read, with the word of each signal.
pub fn consent_json(consent: &Consent) -> Value {
    let seen = consent.seen.iter().map(|seen| {
        json!({"signal": seen.signal, "state": seen.state.code(), "unreadable": seen.unreadable, "reason": seen.reason})
    });
    json!({
        "state": consent.state.code(), "signal": consent.signal, "reason": consent.reason,
        "signals": seen.collect::<Vec<_>>(),
    })
}

/// The steps, one per line, in their order.
pub fn as_text(decision: &Decision, consent: &Consent, event: Option<&Value>, own_secret: bool) -> Vec<String> {
    let mut lines = Vec::new();
    let form = if decision.form.is_empty() { String::new() } else { format!(", form {}", decision.form) };
    lines.push(format!("recognised  as {}{form}", decision.handler));
    if let Some(url) = &decision.page_url {
        let known = if decision.form_is_known { "its form is known" } else { "its form is not known (give --page)" };
        lines.push(format!("page        {}; {known}", clean_url(url)));
    }
    for role in &decision.roles {
        lines.push(format!("field       {} is {} (by {}, {} %)", role.field, role.role, role.source, role.confidence));
    }
    for role in &decision.doubtful {
        lines.push(format!(
            "left out    {} may be {} (by {}, {} %; {ENOUGH} % are needed: name it in a [[form]] rule)",
            role.field, role.role, role.source, role.confidence
        ));
    }
    lines.extend(decision.unusable.iter().map(|(key, why)| format!("unusable    {}: {why}", key.name())));
    let marker = if decision.marker.is_empty() { String::new() } else { format!(", by {}", decision.marker) };
    lines.push(format!("answer      {}{marker}", decision.outcome));
    if decision.outcome == "later" {
        lines.push("            the page after the redirect tells (give --follow-up)".to_owned());
    }
    let signal = consent.signal.map_or(String::new(), |signal| format!(" by {signal}"));
    lines.push(format!("consent     {}{signal}: {}", consent.state.code(), consent.reason));
    if let (Some(submission), Some(source)) = (&decision.submission, decision.event_id_source) {
        let note = if source == "fingerprint" && !own_secret {
            "; the running sidecar's differs, its secret is in its store"
        } else {
            ""
        };
        lines.push(format!("event_id    {} (from {source}{note})", submission.event_id()));
    }
    lines.push(format!("decision    {}: {}", decision.kind, decision.reason));
    if let Some(hold) = &decision.hold {
        lines.push(format!("            it waits for the visitor's choice, {:?} at most", hold.patience));
    }
    if let Some(event) = event {
        lines.extend(format!("{:#}", masked(event)).lines().map(str::to_owned));
    }
    lines
}

/// The event as it may be shown to anybody.
fn masked(event: &Value) -> Value {
    let mut event = event.clone();
    let user_data = event.get_mut("user_data").and_then(Value::as_object_mut);
    for (key, value) in user_data.map(Map::iter_mut).into_iter().flatten() {
        match value {
            Value::Array(hashes) => {
                for hash in hashes.iter_mut() {
                    *hash = Value::from(cut(hash.as_str().unwrap_or_default()));
                }
            }
            // The last byte of an IPv4 address; of an IPv6 address all that tells a household.
            Value::String(address) if key == "client_ip_address" => {
                let end = match address.match_indices(':').nth(2) {
                    Some((at, _)) => at,
                    None => address.rfind(['.', ':']).unwrap_or_default(),
                };
                *value = Value::from(format!("{}*", address.get(..=end).unwrap_or_default()));
            }
            Value::String(id) if matches!(key.as_str(), "fbc" | "fbp") => {
                let end = id.rfind('.').map_or(0, |dot| dot + 1);
                *value = Value::from(format!("{}...", id.get(..end).unwrap_or_default()));
            }
            Value::String(text) if key == "external_id" => *value = Value::from(cut(text)),
            _ => {}
        }
    }
    event
}

fn cut(hash: &str) -> String {
    format!("{}...", hash.get(..SHOWN_OF_HASH).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shown_event_has_neither_whole_hashes_nor_a_whole_address() {
        let hash = "539dba384e7bad34cfe11197def7787e078172956b42bdfbb3e529537d6e0267";
        let event =
            json!({"event_name":"Lead","user_data":{"em":[hash],"client_ip_address":"203.0.113.42","fbp":"fb.1.2.3"}});
        let expected = json!({"event_name":"Lead","user_data":{"em":["539dba38..."],"client_ip_address":"203.0.113.*","fbp":"fb.1.2...."}});
        assert_eq!(masked(&event), expected);
        let address = |text: &str| {
            masked(&json!({"user_data":{"client_ip_address":text}}))["user_data"]["client_ip_address"].clone()
        };
        assert_eq!(address("2001:db8:1:2::42"), "2001:db8:1:*");
        assert_eq!(address("2001:db8::42"), "2001:db8::*");
    }
}
