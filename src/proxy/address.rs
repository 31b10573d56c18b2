//! Who the visitor is: the peer, or what a trusted proxy says of the hop before it.

use std::net::IpAddr;

use http::{HeaderName, header};
use ipnet::IpNet;

use super::fields::Fields;
use super::forwarded::X_FORWARDED_FOR;

/// Peers whose word on addresses and schemes is taken.
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies {
    nets: Vec<IpNet>,
    /// The header in which they say who the visitor is; `None`: by the list of hops.
    header: Option<HeaderName>,
}

/// How a proxy names the visitor that keeps no list of hops. CDNs' own headers (`CF-Connecting-IP`) are read only where the
/// setting names them: a proxy that does not know them passes on what visitors write.
const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

impl TrustedProxies {
    /// From the settings `trusted_proxies` and `client_ip_header`.
    #[must_use]
    pub const fn new(nets: Vec<IpNet>, header: Option<HeaderName>) -> Self {
        Self { nets, header }
    }

    /// Whether this peer is one of them.
    #[must_use]
    pub fn contains(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.nets.iter().any(|net| net.contains(&peer))
    }

    /// The visitor's address: walked from the right, the first hop that is not a trusted proxy. The left-most entry is
    /// whatever the visitor wrote, so it is never taken as such. Where no such hop is named, a header that a trusted peer
    /// sets for the visitor alone.
    #[must_use]
    pub fn visitor(&self, peer: IpAddr, headers: &dyn Fields) -> IpAddr {
        let mut hop = peer.to_canonical();
        if !self.contains(hop) {
            return hop;
        }
        // Of several lines one may be the visitor's own.
        let single = |name: &HeaderName| {
            let [line] = headers.all(name)[..] else { return None };
            parse_hop(std::str::from_utf8(line).ok()?)
        };
        if let Some(visitor) = self.header.as_ref().and_then(single) {
            return visitor;
        }
        for entry in hops(headers).into_iter().rev() {
            let Some(address) = entry else { break };
            hop = address;
            if !self.contains(hop) {
                return hop;
            }
        }
        single(&X_REAL_IP).unwrap_or(hop)
    }
}

/// The hops in order of the lines, by `X-Forwarded-For`, else by `Forwarded` (RFC 7239). `None` is an entry that is no
/// address: the walk must stop there, since what stands left of it is hearsay. Empty elements are none (RFC 9110 5.6.1).
fn hops(headers: &dyn Fields) -> Vec<Option<IpAddr>> {
    let list = |name: &header::HeaderName| -> Vec<String> {
        headers
            .all(name)
            .into_iter()
            .flat_map(|line| String::from_utf8_lossy(line).split(',').map(str::to_owned).collect::<Vec<_>>())
            .filter(|element| !element.trim().is_empty())
            .collect()
    };
    if headers.first(&X_FORWARDED_FOR).is_some() {
        return list(&X_FORWARDED_FOR).iter().map(|entry| parse_hop(entry)).collect();
    }
    list(&header::FORWARDED)
        .iter()
        .map(|element| {
            let node = element.split(';').find_map(|pair| {
                let (name, value) = pair.trim().split_once('=')?;
                name.eq_ignore_ascii_case("for").then_some(value)
            })?;
            parse_hop(node)
        })
        .collect()
}

