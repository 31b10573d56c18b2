//! The site with the banners, the sidecar before it, and the browser.
#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use fantoccini::cookies::Cookie;
use fantoccini::error::CmdError;
use fantoccini::{Client, Locator};
use serde_json::Value;

use crate::chromium;
use crate::graph::Graph;
use crate::graph::http::{Request, answer, serve};
use crate::support::{PATIENCE, Process, free_port, wait_for_port, wait_until};

/// A home-made banner is read by a rule.
const CONFIG: &str =
    "[[consent.rule]]\nsignal = \"cookie\"\nname = \"CookieConsent\"\ngranted = [\"true\"]\ndenied = [\"false\"]\n";

const FORM: &str = "<form id=\"contact\" method=\"post\" action=\"contact\"><p><label>E-mail <input name=\"email\" type=\"email\"></label></p>\
    <p><label>Message <textarea name=\"message\"></textarea></label></p><p><button>Send</button></p></form>";

/// A page with a banner.
pub struct Banner {
    /// The first segment of its path.
    pub name: &'static str,
    /// What the page has beside its form.
    pub html: &'static str,
    /// The button for everything.
    pub accept: &'static str,
    /// The button for nothing.
    pub reject: &'static str,
    /// A script that takes advertising back and keeps statistics. Empty: the banner knows only yes and no.
    pub statistics_only: &'static str,
    /// Before the banner comes the bridge's script, with these attributes.
    pub bridge: Option<&'static str>,
}

/// Everything that runs.
pub struct Stage {
    /// What left the sidecar.
    pub graph: Graph,
    browser: Client,
    sidecar: Process,
    url: String,
    _driver: Process,
    _dir: tempfile::TempDir,
}

impl Stage {
    /// With these packages, each in a folder below `/npm`.
    pub async fn set(packages: &[(&str, &str)], banners: Vec<&'static Banner>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let npm = dir.path().join("npm");
        if !packages.is_empty() {
            install(packages, &npm);
        }
        let config = dir.path().join("config.toml");
        std::fs::write(&config, CONFIG).unwrap();
        let graph = Graph::start();
        let port = free_port();
        let sidecar = Process::sidecar(&[
            "run",
            "--config",
            config.to_str().unwrap(),
            "--listen",
            &format!("127.0.0.1:{port}"),
            "--admin-listen",
            "127.0.0.1:0",
            "--upstream",
            &site(npm, banners),
            "--graph-endpoint",
            &graph.url(),
            "--pixel-id",
            "1234567890",
            "--log-format",
            "json",
            "--store",
            &format!("sqlite:{}", dir.path().join("capi.db").display()),
        ]);
        wait_for_port(port);
        let (driver, browser) = chromium::open(dir.path()).await;
        Self { graph, browser, sidecar, url: format!("http://localhost:{port}"), _driver: driver, _dir: dir }
    }

    /// A visitor who was never here comes by an advertisement.
    pub async fn land_anew(&self, banner: &Banner) {
        self.goto("/empty").await;
        self.browser.delete_all_cookies().await.unwrap();
        self.run("localStorage.clear()").await;
        self.land(banner).await;
    }

    /// Comes by an advertisement: whether the landing left a cookie.
    pub async fn land(&self, banner: &Banner) -> String {
        self.goto(&format!("/{}/?fbclid=IwAR0Banner_-x", banner.name)).await;
        if self.cookie("_fbc").await.is_some() { "_fbc" } else { "no _fbc" }.to_owned()
    }

    async fn goto(&self, target: &str) {
        self.browser.goto(&format!("{}{target}", self.url)).await.unwrap();
    }

    /// Leaves the page's scripts the time that they need.
    pub async fn settle(&self) {
        tokio::time::sleep(Duration::from_millis(450)).await;
    }

    pub async fn run(&self, script: &str) {
        self.browser.execute(script, vec![]).await.expect(script);
    }

