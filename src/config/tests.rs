//! The settings as an operator meets them: precedence, errors, secrets, reload.

use std::io::Write as _;

use super::*;
use crate::outbox::Order;

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
    let file = "workers = 3\n[delivery]\ngraph_version = \"v22.0\"\ngraph_endpoint = \"https://file.example\"\n\
                order = \"oldest\"\n";
    let mut env = LEAST.to_vec();
    env.extend([("CAPI_GRAPH_ENDPOINT", "https://env.example"), ("CAPI_WORKERS", "4")]);
    let (_temp, sources) = sources(file, &env, &[("workers", "5")]);
    let config = load(&sources, Purpose::Run).unwrap().config;
    assert_eq!(config.workers, 5);
    assert_eq!(config.delivery.graph_endpoint, "https://env.example");
    assert_eq!(config.delivery.graph_version, "v22.0");
    assert_eq!(config.delivery.order, Order::Oldest);
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
fn the_mode_of_a_socket_is_octal_and_needs_a_socket() {
    let (_temp, sources) = sources("listen = \"unix:/run/capi.sock\"\nlisten_mode = \"0660\"\n", LEAST, &[]);
    assert_eq!(load(&sources, Purpose::Run).unwrap().config.listen_mode, Some(0o660));
    for (file, problem) in [
        ("listen = \"unix:/run/capi.sock\"\nlisten_mode = 0o660\n", "four octal digits"),
        ("listen = \"unix:/run/capi.sock\"\nlisten_mode = \"660\"\n", "four octal digits"),
        ("listen = \"127.0.0.1:8080\"\nlisten_mode = \"0660\"\n", "listen is an address"),
    ] {
        let (_temp, sources) = self::sources(file, LEAST, &[]);
        let said = load(&sources, Purpose::Run).unwrap_err().to_string();
        assert!(said.contains(":2: listen_mode = ") && said.contains(problem), "{said}");
    }
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
