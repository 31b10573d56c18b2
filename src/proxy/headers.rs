//! Hop-by-hop fields and framing (RFC 9110 7.6.1, RFC 9112 6): what a hop must not pass on.

use http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, COOKIE, FORWARDED, HOST, SET_COOKIE, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue};

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const HTTP2_SETTINGS: HeaderName = HeaderName::from_static("http2-settings");
const PROXY: HeaderName = HeaderName::from_static("proxy");

/// End-to-end fields that a `Connection` line cannot remove, or a client could strip what the site relies on
/// (CVE-2022-31813).
fn cannot_be_nominated(name: &HeaderName) -> bool {
    [&HOST, &CONTENT_LENGTH, &TRANSFER_ENCODING, &COOKIE, &SET_COOKIE, &AUTHORIZATION, &CACHE_CONTROL, &FORWARDED]
        .contains(&name)
        || name.as_str().starts_with("x-forwarded-")
}

/// The comma-separated tokens of every line of a field.
fn tokens(headers: &HeaderMap, name: &HeaderName) -> impl Iterator<Item = Vec<u8>> {
    headers
        .get_all(name)
        .iter()
        .flat_map(|line| line.as_bytes().split(|b| *b == b','))
        .map(|token| token.trim_ascii().to_ascii_lowercase())
        .filter(|token| !token.is_empty())
}

fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    headers.contains_key(name) && tokens(headers, name).any(|t| t == token.as_bytes())
}

/// What an upgrade request asks for; `None` for everything that is not one. h2c is never offered to a site: RFC 9113
/// removed it, and it has been used to smuggle requests past proxies.
#[must_use]
pub fn upgrade_requested(headers: &HeaderMap) -> Option<HeaderValue> {
    let wanted = headers.get(UPGRADE)?;
    if !has_token(headers, &CONNECTION, "upgrade") || tokens(headers, &UPGRADE).any(|t| t == b"h2c") {
        return None;
    }
    Some(wanted.clone())
}

/// Removes `Connection`, everything all its lines nominate, and the fields that are hop-by-hop by definition.
/// `TE: trailers` stays, nominated anew; `Trailer` is end-to-end since RFC 9110.
pub fn strip_hop_by_hop(headers: &mut HeaderMap) {
    if headers.contains_key(CONNECTION) {
        let nominated: Vec<HeaderName> =
            tokens(headers, &CONNECTION).filter_map(|token| HeaderName::from_bytes(&token).ok()).collect();
        for name in nominated {
            if name != TE && name != TRAILER && !cannot_be_nominated(&name) {
                headers.remove(name);
            }
        }
        headers.remove(CONNECTION);
    }
    for name in [KEEP_ALIVE, PROXY_CONNECTION, UPGRADE, HTTP2_SETTINGS] {
        headers.remove(name);
    }
    if headers.contains_key(TE) {
        let trailers = tokens(headers, &TE).any(|t| t.split(|b| *b == b';').next() == Some(&b"trailers"[..]));
        headers.remove(TE);
        if trailers {
            headers.insert(TE, HeaderValue::from_static("trailers"));
            headers.insert(CONNECTION, HeaderValue::from_static("te"));
        }
    }
}

/// Removes `Proxy:`, which CGI turns into `HTTP_PROXY` (httpoxy, CVE-2016-5385).
pub fn strip_httpoxy(headers: &mut HeaderMap) {
    headers.remove(PROXY);
}

/// Whether the request's transfer coding is one this hop understands: none, or exactly one `chunked`. A list passed on
/// would reach the site unlabelled (RFC 9112 6.1).
#[must_use]
pub fn framing_is_understood(headers: &HeaderMap) -> bool {
    if !headers.contains_key(TRANSFER_ENCODING) {
        return true;
    }
    let mut codings = tokens(headers, &TRANSFER_ENCODING);
    codings.next().is_some_and(|coding| coding == b"chunked") && codings.next().is_none()
}

/// Drops the answer's own framing where it cannot be kept: Transfer-Encoding is this hop's business, and it makes any
/// Content-Length beside it meaningless (RFC 9112 6.3: the length must go, or the answer would be truncated).
pub fn repair_answer_framing(headers: &mut HeaderMap) {
    if headers.remove(TRANSFER_ENCODING).is_some() {
        headers.remove(CONTENT_LENGTH);
    }
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
        ] {
            assert_eq!(framing_is_understood(&map(lines)), understood, "{lines:?}");
        }
    }

    #[test]
    fn an_answer_with_both_framings_loses_its_length() {
        let mut both = map(&[("content-length", "2"), ("transfer-encoding", "chunked")]);
        repair_answer_framing(&mut both);
        assert!(both.is_empty());
        let mut plain = map(&[("content-length", "2")]);
        repair_answer_framing(&mut plain);
        assert_eq!(plain.len(), 1);
    }

    #[test]
    fn websocket_is_an_upgrade_and_h2c_is_not() {
        let asks = |c, u| upgrade_requested(&map(&[("connection", c), ("upgrade", u)])).is_some();
        assert!(asks("keep-alive, Upgrade", "websocket"));
        assert!(!asks("keep-alive", "websocket"));
        assert!(!asks("upgrade, http2-settings", "h2c"));
    }
}
