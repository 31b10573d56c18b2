//! The command line as its users type it: output, exit codes, errors.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

fn run(args: &[&str], stdin: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_capi-sidecar"))
        .args(args)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn json_lines(output: &Output) -> Vec<Value> {
    String::from_utf8_lossy(&output.stdout).lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn normalize_prints_metas_own_examples() {
    // https://developers.facebook.com/docs/marketing-api/conversions-api/parameters/customer-information-parameters
    for (field, country, input, normalized, hash) in [
        (
            "em",
            None,
            " John_Smith@gmail.com ",
            "john_smith@gmail.com",
            "62a14e44f765419d10fea99367361a727c12365e2520f32218d505ed9aa0f62f",
        ),
        (
            "ph",
            Some("US"),
            "(650) 555-1212",
            "16505551212",
            "e323ec626319ca94ee8bff2e4c87cf613be6ea19919ed1364124e16807ab3176",
        ),
        ("fn", None, "Mary", "mary", "6915771be1c5aa0c886870b6951b03d7eafc121fea0e80a5ea83beb7c449f4ec"),
        ("fn", None, "정", "정", "8fa8cd9c440be61d0151429310034083132b35975c4bea67fdd74158eb51db14"),
        ("ln", None, "Vale\u{301}ry", "valéry", "08e1996b5dd49e62a4b4c010d44e4345592a863bb9f8e3976219bac29417149c"),
        ("db", None, "1997-02-16", "19970216", "01acdbf6ec7b4f478a225f1a246e5d6767eeab1a7ffa17f025265b5b94f40f0c"),
        ("country", None, "United States", "us", "79adb2a2fce5c6ba215fe5f27f532d4e7edbac4b6a5e09e1ef3a08084a904621"),
    ] {
        let mut args = vec!["normalize", "--field", field];
        args.extend(country.iter().flat_map(|country| ["--country", country]));
        let output = run(&args, &format!("{input}\n"));
        assert_eq!(
            json_lines(&output),
            [json!({"input": input, "normalized": normalized, "sha256": hash, "reason": null})],
            "{field} {input}"
        );
    }
}

#[test]
fn normalize_answers_every_line_and_says_why_a_value_is_unusable() {
    let lines = json_lines(&run(&["normalize", "--field", "em"], "a@example.com\n\nnobody\r\n"));
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[0]["reason"], Value::Null);
    for line in &lines[1..] {
        assert!(line["normalized"].is_null() && line["sha256"].is_null() && line["reason"].is_string(), "{line}");
    }
}

#[test]
fn consent_answers_every_line_once() {
    let stdin = "cookieyes-consent=consentid:x,consent:yes,action:yes,necessary:yes,advertisement:yes\n\
                 a=b; cookieyes-consent=consentid:x,consent:no,action:yes,necessary:yes,advertisement:no\n\n";
    let lines = json_lines(&run(&["consent"], stdin));
    let states: Vec<_> = lines.iter().map(|line| line["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["granted", "denied", "unknown"]);
    assert_eq!((&lines[0]["signal"], &lines[2]["signal"]), (&json!("cookieyes"), &Value::Null));
    let gpc = json_lines(&run(&["consent", "--header", "Sec-GPC: 1"], stdin.lines().next().unwrap()));
    assert_eq!(gpc[0]["state"], "denied");
}

/// DESIGN's fictitious visitor, as a request through a trusted proxy that terminates TLS.
fn visitor(dir: &Path) -> (String, String) {
    let body = "email=Ana.Ruiz%40Example.com+&phone=0171+555+01234&first_name=Ana&last_name=Ru%C3%ADz\
                &event_id=9e1b6b8a-6c0e-4f8d-bce1-c4a3a6f4d2b1&referrer_url=https%3A%2F%2Fshop.example%2F";
    let request = format!(
        "POST /quote HTTP/1.1\r\nHost: shop.example\r\nX-Forwarded-For: 203.0.113.42\r\nX-Forwarded-Proto: https\r\n\
         User-Agent: Mozilla/5.0 (X11; Linux x86_64) Example/1.0\r\nReferer: https://shop.example/quote\r\n\
         Cookie: cookieyes-consent=consentid:x,consent:yes,action:yes,advertisement:yes; \
         _fbp=fb.1.1795607000000.1234567890; _fbc=fb.1.1795607000000.IwAR0abcd1234\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let response = "HTTP/1.1 303 See Other\r\nLocation: /thank-you\r\nContent-Length: 0\r\n\r\n";
    let (request_path, response_path) = (dir.join("request.http"), dir.join("response.http"));
    std::fs::write(&request_path, request).unwrap();
    std::fs::write(&response_path, response).unwrap();
    (request_path.display().to_string(), response_path.display().to_string())
}

#[test]
fn explain_makes_the_designs_event_of_the_designs_visitor() {
    let dir = tempfile::tempdir().unwrap();
    let (request, response) = visitor(dir.path());
    let config = dir.path().join("capi.toml");
    std::fs::write(
        &config,
        "default_country = \"DE\"\ntrusted_proxies = [\"10.0.0.0/8\"]\n[[form]]\npath = \"/quote\"\n\
         value = 35.0\ncurrency = \"EUR\"\ncontent_name = \"Quote request\"\n",
    )
    .unwrap();
    let args = ["explain", "--request", &request, "--response", &response, "--config", &config.display().to_string()];
    let args = [&args[..], &["--peer", "10.0.0.1", "--time", "2026-11-25T12:00:00Z", "--format", "json"]].concat();
    let output = run(&args, "");
    assert!(output.status.success(), "{}", stderr(&output));
    let answer = &json_lines(&output)[0];
    assert_eq!((&answer["decision"], &answer["reason"]), (&json!("lead"), &json!("accepted")));
    assert_eq!((&answer["event_id_source"], &answer["outcome"]), (&json!("field"), &json!("accepted")));
    assert_eq!(answer["consent"]["signal"], "cookieyes");
    let expected = json!({"event_name":"Lead","event_time":1_795_608_000,"event_id":"9e1b6b8a-6c0e-4f8d-bce1-c4a3a6f4d2b1",
      "action_source":"website","event_source_url":"https://shop.example/quote","referrer_url":"https://shop.example/",
      "user_data":{
        "em":["539dba384e7bad34cfe11197def7787e078172956b42bdfbb3e529537d6e0267"],
        "ph":["db92e55cc6349bf15f42231754bdd47089390a8fe8ee7a6c9dee8af6147caf5c"],
        "fn":["24d4b96f58da6d4a8512313bbd02a28ebf0ca95dec6e4c86ef78ce7f01e788ac"],
        "ln":["24c45ed73a90ff5d9d50969f02ec7dba7e716b700e135ac719c7898e61ac2085"],
        "fbp":"fb.1.1795607000000.1234567890","fbc":"fb.1.1795607000000.IwAR0abcd1234",
        "client_ip_address":"203.0.113.42","client_user_agent":"Mozilla/5.0 (X11; Linux x86_64) Example/1.0"},
      "custom_data":{"currency":"EUR","value":35.0,"content_name":"Quote request"}});
    assert_eq!(answer["event"], expected);
}

#[test]
fn explain_says_no_lead_with_exit_code_0() {
    let dir = tempfile::tempdir().unwrap();
    let request = dir.path().join("r.http");
    std::fs::write(
        &request,
        "POST /?s=x HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\ns=x",
    )
    .unwrap();
    let output = run(&["explain", "--request", &request.display().to_string()], "");
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&output.stdout).contains("decision    no_lead: "));
}

#[test]
fn explain_in_words_can_be_shown_to_anybody() {
    let dir = tempfile::tempdir().unwrap();
    let (request, response) = visitor(dir.path());
    let args = ["explain", "--request", &request, "--response", &response, "--default-country", "DE"];
    let text = String::from_utf8(run(&args, "").stdout).unwrap();
    for step in [
        "recognised  as generic, form ",
        "page        https://shop.example/quote; its form is not known (give --page)",
        "field       phone is ph (by name, 75 %)",
        "answer      accepted, by redirect_to_other_page",
        "consent     granted by cookieyes: ",
        "decision    lead: accepted",
    ] {
        assert!(text.contains(step), "{step:?} is missing in:\n{text}");
    }
    for secret in ["ana.ruiz", "Ana.Ruiz", "01234", "Ru", "539dba384e7bad34", "203.0.113.42"] {
        assert!(!text.contains(secret), "{secret:?} is shown in:\n{text}");
    }
}

#[test]
fn explain_reads_the_page_after_a_redirect_back() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let request = file(
        "request",
        "POST /contact HTTP/1.1\r\nHost: shop.example\r\nReferer: http://shop.example/contact\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n\r\nemail=ana.ruiz%40example.com",
    );
    let response = file("response", "HTTP/1.1 302 Found\r\nLocation: /contact\r\n\r\n");
    let page = file("page", "<form><input name=email></form>");
    let answer = |html: &str| format!("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n{html}");
    let done = file("done", &answer("<div class='alert alert-success'>x</div><form><input name=email></form>"));
    let refused = file("refused", &answer("<form><input name=email class=is-invalid></form>"));
    for (more, decision) in [
        (vec![], ("no_lead", "unknown_outcome", "later")),
        (vec!["--follow-up", &done], ("lead", "accepted", "accepted")),
        (vec!["--follow-up", &refused], ("no_lead", "validation", "refused")),
    ] {
        let args = ["explain", "--request", &request, "--response", &response, "--page", &page, "--format", "json"];
        let output = run(&[&args[..], &["--consent-unknown", "grant"], &more[..]].concat(), "");
        let said = &json_lines(&output)[0];
        let text = |key: &str| said[key].as_str().unwrap_or_default().to_owned();
        assert_eq!((text("decision").as_str(), text("reason").as_str(), text("outcome").as_str()), decision);
        assert_eq!(said["page_form_known"], true);
    }
}

#[test]
fn exit_codes_and_errors_are_those_of_the_manual() {
    assert_eq!(run(&["--help"], "").status.code(), Some(0));
    assert_eq!(run(&["--version"], "").status.code(), Some(0));
    assert_eq!(run(&["run", "--nonsense"], "").status.code(), Some(64));
    assert_eq!(run(&["explain", "--request", "/nowhere"], "").status.code(), Some(64));
    let output = run(&["check"], "");
    assert_eq!(output.status.code(), Some(78));
    let text = stderr(&output);
    assert!(text.contains("upstream: missing") && text.contains("no pixel"), "{text}");
    let output = run(&["health", "--admin-listen", "127.0.0.1:9"], "");
    assert_eq!(output.status.code(), Some(69));
    assert!(stderr(&output).contains("127.0.0.1:9"));
    let output = run(&["outbox", "list", "--store", "sqlite:/nowhere/x.db"], "");
    assert_eq!(output.status.code(), Some(69));
    assert!(stderr(&output).contains("/nowhere/x.db"));
}

#[test]
fn the_readme_has_the_reference_of_the_settings() {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let reference = capi_sidecar::config::reference::markdown();
    assert!(
        readme.contains(reference.trim_end()),
        "put the output of `capi-sidecar settings` between the marks in README.md"
    );
}

#[test]
fn an_erasure_request_reads_addresses_from_stdin_and_names_lines_that_are_none() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("capi.db");
    let outbox = capi_sidecar::outbox::Outbox::open(&store).unwrap();
    let hash = "539dba384e7bad34cfe11197def7787e078172956b42bdfbb3e529537d6e0267";
    let admission = capi_sidecar::outbox::Admission {
        fingerprint: [1; 32],
        supplied: None,
        fallback_event_id: "first".to_owned(),
        event_name: "Lead".to_owned(),
        event_time: capi_sidecar::exchange::UnixMillis::now().as_secs(),
        body: format!("{{\"user_data\":{{\"em\":[\"{hash}\"]}}}}").into(),
        event_only: false,
        pixels: vec!["1234567890".to_owned()],
        ties: Vec::new(),
    };
    outbox.admit_blocking(vec![admission]).unwrap();
    let url = format!("sqlite:{}", store.display());
    let drop = |stdin: &str| run(&["outbox", "drop", "--email-stdin", "--store", &url], stdin);
    let wrong = drop("ana.ruiz@example.com\nnot an address\n");
    assert_eq!(wrong.status.code(), Some(64));
    let complaint = String::from_utf8_lossy(&wrong.stderr);
    assert!(complaint.contains("line 2") && !complaint.contains("not an address"), "{complaint}");
    let erased = drop(" Ana.Ruiz@Example.com \n\n");
    assert_eq!(erased.status.code(), Some(0), "{}", String::from_utf8_lossy(&erased.stderr));
    assert!(String::from_utf8_lossy(&erased.stdout).starts_with("1 events erased"));
    assert_eq!(run(&["outbox", "drop", "--store", &url], "").status.code(), Some(64), "ids or addresses");
    outbox.close();
}
