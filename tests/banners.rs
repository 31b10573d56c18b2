//! Real banners' scripts from npm in headless Chromium, and what the running sidecar reads out of what they store: before
//! the visitor clicks anything, after a refusal, after a yes, and when the yes is taken back. Banners whose answer no
//! server can read come with `examples/consent-bridge`; those of them that are no package are stand-ins with the
//! documented API, each with the trap that is known of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/chromium.rs"]
mod chromium;
#[path = "../examples/demo/graph.rs"]
mod graph;
#[path = "banners/stage.rs"]
mod stage;
mod support;

use std::time::Instant;

use stage::{Banner, Stage};
use support::PATIENCE;

/// Folder and package, each at the version that was looked at: a release of somebody else's breaks no build.
const PACKAGES: [(&str, &str); 12] = [
    ("vanilla-cookieconsent-3", "vanilla-cookieconsent@3.1.0"),
    ("vanilla-cookieconsent-2", "vanilla-cookieconsent@2.9.2"),
    ("klaro", "klaro@0.7.22"),
    ("tarteaucitron", "tarteaucitronjs@1.34.0"),
    ("orejime-3", "orejime@3.2.1"),
    ("orejime-2", "orejime@2.3.3"),
    ("cookieconsent", "cookieconsent@3.1.1"),
    ("react-cookie-consent", "react-cookie-consent@10.0.2"),
    ("react", "react@18.3.1"),
    ("react-dom", "react-dom@18.3.1"),
    ("iabtcf-core", "@iabtcf/core@1.5.6"),
    ("iabtcf-cmpapi", "@iabtcf/cmpapi@1.5.6"),
];

macro_rules! page {
    ($file:literal) => {
        include_str!(concat!("banners/", $file, ".html"))
    };
}

static BANNERS: [Banner; 16] = [
    Banner {
        name: "vanilla-cookieconsent-3",
        html: page!("vanilla-cookieconsent-3"),
        accept: "[data-role=all]",
        reject: "[data-role=necessary]",
        statistics_only: "CookieConsent.acceptCategory(['analytics'])",
        bridge: None,
    },
    Banner {
        name: "vanilla-cookieconsent-3-local",
        html: page!("vanilla-cookieconsent-3-local"),
        accept: "[data-role=all]",
        reject: "[data-role=necessary]",
        statistics_only: "CookieConsent.acceptCategory(['analytics'])",
        bridge: Some(""),
    },
    Banner {
        name: "vanilla-cookieconsent-2",
        html: page!("vanilla-cookieconsent-2"),
        accept: "#c-p-bn",
        reject: "#c-s-bn",
        statistics_only: "banner.accept(['analytics'])",
        bridge: None,
    },
    Banner {
        name: "klaro",
        html: page!("klaro"),
        accept: ".cm-btn-success",
        reject: ".cn-decline",
        statistics_only: "klaro.getManager().updateConsent('facebook-pixel', false); \
                          klaro.getManager().saveAndApplyConsents()",
        bridge: None,
    },
    Banner {
        name: "klaro-local",
        html: page!("klaro-local"),
        accept: ".cm-btn-success",
        reject: ".cn-decline",
        statistics_only: "klaro.getManager().updateConsent('facebook-pixel', false); \
                          klaro.getManager().saveAndApplyConsents()",
        bridge: Some(""),
    },
    Banner {
        name: "tarteaucitron",
        html: page!("tarteaucitron"),
        accept: "#tarteaucitronPersonalize2",
        reject: "#tarteaucitronAllDenied2",
        statistics_only: "tarteaucitron.setConsent('facebookpixel', false)",
        bridge: None,
    },
    Banner {
        name: "orejime-3",
        html: page!("orejime-3"),
        accept: ".orejime-Banner-saveButton",
        reject: ".orejime-Banner-declineButton",
        statistics_only: "orejime.manager.setConsent('facebook-pixel', false)",
        bridge: None,
    },
    Banner {
        name: "orejime-2",
        html: page!("orejime-2"),
        accept: ".orejime-Notice-saveButton",
        reject: ".orejime-Notice-declineButton",
        statistics_only: "const manager = orejime.internals.manager; \
                          manager.updateConsent(manager.getApp('facebook-pixel'), false); \
                          manager.saveAndApplyConsents()",
        bridge: None,
    },
    Banner {
        name: "cookieconsent",
        html: page!("cookieconsent"),
        accept: ".cc-allow",
        reject: ".cc-deny",
        statistics_only: "",
        bridge: None,
    },
    // Its cookie has the name that Cookiebot's has.
    Banner {
        name: "react-cookie-consent",
        html: page!("react-cookie-consent"),
        accept: "#rcc-confirm-button",
        reject: "#rcc-decline-button",
        statistics_only: "",
        bridge: None,
    },
    Banner { bridge: None, ..bridged("iabtcf", page!("iabtcf"), FEWER_PURPOSES) },
    bridged("iabtcf-local", page!("iabtcf"), FEWER_PURPOSES),
    bridged("usercentrics-3", page!("usercentrics-3"), "choose(true, false)"),
    bridged("usercentrics-2", page!("usercentrics-2"), "choose('SAVE', true, false)"),
    bridged("termly", page!("termly"), "choose(true, false)"),
    bridged("osano", page!("osano"), "choose('ACCEPT', 'DENY')"),
];

