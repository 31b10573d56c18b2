//! Fields that belong to one hop, and trailers (RFC 9110 7.6.1, 6.5).

use crate::stage::{Case, answered, arrives, passes, returns, table};

const PLAIN: &str = "GET / HTTP/1.1|Host: a||";
const CHUNKED_OK: &str = "HTTP/1.1 200 OK|Transfer-Encoding: chunked||2|ok|0||";

#[test]
fn what_connection_nominates_ends_here_whatever_the_number_of_lines() {
    table(&[
        arrives("one line", "GET / HTTP/1.1|Host: a|Connection: X-R|X-R: 1||", PLAIN),
        arrives("two lines", "GET / HTTP/1.1|Host: a|Connection: X-R|Connection: x-s|X-R: 1|X-S: 2||", PLAIN),
        arrives("a list", "GET / HTTP/1.1|Host: a|Connection: ,X-R ,, x-s|X-R: 1|X-S: 2|X-R: 3||", PLAIN),
        arrives("before the fields", "GET / HTTP/1.1|X-R: 1|Connection: X-R|Host: a|X-R: 2||", PLAIN),
        arrives(
            "beside bytes outside ASCII",
            "GET / HTTP/1.1|Host: a|Connection: caf\u{e9}, X-R|X-R: 1|X-S: 2||",
            "GET / HTTP/1.1|Host: a|X-S: 2||",
        ),
        arrives("keep-alive", "GET / HTTP/1.1|Host: a|Connection: keep-alive||", PLAIN),
        arrives(
            "of a body",
            "POST / HTTP/1.1|Host: a|Connection: X-R|X-R: 1|Content-Length: 1||x",
            "POST / HTTP/1.1|Host: a|Content-Length: 1||x",
        ),
        answered(
            "in answers",
            "HTTP/1.1 200 OK|Connection: X-R|Connection: X-S|X-R: 1|X-S: 2|Keep-Alive: timeout=5|Content-Length: 1||x",
            "HTTP/1.1 200 OK|Content-Length: 1||x",
        ),
        answered(
            "close is for the site's connection",
            "HTTP/1.1 200 OK|Connection: close|Content-Length: 1||x",
            "HTTP/1.1 200 OK|Content-Length: 1||x",
        )
        .closing(),
        Case {
            gets: "HTTP/1.1 200 OK|Content-Length: 2|Connection: close||ok",
            ..arrives("close is for the visitor's connection", "GET / HTTP/1.1|Host: a|Connection: close||", PLAIN)
        },
    ]);
}

#[test]
fn end_to_end_fields_cannot_be_nominated_away() {
    table(&[
        arrives(
            "what the site relies on",
            "GET / HTTP/1.1|Host: a|Connection: Host, cookie, Authorization, cache-control|Cookie: a=b|\
              Authorization: Basic x|Cache-Control: no-store||",
            "GET / HTTP/1.1|Host: a|Cookie: a=b|Authorization: Basic x|Cache-Control: no-store||",
        ),
        arrives(
            "what this proxy sets",
            "GET / HTTP/1.1|Host: a|Connection: X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Host||",
            PLAIN,
        ),
        arrives(
            "the framing",
            "POST / HTTP/1.1|Host: a|Connection: Content-Length|Content-Length: 1||x",
            "POST / HTTP/1.1|Host: a|Content-Length: 1||x",
        ),
        arrives(
            "the transfer coding",
            "POST / HTTP/1.1|Host: a|Connection: Transfer-Encoding|Transfer-Encoding: chunked||1|x|0||",
            "POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked||1|x|0||",
        ),
        answered(
            "a cookie of an answer",
            "HTTP/1.1 200 OK|Connection: Set-Cookie, Content-Length|Set-Cookie: a=b|Content-Length: 1||x",
            "HTTP/1.1 200 OK|Set-Cookie: a=b|Content-Length: 1||x",
        ),
    ]);
}

