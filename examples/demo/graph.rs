//! A **stand-in** for Meta's Graph API: it listens on loopback, enforces the rules that Meta documents for the Conversions
//! API, and remembers what it got. It is not Meta, and what it accepts is no proof that Meta would.
//!
//! Used by the demo and by the tests, which include this file by path.
#![allow(dead_code, reason = "the demo and each test file use a part of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::must_use_candidate)]

#[path = "graph_faults.rs"]
mod faults;
#[path = "http.rs"]
pub mod http;
#[path = "graph_rules.rs"]
mod rules;

use std::collections::{HashMap, VecDeque};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

pub use faults::Fault;
use http::{Reaction, Request};
use rules::{Refusal, check, refuse};

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
    /// When it had been read.
    pub at: Instant,
}

impl Received {
    /// The pixel of its path.
    pub fn pixel(&self) -> &str {
        pixel_of(&self.target)
    }
}

fn pixel_of(target: &str) -> &str {
    target.split('/').nth(2).unwrap_or_default()
}

/// What goes wrong: the next requests one by one, then all of them.
#[derive(Default)]
struct Plan {
    next: VecDeque<Fault>,
    outage: Option<Fault>,
}

impl Plan {
    fn take(&mut self) -> Option<Fault> {
        self.next.pop_front().or_else(|| self.outage.clone())
    }
}

#[derive(Default)]
struct State {
    token: Option<String>,
    requests: Vec<Received>,
    accepted: Vec<Value>,
    /// How often an event was accepted, by pixel, name and id.
    times: HashMap<(String, String, String), u32>,
    plan: Plan,
    plan_of: HashMap<String, Plan>,
    /// Seconds by which its clock goes wrong.
    clock: i64,
    traces: u64,
}

impl State {
    fn plan(&mut self, pixel: Option<&str>) -> &mut Plan {
        match pixel {
            Some(pixel) => self.plan_of.entry(pixel.to_owned()).or_default(),
            None => &mut self.plan,
        }
    }

