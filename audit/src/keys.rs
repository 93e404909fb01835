//! The published DNSKEY set, prepared for verification with `ring`.
//! RFC 4034 §2 and Appendix B (DNSKEY, key tag), RFC 3110, 5702, 6605, 8080 (key forms).

use ring::signature::{
    self, ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RsaParameters,
    RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};

use crate::signer_sets::KeyId;

/// Ed448 (RFC 8080 §3).
const ED448: u8 = 16;

/// One DNSKEY.
#[derive(Debug)]
pub(crate) struct ZoneKey {
    pub(crate) tag: u16,
    pub(crate) algorithm: u8,
    pub(crate) protocol: u8,
    flags: u16,
    material: Material,
}

enum Material {
    Rsa {
        parameters: &'static RsaParameters,
        n: Vec<u8>,
        e: Vec<u8>,
    },
    Raw {
        algorithm: &'static dyn VerificationAlgorithm,
        octets: Vec<u8>,
    },
    /// Unknown algorithm, or key octets of the wrong size.
    Unusable,
}

impl std::fmt::Debug for Material {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Rsa { .. } => "Rsa",
            Self::Raw { .. } => "Raw",
            Self::Unusable => "Unusable",
        })
    }
}

impl ZoneKey {
    /// Reads DNSKEY RDATA; nothing if it is too short.
    pub(crate) fn read(rdata: &[u8]) -> Option<Self> {
        let &[flags_high, flags_low, protocol, algorithm, ref public_key @ ..] = rdata else {
            return None;
        };
        Some(ZoneKey {
            tag: key_tag(rdata),
            algorithm,
            protocol,
            flags: u16::from_be_bytes([flags_high, flags_low]),
            material: material(algorithm, public_key).unwrap_or(Material::Unusable),
        })
    }

    /// What RRSIGs call it.
    pub(crate) fn id(&self) -> KeyId {
        KeyId { algorithm: self.algorithm, key_tag: self.tag }
    }

    /// The flags field.
    pub(crate) fn flags(&self) -> u16 {
        self.flags
    }

    /// Length of the modulus of an RSA key that can be used.
    pub(crate) fn rsa_bits(&self) -> Option<u32> {
        let Material::Rsa { n, .. } = &self.material else { return None };
        // A usable modulus has at most 1024 octets, and does not begin with a zero.
        n.first().map(|first| n.len() as u32 * 8 - first.leading_zeros())
    }

    /// Bit 7: the key may sign zone data (RFC 4034 §2.1.1).
    pub(crate) fn is_zone_key(&self) -> bool {
        self.flags & 0x0100 != 0
    }

    /// Bit 15: secure entry point (RFC 4034 §2.1.1).
    pub(crate) fn is_sep(&self) -> bool {
        self.flags & 0x0001 != 0
    }

    /// Bit 8: revoked (RFC 5011 §3).
    pub(crate) fn is_revoked(&self) -> bool {
        self.flags & 0x0080 != 0
    }

    /// Whether a signature by this key counts for zone data.
    pub(crate) fn may_sign(&self) -> bool {
        self.is_zone_key() && !self.is_revoked() && self.protocol == 3
    }

    /// Whether signatures by this key can be verified at all.
    pub(crate) fn can_verify(&self) -> bool {
        !matches!(self.material, Material::Unusable)
    }

    /// Which key it is, and why nothing by it can be verified, for messages.
    pub(crate) fn unusable(&self) -> String {
        let why = match self.algorithm {
            // `ring` does not have it, and RustCrypto's `ed448-goldilocks` is a preview.
            ED448 => "Ed448 cannot be verified here, so no zone with it is approved",
            5 | 7 | 8 | 10 | 13..=15 => "no key of this algorithm, or of a size out of reach",
            _ => "the algorithm is not known",
        };
        format!("{}: {why}", self.id())
    }

    /// Whether `signature` over `message` is by this key.
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.material {
            Material::Rsa { parameters, n, e } => {
                RsaPublicKeyComponents { n, e }.verify(parameters, message, signature).is_ok()
            }
            Material::Raw { algorithm, octets } => {
                UnparsedPublicKey::new(*algorithm, octets).verify(message, signature).is_ok()
            }
            Material::Unusable => false,
        }
    }
}

fn material(algorithm: u8, public_key: &[u8]) -> Option<Material> {
    match algorithm {
        5 | 7 => rsa(&signature::RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY, public_key),
        8 => rsa(&signature::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, public_key),
        10 => rsa(&signature::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY, public_key),
        13 => raw(&ECDSA_P256_SHA256_FIXED, &[4], public_key, 64),
        14 => raw(&ECDSA_P384_SHA384_FIXED, &[4], public_key, 96),
        15 => raw(&ED25519, &[], public_key, 32),
        _ => None,
    }
}

/// ECDSA keys lack the octet that says "uncompressed point" (RFC 6605 §4); `ring` wants it.
fn raw(
    algorithm: &'static dyn VerificationAlgorithm,
    prefix: &[u8],
    public_key: &[u8],
    length: usize,
) -> Option<Material> {
    (public_key.len() == length)
        .then(|| Material::Raw { algorithm, octets: [prefix, public_key].concat() })
}

/// RFC 3110 §2: exponent length in one octet, or in two after a zero; exponent; modulus.
fn rsa(parameters: &'static RsaParameters, public_key: &[u8]) -> Option<Material> {
    let (length, rest) = match public_key {
        [0, high, low, rest @ ..] => (usize::from(u16::from_be_bytes([*high, *low])), rest),
        [length, rest @ ..] => (usize::from(*length), rest),
        [] => return None,
    };
    let e = rest.get(..length)?;
    let n = &rest[length..];
    // Sizes that `ring` takes; others can never verify, and are better named as such.
    let fits = !e.is_empty() && e.len() <= 5 && (128..=1024).contains(&n.len()) && n[0] != 0;
    fits.then(|| Material::Rsa { parameters, n: n.to_vec(), e: e.to_vec() })
}

/// Key tag (RFC 4034 Appendix B; algorithm 1 has another rule, but cannot be verified anyway).
fn key_tag(rdata: &[u8]) -> u16 {
    let mut sum: u32 = 0;
    for pair in rdata.chunks(2) {
        sum += u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |&low| u32::from(low));
    }
    // RDATA has at most 65,535 octets, so the sum cannot overflow.
    sum += sum >> 16;
    (sum & 0xffff) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ed448_is_said_to_be_beyond_the_auditor_rfc8080_3() {
        let key = ZoneKey::read(&[&[1, 1, 3, ED448][..], &[7; 57]].concat()).unwrap();
        assert!(!key.can_verify() && !key.verifies(b"message", &[0; 114]));
        assert!(key.unusable().contains("Ed448 cannot be verified here"), "{}", key.unusable());
    }

    #[test]
    fn damaged_keys_are_unusable_not_fatal() {
        assert!(ZoneKey::read(b"\x01\x00\x03").is_none());
        for algorithm in 0..=255 {
            for length in 0..70 {
                let rdata = [&[1, 0, 3, algorithm][..], &vec![0; length]].concat();
                let key = ZoneKey::read(&rdata).unwrap();
                assert!(!key.verifies(b"message", &[0; 64]) || !key.can_verify());
            }
        }
    }
}
