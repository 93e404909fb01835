//! Audit: has the independent auditor judge a candidate. Only here can an [`AuditedZone`] be made,
//! and only an approving verdict makes one.
//! In: candidate, unsigned source, what the policy expects; for a version that follows another,
//! that one, and where the auditor's own copy of it is. Out: the proof, or the findings; the
//! difference between the two versions, which the journal keeps.
//! This stage only carries bytes between the two sides; it knows no rule. The auditor is a process
//! of its own: when it ends in the middle of a ticket, the ticket is repeated alone, once; no
//! verdict is no approval.

mod blocks;

use super::publish::Stored;
use super::{Stage, StageError};
use crate::runtime::WorkerPool;
use ::audit::{Expectations, FindingId, Report, Severity, Verdict};
use audit_host::{Changes, Copy, Fault, Judge, Ticket, Whole};
use blocks::WireBlocks;
use dnssec::zone::ZoneVersion;
use dnssec::zone::diff::{Difference, difference};
use dnssec::{Name, Serial};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The audit stage.
pub struct Audit;

/// A ticket.
pub struct AuditInput {
    /// The version to be judged.
    pub candidate: Arc<ZoneVersion>,
    /// What it was made from.
    pub unsigned: Arc<ZoneVersion>,
    /// What it must be like.
    pub expectations: Expectations,
    /// The version that it follows, where it is a small step from there.
    pub previous: Option<Stored>,
    /// The auditor's copy of that version.
    pub approved: Option<Copy>,
    /// Findings that do not stop publication.
    pub waived: Vec<FindingId>,
    /// Whether the auditor is to keep a copy of this one.
    pub keeps_approved: bool,
    /// The auditor.
    pub judge: Arc<Judge>,
}

/// What turns one version into the next: the journal keeps it, an IXFR sends it, the auditor judges
/// it.
#[derive(Debug)]
pub struct VersionChange {
    /// Serial of the version before.
    pub from: Serial,
    /// Between the signed versions.
    pub signed: Difference,
    /// Between the unsigned versions.
    pub source: Difference,
}

impl VersionChange {
    /// The change that makes `candidate`, of `unsigned`, out of `previous`; `None` when that has no
    /// serial.
    pub fn new(
        previous: &Stored,
        candidate: &ZoneVersion,
        unsigned: &Arc<ZoneVersion>,
    ) -> Option<VersionChange> {
        let source = match Arc::ptr_eq(&previous.unsigned, unsigned) {
            true => Difference::default(),
            false => difference(&previous.unsigned, unsigned),
        };
        let from = previous.version.serial()?;
        Some(VersionChange { from, signed: difference(&previous.version, candidate), source })
    }

    /// Bytes of all its records.
    pub fn byte_count(&self) -> usize {
        let parts = [&self.signed, &self.source];
        parts.into_iter().map(|part| part.removed.len() + part.added.len()).sum()
    }

    fn for_auditor(&self) -> ::audit::Difference<'_> {
        ::audit::Difference {
            removed: &self.signed.removed,
            added: &self.signed.added,
            source_removed: &self.source.removed,
            source_added: &self.source.added,
        }
    }
}

/// This exact version passed the audit. Nothing else can make one.
pub struct AuditedZone {
    version: Arc<ZoneVersion>,
    unsigned: Arc<ZoneVersion>,
    report: Report,
    digest: [u8; 32],
    approved: Option<Copy>,
    change: Option<VersionChange>,
    is_judged_by_difference: bool,
}

impl AuditedZone {
    /// The signed version.
    pub fn version(&self) -> &Arc<ZoneVersion> {
        &self.version
    }

    /// What it was made from.
    pub fn unsigned(&self) -> &Arc<ZoneVersion> {
        &self.unsigned
    }

    /// The approving report.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// The difference to the version before, where it is a small step from there.
    pub fn change(&self) -> Option<&VersionChange> {
        self.change.as_ref()
    }

    /// Whether only the difference was judged, against the auditor's copy of the version before.
    pub fn is_judged_by_difference(&self) -> bool {
        self.is_judged_by_difference
    }

    /// SHA-256 of the records that were judged ([`audit_host::Verdict::digest`]).
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// The auditor's copy, for the next difference.
    pub fn into_approved(self) -> Option<Copy> {
        self.approved
    }
}

impl Rejection {
    /// Whether an error is about signatures, so that making them anew may help.
    pub fn is_about_signatures(&self) -> bool {
        let mut errors = self.report.findings.iter();
        errors.any(|finding| finding.id.concerns_signatures())
    }
}

/// Findings shown in a rejection's text.
const FINDINGS_SHOWN_MAX: usize = 5;

