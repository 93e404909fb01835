//! What the parents of zones show: has it watched while a DS is on its way, and keeps what was
//! seen for the zone's next turn (guard W6). Else it is looked at each [`CALM_INTERVAL`], for the
//! health alone: a parent's mistake is seen before its users see it.
//! In: what a turn found, [`ParentEvent`]. Out: orders to the watcher. Never: what a sighting
//! means; that is `dnssec::enforcer`'s.

use super::jobs::Task;
use super::{EnforcerActor, Watched};
use crate::parent::{Announcement, Digest, ParentEvent, ParentMessage, WatchOrder};
use crate::runtime::{AsyncContext, Context, Handler};
use dnssec::enforcer::DsSighting;
use dnssec::parent::{ParentalAgents, Sightings, WatchedKey};
use dnssec::{Name, Seconds, Timestamp};
use std::sync::Arc;

/// How often a parent is asked, at most, that is to change nothing.
const CALM_INTERVAL: Seconds = Seconds(1800);

/// What is known of a zone's parent.
#[derive(Default)]
pub(super) struct Observation {
    /// What the watcher was told to look for.
    order: Option<Arc<WatchOrder>>,
    /// What it saw of that last.
    seen: Option<Sightings>,
}

impl Watched {
    /// The DS RRsets that the parent showed lately.
    pub(super) fn shown_ds(&self, now: Timestamp) -> Vec<Vec<Vec<u8>>> {
        let Some(agents) = &self.policy.parent.agents else { return Vec::new() };
        if self.observation.order.as_ref().is_none_or(|order| order.is_calm) {
            return Vec::new();
        }
        let seen = self.observation.seen.as_ref();
        let fresh = seen.filter(|seen| seen.are_fresh(agents.interval, now));
        fresh.map(|seen| seen.sets.clone()).unwrap_or_default()
    }

    /// What the parent shows, for a turn at `now`; `None` where the policy has nobody asked.
    pub(super) fn parent(&self, now: Timestamp) -> Option<Vec<DsSighting>> {
        let interval = self.policy.parent.agents.as_ref()?.interval;
        let seen = self.observation.seen.as_ref().filter(|seen| seen.are_fresh(interval, now));
        Some(seen.map(|seen| seen.of_keys.clone()).unwrap_or_default())
    }
}

impl EnforcerActor {
    /// Has the parent watched for these keys of a zone, and no others; without any, calmly.
    pub(super) fn observe_parent(
        &mut self,
        zone: &Name,
        keys: Vec<WatchedKey>,
        ctx: &mut Context<EnforcerActor>,
    ) {
        let Some(watched) = self.zones.get_mut(zone) else { return };
        // Of a zone that is passed through, the DS alone is of interest: for whoever signs it.
        let is_calm = keys.is_empty() && !watched.policy.passthrough;
        let order = watched.policy.parent.agents.clone().map(|agents| {
            let interval = if is_calm { CALM_INTERVAL } else { Seconds(0) }.max(agents.interval);
            WatchOrder { agents: ParentalAgents { interval, ..agents }, keys, is_calm }
        });
        if watched.observation.order.as_deref() == order.as_ref() {
            return;
        }
        let order = order.map(Arc::new);
        let message = match order.clone() {
            Some(order) => {
                let to = ctx.address().recipient();
                ParentMessage::Watch { zone: zone.clone(), order, to }
            }
            None => ParentMessage::Forget { zone: zone.clone() },
        };
        // What was seen of other keys, or on their way in, says nothing now.
        watched.observation = Observation { order, seen: None };
        if let Err(undelivered) = self.pass.parts.parent.tell(message) {
            tracing::error!(target: "enforcer", error = %undelivered.error,
                "the parent's servers are not asked");
            // The next look tries again.
            watched.observation = Observation::default();
        }
    }

    /// Has the parent of a zone told of what the zone published, when its servers have it.
    pub(super) fn announce(&self, zone: Name, digest: Digest, at: Timestamp) {
        let Some(watched) = self.zones.get(&zone) else { return };
        let policy = watched.policy.parent.notify.clone();
        let delay = policy.as_ref().and_then(|notify| notify.delay);
        let due = at.plus(delay.unwrap_or(watched.policy.zone.propagation_delay));
        let announcement = Announcement { digest, policy, due };
        // A watcher that takes none now hears of it again after the zone's next run.
        let _ = self.pass.parts.parent.tell(ParentMessage::Announce { zone, announcement });
    }

    /// Has the parent of a zone that is gone watched no more.
    pub(super) fn leave_parent(&self, zone: &Name) {
        // A watcher that takes no orders now only asks in vain.
        let _ = self.pass.parts.parent.tell(ParentMessage::Leave { zone: zone.clone() });
    }
}

impl Handler<ParentEvent> for EnforcerActor {
    type Result = ();

    fn handle(&mut self, event: ParentEvent, ctx: &mut Context<EnforcerActor>) {
        let Some(watched) = self.zones.get_mut(&event.zone) else { return };
        // An answer to what was asked before the zone changed is none.
        if watched.observation.order.as_ref().is_some_and(|order| Arc::ptr_eq(order, &event.order))
        {
            watched.observation.seen = Some(event.sightings);
            self.take(event.zone, Task::Look, ctx);
        }
    }
}
