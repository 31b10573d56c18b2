//! Hop-by-hop fields and framing (RFC 9110 7.6.1, RFC 9112 6): what a hop must not pass on.

use http::header::{
    AGE, AUTHORIZATION, CACHE_CONTROL, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE,
    COOKIE, EXPECT, FORWARDED, HOST, LOCATION, MAX_FORWARDS, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, RANGE,
    SET_COOKIE, TE, TRAILER, TRANSFER_ENCODING, UPGRADE, VIA, WWW_AUTHENTICATE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Version};

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const HTTP2_SETTINGS: HeaderName = HeaderName::from_static("http2-settings");
const PROXY: HeaderName = HeaderName::from_static("proxy");
const CONTENT_LENGTH_TWIN: HeaderName = HeaderName::from_static("content_length");
const TRANSFER_ENCODING_TWIN: HeaderName = HeaderName::from_static("transfer_encoding");

/// End-to-end fields that a `Connection` line cannot remove, or a client could strip what the site relies on
/// (CVE-2022-31813).
fn cannot_be_nominated(name: &HeaderName) -> bool {
    [&HOST, &CONTENT_LENGTH, &TRANSFER_ENCODING, &COOKIE, &SET_COOKIE, &AUTHORIZATION, &CACHE_CONTROL, &FORWARDED]
        .contains(&name)
        || name.as_str().starts_with("x-forwarded-")
}

/// Fields that mean something only before a body: framing, hop, routing, authority, cookies, control (RFC 9110 6.5.1). A
/// recipient that merges trailers into the head would obey them after they were checked.
fn cannot_be_a_trailer(name: &HeaderName) -> bool {
    cannot_be_nominated(name)
        || [
            &CONNECTION,
            &KEEP_ALIVE,
            &PROXY_CONNECTION,
            &HTTP2_SETTINGS,
            &PROXY,
            &TE,
            &TRAILER,
            &UPGRADE,
            &VIA,
            &WWW_AUTHENTICATE,
            &PROXY_AUTHENTICATE,
            &PROXY_AUTHORIZATION,
            &CONTENT_ENCODING,
            &CONTENT_RANGE,
            &CONTENT_TYPE,
            &EXPECT,
            &RANGE,
            &MAX_FORWARDS,
            &LOCATION,
            &AGE,
        ]
        .contains(&name)
}

/// The comma-separated tokens of every line of a field.
fn tokens<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h [u8]> + use<'h> {
    headers
        .get_all(name)
        .iter()
        .flat_map(|line| line.as_bytes().split(|b| *b == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|token| !token.is_empty())
}

/// Whether one of the lines of a list field has that token.
#[must_use]
pub fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    tokens(headers, name).any(|t| t.eq_ignore_ascii_case(token.as_bytes()))
}

/// What an upgrade request asks for; `None` for everything that is not one. h2c is never offered to a site: RFC 9113
/// removed it, and it has been used to smuggle requests past proxies. HTTP/1.0 knows no upgrade (RFC 9110 7.8).
#[must_use]
pub fn upgrade_requested(version: Version, headers: &HeaderMap) -> Option<HeaderValue> {
    let wanted = headers.get(UPGRADE)?;
    if version < Version::HTTP_11 || !has_token(headers, &CONNECTION, "upgrade") || has_token(headers, &UPGRADE, "h2c")
    {
        return None;
    }
    Some(wanted.clone())
}

/// Whether the visitor waits for a word before it sends its body (RFC 9110 10.1.1).
#[must_use]
pub fn expects_continue(headers: &HeaderMap) -> bool {
    has_token(headers, &EXPECT, "100-continue")
}

/// HTTP/1.0 cannot wait for anything, so nobody after this hop shall (RFC 9110 10.1.1).
pub fn strip_expect(headers: &mut HeaderMap) {
    headers.remove(EXPECT);
}

