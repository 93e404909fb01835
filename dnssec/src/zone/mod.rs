//! The zone model: versions of a zone as ordered lists of immutable chunks.
//!
//! A version shares untouched chunks with the version before, is read by any number of threads,
//! and never changes. DESIGN §3.
//! Never: I/O, locks, per-record allocation.

pub mod build;
pub mod chunk;
pub mod diff;
pub mod edit;
pub mod key;
pub mod load;
pub mod patch;
pub mod render;
pub mod replace;
pub mod signers;
pub mod texts;

#[cfg(test)]
pub(crate) mod tests;

use crate::{Name, RrType, Serial};
use chunk::{Chunk, OwnerView};
use std::sync::Arc;

/// Chunks in canonical order; no two hold the same owner, none is empty.
pub type ChunkList = Arc<[Arc<Chunk>]>;

/// One version of one zone, signed or not.
#[derive(Clone, Debug)]
pub struct ZoneVersion {
    /// The zone's name, in the case as configured.
    pub apex: Name,
    /// Everything but NSEC3.
    pub names: ChunkList,
    /// The NSEC3 records; owners are the hashed names, so hash order is canonical order.
    pub hashes: ChunkList,
}

impl ZoneVersion {
    /// The entry of the apex; every version has one.
    pub fn apex_owner(&self) -> Option<OwnerView<'_>> {
        self.names.first().and_then(|chunk| chunk.find(&[]))
    }

    /// The RDATA of the SOA record.
    pub fn soa_rdata(&self) -> Option<&[u8]> {
        self.apex_owner()?.rrset(RrType::SOA)?.rdatas().next()
    }

    /// The serial of the SOA record.
    pub fn serial(&self) -> Option<Serial> {
        self.soa_rdata().and_then(soa_serial)
    }

    /// The owner with this key among the names.
    pub fn find(&self, key: &[u8]) -> Option<OwnerView<'_>> {
        find(&self.names, key)
    }

    /// All chunks, names first.
    pub fn chunks(&self) -> impl Iterator<Item = &Arc<Chunk>> {
        self.names.iter().chain(self.hashes.iter())
    }

    /// Whether RRSIGs of the input stand among its records, as those of a zone that is passed
    /// through do; ours are signatures of their RRsets. Walks the zone.
    pub fn has_foreign_signatures(&self) -> bool {
        let mut owners = self.names.iter().flat_map(|chunk| chunk.owners());
        owners.any(|owner| owner.rrset(RrType::RRSIG).is_some())
    }

    /// Number of records, signatures not counted.
    pub fn record_count(&self) -> usize {
        self.chunks().map(|chunk| chunk.record_count()).sum()
    }

    /// Number of signatures.
    pub fn signature_count(&self) -> usize {
        self.chunks().map(|chunk| chunk.signature_count()).sum()
    }

    /// The soonest expiration of all signatures, as on the wire, judged in sequence space.
    pub fn earliest_expiration(&self) -> Option<u32> {
        self.chunks()
            .filter_map(|chunk| chunk.earliest_expiration())
            .reduce(|best, next| if (next.wrapping_sub(best) as i32) < 0 { next } else { best })
    }
}

/// The owner with this key in a list of chunks.
pub fn find<'a>(chunks: &'a ChunkList, key: &[u8]) -> Option<OwnerView<'a>> {
    let after = chunks.partition_point(|chunk| chunk.first_key() <= key);
    chunks[after.checked_sub(1)?].find(key)
}

/// The serial field of a SOA's RDATA; `None` when it is no SOA.
pub fn soa_serial(rdata: &[u8]) -> Option<Serial> {
    soa_fields_at(rdata).map(|at| Serial(chunk::read_u32(rdata, at)))
}

/// The numbers of a SOA: serial, refresh, retry, expire, MINIMUM (RFC 1035 §3.3.13).
pub fn soa_numbers(rdata: &[u8]) -> Option<[u32; 5]> {
    let at = soa_fields_at(rdata)?;
    Some([0, 4, 8, 12, 16].map(|field| chunk::read_u32(rdata, at + field)))
}

/// The MINIMUM field of a SOA's RDATA, in seconds.
pub fn soa_minimum(rdata: &[u8]) -> Option<u32> {
    soa_fields_at(rdata).map(|at| chunk::read_u32(rdata, at + 16))
}

/// The RDATA of a SOA with another serial and MINIMUM (RFC 1035 §3.3.13).
pub fn soa_with(rdata: &[u8], serial: Serial, minimum: u32) -> Option<Vec<u8>> {
    let at = soa_fields_at(rdata)?;
    let mut rdata = rdata.to_vec();
    rdata[at..at + 4].copy_from_slice(&serial.0.to_be_bytes());
    rdata[at + 16..at + 20].copy_from_slice(&minimum.to_be_bytes());
    Some(rdata)
}

/// Where the five numbers of a SOA begin.
fn soa_fields_at(rdata: &[u8]) -> Option<usize> {
    let (_, mname) = Name::from_wire(rdata).ok()?;
    let (_, rname) = Name::from_wire(&rdata[mname..]).ok()?;
    (rdata.len() == mname + rname + 20).then_some(mname + rname)
}
