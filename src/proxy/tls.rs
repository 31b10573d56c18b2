//! TLS on both sides: the certificate we show to visitors, exchanged without a restart, and the verification of the site's.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, ServerConfig};
use rustls_platform_verifier::Verifier;
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// How HTTP/2 is called in the handshake (RFC 7301).
pub const H2: &[u8] = b"h2";
const HTTP_1_1: &[u8] = b"http/1.1";

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// A certificate with its chain and its key, found to belong together.
#[derive(Clone)]
pub struct Identity(Arc<CertifiedKey>);

/// Which of the two files is at fault, and what is wrong with it.
#[derive(Debug, PartialEq, Eq)]
pub enum BadIdentity {
    /// The certificate.
    Certificate(String),
    /// The key, or that it belongs to another certificate.
    Key(String),
}

impl Identity {
    /// From PEM files.
    ///
    /// # Errors
    /// When one of them cannot be read or they do not belong together.
    pub fn read(certificate: &Path, key: &Path) -> Result<Self, BadIdentity> {
        let chain = certificates(certificate).map_err(BadIdentity::Certificate)?;
        let key = PrivateKeyDer::from_pem_file(key).map_err(|error| {
            BadIdentity::Key(format!("no PEM private key can be read from {}: {error}", key.display()))
        })?;
        let certified = CertifiedKey::from_der(chain, key, &provider()).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => BadIdentity::Key("the key belongs to another certificate".to_owned()),
            rustls::Error::InvalidCertificate(_) => BadIdentity::Certificate(error.to_string()),
            error => BadIdentity::Key(format!("the key cannot be used: {error}")),
        })?;
        Ok(Self(Arc::new(certified)))
    }

    /// Whether this is the same certificate.
    #[must_use]
    pub fn shows_the_same(&self, other: &Self) -> bool {
        self.0.cert == other.0.cert
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({} certificates)", self.0.cert.len())
    }
}

/// The certificates of a PEM file, in its order; at least one.
///
/// # Errors
/// When there is none, or one cannot be read.
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = || CertificateDer::pem_file_iter(path)?.collect::<Result<Vec<_>, _>>();
    let chain = read().map_err(|error| format!("no PEM certificates can be read from {}: {error}", path.display()))?;
    if chain.is_empty() { Err(format!("{} has no PEM certificate in it", path.display())) } else { Ok(chain) }
}

/// The certificate in use. Connections that are open keep theirs; the next handshake shows what was put in last.
pub struct Certificate(RwLock<Identity>);

impl Certificate {
    /// With this one to begin with.
    #[must_use]
    pub fn new(identity: Identity) -> Arc<Self> {
        Arc::new(Self(RwLock::new(identity)))
    }

    /// Shows this one from now on. `false`: it is the one that is shown already.
    pub fn replace(&self, identity: Identity) -> bool {
        let mut current = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let changed = !current.shows_the_same(&identity);
        *current = identity;
        changed
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl ResolvesServerCert for Certificate {
    /// The same for every name: one sidecar stands in front of one site, and a certificate can have many names.
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner).0))
    }
}

/// What turns a visitor's connection into TLS.
///
/// # Errors
/// When the cryptography cannot be set up.
pub fn acceptor(certificate: Arc<Certificate>, http2: bool) -> Result<TlsAcceptor, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(certificate);
    config.alpn_protocols = [H2, HTTP_1_1].into_iter().skip(usize::from(!http2)).map(<[u8]>::to_vec).collect();
    // A browser that comes back to any of the workers is spared the costly part of the handshake.
    config.ticketer = aws_lc_rs::Ticketer::new()?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// What turns a connection to the site into TLS: its certificate must be vouched for by an authority that this machine
/// trusts, or by one of `extra`.
///
/// # Errors
/// When there are no authorities at all, or one of `extra` is no certificate.
pub fn connector(extra: &[CertificateDer<'static>]) -> Result<TlsConnector, rustls::Error> {
    let verifier = Verifier::new_with_extra_roots(extra.iter().cloned(), provider())?;
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.alpn_protocols = vec![HTTP_1_1.to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Whether the failure of a connection was TLS, and not the network.
#[must_use]
pub fn is_tls_trouble(error: &io::Error) -> bool {
    of_tls(error).is_some()
}

/// Whether it was the other side's certificate.
#[must_use]
pub fn is_certificate_trouble(error: &io::Error) -> bool {
    matches!(of_tls(error), Some(rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented))
}

fn of_tls(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}
