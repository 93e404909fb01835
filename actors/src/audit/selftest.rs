//! A test of the auditor: a version that was published is made wrong in one place, and has to be
//! refused, for that reason.
//! In: a [`Specimen`]. Out: [`Tested`]. What is changed is `dnssec::mutation`'s; what has to be
//! found is here. A zone of at most [`WHOLE_RECORDS_MAX`] records is judged as a whole; a larger
//! one by how it differs from the auditor's own copy, at a cost by the size of one chunk.
//! Never: publication; a mutated version has no way there: no `AuditedZone` is made of it.

use ::audit::{Difference, Expectations, FindingId, Report, Verdict};
use audit_host::{Changes, Copy, Fault, Judge, Ticket, Whole};
use dnssec::Name;
use dnssec::mutation::{MutationKind, mutate};
use dnssec::zone::{ZoneVersion, render};
use std::collections::BTreeSet;
use storage::state::{Extent, FINDINGS_MAX, TestOutcome, Tested};

use crate::stages::publish::Stored;

/// Records and signatures of a zone that is judged as a whole for a test.
pub const WHOLE_RECORDS_MAX: usize = 5_000;
/// Chunks of a larger zone in which something to change is looked for.
const CHUNKS_MAX: usize = 16;

/// A version that stands, and what the auditor held it against.
#[derive(Clone, Debug)]
pub struct Specimen {
    /// The version.
    pub stored: Stored,
    /// What is expected of it.
    pub expectations: Expectations,
    /// The auditor's copy of it.
    pub approved: Option<Copy>,
}

/// The findings of which one has to be among those made.
fn expected(kind: MutationKind) -> &'static [FindingId] {
    match kind {
        MutationKind::SignatureBit => &[FindingId::SignatureWrong],
        MutationKind::DenialDropped => &[
            FindingId::DenialKind,
            FindingId::NsecMissing,
            FindingId::NsecNextName,
            FindingId::Nsec3NextHash,
            FindingId::Nsec3Missing,
        ],
        MutationKind::KeyBit => &[FindingId::KeyMissing, FindingId::KeyUnexpected],
        MutationKind::RecordDropped | MutationKind::AddressBit => {
            &[FindingId::DataMissing, FindingId::DataAdded]
        }
    }
}

/// What a verdict on a wrong zone says of the auditor.
fn outcome(kind: MutationKind, report: &Report) -> TestOutcome {
    let is_expected = |id: &FindingId| expected(kind).contains(id);
    match report.verdict() {
        Verdict::Approve => TestOutcome::Missed,
        Verdict::Hold | Verdict::Reject
            if report.findings.iter().any(|finding| is_expected(&finding.id)) =>
        {
            TestOutcome::Caught
        }
        Verdict::Hold | Verdict::Reject => TestOutcome::OtherFinding,
    }
}

/// Tests the auditor with one kind of change. `None`: this zone has nothing to change in this way.
/// Blocks until there is a verdict.
pub fn test(
    judge: &Judge,
    specimen: &Specimen,
    kind: MutationKind,
    seed: u64,
    auditor: &str,
) -> Option<Tested> {
    let version = &specimen.stored.version;
    // Where the signer has no keys, DNSSEC records are the source's, and data like any other.
    let is_of_data = matches!(kind, MutationKind::RecordDropped | MutationKind::AddressBit);
    if dnskeys(&specimen.expectations).is_empty() && !is_of_data {
        return None;
    }
    let is_small = version.record_count() + version.signature_count() <= WHOLE_RECORDS_MAX;
    let (extent, judged) = match (&specimen.approved, is_small) {
        (_, true) => (Extent::Whole, whole(judge, specimen, kind, seed)?),
        (Some(copy), false) => (Extent::Difference, difference(judge, specimen, copy, kind, seed)?),
        (None, false) => return None,
    };
    let (outcome, findings) = match &judged {
        Ok(report) => (outcome(kind, report), numbers(report)),
        // It says by itself that it cannot tell, and would be given the whole zone.
        Err(Fault::NotIncremental(_)) => return None,
        Err(_) => (TestOutcome::NoVerdict, Vec::new()),
    };
    Some(Tested {
        zone: version.apex.clone(),
        serial: version.serial(),
        mutation: kind.to_string(),
        extent,
        outcome,
        findings,
        auditor: auditor.to_owned(),
    })
}

