//! The one table of settings. A new setting is one row here and one line in `build`.

/// What a value may be. The words of [`Kind::expected`] appear in errors and in the reference.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// Any text.
    Text,
    /// A secret: never shown, never a flag.
    Secret,
    /// A path.
    Path,
    /// `true` or `false`.
    Bool,
    /// A whole number in a range.
    Integer {
        /// Smallest.
        min: u64,
        /// Largest.
        max: u64,
    },
    /// A number.
    Number,
    /// Bytes, with an optional unit.
    Size,
    /// A duration with its unit.
    Duration,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// `IP:port`.
    Address,
    /// A list of values of one kind.
    List(&'static Kind),
    /// A table of free keys, in the file only.
    Map,
    /// A table of settings, in the file only.
    Table(&'static [Setting]),
    /// Several tables of settings, in the file only.
    Tables(&'static [Setting]),
}

impl Kind {
    /// What would be right.
    #[must_use]
    pub fn expected(self) -> String {
        match self {
            Self::Text | Self::Secret => "a text".to_owned(),
            Self::Path => "a path".to_owned(),
            Self::Bool => "true or false".to_owned(),
            Self::Integer { min, max } => format!("a whole number from {min} to {max}"),
            Self::Number => "a number".to_owned(),
            Self::Size => "a size such as \"512KiB\" or \"1MiB\"".to_owned(),
            Self::Duration => "a duration such as \"25ms\", \"30s\", \"5m\" or \"1h\"".to_owned(),
            Self::Choice(words) => format!("one of {}", words.join(", ")),
            Self::Address => "an address such as \"127.0.0.1:8080\"".to_owned(),
            Self::List(_) => "a list".to_owned(),
            Self::Map | Self::Table(_) => "a table".to_owned(),
            Self::Tables(_) => "an array of tables".to_owned(),
        }
    }
}

/// One setting.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Dotted key in the file.
    pub key: &'static str,
    /// Flag without dashes; `None`: made from the key. The environment variable is made from the flag.
    pub flag: Option<&'static str>,
    /// What it may be.
    pub kind: Kind,
    /// As it would be written; empty: none.
    pub default: &'static str,
    /// What it does, one or two sentences.
    pub help: &'static str,
    /// Takes effect on a reload; the others need a restart.
    pub live: bool,
}

impl Setting {
    /// The flag without dashes. File-only kinds have none.
    #[must_use]
    pub fn flag_name(&self) -> Option<String> {
        match self.kind {
            Kind::Map | Kind::Table(_) | Kind::Tables(_) | Kind::Secret => None,
            _ => Some(self.flag.map_or_else(|| self.key.replace(['.', '_'], "-"), str::to_owned)),
        }
    }

    /// The environment variable. File-only kinds have none; secrets have one although they have no flag.
    #[must_use]
    pub fn env_name(&self) -> Option<String> {
        let name = match self.kind {
            Kind::Secret => self.flag.unwrap_or(self.key).to_owned(),
            _ => self.flag_name()?,
        };
        Some(format!("CAPI_{}", name.replace(['-', '.'], "_").to_ascii_uppercase()))
    }

    /// Whether several values can be given.
    #[must_use]
    pub const fn is_list(&self) -> bool {
        matches!(self.kind, Kind::List(_))
    }

    /// Whether it exists as flag and environment variable only: the shorthand for a single `[[pixel]]`.
    #[must_use]
    pub fn is_pixel_shorthand(&self) -> bool {
        self.key.starts_with("pixel.")
    }
}

const fn row(key: &'static str, kind: Kind, default: &'static str, help: &'static str) -> Setting {
    Setting { key, flag: None, kind, default, help, live: false }
}

impl Setting {
    const fn flag(mut self, flag: &'static str) -> Self {
        self.flag = Some(flag);
        self
    }

    const fn live(mut self) -> Self {
        self.live = true;
        self
    }
}

const COUNT: Kind = Kind::Integer { min: 1, max: 1_000_000 };

/// All settings of `run`, in the order of the reference.
pub const SETTINGS: &[Setting] = &[
    row("listen", Kind::Text, "0.0.0.0:8080", "Where visitors (or the proxy in front) connect: an address, or unix:/path.sock. A listener inherited from systemd (LISTEN_FDS) is used instead of it."),
    row("listen_mode", Kind::Text, "", "With listen = unix:…: who may connect, as the octal mode of the socket's file, e.g. \"0660\". Default: what the umask leaves."),
    row("upstream", Kind::Text, "", "The site: http://host:port, https://host, or unix:/path.sock. Required."),
    row("upstream_ca_file", Kind::Path, "", "With https: PEM file of an authority that may vouch for the site's certificate, besides those that this machine trusts."),
    row("pixel.id", Kind::Text, "", "Meta pixel (dataset) id; shorthand for one [[pixel]] that serves every host. Required, or [[pixel]].")
        .flag("pixel-id").live(),
    row("pixel.access_token_file", Kind::Path, "", "File with the access token. Or the environment variable CAPI_ACCESS_TOKEN; never a flag value.")
        .flag("access-token-file").live(),
    row("pixel.access_token", Kind::Secret, "", "The access token, for every pixel without a file of its own.")
        .flag("access-token").live(),
    row("pixel.test_event_code", Kind::Text, "", "Marks events as test events in Events Manager. They count all the same, so the code expires.")
        .flag("test-event-code").live(),
    row("pixel.test_event_code_expires", Kind::Duration, "1h", "How long the test code is sent, counted from its first use, also over restarts.")
        .flag("test-event-code-expires").live(),
    row("pixel", Kind::Tables(PIXEL), "", "One or more pixels; each gets every lead of its hosts.").live(),
    row("consent.unknown", Kind::Choice(&["deny", "grant"]), "deny", "What a visitor without any consent signal counts as.")
        .flag("consent-unknown").live(),
    row("consent.denied", Kind::Choice(&["event-only", "drop", "ldu"]), "event-only", "What a denied submission becomes: an event without user data, nothing, or (US opt-outs only) a Limited Data Use event.")
        .flag("consent-denied").live(),
    row("consent.gpc", Kind::Choice(&["deny", "yield"]), "deny", "What Sec-GPC: 1 is: a no, or a no unless the banner has an explicit yes.").live(),
    row("consent.signals", Kind::List(&Kind::Text), "", "The banners of this site; cookies that other banners left behind are then not read. Default: every known one.").live(),
    row("consent.bridge_cookie", Kind::Text, "capi_consent", "Cookie that a banner's callback sets to granted or denied where the banner's own answer cannot be read.").live(),
    row("consent.rule", Kind::Tables(CONSENT_RULE), "", "Which category of a banner means advertising on this site; a cookie, header or checkbox of a home-made banner.").live(),
    row("consent.hold", Kind::Bool, "false", "Whether a submission without a choice waits, hashed, for one: it is sent if the same browser consents in time, and erased if not. Have it reviewed before you switch it on (docs/CONSENT.md).").live(),
    row("consent.hold_for", Kind::Duration, "30m", "How long it waits.").live(),
    row("consent.session_cookie", Kind::Text, "", "The site's session cookie, e.g. PHPSESSID, by which the browser is known again. Default: a session cookie of our own, set when a submission has to wait.").live(),
    row("consent.host", Kind::Tables(CONSENT_HOST), "", "Hosts with a policy of their own; the first match wins.").live(),
    row("default_country", Kind::Text, "", "Country of phone numbers without a country code, e.g. DE.").live(),
    row("trusted_proxies", Kind::List(&Kind::Text), "", "Networks whose X-Forwarded-*, Forwarded and PROXY header are believed, e.g. 10.0.0.0/8. Whoever comes through a unix socket counts as 127.0.0.1.")
        .flag("trusted-proxy"),
    row("forwarded_headers", Kind::Choice(&["update", "untouched"]), "update", "update: forwarding headers of untrusted peers are overwritten, those of trusted ones continued."),
    row("proxy_protocol", Kind::Choice(&["off", "required"]), "off", "required: every connection has to come from a trusted proxy and begin with a PROXY header (version 1 or 2) that names the visitor; all others are closed."),
    row("tls.certificate", Kind::Path, "", "PEM file with the certificate and its chain, to speak TLS with visitors; needs tls.key. Read again when it changes."),
    row("tls.key", Kind::Path, "", "PEM file with its private key."),
    row("http2", Kind::Bool, "true", "Whether visitors may speak HTTP/2: by agreement in the TLS handshake, or in cleartext to whoever begins with it (h2c by prior knowledge)."),
    row("header_case", Kind::Choice(&["preserve", "lower"]), "preserve", "Whether the case of header names passes unchanged."),
    row("plain_way", Kind::Bool, "true", "Whether requests without oddities (GET and HEAD without a body, POST that has come in one piece) are relayed as bytes, which is cheaper and keeps more of them; false: everything goes through hyper."),
    row("workers", Kind::Integer { min: 1, max: 1024 }, "", "Data-plane threads. Default: one per core, within the container's limit."),
    row("landing.mint_fbp", Kind::Bool, "false", "Set _fbp for consenting visitors who have none.").live(),
    row("landing.click_ids", Kind::List(&Kind::Text), "", "Click ids of other networks that are kept in cookies of consenting visitors: gclid, gbraid, wbraid, ttclid, msclkid, li_fat_id, twclid.").live(),
    row("landing.click_id_headers", Kind::Map, "", "Click id = request header under which it is handed to the site with a submission, e.g. { gclid = \"X-Gclid\" }."),
    row("form", Kind::Tables(FORM), "", "Rules for forms that are not recognised by themselves; the first match wins.").live(),
    row("client_ip_header", Kind::Text, "", "Header in which trusted proxies name the visitor, e.g. CF-Connecting-IP. Default: X-Forwarded-For or Forwarded, from the right, else X-Real-IP."),
    row("internal_addresses", Kind::List(&Kind::Text), "", "Networks of your own people, e.g. 203.0.113.0/24: no cookie, no lead.").live(),
    row("learn_pages", Kind::Bool, "true", "Read the forms of the site's pages as they go by, so that fields with opaque names can be told.").live(),
    row("store.url", Kind::Text, "sqlite:capi-sidecar.db", "The outbox: sqlite:PATH, or one that replicas share: redis://[user:password@]host:6379/0, rediss:// with TLS, redis+cluster://host,host or redis+sentinel://host,host/master; ?prefix=NAME keeps sites apart. With a password: better in CAPI_STORE than on the command line.").flag("store"),
    row("store.local", Kind::Path, "capi-sidecar.db", "With Redis: the SQLite file in which leads wait while it is away.").flag("store-local"),
    row("store.local_after", Kind::Duration, "15m", "With Redis away: how long leads wait for it before they are sent from the local file. What two replicas then send of one submission has the same event_id.").flag("store-local-after"),
    row("store.commit_wait", Kind::Duration, "25ms", "How long the end of an answer waits at most for the lead to be on disk."),
    row("store.event_id_secret", Kind::Secret, "", "Key of the event ids. Default: random, made once and kept in the store.")
        .flag("event-id-secret"),
    row("delivery.graph_endpoint", Kind::Text, "https://graph.facebook.com", "Where Graph is.").flag("graph-endpoint").live(),
    row("delivery.graph_version", Kind::Text, "v26.0", "Version of the Graph API.").flag("graph-version").live(),
    row("delivery.timeout", Kind::Duration, "1500ms", "How long one request to Graph may take (Meta's own advice).").live(),
    row("delivery.order", Kind::Choice(&["newest", "oldest"]), "newest", "Which leads go first when many wait, after an outage. Fresh ones are worth most to Meta.").live(),
    row("limits.capture_bytes", Kind::Size, "1MiB", "Copy of one submission's text fields, and of one answer. File contents do not count."),
    row("limits.capture_budget", Kind::Size, "64MiB", "All copies together."),
    row("limits.queue", COUNT, "1024", "Submissions that may wait for the lead plane."),
    row("limits.max_headers", Kind::Integer { min: 10, max: 10_000 }, "256", "Header fields per message."),
    row("limits.max_head_bytes", Kind::Size, "512KiB", "Size of a message head."),
    row("limits.max_connections", COUNT, "100000", "Connections at once; more wait in the kernel's queue."),
    row("timeouts.connect", Kind::Duration, "5s", "TCP connect to the site."),
    row("timeouts.header_read", Kind::Duration, "60s", "A complete request head, and an idle connection of a visitor."),
    row("timeouts.body_stall", Kind::Duration, "5m", "Between two pieces of a body, either way."),
    row("timeouts.response", Kind::Duration, "10m", "From the last piece of the request to the head of the answer: PHP exports run for minutes."),
    row("timeouts.tunnel_idle", Kind::Duration, "1h", "An upgraded connection (WebSocket) without traffic."),
    row("timeouts.pool_idle", Kind::Duration, "4s", "An idle connection to the site; below the 5 s after which Apache closes it."),
    row("timeouts.drain", Kind::Duration, "20s", "After SIGTERM: how long open requests may take before the hard stop."),
    row("timeouts.shutdown_grace", Kind::Duration, "3s", "After SIGTERM: how long new connections are still accepted while /ready says no."),
    row("admin.listen", Kind::Address, "127.0.0.1:9464", "Health, metrics and the status page.").flag("admin-listen"),
    row("admin.token_file", Kind::Path, "", "File with the admin token; needed for a non-loopback bind. Or CAPI_ADMIN_TOKEN.")
        .flag("admin-token-file"),
    row("admin.token", Kind::Secret, "", "The admin token.").flag("admin-token"),
    row("log.format", Kind::Choice(&["text", "json"]), "text", "Log lines for people or for machines, on stderr.").flag("log-format"),
    row("log.level", Kind::Text, "info", "error, warn, info, debug or trace, or tracing directives.").flag("log-level"),
];

/// `[[pixel]]`.
pub const PIXEL: &[Setting] = &[
    row("id", Kind::Text, "", "Digits. Required."),
    row("access_token_file", Kind::Path, "", "File with its access token."),
    row("hosts", Kind::List(&Kind::Text), "", "Hosts it serves; none: all."),
    row("test_event_code", Kind::Text, "", "Test code."),
    row("test_event_code_expires", Kind::Duration, "1h", "How long it is sent."),
];

/// `[[consent.rule]]`.
pub const CONSENT_RULE: &[Setting] = &[
    row("signal", Kind::Text, "", "The signal, e.g. onetrust. Required."),
    row("category", Kind::Text, "", "The category, group, service or purposes that mean advertising here."),
    row(
        "name",
        Kind::Text,
        "",
        "With signal cookie, header or field: its name. With a banner: its cookie, where the site renamed it.",
    ),
    row(
        "granted",
        Kind::List(&Kind::Text),
        "",
        "With cookie, header or field: values that mean yes, with * as wildcard. A field: default on, 1, yes, true.",
    ),
    row(
        "denied",
        Kind::List(&Kind::Text),
        "",
        "Values that mean no. Any other value of a cookie or header is no choice yet.",
    ),
    row("pointer", Kind::Text, "", "JSON pointer to the value inside the cookie or header, e.g. /categories/ads."),
    row("base64", Kind::Bool, "false", "The value is in base64."),
    row("hosts", Kind::List(&Kind::Text), "", "Only on these hosts, with * as wildcard; none: all."),
    row("path", Kind::Text, "", "With signal field: only forms on, or posted to, this path, with * as wildcard."),
];

/// `[[consent.host]]`.
pub const CONSENT_HOST: &[Setting] = &[
    row("hosts", Kind::List(&Kind::Text), "", "The hosts, with * as wildcard. Required."),
    row("unknown", Kind::Choice(&["deny", "grant"]), "", "consent.unknown for them."),
    row("denied", Kind::Choice(&["event-only", "drop", "ldu"]), "", "consent.denied for them."),
    row("hold", Kind::Bool, "", "consent.hold for them."),
];

/// `[[form]]`.
pub const FORM: &[Setting] = &[
    row("path", Kind::Text, "", "Path, with * as wildcard; none: every path."),
    row("host", Kind::Text, "", "Host; none: every host."),
    row("handler", Kind::Text, "", "The form software as decisions name it, e.g. cf7 or generic; none: whichever."),
    row(
        "fields",
        Kind::Map,
        "",
        "Field name = role (em, ph, fn, ln, name, ct, st, zp, country, db, ge, external_id; value, currency, content_name, lead_qualification) or \"ignore\".",
    ),
    row(
        "success",
        Kind::Table(SUCCESS),
        "",
        "When an answer means that the site accepted the form; all that is given must hold.",
    ),
    row("ignore", Kind::Bool, "false", "Never a lead."),
    row(
        "event_name",
        Kind::Choice(&["Lead", "Contact", "SubmitApplication", "Schedule", "Subscribe", "CompleteRegistration"]),
        "Lead",
        "Meta's event name.",
    ),
    row("value", Kind::Number, "", "What a lead is worth."),
    row("currency", Kind::Text, "", "ISO 4217; needed with value."),
    row("content_name", Kind::Text, "", "content_name of custom_data: a constant, or \"field:NAME\"."),
    row("lead_qualification", Kind::Text, "", "lead_qualification of custom_data: a constant, or \"field:NAME\"."),
    row("custom_data", Kind::Map, "", "Further custom_data: a constant, or \"field:NAME\"."),
];

/// `success` of `[[form]]`.
pub const SUCCESS: &[Setting] = &[
    row("status", Kind::List(&Kind::Integer { min: 100, max: 599 }), "", "One of these statuses."),
    row("contains", Kind::Text, "", "A text in the decoded answer."),
    row("location", Kind::Text, "", "The path of the Location, with * as wildcard."),
    row("selector", Kind::Text, "", "A CSS selector that selects something in an HTML answer, e.g. \"#thanks\"."),
    row("header", Kind::Map, "", "Header = value, with * as wildcard."),
    row("json", Kind::Map, "", "JSON pointer = value, with * as wildcard, e.g. { \"/status\" = \"ok\" }."),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn flags_environment_variables_and_keys_are_unique() {
        let flags: Vec<_> = SETTINGS.iter().filter_map(Setting::flag_name).collect();
        let envs: Vec<_> = SETTINGS.iter().filter_map(Setting::env_name).collect();
        assert_eq!(flags.iter().collect::<HashSet<_>>().len(), flags.len());
        assert_eq!(envs.iter().collect::<HashSet<_>>().len(), envs.len());
        assert_eq!(SETTINGS.iter().map(|s| s.key).collect::<HashSet<_>>().len(), SETTINGS.len());
    }

    #[test]
    fn the_fixed_names_are_there() {
        let flags: HashSet<_> = SETTINGS.iter().filter_map(Setting::flag_name).collect();
        for flag in [
            "listen",
            "upstream",
            "pixel-id",
            "access-token-file",
            "consent-unknown",
            "consent-denied",
            "default-country",
            "trusted-proxy",
            "forwarded-headers",
            "header-case",
            "store",
            "graph-endpoint",
            "graph-version",
            "test-event-code",
            "test-event-code-expires",
            "admin-listen",
            "admin-token-file",
            "workers",
            "log-format",
            "log-level",
        ] {
            assert!(flags.contains(flag), "{flag}");
        }
        let envs: HashSet<_> = SETTINGS.iter().filter_map(Setting::env_name).collect();
        for env in ["CAPI_GRAPH_ENDPOINT", "CAPI_ACCESS_TOKEN", "CAPI_ADMIN_TOKEN", "CAPI_EVENT_ID_SECRET"] {
            assert!(envs.contains(env), "{env}");
        }
    }

    #[test]
    fn no_secret_is_a_flag() {
        assert!(SETTINGS.iter().filter(|s| matches!(s.kind, Kind::Secret)).all(|s| s.flag_name().is_none()));
    }
}
