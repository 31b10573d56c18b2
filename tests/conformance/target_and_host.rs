//! The request target and Host (RFC 9112 3.2).

use crate::stage::{Case, arrives, passes, refused, table};
use std::io::Write;

use crate::message::read;
use crate::stage::both_ways;
use crate::support::{Site, answer, connect, send};

#[test]
fn origin_form_passes_byte_for_byte() {
    const TARGETS: &[&str] = &[
        "/",
        "//",
        "//x//y",
        "/./",
        "/../",
        "/a/../b/.",
        "/%2F%2f%2e",
        "/%zz%",
        "/a+b?c+d",
        "/?",
        "/??",
        "/a?b?c=/../",
        "/a;b=c,d",
        "/'()*!$&@:=~_-.",
        "/a\"b",
        "/?a`b",
        "/|^{}[]\\?|^{}[]\\",
        "/caf\u{c3}\u{a9}?\u{c3}\u{a9}",
        "/?fbclid=A-b_c&gclid=x&=&&",
    ];
    let (site, received) = Site::new(|_| answer("200 OK", &[], "ok"));
    both_ways(&site, &[], |proxy| {
        for target in TARGETS {
            let line: Vec<u8> = target.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
            let mut visitor = connect(proxy.address);
            visitor.write_all(&[b"GET ", &line[..], b" HTTP/1.1\r\nHost: a\r\n\r\n"].concat()).unwrap();
            assert_eq!(read(&mut visitor, false).unwrap().status(), 200, "{target}");
            let seen = received.next().raw;
            assert!(seen.starts_with(&[b"GET ", &line[..], b" HTTP/1.1\r\n"].concat()), "{target}");
        }
        let long = format!("/{}", "x".repeat(65_000));
        let mut visitor = connect(proxy.address);
        visitor.write_all(format!("GET {long} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).unwrap();
        assert_eq!(read(&mut visitor, false).unwrap().status(), 200);
        assert_eq!(received.next().first_line(), format!("GET {long} HTTP/1.1"));
        let mut visitor = connect(proxy.address);
        visitor.write_all(format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(70_000)).as_bytes()).unwrap();
        assert_eq!(read(&mut visitor, false).unwrap().status(), 414);
        assert!(received.is_empty());
    });
}

#[test]
fn every_form_of_a_target_becomes_what_the_site_understands_or_is_refused() {
    table(&[
        arrives(
            "absolute-form",
            "GET http://shop.example/x?y HTTP/1.1|Host: shop.example||",
            "GET /x?y HTTP/1.1|Host: shop.example||",
        ),
        arrives(
            "absolute-form and another Host",
            "GET http://shop.example:81/x HTTP/1.1|Host: other.example||",
            "GET /x HTTP/1.1|Host: shop.example:81||",
        ),
        arrives(
            "absolute-form without a path",
            "GET http://shop.example HTTP/1.1|Host: a||",
            "GET / HTTP/1.1|Host: shop.example||",
        ),
        arrives(
            "absolute-form with a query alone",
            "GET http://shop.example?x HTTP/1.1|Host: a||",
            "GET /?x HTTP/1.1|Host: shop.example||",
        ),
        arrives(
            "absolute-form over TLS",
            "GET https://shop.example/ HTTP/1.1|Host: a||",
            "GET / HTTP/1.1|Host: shop.example||",
        ),
        arrives(
            "absolute-form of a POST",
            "POST http://shop.example/x HTTP/1.1|Host: a|Content-Length: 1||x",
            "POST /x HTTP/1.1|Host: shop.example|Content-Length: 1||x",
        ),
        Case {
            gets: "HTTP/1.0 200 OK|Content-Length: 2||ok",
            ..arrives(
                "absolute-form in HTTP/1.0",
                "GET http://shop.example/x HTTP/1.0||",
                "GET /x HTTP/1.1|Host: shop.example||",
            )
        },
        refused("absolute-form without a Host", "GET http://shop.example/x HTTP/1.1||", "400"),
        refused("absolute-form and two Hosts", "GET http://shop.example/ HTTP/1.1|Host: shop.example|Host: b||", "400"),
        refused("absolute-form of another scheme", "GET ftp://shop.example/x HTTP/1.1|Host: a||", "400"),
        refused("absolute-form with user information", "GET http://ana@shop.example/ HTTP/1.1|Host: a||", "400"),
        refused("absolute-form without authority", "GET http:///x HTTP/1.1|Host: a||", "400"),
        refused("authority-form", "GET shop.example:443 HTTP/1.1|Host: a||", "400"),
        refused("a word", "GET foo HTTP/1.1|Host: a||", "400"),
        refused("a question mark", "GET ?x HTTP/1.1|Host: a||", "400"),
        refused("CONNECT", "CONNECT shop.example:443 HTTP/1.1|Host: shop.example:443||", "405"),
        refused("CONNECT with a path", "CONNECT /x HTTP/1.1|Host: a||", "405"),
        refused(
            "CONNECT and bytes for the tunnel",
            "CONNECT shop.example:443 HTTP/1.1|Host: shop.example||GET / HTTP/1.1|Host: a||",
            "405",
        ),
        passes("OPTIONS *", "OPTIONS * HTTP/1.1|Host: a||"),
        arrives(
            "OPTIONS in absolute-form without a path",
            "OPTIONS http://shop.example HTTP/1.1|Host: a||",
            "OPTIONS / HTTP/1.1|Host: shop.example||",
        ),
        passes("OPTIONS of a path", "OPTIONS /x HTTP/1.1|Host: a||"),
        refused("an asterisk for anything else", "GET * HTTP/1.1|Host: a||", "400"),
        refused("an asterisk and more", "OPTIONS *x HTTP/1.1|Host: a||", "400"),
        arrives("a fragment goes", "GET /x?y#z HTTP/1.1|Host: a||", "GET /x?y HTTP/1.1|Host: a||"),
    ]);
}

#[test]
fn bytes_that_the_uri_parser_refuses_are_the_visitors_fault() {
    // The plain way has no such parser, and passes what is no control character, no space and UTF-8.
    table(&[
        refused("a less-than sign", "POST /<x HTTP/1.1|Host: a||", "400"),
        refused("a greater-than sign", "POST /?x>y HTTP/1.1|Host: a||", "400"),
        refused("a quote in the query", "POST /?x=\" HTTP/1.1|Host: a||", "400"),
        refused("a backtick in the path", "POST /` HTTP/1.1|Host: a||", "400"),
        refused("Latin-1", "POST /caf\u{e9} HTTP/1.1|Host: a||", "400"),
        refused("a control character", "POST /\u{1} HTTP/1.1|Host: a||", "400"),
        refused("a space", "POST /a b HTTP/1.1|Host: a||", "400"),
    ]);
}

#[test]
fn host_passes_as_it_is_when_there_is_exactly_one() {
    table(&[
        passes("with a port", "GET / HTTP/1.1|Host: Shop.Example:8080||"),
        passes("an address", "GET / HTTP/1.1|Host: 192.0.2.1||"),
        passes("an IPv6 address", "GET / HTTP/1.1|Host: [2001:db8::1]:81||"),
        passes("an underscore", "GET / HTTP/1.1|Host: my_shop.example||"),
        passes("percent-encoded", "GET / HTTP/1.1|Host: caf%C3%A9.example||"),
        passes("an empty port", "GET / HTTP/1.1|Host: shop.example:||"),
        passes("empty: allowed where the target has no authority", "GET / HTTP/1.1|Host:||"),
        refused("none", "GET / HTTP/1.1||", "400"),
        refused("none, of a POST", "POST / HTTP/1.1|Content-Length: 1||x", "400"),
        refused("two", "GET / HTTP/1.1|Host: a|Host: b||", "400"),
        refused("the same twice", "GET / HTTP/1.1|Host: a|Accept: x|host: a||", "400"),
        refused("HTTP/1.0 with two", "GET / HTTP/1.0|Host: a|Host: b||", "400"),
    ]);
}

#[test]
fn a_host_that_names_no_host_is_refused() {
    table(&[
        refused("a space", "GET / HTTP/1.1|Host: a b||", "400"),
        refused("a path", "GET / HTTP/1.1|Host: a/b||", "400"),
        refused("a query", "GET / HTTP/1.1|Host: a?b||", "400"),
        refused("user information", "GET / HTTP/1.1|Host: ana@shop.example||", "400"),
        refused("a port that is none", "GET / HTTP/1.1|Host: a:8x||", "400"),
        refused("two ports", "GET / HTTP/1.1|Host: a:1:2||", "400"),
        refused("a backslash", "GET / HTTP/1.1|Host: a\\b||", "400"),
        refused("an open bracket", "GET / HTTP/1.1|Host: [::1||", "400"),
        refused("bytes outside ASCII", "GET / HTTP/1.1|Host: caf\u{e9}.example||", "400"),
        refused("a tab", "GET / HTTP/1.1|Host: a\tb||", "400"),
        refused("a control character", "GET / HTTP/1.1|Host: a\u{1}||", "400"),
        refused("of HTTP/1.0 too", "GET / HTTP/1.0|Host: a b||", "400"),
    ]);
}

/// RFC 9112 3.2: it need not name one, but it goes on as HTTP/1.1, which must; sites refuse that otherwise.
#[test]
fn a_request_of_http_1_0_that_names_no_host_gets_the_sites_own() {
    let (site, received) = Site::new(|_| answer("200 OK", &[], "ok"));
    let own = site.address.to_string();
    both_ways(&site, &[], |proxy| {
        assert_eq!(send(proxy.address, b"GET / HTTP/1.0\r\n\r\n").status(), 200);
        let seen = received.next();
        assert_eq!((seen.first_line(), seen.all("host")), ("GET / HTTP/1.1", vec![own.as_str()]));
        assert_eq!(seen.header("x-forwarded-host"), None);
    });
}
