//! The request target and Host (RFC 9112 3.2): what is ambiguous is refused, what is not passes byte for byte.

use http::uri::{PathAndQuery, Scheme};
use http::{HeaderValue, Method, Request, StatusCode, Uri, Version, header};

/// Why a request is refused before it is forwarded: status and a sentence for the visitor.
pub type Refusal = (StatusCode, &'static str);

const MALFORMED_HOST: Refusal = (StatusCode::BAD_REQUEST, "the Host is malformed");

/// Whether this is a `Host` (RFC 9112 3.2: an invalid one is refused, or what the site takes for the host could be
/// something else than what a check before it took for it): a name, an address or nothing, and perhaps a port.
#[must_use]
pub fn is_host(value: &[u8]) -> bool {
    let (host, port) = if let Some(inner) = value.strip_prefix(b"[") {
        let Some(end) = inner.iter().position(|b| *b == b']') else { return false };
        let (address, rest) = inner.split_at(end);
        if !address.iter().all(|b| b.is_ascii_alphanumeric() || b":.-_~".contains(b)) {
            return false;
        }
        (&[][..], rest.strip_prefix(b"]").unwrap_or(rest))
    } else {
        value.split_at(value.iter().position(|b| *b == b':').unwrap_or(value.len()))
    };
    let name = |b: &u8| b.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=".contains(b);
    let fine = |port: &[u8]| {
        port.is_empty() || port.strip_prefix(b":").is_some_and(|port| port.iter().all(u8::is_ascii_digit))
    };
    host.iter().all(name) && fine(port)
}

/// Brings the target into origin-form and Host in line with it.
///
/// # Errors
/// The refusal: RFC 9112 3.2 and 3.2.2 (Host), RFC 9110 9.3.6 (CONNECT).
pub fn normalise<B>(request: &mut Request<B>) -> Result<(), Refusal> {
    if request.method() == Method::CONNECT {
        return Err((StatusCode::METHOD_NOT_ALLOWED, "CONNECT is not supported: this is not a forward proxy"));
    }
    let uri = request.uri();
    let origin_form = match (uri.scheme(), uri.authority()) {
        // `GET example.com:443 HTTP/1.1`: authority-form belongs to CONNECT alone.
        (None, Some(_)) => return Err((StatusCode::BAD_REQUEST, "the request target is not a path")),
        (Some(_), None) => return Err((StatusCode::BAD_REQUEST, "the request target has no host")),
        (Some(scheme), Some(authority)) => {
            if ![&Scheme::HTTP, &Scheme::HTTPS].contains(&scheme) {
                return Err((StatusCode::BAD_REQUEST, "the request target is not one of http"));
            }
            // RFC 9112 3.2.2: the Host of an absolute-form target is the target's own.
            let host = HeaderValue::from_str(authority.as_str())
                .map_err(|_| (StatusCode::BAD_REQUEST, "the host of the request target is malformed"))?;
            // Of `http://shop.example#x` it says that it is `/`, and would be sent as no target at all.
            Some((uri.path_and_query().filter(|path| path.as_str() != "/").cloned(), host))
        }
        (None, None) => {
            let path = uri.path();
            if path == "*" && request.method() != Method::OPTIONS {
                return Err((StatusCode::BAD_REQUEST, "the request target * belongs to OPTIONS"));
            }
            if !path.starts_with('/') && path != "*" {
                return Err((StatusCode::BAD_REQUEST, "the request target is not a path"));
            }
            None
        }
    };
    let mut hosts = request.headers().get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(_), Some(_)) => return Err((StatusCode::BAD_REQUEST, "more than one Host")),
        (None, _) if request.version() >= Version::HTTP_11 => return Err((StatusCode::BAD_REQUEST, "no Host")),
        (Some(host), None) if !is_host(host.as_bytes()) => return Err(MALFORMED_HOST),
        _ => {}
    }
    if let Some((path, host)) = origin_form {
        // User information in an authority is a disguise more often than a name (RFC 9110 4.2.4).
        if !is_host(host.as_bytes()) {
            return Err(MALFORMED_HOST);
        }
        *request.uri_mut() = Uri::from(path.unwrap_or_else(|| PathAndQuery::from_static("/")));
        request.headers_mut().insert(header::HOST, host);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &str, target: &str, hosts: &[&str]) -> Request<()> {
        let mut request = Request::builder().method(method).uri(target).body(()).unwrap();
        for host in hosts {
            request.headers_mut().append(header::HOST, HeaderValue::from_str(host).unwrap());
        }
        request
    }

    #[test]
    fn what_is_ambiguous_is_refused() {
        for (method, target, hosts, status) in [
            ("GET", "/", &[][..], 400),
            ("GET", "/", &["a", "b"], 400),
            ("GET", "/", &["a", "a"], 400),
            ("GET", "example.com:443", &["a"], 400),
            ("GET", "*", &["a"], 400),
            ("CONNECT", "example.com:443", &["a"], 405),
            ("GET", "http://a/", &[], 400),
            ("GET", "ftp://a/", &["a"], 400),
            ("GET", "http://b@a/", &["a"], 400),
            ("GET", "/", &["a b"], 400),
        ] {
            let refusal = normalise(&mut request(method, target, hosts)).unwrap_err();
            assert_eq!(refusal.0.as_u16(), status, "{method} {target}");
        }
    }

    #[test]
    fn origin_form_is_untouched() {
        for target in ["/", "//x//", "/a/../b/./%2F%zz?x=+&&", "/?", "/p?a=b?c"] {
            let mut request = request("GET", target, &["a"]);
            normalise(&mut request).unwrap();
            assert_eq!(request.uri().to_string(), target);
        }
        let mut options = request("OPTIONS", "*", &["a"]);
        normalise(&mut options).unwrap();
        assert_eq!(options.uri().to_string(), "*");
    }

    #[test]
    fn a_host_is_a_name_or_an_address_and_perhaps_a_port() {
        for host in ["", "a", "A.b-c_d", "192.0.2.1:80", "[2001:db8::1]", "[::1]:81", "a:", "caf%C3%A9"] {
            assert!(is_host(host.as_bytes()), "{host}");
        }
        for host in [
            "a b", "a/b", "a?b", "a#b", "a@b", "a:b", "a:1:2", "[::1", "[::1]x", "[::1]80", "[[::1]", "::1", "a\\b",
            "\u{e9}",
        ] {
            assert!(!is_host(host.as_bytes()), "{host}");
        }
    }

    #[test]
    fn absolute_form_replaces_the_host() {
        let mut request = request("GET", "http://shop.example:81/x?y", &["other.example"]);
        normalise(&mut request).unwrap();
        assert_eq!(request.uri().to_string(), "/x?y");
        assert_eq!(request.headers()[header::HOST], "shop.example:81");
    }

    #[test]
    fn an_absolute_form_without_a_path_asks_for_the_root() {
        for (target, origin_form) in
            [("http://a", "/"), ("http://a/", "/"), ("http://a?x", "/?x"), ("http://a#x", "/"), ("http://a?#x", "/?")]
        {
            let mut request = request("GET", target, &["a"]);
            normalise(&mut request).unwrap();
            assert_eq!(request.uri().to_string(), origin_form, "{target}");
        }
    }
}
