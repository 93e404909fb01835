//! DNSSEC algorithm numbers and what may be done with each (RFC 9904, RFC 9905, RFC 9906).
//! Never: cryptography; that is the slots' (signing) and the auditor's (verifying).

use std::fmt;

/// An algorithm that a zone of ours may be signed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Algorithm {
    /// RSA/SHA-1 (5): existing keys only (RFC 9905).
    RsaSha1 = 5,
    /// RSA/SHA-1 with NSEC3 (7): existing keys only (RFC 9905).
    RsaSha1Nsec3Sha1 = 7,
    /// RSA/SHA-256 (8), RFC 5702.
    RsaSha256 = 8,
    /// RSA/SHA-512 (10), RFC 5702.
    RsaSha512 = 10,
    /// ECDSA P-256 with SHA-256 (13), RFC 6605.
    EcdsaP256Sha256 = 13,
    /// ECDSA P-384 with SHA-384 (14), RFC 6605.
    EcdsaP384Sha384 = 14,
    /// Ed25519 (15), RFC 8080.
    Ed25519 = 15,
    /// Ed448 (16), RFC 8080. No library of ours signs with it yet.
    Ed448 = 16,
}

impl Algorithm {
    /// Every algorithm known here.
    pub const ALL: [Algorithm; 8] = [
        Algorithm::RsaSha1,
        Algorithm::RsaSha1Nsec3Sha1,
        Algorithm::RsaSha256,
        Algorithm::RsaSha512,
        Algorithm::EcdsaP256Sha256,
        Algorithm::EcdsaP384Sha384,
        Algorithm::Ed25519,
        Algorithm::Ed448,
    ];

    /// The algorithm with this number, or `None` when a zone cannot be signed with it.
    pub fn from_number(number: u8) -> Option<Algorithm> {
        Algorithm::ALL.into_iter().find(|algorithm| algorithm.number() == number)
    }

    /// IANA's number.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// IANA's mnemonic.
    pub fn mnemonic(self) -> &'static str {
        match self {
            Algorithm::RsaSha1 => "RSASHA1",
            Algorithm::RsaSha1Nsec3Sha1 => "RSASHA1-NSEC3-SHA1",
            Algorithm::RsaSha256 => "RSASHA256",
            Algorithm::RsaSha512 => "RSASHA512",
            Algorithm::EcdsaP256Sha256 => "ECDSAP256SHA256",
            Algorithm::EcdsaP384Sha384 => "ECDSAP384SHA384",
            Algorithm::Ed25519 => "ED25519",
            Algorithm::Ed448 => "ED448",
        }
    }

    /// Whether new keys need the operator's switch for deprecated algorithms (RFC 9905).
    pub fn is_deprecated(self) -> bool {
        matches!(self, Algorithm::RsaSha1 | Algorithm::RsaSha1Nsec3Sha1)
    }

    /// Whether this is an RSA algorithm, whose keys have a chosen length.
    pub fn is_rsa(self) -> bool {
        matches!(
            self,
            Algorithm::RsaSha1
                | Algorithm::RsaSha1Nsec3Sha1
                | Algorithm::RsaSha256
                | Algorithm::RsaSha512
        )
    }

    /// Key length in bits when the algorithm fixes it.
    pub fn fixed_key_bits(self) -> Option<u16> {
        match self {
            Algorithm::EcdsaP256Sha256 | Algorithm::Ed25519 => Some(256),
            Algorithm::EcdsaP384Sha384 => Some(384),
            Algorithm::Ed448 => Some(456),
            _ => None,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.mnemonic())
    }
}
