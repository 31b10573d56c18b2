//! Where an answer ends, and what of old servers' answers is repaired (RFC 9112 6.3, 5.1, 5.2).

use std::io::Write;

use crate::message::{bytes, read};
use crate::stage::{Case, GET, answered, both_ways, refused, returns, table};
use crate::support::{Site, connect};

const CHUNKED: &str = "HTTP/1.1 200 OK|Transfer-Encoding: chunked||5|hello|0||";

/// The site's answer cannot be passed on: the visitor gets 502, and says so.
const fn bad(name: &'static str, answers: &'static str) -> Case {
    Case { answers, arrives: Some(GET), ..refused(name, GET, "502") }
}

#[test]
fn answers_keep_their_framing() {
    const HEAD: &str = "HEAD / HTTP/1.1|Host: a||";
    table(&[
        returns("a length", "HTTP/1.1 200 OK|Content-Length: 5||hello"),
        returns("a length of nothing", "HTTP/1.1 200 OK|Content-Length: 0||"),
        returns("chunks", CHUNKED),
        returns("chunks of nothing", "HTTP/1.1 200 OK|Transfer-Encoding: chunked||0||"),
        answered("until the end", "HTTP/1.1 200 OK||hello", CHUNKED),
        answered(
            "chunk extensions end here",
            "HTTP/1.1 200 OK|Transfer-Encoding: Chunked||05;x=\"y\"|hello|0||",
            CHUNKED,
        ),
        returns("no content", "HTTP/1.1 204 No Content||"),
        answered(
            "no content, with a length",
            "HTTP/1.1 204 No Content|Content-Length: 0||",
            "HTTP/1.1 204 No Content|?Content-Length: 0||",
        ),
        answered(
            "not modified, with the length of what was not sent",
            "HTTP/1.1 304 Not Modified|ETag: \"x\"|Content-Length: 5||",
            "HTTP/1.1 304 Not Modified|ETag: \"x\"|?Content-Length: 5||",
        ),
        answered(
            "not modified, with a coding",
            "HTTP/1.1 304 Not Modified|Transfer-Encoding: chunked||",
            "HTTP/1.1 304 Not Modified|?Transfer-Encoding: chunked||",
        ),
        returns("HEAD keeps the length", "HTTP/1.1 200 OK|Content-Length: 5||").to(HEAD),
        answered(
            "HEAD and a coding",
            "HTTP/1.1 200 OK|Transfer-Encoding: chunked||",
            "HTTP/1.1 200 OK|?Transfer-Encoding: chunked||",
        )
        .to(HEAD),
        returns("HEAD without either", "HTTP/1.1 200 OK||").to(HEAD),
        returns("HEAD and an error", "HTTP/1.1 404 Not Found|Content-Length: 5||").to(HEAD),
        returns("an answer to a POST", "HTTP/1.1 201 Created|Content-Length: 5||hello")
            .to("POST / HTTP/1.1|Host: a|Content-Length: 1||x"),
        returns("a redirect", "HTTP/1.1 302 Found|Location: /x|Content-Length: 0||"),
        returns("a part", "HTTP/1.1 206 Partial Content|Content-Range: bytes 0-4/9|Content-Length: 5||hello"),
        returns("bytes are not looked at", "HTTP/1.1 200 OK|Content-Length: 6||\u{0}\u{ff}\u{1}|0"),
    ]);
}

#[test]
fn with_a_transfer_coding_no_length_counts() {
    table(&[
        answered("too short", "HTTP/1.1 200 OK|Content-Length: 2|Transfer-Encoding: chunked||5|hello|0||", CHUNKED),
        answered("too long", "HTTP/1.1 200 OK|Transfer-Encoding: chunked|Content-Length: 99||5|hello|0||", CHUNKED),
        answered(
            "not even a number",
            "HTTP/1.1 200 OK|Transfer-Encoding: chunked|Content-Length: x||5|hello|0||",
            CHUNKED,
        ),
        answered("to a POST", "HTTP/1.1 200 OK|Content-Length: 2|Transfer-Encoding: chunked||5|hello|0||", CHUNKED)
            .to("POST / HTTP/1.1|Host: a|Content-Length: 1||x"),
    ]);
}

