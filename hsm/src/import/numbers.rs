//! The numbers of a private key, taken out of PKCS#8 as PKCS#11 attributes want them.
//! RFC 5958 §2 (PKCS#8), RFC 8017 appendix A.1.2 (RSAPrivateKey), RFC 5915 §3 (ECPrivateKey),
//! RFC 8410 §7 (Ed25519). In: bytes from outside. Out: slices of them. Never: panics, copies.

use crate::der::{self, INTEGER, OCTET_STRING, SEQUENCE};
use dnssec::Algorithm;

/// The numbers of a private key.
pub(crate) enum Numbers<'a> {
    /// n, e, d, p, q, d mod (p-1), d mod (q-1), 1/q mod p; without leading zeros.
    Rsa([&'a [u8]; 8]),
    /// The private number of an EC key, or the seed of an Ed25519 key.
    Curve(&'a [u8]),
}

/// Takes a key apart that is one of this algorithm; `None` when it is not.
pub(crate) fn numbers(algorithm: Algorithm, pkcs8: &[u8]) -> Option<Numbers<'_>> {
    let content = der::read_whole(SEQUENCE, pkcs8)?;
    let (_, rest) = der::read(INTEGER, content)?;
    let (_, rest) = der::read(SEQUENCE, rest)?;
    let (key, _) = der::read(OCTET_STRING, rest)?;
    match algorithm {
        Algorithm::Ed25519 => der::read_whole(OCTET_STRING, key).map(Numbers::Curve),
        Algorithm::EcdsaP256Sha256 | Algorithm::EcdsaP384Sha384 => {
            let key = der::read_whole(SEQUENCE, key)?;
            let (_, rest) = der::read(INTEGER, key)?;
            der::read(OCTET_STRING, rest).map(|(number, _)| Numbers::Curve(number))
        }
        Algorithm::Ed448 => None,
        _ => {
            let key = der::read_whole(SEQUENCE, key)?;
            let (_, mut rest) = der::read(INTEGER, key)?;
            let mut numbers: [&[u8]; 8] = [&[]; 8];
            for number in &mut numbers {
                (*number, rest) = der::read_integer(rest)?;
            }
            Some(Numbers::Rsa(numbers))
        }
    }
}
