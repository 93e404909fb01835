//! A zone that comes by transfer: its masters are asked, and what they give becomes the input.
//! In: timers, NOTIFYs, orders, ends of runs. Out: runs with a new input, what is remembered of the
//! masters, when the zone expires, OpenDNSSEC's log lines.
//! What came as a whole is in a file before it is used, and stays there until a version made of it
//! is durable: a restart finds it. Changes are applied in memory, to the zone that is signed now or
//! to changes that wait to be; a restart asks for them again. What does not fit, or makes no zone,
//! is not used at all: the next step is a whole zone, or another master.
//! When to ask whom for what is `dnssec::transfer::schedule`'s to say.
//! Limits: one ask at a time; [`REFUSAL_TEXT_MAX`] characters of what is wrong with a master.

mod asking;
mod remembered;

pub use remembered::RefreshStatus;

use super::ZoneActor;
use super::gate::Outcome;
use super::pipeline::{Reading, RunEnd, RunError, RunOrder};
use crate::io::transfer_client::received::first_soa;
use crate::io::zone_files;
use crate::runtime::{ActorFutureExt, AsyncContext, Context, SpawnHandle, WrapFuture};
use crate::settings::ZoneInput;
use crate::stages::StageError;
use dnssec::Serial;
use dnssec::Timestamp;
use dnssec::denial::foreign::is_signed_elsewhere;
use dnssec::transfer::peers::Inbound;
use dnssec::transfer::schedule::{Event, Jitter, Remark, Schedule, Step, Timers};
use dnssec::zone::{ZoneVersion, soa_serial};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use storage::snapshot::zone_file_stem;
use storage::state::Refresh;

/// How the names of received zones end.
pub(crate) const RECEIVED_SUFFIX: &str = ".received";
/// Longest text of a refusal that is remembered.
const REFUSAL_TEXT_MAX: usize = 500;

/// Where a zone is kept that was received as a whole.
pub(crate) fn received_path(folder: &Path, zone: &dnssec::Name) -> PathBuf {
    folder.join(format!("{}{RECEIVED_SUFFIX}", zone_file_stem(zone)))
}

/// What a transfer brought and no version was made of yet.
#[derive(Clone, Debug)]
pub enum ReceivedZone {
    /// A whole zone, in a file.
    Whole(PathBuf),
    /// The zone that was there, changed.
    Changed(Arc<ZoneVersion>),
    /// The same, by updates that the input breaker has let pass.
    Updated(Arc<ZoneVersion>),
}

/// A received zone that waits for a run.
#[derive(Debug)]
struct Pending {
    zone: ReceivedZone,
    /// Which of all received ones.
    number: u64,
}

/// What a run made of a received zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Nothing, or not yet: it was not read, or it is held, or what it made was refused.
    Waits,
    /// It makes no zone.
    Unfit,
    /// What it made must not be published.
    Rejected,
    /// A version that is durable.
    Used,
}

impl Fate {
    /// What the end of a run says of it.
    pub(super) fn of(end: &RunEnd) -> Fate {
        match &end.input_failure {
            // An operator may still let it pass.
            Some(StageError::Held(_)) => Fate::Waits,
            Some(_) => Fate::Unfit,
            None if end.is_read && end.refusal.is_none() => Fate::Used,
            None => match &end.refusal {
                Some(refusal) if refusal.verdict.outcome == Outcome::Rejected => Fate::Rejected,
                _ => Fate::Waits,
            },
        }
    }
}

/// The state of a zone that comes by transfer.
#[derive(Debug)]
pub(super) struct Refreshing {
    inbound: Arc<Inbound>,
    schedule: Schedule,
    remembered: Refresh,
    /// What the store has of it.
    stored: Refresh,
    pending: Option<Pending>,
    received_count: u64,
    /// When each master last answered as it should.
    answered: BTreeMap<SocketAddr, Timestamp>,
    /// What the run under way was given.
    in_run: Option<u64>,
    timer: Option<SpawnHandle>,
    asking: Option<SpawnHandle>,
}

