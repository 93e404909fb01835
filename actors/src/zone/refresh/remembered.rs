//! What is remembered of a zone's masters, and what everybody may know of it.
//! In: the state after an event. Out: the store's record, when it changed; [`RefreshStatus`].

use super::ZoneActor;
use crate::runtime::{ActorFutureExt, AsyncContext, Context, WrapFuture};
use dnssec::transfer::schedule::Timers;
use dnssec::{Serial, Timestamp};
use std::net::SocketAddr;
use storage::state::{Refusal, Transferred};

/// What everybody may know of a zone that comes by transfer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RefreshStatus {
    /// Its masters.
    pub masters: Vec<SocketAddr>,
    /// The one that is asked now.
    pub asking: Option<SocketAddr>,
    /// The timers of what was received last.
    pub timers: Timers,
    /// The serial that was received last.
    pub serial: Option<Serial>,
    /// The last transfer that was used.
    pub transfer: Option<Transferred>,
    /// When a master said last that we have its newest version.
    pub confirmed_at: Option<Timestamp>,
    /// When the zone expires if no master says so again.
    pub expires_at: Option<Timestamp>,
    /// When the masters are asked next; `None`: one of them is being asked.
    pub next_refresh: Option<Timestamp>,
    /// When each master last answered as it should: since the start, and the one that the last
    /// transfer came from.
    pub answered: Vec<(SocketAddr, Timestamp)>,
    /// The masters that do not give us the zone: why, and since when.
    pub refusals: Vec<Refusal>,
}

impl ZoneActor {
    /// Shows the state, and has it remembered when it changed.
    pub(super) fn remember_refresh(&mut self, ctx: &mut Context<ZoneActor>) {
        let Some(refreshing) = &mut self.refreshing else { return };
        let (schedule, masters) = (&refreshing.schedule, &refreshing.inbound.masters);
        let mut refresh = refreshing.remembered.clone();
        refresh.confirmed_at = schedule.refreshed_at();
        refresh.ixfr_refused = masters
            .iter()
            .enumerate()
            .filter_map(|(number, it)| Some((it.address, schedule.ixfr_refused_until(number)?)))
            .collect();
        let status = RefreshStatus {
            masters: masters.iter().map(|master| master.address).collect(),
            asking: schedule.asking().map(|ask| masters[ask.master].address),
            timers: schedule.timers(),
            serial: schedule.have(),
            transfer: refresh.transfer.clone(),
            confirmed_at: refresh.confirmed_at,
            expires_at: schedule.expires_at(),
            next_refresh: schedule.look_again_at(),
            answered: refreshing.answered.iter().map(|(master, at)| (*master, *at)).collect(),
            refusals: refresh.refusals.clone(),
        };
        self.services.publications.expire_at(&self.settings.name, status.expires_at);
        let is_news = refresh != refreshing.stored;
        refreshing.stored.clone_from(&refresh);
        self.set(|shown| shown.refresh = Some(status));
        if !is_news {
            return;
        }
        let (services, zone) = (self.services.clone(), self.settings.name.clone());
        let save = async move { services.store.set_refresh(&zone, refresh).await };
        ctx.spawn(save.into_actor(self).map(|saved, actor, _| {
            if let Err(error) = saved {
                // Only the past is lost with it: after a restart the masters are asked anyway.
                tracing::warn!(target: "xfrd", zone = %actor.name, %error,
                    "zone {}: what its masters said was not saved", actor.name);
            }
        }));
    }
}