/// A report that refuses, for its zone.
#[derive(Debug)]
pub struct Rejection {
    /// The zone.
    pub zone: Name,
    /// What was found.
    pub report: Report,
    /// SHA-256 of the records that were judged.
    pub digest: [u8; 32],
    /// Whether only the difference was judged.
    pub is_judged_by_difference: bool,
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let errors = self.report.findings.iter();
        let errors = errors.filter(|finding| finding.severity > Severity::Warn);
        let count = errors.clone().count();
        let zone = crate::settings::zone_text(&self.zone);
        write!(f, "the auditor refused zone {zone}: {count} errors; nothing was published")?;
        for finding in errors.take(FINDINGS_SHOWN_MAX) {
            write!(f, "\n  {finding}")?;
        }
        Ok(())
    }
}

impl Stage for Audit {
    const NAME: &'static str = "audit";
    type Input = AuditInput;
    type Output = AuditedZone;

    fn run(pool: &WorkerPool, input: AuditInput) -> Result<AuditedZone, StageError> {
        let AuditInput { candidate, unsigned, previous, .. } = &input;
        let change = previous.as_ref();
        let change = change.and_then(|stored| VersionChange::new(stored, candidate, unsigned));
        let judged = change.as_ref().and_then(|change| by_difference(pool, &input, change));
        let is_judged_by_difference = judged.is_some();
        let judged = match judged {
            Some(judged) => judged,
            None => whole(pool, &input)?,
        };
        match judged.report.verdict_with(&input.waived) {
            Verdict::Approve => Ok(AuditedZone {
                version: input.candidate,
                unsigned: input.unsigned,
                report: judged.report,
                digest: judged.digest,
                approved: judged.copy,
                change,
                is_judged_by_difference,
            }),
            Verdict::Hold | Verdict::Reject => {
                let zone = input.candidate.apex.clone();
                let (report, digest) = (judged.report, judged.digest);
                Err(StageError::Rejected(Box::new(Rejection {
                    zone,
                    report,
                    digest,
                    is_judged_by_difference,
                })))
            }
        }
    }
}

/// The verdict on a difference; `None` when the whole zone has to be judged.
fn by_difference(
    pool: &WorkerPool,
    input: &AuditInput,
    change: &VersionChange,
) -> Option<audit_host::Verdict> {
    let follows = input.approved.as_ref()?;
    let (expectations, difference) = (&input.expectations, change.for_auditor());
    let ticket = Ticket::Changes(Changes { expectations, follows, difference });
    let reason = match input.judge.judge(ticket, &told(pool)) {
        Ok(verdict) => return Some(verdict),
        Err(reason) => reason,
    };
    let zone = crate::settings::zone_text(&input.candidate.apex);
    match &reason {
        Fault::NotIncremental(_) => tracing::debug!(target: "audit", %zone, %reason,
            "{reason}; the whole zone is audited"),
        _ => tracing::warn!(target: "audit", %zone, "zone {zone}: {reason}; it is audited again"),
    }
    None
}

/// The verdict on the whole zone.
fn whole(pool: &WorkerPool, input: &AuditInput) -> Result<audit_host::Verdict, StageError> {
    match whole_once(pool, input, Judge::judge) {
        Err(StageError::NoVerdict(Fault::Ended { cause })) => {
            let zone = crate::settings::zone_text(&input.candidate.apex);
            tracing::warn!(target: "audit", %zone,
                "zone {zone}: the audit host ended before its verdict ({cause}); once more");
            let judged = whole_once(pool, input, Judge::judge_alone);
            judged.map_err(|error| match error {
                // Nobody else was in flight: it is this zone that ends hosts.
                StageError::NoVerdict(Fault::Ended { cause }) => {
                    StageError::Crashed { stage: Audit::NAME, cause }
                }
                other => other,
            })
        }
        judged => judged,
    }
}

/// How a judge is asked.
type Asked =
    fn(&Judge, Ticket<'_>, &(dyn Fn(u64, u64) + Sync)) -> Result<audit_host::Verdict, Fault>;

fn whole_once(
    pool: &WorkerPool,
    input: &AuditInput,
    ask: Asked,
) -> Result<audit_host::Verdict, StageError> {
    let mut candidate = WireBlocks::new(pool, &input.candidate);
    let mut source = WireBlocks::new(pool, &input.unsigned);
    let ticket = Ticket::Whole(Whole {
        expectations: &input.expectations,
        candidate: &mut candidate,
        source: Some(&mut source),
        keeps_copy: input.keeps_approved,
    });
    let judged = ask(&input.judge, ticket, &told(pool));
    // Blocks that could not be made were not sent: then the verdict is on something else.
    candidate.finish()?;
    source.finish()?;
    judged.map_err(StageError::NoVerdict)
}

/// Raises the counters by what the auditor tells.
fn told(pool: &WorkerPool) -> impl Fn(u64, u64) + Sync + use<> {
    let (progress, told) = (pool.progress().clone(), AtomicU64::new(0));
    move |done, total| {
        let before = told.fetch_max(done, Ordering::Relaxed);
        if before == 0 {
            progress.begin(Audit::NAME, total);
        }
        progress.advance(done.saturating_sub(before));
    }
}
