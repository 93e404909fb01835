//! The gate between a candidate and publication: the auditor, then external checkers; what became
//! of it; and what follows a refusal.
//! Verdicts: approve, hold, reject; no verdict in time is hold. After a refusal the last good
//! version stays served. When the input is what is new, the last good input goes on being signed;
//! when the signer's own work is refused, the old signatures stay until they expire. The refused
//! candidate is kept for inspection ([`candidate`]).
//! In: candidates. Out: [`AuditedZone`], or [`Refused`].
//! Never: rules; those are the auditor's.

mod alarm;
mod candidate;
mod checks;
pub(super) mod eras;
pub(super) mod served;
mod whole;

pub(crate) use candidate::{CANDIDATE_GENERATION, REPORT_SUFFIX, refused_folder, report_path};
pub use candidate::{Kept, kept_candidate};
pub use served::ServedSerials;

use super::input::is_passed_through;
use super::pipeline::{Reading, RunEnd, RunError, RunOrder, Services};
use super::plan::key_rules;
use crate::io::checker::CheckerError;
use crate::settings::zone_text;
use crate::stages::StageError;
use crate::stages::audit::AuditedZone;
use crate::stages::publish::Stored;
use ::audit::{Expectations, Finding, FindingId, Severity, Verdict};
use dnssec::{Serial, Timestamp};
use std::path::PathBuf;
use std::sync::Arc;
use storage::state::Waiver;

/// Findings kept of a verdict.
const FINDINGS_KEPT_MAX: usize = 100;
/// Findings that an audit of a zone with waivers collects at most, those waived among them.
const FINDINGS_WAIVED_MAX: usize = 100_000;

/// What the gate said of a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It may be published.
    Approved,
    /// Not until somebody has looked, or time has passed; no verdict among it.
    Held,
    /// It must not be published.
    Rejected,
}

/// The last verdict on a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastVerdict {
    /// When.
    pub at: Timestamp,
    /// Serial of the candidate.
    pub serial: Option<Serial>,
    /// What it was.
    pub outcome: Outcome,
    /// Whether only the difference to the version before was judged.
    pub is_by_difference: bool,
    /// What was found, the first ones.
    pub findings: Vec<Finding>,
    /// How many there were.
    pub finding_count: usize,
}

impl LastVerdict {
    pub(super) fn approving(at: Timestamp, zone: &AuditedZone) -> LastVerdict {
        let findings = &zone.report().findings;
        LastVerdict {
            at,
            serial: zone.version().serial(),
            outcome: Outcome::Approved,
            is_by_difference: zone.is_judged_by_difference(),
            findings: findings.iter().take(FINDINGS_KEPT_MAX).cloned().collect(),
            finding_count: findings.len(),
        }
    }
}

/// A candidate that was refused, and how the zone goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What was said.
    pub verdict: LastVerdict,
    /// Why, for people, with owner names and remedies; several lines.
    pub reason: String,
    /// Where the candidate is kept; or why it is not.
    pub kept: Result<PathBuf, String>,
    /// Whether the input is new since the version that is published.
    pub is_new_input: bool,
}

/// A refused candidate on its way to the zone.
#[derive(Debug, thiserror::Error)]
#[error("{}", .refusal.reason)]
pub struct Refused {
    /// What is said of it.
    pub refusal: Refusal,
    candidate: Stored,
    is_about_signatures: bool,
    /// Whether the stage panicked, or the zone ended the auditor's process.
    pub is_crash: bool,
}

/// What an approving gate adds to the status of the zone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GateStatus {
    /// The last verdict.
    pub last: Option<LastVerdict>,
    /// When all of a version was last judged and approved.
    pub whole_at: Option<Timestamp>,
    /// The refusal that stands: the newest candidate is not published.
    pub refusal: Option<Refusal>,
}

impl GateStatus {
    /// Takes a verdict.
    pub(super) fn take(&mut self, verdict: LastVerdict) {
        if !verdict.is_by_difference && verdict.outcome == Outcome::Approved {
            self.whole_at = Some(verdict.at);
        }
        self.last = Some(verdict);
    }

