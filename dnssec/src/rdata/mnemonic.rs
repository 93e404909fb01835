//! Names of types, classes, algorithms and certificate types. RFC 3597 §5 (`TYPEnnn`,
//! `CLASSnnn`), RFC 4034 appendix A.1, RFC 4398 §2.1. In: mnemonics in any case. Out: numbers.
//! A hash table built at compile time finds types: the zone file reader asks once per record.

use std::fmt;
use std::str::FromStr;

use super::encoding::{parse_number, print_decimal};
use super::table::{SPECS, spec};
use crate::RrType;

/// Longest mnemonic that the table holds, in octets.
const MNEMONIC_LENGTH_MAX: usize = 16;
/// Slots of the hash table; a power of two, some times the number of types.
const SLOT_COUNT: usize = 512;

/// One slot: the packed mnemonic (0 when free) and the type.
type Slot = (u128, u16);

static SLOTS: [Slot; SLOT_COUNT] = build_slots();

const fn build_slots() -> [Slot; SLOT_COUNT] {
    let mut slots = [(0, 0); SLOT_COUNT];
    let mut row = 0;
    while row < SPECS.len() {
        let key = pack(SPECS[row].mnemonic.as_bytes());
        let mut slot = first_slot(key);
        while slots[slot].0 != 0 {
            slot = (slot + 1) % SLOT_COUNT;
        }
        slots[slot] = (key, SPECS[row].number);
        row += 1;
    }
    slots
}

/// The octets in upper case as one number. `text` has at most 16 octets.
const fn pack(text: &[u8]) -> u128 {
    let mut key = 0;
    let mut at = 0;
    while at < text.len() {
        key = key << 8 | text[at].to_ascii_uppercase() as u128;
        at += 1;
    }
    key
}

const fn first_slot(key: u128) -> usize {
    let folded = (key as u64) ^ ((key >> 64) as u64).rotate_left(17);
    (folded.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 55) as usize % SLOT_COUNT
}

/// The type that `text` names, in any case: a mnemonic, `TYPEnnn`, or `*` for ANY.
pub fn rrtype_from_mnemonic(text: &[u8]) -> Option<RrType> {
    if text.is_empty() || text.len() > MNEMONIC_LENGTH_MAX {
        return None;
    }
    let key = pack(text);
    let mut slot = first_slot(key);
    loop {
        match SLOTS[slot] {
            (0, _) => break,
            (found, number) if found == key => return Some(RrType(number)),
            _ => slot = (slot + 1) % SLOT_COUNT,
        }
    }
    match text {
        b"*" => Some(RrType(255)),
        _ => numbered(text, b"TYPE").map(RrType),
    }
}

/// The number in `PREFIXnnn`.
fn numbered(text: &[u8], prefix: &[u8]) -> Option<u16> {
    let (head, digits) = text.split_at_checked(prefix.len())?;
    if !head.eq_ignore_ascii_case(prefix) {
        return None;
    }
    parse_number(digits, u64::from(u16::MAX)).map(|number| number as u16)
}

/// IANA's mnemonic of a type; `None` when it has none here.
pub fn mnemonic(rtype: RrType) -> Option<&'static str> {
    spec(rtype).map(|spec| spec.mnemonic)
}

/// Appends the type as a zone file names it: the mnemonic where the common tools read it,
/// `TYPEnnn` otherwise (RFC 3597 §5).
pub fn print_type(rtype: RrType, out: &mut Vec<u8>) {
    match spec(rtype) {
        Some(spec) if !spec.generic => out.extend_from_slice(spec.mnemonic.as_bytes()),
        _ => {
            out.extend_from_slice(b"TYPE");
            print_decimal(u64::from(rtype.0), out);
        }
    }
}

/// A text that names no record type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a record type (a mnemonic, or TYPEnnn for a type without one)")]
pub struct TypeNameError;

impl FromStr for RrType {
    type Err = TypeNameError;

    fn from_str(text: &str) -> Result<RrType, TypeNameError> {
        rrtype_from_mnemonic(text.as_bytes()).ok_or(TypeNameError)
    }
}

impl fmt::Display for RrType {
    /// IANA's mnemonic, or `TYPEnnn`: for people. Zone files get [`print_type`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match mnemonic(*self) {
            Some(mnemonic) => f.pad(mnemonic),
            None => f.pad(&format!("TYPE{}", self.0)),
        }
    }
}

/// The class that `text` names, in any case: IN, CS, CH, HS or `CLASSnnn` (RFC 1035 §3.2.4).
pub fn class_from_mnemonic(text: &[u8]) -> Option<u16> {
    if text.eq_ignore_ascii_case(b"IN") {
        return Some(crate::rrtype::CLASS_IN);
    }
    let known: [(&[u8], u16); 3] = [(b"CS", 2), (b"CH", 3), (b"HS", 4)];
    let found = known.iter().find(|(name, _)| text.eq_ignore_ascii_case(name));
    found.map(|(_, class)| *class).or_else(|| numbered(text, b"CLASS"))
}

const ALGORITHMS: [(&str, u16); 21] = [
    ("RSAMD5", 1),
    ("DH", 2),
    ("DSA", 3),
    ("ECC", 4),
    ("RSASHA1", 5),
    ("DSA-NSEC3-SHA1", 6),
    ("NSEC3DSA", 6),
    ("RSASHA1-NSEC3-SHA1", 7),
    ("NSEC3RSASHA1", 7),
    ("RSASHA256", 8),
    ("RSASHA512", 10),
    ("ECC-GOST", 12),
    ("ECCGOST", 12),
    ("ECDSAP256SHA256", 13),
    ("ECDSAP384SHA384", 14),
    ("ED25519", 15),
    ("ED448", 16),
    ("SM2SM3", 17),
    ("INDIRECT", 252),
    ("PRIVATEDNS", 253),
    ("PRIVATEOID", 254),
];

const CERT_TYPES: [(&str, u16); 10] = [
    ("PKIX", 1),
    ("SPKI", 2),
    ("PGP", 3),
    ("IPKIX", 4),
    ("ISPKI", 5),
    ("IPGP", 6),
    ("ACPKIX", 7),
    ("IACPKIX", 8),
    ("URI", 253),
    ("OID", 254),
];

fn find(names: &[(&str, u16)], text: &[u8]) -> Option<u16> {
    let found = names.iter().find(|(name, _)| text.eq_ignore_ascii_case(name.as_bytes()));
    found.map(|(_, number)| *number)
}

/// A DNSSEC algorithm by mnemonic (RFC 4034 appendix A.1 and successors, BIND's spellings too).
pub(super) fn algorithm(text: &[u8]) -> Option<u8> {
    find(&ALGORITHMS, text).map(|number| number as u8)
}

/// A certificate type by mnemonic (RFC 4398 §2.1).
pub(super) fn cert_type(text: &[u8]) -> Option<u16> {
    find(&CERT_TYPES, text)
}
