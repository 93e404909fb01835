//! The watcher of parents: asks the servers that a policy names (`<Agents>`) which DS they show,
//! as long as one is on its way; and tells parents of changes (`<Notify>`, see `announcing`).
//! In: [`ParentMessage`] from the enforcer; the clock. Out: [`ParentEvent`], a log line whenever
//! the servers disagree in another way than before.
//! What answers mean is `dnssec::parent`'s. What was seen is not durable: after a restart the waits
//! that count from it begin anew, which is late, but safe.
//! A zone with nothing on its way costs nothing. Limits: [`ROUNDS_MAX`] zones are asked about at
//! a time.

mod announcing;
mod asking;
mod messages;
mod telling;
#[cfg(test)]
mod tests;

pub use announcing::{Announced, Announcement, Digest, Memory, Note, Recall, Saving};
pub use asking::{Ask, Question, Trust};
pub use messages::{ParentEvent, ParentMessage, ParentStatus, WatchOrder, WatchStatus};
pub use telling::{ResolverError, Tell, TellError, Told};

use crate::runtime::{
    Actor, ActorFutureExt, AsyncContext, Child, Clock, Context, Handler, Recipient, SpawnHandle,
    Supervised, WrapFuture,
};
use crate::settings::zone_text;
use crate::store::StoreClient;
use announcing::Announcements;
use dnssec::parent::{Heard, Rounds, Sightings, disagreement};
use dnssec::{Name, Timestamp};
use futures_util::future::join_all;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

/// Zones about which servers are asked at a time.
const ROUNDS_MAX: usize = 64;

/// What the watcher works with.
#[derive(Clone)]
pub struct ParentParts {
    /// The time.
    pub clock: Clock,
    /// How servers are asked.
    pub ask: Ask,
    /// How parents are told.
    pub tell: Tell,
    /// What they acknowledged.
    pub memory: Memory,
}

impl ParentParts {
    /// Asks and tells by the network, and keeps what was acknowledged in `store`.
    pub fn network(clock: Clock, store: StoreClient) -> ParentParts {
        let reader = Arc::new(store);
        let writer = reader.clone();
        let memory = Memory {
            recall: Arc::new(move |zone| {
                let store = reader.clone();
                Box::pin(async move { store.announced(&zone).await })
            }),
            note: Arc::new(move |zone, digest| {
                let store = writer.clone();
                Box::pin(async move { store.set_announced(&zone, digest).await })
            }),
        };
        ParentParts { clock, ask: asking::network(), tell: telling::network(), memory }
    }
}

/// The watcher of parents.
pub struct ParentActor {
    parts: ParentParts,
    zones: BTreeMap<Name, Watched>,
    /// When to ask about which zone; one that is asked about now is not in it.
    agenda: BTreeSet<(Timestamp, Name)>,
    under_way: usize,
    timer: Option<SpawnHandle>,
    announcements: Announcements,
    observed: ParentObserved,
}

struct Watched {
    order: Arc<WatchOrder>,
    to: Recipient<ParentEvent>,
    /// Its entry in the agenda.
    next: Option<Timestamp>,
    rounds: Rounds,
    /// What the last round showed.
    seen: Option<Sightings>,
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
    /// Zones of whose changes the parent could not be told.
    pub untold: usize,
    /// Rounds since the last start.
    pub rounds: u64,
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
            announcements: Announcements::default(),
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
        let told = told.filter(|_| !order.is_calm);
        let now = self.parts.clock.now();
        self.agenda.insert((now, zone.clone()));
        let seen = None;
        self.zones.insert(zone, Watched { order, to, next: Some(now), rounds, seen, told });
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
        let now = self.parts.clock.now();
        let round = async move {
            let trust = asking::trust(&own.agents).await;
            let one = |server: &SocketAddr| {
                ask(Question { server: *server, zone: of.clone(), trust: trust.clone(), now })
            };
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
        if !order.is_calm {
            watched.tell(&zone, disagreement(&zone, &order.keys, &asked));
        }
        let next = now.plus(order.agents.interval);
        watched.next = Some(next);
        watched.seen = Some(sightings.clone());
        self.agenda.insert((next, zone.clone()));
        // An enforcer that is gone asks anew when it is back.
        watched.to.do_send(ParentEvent { zone, order, sightings });
    }
}

impl ParentActor {
    fn status(&self, wanted: Option<Name>) -> Vec<ParentStatus> {
        let zones: BTreeSet<&Name> = self.zones.keys().chain(self.announcements.zones()).collect();
        let is_wanted = |zone: &&Name| wanted.as_ref().is_none_or(|wanted| wanted == *zone);
        let status = |zone: &Name| ParentStatus {
            zone: zone.clone(),
            watch: self.zones.get(zone).map(|watched| WatchStatus {
                order: watched.order.clone(),
                seen: watched.seen.clone(),
                disagreement: watched.told.clone(),
                next: watched.next,
            }),
            announced: self.announcements.state(zone),
        };
        zones.into_iter().filter(is_wanted).map(status).collect()
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
        self.tell_who_is_due(ctx);
    }
}

impl Supervised for ParentActor {
    /// The orders stay; what was seen is forgotten, since the fault may be in it.
    fn restarting(&mut self, _: &mut Context<ParentActor>) {
        self.under_way = 0;
        self.timer = None;
        self.observed = ParentObserved::default();
        for watched in self.zones.values_mut() {
            (watched.rounds, watched.seen) = (Rounds::default(), None);
        }
        self.announcements.begin_anew(self.parts.clock.now());
    }
}

impl Child for ParentActor {
    type Observed = ParentObserved;

    fn observe(&self) -> ParentObserved {
        let disagreeing = self.zones.values().filter(|watched| watched.told.is_some()).count();
        let untold = self.announcements.failing();
        ParentObserved { zones: self.zones.len(), disagreeing, untold, ..self.observed }
    }
}

impl Handler<ParentMessage> for ParentActor {
    type Result = ();

    fn handle(&mut self, message: ParentMessage, ctx: &mut Context<ParentActor>) {
        match message {
            ParentMessage::Watch { zone, order, to } => self.watch(zone, order, to, ctx),
            ParentMessage::Forget { zone } => drop(self.forget(&zone)),
            ParentMessage::Announce { zone, announcement } => {
                self.announce(zone, announcement, ctx);
            }
            ParentMessage::Leave { zone } => {
                self.forget(&zone);
                self.announcements.forget(&zone);
            }
            ParentMessage::Status { zone, reply } => reply.send(self.status(zone)),
        }
    }
}
