//! The settings: one table ([`table`]) of which file keys, environment variables, flags, `--help`, the reference in the
//! README and the JSON schema are made; [`load`] puts the sources together and validates.
//!
//! Precedence: flag beats environment beats file. Every error names the key, the place, what was found and what would be
//! right, and all of them are reported at once.

mod build;
mod consent;
mod endpoint;
mod error;
mod file;
mod layers;
pub mod parse;
mod reader;
pub mod reference;
pub mod table;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use http::HeaderName;

use ipnet::IpNet;
use rustls::pki_types::CertificateDer;
use secrecy::SecretString;

use crate::glob;
use crate::landing::OtherClickId;
use crate::lead::normalize::Country;
use crate::outbox::{Order, StoreUrl};
use crate::proxy::tls::Identity;

pub use build::{Loaded, Purpose, load};
pub use endpoint::{Listen, Upstream};
pub use error::{ConfigError, ConfigErrors};
pub use layers::Sources;

/// Everything `run` needs to know, validated.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where visitors connect.
    pub listen: Listen,
    /// Mode of the file, where it is one.
    pub listen_mode: Option<u32>,
    /// Whether every connection begins with a PROXY header.
    pub proxy_protocol: bool,
    /// Our own TLS; `None`: cleartext.
    pub tls: Option<TlsConfig>,
    /// Whether HTTP/2 is offered to visitors.
    pub http2: bool,
    /// The site.
    pub upstream: Upstream,
    /// Authorities that may vouch for it, besides those of the system.
    pub upstream_ca: Vec<CertificateDer<'static>>,
    /// Where events go; at least one for `run`.
    pub pixels: Vec<Pixel>,
    /// The consent policy.
    pub consent: ConsentConfig,
    /// Region of phone numbers without a country code.
    pub default_country: Option<Country>,
    /// Peers whose forwarding headers are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// What happens to X-Forwarded-* and Forwarded.
    pub forwarded_headers: ForwardedHeaders,
    /// Whether header-name case is kept.
    pub header_case: HeaderCase,
    /// Whether plain GETs may take the cheaper way.
    pub plain_way: bool,
    /// Landing cookies.
    pub landing: LandingConfig,
    /// Rules by the operator, first match wins.
    pub forms: Vec<FormRule>,
    /// The header in which trusted proxies name the visitor.
    pub client_ip_header: Option<HeaderName>,
    /// Networks of the operator's own people: no cookie, no lead.
    pub internal_addresses: Vec<IpNet>,
    /// Whether pages are read for what their forms' fields mean.
    pub learn_pages: bool,
    /// The store.
    pub store: StoreConfig,
    /// Graph.
    pub delivery: DeliveryConfig,
    /// Memory bounds.
    pub limits: Limits,
    /// Timeouts of the data plane.
    pub timeouts: Timeouts,
    /// The admin port.
    pub admin: AdminConfig,
    /// Data-plane threads.
    pub workers: usize,
    /// Logging.
    pub log: LogConfig,
}

/// `[tls]`: who we are to visitors.
#[derive(Debug, Clone)]
pub struct TlsConfig {
    /// Certificate and key, as they were in their files when the configuration was read.
    pub identity: Identity,
}

/// One Meta pixel (dataset).
#[derive(Debug, Clone)]
pub struct Pixel {
    /// Digits.
    pub id: String,
    /// The token; `None` only where nothing is sent (`explain`, `check`).
    pub access_token: Option<SecretString>,
    /// Where it is read again on reload.
    pub access_token_file: Option<PathBuf>,
    /// Hosts it serves, lower case; empty: all.
    pub hosts: Vec<String>,
    /// Test code and for how long after first use it is sent.
    pub test_event_code: Option<String>,
    /// Default one hour.
    pub test_event_code_expires: Duration,
}

/// What counts as consent and what a "no" becomes.
#[derive(Debug, Clone, Default)]
pub struct ConsentConfig {
    /// No signal found.
    pub unknown: OnUnknown,
    /// A signal said no.
    pub denied: OnDenied,
    /// What `Sec-GPC: 1` is against a banner's yes.
    pub gpc: OnGpc,
    /// The banners that are believed; empty: all.
    pub signals: Vec<String>,
    /// Overrides per signal, home-made signals, and the bridge cookie.
    pub rules: Vec<ConsentRule>,
    /// Hosts with a policy of their own.
    pub hosts: Vec<HostConsent>,
    /// Whether a submission without a choice waits for one.
    pub hold: bool,
    /// For how long.
    pub hold_for: Duration,
    /// The site's own session cookie, by which the browser is known again; `None`: one of ours.
    pub session_cookie: Option<String>,
}

