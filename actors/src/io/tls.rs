//! DNS over TLS for transfers: RFC 9103 (TLS 1.3 only, ALPN `dot`), RFC 8310 (profiles), RFC 7858
//! §4.2 (pins).
//! In: a connected stream, whom it is to lead to or what we show. Out: the stream, encrypted.
//! A server's files are read again when they change; what is wrong then is logged, and the
//! certificate before goes on being shown.
//! Never: TLS 1.2, early data, clear text where TLS was asked for, a private key in `Debug`.
//! Limits: [`HANDSHAKE_WAIT`] for a handshake, [`FILE_OCTETS_MAX`] for a file.

mod files;
mod proof;

use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dnssec::transfer::peers::{ListenerTls, RemoteTls};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::ServerName;
use rustls::version::TLS13;
use rustls::{CertificateError, ClientConfig, ServerConfig};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

pub use files::FILE_OCTETS_MAX;
use files::Stamp;

/// Longest time for a handshake.
pub const HANDSHAKE_WAIT: Duration = Duration::from_secs(10);
/// The protocol's name in the handshake (RFC 7858 §3.1, RFC 9103 §7.1).
const ALPN: &[u8] = b"dot";

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{path}: cannot be read: {cause}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        #[source]
        cause: io::Error,
    },
    /// A file is longer than any of its kind.
    #[error("{path}: has more than {FILE_OCTETS_MAX} octets", path = path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
    },
    /// A file is not PEM, or has nothing of what it is for.
    #[error("{path}: has no {wanted} in PEM form", path = path.display())]
    NotPem {
        /// The file.
        path: PathBuf,
        /// `certificate` or `private key`.
        wanted: &'static str,
    },
    /// Certificate and key are not usable, or not with each other.
    #[error("{certificate} and {key} are no certificate with its key: {cause}",
        certificate = certificate.display(), key = key.display())]
    Pair {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What is wrong.
        #[source]
        cause: rustls::Error,
    },
    /// None of the authorities of a file, or of the system, is usable.
    #[error("{path}: no certificate in it can be used as an authority", path = path.display())]
    NoAuthority {
        /// The file.
        path: PathBuf,
    },
    /// What the peer is called cannot be in a certificate.
    #[error("{name} is no name that a certificate can have")]
    Name {
        /// The name.
        name: String,
    },
    /// This library cannot do what is asked for.
    #[error("TLS cannot be set up: {0}")]
    SetUp(#[source] rustls::Error),
    /// The peer's key is none of those that are pinned.
    #[error("TLS handshake failed: the public key that the peer shows has none of the pins")]
    Pin,
    /// The peer's certificate is for somebody else.
    #[error("TLS handshake failed: the certificate that the peer shows is not for this name")]
    OtherName,
    /// The handshake failed: another certificate than wanted, no common version, or no TLS at all.
    #[error("TLS handshake failed: {0}")]
    Handshake(#[source] io::Error),
    /// The handshake took too long.
    #[error("TLS handshake not done within {} seconds", HANDSHAKE_WAIT.as_secs())]
    Slow,
    /// The peer does TLS, but does not say that it is for DNS (RFC 9103 §7.1).
    #[error("the peer's TLS is not for DNS: it does not agree on ALPN \"dot\"")]
    OtherProtocol,
}

/// A stream to a server.
pub type ClientStream = client::TlsStream<TcpStream>;
/// A stream from a client.
pub type ServerStream = server::TlsStream<TcpStream>;

/// Makes TLS of `stream`, which is connected to `address`; the server proves itself as `tls` asks.
pub async fn connect(
    stream: TcpStream,
    tls: &RemoteTls,
    address: IpAddr,
) -> Result<ClientStream, TlsError> {
    let named = match tls {
        RemoteTls::Strict { name: Some(name), .. } => Some(name),
        RemoteTls::Strict { name: None, .. } | RemoteTls::Opportunistic => None,
    };
    let name = match named {
        None => ServerName::from(address),
        Some(name) => ServerName::try_from(name.trim_end_matches('.').to_owned())
            .map_err(|_| TlsError::Name { name: name.clone() })?,
    };
    let provider = provider();
    let proof = proof::Proof::new(tls, &provider)?;
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .map_err(TlsError::SetUp)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(proof))
        .with_no_client_auth();
    config.alpn_protocols = vec![ALPN.to_vec()];
    let connector = TlsConnector::from(Arc::new(config));
    let stream = shaken(connector.connect(name, stream)).await?;
    for_dns(stream.get_ref().1.alpn_protocol()).map(|()| stream)
}

/// What a listener shows. Cheap to keep for as long as the listener is there.
#[derive(Debug)]
pub struct TlsServer {
    files: ListenerTls,
    current: Mutex<Current>,
}

#[derive(Debug)]
struct Current {
    config: Arc<ServerConfig>,
    /// The files as they were when they were last looked at, good or not.
    stamp: Stamp,
}

impl TlsServer {
    /// Reads the files.
    pub fn new(files: &ListenerTls) -> Result<TlsServer, TlsError> {
        let stamp = Stamp::of(files);
        let config = server_config(files)?;
        Ok(TlsServer { files: files.clone(), current: Mutex::new(Current { config, stamp }) })
    }

    /// The configuration of what the files hold now, or held last when they are wrong.
    fn config(&self) -> Arc<ServerConfig> {
        // A panic in between leaves the configuration before, which is whole.
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = Stamp::of(&self.files);
        if stamp != current.stamp {
            current.stamp = stamp;
            match server_config(&self.files) {
                Ok(config) => {
                    tracing::info!(target: "tls", "certificate of the listener read again");
                    current.config = config;
                }
                Err(cause) => tracing::error!(
                    target: "tls",
                    "the listener goes on with the certificate before: {cause}"
                ),
            }
        }
        Arc::clone(&current.config)
    }
}

/// Makes TLS of `stream`, which a client has connected.
pub async fn accept(stream: TcpStream, server: &TlsServer) -> Result<ServerStream, TlsError> {
    let acceptor = TlsAcceptor::from(server.config());
    let stream = shaken(acceptor.accept(stream)).await?;
    for_dns(stream.get_ref().1.alpn_protocol()).map(|()| stream)
}

async fn shaken<S>(handshake: impl Future<Output = io::Result<S>>) -> Result<S, TlsError> {
    match timeout(HANDSHAKE_WAIT, handshake).await {
        Ok(stream) => stream.map_err(refused),
        Err(_) => Err(TlsError::Slow),
    }
}

/// What is wrong with the proof, in words of ours where an operator may have to act.
fn refused(error: io::Error) -> TlsError {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    let certificate = match inner {
        Some(rustls::Error::InvalidCertificate(certificate)) => Some(certificate),
        _ => None,
    };
    match certificate {
        Some(CertificateError::ApplicationVerificationFailure) => TlsError::Pin,
        Some(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => TlsError::OtherName,
        _ => TlsError::Handshake(error),
    }
}

fn for_dns(alpn: Option<&[u8]>) -> Result<(), TlsError> {
    match alpn == Some(ALPN) {
        true => Ok(()),
        false => Err(TlsError::OtherProtocol),
    }
}

fn server_config(files: &ListenerTls) -> Result<Arc<ServerConfig>, TlsError> {
    let certificates = files::certificates(&files.certificate_file)?;
    let key = files::private_key(&files.key_file)?;
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(TlsError::SetUp)?
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .map_err(|cause| TlsError::Pair {
            certificate: files.certificate_file.clone(),
            key: files.key_file.clone(),
            cause,
        })?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok(Arc::new(config))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

#[cfg(test)]
mod tests;
