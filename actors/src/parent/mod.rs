//! The watcher of parents: asks the servers that a policy names (`<Agents>`) which DS they show,
//! as long as one is on its way.
//! In: [`ParentMessage`] from the enforcer; the clock. Out: [`ParentEvent`], a log line whenever
//! the servers disagree in another way than before.
//! What answers mean is `dnssec::parent`'s. Nothing here is durable: after a restart the waits
//! that count from what was seen begin anew, which is late, but safe.
//! A zone with nothing on its way costs nothing. Limits: [`ROUNDS_MAX`] zones are asked about at
//! a time.

mod messages;
#[cfg(test)]
mod tests;

pub use messages::{ParentEvent, ParentMessage, WatchOrder};

use crate::io::dns_query;
use crate::runtime::{
    Actor, ActorFutureExt, AsyncContext, Child, Clock, Context, Handler, Recipient, SpawnHandle,
    Supervised, WrapFuture,
};
use crate::settings::zone_text;
use dnssec::parent::{Heard, Rounds, disagreement, read_response};
use dnssec::{Name, Timestamp};
use futures_util::future::{BoxFuture, join_all};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

/// Zones about which servers are asked at a time.
const ROUNDS_MAX: usize = 64;

/// How a server is asked about a zone.
pub type Ask = Arc<dyn Fn(SocketAddr, Name) -> BoxFuture<'static, Heard> + Send + Sync>;

/// What the watcher works with.
#[derive(Clone)]
pub struct ParentParts {
    /// The time.
    pub clock: Clock,
    /// How servers are asked.
    pub ask: Ask,
}

/// The watcher of parents.
pub struct ParentActor {
    parts: ParentParts,
    zones: BTreeMap<Name, Watched>,
    /// When to ask about which zone; one that is asked about now is not in it.
    agenda: BTreeSet<(Timestamp, Name)>,
    under_way: usize,
    timer: Option<SpawnHandle>,
    observed: ParentObserved,
}

struct Watched {
    order: Arc<WatchOrder>,
    to: Recipient<ParentEvent>,
    /// Its entry in the agenda.
    next: Option<Timestamp>,
    rounds: Rounds,
    /// The disagreement that the log tells of.
    told: Option<String>,
}

/// What operators see of the watcher.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ParentObserved {
    /// Zones with a DS on its way.
    pub zones: usize,
    /// Zones whose servers did not all answer alike in the last round.
    pub disagreeing: usize,
    /// Rounds since the last start.
    pub rounds: u64,
}

/// Asks by the network.
pub fn network() -> Ask {
    Arc::new(|server, zone| {
        Box::pin(async move {
            match dns_query::ask_for_ds(server, &zone).await {
                Ok(response) => match read_response(&zone, &response) {
                    Ok(shown) => Heard::Shown(shown),
                    Err(unusable) => Heard::Unusable(unusable),
                },
                Err(error) => Heard::Silent(error.to_string()),
            }
        })
    })
}

impl ParentActor {
    /// A watcher.
    pub fn new(parts: ParentParts) -> ParentActor {
        ParentActor {
            parts,
            zones: BTreeMap::new(),
            agenda: BTreeSet::new(),
            under_way: 0,
            timer: None,
            observed: ParentObserved::default(),
        }
    }

    fn watch(
        &mut self,
        zone: Name,
        order: Arc<WatchOrder>,
        to: Recipient<ParentEvent>,
        ctx: &mut Context<ParentActor>,
    ) {
        let known = self.forget(&zone);
        let (rounds, told) = known.map_or_else(Default::default, |one| (one.rounds, one.told));
        let now = self.parts.clock.now();
        self.agenda.insert((now, zone.clone()));
        self.zones.insert(zone, Watched { order, to, next: Some(now), rounds, told });
        self.ask_who_is_due(ctx);
    }

    fn forget(&mut self, zone: &Name) -> Option<Watched> {
        let known = self.zones.remove(zone)?;
        if let Some(next) = known.next {
            self.agenda.remove(&(next, zone.clone()));
        }
        Some(known)
    }