    fn now(&self) -> u64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        now.saturating_add_signed(self.clock)
    }
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
        http::react(listener, move |request| serving.react(request));
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

    /// Its clock is wrong by so many seconds.
    pub fn set_clock(&self, seconds: i64) {
        self.lock().clock = seconds;
    }

    /// Queues a fault for one of the next requests.
    pub fn fault(&self, fault: Fault) {
        self.lock().plan(None).next.push_back(fault);
    }

    /// Queues a fault for one of the next requests for a pixel.
    pub fn fault_of(&self, pixel: &str, fault: Fault) {
        self.lock().plan(Some(pixel)).next.push_back(fault);
    }

    /// From now on everything goes wrong, or with `None` nothing any more: for one pixel, or for all.
    pub fn outage(&self, pixel: Option<&str>, fault: Option<Fault>) {
        self.lock().plan(pixel).outage = fault;
    }

    /// The accepted events, in order.
    pub fn events(&self) -> Vec<Value> {
        self.lock().accepted.clone()
    }

    /// Every request, accepted or not.
    pub fn requests(&self) -> Vec<Received> {
        self.lock().requests.clone()
    }

    /// The ids of events that were accepted more than once for one pixel. Meta documents no rule against that, and none that
    /// it counts them once: a sender has to see to it.
    pub fn duplicates(&self) -> Vec<String> {
        let state = self.lock();
        state.times.iter().filter(|(_, times)| **times > 1).map(|((_, _, id), _)| id.clone()).collect()
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

    fn react(&self, request: &Request) -> Reaction {
        let at = Instant::now();
        let fault = {
            let mut state = self.lock();
            let own = state.plan_of.get_mut(pixel_of(&request.target)).and_then(Plan::take);
            own.or_else(|| state.plan.take())
        };
        if let Some(Fault::Delay(delay)) = fault {
            thread::sleep(delay);
        }
        let answer = self.answer(request, fault.as_ref(), at);
        match fault {
            Some(Fault::Drip(pause)) => Reaction::Drip(answer, pause),
            Some(Fault::AcceptAndCut) => Reaction::Close(answer[..answer.len() - 1].to_vec()),
            Some(Fault::Reset | Fault::AcceptAndReset) => Reaction::Reset,
            Some(Fault::Silence | Fault::AcceptAndSilence) => Reaction::Silence,
            Some(Fault::HangUp | Fault::AcceptAndHangUp) => Reaction::Close(Vec::new()),
            _ => Reaction::Answer(answer),
        }
    }

    /// Judges a request, notes it, and says what would be answered.
    fn answer(&self, request: &Request, fault: Option<&Fault>, at: Instant) -> Vec<u8> {
        let mut state = self.lock();
        state.traces += 1;
        let trace = format!("StandIn{:06}", state.traces);
        let mut body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let token = body.as_object_mut().and_then(|map| map.remove("access_token"));
        let events = body["data"].as_array().cloned().unwrap_or_default();
        let judged = check_request(&state, request, token.as_ref()).and_then(|()| check(&body, &events, state.now()));
        let is_good = judged.is_ok();
        let (mut status, mut text) = match judged {
            Ok(()) => {
                let received = events.len() - usize::from(matches!(fault, Some(Fault::AcceptAndMiscount)));
                (200, json!({"events_received": received, "messages": [], "fbtrace_id": trace}).to_string())
            }
            Err((status, code, subcode, message)) => {
                let error = json!({"error": {"message": format!("stand-in for Graph: {message}"), "type": "OAuthException",
                    "code": code, "error_subcode": subcode, "is_transient": false, "fbtrace_id": trace}});
                (status, error.to_string())
            }
        };
        let mut headers = vec!["Content-Type: application/json".to_owned(), date(state.now())];
        match fault {
            Some(Fault::Answer(s, t)) => (status, text) = (*s, t.clone()),
            Some(Fault::AnswerWith(s, t, header)) => {
                (status, text) = (*s, t.clone());
                headers.push(header.clone());
            }
            Some(Fault::With(header)) => headers.push(header.clone()),
            _ => {}
        }
        if is_good && fault.is_none_or(Fault::accepts) {
            for event in &events {
                let text = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
                let key = (pixel_of(&request.target).to_owned(), text("event_name"), text("event_id"));
                *state.times.entry(key).or_default() += 1;
            }
            state.accepted.extend(events.iter().cloned());
        }
        let answered = if fault.is_none_or(Fault::answers) { status } else { 0 };
        let (target, head) = (request.target.clone(), request.head.clone());
        state.requests.push(Received { target, head, body, events, status: answered, at });
        drop(state);
        self.state.1.notify_all();
        let headers: Vec<_> = headers.iter().map(String::as_str).collect();
        http::answer(status, &headers, &text)
    }
}

/// RFC 9110, section 6.6.1.
fn date(seconds: u64) -> String {
    let now = jiff::Timestamp::from_second(i64::try_from(seconds).unwrap_or_default()).unwrap_or_default();
    now.strftime("Date: %a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// Who may write where.
fn check_request(state: &State, request: &Request, token: Option<&Value>) -> Result<(), Refusal> {
    let bearer = request.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
    let given = token.and_then(Value::as_str).or(bearer);
    if given.is_none() || state.token.as_deref().is_some_and(|valid| given != Some(valid)) {
        return refuse(190, None, "invalid access token");
    }
    let path = request.target.split('?').next().unwrap_or_default();
    let parts: Vec<_> = path.trim_start_matches('/').split('/').collect();
    let [version, pixel, "events"] = parts.as_slice() else { return refuse(2500, None, "unknown path") };
    if request.method != "POST" || !version.starts_with('v') || !pixel.bytes().all(|b| b.is_ascii_digit()) {
        return refuse(100, Some(33), "object does not exist");
    }
    Ok(())
}
