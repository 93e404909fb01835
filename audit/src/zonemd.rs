//! The zone's own digest at its apex. RFC 8976: scheme SIMPLE with SHA-384 and SHA-512, by `ring`.
//!
//! In: the candidate in canonical order. Costs one walk over all records, and only for a zone with
//! a ZONEMD that can be checked. At most one digest of each hash algorithm is computed, whatever
//! the zone says.

use ring::digest::{self, Context};

use crate::expectations::Zonemd;
use crate::finding::FindingId;
use crate::index::{Entry, NodeKind};
use crate::prepared::Prepared;
use crate::rdata;
use crate::report::Findings;
use crate::wire::{rtype, u32_at};

const SCHEME_SIMPLE: u8 = 1;
const HASH_SHA384: u8 = 1;
const HASH_SHA512: u8 = 2;

/// Checks the ZONEMD RRset at the apex, or that there is none.
pub(crate) fn check(prepared: &Prepared<'_>, findings: &mut Findings) {
    let apex = &prepared.expectations.apex;
    let mut add = |id, detail: String| findings.add(id, apex, rtype::ZONEMD, detail);
    let entries = prepared.zone.apex_rrset(rtype::ZONEMD);
    match (prepared.expectations.zonemd, entries.is_empty()) {
        (Zonemd::Required, true) => {
            return add(FindingId::ZonemdPresence, "none found".to_owned());
        }
        (Zonemd::Forbidden, false) => {
            return add(FindingId::ZonemdPresence, format!("{} found", entries.len()));
        }
        (_, true) => return,
        (_, false) => {}
    }
    let mut known: Vec<(u8, &[u8])> = Vec::new();
    let mut seen: Vec<(u8, u8)> = Vec::new();
    for &entry in entries {
        let rdata = prepared.zone.index.record(entry).rdata;
        // Too short a record is found as such.
        let (Some(serial), Some(&scheme), Some(&hash)) =
            (u32_at(rdata, 0), rdata.get(4), rdata.get(5))
        else {
            continue;
        };
        if seen.contains(&(scheme, hash)) {
            return add(FindingId::ZonemdRepeated, format!("scheme {scheme}, hash {hash}"));
        }
        seen.push((scheme, hash));
        if scheme != SCHEME_SIMPLE || !matches!(hash, HASH_SHA384 | HASH_SHA512) {
            continue;
        }
        if let Some(expected) = prepared.serial.filter(|&expected| expected != serial) {
            return add(FindingId::ZonemdSerial, format!("{serial}, SOA {expected}"));
        }
        known.push((hash, &rdata[6..]));
    }
    if known.is_empty() {
        return add(FindingId::ZonemdUnknown, String::new());
    }
    for (hash, claimed) in known {
        if digest_of(prepared, hash).as_ref() != claimed {
            add(FindingId::ZonemdDigest, format!("scheme 1, hash {hash}"));
        }
    }
}

/// The digest by scheme SIMPLE (RFC 8976 §3.3.1).
fn digest_of(prepared: &Prepared<'_>, hash: u8) -> digest::Digest {
    let algorithm = if hash == HASH_SHA384 { &digest::SHA384 } else { &digest::SHA512 };
    let mut context = Context::new(algorithm);
    let zone = &prepared.zone;
    let mut buffer = Vec::new();
    for node in 0..zone.nodes.len() {
        let kind = zone.nodes[node].kind;
        if kind == NodeKind::OutOfZone {
            continue;
        }
        let mut previous: Option<Entry> = None;
        for &entry in zone.records(node) {
            let is_own = entry.rtype == rtype::ZONEMD
                || (entry.rtype == rtype::RRSIG && zone.index.covered(entry) == rtype::ZONEMD);
            let rdata = zone.index.record(entry).rdata;
            let is_same = |p: Entry| {
                let before = zone.index.record(p).rdata;
                p.rtype == entry.rtype && rdata::compare(entry.rtype, before, rdata).is_eq()
            };
            if (is_own && kind == NodeKind::Apex) || previous.is_some_and(is_same) {
                continue;
            }
            previous = Some(entry);
            append_canonical(prepared, entry, &mut buffer);
        }
        if buffer.len() >= BUFFER_SIZE {
            context.update(&buffer);
            buffer.clear();
        }
    }
    context.update(&buffer);
    context.finish()
}

/// Octets that are hashed at once.
const BUFFER_SIZE: usize = 16 * 1024;

/// A record in canonical form (RFC 4034 §6.2).
fn append_canonical(prepared: &Prepared<'_>, entry: Entry, out: &mut Vec<u8>) {
    let record = prepared.zone.index.record(entry);
    let start = out.len();
    out.extend_from_slice(record.owner);
    out[start..].make_ascii_lowercase();
    out.extend_from_slice(&record.rtype.to_be_bytes());
    out.extend_from_slice(&record.class.to_be_bytes());
    out.extend_from_slice(&record.ttl.to_be_bytes());
    // It came with a 16-bit length.
    out.extend_from_slice(&(record.rdata.len() as u16).to_be_bytes());
    rdata::append_canonical(record.rtype, record.rdata, out);
}
