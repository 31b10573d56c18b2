//! The demonstration without a browser: what a visitor would do, and what must come of it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::graph::Graph;

const ACCEPTED: &str = "cookieyes-consent=consentid:x,consent:yes,action:yes,necessary:yes,advertisement:yes";
const REJECTED: &str = "cookieyes-consent=consentid:x,consent:no,action:yes,necessary:yes,advertisement:no";
const LEAD: &str = "first_name=Ana&last_name=Ru%C3%ADz&email=ana.ruiz%40example.com&phone=0171+555+01234";

/// Runs it; `false` when something is not as it should be.
pub fn run(address: SocketAddr, graph: &Graph) -> bool {
    let mut checks = Vec::new();
    let mut check = |what: &'static str, holds: bool| checks.push((what, holds));
    let visitor = Visitor { address };

    let landing = visitor.get("/?fbclid=IwAR0demo_Click-1", ACCEPTED);
    let cookie = landing
        .lines()
        .find_map(|line| line.strip_prefix("Set-Cookie: _fbc=").or(line.strip_prefix("set-cookie: _fbc=")));
    let fbc = cookie.and_then(|cookie| cookie.split(';').next()).unwrap_or_default().to_owned();
    check("a landing with a click id gains the _fbc cookie", fbc.ends_with(".IwAR0demo_Click-1"));
    check("and none before the banner is answered", !visitor.get("/?fbclid=IwAR0demo_Click-1", "").contains("_fbc="));

    let cookies = format!("{ACCEPTED}; _fbc={fbc}");
    check("the site redirects after a good form", visitor.post("/", &cookies, LEAD).starts_with("HTTP/1.1 303 "));
    check("the repeat passes as well", visitor.post("/", &cookies, LEAD).starts_with("HTTP/1.1 303 "));
    check("Graph gets one event within a second", wait(Duration::from_secs(1), || graph.events().len() == 1));
    let event = graph.events().pop().unwrap_or_default();
    let complete =
        ["em", "ph", "fn", "ln", "fbc", "client_user_agent"].iter().all(|key| !event["user_data"][key].is_null());
    check("with everything that is known", complete && event["user_data"]["fbc"] == fbc.as_str());

    let refused = visitor.post("/", &cookies, "first_name=Ana&email=nonsense");
    check("the site shows a wrong form again", refused.starts_with("HTTP/1.1 200 "));
    let callback = visitor.post("/callback", &cookies, "phone=030+5550123");
    check("the form by script is answered", callback.contains("\"success\":true"));
    check("and becomes the second event", wait(Duration::from_secs(1), || graph.events().len() == 2));

    visitor.post("/", REJECTED, "last_name=Bo&email=bo%40example.com");
    let bare = |event: &Value| event["user_data"].is_null();
    let bare_refused = || {
        graph
            .requests()
            .iter()
            .any(|request| request.status == 400 && request.events.len() == 1 && request.events.iter().all(bare))
    };
    check(
        "without consent only a bare event goes out, alone, and is refused",
        wait(Duration::from_secs(1), bare_refused),
    );
    check("and nothing else", graph.events().len() == 2 && graph.requests().len() == 3);

    let failed = checks.iter().filter(|(_, holds)| !holds).count();
    for (what, holds) in &checks {
        println!("{} {what}", if *holds { "ok  " } else { "FAIL" });
    }
    println!("{} passed, {failed} failed", checks.len() - failed);
    failed == 0
}

fn wait(patience: Duration, condition: impl Fn() -> bool) -> bool {
    let start = Instant::now();
    while start.elapsed() < patience {
        if condition() {
            return true;
        }
        thread::sleep(Duration::from_millis(5));
    }
    condition()
}

struct Visitor {
    address: SocketAddr,
}

impl Visitor {
    fn get(&self, target: &str, cookies: &str) -> String {
        self.send(&format!("GET {target} HTTP/1.1\r\n{}Accept: text/html\r\n\r\n", Self::headers(cookies)))
    }

    fn post(&self, target: &str, cookies: &str, body: &str) -> String {
        let headers = Self::headers(cookies);
        self.send(&format!(
            "POST {target} HTTP/1.1\r\n{headers}Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\
             Referer: http://demo.example/\r\n\r\n{body}",
            body.len()
        ))
    }

    fn headers(cookies: &str) -> String {
        format!("Host: demo.example\r\nConnection: close\r\nUser-Agent: Mozilla/5.0 (demo)\r\nCookie: {cookies}\r\n")
    }

    fn send(&self, request: &str) -> String {
        let mut answer = Vec::new();
        let sent = TcpStream::connect(self.address).and_then(|mut stream| {
            stream.set_read_timeout(Some(Duration::from_secs(10)))?;
            stream.write_all(request.as_bytes())?;
            stream.read_to_end(&mut answer)
        });
        if let Err(error) = sent {
            return format!("no answer: {error}");
        }
        String::from_utf8_lossy(&answer).into_owned()
    }
}
