//! Audit: has the independent auditor judge a candidate. Only here can an [`AuditedZone`] be made,
//! and only an approving report makes one.
//! In: candidate, unsigned source, what the policy expects. Out: the proof, or the findings.
//! This stage only carries bytes between the two sides; it knows no rule.

use super::{Stage, StageError};
use crate::runtime::WorkerPool;
use ::audit::{Expectations, PartialReport, Prepared, Report, Severity, Verdict, Zones};
use dnssec::Name;
use dnssec::zone::{ZoneVersion, render};
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
}

/// This exact version passed the audit. Nothing else can make one.
pub struct AuditedZone {
    version: Arc<ZoneVersion>,
    unsigned: Arc<ZoneVersion>,
    report: Report,
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
        let candidate = wire_blocks(pool, &input.candidate)?;
        let source = wire_blocks(pool, &input.unsigned)?;
        let candidate: Vec<&[u8]> = candidate.iter().map(Vec::as_slice).collect();
        let source: Vec<&[u8]> = source.iter().map(Vec::as_slice).collect();
        let zones = Zones { candidate: &candidate, source: Some(&source) };
        let prepared = Prepared::new(zones, &input.expectations)?;
        let parts = verify(&prepared, pool);
        let report = prepared.finish(parts)?;
        match report.verdict() {
            Verdict::Approve => {
                Ok(AuditedZone { version: input.candidate, unsigned: input.unsigned, report })
            }
            Verdict::Reject => {
                let zone = input.candidate.apex.clone();
                Err(StageError::Rejected(Box::new(Rejection { zone, report })))
            }
        }
    }
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