impl ZoneActor {
    /// Begins to ask the masters, when the zone comes from any and is not asked for yet.
    pub(super) fn begin_refresh(&mut self, ctx: &mut Context<ZoneActor>) {
        let ZoneInput::Transfer(inbound) = &self.settings.input else {
            self.end_updates();
            return self.end_refresh(ctx);
        };
        if inbound.is_updated_only() {
            self.end_refresh(ctx);
            return self.begin_updates(ctx);
        }
        let inbound = inbound.clone();
        self.end_updates();
        if self.refreshing.is_some() {
            return;
        }
        let services = self.services.clone();
        let (zone, path) = (self.settings.name.clone(), self.received_path());
        let look = async move {
            let remembered = services.store.refresh(&zone).await;
            let waiting = match services.pool.run(move || first_soa(&path).ok()) {
                Ok(answer) => answer.await.ok().flatten(),
                Err(_) => None,
            };
            (remembered, waiting)
        };
        // Messages that come meanwhile would find nothing to be noted in.
        ctx.wait(look.into_actor(self).map(move |(remembered, waiting), actor, ctx| {
            let remembered = remembered.unwrap_or_else(|error| {
                tracing::warn!(target: "xfrd", zone = %actor.name, %error,
                    "zone {}: what its masters said last is not known", actor.name);
                Refresh::default()
            });
            actor.refresh_from(inbound, remembered, waiting, ctx);
        }));
    }

    fn refresh_from(
        &mut self,
        inbound: Arc<Inbound>,
        remembered: Refresh,
        waiting: Option<Vec<u8>>,
        ctx: &mut Context<ZoneActor>,
    ) {
        let now = self.services.clock.now();
        let mut schedule = Schedule::new(inbound.masters.len(), now);
        let own = self.unsigned.as_ref().and_then(|unsigned| unsigned.soa_rdata());
        let soa = waiting.as_deref().or(own);
        schedule.know(
            soa.and_then(soa_serial),
            soa.and_then(Timers::of_soa),
            remembered.confirmed_at.filter(|_| soa.is_some()),
        );
        for (address, until) in &remembered.ixfr_refused {
            let master = inbound.masters.iter().position(|master| master.address == *address);
            master.into_iter().for_each(|master| schedule.refuse_ixfr(master, *until));
        }
        for refusal in &remembered.refusals {
            let master = inbound.masters.iter().position(|it| it.address == refusal.master);
            master.into_iter().for_each(|master| schedule.suspect(master));
        }
        let transferred = remembered.transfer.as_ref().map(|last| (last.from, last.at));
        self.refreshing = Some(Refreshing {
            inbound,
            schedule,
            answered: transferred.into_iter().collect(),
            stored: remembered.clone(),
            remembered,
            pending: None,
            received_count: 0,
            in_run: None,
            timer: None,
            asking: None,
        });
        if waiting.is_some() {
            tracing::info!(target: "xfrd", zone = %self.name,
                "zone {}: what was received before the restart is used now", self.name);
            self.take_received(ReceivedZone::Whole(self.received_path()), ctx);
        }
        self.advance_refresh(Event::Due, ctx);
    }

    /// The zone comes from elsewhere now.
    fn end_refresh(&mut self, ctx: &mut Context<ZoneActor>) {
        let Some(refreshing) = self.refreshing.take() else { return };
        for handle in refreshing.timer.into_iter().chain(refreshing.asking) {
            ctx.cancel_future(handle);
        }
        self.drop_received_file();
        self.set(|status| status.refresh = None);
        self.services.publications.expire_at(&self.settings.name, None);
    }

    /// Goes by new settings.
    pub(super) fn take_inbound(&mut self, ctx: &mut Context<ZoneActor>) {
        let now = self.services.clock.now();
        if self.is_updated_only() {
            return self.begin_refresh(ctx);
        }
        match (&self.settings.input, &mut self.refreshing) {
            (ZoneInput::Transfer(new), Some(refreshing)) if refreshing.inbound != *new => {
                refreshing.schedule.set_masters(new.masters.len(), now);
                refreshing.inbound = new.clone();
                refreshing.remembered.refusals.clear();
                let is_listed = |it: &SocketAddr| new.masters.iter().any(|own| own.address == *it);
                refreshing.answered.retain(|master, _| is_listed(master));
                refreshing.asking.take().into_iter().for_each(|ask| {
                    ctx.cancel_future(ask);
                });
                self.advance_refresh(Event::Due, ctx);
            }
            (ZoneInput::Transfer(_), Some(_)) => {}
            _ => self.begin_refresh(ctx),
        }
    }

    /// A NOTIFY that was found to be allowed.
    pub(super) fn notified(
        &mut self,
        from: IpAddr,
        serial: Option<Serial>,
        ctx: &mut Context<ZoneActor>,
    ) {
        let Some(refreshing) = &self.refreshing else { return };
        let is_from = |address: IpAddr| address.to_canonical() == from.to_canonical();
        let masters = &refreshing.inbound.masters;
        let master = masters.iter().position(|master| is_from(master.address.ip()));
        tracing::debug!(target: "xfrd", zone = %self.name,
            "zone {} received notify from {from}, serial {}", self.name,
            serial.map_or_else(|| "not given".to_owned(), |serial| serial.to_string()));
        self.advance_refresh(Event::Notified { master, serial }, ctx);
    }

