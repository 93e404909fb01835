//! Audit: has the independent auditor judge a candidate. Only here can an [`AuditedZone`] be made,
//! and only an approving report makes one.
//! In: candidate, unsigned source, what the policy expects; for a version that follows another,
//! that one, and the auditor's own copy of it. Out: the proof, or the findings; the difference
//! between the two versions, which the journal keeps.
//! This stage only carries bytes between the two sides; it knows no rule.

use super::publish::Stored;
use super::{Stage, StageError};
use crate::runtime::WorkerPool;
use ::audit::{Approved, Expectations, PartialReport, Prepared, Report, Severity, Verdict, Zones};
use dnssec::zone::diff::{Difference, difference};
use dnssec::zone::{ZoneVersion, render};
use dnssec::{Name, Serial};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

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
    pub approved: Option<Approved>,
    /// Whether the auditor is to keep a copy of this one.
    pub keeps_approved: bool,
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
    approved: Option<Approved>,
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

    /// The auditor's copy, for the next difference.
    pub fn into_approved(self) -> Option<Approved> {
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
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let errors = self.report.findings.iter();
        let errors = errors.filter(|finding| finding.id.severity() == Severity::Error);
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
        let AuditInput { candidate, unsigned, previous, approved, expectations, .. } = &input;
        let change = previous.as_ref();
        let change = change.and_then(|stored| VersionChange::new(stored, candidate, unsigned));
        let judged = approved.as_ref().zip(change.as_ref());
        let judged =
            judged.map(|(approved, change)| approved.judge(&change.for_auditor(), expectations));
        let (report, approved, is_judged_by_difference) = match judged {
            Some(Ok(judgement)) => (judgement.report, judgement.approved, true),
            None | Some(Err(_)) => {
                if let Some(Err(reason)) = judged {
                    let zone = crate::settings::zone_text(&candidate.apex);
                    tracing::debug!(target: "audit", %zone, %reason,
                        "the difference cannot be judged by itself; the whole zone is audited");
                }
                let (report, approved) = audit_whole(pool, &input)?;
                (report, approved, false)
            }
        };
        match report.verdict() {
            Verdict::Approve => Ok(AuditedZone {
                version: input.candidate,
                unsigned: input.unsigned,
                report,
                approved,
                change,
                is_judged_by_difference,
            }),
            Verdict::Reject => {
                let zone = input.candidate.apex.clone();
                Err(StageError::Rejected(Box::new(Rejection { zone, report })))
            }
        }
    }
}

/// Has the whole zone judged; the auditor's copy is made of the very blocks that it judged.
fn audit_whole(
    pool: &WorkerPool,
    input: &AuditInput,
) -> Result<(Report, Option<Approved>), StageError> {
    let candidate = wire_blocks(pool, &input.candidate)?;
    let source = wire_blocks(pool, &input.unsigned)?;
    let (report, approval) = {
        let candidate: Vec<&[u8]> = candidate.iter().map(Vec::as_slice).collect();
        let source: Vec<&[u8]> = source.iter().map(Vec::as_slice).collect();
        let zones = Zones { candidate: &candidate, source: Some(&source) };
        let prepared = Prepared::new(zones, &input.expectations)?;
        let parts = verify(&prepared, pool);
        prepared.finish_with_approval(parts)?
    };
    drop(source);
    let approval = approval.filter(|_| input.keeps_approved);
    let approved = approval.map(|approval| Approved::new(approval, candidate)).transpose()?;
    Ok((report, approved))
}

fn wire_blocks(pool: &WorkerPool, version: &ZoneVersion) -> Result<Vec<Vec<u8>>, StageError> {
    let chunks: Arc<[_]> = version.chunks().cloned().collect();
    let apex = version.apex.clone();
    let rendered = pool.map(chunks, move |_, chunk: &Arc<dnssec::zone::chunk::Chunk>| {
        let mut block = Vec::new();
        render::wire(&apex, chunk, &mut block);
        block
    });
    rendered.map_err(|panic| StageError::Crashed { stage: Audit::NAME, cause: panic.to_string() })
}

/// Ranges per thread: small enough that no thread waits long for the last one.
const RANGES_PER_THREAD: usize = 16;

/// Verifies all ranges on threads of its own: the auditor borrows its blocks, and moves to a
/// process of its own in a later step.
fn verify(prepared: &Prepared<'_>, pool: &WorkerPool) -> Vec<PartialReport> {
    let thread_count = pool.workers();
    let ranges: Vec<_> = prepared.ranges(thread_count * RANGES_PER_THREAD).collect();
    pool.progress().begin(Audit::NAME, ranges.len() as u64);
    let next = AtomicUsize::new(0);
    let work = || {
        let mut parts = Vec::new();
        while let Some(range) = ranges.get(next.fetch_add(1, Ordering::Relaxed)) {
            parts.push(prepared.verify_range(range.clone()));
            pool.progress().advance(1);
        }
        parts
    };
    std::thread::scope(|scope| {
        let helpers: Vec<_> = (1..thread_count).map(|_| scope.spawn(work)).collect();
        let mut parts = work();
        for helper in helpers {
            match helper.join() {
                Ok(more) => parts.extend(more),
                // The job is caught by the pool, and the zone hears of a crashed stage.
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        parts
    })
}
