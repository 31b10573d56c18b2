//! The proxy's own answers. Short, honest about who speaks, and marked so that nobody takes them for the site's.

use http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Response, StatusCode};

use super::body::ResponseBody;
use super::tls;

/// Whatever ends a body early.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

const PROXY_STATUS: HeaderName = HeaderName::from_static("proxy-status");

/// Whose fault it was that a request got no answer from the site.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// RFC 9110 15.6.3: no connection.
    #[error("the site behind this proxy cannot be reached: {0}")]
    Connect(std::io::Error),
    /// The connection attempt took too long.
    #[error("the site behind this proxy cannot be reached: no connection within the connect timeout")]
    ConnectTimeout,
    /// The head of the answer took too long.
    #[error("the site behind this proxy did not answer in time")]
    ResponseTimeout,
    /// The connection broke before an answer, or the answer is not HTTP.
    #[error("the site behind this proxy broke off or gave no valid answer: {0}")]
    Upstream(hyper::Error),
    /// The connection broke before an answer.
    #[error("the site behind this proxy broke off: {0}")]
    Broken(std::io::Error),
    /// The answer is not HTTP, or cannot be passed on without changing its meaning.
    #[error("the site behind this proxy gave no valid answer: {0}")]
    Invalid(&'static str),
    /// A 101 nobody asked for (RFC 9110 15.2.2).
    #[error("the site behind this proxy switched protocols unasked")]
    UnaskedSwitch,
    /// The visitor's body is malformed.
    #[error("the request body is malformed")]
    BadBody,
    /// The visitor stopped sending.
    #[error("the request body stopped coming")]
    BodyStalled,
}

impl Failure {
    /// Status by RFC 9110 15.5 and 15.6, and the `Proxy-Status` error type of RFC 9209 2.3.
    fn parts(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Connect(error) if tls::is_certificate_trouble(error) => {
                (StatusCode::BAD_GATEWAY, "tls_certificate_error")
            }
            Self::Connect(error) if tls::is_tls_trouble(error) => (StatusCode::BAD_GATEWAY, "tls_protocol_error"),
            Self::Connect(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                (StatusCode::BAD_GATEWAY, "connection_refused")
            }
            Self::Connect(_) => (StatusCode::BAD_GATEWAY, "destination_unavailable"),
            Self::ConnectTimeout => (StatusCode::GATEWAY_TIMEOUT, "connection_timeout"),
            Self::ResponseTimeout => (StatusCode::GATEWAY_TIMEOUT, "http_response_timeout"),
            Self::Upstream(error) if error.is_parse() => (StatusCode::BAD_GATEWAY, "http_protocol_error"),
            Self::Upstream(_) | Self::Broken(_) => (StatusCode::BAD_GATEWAY, "http_response_incomplete"),
            Self::Invalid(_) | Self::UnaskedSwitch => (StatusCode::BAD_GATEWAY, "http_protocol_error"),
            Self::BadBody => (StatusCode::BAD_REQUEST, "http_request_error"),
            Self::BodyStalled => (StatusCode::REQUEST_TIMEOUT, "http_request_error"),
        }
    }

    /// Whether the connection was closed before anything of an answer had come: what an idle connection does that the site
    /// has just given up.
    #[must_use]
    pub fn is_dead_connection(&self) -> bool {
        let error = match self {
            Self::Upstream(error) => error,
            Self::Broken(_) => return true,
            _ => return false,
        };
        let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<std::io::Error>());
        let reset = source.is_some_and(|error| {
            matches!(error.kind(), std::io::ErrorKind::ConnectionReset | std::io::ErrorKind::BrokenPipe)
        });
        error.is_incomplete_message() || error.is_canceled() || error.is_closed() || reset
    }

    /// The visitor's answer.
    #[must_use]
    pub fn answer(&self) -> Response<ResponseBody> {
        let (status, kind) = self.parts();
        own_answer(status, kind, &self.to_string())
    }
}

/// The same answer as bytes, for a visitor on the plain way.
#[must_use]
pub fn on_the_wire(failure: &Failure, date: &str, is_head: bool) -> Vec<u8> {
    let (status, kind) = failure.parts();
    let answer = own_answer(status, kind, &failure.to_string());
    let text = own_text(status, &failure.to_string());
    let reason = status.canonical_reason().unwrap_or("Error");
    let mut out = format!("HTTP/1.1 {} {reason}\r\n", status.as_u16()).into_bytes();
    for (name, value) in answer.headers() {
        out.extend_from_slice(&[name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    out.extend_from_slice(format!("content-length: {}\r\ndate: {date}\r\n\r\n", text.len()).as_bytes());
    if !is_head {
        out.extend_from_slice(text.as_bytes());
    }
    out
}

fn own_text(status: StatusCode, sentence: &str) -> String {
    format!("{} {}: {sentence}.\n", status.as_u16(), status.canonical_reason().unwrap_or("Error"))
}

/// An answer of the proxy itself. The connection is closed after it: an unread request body would be taken for the
/// next request.
#[must_use]
pub fn own_answer(status: StatusCode, kind: &'static str, sentence: &str) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::full(own_text(status, sentence)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    if let Ok(value) = HeaderValue::from_str(&format!("capi-sidecar; error={kind}")) {
        headers.insert(PROXY_STATUS, value);
    }
    response
}
