//! A request's head through everything that reads or rewrites heads on the full way: target and Host, hop-by-hop fields,
//! forwarding fields, the visitor's address. The first line is method and target, the others are fields; the first byte
//! chooses peer, trust and version.
#![no_main]

use std::net::IpAddr;

use capi_sidecar::proxy::address::TrustedProxies;
use capi_sidecar::proxy::peer::Peer;
use capi_sidecar::proxy::{forwarded, headers, target};
use http::header::{CONNECTION, CONTENT_LENGTH, FORWARDED, HOST, TE, TRAILER, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version};
use libfuzzer_sys::fuzz_target;

/// Named in a `Connection` line, they stay all the same: what they say is not for this hop, or not the visitor's to take away.
const STAY: [&str; 8] = [
    "host",
    "content-length",
    "transfer-encoding",
    "cookie",
    "set-cookie",
    "authorization",
    "cache-control",
    "forwarded",
];

fuzz_target!(|input: &[u8]| {
    let Some((choice, rest)) = input.split_first() else { return };
    let Some(mut request) = request(rest, choice & 1 == 1) else { return };
    addresses(request.headers(), *choice);
    hop_by_hop(request.headers().clone());
    framing(request.headers().clone());
    if target::normalise(&mut request).is_ok() {
        is_unambiguous(&request);
    }
});

/// What hyper would make of it, as far as the parts are.
fn request(bytes: &[u8], is_old: bool) -> Option<Request<()>> {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let mut words = lines.next()?.split(|byte| *byte == b' ');
    let mut request = Request::new(());
    *request.method_mut() = Method::from_bytes(words.next()?).ok()?;
    *request.uri_mut() = Uri::try_from(words.next()?).ok()?;
    *request.version_mut() = if is_old { Version::HTTP_10 } else { Version::HTTP_11 };
    for line in lines.take(64) {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let name = HeaderName::from_bytes(&line[..colon]).ok()?;
        request.headers_mut().append(name, HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?);
    }
    Some(request)
}

fn is_unambiguous(request: &Request<()>) {
    let (uri, hosts) = (request.uri(), request.headers().get_all(HOST).iter().count());
    assert!(uri.scheme().is_none() && uri.authority().is_none(), "{uri} is in origin-form");
    assert!(uri.path().starts_with('/') || (uri.path() == "*" && request.method() == Method::OPTIONS), "{uri}");
    assert!(hosts == 1 || (hosts == 0 && request.version() == Version::HTTP_10), "{hosts} Hosts");
    if let Some(host) = request.headers().get(HOST) {
        // RFC 9110 4.2.4: what stands before an @ is not the host, whatever it looks like.
        let is_of_a_host = |byte: &u8| byte.is_ascii_graphic() && !b"@/?#\\\"<>".contains(byte);
        assert!(host.as_bytes().iter().all(is_of_a_host), "{host:?}");
    }
}

/// RFC 9110 7.6.1: nothing of this hop survives, nothing else is lost.
fn hop_by_hop(before: HeaderMap) {
    let mut after = before.clone();
    headers::strip_hop_by_hop(&mut after);
    let nominated: Vec<Vec<u8>> = before.get_all(CONNECTION).iter().flat_map(list).collect();
    for name in before.keys() {
        let is_of_the_hop = ["connection", "keep-alive", "proxy-connection", "upgrade", "http2-settings", "te"]
            .contains(&name.as_str());
        let stays = STAY.contains(&name.as_str()) || name.as_str().starts_with("x-forwarded-");
        let is_nominated = nominated.iter().any(|token| token == name.as_str().as_bytes());
        if *name == TRAILER {
            // It says what may follow, and not all of that passes.
        } else if !is_of_the_hop {
            let kept = before.get_all(name).iter().eq(after.get_all(name).iter());
            let gone = !after.contains_key(name);
            assert!(if is_nominated && !stays { gone } else { kept }, "{name}, nominated by {nominated:?}");
        } else if *name != TE && *name != CONNECTION {
            assert!(!after.contains_key(name), "{name}");
        }
    }
    // All that is left of both is what says that trailers are understood.
    let left: Vec<_> = [TE, CONNECTION].iter().flat_map(|name| after.get_all(name)).collect();
    assert!(left.is_empty() || left == ["trailers", "te"], "{left:?}");
    let mut again = after.clone();
    headers::strip_hop_by_hop(&mut again);
    assert_eq!(again, if left.is_empty() { after } else { again.clone() }, "stripped once is stripped");
    headers::strip_httpoxy(&mut again);
    assert!(!again.contains_key("proxy"));
}

