//! The request target and Host (RFC 9112 3.2): what is ambiguous is refused, what is not passes byte for byte.

use http::uri::PathAndQuery;
use http::{HeaderValue, Method, Request, StatusCode, Uri, Version, header};

/// Why a request is refused before it is forwarded: status and a sentence for the visitor.
pub type Refusal = (StatusCode, &'static str);

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
        (Some(_), Some(authority)) => {
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
    let hosts = request.headers().get_all(header::HOST).iter().count();
    if hosts > 1 {
        return Err((StatusCode::BAD_REQUEST, "more than one Host"));
    }
    if hosts == 0 && request.version() >= Version::HTTP_11 && origin_form.is_none() {
        return Err((StatusCode::BAD_REQUEST, "no Host"));
    }
    if let Some((path, host)) = origin_form {
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
