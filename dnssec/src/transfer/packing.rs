//! Transfers out as messages: an AXFR from the chunks of a version, an IXFR from a condensed
//! difference. RFC 5936 §2.2, §3 (order, sections); RFC 1995 §4.
//! In: an immutable version or difference. Out: messages, unit by unit; units are independent of
//! one another, so that they are rendered side by side, ahead of the socket, and a slow reader
//! costs no more than the units that wait for it. Nothing is kept of them.
//! Never: sockets, TSIG (it is added to each message when it is sent).

pub mod writer;

#[cfg(test)]
pub(crate) mod tests;

use super::ixfr::Ixfr;
use crate::signing::tbs::{SignatureFields, rrsig_labels};
use crate::zone::ZoneVersion;
use crate::zone::chunk::{Chunk, RrsetView};
use crate::zone::key::key_to_wire;
use crate::{Name, RrType, Ttl};
use std::sync::Arc;
use writer::{Heading, PACKED_OCTETS, RecordTooLong, Writer};

/// A unit is closed when the chunks in it have so many octets. Large enough that the partly filled
/// last message of each does not count, small enough to be held for each of many slow readers.
pub const UNIT_OCTETS: usize = 128 << 10;

/// A transfer out.
#[derive(Debug)]
pub enum Transfer {
    /// The whole zone.
    Axfr(Axfr),
    /// What changed.
    Ixfr(Ixfr),
}

impl Transfer {
    /// Number of units; at least one.
    pub fn unit_count(&self) -> usize {
        match self {
            Transfer::Axfr(axfr) => axfr.starts.len(),
            Transfer::Ixfr(ixfr) => ixfr.unit_count(),
        }
    }

    /// The messages of the unit at `index`, each behind its length in two octets.
    pub fn render(&self, index: usize, heading: &Heading) -> Result<Vec<u8>, RecordTooLong> {
        match self {
            Transfer::Axfr(axfr) => axfr.render(index, heading),
            Transfer::Ixfr(ixfr) => ixfr.render(index, heading),
        }
    }
}

/// A whole zone as it is sent.
#[derive(Debug)]
pub struct Axfr {
    version: Arc<ZoneVersion>,
    /// The apex in lower case.
    apex: Name,
    /// The SOA record: TTL and RDATA.
    soa: (Ttl, Vec<u8>),
    /// The SOA's owner as given.
    soa_owner: Vec<u8>,
    /// Number of the first chunk of each unit.
    starts: Vec<usize>,
}

impl Axfr {
    /// The transfer of a version; `None` when that has no SOA.
    pub fn new(version: Arc<ZoneVersion>) -> Option<Axfr> {
        let apex = version.apex.to_lowercase();
        let owner = version.apex_owner()?;
        let rrset = owner.rrset(RrType::SOA)?;
        let soa = (rrset.ttl, rrset.rdatas().next()?.to_vec());
        let soa_owner = owner.given_case().unwrap_or(apex.as_wire()).to_vec();
        let mut starts = vec![0];
        let mut octets = 0;
        for (index, chunk) in version.chunks().enumerate() {
            if octets >= UNIT_OCTETS {
                starts.push(index);
                octets = 0;
            }
            octets += chunk.byte_count();
        }
        Some(Axfr { version, apex, soa, soa_owner, starts })
    }

    fn render(&self, index: usize, heading: &Heading) -> Result<Vec<u8>, RecordTooLong> {
        let end = self.starts.get(index + 1).copied();
        let start = self.starts[index];
        let count = end.map_or(usize::MAX, |end| end - start);
        let out = Vec::with_capacity(UNIT_OCTETS + UNIT_OCTETS / 2);
        let mut writer = Writer::with_buffer(heading, &self.apex, index == 0, PACKED_OCTETS, out);
        let (ttl, rdata) = &self.soa;
        if index == 0 {
            writer.record(&self.soa_owner, RrType::SOA, *ttl, rdata)?;
        }
        let (names, hashes) = (&self.version.names, &self.version.hashes);
        let chunks = names.iter().skip(start);
        let hashes = hashes.iter().skip(start.saturating_sub(names.len()));
        chunks
            .chain(hashes)
            .take(count)
            .try_for_each(|chunk| push_chunk(&mut writer, &self.apex, chunk))?;
        if end.is_none() {
            writer.record(&self.soa_owner, RrType::SOA, *ttl, rdata)?;
        }
        Ok(writer.finish())
    }
}

/// Adds the records of a chunk, but not the SOA itself: it frames the transfer.
fn push_chunk(writer: &mut Writer<'_>, apex: &Name, chunk: &Chunk) -> Result<(), RecordTooLong> {
    let mut lower = Vec::with_capacity(crate::name::NAME_LENGTH_MAX);
    for owner in chunk.owners() {
        // Keys come from our own builder and always turn back into names.
        key_to_wire(apex, owner.key(), &mut lower);
        let labels = rrsig_labels(&lower);
        let wire = owner.given_case().unwrap_or(&lower);
        for rrset in owner.rrsets() {
            if rrset.rtype != RrType::SOA {
                for rdata in rrset.rdatas() {
                    writer.record(wire, rrset.rtype, rrset.ttl, rdata)?;
                }
            }
            push_signatures(writer, wire, labels, &rrset)?;
        }
    }
    Ok(())
}

/// Adds the RRSIGs over an RRset; `labels` as their field counts them.
pub(crate) fn push_signatures(
    writer: &mut Writer<'_>,
    owner: &[u8],
    labels: u8,
    rrset: &RrsetView<'_>,
) -> Result<(), RecordTooLong> {
    for signature in rrset.signatures() {
        let fields = SignatureFields::of(&signature);
        writer.signature(owner, (rrset.rtype, rrset.ttl, labels), &fields, signature.signature)?;
    }
    Ok(())
}
