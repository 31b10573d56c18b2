//! Where a request ends (RFC 9112 6): one meaning or none.

use std::io::Write;

use crate::message::{bytes, read};
use crate::stage::{Case, OK, arrives, both_ways, both_ways_to, passes, refused, table};
use crate::support::{Site, connect, wait_until};

const CHUNKED: &str = "POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked||3|abc|0||";

#[test]
fn bodies_keep_their_framing() {
    table(&[
        passes("a length", "POST / HTTP/1.1|Host: a|Content-Length: 3||abc"),
        passes("a length of nothing", "POST / HTTP/1.1|Host: a|Content-Length: 0||"),
        passes("no length", "POST / HTTP/1.1|Host: a||"),
        passes("chunks", CHUNKED),
        passes("chunks of nothing", "POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked||0||"),
        passes("a GET with a length", "GET / HTTP/1.1|Host: a|Content-Length: 3||abc"),
        passes("a GET with chunks", "GET / HTTP/1.1|Host: a|Transfer-Encoding: chunked||3|abc|0||"),
        passes("a GET with a length of nothing", "GET / HTTP/1.1|Host: a|Content-Length: 0||"),
        passes("a DELETE with chunks", "DELETE / HTTP/1.1|Host: a|Transfer-Encoding: chunked||3|abc|0||"),
        passes("a DELETE with a length", "DELETE / HTTP/1.1|Host: a|Content-Length: 3||abc"),
        passes("a PUT", "PUT /x HTTP/1.1|Host: a|Content-Length: 3||abc"),
        passes("OPTIONS with a body", "OPTIONS /x HTTP/1.1|Host: a|Content-Length: 3||abc"),
        arrives(
            "chunk extensions end here",
            "POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked||3;x=y;z=\"q\"|abc|0;last||",
            CHUNKED,
        ),
        arrives(
            "sizes in capitals, with zeros before",
            "POST / HTTP/1.1|Host: a|Transfer-Encoding: Chunked||0000A|abcdefghij|000||",
            "POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked||a|abcdefghij|0||",
        ),
        passes("bytes are not looked at", "POST / HTTP/1.1|Host: a|Content-Length: 6||\u{0}\u{ff}\u{1}|0"),
        Case {
            answers: "HTTP/1.1 200 OK|Content-Length: 3||",
            gets: "HTTP/1.1 200 OK|Content-Length: 3||",
            ..passes("a HEAD", "HEAD / HTTP/1.1|Host: a||")
        },
        passes("methods of others", "PURGE /x HTTP/1.1|Host: a||"),
        passes("methods are case-sensitive", "get /x HTTP/1.1|Host: a||"),
        passes("TRACE", "TRACE /x HTTP/1.1|Host: a||"),
    ]);
}

#[test]
fn two_lengths_are_one_or_none() {
    table(&[
        arrives(
            "the same twice",
            "POST / HTTP/1.1|Host: a|Content-Length: 3|Content-Length: 3||abc",
            "POST / HTTP/1.1|Host: a|Content-Length: 3||abc",
        ),
        refused("different", "POST / HTTP/1.1|Host: a|Content-Length: 3|Content-Length: 4||abcd", "400"),
        refused("a list", "POST / HTTP/1.1|Host: a|Content-Length: 3, 3||abc", "400"),
        refused("a plus", "POST / HTTP/1.1|Host: a|Content-Length: +3||abc", "400"),
        refused("a minus", "POST / HTTP/1.1|Host: a|Content-Length: -3||abc", "400"),
        refused("hexadecimal", "POST / HTTP/1.1|Host: a|Content-Length: 0x3||abc", "400"),
        refused("empty", "POST / HTTP/1.1|Host: a|Content-Length:||abc", "400"),
        refused(
            "too large for any machine",
            "POST / HTTP/1.1|Host: a|Content-Length: 99999999999999999999||abc",
            "400",
        ),
        refused("of a GET", "GET / HTTP/1.1|Host: a|Content-Length: 3|Content-Length: 4||abcd", "400"),
        refused("a space inside", "POST / HTTP/1.1|Host: a|Content-Length: 1 1||abcdefghijk", "400"),
    ]);
}

