//! Changes of CDS that parents are to be told of: each once it is on all of the zone's servers,
//! again after a pause when it fails, and only so often (RFC 9859 §4.2).
//! In: what zones published, as the enforcer hands it on; the clock. Out: NOTIFY(CDS), log lines,
//! [`Announced`] for people.
//! What was acknowledged is durable before it counts: after a restart each zone says again what it
//! publishes, and is told of unless the same was acknowledged.
//! Limits: [`TELLING_MAX`] parents are told at a time; attempts and pauses are `dnssec::parent`'s.

use super::{ParentActor, Told};
use crate::io::local_time::date_time;
use crate::runtime::{ActorFutureExt, AsyncContext, Context, SpawnHandle, WrapFuture};
use crate::settings::zone_text;
use crate::store::StoreError;
use dnssec::parent::{NotifyPolicy, pause_after};
use dnssec::{Name, Timestamp};
use futures_util::future::BoxFuture;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Parents that are told at a time.
const TELLING_MAX: usize = 16;

/// A digest of what a zone asks its parent for; `None`: nothing.
pub type Digest = Option<[u8; 32]>;

/// Reads what a zone's parent acknowledged last.
pub type Recall = Arc<dyn Fn(Name) -> BoxFuture<'static, Result<Digest, StoreError>> + Send + Sync>;
/// Makes durable what he acknowledged now.
pub type Note = Arc<dyn Fn(Name, Digest) -> Saving + Send + Sync>;
/// Whether it is durable.
pub type Saving = BoxFuture<'static, Result<(), StoreError>>;

/// What is durable of announcements: what each parent acknowledged last.
#[derive(Clone)]
pub struct Memory {
    /// Reads it.
    pub recall: Recall,
    /// Writes it.
    pub note: Note,
}

/// What a zone publishes for its parent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// Its digest.
    pub digest: Digest,
    /// How to tell; `None`: nobody is told.
    pub policy: Option<NotifyPolicy>,
    /// From when on.
    pub due: Timestamp,
}

/// Where an announcement stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Announced {
    /// It is to be told then.
    Waits(Timestamp),
    /// It is being told.
    Telling,
    /// It was acknowledged.
    Acknowledged(Timestamp, String),
    /// The same was acknowledged before the last start.
    Before,
    /// The parent has no DSYNC record for it.
    NobodyWants(Timestamp),
    /// It failed, and is told again then.
    Again(u32, Timestamp, String),
    /// It failed too often.
    GivenUp(String),
}

impl std::fmt::Display for Announced {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Announced::Waits(due) => write!(f, "to be told at {}", date_time(*due)),
            Announced::Telling => write!(f, "being told"),
            Announced::Acknowledged(at, by) => {
                write!(f, "acknowledged by {by} at {}", date_time(*at))
            }
            Announced::Before => write!(f, "acknowledged before the last start"),
            Announced::NobodyWants(at) => {
                write!(f, "the parent has no DSYNC record for it (looked at {})", date_time(*at))
            }
            Announced::Again(attempts, due, why) => {
                write!(f, "failed {attempts} times ({why}); again at {}", date_time(*due))
            }
            Announced::GivenUp(why) => write!(f, "given up: {why}"),
        }
    }
}

/// All zones with something to tell.
#[derive(Default)]
pub(super) struct Announcements {
    zones: BTreeMap<Name, Entry>,
    /// When to tell of which zone; one that is being told of is not in it.
    agenda: BTreeSet<(Timestamp, Name)>,
    telling: usize,
    timer: Option<SpawnHandle>,
}

struct Entry {
    announcement: Announcement,
    attempts: u32,
    state: Announced,
    /// Its entry in the agenda.
    next: Option<Timestamp>,
}

/// What an attempt came to.
enum Attempt {
    /// There was nothing to tell.
    Known,
    /// It was told.
    Told(Told),
    Failed(String),
}

impl Announcements {
    pub(super) fn state(&self, zone: &Name) -> Option<Announced> {
        self.zones.get(zone).map(|entry| entry.state.clone())
    }

    pub(super) fn zones(&self) -> impl Iterator<Item = &Name> {
        self.zones.keys()
    }

    /// Zones of which nobody could be told so far.
    pub(super) fn failing(&self) -> usize {
        let is_failing =
            |entry: &&Entry| matches!(entry.state, Announced::Again(..) | Announced::GivenUp(_));
        self.zones.values().filter(is_failing).count()
    }

    pub(super) fn forget(&mut self, zone: &Name) {
        if let Some(next) = self.zones.remove(zone).and_then(|entry| entry.next) {
            self.agenda.remove(&(next, zone.clone()));
        }
    }

    /// After a crash: everything that was not acknowledged is due again.
    pub(super) fn begin_anew(&mut self, now: Timestamp) {
        (self.telling, self.timer) = (0, None);
        self.agenda.clear();
        for (zone, entry) in &mut self.zones {
            entry.next = None;
            if matches!(
                entry.state,
                Announced::Telling | Announced::Waits(_) | Announced::Again(..)
            ) {
                entry.state = Announced::Waits(now);
                entry.next = Some(now);
                self.agenda.insert((now, zone.clone()));
            }
        }
    }
}

