//! A case is a row: what the visitor sends, what must arrive at the site, what the site answers, what the visitor must
//! get. Every row runs through both ways, and everything that arrives anywhere is read by the strict reader.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex};

use crate::message::{Fault, Framing, Message, by_name, bytes, read, text};
use crate::support::{InProcess, Site, connect};

/// Nothing listens there.
const NOWHERE: &str = "http://127.0.0.1:9";

/// The two ways through the proxy, as values of `plain_way`.
const WAYS: [(&str, &str); 2] = [("the plain way", "true"), ("the full way", "false")];

/// The default answer of rows that are about requests.
pub const OK: &str = "HTTP/1.1 200 OK|Content-Length: 2||ok";
/// The default request of rows that are about answers.
pub const GET: &str = "GET / HTTP/1.1|Host: a||";

/// A row. `|` is a line end; a field name with `?` before it may be there or not (where the ways legitimately differ).
#[derive(Clone, Copy)]
pub struct Case {
    pub name: &'static str,
    pub asks: &'static str,
    pub arrives: Option<&'static str>,
    pub answers: &'static str,
    pub gets: &'static str,
    /// The site closes after its answer, whatever that says.
    pub closes: bool,
}

/// A request that arrives like this.
pub const fn arrives(name: &'static str, asks: &'static str, arrives: &'static str) -> Case {
    Case { name, asks, arrives: Some(arrives), answers: OK, gets: OK, closes: false }
}

/// A request that arrives as it was sent.
pub const fn passes(name: &'static str, asks: &'static str) -> Case {
    arrives(name, asks, asks)
}

/// A request that the site never sees; only the status matters.
pub const fn refused(name: &'static str, asks: &'static str, status: &'static str) -> Case {
    Case { name, asks, arrives: None, answers: OK, gets: status, closes: false }
}

/// An answer that the visitor gets like this.
pub const fn answered(name: &'static str, answers: &'static str, gets: &'static str) -> Case {
    Case { name, asks: GET, arrives: Some(GET), answers, gets, closes: false }
}

/// An answer that passes as it was sent.
pub const fn returns(name: &'static str, answers: &'static str) -> Case {
    answered(name, answers, answers)
}

impl Case {
    /// To this request, which arrives as it is.
    pub const fn to(mut self, asks: &'static str) -> Self {
        self.asks = asks;
        self.arrives = Some(asks);
        self
    }

    /// With this answer, and what the visitor gets.
    pub const fn then(mut self, answers: &'static str, gets: &'static str) -> Self {
        self.answers = answers;
        self.gets = gets;
        self
    }

    /// The site closes after it.
    pub const fn closing(mut self) -> Self {
        self.closes = true;
        self
    }
}

/// A site that does as the row says, and the proxy in front of it.
pub struct Stage {
    pub proxy: InProcess,
    script: Arc<Mutex<Script>>,
}

#[derive(Default)]
struct Script {
    answer: Vec<u8>,
    closes: bool,
    seen: Vec<Result<Message, String>>,
}

impl Stage {
    pub fn start(plain: &str, flags: &[(&str, &str)]) -> Self {
        let script = Arc::new(Mutex::new(Script::default()));
        let shared = Arc::clone(&script);
        let site = Site::raw(move |stream| play(stream, &shared));
        let proxy = proxy(&site.url(), plain, flags);
        Self { proxy, script }
    }

