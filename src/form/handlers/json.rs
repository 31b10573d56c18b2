//! What a JSON answer of unknown software says by conventional keys.

use serde_json::Value;

use super::{Outcome, machine_word};
use crate::reason::Reason;

/// Keys that say how it went.
const VERDICT_KEYS: &[&str] = &[
    "success",
    "ok",
    "status",
    "result",
    "sent",
    "type",
    "response",
    "state",
    "submitted",
    "mail_sent",
    "mailSent",
    "code",
    "statusCode",
    "status_code",
];
/// Words of a good end. Texts meant for people are not among them.
const GOOD: &[&str] = &[
    "success",
    "successful",
    "succeeded",
    "ok",
    "okay",
    "sent",
    "mail_sent",
    "true",
    "1",
    "accepted",
    "subscribed",
    "submitted",
];
/// Words of a bad one.
const BAD: &[&str] = &[
    "error",
    "errors",
    "fail",
    "failed",
    "failure",
    "invalid",
    "false",
    "0",
    "no",
    "validation_failed",
    "spam",
    "rejected",
    "denied",
    "danger",
    "warning",
];
/// Keys that hold what was wrong, if they hold anything.
const ERROR_KEYS: &[&str] = &["errors", "error", "validation_errors", "invalid_fields", "field_errors", "exception"];

/// Reads the root and, where that wraps it, `data`. One bad sign outweighs every good one.
pub(super) fn verdict(answer: &Value) -> Outcome {
    let levels = [Some(answer), answer.get("data"), answer.get("result"), answer.get("response"), answer.get("body")];
    let mut good = None;
    let mut step = false;
    for level in levels.into_iter().flatten().filter_map(Value::as_object) {
        for key in ERROR_KEYS {
            match level.get(*key).map(Truth::of) {
                Some(Truth::No) if *key == "error" => good = good.or_else(|| Some("error:false".to_owned())),
                Some(Truth::No) | None => {}
                Some(_) => return Outcome::refused(Reason::Validation, *key),
            }
        }
        let is_error = |(key, value): (&String, &Value)| {
            key.to_ascii_lowercase().starts_with("err") && matches!(Truth::of(value), Truth::Yes)
        };
        if level.iter().any(is_error) || level.get("captcha_required") == Some(&Value::Bool(true)) {
            return Outcome::refused(Reason::Validation, "err");
        }
        if BAD_KEYS.iter().any(|key| level.get(*key) == Some(&Value::Bool(false))) {
            return Outcome::refused(Reason::Validation, "valid:false");
        }
        step |= STEP_KEYS.iter().any(|key| level.get(*key).is_some_and(is_step));
        for key in VERDICT_KEYS {
            let Some(value) = level.get(*key).filter(|value| !value.is_object() && !value.is_array()) else { continue };
            let word = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let marker = format!("{key}:{}", machine_word(&word));
            match Truth::of_verdict(value) {
                Truth::Yes => good = good.or(Some(marker)),
                Truth::No => return Outcome::refused(Reason::Validation, marker),
                Truth::Unclear => {}
            }
        }
    }
    if good.is_some() && step {
        return Outcome::refused(Reason::Step, "next_step");
    }
    good.map_or_else(|| Outcome::unknown("json_without_verdict"), Outcome::Accepted)
}

/// Keys that can only say no.
const BAD_KEYS: &[&str] = &["valid", "is_valid", "isValid"];
/// Keys that lead on in the same form.
const STEP_KEYS: &[&str] = &["next", "next_step", "nextStep", "step"];

/// A number or a flag; a word such as `done`, or an address, leads out of the form.
fn is_step(value: &Value) -> bool {
    match value {
        Value::String(text) => text.bytes().any(|b| b.is_ascii_digit()) && !text.contains('/'),
        other => matches!(Truth::of(other), Truth::Yes),
    }
}

enum Truth {
    Yes,
    No,
    Unclear,
}

