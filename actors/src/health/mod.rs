//! The health actor: looks at all others from time to time, and keeps what it saw where verdicts
//! and metrics are made from it at once, whatever else is stuck.
//! In: `Observe` of slots and the auditor, states of zones, what is remembered of keys, the health
//! table. Out: a [`Snapshot`] on a board that anybody reads without asking anybody.
//! Never: verdicts; those are `dnssec::health`'s. It tells nobody anything.
//! Limits: the periods below; whoever does not answer in [`ANSWER_MAX`] is seen as he was, with
//! when that was.

mod parts;
mod zones;

use crate::enforcer::EnforcerMessage;
use crate::runtime::{
    Actor, ActorFutureExt, AsyncContext, Child, ChildRef, Clock, Context, HealthTable, Reply,
    Supervised, WrapFuture,
};
use crate::settings::zone_text;
use crate::slot::SlotObserved;
use crate::system::Staff;
use crate::transfers::TransferActor;
use dnssec::health::snapshot::{
    AuditorHealth, ClockHealth, Heard, KeysHealth, Moment, SlotHealth, Snapshot,
};
use dnssec::{Name, Seconds, Timestamp};
use futures_util::future::join_all;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How often actors are looked at. With [`crate::slot`]'s probes, a dead token is an alarm within
/// half a minute.
const LOOK_EVERY: Duration = Duration::from_secs(3);
/// How often the keys of all zones are read.
const KEYS_EVERY: Duration = Duration::from_secs(20);
/// Longest wait for an answer out of an actor's memory.
const ANSWER_MAX: Duration = Duration::from_millis(500);
/// Longest wait for what has to be read.
const READ_MAX: Duration = Duration::from_secs(10);
/// A wall clock that moves by more against the monotonic one was set, in milliseconds.
const STEP_LEAST_MS: i128 = 1000;

/// Where the newest snapshot is; clones show the same.
#[derive(Clone, Debug, Default)]
pub struct HealthBoard {
    newest: watch::Sender<Arc<Snapshot>>,
}

impl HealthBoard {
    /// The newest snapshot.
    pub fn newest(&self) -> Arc<Snapshot> {
        self.newest.borrow().clone()
    }
}

/// What the actor looks at.
pub struct HealthParts {
    /// Everybody.
    pub staff: Staff,
    /// The transfer server.
    pub transfers: ChildRef<TransferActor>,
    /// All actors' lines.
    pub table: HealthTable,
}

/// The actor.
pub struct HealthActor {
    parts: Arc<HealthParts>,
    slots: BTreeMap<String, Heard<SlotHealth>>,
    keys: Option<Heard<KeysHealth>>,
    auditor: Option<Heard<AuditorHealth>>,
    /// What is waived, which only the keys' round reads.
    waived: Vec<(String, u16, Timestamp)>,
    transfers_out: Option<(u64, u64)>,
    /// When each zone was first seen.
    known_since: BTreeMap<Name, Timestamp>,
    /// The wall clock against the uptime, in milliseconds, when they were last compared.
    wall_ahead_ms: Option<i128>,
    clock: ClockHealth,
    looks: u64,
}

/// What a look brought.
struct Look {
    slots: Vec<(String, Option<SlotObserved>)>,
    auditor: Option<AuditorHealth>,
    transfers_out: Option<(u64, u64)>,
}

/// What a round of reading brought.
struct Reading {
    keys: Option<KeysHealth>,
    waived: Option<Vec<(String, u16, Timestamp)>>,
}

impl HealthActor {
    /// One that has seen nobody yet.
    pub fn new(parts: Arc<HealthParts>) -> HealthActor {
        HealthActor {
            parts,
            slots: BTreeMap::new(),
            keys: None,
            auditor: None,
            waived: Vec::new(),
            transfers_out: None,
            known_since: BTreeMap::new(),
            wall_ahead_ms: None,
            clock: ClockHealth::default(),
            looks: 0,
        }
    }

    fn clock(&self) -> &Clock {
        &self.parts.staff.clock
    }

    /// Looks at everybody who answers from memory, and then again after a pause.
    fn look(&mut self, ctx: &mut Context<HealthActor>) {
        let parts = self.parts.clone();
        let look = async move { parts.look().await };
        ctx.spawn(look.into_actor(self).map(|look, actor, ctx| {
            actor.take(look);
            actor.publish();
            ctx.run_later(LOOK_EVERY, |actor, ctx| actor.look(ctx));
        }));
    }

    /// Reads what has to be read, and then again after a pause.
    fn read(&mut self, ctx: &mut Context<HealthActor>) {
        let parts = self.parts.clone();
        let at = moment(self.clock()).uptime;
        self.keys.get_or_insert(Heard { value: None, at });
        let read = async move { parts.read().await };
        ctx.spawn(read.into_actor(self).map(move |reading, actor, ctx| {
            if let Some(keys) = reading.keys {
                actor.keys = Some(Heard { value: Some(keys), at });
            }
            if let Some(waived) = reading.waived {
                actor.waived = waived;
            }
            actor.publish();
            ctx.run_later(KEYS_EVERY, |actor, ctx| actor.read(ctx));
        }));
    }

