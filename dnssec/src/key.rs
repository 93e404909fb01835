//! Public keys as a zone shows them: DNSKEY, key tag, DS (RFC 4034 §2, §5, appendix B).
//! In: public key bytes as they stand in a DNSKEY. Out: RDATA of DNSKEY, DS, CDS, CDNSKEY.
//! Never: private keys.

use crate::zonefile::print_record;
use crate::{Algorithm, KeyTag, Name, RrType, Ttl};
use sha1::Sha1;
use sha2::{Sha256, Sha384};
use std::fmt;

/// A key's identity in its token (CKA_ID): chosen by us, 16 random bytes; imported keys may
/// have other lengths, 1 to [`KeyId::LENGTH_MAX`] bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(Vec<u8>);

impl KeyId {
    /// Longest CKA_ID taken, in bytes.
    pub const LENGTH_MAX: usize = 64;

    /// A key id of these bytes; `None` when there are none or too many.
    pub fn new(bytes: &[u8]) -> Option<KeyId> {
        (1..=KeyId::LENGTH_MAX).contains(&bytes.len()).then(|| KeyId(bytes.to_vec()))
    }

    /// Reads the hexadecimal form.
    pub fn from_hex(text: &str) -> Option<KeyId> {
        let bytes = data_encoding::HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()?;
        KeyId::new(&bytes)
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

/// A public key: algorithm and the key field of a DNSKEY (RFC 4034 §2.1.4; RFC 3110 for RSA,
/// RFC 6605 §4 for ECDSA, RFC 8080 §3 for EdDSA).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PublicKey {
    /// The algorithm the key signs with.
    pub algorithm: Algorithm,
    /// The key field of the DNSKEY.
    pub bytes: Vec<u8>,
}

impl PublicKey {
    /// Length of the key in bits: of the modulus for RSA, of the curve otherwise.
    pub fn bits(&self) -> usize {
        if let Some(bits) = self.algorithm.fixed_key_bits() {
            return usize::from(bits);
        }
        let (exponent_length, header) = match self.bytes.as_slice() {
            [0, high, low, ..] => (usize::from(*high) << 8 | usize::from(*low), 3),
            [length, ..] => (usize::from(*length), 1),
            [] => return 0,
        };
        let modulus = self.bytes.get(header + exponent_length..).unwrap_or(&[]);
        let zeros = modulus.iter().take_while(|byte| **byte == 0).count();
        let bits = modulus[zeros..].len() * 8;
        bits - modulus.get(zeros).map_or(0, |byte| byte.leading_zeros() as usize)
    }
}

/// The REVOKE bit of DNSKEY flags (RFC 5011 §7).
pub const REVOKE: u16 = 0x0080;

/// What a key is for (OpenDNSSEC's element names).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyRole {
    /// Signs the DNSKEY RRset; the parent's DS points to it.
    Ksk,
    /// Signs everything but the DNSKEY RRset.
    Zsk,
    /// Both at once.
    Csk,
}

impl KeyRole {
    /// DNSKEY flags: zone key, with SEP for keys that a DS points to (RFC 4034 §2.1.1).
    pub fn flags(self) -> u16 {
        match self {
            KeyRole::Ksk | KeyRole::Csk => 257,
            KeyRole::Zsk => 256,
        }
    }

    /// Whether the key signs the DNSKEY RRset.
    pub fn signs_keyset(self) -> bool {
        self != KeyRole::Zsk
    }

    /// Whether the key signs the zone's other RRsets.
    pub fn signs_zone(self) -> bool {
        self != KeyRole::Ksk
    }
}

impl fmt::Display for KeyRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            KeyRole::Ksk => "KSK",
            KeyRole::Zsk => "ZSK",
            KeyRole::Csk => "CSK",
        })
    }
}

/// Digest of a DS (RFC 4509, RFC 6605). SHA-1 is made on request only (RFC 9905).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum DigestType {
    /// Digest type 1.
    Sha1 = 1,
    /// Digest type 2.
    Sha256 = 2,
    /// Digest type 4.
    Sha384 = 4,
}