/// What happens to a submission, by the host it came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConsentPolicy {
    /// No signal found.
    pub unknown: OnUnknown,
    /// A signal said no.
    pub denied: OnDenied,
    /// No choice yet: how long it waits for one; `None`: not at all.
    pub hold: Option<Duration>,
}

impl ConsentConfig {
    /// The rules about a signal on a host.
    pub fn rules_for<'c>(&'c self, signal: &'c str, host: &'c str) -> impl Iterator<Item = &'c ConsentRule> {
        self.rules.iter().filter(move |rule| rule.signal == signal && serves(&rule.hosts, host))
    }

    /// The rule that the bridge cookie is.
    #[must_use]
    pub fn bridge(name: &str) -> ConsentRule {
        ConsentRule { signal: "bridge".to_owned(), name: Some(name.to_owned()), ..ConsentRule::default() }
    }

    /// The policy for a host: the first entry for it, and the general one where that says nothing.
    #[must_use]
    pub fn policy(&self, host: &str) -> ConsentPolicy {
        let own = self.hosts.iter().find(|entry| serves(&entry.hosts, host));
        ConsentPolicy {
            unknown: own.and_then(|own| own.unknown).unwrap_or(self.unknown),
            denied: own.and_then(|own| own.denied).unwrap_or(self.denied),
            hold: own.and_then(|own| own.hold).unwrap_or(self.hold).then_some(self.hold_for),
        }
    }

    /// Whether submissions may wait on any host.
    #[must_use]
    pub fn may_hold(&self) -> bool {
        self.hold || self.hosts.iter().any(|entry| entry.hold == Some(true))
    }
}

/// Whether a list of hosts is for this one; an empty list is for all. `*.example.com` is for every host below it.
#[must_use]
pub fn serves(hosts: &[String], host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    hosts.is_empty() || hosts.iter().any(|pattern| glob::matches(pattern, &host.to_ascii_lowercase()))
}

/// `[[consent.host]]`: what is different on some hosts.
#[derive(Debug, Clone, Default)]
pub struct HostConsent {
    /// The hosts, lower case, `*` as wildcard.
    pub hosts: Vec<String>,
    /// Instead of the general one.
    pub unknown: Option<OnUnknown>,
    /// Instead of the general one.
    pub denied: Option<OnDenied>,
    /// Instead of the general one.
    pub hold: Option<bool>,
}

/// `consent.gpc`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnGpc {
    /// A no, whatever a banner says.
    #[default]
    Deny,
    /// A no, unless every banner that is there has an explicit yes.
    Yield,
}

/// `--consent-unknown`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnUnknown {
    /// No signal counts as no.
    #[default]
    Deny,
    /// No signal counts as yes: the operator vouches for it.
    Grant,
}

/// `--consent-denied`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnDenied {
    /// An event without any `user_data`, in a request of its own.
    #[default]
    EventOnly,
    /// Nothing.
    Drop,
    /// Limited Data Use where the denial is a US opt-out; else event-only.
    Ldu,
}

/// `[[consent.rule]]`: e.g. `signal = "onetrust"`, `category = "C0005"`; or `signal = "cookie"`, `name = "ads_ok"`,
/// `granted = ["yes"]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConsentRule {
    /// The reader it is for.
    pub signal: String,
    /// The category, group or service that means marketing here.
    pub category: Option<String>,
    /// The cookie, header or field of a home-made signal; for a banner the cookie's name where the site renamed it.
    pub name: Option<String>,
    /// Values that mean yes, `*` as wildcard.
    pub granted: Vec<String>,
    /// Values that mean no.
    pub denied: Vec<String>,
    /// JSON pointer (RFC 6901) to the value inside the cookie or header.
    pub pointer: Option<String>,
    /// The value is in base64.
    pub base64: bool,
    /// Only on these hosts; empty: all.
    pub hosts: Vec<String>,
    /// For a field: only forms on, or posted to, this path, `*` as wildcard.
    pub path: Option<String>,
}

/// `--forwarded-headers`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ForwardedHeaders {
    /// Untrusted overwritten, trusted appended.
    #[default]
    Update,
    /// Nothing touched.
    Untouched,
}

/// `--header-case`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum HeaderCase {
    /// As sent.
    #[default]
    Preserve,
    /// Lower case: cheaper.
    Lower,
}

