//! One request to Graph.
//! <https://developers.facebook.com/docs/marketing-api/conversions-api/using-the-api>

use std::time::Duration;

use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::header::{DATE, HeaderMap};
use secrecy::ExposeSecret;
use serde::Serialize;

use super::classify::{Answer, classify};
use super::usage;
use crate::config::{DeliveryConfig, Pixel};
use crate::lead::event::Sent;

/// Shown in Events Manager as the integration's name. Fewer than 23 characters, by Meta's rule.
const PARTNER_AGENT: &str = "capi-sidecar";
/// More of an answer is not read.
const MAX_ANSWER: usize = 64 * 1024;

/// A client that keeps its connections. `timeout` is that of a request; the connection must be there sooner, so that a
/// network that swallows everything is told from a request that nobody answered: only the latter leaves a lead in doubt.
///
/// # Errors
/// When the system's TLS roots cannot be read.
pub fn client(timeout: Duration) -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder()
        .connect_timeout(timeout * 3 / 4)
        .user_agent(concat!("capi-sidecar/", env!("CARGO_PKG_VERSION")))
        // Contact data goes where it was meant to go and nowhere else.
        .redirect(reqwest::redirect::Policy::none())
        .build()
}

/// What came back, and how long Graph asked to be left alone.
pub struct Reply {
    /// Its meaning.
    pub answer: Answer,
    /// Graph's own wish.
    pub wait: Option<Duration>,
    /// By its usage headers a throttle is near.
    pub nearly_full: bool,
    /// Graph's clock, Unix seconds.
    pub date: Option<u64>,
}

impl Reply {
    /// No answer came. `in_doubt`: the request had left.
    pub const fn none(in_doubt: bool) -> Self {
        Self { answer: Answer::none(in_doubt), wait: None, nearly_full: false, date: None }
    }
}

/// What is posted. The token is in the body, as Meta's own SDKs do it: URLs end up in logs.
#[derive(Serialize)]
struct Body<'a> {
    access_token: &'a str,
    data: &'a [Sent<'a>],
    partner_agent: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    test_event_code: Option<&'a str>,
}

/// Sends events. Never fails: no answer is an answer too.
pub async fn send(
    client: &reqwest::Client,
    config: &DeliveryConfig,
    pixel: &Pixel,
    events: Vec<Sent<'_>>,
    test_event_code: Option<&str>,
) -> Reply {
    let sent = events.len();
    let url = format!("{}/{}/{}/events", config.graph_endpoint, config.graph_version, pixel.id);
    let access_token = pixel.access_token.as_ref().map(ExposeSecret::expose_secret).unwrap_or_default();
    let body = Body { access_token, data: &events, partner_agent: PARTNER_AGENT, test_event_code };
    // Texts and numbers cannot fail to serialise.
    let body = serde_json::to_vec(&body).unwrap_or_default();
    let request = client.post(url).header("content-type", "application/json").timeout(config.timeout).body(body);
    let mut response = match request.send().await {
        Ok(response) => response,
        Err(error) => {
            // Without a connection nothing has left.
            let in_doubt = !error.is_connect();
            tracing::debug!(error = %error.without_url(), pixel = pixel.id, in_doubt, "no answer from Graph");
            return Reply::none(in_doubt);
        }
    };
    let status = response.status().as_u16();
    let wait = usage::asked_to_wait(response.headers());
    let nearly_full = usage::is_nearly_used_up(response.headers());
    let date = date(response.headers());
    if let Some(warning) = response.headers().get("x-ad-api-version-warning").and_then(|value| value.to_str().ok()) {
        // Somebody else's words: so many will do.
        let warning: String = warning.chars().take(200).collect();
        tracing::warn!(warning, version = config.graph_version, "Graph says that this API version is ending");
    }
    let mut text = Vec::new();
    while text.len() < MAX_ANSWER {
        match response.chunk().await {
            Ok(Some(chunk)) => text.extend_from_slice(&chunk),
            Ok(None) => break,
            Err(_) => return Reply { answer: Answer::none(true), wait, nearly_full, date },
        }
    }
    Reply { answer: classify(status, &text, sent), wait, nearly_full, date }
}

/// RFC 9110, section 6.6.1. The obsolete forms of a date are not read: nobody has sent them for decades.
fn date(headers: &HeaderMap) -> Option<u64> {
    let text = headers.get(DATE)?.to_str().ok()?;
    u64::try_from(DateTimeParser::new().parse_timestamp(text).ok()?.as_second()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn graphs_clock_is_read() {
        for (text, seconds) in [
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777)),
            ("Mon, 06 Nov 1994 08:49:37 GMT", None),
            ("Wed, 31 Dec 1969 23:59:59 GMT", None),
            ("yesterday", None),
        ] {
            assert_eq!(date(&HeaderMap::from_iter([(DATE, text.parse().unwrap())])), seconds, "{text}");
        }
    }

    #[tokio::test]
    async fn what_never_left_for_want_of_a_connection_is_not_in_doubt() {
        // The queue of a listener that accepts nothing is soon full; from then on its host does not answer at all.
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(1).unwrap();
        let address = listener.local_addr().unwrap();
        let mut fill = Vec::new();
        for _ in 0..8 {
            let connect = tokio::net::TcpStream::connect(address);
            fill.extend(tokio::time::timeout(Duration::from_millis(50), connect).await.map(Result::unwrap).ok());
        }
        assert!(fill.len() < 8);
        let config = DeliveryConfig {
            graph_endpoint: format!("http://{address}"),
            graph_version: "v26.0".into(),
            timeout: Duration::from_millis(400),
            order: crate::outbox::Order::Newest,
        };
        let pixel = Pixel {
            id: "1".into(),
            access_token: None,
            access_token_file: None,
            hosts: Vec::new(),
            test_event_code: None,
            test_event_code_expires: Duration::ZERO,
        };
        let reply = send(&client(config.timeout).unwrap(), &config, &pixel, vec![Sent::default()], None).await;
        assert_eq!(reply.answer, Answer::none(false));
    }
}
