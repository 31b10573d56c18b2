//! A live site with nothing made up but the data: Debian's WordPress behind the sidecar, visited by headless Chromium.
//! The form speaks the protocol of WPForms; its fields have numbers for names, so what they hold is known from the page
//! alone.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/chromium.rs"]
mod chromium;
#[path = "../examples/demo/graph.rs"]
mod graph;
mod support;
#[path = "support/wordpress.rs"]
mod wordpress;

use std::collections::BTreeMap;
use std::time::Duration;

use chromium::{click, fill_in};
use fantoccini::{Client, Locator};
use graph::Graph;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use support::{Process, decisions, wait_until};
use wordpress::WordPress;

const SEND: &str = "form[data-formid] [type=submit]";
const EMAIL: &str = "wpforms[fields][1]";
/// The button is pressed again while the first post is under way: the form's plugin takes 150 ms for its answer.
const DOUBLE_CLICK: &str = "const b = document.querySelector('form[data-formid] [type=submit]'); b.click(); \
                            setTimeout(() => b.click(), 60);";

/// WordPress, the sidecar before it and a browser.
struct Stage {
    graph: Graph,
    browser: Client,
    url: String,
    sidecar: Process,
    site: WordPress,
    _driver: Process,
    _dir: tempfile::TempDir,
}

impl Stage {
    async fn set() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let graph = Graph::start();
        let site = WordPress::start();
        let sidecar = Process::sidecar(&[
            "run",
            "--listen",
            "127.0.0.1:0",
            "--admin-listen",
            "127.0.0.1:0",
            "--upstream",
            &format!("http://127.0.0.1:{}", site.port),
            "--graph-endpoint",
            &graph.url(),
            "--pixel-id",
            "1234567890",
            "--default-country",
            "DE",
            "--consent-unknown",
            "grant",
            "--store",
            &format!("sqlite:{}", dir.path().join("capi.db").display()),
        ]);
        let url = format!("http://localhost:{}", sidecar.address("address").port());
        let (driver, browser) = chromium::open(dir.path()).await;
        Self { graph, browser, url, sidecar, site, _driver: driver, _dir: dir }
    }

    async fn goto(&self, path: &str) {
        self.browser.goto(&format!("{}{path}", self.url)).await.unwrap();
    }

    /// The contact form, as Ana Ruíz fills it in.
    async fn fill_in(&self, email: &str) {
        let fields = [
            ("wpforms[fields][0][first]", "Ana"),
            ("wpforms[fields][0][last]", "Ruíz"),
            (EMAIL, email),
            ("wpforms[fields][2]", "0171 555 01234"),
            ("wpforms[fields][3]", "Please call me back."),
        ];
        fill_in(&self.browser, &fields).await;
    }

    /// What CookieYes writes when its banner is answered.
    async fn answer_banner(&self, choice: &str) {
        let cookie = format!(
            "document.cookie = 'cookieyes-consent=consentid:ZXhhbXBsZQ,consent:{choice},action:yes,necessary:yes,\
             functional:{choice},analytics:{choice},advertisement:{choice};path=/'"
        );
        self.browser.execute(&cookie, vec![]).await.unwrap();
    }

    /// What the site said to the form's script the last time, when it was asked so often.
    async fn answer(&self, times: usize) -> Value {
        let css = format!("[data-answers=\"{times}\"]");
        let form = self.browser.wait().for_element(Locator::Css(&css)).await.expect("the site answered");
        serde_json::from_str(&form.attr("data-answer").await.unwrap().unwrap()).unwrap()
    }

    /// Everything that was decided on this site: each post once, and nothing else.
    fn decided(&self, expected: &[(&str, u64)]) {
        let admin = self.sidecar.address("admin");
        let expected: BTreeMap<_, _> = expected.iter().map(|(what, count)| ((*what).to_owned(), *count)).collect();
        let total: u64 = expected.values().sum();
        wait_until("the decisions", || decisions(admin).values().sum::<u64>() >= total);
        assert_eq!(decisions(admin), expected, "the site said {:?}", self.site.judged());
    }

    /// The one event that Graph got, with time for a second one to arrive.
    async fn only_event(&self) -> Value {
        self.graph.wait_for(1, support::PATIENCE);
        tokio::time::sleep(Duration::from_millis(500)).await;
        let mut events = self.graph.events();
        assert_eq!(events.len(), 1, "one submission, one event: {events:?}");
        events.remove(0)
    }
}

fn sha256(text: &str) -> String {
    hex::encode(Sha256::digest(text))
}

/// Ana Ruíz has written on this page.
fn assert_is_ana(event: &Value, page: &str) {
    assert_eq!((&event["event_name"], &event["event_source_url"]), (&json!("Lead"), &json!(page)));
    for (key, value) in [("em", "ana.ruiz@example.com"), ("ph", "4917155501234"), ("fn", "ana"), ("ln", "ruíz")] {
        assert_eq!(event["user_data"][key], json!([sha256(value)]), "{key}");
    }
}

