//! Private keys that were made elsewhere: BIND's `K*.private`, PKCS#8, PKCS#1 and SEC 1, as PEM or
//! DER. RFC 5958 (PKCS#8), RFC 8017 appendix A.1 (RSA), RFC 5915 (EC), RFC 8410 (Ed25519),
//! RFC 7468 (PEM).
//! In: the bytes of a file, from anybody. Out: the key as PKCS#8 with its DNSSEC algorithm, in
//! memory that is wiped, or an [`ImportFault`]. Never: files, tokens, panics, encrypted keys.
//! Whether the numbers are a key at all is found out by [`FoundKey::public`], and by the token.
//! Limit: [`FILE_BYTES_MAX`].

mod base64;
mod bind;
mod numbers;
mod pem;
mod structure;
#[cfg(test)]
mod tests;

pub(crate) use numbers::{Numbers, numbers};

use crate::error::Cause;
use dnssec::Algorithm;
use dnssec::key::PublicKey;
use std::fmt;
use zeroize::Zeroizing;

/// Most bytes that a key file may have.
pub const FILE_BYTES_MAX: usize = 64 * 1024;

/// A private key out of a file.
pub struct FoundKey {
    /// The algorithm that it signs with.
    pub algorithm: Algorithm,
    /// PKCS#8, not encrypted.
    pub pkcs8: Zeroizing<Vec<u8>>,
}

impl FoundKey {
    /// The public half. Tells whether the numbers are a key at all.
    pub fn public(&self) -> Result<PublicKey, ImportFault> {
        crate::builtin::public_half(self.algorithm, &self.pkcs8)
            .map_err(|cause| ImportFault::NoKey { algorithm: self.algorithm, cause })
    }
}

impl fmt::Debug for FoundKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FoundKey({}, ..)", self.algorithm)
    }
}

/// What kind of key the numbers are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// RSA, for any of its algorithms.
    Rsa,
    /// ECDSA on P-256.
    P256,
    /// ECDSA on P-384.
    P384,
    /// Ed25519.
    Ed25519,
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Family::Rsa => "an RSA key",
            Family::P256 => "a key on the curve P-256",
            Family::P384 => "a key on the curve P-384",
            Family::Ed25519 => "an Ed25519 key",
        })
    }
}

impl Family {
    /// The family of an algorithm's keys; `None` for what no token of ours signs with.
    fn of(algorithm: Algorithm) -> Option<Family> {
        match algorithm {
            Algorithm::RsaSha1
            | Algorithm::RsaSha1Nsec3Sha1
            | Algorithm::RsaSha256
            | Algorithm::RsaSha512 => Some(Family::Rsa),
            Algorithm::EcdsaP256Sha256 => Some(Family::P256),
            Algorithm::EcdsaP384Sha384 => Some(Family::P384),
            Algorithm::Ed25519 => Some(Family::Ed25519),
            Algorithm::Ed448 => None,
        }
    }

    /// The one algorithm of the family; RSA has several.
    fn algorithm(self) -> Option<Algorithm> {
        match self {
            Family::Rsa => None,
            Family::P256 => Some(Algorithm::EcdsaP256Sha256),
            Family::P384 => Some(Algorithm::EcdsaP384Sha384),
            Family::Ed25519 => Some(Algorithm::Ed25519),
        }
    }
}

/// Why a file gives no key. Nothing of the key itself is in a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImportFault {
    /// More than [`FILE_BYTES_MAX`].
    #[error("the file has more than {FILE_BYTES_MAX} bytes, which no private key has")]
    TooLong,
    /// None of the forms that are known here.
    #[error(
        "the file is no private key in a known form; known are BIND's K*.private, PKCS#8, and \
         the PEM or DER forms of RSA and EC keys"
    )]
    UnknownForm,
    /// Needs a password.
    #[error(
        "the key is encrypted; decrypt it into a file on a memory-backed file system with \
         `openssl pkcs8 -topk8 -nocrypt`, import that, and wipe it"
    )]
    Encrypted,
    /// A PEM block that does not end, or is no base64.
    #[error("line {line}: the PEM block is damaged")]
    PemDamaged {
        /// Where, from 1.
        line: usize,
    },
    /// DER with a wrong length, a missing part or something behind its end.
    #[error("the DER structure of the key is damaged")]
    DerDamaged,
    /// A curve or a kind of key that DNSSEC has no use for, or that no token here can use.
    #[error("the key is of a kind that cannot be used; RSA, P-256, P-384 and Ed25519 can be")]
    UnusableKind,
    /// BIND's `Private-key-format` of another age.
    #[error("the file says `Private-key-format: {found}`; v1.2 and v1.3 are known")]
    UnknownVersion {
        /// What stands there.
        found: String,
    },
    /// BIND's algorithm is none that a token signs with.
    #[error("the file is for algorithm {found}; 5, 7, 8, 10, 13, 14 and 15 can be used")]
    UnusableAlgorithm {
        /// What stands there.
        found: String,
    },
    /// BIND's file lacks a field.
    #[error(
        "the file has no field `{field}:`; a key that lives in an HSM has no numbers to import"
    )]
    FieldMissing {
        /// The field.
        field: &'static str,
    },
    /// A field of BIND's file is no base64, or is given twice, or has a wrong length.
    #[error("the field `{field}:` is damaged")]
    FieldDamaged {
        /// The field.
        field: &'static str,
    },
    /// An RSA key does not say which algorithm it is for.
    #[error("an RSA key can be for several algorithms; say which, as a number: 8 or 10, or 5 or 7")]
    AlgorithmNeeded,
    /// The numbers are no key.
    #[error("the file has no usable key for {algorithm}: {cause}")]
    NoKey {
        /// What it is for.
        algorithm: Algorithm,
        /// What is wrong.
        cause: Cause,
    },
    /// The key is of another kind than the algorithm that was named.
    #[error("the file has {found}, which is no key for {wanted}")]
    AlgorithmMismatch {
        /// What the key is.
        found: Family,
        /// What was asked for.
        wanted: Algorithm,
    },
    /// The file names one algorithm, and the caller another.
    #[error("the file is for {found}, not for {wanted}")]
    OtherAlgorithm {
        /// What stands in the file.
        found: Algorithm,
        /// What was asked for.
        wanted: Algorithm,
    },
}

/// Reads a private key. `wanted` is the algorithm that it is for; needed only for RSA keys that
/// are not in BIND's form, and refused when it contradicts the file.
pub fn read_private_key(bytes: &[u8], wanted: Option<Algorithm>) -> Result<FoundKey, ImportFault> {
    if bytes.len() > FILE_BYTES_MAX {
        return Err(ImportFault::TooLong);
    }
    if bind::is_bind(bytes) {
        let key = bind::read(bytes)?;
        return match wanted {
            Some(wanted) if wanted != key.algorithm => {
                Err(ImportFault::OtherAlgorithm { found: key.algorithm, wanted })
            }
            _ => Ok(key),
        };
    }
    let (found, pkcs8) = match pem::read(bytes)? {
        Some(der) => structure::read(&der)?,
        None => structure::read(bytes)?,
    };
    let algorithm = match (found.algorithm(), wanted) {
        (None, None) => return Err(ImportFault::AlgorithmNeeded),
        (Some(only), None) => only,
        (_, Some(wanted)) if Family::of(wanted) == Some(found) => wanted,
        (_, Some(wanted)) => return Err(ImportFault::AlgorithmMismatch { found, wanted }),
    };
    Ok(FoundKey { algorithm, pkcs8 })
}
