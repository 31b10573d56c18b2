//! Layers → [`Config`]: every value converted and checked, every mistake reported.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use http::HeaderName;
use ipnet::IpNet;

use super::consent;
use super::error::ConfigErrors;
use super::layers::{Layers, Sources};
use super::reader::Reader;
use super::table::{FORM, PIXEL, SETTINGS, SUCCESS};
use super::{
    AdminConfig, Config, DeliveryConfig, FormRule, ForwardedHeaders, HeaderCase, LandingConfig, Limits, Listen,
    LogConfig, OnUnknown, Pixel, StoreConfig, SuccessRule, Timeouts, TlsConfig, Upstream, parse,
};
use crate::landing::{OTHER_CLICK_IDS, OtherClickId};
use crate::lead::contact::Key;
use crate::lead::data_key::DataKey;
use crate::lead::normalize::Country;
use crate::outbox::{Order, StoreUrl};
use crate::proxy::tls::{BadIdentity, Identity, certificates};

/// Smallest capture: below it no real answer could be judged.
const MIN_CAPTURE: usize = 16 * 1024;

/// What the configuration is for: `run` and `check` need everything, `explain` works with nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Site, pixel and token must be there.
    Run,
    /// Defaults do.
    Explain,
}

/// A validated configuration and what to tell the operator about it.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The settings.
    pub config: Config,
    /// What is allowed and probably not meant.
    pub warnings: Vec<String>,
    /// Files whose change means a reload: the configuration, the token files, the certificate and its key.
    pub watched: Vec<PathBuf>,
    comparable: BTreeMap<&'static str, String>,
}

impl Loaded {
    /// Keys that differ from `other` and take effect after a restart only.
    #[must_use]
    pub fn needs_restart(&self, other: &Self) -> Vec<&'static str> {
        let fixed = SETTINGS.iter().filter(|s| !s.live).map(|s| s.key);
        fixed.filter(|key| self.comparable.get(key) != other.comparable.get(key)).collect()
    }
}

/// Reads, merges and validates all sources.
///
/// # Errors
/// Everything that is wrong, each with its place and the remedy.
pub fn load(sources: &Sources, purpose: Purpose) -> Result<Loaded, ConfigErrors> {
    let mut errors = Vec::new();
    let layers = Layers::read(sources, &mut errors);
    let comparable = layers.comparable();
    let mut warnings = Vec::new();
    let mut watched: Vec<_> = sources.file.iter().cloned().collect();
    let mut top = Reader { values: &layers.by_name(), rows: SETTINGS, prefix: "", errors: &mut errors };
    let pixels = pixels(&mut top, purpose, &mut warnings, &mut watched);
    let config = Config {
        listen: top.with("listen", Listen::parse).unwrap_or(Listen::Tcp(([0, 0, 0, 0], 8080).into())),
        listen_mode: top.with("listen_mode", parse::mode),
        proxy_protocol: top.text("proxy_protocol") == "required",
        tls: tls(&mut top, &mut watched),
        http2: top.flag("http2"),
        upstream: upstream(&mut top, purpose),
        upstream_ca: top.with("upstream_ca_file", |path| certificates(Path::new(path))).unwrap_or_default(),
        pixels,
        consent: consent::of(&mut top),
        default_country: top.with("default_country", country),
        trusted_proxies: top.list("trusted_proxies", network),
        forwarded_headers: match top.text("forwarded_headers").as_str() {
            "untouched" => ForwardedHeaders::Untouched,
            _ => ForwardedHeaders::Update,
        },
        plain_way: top.flag("plain_way"),
        header_case: if top.text("header_case") == "lower" { HeaderCase::Lower } else { HeaderCase::Preserve },
        landing: landing(&mut top),
        forms: forms(&mut top),
        learn_pages: top.flag("learn_pages"),
        client_ip_header: top.with("client_ip_header", |text| {
            text.parse::<HeaderName>().map_err(|_| "not a header name; write e.g. CF-Connecting-IP".to_owned())
        }),
        internal_addresses: top.list("internal_addresses", network),
        store: StoreConfig {
            url: top.with("store.url", StoreUrl::parse).unwrap_or_default(),
            local: PathBuf::from(top.text("store.local")),
            local_after: top.duration("store.local_after"),
            commit_wait: top.duration("store.commit_wait"),
            event_id_secret: top.secret("store.event_id_secret"),
        },
        delivery: DeliveryConfig {
            graph_endpoint: top.with("delivery.graph_endpoint", parse::endpoint).unwrap_or_default(),
            graph_version: top
                .with("delivery.graph_version", |text| {
                    parse::graph_version(text).then(|| text.to_owned()).ok_or_else(|| "write it as v26.0".to_owned())
                })
                .unwrap_or_default(),
            timeout: top.duration("delivery.timeout"),
            order: if top.text("delivery.order") == "oldest" { Order::Oldest } else { Order::Newest },
        },
        limits: limits(&mut top),
        timeouts: timeouts(&mut top),
        admin: admin(&mut top, &mut watched),
        workers: top.count("workers").or_else(cores).unwrap_or(1),
        log: LogConfig { json: top.text("log.format") == "json", level: top.text("log.level") },
    };
    if [&config.listen, &Listen::Tcp(config.admin.listen)].into_iter().any(|own| config.upstream.is(own)) {
        top.error("upstream", "the site's address is this proxy's own listener; requests would go in circles");
    }
    if config.listen_mode.is_some() && matches!(config.listen, Listen::Tcp(_)) {
        top.error("listen_mode", "only files have a mode, and listen is an address");
    }
    if config.proxy_protocol && config.trusted_proxies.is_empty() {
        top.error("proxy_protocol", "needs trusted_proxies: from all others connections are closed");
    }
    if config.consent.unknown == OnUnknown::Grant && purpose == Purpose::Run {
        warnings.push(
            "consent.unknown is \"grant\": visitors without any consent signal count as consenting; you vouch for it"
                .to_owned(),
        );
    }
    if config.consent.unknown == OnUnknown::Deny && purpose == Purpose::Run {
        warnings.push(
            "visitors without a consent signal count as not consenting (consent.unknown = \"deny\"): their leads are not \
             sent with match data. Try `capi-sidecar consent` with a Cookie header of your site to see what is read"
                .to_owned(),
        );
    }
    if config.consent.may_hold() && purpose == Purpose::Run {
        warnings.push(format!(
            "submissions without a choice wait, hashed, for up to {:?} (consent.hold); have that reviewed",
            config.consent.hold_for
        ));
    }
    if errors.is_empty() { Ok(Loaded { config, warnings, watched, comparable }) } else { Err(ConfigErrors(errors)) }
}