    /// What is wrong with the outcome of a row; empty if nothing is.
    fn run(&self, case: &Case) -> String {
        let answer = bytes(case.answers);
        {
            let mut script = self.script.lock().unwrap();
            script.closes = case.closes || ends_by_closing(&answer, case.asks.starts_with("HEAD "));
            script.answer = answer;
            script.seen.clear();
        }
        let mut visitor = connect(self.proxy.address);
        let _ = visitor.write_all(&bytes(case.asks));
        let reply = read(&mut visitor, case.asks.starts_with("HEAD "));
        let mut wrong = String::new();
        match (&reply, case.gets.parse::<u16>()) {
            (Ok(reply), Ok(status)) => wrong += &own(reply, status, &mut visitor),
            (Ok(reply), Err(_)) => wrong += &compare_answer(reply, case),
            (Err(fault), _) => _ = writeln!(wrong, "  the visitor got {fault}"),
        }
        drop(visitor);
        let seen = std::mem::take(&mut self.script.lock().unwrap().seen);
        match (&seen[..], case.arrives) {
            ([], None) => {}
            ([Ok(seen)], Some(expected)) => wrong += &compare_request(seen, expected),
            (seen, expected) => {
                let _ = write!(wrong, "  the site saw {seen:?}\n    expected {expected:?}\n");
            }
        }
        wrong
    }
}

fn play(mut stream: TcpStream, script: &Mutex<Script>) {
    let own = stream.local_addr().unwrap().to_string();
    loop {
        match read(&mut stream, false).map(|request| request.naming(&own)) {
            Ok(request) => {
                let (answer, closes) = {
                    let mut script = script.lock().unwrap();
                    script.seen.push(Ok(request));
                    (script.answer.clone(), script.closes)
                };
                if stream.write_all(&answer).is_err() || closes {
                    return;
                }
            }
            Err(Fault::Closed) => return,
            Err(fault) => {
                script.lock().unwrap().seen.push(Err(fault.to_string()));
                return;
            }
        }
    }
}

/// Whether only the end of the connection can end this answer.
fn ends_by_closing(answer: &[u8], bodiless: bool) -> bool {
    let text = text(answer).to_ascii_lowercase();
    let head = text.split("||").next().unwrap_or_default();
    let status = head.split(' ').nth(1).unwrap_or_default();
    let framed = head.contains("|content-length") || head.contains("|transfer-encoding: chunked");
    !framed && !bodiless && !matches!(status, "101" | "204" | "304")
}

/// The proxy's own answers: marked, and the connection is at an end (an unread body must not become a request).
fn own(reply: &Message, status: u16, visitor: &mut TcpStream) -> String {
    let mut wrong = String::new();
    if reply.status() != status {
        return format!("  the visitor got {:?}, expected {status}\n", reply.start);
    }
    if !reply.body.is_empty() && reply.header("proxy-status").is_none() {
        wrong += "  an answer of the proxy's own is not marked as such\n";
    }
    if reply.header("connection") != Some("close") {
        wrong += "  a refusal must say that it closes\n";
    }
    let mut rest = Vec::new();
    if visitor.read_to_end(&mut rest).is_ok() && !rest.is_empty() {
        let _ = writeln!(wrong, "  after the refusal came {:?}", text(&rest));
    }
    wrong
}

fn compare_answer(reply: &Message, case: &Case) -> String {
    let mut reply = reply.clone();
    // RFC 9110 6.6.1: a recipient with a clock adds it where the site sent none.
    let mut wrong = String::new();
    if !case.answers.to_ascii_lowercase().contains("|date:") {
        match reply.all("date")[..] {
            [date] if date.len() == "Tue, 24 Nov 2026 12:00:00 GMT".len() && date.ends_with(" GMT") => {}
            _ => wrong += "  no Date was added\n",
        }
        reply.drop("date");
    }
    wrong + &compare("the visitor got", &reply, case.gets, case.asks.starts_with("HEAD "))
}

fn compare_request(seen: &Message, expected: &str) -> String {
    let mut expected = expected.to_owned();
    if !expected.to_ascii_lowercase().contains("|x-forwarded-for:") {
        let host = expected.split('|').find_map(|line| line.strip_prefix("Host:")).map(|host| host.trim().to_owned());
        let mut own = "|X-Forwarded-For: 127.0.0.1|X-Forwarded-Proto: http".to_owned();
        if let Some(host) = host {
            let _ = write!(own, "|X-Forwarded-Host: {host}");
        }
        expected = expected.replacen("||", &format!("{own}||"), 1);
    }
    compare("the site saw", seen, &expected, false)
}

