//! Changes that make a good signed zone a wrong one: what the auditor has to refuse, whoever signed
//! it. RFC 4034 §3.1 (RRSIG), §4 (NSEC); RFC 5155 §3 (NSEC3).
//! In: wire records of a good zone. Out: the record to change, and what to put in its place.
//! A change is chosen so that no zone that was good stays good by it: only signatures of published
//! keys are changed, only data that the source has too.
//! Never: the auditor's rules; which finding has to follow is the caller's to know.

use crate::key::key_tag;
use crate::{KeyTag, Name, RrType};
use std::fmt;
use std::ops::Range;

/// Octets between an owner name and its RDATA: type, class, TTL, RDLENGTH.
const HEADER_LENGTH: usize = 10;
/// Octets of an RRSIG before the signer's name.
const RRSIG_HEAD_LENGTH: usize = 18;

/// What is done to a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MutationKind {
    /// One bit of a signature is another one.
    SignatureBit,
    /// An NSEC or NSEC3 is gone.
    DenialDropped,
    /// One bit of a DNSKEY is another one.
    KeyBit,
    /// A record is gone.
    RecordDropped,
    /// One bit of an address is another one.
    AddressBit,
}

impl MutationKind {
    /// All there are.
    pub const ALL: [MutationKind; 5] = [
        MutationKind::SignatureBit,
        MutationKind::DenialDropped,
        MutationKind::KeyBit,
        MutationKind::RecordDropped,
        MutationKind::AddressBit,
    ];
}

impl fmt::Display for MutationKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            MutationKind::SignatureBit => "one bit of a signature changed",
            MutationKind::DenialDropped => "an NSEC or NSEC3 dropped",
            MutationKind::KeyBit => "one bit of a DNSKEY changed",
            MutationKind::RecordDropped => "a record dropped",
            MutationKind::AddressBit => "one bit of an address changed",
        })
    }
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mutation {
    /// Where the record stands in the block.
    pub range: Range<usize>,
    /// What comes in its place: a record, or nothing.
    pub added: Vec<u8>,
}

impl Mutation {
    /// The block with the change.
    pub fn applied(&self, block: &[u8]) -> Vec<u8> {
        let (before, after) = (block.get(..self.range.start), block.get(self.range.end..));
        [before.unwrap_or_default(), &self.added, after.unwrap_or_default()].concat()
    }
}

/// A record in a block.
struct Found<'b> {
    owner: Name,
    range: Range<usize>,
    rtype: RrType,
    rdata: &'b [u8],
}

/// Chooses a record of `block`, which are records in wire form, by `seed`, and changes it.
/// `dnskeys`: RDATA of the keys that are published; signatures by others are left alone. `None`:
/// there is no such record.
pub fn mutate(
    block: &[u8],
    kind: MutationKind,
    apex: &Name,
    dnskeys: &[Vec<u8>],
    seed: u64,
) -> Option<Mutation> {
    let published: Vec<(u8, KeyTag)> =
        dnskeys.iter().filter_map(|rdata| Some((*rdata.get(3)?, key_tag(rdata)))).collect();
    let apex = apex.to_lowercase();
    let fits = |found: &Found<'_>| found.fits(kind, &apex, &published);
    let fitting: Vec<Found<'_>> = records(block).filter(fits).collect();
    // As many as fit in memory fit in 64 bits.
    let chosen = seed.checked_rem(fitting.len() as u64)? as usize;
    let found = fitting.into_iter().nth(chosen)?;
    let mut added = Vec::new();
    if matches!(kind, MutationKind::SignatureBit | MutationKind::KeyBit | MutationKind::AddressBit)
    {
        added = block.get(found.range.clone())?.to_vec();
        // The last octet of signature, key or address.
        *added.last_mut()? ^= 1;
    }
    Some(Mutation { range: found.range, added })
}

impl Found<'_> {
    fn fits(&self, kind: MutationKind, apex: &Name, published: &[(u8, KeyTag)]) -> bool {
        match kind {
            MutationKind::SignatureBit => {
                self.rtype == RrType::RRSIG && self.is_signature_by(published)
            }
            MutationKind::DenialDropped => matches!(self.rtype, RrType::NSEC | RrType::NSEC3),
            MutationKind::KeyBit => {
                self.rtype == RrType::DNSKEY && self.owner.to_lowercase() == *apex
            }
            // Which is data wherever it stands.
            MutationKind::RecordDropped => matches!(
                self.rtype,
                RrType::A | RrType::AAAA | RrType::TXT | RrType::MX | RrType::SRV | RrType::NS
            ),
            MutationKind::AddressBit => matches!(self.rtype, RrType::A | RrType::AAAA),
        }
    }

    fn is_signature_by(&self, published: &[(u8, KeyTag)]) -> bool {
        let algorithm = self.rdata.get(2);
        let tag = self.rdata.get(RRSIG_HEAD_LENGTH - 2..RRSIG_HEAD_LENGTH);
        let Some((algorithm, tag)) = algorithm.zip(tag.and_then(|tag| tag.try_into().ok())) else {
            return false;
        };
        published.contains(&(*algorithm, KeyTag(u16::from_be_bytes(tag))))
    }
}

