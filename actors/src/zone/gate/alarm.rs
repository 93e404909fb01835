//! What is said after a refusal, once and then now and again: what was refused and why, what goes
//! on being served, until when, and what to do. In: refusals. Out: log lines.

use super::{Outcome, Refusal};
use crate::zone::ZoneActor;
use dnssec::{Seconds, Timestamp};

/// The same is said again after this time, in seconds.
const REPEATED_AFTER: Seconds = Seconds(3600);

impl ZoneActor {
    /// Raises the alarm about a refusal, unless it is the one of a moment ago.
    pub(in crate::zone) fn tell_refusal(&mut self, refusal: &Refusal) {
        let now = self.services.clock.now();
        let is_same = self.alarmed.as_ref().is_some_and(|(reason, told)| {
            *reason == refusal.reason && now < told.plus(REPEATED_AFTER)
        });
        if is_same {
            return;
        }
        self.alarmed = Some((refusal.reason.clone(), now));
        let zone = &self.name;
        let what = match refusal.verdict.outcome {
            Outcome::Rejected => "rejected",
            Outcome::Held | Outcome::Approved => "held",
        };
        let serial = refusal.verdict.serial.map_or("none".to_owned(), |serial| serial.to_string());
        let goes_on = self.goes_on(refusal, now);
        let kept = match &refusal.kept {
            Ok(path) => format!(
                "The candidate is in {}: see \"anchorite zone audit {zone}\" and \"anchorite zone \
                 diff {zone}\"",
                path.display()
            ),
            Err(why) => format!("The candidate is not kept: {why}"),
        };
        tracing::error!(target: "audit", %zone, %serial,
            "ALARM: zone {zone}, serial {serial}, is {what}: {}\n  {goes_on} {kept}",
            refusal.reason);
    }

    /// What is served, and until when.
    fn goes_on(&self, refusal: &Refusal, now: Timestamp) -> String {
        let Some(stored) = &self.stored else {
            return "No version of this zone was ever published.".to_owned();
        };
        let serial = stored.version.serial().map_or("none".to_owned(), |one| one.to_string());
        let expires =
            stored.version.earliest_expiration().map(|wire| Timestamp::from_wire(wire, now));
        let served = format!("The last good version, serial {serial}, stays served");
        match expires {
            _ if self.settings.policy.passthrough => format!("{served}."),
            _ if refusal.is_new_input => {
                format!("{served}, and the last good input goes on being signed.")
            }
            None => format!("{served}."),
            Some(at) => {
                let left = at.0.saturating_sub(now.0);
                format!(
                    "{served}, WITHOUT NEW SIGNATURES: the first expires at {}, in {}.",
                    utc(at),
                    length(left)
                )
            }
        }
    }

    /// The newest candidate is published: a refusal before it is over.
    pub(in crate::zone) fn end_refusal(&mut self) {
        self.alarmed = None;
        if self.status.borrow().gate.refusal.is_none() {
            return;
        }
        self.set(|status| status.gate.refusal = None);
        tracing::info!(target: "audit", zone = %self.name,
            "zone {}: the newest candidate is approved again", self.name);
    }
}

/// A moment as people read it, in UTC.
pub(super) fn utc(at: Timestamp) -> String {
    let time =
        i64::try_from(at.0).ok().and_then(|second| jiff::Timestamp::from_second(second).ok());
    time.map_or_else(|| format!("{} s after 1970", at.0), |time| time.to_string())
}

/// A length of time as people read it.
fn length(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours) {
        (0, 0) => format!("{minutes} minutes"),
        (0, _) => format!("{hours} hours {minutes} minutes"),
        _ => format!("{days} days {hours} hours"),
    }
}
