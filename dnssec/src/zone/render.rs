//! Chunks as text and as wire records.
//! Text: one record a line, absolute names, tab separated (catalogue 3.2). Wire: uncompressed
//! records, owner type class TTL RDLENGTH RDATA, as the auditor and transfers take them.
//! In: a chunk. Out: bytes. Chunks can be rendered in parallel and put together in order.

use super::chunk::{Chunk, OwnerView, RrsetView};
use super::key::key_to_wire;
use crate::rrtype::CLASS_IN;
use crate::signing::tbs::{SignatureFields, push_rrsig_head, rrsig_labels};
use crate::zonefile::print_record;
use crate::{Name, RrType, Ttl};

/// Appends a chunk as text; the SOA comes first.
pub fn text(apex: &Name, chunk: &Chunk, out: &mut Vec<u8>) {
    let mut owner_wire = Vec::new();
    each_record(apex, chunk, |owner, rtype, ttl, rdata| {
        if let Some(owner) = owner {
            owner_wire.clear();
            owner_wire.extend(owner);
        }
        print_record(&owner_wire, ttl, rtype, rdata, out);
    });
}

/// Appends a chunk as wire records; the SOA comes first.
pub fn wire(apex: &Name, chunk: &Chunk, out: &mut Vec<u8>) {
    let mut owner_wire = Vec::new();
    each_record(apex, chunk, |owner, rtype, ttl, rdata| {
        if let Some(owner) = owner {
            owner_wire.clear();
            owner_wire.extend(owner);
        }
        push_wire_record(&owner_wire, rtype, ttl, rdata, out);
    });
}

/// The wire records of one owner, each on its own, signatures included.
pub fn owner_records(apex: &Name, owner: &OwnerView<'_>) -> Vec<Vec<u8>> {
    let signer = apex.to_lowercase();
    let mut lower = Vec::new();
    // Keys come from our own builder and always turn back into names.
    key_to_wire(apex, owner.key(), &mut lower);
    let mut parts =
        Parts { signer: signer.as_wire(), labels: rrsig_labels(&lower), rrsig: Vec::new() };
    let wire = owner.given_case().unwrap_or(&lower);
    let mut records = Vec::new();
    for rrset in owner.rrsets() {
        parts.each(&rrset, &mut |rtype, ttl, rdata| {
            let mut record = Vec::with_capacity(wire.len() + 10 + rdata.len());
            push_wire_record(wire, rtype, ttl, rdata, &mut record);
            records.push(record);
        });
    }
    records
}

fn push_wire_record(owner: &[u8], rtype: RrType, ttl: Ttl, rdata: &[u8], out: &mut Vec<u8>) {
    out.extend(owner);
    out.extend(rtype.0.to_be_bytes());
    out.extend(CLASS_IN.to_be_bytes());
    out.extend(ttl.0.to_be_bytes());
    out.extend((rdata.len() as u16).to_be_bytes());
    out.extend(rdata);
}

/// Calls `record` for each record, signatures included; the owner's wire form is given with its
/// first record only.
fn each_record(
    apex: &Name,
    chunk: &Chunk,
    mut record: impl FnMut(Option<&[u8]>, RrType, Ttl, &[u8]),
) {
    let signer = apex.to_lowercase();
    let mut parts = Parts { signer: signer.as_wire(), labels: 0, rrsig: Vec::new() };
    let mut lower = Vec::new();
    for owner in chunk.owners() {
        // Keys come from our own builder and always turn back into names.
        key_to_wire(apex, owner.key(), &mut lower);
        let mut pending = Some(owner.given_case().unwrap_or(&lower));
        parts.labels = rrsig_labels(&lower);
        for rrset in soa_first(&owner) {
            parts.each(&rrset, &mut |rtype, ttl, rdata| record(pending.take(), rtype, ttl, rdata));
        }
    }
}

fn soa_first<'a>(owner: &OwnerView<'a>) -> impl Iterator<Item = RrsetView<'a>> {
    let soa = if owner.key().is_empty() { owner.rrset(RrType::SOA) } else { None };
    let rest = owner.rrsets();
    let rest = rest.filter(move |rrset| soa.is_none() || rrset.rtype != RrType::SOA);
    soa.into_iter().chain(rest)
}

struct Parts<'a> {
    signer: &'a [u8],
    labels: u8,
    rrsig: Vec<u8>,
}

impl Parts<'_> {
    /// Calls `record` for each record of an RRset and each RRSIG over it.
    fn each(&mut self, rrset: &RrsetView<'_>, record: &mut dyn FnMut(RrType, Ttl, &[u8])) {
        for rdata in rrset.rdatas() {
            record(rrset.rtype, rrset.ttl, rdata);
        }
        for signature in rrset.signatures() {
            let fields = SignatureFields::of(&signature);
            self.rrsig.clear();
            push_rrsig_head(
                rrset.rtype,
                rrset.ttl,
                self.labels,
                &fields,
                self.signer,
                &mut self.rrsig,
            );
            self.rrsig.extend(signature.signature);
            record(RrType::RRSIG, rrset.ttl, &self.rrsig);
        }
    }
}
