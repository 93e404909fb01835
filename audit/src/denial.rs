//! Authenticated denial, name by name: NSEC (RFC 4035 §2.3, RFC 4034 §4), NSEC3 (RFC 5155 §7.1),
//! TTLs (RFC 9077 §3), type bitmaps.
//!
//! Each record must point to the one that comes next in the auditor's own order, so the chain is
//! closed if no name has a finding.

use crate::expectations::Denial;
use crate::finding::FindingId;
use crate::index::{Entry, NodeKind};
use crate::nsec3::{Hash, hash, owner_hash};
use crate::rdata;
use crate::wire::{self, Record, rtype};
use crate::work::Worker;
use crate::{bitmap, index::EmptyNonTerminal};

impl<'a> Worker<'_, 'a> {
    /// NSEC at this name: there, single, pointing to the next name, with the right bitmap.
    pub(crate) fn check_nsec(&mut self, node: usize, kind: NodeKind) {
        let prepared = self.prepared;
        let zone = &prepared.zone;
        let nsecs = zone.rrset(node, rtype::NSEC);
        if !kind.is_in_chain() {
            if !nsecs.is_empty() {
                self.add(FindingId::NsecUnwanted, node, rtype::NSEC, "");
            }
            return;
        }
        let Some(record) = self.single(node, rtype::NSEC, nsecs) else {
            if nsecs.is_empty() {
                self.add(FindingId::NsecMissing, node, rtype::NSEC, "");
            }
            return;
        };
        // Malformed RDATA is found when the NSEC is checked as a record.
        let Some(next_length) = wire::name_length(record.rdata) else { return };
        let (next, found_bitmap) = record.rdata.split_at(next_length);
        let following = (node + 1..zone.nodes.len()).find(|&n| zone.nodes[n].kind.is_in_chain());
        let expected = match following {
            Some(following) => zone.owner(following),
            None => &prepared.expectations.apex,
        };
        if !wire::equal_names(next, expected) {
            let detail = format!("{}, expected {}", wire::NameText(next), wire::NameText(expected));
            self.add(FindingId::NsecNextName, node, rtype::NSEC, detail);
        }
        self.expect_bitmap_of(node, kind);
        if self.bitmap != found_bitmap {
            self.add(FindingId::BitmapWrong, node, rtype::NSEC, self.expected_types());
        }
    }

    /// NSEC3 records at this owner name, and those that this name and the empty non-terminals
    /// above it need.
    pub(crate) fn check_nsec3(&mut self, node: usize, kind: NodeKind) {
        let prepared = self.prepared;
        let nsec3s = prepared.zone.rrset(node, rtype::NSEC3);
        if !nsec3s.is_empty() {
            self.check_nsec3_record(node, nsec3s);
        }
        if !kind.is_in_chain() {
            return;
        }
        let owner = prepared.zone.owner(node);
        self.expect_bitmap_of(node, kind);
        self.check_match(node, owner, kind != NodeKind::InsecureDelegation);

        let all = &prepared.zone.empty_non_terminals;
        let start = all.partition_point(|e| (e.node as usize) < node);
        let here = all[start..].iter().take_while(|e| e.node as usize == node);
        for &EmptyNonTerminal { labels, required, .. } in here {
            self.types.clear();
            self.bitmap.clear();
            self.check_match(node, wire::ancestor(owner, usize::from(labels)), required);
        }
    }

    /// Parameters, flags, TTL, owner and next hash of an NSEC3.
    fn check_nsec3_record(&mut self, node: usize, nsec3s: &[Entry]) {
        let prepared = self.prepared;
        let Some(own_hash) = owner_hash(prepared.zone.owner(node), &prepared.expectations.apex)
        else {
            return self.add(FindingId::Nsec3Owner, node, rtype::NSEC3, "");
        };
        let Some(record) = self.single(node, rtype::NSEC3, nsec3s) else { return };
        let Some(nsec3) = rdata::nsec3(record.rdata) else { return };
        let Denial::Nsec3 { hash_algorithm, iterations, ref salt, opt_out } =
            prepared.expectations.denial
        else {
            return;
        };
        let found = nsec3.parameters;
        if (found.hash_algorithm, found.iterations, found.salt)
            != (hash_algorithm, iterations, salt.as_slice())
        {
            let detail = format!(
                "algorithm {}, {} iterations, salt of {} octets",
                found.hash_algorithm,
                found.iterations,
                found.salt.len()
            );
            self.add(FindingId::Nsec3Values, node, rtype::NSEC3, detail);
        }
        if found.flags != u8::from(opt_out) {
            let detail = format!("flags {}, expected {}", found.flags, u8::from(opt_out));
            self.add(FindingId::Nsec3Flags, node, rtype::NSEC3, detail);
        }
        if let Ok(position) = prepared.nsec3.find(&own_hash)
            && nsec3.next_hash != prepared.nsec3.next_hash(position)
        {
            let detail = format!("{} octets", nsec3.next_hash.len());
            self.add(FindingId::Nsec3NextHash, node, rtype::NSEC3, detail);
        }
    }

    /// Whether `name` has its NSEC3 with the expected bitmap, or may do without (RFC 5155 §6).
    fn check_match(&mut self, node: usize, name: &[u8], required: bool) {
        let prepared = self.prepared;
        let Denial::Nsec3 { iterations, ref salt, .. } = prepared.expectations.denial else {
            return;
        };
        let name_hash: Hash = hash(name, iterations, salt);
        let nsec3_at = |position: usize| {
            let node = prepared.nsec3.node(position);
            let first = *prepared.zone.rrset(node, rtype::NSEC3).first()?;
            rdata::nsec3(prepared.zone.index.record(first).rdata)
        };
        match prepared.nsec3.find(&name_hash) {
            Ok(position) => {
                // At most 2^32 owner names.
                self.report.matched_nsec3.push(position as u32);
                if nsec3_at(position).is_some_and(|nsec3| nsec3.bitmap != self.bitmap) {
                    let detail = self.expected_types();
                    self.report.findings.add(FindingId::BitmapWrong, name, rtype::NSEC3, detail);
                }
            }
            Err(_) if required => {
                self.report.findings.add(FindingId::Nsec3Missing, name, rtype::NSEC3, "");
            }
            Err(covering) => {
                let flags = covering.and_then(nsec3_at).map_or(0, |nsec3| nsec3.parameters.flags);
                if flags & 1 == 0 {
                    let detail = format!("at {}", wire::NameText(prepared.zone.owner(node)));
                    let id = FindingId::Nsec3OptOutMisused;
                    self.report.findings.add(id, name, rtype::NSEC3, detail);
                }
            }
        }
    }

    /// The one record of a denial RRset, with its TTL checked.
    fn single(&mut self, node: usize, record_type: u16, rrset: &[Entry]) -> Option<Record<'a>> {
        let prepared = self.prepared;
        let &[entry] = rrset else {
            if rrset.len() > 1 {
                let detail = format!("{} found", rrset.len());
                self.add(FindingId::DenialMultiple, node, record_type, detail);
            }
            return None;
        };
        let record = prepared.zone.index.record(entry);
        if let Some(expected) = prepared.denial_ttl.filter(|&expected| expected != record.ttl) {
            let detail = format!("TTL {}, expected {expected}", record.ttl);
            self.add(FindingId::DenialTtl, node, record_type, detail);
        }
        Some(record)
    }

    /// Fills in the types and the bitmap that the denial record of a name must have. RRSIG stands
    /// for the signatures that must be there; whether they are is another finding.
    fn expect_bitmap_of(&mut self, node: usize, kind: NodeKind) {
        let has_nsec = matches!(self.prepared.expectations.denial, Denial::Nsec);
        let is_listed = |record_type: u16| match record_type {
            rtype::NS | rtype::DS | rtype::NSEC => true,
            rtype::NSEC3 | rtype::RRSIG => false,
            _ => !kind.is_delegation(),
        };
        self.types.clear();
        let records = self.prepared.zone.records(node);
        self.types.extend(records.iter().map(|e| e.rtype).filter(|&t| is_listed(t)));
        if has_nsec || kind != NodeKind::InsecureDelegation {
            self.types.push(rtype::RRSIG);
        }
        self.types.sort_unstable();
        self.types.dedup();
        bitmap::encode(&self.types, &mut self.bitmap);
    }

    fn expected_types(&self) -> String {
        use crate::finding::RecordType;
        let words: Vec<String> = self.types.iter().map(|&t| RecordType(t).to_string()).collect();
        format!("expected: {}", if words.is_empty() { "none".into() } else { words.join(" ") })
    }
}
