//! Layers → [`Config`]: every value converted and checked, every mistake reported.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use secrecy::SecretString;

use super::error::{ConfigError, ConfigErrors, Place};
use super::layers::{Layers, Located, Raw, Sources};
use super::table::{CONSENT_RULE, FORM, Kind, PIXEL, SETTINGS, SUCCESS, Setting};
use super::{
    AdminConfig, Config, ConsentConfig, ConsentRule, DeliveryConfig, FormRule, ForwardedHeaders, HeaderCase,
    LandingConfig, Limits, LogConfig, OnDenied, OnUnknown, Pixel, StoreConfig, SuccessRule, Timeouts, Upstream, parse,
};
use crate::consent;
use crate::lead::contact::Key;
use crate::lead::normalize::Country;

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
    /// Files whose change means a reload: the configuration and the token files.
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
    let mut top = Reader { values: &layers.values_by_name(), rows: SETTINGS, prefix: "", errors: &mut errors };
    let pixels = pixels(&mut top, purpose, &mut warnings, &mut watched);
    let config = Config {
        listen: top.with("listen", parse::address).unwrap_or(([0, 0, 0, 0], 8080).into()),
        upstream: upstream(&mut top, purpose),
        pixels,
        consent: consent_config(&mut top),
        default_country: top.with("default_country", country),
        trusted_proxies: top.list("trusted_proxies", network),
        forwarded_headers: match top.text("forwarded_headers").as_str() {
            "untouched" => ForwardedHeaders::Untouched,
            _ => ForwardedHeaders::Update,
        },
        header_case: if top.text("header_case") == "lower" { HeaderCase::Lower } else { HeaderCase::Preserve },
        landing: LandingConfig { mint_fbp: top.flag("landing.mint_fbp") },
        forms: forms(&mut top),
        store: StoreConfig {
            path: top.with("store.url", parse::store).unwrap_or_default(),
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
        },
        limits: limits(&mut top),
        timeouts: timeouts(&mut top),
        admin: admin(&mut top, &mut watched),
        workers: top.count("workers").or_else(cores).unwrap_or(1),
        log: LogConfig { json: top.text("log.format") == "json", level: top.text("log.level") },
    };
    if config.upstream.is_self(&config) {
        top.error("upstream", "the site's address is this proxy's own listener; requests would go in circles");
    }
    if config.consent.unknown == OnUnknown::Grant && purpose == Purpose::Run {
        warnings.push(
            "consent.unknown is \"grant\": visitors without any consent signal count as consenting; you vouch for it"
                .to_owned(),
        );
    }
    for key in ["plain_way", "landing.click_ids"] {
        if layers.values.contains_key(key) {
            warnings.push(format!("{key} has no effect in this version"));
        }
    }
    if errors.is_empty() { Ok(Loaded { config, warnings, watched, comparable }) } else { Err(ConfigErrors(errors)) }
}

fn cores() -> Option<usize> {
    // Respects the CPU set and the cgroup quota, so that a container limited to one CPU gets one worker.
    std::thread::available_parallelism().ok().map(NonZeroUsize::get)
}

impl Upstream {
    fn is_self(&self, config: &Config) -> bool {
        let Ok(ip) = self.host.parse::<std::net::IpAddr>() else { return false };
        let listen = config.listen;
        listen.port() == self.port && (listen.ip() == ip || (listen.ip().is_unspecified() && ip.is_loopback()))
    }
}

fn upstream(top: &mut Reader<'_>, purpose: Purpose) -> Upstream {
    if purpose == Purpose::Run && !top.given("upstream") {
        top.error("upstream", "missing; set the site's address, e.g. --upstream http://127.0.0.1:8000");
    }
    top.with("upstream", parse::upstream).unwrap_or(Upstream { host: String::new(), port: 0 })
}

