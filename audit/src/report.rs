//! What an audit yields: counts, findings and the verdict; and its parts, one for each range.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::facts::Facts;
use crate::finding::{Finding, FindingId, RecordType, Severity};
use crate::history::PublishedKeys;

/// How much was looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Records in the candidate.
    pub records: u64,
    /// Records in the source.
    pub source_records: u64,
    /// RRsets in the candidate, without those of type RRSIG.
    pub rrsets: u64,
    /// Signatures that were verified and found right.
    pub signatures_verified: u64,
    /// Signatures that were looked at but, by sampling, not verified.
    pub signatures_unverified: u64,
    /// Owner names in the candidate.
    pub names: u64,
    /// NSEC records.
    pub nsec_records: u64,
    /// NSEC3 records.
    pub nsec3_records: u64,
}

impl Counts {
    fn add(&mut self, other: &Counts) {
        self.records += other.records;
        self.source_records += other.source_records;
        self.rrsets += other.rrsets;
        self.signatures_verified += other.signatures_verified;
        self.signatures_unverified += other.signatures_unverified;
        self.names += other.names;
        self.nsec_records += other.nsec_records;
        self.nsec3_records += other.nsec3_records;
    }
}

/// Whether the candidate may be published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// Nothing worse than warnings.
    Approve,
    /// Not to be published until an operator has looked: at least one finding to hold, no error.
    Hold,
    /// At least one error, or so many findings that the audit stopped.
    Reject,
}

/// Result of an audit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// What was found, up to the limit of errors and of warnings: first what concerns the whole
    /// zone, then in canonical order of names.
    pub findings: Vec<Finding>,
    /// How much was looked at.
    pub counts: Counts,
    /// When the first of the signatures expires, in Unix seconds; `None` without signatures.
    pub soonest_expiration: Option<u64>,
    /// What caches may take from this version, to be handed back with the audits that follow.
    pub keys: PublishedKeys,
    /// Whether the audit stopped early because it had enough errors.
    pub stopped_early: bool,
}

impl Report {
    /// Whether the candidate may be published. An audit that stopped early never approves.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        if self.stopped_early {
            return Verdict::Reject;
        }
        match self.findings.iter().map(|finding| finding.severity).max() {
            Some(Severity::Refuse) => Verdict::Reject,
            Some(Severity::Hold) => Verdict::Hold,
            Some(Severity::Warn) | None => Verdict::Approve,
        }
    }
}

/// Result for one range of owner names; [`Prepared::finish`](crate::Prepared::finish) puts them
/// together.
#[derive(Debug)]
pub struct PartialReport {
    pub(crate) range: Range<usize>,
    pub(crate) findings: Findings,
    pub(crate) counts: Counts,
    pub(crate) facts: Facts,
    /// Positions in the NSEC3 table of records that match a name of this range.
    pub(crate) matched_nsec3: Vec<u32>,
    /// The source has repeated records, or RRsets with several TTLs.
    pub(crate) is_source_irregular: bool,
}

impl PartialReport {
    pub(crate) fn new(range: Range<usize>, limit: usize) -> Self {
        Self {
            range,
            findings: Findings::new(limit),
            counts: Counts::default(),
            facts: Facts::default(),
            matched_nsec3: Vec::new(),
            is_source_irregular: false,
        }
    }

    /// Takes over the findings and counts of `other`.
    pub(crate) fn absorb(&mut self, other: PartialReport) {
        for finding in other.findings.list {
            self.findings.take(finding);
        }
        self.counts.add(&other.counts);
        self.is_source_irregular |= other.is_source_irregular;
        self.facts.merge(&other.facts);
    }
}

/// Findings up to a limit, which holds for errors and for warnings apart: a change of policy can
/// cause a warning for each signature, and must not stop the audit.
#[derive(Debug)]
pub(crate) struct Findings {
    pub(crate) list: Vec<Finding>,
    errors: usize,
    warnings: usize,
    limit: usize,
}

impl Findings {
    pub(crate) fn new(limit: usize) -> Self {
        Self { list: Vec::new(), errors: 0, warnings: 0, limit }
    }

    /// Adds a finding, unless there are enough of its severity.
    pub(crate) fn add(
        &mut self,
        id: FindingId,
        owner: &[u8],
        record_type: impl Into<Option<u16>>,
        detail: impl Into<String>,
    ) {
        self.take(Finding {
            id,
            severity: id.severity(),
            owner: owner.into(),
            record_type: record_type.into().map(RecordType),
            detail: detail.into(),
        });
    }

    /// Adds a finding that may have another weight than its id.
    pub(crate) fn take(&mut self, finding: Finding) {
        let count = match finding.severity {
            Severity::Refuse | Severity::Hold => &mut self.errors,
            Severity::Warn => &mut self.warnings,
        };
        if *count < self.limit {
            *count += 1;
            self.list.push(finding);
        }
    }

    /// Whether there are enough errors, so that looking further is a waste.
    pub(crate) fn are_enough(&self) -> bool {
        self.errors >= self.limit
    }
}
