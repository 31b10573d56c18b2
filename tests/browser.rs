//! The whole way with nothing made up but the data: headless Chromium, nginx as the trusted proxy in front, the real
//! sidecar, a PHP site, and what Graph received in the end.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/chromium.rs"]
mod chromium;
#[path = "../examples/demo/graph.rs"]
mod graph;
mod support;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use chromium::{click, fill_in};
use fantoccini::Client;
use graph::Graph;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use support::{Process, free_port, system, wait_for_port, wait_until};

/// A documentation address (RFC 5737): the visitor's, as nginx reports it.
const VISITOR: &str = "203.0.113.42";
const SITE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sites/quote");

/// What stands before a sidecar in real life, and says where the visitor comes from.
fn nginx(dir: &Path, port: u16, sidecar: u16) -> Process {
    let conf = dir.join("nginx.conf");
    let dir = dir.display();
    let text = format!(
        "daemon off; worker_processes 1; error_log {dir}/nginx.log; pid {dir}/nginx.pid; events {{}}\n\
         http {{ access_log off; client_body_temp_path {dir}/b; proxy_temp_path {dir}/p; fastcgi_temp_path {dir}/f;\n\
         uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s;\n\
         server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://127.0.0.1:{sidecar};\n\
         proxy_set_header Host $http_host; proxy_set_header X-Forwarded-For {VISITOR}; }} }} }}\n"
    );
    std::fs::write(&conf, text).unwrap();
    let process = Process::start(system("nginx").arg("-c").arg(conf));
    wait_for_port(port);
    process
}

fn sha256(text: &str) -> String {
    hex::encode(Sha256::digest(text))
}

/// PHP, the sidecar and a browser, in a folder of their own.
struct Stage {
    graph: Graph,
    sidecar: Process,
    browser: Client,
    url: String,
    _php: Process,
    _nginx: Process,
    _driver: Process,
    dir: tempfile::TempDir,
}