    fn take(&mut self, look: Look) {
        self.looks += 1;
        let Moment { uptime, .. } = moment(self.clock());
        let real = self.clock().uptime();
        for (name, observed) in look.slots {
            let heard = self.slots.entry(name).or_insert(Heard { value: None, at: uptime });
            // One that is being opened is not heard of: that is a fault when it lasts.
            if let Some(observed) = observed.filter(|observed| !observed.is_opening) {
                *heard = Heard { value: Some(parts::slot(&observed, real)), at: uptime };
            }
        }
        let auditor = self.auditor.get_or_insert(Heard { value: None, at: uptime });
        if let Some(value) = look.auditor {
            *auditor = Heard { value: Some(value), at: uptime };
        }
        self.transfers_out = look.transfers_out.or(self.transfers_out);
        self.compare_clocks();
    }

    /// Notes when the wall clock was set; leaps of an operator are no fault.
    fn compare_clocks(&mut self) {
        let clock = self.clock();
        let wall = clock.since_epoch().saturating_sub(Duration::from_secs(clock.leapt().0));
        let ahead = wall.as_millis() as i128 - clock.uptime().as_millis() as i128;
        if let Some(before) = self.wall_ahead_ms {
            let step = ahead - before;
            if step.abs() >= STEP_LEAST_MS {
                let seconds = i64::try_from(step / 1000).unwrap_or(i64::MAX);
                self.clock.step = Some((seconds, moment(self.clock()).uptime));
            }
        }
        self.wall_ahead_ms = Some(ahead);
    }

    /// Puts what is known on the board.
    fn publish(&mut self) {
        let staff = &self.parts.staff;
        let now = moment(&staff.clock);
        let running = staff.zones.all();
        self.known_since.retain(|name, _| staff.zones.get(name).is_some());
        let publications = staff.zones.publications();
        let mut zones = Vec::with_capacity(running.len());
        for zone in &running {
            let name = &zone.settings.name;
            let since = *self.known_since.entry(name.clone()).or_insert(now.wall);
            let output = publications.status(name).map(|status| status.health(now.wall));
            let updates = publications.updates(name);
            zones.push(zones::health(zone, since, output, updates.as_ref()));
        }
        zones.sort_by(|one, other| one.name.cmp(&other.name));
        let auditor = self.auditor.clone().map(|heard| Heard {
            value: heard.value.map(|value| AuditorHealth { waived: self.waived.clone(), ..value }),
            ..heard
        });
        let jobs_waiting = staff.pool.observe().queued as u64;
        let snapshot = Snapshot {
            taken: Some(now),
            version: env!("CARGO_PKG_VERSION"),
            zones,
            slots: self.slots.iter().map(|(name, heard)| (name.clone(), heard.clone())).collect(),
            keys: self.keys.clone(),
            auditor,
            actors: parts::actors(&self.parts.table),
            clock: self.clock,
            jobs_waiting,
            transfers_out: self.transfers_out,
        };
        staff.health.newest.send_replace(Arc::new(snapshot));
    }
}

/// Now, on both clocks.
pub fn moment(clock: &Clock) -> Moment {
    Moment { wall: clock.now(), uptime: Seconds(clock.uptime().as_secs()) }
}

impl HealthParts {
    async fn look(&self) -> Look {
        let slots = self.staff.slots().iter().map(|slot| async move {
            let path = slot.path();
            let name = path.rsplit_once("/slot ").map_or(&**path, |(_, name)| name);
            (name.to_owned(), slot.observe(ANSWER_MAX).await.ok())
        });
        let (slots, auditor, transfers) = tokio::join!(
            join_all(slots),
            self.staff.auditor.observe(ANSWER_MAX),
            self.transfers.observe(ANSWER_MAX)
        );
        let transfers_out = transfers.ok().map(|it| (it.transfers, it.turned_away));
        Look { slots, auditor: auditor.ok().map(|status| parts::auditor(&status)), transfers_out }
    }

    async fn read(&self) -> Reading {
        let store = self.staff.zones.store();
        let (lives, waivers) = tokio::join!(
            tokio::time::timeout(READ_MAX, store.lives()),
            tokio::time::timeout(READ_MAX, store.waivers(None))
        );
        let (agenda, parents) = tokio::join!(
            self.ask(|reply| EnforcerMessage::Agenda { reply }),
            self.ask(|reply| EnforcerMessage::Parents { zone: None, reply })
        );
        let now = self.staff.clock.now();
        let waived = waivers.ok().and_then(Result::ok).map(|waivers| {
            let counts = waivers.into_iter().filter(|(_, waiver)| waiver.until > now);
            counts.map(|(zone, it)| (zone_text(&zone), it.finding, it.until)).collect()
        });
        // All of it or nothing: half an answer would look like health.
        let known = lives.ok().and_then(Result::ok).zip(agenda).zip(parents);
        let keys = known.map(|((lives, agenda), parents)| parts::keys(lives, agenda, &parents));
        Reading { keys, waived }
    }

    async fn ask<T>(&self, message: impl FnOnce(Reply<T>) -> EnforcerMessage) -> Option<T> {
        let (reply, answer) = Reply::channel();
        let enforcer = &self.staff.enforcer;
        enforcer.tell(message(reply)).ok()?;
        answer.within(enforcer.to(), READ_MAX).await.ok()
    }
}

impl Actor for HealthActor {
    type Context = Context<HealthActor>;

    fn started(&mut self, ctx: &mut Context<HealthActor>) {
        self.look(ctx);
        self.read(ctx);
    }
}

impl Supervised for HealthActor {
    fn restarting(&mut self, _: &mut Context<HealthActor>) {
        *self = HealthActor::new(self.parts.clone());
    }
}

impl Child for HealthActor {
    /// How often it has looked since its last start.
    type Observed = u64;

    fn observe(&self) -> u64 {
        self.looks
    }
}
