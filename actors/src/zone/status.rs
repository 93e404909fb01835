//! What everybody may know about a zone: one value that screens, metrics and tests read.
//! In: ends of runs. Out: [`ZoneStatus`], and the log lines that monitoring depends on
//! (catalogue 7).

use super::gate::GateStatus;
use super::pipeline::{RunAction, RunEnd, StepLengths};
use super::refresh::RefreshStatus;
use super::signing::Late;
use crate::enforcer::ZoneKeys;
use crate::runtime::ProgressView;
use crate::stages::StageError;
use crate::stages::sign::SignCounts;
use crate::stages::sort::Held;
use dnssec::signing::ZoneKey;
use dnssec::zone::ZoneVersion;
use dnssec::{Serial, Timestamp};
use storage::state::ZoneState;

/// What a zone is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// Reads its state back.
    #[default]
    Loading,
    /// Has nothing to sign before its first transfer.
    WaitingForTransfer,
    /// Waits for the enforcer.
    WaitingForKeys,
    /// Goes through the stages.
    Running,
    /// Waits for the next run.
    Idle,
    /// The last run failed; waits for the next try.
    Failed,
    /// Runs crashed again and again; waits long.
    Quarantined,
}

/// What everybody may know about a zone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ZoneStatus {
    /// What it is doing.
    pub phase: Phase,
    /// Runs that ended since the last start, failures included.
    pub run_count: u64,
    /// Serial of the input that is signed.
    pub input_serial: Option<Serial>,
    /// Serial of the true version.
    pub output_serial: Option<Serial>,
    /// Generation of the true version.
    pub generation: u64,
    /// When the true version was signed.
    pub signed_at: Option<Timestamp>,
    /// When a run last ended well, whether there was anything to do or not.
    pub ended_well_at: Option<Timestamp>,
    /// When the next run is due.
    pub next_run: Option<Timestamp>,
    /// Records in the true version, signatures not counted.
    pub record_count: usize,
    /// Signatures in the true version.
    pub signature_count: usize,
    /// When the first signature of the true version expires.
    pub earliest_expiration: Option<Timestamp>,
    /// What the last run did.
    pub last_action: Option<RunAction>,
    /// What was odd about the input when it was last read.
    pub warnings: Vec<String>,
    /// The keys, with the moment each was made.
    pub keys: Vec<(ZoneKey, Timestamp)>,
    /// Why the last run failed, or why it could not read the input.
    pub failure: Option<String>,
    /// Why the input could not be read when that was last tried; one that is held could be.
    pub input_failure: Option<String>,
    /// Failed runs in a row.
    pub failures: u32,
    /// What the notify command said, when it failed.
    pub notify_failure: Option<String>,
    /// What auditor and checkers said.
    pub gate: GateStatus,
    /// What its masters say, when it comes by transfer.
    pub refresh: Option<RefreshStatus>,
    /// The input that the breaker holds.
    pub held_input: Option<Held>,
    /// When the first signature of the zone's keys expires that is due and that no token makes.
    pub keyset_expires: Option<Timestamp>,
}

impl ZoneStatus {
    /// Takes what is durable.
    pub(super) fn take(&mut self, state: &ZoneState) {
        self.input_serial = state.input_serial;
        self.output_serial = state.output_serial;
        self.generation = state.generation;
        self.signed_at = state.signed_at;
    }

    /// Takes the true version, which was signed at about `near`.
    pub(super) fn take_version(&mut self, version: &ZoneVersion, near: Timestamp) {
        self.record_count = version.record_count();
        self.signature_count = version.signature_count();
        self.earliest_expiration =
            version.earliest_expiration().map(|wire| Timestamp::from_wire(wire, near));
    }

    /// Takes the end of a run.
    pub(super) fn take_end(&mut self, end: &RunEnd, keys: &ZoneKeys, next: Timestamp) {
        let version = &end.stored.version;
        self.phase = Phase::Idle;
        self.run_count += 1;
        self.next_run = Some(next);
        self.take_version(version, end.state.signed_at.unwrap_or(next));
        self.last_action = Some(end.action.clone());
        self.warnings.clone_from(&end.warnings);
        self.keys.clone_from(&keys.keys);
        if let Some(verdict) = &end.verdict {
            self.gate.take(verdict.clone());
        }
        if let Some(refusal) = &end.refusal {
            self.gate.refuse(refusal);
        }
        match &end.input_failure {
            Some(StageError::Held(_)) => self.input_failure = None,
            Some(error) => self.input_failure = Some(error.to_string()),
            None if end.is_read || end.refusal.is_some() => self.input_failure = None,
            // A run that reads nothing says nothing of it.
            None => {}
        }
        match &end.input_failure {
            Some(StageError::Held(held)) => self.held_input = Some((**held).clone()),
            // One that could not be read says nothing of the one before.
            Some(_) => {}
            None if end.is_read || end.refusal.is_some() => self.held_input = None,
            None => {}
        }
        let refused = || end.refusal.as_ref().map(|refusal| refusal.reason.clone());
        let unread = end.input_failure.as_ref().map(|error| error.to_string());
        self.failure = unread.or_else(refused);
        self.failures = 0;
        self.notify_failure.clone_from(&end.notify_failure);
        self.keyset_expires = end.late.as_ref().map(|late| late.expiration);
    }