#[test]
fn fields_of_one_hop_end_here_even_if_nobody_nominates_them() {
    table(&[
        arrives("keep-alive", "GET / HTTP/1.1|Host: a|Keep-Alive: timeout=5||", PLAIN),
        arrives("proxy-connection", "GET / HTTP/1.1|Host: a|Proxy-Connection: keep-alive||", PLAIN),
        arrives("httpoxy", "GET / HTTP/1.1|Host: a|Proxy: http://evil.example||", PLAIN),
        arrives("an upgrade nobody nominated", "GET / HTTP/1.1|Host: a|Upgrade: websocket||", PLAIN),
        arrives(
            "h2c",
            "GET / HTTP/1.1|Host: a|Connection: Upgrade, HTTP2-Settings|Upgrade: h2c|HTTP2-Settings: AAMAAABkAAQ||",
            PLAIN,
        ),
        arrives("HTTP2-Settings alone", "GET / HTTP/1.1|Host: a|HTTP2-Settings: AAMAAABkAAQ||", PLAIN),
        passes(
            "Proxy-Authorization: nobody asked for it here, so it may be the site's",
            "GET / HTTP/1.1|Host: a|Proxy-Authorization: Basic x||",
        ),
        returns(
            "Proxy-Authenticate",
            "HTTP/1.1 407 Proxy Authentication Required|Proxy-Authenticate: Basic|Content-Length: 0||",
        ),
        answered(
            "in answers",
            "HTTP/1.1 200 OK|Keep-Alive: timeout=5|Proxy-Connection: close|Upgrade: h2c|Content-Length: 1||x",
            "HTTP/1.1 200 OK|Content-Length: 1||x",
        ),
    ]);
}

#[test]
fn of_te_only_trailers_remains_and_is_nominated_anew() {
    table(&[
        arrives(
            "alone",
            "GET / HTTP/1.1|Host: a|Connection: TE|TE: trailers||",
            "GET / HTTP/1.1|Host: a|Connection: te|TE: trailers||",
        ),
        arrives(
            "among others",
            "GET / HTTP/1.1|Host: a|TE: gzip;q=0.5, trailers, deflate||",
            "GET / HTTP/1.1|Host: a|Connection: te|TE: trailers||",
        ),
        arrives("without", "GET / HTTP/1.1|Host: a|Connection: TE|TE: gzip||", PLAIN),
        arrives(
            "two lines",
            "GET / HTTP/1.1|Host: a|TE: gzip|TE: Trailers||",
            "GET / HTTP/1.1|Host: a|Connection: te|TE: trailers||",
        ),
    ]);
}

#[test]
fn announced_trailers_pass_and_are_never_merged_into_the_head() {
    const ANSWER: &str = "HTTP/1.1 200 OK|Trailer: X-Sum|Transfer-Encoding: chunked||2|ok|0|X-Sum: 7||";
    const TE: &str = "GET / HTTP/1.1|Host: a|Connection: te|TE: trailers||";
    table(&[
        passes("of a request", "POST / HTTP/1.1|Host: a|Trailer: X-Sum|Transfer-Encoding: chunked||2|ok|0|X-Sum: 7||"),
        arrives(
            "only those that were announced",
            "POST / HTTP/1.1|Host: a|Trailer: X-Sum|Transfer-Encoding: chunked||2|ok|0|X-Sum: 7|X-Other: 8||",
            "POST / HTTP/1.1|Host: a|Trailer: X-Sum|Transfer-Encoding: chunked||2|ok|0|X-Sum: 7||",
        ),
        arrives(
            "none that nobody announced",
            "POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked||2|ok|0|X-Other: 8||",
            "POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked||2|ok|0||",
        ),
        returns("of an answer", ANSWER).to(TE),
        answered(
            "to a visitor who did not ask for them",
            ANSWER,
            "HTTP/1.1 200 OK|Trailer: X-Sum|Transfer-Encoding: chunked||2|ok|0||",
        ),
        answered("not announced", "HTTP/1.1 200 OK|Transfer-Encoding: chunked||2|ok|0|X-Sum: 7||", CHUNKED_OK),
        arrives(
            "nominated",
            "POST / HTTP/1.1|Host: a|Connection: X-Mine|Trailer: X-Sum, x-mine|Transfer-Encoding: chunked||2|ok|0|\
             X-Sum: 7|X-Mine: 8||",
            "POST / HTTP/1.1|Host: a|Trailer: X-Sum|Transfer-Encoding: chunked||2|ok|0|X-Sum: 7||",
        ),
    ]);
}

