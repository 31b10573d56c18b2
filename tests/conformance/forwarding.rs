//! Who the visitor is (`X-Forwarded-*`, RFC 7239), and fields that CGI cannot tell from those.

use crate::stage::{arrives, passes, table, table_with};

const TRUSTED: &[(&str, &str)] = &[("trusted-proxy", "127.0.0.0/8")];
const OWN: &str = "GET / HTTP/1.1|Host: a|X-Forwarded-For: 127.0.0.1|X-Forwarded-Proto: http|X-Forwarded-Host: a||";

#[test]
fn strangers_are_overwritten() {
    table(&[
        arrives("nothing was said", "GET / HTTP/1.1|Host: a||", OWN),
        arrives("an address", "GET / HTTP/1.1|Host: a|X-Forwarded-For: 192.0.2.1||", OWN),
        arrives("several lines", "GET / HTTP/1.1|Host: a|X-Forwarded-For: 192.0.2.1|x-forwarded-for: 192.0.2.2||", OWN),
        arrives("a scheme", "GET / HTTP/1.1|Host: a|X-Forwarded-Proto: https||", OWN),
        arrives("a host", "GET / HTTP/1.1|Host: a|X-Forwarded-Host: evil.example||", OWN),
        arrives(
            "Forwarded",
            "GET / HTTP/1.1|Host: a|Forwarded: for=192.0.2.1;proto=https|Forwarded: for=_x||",
            "GET / HTTP/1.1|Host: a|X-Forwarded-For: 127.0.0.1|X-Forwarded-Proto: http|X-Forwarded-Host: a|\
             Forwarded: for=127.0.0.1;proto=http||",
        ),
        arrives(
            "a host where there is none",
            "GET / HTTP/1.0|X-Forwarded-Host: evil.example||",
            "GET / HTTP/1.1|Host: site|X-Forwarded-For: 127.0.0.1|X-Forwarded-Proto: http||",
        )
        .then(crate::stage::OK, "HTTP/1.0 200 OK|Content-Length: 2||ok"),
        arrives(
            "an absolute target",
            "GET http://b/ HTTP/1.1|Host: a||",
            "GET / HTTP/1.1|Host: b|X-Forwarded-For: 127.0.0.1|X-Forwarded-Proto: http|X-Forwarded-Host: b||",
        ),
    ]);
}

#[test]
fn a_trusted_proxy_is_continued() {
    table_with(
        TRUSTED,
        &[
            arrives("nothing was said", "GET / HTTP/1.1|Host: a||", OWN),
            arrives(
                "an address",
                "GET / HTTP/1.1|Host: a|X-Forwarded-For: 192.0.2.1||",
                "GET / HTTP/1.1|Host: a|X-Forwarded-For: 192.0.2.1, 127.0.0.1|X-Forwarded-Proto: http|X-Forwarded-Host: a||",
            ),
            arrives(
                "lines become one",
                "GET / HTTP/1.1|Host: a|X-Forwarded-For: 192.0.2.1|X-Forwarded-For: 2001:db8::1||",
                "GET / HTTP/1.1|Host: a|X-Forwarded-For: 192.0.2.1, 2001:db8::1, 127.0.0.1|X-Forwarded-Proto: http|\
             X-Forwarded-Host: a||",
            ),
            arrives(
                "the scheme that a terminator of TLS saw",
                "GET / HTTP/1.1|Host: a|X-Forwarded-Proto: https||",
                "GET / HTTP/1.1|Host: a|X-Forwarded-For: 127.0.0.1|X-Forwarded-Proto: https|X-Forwarded-Host: a||",
            ),
            arrives(
                "the host that it saw",
                "GET / HTTP/1.1|Host: a|X-Forwarded-Host: shop.example||",
                "GET / HTTP/1.1|Host: a|X-Forwarded-For: 127.0.0.1|X-Forwarded-Proto: http|X-Forwarded-Host: shop.example||",
            ),
            arrives(
                "Forwarded",
                "GET / HTTP/1.1|Host: a|Forwarded: for=\"[2001:db8::1]\";proto=https||",
                "GET / HTTP/1.1|Host: a|X-Forwarded-For: 127.0.0.1|X-Forwarded-Proto: http|X-Forwarded-Host: a|\
             Forwarded: for=\"[2001:db8::1]\";proto=https, for=127.0.0.1;proto=http||",
            ),
            arrives("a twin is nobody's", "GET / HTTP/1.1|Host: a|X_Forwarded_For: 192.0.2.1||", OWN),
        ],
    );
}

#[test]
fn a_mode_touches_nothing() {
    table_with(
        &[("forwarded-headers", "untouched")],
        &[
            passes(
                "what was said",
                "GET / HTTP/1.1|Host: a|X-Forwarded-For: 192.0.2.1|X-Forwarded-Proto: https|\
            X-Forwarded-Host: b|Forwarded: for=_x||",
            ),
            passes("several lines", "GET / HTTP/1.1|Host: a|X-Forwarded-For: 192.0.2.1|X-Forwarded-For: 192.0.2.2||"),
        ],
    );
}

#[test]
fn names_that_cgi_confuses_with_ours_go() {
    table(&[
        arrives(
            "the forwarding fields",
            "GET / HTTP/1.1|Host: a|X_Forwarded_For: x|X-Forwarded_Proto: https|\
            x_forwarded-host: b||",
            OWN,
        ),
        arrives(
            "the framing",
            "POST / HTTP/1.1|Host: a|Content_Length: 9|Transfer_Encoding: chunked|Content-Length: 1||x",
            "POST / HTTP/1.1|Host: a|Content-Length: 1||x",
        ),
        passes("others stay", "GET / HTTP/1.1|Host: a|X_Other_Thing: 1|_x: 2||"),
    ]);
    table_with(
        &[("forwarded-headers", "untouched")],
        &[arrives(
            "the framing, in every mode",
            "GET / HTTP/1.1|Host: a|X-Forwarded-For: x|Content_Length: 9|\
            transfer_encoding: chunked||",
            "GET / HTTP/1.1|Host: a|X-Forwarded-For: x||",
        )],
    );
}

#[test]
fn what_others_use_to_trace_and_route_passes() {
    table(&[passes(
        "traces",
        "GET / HTTP/1.1|Host: a|traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01|\
            tracestate: x=1|tracestate: y=2|Via: 1.1 edge|CDN-Loop: edge|X-Real-IP: 192.0.2.1||",
    )]);
}
