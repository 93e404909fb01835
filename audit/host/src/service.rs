//! The judging: copies of what was approved, and the audit on all cores.
//! In: a complete [`Job`]. Out: an [`Answer`]. The same code runs in the host and, for tests and
//! one-shot programs, in the process that asks.
//! Never: sockets, files, a clock.

use crate::frames::{Part, Progress};
use crate::messages::{Answer, Question};
use audit::{Approved, Difference, Expectations, PartialReport, Prepared, Report, Zones};
use ring::digest;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Ranges of names per thread: small enough that no thread waits long for the last one.
const RANGES_PER_THREAD: usize = 16;
/// Owner names below which more threads cost more than they bring.
const NAMES_FOR_THREADS: usize = 4096;

/// A question with its records.
pub(crate) struct Job {
    /// Its number, which is the number of the copy that comes of it.
    ticket: u64,
    question: Question,
    parts: BTreeMap<Part, Vec<Vec<u8>>>,
    digest: digest::Context,
}

/// What the auditor keeps of a version that it approved.
struct Kept {
    approved: Approved,
    digest: [u8; 32],
}

/// The auditor with its copies.
pub(crate) struct Service {
    copies: Mutex<BTreeMap<u64, Kept>>,
    threads: usize,
}

impl Service {
    pub(crate) fn new(threads: usize) -> Service {
        Service { copies: Mutex::default(), threads: threads.max(1) }
    }

    /// A job without its records. The digest of a difference begins with that of the version
    /// before.
    pub(crate) fn begin(&self, ticket: u64, question: Question) -> Job {
        let mut digest = digest::Context::new(&digest::SHA256);
        if let Question::Changes { follows, .. } = &question
            && let Some(kept) = self.copies().get(follows)
        {
            digest.update(&kept.digest);
        }
        Job { ticket, question, parts: BTreeMap::new(), digest }
    }

    /// Forgets a copy.
    pub(crate) fn forget(&self, number: u64) {
        let gone = self.copies().remove(&number);
        // Its blocks are given back when nobody waits for the lock.
        drop(gone);
    }

    fn copies(&self) -> MutexGuard<'_, BTreeMap<u64, Kept>> {
        self.copies.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Judges.
    pub(crate) fn judge(&self, job: Job, tell: &(dyn Fn(Progress) + Sync)) -> Answer {
        let Job { ticket, question, parts, digest } = job;
        let digest = array(digest.finish());
        match question {
            Question::Whole { expectations, has_source, keeps_copy } => {
                let kept = keeps_copy.then_some((ticket, digest));
                let judged = self.judge_whole(&expectations, parts, has_source, kept, tell);
                judged.map_or_else(Answer::Impossible, |(report, has_copy)| Answer::Judged {
                    report: Box::new(report),
                    digest,
                    has_copy,
                })
            }
            Question::Changes { expectations, follows } => {
                self.judge_changes((ticket, digest), &expectations, parts, follows)
            }
        }
    }

    fn judge_whole(
        &self,
        expectations: &Expectations,
        mut parts: BTreeMap<Part, Vec<Vec<u8>>>,
        has_source: bool,
        kept: Option<(u64, [u8; 32])>,
        tell: &(dyn Fn(Progress) + Sync),
    ) -> Result<(Report, bool), String> {
        let candidate = parts.remove(&Part::Candidate).unwrap_or_default();
        let source = parts.remove(&Part::Source).unwrap_or_default();
        let (report, approval) = {
            let candidate: Vec<&[u8]> = candidate.iter().map(Vec::as_slice).collect();
            let source: Vec<&[u8]> = source.iter().map(Vec::as_slice).collect();
            let source = has_source.then_some(source.as_slice());
            let zones = Zones { candidate: &candidate, source };
            let prepared = Prepared::new(zones, expectations).map_err(text)?;
            let judged = verify(&prepared, self.threads, &|done, total| {
                tell(Progress { done, total });
            });
            prepared.finish_with_approval(judged).map_err(text)?
        };
        drop(source);
        let mut has_copy = false;
        if let Some(((number, digest), approval)) = kept.zip(approval) {
            let approved = Approved::new(approval, candidate).map_err(text)?;
            self.copies().insert(number, Kept { approved, digest });
            has_copy = true;
        }
        Ok((report, has_copy))
    }

    fn judge_changes(
        &self,
        (ticket, digest): (u64, [u8; 32]),
        expectations: &Expectations,
        mut parts: BTreeMap<Part, Vec<Vec<u8>>>,
        follows: u64,
    ) -> Answer {
        let before = self.copies().get(&follows).map(|kept| kept.approved.clone());
        let Some(before) = before else {
            return Answer::NotIncremental("there is no copy of the version before".to_owned());
        };
        let mut take = |part| parts.remove(&part).unwrap_or_default().concat();
        let (added, removed) = (take(Part::Candidate), take(Part::Removed));
        let (source_added, source_removed) = (take(Part::Source), take(Part::SourceRemoved));
        let difference = Difference {
            removed: &removed,
            added: &added,
            source_removed: &source_removed,
            source_added: &source_added,
        };
        match before.judge(&difference, expectations) {
            Ok(judgement) => {
                let has_copy = judgement.approved.is_some();
                if let Some(approved) = judgement.approved {
                    self.copies().insert(ticket, Kept { approved, digest });
                }
                Answer::Judged { report: Box::new(judgement.report), digest, has_copy }
            }
            Err(reason) => Answer::NotIncremental(reason.to_string()),
        }
    }
}

impl Job {
    /// Takes the next block of records.
    pub(crate) fn take(&mut self, part: Part, block: Vec<u8>) {
        if part.is_of_digest() {
            self.digest.update(&block);
        }
        self.parts.entry(part).or_default().push(block);
    }
}

impl Part {
    /// Whether the digest is made of these records: of the zone's, not of the source's.
    pub(crate) fn is_of_digest(self) -> bool {
        matches!(self, Part::Candidate | Part::Removed)
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// A digest as an array.
pub(crate) fn array(digest: digest::Digest) -> [u8; 32] {
    let mut array = [0; 32];
    // SHA-256 has 32 octets.
    array.copy_from_slice(&digest.as_ref()[..32]);
    array
}

/// Verifies all ranges of owner names, on several threads where that pays; `tell` hears how many
/// ranges of how many are done. A panic passes on.
pub fn verify(
    prepared: &Prepared<'_>,
    threads: usize,
    tell: &(dyn Fn(u64, u64) + Sync),
) -> Vec<PartialReport> {
    let threads = if prepared.owner_count() < NAMES_FOR_THREADS { 1 } else { threads };
    let ranges: Vec<_> = prepared.ranges(threads * RANGES_PER_THREAD).collect();
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let work = || {
        let mut parts = Vec::new();
        while let Some(range) = ranges.get(next.fetch_add(1, Ordering::Relaxed)) {
            parts.push(prepared.verify_range(range.clone()));
            if threads > 1 {
                let done = done.fetch_add(1, Ordering::Relaxed) as u64 + 1;
                tell(done, ranges.len() as u64);
            }
        }
        parts
    };
    std::thread::scope(|scope| {
        let helpers: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut parts = work();
        for helper in helpers {
            match helper.join() {
                Ok(more) => parts.extend(more),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        parts
    })
}
