//! A **stand-in** for Meta's Graph API: it listens on loopback, enforces the rules that Meta documents for the Conversions
//! API, and remembers what it got. It is not Meta, and what it accepts is no proof that Meta would.
//!
//! Used by the demo and by the tests, which include this file by path.
#![allow(dead_code, reason = "the demo and each test file use a part of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::must_use_candidate)]

#[path = "http.rs"]
pub mod http;

use std::collections::VecDeque;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

const DAY: u64 = 24 * 3600;
/// How far in the future an event may lie; Meta does not say.
const TOLERANCE: u64 = 60;
const HASHED: [&str; 10] = ["em", "ph", "fn", "ln", "ge", "db", "ct", "st", "zp", "country"];
const EMPTY_HASH: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// One request as it arrived, and the answer it got.
#[derive(Clone, Debug)]
pub struct Received {
    /// Path and query.
    pub target: String,
    /// Header lines.
    pub head: String,
    /// The JSON body without its token.
    pub body: Value,
    /// `data` of the body.
    pub events: Vec<Value>,
    /// The status it was answered with; 0 when it was not.
    pub status: u16,
}

/// What goes wrong with the next request.
#[derive(Clone, Debug)]
pub enum Fault {
    /// This status with this body, whatever was sent.
    Answer(u16, String),
    /// This status with this body and one more header.
    AnswerWith(u16, String, String),
    /// No answer for so long, then as usual.
    Delay(Duration),
    /// The events are accepted, and the connection is closed before the answer.
    AcceptAndHangUp,
    /// The connection is closed, and nothing is accepted.
    HangUp,
}

impl Fault {
    /// An answer with a status and a body.
    pub fn status(status: u16, body: &str) -> Self {
        Self::Answer(status, body.to_owned())
    }
}

#[derive(Default)]
struct State {
    token: Option<String>,
    requests: Vec<Received>,
    accepted: Vec<Value>,
    faults: VecDeque<Fault>,
    traces: u64,
}

/// The running stand-in. It lives as long as the process.
#[derive(Clone)]
pub struct Graph {
    address: SocketAddr,
    state: Arc<(Mutex<State>, Condvar)>,
}

impl Graph {
    /// Listens on a port of its own and takes every token.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port on loopback");
        let address = listener.local_addr().expect("the port that was bound");
        let graph = Self { address, state: Arc::default() };
        let serving = graph.clone();
        http::serve(listener, move |request| {
            let fault = serving.lock().faults.pop_front();
            if let Some(Fault::Delay(delay)) = fault {
                thread::sleep(delay);
            }
            let (status, text, extra) =
                serving.answer(&request.target, &request.head, &request.body, fault.as_ref())?;
            let mut headers = vec!["Content-Type: application/json"];
            headers.extend(extra.as_deref());
            Some(http::answer(status, &headers, &text))
        });
        graph
    }

    /// For `--graph-endpoint`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on only this token is valid.
    pub fn set_token(&self, token: &str) {
        self.lock().token = Some(token.to_owned());
    }

    /// Queues a fault for one of the next requests.
    pub fn fault(&self, fault: Fault) {
        self.lock().faults.push_back(fault);
    }

    /// The accepted events, in order.
    pub fn events(&self) -> Vec<Value> {
        self.lock().accepted.clone()
    }

    /// Every request, accepted or not.
    pub fn requests(&self) -> Vec<Received> {
        self.lock().requests.clone()
    }

    /// Waits until so many events were accepted.
    pub fn wait_for(&self, events: usize, patience: Duration) {
        let start = Instant::now();
        let mut state = self.lock();
        while state.accepted.len() < events {
            let left = patience.checked_sub(start.elapsed()).unwrap_or_else(|| {
                panic!("{} of {events} events arrived; the requests were {:#?}", state.accepted.len(), state.requests)
            });
            state = self.state.1.wait_timeout(state, left).expect("no test panics while it holds this").0;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.0.lock().expect("no test panics while it holds this")
    }

    fn answer(
        &self,
        target: &str,
        head: &str,
        body: &[u8],
        fault: Option<&Fault>,
    ) -> Option<(u16, String, Option<String>)> {
        let mut state = self.lock();
        state.traces += 1;
        let trace = format!("StandIn{:06}", state.traces);
        let mut json: Value = serde_json::from_slice(body).unwrap_or_default();
        let token = json.as_object_mut().and_then(|map| map.remove("access_token"));
        let events = json["data"].as_array().cloned().unwrap_or_default();
        let (mut status, mut text) = match check(&state, target, head, token.as_ref(), &json, &events) {
            Ok(()) => (200, json!({"events_received": events.len(), "messages": [], "fbtrace_id": trace}).to_string()),
            Err((status, code, subcode, message)) => {
                let error = json!({"error": {"message": format!("stand-in for Graph: {message}"), "type": "OAuthException",
                    "code": code, "error_subcode": subcode, "is_transient": false, "fbtrace_id": trace}});
                (status, error.to_string())
            }
        };
        let mut extra = None;
        match fault {
            Some(Fault::Answer(s, t)) => (status, text) = (*s, t.clone()),
            Some(Fault::AnswerWith(s, t, header)) => {
                (status, text) = (*s, t.clone());
                extra = Some(header.clone());
            }
            Some(Fault::HangUp) => status = 0,
            Some(Fault::AcceptAndHangUp | Fault::Delay(_)) | None => {}
        }
        if status == 200 && !matches!(fault, Some(Fault::Answer(..) | Fault::AnswerWith(..))) {
            state.accepted.extend(events.iter().cloned());
        }
        let (target, head) = (target.to_owned(), head.to_owned());
        state.requests.push(Received { target, head, body: json, events, status });
        drop(state);
        self.state.1.notify_all();
        (!matches!(fault, Some(Fault::HangUp | Fault::AcceptAndHangUp))).then_some((status, text, extra))
    }
}

