//! Updates that came together: each judged after the other, saved as one step, then answered.
//! RFC 2136 §3.2 to §3.5. In: requests, the newest unsigned version. Out: answers, the version
//! after them. Where the sum of them trips the input breaker, each is looked at alone, and the one
//! that trips it is refused.
//! Nothing is answered before the step is durable: an answer may rest on an update before it.

use super::kept::Journal;
use crate::runtime::WorkerPool;
use crate::stages::StageError;
use crate::stages::sort::{Sorted, Touched, trips};
use crate::transfers::updates::UpdateJob;
use dnssec::breaker::{InputLimits, Trip};
use dnssec::transfer::Rcode;
use dnssec::transfer::update::{UpdateFault, updated};
use dnssec::zone::ZoneVersion;
use dnssec::zone::diff::Difference;
use dnssec::zone::load::Limits;
use dnssec::zone::patch::{self, PatchError};
use dnssec::{Serial, Timestamp};
use std::path::PathBuf;
use std::sync::Arc;
use storage::journal::JournalError;

/// What a batch of updates is judged with.
pub(super) struct Batch {
    /// The zone, as people write it.
    pub(super) zone: String,
    /// The newest unsigned version.
    pub(super) base: Arc<ZoneVersion>,
    /// The unsigned version that is signed, for the input breaker.
    pub(super) signed: Option<Arc<ZoneVersion>>,
    pub(super) input_limits: InputLimits,
    pub(super) limits: Limits,
    pub(super) journal: Journal,
    pub(super) folder: PathBuf,
    /// Whether the journal has nothing that is needed, and too much of that.
    pub(super) begins_anew: bool,
    pub(super) now: Timestamp,
}

/// What came of a batch.
#[derive(Default)]
pub(super) struct Judged {
    /// The version after it, when something changed.
    pub(super) newest: Option<Arc<ZoneVersion>>,
}

/// Why an update is not done.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error(transparent)]
    Update(#[from] UpdateFault),
    #[error("the zone would have {records} records, more than its limit of {limit}")]
    TooLarge { records: u64, limit: u64 },
    #[error("serial {to} does not follow {from}, which the updates before it have left behind")]
    Serial { from: Serial, to: Serial },
    #[error(
        "it would change more than the input breaker lets pass: {}; send less at a time, or widen \
         <InputLimits> of the policy",
        told(.0)
    )]
    Tripped(Vec<Trip>),
    #[error("it was not judged: {0}")]
    NotJudged(StageError),
}

fn told(trips: &[Trip]) -> String {
    trips.iter().map(Trip::to_string).collect::<Vec<_>>().join("; ")
}

/// Why a batch was not saved.
#[derive(Debug, thiserror::Error)]
enum SaveError {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error("{0}")]
    Sum(Box<PatchError>),
}

impl Refusal {
    fn rcode(&self) -> Rcode {
        match self {
            Refusal::Update(fault) => fault.rcode(),
            Refusal::TooLarge { .. } | Refusal::Tripped(_) => Rcode::REFUSED,
            Refusal::Serial { .. } | Refusal::NotJudged(_) => Rcode::SERVFAIL,
        }
    }
}

/// Answers all of them alike.
pub(super) fn refuse_all(jobs: Vec<UpdateJob>, rcode: Rcode) {
    jobs.into_iter().for_each(|job| job.reply.send(rcode));
}

/// Updates one after the other, nothing of them saved.
struct Draft {
    newest: Arc<ZoneVersion>,
    steps: Vec<Difference>,
    /// What became of each: the serial that it left, or why it is not done.
    outcomes: Vec<Result<Serial, Refusal>>,
}

