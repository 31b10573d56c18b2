//! Banners that keep the answer in the browser's local storage only: no cookie shows them, but the page's scripts do.
//!
//! Where one is found, silence is not the absence of a banner. Its callback can set the bridge cookie
//! (`consent.bridge_cookie`), which is the only way for its answer to reach a server.

/// A banner that no cookie shows.
#[derive(Debug, PartialEq, Eq)]
pub struct Elsewhere {
    /// Its name.
    pub banner: &'static str,
    /// Where the answer is.
    pub place: &'static str,
    /// What the page can ask or wait for, to set the bridge cookie.
    pub callback: &'static str,
    /// The host that its script is from, or one above it; empty: the site's own, or any.
    host: &'static str,
    /// What the script's path begins with, or where there is no host, what its last part begins with.
    path: &'static str,
}

const TABLE: &[Elsewhere] = &[
    usercentrics("usercentrics.eu"),
    usercentrics("usercentrics.com"),
    termly("/embed.min.js"),
    termly("/resource-blocker/"),
    osano("cmp.osano.com"),
    sourcepoint("privacy-mgmt.com", "/"),
    sourcepoint("", "wrapperMessagingWithoutDetection.js"),
    silktide("silktide-consent-manager."),
];

const fn usercentrics(host: &'static str) -> Elsewhere {
    Elsewhere {
        banner: "Usercentrics",
        place: "local storage (uc_settings, ucData)",
        callback: "the window event UC_UI_CMP_EVENT (version 2) or UC_CONSENT (3, consent.type EXPLICIT)",
        host,
        path: "/",
    }
}

const fn termly(path: &'static str) -> Elsewhere {
    Elsewhere {
        banner: "Termly",
        place: "local storage (TERMLY_API_CACHE)",
        callback: "Termly.on('consent', …)",
        host: "app.termly.io",
        path,
    }
}

/// Its cookie is there as well, but only from its script's first run on.
const fn osano(host: &'static str) -> Elsewhere {
    Elsewhere {
        banner: "Osano",
        place: "local storage and an encrypted cookie (osano_consentmanager)",
        callback: "Osano.cm.addEventListener('osano-cm-consent-saved', …)",
        host,
        path: "/",
    }
}

const fn sourcepoint(host: &'static str, path: &'static str) -> Elsewhere {
    Elsewhere {
        banner: "Sourcepoint",
        place: "local storage (_sp_user_consent_…)",
        callback: "_sp_.addEventListener('onConsentReady', …)",
        host,
        path,
    }
}

const fn silktide(path: &'static str) -> Elsewhere {
    Elsewhere {
        banner: "Silktide",
        place: "local storage (stcm.consent.…)",
        callback: "onAccept and onReject of its consent types",
        host: "",
        path,
    }
}

/// The banner whose script a page loads from this URL, as `src` has it: absolute, without its scheme, or relative.
#[must_use]
pub fn banner_in(script_src: &str) -> Option<&'static Elsewhere> {
    let src = script_src.trim();
    let src = src.split(['?', '#']).next().unwrap_or_default();
    let (host, path) = match src.split_once("//") {
        Some((scheme, rest)) if !scheme.contains('/') => {
            let end = rest.find('/').unwrap_or(rest.len());
            rest.split_at_checked(end)?
        }
        _ => ("", src),
    };
    // A port is no part of the name.
    let host = host.split(':').next().unwrap_or_default();
    let file = path.rsplit('/').next().unwrap_or_default();
    TABLE.iter().find(|known| {
        if known.host.is_empty() {
            file.starts_with(known.path)
        } else {
            is_of(host, known.host) && path.starts_with(known.path)
        }
    })
}

/// Whether it is that host, or one below it.
fn is_of(host: &str, known: &str) -> bool {
    let Some(begin) = host.len().checked_sub(known.len()) else { return false };
    let same = host.get(begin..).is_some_and(|end| end.eq_ignore_ascii_case(known));
    same && (begin == 0 || host.as_bytes().get(begin - 1) == Some(&b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_shows_a_banner_that_no_cookie_shows() {
        for (src, banner) in [
            ("https://app.usercentrics.eu/browser-ui/latest/loader.js", Some("Usercentrics")),
            ("//app.usercentrics.eu/latest/main.js", Some("Usercentrics")),
            ("https://web.cmp.usercentrics.eu/ui/loader.js", Some("Usercentrics")),
            ("HTTPS://WEB.CMP.USERCENTRICS.EU/modules/autoblocker.js?x=1", Some("Usercentrics")),
            ("https://privacy-proxy.usercentrics.eu/latest/uc-block.bundle.js", Some("Usercentrics")),
            ("https://app.termly.io/embed.min.js", Some("Termly")),
            (
                "https://app.termly.io/resource-blocker/00000000-0000-4000-8000-000000000000?autoBlock=on",
                Some("Termly"),
            ),
            // A policy's text is no banner.
            ("https://app.termly.io/embed-policy.min.js", None),
            ("https://cmp.osano.com/AbCdEf123/00000000-0000-4000-8000-000000000000/osano.js", Some("Osano")),
            ("https://cdn.privacy-mgmt.com/unified/wrapperMessagingWithoutDetection.js", Some("Sourcepoint")),
            ("https://cmp.shop.example/wrapperMessagingWithoutDetection.js", Some("Sourcepoint")),
            ("/assets/js/silktide-consent-manager.js?v=2", Some("Silktide")),
            ("silktide-consent-manager.min.js", Some("Silktide")),
            ("https://app.usercentrics.eu:443/browser-ui/latest/loader.js", Some("Usercentrics")),
            ("https://notusercentrics.eu/loader.js", None),
            ("https://usercentrics.eu.shop.example/loader.js", None),
            ("https://shop.example/?u=https://app.usercentrics.eu/loader.js", None),
            ("/proxy//app.usercentrics.eu/loader.js", None),
            ("https://cdn.cookielaw.org/scripttemplates/otSDKStub.js", None),
            ("https://usercentrics.eu", None),
            ("data:text/javascript,1", None),
            ("https://é.eu/ucentrics", None),
            ("//", None),
            ("", None),
        ] {
            assert_eq!(banner_in(src).map(|found| found.banner), banner, "{src}");
        }
    }
}