    /// Clicks as soon as that is possible: banners move in.
    pub async fn click(&self, css: &str) {
        let start = Instant::now();
        while let Err(error) = self.try_click(css).await {
            assert!(start.elapsed() < PATIENCE, "{css}: {error}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Clicks until the banner is gone: some are seen before they listen.
    pub async fn answer(&self, css: &str) {
        let start = Instant::now();
        self.click(css).await;
        while self.try_click(css).await.is_ok() {
            assert!(start.elapsed() < PATIENCE, "{css} stays");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn try_click(&self, css: &str) -> Result<(), CmdError> {
        self.browser.find(Locator::Css(css)).await?.click().await
    }

    /// Submits the form: the decision, its reason, the consent and what explains it.
    pub async fn submit(&self, banner: &Banner) -> String {
        let before = self.decisions(banner).len();
        let email = format!("visitor-{}-{before}@example.com", banner.name);
        self.run(&format!(
            "const form = document.getElementById('contact'); form.elements.email.value = '{email}'; form.requestSubmit()"
        ))
        .await;
        wait_until("the decision", || self.decisions(banner).len() > before);
        self.decisions(banner).pop().unwrap()
    }

    fn decisions(&self, banner: &Banner) -> Vec<String> {
        let path = format!("/{}/contact", banner.name);
        let lines = self.sidecar.output();
        let lines = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let words = |line: Value| {
            let word = |key: &str| line[key].as_str().unwrap_or("-").to_owned();
            ["decision", "reason", "consent", "consent_reason"].map(word).join(" ")
        };
        lines.filter(|line| line["path"] == path && !line["decision"].is_null()).map(words).collect()
    }

    /// A cookie as the browser keeps it.
    pub async fn cookie(&self, name: &str) -> Option<Cookie<'static>> {
        self.browser.get_named_cookie(name).await.ok()
    }

    pub async fn close(self) {
        self.browser.close().await.unwrap();
    }
}

/// Packs from the registry, without what they depend on: the files that browsers get have that in them.
fn install(packages: &[(&str, &str)], dir: &Path) {
    std::fs::create_dir_all(dir).unwrap();
    let mut pack = Command::new("npm");
    pack.args(["pack", "--silent", "--pack-destination"]).arg(dir).args(packages.iter().map(|(_, package)| package));
    let output = pack.output().expect("npm is installed");
    assert!(output.status.success(), "npm pack: {}", String::from_utf8_lossy(&output.stderr));
    let files = String::from_utf8(output.stdout).unwrap();
    let files: Vec<&str> = files.lines().collect();
    assert_eq!(files.len(), packages.len(), "{files:?}");
    for (file, (folder, _)) in files.into_iter().zip(packages) {
        let folder = dir.join(folder);
        std::fs::create_dir_all(&folder).unwrap();
        let mut unpack = Command::new("tar");
        unpack.arg("xzf").arg(dir.join(file)).arg("-C").arg(&folder).arg("--strip-components=1");
        assert!(unpack.status().unwrap().success(), "{file}");
    }
}

/// The site's address.
fn site(npm: PathBuf, banners: Vec<&'static Banner>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    serve(listener, move |request| Some(respond(request, &npm, &banners)));
    format!("http://{address}")
}

fn respond(request: &Request, npm: &Path, banners: &[&Banner]) -> Vec<u8> {
    let path = request.target.split('?').next().unwrap_or_default();
    if request.method == "POST" {
        return answer(303, &["Location: thanks"], "");
    }
    if path == "/consent-bridge.js" {
        return file("js", include_str!("../../examples/consent-bridge/consent-bridge.js"));
    }
    if let Some(name) = path.strip_prefix("/npm/") {
        let text = std::fs::read_to_string(npm.join(name));
        let kind = path.rsplit('.').next().unwrap_or_default();
        return text.map_or_else(|_| answer(404, &[], ""), |text| file(kind, &text));
    }
    let body = match path.trim_matches('/').split_once('/') {
        Some((_, "thanks")) => "<p>Thank you.</p>".to_owned(),
        None if path == "/empty" => String::new(),
        None => match banners.iter().find(|banner| banner.name == path.trim_matches('/')) {
            Some(banner) => {
                let bridge = |attributes| format!("<script src=\"/consent-bridge.js\" {attributes}></script>");
                format!("{FORM}{}{}", banner.bridge.map(bridge).unwrap_or_default(), banner.html)
            }
            None => return answer(404, &[], ""),
        },
        Some(_) => return answer(404, &[], ""),
    };
    file("html", &format!("<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Contact</title>{body}"))
}

fn file(kind: &str, text: &str) -> Vec<u8> {
    let kind = match kind {
        "css" => "text/css",
        "html" => "text/html; charset=utf-8",
        _ => "text/javascript; charset=utf-8",
    };
    let kind = format!("Content-Type: {kind}");
    answer(200, &[&kind], text)
}