type Refusal = (u16, i64, Option<i64>, String);

fn refuse<T>(code: i64, subcode: Option<i64>, message: impl Into<String>) -> Result<T, Refusal> {
    Err((if code == 190 { 401 } else { 400 }, code, subcode, message.into()))
}

/// One wrong event refuses the whole request, as with Meta.
fn check(
    state: &State,
    target: &str,
    head: &str,
    token: Option<&Value>,
    body: &Value,
    events: &[Value],
) -> Result<(), Refusal> {
    let bearer = head.lines().find_map(|line| line.split_once(": Bearer ").map(|(_, token)| token.trim()));
    let given = token.and_then(Value::as_str).or(bearer);
    if given.is_none() || state.token.as_deref().is_some_and(|valid| given != Some(valid)) {
        return refuse(190, None, "invalid access token");
    }
    let parts: Vec<_> = target.trim_start_matches('/').split('/').collect();
    let [version, pixel, "events"] = parts.as_slice() else { return refuse(2500, None, "unknown path") };
    if !version.starts_with('v') || !pixel.bytes().all(|b| b.is_ascii_digit()) {
        return refuse(100, Some(33), "object does not exist");
    }
    if !body["data"].is_array() || events.is_empty() || events.len() > 1000 {
        return refuse(100, None, "data must be an array of 1 to 1000 events");
    }
    if body["partner_agent"].as_str().is_some_and(|agent| agent.len() >= 23) {
        return refuse(100, None, "partner_agent is too long");
    }
    events.iter().try_for_each(check_event)
}

fn check_event(event: &Value) -> Result<(), Refusal> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    if event["event_name"].as_str().is_none_or(str::is_empty) {
        return refuse(100, Some(2_804_019), "event_name is missing");
    }
    match event["event_time"].as_u64() {
        None => return refuse(100, None, "event_time must be Unix seconds"),
        Some(time) if time + 7 * DAY < now => return refuse(100, Some(2_804_003), "event_time is too old"),
        Some(time) if time > now + TOLERANCE => return refuse(100, Some(2_804_004), "event_time is in the future"),
        Some(_) => {}
    }
    if event["action_source"] != "website" || !event["event_source_url"].is_string() {
        return refuse(100, None, "action_source website needs event_source_url");
    }
    let empty = serde_json::Map::new();
    let data = event["user_data"].as_object().unwrap_or(&empty);
    for (key, value) in data {
        let values: Vec<&Value> = value.as_array().map_or_else(|| vec![value], |list| list.iter().collect());
        let texts: Vec<_> = values.iter().filter_map(|value| value.as_str()).collect();
        if texts.len() != values.len() || texts.is_empty() {
            return refuse(100, None, format!("{key} must be text"));
        }
        let hash = |text: &&str| {
            text.len() == 64
                && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
                && *text != EMPTY_HASH
        };
        if (HASHED.contains(&key.as_str()) || key == "external_id") && !texts.iter().all(hash) {
            return refuse(100, None, format!("{key} must be a SHA-256 hash"));
        }
        if matches!(key.as_str(), "fbc" | "fbp") && !texts.iter().all(|text| is_click_id(text)) {
            return refuse(100, Some(2_804_001), format!("{key} is malformed"));
        }
        if key == "client_ip_address" && texts[0].parse::<std::net::IpAddr>().is_err() {
            return refuse(100, None, "client_ip_address is no address");
        }
    }
    let weak: [&[&str]; 4] = [
        &["ct", "country", "st", "zp", "ge", "client_user_agent"],
        &["db", "client_user_agent"],
        &["fn", "ge"],
        &["ln", "ge"],
    ];
    if weak.iter().any(|set| data.keys().all(|key| set.contains(&key.as_str()))) {
        return refuse(100, Some(2_804_050), "not enough user_data");
    }
    let custom = &event["custom_data"];
    if custom["value"].is_number() && !custom["currency"].is_string() {
        return refuse(100, Some(2_804_023), "value needs a currency");
    }
    Ok(())
}

fn is_click_id(text: &str) -> bool {
    let parts: Vec<_> = text.split('.').collect();
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    matches!(parts.len(), 4 | 5) && parts[0] == "fb" && digits(parts[1]) && digits(parts[2]) && !parts[3].is_empty()
}