impl Stage {
    async fn set() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let graph = Graph::start();
        let php_port = free_port();
        let mut php = Command::new("php");
        php.args(["-S", &format!("127.0.0.1:{php_port}"), "-t", SITE])
            .env("SITE_LOG", dir.path().join("site.log"))
            // More than one request at once, so that both clicks of a double click are really there.
            .env("PHP_CLI_SERVER_WORKERS", "4");
        let php = Process::start(&mut php);
        wait_for_port(php_port);
        let sidecar = Process::sidecar(&[
            "run",
            "--listen",
            "127.0.0.1:0",
            "--admin-listen",
            "127.0.0.1:0",
            "--upstream",
            &format!("http://127.0.0.1:{php_port}"),
            "--graph-endpoint",
            &graph.url(),
            "--pixel-id",
            "1234567890",
            "--default-country",
            "DE",
            "--trusted-proxy",
            "127.0.0.0/8",
            "--store",
            &store(dir.path()),
        ]);
        let port = free_port();
        let nginx = nginx(dir.path(), port, sidecar.address("address").port());
        let (driver, browser) = chromium::open(dir.path()).await;
        let url = format!("http://localhost:{port}");
        Self { graph, sidecar, browser, url, _php: php, _nginx: nginx, _driver: driver, dir }
    }

    async fn fill_in(&self) {
        let fields = [
            ("first_name", "Ana"),
            ("last_name", "Ruíz"),
            ("email", " Ana.Ruiz@Example.com "),
            ("phone", "0171 555 01234"),
            ("message", "Please call me back."),
        ];
        fill_in(&self.browser, &fields).await;
    }

    async fn cookie(&self, name: &str) -> Option<String> {
        self.browser.get_named_cookie(name).await.ok().map(|cookie| cookie.value().to_owned())
    }

    /// What PHP received, request by request.
    fn site_log(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.dir.path().join("site.log")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect()
    }

    fn outbox(&self, state: &str) -> Vec<Value> {
        let output = Command::new(env!("CARGO_BIN_EXE_capi-sidecar"))
            .args(["outbox", "list", "--format", "json", "--state", state, "--store", &store(self.dir.path())])
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn store(dir: &Path) -> String {
    format!("sqlite:{}", dir.join("capi.db").display())
}

fn posts(log: &[Value]) -> Vec<&Value> {
    log.iter().filter(|request| request["method"] == "POST").collect()
}

/// The button is pressed again while the first request is under way: PHP takes 150 ms for its answer.
const DOUBLE_CLICK: &str =
    "const b = document.querySelector('form#quote [type=submit]'); b.click(); setTimeout(() => b.click(), 60);";

#[test]
#[ignore = "needs php-cli, nginx, chromium and chromium-driver"]
fn a_visitor_who_accepts_the_banner_is_one_lead_with_everything_in_it() {
    chromium::run(async {
        let stage = Stage::set().await;
        let browser = &stage.browser;
        browser.goto(&format!("{}/?fbclid=IwAR0Browser_-x", stage.url)).await.unwrap();
        assert_eq!(stage.cookie("_fbc").await, None, "no cookie before the banner is answered");
        click(&stage.browser, "#accept").await;
        // The next page tells where it came from; that is how the click survives until now.
        browser.goto(&format!("{}/?fbclid=IwAR0Browser_-x", stage.url)).await.unwrap();
        let fbc = stage.cookie("_fbc").await.expect("the landing set _fbc");
        assert!(fbc.starts_with("fb.") && fbc.ends_with(".IwAR0Browser_-x"), "{fbc}");
        let fbp = stage.cookie("_fbp").await.expect("the site's pixel set _fbp");
        stage.fill_in().await;
        let page = browser.current_url().await.unwrap();
        browser.execute(DOUBLE_CLICK, vec![]).await.unwrap();
        browser.wait().for_url(&format!("{}/thanks.php", stage.url).parse().unwrap()).await.unwrap();
        browser.refresh().await.unwrap();
        stage.graph.wait_for(1, support::PATIENCE);
        tokio::time::sleep(Duration::from_millis(700)).await;

        let events = stage.graph.events();
        assert_eq!(events.len(), 1, "one submission, one event: {events:?}");
        let agent = browser.execute("return navigator.userAgent", vec![]).await.unwrap();
        let id = events[0]["event_id"].as_str().unwrap();
        assert!(id.len() >= 32, "{id}");
        let expected = json!({
            "event_name": "Lead", "event_time": events[0]["event_time"], "event_id": id, "action_source": "website",
            "event_source_url": page.as_str(),
            "user_data": {
                "em": [sha256("ana.ruiz@example.com")], "ph": [sha256("4917155501234")],
                "fn": [sha256("ana")], "ln": [sha256("ruíz")],
                "fbc": fbc, "fbp": fbp, "client_ip_address": VISITOR, "client_user_agent": agent,
            },
        });
        assert_eq!(events[0], expected);
        let log = stage.site_log();
        let posts = posts(&log);
        for post in &posts {
            assert_eq!(post["post"]["email"], " Ana.Ruiz@Example.com ", "PHP got what was typed");
            assert_eq!(post["post"]["last_name"], "Ruíz");
        }
        assert!(!posts.is_empty());
        println!("PHP received {} POSTs, Graph one event", posts.len());
        let delivered = stage.outbox("delivered");
        assert_eq!((delivered.len(), delivered[0]["event_id"].as_str()), (1, Some(id)));
        assert!(!stage.sidecar.output().to_lowercase().contains("ana.ruiz"));
        stage.browser.clone().close().await.unwrap();
    });
}

#[test]
#[ignore = "needs php-cli, nginx, chromium and chromium-driver"]
fn a_visitor_who_rejects_the_banner_is_a_bare_event_that_meta_refuses() {
    chromium::run(async {
        let stage = Stage::set().await;
        stage.browser.goto(&format!("{}/?fbclid=IwAR0Browser_-x", stage.url)).await.unwrap();
        click(&stage.browser, "#reject").await;
        stage.browser.goto(&format!("{}/?fbclid=IwAR0Browser_-x", stage.url)).await.unwrap();
        assert_eq!(stage.cookie("_fbc").await, None);
        stage.fill_in().await;
        stage.browser.execute(DOUBLE_CLICK, vec![]).await.unwrap();
        stage.browser.wait().for_url(&format!("{}/thanks.php", stage.url).parse().unwrap()).await.unwrap();
        wait_until("the refusal", || stage.outbox("refused").len() == 1);
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!(stage.graph.events().is_empty(), "nothing was accepted");
        let requests = stage.graph.requests();
        assert_eq!(requests.len(), 1, "one bare event, in a request of its own, never repeated");
        let event = requests[0].events[0].as_object().unwrap();
        let keys: Vec<_> = event.keys().map(String::as_str).collect();
        assert!(event.get("user_data").is_none_or(|data| data.as_object().is_some_and(Map::is_empty)), "{keys:?}");
        assert_eq!(event["event_source_url"], format!("{}/", stage.url), "without its query");
        let row = &stage.outbox("refused")[0];
        assert_eq!((&row["code"], &row["subcode"], &row["state"]), (&json!(100), &json!(2_804_050), &json!("refused")));
        assert!(!posts(&stage.site_log()).is_empty(), "the site got its form all the same");
        stage.browser.clone().close().await.unwrap();
    });
}
