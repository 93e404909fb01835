//! Public keys between the forms of tokens and the key field of a DNSKEY.
//! RFC 3110 §2 (RSA), RFC 6605 §4 (ECDSA: the point without its first byte 04), RFC 8080 §3.

use crate::der;
use dnssec::Algorithm;

/// The key field of an RSA DNSKEY (RFC 3110 §2). `None` when a number is empty or too long.
pub(crate) fn rsa_from_numbers(modulus: &[u8], exponent: &[u8]) -> Option<Vec<u8>> {
    let modulus = der::without_leading_zeros(modulus);
    let exponent = der::without_leading_zeros(exponent);
    if modulus.is_empty() || exponent.is_empty() || modulus.len() > RSA_MODULUS_MAX {
        return None;
    }
    let mut field = match u8::try_from(exponent.len()) {
        Ok(length) => vec![length],
        Err(_) => {
            let length = u16::try_from(exponent.len()).ok()?;
            vec![0, (length >> 8) as u8, length as u8]
        }
    };
    field.extend_from_slice(exponent);
    field.extend_from_slice(modulus);
    Some(field)
}

/// Longest modulus that a DNSKEY takes, in bytes (RFC 3110 §2: 4096 bits).
pub(crate) const RSA_MODULUS_MAX: usize = 512;

/// Modulus and exponent of an RSA DNSKEY.
pub(crate) fn rsa_to_numbers(field: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = match field {
        [0, high, low, rest @ ..] => (usize::from(*high) << 8 | usize::from(*low), rest),
        [length, rest @ ..] => (usize::from(*length), rest),
        [] => return None,
    };
    let (exponent, modulus) = rest.split_at_checked(length)?;
    Some((der::without_leading_zeros(modulus), der::without_leading_zeros(exponent)))
}

/// Modulus and exponent of an RSAPublicKey (RFC 8017 appendix A.1.1).
pub(crate) fn rsa_from_pkcs1(der_bytes: &[u8]) -> Option<Vec<u8>> {
    let sequence = der::read_whole(der::SEQUENCE, der_bytes)?;
    let (modulus, rest) = der::read_integer(sequence)?;
    let (exponent, _) = der::read_integer(rest)?;
    rsa_from_numbers(modulus, exponent)
}

/// The key field of a curve point as a token gives it: raw or in DER (rule HSM-10). `length` is
/// that of the field: 64 or 96 for ECDSA, 32 for Ed25519.
pub(crate) fn point(given: &[u8], length: usize) -> Option<Vec<u8>> {
    let inner = der::read_whole(der::OCTET_STRING, given).or_else(|| {
        let bits = der::read_whole(der::BIT_STRING, given)?;
        bits.split_first().and_then(|(unused, bytes)| (*unused == 0).then_some(bytes))
    });
    [inner, Some(given)].into_iter().flatten().find_map(|bytes| raw_point(bytes, length))
}

fn raw_point(bytes: &[u8], length: usize) -> Option<Vec<u8>> {
    match bytes {
        [4, rest @ ..] if length != ED25519_LENGTH && rest.len() == length => Some(rest.to_vec()),
        _ if length == ED25519_LENGTH && bytes.len() == length => Some(bytes.to_vec()),
        _ => None,
    }
}

/// A key field as CKA_EC_POINT: the point in an OCTET STRING (PKCS#11 v3.1 §6.3.3).
pub(crate) fn point_in_der(algorithm: Algorithm, field: &[u8]) -> Vec<u8> {
    let first: &[u8] = if algorithm == Algorithm::Ed25519 { &[] } else { &[4] };
    // At most 97 bytes, so one byte of length is enough.
    let mut bytes = vec![der::OCTET_STRING, (first.len() + field.len()) as u8];
    bytes.extend_from_slice(first);
    bytes.extend_from_slice(field);
    bytes
}

/// Length of an Ed25519 public key in bytes.
pub(crate) const ED25519_LENGTH: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_raw_and_in_der_rule_hsm_10() {
        let mut raw = vec![4];
        raw.extend_from_slice(&[9; 64]);
        let mut octets = vec![4, 65];
        octets.extend_from_slice(&raw);
        let mut bits = vec![3, 66, 0];
        bits.extend_from_slice(&raw);
        for given in [&raw, &octets, &bits] {
            assert_eq!(point(given, 64), Some(vec![9; 64]));
        }
        let mut ed = vec![4, 32];
        ed.extend_from_slice(&[4; 32]);
        assert_eq!(point(&ed, 32), Some(vec![4; 32]));
        assert_eq!(point(&[4; 32], 32), Some(vec![4; 32]));
        assert_eq!(point(&raw, 96), None);
        assert_eq!(point(&[], 32), None);
    }

    #[test]
    fn rsa_field_rfc3110_2() {
        let field = rsa_from_numbers(&[0, 0xc1, 2, 3], &[1, 0, 1]).unwrap();
        assert_eq!(field, [3, 1, 0, 1, 0xc1, 2, 3]);
        assert_eq!(rsa_to_numbers(&field), Some((&[0xc1, 2, 3][..], &[1, 0, 1][..])));
        let long = rsa_from_numbers(&[0xc1], &[5; 300]).unwrap();
        assert_eq!(rsa_to_numbers(&long), Some((&[0xc1][..], &[5; 300][..])));
        assert_eq!(rsa_to_numbers(&[9, 1]), None);
    }
}
