//! NSEC chain (RFC 4034 §4, RFC 4035 §2.3): every authoritative name and every cut, each
//! pointing to the next, the last to the apex.
//! In: name chunks. Out: the same chunks with the NSEC record added to each owner in the chain.
//! Works chunk by chunk, so that chunks can be made in parallel.

use super::{Chain, push_bitmap};
use crate::zone::build::ChunkBuilder;
use crate::zone::chunk::{Chunk, OwnerKind, OwnerView};
use crate::zone::key::key_to_wire;
use crate::{Name, RrType, Ttl};
use std::sync::Arc;

/// `chunks[index]` with its NSEC records. `ttl` is [`super::denial_ttl`].
pub fn with_nsec(apex: &Name, chunks: &[Arc<Chunk>], index: usize, ttl: Ttl) -> Chunk {
    let chunk = &chunks[index];
    let mut builder = ChunkBuilder::default();
    let mut rdata = Vec::new();
    for position in 0..chunk.owner_count() {
        let owner = chunk.owner(position);
        let next = next_in_chain(chunks, index, position).map_or(&[][..], |next| next.key());
        push_chained(apex, &owner, next, ttl, &mut rdata, &mut builder);
    }
    builder.finish()
}

/// A chunk with one owner and its NSEC record, which points to the owner with the key `next`.
pub(super) fn chained_owner(apex: &Name, owner: &OwnerView<'_>, next: &[u8], ttl: Ttl) -> Chunk {
    let mut builder = ChunkBuilder::default();
    push_chained(apex, owner, next, ttl, &mut Vec::new(), &mut builder);
    builder.finish()
}

/// Writes an owner, with its NSEC record when it is in the chain. `rdata` is a buffer.
fn push_chained(
    apex: &Name,
    owner: &OwnerView<'_>,
    next: &[u8],
    ttl: Ttl,
    rdata: &mut Vec<u8>,
    builder: &mut ChunkBuilder,
) {
    builder.begin_owner_like(owner);
    let mut pending = owner.kind() != OwnerKind::Occluded;
    if pending {
        // Keys come from our own builder and always turn back into names.
        key_to_wire(apex, next, rdata);
        push_bitmap(owner, Chain::Nsec, rdata);
    }
    for rrset in owner.rrsets() {
        if pending && rrset.rtype > RrType::NSEC {
            builder.push_single(RrType::NSEC, ttl, rdata);
            pending = false;
        }
        builder.begin_rrset_like(&rrset);
        builder.end_rrset();
    }
    if pending {
        builder.push_single(RrType::NSEC, ttl, rdata);
    }
    builder.end_owner();
}

/// The first owner after `chunks[index].owner(position)` that is in the chain.
fn next_in_chain(chunks: &[Arc<Chunk>], index: usize, position: usize) -> Option<OwnerView<'_>> {
    let here = (position + 1..chunks[index].owner_count()).map(|at| chunks[index].owner(at));
    let later = chunks[index + 1..].iter().flat_map(|chunk| chunk.owners());
    here.chain(later).find(|owner| owner.kind() != OwnerKind::Occluded)
}
