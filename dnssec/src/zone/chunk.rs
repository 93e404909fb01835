//! Chunks: some hundreds of owner names of one zone version as one immutable byte block.
//!
//! Owners stand in canonical order of their keys ([`super::key`]), RRsets by type number, records
//! in canonical RDATA order (RFC 4034 §6.3). All integers are big-endian.
//!
//! ```text
//! chunk   = entries, entry offsets (u32 each), record count u32, signature count u32,
//!           earliest expiration u32 (0: no signature), owner count u32
//! entry   = key length u16, flags u8 (bits 0-1 kind, bit 2 case), key,
//!           [owner length u8, owner in wire form as given: only when bit 2],
//!           RRset count u16, RRsets
//! RRset   = type u16, TTL u32, record count u16, signature count u8,
//!           length of the records u32, length of the signatures u32, records, signatures
//! record  = length u16, RDATA
//! signature = length u16, algorithm u8, key tag u16, expiration u32, inception u32, signature
//! ```
//!
//! The rest of an RRSIG is implied: type covered and original TTL are the RRset's, labels the
//! owner's, the signer's name is the apex.
//! In: bytes made by [`super::build::ChunkBuilder`], maybe mapped from a snapshot. Out: views.
//! Never: changes; a chunk is written once. Limit: 65,535 records in an RRset.

use super::signers::{SignerCount, Tally};
use crate::{Algorithm, KeyTag, RrType, Ttl};
use std::sync::Arc;

pub(super) const TRAILER_LENGTH: usize = 16;
pub(super) const RRSET_HEADER_LENGTH: usize = 17;
pub(super) const SIGNATURE_HEADER_LENGTH: usize = 11;
pub(super) const FLAG_CASE: u8 = 4;

/// Where an owner name stands in its zone (RFC 9499 §7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum OwnerKind {
    /// Authoritative data: everything is signed.
    Authoritative = 0,
    /// A zone cut: only a DS RRset is signed.
    Delegation = 1,
    /// Glue, or data occluded by a cut or a DNAME above: never signed, not in the denial chain.
    Occluded = 2,
}

/// Bytes that a chunk keeps alive: its own, or a mapped snapshot's.
pub type Backing = Arc<dyn AsRef<[u8]> + Send + Sync>;

/// Part of a zone version; see the module's head for the bytes.
pub struct Chunk {
    backing: Backing,
    // From here on what the bytes say, too: all chunks of a zone are asked for it, and bytes that
    // nobody has looked at for long are slow to come.
    length: usize,
    entries_end: usize,
    owner_count: usize,
    record_count: u32,
    signature_count: u32,
    earliest_expiration: Option<u32>,
    // This the bytes say only one RRset after the other.
    signed_rrset_count: u32,
    signers: Box<[SignerCount]>,
}

/// Why some bytes are no chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("damaged zone chunk (at byte {at})")]
pub struct ChunkError {
    /// Offset in the chunk where it stops making sense.
    pub at: usize,
}

impl Chunk {
    /// Takes bytes as a chunk after checking their whole structure (not their meaning).
    pub fn open(backing: Backing) -> Result<Chunk, ChunkError> {
        let bytes = backing.as_ref().as_ref();
        let damaged = |at| ChunkError { at };
        let trailer = bytes.len().checked_sub(TRAILER_LENGTH).ok_or(damaged(0))?;
        let owner_count = read_u32(bytes, trailer + 12) as usize;
        let index_length = owner_count.checked_mul(4).ok_or(damaged(trailer))?;
        let entries_end = trailer.checked_sub(index_length).ok_or(damaged(trailer))?;
        let (mut at, mut tally) = (0, Tally::default());
        for owner in 0..owner_count {
            if read_u32(bytes, entries_end + 4 * owner) as usize != at {
                return Err(damaged(entries_end + 4 * owner));
            }
            at = check_entry(bytes, at, entries_end, &mut tally).ok_or(damaged(at))?;
        }
        if at != entries_end {
            return Err(damaged(at));
        }
        Ok(Chunk::of(backing, entries_end, owner_count, tally))
    }

    /// A chunk of bytes that the builder has just made.
    pub(super) fn from_builder(
        bytes: Box<[u8]>,
        entries_end: usize,
        owner_count: usize,
        tally: Tally,
    ) -> Chunk {
        Chunk::of(Arc::new(bytes), entries_end, owner_count, tally)
    }

    fn of(backing: Backing, entries_end: usize, owner_count: usize, tally: Tally) -> Chunk {
        let bytes = backing.as_ref().as_ref();
        let length = bytes.len();
        let field = |index: usize| read_u32(bytes, length - TRAILER_LENGTH + 4 * index);
        let (record_count, signature_count) = (field(0), field(1));
        let earliest_expiration = (signature_count > 0).then(|| field(2));
        let (signed_rrset_count, signers) = tally.finish();
        Chunk {
            backing,
            length,
            entries_end,
            owner_count,
            record_count,
            signature_count,
            earliest_expiration,
            signed_rrset_count,
            signers,
        }
    }

    /// The bytes, as they go into a snapshot.
    pub fn as_bytes(&self) -> &[u8] {
        self.backing.as_ref().as_ref()
    }

