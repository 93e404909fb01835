//! RDATA forms that the audit depends on. RFC 1035 §3.3, RFC 3597 §7, RFC 4034 §6.2 as corrected
//! by RFC 6840 §5.1 (names in NSEC keep their case; HINFO has no names).
//!
//! All types with embedded names that canonical form lowers have these names in one contiguous
//! stretch, and length octets are never letters. So canonical form is: lower the stretch.

use std::cmp::Ordering;
use std::ops::Range;

use crate::signer_sets::KeyId;
use crate::wire::{name_length, rtype, u16_at, u32_at};

/// The stretch of RDATA that canonical form lowers; empty for types without such names, and for
/// RDATA too damaged to tell.
pub(crate) fn lowered_range(record_type: u16, rdata: &[u8]) -> Range<usize> {
    let end = rdata.len();
    let range = match record_type {
        // NS MD MF CNAME MB MG MR PTR MINFO RP DNAME: names only.
        2..=5 | 7..=9 | 12 | 14 | 17 | 39 => 0..end,
        // SOA: two names and five numbers.
        6 => 0..end.saturating_sub(20),
        // MX AFSDB RT PX KX: a preference, then names.
        15 | 18 | 21 | 26 | 36 => 2..end,
        33 => 6..end,
        35 => naptr_name_start(rdata).unwrap_or(end)..end,
        // A6 (RFC 2874 §3.1.1): prefix length, the rest of the address, then the prefix name.
        38 => {
            let prefix = rdata.first().map_or(128, |&prefix| usize::from(prefix.min(128)));
            1 + (128 - prefix).div_ceil(8)..end
        }
        // NXT: a name, then a bitmap.
        30 => 0..name_length(rdata).unwrap_or(0),
        // SIG and RRSIG: 18 fixed octets, the signer name, the signature.
        24 | 46 => match rdata.get(18..).and_then(name_length) {
            Some(length) => 18..18 + length,
            None => 0..0,
        },
        _ => 0..0,
    };
    if range.start <= range.end && range.end <= end { range } else { 0..0 }
}

/// NAPTR (RFC 3403 §4.1): order, preference, three character strings, then the name.
fn naptr_name_start(rdata: &[u8]) -> Option<usize> {
    let mut position = 4;
    for _ in 0..3 {
        position += 1 + usize::from(*rdata.get(position)?);
    }
    Some(position)
}

/// Appends RDATA in canonical form.
pub(crate) fn append_canonical(record_type: u16, rdata: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(rdata);
    let range = lowered_range(record_type, rdata);
    out[start + range.start..start + range.end].make_ascii_lowercase();
}

/// Canonical RDATA order (RFC 4034 §6.3).
pub(crate) fn compare(record_type: u16, left: &[u8], right: &[u8]) -> Ordering {
    let left_range = lowered_range(record_type, left);
    if left == right {
        return Ordering::Equal;
    }
    if left_range.is_empty() {
        return left.cmp(right);
    }
    let right_range = lowered_range(record_type, right);
    let octet = |bytes: &[u8], range: &Range<usize>, at: usize| {
        if range.contains(&at) { bytes[at].to_ascii_lowercase() } else { bytes[at] }
    };
    let common = left.len().min(right.len());
    for at in 0..common {
        match octet(left, &left_range, at).cmp(&octet(right, &right_range, at)) {
            Ordering::Equal => {}
            unequal => return unequal,
        }
    }
    left.len().cmp(&right.len())
}

/// Whether RDATA has the form of its type. Types unknown here are taken as they are (RFC 3597).
pub(crate) fn is_well_formed(record_type: u16, rdata: &[u8]) -> bool {
    let names = |from: usize, count: usize| {
        let mut position = from;
        for _ in 0..count {
            match rdata.get(position..).and_then(name_length) {
                Some(length) => position += length,
                None => return None,
            }
        }
        Some(position)
    };
    let end = Some(rdata.len());
    match record_type {
        1 => rdata.len() == 4,
        28 => rdata.len() == 16,
        2..=5 | 7..=9 | 12 | 39 => names(0, 1) == end,
        14 | 17 => names(0, 2) == end,
        rtype::SOA => soa(rdata).is_some(),
        15 | 18 | 21 | 36 => names(2, 1) == end,
        26 => names(2, 2) == end,
        16 => !rdata.is_empty() && are_character_strings(rdata),
        33 => names(6, 1) == end,
        35 => naptr_name_start(rdata).is_some_and(|start| names(start, 1) == end),
        rtype::DS | rtype::CDS => rdata.len() > 4,
        rtype::DNSKEY | rtype::CDNSKEY => rdata.len() > 4,
        rtype::RRSIG => rrsig(rdata).is_some(),
        rtype::NSEC => names(0, 1).is_some(),
        rtype::NSEC3 => nsec3(rdata).is_some(),
        rtype::NSEC3PARAM => nsec3param(rdata).is_some(),
        // RFC 8976 §2.2: serial, scheme, hash algorithm, a digest of at least 12 octets.
        rtype::ZONEMD => rdata.len() >= 18,
        _ => true,
    }
}

fn are_character_strings(rdata: &[u8]) -> bool {
    let mut position = 0;
    while let Some(&length) = rdata.get(position) {
        position += 1 + usize::from(length);
    }
    position == rdata.len()
}