/// Meaning against meaning: start line, fields by name, framing, body, trailers.
fn compare(who: &str, found: &Message, expected: &str, bodiless: bool) -> String {
    let plain = expected.replace("|?", "|");
    let wanted = match read(&mut &bytes(&plain)[..], bodiless) {
        Ok(wanted) => wanted,
        Err(fault) => return format!("  the row itself is wrong: {fault}\n"),
    };
    let (mut found_fields, mut wanted_fields) = (by_name(&found.fields), by_name(&wanted.fields));
    let head = expected.split("||").next().unwrap_or_default();
    for optional in head.split('|').filter_map(|line| line.strip_prefix('?')?.split(':').next()) {
        let name = optional.to_ascii_lowercase();
        if !found_fields.contains_key(&name) || !wanted_fields.contains_key(&name) {
            found_fields.remove(&name);
            wanted_fields.remove(&name);
        }
    }
    let mut wrong = String::new();
    let mut differ = |what: &str, found: String, wanted: String| {
        if found != wanted {
            let _ = write!(wrong, "  {who} {what} {found}\n    expected {wanted}\n");
        }
    };
    differ("start line", found.start.clone(), wanted.start.clone());
    differ("fields", format!("{found_fields:?}"), format!("{wanted_fields:?}"));
    differ("body", text(&found.body), text(&wanted.body));
    differ("trailers", format!("{:?}", by_name(&found.trailers)), format!("{:?}", by_name(&wanted.trailers)));
    let framing = |framing: Framing| format!("{framing:?}");
    differ("framing", framing(found.framing), framing(wanted.framing));
    wrong
}

fn proxy(upstream: &str, plain: &str, flags: &[(&str, &str)]) -> InProcess {
    let mut all = vec![("plain-way", plain), ("workers", "1")];
    all.extend_from_slice(flags);
    InProcess::start(upstream, NOWHERE, &all)
}

/// Runs rows through both ways and reports all that fail.
pub fn table(cases: &[Case]) {
    table_with(&[], cases);
}

/// The same with flags of the sidecar.
pub fn table_with(flags: &[(&str, &str)], cases: &[Case]) {
    let mut failures = String::new();
    for (way, plain) in WAYS {
        let stage = Stage::start(plain, flags);
        for case in cases {
            let wrong = stage.run(case);
            if !wrong.is_empty() {
                let _ = write!(failures, "{way}: {}\n{wrong}", case.name);
            }
        }
    }
    assert!(failures.is_empty(), "\n{failures}");
}

/// The same for requests that break off in their middle: the site may see their beginning, never a whole one.
pub fn statuses(cases: &[Case]) {
    let mut failures = String::new();
    for (way, plain) in WAYS {
        let stage = Stage::start(plain, &[]);
        for case in cases {
            let mut wrong = stage.run(&Case { arrives: None, ..*case });
            let seen = wrong.find("  the site saw [Err(\"a message that breaks off").map(|at| wrong.split_off(at));
            if !wrong.is_empty() {
                let _ = write!(failures, "{way}: {}\n{wrong}{}", case.name, seen.unwrap_or_default());
            }
        }
    }
    assert!(failures.is_empty(), "\n{failures}");
}

/// Runs a conversation through both ways; what fails says in which.
pub fn both_ways(site: &Site, flags: &[(&str, &str)], conversation: impl Fn(&InProcess)) {
    both_ways_to(&site.url(), flags, conversation);
}

/// The same with an upstream of one's own.
pub fn both_ways_to(upstream: &str, flags: &[(&str, &str)], conversation: impl Fn(&InProcess)) {
    for (way, plain) in WAYS {
        let proxy = proxy(upstream, plain, flags);
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| conversation(&proxy))) {
            eprintln!("in {way}");
            resume_unwind(panic);
        }
    }
}
