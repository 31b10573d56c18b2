//! Consent through the running sidecar: what waits for a choice, what a withdrawal takes back, whose policy it is.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../examples/demo/graph.rs"]
mod graph;
mod support;

use std::time::Duration;

use graph::Graph;
use support::{InProcess, Message, Site, answer, form_post, free_port, send, wait_until};

const YES: &str = "cookieyes-consent=consentid:x,consent:yes,action:yes,necessary:yes,advertisement:yes";
const NO: &str = "cookieyes-consent=consentid:x,consent:no,action:yes,necessary:yes,advertisement:no";
const REFERER: &str = "Referer: http://shop.example/quote";
/// Of ana@example.com.
const EMAIL_HASH: &str = "8e43ca37701228e74983efdbd0cff5c16b3b1e5d4e29a7c05626d4d25a018e11";

fn start(graph: &str, flags: &[(&str, &str)], toml: &str) -> InProcess {
    let (site, _received) = Site::new(|request| {
        if request.first_line().starts_with("GET") {
            return answer("200 OK", &["Content-Type: text/html"], "<html>hello</html>");
        }
        answer("303 See Other", &["Location: /thank-you", "Set-Cookie: SITE=s1; Path=/"], "")
    });
    InProcess::start_with(&site.url(), graph, flags, toml)
}

fn submit(proxy: &InProcess, host: &str, cookies: &str, body: &str) -> Message {
    let cookies = format!("Cookie: {cookies}");
    let headers: Vec<&str> = if cookies.len() > 8 { vec![REFERER, &cookies] } else { vec![REFERER] };
    send(proxy.address, &form_post("/quote", host, &headers, body))
}

fn get(proxy: &InProcess, target: &str, cookies: &str, accept: &str) -> Message {
    let request = format!(
        "GET {target} HTTP/1.1\r\nHost: shop.example\r\nAccept: {accept}\r\nCookie: {cookies}\r\n{REFERER}\r\n\r\n"
    );
    send(proxy.address, request.as_bytes())
}

fn decisions(proxy: &InProcess, decision: &str, reason: &str) -> u64 {
    proxy.metric(&format!("capi_decisions_total{{decision=\"{decision}\",reason=\"{reason}\"}}"))
}

fn session(reply: &Message) -> String {
    let cookies = reply.all("set-cookie");
    let own = cookies.iter().find(|cookie| cookie.starts_with("capi_session=")).expect("a session of ours");
    assert!(own.contains("HttpOnly") && own.contains("SameSite=Lax") && !own.contains("Max-Age"), "{own}");
    own.split(';').next().unwrap().to_owned()
}

/// Whether the bytes are anywhere in the store's files.
fn store_mentions(proxy: &InProcess, text: &str) -> bool {
    std::fs::read_dir(proxy.dir.path()).unwrap().any(|file| {
        let bytes = std::fs::read(file.unwrap().path()).unwrap_or_default();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    })
}

#[test]
fn a_submission_waits_for_the_choice_over_a_restart_and_is_sent_once_it_is_a_yes() {
    let graph = Graph::start();
    let proxy = start(&graph.url(), &[("consent-hold", "true")], "");
    let reply = submit(&proxy, "shop.example", "", "email=ana%40example.com");
    assert_eq!(reply.status(), 303);
    let session = session(&reply);
    wait_until("it waits", || proxy.metric("capi_outbox_held") == 1);
    // A double click, a stranger's yes, and the same browser without a choice release nothing.
    submit(&proxy, "shop.example", &session, "email=ana%40example.com");
    get(&proxy, "/", &format!("capi_session=other; {YES}"), "text/html");
    get(&proxy, "/", &session, "text/html");
    let proxy = proxy.restart();
    assert!(graph.events().is_empty());
    // Any request of the page will do: here an image.
    get(&proxy, "/logo.png", &format!("{session}; {YES}"), "image/*");
    graph.wait_for(1, support::PATIENCE);
    assert_eq!(graph.events()[0]["user_data"]["em"][0], EMAIL_HASH);
    assert_eq!(decisions(&proxy, "lead", "accepted"), 1);
    // The same submission, now with consent, is the same lead.
    submit(&proxy, "shop.example", &format!("{session}; {YES}"), "email=ana%40example.com");
    wait_until("a duplicate", || decisions(&proxy, "duplicate", "accepted") == 1);
    assert_eq!(graph.events().len(), 1);
    wait_until("nothing waits", || proxy.metric("capi_outbox_held") == 0);
    proxy.stop();
}