fn cores() -> Option<usize> {
    // Respects the CPU set and the cgroup quota, so that a container limited to one CPU gets one worker.
    std::thread::available_parallelism().ok().map(NonZeroUsize::get)
}

fn upstream(top: &mut Reader<'_>, purpose: Purpose) -> Upstream {
    if purpose == Purpose::Run && !top.given("upstream") {
        top.error("upstream", "missing; set the site's address, e.g. --upstream http://127.0.0.1:8000");
    }
    top.with("upstream", Upstream::parse).unwrap_or(Upstream::Tcp { host: String::new(), port: 0, tls: false })
}

/// Read here, so that a certificate that does not fit is an error like any other, and on a reload keeps the one in use.
fn tls(top: &mut Reader<'_>, watched: &mut Vec<PathBuf>) -> Option<TlsConfig> {
    let (certificate, key) = (top.optional("tls.certificate"), top.optional("tls.key"));
    let (Some(certificate), Some(key)) = (&certificate, &key) else {
        match (certificate, key) {
            (Some(_), None) => top.error("tls.key", "missing; a certificate is of no use without its key"),
            (None, Some(_)) => top.error("tls.certificate", "missing; a key is of no use without its certificate"),
            _ => {}
        }
        return None;
    };
    watched.extend([PathBuf::from(certificate), PathBuf::from(key)]);
    match Identity::read(Path::new(certificate), Path::new(key)) {
        Ok(identity) => return Some(TlsConfig { identity }),
        Err(BadIdentity::Certificate(problem)) => top.error("tls.certificate", &problem),
        Err(BadIdentity::Key(problem)) => top.error("tls.key", &problem),
    }
    None
}

fn limits(top: &mut Reader<'_>) -> Limits {
    let limits = Limits {
        capture_bytes: top.size("limits.capture_bytes"),
        capture_budget: top.size("limits.capture_budget"),
        queue: top.count("limits.queue").unwrap_or(1024),
        max_headers: top.count("limits.max_headers").unwrap_or(256),
        max_head_bytes: top.size("limits.max_head_bytes"),
        max_connections: top.count("limits.max_connections").unwrap_or(100_000),
    };
    if limits.capture_bytes < MIN_CAPTURE {
        top.error("limits.capture_bytes", "too small to judge an answer by; 16KiB is the least");
    }
    if limits.max_head_bytes < 8192 {
        top.error("limits.max_head_bytes", "too small for real requests; 8KiB is the least");
    }
    limits
}

