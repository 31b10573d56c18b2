//! What goes to the scripts, and what comes back.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::exchange::UnixMillis;
use crate::outbox::{Admission, Admitted, Choice, Due, Released, Settlement, StoreError, Verdict};

/// A submission. Absent means absent: Lua's JSON `null` is a value like any other.
#[derive(Serialize, Deserialize)]
pub struct WireAdmission {
    print: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    supplied: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    contact: Option<String>,
    fallback: String,
    name: String,
    /// As text: Lua's numbers are floating.
    time: String,
    pub body: String,
    only: bool,
    pixels: Vec<String>,
    ties: Vec<String>,
}

impl WireAdmission {
    pub fn of(admission: &Admission) -> Self {
        Self {
            print: hex::encode(admission.fingerprint),
            supplied: admission.supplied.as_ref().map(|supplied| supplied.id.clone()),
            contact: admission.supplied.as_ref().map(|supplied| hex::encode(supplied.contact)),
            fallback: admission.fallback_event_id.clone(),
            name: admission.event_name.clone(),
            time: admission.event_time.to_string(),
            body: admission.body.to_string(),
            only: admission.event_only,
            pixels: admission.pixels.clone(),
            ties: admission.ties.iter().map(hex::encode).collect(),
        }
    }
}

/// A verdict.
#[derive(Serialize)]
pub struct WireVerdict<'a> {
    delivery: String,
    state: &'static str,
    reason: &'a str,
    code: String,
    subcode: String,
    trace: &'a str,
    due: String,
    counts: u8,
    in_doubt: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<&'a str>,
}

impl<'a> WireVerdict<'a> {
    pub fn of(settlement: &'a Settlement) -> Self {
        let number = |number: Option<i64>| number.map(|number| number.to_string()).unwrap_or_default();
        let mut wire = Self {
            delivery: settlement.id.to_string(),
            state: "pending",
            reason: "",
            code: number(settlement.code),
            subcode: number(settlement.subcode),
            trace: settlement.fbtrace_id.as_deref().unwrap_or_default(),
            due: String::from("0"),
            counts: 0,
            in_doubt: false,
            body: None,
        };
        match &settlement.verdict {
            Verdict::Delivered => wire.state = "delivered",
            Verdict::Refused => (wire.state, wire.reason) = ("refused", "event_only"),
            Verdict::Dead { reason } => (wire.state, wire.reason) = ("dead", *reason),
            Verdict::Retry { due_at, counts, in_doubt, body, reason } => {
                wire.due = due_at.0.to_string();
                wire.counts = u8::from(*counts);
                wire.in_doubt = *in_doubt;
                wire.body = body.as_deref();
                wire.reason = reason;
            }
        }
        wire
    }
}

/// `{ 'new' or 'duplicate', event_id, '1' when the supplied id was taken }`
pub fn admitted(answer: &[String]) -> Result<Admitted, StoreError> {
    match answer {
        [kind, event_id, taken] if kind == "new" => {
            Ok(Admitted::New { event_id: event_id.clone(), supplied_id_was_taken: taken == "1" })
        }
        [kind, event_id, _] if kind == "duplicate" => Ok(Admitted::Duplicate { event_id: event_id.clone() }),
        _ => Err(strange("admit")),
    }
}

/// `{ delivery, event_id, event_time, body, event-only, attempts, in doubt since }`
pub fn due(answer: Vec<String>) -> Result<Due, StoreError> {
    let [id, event_id, time, body, only, attempts, doubt] =
        <[String; 7]>::try_from(answer).map_err(|_| strange("take"))?;
    Ok(Due {
        id: id.parse().map_err(|_| strange("take"))?,
        event_id,
        event_time: time.parse().unwrap_or_default(),
        body: Arc::from(body),
        event_only: only == "1",
        attempts: attempts.parse().unwrap_or_default(),
        in_doubt_since: doubt.parse().ok().map(UnixMillis),
    })
}

/// `{ fingerprint, host, path, 'new' 'duplicate' or 'nothing', event_id, taken }`
pub fn released(answer: &[String]) -> Result<Released, StoreError> {
    let [print, host, path, admission @ ..] = answer else { return Err(strange("choose")) };
    let mut fingerprint = [0; 32];
    hex::decode_to_slice(print, &mut fingerprint).map_err(|_| strange("choose"))?;
    let nothing = admission.first().is_some_and(|kind| kind == "nothing");
    let admitted = if nothing { None } else { Some(admitted(admission)?) };
    Ok(Released { fingerprint, place: (host.clone(), path.clone()), admitted })
}

/// How a choice is called there, and whose it is.
pub fn choice(choice: Choice) -> (&'static str, String) {
    match choice {
        Choice::Granted(browser) => ("granted", hex::encode(browser)),
        Choice::Denied(browser) => ("denied", hex::encode(browser)),
        Choice::Expired => ("expired", String::new()),
    }
}

/// Something else than our script answered, or somebody has changed our keys.
pub fn strange(script: &str) -> StoreError {
    StoreError::Redis(format!("its answer to the script {script} makes no sense; has something changed our keys?"))
}
