//! A zone as the health snapshot has it. In: its status, its way out. Out: plain values.

use crate::system::RunningZone;
use crate::transfers::UpdateTally;
use crate::zone::{Phase, RefreshStatus};
use dnssec::Timestamp;
use dnssec::health::snapshot::OutputHealth;
use dnssec::health::snapshot::{
    HeldHealth, InboundHealth, RefusalHealth, ZoneHealth, ZonePhase, ZoneTerms,
};
use dnssec::transfer::Rcode;

/// A zone that was first seen at `known_since`.
pub(super) fn health(
    zone: &RunningZone,
    known_since: Timestamp,
    output: Option<OutputHealth>,
    updates: Option<&UpdateTally>,
) -> ZoneHealth {
    let status = zone.status.borrow();
    let refusal = status.gate.refusal.as_ref().map(|refusal| RefusalHealth {
        serial: refusal.verdict.serial,
        at: refusal.verdict.at,
        reason: refusal.reason.clone(),
    });
    let held = status.held_input.as_ref();
    let held =
        held.map(|it| HeldHealth { is_rejected: it.is_rejected, reason: it.reasons.join("; ") });
    ZoneHealth {
        name: zone.text(),
        terms: ZoneTerms::of(&zone.settings.policy),
        phase: match status.phase {
            Phase::Loading | Phase::WaitingForTransfer | Phase::WaitingForKeys => {
                ZonePhase::Beginning
            }
            Phase::Running => ZonePhase::Running,
            Phase::Idle => ZonePhase::Idle,
            Phase::Failed => ZonePhase::Failed,
            Phase::Quarantined => ZonePhase::Quarantined,
        },
        known_since,
        input_serial: status.input_serial,
        output_serial: status.output_serial,
        signed_at: status.signed_at,
        ended_well: status.ended_well_at,
        next_run: status.next_run,
        earliest_expiration: status.earliest_expiration,
        failure: status.failure.clone(),
        input_failure: status.input_failure.clone(),
        failures: status.failures,
        refusal,
        held,
        keyset_expires: status.keyset_expires,
        inbound: status.refresh.as_ref().map(inbound),
        output,
        updates: updates.map(answers).unwrap_or_default(),
        notify_failure: status.notify_failure.clone(),
    }
}

fn answers(updates: &UpdateTally) -> Vec<(String, u64)> {
    let all = [(Rcode::NOERROR, updates.done())].into_iter().chain(updates.refused());
    all.map(|(rcode, count)| (rcode.to_string(), count)).collect()
}

fn inbound(refresh: &RefreshStatus) -> InboundHealth {
    let refusals = refresh.refusals.iter();
    InboundHealth {
        masters: refresh.masters.len(),
        asking: refresh.asking.map(|master| master.to_string()),
        refresh: refresh.timers.refresh,
        retry: refresh.timers.retry,
        confirmed_at: refresh.confirmed_at,
        expires_at: refresh.expires_at,
        refusals: refusals.map(|it| (it.master.to_string(), it.since, it.reason.clone())).collect(),
        serial: refresh.serial,
    }
}
