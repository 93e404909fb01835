//! What the auditor said, on its way into the log of verdicts. An approving verdict is saved with
//! the version, in one commit (`saving`); every other one here, when it is given.
//! In: the audit stage's answers. Out: [`VerdictEntry`]s; notes for the vigil.
//! Never: a change of a verdict. A refusal that cannot be logged is a refusal all the same.

use super::pipeline::{RunError, RunOrder, Services};
use crate::audit::{AUDITOR, selftest};
use crate::settings::zone_text;
use crate::stages::StageError;
use crate::stages::audit::{AuditedZone, Rejection};
use crate::stages::publish::Stored;
use crate::store::StoreError;
use ::audit::{Report, Verdict};
use dnssec::Timestamp;
use storage::state::{Extent, Judged, Outcome, VerdictEntry, VerdictEvent};

/// What the log calls the external checkers.
const CHECKER: &str = "external checker";

fn entry(at: Timestamp, judged: Judged) -> VerdictEntry {
    VerdictEntry { at, event: VerdictEvent::Judged(Box::new(judged)) }
}

fn extent(is_by_difference: bool) -> Extent {
    match is_by_difference {
        true => Extent::Difference,
        false => Extent::Whole,
    }
}

/// How many findings there were; more than 2^32 there never are.
fn count(report: &Report) -> u32 {
    u32::try_from(report.findings.len()).unwrap_or(u32::MAX)
}

fn approval(zone: &AuditedZone) -> Judged {
    Judged {
        zone: zone.version().apex.clone(),
        serial: zone.version().serial(),
        digest: Some(*zone.digest()),
        extent: extent(zone.is_judged_by_difference()),
        outcome: Outcome::Approve,
        findings: selftest::numbers(zone.report()),
        finding_count: count(zone.report()),
        auditor: AUDITOR.to_owned(),
    }
}

/// The entry of a version that may be published.
pub(super) fn approving(at: Timestamp, zone: &AuditedZone) -> VerdictEntry {
    entry(at, approval(zone))
}

fn refusal(candidate: &Stored, rejection: Option<&Rejection>) -> Judged {
    let report = rejection.map(|rejection| &rejection.report);
    Judged {
        zone: candidate.version.apex.clone(),
        serial: candidate.version.serial(),
        digest: rejection.map(|rejection| rejection.digest),
        extent: extent(rejection.is_some_and(|rejection| rejection.is_judged_by_difference)),
        outcome: match report.map(Report::verdict) {
            None => Outcome::NoVerdict,
            // Of an approving one there is no rejection but by a waiver that is none.
            Some(Verdict::Approve | Verdict::Hold) => Outcome::Hold,
            Some(Verdict::Reject) => Outcome::Reject,
        },
        findings: report.map(selftest::numbers).unwrap_or_default(),
        finding_count: report.map_or(0, count),
        auditor: AUDITOR.to_owned(),
    }
}

impl Services {
    /// Notes what the auditor said of a candidate; an approval is only logged with what follows.
    pub(super) async fn note_verdict(
        &self,
        order: &RunOrder,
        candidate: &Stored,
        judged: &Result<AuditedZone, RunError>,
    ) {
        let (zone, now) = (&order.settings.name, self.clock.now());
        let judged = match judged {
            Ok(_) => return self.vigil.judged(zone, now, self.clock.uptime()),
            Err(RunError::Stage(StageError::Rejected(rejection))) => {
                self.vigil.judged(zone, now, self.clock.uptime());
                refusal(candidate, Some(rejection.as_ref()))
            }
            Err(_) => refusal(candidate, None),
        };
        self.log_refusal(order, entry(now, judged)).await;
    }

    /// Notes that an external checker refused what the auditor approved.
    pub(super) async fn note_checked(
        &self,
        order: &RunOrder,
        audited: &AuditedZone,
        is_verdict: bool,
    ) {
        let outcome = if is_verdict { Outcome::Reject } else { Outcome::NoVerdict };
        let judged = Judged { outcome, auditor: CHECKER.to_owned(), ..approval(audited) };
        self.log_refusal(order, entry(self.clock.now(), judged)).await;
    }

    /// Saves the approval of a version that is committed already.
    pub(super) async fn note_approval(&self, audited: &AuditedZone) -> Result<(), StoreError> {
        self.store.append_verdict(approving(self.clock.now(), audited)).await.map(|_| ())
    }

    async fn log_refusal(&self, order: &RunOrder, entry: VerdictEntry) {
        if let Err(error) = self.store.append_verdict(entry).await {
            let zone = zone_text(&order.settings.name);
            tracing::error!(target: "audit", %zone, %error,
                "ALARM: a verdict on zone {zone} is not in the audit log");
        }
    }
}