/// 3 and 4 are an advertising profile and what is shown by it.
const FEWER_PURPOSES: &str = "choose([1, 2, 7, 8, 9, 10, 11])";

const fn bridged(name: &'static str, html: &'static str, statistics_only: &'static str) -> Banner {
    Banner { name, html, accept: "#accept", reject: "#reject", statistics_only, bridge: Some("") }
}

const UNANSWERED: &str = "denied consent_unknown unknown";
const REFUSED: &str = "denied consent_denied denied";
const ACCEPTED: &str = "lead accepted granted";

#[test]
#[ignore = "needs chromium, chromium-driver, npm and a network registry"]
fn what_a_banner_stores_is_read_as_what_the_visitor_clicked() {
    chromium::run(async {
        let stage = Stage::set(&PACKAGES, BANNERS.iter().collect()).await;
        let mut wrong = Vec::new();
        for banner in &BANNERS {
            let start = Instant::now();
            let said = visit(&stage, banner).await;
            println!("{} ({} ms)", banner.name, start.elapsed().as_millis());
            for (when, expected, found) in said {
                println!("  {when}: {found}");
                if !found.starts_with(expected) {
                    wrong.push(format!("{}, {when}: {found}, not {expected}", banner.name));
                }
            }
        }
        assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
        // Whoever accepted is an event that Graph takes; nobody else is.
        stage.graph.wait_for(BANNERS.len(), PATIENCE);
        assert_eq!(stage.graph.events().len(), BANNERS.len());
        stage.close().await;
    });
}

/// When, what should be decided, what was.
type Said = (&'static str, &'static str, String);

async fn visit(stage: &Stage, banner: &Banner) -> Vec<Said> {
    let mut said = Vec::new();

    stage.land_anew(banner).await;
    stage.settle().await;
    said.push(("untouched", UNANSWERED, stage.submit(banner).await));
    said.push(("untouched, next landing", "no _fbc", stage.land(banner).await));

    stage.land_anew(banner).await;
    stage.answer(banner.reject).await;
    said.push(("refused", REFUSED, stage.submit(banner).await));
    said.push(("refused, next landing", "no _fbc", stage.land(banner).await));

    stage.land_anew(banner).await;
    stage.answer(banner.accept).await;
    said.push(("accepted, next landing", "_fbc", stage.land(banner).await));
    stage.settle().await;
    said.push(("accepted", ACCEPTED, stage.submit(banner).await));

    if !banner.statistics_only.is_empty() {
        stage.land(banner).await;
        stage.settle().await;
        stage.run(banner.statistics_only).await;
        said.push(("statistics only", REFUSED, stage.submit(banner).await));
    }
    said
}