#[test]
fn a_no_erases_what_waits_and_leaves_the_bare_event() {
    let graph = Graph::start();
    let proxy = start(&graph.url(), &[("consent-hold", "true"), ("consent-session-cookie", "SITE")], "");
    // The site starts its session with this very answer; ours is not needed.
    let reply = submit(&proxy, "shop.example", "", "email=ana%40example.com");
    assert_eq!(reply.all("set-cookie"), ["SITE=s1; Path=/"]);
    wait_until("it waits", || proxy.metric("capi_outbox_held") == 1);
    assert!(store_mentions(&proxy, EMAIL_HASH));
    get(&proxy, "/", &format!("SITE=s1; {NO}"), "text/html");
    wait_until("the decision", || decisions(&proxy, "denied", "consent_denied") == 1);
    wait_until("the bare event is refused", || !graph.requests().is_empty());
    let sent: Vec<_> = graph.requests().iter().map(|request| format!("{request:?}")).collect();
    assert!(sent.iter().all(|request| !request.contains(EMAIL_HASH) && !request.contains("user_data")), "{sent:?}");
    let proxy = proxy.restart();
    assert!(!store_mentions(&proxy, EMAIL_HASH), "erased from the file as well");
    proxy.stop();
}

#[test]
fn what_waits_in_vain_is_erased_at_the_end_of_its_time() {
    let graph = Graph::start();
    let flags = [("consent-hold", "true"), ("consent-hold-for", "1s"), ("consent-denied", "drop")];
    let proxy = start(&graph.url(), &flags, "");
    let session = session(&submit(&proxy, "shop.example", "", "email=ana%40example.com"));
    wait_until("its end", || decisions(&proxy, "denied", "consent_unknown") == 1);
    get(&proxy, "/", &format!("{session}; {YES}"), "text/html");
    std::thread::sleep(Duration::from_millis(300));
    assert!(graph.requests().is_empty());
    let proxy = proxy.restart();
    assert!(!store_mentions(&proxy, EMAIL_HASH));
    proxy.stop();
}

#[test]
fn without_hold_nothing_waits_and_no_session_is_started() {
    let graph = Graph::start();
    let proxy = start(&graph.url(), &[], "");
    let reply = submit(&proxy, "shop.example", "", "email=ana%40example.com");
    assert_eq!(reply.all("set-cookie"), ["SITE=s1; Path=/"]);
    wait_until("the decision", || decisions(&proxy, "denied", "consent_unknown") == 1);
    assert!(!store_mentions(&proxy, EMAIL_HASH));
    proxy.stop();
}

#[test]
fn a_withdrawal_expires_our_cookies_and_erases_what_is_not_sent() {
    // Nobody is there: the lead stays in the outbox.
    let proxy = start(&format!("http://127.0.0.1:{}", free_port()), &[], "");
    let click = "_fbc=fb.1.1795607000000.IwAR0abcd1234";
    submit(&proxy, "shop.example", &format!("{YES}; {click}; _fbp=fb.1.1795607000000.1"), "email=ana%40example.com");
    submit(&proxy, "shop.example", &format!("{YES}; _fbp=fb.1.1795607000000.2"), "email=bo%40example.com");
    wait_until("both wait", || proxy.metric("capi_outbox_pending") == 2);
    // A yes keeps everything, GPC alone is no withdrawal from a banner's yes.
    for (cookies, extra) in [(format!("{YES}; {click}"), ""), (format!("{YES}; {click}"), "Sec-GPC: 1\r\n")] {
        let request =
            format!("GET / HTTP/1.1\r\nHost: shop.example\r\nAccept: text/html\r\n{extra}Cookie: {cookies}\r\n\r\n");
        assert_eq!(send(proxy.address, request.as_bytes()).all("set-cookie"), [""; 0]);
    }
    let reply = get(&proxy, "/privacy", &format!("{NO}; {click}; _capi_gclid=x"), "text/html");
    let expired =
        ["_fbc=; Domain=shop.example; Path=/; Max-Age=0", "_capi_gclid=; Domain=shop.example; Path=/; Max-Age=0"];
    assert_eq!(reply.all("set-cookie"), expired);
    assert_eq!(reply.header("cache-control"), Some("private"));
    wait_until("the first is erased", || proxy.metric("capi_outbox_pending") == 1);
    assert_eq!(proxy.metric("capi_outbox_withdrawn_total"), 1);
    let proxy = proxy.restart();
    assert!(!store_mentions(&proxy, EMAIL_HASH));
    assert_eq!(proxy.metric("capi_outbox_pending"), 1, "the other visitor's lead still waits");
    proxy.stop();
}

