//! The records of one owner after the other, as RRsets in canonical order.
//! RFC 4034 §6.3 (order, duplicates); RFC 2181 §5.2 (one TTL). Buffers are used again.

use super::LoadError;
use super::pack::RECORD_HEADER;
use crate::rdata;
use crate::zone::chunk::{OwnerKind, read_u16, read_u32};
use crate::{RrType, Ttl};
use std::ops::Range;

#[derive(Clone, Copy)]
struct Record<'a> {
    rtype: RrType,
    ttl: Ttl,
    rdata: &'a [u8],
}

impl Record<'_> {
    /// What keeps records of one type apart: an RRSIG has the TTL of what it covers (RFC 4034 §3),
    /// so those of one owner are no RRset.
    fn part(&self) -> Ttl {
        if self.rtype == RrType::RRSIG { self.ttl } else { Ttl(0) }
    }
}

/// Gathers the records of one owner after the other.
pub(super) struct Grouper<'a> {
    records: Vec<Record<'a>>,
    /// Key of the zone cut or DNAME under which names are occluded.
    cut: Option<&'a [u8]>,
    forms: Vec<u8>,
    order: Vec<(Range<usize>, &'a [u8])>,
}

impl<'a> Grouper<'a> {
    /// A grouper; `apex_has_dname` tells that every other name is occluded.
    pub(super) fn new(apex_has_dname: bool) -> Grouper<'a> {
        let cut = apex_has_dname.then_some(&[][..]);
        Grouper { records: Vec::new(), cut, forms: Vec::new(), order: Vec::new() }
    }

    /// Takes the packed records of one owner in place of the last one's.
    pub(super) fn gather(&mut self, runs: impl Iterator<Item = &'a [u8]>) {
        self.records.clear();
        for mut rest in runs {
            while !rest.is_empty() {
                let (head, tail) = rest.split_at(RECORD_HEADER);
                let (rdata, tail) = tail.split_at(usize::from(read_u16(head, 6)));
                let (rtype, ttl) = (RrType(read_u16(head, 0)), Ttl(read_u32(head, 2)));
                self.records.push(Record { rtype, ttl, rdata });
                rest = tail;
            }
        }
        self.records.sort_by_key(|record| (record.rtype, record.part()));
    }

    /// Whether there are records other than of this type; RRSIG and NSEC stand beside any
    /// (RFC 4034 §3, §4).
    pub(super) fn has_other_than(&self, rtype: RrType) -> bool {
        let stands_alone = |other: RrType| ![rtype, RrType::RRSIG, RrType::NSEC].contains(&other);
        self.records.iter().any(|record| stands_alone(record.rtype))
    }

    /// Whether there is a record of this type.
    pub(super) fn has(&self, rtype: RrType) -> bool {
        self.records.iter().any(|record| record.rtype == rtype)
    }

    /// Number of different records of a type.
    pub(super) fn distinct(&mut self, rtype: RrType) -> usize {
        let start = self.records.partition_point(|record| record.rtype < rtype);
        let end = self.records.partition_point(|record| record.rtype <= rtype);
        if start == end { 0 } else { self.canonical(start..end).count() }
    }

    /// Where an owner stands; owners come in canonical order.
    pub(super) fn classify(&mut self, key: &'a [u8]) -> OwnerKind {
        if self.cut.is_some_and(|cut| key.len() > cut.len() && key.starts_with(cut)) {
            return OwnerKind::Occluded;
        }
        let is_delegation = !key.is_empty() && self.has(RrType::NS);
        self.cut = (is_delegation || self.has(RrType::DNAME)).then_some(key);
        if is_delegation { OwnerKind::Delegation } else { OwnerKind::Authoritative }
    }

    /// Calls `rrset` for each RRset, by type; RRSIGs of different TTLs are several: type, TTL,
    /// whether TTLs differed, RDATA.
    pub(super) fn each_rrset(
        &mut self,
        mut rrset: impl FnMut(
            RrType,
            Ttl,
            bool,
            &mut dyn Iterator<Item = &'a [u8]>,
        ) -> Result<(), LoadError>,
    ) -> Result<(), LoadError> {
        let mut start = 0;
        while let Some(first) = self.records.get(start) {
            let rtype = first.rtype;
            let group = (rtype, first.part());
            let end = self.records.partition_point(|record| (record.rtype, record.part()) <= group);
            let (ttl, differ) = self.ttl(start..end);
            rrset(rtype, ttl, differ, &mut self.canonical(start..end))?;
            start = end;
        }
        Ok(())
    }

    /// The smallest TTL, and whether there were others.
    fn ttl(&self, range: Range<usize>) -> (Ttl, bool) {
        let ttls = self.records[range].iter().map(|record| record.ttl);
        let smallest = ttls.clone().min().unwrap_or_default();
        (smallest, ttls.into_iter().any(|ttl| ttl != smallest))
    }

    /// The RDATA of one RRset in canonical order, each once (RFC 4034 §6.3).
    fn canonical(&mut self, range: Range<usize>) -> impl Iterator<Item = &'a [u8]> + '_ {
        let records = &self.records[range];
        let with_names = rdata::has_canonical_names(records[0].rtype);
        self.forms.clear();
        self.order.clear();
        for record in records {
            let start = self.forms.len();
            if records.len() > 1 {
                if with_names {
                    rdata::canonicalise(record.rtype, record.rdata, &mut self.forms);
                } else {
                    self.forms.extend(record.rdata);
                }
            }
            self.order.push((start..self.forms.len(), record.rdata));
        }
        if self.order.len() > 1 {
            let forms = &self.forms;
            self.order.sort_by(|left, right| forms[left.0.clone()].cmp(&forms[right.0.clone()]));
            self.order.dedup_by(|left, right| forms[left.0.clone()] == forms[right.0.clone()]);
        }
        self.order.iter().map(|(_, rdata)| *rdata)
    }
}