    /// Length of the bytes.
    pub fn byte_count(&self) -> usize {
        self.length
    }

    /// Number of owner names.
    pub fn owner_count(&self) -> usize {
        self.owner_count
    }

    /// Number of records, signatures not counted.
    pub fn record_count(&self) -> usize {
        self.record_count as usize
    }

    /// Number of signatures.
    pub fn signature_count(&self) -> usize {
        self.signature_count as usize
    }

    /// The soonest expiration of a signature here, as on the wire (RFC 4034 §3.1.5).
    pub fn earliest_expiration(&self) -> Option<u32> {
        self.earliest_expiration
    }

    /// Number of RRsets with a signature.
    pub fn signed_rrset_count(&self) -> usize {
        self.signed_rrset_count as usize
    }

    /// Who signs here, and how many RRsets.
    pub fn signers(&self) -> &[SignerCount] {
        &self.signers
    }

    /// The owner at `index`, which is below [`Chunk::owner_count`].
    pub fn owner(&self, index: usize) -> OwnerView<'_> {
        assert!(index < self.owner_count);
        let bytes = self.as_bytes();
        let offset = |index: usize| read_u32(bytes, self.entries_end + 4 * index) as usize;
        let is_last = index + 1 == self.owner_count;
        let end = if is_last { self.entries_end } else { offset(index + 1) };
        OwnerView { bytes: &bytes[offset(index)..end] }
    }

    /// All owners, in canonical order.
    pub fn owners(&self) -> impl DoubleEndedIterator<Item = OwnerView<'_>> + ExactSizeIterator {
        (0..self.owner_count).map(|index| self.owner(index))
    }

    /// The key of the first owner; chunks are never empty.
    pub fn first_key(&self) -> &[u8] {
        self.owner(0).key()
    }

    /// Number of owners at the beginning for which `is_before` holds; it holds for no later one.
    pub(super) fn owners_before(&self, is_before: impl Fn(&OwnerView<'_>) -> bool) -> usize {
        let (mut low, mut high) = (0, self.owner_count);
        while low < high {
            let middle = (low + high) / 2;
            if is_before(&self.owner(middle)) { low = middle + 1 } else { high = middle }
        }
        low
    }

    /// The owner with this key.
    pub fn find(&self, key: &[u8]) -> Option<OwnerView<'_>> {
        let (mut low, mut high) = (0, self.owner_count);
        while low < high {
            let middle = (low + high) / 2;
            let owner = self.owner(middle);
            match owner.key().cmp(key) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Equal => return Some(owner),
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        None
    }
}

impl std::fmt::Debug for Chunk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Chunk({} owners, {} bytes)", self.owner_count, self.as_bytes().len())
    }
}

/// Checks the structure of the entry at `at`, and counts its signatures; returns where it ends.
fn check_entry(bytes: &[u8], at: usize, end: usize, tally: &mut Tally) -> Option<usize> {
    let entries = &bytes[..end];
    let key_length = usize::from(get_u16(entries, at)?);
    let flags = *entries.get(at + 2)?;
    let key = entries.get(at + 3..at + 3 + key_length)?;
    super::key::key_to_wire(&crate::Name::root(), key, &mut Vec::new()).then_some(())?;
    let mut at = at + 3 + key_length;
    if flags & 3 > OwnerKind::Occluded as u8 || flags & !7 != 0 {
        return None;
    }
    if flags & FLAG_CASE != 0 {
        let case = entries.get(at + 1..at + 1 + usize::from(*entries.get(at)?))?;
        let (_, length) = crate::Name::from_wire(case).ok()?;
        (length == case.len()).then_some(())?;
        at += 1 + length;
    }
    let rrset_count = get_u16(entries, at)?;
    at += 2;
    for _ in 0..rrset_count {
        let header = entries.get(at..at + RRSET_HEADER_LENGTH)?;
        let records = RRSET_HEADER_LENGTH + at;
        let signatures = records.checked_add(read_u32(header, 9) as usize)?;
        at = signatures.checked_add(read_u32(header, 13) as usize)?;
        check_items(entries.get(records..signatures)?, usize::from(read_u16(header, 6)), 0)?;
        let signatures = entries.get(signatures..at)?;
        check_items(signatures, usize::from(header[8]), SIGNATURE_HEADER_LENGTH)?;
        tally.begin_rrset();
        for item in (Items { bytes: signatures }) {
            tally.note(item[0], KeyTag(read_u16(item, 1)));
        }
    }
    Some(at)
}

/// Checks that `bytes` are `count` length-prefixed items of at least `least` bytes.
fn check_items(bytes: &[u8], count: usize, least: usize) -> Option<()> {
    let mut at = 0;
    for _ in 0..count {
        let length = usize::from(get_u16(bytes, at)?);
        at += 2 + length;
        (length >= least && at <= bytes.len()).then_some(())?;
    }
    (at == bytes.len()).then_some(())
}

/// One owner name with its RRsets.
#[derive(Clone, Copy)]
pub struct OwnerView<'a> {
    /// The entry.
    bytes: &'a [u8],
}