/// RDATA of the DNSKEY (also of the CDNSKEY, RFC 7344 §3.2) of a key.
pub fn dnskey_rdata(flags: u16, key: &PublicKey) -> Vec<u8> {
    let mut rdata = Vec::with_capacity(4 + key.bytes.len());
    rdata.extend_from_slice(&flags.to_be_bytes());
    rdata.extend_from_slice(&[3, key.algorithm.number()]);
    rdata.extend_from_slice(&key.bytes);
    rdata
}

/// Key tag of a DNSKEY's RDATA (RFC 4034 appendix B). Algorithm 1's own rule is not here: such
/// keys are refused everywhere.
pub fn key_tag(dnskey_rdata: &[u8]) -> KeyTag {
    let mut sum: u32 = 0;
    for (position, byte) in dnskey_rdata.iter().enumerate() {
        sum += if position & 1 == 0 { u32::from(*byte) << 8 } else { u32::from(*byte) };
    }
    KeyTag((sum + (sum >> 16)) as u16)
}

/// RDATA of the DS (also of the CDS, RFC 7344 §3.1) of a DNSKEY at `owner` (RFC 4034 §5.1).
pub fn ds_rdata(owner: &Name, dnskey_rdata: &[u8], digest_type: DigestType) -> Vec<u8> {
    let algorithm = dnskey_rdata.get(3).copied().unwrap_or(0);
    let mut rdata = key_tag(dnskey_rdata).0.to_be_bytes().to_vec();
    rdata.extend_from_slice(&[algorithm, digest_type as u8]);
    let canonical = owner.to_lowercase();
    let parts = [canonical.as_wire(), dnskey_rdata];
    match digest_type {
        DigestType::Sha1 => rdata.extend_from_slice(&digest::<Sha1>(parts)),
        DigestType::Sha256 => rdata.extend_from_slice(&digest::<Sha256>(parts)),
        DigestType::Sha384 => rdata.extend_from_slice(&digest::<Sha384>(parts)),
    }
    rdata
}

/// The DS record of a DNSKEY in presentation form, with SHA-256, as it is handed to the parent.
pub fn ds_text(owner: &Name, ttl: Ttl, dnskey_rdata: &[u8]) -> String {
    let mut text = Vec::new();
    let rdata = ds_rdata(owner, dnskey_rdata, DigestType::Sha256);
    print_record(owner.as_wire(), ttl, RrType::DS, &rdata, &mut text);
    String::from_utf8_lossy(&text).trim_end().replace('\t', " ")
}

fn digest<D: sha2::Digest>(parts: [&[u8]; 2]) -> Vec<u8> {
    let mut digest = D::new();
    for part in parts {
        digest.update(part);
    }
    digest.finalize().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use data_encoding::{BASE64, HEXLOWER};

    /// The example of RFC 4034 §5.4 (SHA-1) and RFC 4509 §2.3 (SHA-256).
    #[test]
    fn ds_of_dskey_example_com_rfc4509_2_3() {
        let key = BASE64
            .decode(
                b"AQOeiiR0GOMYkDshWoSKz9XzfwJr1AYtsmx3TGkJaNXVbfi/2pHm822aJ5iI9BMzNXxeYCmZDRD99WYwYqUSdjMmmAphXdvxegXd/M5+X7OrzKBaMbCVdFLUUh6DhweJBjEVv5f2wwjM9XzcnOf+EPbtG9DMBmADjFDc2w/rljwvFw==",
            )
            .unwrap();
        let mut rdata = vec![1, 0, 3, 5];
        rdata.extend_from_slice(&key);
        assert_eq!(key_tag(&rdata), KeyTag(60485));
        let owner = Name::parse(b"dskey.example.com.", None).unwrap();
        let ds = ds_rdata(&owner, &rdata, DigestType::Sha256);
        assert_eq!(
            HEXLOWER.encode(&ds[4..]),
            "d4b7d520e7bb5f0f67674a0cceb1e3e0614b93c4f9e99b8383f6a1e4469da50a"
        );
        let ds = ds_rdata(&owner, &rdata, DigestType::Sha1);
        assert_eq!(HEXLOWER.encode(&ds[4..]), "2bb183af5f22588179a53b0a98631fad1a292118");
        let key = PublicKey { algorithm: Algorithm::RsaSha1, bytes: key };
        assert_eq!(key.bits(), 1024);
    }
}