#[test]
fn a_coding_that_would_lose_its_label_is_not_passed_on() {
    table(&[
        bad("gzip below chunked", "HTTP/1.1 200 OK|Transfer-Encoding: gzip, chunked||5|hello|0||"),
        bad("on two lines", "HTTP/1.1 200 OK|Transfer-Encoding: gzip|Transfer-Encoding: chunked||5|hello|0||"),
        bad("gzip until the end", "HTTP/1.1 200 OK|Transfer-Encoding: gzip||hello"),
        bad("chunked twice", "HTTP/1.1 200 OK|Transfer-Encoding: chunked, chunked||5|hello|0||"),
        bad("an empty coding after it", "HTTP/1.1 200 OK|Transfer-Encoding: chunked|Transfer-Encoding:||5|hello|0||"),
        bad("an empty element after it", "HTTP/1.1 200 OK|Transfer-Encoding: chunked,||5|hello|0||"),
        bad("chunked in HTTP/1.0", "HTTP/1.0 200 OK|Transfer-Encoding: chunked||5|hello|0||"),
        bad("to a POST", "HTTP/1.1 200 OK|Transfer-Encoding: gzip, chunked||5|hello|0||")
            .to("POST / HTTP/1.1|Host: a|Content-Length: 1||x"),
    ]);
}

#[test]
fn lengths_that_contradict_each_other_are_the_sites_fault() {
    table(&[
        bad("two", "HTTP/1.1 200 OK|Content-Length: 5|Content-Length: 6||hello"),
        bad("a list", "HTTP/1.1 200 OK|Content-Length: 5, 6||hello"),
        bad("no number", "HTTP/1.1 200 OK|Content-Length: five||hello"),
        bad("negative", "HTTP/1.1 200 OK|Content-Length: -5||hello"),
        bad("a plus", "HTTP/1.1 200 OK|Content-Length: +5||hello"),
        answered(
            "the same twice",
            "HTTP/1.1 200 OK|Content-Length: 5|Content-Length: 5||hello",
            "HTTP/1.1 200 OK|Content-Length: 5||hello",
        ),
        answered(
            "a list of the same",
            "HTTP/1.1 200 OK|Content-Length: 5, 5||hello",
            "HTTP/1.1 200 OK|Content-Length: 5||hello",
        ),
        bad("where none matters", "HTTP/1.1 200 OK|Content-Length: 5|Content-Length: 6||")
            .to("HEAD / HTTP/1.1|Host: a||"),
        answered(
            "the same twice, to a HEAD",
            "HTTP/1.1 200 OK|Content-Length: 5|Content-Length: 5||",
            "HTTP/1.1 200 OK|Content-Length: 5||",
        )
        .to("HEAD / HTTP/1.1|Host: a||"),
    ]);
}

#[test]
fn what_old_scripts_print_is_repaired() {
    table(&[
        answered(
            "a folded line",
            "HTTP/1.1 200 OK|X-Fold: a|  b|\tc|Content-Length: 1||x",
            "HTTP/1.1 200 OK|X-Fold: a b c|Content-Length: 1||x",
        ),
        answered(
            "a space before the colon",
            "HTTP/1.1 200 OK|X-Space : c|Content-Length: 1||x",
            "HTTP/1.1 200 OK|X-Space: c|Content-Length: 1||x",
        ),
        answered(
            "a line without a name",
            "HTTP/1.1 200 OK|: nameless|X-A: b|Content-Length: 1||x",
            "HTTP/1.1 200 OK|X-A: b|Content-Length: 1||x",
        ),
        answered(
            "a line without a colon",
            "HTTP/1.1 200 OK|nonsense|X-A: b|Content-Length: 1||x",
            "HTTP/1.1 200 OK|X-A: b|Content-Length: 1||x",
        ),
        answered(
            "bare line feeds",
            "HTTP/1.1 200 OK\nX-A: b\nContent-Length: 1\n\nx",
            "HTTP/1.1 200 OK|X-A: b|Content-Length: 1||x",
        ),
    ]);
}