    /// `retransfer`.
    pub(super) fn retransfer(&mut self, ctx: &mut Context<ZoneActor>) {
        self.advance_refresh(Event::Retransfer, ctx);
    }

    /// Carries out what follows from an event.
    fn advance_refresh(&mut self, event: Event, ctx: &mut Context<ZoneActor>) {
        let now = self.services.clock.now();
        let whole_only = !self.is_base_as_wanted();
        let Some(refreshing) = &mut self.refreshing else { return };
        // Differences have to be to what we have.
        refreshing.schedule.set_whole_only(whole_only);
        let Step { ask, look_again, remark } =
            refreshing.schedule.advance(event, now, Jitter(random_per_mille()));
        refreshing.timer.take().into_iter().for_each(|timer| {
            ctx.cancel_future(timer);
        });
        if let Some(at) = look_again {
            self.look_again_at(at, ctx);
        }
        if let Some(remark) = remark {
            self.say_remark(remark);
        }
        if let Some(ask) = ask {
            self.ask_master(ask, ctx);
        }
        self.remember_refresh(ctx);
    }

    fn look_again_at(&mut self, at: Timestamp, ctx: &mut Context<ZoneActor>) {
        let clock = self.services.clock.clone();
        let sleep = async move { clock.sleep_until(at).await };
        let timer = ctx.spawn(sleep.into_actor(self).map(|(), actor, ctx| {
            actor.refreshing.iter_mut().for_each(|refreshing| refreshing.timer = None);
            actor.advance_refresh(Event::Due, ctx);
        }));
        self.refreshing.iter_mut().for_each(|refreshing| refreshing.timer = Some(timer));
    }

    fn say_remark(&self, remark: Remark) {
        let zone = &self.name;
        match remark {
            Remark::NotifyIgnored { have } => tracing::info!(target: "xfrd", %zone,
                "ignore notify: already got zone {zone} serial {have}"),
            Remark::NotifyRemembered => tracing::debug!(target: "xfrd", %zone,
                "zone {zone} is being transferred; it is asked for again after that"),
            Remark::WaitRefresh { length } => tracing::debug!(target: "xfrd", %zone,
                "zone {zone} sets timer timeout refresh {length}"),
            Remark::WaitRetry { length } => tracing::debug!(target: "xfrd", %zone,
                "zone {zone} sets timer timeout retry {length}"),
        }
    }

    /// Has a received zone signed.
    fn take_received(&mut self, zone: ReceivedZone, ctx: &mut Context<ZoneActor>) {
        let Some(refreshing) = &mut self.refreshing else { return };
        refreshing.received_count += 1;
        let is_whole = |zone: &ReceivedZone| matches!(zone, ReceivedZone::Whole(_));
        let takes_the_file = is_whole(&zone);
        let number = refreshing.received_count;
        let replaced = refreshing.pending.replace(Pending { zone, number });
        if !takes_the_file && replaced.is_some_and(|last| is_whole(&last.zone)) {
            // A restart would take it for the newest.
            self.drop_received_file();
        }
        self.read_and_sign(ctx);
    }

    /// Whether there is nothing to sign before a transfer.
    pub(super) fn waits_for_transfer(&self) -> bool {
        let has_pending = || self.refreshing.as_ref().is_some_and(|it| it.pending.is_some());
        matches!(self.settings.input, ZoneInput::Transfer(_))
            && self.unsigned.is_none()
            && !has_pending()
            && !self.has_initial_file()
    }

    /// Whether the last input has the DNSSEC records of its signer exactly if they are wanted.
    fn is_base_as_wanted(&self) -> bool {
        let is_kept = match (&self.basis, &self.unsigned) {
            (Some(basis), _) => basis.is_passed_through(),
            (None, Some(unsigned)) => is_signed_elsewhere(unsigned),
            (None, None) => return true,
        };
        is_kept == self.settings.policy.passthrough
    }

    /// What a run is to read.
    pub(super) fn received(&self) -> Option<ReceivedZone> {
        let refreshing = self.refreshing.as_ref();
        let pending = refreshing.and_then(|refreshing| refreshing.pending.as_ref());
        pending.map(|pending| pending.zone.clone()).or_else(|| self.updated())
    }