/// Numbers of findings, each once, as an entry of the log has them.
pub fn numbers(report: &Report) -> Vec<u16> {
    let numbers: BTreeSet<u16> = report.findings.iter().map(|finding| finding.id.code()).collect();
    numbers.into_iter().take(FINDINGS_MAX).collect()
}

/// Keys whose signatures the auditor has to verify.
fn dnskeys(expectations: &Expectations) -> &[Vec<u8>] {
    expectations.dnskeys.as_deref().unwrap_or_default()
}

fn blocks(version: &ZoneVersion) -> Vec<Vec<u8>> {
    let block = |chunk| {
        let mut block = Vec::new();
        render::wire(&version.apex, chunk, &mut block);
        block
    };
    version.chunks().map(|chunk| block(chunk)).collect()
}

fn whole(
    judge: &Judge,
    specimen: &Specimen,
    kind: MutationKind,
    seed: u64,
) -> Option<Result<Report, Fault>> {
    // Verified at every name, so that it does not depend on luck whether the change is seen.
    let expectations = Expectations { sampling: None, ..specimen.expectations.clone() };
    let apex = &specimen.stored.version.apex;
    let mut candidate = blocks(&specimen.stored.version);
    let count = candidate.len();
    let block = order(count, seed).find_map(|index| {
        let block = candidate.get(index)?;
        let mutation = mutate(block, kind, apex, dnskeys(&expectations), seed)?;
        Some((index, mutation.applied(block)))
    });
    let (index, block) = block?;
    *candidate.get_mut(index)? = block;
    let source = blocks(&specimen.stored.unsigned);
    let (mut candidate, mut source) = (candidate.into_iter(), source.into_iter());
    let ticket = Ticket::Whole(Whole {
        expectations: &expectations,
        candidate: &mut candidate,
        source: Some(&mut source),
        keeps_copy: false,
    });
    Some(judge.judge(ticket, &|_, _| {}).map(|verdict| verdict.report))
}

fn difference(
    judge: &Judge,
    specimen: &Specimen,
    copy: &Copy,
    kind: MutationKind,
    seed: u64,
) -> Option<Result<Report, Fault>> {
    let Specimen { stored, expectations, .. } = specimen;
    match kind {
        // In a sample it depends on luck whether this name is in it.
        MutationKind::SignatureBit if expectations.sampling.is_some() => return None,
        MutationKind::SignatureBit | MutationKind::DenialDropped => {}
        // The auditor asks for the whole zone then.
        MutationKind::KeyBit | MutationKind::RecordDropped | MutationKind::AddressBit => {
            return None;
        }
    }
    let apex: &Name = &stored.version.apex;
    let chunks: Vec<_> = stored.version.chunks().collect();
    let (removed, added) = order(chunks.len(), seed).take(CHUNKS_MAX).find_map(|index| {
        let mut block = Vec::new();
        render::wire(apex, chunks.get(index)?, &mut block);
        let mutation = mutate(&block, kind, apex, dnskeys(expectations), seed)?;
        Some((block.get(mutation.range)?.to_vec(), mutation.added))
    })?;
    let difference = Difference { removed: &removed, added: &added, ..Difference::default() };
    let ticket = Ticket::Changes(Changes { expectations, follows: copy, difference });
    Some(judge.judge(ticket, &|_, _| {}).map(|verdict| verdict.report))
}

/// All places, from one that `seed` chooses on.
fn order(count: usize, seed: u64) -> impl Iterator<Item = usize> {
    // A remainder of a `usize`.
    let start = seed.checked_rem(count as u64).unwrap_or(0) as usize;
    (start..count).chain(0..start)
}
