//! What comes before the first request: who the visitor is (the PROXY protocol), and TLS.

use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Once};
use std::time::Duration;

use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::address::TrustedProxies;
use super::peer::Peer;
use super::proxy_protocol::{self, ProxyProtocolError};
use super::socket::Socket;
use super::tls::{self, Certificate, H2};
use crate::config::Config;

/// Nobody needs longer for a header and a handshake; `timeouts.header_read` can be shorter.
const LONGEST: Duration = Duration::from_secs(10);

/// How a connection has to begin; one for all workers.
#[derive(Clone)]
pub struct Front {
    /// Whose PROXY header is required, where one is.
    proxies: Option<TrustedProxies>,
    tls: Option<(TlsAcceptor, Arc<Certificate>)>,
    patience: Duration,
    /// Whether HTTP/2 may follow.
    http2: bool,
    /// Said once: that connections are closed which somebody will miss.
    told: Arc<Once>,
}

/// Which version of HTTP follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaks {
    /// HTTP/1, by agreement or because it is not offered anything else.
    Http1,
    /// HTTP/2, by agreement.
    Http2,
    /// Its first bytes will tell.
    Unknown,
}

/// Why a connection was closed before its first request.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// It does not come from where a PROXY header is believed.
    #[error("a PROXY header is required, and this peer is not in trusted_proxies")]
    NotTrusted,
    /// The header.
    #[error(transparent)]
    Header(#[from] ProxyProtocolError),
    /// The handshake.
    #[error("TLS: {0}")]
    Tls(#[from] io::Error),
    /// Neither came in time.
    #[error("too slow")]
    TooSlow,
}

impl Front {
    /// By the settings.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(config: &Config) -> Result<Self, rustls::Error> {
        let tls = match &config.tls {
            Some(tls) => {
                let certificate = Certificate::new(tls.identity.clone());
                Some((tls::acceptor(Arc::clone(&certificate), config.http2)?, certificate))
            }
            None => None,
        };
        Ok(Self {
            proxies: config.proxy_protocol.then(|| TrustedProxies::new(config.trusted_proxies.clone(), None)),
            tls,
            patience: config.timeouts.header_read.min(LONGEST),
            http2: config.http2,
            told: Arc::new(Once::new()),
        })
    }

    /// The certificate that visitors are shown.
    #[must_use]
    pub fn certificate(&self) -> Option<Arc<Certificate>> {
        self.tls.as_ref().map(|(_, certificate)| Arc::clone(certificate))
    }

    /// What `admit` is not needed for: connections that begin with their first request.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.proxies.is_none() && self.tls.is_none()
    }

    /// What a cleartext connection may turn out to speak.
    #[must_use]
    pub const fn clear(&self) -> Speaks {
        if self.http2 { Speaks::Unknown } else { Speaks::Http1 }
    }

    /// Says why a connection was closed: aloud the first time that the operator's own balancer may be at fault, since
    /// otherwise nobody would find out.
    pub fn complain(&self, peer: IpAddr, refused: &Refused) {
        if matches!(refused, Refused::NotTrusted | Refused::Header(ProxyProtocolError::Malformed(_))) {
            self.told.call_once(|| {
                tracing::warn!(
                    %peer,
                    error = %refused,
                    "a connection was closed before its first request (proxy_protocol = \"required\"); more are only counted"
                );
            });
        }
        tracing::debug!(%peer, error = %refused, "connection closed before its first request");
    }

    /// Reads the PROXY header and shakes hands, as far as either is asked for.
    ///
    /// # Errors
    /// The connection is to be closed.
    pub async fn admit(&self, socket: Socket, address: IpAddr) -> Result<(Socket, Peer, Speaks), Refused> {
        timeout(self.patience, self.admit_patiently(socket, address)).await.unwrap_or(Err(Refused::TooSlow))
    }

    async fn admit_patiently(&self, mut socket: Socket, address: IpAddr) -> Result<(Socket, Peer, Speaks), Refused> {
        let mut peer = Peer::clear(address);
        if let Some(proxies) = &self.proxies {
            if !proxies.contains(peer.address) {
                return Err(Refused::NotTrusted);
            }
            if let Some(visitor) = proxy_protocol::read(&mut socket).await? {
                peer.address = visitor;
            }
        }
        let Some((acceptor, _)) = &self.tls else { return Ok((socket, peer, self.clear())) };
        let stream = acceptor.accept(socket).await?;
        let agreed = stream.get_ref().1.alpn_protocol() == Some(H2);
        peer.https = true;
        let speaks = if agreed { Speaks::Http2 } else { Speaks::Http1 };
        Ok((Socket::Tls(Box::new(stream.into())), peer, speaks))
    }
}