    /// A run begins with this order.
    pub(super) fn note_received(&mut self, order: &RunOrder) {
        self.note_updated(order);
        if let Some(refreshing) = &mut self.refreshing {
            let pending = refreshing.pending.as_ref().filter(|_| order.received.is_some());
            refreshing.in_run = pending.map(|pending| pending.number);
        }
    }

    /// A run has ended with a version: of the received zone, or without it.
    pub(super) fn received_ended(&mut self, fate: Fate, ctx: &mut Context<ZoneActor>) {
        match fate {
            Fate::Waits => {}
            Fate::Unfit if self.updating.is_some() => self.reading = Reading::Read,
            Fate::Unfit => self.received_is_unfit(ctx),
            Fate::Rejected => self.received_is_rejected(ctx),
            Fate::Used => {
                self.received_is_used();
                self.updates_are_used(ctx);
            }
        }
        if self.is_updated_only() {
            // Its first content is durable, or was found to stand.
            self.begin_updates(ctx);
        }
    }

    /// A run has failed: perhaps for what it was given.
    pub(super) fn received_failed(&mut self, error: &RunError, ctx: &mut Context<ZoneActor>) {
        match error {
            RunError::Stage(StageError::Input(_) | StageError::Source(_)) => {
                self.received_is_unfit(ctx);
            }
            // It has to be read in another way than before, and is here no more.
            RunError::NoInput if self.unsigned.is_some() => {
                self.advance_refresh(Event::Retransfer, ctx);
            }
            _ => {}
        }
    }

    fn received_is_used(&mut self) {
        let Some(refreshing) = &mut self.refreshing else { return };
        let used = refreshing.in_run.take();
        let is_used = |pending: &mut Pending| Some(pending.number) == used;
        if let Some(Pending { zone: ReceivedZone::Whole(_), .. }) =
            refreshing.pending.take_if(is_used)
        {
            self.drop_received_file();
        }
    }

    /// Of a zone that is passed through, nothing but the transfer can be wrong here: where changes
    /// made what was refused, the whole zone is asked for, once.
    fn received_is_rejected(&mut self, ctx: &mut Context<ZoneActor>) {
        let Some(refreshing) = &mut self.refreshing else { return };
        let rejected = refreshing.in_run.take();
        let is_it = |pending: &Pending| {
            Some(pending.number) == rejected && matches!(pending.zone, ReceivedZone::Changed(_))
        };
        if refreshing.pending.as_ref().is_some_and(is_it) && self.settings.policy.passthrough {
            self.advance_refresh(Event::Retransfer, ctx);
        }
    }

    fn received_is_unfit(&mut self, ctx: &mut Context<ZoneActor>) {
        let have = self.unsigned.as_ref().and_then(|unsigned| unsigned.serial());
        let Some(refreshing) = &mut self.refreshing else { return };
        let unfit = refreshing.in_run.take();
        // A newer one may have come meanwhile.
        let is_unfit = |pending: &mut Pending| Some(pending.number) == unfit;
        let Some(pending) = refreshing.pending.take_if(is_unfit) else { return };
        if let ReceivedZone::Whole(_) = pending.zone {
            self.drop_received_file();
        }
        self.advance_refresh(Event::Unfit { have }, ctx);
    }

    fn received_path(&self) -> PathBuf {
        received_path(&self.services.snapshot_folder, &self.settings.name)
    }

    fn drop_received_file(&self) {
        if self.refreshing.as_ref().is_some_and(|refreshing| refreshing.asking.is_some()) {
            // What is there may be the next zone already, of which the actor is yet to hear.
            return;
        }
        let (path, zone) = (self.received_path(), self.name.clone());
        let used = path.with_extension("used");
        // Moved away at once: a zone that is received meanwhile is not what is removed.
        let moved = zone_files::rename(&path, &used);
        let removed = move || {
            if let Err(error) = moved.and_then(|()| zone_files::remove(&used)) {
                let path = path.display();
                tracing::warn!(target: "xfrd", %zone, %error, "{path} was not removed");
            }
        };
        // One that stays is used again after a restart, which changes nothing.
        let _ = self.pool.submit(removed, |_| ());
    }
}

/// A random number from 0 to 999. Without randomness zones ask at the same time, no worse.
pub(crate) fn random_per_mille() -> u16 {
    let mut octets = [0; 2];
    let _ = getrandom::fill(&mut octets);
    u16::from_be_bytes(octets) % 1000
}
