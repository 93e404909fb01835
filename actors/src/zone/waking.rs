//! What wakes a zone that waits after a failure: a token of its keys was opened.
//! In: openings of tokens. Out: runs.

use super::ZoneActor;
use crate::runtime::{ActorFutureExt, AsyncContext, Context, WrapFuture};
use crate::slot::Openings;
use dnssec::policy::Policy;
use std::collections::BTreeSet;

impl ZoneActor {
    /// A zone that waits after a failure tries again when a token of its keys was opened.
    pub(super) fn wait_for_opening(&mut self, ctx: &mut Context<ZoneActor>) {
        let (mut openings, seen) = (self.openings.clone(), self.openings_of_tokens());
        let policy = self.settings.policy.clone();
        let opened = async move {
            openings.wait_for(|counts| openings_of(&policy, counts) != seen).await.map(|_| ())
        };
        ctx.spawn(opened.into_actor(self).map(|opened, actor, ctx| {
            // An error means that all slots are gone, and the system with them.
            if opened.is_err() {
                return;
            }
            if actor.failures > 0 {
                actor.want_run(ctx);
            }
            actor.wait_for_opening(ctx);
        }));
    }

    /// How often tokens of its keys were opened.
    pub(super) fn openings_of_tokens(&self) -> u64 {
        openings_of(&self.settings.policy, &self.openings.borrow())
    }
}

/// How often tokens of this policy's keys were opened.
fn openings_of(policy: &Policy, counts: &Openings) -> u64 {
    let repositories: BTreeSet<&String> =
        policy.keys.keys.iter().map(|key| &key.repository).collect();
    repositories.into_iter().filter_map(|repository| counts.get(repository)).sum()
}
