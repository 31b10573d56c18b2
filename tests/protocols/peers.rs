//! Visitors and sites that speak TLS.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use crate::support::connect;

/// One of the files in `tests/certificates`.
pub fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/certificates").join(name)
}

pub fn text(name: &str) -> String {
    file(name).display().to_string()
}

pub fn certificate(name: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(file(name)).unwrap()
}

/// What a visitor knows who trusts the authority of the tests.
pub fn client_config(protocols: &[&[u8]]) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(certificate("authority.pem")).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    config
}

pub type Visitor = StreamOwned<ClientConnection, TcpStream>;

/// Shakes hands over a connection that is there already.
pub fn secure(mut tcp: TcpStream, protocols: &[&[u8]]) -> std::io::Result<Visitor> {
    let name = ServerName::try_from("localhost").unwrap();
    let mut tls = ClientConnection::new(Arc::new(client_config(protocols)), name).unwrap();
    while tls.is_handshaking() {
        tls.complete_io(&mut tcp)?;
    }
    Ok(StreamOwned::new(tls, tcp))
}

/// A visitor over TLS, the certificate verified.
pub fn visit(address: SocketAddr, protocols: &[&[u8]]) -> Visitor {
    secure(connect(address), protocols).expect("the handshake succeeds")
}

/// The certificate that a visitor is shown.
pub fn shown(visitor: &Visitor) -> CertificateDer<'static> {
    visitor.conn.peer_certificates().unwrap()[0].clone().into_owned()
}

/// A site's side of TLS over an accepted connection, under one of the certificates; `None` when the handshake fails. With it
/// the name the peer asked for.
pub fn site_side(tcp: TcpStream, own: &str) -> Option<(StreamOwned<ServerConnection, TcpStream>, Option<String>)> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let key = PrivateKeyDer::from_pem_file(file(&format!("{own}.key"))).unwrap();
    let own = certificate(&format!("{own}.pem"));
    let config = builder.with_no_client_auth().with_single_cert(vec![own], key).unwrap();
    let mut tls = ServerConnection::new(Arc::new(config)).unwrap();
    let mut tcp = tcp;
    while tls.is_handshaking() {
        tls.complete_io(&mut tcp).ok()?;
    }
    let name = tls.server_name().map(str::to_owned);
    Some((StreamOwned::new(tls, tcp), name))
}

/// Everything up to the end, however it ends.
pub fn rest(stream: &mut impl Read) -> Vec<u8> {
    let mut all = Vec::new();
    let _ = stream.read_to_end(&mut all);
    all
}

/// Sends a request and reads its answer on a connection that stays open.
pub fn ask(stream: &mut (impl Read + Write), request: &str) -> crate::support::Message {
    stream.write_all(request.as_bytes()).unwrap();
    stream.flush().unwrap();
    crate::support::read_message(stream, request.starts_with("HEAD ")).expect("an answer")
}

/// Runs curl, which must succeed, and returns what it printed.
pub fn curl(args: &[&str]) -> String {
    let output = Command::new("curl").args(["-sS", "--max-time", "20"]).args(args).output().expect("curl is installed");
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
