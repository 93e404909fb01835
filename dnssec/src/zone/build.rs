//! Writes chunks: owners in canonical order in, one packed block out.
//! In: keys, RRsets, signatures, in the order of [`super::chunk`]. Out: a [`Chunk`].
//! Never: sorts or checks DNS rules; [`super::load`] does.

use super::chunk::{
    Chunk, FLAG_CASE, OwnerKind, OwnerView, RRSET_HEADER_LENGTH, RrsetView,
    SIGNATURE_HEADER_LENGTH, SignatureView,
};
use super::signers::Tally;
use crate::{RrType, Ttl};

/// A chunk is closed when it has this many bytes; some hundreds of owners. Tests of this crate have
/// small chunks, so that small zones have many boundaries between them.
pub const CHUNK_BYTES_TARGET: usize = if cfg!(test) { 256 } else { 32 * 1024 };

/// Builds one chunk after the other.
#[derive(Default)]
pub struct ChunkBuilder {
    bytes: Vec<u8>,
    offsets: Vec<u32>,
    rrset_count_at: usize,
    rrset_count: u16,
    /// Start of the open RRset, and of its signatures once they begin.
    rrset_at: usize,
    signatures_at: Option<usize>,
    record_count: u32,
    rrset_record_count: u16,
    signature_count: u32,
    rrset_signature_count: u8,
    earliest_expiration: Option<u32>,
    tally: Tally,
}

/// An RRset has more records, or more bytes, than its format holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("RRset of type {} has more than 65,535 records", rtype.0)]
pub struct RrsetTooLarge {
    /// Type of the RRset.
    pub rtype: RrType,
}

impl ChunkBuilder {
    /// Whether it is time to call [`ChunkBuilder::finish`].
    pub fn is_full(&self) -> bool {
        self.bytes.len() >= CHUNK_BYTES_TARGET
    }

    /// Bytes of the open chunk so far.
    pub fn byte_count(&self) -> usize {
        self.bytes.len()
    }

    /// Whether no owner has been begun.
    pub fn is_empty(&self) -> bool {
        self.offsets.is_empty()
    }

    /// Begins an owner; its key comes after all keys before. `given_case` is the wire form where
    /// that is not all lower case.
    pub fn begin_owner(&mut self, key: &[u8], given_case: Option<&[u8]>, kind: OwnerKind) {
        debug_assert!(key.len() <= super::key::KEY_LENGTH_MAX);
        self.offsets.push(self.bytes.len() as u32);
        self.bytes.extend((key.len() as u16).to_be_bytes());
        self.bytes.push(kind as u8 | if given_case.is_some() { FLAG_CASE } else { 0 });
        self.bytes.extend(key);
        if let Some(case) = given_case {
            self.bytes.push(case.len() as u8);
            self.bytes.extend(case);
        }
        self.rrset_count_at = self.bytes.len();
        self.rrset_count = 0;
        self.bytes.extend([0, 0]);
    }

    /// Begins an owner like one of another chunk.
    pub fn begin_owner_like(&mut self, owner: &OwnerView<'_>) {
        self.begin_owner(owner.key(), owner.given_case(), owner.kind());
    }

    /// Adds an owner like one of another chunk, with everything.
    pub fn push_owner(&mut self, owner: &OwnerView<'_>) {
        self.push_owner_as(owner, owner.kind());
    }

    /// [`ChunkBuilder::push_owner`], but for the kind.
    pub fn push_owner_as(&mut self, owner: &OwnerView<'_>, kind: OwnerKind) {
        self.begin_owner(owner.key(), owner.given_case(), kind);
        owner.rrsets().for_each(|rrset| self.push_rrset(&rrset));
        self.end_owner();
    }

    /// Adds a whole RRset with its signatures.
    pub fn push_rrset(&mut self, rrset: &RrsetView<'_>) {
        self.begin_rrset_like(rrset);
        rrset.signatures().for_each(|signature| self.push_signature(&signature));
        self.end_rrset();
    }

    /// Ends the open owner.
    pub fn end_owner(&mut self) {
        let at = self.rrset_count_at;
        self.bytes[at..at + 2].copy_from_slice(&self.rrset_count.to_be_bytes());
    }