fn timeouts(top: &mut Reader<'_>) -> Timeouts {
    Timeouts {
        connect: top.duration("timeouts.connect"),
        header_read: top.duration("timeouts.header_read"),
        body_stall: top.duration("timeouts.body_stall"),
        response: top.duration("timeouts.response"),
        tunnel_idle: top.duration("timeouts.tunnel_idle"),
        pool_idle: top.duration("timeouts.pool_idle"),
        drain: top.duration("timeouts.drain"),
        shutdown_grace: top.duration("timeouts.shutdown_grace"),
    }
}

fn admin(top: &mut Reader<'_>, watched: &mut Vec<PathBuf>) -> AdminConfig {
    let listen = top.with("admin.listen", parse::address).unwrap_or(([127, 0, 0, 1], 9464).into());
    let from_file = top.optional("admin.token_file").map(PathBuf::from);
    let token = match from_file {
        Some(path) => {
            let token = top.secret_file("admin.token_file", &path);
            watched.push(path);
            token
        }
        None => top.secret("admin.token"),
    };
    if !listen.ip().is_loopback() && token.is_none() {
        top.error("admin.listen", "not on loopback, so it needs a token: set admin.token_file or CAPI_ADMIN_TOKEN");
    }
    AdminConfig { listen, token }
}

/// `[[pixel]]` of the file, or the one that flags and environment name. The latter beat the former, as everywhere.
fn pixels(
    top: &mut Reader<'_>,
    purpose: Purpose,
    warnings: &mut Vec<String>,
    watched: &mut Vec<PathBuf>,
) -> Vec<Pixel> {
    let shared_token = top.secret("pixel.access_token");
    let shared_file = top.optional("pixel.access_token_file").map(PathBuf::from);
    let shared_code = top.optional("pixel.test_event_code");
    let shared_expiry = top.duration("pixel.test_event_code_expires");
    let mut pixels = top.tables("pixel", PIXEL, |row| {
        if !row.given("id") {
            row.error("id", "missing; set the pixel (dataset) id from Events Manager");
        }
        Pixel {
            id: row.with("id", pixel_id).unwrap_or_default(),
            access_token: None,
            access_token_file: row.optional("access_token_file").map(PathBuf::from),
            hosts: row.list("hosts", |text| Ok(text.to_ascii_lowercase())),
            test_event_code: row.optional("test_event_code"),
            test_event_code_expires: row.duration("test_event_code_expires"),
        }
    });
    if let Some(id) = top.with("pixel.id", pixel_id) {
        let before = pixels.len();
        pixels.retain(|pixel| pixel.id == id);
        if before > pixels.len() {
            warnings.push(format!("--pixel-id {id} replaces the other [[pixel]] entries of the file"));
        }
        if pixels.is_empty() {
            pixels.push(Pixel {
                id,
                access_token: None,
                access_token_file: None,
                hosts: Vec::new(),
                test_event_code: None,
                test_event_code_expires: shared_expiry,
            });
        }
    }
    for pixel in &mut pixels {
        if shared_file.is_some() && (pixel.access_token_file.is_none() || top.given("pixel.id")) {
            pixel.access_token_file.clone_from(&shared_file);
        }
        if shared_code.is_some() {
            pixel.test_event_code.clone_from(&shared_code);
            pixel.test_event_code_expires = shared_expiry;
        }
        pixel.access_token = match &pixel.access_token_file {
            Some(path) => {
                watched.push(path.clone());
                top.secret_file("pixel.access_token_file", path)
            }
            None => shared_token.clone(),
        };
        if pixel.access_token.is_none() && pixel.access_token_file.is_none() && purpose == Purpose::Run {
            let problem = "no access token; set --access-token-file, or CAPI_ACCESS_TOKEN, or access_token_file in \
                           [[pixel]] (Events Manager, Settings, Conversions API, Generate access token)";
            top.error("pixel.access_token_file", &format!("pixel {}: {problem}", pixel.id));
        }
        if let Some(code) = &pixel.test_event_code {
            let expiry = pixel.test_event_code_expires;
            warnings.push(format!("pixel {}: events are marked with test code {code} for {expiry:?}", pixel.id));
        }
    }
    let mut seen = std::collections::HashSet::new();
    for pixel in &pixels {
        if !pixel.id.is_empty() && !seen.insert(pixel.id.clone()) {
            top.error("pixel", &format!("pixel {} is listed twice; give it all its hosts in one entry", pixel.id));
        }
    }
    if pixels.is_empty() && purpose == Purpose::Run && !top.given("pixel.id") {
        top.error("pixel.id", "no pixel; set --pixel-id or a [[pixel]] in the file");
    }
    pixels
}

