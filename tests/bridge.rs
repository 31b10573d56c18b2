//! `examples/consent-bridge` in headless Chromium: what its cookie says after what the visitor and the banner do. The
//! banners are IAB's own API and stand-ins with the documented API of others; `tests/banners.rs` has them answered as
//! visitors do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/chromium.rs"]
mod chromium;
#[path = "../examples/demo/graph.rs"]
mod graph;
#[path = "banners/stage.rs"]
mod stage;
mod support;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use stage::{Banner, Stage};

const PACKAGES: [(&str, &str); 2] = [("iabtcf-core", "@iabtcf/core@1.5.6"), ("iabtcf-cmpapi", "@iabtcf/cmpapi@1.5.6")];

/// What happens on a page.
enum Step {
    /// A visitor's click.
    Click(&'static str),
    /// A script's doing.
    Run(&'static str),
    /// The page is loaded again.
    Land,
    /// Time goes by.
    Settle,
    /// What the cookie says; empty: it is not there.
    Says(&'static str),
}

use Step::{Click, Land, Run, Says, Settle};

const fn page(name: &'static str, html: &'static str, attributes: &'static str) -> Banner {
    Banner { name, html, accept: "", reject: "", statistics_only: "", bridge: Some(attributes) }
}

const USERCENTRICS_3: &str = include_str!("banners/usercentrics-3.html");

/// Each begins with a visitor who was never here.
static STORIES: [(Banner, &[Step]); 9] = [
    // What a site says itself.
    (
        page("site", "", ""),
        &[
            Says(""),
            Run("capiConsent('granted')"),
            Says("granted"),
            Land,
            Says("granted"),
            Run("capiConsent('denied')"),
            Says("denied"),
            Run("capiConsent('yes')"),
            Says(""),
            Run("capiConsent('granted'); capiConsent('')"),
            Says(""),
        ],
    ),
    // Two must both say yes.
    (
        page("two", USERCENTRICS_3, ""),
        &[
            Click("#accept"),
            Says("granted"),
            Run("capiConsent('denied')"),
            Says("denied"),
            Run("capiConsent('granted')"),
            Says("granted"),
        ],
    ),
    // An answer that has grown too old: the banner asks again.
    (
        page("usercentrics-3", USERCENTRICS_3, ""),
        &[Settle, Says(""), Click("#accept"), Says("granted"), Run("choose(true, true, 'IMPLICIT')"), Says("")],
    ),
    // One service instead of a category.
    (
        page("service", USERCENTRICS_3, "data-service=\"Matomo\""),
        &[Settle, Says(""), Run("choose(true, false)"), Says("granted"), Run("choose(false, true)"), Says("denied")],
    ),
    (page("unknown-service", USERCENTRICS_3, "data-service=\"Unknown\""), &[Click("#accept"), Settle, Says("")]),
    // A refusal counts before the banner has stored it.
    (
        page("usercentrics-2", include_str!("banners/usercentrics-2.html"), ""),
        &[
            Settle,
            Says(""),
            Click("#accept"),
            Says("granted"),
            Run("announce('UC_UI_CMP_EVENT', { type: 'DENY_ALL' })"),
            Says("denied"),
        ],
    ),
    // What the banner saves by itself is nobody's answer, whatever the visitor touches meanwhile, then or later.
    (
        page("osano", include_str!("banners/osano.html"), ""),
        &[
            Click("textarea"),
            Settle,
            Says(""),
            Land,
            Settle,
            Says(""),
            Click("#accept"),
            Says("granted"),
            Run("localStorage.clear(); sessionStorage.strict = 1"),
            Land,
            Settle,
            Says(""),
        ],
    ),
    // Nor is what it changes when nobody touches anything. A yes can be taken away like that, not given.
    (
        page("termly", include_str!("banners/termly.html"), ""),
        &[
            Settle,
            Run("document.body.click(); choose(true, true)"),
            Says(""),
            Click("#accept"),
            Says("granted"),
            Run("localStorage.termly = '{\"advertising\": false}'"),
            Land,
            Settle,
            Says("denied"),
            Run("choose(true, true)"),
            Says("denied"),
        ],
    ),
    // Google's list, where there is one, must have Meta on it. A string that is gone is no consent.
    (
        page("iabtcf-local", include_str!("banners/iabtcf.html"), ""),
        &[
            Run("localStorage.additional = '2~1.35.189~dv.89.90'"),
            Click("#accept"),
            Says("denied"),
            Run("localStorage.additional = '2~1.35.89.189~dv.90'"),
            Land,
            Settle,
            Says("granted"),
            // The dialog is opened again and nothing is changed in it; then the law turns out not to apply.
            Run("api.update(localStorage.tc, true)"),
            Says("granted"),
            Run("api.update(null)"),
            Says("granted"),
            Run("choose([]); api.update(localStorage.tc, true)"),
            Says("denied"),
            Run("choose([1, 3, 4, 7])"),
            Says("granted"),
            Run("localStorage.removeItem('tc')"),
            Land,
            Settle,
            Says(""),
        ],
    ),
];

const COOKIE: &str = "capi_consent";

async fn says(stage: &Stage, expected: &str) -> String {
    let start = Instant::now();
    loop {
        let found = stage.cookie(COOKIE).await.map(|cookie| cookie.value().to_owned()).unwrap_or_default();
        if found == expected || start.elapsed() > Duration::from_secs(2) {
            return found;
        }
        stage.settle().await;
    }
}

#[test]
#[ignore = "needs chromium, chromium-driver, npm and a network registry"]
fn the_bridges_cookie_says_what_a_visitor_chose_and_nothing_else() {
    chromium::run(async {
        let stage = Stage::set(&PACKAGES, STORIES.iter().map(|(banner, _)| banner).collect()).await;
        let mut wrong = Vec::new();
        for (banner, steps) in &STORIES {
            stage.land_anew(banner).await;
            for (number, step) in steps.iter().enumerate() {
                match step {
                    Click(css) => stage.click(css).await,
                    Run(script) => stage.run(script).await,
                    Land => drop(stage.land(banner).await),
                    Settle => stage.settle().await,
                    Says(expected) => {
                        let found = says(&stage, expected).await;
                        if found != *expected {
                            wrong.push(format!("{}, step {number}: {found:?}, not {expected:?}", banner.name));
                        }
                    }
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        stage.close().await;
    });
}

#[test]
#[ignore = "needs chromium and chromium-driver"]
fn the_bridges_cookie_is_the_sites_own_and_ends_within_half_a_year() {
    static PAGES: [Banner; 1] = [page("named", "", "data-cookie=\"ads_answer\"")];
    chromium::run(async {
        let stage = Stage::set(&[], PAGES.iter().collect()).await;
        stage.land_anew(&PAGES[0]).await;
        stage.run("capiConsent('granted')").await;
        let cookie = stage.cookie("ads_answer").await.expect("the cookie");
        assert_eq!((cookie.value(), cookie.path()), ("granted", Some("/")));
        assert_eq!(cookie.same_site().map(|site| site.to_string()).as_deref(), Some("Lax"));
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let ends = cookie.expires_datetime().expect("an end").unix_timestamp().unsigned_abs();
        assert!((now + 179 * 86400..=now + 180 * 86400).contains(&ends), "{ends}");
        stage.close().await;
    });
}
