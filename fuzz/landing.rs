//! Whatever a link, a page or a browser puts into query, Host, Referer and cookies: what is set is one well-formed cookie
//! each, or nothing. The parts are set apart by zeros.
#![no_main]

use capi_sidecar::exchange::UnixMillis;
use capi_sidecar::landing::{self, Extras, LandingRequest, OTHER_CLICK_IDS};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let parts: Vec<_> = input.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
    let part = |at: usize| parts.get(at).map_or("", |part| part.as_ref());
    let host = part(0).to_ascii_lowercase();
    let cookies = part(3).split(';').filter_map(|pair| pair.trim().split_once('='));
    let request = LandingRequest {
        method: "GET",
        query: part(1),
        host: &host,
        https: input.len() % 2 == 0,
        referer: Some(part(2)).filter(|referer| !referer.is_empty()),
        cookies: cookies.collect(),
        sec_fetch_dest: None,
        sec_fetch_mode: None,
        accept: None,
        sec_purpose: None,
    };
    let click_ids: Vec<_> = OTHER_CLICK_IDS.iter().collect();
    let extras = Extras { mint_fbp: true, click_ids: &click_ids };
    let now = UnixMillis(1_795_608_000_000);
    let set = landing::set_cookies(&request, Some(7), &click_ids, now);
    assert!(set.is_empty() || landing::may_matter(&request, extras), "what is cheap to ask is asked first");
    let set: Vec<_> = set.into_iter().map(|cookie| cookie.line).collect();
    for line in set.iter().chain(&landing::expire_cookies(&request, extras)) {
        is_one_cookie(line, &host);
    }
    for fbc in [part(3), part(4)] {
        if let Some(sent) = landing::fbc_for_submission(Some(part(2)), &host, Some(fbc), now) {
            // A browser's own cookie goes out byte for byte, as long as it is one word; else it was made here.
            let is_its_own = sent == fbc && landing::is_valid_cookie(fbc);
            let is_fine = |char: char| if is_its_own { char.is_ascii_graphic() } else { is_of_a_value(char) };
            assert!(sent.starts_with("fb.") && sent.chars().all(is_fine), "{sent:?}");
        }
    }
});

/// `Set-Cookie: name=value; attributes` with nothing in it that ends one of them early.
fn is_one_cookie(line: &str, host: &str) {
    let mut parts = line.split("; ");
    let (name, value) = parts.next().and_then(|pair| pair.split_once('=')).expect("a name and a value");
    assert!(!name.is_empty() && name.chars().all(|char| char.is_ascii_alphanumeric() || char == '_'), "{line:?}");
    assert!(value.chars().all(is_of_a_value), "{line:?}");
    for attribute in parts {
        let (key, value) = attribute.split_once('=').unwrap_or((attribute, ""));
        match key {
            "Domain" => assert!(!value.is_empty() && host.contains(value), "{line:?} for {host:?}"),
            "Path" => assert_eq!(value, "/"),
            "Max-Age" => assert!(value.parse::<u32>().is_ok(), "{line:?}"),
            "SameSite" => assert_eq!(value, "Lax"),
            "Secure" | "Expires" => {}
            _ => panic!("{line:?}"),
        }
    }
}

fn is_of_a_value(char: char) -> bool {
    char.is_ascii_alphanumeric() || matches!(char, '.' | '-' | '_')
}