    /// Takes a failure.
    pub(super) fn fail(&mut self, failure: String, failures: u32, in_quarantine: bool) {
        self.phase = if in_quarantine { Phase::Quarantined } else { Phase::Failed };
        self.run_count += 1;
        self.failure = Some(failure);
        self.failures = failures;
    }
}

/// Says how far a long run is.
pub(super) fn log_progress(zone: &str, view: &ProgressView) {
    let percent = (100 * view.done).checked_div(view.total).unwrap_or(0);
    tracing::info!(target: "progress", %zone,
        "zone {zone}: {} stage, {percent} % done, {} signatures made", view.step, view.signatures);
}

/// Writes what a run did into the log.
pub(super) fn log_end(zone: &str, end: &RunEnd) {
    for warning in &end.warnings {
        tracing::warn!(target: "adapter", %zone, "{warning}");
    }
    if let Some(error) = &end.input_failure {
        log_input_failure(zone, error, end.basis.is_passed_through());
    }
    if let Some(error) = &end.notify_failure {
        tracing::error!(target: "notify", %zone, "Error running notification command: {error}");
    }
    let version = &end.stored.version;
    let serial = end.state.output_serial.unwrap_or(Serial(0));
    match &end.action {
        RunAction::Nothing => {
            tracing::debug!(target: "signer", %zone,
                "skip write zone {zone} serial {serial} (zone not changed)");
        }
        RunAction::Delivered { .. } => {
            tracing::info!(target: "adapter", %zone, "write zone {zone} serial {serial}");
        }
        RunAction::Published { counts, audit, lengths } => {
            tracing::info!(target: "adapter", %zone, "write zone {zone} serial {serial}");
            if end.basis.is_passed_through() {
                let is_by_difference = end.verdict.as_ref().is_some_and(|it| it.is_by_difference);
                let how = if is_by_difference { " by its difference" } else { "" };
                tracing::info!(target: "audit", %zone,
                    "zone {zone}, serial {serial}, is approved and passed on{how}: {} records, {} \
                     signatures verified", audit.records, audit.signatures_verified);
            }
            tracing::info!(target: "STATS", %zone, "{}",
                stats(zone, serial, version.record_count(), counts, audit, lengths));
        }
    }
}

fn log_input_failure(zone: &str, error: &StageError, is_passed_through: bool) {
    let rest = match is_passed_through {
        true => "the last good version stays served",
        false => "the last good input goes on being signed",
    };
    match error {
        StageError::Held(held) if held.is_rejected => {
            tracing::warn!(target: "adapter", %zone, "zone {zone}: {held}; {rest}");
        }
        StageError::Held(held) => {
            tracing::error!(target: "adapter", %zone, "ALARM: zone {zone}: {held}; {rest}");
        }
        error => tracing::error!(target: "adapter", %zone,
            "unable to read zone {zone}: {error}; {rest}"),
    }
}

/// Says until when a zone can do without a token.
pub(super) fn log_late(zone: &str, Late { repository, expiration, failure }: &Late) {
    let expires = utc(*expiration);
    tracing::error!(target: "signer", %zone, %repository, %failure, %expires,
        "ALARM: the DNSKEY RRset of zone {zone} is due to be signed and cannot be ({failure}); its \
         old signature is published until it expires at {expires}, and the zone with it: repair \
         repository {repository} before; it is tried again by itself");
}

/// A moment as people read it, in UTC.
fn utc(at: Timestamp) -> String {
    let time =
        i64::try_from(at.0).ok().and_then(|second| jiff::Timestamp::from_second(second).ok());
    time.map_or_else(|| format!("{} s after 1970", at.0), |time| time.to_string())
}

/// The line that OpenDNSSEC's signer writes for each version, in its form: times in whole
/// seconds, and no average where the time is none.
fn stats(
    zone: &str,
    serial: Serial,
    records: usize,
    counts: &SignCounts,
    audit: &::audit::Counts,
    lengths: &StepLengths,
) -> String {
    let (denial, chain_count) = match audit.nsec3_records {
        0 => ("NSEC", audit.nsec_records),
        count => ("NSEC3", count),
    };
    let SignCounts { made, kept } = counts;
    let sign = lengths.sign.as_secs();
    let average = (*made as u64).checked_div(sign).unwrap_or(0);
    format!(
        "{zone} {serial} RR[count={records} time={}(sec)] {denial}[count={chain_count} \
         time={}(sec)] RRSIG[new={made} reused={kept} time={sign}(sec) avg={average}(sig/sec)] \
         TOTAL[time={}(sec)]",
        lengths.read.as_secs(),
        lengths.denial.as_secs(),
        lengths.total.as_secs()
    )
}