#[test]
fn with_a_transfer_coding_no_length_counts_and_the_connection_ends() {
    const CLOSED: &str = "HTTP/1.1 200 OK|Content-Length: 2|Connection: close||ok";
    table(&[
        Case {
            gets: CLOSED,
            ..arrives(
                "length first",
                "POST / HTTP/1.1|Host: a|Content-Length: 99|Transfer-Encoding: chunked||3|abc|0||",
                CHUNKED,
            )
        },
        Case {
            gets: CLOSED,
            ..arrives(
                "coding first",
                "POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked|Content-Length: 1||3|abc|0||",
                CHUNKED,
            )
        },
        Case {
            gets: CLOSED,
            ..arrives(
                "what follows is never a request",
                "POST / HTTP/1.1|Host: a|Content-Length: 5|Transfer-Encoding: chunked||3|abc|0||GET /evil HTTP/1.1|Host: a||",
                CHUNKED,
            )
        },
        Case {
            gets: CLOSED,
            ..arrives(
                "of a GET",
                "GET / HTTP/1.1|Host: a|Content-Length: 5|Transfer-Encoding: chunked||3|abc|0||",
                "GET / HTTP/1.1|Host: a|Transfer-Encoding: chunked||3|abc|0||",
            )
        },
    ]);
}

#[test]
fn transfer_codings_other_than_one_chunked_are_refused() {
    table(&[
        refused("a list", "POST / HTTP/1.1|Host: a|Transfer-Encoding: gzip, chunked||0||", "501"),
        refused("two lines", "POST / HTTP/1.1|Host: a|Transfer-Encoding: gzip|Transfer-Encoding: chunked||0||", "501"),
        refused("chunked twice", "POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked, chunked||0||", "501"),
        refused(
            "chunked on two lines",
            "POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked|Transfer-Encoding: chunked||0||",
            "501",
        ),
        refused(
            "identity around it",
            "POST / HTTP/1.1|Host: a|Transfer-Encoding: identity, chunked, identity, chunked||0||",
            "501",
        ),
        refused("not at the end", "POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked, gzip||0||", "400"),
        refused("another", "POST / HTTP/1.1|Host: a|Transfer-Encoding: gzip||0||", "400"),
        refused("nearly", "POST / HTTP/1.1|Host: a|Transfer-Encoding: xchunked||0||", "400"),
        refused("identity", "POST / HTTP/1.1|Host: a|Transfer-Encoding: identity||", "400"),
        refused("empty", "POST / HTTP/1.1|Host: a|Transfer-Encoding:||0||", "400"),
        refused("a vertical tab", "POST / HTTP/1.1|Host: a|Transfer-Encoding: \u{b}chunked||0||", "400"),
        refused("a parameter", "POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked;q=1||0||", "400"),
        refused("of a GET", "GET / HTTP/1.1|Host: a|Transfer-Encoding: gzip, chunked||0||", "501"),
        refused("in HTTP/1.0", "POST / HTTP/1.0|Host: a|Transfer-Encoding: chunked||0||", "400"),
    ]);
}

#[test]
fn heads_that_can_be_read_in_two_ways_are_refused() {
    table(&[
        refused("a space before the colon", "GET / HTTP/1.1|Host: a|X-A : b||", "400"),
        refused("a length with a space before the colon", "POST / HTTP/1.1|Host: a|Content-Length : 3||abc", "400"),
        refused("a folded line", "GET / HTTP/1.1|Host: a|X-A: b| c||", "400"),
        refused("a folded first line", "GET / HTTP/1.1| Host: a||", "400"),
        refused("no name", "GET / HTTP/1.1|Host: a|: b||", "400"),
        refused("no colon", "GET / HTTP/1.1|Host: a|nonsense||", "400"),
        refused("a space in a name", "GET / HTTP/1.1|Host: a|X A: b||", "400"),
        refused("bytes outside ASCII in a name", "GET / HTTP/1.1|Host: a|X-\u{e9}: b||", "400"),
        refused("NUL in a value", "GET / HTTP/1.1|Host: a|X-A: b\u{0}c||", "400"),
        refused("a bare CR in a value", "GET / HTTP/1.1|Host: a|X-A: b\rX-B: c||", "400"),
        refused("DEL in a value", "GET / HTTP/1.1|Host: a|X-A: b\u{7f}c||", "400"),
        refused("HTTP/0.9", "GET /|", "400"),
        refused("HTTP/1.2", "GET / HTTP/1.2|Host: a||", "400"),
        refused("HTTP/2.0", "GET / HTTP/2.0|Host: a||", "400"),
        refused("http/1.1", "GET / http/1.1|Host: a||", "400"),
        refused("no version", "GET / |Host: a||", "400"),
        refused("a TLS hello", "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\u{1}\u{fc}\u{3}\u{3}||", "400"),
        refused("a PROXY line nobody asked for", "PROXY TCP4 192.0.2.1 192.0.2.2 1 2|GET / HTTP/1.1|Host: a||", "400"),
        refused("a tab as separator", "GET\t/ HTTP/1.1|Host: a||", "400"),
    ]);
}

