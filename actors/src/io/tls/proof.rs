//! How a server proves that it is the one we want: RFC 9103 §9.3, RFC 8310 §5, RFC 7858 §4.2.
//! In: what is asked for, the server's certificates. Out: yes or no.
//! Whoever answers has to hold the key of the certificate that it shows, even where any is taken.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use dnssec::transfer::peers::{RemoteTls, SpkiPin};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, DigitallySignedStruct, Error, PeerIncompatible, RootCertStore,
    SignatureScheme,
};
use sha2::{Digest, Sha256};

use super::{TlsError, files};

/// Debian's authorities.
const SYSTEM_AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// What a server has to show.
#[derive(Debug)]
pub(super) struct Proof {
    provider: Arc<CryptoProvider>,
    /// A chain from a known authority to a certificate for its name.
    chain: Option<Arc<WebPkiServerVerifier>>,
    /// One of these keys; none: any.
    pins: Vec<SpkiPin>,
}

impl Proof {
    pub(super) fn new(tls: &RemoteTls, provider: &Arc<CryptoProvider>) -> Result<Proof, TlsError> {
        let provider = Arc::clone(provider);
        match tls {
            RemoteTls::Opportunistic => Ok(Proof { provider, chain: None, pins: Vec::new() }),
            RemoteTls::Strict { name, ca_file, pins } => {
                let chain = match name {
                    None => None,
                    Some(_) => Some(chain(ca_file.as_deref(), &provider)?),
                };
                Ok(Proof { provider, chain, pins: pins.clone() })
            }
        }
    }
}

fn chain(
    ca_file: Option<&Path>,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<WebPkiServerVerifier>, TlsError> {
    let path = ca_file.map_or_else(|| PathBuf::from(SYSTEM_AUTHORITIES), Path::to_owned);
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(files::certificates(&path)?);
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .build()
        // Its only error without revocation lists is that there is no root.
        .map_err(|_| TlsError::NoAuthority { path })
}

impl ServerCertVerifier for Proof {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if !self.pins.is_empty() {
            let info = ParsedCertificate::try_from(end_entity)?.subject_public_key_info();
            let digest: [u8; 32] = Sha256::digest(&info).into();
            if !self.pins.contains(&SpkiPin(digest)) {
                return Err(CertificateError::ApplicationVerificationFailure.into());
            }
        }
        match &self.chain {
            None => Ok(ServerCertVerified::assertion()),
            Some(chain) => {
                chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
            }
        }
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::Tls12NotOffered.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