fn consent_config(top: &mut Reader<'_>) -> ConsentConfig {
    let unknown = if top.text("consent.unknown") == "grant" { OnUnknown::Grant } else { OnUnknown::Deny };
    let denied = match top.text("consent.denied").as_str() {
        "drop" => OnDenied::Drop,
        "ldu" => OnDenied::Ldu,
        _ => OnDenied::EventOnly,
    };
    let rules = top.tables("consent.rule", CONSENT_RULE, |row| {
        let rule = ConsentRule { signal: row.text("signal"), category: row.optional("category") };
        if !row.given("signal") {
            row.error("signal", "missing; name the signal this rule is for, e.g. \"onetrust\"");
        } else if let Err(problem) = consent::check_rule(&rule) {
            let key = if problem == consent::RuleError::UnknownSignal { "signal" } else { "category" };
            row.error(key, &problem.to_string());
        }
        rule
    });
    ConsentConfig { unknown, denied, rules }
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

fn forms(top: &mut Reader<'_>) -> Vec<FormRule> {
    top.tables("form", FORM, |row| {
        let success = row.table("success", SUCCESS, |row| SuccessRule {
            status: row.list("status", |text| text.parse().map_err(|_| "not a status".to_owned())),
            contains: row.optional("contains"),
            location: row.optional("location"),
        });
        let fields = row.map("fields", |role| {
            let known = role == "name" || role == "ignore" || Key::from_name(role).is_some();
            let problem = "no such role; use em, ph, fn, ln, name, ct, st, zp, country, db, ge, external_id or ignore";
            known.then(|| role.to_owned()).ok_or_else(|| problem.to_owned())
        });
        let rule = FormRule {
            path: row.optional("path"),
            host: row.optional("host").map(|host| host.to_ascii_lowercase()),
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

/// Typed access to one table's values; mistakes go to `errors`.
struct Reader<'a> {
    values: &'a BTreeMap<String, Located>,
    rows: &'static [Setting],
    prefix: &'a str,
    errors: &'a mut Vec<ConfigError>,
}

impl Layers {
    fn values_by_name(&self) -> BTreeMap<String, Located> {
        self.values.iter().map(|(key, located)| ((*key).to_owned(), located.clone())).collect()
    }
}

impl Reader<'_> {
    fn row(&self, key: &str) -> Option<&'static Setting> {
        self.rows.iter().find(|row| row.key == key)
    }

    fn given(&self, key: &str) -> bool {
        self.values.contains_key(key)
    }

    fn error(&mut self, key: &str, problem: &str) {
        let located = self.values.get(key);
        let secret = self.row(key).is_some_and(|row| matches!(row.kind, Kind::Secret));
        let found = located.filter(|_| !secret).and_then(|located| match &located.value {
            Raw::Text(text) => Some(text.clone()),
            _ => None,
        });
        let place = located.map_or(Place::Nowhere, |located| located.place.clone());
        self.errors.push(ConfigError {
            place,
            key: format!("{}{key}", self.prefix),
            found,
            problem: problem.to_owned(),
        });
    }

    /// The value as written, or the table's default; checked where the table says what it may be.
    fn text(&mut self, key: &str) -> String {
        let Some(row) = self.row(key) else { return String::new() };
        let Some(Raw::Text(text)) = self.values.get(key).map(|located| &located.value) else {
            return row.default.to_owned();
        };
        let fits = match row.kind {
            Kind::Choice(words) => words.contains(&text.as_str()),
            Kind::Bool => matches!(text.as_str(), "true" | "false"),
            Kind::Integer { min, max } => {
                text.replace('_', "").parse::<u64>().is_ok_and(|number| (min..=max).contains(&number))
            }
            Kind::Size => parse::size(text).is_some(),
            Kind::Duration => parse::duration(text).is_some(),
            _ => true,
        };
        if fits {
            return text.clone();
        }
        self.error(key, &format!("write {}", row.kind.expected()));
        row.default.to_owned()
    }

    fn optional(&mut self, key: &str) -> Option<String> {
        Some(self.text(key)).filter(|text| !text.is_empty())
    }

    fn with<T>(&mut self, key: &str, convert: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        let text = self.optional(key)?;
        convert(&text).map_err(|problem| self.error(key, &problem)).ok()
    }

    fn flag(&mut self, key: &str) -> bool {
        self.text(key) == "true"
    }

    fn count(&mut self, key: &str) -> Option<usize> {
        self.text(key).replace('_', "").parse().ok()
    }

    fn size(&mut self, key: &str) -> usize {
        parse::size(&self.text(key)).unwrap_or_default()
    }

    fn duration(&mut self, key: &str) -> Duration {
        parse::duration(&self.text(key)).unwrap_or_default()
    }

    fn secret(&mut self, key: &str) -> Option<SecretString> {
        match self.values.get(key).map(|located| &located.value) {
            Some(Raw::Text(text)) if !text.trim().is_empty() => Some(SecretString::from(text.trim().to_owned())),
            _ => None,
        }
    }

    fn secret_file(&mut self, key: &str, path: &Path) -> Option<SecretString> {
        match std::fs::read_to_string(path) {
            Ok(text) if !text.trim().is_empty() => Some(SecretString::from(text.trim().to_owned())),
            Ok(_) => {
                self.error(key, &format!("the file {} is empty; put the token into it", path.display()));
                None
            }
            Err(error) => {
                self.error(key, &format!("cannot read {}: {error}", path.display()));
                None
            }
        }
    }

    fn list<T>(&mut self, key: &str, convert: impl Fn(&str) -> Result<T, String>) -> Vec<T> {
        let Some(Raw::List(items)) = self.values.get(key).map(|located| &located.value) else { return Vec::new() };
        let mut list = Vec::new();
        for item in items {
            let Raw::Text(text) = &item.value else { continue };
            match convert(text) {
                Ok(value) => list.push(value),
                Err(problem) => self.errors.push(ConfigError {
                    place: item.place.clone(),
                    key: format!("{}{key}", self.prefix),
                    found: Some(text.clone()),
                    problem,
                }),
            }
        }
        list
    }

    fn map(&mut self, key: &str, convert: impl Fn(&str) -> Result<String, String>) -> Vec<(String, String)> {
        let Some(Raw::Table(entries)) = self.values.get(key).map(|located| &located.value) else { return Vec::new() };
        let mut list = Vec::new();
        for (name, item) in entries {
            let Raw::Text(text) = &item.value else { continue };
            match convert(text) {
                Ok(value) => list.push((name.clone(), value)),
                Err(problem) => self.errors.push(ConfigError {
                    place: item.place.clone(),
                    key: format!("{}{key}.{name}", self.prefix),
                    found: Some(text.clone()),
                    problem,
                }),
            }
        }
        list
    }

    fn table<T>(&mut self, key: &str, rows: &'static [Setting], build: impl FnOnce(&mut Reader<'_>) -> T) -> Option<T> {
        let Raw::Table(values) = &self.values.get(key)?.value else { return None };
        let prefix = format!("{}{key}.", self.prefix);
        Some(build(&mut Reader { values, rows, prefix: &prefix, errors: self.errors }))
    }

    fn tables<T>(&mut self, key: &str, rows: &'static [Setting], build: impl Fn(&mut Reader<'_>) -> T) -> Vec<T> {
        let Some(Raw::List(tables)) = self.values.get(key).map(|located| &located.value) else { return Vec::new() };
        let prefix = format!("{}{key}.", self.prefix);
        let mut list = Vec::new();
        for table in tables {
            let Raw::Table(values) = &table.value else { continue };
            // A missing key has no line of its own: its table's line says where to add it.
            let before = self.errors.len();
            list.push(build(&mut Reader { values, rows, prefix: &prefix, errors: self.errors }));
            for error in self.errors.iter_mut().skip(before).filter(|error| error.place == Place::Nowhere) {
                error.place = table.place.clone();
            }
        }
        list
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn sources(file: &str, env: &[(&str, &str)], flags: &[(&str, &str)]) -> (tempfile::NamedTempFile, Sources) {
        let mut temp = tempfile::NamedTempFile::new().unwrap();
        temp.write_all(file.as_bytes()).unwrap();
        let sources = Sources {
            file: Some(temp.path().to_owned()),
            env: env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            flags: flags.iter().map(|(k, v)| ((*k).to_owned(), vec![(*v).to_owned()])).collect(),
        };
        (temp, sources)
    }

    const LEAST: &[(&str, &str)] = &[
        ("CAPI_UPSTREAM", "http://127.0.0.1:8000"),
        ("CAPI_PIXEL_ID", "1234567890"),
        ("CAPI_ACCESS_TOKEN", "secret-token"),
    ];

    #[test]
    fn flag_beats_environment_beats_file() {
        let file = "workers = 3\n[delivery]\ngraph_version = \"v22.0\"\ngraph_endpoint = \"https://file.example\"\n";
        let mut env = LEAST.to_vec();
        env.extend([("CAPI_GRAPH_ENDPOINT", "https://env.example"), ("CAPI_WORKERS", "4")]);
        let (_temp, sources) = sources(file, &env, &[("workers", "5")]);
        let config = load(&sources, Purpose::Run).unwrap().config;
        assert_eq!(config.workers, 5);
        assert_eq!(config.delivery.graph_endpoint, "https://env.example");
        assert_eq!(config.delivery.graph_version, "v22.0");
    }

    #[test]
    fn every_error_names_key_place_finding_and_remedy() {
        let file = "upstrem = \"x\"\n\n[limits]\ncapture_bytes = \"lots\"\nqueues = 3\n\n[[form]]\nvalue = 3.0\n\
                    fields = { a = \"phone\" }\n[[pixel]]\nhosts = []\n";
        let (temp, sources) = sources(file, &[], &[("consent-unknown", "yes")]);
        let errors = load(&sources, Purpose::Run).unwrap_err();
        let path = temp.path().display();
        let text = errors.to_string();
        for expected in [
            format!("{path}:1: upstrem: unknown key; did you mean upstream?"),
            format!("{path}:4: limits.capture_bytes = \"lots\": write a size such as"),
            format!("{path}:5: limits.queues: unknown key; did you mean limits.queue?"),
            format!("{path}:8: form.value = \"3.0\": needs a currency"),
            format!("{path}:9: form.fields.a = \"phone\": no such role"),
            format!("{path}:10: pixel.id: missing"),
            "--consent-unknown: consent.unknown = \"yes\": write one of deny, grant".to_owned(),
            "upstream: missing; set the site's address".to_owned(),
        ] {
            assert!(text.contains(&expected), "{expected}\n---\n{text}");
        }
    }

    #[test]
    fn broken_toml_is_reported_with_its_line() {
        let (temp, sources) = sources("workers = 2\nlisten = \n", LEAST, &[]);
        let text = load(&sources, Purpose::Run).unwrap_err().to_string();
        assert!(text.starts_with(&format!("{}:2: not valid TOML", temp.path().display())), "{text}");
    }

    #[test]
    fn no_error_and_no_debug_output_shows_a_secret() {
        let (_temp, sources) =
            sources("[store]\nevent_id_secret = \"hush-hush\"\n", LEAST, &[("admin-listen", "0.0.0.0:1")]);
        let errors = load(&sources, Purpose::Run).unwrap_err();
        assert!(!errors.to_string().contains("secret-token"));
        let (_temp, sources) = self::sources("[store]\nevent_id_secret = \"hush-hush\"\n", LEAST, &[]);
        let loaded = load(&sources, Purpose::Run).unwrap();
        let shown = format!("{loaded:?}");
        assert!(!shown.contains("secret-token") && !shown.contains("hush-hush"));
    }

    #[test]
    fn a_pixel_on_the_command_line_beats_those_of_the_file() {
        let file = "[[pixel]]\nid = \"11111\"\nhosts = [\"A.example\"]\n[[pixel]]\nid = \"22222\"\n";
        let env = [("CAPI_UPSTREAM", "http://127.0.0.1:8000"), ("CAPI_ACCESS_TOKEN", "t")];
        let (_temp, both) = sources(file, &env, &[]);
        let pixels = load(&both, Purpose::Run).unwrap().config.pixels;
        assert_eq!(pixels.iter().map(|p| p.id.as_str()).collect::<Vec<_>>(), ["11111", "22222"]);
        assert_eq!(pixels[0].hosts, ["a.example"]);
        let (_temp, one) = sources(file, &env, &[("pixel-id", "33333")]);
        let loaded = load(&one, Purpose::Run).unwrap();
        assert_eq!(loaded.config.pixels.len(), 1);
        assert!(loaded.warnings.iter().any(|warning| warning.contains("33333")));
    }

    #[test]
    fn only_settings_that_cannot_change_while_running_ask_for_a_restart() {
        let before = sources("workers = 2\n", LEAST, &[]);
        let after = sources("workers = 3\n[consent]\nunknown = \"grant\"\n", LEAST, &[]);
        let (before, after) = (load(&before.1, Purpose::Run).unwrap(), load(&after.1, Purpose::Run).unwrap());
        assert_eq!(after.needs_restart(&before), ["workers"]);
    }

    #[test]
    fn a_proxy_that_would_call_itself_is_refused() {
        let (_temp, sources) = sources("", LEAST, &[("listen", "0.0.0.0:8000")]);
        assert!(load(&sources, Purpose::Run).unwrap_err().to_string().contains("circles"));
    }

    #[test]
    fn the_design_example_is_understood() {
        let file = r#"
            listen = "0.0.0.0:8080"
            upstream = "http://127.0.0.1:8000"
            trusted_proxies = ["10.0.0.0/8"]
            forwarded_headers = "update"
            header_case = "preserve"
            workers = 2
            [[pixel]]
            id = "1234567890"
            hosts = ["shop.example"]
            test_event_code = "TEST1"
            [consent]
            unknown = "deny"
            denied = "event-only"
            [[consent.rule]]
            signal = "onetrust"
            category = "C0005"
            [landing]
            mint_fbp = false
            [[form]]
            path = "/contact*"
            fields = { "feld_7" = "ph" }
            success = { status = [200], contains = "id=\"danke\"" }
            event_name = "Lead"
            value = 35.0
            currency = "EUR"
            content_name = "Quote request"
            custom_data = { lead_qualification = "field:budget" }
            [store]
            url = "sqlite:/var/lib/capi-sidecar/capi.db"
            [delivery]
            graph_endpoint = "https://graph.facebook.com"
            graph_version = "v26.0"
            [limits]
            capture_bytes = "1MiB"
            capture_budget = "64MiB"
            [admin]
            listen = "127.0.0.1:9464"
            [log]
            format = "json"
        "#;
        let (_temp, sources) = sources(file, &[("CAPI_ACCESS_TOKEN", "t")], &[]);
        let config = load(&sources, Purpose::Run).unwrap().config;
        let form = &config.forms[0];
        assert_eq!(form.fields, [("feld_7".to_owned(), "ph".to_owned())]);
        assert_eq!(form.success.as_ref().unwrap().status, [200]);
        assert_eq!((form.value, form.currency.as_deref()), (Some(35.0), Some("EUR")));
        assert_eq!(config.trusted_proxies.len(), 1);
    }
}
