//! The `Set-Cookie` line of Meta's first-party cookies.

use super::domain::CookieScope;

/// 90 days in seconds, from Meta's fbp-and-fbc page.
const MAX_AGE: &str = "7776000";

/// One line. No `HttpOnly`: the browser pixel reads these cookies. Name and value are this room's own, so that nothing
/// needs quoting.
pub fn set_cookie(name: &'static str, value: &str, scope: &CookieScope, https: bool) -> String {
    let (attribute, domain) = domain(scope);
    let secure = if https { "; Secure" } else { "" };
    [name, "=", value, attribute, domain, "; Path=/; Max-Age=", MAX_AGE, "; SameSite=Lax", secure].concat()
}

/// The line that makes browsers forget it: same name, domain and path (RFC 6265 5.3), and no time to live.
pub fn expired(name: &'static str, scope: &CookieScope) -> String {
    let (attribute, domain) = domain(scope);
    [name, "=", attribute, domain, "; Path=/; Max-Age=0"].concat()
}

fn domain(scope: &CookieScope) -> (&'static str, &str) {
    scope.domain.as_deref().map_or(("", ""), |domain| ("; Domain=", domain))
}