impl Batch {
    /// Judges, saves and answers.
    pub(super) fn done(self, pool: &WorkerPool, mut jobs: Vec<UpdateJob>) -> Judged {
        jobs.retain(|job| !job.reply.is_unwanted());
        let mut draft = self.draft(&jobs, |_| Ok(()));
        if !draft.steps.is_empty() && self.check(pool, &draft.newest).is_err() {
            draft = self.draft(&jobs, |version| self.check(pool, version));
        }
        let saved = self.save(&draft);
        if let Err(error) = &saved {
            tracing::error!(target: "query", zone = %self.zone,
                "zone {}: {} updates are answered SERVFAIL, since they were not saved: {error}",
                self.zone, jobs.len());
        }
        for (job, outcome) in jobs.into_iter().zip(draft.outcomes) {
            let rcode = match (&saved, &outcome) {
                (Err(_), _) => Rcode::SERVFAIL,
                (Ok(()), Ok(_)) => Rcode::NOERROR,
                (Ok(()), Err(refusal)) => refusal.rcode(),
            };
            self.tell(&job, rcode, &outcome);
            job.reply.send(rcode);
        }
        let has_changed = saved.is_ok() && !draft.steps.is_empty();
        Judged { newest: has_changed.then_some(draft.newest) }
    }

    fn tell(&self, job: &UpdateJob, rcode: Rcode, outcome: &Result<Serial, Refusal>) {
        let (zone, from, key) = (&self.zone, job.from, &job.key);
        match outcome {
            Ok(serial) => tracing::info!(target: "query", %zone,
                "update of zone {zone} from {from} with key {key}: {rcode}, unsigned serial \
                 {serial}"),
            Err(refusal) => tracing::info!(target: "query", %zone,
                "update of zone {zone} from {from} with key {key}: {rcode}: {refusal}"),
        }
    }

    /// Does all of them in memory; `check` may refuse what comes out of one.
    fn draft(
        &self,
        jobs: &[UpdateJob],
        check: impl Fn(&Arc<ZoneVersion>) -> Result<(), Refusal>,
    ) -> Draft {
        let mut draft =
            Draft { newest: self.base.clone(), steps: Vec::new(), outcomes: Vec::new() };
        for job in jobs {
            let outcome = self.one(&draft.newest, job).and_then(|done| match done {
                Some((version, difference)) => {
                    check(&version)?;
                    draft.newest = version;
                    draft.steps.push(difference);
                    Ok(())
                }
                None => Ok(()),
            });
            let serial = draft.newest.serial().unwrap_or_default();
            draft.outcomes.push(outcome.map(|()| serial));
        }
        draft
    }

    fn one(
        &self,
        newest: &Arc<ZoneVersion>,
        job: &UpdateJob,
    ) -> Result<Option<(Arc<ZoneVersion>, Difference)>, Refusal> {
        let Some(updated) = updated(&job.message, newest)? else { return Ok(None) };
        let version = updated.version;
        let (records, limit) = (version.record_count() as u64, self.limits.record_count_max);
        if records > limit {
            return Err(Refusal::TooLarge { records, limit });
        }
        let from = self.base.serial().unwrap_or_default();
        let to = version.serial().unwrap_or_default();
        if !to.is_after(from) {
            return Err(Refusal::Serial { from, to });
        }
        Ok(Some((Arc::new(version), updated.difference)))
    }

    /// What the input breaker says, against what is signed.
    fn check(&self, pool: &WorkerPool, version: &Arc<ZoneVersion>) -> Result<(), Refusal> {
        let sorted = Sorted {
            version: version.clone(),
            touched: Touched::Unknown,
            warnings: Vec::new(),
            warning_count: 0,
            tail: None,
            digest_fault: None,
        };
        let trips = trips(pool, self.signed.clone(), &sorted, &self.input_limits)
            .map_err(Refusal::NotJudged)?;
        match trips.is_empty() {
            true => Ok(()),
            false => Err(Refusal::Tripped(trips)),
        }
    }

    fn save(&self, draft: &Draft) -> Result<(), SaveError> {
        if draft.steps.is_empty() {
            return Ok(());
        }
        let (zone, folder) = (&self.base.apex, &self.folder);
        if self.begins_anew {
            self.journal.forget(folder, zone);
        }
        let sum = patch::composed(&draft.steps).map_err(|error| SaveError::Sum(Box::new(error)))?;
        let from = self.base.serial().unwrap_or_default();
        let to = draft.newest.serial().unwrap_or_default();
        Ok(self.journal.append(folder, zone, (from, to), sum, self.now)?)
    }
}