impl ParentActor {
    /// Takes in what a zone publishes.
    pub(super) fn announce(
        &mut self,
        zone: Name,
        announcement: Announcement,
        ctx: &mut Context<ParentActor>,
    ) {
        let is_known = self.announcements.zones.get(&zone).is_some_and(|entry| {
            let known = &entry.announcement;
            known.digest == announcement.digest && known.policy == announcement.policy
        });
        if is_known {
            return;
        }
        self.announcements.forget(&zone);
        if announcement.policy.is_none() {
            return;
        }
        let due = match announcement.digest {
            Some(_) => announcement.due,
            // That nothing is asked for is not told, but remembered: what comes then is new.
            None => self.parts.clock.now(),
        };
        let state = Announced::Waits(due);
        let entry = Entry { announcement, attempts: 0, state, next: Some(due) };
        self.announcements.agenda.insert((due, zone.clone()));
        self.announcements.zones.insert(zone, entry);
        self.tell_who_is_due(ctx);
    }

    /// Tells those whose time has come, and sets the timer to the next one's.
    pub(super) fn tell_who_is_due(&mut self, ctx: &mut Context<ParentActor>) {
        let now = self.parts.clock.now();
        if let Some(timer) = self.announcements.timer.take() {
            ctx.cancel_future(timer);
        }
        while self.announcements.telling < TELLING_MAX
            && self.announcements.agenda.first().is_some_and(|(at, _)| *at <= now)
            && let Some((_, zone)) = self.announcements.agenda.pop_first()
        {
            self.begin_telling(zone, ctx);
        }
        // Who has been told looks again; until then there is no room.
        if self.announcements.telling == TELLING_MAX {
            return;
        }
        let Some((at, _)) = self.announcements.agenda.first() else { return };
        let (at, clock) = (*at, self.parts.clock.clone());
        let sleep = async move { clock.sleep_until(at).await };
        let next = sleep.into_actor(self).map(|(), actor, ctx| actor.tell_who_is_due(ctx));
        self.announcements.timer = Some(ctx.spawn(next));
    }

    fn begin_telling(&mut self, zone: Name, ctx: &mut Context<ParentActor>) {
        let Some(entry) = self.announcements.zones.get_mut(&zone) else { return };
        let announcement = entry.announcement.clone();
        // An announcement without a policy is not kept.
        let Some(policy) = announcement.policy.clone() else { return };
        (entry.next, entry.state) = (None, Announced::Telling);
        self.announcements.telling += 1;
        let (memory, tell, digest) =
            (self.parts.memory.clone(), self.parts.tell.clone(), announcement.digest);
        let of = zone.clone();
        let attempt = async move {
            match (memory.recall)(of.clone()).await {
                Ok(known) if known == digest => return (Attempt::Known, Ok(())),
                // It is told twice rather than never.
                Ok(_) | Err(_) => {}
            }
            if digest.is_none() {
                return (Attempt::Known, (memory.note)(of, None).await);
            }
            match tell(of.clone(), policy).await {
                Ok(told @ Told::Acknowledged { .. }) => {
                    (Attempt::Told(told), (memory.note)(of, digest).await)
                }
                Ok(told) => (Attempt::Told(told), Ok(())),
                Err(error) => (Attempt::Failed(error.to_string()), Ok(())),
            }
        };
        ctx.spawn(attempt.into_actor(self).map(move |(attempt, saved), actor, ctx| {
            actor.announcements.telling -= 1;
            if let Err(error) = saved {
                let zone = zone_text(&zone);
                tracing::error!(target: "enforcer", %zone,
                    "what the parent of zone {zone} was told is not saved, so that it may be told \
                     again: {error}");
            }
            actor.end_telling(zone, &announcement, attempt);
            actor.tell_who_is_due(ctx);
        }));
    }

    fn end_telling(&mut self, zone: Name, announcement: &Announcement, attempt: Attempt) {
        let now = self.parts.clock.now();
        let Some(entry) = self.announcements.zones.get_mut(&zone) else { return };
        // Told before it changed: the new one is told in its own time.
        if entry.announcement != *announcement || entry.state != Announced::Telling {
            return;
        }
        let name = zone_text(&zone);
        entry.state = match attempt {
            Attempt::Known if announcement.digest.is_none() => {
                // Nothing is asked for, so there is nothing to show.
                self.announcements.zones.remove(&zone);
                return;
            }
            Attempt::Known => Announced::Before,
            Attempt::Told(Told::Acknowledged { host, address }) => {
                tracing::info!(target: "enforcer", zone = %name,
                    "the parent of zone {name} was told that CDS changed: NOTIFY(CDS) to {host} \
                     ({address}) is acknowledged");
                Announced::Acknowledged(now, format!("{host} ({address})"))
            }
            Attempt::Told(Told::NobodyWants) => {
                tracing::info!(target: "enforcer", zone = %name,
                    "the parent of zone {name} has no DSYNC record for CDS, so nobody is told \
                     that CDS changed");
                Announced::NobodyWants(now)
            }
            Attempt::Failed(why) => {
                entry.attempts += 1;
                match pause_after(entry.attempts) {
                    Some(pause) => {
                        tracing::warn!(target: "enforcer", zone = %name,
                            "the parent of zone {name} could not be told that CDS changed: {why}; \
                             it is told again in {pause} seconds");
                        let due = now.plus(pause);
                        entry.next = Some(due);
                        self.announcements.agenda.insert((due, zone));
                        Announced::Again(entry.attempts, due, why)
                    }
                    None => {
                        tracing::error!(target: "enforcer", zone = %name,
                            "the parent of zone {name} could not be told that CDS changed, and is \
                             not told again: {why}");
                        Announced::GivenUp(why)
                    }
                }
            }
        };
    }
}