#[test]
fn trailers_carry_no_framing_no_routing_no_authority_and_no_cookie() {
    const HEAD: &str = "POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked||2|ok|0||";
    const TE: &str = "GET / HTTP/1.1|Host: a|Connection: te|TE: trailers||";
    table(&[
        arrives(
            "length",
            "POST / HTTP/1.1|Host: a|Trailer: Content-Length|Transfer-Encoding: chunked||2|ok|0|\
            Content-Length: 5||",
            HEAD,
        ),
        arrives(
            "coding",
            "POST / HTTP/1.1|Host: a|Trailer: Transfer-Encoding|Transfer-Encoding: chunked||2|ok|0|\
            Transfer-Encoding: gzip||",
            HEAD,
        ),
        arrives("host", "POST / HTTP/1.1|Host: a|Trailer: Host|Transfer-Encoding: chunked||2|ok|0|Host: b||", HEAD),
        arrives(
            "authority",
            "POST / HTTP/1.1|Host: a|Trailer: Authorization, Cookie|Transfer-Encoding: chunked||2|ok|0|\
            Authorization: Basic x|Cookie: a=b||",
            HEAD,
        ),
        arrives(
            "origin",
            "POST / HTTP/1.1|Host: a|Trailer: X-Forwarded-For, Forwarded, Proxy|\
            Transfer-Encoding: chunked||2|ok|0|X-Forwarded-For: 192.0.2.1|Forwarded: for=_x|Proxy: x||",
            HEAD,
        ),
        arrives(
            "hop",
            "POST / HTTP/1.1|Host: a|Trailer: Connection, Upgrade, TE, Keep-Alive, X-Sum|\
            Transfer-Encoding: chunked||2|ok|0|Connection: close|Upgrade: x|TE: x|Keep-Alive: x|X-Sum: 1||",
            "POST / HTTP/1.1|Host: a|Trailer: X-Sum|Transfer-Encoding: chunked||2|ok|0|X-Sum: 1||",
        ),
        answered(
            "a cookie",
            "HTTP/1.1 200 OK|Trailer: Set-Cookie|Transfer-Encoding: chunked||2|ok|0|Set-Cookie: a=b||",
            CHUNKED_OK,
        )
        .to(TE),
        answered(
            "where to go",
            "HTTP/1.1 200 OK|Trailer: Location, Content-Type|Transfer-Encoding: chunked||2|ok|0|\
            Location: /x|Content-Type: text/plain||",
            CHUNKED_OK,
        )
        .to(TE),
    ]);
}

#[test]
fn the_version_is_each_hops_own() {
    table(&[
        Case {
            gets: "HTTP/1.0 200 OK|Content-Length: 2||ok",
            ..arrives("an HTTP/1.0 visitor", "GET / HTTP/1.0|Host: a||", PLAIN)
        },
        Case {
            gets: "HTTP/1.0 200 OK|Content-Length: 2|Connection: keep-alive||ok",
            ..arrives("who keeps alive", "GET / HTTP/1.0|Host: a|Connection: keep-alive||", PLAIN)
        },
        Case {
            answers: CHUNKED_OK,
            gets: "HTTP/1.0 200 OK|?Connection: close||ok",
            ..arrives("whose answer is unwrapped", "GET / HTTP/1.0|Host: a||", PLAIN)
        },
        answered("an HTTP/1.0 site", "HTTP/1.0 200 OK|Content-Length: 2||ok", "HTTP/1.1 200 OK|Content-Length: 2||ok")
            .closing(),
        answered(
            "that keeps alive",
            "HTTP/1.0 200 OK|Connection: keep-alive|Content-Length: 2||ok",
            "HTTP/1.1 200 OK|Content-Length: 2||ok",
        ),
        answered("that ends by closing", "HTTP/1.0 200 OK||ok", CHUNKED_OK),
        answered("an HTTP/1.1 site that ends by closing", "HTTP/1.1 200 OK|Connection: close||ok", CHUNKED_OK),
    ]);
}
