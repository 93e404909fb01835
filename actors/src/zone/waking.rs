//! What wakes a zone that waits after a failure, or with something left: a token of its keys was
//! opened.
//! In: openings of tokens, ends of runs. Out: runs, the alarm about what was left.

use super::signing::Late;
use super::{ZoneActor, status};
use crate::runtime::{ActorFutureExt, AsyncContext, Context, WrapFuture};
use crate::slot::Openings;
use dnssec::Timestamp;
use dnssec::policy::Policy;
use std::collections::BTreeSet;

impl ZoneActor {
    /// A zone that waits for a token tries again when a token of its keys was opened.
    pub(super) fn wait_for_opening(&mut self, ctx: &mut Context<ZoneActor>) {
        let (mut openings, seen) = (self.openings.clone(), self.openings_of_tokens());
        let newest = self.newest.clone();
        let opened = async move {
            // The policy of the moment: it may name other tokens than the one of the beginning.
            let is_other = |counts: &Openings| openings_of(&newest.borrow().policy, counts) != seen;
            openings.wait_for(is_other).await.map(|_| ())
        };
        ctx.spawn(opened.into_actor(self).map(|opened, actor, ctx| {
            // An error means that all slots are gone, and the system with them.
            if opened.is_err() {
                return;
            }
            if actor.failures > 0 || actor.late_told.is_some() {
                actor.want_run(ctx);
            }
            actor.wait_for_opening(ctx);
        }));
    }

    /// Says what was left for a token that is away: at first, and with each pass of the resign
    /// timer; not each time that the token comes and goes again.
    pub(super) fn tell_late(&mut self, late: Option<&Late>, now: Timestamp) {
        let resign = self.settings.policy.signatures.resign;
        match late {
            Some(late) if self.late_told.is_none_or(|told| now >= told.plus(resign)) => {
                status::log_late(&self.name, late);
                self.late_told = Some(now);
            }
            Some(_) => {}
            None if self.late_told.take().is_some() => {
                tracing::info!(target: "signer", zone = %self.name,
                    "the DNSKEY RRset of zone {} is signed in time again", self.name);
            }
            None => {}
        }
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
