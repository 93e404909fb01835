//! Certificates and keys in PEM files (RFC 7468).
//! In: paths. Out: what is in them. Limits: [`FILE_OCTETS_MAX`].

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::time::SystemTime;

use dnssec::transfer::peers::ListenerTls;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::TlsError;

/// Longest file of certificates or keys: the system's authorities have some 220,000 octets.
pub const FILE_OCTETS_MAX: u64 = 4 << 20;

/// What tells that files have changed without reading them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stamp([Option<(SystemTime, u64)>; 2]);

impl Stamp {
    pub(super) fn of(files: &ListenerTls) -> Stamp {
        let look = |path: &Path| {
            let metadata = fs::metadata(path).ok()?;
            Some((metadata.modified().ok()?, metadata.len()))
        };
        Stamp([look(&files.certificate_file), look(&files.key_file)])
    }
}

pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let octets = read(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&octets).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) | Err(_) => Err(TlsError::NotPem { path: path.to_owned(), wanted: "certificate" }),
    }
}

pub(super) fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let octets = zeroize::Zeroizing::new(read(path)?);
    PrivateKeyDer::from_pem_slice(&octets)
        .map_err(|_| TlsError::NotPem { path: path.to_owned(), wanted: "private key" })
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    let mut octets = Vec::new();
    let read =
        File::open(path).and_then(|file| file.take(FILE_OCTETS_MAX + 1).read_to_end(&mut octets));
    match read {
        Err(cause) => Err(TlsError::Read { path: path.to_owned(), cause }),
        Ok(length) if length as u64 > FILE_OCTETS_MAX => {
            Err(TlsError::TooLong { path: path.to_owned() })
        }
        Ok(_) => Ok(octets),
    }
}