/// `[landing]`.
#[derive(Debug, Clone, Default)]
pub struct LandingConfig {
    /// Mint `_fbp` when consented.
    pub mint_fbp: bool,
    /// Click ids of other networks that are kept in cookies when consented.
    pub click_ids: Vec<&'static OtherClickId>,
    /// Under which request header each is handed to the site with a submission.
    pub click_id_headers: Vec<(&'static OtherClickId, HeaderName)>,
}

/// `[[form]]`.
#[derive(Debug, Clone, Default)]
pub struct FormRule {
    /// Path glob with `*`; `None`: all.
    pub path: Option<String>,
    /// Host; `None`: all.
    pub host: Option<String>,
    /// The handler that recognised the post; `None`: whichever.
    pub handler: Option<String>,
    /// Field name → role (`em`, `ph`, …, `name`, `value`, …) or `ignore`.
    pub fields: Vec<(String, String)>,
    /// When a match means success.
    pub success: Option<SuccessRule>,
    /// Never a lead.
    pub ignore: bool,
    /// Default `Lead`.
    pub event_name: Option<String>,
    /// Value in `currency`.
    pub value: Option<f64>,
    /// ISO 4217.
    pub currency: Option<String>,
    /// `content_name`: a constant or `field:NAME`.
    pub content_name: Option<String>,
    /// `lead_qualification`: a constant or `field:NAME`.
    pub lead_qualification: Option<String>,
    /// Further `custom_data`: a constant or `field:NAME`.
    pub custom_data: Vec<(String, String)>,
}

/// `success = { status = [200], contains = "…", json = { "/status" = "ok" } }`: all that are given must hold.
#[derive(Debug, Clone, Default)]
pub struct SuccessRule {
    /// One of these.
    pub status: Vec<u16>,
    /// Text in the decoded body.
    pub contains: Option<String>,
    /// Glob on the Location's path.
    pub location: Option<String>,
    /// A CSS selector that selects something in an HTML answer.
    pub selector: Option<String>,
    /// Header name → glob on its value.
    pub header: Vec<(String, String)>,
    /// JSON pointer (RFC 6901) → glob on the value there.
    pub json: Vec<(String, String)>,
}

/// `[store]`.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// Which store.
    pub url: StoreUrl,
    /// The file that stands in for a shared store while that is away.
    pub local: PathBuf,
    /// How long leads wait in it before they are sent from there.
    pub local_after: Duration,
    /// Key of the fingerprints; `None`: the random one that the store made for itself.
    pub event_id_secret: Option<SecretString>,
    /// How long the last byte of an answer waits for the commit.
    pub commit_wait: Duration,
}

/// `[delivery]`.
#[derive(Debug, Clone)]
pub struct DeliveryConfig {
    /// `https://graph.facebook.com`, without a trailing slash.
    pub graph_endpoint: String,
    /// `v26.0`.
    pub graph_version: String,
    /// Per request.
    pub timeout: Duration,
    /// In which order a backlog is sent.
    pub order: Order,
}

/// `[limits]`.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Text fields per submission, and the copy of an answer.
    pub capture_bytes: usize,
    /// All captures together.
    pub capture_budget: usize,
    /// Exchanges waiting for the lead plane.
    pub queue: usize,
    /// Header fields per message.
    pub max_headers: usize,
    /// Bytes of a message head.
    pub max_head_bytes: usize,
    /// Connections at once.
    pub max_connections: usize,
}

/// Timeouts of the data plane, each separate.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// TCP connect to the site.
    pub connect: Duration,
    /// From the first byte (or the end of the last answer) to a complete request head.
    pub header_read: Duration,
    /// Between two pieces of a body, either way.
    pub body_stall: Duration,
    /// From the complete request to the head of the answer.
    pub response: Duration,
    /// An upgraded connection without traffic.
    pub tunnel_idle: Duration,
    /// A pooled upstream connection without a request.
    pub pool_idle: Duration,
    /// From SIGTERM to the hard stop.
    pub drain: Duration,
    /// From SIGTERM to no more new connections.
    pub shutdown_grace: Duration,
}

/// `[admin]`.
#[derive(Debug, Clone)]
pub struct AdminConfig {
    /// Default loopback.
    pub listen: SocketAddr,
    /// Needed for a non-loopback bind.
    pub token: Option<SecretString>,
}

/// `[log]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogConfig {
    /// JSON lines instead of text.
    pub json: bool,
    /// `error`, `warn`, `info`, `debug`, `trace`, or tracing directives.
    pub level: String,
}
