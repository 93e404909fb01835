//! ZONEMD: a digest over all records of a zone version. RFC 8976; scheme SIMPLE, SHA-384.
//! In: a signed version whose SOA is final. Out: the digest, RDATA of the record.
//! The record stands at the apex from the beginning, with zeros for the digest, so that the chain
//! of denial lists it; when everything but it is signed, the digest is made, filled in and signed.
//! Cost: all records are digested for every version (§3.3.1 has one hash over all of them in
//! order, of which nothing can be kept for the next version: the SOA comes first). Memory: the
//! records of one owner.
//! Never: other schemes and hashes; a ZONEMD below the apex is a record like others (§2).

use sha2::{Digest, Sha384};

use crate::rdata;
use crate::signing::tbs::{SignatureFields, push_rrsig_head, rrsig_labels};
use crate::zone::ZoneVersion;
use crate::zone::chunk::{OwnerView, RrsetView};
use crate::zone::key::key_to_wire;
use crate::{RrType, Serial, Ttl};

/// Scheme SIMPLE (§2.2.2).
const SCHEME_SIMPLE: u8 = 1;
/// SHA-384 (§2.2.3).
const HASH_SHA384: u8 = 1;
/// Length of its digest.
const DIGEST_OCTETS: usize = 48;

/// A digest.
pub type ZoneDigest = [u8; DIGEST_OCTETS];

/// RDATA of the record for the version with this serial (§2.2).
pub fn zonemd_rdata(serial: Serial, digest: &ZoneDigest) -> Vec<u8> {
    let mut rdata = serial.0.to_be_bytes().to_vec();
    rdata.extend([SCHEME_SIMPLE, HASH_SHA384]);
    rdata.extend(digest);
    rdata
}

/// What stands there until the digest is known (§3.2).
pub fn placeholder(serial: Serial) -> Vec<u8> {
    zonemd_rdata(serial, &[0; DIGEST_OCTETS])
}

/// The digest of a version (§3.3): all records in canonical order, but the ZONEMD at the apex and
/// the RRSIGs over it.
pub fn zone_digest(version: &ZoneVersion) -> ZoneDigest {
    let mut hash = Hashing {
        signer: version.apex.to_lowercase().as_wire().to_vec(),
        owner: Vec::new(),
        octets: Vec::new(),
        hash: Sha384::new(),
    };
    let mut hashes = version.hashes.iter().flat_map(|chunk| chunk.owners()).peekable();
    for owner in version.names.iter().flat_map(|chunk| chunk.owners()) {
        while let Some(before) = hashes.next_if(|other| other.key() < owner.key()) {
            hash.owner(version, &[before]);
        }
        // A name of the zone may look like a hash, and then is the same owner.
        match hashes.next_if(|other| other.key() == owner.key()) {
            Some(same) => hash.owner(version, &[owner, same]),
            None => hash.owner(version, &[owner]),
        }
    }
    for owner in hashes {
        hash.owner(version, &[owner]);
    }
    hash.hash.finalize().into()
}

struct Hashing {
    signer: Vec<u8>,
    owner: Vec<u8>,
    octets: Vec<u8>,
    hash: Sha384,
}

impl Hashing {
    /// All records of one owner: RRsets by type, its RRSIGs among them as one (§3.3.2).
    fn owner(&mut self, version: &ZoneVersion, views: &[OwnerView<'_>]) {
        // Keys come from our own builder and always turn back into names.
        key_to_wire(&version.apex, views[0].key(), &mut self.owner);
        let is_apex = views[0].key().is_empty();
        let is_digested = |rrset: &RrsetView<'_>| !(is_apex && rrset.rtype == RrType::ZONEMD);
        let mut rrsets: Vec<RrsetView<'_>> =
            views.iter().flat_map(|view| view.rrsets()).filter(is_digested).collect();
        rrsets.sort_by_key(|rrset| rrset.rtype);
        let mut rrsigs = self.rrsigs(&rrsets);
        rrsigs.sort_unstable_by(|(_, one), (_, other)| one.cmp(other));
        self.octets.clear();
        let is_before = |rrset: &&RrsetView<'_>| rrset.rtype < RrType::RRSIG;
        for rrset in rrsets.iter().filter(is_before) {
            self.rrset(rrset);
        }
        for (ttl, rdata) in &rrsigs {
            self.record(RrType::RRSIG, *ttl, |out| out.extend(rdata));
        }
        for rrset in rrsets.iter().filter(|rrset| rrset.rtype > RrType::RRSIG) {
            self.rrset(rrset);
        }
        self.hash.update(&self.octets);
    }

    fn rrsigs(&self, rrsets: &[RrsetView<'_>]) -> Vec<(Ttl, Vec<u8>)> {
        let labels = rrsig_labels(&self.owner);
        let of_rrset = |rrset: &RrsetView<'_>| -> Vec<(Ttl, Vec<u8>)> {
            let of_signature = |signature: crate::zone::chunk::SignatureView<'_>| {
                let fields = SignatureFields::of(&signature);
                let mut rdata = Vec::new();
                push_rrsig_head(rrset.rtype, rrset.ttl, labels, &fields, &self.signer, &mut rdata);
                rdata.extend(signature.signature);
                (rrset.ttl, rdata)
            };
            rrset.signatures().map(of_signature).collect()
        };
        rrsets.iter().flat_map(of_rrset).collect()
    }

    fn rrset(&mut self, rrset: &RrsetView<'_>) {
        for data in rrset.rdatas() {
            let rtype = rrset.rtype;
            self.record(rtype, rrset.ttl, |out| match rdata::has_canonical_names(rtype) {
                true => rdata::canonicalise(rtype, data, out),
                false => out.extend(data),
            });
        }
    }

    fn record(&mut self, rtype: RrType, ttl: Ttl, push_rdata: impl FnOnce(&mut Vec<u8>)) {
        let out = &mut self.octets;
        out.extend(&self.owner);
        out.extend(rtype.0.to_be_bytes());
        out.extend(crate::rrtype::CLASS_IN.to_be_bytes());
        out.extend(ttl.0.to_be_bytes());
        let length_at = out.len();
        out.extend([0, 0]);
        push_rdata(out);
        // RDATA is at most 65,535 octets, and canonical form does not lengthen it.
        let length = (out.len() - length_at - 2) as u16;
        out[length_at..length_at + 2].copy_from_slice(&length.to_be_bytes());
    }
}

#[cfg(test)]
mod tests;
