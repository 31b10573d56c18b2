//! Whoever is at the other end of a visitor's connection: the visitor, or a proxy that speaks for many.

use std::net::IpAddr;

/// The other end.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// Its address, IPv4 as such even on a dual-stack socket.
    pub address: IpAddr,
    /// It speaks TLS with us.
    pub https: bool,
}

impl Peer {
    /// A peer that speaks cleartext.
    #[must_use]
    pub fn clear(address: IpAddr) -> Self {
        Self { address: address.to_canonical(), https: false }
    }
}