fn framing(before: HeaderMap) {
    if headers::framing_is_understood(&before) {
        let codings: Vec<Vec<u8>> = before.get_all(TRANSFER_ENCODING).iter().flat_map(list).collect();
        let is_there = before.contains_key(TRANSFER_ENCODING);
        assert!(if is_there { codings == [b"chunked"] } else { codings.is_empty() }, "{codings:?}");
    }
    let mut answer = before.clone();
    headers::repair_answer_framing(&mut answer);
    assert!(!answer.contains_key(TRANSFER_ENCODING));
    assert!(!answer.contains_key(CONTENT_LENGTH) || !before.contains_key(TRANSFER_ENCODING), "two framings");
    let reserved = [HeaderName::from_static("x-gclid")];
    headers::strip_reserved(&mut answer, &reserved);
    assert!(!answer.contains_key("x-gclid") && !answer.contains_key("x_gclid"));
}

/// Who the visitor is, and what the next hop is told of it.
fn addresses(before: &HeaderMap, choice: u8) {
    let nets = ["10.0.0.0/8", "fd00::/8"].map(|net| net.parse().unwrap());
    let proxies = TrustedProxies::new(nets.to_vec(), None);
    let peers = ["10.1.2.3", "192.0.2.7", "fd00::1", "::ffff:10.9.9.9"];
    let address: IpAddr = peers[usize::from(choice >> 1) % peers.len()].parse().unwrap();
    let peer = Peer::clear(address);
    let trusted = proxies.contains(address);
    let visitor = proxies.visitor(address, before);
    assert!(trusted || visitor == peer.address, "a stranger speaks for nobody");

    let mut after = before.clone();
    forwarded::update(&mut after, peer, trusted, before.get(HOST));
    let own = peer.address.to_string();
    let last = |name: HeaderName| -> Option<String> {
        let [line] = after.get_all(&name).iter().collect::<Vec<_>>()[..] else { return None };
        assert!(line.as_bytes().iter().all(|byte| !matches!(byte, b'\r' | b'\n' | 0)), "{line:?}");
        let line = String::from_utf8_lossy(line.as_bytes()).into_owned();
        Some(line.rsplit(',').next().unwrap_or_default().trim().to_owned())
    };
    assert_eq!(last(forwarded::X_FORWARDED_FOR), Some(own.clone()), "one line, which ends in the peer");
    if before.contains_key(FORWARDED) {
        assert!(last(FORWARDED).is_some_and(|element| element.contains(&own)));
    }
    assert!(after.keys().all(|name| !forwarded::is_underscore_twin(name.as_str())));
    if trusted {
        // A proxy behind this one that trusts the same networks finds the same visitor, where one list is kept.
        let is_one_list = before.contains_key(forwarded::X_FORWARDED_FOR) || !before.contains_key(FORWARDED);
        if is_one_list {
            assert_eq!(proxies.visitor("10.0.0.99".parse().unwrap(), &after), visitor);
        }
    } else {
        assert_eq!(after[forwarded::X_FORWARDED_FOR], own.as_str(), "a stranger's list is not continued");
        assert_eq!(after[forwarded::X_FORWARDED_PROTO], "http");
        assert_eq!(after.get_all(forwarded::X_FORWARDED_HOST).iter().next(), before.get(HOST));
    }
}

/// The elements of a line, in lower case.
fn list(line: &HeaderValue) -> Vec<Vec<u8>> {
    let elements = line.as_bytes().split(|byte| *byte == b',').map(|token| token.trim_ascii().to_ascii_lowercase());
    elements.filter(|token| !token.is_empty()).collect()
}
