//! What single actors show, as the health snapshot has it. In: their states. Out: plain values.

use crate::audit::VigilStatus;
use crate::parent::ParentStatus;
use crate::runtime::{ChildState, HealthTable};
use crate::settings::zone_text;
use crate::slot::SlotObserved;
use dnssec::enforcer::{DsShown, ZoneLife};
use dnssec::health::snapshot::{ActorHealth, AuditorHealth, KeysHealth, SlotHealth};
use dnssec::key_room::Forecast;
use dnssec::{Name, Seconds, Timestamp};
use hsm::group::MemberPresence;
use std::time::Duration;

/// A slot, at this uptime.
pub(super) fn slot(observed: &SlotObserved, uptime: Duration) -> SlotHealth {
    let work = &observed.work;
    let under_way = work.under_way.values();
    let length = |began: Duration| Seconds(uptime.saturating_sub(began).as_secs());
    let away = observed.members.iter().filter_map(|member| {
        let why = match &member.presence {
            MemberPresence::In => return None,
            MemberPresence::Away(None) => "not tried yet".to_owned(),
            MemberPresence::Away(Some(error)) => error.to_string(),
            MemberPresence::ShutOut(fault) => format!("shut out: {fault}"),
        };
        Some((member.name.clone(), why))
    });
    SlotHealth {
        failure: observed.failure.clone(),
        last_good: observed.last_good,
        under_way: under_way.map(|(began, count)| (length(*began), *count as u64)).collect(),
        answered_in_ms: work.took.map(|took| u64::try_from(took.as_millis()).unwrap_or(u64::MAX)),
        signatures_made: work.made,
        requests_failed: work.failed,
        room: observed.room.map(|room| (room.used, room.capacity)),
        full_in: match observed.forecast {
            Some(Forecast::FullIn(time)) => Some(time),
            Some(Forecast::Enough | Forecast::TooSmall { .. }) | None => None,
        },
        is_too_small: matches!(observed.forecast, Some(Forecast::TooSmall { .. })),
        members_away: away.collect(),
        members: observed.members.len(),
    }
}

/// The auditor; what is waived is known elsewhere.
pub(super) fn auditor(status: &VigilStatus) -> AuditorHealth {
    AuditorHealth {
        distrusted: status.distrusted.as_ref().map(|why| why.to_string()),
        silent_for: status.silent_for.map(|length| Seconds(length.as_secs())),
        verdicts: status.verdict_count,
        waiting: status.waiting,
        waived: Vec::new(),
    }
}

/// The keys of all zones.
pub(super) fn keys(
    lives: Vec<(Name, ZoneLife)>,
    agenda: Vec<(Timestamp, Name)>,
    parents: &[ParentStatus],
) -> KeysHealth {
    let watched =
        || parents.iter().filter_map(|it| Some((zone_text(&it.zone), it.watch.as_ref()?)));
    let shown =
        watched().filter_map(|(zone, watch)| Some((zone, watch.seen.as_ref()?.sets.clone())));
    let absent = watched().flat_map(|(zone, watch)| {
        let of_keys = watch.seen.iter().flat_map(|seen| &seen.of_keys);
        let nowhere = of_keys.filter(|key| key.shown == DsShown::Nowhere);
        nowhere.map(move |key| (zone.clone(), key.id.clone())).collect::<Vec<_>>()
    });
    // Where nothing waits for the parent, a server of it that is away is no matter of ours.
    let awaited = watched().filter(|(_, watch)| !watch.order.is_calm);
    let disagreeing = awaited.filter_map(|(zone, it)| Some((zone, it.disagreement.clone()?)));
    KeysHealth {
        lives: lives.into_iter().map(|(zone, life)| (zone_text(&zone), life)).collect(),
        agenda: agenda.into_iter().map(|(at, zone)| (at, zone_text(&zone))).collect(),
        shown_ds: shown.collect(),
        absent_ds: absent.collect(),
        disagreements: disagreeing.collect(),
    }
}

/// Actors that were restarted, or do not run.
pub(super) fn actors(table: &HealthTable) -> Vec<ActorHealth> {
    let rows = table.rows().into_iter();
    let ill = rows.filter(|row| {
        row.restarts > 0 || matches!(row.state, ChildState::Escalated | ChildState::BackingOff)
    });
    ill.map(|row| ActorHealth {
        is_given_up: row.state == ChildState::Escalated
            || (row.state == ChildState::Stopped && row.last_failure.is_some()),
        is_pausing: row.state == ChildState::BackingOff,
        restarts: row.restarts,
        failure: row.last_failure.map(|failure| failure.to_string()),
        path: row.path.to_string(),
    })
    .collect()
}