#[test]
fn a_click_survives_until_the_banner_is_answered() {
    let graph = Graph::start();
    let proxy = start(&graph.url(), &[], "");
    assert_eq!(get(&proxy, "/?fbclid=IwAR0abcd1234", "x=1", "text/html").all("set-cookie"), [""; 0]);
    let landed = "GET /next HTTP/1.1\r\nHost: shop.example\r\nAccept: text/html\r\nReferer: http://shop.example/?fbclid=IwAR0abcd1234\r\n";
    let reply = send(proxy.address, format!("{landed}Cookie: {YES}\r\n\r\n").as_bytes());
    let cookie = reply.header("set-cookie").expect("the cookie");
    assert!(cookie.starts_with("_fbc=fb.1.") && cookie.contains(".IwAR0abcd1234; Domain=shop.example"), "{cookie}");
    proxy.stop();
}

#[test]
fn each_host_has_its_policy_and_a_checkbox_can_be_the_consent() {
    let graph = Graph::start();
    let toml = "[[consent.host]]\nhosts = [\"us.*\"]\nunknown = \"grant\"\ndenied = \"ldu\"\n\
                [[consent.rule]]\nsignal = \"field\"\nname = \"ads_ok\"\nhosts = \"box.example\"\n";
    let proxy = start(&graph.url(), &[], toml);
    submit(&proxy, "shop.example", "", "email=a%40example.com");
    wait_until("no consent", || decisions(&proxy, "denied", "consent_unknown") == 1);
    submit(&proxy, "us.example", "", "email=b%40example.com");
    submit(&proxy, "box.example", "", "email=c%40example.com&ads_ok=on");
    graph.wait_for(2, support::PATIENCE);
    submit(&proxy, "box.example", "", "email=d%40example.com");
    wait_until("not checked", || decisions(&proxy, "denied", "consent_denied") == 1);
    let gpc = form_post("/quote", "us.example", &[REFERER, "Sec-GPC: 1"], "email=e%40example.com");
    send(proxy.address, &gpc);
    graph.wait_for(3, support::PATIENCE);
    assert_eq!(graph.events()[2]["data_processing_options"][0], "LDU");
    proxy.stop();
}

#[test]
fn a_banner_that_leaves_the_word_to_its_tc_string_is_not_listed_without_it() {
    let graph = Graph::start();
    let toml = "[consent]\nunknown = \"grant\"\nsignals = [\"sourcepoint\"]\n";
    let proxy = start(&graph.url(), &[], toml);
    // Purpose 1 only.
    let tc = "euconsent-v2=CQuPXIAQuPXIAEsAAAENAAFgAIAAAAAAAAAAAAAAAAAA";
    submit(&proxy, "shop.example", &format!("consentUUID=x; {tc}"), "email=ana%40example.com");
    wait_until("no lead", || {
        decisions(&proxy, "denied", "consent_denied") + decisions(&proxy, "denied", "consent_unknown") == 1
    });
    proxy.stop();
}

#[test]
fn people_of_the_operators_own_gain_no_cookie_even_if_they_carry_one() {
    let graph = Graph::start();
    let proxy = start(&graph.url(), &[("internal-addresses", "127.0.0.0/8"), ("consent-hold", "true")], "");
    let old = "_fbc=fb.1.1795607000000.IwAR0old";
    let landed = get(&proxy, "/?fbclid=IwAR0new", &format!("{YES}; {old}"), "text/html");
    assert_eq!(landed.all("set-cookie"), [""; 0]);
    let posted = submit(&proxy, "shop.example", "", "email=ana%40example.com");
    assert_eq!(posted.all("set-cookie"), ["SITE=s1; Path=/"]);
    proxy.stop();
}