#[test]
fn what_the_standard_lets_a_recipient_repair_is_repaired() {
    const PLAIN: &str = "GET / HTTP/1.1|Host: a|X-A: b||";
    table(&[
        arrives("bare line feeds", "GET / HTTP/1.1\nHost: a\nX-A: b\n\n", PLAIN),
        arrives("empty lines before", "||GET / HTTP/1.1|Host: a|X-A: b||", PLAIN),
        arrives("white space around values", "GET / HTTP/1.1|Host:   a  |X-A:\t b\t||", PLAIN),
        passes("empty values", "GET / HTTP/1.1|Host: a|X-A:|X-B: ||"),
    ]);
}

#[test]
fn malformed_chunks_are_the_visitors_fault() {
    const fn bad(name: &'static str, asks: &'static str) -> Case {
        Case { arrives: None, ..refused(name, asks, "400") }
    }
    // Nothing whole may arrive: the strict reader at the site reports what it saw, so these go by the status alone.
    crate::stage::statuses(&[
        bad("no number", "POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked||zz|abc|0||"),
        bad("no number at all", "POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked|||abc|0||"),
        bad("0x", "POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked||0x3|abc|0||"),
        bad("a plus", "POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked||+3|abc|0||"),
        bad("a minus", "POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked||-3|abc|0||"),
        bad("a space before", "POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked|| 3|abc|0||"),
        bad("too large", "POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked||ffffffffffffffffff|abc|0||"),
        bad("longer than its size", "POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked||3|abcd|0||"),
        bad("no line end after the data", "POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked||3|abc0||"),
        bad("a bare line feed after the size", "POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked||3\nabc|0||"),
        bad("a bare line feed after the data", "POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked||3|abc\n0||"),
        bad("a bare CR in an extension", "POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked||3;a\rb|abc|0||"),
        bad("a bad size after a good chunk", "POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked||3|abc|q|0||"),
        bad("a trailer without a colon", "POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked||3|abc|0|nonsense||"),
        bad("of a GET", "GET / HTTP/1.1|Host: a|Transfer-Encoding: chunked||zz|abc|0||"),
    ]);
}

#[test]
fn endless_extensions_and_trailers_are_not_put_up_with() {
    let site = Site::raw(|mut stream| {
        if read(&mut stream, false).is_ok() {
            let _ = stream.write_all(&bytes(OK));
        }
    });
    both_ways(&site, &[], |proxy| {
        let head = "POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked||";
        for body in [
            format!("3;{}|abc|0||", "x".repeat(100_000)),
            format!("{}0||", "1;xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx|a|".repeat(5_000)),
            format!("3|abc|0|{}|", "X-T: y|".repeat(100_000)),
        ] {
            let mut visitor = connect(proxy.address);
            let _ = visitor.write_all(&bytes(&format!("{head}{body}")));
            assert_eq!(read(&mut visitor, false).unwrap().status(), 400, "{}", &body[..20]);
        }
    });
}

#[test]
fn whoever_refuses_a_request_it_is_counted() {
    both_ways_to("http://127.0.0.1:9", &[], |proxy| {
        for (number, request) in (1..).zip([
            "GET / HTTP/1.1|X-A: no Host||",
            "GET / HTTP/1.1|Host: a|X-A : b||",
            "POST / HTTP/1.1|Host: a|Transfer-Encoding: gzip, chunked||0||",
            "CONNECT a:443 HTTP/1.1|Host: a:443||",
            "nonsense||",
        ]) {
            let mut visitor = connect(proxy.address);
            visitor.write_all(&bytes(request)).unwrap();
            assert!((400..=501).contains(&read(&mut visitor, false).unwrap().status()), "{request}");
            wait_until(request, || proxy.metric("capi_refused_requests_total") == number);
        }
    });
}
