//! `X-Forwarded-*` and `Forwarded` (RFC 7239) on requests to the site: untrusted ones are overwritten, a trusted
//! proxy's are continued.

use std::borrow::Cow;
use std::net::IpAddr;

use bytes::Bytes;
use http::header::FORWARDED;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::fields::Fields;
use super::peer::Peer;

/// The list of addresses.
pub const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// The visitor's scheme.
pub const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// The visitor's Host.
pub const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// What CGI and PHP cannot tell from the names that this proxy sets (`HTTP_X_FORWARDED_FOR` is both). nginx drops
/// every name with an underscore; here only those that would forge one of these go.
#[must_use]
pub fn is_underscore_twin(name: &str) -> bool {
    name.contains('_')
        && ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"]
            .iter()
            .any(|own| own.eq_ignore_ascii_case(&name.replace('_', "-")))
}

/// Whether the visitor spoke https: by a trusted peer's `X-Forwarded-Proto`, which knows of hops before it, else by what the
/// peer speaks with us.
#[must_use]
pub fn visitor_is_on_https(peer_speaks_tls: bool, trusted: bool, headers: &dyn Fields) -> bool {
    match headers.first(&X_FORWARDED_PROTO).filter(|_| trusted) {
        Some(line) => line.split(|b| *b == b',').next().is_some_and(is_https),
        None => peer_speaks_tls,
    }
}

fn is_https(value: &[u8]) -> bool {
    value.trim_ascii().eq_ignore_ascii_case(b"https")
}

/// What becomes of the lines of one forwarding field.
#[derive(Debug, PartialEq, Eq)]
pub enum Change<'c> {
    /// They stay.
    Keep,
    /// They go.
    Remove,
    /// They become one line.
    Set(Cow<'c, [u8]>),
}

/// The forwarding fields for the next hop, of those that came.
pub fn changes<'c>(
    headers: &dyn Fields,
    peer: Peer,
    trusted: bool,
    host: Option<&'c [u8]>,
) -> [(HeaderName, Change<'c>); 4] {
    let address = peer.address.to_canonical();
    let proto = if peer.https { "https" } else { "http" };
    let forwarded_for = continued(headers, &X_FORWARDED_FOR, trusted, &address.to_string());
    let stays = |name: &HeaderName| trusted && headers.first(name).is_some();
    let proto_line =
        if stays(&X_FORWARDED_PROTO) { Change::Keep } else { Change::Set(Cow::Borrowed(proto.as_bytes())) };
    let host_line = match host {
        _ if stays(&X_FORWARDED_HOST) => Change::Keep,
        Some(host) => Change::Set(Cow::Borrowed(host)),
        None => Change::Remove,
    };
    // Only where somebody uses it: adding a second way of saying the same would change requests for nothing.
    let forwarded = if headers.first(&FORWARDED).is_some() {
        let node = match address {
            IpAddr::V4(address) => format!("for={address};proto={proto}"),
            IpAddr::V6(address) => format!("for=\"[{address}]\";proto={proto}"),
        };
        Change::Set(continued(headers, &FORWARDED, trusted, &node).into())
    } else {
        Change::Keep
    };
    [
        (X_FORWARDED_FOR, Change::Set(forwarded_for.into())),
        (X_FORWARDED_PROTO, proto_line),
        (X_FORWARDED_HOST, host_line),
        (FORWARDED, forwarded),
    ]
}

/// Brings the forwarding fields up to date for the next hop. `headers` still holds the visitor's own.
pub fn update(headers: &mut HeaderMap, peer: Peer, trusted: bool, host: Option<&HeaderValue>) {
    let twins: Vec<HeaderName> = headers.keys().filter(|name| is_underscore_twin(name.as_str())).cloned().collect();
    for twin in twins {
        headers.remove(twin);
    }
    for (name, change) in changes(headers, peer, trusted, host.map(HeaderValue::as_bytes)) {
        match change {
            Change::Keep => {}
            Change::Remove => drop(headers.remove(name)),
            Change::Set(value) => {
                // The Host is shared, not copied.
                let shared = host.filter(|host| host.as_bytes() == &*value).cloned().map(Ok);
                let value = shared.unwrap_or_else(|| HeaderValue::from_maybe_shared(Bytes::from(value.into_owned())));
                // Made of lines that came and of addresses: it is a value.
                if let Ok(value) = value {
                    headers.insert(name, value);
                }
            }
        }
    }
}

/// The lines of a list field folded into one, with `own` at the end; `own` alone where they are not believed.
fn continued(headers: &dyn Fields, name: &HeaderName, trusted: bool, own: &str) -> Vec<u8> {
    let mut list = Vec::new();
    if trusted {
        for line in headers.all(name) {
            if !line.is_empty() {
                list.extend_from_slice(line);
                list.extend_from_slice(b", ");
            }
        }
    }
    list.extend_from_slice(own.as_bytes());
    list
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
        update(&mut headers, Peer::clear("::ffff:192.0.2.7".parse().unwrap()), trusted, Some(&host));
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
    fn https_is_a_trusted_peers_word_or_our_own_tls() {
        let mut headers = HeaderMap::new();
        headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static("HTTPS, http"));
        assert!(visitor_is_on_https(false, true, &headers));
        assert!(!visitor_is_on_https(false, false, &headers));
        headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static("http"));
        assert!(!visitor_is_on_https(true, true, &headers), "a balancer that speaks TLS with us alone");
        assert!(visitor_is_on_https(true, false, &headers));
        assert!(visitor_is_on_https(true, true, &HeaderMap::new()));
    }
}