    /// Begins an RRset of the open owner; types rise.
    pub fn begin_rrset(&mut self, rtype: RrType, ttl: Ttl) {
        self.rrset_at = self.bytes.len();
        self.signatures_at = None;
        self.rrset_record_count = 0;
        self.rrset_signature_count = 0;
        self.tally.begin_rrset();
        self.bytes.extend(rtype.0.to_be_bytes());
        self.bytes.extend(ttl.0.to_be_bytes());
        self.bytes.extend([0; RRSET_HEADER_LENGTH - 6]);
    }

    /// Adds a record to the open RRset; canonical order is the caller's.
    pub fn push_rdata(&mut self, rdata: &[u8]) -> Result<(), RrsetTooLarge> {
        let rtype = RrType(super::chunk::read_u16(&self.bytes, self.rrset_at));
        self.rrset_record_count =
            self.rrset_record_count.checked_add(1).ok_or(RrsetTooLarge { rtype })?;
        self.record_count += 1;
        self.bytes.extend((rdata.len() as u16).to_be_bytes());
        self.bytes.extend(rdata);
        Ok(())
    }

    /// Adds a signature to the open RRset, after all its records.
    pub fn push_signature(&mut self, signature: &SignatureView<'_>) {
        self.signatures_at.get_or_insert(self.bytes.len());
        self.rrset_signature_count += 1;
        self.signature_count += 1;
        self.tally.note(signature.algorithm, signature.key_tag);
        let length = SIGNATURE_HEADER_LENGTH + signature.signature.len();
        self.bytes.extend((length as u16).to_be_bytes());
        self.bytes.push(signature.algorithm);
        self.bytes.extend(signature.key_tag.0.to_be_bytes());
        self.bytes.extend(signature.expiration.to_be_bytes());
        self.bytes.extend(signature.inception.to_be_bytes());
        self.bytes.extend(signature.signature);
        // Sequence space (RFC 1982): all expirations lie within 68 years of one another.
        let is_earlier = |known: u32| (signature.expiration.wrapping_sub(known) as i32) < 0;
        if self.earliest_expiration.is_none_or(is_earlier) {
            self.earliest_expiration = Some(signature.expiration);
        }
    }

    /// Ends the open RRset.
    pub fn end_rrset(&mut self) {
        let end = self.bytes.len();
        let records_at = self.rrset_at + RRSET_HEADER_LENGTH;
        let signatures_at = self.signatures_at.unwrap_or(end);
        let header = &mut self.bytes[self.rrset_at..records_at];
        header[6..8].copy_from_slice(&self.rrset_record_count.to_be_bytes());
        header[8] = self.rrset_signature_count;
        header[9..13].copy_from_slice(&((signatures_at - records_at) as u32).to_be_bytes());
        header[13..17].copy_from_slice(&((end - signatures_at) as u32).to_be_bytes());
        self.rrset_count += 1;
    }

    /// Adds a whole RRset without its signatures; leaves it open for new ones.
    pub fn begin_rrset_like(&mut self, rrset: &RrsetView<'_>) {
        self.begin_rrset(rrset.rtype, rrset.ttl);
        self.bytes.extend(rrset.records);
        self.rrset_record_count = rrset.record_count;
        self.record_count += u32::from(rrset.record_count);
    }

    /// Adds an RRset of one record.
    pub fn push_single(&mut self, rtype: RrType, ttl: Ttl, rdata: &[u8]) {
        self.begin_rrset(rtype, ttl);
        self.rrset_record_count = 1;
        self.record_count += 1;
        self.bytes.extend((rdata.len() as u16).to_be_bytes());
        self.bytes.extend(rdata);
        self.end_rrset();
    }

    /// Closes the chunk and begins the next. Its bytes go to a place of just their length: one that
    /// grew with them leaves a gap when it is cut, for each of thousands of chunks.
    pub fn finish(&mut self) -> Chunk {
        let mut built = std::mem::take(self);
        let entries_end = built.bytes.len();
        for offset in &built.offsets {
            built.bytes.extend(offset.to_be_bytes());
        }
        built.bytes.extend(built.record_count.to_be_bytes());
        built.bytes.extend(built.signature_count.to_be_bytes());
        built.bytes.extend(built.earliest_expiration.unwrap_or(0).to_be_bytes());
        built.bytes.extend((built.offsets.len() as u32).to_be_bytes());
        let bytes: Box<[u8]> = built.bytes.as_slice().into();
        let chunk = Chunk::from_builder(bytes, entries_end, built.offsets.len(), built.tally);
        built.bytes.clear();
        built.offsets.clear();
        (self.bytes, self.offsets) = (built.bytes, built.offsets);
        chunk
    }
}
