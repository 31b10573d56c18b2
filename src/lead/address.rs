//! `client_ip_address`: only addresses of the public internet are worth sending.

use std::net::{IpAddr, Ipv4Addr};

/// The address as it may be sent: IPv4 out of `::ffff:`, nothing private, local, shared, reserved or multicast.
/// Documentation ranges (RFC 5737, RFC 3849) pass: examples use them.
#[must_use]
pub fn sendable_ip(ip: IpAddr) -> Option<IpAddr> {
    let ip = ip.to_canonical();
    let public = match ip {
        IpAddr::V4(ip) => is_public(ip),
        // RFC 4291 2.4: global unicast, as far as it was ever handed out, is 2000::/3.
        IpAddr::V6(ip) => ip.segments()[0] & 0xE000 == 0x2000,
    };
    public.then_some(ip)
}

/// The address to send: Meta prefers IPv6. `fbi` is the cookie of Meta's parameter builder, in which a browser keeps the
/// address it found (`203.0.113.42.AQYBAQMD`): it is the visitor's own word on the visitor's own address, and is taken where
/// it is IPv6 and the connection is not, or where the connection has no address to send.
#[must_use]
pub fn best_ip(connection: Option<IpAddr>, fbi: Option<&str>) -> Option<IpAddr> {
    let own = connection.and_then(sendable_ip);
    let kept = fbi.and_then(of_cookie).and_then(sendable_ip);
    match (own, kept) {
        (Some(IpAddr::V4(_)), Some(kept @ IpAddr::V6(_))) => Some(kept),
        (own, kept) => own.or(kept),
    }
}

/// The cookie's address, its appendix of 2 or 8 characters cut.
fn of_cookie(value: &str) -> Option<IpAddr> {
    let value = percent_encoding::percent_decode_str(value).decode_utf8().ok()?;
    let without =
        value.rsplit_once('.').filter(|(_, appendix)| matches!(appendix.len(), 2 | 8)).map(|(address, _)| address);
    value.parse().ok().or_else(|| without?.parse().ok())
}

/// IANA's special-purpose registry (RFC 6890).
fn is_public(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let shared = a == 100 && b & 0xC0 == 64;
    let protocol_assignments = (a, b, c) == (192, 0, 0);
    let benchmarking = a == 198 && b & 0xFE == 18;
    let multicast_or_reserved = a >= 224;
    !(a == 0
        || ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || shared
        || protocol_assignments
        || benchmarking
        || multicast_or_reserved)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_and_documentation_addresses_pass() {
        for (ip, expected) in [
            ("203.0.113.42", "203.0.113.42"),
            ("192.0.2.1", "192.0.2.1"),
            ("198.51.100.7", "198.51.100.7"),
            ("::ffff:203.0.113.42", "203.0.113.42"),
            ("2001:db8::1", "2001:db8::1"),
            ("2a00:1450::5", "2a00:1450::5"),
            ("100.63.0.1", "100.63.0.1"),
            ("172.32.0.1", "172.32.0.1"),
        ] {
            assert_eq!(sendable_ip(ip.parse().unwrap()), Some(expected.parse().unwrap()), "{ip}");
        }
    }

    #[test]
    fn ipv6_is_preferred_where_both_are_known() {
        for (connection, cookie, best) in [
            (Some("203.0.113.42"), None, Some("203.0.113.42")),
            (Some("203.0.113.42"), Some("2001:db8::7.AQYBAQMD"), Some("2001:db8::7")),
            (Some("203.0.113.42"), Some("2001%3Adb8%3A%3A7.Bg"), Some("2001:db8::7")),
            (Some("203.0.113.42"), Some("198.51.100.9.AQYBAQMD"), Some("203.0.113.42")),
            (Some("2001:db8::1"), Some("2001:db8::7"), Some("2001:db8::1")),
            (Some("10.0.0.1"), Some("198.51.100.9.Bg"), Some("198.51.100.9")),
            (Some("10.0.0.1"), Some("192.168.1.1"), None),
            (None, Some("nonsense"), None),
        ] {
            let connection = connection.map(|address| address.parse().unwrap());
            assert_eq!(best_ip(connection, cookie), best.map(|address| address.parse().unwrap()), "{cookie:?}");
        }
    }

    #[test]
    fn addresses_that_say_nothing_of_the_visitor_do_not() {
        for ip in [
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "127.0.0.1",
            "169.254.1.1",
            "100.64.0.1",
            "0.1.2.3",
            "224.0.0.1",
            "255.255.255.255",
            "240.0.0.1",
            "198.18.0.1",
            "192.0.0.8",
            "::1",
            "::",
            "fe80::1",
            "febf::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "::ffff:10.0.0.1",
            "::ffff:127.0.0.1",
        ] {
            assert_eq!(sendable_ip(ip.parse().unwrap()), None, "{ip}");
        }
    }
}
