//! Data in = data out (guard W10): a merge of the candidate's and the source's records, both in
//! the auditor's canonical order.
//!
//! Owner names are compared without regard to case, RDATA octet by octet. Left out are records
//! that the signer makes, and the SOA, which `apex` compares field by field. A TTL must be that of
//! the source's record, or the smallest of its RRset (RFC 2181 §5.2), lowered to the policy's
//! largest.

use std::cmp::Ordering;
use std::ops::Range;

use crate::expectations::Denial;
use crate::finding::FindingId;
use crate::index::{Entry, Index, NodeKind};
use crate::rdata;
use crate::wire::{self, rtype};
use crate::work::Worker;

/// Whether records of this type are the operator's data, which the signer must not touch. Where the
/// source's own denial is expected, that is everything but the SOA.
pub(crate) fn is_data(denial: &Denial, record_type: u16, is_apex: bool) -> bool {
    match record_type {
        _ if *denial == Denial::Source => record_type != rtype::SOA || !is_apex,
        rtype::RRSIG | rtype::NSEC | rtype::NSEC3 | rtype::NSEC3PARAM => false,
        rtype::SOA | rtype::DNSKEY | rtype::CDS | rtype::CDNSKEY | rtype::ZONEMD => !is_apex,
        _ => true,
    }
}

/// A TTL of the source as the candidate must have it.
pub(crate) fn lowered(ttl: u32, maximum: Option<u32>) -> u32 {
    maximum.map_or(ttl, |maximum| ttl.min(maximum))
}

/// The part of the source that belongs to a range, and the RRset looked at last.
struct Source<'s, 'a> {
    index: &'s Index<'a>,
    rest: Range<usize>,
    /// Positions of one RRset and its smallest TTL.
    smallest_ttl: (Range<usize>, u32),
}

impl Worker<'_, '_> {
    /// Compares the records of the range with the source between the same names.
    pub(crate) fn compare_with_source(&mut self) {
        let prepared = self.prepared;
        let zone = &prepared.zone;
        let denial = &prepared.expectations.denial;
        let Some(index) = &prepared.source else { return };
        // The first range also takes what comes before it, the last what comes after.
        let position_of = |node: usize| match node {
            0 => 0,
            node if node >= zone.nodes.len() => index.entries.len(),
            node => index.entries.partition_point(|&entry| {
                wire::compare_names(index.owner(entry), zone.owner(node)).is_lt()
            }),
        };
        let range = self.report.range.clone();
        let rest = position_of(range.start)..position_of(range.end);
        let mut source = Source { index, rest, smallest_ttl: (0..0, 0) };
        for node in range {
            let kind = zone.nodes[node].kind;
            if kind == NodeKind::OutOfZone {
                continue;
            }
            let mut previous: Option<Entry> = None;
            for &entry in zone.records(node) {
                // Repetitions have been reported already. The owner name is the same.
                let rdata = |entry: Entry| zone.index.record(entry).rdata;
                let is_same = |p: Entry| {
                    p.rtype == entry.rtype
                        && rdata::compare(entry.rtype, rdata(p), rdata(entry)).is_eq()
                };
                if is_data(denial, entry.rtype, kind == NodeKind::Apex)
                    && !previous.is_some_and(is_same)
                {
                    self.compare_record(node, entry, &mut source);
                }
                previous = Some(entry);
                if self.report.findings.are_enough() {
                    return;
                }
            }
        }
        for position in source.rest.clone() {
            self.report_missing(&source, position);
        }
    }

    fn compare_record(&mut self, node: usize, entry: Entry, source: &mut Source<'_, '_>) {
        let candidate = &self.prepared.zone.index;
        let order_at = |source: &Source<'_, '_>, position: usize| {
            let theirs = source.index.entries[position];
            source.index.compare(theirs, candidate, entry)
        };
        let record = candidate.record(entry);
        let (mut found, mut is_exact, mut is_ttl_right) = (0, false, false);
        let mut is_same_ttl = true;
        while !source.rest.is_empty() {
            let position = source.rest.start;
            match order_at(source, position) {
                Ordering::Less => self.report_missing(source, position),
                Ordering::Equal => {
                    let theirs = source.index.record(source.index.entries[position]);
                    found += 1;
                    is_same_ttl &= record.ttl == self.lowered(theirs.ttl);
                    is_exact |= theirs.rdata == record.rdata;
                    is_ttl_right |= record.ttl == self.lowered(theirs.ttl)
                        || entry.rtype != rtype::RRSIG
                            && record.ttl == self.lowered(source.smallest_ttl_at(position));
                }
                Ordering::Greater => break,
            }
            source.rest.start += 1;
        }
        // Allowed, but then the source is not simply the candidate's data.
        self.report.is_source_irregular |= found != 1 || !is_same_ttl;
        if found == 0 {
            self.add(FindingId::DataAdded, node, entry.rtype, "");
        } else if !is_exact {
            self.add(FindingId::DataCaseChanged, node, entry.rtype, "");
        } else if !is_ttl_right {
            self.add(FindingId::DataTtl, node, entry.rtype, format!("TTL {}", record.ttl));
        }
    }

    fn lowered(&self, ttl: u32) -> u32 {
        lowered(ttl, self.prepared.expectations.ttl_maximum)
    }

    /// A record of the source that the candidate lacks: an error if it is data of the zone.
    fn report_missing(&mut self, source: &Source<'_, '_>, position: usize) {
        let entry = source.index.entries[position];
        let owner = source.index.owner(entry);
        let apex = &self.prepared.expectations.apex;
        let id = if !wire::is_at_or_below(owner, apex) {
            FindingId::SourceOutOfZone
        } else if is_data(
            &self.prepared.expectations.denial,
            entry.rtype,
            wire::equal_names(owner, apex),
        ) {
            FindingId::DataMissing
        } else {
            return;
        };
        self.report.findings.add(id, owner, entry.rtype, "");
    }
}

impl Source<'_, '_> {
    /// Smallest TTL in the RRset of the record at `position`. Each RRset is walked once.
    fn smallest_ttl_at(&mut self, position: usize) -> u32 {
        if !self.smallest_ttl.0.contains(&position) {
            let entries = &self.index.entries;
            let wanted = entries[position];
            let is_same = |other: &&Entry| {
                other.rtype == wanted.rtype
                    && wire::equal_names(self.index.owner(**other), self.index.owner(wanted))
            };
            let before = entries[..position].iter().rev().take_while(is_same).count();
            let after = entries[position..].iter().take_while(is_same).count();
            let span = position - before..position + after;
            let ttls = entries[span.clone()].iter().map(|&entry| self.index.record(entry).ttl);
            self.smallest_ttl = (span, ttls.min().unwrap_or(0));
        }
        self.smallest_ttl.1
    }
}
