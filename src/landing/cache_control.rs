//! Keeps shared caches from storing an answer that has somebody's cookie in it (RFC 9111 5.2.2).

use std::borrow::Cow;

/// The `Cache-Control` of an answer that gains a cookie; `None` when the site's own value already keeps shared caches
/// from storing it. What the site said to browsers stays: `public, max-age=60` becomes `private, max-age=60`.
///
/// `private="field"` leaves the rest of the answer to shared caches, and `must-understand` tells those that know the
/// status to overlook `no-store` (5.2.2.3), so neither is enough.
#[must_use]
pub fn cache_control_private(current: Option<&str>) -> Option<Cow<'static, str>> {
    let Some(current) = current else { return Some(Cow::Borrowed("private")) };
    let directives: Vec<&str> = directives(current);
    let has = |wanted: &str| directives.iter().any(|directive| directive.eq_ignore_ascii_case(wanted));
    if has("private") || (has("no-store") && !has("must-understand")) {
        return None;
    }
    let for_shared_caches = |directive: &str| {
        let name = directive.split('=').next().unwrap_or_default().trim();
        ["public", "private", "s-maxage"].iter().any(|known| name.eq_ignore_ascii_case(known))
    };
    let kept = directives.iter().copied().filter(|directive| !for_shared_caches(directive));
    Some(std::iter::once("private").chain(kept).collect::<Vec<_>>().join(", ").into())
}

/// Splits at the commas that are not inside quotes.
fn directives(value: &str) -> Vec<&str> {
    let (mut quoted, mut escaped) = (false, false);
    value
        .split(|c| {
            let separates = c == ',' && !quoted;
            quoted ^= c == '"' && !escaped;
            escaped = c == '\\' && quoted && !escaped;
            separates
        })
        .map(str::trim)
        .filter(|directive| !directive.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_caches_are_kept_out_and_browsers_keep_their_directives() {
        for (current, expected) in [
            (None, Some("private")),
            (Some(""), Some("private")),
            (Some("public, max-age=60"), Some("private, max-age=60")),
            (Some("Public,S-MaxAge=600 , max-age=60,,immutable"), Some("private, max-age=60, immutable")),
            (Some("no-cache"), Some("private, no-cache")),
            (Some("private=\"Set-Cookie, X-A\", max-age=5"), Some("private, max-age=5")),
            (Some("ext=\"public, a \\\" , private\", public"), Some("private, ext=\"public, a \\\" , private\"")),
            (Some("no-store, must-understand"), Some("private, no-store, must-understand")),
            (Some("no-store"), None),
            (Some("max-age=60, PRIVATE"), None),
            (Some("no-cache, No-Store, public"), None),
        ] {
            assert_eq!(cache_control_private(current).as_deref(), expected, "{current:?}");
        }
    }
}