impl Truth {
    /// Whether anything is there.
    fn of(value: &Value) -> Self {
        let empty = match value {
            Value::Null => true,
            Value::Bool(yes) => !yes,
            Value::Number(number) => number.as_f64() == Some(0.0),
            Value::String(text) => matches!(text.trim(), "" | "0" | "false"),
            Value::Array(items) => items.is_empty(),
            // `{"errors":{"general":{}}}`: what holds only nothing is nothing.
            Value::Object(members) => members.values().all(|value| matches!(Self::of(value), Self::No)),
        };
        if empty { Self::No } else { Self::Yes }
    }

    /// What a value means under a key that says how it went.
    fn of_verdict(value: &Value) -> Self {
        match value {
            Value::Bool(true) => Self::Yes,
            Value::Bool(false) => Self::No,
            // 1 and 0, or a repeated HTTP status.
            Value::Number(number) => match number.as_u64() {
                Some(1 | 200..=204) => Self::Yes,
                Some(0 | 400..=599) => Self::No,
                _ => Self::Unclear,
            },
            Value::String(text) => {
                let word = text.trim().to_ascii_lowercase();
                let status = word.parse::<u64>().ok();
                if GOOD.contains(&word.as_str()) || matches!(status, Some(200..=204)) {
                    Self::Yes
                } else if BAD.contains(&word.as_str()) || matches!(status, Some(400..=599)) {
                    Self::No
                } else {
                    Self::Unclear
                }
            }
            _ => Self::Unclear,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conventional_keys_decide_and_one_error_outweighs_them() {
        for (json, accepted) in [
            (r#"{"success":true}"#, Some(true)),
            (r#"{"ok":1,"errors":[]}"#, Some(true)),
            (r#"{"status":"success","message":"Thanks"}"#, Some(true)),
            (r#"{"status":200}"#, Some(true)),
            (r#"{"data":{"success":"true"}}"#, Some(true)),
            (r#"{"error":false}"#, Some(true)),
            (r#"{"success":false}"#, Some(false)),
            (r#"{"success":true,"errors":{"email":["bad"]}}"#, Some(false)),
            (r#"{"success":true,"data":{"errors":["x"]}}"#, Some(false)),
            (r#"{"status":"error"}"#, Some(false)),
            (r#"{"ok":true,"status":"failed"}"#, Some(false)),
            (r#"{"error":"nope"}"#, Some(false)),
            (r#"{"ok":true,"next":"/thanks"}"#, Some(true)),
            (r#"{"mailSent":true}"#, Some(true)),
            (r#"{"status":"200"}"#, Some(true)),
            (r#"{"response":"success"}"#, Some(true)),
            (r#"{"status":"ok","err":"bad mail"}"#, Some(false)),
            (r#"{"ok":true,"errorMessage":"x"}"#, Some(false)),
            (r#"{"success":true,"code":422}"#, Some(false)),
            (r#"{"status":200,"body":{"success":false}}"#, Some(false)),
            (r#"{"success":true,"valid":false}"#, Some(false)),
            (r#"{"success":true,"next":2}"#, Some(false)),
            (r#"{"status":"ok","response":{"success":false}}"#, Some(false)),
            (r#"{"type":"success","message":"Thanks"}"#, Some(true)),
            (r#"{"type":"danger","status":"ok"}"#, Some(false)),
            (r#"{"data":{"type":"contacts","id":"7"}}"#, None),
            (r#"{"status":"pending"}"#, None),
            (r#"{"message":"success"}"#, None),
            (r#"[{"success":true}]"#, None),
            ("{}", None),
        ] {
            let outcome = verdict(&serde_json::from_str(json).unwrap());
            let said = match outcome {
                Outcome::Accepted(_) => Some(true),
                Outcome::Refused(..) => Some(false),
                _ => None,
            };
            assert_eq!(said, accepted, "{json}");
        }
    }

    #[test]
    fn texts_of_an_answer_never_become_markers() {
        let json = serde_json::json!({"success": true, "status": "Thank you, ana@example.com"});
        assert_eq!(verdict(&json), Outcome::accepted("success:true"));
    }
}