impl<'a> OwnerView<'a> {
    /// The entry's bytes: equal bytes mean equal name, case, kind, records and signatures.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Whether both are equal in everything but, maybe, their kind.
    pub(super) fn is_same_but_kind(&self, other: &OwnerView<'_>) -> bool {
        let (left, right) = (self.bytes, other.bytes);
        left[..2] == right[..2] && (left[2] ^ right[2]) & FLAG_CASE == 0 && left[3..] == right[3..]
    }

    /// The owner's key.
    pub fn key(&self) -> &'a [u8] {
        &self.bytes[3..3 + usize::from(read_u16(self.bytes, 0))]
    }

    /// Where it stands in the zone.
    pub fn kind(&self) -> OwnerKind {
        match self.bytes[2] & 3 {
            0 => OwnerKind::Authoritative,
            1 => OwnerKind::Delegation,
            _ => OwnerKind::Occluded,
        }
    }

    /// The owner's wire form in the case as given, when that is not all lower case.
    pub fn given_case(&self) -> Option<&'a [u8]> {
        let at = 3 + self.key().len();
        (self.bytes[2] & FLAG_CASE != 0)
            .then(|| &self.bytes[at + 1..at + 1 + usize::from(self.bytes[at])])
    }

    /// The RRsets, by type number.
    pub fn rrsets(&self) -> RrsetViews<'a> {
        let at = 3 + self.key().len() + self.given_case().map_or(0, |case| 1 + case.len());
        RrsetViews { count: read_u16(self.bytes, at), bytes: &self.bytes[at + 2..] }
    }

    /// The RRset of this type.
    pub fn rrset(&self, rtype: RrType) -> Option<RrsetView<'a>> {
        self.rrsets().find(|rrset| rrset.rtype == rtype)
    }
}

/// The RRsets of an owner.
#[derive(Clone)]
pub struct RrsetViews<'a> {
    count: u16,
    bytes: &'a [u8],
}

impl<'a> Iterator for RrsetViews<'a> {
    type Item = RrsetView<'a>;

    fn next(&mut self) -> Option<RrsetView<'a>> {
        self.count = self.count.checked_sub(1)?;
        let (header, rest) = self.bytes.split_at(RRSET_HEADER_LENGTH);
        let (records, rest) = rest.split_at(read_u32(header, 9) as usize);
        let (signatures, rest) = rest.split_at(read_u32(header, 13) as usize);
        self.bytes = rest;
        Some(RrsetView {
            rtype: RrType(read_u16(header, 0)),
            ttl: Ttl(read_u32(header, 2)),
            record_count: read_u16(header, 6),
            signature_count: header[8],
            records,
            signatures,
        })
    }
}

/// One RRset with its signatures.
#[derive(Clone, Copy)]
pub struct RrsetView<'a> {
    /// The type.
    pub rtype: RrType,
    /// The one TTL of all its records.
    pub ttl: Ttl,
    /// Number of records.
    pub record_count: u16,
    /// Number of signatures.
    pub signature_count: u8,
    /// The packed records: equal bytes mean equal records.
    pub(super) records: &'a [u8],
    pub(super) signatures: &'a [u8],
}

impl<'a> RrsetView<'a> {
    /// The RDATA of each record, in canonical order.
    pub fn rdatas(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        Items { bytes: self.records }
    }

    /// The signatures.
    pub fn signatures(&self) -> impl Iterator<Item = SignatureView<'a>> + use<'a> {
        Items { bytes: self.signatures }.map(|item| SignatureView {
            algorithm: item[0],
            key_tag: KeyTag(read_u16(item, 1)),
            expiration: read_u32(item, 3),
            inception: read_u32(item, 7),
            signature: &item[SIGNATURE_HEADER_LENGTH..],
        })
    }

    /// Whether both have the same TTL and records, byte for byte.
    pub fn same_data(&self, other: &RrsetView<'_>) -> bool {
        self.ttl == other.ttl && self.rtype == other.rtype && self.records == other.records
    }
}

/// What an RRSIG says beyond what its RRset implies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignatureView<'a> {
    /// Algorithm number.
    pub algorithm: u8,
    /// Tag of the signing key.
    pub key_tag: KeyTag,
    /// End of validity, as on the wire.
    pub expiration: u32,
    /// Begin of validity, as on the wire.
    pub inception: u32,
    /// The signature field.
    pub signature: &'a [u8],
}

impl SignatureView<'_> {
    /// Whether it was made with a key of this tag and algorithm.
    pub fn is_by(&self, algorithm: Algorithm, key_tag: KeyTag) -> bool {
        self.algorithm == algorithm.number() && self.key_tag == key_tag
    }
}

/// Length-prefixed items; the structure was checked by whoever made the chunk.
struct Items<'a> {
    bytes: &'a [u8],
}

impl<'a> Iterator for Items<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.bytes.is_empty() {
            return None;
        }
        let (item, rest) = self.bytes[2..].split_at(usize::from(read_u16(self.bytes, 0)));
        self.bytes = rest;
        Some(item)
    }
}

pub(super) fn read_u16(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

pub(super) fn read_u32(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn get_u16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]))
}
