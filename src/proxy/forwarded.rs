//! `X-Forwarded-*` and `Forwarded` (RFC 7239) on requests to the site: untrusted ones are overwritten, a trusted
//! proxy's are continued.

use std::net::IpAddr;

use http::header::FORWARDED;
use http::{HeaderMap, HeaderName, HeaderValue};

/// The list of addresses.
pub const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// The visitor's scheme.
pub const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// The visitor's Host.
pub const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// What CGI and PHP cannot tell from the names that this proxy sets (`HTTP_X_FORWARDED_FOR` is both). nginx drops
/// every name with an underscore; here only those that would forge one of these go.
fn is_underscore_twin(name: &HeaderName) -> bool {
    let name = name.as_str();
    name.contains('_')
        && ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"].contains(&name.replace('_', "-").as_str())
}

/// Whether the visitor spoke https, as far as this hop can know: a trusted peer's `X-Forwarded-Proto`. There is no
/// other source without TLS of our own.
#[must_use]
pub fn visitor_is_on_https(trusted: bool, headers: &HeaderMap) -> bool {
    trusted
        && headers
            .get_all(X_FORWARDED_PROTO)
            .iter()
            .next()
            .is_some_and(|line| line.as_bytes().split(|b| *b == b',').next().is_some_and(is_https))
}

fn is_https(value: &[u8]) -> bool {
    value.trim_ascii().eq_ignore_ascii_case(b"https")
}

/// Brings the forwarding fields up to date for the next hop. `headers` still holds the visitor's own.
pub fn update(headers: &mut HeaderMap, peer: IpAddr, trusted: bool, host: Option<&HeaderValue>) {
    let twins: Vec<HeaderName> = headers.keys().filter(|name| is_underscore_twin(name)).cloned().collect();
    for twin in twins {
        headers.remove(twin);
    }
    let peer = peer.to_canonical();
    set(headers, X_FORWARDED_FOR, &continued(headers, &X_FORWARDED_FOR, trusted, &peer.to_string()));
    if !trusted || !headers.contains_key(X_FORWARDED_PROTO) {
        headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static("http"));
    }
    if !trusted || !headers.contains_key(X_FORWARDED_HOST) {
        match host {
            Some(host) => headers.insert(X_FORWARDED_HOST, host.clone()),
            None => headers.remove(X_FORWARDED_HOST),
        };
    }
    // Only where somebody uses it: adding a second way of saying the same would change requests for nothing.
    if headers.contains_key(FORWARDED) {
        let node = match peer {
            IpAddr::V4(address) => format!("for={address};proto=http"),
            IpAddr::V6(address) => format!("for=\"[{address}]\";proto=http"),
        };
        set(headers, FORWARDED, &continued(headers, &FORWARDED, trusted, &node));
    }
}

/// The lines of a list field folded into one, with `own` at the end; `own` alone where they are not believed.
fn continued(headers: &HeaderMap, name: &HeaderName, trusted: bool, own: &str) -> Vec<u8> {
    let mut list = Vec::new();
    if trusted {
        for line in headers.get_all(name) {
            if !line.is_empty() {
                list.extend_from_slice(line.as_bytes());
                list.extend_from_slice(b", ");
            }
        }
    }
    list.extend_from_slice(own.as_bytes());
    list
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &[u8]) {
    if let Ok(value) = HeaderValue::from_bytes(value) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn updated(trusted: bool, lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_static(value));
        }
        let host = HeaderValue::from_static("shop.example");
        update(&mut headers, "::ffff:192.0.2.7".parse().unwrap(), trusted, Some(&host));
        headers
    }

    const CLAIMS: &[(&str, &str)] = &[
        ("x-forwarded-for", "198.51.100.1"),
        ("x-forwarded-for", "198.51.100.2"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "evil.example"),
        ("forwarded", "for=198.51.100.1"),
        ("x_forwarded_for", "198.51.100.3"),
        ("x-forwarded_proto", "https"),
        ("x_forwarded-host", "evil.example"),
        ("x_other", "stays"),
    ];

    #[test]
    fn untrusted_claims_are_overwritten() {
        let headers = updated(false, CLAIMS);
        assert_eq!(headers["x-forwarded-for"], "192.0.2.7");
        assert_eq!(headers["x-forwarded-proto"], "http");
        assert_eq!(headers["x-forwarded-host"], "shop.example");
        assert_eq!(headers["forwarded"], "for=192.0.2.7;proto=http");
        let left: Vec<_> = headers.keys().map(HeaderName::as_str).filter(|name| name.contains('_')).collect();
        assert_eq!(left, ["x_other"]);
    }

    #[test]
    fn a_trusted_proxy_is_continued() {
        let headers = updated(true, CLAIMS);
        assert_eq!(headers["x-forwarded-for"], "198.51.100.1, 198.51.100.2, 192.0.2.7");
        assert_eq!(headers.get_all("x-forwarded-for").iter().count(), 1);
        assert_eq!(headers["x-forwarded-proto"], "https");
        assert_eq!(headers["x-forwarded-host"], "evil.example");
        assert_eq!(headers["forwarded"], "for=198.51.100.1, for=192.0.2.7;proto=http");
    }

    #[test]
    fn forwarded_is_not_invented() {
        assert!(!updated(true, &[]).contains_key(FORWARDED));
    }

    #[test]
    fn https_is_a_trusted_peers_word_only() {
        let mut headers = HeaderMap::new();
        headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static("HTTPS, http"));
        assert!(visitor_is_on_https(true, &headers));
        assert!(!visitor_is_on_https(false, &headers));
    }
}