/// Removes `Connection`, everything all its lines nominate, and the fields that are hop-by-hop by definition.
/// `TE: trailers` stays, nominated anew; `Trailer` is end-to-end since RFC 9110.
pub fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let mut nominated = Vec::new();
    if headers.contains_key(CONNECTION) {
        // What nearly every one of them says names no field.
        let names = tokens(headers, &CONNECTION).filter(|token| !token.eq_ignore_ascii_case(b"keep-alive"));
        nominated.extend(names.filter_map(|token| HeaderName::from_bytes(token).ok()));
        for name in &nominated {
            if name != TE && name != TRAILER && !cannot_be_nominated(name) {
                headers.remove(name);
            }
        }
        headers.remove(CONNECTION);
    }
    if headers.contains_key(TRAILER) {
        withdraw_trailers(headers, &nominated);
    }
    for name in [KEEP_ALIVE, PROXY_CONNECTION, UPGRADE, HTTP2_SETTINGS] {
        headers.remove(name);
    }
    if headers.contains_key(TE) {
        let is_trailers = |coding: &[u8]| coding.eq_ignore_ascii_case(b"trailers");
        let trailers = tokens(headers, &TE).any(|t| t.split(|b| *b == b';').next().is_some_and(is_trailers));
        headers.remove(TE);
        if trailers {
            headers.insert(TE, HeaderValue::from_static("trailers"));
            headers.insert(CONNECTION, HeaderValue::from_static("te"));
        }
    }
}

