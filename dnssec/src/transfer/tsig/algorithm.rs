//! The MAC algorithms of TSIG (RFC 8945 §6, RFC 4635), each by the hash crates' HMAC.
//! In: names, secrets, octets. Out: MACs. Never: GSS-TSIG, names of truncated forms.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha1::Sha1;
use sha2::{Sha224, Sha256, Sha384, Sha512};

use crate::Name;

/// A MAC algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TsigAlgorithm {
    /// HMAC-MD5.SIG-ALG.REG.INT, for partners that know no better.
    HmacMd5,
    /// hmac-sha1, for partners that know no better.
    HmacSha1,
    /// hmac-sha224.
    HmacSha224,
    /// hmac-sha256, the usual one.
    HmacSha256,
    /// hmac-sha384.
    HmacSha384,
    /// hmac-sha512.
    HmacSha512,
}

impl TsigAlgorithm {
    /// All there are, weakest first.
    pub const ALL: [TsigAlgorithm; 6] = [
        TsigAlgorithm::HmacMd5,
        TsigAlgorithm::HmacSha1,
        TsigAlgorithm::HmacSha224,
        TsigAlgorithm::HmacSha256,
        TsigAlgorithm::HmacSha384,
        TsigAlgorithm::HmacSha512,
    ];

    /// The algorithm of a name as configurations have it: `hmac-sha256`, in any case, with or
    /// without a final dot; for MD5 also the whole name of RFC 8945.
    pub fn from_mnemonic(text: &str) -> Option<TsigAlgorithm> {
        let text = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        let is_it = |algorithm: &TsigAlgorithm| {
            text == algorithm.mnemonic() || text == algorithm.dns_name()
        };
        TsigAlgorithm::ALL.into_iter().find(is_it)
    }

    /// Its short name: `hmac-sha256`.
    pub fn mnemonic(self) -> &'static str {
        match self {
            TsigAlgorithm::HmacMd5 => "hmac-md5",
            other => other.dns_name(),
        }
    }

    /// Length of a whole MAC in octets.
    pub fn mac_octets(self) -> usize {
        match self {
            TsigAlgorithm::HmacMd5 => 16,
            TsigAlgorithm::HmacSha1 => 20,
            TsigAlgorithm::HmacSha224 => 28,
            TsigAlgorithm::HmacSha256 => 32,
            TsigAlgorithm::HmacSha384 => 48,
            TsigAlgorithm::HmacSha512 => 64,
        }
    }

    /// Whether it is only for old partners and deserves a warning (RFC 8945 §6: MD5 and SHA-1 are
    /// not recommended).
    pub fn is_deprecated(self) -> bool {
        matches!(self, TsigAlgorithm::HmacMd5 | TsigAlgorithm::HmacSha1)
    }

    /// Its name in the algorithm field.
    pub(super) fn wire_name(self) -> Name {
        // The names below are short and well formed; a test reads them all.
        Name::parse(self.dns_name().as_bytes(), Some(&Name::root())).expect("a name of the table")
    }

    fn dns_name(self) -> &'static str {
        match self {
            TsigAlgorithm::HmacMd5 => "hmac-md5.sig-alg.reg.int",
            TsigAlgorithm::HmacSha1 => "hmac-sha1",
            TsigAlgorithm::HmacSha224 => "hmac-sha224",
            TsigAlgorithm::HmacSha256 => "hmac-sha256",
            TsigAlgorithm::HmacSha384 => "hmac-sha384",
            TsigAlgorithm::HmacSha512 => "hmac-sha512",
        }
    }
}

impl fmt::Display for TsigAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.mnemonic())
    }
}

/// A MAC being made.
#[derive(Clone)]
pub(super) enum Context {
    Md5(Hmac<Md5>),
    Sha1(Hmac<Sha1>),
    Sha224(Hmac<Sha224>),
    Sha256(Hmac<Sha256>),
    Sha384(Hmac<Sha384>),
    Sha512(Hmac<Sha512>),
}

/// Does the same with whichever hash it is.
macro_rules! with {
    ($context:expr, $hmac:ident => $body:expr) => {
        match $context {
            Context::Md5($hmac) => $body,
            Context::Sha1($hmac) => $body,
            Context::Sha224($hmac) => $body,
            Context::Sha256($hmac) => $body,
            Context::Sha384($hmac) => $body,
            Context::Sha512($hmac) => $body,
        }
    };
}

fn keyed<M: KeyInit>(secret: &[u8]) -> M {
    // HMAC takes keys of any length (RFC 2104 §2).
    M::new_from_slice(secret).expect("a key of any length")
}

impl Context {
    pub(super) fn new(algorithm: TsigAlgorithm, secret: &[u8]) -> Context {
        match algorithm {
            TsigAlgorithm::HmacMd5 => Context::Md5(keyed(secret)),
            TsigAlgorithm::HmacSha1 => Context::Sha1(keyed(secret)),
            TsigAlgorithm::HmacSha224 => Context::Sha224(keyed(secret)),
            TsigAlgorithm::HmacSha256 => Context::Sha256(keyed(secret)),
            TsigAlgorithm::HmacSha384 => Context::Sha384(keyed(secret)),
            TsigAlgorithm::HmacSha512 => Context::Sha512(keyed(secret)),
        }
    }

    pub(super) fn update(&mut self, octets: &[u8]) {
        with!(self, hmac => hmac.update(octets));
    }

    pub(super) fn finish(self) -> Vec<u8> {
        with!(self, hmac => hmac.finalize().into_bytes().to_vec())
    }

    /// Whether `mac` is the whole MAC; takes the same time wherever they differ.
    pub(super) fn verifies(self, mac: &[u8]) -> bool {
        with!(self, hmac => hmac.verify_slice(mac).is_ok())
    }
}
