//! Messages that nobody thought of: pieces of heads and bodies put together at random, some of them damaged. Whatever they
//! are, what arrives at the site is strictly valid, and both ways make the same of them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::message::{Fault, bytes, read, text};
use crate::support::{InProcess, Site, connect};
use crate::vocabulary::{answer, breath, generate, request};

const CASES: usize = 240;
const THREADS: usize = 4;
/// Nothing more comes when nothing has come for so long; a difference is looked at again with more patience.
const QUIET: [Duration; 3] = [Duration::from_millis(60), Duration::from_millis(600), Duration::from_secs(4)];

/// Everything that comes until nothing comes for a while, or the end.
fn hear(stream: &mut TcpStream, quiet: Duration) -> Vec<u8> {
    stream.set_read_timeout(Some(quiet)).unwrap();
    let mut heard = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return heard,
            Ok(count) => heard.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return heard,
        }
    }
}

/// The messages in it; what cannot be read is the last one. Broken off before anything or in the middle is the same: no answer.
fn messages(mut heard: &[u8], bodiless: bool) -> Vec<String> {
    let mut all = Vec::new();
    loop {
        match read(&mut heard, bodiless) {
            Ok(mut message) => {
                // The second at which it was asked for is nobody's doing.
                message.drop("date");
                // What hyper leaves out, or joins (docs/LIMITS.md).
                message.drop("trailer");
                if message.status() == 304 {
                    message.drop("content-length");
                }
                if !message.start.is_ascii() {
                    message.start.truncate("HTTP/1.1 200 ".len());
                }
                let fields = crate::message::by_name(&message.fields);
                let fields: BTreeMap<_, _> = fields.into_iter().filter(|(name, _)| name != "connection").collect();
                let own = message.header("proxy-status").is_some();
                let (body, fields) = if own { (String::new(), BTreeMap::new()) } else { (text(&message.body), fields) };
                all.push(format!("{} {fields:?} {body:?} {:?}", message.start, message.trailers));
            }
            Err(Fault::Closed | Fault::Truncated(_)) => return all,
            Err(Fault::Invalid(what)) => {
                all.push(format!("INVALID {what}"));
                return all;
            }
        }
    }
}

/// A site that notes what it hears, and answers.
struct Stage {
    proxy: InProcess,
    heard: Arc<Mutex<Vec<String>>>,
    answer: Arc<Mutex<Vec<u8>>>,
}

impl Stage {
    fn start(plain: &str) -> Self {
        let (heard, answer) = (Arc::<Mutex<Vec<String>>>::default(), Arc::<Mutex<Vec<u8>>>::default());
        let (notes, says) = (Arc::clone(&heard), Arc::clone(&answer));
        let site = Site::raw(move |mut stream| {
            let own = stream.local_addr().unwrap().to_string();
            loop {
                match read(&mut stream, false).map(|request| request.naming(&own)) {
                    Ok(request) => {
                        let fields = crate::message::by_name(&request.fields);
                        notes.lock().unwrap().push(format!(
                            "{} {fields:?} {:?} {:?}",
                            request.start,
                            text(&request.body),
                            request.trailers
                        ));
                        let says = says.lock().unwrap().clone();
                        if says.is_empty() {
                            // Without a body, so that it is one to a HEAD too.
                            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
                        } else {
                            let _ = stream.write_all(&says);
                            return;
                        }
                    }
                    // A visitor who is gone, noticed sooner or later.
                    Err(Fault::Closed | Fault::Truncated(_)) => return,
                    Err(Fault::Invalid(what)) => {
                        notes.lock().unwrap().push(format!("INVALID {what}"));
                        return;
                    }
                }
            }
        });
        let flags = [("plain-way", plain), ("workers", "1"), ("trusted-proxy", "127.0.0.1")];
        Self { proxy: InProcess::start(&site.url(), "http://127.0.0.1:9", &flags), heard, answer }
    }

    /// What the site and the visitor got.
    fn play(&self, request: &[u8], answer: &[u8], cut: usize, quiet: Duration) -> (Vec<String>, Vec<String>) {
        self.heard.lock().unwrap().clear();
        *self.answer.lock().unwrap() = answer.to_vec();
        let mut visitor = connect(self.proxy.address);
        let (first, rest) = request.split_at(cut);
        let _ = visitor.write_all(first);
        if cut > 0 {
            thread::sleep(Duration::from_millis(4));
        }
        let _ = visitor.write_all(rest);
        let heard = hear(&mut visitor, quiet);
        drop(visitor);
        let got = messages(&heard, request.starts_with(b"HEAD"));
        let seen = std::mem::take(&mut *self.heard.lock().unwrap());
        // hyper waits for the end of a head that it has begun to read before it finds fault with it.
        let got = if cut > 0 { got.into_iter().filter(|answer| !answer.contains(" 400 ")).collect() } else { got };
        (seen, got)
    }
}

/// Plays all, each through both ways, and says where they differ, or what is invalid. `cut`: in two pieces, at any place.
fn play_all(cases: &[(Vec<u8>, Vec<u8>)], cut: bool) {
    let share = cases.len().div_ceil(THREADS);
    let failures = &Mutex::new(String::new());
    thread::scope(|scope| {
        for cases in cases.chunks(share) {
            scope.spawn(move || {
                let (plain, full) = (Stage::start("true"), Stage::start("false"));
                for (request, answer) in cases {
                    let cut = if cut { request.len() * (request.len() % 7) / 7 } else { 0 };
                    let play = |quiet| (plain.play(request, answer, cut, quiet), full.play(request, answer, cut, quiet));
                    let mut played = play(QUIET[0]);
                    for quiet in &QUIET[1..] {
                        if played.0 != played.1 {
                            played = play(*quiet);
                        }
                    }
                    let (one, other) = played;
                    let invalid = [&one.0, &one.1, &other.0, &other.1].iter().any(|list| list.iter().any(|m| m.starts_with("INVALID")));
                    if one != other || invalid {
                        let mut failures = failures.lock().unwrap();
                        let _ = write!(
                            failures,
                            "\n{:?}\n  answered {:?}\n  plain: site {:?}\n         visitor {:?}\n  full:  site {:?}\n         visitor {:?}\n",
                            text(request), text(answer), one.0, one.1, other.0, other.1
                        );
                    }
                }
            });
        }
    });
    let failures = failures.lock().unwrap();
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn whatever_is_asked_what_arrives_is_valid_and_both_ways_agree() {
    let cases: Vec<_> = generate(request(), CASES).into_iter().map(|request| (request, Vec::new())).collect();
    play_all(&cases, false);
}

#[test]
fn whatever_is_asked_in_one_breath_becomes_the_same_requests_on_both_ways() {
    let cases: Vec<_> = generate(breath(), CASES).into_iter().map(|requests| (requests, Vec::new())).collect();
    play_all(&cases, false);
}

#[test]
fn wherever_it_is_cut_it_becomes_the_same_requests_on_both_ways() {
    let cases: Vec<_> = generate(breath(), CASES).into_iter().map(|requests| (requests, Vec::new())).collect();
    play_all(&cases, true);
}

#[test]
fn whatever_is_answered_what_arrives_is_valid_and_both_ways_agree() {
    let get = bytes(crate::stage::GET);
    let cases: Vec<_> = generate(answer(), CASES).into_iter().map(|answer| (get.clone(), answer)).collect();
    play_all(&cases, false);
}