/// Takes back the announcement of trailers that do not pass: hyper sends only those that are announced.
fn withdraw_trailers(headers: &mut HeaderMap, nominated: &[HeaderName]) {
    let passes = |token: &&[u8]| {
        HeaderName::from_bytes(token).is_ok_and(|name| !cannot_be_a_trailer(&name) && !nominated.contains(&name))
    };
    let announced: Vec<&[u8]> = headers
        .get_all(TRAILER)
        .iter()
        .flat_map(|line| line.as_bytes().split(|b| *b == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|token| !token.is_empty())
        .collect();
    let passing: Vec<&[u8]> = announced.iter().copied().filter(passes).collect();
    if passing.len() == announced.len() {
        return;
    }
    match HeaderValue::from_bytes(&passing.join(&b", "[..])) {
        Ok(value) if !passing.is_empty() => drop(headers.insert(TRAILER, value)),
        _ => drop(headers.remove(TRAILER)),
    }
}

/// Whether CGI could take a field for the framing: `Content_Length` is `HTTP_CONTENT_LENGTH` there at best.
#[must_use]
pub fn is_framing_twin(name: &str) -> bool {
    let is = |own: &HeaderName| name.eq_ignore_ascii_case(own.as_str());
    match name.len() {
        14 => is(&CONTENT_LENGTH_TWIN),
        17 => is(&TRANSFER_ENCODING_TWIN),
        _ => false,
    }
}

/// Removes those.
pub fn strip_framing_twins(headers: &mut HeaderMap) {
    for name in [CONTENT_LENGTH_TWIN, TRANSFER_ENCODING_TWIN] {
        headers.remove(name);
    }
}

/// Removes `Proxy:`, which CGI turns into `HTTP_PROXY` (httpoxy, CVE-2016-5385).
pub fn strip_httpoxy(headers: &mut HeaderMap) {
    headers.remove(PROXY);
}

/// Whether the message's transfer coding is one this hop understands: none, or one line that says `chunked` and nothing else.
/// What a list says of the body would be lost with it (RFC 9112 6.1); hyper does not overlook a list's empty elements, as
/// RFC 9110 5.6.1 has it, and takes what ends with one for a body until the connection closes.
#[must_use]
pub fn framing_is_understood(headers: &HeaderMap) -> bool {
    let mut lines = headers.get_all(TRANSFER_ENCODING).iter();
    lines.next().is_none_or(|line| line.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked"))
        && lines.next().is_none()
}

/// Whether the answer's length is beyond doubt: there is none, it does not matter beside a transfer coding, or all that is said
/// of it is the same number. hyper does not look where there is no body.
#[must_use]
pub fn length_is_clear(headers: &HeaderMap) -> bool {
    if headers.contains_key(TRANSFER_ENCODING) {
        return true;
    }
    let mut lines = headers.get_all(CONTENT_LENGTH).iter();
    match (lines.next(), lines.next()) {
        (None, _) => true,
        (Some(line), None) if number(line.as_bytes()).is_some() => true,
        _ => {
            let lines = headers.get_all(CONTENT_LENGTH).iter();
            let mut lengths = lines.flat_map(|line| line.as_bytes().split(|b| *b == b',')).map(<[u8]>::trim_ascii);
            let first = lengths.next().and_then(number);
            first.is_some() && lengths.all(|other| number(other) == first)
        }
    }
}

/// Drops the answer's own framing where it cannot be kept: Transfer-Encoding is this hop's business, and it makes any
/// Content-Length beside it meaningless (RFC 9112 6.3: the length must go, or the answer would be truncated). Of lengths
/// that repeat each other one is left.
pub fn repair_answer_framing(headers: &mut HeaderMap) {
    if headers.remove(TRANSFER_ENCODING).is_some() {
        headers.remove(CONTENT_LENGTH);
        return;
    }
    let mut lines = headers.get_all(CONTENT_LENGTH).iter();
    let Some(first) = lines.next() else { return };
    if lines.next().is_some() || number(first.as_bytes()).is_none() {
        let length = tokens(headers, &CONTENT_LENGTH).next();
        if let Some(length) = length.and_then(|length| HeaderValue::from_bytes(length).ok()) {
            headers.insert(CONTENT_LENGTH, length);
        }
    }
}

/// Digits and nothing else (RFC 9110 8.6).
#[must_use]
pub fn number(text: &[u8]) -> Option<u64> {
    let digits = text.iter().all(u8::is_ascii_digit).then(|| std::str::from_utf8(text).ok())??;
    digits.parse().ok()
}

/// Whether only this proxy may use that name, or one that CGI cannot tell from it.
#[must_use]
pub fn is_reserved(name: &str, reserved: &[HeaderName]) -> bool {
    let dashed = |name: &str| name.replace('_', "-");
    !reserved.is_empty() && reserved.iter().any(|own| dashed(own.as_str()).eq_ignore_ascii_case(&dashed(name)))
}

/// Whether a field belongs to one hop by its name, without being nominated (RFC 9110 7.6.1). Transfer-Encoding and TE are framing,
/// which is looked at by whoever does the framing.
#[must_use]
pub fn is_hop_by_hop(name: &str) -> bool {
    // By length first: most names are none of them.
    let is = |own: &HeaderName| name.eq_ignore_ascii_case(own.as_str());
    match name.len() {
        7 => is(&UPGRADE),
        10 => is(&CONNECTION) || is(&KEEP_ALIVE),
        14 => is(&HTTP2_SETTINGS),
        16 => is(&PROXY_CONNECTION),
        _ => false,
    }
}

/// Whether a field is nominated by these `Connection` lines, and can be.
#[must_use]
pub fn is_nominated(name: &str, connection: &[&[u8]]) -> bool {
    let mut tokens = connection.iter().flat_map(|line| line.split(|byte| *byte == b',')).map(<[u8]>::trim_ascii);
    tokens.any(|token| token.eq_ignore_ascii_case(name.as_bytes()))
        && HeaderName::from_bytes(name.as_bytes()).is_ok_and(|name| name != TRAILER && !cannot_be_nominated(&name))
}

/// Removes what only this proxy may say to the site, and what CGI cannot tell from it (`X_Gclid` is `X-Gclid` there).
pub fn strip_reserved(headers: &mut HeaderMap, reserved: &[HeaderName]) {
    if reserved.is_empty() {
        return;
    }
    let forged: Vec<_> = headers.keys().filter(|name| is_reserved(name.as_str(), reserved)).cloned().collect();
    for name in forged {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    fn stripped(lines: &[(&'static str, &'static str)]) -> Vec<String> {
        let mut headers = map(lines);
        strip_hop_by_hop(&mut headers);
        headers.iter().map(|(n, v)| format!("{n}: {}", v.to_str().unwrap())).collect()
    }

    #[test]
    fn every_connection_line_counts() {
        let left = stripped(&[
            ("connection", "close, X-A"),
            ("connection", "x-b ,, Keep-Alive"),
            ("x-a", "1"),
            ("x-b", "2"),
            ("keep-alive", "timeout=5"),
            ("proxy-connection", "keep-alive"),
            ("x-c", "3"),
        ]);
        assert_eq!(left, ["x-c: 3"]);
    }

    #[test]
    fn end_to_end_fields_cannot_be_nominated_away() {
        let lines = [
            ("connection", "Cookie, host, x-forwarded-for, content-length, authorization"),
            ("cookie", "a=b"),
            ("host", "h"),
            ("x-forwarded-for", "192.0.2.1"),
            ("authorization", "x"),
        ];
        assert_eq!(stripped(&lines).len(), 4);
    }

    #[test]
    fn only_trailers_remain_of_te() {
        assert_eq!(
            stripped(&[("connection", "TE"), ("te", "gzip, trailers;q=0.5")]),
            ["te: trailers", "connection: te"]
        );
        assert!(stripped(&[("connection", "TE"), ("te", "gzip")]).is_empty());
    }

    #[test]
    fn transfer_coding_lists_are_not_understood() {
        for (lines, understood) in [
            (&[][..], true),
            (&[("transfer-encoding", "chunked")][..], true),
            (&[("transfer-encoding", "Chunked")][..], true),
            (&[("transfer-encoding", "gzip, chunked")][..], false),
            (&[("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")][..], false),
            (&[("transfer-encoding", "identity")][..], false),
            (&[("transfer-encoding", "chunked"), ("transfer-encoding", "")][..], false),
            (&[("transfer-encoding", "")][..], false),
            (&[("transfer-encoding", "chunked,")][..], false),
            (&[("transfer-encoding", " chunked\t")][..], true),
        ] {
            assert_eq!(framing_is_understood(&map(lines)), understood, "{lines:?}");
        }
    }

    #[test]
    fn an_answer_with_both_framings_loses_its_length() {
        let mut both = map(&[("content-length", "2"), ("transfer-encoding", "chunked")]);
        repair_answer_framing(&mut both);
        assert!(both.is_empty());
        for (lengths, left) in [
            (&["2"][..], Some("2")),
            (&["2", "2"][..], Some("2")),
            (&["2, 2"][..], Some("2")),
            (&["2", "3"][..], None),
            (&["2", "x"][..], None),
            (&["+2"][..], None),
            (&[""][..], None),
            (&["2,"][..], None),
        ] {
            let lines: Vec<_> = lengths.iter().map(|length| ("content-length", *length)).collect();
            let mut headers = map(&lines);
            assert_eq!(length_is_clear(&headers), left.is_some(), "{lengths:?}");
            if let Some(left) = left {
                repair_answer_framing(&mut headers);
                let found: Vec<_> = headers.get_all(CONTENT_LENGTH).iter().map(|v| v.to_str().unwrap()).collect();
                assert_eq!(found, [left], "{lengths:?}");
            }
        }
        assert!(length_is_clear(&map(&[("content-length", "x"), ("transfer-encoding", "chunked")])));
    }

    #[test]
    fn trailers_that_do_not_pass_are_not_announced() {
        assert_eq!(stripped(&[("trailer", "X-Sum, x-b")]), ["trailer: X-Sum, x-b"]);
        let two_lines = [("trailer", "X-Sum,Cookie"), ("trailer", "x-b, x-c"), ("connection", "X-B")];
        assert_eq!(stripped(&two_lines), ["trailer: X-Sum, x-c"]);
        assert!(stripped(&[("trailer", "Content-Length, host")]).is_empty());
    }

    #[test]
    fn websocket_is_an_upgrade_and_h2c_is_not() {
        let lines = |c, u| map(&[("connection", c), ("upgrade", u)]);
        let asks = |c, u| upgrade_requested(Version::HTTP_11, &lines(c, u)).is_some();
        assert!(asks("keep-alive, Upgrade", "websocket"));
        assert!(!asks("keep-alive", "websocket"));
        assert!(!asks("upgrade, http2-settings", "h2c"));
        assert!(upgrade_requested(Version::HTTP_10, &lines("upgrade", "websocket")).is_none());
    }
}