/// The numbers of a SOA (RFC 1035 §3.3.13).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Soa<'a> {
    pub(crate) serial: u32,
    pub(crate) minimum: u32,
    pub(crate) expire: u32,
    /// MNAME and RNAME, which come before the serial.
    pub(crate) names: &'a [u8],
    /// REFRESH, RETRY and EXPIRE, which lie between serial and MINIMUM.
    pub(crate) timers: &'a [u8],
}

/// Reads a SOA.
pub(crate) fn soa(rdata: &[u8]) -> Option<Soa<'_>> {
    let mname = name_length(rdata)?;
    let names_length = mname + name_length(rdata.get(mname..)?)?;
    let numbers = rdata.get(names_length..)?;
    if numbers.len() != 20 {
        return None;
    }
    Some(Soa {
        serial: u32_at(numbers, 0)?,
        minimum: u32_at(numbers, 16)?,
        expire: u32_at(numbers, 12)?,
        names: &rdata[..names_length],
        timers: &numbers[4..16],
    })
}

/// The fields of an RRSIG (RFC 4034 §3.1).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rrsig<'a> {
    pub(crate) algorithm: u8,
    pub(crate) labels: u8,
    pub(crate) original_ttl: u32,
    pub(crate) expiration: u32,
    pub(crate) inception: u32,
    pub(crate) key_tag: u16,
    pub(crate) signer: &'a [u8],
    pub(crate) signature: &'a [u8],
}

impl Rrsig<'_> {
    /// The key that it names.
    pub(crate) fn key_id(&self) -> KeyId {
        KeyId { algorithm: self.algorithm, key_tag: self.key_tag }
    }
}

/// Reads an RRSIG.
pub(crate) fn rrsig(rdata: &[u8]) -> Option<Rrsig<'_>> {
    let signer_length = name_length(rdata.get(18..)?)?;
    let (signer, signature) = rdata[18..].split_at(signer_length);
    Some(Rrsig {
        algorithm: rdata[2],
        labels: rdata[3],
        original_ttl: u32_at(rdata, 4)?,
        expiration: u32_at(rdata, 8)?,
        inception: u32_at(rdata, 12)?,
        key_tag: u16_at(rdata, 16)?,
        signer,
        signature,
    })
}

/// The fields of an NSEC3 (RFC 5155 §3.2).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Nsec3<'a> {
    pub(crate) parameters: Nsec3Parameters<'a>,
    pub(crate) next_hash: &'a [u8],
    pub(crate) bitmap: &'a [u8],
}

/// The fields that NSEC3 and NSEC3PARAM share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Nsec3Parameters<'a> {
    pub(crate) hash_algorithm: u8,
    pub(crate) flags: u8,
    pub(crate) iterations: u16,
    pub(crate) salt: &'a [u8],
}

/// Reads an NSEC3.
pub(crate) fn nsec3(rdata: &[u8]) -> Option<Nsec3<'_>> {
    let (parameters, rest) = nsec3_parameters(rdata)?;
    let (&length, rest) = rest.split_first()?;
    let next_hash = rest.get(..usize::from(length))?;
    Some(Nsec3 { parameters, next_hash, bitmap: &rest[next_hash.len()..] })
}

/// Reads an NSEC3PARAM (RFC 5155 §4.2).
pub(crate) fn nsec3param(rdata: &[u8]) -> Option<Nsec3Parameters<'_>> {
    let (parameters, rest) = nsec3_parameters(rdata)?;
    rest.is_empty().then_some(parameters)
}

fn nsec3_parameters(rdata: &[u8]) -> Option<(Nsec3Parameters<'_>, &[u8])> {
    let salt_length = usize::from(*rdata.get(4)?);
    let salt = rdata.get(5..5 + salt_length)?;
    let parameters = Nsec3Parameters {
        hash_algorithm: rdata[0],
        flags: rdata[1],
        iterations: u16_at(rdata, 2)?,
        salt,
    };
    Some((parameters, &rdata[5 + salt_length..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_form_lowers_names_only() {
        let mut out = Vec::new();
        append_canonical(15, b"\x41\x42\x01A\0", &mut out);
        assert_eq!(out, b"\x41\x42\x01a\0");
        out.clear();
        append_canonical(35, b"AAAA\x01S\x01X\0\x01B\0", &mut out);
        assert_eq!(out, b"AAAA\x01S\x01X\0\x01b\0");
        out.clear();
        append_canonical(47, b"\x01B\0\0\x01\x40", &mut out);
        assert_eq!(out, b"\x01B\0\0\x01\x40", "RFC 6840 5.1: NSEC keeps its case");
        out.clear();
        append_canonical(64, b"\0\x01\x01B\0", &mut out);
        assert_eq!(out, b"\0\x01\x01B\0", "RFC 9460 2.2: SVCB is not lowered");
    }

    #[test]
    fn order_ignores_case_in_names_but_not_elsewhere() {
        assert_eq!(compare(2, b"\x01B\0", b"\x01b\0"), Ordering::Equal);
        assert_eq!(compare(16, b"\x01B", b"\x01b"), Ordering::Less);
        assert_eq!(compare(15, b"\0\x01\x01a\0", b"\0\x01\x01B\0"), Ordering::Less);
    }

    #[test]
    fn short_rdata_never_panics() {
        for record_type in 0..=300 {
            for length in 0..40 {
                let rdata = vec![0xff_u8; length];
                is_well_formed(record_type, &rdata);
                append_canonical(record_type, &rdata, &mut Vec::new());
            }
        }
    }
}
