//! What can go wrong with a request to the stand-in for Graph.

use std::time::Duration;

use serde_json::json;

/// What goes wrong.
#[derive(Clone, Debug)]
pub enum Fault {
    /// This status with this body, whatever was sent.
    Answer(u16, String),
    /// This status with this body and one more header.
    AnswerWith(u16, String, String),
    /// As usual, with one more header.
    With(String),
    /// No answer for so long, then as usual.
    Delay(Duration),
    /// As usual, but a byte at a time with this pause after each.
    Drip(Duration),
    /// The events are accepted, and the connection is closed before the answer.
    AcceptAndHangUp,
    /// The events are accepted, and the connection is closed within the answer.
    AcceptAndCut,
    /// The events are accepted, and the connection is reset before the answer.
    AcceptAndReset,
    /// The events are accepted, and nothing is ever answered.
    AcceptAndSilence,
    /// The events are accepted, and one fewer than was sent is acknowledged.
    AcceptAndMiscount,
    /// The connection is closed, and nothing is accepted.
    HangUp,
    /// The connection is reset when the request has been read, and nothing is accepted.
    Reset,
    /// Nothing is accepted and nothing ever answered.
    Silence,
}

impl Fault {
    /// An answer with a status and a body.
    pub fn status(status: u16, body: &str) -> Self {
        Self::Answer(status, body.to_owned())
    }

    /// An answer with one of Meta's codes; the status is as unreliable as Meta's.
    pub fn code(status: u16, code: i64, subcode: Option<i64>) -> Self {
        Self::Answer(status, error(code, subcode))
    }

    /// A throttle that says when it ends.
    pub fn retry_after(seconds: u64) -> Self {
        Self::AnswerWith(429, error(4, None), format!("Retry-After: {seconds}"))
    }

    /// A throttle with the usage of a business use case at its end; access comes back in so many minutes.
    pub fn business_throttle(code: i64, minutes: u64) -> Self {
        let usage = json!({"1234567890": [{"type": "ads_management", "call_count": 100, "total_cputime": 20,
            "total_time": 20, "estimated_time_to_regain_access": minutes}]});
        Self::AnswerWith(400, error(code, None), format!("X-Business-Use-Case-Usage: {usage}"))
    }

    /// Accepted, and the app's quota is used up to so many per cent.
    pub fn app_usage(percent: u32) -> Self {
        let usage = json!({"call_count": percent, "total_cputime": 20, "total_time": 20});
        Self::With(format!("X-App-Usage: {usage}"))
    }

    /// Whether the events count all the same.
    pub const fn accepts(&self) -> bool {
        !matches!(self, Self::Answer(..) | Self::AnswerWith(..) | Self::HangUp | Self::Reset | Self::Silence)
    }

    /// Whether what the stand-in says is sent.
    pub const fn answers(&self) -> bool {
        matches!(
            self,
            Self::Answer(..)
                | Self::AnswerWith(..)
                | Self::With(_)
                | Self::Delay(_)
                | Self::Drip(_)
                | Self::AcceptAndCut
                | Self::AcceptAndMiscount
        )
    }
}

fn error(code: i64, subcode: Option<i64>) -> String {
    json!({"error": {"message": "stand-in for Graph: as it was told", "type": "OAuthException", "code": code,
        "error_subcode": subcode, "fbtrace_id": "StandInFault"}})
    .to_string()
}
