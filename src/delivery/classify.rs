//! What an answer of Graph means: by code, then subcode, then status. Texts are localised and never looked at; the status
//! is unreliable (a dead token arrives as 400, 401 or 500).
//! <https://developers.facebook.com/docs/graph-api/guides/error-handling>

use serde_json::Value;

/// The kind of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// All events were received.
    Accepted,
    /// Try again, same ids. `in_doubt`: the events may have been received all the same.
    Transient {
        /// Whether Meta may have them.
        in_doubt: bool,
    },
    /// Too much; wait.
    Throttle,
    /// Token, permission, pixel: nothing will get through until somebody acts.
    Config,
    /// An event in the request is wrong: the whole request was refused.
    Payload,
}

/// An answer, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What to do.
    pub class: Class,
    /// Meta's error code.
    pub code: Option<i64>,
    /// Meta's error subcode.
    pub subcode: Option<i64>,
    /// Meta's trace id.
    pub fbtrace_id: Option<String>,
}

/// The subcode of a malformed click id; the event is good without it.
pub const MALFORMED_CLICK_ID: i64 = 2_804_001;
/// The subcode of an event that is older than seven days. By our clock it is not, or it would not have been sent.
pub const TOO_OLD: i64 = 2_804_003;

/// The subcode of an event of the future: our clock is ahead of Meta's.
pub const IN_THE_FUTURE: i64 = 2_804_004;

impl Answer {
    /// No answer came. `in_doubt`: the request had left.
    #[must_use]
    pub const fn none(in_doubt: bool) -> Self {
        Self { class: Class::Transient { in_doubt }, code: None, subcode: None, fbtrace_id: None }
    }

    /// One word for lists.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self.class {
            Class::Accepted => "accepted",
            Class::Transient { .. } => "transient",
            Class::Throttle => "throttle",
            Class::Config => match self.code {
                Some(190 | 102) => "token",
                Some(368) => "blocked",
                _ => "permission",
            },
            Class::Payload => "payload",
        }
    }
}

/// Classifies the answer to a request with `sent` events.
#[must_use]
pub fn classify(status: u16, body: &[u8], sent: usize) -> Answer {
    let json: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |value: &Value| value.as_str().map(|text| text.chars().take(64).collect::<String>());
    let error = &json["error"];
    if error.is_object() {
        let (code, subcode) = (error["code"].as_i64(), error["error_subcode"].as_i64());
        let transient = error["is_transient"].as_bool().unwrap_or(false);
        // A parameter's name, not a text: the app wants its secret proved, and every event would be buried as invalid.
        let unproved = code == Some(100) && error["message"].as_str().is_some_and(|m| m.contains("appsecret_proof"));
        let class = if unproved { Class::Config } else { of_error(code, subcode, transient) };
        return Answer { class, code, subcode, fbtrace_id: text(&error["fbtrace_id"]) };
    }
    let received = json["events_received"].as_u64().and_then(|count| usize::try_from(count).ok());
    let class = match received {
        Some(count) if (200..300).contains(&status) && count >= sent => Class::Accepted,
        _ if status == 429 => Class::Throttle,
        // A gateway in between turned it away.
        _ if (300..500).contains(&status) => Class::Transient { in_doubt: false },
        // Fewer than were sent, a page of HTML, nothing at all: whatever it is, it is no acknowledgement.
        _ => Class::Transient { in_doubt: true },
    };
    Answer { class, code: None, subcode: None, fbtrace_id: text(&json["fbtrace_id"]) }
}

fn of_error(code: Option<i64>, subcode: Option<i64>, is_transient: bool) -> Class {
    let Some(code) = code else { return Class::Transient { in_doubt: false } };
    match (code, subcode) {
        (4 | 17 | 32 | 341 | 613 | 80_000..=80_014, _) => Class::Throttle,
        (3 | 10 | 102 | 190 | 200..=299 | 368, _) | (100, Some(33)) => Class::Config,
        // 2804xxx are the Conversions API's own: the event is wrong.
        (_, Some(2_804_000..=2_804_999)) => Class::Payload,
        (1 | 2, _) => Class::Transient { in_doubt: false },
        _ if is_transient => Class::Transient { in_doubt: false },
        (100 | 105 | 2650 | 2655, _) => Class::Payload,
        // Unknown: better a repeat under the same id than a lost lead.
        _ => Class::Transient { in_doubt: false },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_decide_before_subcodes_before_the_status() {
        let transient = |in_doubt| Class::Transient { in_doubt };
        for (status, body, class, reason) in [
            (200, r#"{"events_received":2,"messages":[],"fbtrace_id":"x"}"#, Class::Accepted, "accepted"),
            (200, r#"{"events_received":1}"#, transient(true), "transient"),
            (200, r#"{"error":{"code":190}}"#, Class::Config, "token"),
            (400, r#"{"error":{"code":190,"error_subcode":463}}"#, Class::Config, "token"),
            (500, r#"{"error":{"code":190}}"#, Class::Config, "token"),
            (400, r#"{"error":{"code":200}}"#, Class::Config, "permission"),
            (400, r#"{"error":{"code":100,"error_subcode":33}}"#, Class::Config, "permission"),
            (400, r#"{"error":{"code":368}}"#, Class::Config, "blocked"),
            (
                400,
                r#"{"error":{"code":100,"message":"API calls require an appsecret_proof"}}"#,
                Class::Config,
                "permission",
            ),
            (429, "slow down", Class::Throttle, "throttle"),
            (403, "<html>Blocked by the proxy</html>", transient(false), "transient"),
            (400, r#"{"error":{"code":100,"error_subcode":2804050}}"#, Class::Payload, "payload"),
            (400, r#"{"error":{"code":100}}"#, Class::Payload, "payload"),
            (400, r#"{"error":{"code":100,"is_transient":true}}"#, transient(false), "transient"),
            (400, r#"{"error":{"code":17,"error_subcode":2446079}}"#, Class::Throttle, "throttle"),
            (429, r#"{"error":{"code":80004}}"#, Class::Throttle, "throttle"),
            (500, r#"{"error":{"code":1,"error_subcode":99}}"#, transient(false), "transient"),
            (400, r#"{"error":{"code":987654}}"#, transient(false), "transient"),
            (400, r#"{"error":{"message":"no code"}}"#, transient(false), "transient"),
            (500, "<html>Sorry</html>", transient(true), "transient"),
            (200, "", transient(true), "transient"),
            (200, "[1,2]", transient(true), "transient"),
            (500, r#"{"events_received":2}"#, transient(true), "transient"),
        ] {
            let answer = classify(status, body.as_bytes(), 2);
            assert_eq!((answer.class, answer.reason()), (class, reason), "{status} {body}");
        }
    }
}