    /// Takes a refusal.
    pub(super) fn refuse(&mut self, refusal: &Refusal) {
        self.last = Some(refusal.verdict.clone());
        self.refusal = Some(refusal.clone());
    }
}

impl Services {
    /// Runs a zone through the stages; see [`self`] for what follows a refusal.
    pub async fn run(&self, order: RunOrder) -> Result<RunEnd, RunError> {
        let mut refused = match self.run_twice(&order).await {
            Err(RunError::Refused(refused)) => refused,
            result => return result,
        };
        self.keep(&order, &mut refused).await;
        if !refused.refusal.is_new_input {
            return Err(RunError::Refused(refused));
        }
        let last_good = RunOrder { reading: Reading::Skip, ..order };
        match self.run_twice(&last_good).await {
            Ok(end) => Ok(RunEnd { refusal: Some(refused.refusal), ..end }),
            Err(error) => {
                let zone = zone_text(&last_good.settings.name);
                tracing::error!(target: "audit", %zone,
                    "zone {zone}: the last good input could not be signed again either: {error}");
                Err(RunError::Refused(refused))
            }
        }
    }

    /// When the auditor finds signatures wrong, some of which were kept from the last version,
    /// everything is signed anew and judged again, once.
    async fn run_twice(&self, order: &RunOrder) -> Result<RunEnd, RunError> {
        match self.run_once(order).await {
            Err(RunError::Refused(refused))
                if order.stored.is_some()
                    && refused.is_about_signatures
                    && !is_passed_through(order) =>
            {
                let zone = zone_text(&order.settings.name);
                tracing::error!(target: "audit", %zone,
                    "{refused}; signing zone {zone} anew without what the last version had");
                let (stored, basis, approved) = (None, None, None);
                let anew = RunOrder { stored, basis, approved, ..order.clone() };
                self.run_once(&anew).await
            }
            result => result,
        }
    }

    /// Has a new version judged by the auditor, then by the external checkers.
    pub(super) async fn pass(
        &self,
        order: &RunOrder,
        candidate: &Stored,
        expectations: Expectations,
        previous: Option<Stored>,
    ) -> Result<AuditedZone, RunError> {
        let expectations = Expectations {
            // Keys of another signer are not the policy's.
            key_rules: (!is_passed_through(order))
                .then(|| key_rules(&order.settings.policy, &order.keys)),
            served_serials: self.served(order).await,
            ..expectations
        };
        let audited = self.with_waivers(order, candidate, expectations, previous).await?;
        match self.check(order, candidate).await {
            Ok(()) => Ok(audited),
            Err(error) => {
                self.note_checked(order, &audited, error.is_verdict()).await;
                Err(self.refused_by_checker(order, audited, candidate, &error))
            }
        }
    }

    /// Has a candidate judged by the auditor, with what is waived.
    pub(super) async fn with_waivers(
        &self,
        order: &RunOrder,
        candidate: &Stored,
        expectations: Expectations,
        previous: Option<Stored>,
    ) -> Result<AuditedZone, RunError> {
        let mut expectations = eras::with_history(order, expectations);
        let waivers = self.waivers(order).await;
        let waived: Vec<FindingId> = waivers.iter().map(|(id, _)| *id).collect();
        if !waived.is_empty() {
            expectations.limits.findings = FINDINGS_WAIVED_MAX;
        }
        let judged = self.audit(order, candidate, expectations, previous, waived).await;
        let audited = judged.map_err(|error| self.refused(order, candidate, error))?;
        log_waived(order, &audited, &waivers);
        Ok(audited)
    }

