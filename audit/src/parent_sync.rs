//! CDS and CDNSKEY at the apex: what a parent that follows them will make of the DS RRset.
//! RFC 7344 §3 (forms), §4.1 (they must not break the zone), RFC 8078 §4 (removal).
//!
//! Own digests, by `ring`. Never: what the parent has now.

use crate::expectations::ParentSync;
use crate::finding::FindingId;
use crate::keys::ZoneKey;
use crate::prepared::Prepared;
use crate::rdata;
use crate::wire::rtype;

/// RDATA of the CDS that asks for removal.
const DELETE_CDS: [u8; 5] = [0; 5];
/// RDATA of the CDNSKEY that asks for removal.
const DELETE_CDNSKEY: [u8; 5] = [0, 0, 3, 0, 0];

/// Compares both RRsets with what is expected, and sees that following them does no harm.
pub(crate) fn check(prepared: &mut Prepared<'_>) {
    let Some(expected) = prepared.expectations.parent_sync.clone() else { return };
    let (cds, cdnskey): (Vec<Vec<u8>>, Vec<Vec<u8>>) = match &expected {
        ParentSync::Silent => (Vec::new(), Vec::new()),
        ParentSync::Delete => (vec![DELETE_CDS.to_vec()], vec![DELETE_CDNSKEY.to_vec()]),
        ParentSync::Keys(keys) => {
            let apex = &prepared.expectations.apex;
            (keys.iter().filter_map(|key| digest(apex, key)).collect(), keys.clone())
        }
    };
    for (record_type, expected) in [(rtype::CDS, cds), (rtype::CDNSKEY, cdnskey)] {
        compare(prepared, record_type, &expected);
    }
    if let ParentSync::Keys(keys) = &expected
        && !keys.iter().any(|key| is_way_in(prepared, key))
    {
        let detail = "none of its keys is published and signs the DNSKEY RRset";
        prepared.add(FindingId::ParentSyncBreaks, rtype::CDS, detail);
    }
}

fn compare(prepared: &mut Prepared<'_>, record_type: u16, expected: &[Vec<u8>]) {
    let entries = prepared.zone.apex_rrset(record_type).iter();
    let found: Vec<&[u8]> = entries.map(|&entry| prepared.zone.index.record(entry).rdata).collect();
    let missing = expected.iter().filter(|rdata| !found.contains(&rdata.as_slice())).count();
    let is_expected = |rdata: &&&[u8]| expected.iter().any(|other| other == **rdata);
    let other = found.len() - found.iter().filter(is_expected).count();
    if missing + other > 0 {
        let detail = format!("{missing} missing, {other} unexpected");
        prepared.add(FindingId::ParentSyncUnexpected, record_type, detail);
    }
}

/// RDATA of the CDS of a DNSKEY at the apex, by SHA-256.
fn digest(apex: &[u8], dnskey: &[u8]) -> Option<Vec<u8>> {
    let key = ZoneKey::read(dnskey)?;
    let digest = ring::digest::digest(&ring::digest::SHA256, &[apex, dnskey].concat());
    let mut cds = key.tag.to_be_bytes().to_vec();
    cds.extend([key.algorithm, 2]);
    cds.extend(digest.as_ref());
    Some(cds)
}

/// Whether a DS of this key leads into the zone: it is published, fit, and there is a signature by
/// it over the keys, which is verified together with the others.
fn is_way_in(prepared: &Prepared<'_>, dnskey: &[u8]) -> bool {
    let index = &prepared.zone.index;
    let Some(key) = ZoneKey::read(dnskey).filter(ZoneKey::may_sign) else { return false };
    let mut keys = prepared.zone.apex_rrset(rtype::DNSKEY).iter();
    let mut rrsigs = prepared.zone.apex_rrset(rtype::RRSIG).iter();
    keys.any(|&entry| index.record(entry).rdata == dnskey)
        && rrsigs.any(|&entry| {
            index.covered(entry) == rtype::DNSKEY
                && rdata::rrsig(index.record(entry).rdata).is_some_and(|rrsig| {
                    (rrsig.key_tag, rrsig.algorithm) == (key.tag, key.algorithm)
                })
        })
}