/// The records of a block, up to the first octet that cannot be read.
fn records(block: &[u8]) -> impl Iterator<Item = Found<'_>> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let rest = block.get(start..)?;
        let (owner, taken) = Name::from_wire(rest).ok()?;
        let header = rest.get(taken..taken + HEADER_LENGTH)?;
        let length = usize::from(u16::from_be_bytes([header[8], header[9]]));
        let begin = taken + HEADER_LENGTH;
        let rdata = rest.get(begin..begin + length)?;
        let range = start..start + begin + length;
        start = range.end;
        let rtype = RrType(u16::from_be_bytes([header[0], header[1]]));
        Some(Found { owner, range, rtype, rdata })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const APEX: &[u8] = b"\x01a\x00";
    const DNSKEY: &[u8] = &[1, 1, 3, 13, 9, 9, 9, 9];

    fn record(owner: &[u8], rtype: RrType, rdata: &[u8]) -> Vec<u8> {
        let length = (rdata.len() as u16).to_be_bytes();
        [owner, &rtype.0.to_be_bytes(), &[0, 1, 0, 0, 0, 9], &length, rdata].concat()
    }

    fn rrsig(tag: KeyTag) -> Vec<u8> {
        let head = [0, 1, 13, 1, 0, 0, 0, 9, 0, 0, 0, 9, 0, 0, 0, 8];
        [&head[..], &tag.0.to_be_bytes(), APEX, &[7; 64]].concat()
    }

    fn zone() -> Vec<u8> {
        let tag = key_tag(DNSKEY);
        [
            record(APEX, RrType::SOA, &[1; 30]),
            record(APEX, RrType::DNSKEY, DNSKEY),
            record(APEX, RrType::RRSIG, &rrsig(KeyTag(tag.0 ^ 1))),
            record(b"\x01b\x01a\x00", RrType::A, &[192, 0, 2, 1]),
            record(b"\x01b\x01a\x00", RrType::RRSIG, &rrsig(tag)),
            record(b"\x01b\x01a\x00", RrType::NSEC, APEX),
        ]
        .concat()
    }

    #[track_caller]
    fn check(kind: MutationKind, place: usize, is_replaced: bool) {
        let (zone, apex) = (zone(), Name::from_wire(APEX).unwrap().0);
        for seed in [0, 1, u64::MAX] {
            let mutation = mutate(&zone, kind, &apex, &[DNSKEY.to_vec()], seed).unwrap();
            let expected = records(&zone).nth(place).unwrap().range;
            assert_eq!(mutation.range, expected);
            let applied = mutation.applied(&zone);
            let count = records(&applied).count();
            if is_replaced {
                let same = applied.iter().zip(&zone).filter(|(one, other)| one == other).count();
                assert_eq!((applied.len(), same, count), (zone.len(), zone.len() - 1, 6));
            } else {
                assert_eq!((applied.len(), count), (zone.len() - expected.len(), 5));
            }
        }
    }

    #[test]
    fn each_kind_finds_its_record() {
        // The first signature is by a key that is not published.
        check(MutationKind::SignatureBit, 4, true);
        check(MutationKind::DenialDropped, 5, false);
        check(MutationKind::KeyBit, 1, true);
        check(MutationKind::RecordDropped, 3, false);
        check(MutationKind::AddressBit, 3, true);
    }

    #[test]
    fn a_zone_without_such_a_record_is_left_alone() {
        let apex = Name::from_wire(APEX).unwrap().0;
        let soa = record(APEX, RrType::SOA, &[1; 30]);
        for kind in MutationKind::ALL {
            assert_eq!(mutate(&soa, kind, &apex, &[DNSKEY.to_vec()], 5), None);
        }
        assert_eq!(mutate(&zone(), MutationKind::SignatureBit, &apex, &[], 5), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_no_panic(
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
            seed in any::<u64>(),
        ) {
            let apex = Name::from_wire(APEX).unwrap().0;
            for kind in MutationKind::ALL {
                if let Some(mutation) = mutate(&bytes, kind, &apex, &[DNSKEY.to_vec()], seed) {
                    prop_assert!(mutation.range.end <= bytes.len());
                    let _ = mutation.applied(&bytes);
                }
            }
        }
    }
}
