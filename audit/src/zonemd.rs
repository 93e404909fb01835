//! The zone's own digest at its apex. RFC 8976: scheme SIMPLE with SHA-384 and SHA-512, by `ring`.
//!
//! In: the ZONEMD records at the apex, and all records in canonical order of owner names. Costs one
//! walk over all records, and only for a zone with a ZONEMD that can be checked: of the digest of
//! the last version nothing can be kept, as the SOA is among the first that is digested. At most
//! one digest of each hash algorithm is computed, whatever the zone says.

use ring::digest::{self, Context};

use crate::expectations::Zonemd;
use crate::finding::FindingId;
use crate::index::NodeKind;
use crate::prepared::Prepared;
use crate::rdata;
use crate::report::Findings;
use crate::wire::{Record, rtype, u16_at, u32_at};

const SCHEME_SIMPLE: u8 = 1;
const HASH_SHA384: u8 = 1;
const HASH_SHA512: u8 = 2;

/// Checks the ZONEMD RRset at the apex, or that there is none. `digest_of` is asked for the digest
/// of the whole zone by a hash algorithm, if there is one that can be checked.
pub(crate) fn check(
    prepared: &Prepared<'_>,
    digest_of: &dyn Fn(u8) -> digest::Digest,
    findings: &mut Findings,
) {
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
        if digest_of(hash).as_ref() != claimed {
            add(FindingId::ZonemdDigest, format!("scheme 1, hash {hash}"));
        }
    }
}

/// The digest of all that was prepared.
pub(crate) fn digest_of(prepared: &Prepared<'_>, hash: u8) -> digest::Digest {
    let zone = &prepared.zone;
    let mut digest = ZoneDigest::new(hash);
    for node in 0..zone.nodes.len() {
        let kind = zone.nodes[node].kind;
        if kind != NodeKind::OutOfZone {
            let records = zone.records(node).iter().map(|&entry| zone.index.record(entry));
            digest.owner(kind == NodeKind::Apex, records);
        }
    }
    digest.finish()
}

/// A digest by scheme SIMPLE (RFC 8976 §3.3.1) in the making.
pub(crate) struct ZoneDigest {
    context: Context,
    /// Canonical records that are not hashed yet.
    buffer: Vec<u8>,
}

/// Octets that are hashed at once.
const BUFFER_SIZE: usize = 16 * 1024;

impl ZoneDigest {
    pub(crate) fn new(hash: u8) -> Self {
        let algorithm = if hash == HASH_SHA384 { &digest::SHA384 } else { &digest::SHA512 };
        ZoneDigest { context: Context::new(algorithm), buffer: Vec::new() }
    }

    /// All records of the next owner name in canonical order, themselves ordered by type and RDATA.
    pub(crate) fn owner<'r>(
        &mut self,
        is_apex: bool,
        records: impl IntoIterator<Item = Record<'r>>,
    ) {
        let mut previous: Option<Record<'r>> = None;
        for record in records {
            let is_own = record.rtype == rtype::ZONEMD
                || (record.rtype == rtype::RRSIG && u16_at(record.rdata, 0) == Some(rtype::ZONEMD));
            let is_same = |before: &Record<'r>| {
                before.rtype == record.rtype
                    && rdata::compare(record.rtype, before.rdata, record.rdata).is_eq()
            };
            if (is_own && is_apex) || previous.as_ref().is_some_and(is_same) {
                continue;
            }
            append_canonical(&record, &mut self.buffer);
            previous = Some(record);
        }
        if self.buffer.len() >= BUFFER_SIZE {
            self.context.update(&self.buffer);
            self.buffer.clear();
        }
    }

    pub(crate) fn finish(mut self) -> digest::Digest {
        self.context.update(&self.buffer);
        self.context.finish()
    }
}

/// A record in canonical form (RFC 4034 §6.2).
fn append_canonical(record: &Record<'_>, out: &mut Vec<u8>) {
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
