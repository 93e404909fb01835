//! Verifying signatures in software, with aws-lc: a token is not believed (rule HSM-5).
//! RFC 3110, RFC 5702 (RSA), RFC 6605 (ECDSA), RFC 8080 (EdDSA).
//! Not here: Ed448, for which no sound library exists; its signatures never verify.
//! The auditor verifies with another library; this is only the slot's own check.

use crate::public;
use aws_lc_rs::signature::{self, ParsedPublicKey, RsaParameters, RsaPublicKeyComponents};
use dnssec::Algorithm;
use dnssec::key::PublicKey;

/// A public key made ready for many verifications.
#[derive(Debug)]
pub struct Verifier(ParsedPublicKey);

impl Verifier {
    /// Makes a key ready. `None` when its bytes are no key of its algorithm, or for Ed448.
    pub fn new(key: &PublicKey) -> Option<Verifier> {
        let parsed = match key.algorithm {
            Algorithm::RsaSha1 | Algorithm::RsaSha1Nsec3Sha1 => {
                rsa(key, &signature::RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY)
            }
            Algorithm::RsaSha256 => {
                rsa(key, &signature::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY)
            }
            Algorithm::RsaSha512 => {
                rsa(key, &signature::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY)
            }
            Algorithm::EcdsaP256Sha256 => {
                ParsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, uncompressed(key)).ok()
            }
            Algorithm::EcdsaP384Sha384 => {
                ParsedPublicKey::new(&signature::ECDSA_P384_SHA384_FIXED, uncompressed(key)).ok()
            }
            Algorithm::Ed25519 => ParsedPublicKey::new(&signature::ED25519, &key.bytes).ok(),
            Algorithm::Ed448 => None,
        };
        parsed.map(Verifier)
    }

    /// Whether the signature (in DNSSEC wire form) over the message is right.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        self.0.verify_sig(message, signature).is_ok()
    }
}

/// Whether the signature (in DNSSEC wire form) over the message is right.
pub fn verify(key: &PublicKey, message: &[u8], signature: &[u8]) -> bool {
    Verifier::new(key).is_some_and(|verifier| verifier.verify(message, signature))
}

fn rsa(key: &PublicKey, parameters: &'static RsaParameters) -> Option<ParsedPublicKey> {
    let (n, e) = public::rsa_to_numbers(&key.bytes)?;
    RsaPublicKeyComponents { n, e }.to_parsed_public_key(parameters).ok()
}

fn uncompressed(key: &PublicKey) -> Vec<u8> {
    let mut point = Vec::with_capacity(1 + key.bytes.len());
    point.push(4);
    point.extend_from_slice(&key.bytes);
    point
}