    /// Begins the rounds whose time has come, and sets the timer to the next one's.
    fn ask_who_is_due(&mut self, ctx: &mut Context<ParentActor>) {
        let now = self.parts.clock.now();
        if let Some(timer) = self.timer.take() {
            ctx.cancel_future(timer);
        }
        while self.under_way < ROUNDS_MAX
            && self.agenda.first().is_some_and(|(at, _)| *at <= now)
            && let Some((_, zone)) = self.agenda.pop_first()
        {
            if let Some(watched) = self.zones.get_mut(&zone) {
                watched.next = None;
                let order = watched.order.clone();
                self.begin_round(zone, order, ctx);
            }
        }
        // Whose round ends looks again; until then there is no room.
        if self.under_way == ROUNDS_MAX {
            return;
        }
        let Some((at, _)) = self.agenda.first() else { return };
        let (at, clock) = (*at, self.parts.clock.clone());
        let sleep = async move { clock.sleep_until(at).await };
        let next = sleep.into_actor(self).map(|(), actor, ctx| actor.ask_who_is_due(ctx));
        self.timer = Some(ctx.spawn(next));
    }

    fn begin_round(&mut self, zone: Name, order: Arc<WatchOrder>, ctx: &mut Context<ParentActor>) {
        self.under_way += 1;
        let (ask, own) = (self.parts.ask.clone(), order.clone());
        let of = zone.clone();
        let round = async move {
            let one = |server: &SocketAddr| ask(*server, of.clone());
            join_all(own.agents.addresses.iter().map(one)).await
        };
        ctx.spawn(round.into_actor(self).map(move |heard, actor, ctx| {
            actor.under_way -= 1;
            actor.end_round(zone, order, heard);
            actor.ask_who_is_due(ctx);
        }));
    }

    fn end_round(&mut self, zone: Name, order: Arc<WatchOrder>, heard: Vec<Heard>) {
        self.observed.rounds += 1;
        let now = self.parts.clock.now();
        let Some(watched) = self.zones.get_mut(&zone) else { return };
        // Asked before the order changed: the new one has its own round.
        if !Arc::ptr_eq(&watched.order, &order) {
            return;
        }
        let sightings = watched.rounds.take(&zone, &order.keys, &heard, now);
        let asked: Vec<(SocketAddr, Heard)> =
            order.agents.addresses.iter().copied().zip(heard).collect();
        watched.tell(&zone, disagreement(&zone, &order.keys, &asked));
        let next = now.plus(order.agents.interval);
        watched.next = Some(next);
        self.agenda.insert((next, zone.clone()));
        // An enforcer that is gone asks anew when it is back.
        watched.to.do_send(ParentEvent { zone, order, sightings });
    }
}

impl Watched {
    /// Tells people of a disagreement, once.
    fn tell(&mut self, zone: &Name, found: Option<String>) {
        let zone = zone_text(zone);
        match (&found, &self.told) {
            (Some(found), told) if told.as_ref() != Some(found) => {
                tracing::warn!(target: "enforcer", %zone,
                    "the parent's servers do not agree about the DS of zone {zone}, which waits \
                     for them: {found}");
            }
            (None, Some(_)) => tracing::info!(target: "enforcer", %zone,
                "all of the parent's servers answer alike about the DS of zone {zone} again"),
            _ => {}
        }
        self.told = found;
    }
}

impl Actor for ParentActor {
    type Context = Context<ParentActor>;

    fn started(&mut self, ctx: &mut Context<ParentActor>) {
        let now = self.parts.clock.now();
        self.agenda = self.zones.keys().map(|zone| (now, zone.clone())).collect();
        self.zones.values_mut().for_each(|watched| watched.next = Some(now));
        self.ask_who_is_due(ctx);
    }
}

impl Supervised for ParentActor {
    /// The orders stay; what was seen is forgotten, since the fault may be in it.
    fn restarting(&mut self, _: &mut Context<ParentActor>) {
        self.under_way = 0;
        self.timer = None;
        self.observed = ParentObserved::default();
        self.zones.values_mut().for_each(|watched| watched.rounds = Rounds::default());
    }
}

impl Child for ParentActor {
    type Observed = ParentObserved;

    fn observe(&self) -> ParentObserved {
        let disagreeing = self.zones.values().filter(|watched| watched.told.is_some()).count();
        ParentObserved { zones: self.zones.len(), disagreeing, ..self.observed }
    }
}

impl Handler<ParentMessage> for ParentActor {
    type Result = ();

    fn handle(&mut self, message: ParentMessage, ctx: &mut Context<ParentActor>) {
        match message {
            ParentMessage::Watch { zone, order, to } => self.watch(zone, order, to, ctx),
            ParentMessage::Forget { zone } => drop(self.forget(&zone)),
        }
    }
}