    /// The waivers that count now. On doubt there are none.
    async fn waivers(&self, order: &RunOrder) -> Vec<(FindingId, Waiver)> {
        let (zone, now) = (&order.settings.name, self.clock.now());
        let known = self.store.waivers(Some(zone)).await.unwrap_or_else(|error| {
            tracing::error!(target: "audit", zone = %zone_text(zone), %error,
                "waivers cannot be read, so there are none");
            Vec::new()
        });
        let counts = known.into_iter().map(|(_, waiver)| waiver).filter(|one| one.until > now);
        counts
            .filter_map(|waiver| Some((FindingId::try_from(waiver.finding).ok()?, waiver)))
            .collect()
    }

    /// A failure of the audit stage, as far as it is about the candidate.
    fn refused(&self, order: &RunOrder, candidate: &Stored, error: RunError) -> RunError {
        let RunError::Stage(stage) = error else { return error };
        let (outcome, findings) = match &stage {
            StageError::Rejected(rejection) => {
                let outcome = match rejection.report.verdict() {
                    Verdict::Approve | Verdict::Hold => Outcome::Held,
                    Verdict::Reject => Outcome::Rejected,
                };
                (outcome, rejection.report.findings.as_slice())
            }
            StageError::NoVerdict(_) => (Outcome::Held, [].as_slice()),
            StageError::Crashed { stage: "audit", .. } => (Outcome::Held, [].as_slice()),
            _ => return stage.into(),
        };
        let severe = |finding: &&Finding| finding.severity > Severity::Warn;
        let first = findings.iter().filter(severe).take(FINDINGS_KEPT_MAX).cloned().collect();
        let verdict = LastVerdict {
            at: self.clock.now(),
            serial: candidate.version.serial(),
            outcome,
            is_by_difference: false,
            findings: first,
            finding_count: findings.iter().filter(severe).count(),
        };
        let is_about_signatures = match &stage {
            StageError::Rejected(rejection) => rejection.is_about_signatures(),
            _ => false,
        };
        let is_crash = matches!(stage, StageError::Crashed { .. });
        let refused = refusal(order, candidate, verdict, stage.to_string());
        RunError::Refused(Box::new(Refused { is_about_signatures, is_crash, ..refused }))
    }

    fn refused_by_checker(
        &self,
        order: &RunOrder,
        audited: AuditedZone,
        candidate: &Stored,
        error: &CheckerError,
    ) -> RunError {
        let outcome = if error.is_verdict() { Outcome::Rejected } else { Outcome::Held };
        let approving = LastVerdict::approving(self.clock.now(), &audited);
        let verdict = LastVerdict { outcome, ..approving };
        let zone = zone_text(&order.settings.name);
        let reason = format!(
            "an external checker refused zone {zone}: {error}; nothing was published; see to what \
             it says, or to the checker"
        );
        RunError::Refused(Box::new(refusal(order, candidate, verdict, reason)))
    }
}

fn refusal(order: &RunOrder, candidate: &Stored, verdict: LastVerdict, reason: String) -> Refused {
    let stored = order.stored.as_ref();
    let is_new_input =
        stored.is_some_and(|stored| !Arc::ptr_eq(&stored.unsigned, &candidate.unsigned));
    let kept = Err("it was not written yet".to_owned());
    Refused {
        refusal: Refusal { verdict, reason, kept, is_new_input },
        candidate: candidate.clone(),
        is_about_signatures: false,
        is_crash: false,
    }
}

/// Says which waivers let a version pass.
fn log_waived(order: &RunOrder, audited: &AuditedZone, waivers: &[(FindingId, Waiver)]) {
    let zone = zone_text(&order.settings.name);
    for (id, waiver) in waivers {
        let found = audited.report().findings.iter().filter(|finding| finding.id == *id);
        let count = found.clone().count();
        let Some(first) = found.into_iter().next() else { continue };
        let giver = waiver.given_by.as_ref().map_or("nobody known".to_owned(), |by| by.to_string());
        let until = alarm::utc(waiver.until);
        tracing::warn!(target: "audit", %zone, finding = %id, %until, by = %giver,
            "zone {zone}: {count} findings {id} are waived until {until} by {giver} ({}), the \
             first: {first}", waiver.reason);
    }
}
