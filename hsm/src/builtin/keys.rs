//! Key pairs in memory: made, read from PKCS#8, and signing, with aws-lc.
//! RFC 3110 and RFC 5702 (RSA), RFC 6605 (ECDSA), RFC 8080 (Ed25519), RFC 5958 (PKCS#8).
//!
//! aws-lc-rs signs neither with SHA-1 nor with a modulus below 2048 bits. Keys like that only
//! come from elsewhere or by the operator's switch and wait to be rolled away; the `rsa` crate
//! signs with them, always blinded, since its arithmetic is not constant in time.
//! Not here: Ed448, for which no sound library exists.

use crate::{hash, public};
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, RsaEncoding, RsaKeyPair,
};
use dnssec::Algorithm;
use dnssec::key::PublicKey;
use rsa::pkcs8::DecodePrivateKey;
use rsa::traits::PublicKeyParts;
use zeroize::Zeroizing;

/// Shortest modulus that an imported key may have, in bits.
const IMPORTED_RSA_BITS_MIN: usize = 1024;

/// A private key ready to sign. Its memory is wiped by the library that holds it.
pub(crate) enum PrivateKey {
    Rsa(RsaKeyPair, &'static dyn RsaEncoding),
    /// SHA-1, or a modulus below 2048 bits.
    LegacyRsa(Box<rsa::RsaPrivateKey>, Algorithm),
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyFault {
    #[error("no library of this program computes Ed448")]
    Ed448,
    #[error("the built-in token makes RSA keys of 2048, 3072 and 4096 bits")]
    RsaBits,
    #[error("the modulus has {0} bits; 1024 to 4096 can be used")]
    ImportedRsaBits(usize),
    #[error("the bytes are no PKCS#8 key of this algorithm")]
    NotPkcs8,
    #[error("the cryptographic library failed")]
    Library,
}

impl From<aws_lc_rs::error::Unspecified> for KeyFault {
    fn from(_: aws_lc_rs::error::Unspecified) -> KeyFault {
        KeyFault::Library
    }
}

impl From<aws_lc_rs::error::KeyRejected> for KeyFault {
    fn from(_: aws_lc_rs::error::KeyRejected) -> KeyFault {
        KeyFault::NotPkcs8
    }
}

/// Makes a key pair, as PKCS#8.
pub(crate) fn generate(algorithm: Algorithm, bits: u16) -> Result<Zeroizing<Vec<u8>>, KeyFault> {
    let random = SystemRandom::new();
    let pkcs8 = match algorithm {
        Algorithm::EcdsaP256Sha256 | Algorithm::EcdsaP384Sha384 => {
            EcdsaKeyPair::generate_pkcs8(ecdsa(algorithm), &random)?.as_ref().to_vec()
        }
        Algorithm::Ed25519 => Ed25519KeyPair::generate_pkcs8(&random)?.as_ref().to_vec(),
        Algorithm::Ed448 => return Err(KeyFault::Ed448),
        _ => {
            let size = match bits {
                2048 => KeySize::Rsa2048,
                3072 => KeySize::Rsa3072,
                4096 => KeySize::Rsa4096,
                _ => return Err(KeyFault::RsaBits),
            };
            RsaKeyPair::generate(size)?.as_der()?.as_ref().to_vec()
        }
    };
    Ok(Zeroizing::new(pkcs8))
}

impl PrivateKey {
    /// Reads a key from PKCS#8.
    pub(crate) fn from_pkcs8(algorithm: Algorithm, pkcs8: &[u8]) -> Result<PrivateKey, KeyFault> {
        match algorithm {
            Algorithm::EcdsaP256Sha256 | Algorithm::EcdsaP384Sha384 => {
                Ok(PrivateKey::Ecdsa(EcdsaKeyPair::from_pkcs8(ecdsa(algorithm), pkcs8)?))
            }
            Algorithm::Ed25519 => {
                Ok(PrivateKey::Ed25519(Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8)?))
            }
            Algorithm::Ed448 => Err(KeyFault::Ed448),
            _ => rsa_from_pkcs8(algorithm, pkcs8),
        }
    }

    /// The public half, as a key of `algorithm`.
    pub(crate) fn public(&self, algorithm: Algorithm) -> Result<PublicKey, KeyFault> {
        let bytes = match self {
            PrivateKey::Rsa(key, _) => public::rsa_from_pkcs1(key.public_key().as_ref()),
            PrivateKey::LegacyRsa(key, _) => {
                public::rsa_from_numbers(&key.n().to_bytes_be(), &key.e().to_bytes_be())
            }
            // The first byte says "uncompressed" (04); RFC 6605 §4 leaves it out.
            PrivateKey::Ecdsa(key) => key.public_key().as_ref().get(1..).map(<[u8]>::to_vec),
            PrivateKey::Ed25519(key) => Some(key.public_key().as_ref().to_vec()),
        };
        bytes.map(|bytes| PublicKey { algorithm, bytes }).ok_or(KeyFault::NotPkcs8)
    }

    /// Signs one message; hands the signature in DNSSEC wire form to `take`.
    pub(crate) fn sign<T>(
        &self,
        message: &[u8],
        take: impl FnOnce(&[u8]) -> T,
    ) -> Result<T, KeyFault> {
        match self {
            PrivateKey::Rsa(key, encoding) => {
                let mut signature = [0; public::RSA_MODULUS_MAX];
                let signature =
                    signature.get_mut(..key.public_modulus_len()).ok_or(KeyFault::Library)?;
                key.sign(*encoding, &SystemRandom::new(), message, signature)?;
                Ok(take(signature))
            }
            PrivateKey::LegacyRsa(key, algorithm) => {
                let info = hash::to_raw_mechanism(*algorithm, message);
                let padding = rsa::Pkcs1v15Sign::new_unprefixed();
                let signature = key
                    .sign_with_rng(&mut rsa::rand_core::OsRng, padding, &info)
                    .map_err(|_| KeyFault::Library)?;
                Ok(take(&signature))
            }
            PrivateKey::Ecdsa(key) => Ok(take(key.sign(&SystemRandom::new(), message)?.as_ref())),
            PrivateKey::Ed25519(key) => Ok(take(key.try_sign(message)?.as_ref())),
        }
    }
}

fn ecdsa(algorithm: Algorithm) -> &'static EcdsaSigningAlgorithm {
    match algorithm {
        Algorithm::EcdsaP384Sha384 => &signature::ECDSA_P384_SHA384_FIXED_SIGNING,
        _ => &signature::ECDSA_P256_SHA256_FIXED_SIGNING,
    }
}

fn rsa_from_pkcs8(algorithm: Algorithm, pkcs8: &[u8]) -> Result<PrivateKey, KeyFault> {
    let encoding: Option<&'static dyn RsaEncoding> = match algorithm {
        Algorithm::RsaSha256 => Some(&signature::RSA_PKCS1_SHA256),
        Algorithm::RsaSha512 => Some(&signature::RSA_PKCS1_SHA512),
        _ => None,
    };
    if let Some(encoding) = encoding
        && let Ok(key) = RsaKeyPair::from_pkcs8(pkcs8)
    {
        return match key.public_modulus_len() {
            ..=public::RSA_MODULUS_MAX => Ok(PrivateKey::Rsa(key, encoding)),
            bytes => Err(KeyFault::ImportedRsaBits(bytes * 8)),
        };
    }
    let key = rsa::RsaPrivateKey::from_pkcs8_der(pkcs8).map_err(|_| KeyFault::NotPkcs8)?;
    let bits = key.n().bits();
    if !(IMPORTED_RSA_BITS_MIN..=public::RSA_MODULUS_MAX * 8).contains(&bits) {
        return Err(KeyFault::ImportedRsaBits(bits));
    }
    Ok(PrivateKey::LegacyRsa(Box::new(key), algorithm))
}