fn landing(top: &mut Reader<'_>) -> LandingConfig {
    let click_id = |name: &str| {
        OtherClickId::named(name).ok_or_else(|| {
            let known: Vec<_> = OTHER_CLICK_IDS.iter().map(|id| id.parameter).collect();
            format!("no click id that is kept; use {}", known.join(", "))
        })
    };
    let click_ids: Vec<_> = top.list("landing.click_ids", click_id);
    let mut click_id_headers = Vec::new();
    for (parameter, header) in top.map("landing.click_id_headers", |header| Ok(header.to_owned())) {
        match (click_id(&parameter), header.parse::<HeaderName>()) {
            (Ok(id), Ok(header)) if click_ids.contains(&id) => click_id_headers.push((id, header)),
            (Ok(_), Ok(_)) => {
                let problem = format!("{parameter} is not in landing.click_ids, so there is nothing to hand over");
                top.error("landing.click_id_headers", &problem);
            }
            (Err(problem), _) => top.error("landing.click_id_headers", &problem),
            (_, Err(_)) => top.error("landing.click_id_headers", "not a header name; write e.g. X-Gclid"),
        }
    }
    LandingConfig { mint_fbp: top.flag("landing.mint_fbp"), click_ids, click_id_headers }
}

fn forms(top: &mut Reader<'_>) -> Vec<FormRule> {
    top.tables("form", FORM, |row| {
        let success = row.table("success", SUCCESS, |row| SuccessRule {
            status: row.list("status", |text| text.parse().map_err(|_| "not a status".to_owned())),
            contains: row.optional("contains"),
            location: row.optional("location"),
            selector: row.with("selector", |text| {
                let readable = text.parse::<lol_html::Selector>().is_ok();
                readable.then(|| text.to_owned()).ok_or_else(|| "not a CSS selector that can be read".to_owned())
            }),
            header: row.map("header", |text| Ok(text.to_owned())),
            json: row.map("json", |text| Ok(text.to_owned())),
        });
        let fields = row.map("fields", |role| {
            let known = matches!(role, "name" | "ignore")
                || Key::from_name(role).is_some()
                || DataKey::from_name(role).is_some();
            let problem = "no such role; use em, ph, fn, ln, name, ct, st, zp, country, db, ge, external_id, value, \
                           currency, content_name, lead_qualification or ignore";
            known.then(|| role.to_owned()).ok_or_else(|| problem.to_owned())
        });
        let rule = FormRule {
            path: row.optional("path"),
            host: row.optional("host").map(|host| host.to_ascii_lowercase()),
            handler: row.optional("handler"),
            fields,
            success,
            ignore: row.flag("ignore"),
            event_name: row.given("event_name").then(|| row.text("event_name")),
            value: row.with("value", |text| {
                let value =
                    text.replace('_', "").parse::<f64>().ok().filter(|value| value.is_finite() && *value >= 0.0);
                value.ok_or_else(|| "not an amount; write e.g. 35.0".to_owned())
            }),
            currency: row.with("currency", |text| {
                let fits = text.len() == 3 && text.bytes().all(|b| b.is_ascii_alphabetic());
                fits.then(|| text.to_ascii_uppercase()).ok_or_else(|| "write an ISO 4217 code such as EUR".to_owned())
            }),
            content_name: row.optional("content_name"),
            lead_qualification: row.optional("lead_qualification"),
            custom_data: row.map("custom_data", |text| Ok(text.to_owned())),
        };
        if rule.value.is_some() && rule.currency.is_none() {
            row.error("value", "needs a currency; Meta refuses a value without one");
        }
        rule
    })
}

fn country(text: &str) -> Result<Country, String> {
    Country::from_alpha2(text).ok_or_else(|| "not a country; write its ISO 3166 code, e.g. DE".to_owned())
}

fn network(text: &str) -> Result<IpNet, String> {
    let single = || text.parse::<std::net::IpAddr>().map(IpNet::from);
    text.parse::<IpNet>()
        .or_else(|_| single())
        .map_err(|_| "not a network; write e.g. 10.0.0.0/8 or 192.0.2.1".to_owned())
}

fn pixel_id(text: &str) -> Result<String, String> {
    let digits = (5..=20).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.to_owned()).ok_or_else(|| "not a pixel id; it is a number of 15 or 16 digits".to_owned())
}
