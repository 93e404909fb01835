//! Audit of a range of owner names: the loop over names and RRsets, and the structure of records.
//! RFC 1035 §3, RFC 2181 §5 and §10.1, RFC 4034 §5.

use std::ops::Range;

use crate::expectations::Denial;
use crate::finding::FindingId;
use crate::incremental::ChangedRrsets;
use crate::index::{Entry, NodeKind};
use crate::prepared::{Chain, Prepared};
use crate::rdata;
use crate::report::PartialReport;
use crate::signer_sets::KeyId;
use crate::wire::rtype;

/// State of the audit of one range. The buffers are used again for each RRset.
pub(crate) struct Worker<'p, 'a> {
    pub(crate) prepared: &'p Prepared<'a>,
    pub(crate) report: PartialReport,
    /// Keys of the good signatures over the RRset at hand.
    pub(crate) rrset_signers: Vec<KeyId>,
    /// Attempts to verify a signature over the RRset at hand.
    pub(crate) attempts: usize,
    /// What a signature signs.
    pub(crate) signed_data: Vec<u8>,
    /// Types at a name.
    pub(crate) types: Vec<u16>,
    /// The bitmap these types should have.
    pub(crate) bitmap: Vec<u8>,
    /// Incremental audit: the RRsets whose signatures nobody has verified yet.
    pub(crate) changed: Option<&'p ChangedRrsets>,
}

impl<'p, 'a> Worker<'p, 'a> {
    pub(crate) fn new(prepared: &'p Prepared<'a>, range: Range<usize>) -> Self {
        Worker {
            prepared,
            report: PartialReport::new(range, prepared.expectations.limits.findings),
            rrset_signers: Vec::new(),
            attempts: 0,
            signed_data: Vec::new(),
            types: Vec::new(),
            bitmap: Vec::new(),
            changed: None,
        }
    }

    /// Audits the range, and stops early only when there are enough errors.
    pub(crate) fn run(mut self) -> PartialReport {
        for node in self.report.range.clone() {
            if self.report.findings.are_enough() {
                return self.report;
            }
            self.check_owner(node);
        }
        self.compare_with_source();
        self.report
    }

    /// Audits only these owner names, and does not compare them with the source.
    pub(crate) fn run_names(
        mut self,
        nodes: &[usize],
        changed: &'p ChangedRrsets,
    ) -> PartialReport {
        self.changed = Some(changed);
        for &node in nodes {
            if self.report.findings.are_enough() {
                break;
            }
            self.check_owner(node);
        }
        self.report
    }

    /// Adds a finding about one owner name.
    pub(crate) fn add(
        &mut self,
        id: FindingId,
        node: usize,
        record_type: u16,
        detail: impl Into<String>,
    ) {
        self.report.findings.add(id, self.prepared.zone.owner(node), record_type, detail);
    }

    fn check_owner(&mut self, node: usize) {
        let prepared = self.prepared;
        let kind = prepared.zone.nodes[node].kind;
        let is_as_source = prepared.expectations.denial == Denial::Source;
        let records = prepared.zone.records(node);
        if kind == NodeKind::OutOfZone {
            return self.add(FindingId::OutOfZone, node, records[0].rtype, "");
        }
        self.check_aliases(node, kind);
        for rrset in records.chunk_by(|left, right| left.rtype == right.rtype) {
            self.check_structure(node, rrset);
            self.check_place(node, kind, rrset[0].rtype);
            if rrset[0].rtype != rtype::RRSIG {
                self.report.counts.rrsets += 1;
            }
            if rrset[0].rtype != rtype::RRSIG && !is_as_source {
                self.check_signatures(node, kind, rrset);
            }
        }
        if is_as_source {
            return;
        }
        self.check_orphaned_signatures(node);
        match prepared.chain {
            Chain::Unusable => {}
            Chain::Nsec => self.check_nsec(node, kind),
            Chain::Nsec3 => self.check_nsec3(node, kind),
        }
    }

    /// Class, form, repetition, and one TTL.
    fn check_structure(&mut self, node: usize, rrset: &[Entry]) {
        let record_type = rrset[0].rtype;
        let index = &self.prepared.zone.index;
        let first_ttl = index.record(rrset[0]).ttl;
        let mut ttls_differ = false;
        let mut previous: Option<&[u8]> = None;
        for &entry in rrset {
            let record = index.record(entry);
            if record.class != 1 {
                let detail = format!("class {}", record.class);
                self.add(FindingId::ClassNotIn, node, record_type, detail);
            }
            if !rdata::is_well_formed(record_type, record.rdata) {
                let detail = format!("{} octets", record.rdata.len());
                self.add(FindingId::MalformedRdata, node, record_type, detail);
            }
            if previous.is_some_and(|p| rdata::compare(record_type, p, record.rdata).is_eq()) {
                self.add(FindingId::DuplicateRecord, node, record_type, "");
            }
            previous = Some(record.rdata);
            ttls_differ |= record.ttl != first_ttl;
        }
        // RRSIGs have the TTLs of what they cover (RFC 4034 §3), which may differ.
        if ttls_differ && record_type != rtype::RRSIG {
            self.add(FindingId::TtlsDiffer, node, record_type, "");
        }
    }

    /// Types that may stand only at certain names.
    fn check_place(&mut self, node: usize, kind: NodeKind, record_type: u16) {
        match (record_type, kind) {
            (rtype::SOA | rtype::NSEC3PARAM | rtype::DS, NodeKind::Occluded)
            | (rtype::SOA | rtype::NSEC3PARAM, NodeKind::Apex)
            | (rtype::DS, NodeKind::SecureDelegation) => {}
            (rtype::SOA, _) => self.add(FindingId::SoaElsewhere, node, record_type, ""),
            (rtype::NSEC3PARAM, _) if self.prepared.expectations.denial == Denial::Source => {}
            (rtype::NSEC3PARAM, _) => {
                self.add(FindingId::Nsec3ParamElsewhere, node, record_type, "");
            }
            (rtype::DS, _) => self.add(FindingId::DsWithoutDelegation, node, record_type, ""),
            _ => {}
        }
    }

    /// CNAME beside other data than DNSSEC's own, more than one CNAME or DNAME.
    fn check_aliases(&mut self, node: usize, kind: NodeKind) {
        let zone = &self.prepared.zone;
        if kind == NodeKind::Occluded {
            return;
        }
        let cnames = zone.rrset(node, rtype::CNAME).len();
        let is_beside = |entry: &&Entry| {
            !matches!(
                entry.rtype,
                rtype::CNAME | rtype::RRSIG | rtype::NSEC | rtype::NSEC3 | 24 | 25 | 30
            )
        };
        if cnames > 1 || (cnames == 1 && zone.records(node).iter().any(|entry| is_beside(&entry))) {
            self.add(FindingId::AliasBesideData, node, rtype::CNAME, "");
        }
        if zone.rrset(node, rtype::DNAME).len() > 1 {
            self.add(FindingId::AliasBesideData, node, rtype::DNAME, "");
        }
    }
}