#[test]
fn what_is_no_http_is_the_sites_fault() {
    table(&[
        bad("nothing", "").closing(),
        bad("half a head", "HTTP/1.1 200 OK|Content-Le").closing(),
        bad("prose", "hello, world||").closing(),
        bad("HTTP/0.9", "<html>hello").closing(),
        bad("another version", "HTTP/2.0 200 OK|Content-Length: 0||").closing(),
        bad("a status of two digits", "HTTP/1.1 20 OK|Content-Length: 0||").closing(),
        bad("a status below 100", "HTTP/1.1 099 What|Content-Length: 0||").closing(),
        bad("an unasked switch", "HTTP/1.1 101 Switching Protocols|Connection: upgrade|Upgrade: x||").closing(),
    ]);
}

#[test]
fn status_and_reason_pass_as_they_are() {
    table(&[
        returns("a reason of one's own", "HTTP/1.1 200 Quite Fine|Content-Length: 0||"),
        returns("a status nobody knows", "HTTP/1.1 299 Odd|Content-Length: 0||"),
        returns("the highest", "HTTP/1.1 999 Request Denied|Content-Length: 0||"),
        returns("no reason", "HTTP/1.1 200 |Content-Length: 0||"),
        answered("not even a space for one", "HTTP/1.1 200|Content-Length: 0||", "HTTP/1.1 200 |Content-Length: 0||"),
        returns("an error", "HTTP/1.1 503 Service Unavailable|Retry-After: 5|Content-Length: 2||no"),
        returns(
            "what the site itself says of proxies",
            "HTTP/1.1 502 Bad Gateway|Proxy-Status: cdn; error=x|Content-Length: 0||",
        ),
    ]);
}

#[test]
fn a_reason_outside_ascii_may_get_lost_and_nothing_else() {
    let site = Site::raw(|mut stream| {
        while read(&mut stream, false).is_ok() {
            stream.write_all(&bytes("HTTP/1.1 200 Tr\u{e8}s bien|Content-Length: 2||ok")).unwrap();
        }
    });
    both_ways(&site, &[], |proxy| {
        let mut visitor = connect(proxy.address);
        visitor.write_all(&bytes(GET)).unwrap();
        let reply = read(&mut visitor, false).unwrap();
        assert!(["HTTP/1.1 200 ", "HTTP/1.1 200 Tr\u{e8}s bien"].contains(&reply.start.as_str()), "{}", reply.start);
        assert_eq!(reply.text(), "ok");
    });
}

#[test]
fn early_hints_and_other_informational_answers_are_left_out() {
    table(&[
        answered(
            "early hints",
            "HTTP/1.1 103 Early Hints|Link: </a.css>||HTTP/1.1 200 OK|Content-Length: 2||ok",
            "HTTP/1.1 200 OK|Content-Length: 2||ok",
        ),
        answered(
            "100 nobody asked for",
            "HTTP/1.1 100 Continue||HTTP/1.1 200 OK|Content-Length: 2||ok",
            "HTTP/1.1 200 OK|Content-Length: 2||ok",
        ),
        answered(
            "several",
            "HTTP/1.1 102 Processing||HTTP/1.1 103 Early Hints|X-A: b||HTTP/1.1 200 OK|Content-Length: 2||ok",
            "HTTP/1.1 200 OK|Content-Length: 2||ok",
        ),
    ]);
}

#[test]
fn a_date_is_added_only_where_the_site_sent_none() {
    table(&[
        returns("the site's own", "HTTP/1.1 200 OK|Date: Tue, 24 Nov 2026 12:00:00 GMT|Server: x|Content-Length: 0||"),
        returns("none", "HTTP/1.1 200 OK|Server: x|Content-Length: 0||"),
    ]);
}
