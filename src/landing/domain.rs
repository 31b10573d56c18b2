//! Which domain a cookie belongs to, from the received Host.

use crate::exchange::host_name;

/// RFC 1035 2.3.4.
const MAX_HOST: usize = 253;

/// Where a cookie is set, and the index that Meta's cookie formats derive from it.
#[derive(Debug, PartialEq, Eq)]
pub struct CookieScope {
    /// The `Domain` attribute: the registrable domain. `None`: a host-only cookie without the attribute.
    pub domain: Option<String>,
    /// Dots in the domain, or in the host where the cookie is host-only; 0 for addresses, as in Meta's libraries.
    pub subdomain_index: usize,
}

impl CookieScope {
    /// The scope for a received Host, port included. `None` when it is not the name or address of a host.
    ///
    /// Host-only are: addresses; single labels such as `localhost`; a host that is itself a public suffix (browsers
    /// refuse `Domain=co.uk`, RFC 6265 5.3); and a host with a trailing dot, which matches no domain without one
    /// (RFC 6265 5.1.3), so that browsers would drop the cookie.
    pub fn of(host: &str) -> Option<Self> {
        let host = host_name(host);
        let address = Self { domain: None, subdomain_index: 0 };
        if let Some(v6) = host.strip_prefix('[') {
            let v6 = v6.strip_suffix(']')?;
            return v6.parse::<std::net::Ipv6Addr>().is_ok().then_some(address);
        }
        let name = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        if name.len() > MAX_HOST || !name.split('.').all(is_label) {
            return None;
        }
        // "Ends in a number" makes a host an IPv4 address in every browser (WHATWG URL 3.5).
        if name.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit())) {
            return Some(address);
        }
        let domain = if host.ends_with('.') { None } else { psl::domain_str(&name).map(str::to_owned) };
        let subdomain_index = domain.as_deref().unwrap_or(&name).matches('.').count();
        Some(Self { domain, subdomain_index })
    }
}

/// Letters, digits, hyphens, and the underscore that real hosts have.
fn is_label(label: &str) -> bool {
    !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_belong_to_the_registrable_domain() {
        for (host, domain, index) in [
            ("example.com", Some("example.com"), 1),
            ("a.b.www.example.com", Some("example.com"), 1),
            ("example.co.uk", Some("example.co.uk"), 2),
            ("www.example.co.uk:8080", Some("example.co.uk"), 2),
            ("SHOP.Example:81", Some("shop.example"), 1),
            ("my_shop.shop.example", Some("shop.example"), 1),
            ("www.xn--bcher-kva.example", Some("xn--bcher-kva.example"), 1),
            // Private suffixes: neighbours must not get the cookie.
            ("shop.github.io", Some("shop.github.io"), 2),
            ("www.shop.github.io", Some("shop.github.io"), 2),
            // Host-only.
            ("github.io", None, 1),
            ("co.uk", None, 1),
            ("com", None, 0),
            ("localhost:8080", None, 0),
            ("web", None, 0),
            ("www.example.com.", None, 2),
            ("127.0.0.1", None, 0),
            ("127.1:80", None, 0),
            ("[::1]:8080", None, 0),
            ("[2001:db8::1]", None, 0),
        ] {
            let expected = CookieScope { domain: domain.map(str::to_owned), subdomain_index: index };
            assert_eq!(CookieScope::of(host), Some(expected), "{host}");
        }
    }

    #[test]
    fn what_is_no_host_has_no_scope() {
        let long = format!("{}example.com", "a.".repeat(130));
        for host in [
            "",
            ":80",
            ".",
            "..",
            "a..example.com",
            ".example.com",
            "a b.example",
            "a;b.example",
            "ü.example",
            "[::1",
            "[x]",
        ] {
            assert_eq!(CookieScope::of(host), None, "{host}");
        }
        assert_eq!(CookieScope::of(&long), None);
    }
}
