//! New connections to the site: TCP, TLS over it, or a socket in the file system.

use std::io;

use rustls::pki_types::{CertificateDer, ServerName};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

use super::socket::Socket;
use super::tls;
use crate::config::Upstream;

/// Knows how the site is reached. Cheap to clone: all workers share what TLS needs.
#[derive(Clone)]
pub struct Dialer {
    upstream: Upstream,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl Dialer {
    /// For that site, whose certificate `authorities` may vouch for besides those of the system.
    ///
    /// # Errors
    /// When there is nobody who could vouch for it.
    pub fn new(upstream: Upstream, authorities: &[CertificateDer<'static>]) -> Result<Self, String> {
        let tls = match &upstream {
            Upstream::Tcp { host, tls: true, .. } => {
                // What is verified and what SNI says is where we connect to; the visitor's Host is another matter.
                let name = ServerName::try_from(host.clone()).map_err(|_| format!("{host:?} is no name for TLS"))?;
                Some((tls::connector(authorities).map_err(|error| error.to_string())?, name))
            }
            _ => None,
        };
        Ok(Self { upstream, tls })
    }

    /// A new connection, its handshake done.
    ///
    /// # Errors
    /// Of the network, or of TLS: see [`tls::is_tls_trouble`].
    pub async fn dial(&self) -> io::Result<Socket> {
        let socket = match &self.upstream {
            Upstream::Unix(path) => Socket::Unix(UnixStream::connect(path).await?),
            // Heads and small bodies must not wait for an acknowledgement (Nagle).
            Upstream::Tcp { host, port, .. } => Socket::tcp(TcpStream::connect((host.as_str(), *port)).await?)?,
        };
        match &self.tls {
            None => Ok(socket),
            Some((connector, name)) => {
                let stream = connector.connect(name.clone(), socket).await?;
                Ok(Socket::Tls(Box::new(stream.into())))
            }
        }
    }
}
