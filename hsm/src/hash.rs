//! Hashes of what is signed, in software: tokens get the finished hash (rule HSM-8).
//! RFC 8017 §9.2 (DigestInfo), RFC 6605 §4 (ECDSA), RFC 3110 and RFC 5702 (RSA).

use crate::packed::Packed;
use crate::protocol::SigningForm;
use aws_lc_rs::digest::{self, digest};
use dnssec::Algorithm;
use std::borrow::Cow;

const SHA1_INFO: &[u8] = &[0x30, 0x21, 0x30, 0x09, 6, 5, 0x2b, 0x0e, 3, 2, 0x1a, 5, 0, 4, 20];
const SHA256_INFO: &[u8] =
    &[0x30, 0x31, 0x30, 0x0d, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1, 5, 0, 4, 32];
const SHA512_INFO: &[u8] =
    &[0x30, 0x51, 0x30, 0x0d, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 3, 5, 0, 4, 64];

/// What a token's raw mechanism has to sign for `message`: DigestInfo for RSA, the hash for
/// ECDSA, the message itself for EdDSA.
pub(crate) fn to_raw_mechanism(algorithm: Algorithm, message: &[u8]) -> Vec<u8> {
    let (prefix, hash): (&[u8], _) = match algorithm {
        Algorithm::RsaSha1 | Algorithm::RsaSha1Nsec3Sha1 => {
            (SHA1_INFO, &digest::SHA1_FOR_LEGACY_USE_ONLY)
        }
        Algorithm::RsaSha256 => (SHA256_INFO, &digest::SHA256),
        Algorithm::RsaSha512 => (SHA512_INFO, &digest::SHA512),
        Algorithm::EcdsaP256Sha256 => (&[], &digest::SHA256),
        Algorithm::EcdsaP384Sha384 => (&[], &digest::SHA384),
        Algorithm::Ed25519 | Algorithm::Ed448 => return message.to_vec(),
    };
    let mut raw = prefix.to_vec();
    raw.extend_from_slice(digest(hash, message).as_ref());
    raw
}

/// The messages in the form that a token wants.
pub(crate) fn inputs(
    form: SigningForm,
    algorithm: Algorithm,
    messages: &Packed,
) -> Cow<'_, Packed> {
    let is_hashed = !matches!(algorithm, Algorithm::Ed25519 | Algorithm::Ed448);
    if form == SigningForm::Message || !is_hashed {
        return Cow::Borrowed(messages);
    }
    let mut inputs = Packed::with_capacity(messages.len(), messages.len() * RAW_LENGTH_MAX);
    for message in messages.iter() {
        // At most RAW_LENGTH_MAX bytes for each end of four bytes: the limit is out of reach.
        let _ = inputs.push(&to_raw_mechanism(algorithm, message));
    }
    Cow::Owned(inputs)
}

/// Longest input of a raw mechanism that is a hash: DigestInfo of SHA-512.
const RAW_LENGTH_MAX: usize = 19 + 64;
