//! Tells the enforcer which keys a published version shows: waits of rolls count from there
//! (guard W6). In: ends of runs. Out: `EnforcerMessage::Published`.
//! Counting walks the zone, so it is done on a worker, and only when the keys changed or one of
//! them takes over from another.

use super::ZoneActor;
use crate::enforcer::{EnforcerMessage, ZoneKeys};
use crate::runtime::{ActorFutureExt, AsyncContext, Context, WrapFuture};
use dnssec::enforcer::PublishedKeys;
use dnssec::key::KeyRole;
use dnssec::signing::ZoneKey;
use dnssec::signing::census::published_keys;

/// What was told last: the keys of the run, and what the version showed of them.
pub(super) type Reported = Option<(ZoneKeys, PublishedKeys)>;

impl ZoneActor {
    /// Reports what the version that is published now shows of the keys it was made with.
    pub(super) fn report(&mut self, keys: ZoneKeys, ctx: &mut Context<ZoneActor>) {
        let Some(stored) = &self.stored else { return };
        if self.settings.policy.parent.publishes_cds {
            let digest = dnssec::parent::announced(&stored.version);
            let at = self.state.as_ref().and_then(|state| state.last_published);
            let (zone, at) = (self.settings.name.clone(), at.unwrap_or_default());
            // An enforcer that cannot be told now is told after the next run.
            let _ = self.enforcer.tell(EnforcerMessage::Announced { zone, digest, at });
        }
        let is_known = self.reported.as_ref().is_some_and(|(known, _)| *known == keys);
        if is_known && !takes_over(&keys) {
            return;
        }
        let (version, at) = (stored.version.clone(), self.services.clock.now());
        let zone_keys: Vec<ZoneKey> = keys.keys.iter().map(|(key, _)| key.clone()).collect();
        let count = self.pool.run(move || published_keys(&version, &zone_keys, at));
        let Ok(count) = count else { return };
        ctx.spawn(count.into_actor(self).map(move |report, actor, _| {
            let Ok(report) = report else { return };
            let is_old = actor
                .reported
                .as_ref()
                .is_some_and(|(_, told)| PublishedKeys { at: told.at, ..report.clone() } == *told);
            actor.reported = Some((keys, report.clone()));
            if !is_old {
                let zone = actor.settings.name.clone();
                // An enforcer that cannot be told asks nothing of us either; the next run tells.
                if actor.enforcer.tell(EnforcerMessage::Published { zone, report }).is_err() {
                    actor.reported = None;
                }
            }
        }));
    }
}

/// Whether several keys may have signatures over the zone's data, so that each version may show
/// another share of theirs.
fn takes_over(keys: &ZoneKeys) -> bool {
    let signs = |key: &ZoneKey| key.role.signs_zone() || key.signs == Some(KeyRole::Zsk);
    keys.keys.iter().filter(|(key, _)| signs(key)).count() > 1
}
