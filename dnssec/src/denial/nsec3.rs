//! NSEC3 chain of one zone. RFC 5155 §5 (hash), §7.1 (chain, empty non-terminals, opt-out);
//! RFC 9276 §3.1 (no salt, no iterations).
//! In: name chunks in canonical order. Out: NSEC3 RRsets in hash order, as chunks.
//! Memory while linking: 32 bytes a name and its bitmap.
//! Never: chooses a salt; two parameter sets at once.

use super::{Chain, push_bitmap};
use crate::zone::ChunkList;
use crate::zone::build::ChunkBuilder;
use crate::zone::chunk::{Chunk, OwnerKind, OwnerView};
use crate::zone::key::{self, key_to_wire};
use crate::{Name, RrType, Ttl};
use data_encoding::BASE32_DNSSEC;
use sha1::{Digest, Sha1};
use std::sync::Arc;

/// Length of a hash, in octets.
pub const HASH_LENGTH: usize = 20;

/// The parameters of a chain (RFC 5155 §3.1, §4.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nsec3Parameters {
    /// Additional iterations.
    pub iterations: u16,
    /// The salt; at most 255 octets.
    pub salt: Vec<u8>,
    /// Whether insecure delegations are left out.
    pub opt_out: bool,
}

impl Nsec3Parameters {
    /// RDATA of the NSEC3PARAM record: its flags are zero (RFC 5155 §4.1.2).
    pub fn param_rdata(&self) -> Vec<u8> {
        self.head(0)
    }

    /// Algorithm, flags, iterations, salt.
    fn head(&self, flags: u8) -> Vec<u8> {
        let mut head = vec![1, flags];
        head.extend(self.iterations.to_be_bytes());
        head.push(self.salt.len() as u8);
        head.extend(&self.salt);
        head
    }
}

/// Two names with one hash: the chain needs another salt (RFC 5155 §7.1).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("two names have the NSEC3 hash {}; choose another salt", BASE32_DNSSEC.encode(.hash))]
pub struct HashCollision {
    /// The hash.
    pub hash: [u8; HASH_LENGTH],
}

/// Hash of a lower-case name in wire form (RFC 5155 §5).
pub fn hash(wire: &[u8], parameters: &Nsec3Parameters) -> [u8; HASH_LENGTH] {
    let mut digest: [u8; HASH_LENGTH] =
        Sha1::new().chain_update(wire).chain_update(&parameters.salt).finalize().into();
    for _ in 0..parameters.iterations {
        digest = Sha1::new().chain_update(digest).chain_update(&parameters.salt).finalize().into();
    }
    digest
}

/// The hashed names of one chunk, in the order of the names.
#[derive(Default)]
pub struct HashedNames {
    names: Vec<HashedName>,
    bitmaps: Vec<u8>,
}

struct HashedName {
    hash: [u8; HASH_LENGTH],
    bitmap_start: u32,
    bitmap_length: u32,
}

/// Whether an owner has an NSEC3 record of its own.
pub(super) fn is_hashed(owner: &OwnerView<'_>, opt_out: bool) -> bool {
    match owner.kind() {
        OwnerKind::Authoritative => true,
        OwnerKind::Delegation => !opt_out || owner.rrset(RrType::DS).is_some(),
        OwnerKind::Occluded => false,
    }
}

/// Hashes the names of `chunks[index]` that need an NSEC3 record, and the empty non-terminals
/// that appear with them.
pub fn hash_chunk(
    apex: &Name,
    chunks: &[Arc<Chunk>],
    index: usize,
    parameters: &Nsec3Parameters,
) -> HashedNames {
    let is_hashed = |owner: &OwnerView<'_>| is_hashed(owner, parameters.opt_out);
    let mut hashed = HashedNames::default();
    let mut wire = Vec::new();
    let before = chunks[..index].iter().rev().flat_map(|chunk| chunk.owners().rev());
    let mut previous = before.into_iter().find(is_hashed);
    for owner in chunks[index].owners().filter(is_hashed) {
        let previous_key = previous.map_or(&[][..], |owner| owner.key());
        let known = key::common_ancestor_length(previous_key, owner.key());
        for length in key::ancestor_lengths(owner.key(), known) {
            key_to_wire(apex, &owner.key()[..length], &mut wire);
            hashed.push(hash(&wire, parameters), |_| {});
        }
        key_to_wire(apex, owner.key(), &mut wire);
        hashed.push(hash(&wire, parameters), |out| push_bitmap(&owner, Chain::Nsec3, out));
        previous = Some(owner);
    }
    hashed
}

impl HashedNames {
    fn push(&mut self, hash: [u8; HASH_LENGTH], bitmap: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bitmaps.len();
        bitmap(&mut self.bitmaps);
        self.names.push(HashedName {
            hash,
            bitmap_start: start as u32,
            bitmap_length: (self.bitmaps.len() - start) as u32,
        });
    }
}

/// Sorts and links the hashed names of all chunks into the chain. `ttl` is
/// [`super::denial_ttl`].
pub fn link(
    parts: &[HashedNames],
    parameters: &Nsec3Parameters,
    ttl: Ttl,
) -> Result<ChunkList, HashCollision> {
    let mut names: Vec<(&HashedName, &HashedNames)> =
        parts.iter().flat_map(|part| part.names.iter().map(move |name| (name, part))).collect();
    names.sort_unstable_by_key(|(name, _)| name.hash);
    if let Some(pair) = names.windows(2).find(|pair| pair[0].0.hash == pair[1].0.hash) {
        return Err(HashCollision { hash: pair[0].0.hash });
    }
    let mut chunks = Vec::new();
    let mut builder = ChunkBuilder::default();
    let mut owner_key = Vec::new();
    for (position, (name, part)) in names.iter().enumerate() {
        let next = names[(position + 1) % names.len()].0.hash;
        owner_key.clear();
        key::push_label(BASE32_DNSSEC.encode(&name.hash).as_bytes(), &mut owner_key);
        let start = name.bitmap_start as usize;
        let bitmap = &part.bitmaps[start..start + name.bitmap_length as usize];
        push_nsec3(&owner_key, next, bitmap, parameters, ttl, &mut builder);
        if builder.is_full() {
            chunks.push(Arc::new(builder.finish()));
        }
    }
    if !builder.is_empty() {
        chunks.push(Arc::new(builder.finish()));
    }
    Ok(chunks.into())
}

/// A chunk with one NSEC3 owner.
pub(super) fn nsec3_owner(
    key: &[u8],
    next: [u8; HASH_LENGTH],
    bitmap: &[u8],
    parameters: &Nsec3Parameters,
    ttl: Ttl,
) -> Chunk {
    let mut builder = ChunkBuilder::default();
    push_nsec3(key, next, bitmap, parameters, ttl, &mut builder);
    builder.finish()
}

fn push_nsec3(
    key: &[u8],
    next: [u8; HASH_LENGTH],
    bitmap: &[u8],
    parameters: &Nsec3Parameters,
    ttl: Ttl,
    builder: &mut ChunkBuilder,
) {
    let mut rdata = parameters.head(u8::from(parameters.opt_out));
    rdata.push(HASH_LENGTH as u8);
    rdata.extend(next);
    rdata.extend(bitmap);
    builder.begin_owner(key, None, OwnerKind::Authoritative);
    builder.push_single(RrType::NSEC3, ttl, &rdata);
    builder.end_owner();
}
