//! Headless Chromium, driven as a visitor would use it. A file of its own: only the tests with a browser include it.
#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::missing_panics_doc)]

use std::path::Path;
use std::process::Command;

use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Map, Value, json};

use crate::support::{Process, free_port, wait_for_port};

/// A browser with its profile in this folder, and the driver that ends it.
pub async fn open(dir: &Path) -> (Process, Client) {
    let port = free_port();
    let driver = Process::start(Command::new("chromedriver").arg(format!("--port={port}")));
    wait_for_port(port);
    let profile = format!("--user-data-dir={}", dir.join("profile").display());
    let args = json!([
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        // Whatever a page refers to elsewhere is not waited for.
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
        profile
    ]);
    let capabilities: Map<String, Value> = Map::from_iter([("goog:chromeOptions".to_owned(), json!({"args": args}))]);
    let browser = ClientBuilder::new(HttpConnector::new())
        .capabilities(capabilities)
        .connect(&format!("http://127.0.0.1:{port}"))
        .await
        .expect("chromedriver opens a browser");
    (driver, browser)
}

/// Waits for it and clicks on it.
pub async fn click(browser: &Client, css: &str) {
    browser.wait().for_element(Locator::Css(css)).await.expect(css).click().await.expect(css);
}

/// Types values into the fields with these names.
pub async fn fill_in(browser: &Client, fields: &[(&str, &str)]) {
    for (name, value) in fields {
        let field = browser.find(Locator::Css(&format!("[name=\"{name}\"]"))).await.expect(name);
        field.send_keys(value).await.expect(name);
    }
}

/// Runs a test that talks to a browser.
pub fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}