#[test]
#[ignore = "needs Debian's wordpress, mariadb, PHP and Chromium"]
fn refusals_robots_comments_logins_and_an_editor_at_work_are_no_leads() {
    chromium::run(async {
        let stage = Stage::set().await;
        let browser = &stage.browser;
        stage.goto("/quote/").await;
        stage.fill_in("ana.ruiz@refused.example").await;
        click(browser, SEND).await;
        let answer = stage.answer(1).await;
        assert_eq!(answer["success"], false);
        assert!(answer["data"]["errors"]["field"][EMAIL].is_string(), "{answer}");

        stage.goto("/quote/").await;
        stage.fill_in("robot@example.com").await;
        let trap = "document.querySelector('[name=\"wpforms[fields][4]\"]').value = 'robot'";
        browser.execute(trap, vec![]).await.unwrap();
        click(browser, SEND).await;
        assert_eq!(stage.answer(1).await, json!({"success": true, "data": {"confirmation": ""}}));

        stage.goto("/hello-world/").await;
        let comment = [("author", "Ana Ruíz"), ("email", "ana.ruiz@example.com"), ("comment", "How nice.")];
        fill_in(browser, &comment).await;
        click(browser, "#commentform [type=submit]").await;
        wait_for_address(browser, "the comment", "#comment-2").await;

        // The login page brings the focus to its first field a while after it was opened.
        stage.goto("/wp-login.php?redirect_to=/quote/").await;
        browser.wait().for_element(Locator::Css("#user_login:focus")).await.unwrap();
        fill_in(browser, &[("log", "editor"), ("pwd", "correct horse")]).await;
        click(browser, "#wp-submit").await;
        wait_for_address(browser, "the login", "/quote/").await;
        assert!(browser.find(Locator::Css("#wpadminbar")).await.is_ok(), "the editor is logged in");
        stage.fill_in("editor@example.com").await;
        click(browser, SEND).await;
        assert_eq!(stage.answer(1).await["success"], true);

        assert_eq!(stage.site.judged(), ["script refused", "script trapped", "script accepted"]);
        stage.decided(&[
            ("no_lead comment", 1),
            ("no_lead editor", 1),
            ("no_lead honeypot", 1),
            ("no_lead login", 1),
            ("no_lead validation", 1),
        ]);
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(stage.graph.requests().is_empty(), "{:?}", stage.graph.requests());
        stage.browser.clone().close().await.unwrap();
    });
}

#[test]
#[ignore = "needs Debian's wordpress, mariadb, PHP and Chromium"]
fn who_rejects_the_banner_is_nobody_and_who_accepts_it_is_one_lead_however_often_the_button_is_pressed() {
    chromium::run(async {
        let stage = Stage::set().await;
        stage.goto("/quote/").await;
        stage.answer_banner("no").await;
        stage.fill_in("somebody@example.com").await;
        click(&stage.browser, SEND).await;
        assert_eq!(stage.answer(1).await["success"], true);
        stage.decided(&[("denied consent_denied", 1)]);
        wait_until("the bare event", || !stage.graph.requests().is_empty());
        let user = &stage.graph.requests()[0].events[0]["user_data"];
        assert!(user.as_object().is_none_or(Map::is_empty), "{user}");

        let page = "/quote/?utm_source=example";
        stage.goto(page).await;
        stage.answer_banner("yes").await;
        stage.fill_in(" Ana.Ruiz@Example.com").await;
        stage.browser.execute(DOUBLE_CLICK, vec![]).await.unwrap();
        let answer = stage.answer(2).await;
        assert!(answer["data"]["confirmation"].as_str().unwrap().contains("wpforms-confirmation-container-full"));
        assert_eq!(stage.site.judged(), ["script accepted"; 3], "the site accepted both clicks");
        stage.decided(&[("denied consent_denied", 1), ("duplicate accepted", 1), ("lead accepted", 1)]);
        assert_is_ana(&stage.only_event().await, &format!("{}{page}", stage.url));
        assert!(!stage.sidecar.output().to_lowercase().contains("@example.com"));
        stage.browser.clone().close().await.unwrap();
    });
}

#[test]
#[ignore = "needs Debian's wordpress, mariadb, PHP and Chromium"]
fn a_form_without_a_script_is_one_lead_when_it_is_accepted_and_refreshed() {
    chromium::run(async {
        let stage = Stage::set().await;
        let browser = &stage.browser;
        stage.goto("/quote-plain/").await;
        stage.fill_in("ana.ruiz@refused.example").await;
        click(browser, SEND).await;
        browser.wait().for_element(Locator::Css("div.wpforms-error-container")).await.expect("the errors are shown");
        let field = browser.find(Locator::Css("[type=email]")).await.unwrap();
        field.clear().await.unwrap();
        field.send_keys("ana.ruiz@example.com").await.unwrap();
        click(browser, SEND).await;
        browser.wait().for_element(Locator::Css("div#wpforms-confirmation-11")).await.expect("the thanks are shown");
        browser.refresh().await.unwrap();
        browser.wait().for_element(Locator::Css("div#wpforms-confirmation-11")).await.expect("they are shown again");
        assert_eq!(stage.site.judged(), ["page refused", "page accepted", "page accepted"]);
        stage.decided(&[("duplicate accepted", 1), ("lead accepted", 1), ("no_lead validation", 1)]);
        assert_is_ana(&stage.only_event().await, &format!("{}/quote-plain/", stage.url));
        stage.browser.clone().close().await.unwrap();
    });
}

/// Waits until the browser is at an address with this end.
async fn wait_for_address(browser: &Client, what: &str, end: &str) {
    let patience = std::time::Instant::now() + support::PATIENCE;
    loop {
        let url = browser.current_url().await.unwrap();
        if url.as_str().ends_with(end) {
            return;
        }
        assert!(std::time::Instant::now() < patience, "{what}: still at {url}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
