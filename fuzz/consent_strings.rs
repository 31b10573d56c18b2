//! Consent strings with a head that is valid and has no yes, so that the decoders are reached: whatever follows, it may
//! not become one. The first byte picks the kind; the rest, behind base64url where the kind has it, is what follows.
#![no_main]

use capi_sidecar::config::ConsentConfig;
use capi_sidecar::consent::{self, Consent, Signals, State};
use http::HeaderMap;
use libfuzzer_sys::fuzz_target;

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// TC strings up to PurposesLITransparency: everything but purpose 7; everything, under a policy of 2020.
const ALL_BUT_MEASUREMENT: &str = "CQuPXIAQuPXIAEsABBENCWFgAP3g";
const TOO_OLD: &str = "CQuPXIAQuPXIAEsABBENCWCgAP_g";
/// A whole one with a yes.
const YES: &str = "CQuPXIAQuPXIAEsABBENCWFgAP_gAAAAAAYgAAAAAAAA";

fuzz_target!(|input: &[u8]| {
    let Some((kind, rest)) = input.split_first() else { return };
    let packed = base64url(rest);
    let text = String::from_utf8_lossy(rest);
    let sections = rest.split(|byte| *byte == b'~').map(base64url).collect::<Vec<_>>().join("~");
    let consent = match kind % 9 {
        0 => read(&[("euconsent-v2", &format!("{ALL_BUT_MEASUREMENT}{packed}"))]),
        1 => read(&[("euconsent-v2", &format!("{TOO_OLD}{packed}"))]),
        2 => read(&[("__gpp", &format!("DBABMA~{ALL_BUT_MEASUREMENT}{packed}"))]),
        // Every US section; any header; Canada.
        3 => read(&[("__gpp", &format!("DBABrVg~{sections}"))]),
        4 => read(&[("__gpp", &format!("DBA{packed}~{sections}"))]),
        5 => read(&[("__gpp", &format!("DBABDA~B{packed}"))]),
        6 => read(&[("usprivacy", &format!("1Y{text}")), ("us_privacy", &text)]),
        // A yes that Google's list of vendors is to confirm.
        7 => {
            let list: String = text.chars().filter(|char| "0123456789.~dv".contains(*char)).collect();
            let consent = read(&[("euconsent-v2", YES), ("addtl_consent", &format!("1~{list}"))]);
            if list.split('.').any(|id| id.trim_start_matches('0') == "89") {
                return;
            }
            consent
        }
        _ => read(&[("FCCDCF", &format!("[null,null,null,[\"{ALL_BUT_MEASUREMENT}{packed}\",\"2~89~dv.\"],{text}]"))]),
    };
    assert_ne!(consent.state, State::Granted);
    assert!(consent.seen.iter().all(|seen| seen.state != State::Granted));
});

fn read(cookies: &[(&str, &str)]) -> Consent {
    // What is fuzzed must not begin a cookie of its own.
    let pairs = cookies.iter().map(|(name, value)| format!("{name}={}", value.replace(';', "")));
    let line = pairs.collect::<Vec<_>>().join("; ");
    let headers = HeaderMap::new();
    consent::read(&Signals::from_headers(&headers).with_cookie_line(line.as_bytes()), &ConsentConfig::default())
}

fn base64url(bytes: &[u8]) -> String {
    let bit = |at: usize| bytes.get(at / 8).is_some_and(|byte| byte >> (7 - at % 8) & 1 == 1);
    let six = |first: usize| (first..first + 6).fold(0, |n, at| n << 1 | usize::from(bit(at)));
    (0..bytes.len() * 8).step_by(6).map(|first| char::from(DIGITS[six(first)])).collect()
}
