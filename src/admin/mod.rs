//! The admin port: `/live`, `/ready`, `/metrics` and the status page.
//!
//! It only reads. Health and metrics are open, so that probes need no secret; the page needs the token wherever the port
//! is not on loopback. Readiness follows the drain and the listener, never Graph: a site must not be taken out of service
//! because Meta is down.

mod consent;
pub mod exposition;
mod page;

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HOST, WWW_AUTHENTICATE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;
use tokio::net::TcpListener;

use crate::exchange::host_name;
use crate::intake::Reports;
use crate::metrics::Sample;

pub use page::Facts;

/// What the admin port shows.
pub struct Admin {
    /// The token for everything but health and metrics; `None` on loopback only.
    pub token: Option<SecretString>,
    /// False before the listener is up and from the first sign of a shutdown.
    pub ready: Arc<AtomicBool>,
    /// Decisions.
    pub reports: Arc<Reports>,
    /// All counters and gauges at this moment.
    pub samples: Box<dyn Fn() -> Vec<Sample> + Send + Sync>,
    /// What the page says of the configuration.
    pub facts: Box<dyn Fn() -> Facts + Send + Sync>,
}

/// Binds the admin port.
///
/// # Errors
/// When the address cannot be bound.
pub fn bind(address: SocketAddr) -> io::Result<StdListener> {
    let listener = StdListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Serves until the runtime ends.
///
/// # Errors
/// When the listener cannot be registered.
pub async fn serve(listener: StdListener, admin: Arc<Admin>) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let admin = Arc::clone(&admin);
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let answer = answer(&admin, &request);
                async move { Ok::<_, Infallible>(answer) }
            });
            let mut builder = http1::Builder::new();
            builder.timer(TokioTimer::new()).header_read_timeout(Duration::from_secs(10));
            // A probe that hangs up is no event.
            let _ = builder.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

fn answer(admin: &Admin, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return text(StatusCode::METHOD_NOT_ALLOWED, "this port only answers GET\n");
    }
    match request.uri().path() {
        "/live" => text(StatusCode::OK, "live\n"),
        "/ready" if admin.ready.load(Ordering::Acquire) => text(StatusCode::OK, "ready\n"),
        "/ready" => text(StatusCode::SERVICE_UNAVAILABLE, "not ready\n"),
        "/metrics" => {
            let body = exposition::render(&(admin.samples)(), &admin.reports.counts(), &admin.reports.coverage());
            typed(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", body)
        }
        "/" => {
            if let Err(refusal) = admitted(admin, request) {
                return *refusal;
            }
            let html = page::render(&(admin.facts)(), &(admin.samples)(), &admin.reports);
            typed(StatusCode::OK, "text/html; charset=utf-8", html)
        }
        _ => text(StatusCode::NOT_FOUND, "nothing here; see /, /live, /ready, /metrics\n"),
    }
}

/// With a token: the token. Without one (loopback): a Host that is this machine, so that a web page in the operator's
/// browser cannot read the port by rebinding its own name to 127.0.0.1.
fn admitted(admin: &Admin, request: &Request<Incoming>) -> Result<(), Box<Response<Full<Bytes>>>> {
    let Some(token) = &admin.token else {
        let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let name = host_name(host);
        let local = name == "localhost" || name.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok();
        return if local {
            Ok(())
        } else {
            Err(Box::new(text(StatusCode::FORBIDDEN, "ask for 127.0.0.1 or localhost\n")))
        };
    };
    let given = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(credential);
    if given.is_some_and(|given| bool::from(given.as_bytes().ct_eq(token.expose_secret().as_bytes()))) {
        return Ok(());
    }
    let mut refusal = text(StatusCode::UNAUTHORIZED, "the admin token is needed, as Bearer or as Basic password\n");
    refusal.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"capi-sidecar\""));
    Err(Box::new(refusal))
}

fn credential(value: &str) -> Option<String> {
    let (scheme, rest) = value.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.trim().to_owned());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(rest.trim()).ok()?).ok()?;
    decoded.split_once(':').map(|(_, password)| password.to_owned())
}

fn text(status: StatusCode, body: &'static str) -> Response<Full<Bytes>> {
    typed(status, "text/plain; charset=utf-8", body.to_owned())
}

fn typed(status: StatusCode, content_type: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    headers.insert("x-frame-options", HeaderValue::from_static("DENY"));
    headers.insert(
        "content-security-policy",
        HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
    );
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_read_from_bearer_and_basic() {
        assert_eq!(credential("Bearer abc").as_deref(), Some("abc"));
        assert_eq!(credential("basic YWRtaW46YWJjOmQ=").as_deref(), Some("abc:d"));
        for bad in ["", "Bearer", "Digest x", "Basic !!!"] {
            assert_eq!(credential(bad), None, "{bad}");
        }
    }
}
