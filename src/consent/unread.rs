//! Cookies that look like a banner's and are not read by anybody: a hint for the operator, never evidence.

use super::index;
use super::signals::Signals;

/// What names of consent cookies have in common, in the languages that banners are written in.
const WORDS: [&str; 11] =
    ["consent", "cookie", "gdpr", "dsgvo", "rgpd", "lgpd", "privacy", "cmp", "optin", "opt-in", "opt_in"];
/// Longer names are not shown.
const MAX_NAME: usize = 48;
/// Names shown of one request.
const MAX_NAMES: usize = 3;

/// Names of such cookies. They are the site's words, not the visitor's, and only plain ones are let through.
#[must_use]
pub fn unread(signals: &Signals<'_>) -> Vec<String> {
    let names = signals.cookies().map(|(name, _)| name).filter(|name| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
        let lower = name.to_ascii_lowercase();
        name.len() <= MAX_NAME
            && name.bytes().all(plain)
            && WORDS.iter().any(|word| lower.contains(word))
            && !index::is_known(name)
            // Ours, and WordPress' test whether the browser takes cookies.
            && !matches!(*name, "capi_consent" | "wordpress_test_cookie")
    });
    let mut names: Vec<_> = names.take(MAX_NAMES).map(str::to_owned).collect();
    names.sort();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    #[test]
    fn only_plain_names_of_unknown_consent_cookies_are_hints() {
        let headers = HeaderMap::new();
        let hints = |line: &str| unread(&Signals::from_headers(&headers).with_cookie_line(line.as_bytes()));
        assert_eq!(hints("my_Consent=1; PHPSESSID=a; theme=dark"), ["my_Consent"]);
        assert_eq!(hints("cookieyes-consent=x; cmplz_marketing=deny; capi_consent=granted"), [""; 0]);
        assert_eq!(hints("consent<script>=1; wordpress_test_cookie=1"), [""; 0]);
        assert_eq!(hints(&format!("consent{}=1", "x".repeat(60))), [""; 0]);
        assert_eq!(hints("cmp1=; cmp2=; cmp3=; cmp4=").len(), 3);
    }
}
