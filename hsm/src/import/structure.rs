//! The DER structures of private keys, told apart by their first elements and made PKCS#8.
//! RFC 5958 §2 (PKCS#8), RFC 8017 appendix A.1.2 (RSAPrivateKey), RFC 5915 §3 (ECPrivateKey),
//! RFC 8410 §7 (Ed25519). In: bytes from outside. Out: kind and PKCS#8. Never: panics.

use super::{Family, ImportFault};
use crate::der::{self, BIT_STRING, INTEGER, OCTET_STRING, SEQUENCE};
use zeroize::Zeroizing;

const OBJECT_IDENTIFIER: u8 = 0x06;
/// `[0]` with an element inside: the curve of an ECPrivateKey.
const CURVE: u8 = 0xa0;
/// `[1]` with an element inside: the public half of an ECPrivateKey.
const PUBLIC: u8 = 0xa1;
const NULL: &[u8] = &[5, 0];

const OID_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
const OID_EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
const OID_P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
const OID_P384: &[u8] = &[0x2b, 0x81, 4, 0, 0x22];
const OID_ED25519: &[u8] = &[0x2b, 0x65, 0x70];

type Secret = Zeroizing<Vec<u8>>;

/// Reads a key in any of the forms.
pub(super) fn read(bytes: &[u8]) -> Result<(Family, Secret), ImportFault> {
    if bytes.first() != Some(&SEQUENCE) {
        return Err(ImportFault::UnknownForm);
    }
    let content = der::read_whole(SEQUENCE, bytes).ok_or(ImportFault::DerDamaged)?;
    if content.first() == Some(&SEQUENCE) {
        // EncryptedPrivateKeyInfo begins with an algorithm; so does a public key, whose second
        // element is a BIT STRING.
        let (_, rest) = der::read(SEQUENCE, content).ok_or(ImportFault::DerDamaged)?;
        return Err(match rest.first() {
            Some(&OCTET_STRING) => ImportFault::Encrypted,
            _ => ImportFault::UnknownForm,
        });
    }
    let (_, rest) = der::read(INTEGER, content).ok_or(ImportFault::UnknownForm)?;
    match rest.first() {
        Some(&SEQUENCE) => Ok((family_of_pkcs8(rest)?, Zeroizing::new(bytes.to_vec()))),
        Some(&INTEGER) => Ok((Family::Rsa, wrap(Family::Rsa, bytes))),
        Some(&OCTET_STRING) => {
            let family = curve_of_sec1(rest)?;
            Ok((family, wrap(family, bytes)))
        }
        _ => Err(ImportFault::UnknownForm),
    }
}

/// What the algorithm of a PKCS#8 key says; `rest` begins behind the version.
fn family_of_pkcs8(rest: &[u8]) -> Result<Family, ImportFault> {
    let (algorithm, rest) = der::read(SEQUENCE, rest).ok_or(ImportFault::DerDamaged)?;
    der::read(OCTET_STRING, rest).ok_or(ImportFault::DerDamaged)?;
    let (kind, parameters) =
        der::read(OBJECT_IDENTIFIER, algorithm).ok_or(ImportFault::DerDamaged)?;
    match kind {
        OID_RSA => Ok(Family::Rsa),
        OID_ED25519 => Ok(Family::Ed25519),
        OID_EC => curve(parameters),
        _ => Err(ImportFault::UnusableKind),
    }
}

/// The curve that an ECPrivateKey names; `rest` begins behind the version.
fn curve_of_sec1(rest: &[u8]) -> Result<Family, ImportFault> {
    let (_, rest) = der::read(OCTET_STRING, rest).ok_or(ImportFault::DerDamaged)?;
    let (named, rest) = der::read(CURVE, rest).ok_or(ImportFault::UnusableKind)?;
    if let Some((public, _)) = der::read(PUBLIC, rest) {
        der::read_whole(BIT_STRING, public).ok_or(ImportFault::DerDamaged)?;
    }
    curve(named)
}

fn curve(parameters: &[u8]) -> Result<Family, ImportFault> {
    match der::read_whole(OBJECT_IDENTIFIER, parameters) {
        Some(OID_P256) => Ok(Family::P256),
        Some(OID_P384) => Ok(Family::P384),
        // Another curve, or one that is spelled out.
        _ => Err(ImportFault::UnusableKind),
    }
}

/// PKCS#8 around the bytes of a key.
fn wrap(family: Family, key: &[u8]) -> Secret {
    let oid = |bytes| element(OBJECT_IDENTIFIER, &[bytes]);
    let algorithm = match family {
        Family::Rsa => element(SEQUENCE, &[&oid(OID_RSA), NULL]),
        Family::P256 => element(SEQUENCE, &[&oid(OID_EC), &oid(OID_P256)]),
        Family::P384 => element(SEQUENCE, &[&oid(OID_EC), &oid(OID_P384)]),
        Family::Ed25519 => element(SEQUENCE, &[&oid(OID_ED25519)]),
    };
    let version = element(INTEGER, &[&[0]]);
    element(SEQUENCE, &[&version, &algorithm, &element(OCTET_STRING, &[key])])
}

/// PKCS#8 of an RSA key out of its eight numbers, in the order of RFC 8017 appendix A.1.2.
pub(super) fn rsa(numbers: &[Secret; 8]) -> Secret {
    let integers = numbers.each_ref().map(|number| {
        let number = der::without_leading_zeros(number);
        // A number that begins with a one bit would be negative.
        let sign: &[u8] = match number.first() {
            Some(first) if first & 0x80 == 0 => &[],
            _ => &[0],
        };
        element(INTEGER, &[sign, number])
    });
    let version = element(INTEGER, &[&[0]]);
    let mut parts: Vec<&[u8]> = vec![&version];
    parts.extend(integers.iter().map(|integer| integer.as_slice()));
    wrap(Family::Rsa, &element(SEQUENCE, &parts))
}

/// PKCS#8 of an EC key out of its one number; `None` when that is too long for the curve.
pub(super) fn ec(family: Family, number: &[u8]) -> Option<Secret> {
    let length: usize = if family == Family::P384 { 48 } else { 32 };
    let number = der::without_leading_zeros(number);
    let zeros = vec![0; length.checked_sub(number.len()).filter(|_| !number.is_empty())?];
    let number = element(OCTET_STRING, &[&zeros, number]);
    let version = element(INTEGER, &[&[1]]);
    Some(wrap(family, &element(SEQUENCE, &[&version, &number])))
}

/// PKCS#8 of an Ed25519 key; `None` when it does not have 32 bytes.
pub(super) fn ed25519(seed: &[u8]) -> Option<Secret> {
    (seed.len() == 32).then(|| wrap(Family::Ed25519, &element(OCTET_STRING, &[seed])))
}

/// An element with these parts as its content; room is made at once, so that no copy stays behind.
fn element(tag: u8, parts: &[&[u8]]) -> Secret {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut bytes = Zeroizing::new(Vec::with_capacity(length + 6));
    bytes.push(tag);
    // What comes in is limited by FILE_BYTES_MAX, so three bytes of length are enough.
    let [.., high, middle, low] = length.to_be_bytes();
    match length {
        0..=0x7f => bytes.push(low),
        0x80..=0xff => bytes.extend_from_slice(&[0x81, low]),
        0x100..=0xffff => bytes.extend_from_slice(&[0x82, middle, low]),
        _ => bytes.extend_from_slice(&[0x83, high, middle, low]),
    }
    parts.iter().for_each(|part| bytes.extend_from_slice(part));
    bytes
}
