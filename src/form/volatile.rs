//! Fields that change from one sending of the same form to the next, or belong to the software: no contact data, and
//! no part of the fingerprint.

use std::sync::LazyLock;

use super::names::last_bracket;
use crate::glob;

/// Lower case; `*` is any text. Matched against the whole name and its last bracket.
const VOLATILE: &[&str] = &[
    "*nonce*",
    "_wp_http_referer",
    "_token",
    "csrf*",
    "*csrf_token*",
    "authenticity_token",
    "__requestverificationtoken",
    "form_build_id",
    "form_token",
    "form_id",
    "form_key",
    "__trustedproperties",
    "__referrer",
    "__viewstate*",
    "__eventvalidation",
    "jetpack_contact_form_jwt",
    "security",
    "*_timestamp",
    "timestamp",
    "action",
    "op",
    "submit",
    "*recaptcha*",
    "h-captcha-response",
    "cf-turnstile-response",
    "frc-captcha-solution",
    "altcha",
    "procaptcha-response",
    "captcha*",
    "quiz-*",
    "ct_*",
    "apbct*",
    "ak_*",
    "wp-comment-cookies-consent",
    "_charset_",
    "honeypot_time",
    "antibot_key",
];

static PATTERNS: LazyLock<glob::Set> = LazyLock::new(|| glob::Set::new(VOLATILE));

/// Names under which pages send an event id, without punctuation.
const EVENT_ID: &[&str] = &["eventid", "fbeventid", "capieventid", "metaeventid", "fbqeventid", "pixeleventid"];

/// Whether a field says nothing about who submitted what.
pub(super) fn is_volatile(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let last = last_bracket(&name);
    PATTERNS.matches(&name)
        || (last.len() < name.len() && PATTERNS.matches(last))
        || is_event_id(&name)
        || is_numbered_state(&name)
        // Joomla's token: 32 hex digits as the name.
        || (name.len() == 32 && name.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Whether a field carries the id of the event: `eventID`, `form_fields[event_id]`.
pub(super) fn is_event_id(name: &str) -> bool {
    let plain = last_bracket(name).bytes().filter(u8::is_ascii_alphanumeric).map(|byte| byte.to_ascii_lowercase());
    EVENT_ID.iter().any(|id| plain.clone().eq(id.bytes()))
}

/// Gravity's `state_3`; `state_province` is a place.
fn is_numbered_state(name: &str) -> bool {
    name.strip_prefix("state_").is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_captchas_and_times_are_volatile_and_answers_are_not() {
        for name in [
            "_wpnonce",
            "wpforms[nonce]",
            "contact[_token]",
            "g-recaptcha-response",
            "start_timestamp",
            "eventID",
            "fb_event_id",
            "data[event_id]",
            "state_7",
            "0123456789abcdef0123456789ABCDEF",
            "CSRFToken",
            "__VIEWSTATE",
            "captcha-1",
        ] {
            assert!(is_volatile(name), "{name}");
        }
        for name in ["email", "state", "state_province", "your-message", "event_name", "options", "facts", "deadbeef"] {
            assert!(!is_volatile(name), "{name}");
        }
    }
}