/// An address as proxies write it: `192.0.2.1`, `192.0.2.1:5678`, `"[2001:db8::1%eth0]:80"`, `::1`.
fn parse_hop(text: &str) -> Option<IpAddr> {
    let text = text.trim().trim_matches('"');
    let host = if let Some(inside) = text.strip_prefix('[') {
        inside.split(']').next()?
    } else if text.matches(':').count() == 1 {
        text.split(':').next()?
    } else {
        text
    };
    let host = host.split('%').next()?;
    host.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderMap, HeaderValue};

    fn visitor(trusted: &[&str], peer: &str, lines: &[(&'static str, &'static str)]) -> String {
        let trusted = TrustedProxies::new(trusted.iter().map(|net| net.parse().unwrap()).collect(), None);
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_static(value));
        }
        trusted.visitor(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn a_header_for_the_visitor_alone_is_a_trusted_peers_word_and_the_last_resort() {
        let trusted = &["10.0.0.0/8"][..];
        for (peer, lines, expected) in [
            ("10.0.0.1", &[("x-real-ip", "[2001:db8::9]:443")][..], "2001:db8::9"),
            ("10.0.0.1", &[("cf-connecting-ip", "198.51.100.66"), ("x-real-ip", "203.0.113.9")], "203.0.113.9"),
            ("10.0.0.1", &[("x-real-ip", "198.51.100.66"), ("x-real-ip", "203.0.113.9")], "10.0.0.1"),
            ("192.0.2.7", &[("x-real-ip", "203.0.113.9")], "192.0.2.7"),
            ("10.0.0.1", &[("x-forwarded-for", "203.0.113.8"), ("x-real-ip", "203.0.113.9")], "203.0.113.8"),
            ("10.0.0.1", &[("x-forwarded-for", "10.0.0.2"), ("x-real-ip", "203.0.113.9")], "203.0.113.9"),
            ("10.0.0.1", &[("x-real-ip", "unknown")], "10.0.0.1"),
        ] {
            assert_eq!(visitor(trusted, peer, lines), expected, "{peer} {lines:?}");
        }
        let net = "10.0.0.0/8".parse().unwrap();
        let named = TrustedProxies::new(vec![net], Some(HeaderName::from_static("cf-connecting-ip")));
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", HeaderValue::from_static("203.0.113.9, 198.51.100.1"));
        headers.insert("cf-connecting-ip", HeaderValue::from_static("203.0.113.9"));
        assert_eq!(named.visitor("10.0.0.1".parse().unwrap(), &headers).to_string(), "203.0.113.9");
        assert_eq!(named.visitor("192.0.2.7".parse().unwrap(), &headers).to_string(), "192.0.2.7");
    }

    #[test]
    fn only_trusted_peers_are_believed() {
        let claim = [("x-forwarded-for", "203.0.113.42")];
        for (trusted, peer, lines, expected) in [
            (&[][..], "10.0.0.1", &claim[..], "10.0.0.1"),
            (&["10.0.0.0/8"][..], "10.0.0.1", &claim[..], "203.0.113.42"),
            (&["10.0.0.0/8"][..], "::ffff:10.0.0.1", &claim[..], "203.0.113.42"),
            (&["10.0.0.0/8"][..], "192.0.2.7", &claim[..], "192.0.2.7"),
            (&["10.0.0.0/8"][..], "10.0.0.1", &[][..], "10.0.0.1"),
        ] {
            assert_eq!(visitor(trusted, peer, lines), expected);
        }
    }

    #[test]
    fn the_walk_stops_at_the_first_hop_that_is_not_trusted() {
        let trusted = &["10.0.0.0/8"][..];
        for (value, expected) in [
            ("198.51.100.9, 203.0.113.42, 10.1.1.1", "203.0.113.42"),
            ("198.51.100.9, nonsense, 10.1.1.1", "10.1.1.1"),
            ("203.0.113.42:55100", "203.0.113.42"),
            ("[2001:db8::7]:443, 10.0.0.2", "2001:db8::7"),
            ("2001:db8::7%eth0", "2001:db8::7"),
            (" , 203.0.113.42", "203.0.113.42"),
            ("203.0.113.42, ,", "203.0.113.42"),
        ] {
            assert_eq!(visitor(trusted, "10.0.0.1", &[("x-forwarded-for", value)]), expected, "{value}");
        }
    }

    #[test]
    fn several_lines_are_one_list_and_forwarded_is_read_where_there_is_no_other() {
        let trusted = &["10.0.0.0/8"][..];
        let lines = [("x-forwarded-for", "198.51.100.9"), ("x-forwarded-for", "203.0.113.42, 10.0.0.3")];
        assert_eq!(visitor(trusted, "10.0.0.1", &lines), "203.0.113.42");
        let with_an_empty_one = [("x-forwarded-for", "203.0.113.42"), ("x-forwarded-for", "")];
        assert_eq!(visitor(trusted, "10.0.0.1", &with_an_empty_one), "203.0.113.42");
        let lines = [("forwarded", "for=198.51.100.9;proto=https, For=\"[2001:db8::9]:80\"")];
        assert_eq!(visitor(trusted, "10.0.0.1", &lines), "2001:db8::9");
    }
}
