//! What is wrong right now, in one list. In: the zones' states, what slots and the auditor show of
//! themselves. Out: [`Alarm`]s, the worst first, each with what to type next.
//! Never: waits for work. Who does not show himself within [`GLANCE`] is an alarm himself.

use super::site::Site;
use crate::system::RunningZone;
use crate::zone::Phase;
use futures_util::future::join_all;
use std::time::Duration;

/// Longest wait for an actor that shows its state out of memory.
pub(super) const GLANCE: Duration = Duration::from_millis(80);

/// How bad it is; the worst one is the least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    Critical,
    Warning,
}

impl Level {
    pub(super) fn word(self) -> &'static str {
        match self {
            Level::Critical => "CRITICAL",
            Level::Warning => "WARNING",
        }
    }
}

/// Something that somebody should look at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Alarm {
    pub(super) level: Level,
    /// The zone, repository or part.
    pub(super) what: String,
    pub(super) text: String,
    /// What to type next.
    pub(super) next: String,
}

/// What is wrong now.
pub(super) async fn alarms(site: &Site) -> Vec<Alarm> {
    let mut all: Vec<Alarm> =
        site.staff.zones.all().iter().flat_map(|zone| of_zone(zone)).collect();
    let slots = site.staff.slots.iter();
    let seen =
        join_all(slots.map(|slot| async { (slot.path().clone(), slot.observe(GLANCE).await) }));
    let alarm = |level, what: &str, text: String, next: &str| Alarm {
        level,
        what: what.to_owned(),
        text,
        next: next.to_owned(),
    };
    for (path, seen) in seen.await {
        match seen {
            Ok(slot) => all.extend(
                slot.failure
                    .map(|failure| alarm(Level::Critical, &slot.repository, failure, "show hsm")),
            ),
            Err(error) => {
                all.push(alarm(Level::Critical, &path, error.to_string(), "show hsm"));
            }
        }
    }
    match site.staff.auditor.observe(GLANCE).await {
        Err(error) => {
            all.push(alarm(Level::Critical, "auditor", error.to_string(), "audit status"));
        }
        Ok(status) => {
            all.extend(
                status
                    .distrusted
                    .map(|why| alarm(Level::Critical, "auditor", why.to_string(), "audit status")),
            );
            all.extend(status.silent_for.map(|length| {
                let text = format!("no verdict for {} s", length.as_secs());
                alarm(Level::Critical, "auditor", text, "audit status")
            }));
        }
    }
    all.sort();
    all
}

fn of_zone(zone: &RunningZone) -> Vec<Alarm> {
    let (name, status) = (zone.text(), zone.status.borrow());
    let mut all = Vec::new();
    let mut push = |level, text: String, command: &str| {
        let next = format!("{command} {name}");
        all.push(Alarm { level, what: name.clone(), text, next });
    };
    if let Some(refusal) = &status.gate.refusal {
        push(Level::Critical, format!("refused: {}", refusal.reason), "zone audit");
    }
    if let Some(held) = &status.held_input {
        push(Level::Critical, format!("input held: {held}"), "zone input");
    }
    if let Some(failure) = status.failure.as_ref().filter(|_| status.gate.refusal.is_none()) {
        let level = match status.phase {
            Phase::Quarantined => Level::Critical,
            _ if status.output_serial.is_none() => Level::Critical,
            _ => Level::Warning,
        };
        push(level, failure.clone(), "zone show");
    }
    if let Some(failure) = &status.notify_failure {
        push(Level::Warning, format!("notify command: {failure}"), "zone show");
    }
    for refusal in status.refresh.iter().flat_map(|refresh| &refresh.refusals) {
        let text = format!("master {}: {}", refusal.master, refusal.reason);
        push(Level::Warning, text, "zone show");
    }
    all
}
