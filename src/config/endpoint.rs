//! The two ends of the proxy as an operator writes them: where visitors connect, and where the site is.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;

use super::parse;

/// The prefix of a socket that is a file.
const UNIX: &str = "unix:";

/// Where visitors, or the proxy in front, connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listen {
    /// An address and a port.
    Tcp(SocketAddr),
    /// A socket in the file system.
    Unix(PathBuf),
}

impl Listen {
    /// `IP:port`, `:port` or `unix:/path.sock`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.strip_prefix(UNIX) {
            Some(path) => socket_path(path).map(Self::Unix),
            None => parse::address(text).map(Self::Tcp),
        }
    }

    /// The address, if it has one.
    #[must_use]
    pub const fn tcp(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(address) => Some(*address),
            Self::Unix(_) => None,
        }
    }

    /// Whether what connects to that address ends up here.
    #[must_use]
    pub fn is_reached_by(&self, address: SocketAddr) -> bool {
        self.tcp().is_some_and(|own| {
            own.port() == address.port()
                && (own.ip().to_canonical() == address.ip().to_canonical()
                    || (own.ip().is_unspecified() && is_of_this_machine(address.ip())))
        })
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "{UNIX}{}", path.display()),
        }
    }
}

/// Only an address of one's own can be bound, on whatever port.
fn is_of_this_machine(ip: IpAddr) -> bool {
    ip.is_loopback() || ip.is_unspecified() || UdpSocket::bind((ip, 0)).is_ok()
}

/// The site behind us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Upstream {
    /// `http://host:port`, `https://host:port`.
    Tcp {
        /// Host name or address as configured (IPv6 without brackets).
        host: String,
        /// TCP port.
        port: u16,
        /// Whether it is spoken to through TLS, its certificate verified.
        tls: bool,
    },
    /// `unix:/path.sock`.
    Unix(PathBuf),
}

impl Upstream {
    /// `http://host:port`, `https://host:port` or `unix:/path.sock`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix(UNIX) {
            return socket_path(path).map(Self::Unix);
        }
        let example = "write the site's address such as \"http://127.0.0.1:8000\"";
        let (rest, tls) = match (text.strip_prefix("http://"), text.strip_prefix("https://")) {
            (Some(rest), _) => (rest, false),
            (_, Some(rest)) => (rest, true),
            _ => return Err(format!("not an http URL; {example}, \"https://site.example\" or \"unix:/path.sock\"")),
        };
        let authority: http::uri::Authority =
            rest.strip_suffix('/').unwrap_or(rest).parse().map_err(|_| format!("not a host and port; {example}"))?;
        if authority.as_str().contains('@') {
            return Err(format!("credentials cannot be part of it; {example}"));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = match authority.as_str().strip_prefix(authority.host()).unwrap_or_default() {
            "" if tls => 443,
            "" => 80,
            rest => {
                rest.strip_prefix(':').and_then(|p| p.parse().ok()).ok_or_else(|| format!("not a port; {example}"))?
            }
        };
        Ok(Self::Tcp { host, port, tls })
    }

    /// Whether requests to it would come back to this listener. Host names are not looked up.
    #[must_use]
    pub fn is(&self, listen: &Listen) -> bool {
        match (self, listen) {
            (Self::Unix(site), Listen::Unix(own)) => site == own,
            (Self::Tcp { host, port, .. }, Listen::Tcp(_)) => {
                let ip = if host.eq_ignore_ascii_case("localhost") {
                    Some(IpAddr::V4(Ipv4Addr::LOCALHOST))
                } else {
                    host.parse().ok()
                };
                ip.is_some_and(|ip| listen.is_reached_by((ip, *port).into()))
            }
            _ => false,
        }
    }
}

impl Upstream {
    /// Its own name, as a Host field has it: for requests that name no host.
    #[must_use]
    pub fn authority(&self) -> String {
        match self {
            Self::Tcp { host, port, tls } => {
                let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
                if *port == if *tls { 443 } else { 80 } { host } else { format!("{host}:{port}") }
            }
            Self::Unix(_) => "localhost".to_owned(),
        }
    }
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port, tls } => {
                let scheme = if *tls { "https" } else { "http" };
                let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
                write!(f, "{scheme}://{host}:{port}")
            }
            Self::Unix(path) => write!(f, "{UNIX}{}", path.display()),
        }
    }
}

fn socket_path(path: &str) -> Result<PathBuf, String> {
    // The kernel's bound (sun_path), its terminating zero included.
    if path.is_empty() || path.len() > 107 || path.contains('\0') {
        return Err("not a path of a socket, of 107 bytes at most; write it like \"unix:/run/site.sock\"".to_owned());
    }
    Ok(PathBuf::from(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_site_has_its_port_where_it_is_not_the_usual_one() {
        for (upstream, name) in [
            ("http://127.0.0.1:8000", "127.0.0.1:8000"),
            ("http://shop.internal:80", "shop.internal"),
            ("https://shop.internal", "shop.internal"),
            ("https://[::1]:80", "[::1]:80"),
            ("unix:/run/site.sock", "localhost"),
        ] {
            assert_eq!(Upstream::parse(upstream).unwrap().authority(), name);
        }
    }

    #[test]
    fn upstreams_are_http_hosts_with_or_without_tls_or_sockets() {
        for (text, shown) in [
            ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
            ("http://[::1]:81/", "http://[::1]:81"),
            ("http://site", "http://site:80"),
            ("https://site.example/", "https://site.example:443"),
            ("https://site.example:8443", "https://site.example:8443"),
            ("unix:/run/x.sock", "unix:/run/x.sock"),
        ] {
            assert_eq!(Upstream::parse(text).map(|upstream| upstream.to_string()), Ok(shown.to_owned()));
        }
        let long = format!("unix:/{}", "x".repeat(107));
        for bad in ["site:80", "ftp://x", "http://u:p@x", "http://x/path", "http://", "unix:", "http://x:99999", &long]
        {
            assert!(Upstream::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn listeners_are_addresses_or_sockets() {
        for (text, shown) in
            [(":8080", "0.0.0.0:8080"), ("[::1]:1", "[::1]:1"), ("unix:/run/capi.sock", "unix:/run/capi.sock")]
        {
            assert_eq!(Listen::parse(text).map(|listen| listen.to_string()), Ok(shown.to_owned()));
        }
        assert!(["8080", "localhost:80", "unix:"].iter().all(|bad| Listen::parse(bad).is_err()));
    }

    #[test]
    fn an_upstream_that_is_the_listener_is_known_by_every_name_that_needs_no_lookup() {
        for (upstream, listen, circle) in [
            ("http://127.0.0.1:80", "0.0.0.0:80", true),
            ("http://localhost:80", "127.0.0.1:80", true),
            ("https://localhost:80", ":80", true),
            ("http://[::ffff:127.0.0.1]:80", "127.0.0.1:80", true),
            ("http://127.0.0.1:81", "0.0.0.0:80", false),
            ("http://192.0.2.1:80", "0.0.0.0:80", false),
            ("http://127.0.0.1:80", "192.0.2.1:80", false),
            ("unix:/a.sock", "unix:/a.sock", true),
            ("unix:/a.sock", "unix:/b.sock", false),
        ] {
            let (upstream, listen) = (Upstream::parse(upstream).unwrap(), Listen::parse(listen).unwrap());
            assert_eq!(upstream.is(&listen), circle, "{upstream} behind {listen}");
        }
    }
}
