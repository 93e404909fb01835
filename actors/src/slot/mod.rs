//! The slot actor of one repository: opens its token, keeps it open, lends it to the sign stage,
//! and makes keys. Opening and key generation block, so they run on threads of the slot's own.
//! A token that signs nothing for [`PROBE_AFTER`] is asked for a signature, so that one that fails
//! is known, and being mended, before the next signature is due (rule HSM-6).
//! In: [`SlotMessage`]. Out: the open slot, public keys, or why there are none; a count of
//! openings, which wakes zones that wait for a token.
//! A token that is away, or a module that fails, closes the slot and is tried again by itself;
//! one that lies, or that an operator has to mend, is tried again when the operator says so. A PIN
//! that was refused is not offered again by this process.
//! Never: which key is needed; that is the enforcer's.
//! Limits: pauses of [`PAUSE_FIRST`] doubling to [`PAUSE_MAX`]. A failure that lasts is told once.

mod client;
mod identity;
mod messages;
mod open;
mod room;
mod watched;

pub use client::SlotClient;
pub use identity::{TokenBook, known};
pub use messages::SlotMessage;
pub use open::{NewToken, OpenSlot, hosted, hosted_within, open_token};
pub use room::Room;
pub use watched::Work;

use crate::runtime::{
    Actor, ActorFutureExt, AsyncContext, Child, Clock, Context, Handler, Reply, SpawnHandle,
    Supervised, WorkerPool, WrapFuture,
};
use crate::settings::RepositorySettings;
use dnssec::Timestamp;
use dnssec::key_room::{Forecast, KeyDemand};
use hsm::group::MemberStatus;
use hsm::{Disposition, GenerateRequest, Slot, SlotError};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use watched::WatchedSlot;

/// Longest wait for a slot's answer; RSA keys take their time.
pub const SLOT_DEADLINE: Duration = Duration::from_secs(120);
/// Pause before a token is tried again for the first time.
const PAUSE_FIRST: Duration = Duration::from_secs(1);
/// Longest pause: a token that is back is in use well within a minute, opening included.
const PAUSE_MAX: Duration = Duration::from_secs(15);
/// A slot that was open for so long begins with the first pause again; one that opens and fails
/// in turns does not.
const WELL_FOR: Duration = Duration::from_secs(60);
/// A token that has signed nothing for so long is asked for a signature of no use: one that is dead
/// is an alarm within half a minute.
const PROBE_AFTER: Duration = Duration::from_secs(15);

/// Why there is nothing from a slot.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SlotFailure {
    /// The slot said no.
    #[error(transparent)]
    Slot(SlotError),
    /// The slot actor did not answer.
    #[error("slot of repository {repository} does not answer: {cause}")]
    Silent {
        /// The repository.
        repository: String,
        /// What went wrong.
        cause: String,
    },
}

/// Requests wait for an opening, unless the last one took longer than this to fail.
const WAITED_FOR: Duration = Duration::from_secs(5);

/// How a slot is.
enum State {
    Opening,
    Open(Arc<WatchedSlot>),
    Closed(SlotError),
}

/// The actor of one repository.
pub struct SlotActor {
    settings: RepositorySettings,
    new_token: NewToken,
    open: OpenSlot,
    pool: WorkerPool,
    clock: Clock,
    openings: watch::Sender<Openings>,
    book: TokenBook,
    demand: KeyDemand,
    state: State,
    /// Before the next opening.
    pause: Duration,
    /// Runs out when the token is to be opened again.
    timer: Option<SpawnHandle>,
    is_opening: bool,
    /// How long the last opening took.
    took: Duration,
    /// When the token was opened last, by the clock's uptime.
    opened_at: Duration,
    /// The failure that stands in the log already.
    told: Option<SlotError>,
    /// Runs out when it is to be seen whether the token signs.
    probe_timer: Option<SpawnHandle>,
    is_probing: bool,
    /// As it was counted last.
    room: Option<Room>,
}

/// What outlives a slot actor's restarts.
#[derive(Clone)]
pub struct SlotParts {
    /// The repository.
    pub settings: RepositorySettings,
    /// Whether its token may be made.
    pub new_token: NewToken,
    /// How its token is opened.
    pub open: OpenSlot,
    /// For what blocks.
    pub pool: WorkerPool,
    /// The time.
    pub clock: Clock,
    /// Counts openings.
    pub openings: watch::Sender<Openings>,
    /// What is remembered of tokens.
    pub book: TokenBook,
    /// What its zones need of the repository.
    pub demand: KeyDemand,
}

/// How often the token of each repository was opened.
pub type Openings = BTreeMap<String, u64>;

impl SlotActor {
    /// An actor that opens the repository's token when it starts.
    pub fn new(parts: &SlotParts) -> SlotActor {
        let SlotParts { settings, new_token, open, pool, clock, openings, book, demand } =
            parts.clone();
        SlotActor {
            settings,
            new_token,
            open,
            pool,
            clock,
            openings,
            book,
            demand,
            state: State::Opening,
            pause: PAUSE_FIRST,
            timer: None,
            is_opening: false,
            took: Duration::ZERO,
            opened_at: Duration::ZERO,
            told: None,
            probe_timer: None,
            is_probing: false,
            room: None,
        }
    }

    /// Opens the token on a worker; the mailbox stays closed meanwhile, so that the first requests
    /// find it open. A module that hangs may do so each time: requests then hear at once that its
    /// token is away.
    fn open(&mut self, ctx: &mut Context<SlotActor>) {
        if let Some(timer) = self.timer.take() {
            ctx.cancel_future(timer);
        }
        self.is_opening = true;
        let (settings, new_token) = (self.settings.clone(), self.new_token);
        let open = self.open.clone();
        let place = hsm::Place { repository: settings.name.clone(), token: String::new() };
        let (book, clock) = (self.book.clone(), self.clock.clone());
        let opening = self.pool.run(move || {
            let slot = open(&settings, new_token)?;
            Ok(Arc::new(WatchedSlot::new(&settings.name, slot, &book, &clock)))
        });
        let opened = async move {
            let failed = |error: &dyn std::fmt::Display| SlotError::ModuleFault {
                place: place.clone(),
                operation: "opening",
                cause: hsm::error::Cause::of(error),
            };
            match opening {
                Ok(answer) => match answer.await {
                    Ok(result) => result,
                    Err(error) => Err(failed(&error)),
                },
                Err(error) => Err(failed(&error)),
            }
        };
        let began = self.clock.uptime();
        let opened = opened.into_actor(self).map(move |result, actor, ctx| {
            actor.took = actor.clock.uptime().saturating_sub(began);
            actor.opened(result, ctx);
        });
        match &self.state {
            State::Closed(_) if self.took > WAITED_FOR => drop(ctx.spawn(opened)),
            _ => ctx.wait(opened),
        }
    }

    fn opened(
        &mut self,
        result: Result<Arc<WatchedSlot>, SlotError>,
        ctx: &mut Context<SlotActor>,
    ) {
        self.is_opening = false;
        let repository = &self.settings.name;
        match result {
            Ok(slot) => {
                tracing::info!(target: "hsm", %repository, "HSM opened successfully.");
                self.state = State::Open(slot);
                self.opened_at = self.clock.uptime();
                self.told = None;
                let name = repository.clone();
                self.openings.send_modify(|counts| *counts.entry(name).or_default() += 1);
                self.count_keys(ctx);
                self.probe_later(PROBE_AFTER, ctx);
            }
            Err(error) => {
                if self.told.as_ref() == Some(&error) {
                    tracing::debug!(target: "hsm", %repository, %error, "hsm is still not there");
                } else {
                    let next = next_step(&error);
                    tracing::error!(target: "hsm", %repository, %error,
                        "opening hsm failed: {error}{next}");
                    self.told = Some(error.clone());
                }
                self.close(error, ctx);
            }
        }
    }

    /// Lends the slot no more, and opens it again when that may help by itself.
    fn close(&mut self, error: SlotError, ctx: &mut Context<SlotActor>) {
        if is_tried_again(&error) {
            let timer = ctx.run_later(self.pause, |actor, ctx| {
                actor.timer = None;
                actor.open(ctx);
            });
            self.timer = Some(timer);
            self.pause = (self.pause * 2).min(PAUSE_MAX);
        }
        self.state = State::Closed(error);
    }

    /// A request to this opening of the token failed.
    fn failed(&mut self, slot: &Arc<dyn Slot>, error: SlotError, ctx: &mut Context<SlotActor>) {
        // A run that began before the last opening says nothing of this one.
        if !self.is_open_as(slot) || error.disposition() == Disposition::Refuse {
            return;
        }
        let repository = &self.settings.name;
        let next = next_step(&error);
        match is_tried_again(&error) {
            true => tracing::error!(target: "hsm", %repository, %error,
                "signer instructed to reload due to hsm reset: {error}{next}"),
            false => tracing::error!(target: "hsm", %repository, %error,
                "repository {repository} is not used any more: {error}{next}"),
        }
        if self.clock.uptime().saturating_sub(self.opened_at) >= WELL_FOR {
            self.pause = PAUSE_FIRST;
        }
        self.told = Some(error.clone());
        self.close(error, ctx);
    }

    /// The operator has mended something, and wants to see whether that helps.
    fn try_again(&mut self, ctx: &mut Context<SlotActor>) {
        let is_hopeless = |error: &SlotError| matches!(error, SlotError::PinRejected { .. });
        match &self.state {
            State::Closed(error) if !is_hopeless(error) && !self.is_opening => {
                self.state = State::Opening;
                self.pause = PAUSE_FIRST;
                self.told = None;
                self.open(ctx);
            }
            // A group may be open without some of its members.
            State::Open(slot) => slot.mended(),
            State::Opening | State::Closed(_) => {}
        }
    }

    fn slot(&self) -> Result<Arc<dyn Slot>, SlotFailure> {
        match &self.state {
            State::Open(slot) => Ok(slot.clone()),
            State::Closed(error) => Err(SlotFailure::Slot(error.clone())),
            State::Opening => Err(self.silent("it is being opened")),
        }
    }

    fn silent(&self, cause: &str) -> SlotFailure {
        let repository = self.settings.name.clone();
        SlotFailure::Silent { repository, cause: cause.to_owned() }
    }

    /// Runs a request on a worker with the open slot.
    fn submit<T: Send + 'static>(
        &self,
        reply: Reply<Result<T, SlotFailure>>,
        ctx: &mut Context<SlotActor>,
        job: impl FnOnce(&dyn Slot) -> Result<T, SlotError> + Send + 'static,
    ) {
        let slot = match self.slot() {
            Ok(slot) => slot,
            Err(failure) => return reply.send(Err(failure)),
        };
        let repository = self.settings.name.clone();
        let (own, me) = (slot.clone(), ctx.address().recipient::<SlotMessage>());
        let submitted = self.pool.submit(
            move || job(slot.as_ref()),
            move |result| {
                if let Ok(Err(error)) = &result {
                    me.do_send(SlotMessage::Failed { slot: own, error: error.clone() });
                }
                reply.send(match result {
                    Ok(result) => result.map_err(SlotFailure::Slot),
                    Err(error) => Err(SlotFailure::Silent { repository, cause: error.to_string() }),
                });
            },
        );
        if let Err(error) = submitted {
            // The reply went with the job: its asker hears at once that it was dropped.
            tracing::error!(target: "hsm", repository = %self.settings.name, %error,
                "a slot request was not taken");
        }
    }
}

impl SlotActor {
    /// Whether this is the slot of the last opening.
    fn is_open_as(&self, slot: &Arc<dyn Slot>) -> bool {
        let State::Open(open) = &self.state else { return false };
        std::ptr::addr_eq(Arc::as_ptr(open), Arc::as_ptr(slot))
    }

    /// Looks after this time whether the token signs.
    fn probe_later(&mut self, after: Duration, ctx: &mut Context<SlotActor>) {
        if let Some(timer) = self.probe_timer.take() {
            ctx.cancel_future(timer);
        }
        self.probe_timer = Some(ctx.run_later(after, |actor, ctx| {
            actor.probe_timer = None;
            actor.probe(ctx);
        }));
    }

    /// Asks the token for a signature, unless it made one a moment ago.
    fn probe(&mut self, ctx: &mut Context<SlotActor>) {
        let State::Open(slot) = &self.state else { return };
        let good = slot.last_good().map_or(self.opened_at, |good| good.uptime);
        let idle = self.clock.uptime().saturating_sub(good);
        if idle < PROBE_AFTER || self.is_probing {
            return self.probe_later(PROBE_AFTER.saturating_sub(idle).max(PAUSE_FIRST), ctx);
        }
        let (own, slot) = (slot.clone(), slot.clone());
        let me = ctx.address().recipient::<SlotMessage>();
        let submitted = self.pool.submit(
            move || slot.probe(),
            move |result| {
                // A probe that panicked is a bug, which the pool has told.
                let result = result.unwrap_or(Ok(()));
                me.do_send(SlotMessage::Probed { slot: own, result });
            },
        );
        self.is_probing = submitted.is_ok();
        self.probe_later(PROBE_AFTER, ctx);
    }

    fn probed(
        &mut self,
        slot: &Arc<dyn Slot>,
        result: Result<(), SlotError>,
        ctx: &mut Context<SlotActor>,
    ) {
        self.is_probing = false;
        let Err(error) = result else { return };
        if self.is_open_as(slot) && error.disposition() == Disposition::Refuse {
            let repository = &self.settings.name;
            tracing::warn!(target: "hsm", %repository, %error,
                "repository {repository}: a key is not signed with: {error}");
        }
        self.failed(slot, error, ctx);
    }

    /// Counts the keys in the token, where there is a limit.
    fn count_keys(&self, ctx: &mut Context<SlotActor>) {
        let (State::Open(slot), Some(capacity)) = (&self.state, room::capacity(&self.settings))
        else {
            return;
        };
        let (own, slot) = (slot.clone(), slot.clone());
        let me = ctx.address().recipient::<SlotMessage>();
        let submitted = self.pool.submit(
            move || slot.list(),
            move |result| {
                // One that does not list its keys is heard of otherwise.
                if let Ok(Ok(keys)) = result {
                    let room = Room { capacity, used: keys.len() as u64 };
                    me.do_send(SlotMessage::Counted { slot: own, room });
                }
            },
        );
        if let Err(error) = submitted {
            tracing::debug!(target: "hsm", repository = %self.settings.name, %error,
                "keys are not counted");
        }
    }

    fn counted(&mut self, slot: &Arc<dyn Slot>, room: Room) {
        if !self.is_open_as(slot) || self.room == Some(room) {
            return;
        }
        self.room = Some(room);
        room.tell(&self.settings.name, &self.demand);
    }

    /// A key's algorithm wants another mechanism than the open slot takes.
    fn mechanism_learnt(&mut self, slot: &Arc<dyn Slot>, ctx: &mut Context<SlotActor>) {
        if self.is_open_as(slot) {
            self.state = State::Opening;
            self.open(ctx);
        }
    }
}

impl Actor for SlotActor {
    type Context = Context<SlotActor>;

    fn started(&mut self, ctx: &mut Context<SlotActor>) {
        self.open(ctx);
    }
}

impl Supervised for SlotActor {
    fn restarting(&mut self, _: &mut Context<SlotActor>) {
        self.state = State::Opening;
        self.timer = None;
        self.probe_timer = None;
        self.is_opening = false;
        self.is_probing = false;
    }
}

/// Whether it may be mended by opening the token again, without anybody's help.
fn is_tried_again(error: &SlotError) -> bool {
    matches!(error.disposition(), Disposition::Retry { .. } | Disposition::Restart)
}

/// What happens next, as the end of a log line.
fn next_step(error: &SlotError) -> &'static str {
    match error {
        // It says so itself, and a SIGHUP does not help.
        SlotError::PinRejected { .. } => "",
        error if is_tried_again(error) => "; it is tried again by itself",
        _ => "; it is tried again at a SIGHUP or a restart, not before",
    }
}

/// What operators see of a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotObserved {
    /// Name of the repository.
    pub repository: String,
    /// Why it is not open; `None` when it is.
    pub failure: Option<String>,
    /// It is being opened, and was not found to be broken.
    pub is_opening: bool,
    /// When the open token last made a signature that verified, for a zone or to be seen to.
    pub last_good: Option<Timestamp>,
    /// How full it is, where conf.xml names a `<Capacity>`.
    pub room: Option<Room>,
    /// What becomes of that with the policies of this configuration.
    pub forecast: Option<Forecast>,
    /// How the members of a repository group are; nobody for a token alone.
    pub members: Vec<MemberStatus>,
    /// What the open token is and was asked.
    pub work: Work,
}

impl Child for SlotActor {
    type Observed = SlotObserved;

    fn observe(&self) -> SlotObserved {
        let failure = self.slot().err().map(|failure| failure.to_string());
        let last_good = match &self.state {
            State::Open(slot) => slot.last_good().map(|good| good.at),
            State::Opening | State::Closed(_) => None,
        };
        let members = match &self.state {
            State::Open(slot) => slot.members(),
            State::Opening | State::Closed(_) => Vec::new(),
        };
        let work = match &self.state {
            State::Open(slot) => slot.work(),
            State::Opening | State::Closed(_) => Work::default(),
        };
        SlotObserved {
            is_opening: matches!(self.state, State::Opening),
            work,
            members,
            repository: self.settings.name.clone(),
            failure,
            last_good,
            room: self.room,
            forecast: self.room.map(|room| room.forecast(&self.demand)),
        }
    }
}

impl Handler<SlotMessage> for SlotActor {
    type Result = ();

    fn handle(&mut self, message: SlotMessage, ctx: &mut Context<SlotActor>) {
        match message {
            SlotMessage::Lease { reply } => reply.send(self.slot()),
            SlotMessage::Generate { request, reply } => {
                let (clock, book) = (self.clock.clone(), self.book.clone());
                let name = self.settings.name.clone();
                let me = ctx.address().recipient::<SlotMessage>();
                let own = self.slot().ok();
                self.submit(reply, ctx, move |slot| {
                    let key = slot.generate(&request)?;
                    let made_at = clock.now();
                    let GenerateRequest { id, algorithm, .. } = &request;
                    // What cannot be found out now is found out when the token is opened.
                    let learnt = book.learn_mechanism(&name, slot, id, *algorithm);
                    if let (Ok(true), Some(slot)) = (learnt, own) {
                        me.do_send(SlotMessage::MechanismLearnt { slot });
                    }
                    Ok((key, made_at))
                });
                self.count_keys(ctx);
            }
            SlotMessage::PublicKey { id, algorithm, reply } => {
                self.submit(reply, ctx, move |slot| slot.public_key(&id, algorithm));
            }
            SlotMessage::Failed { slot, error } => self.failed(&slot, error, ctx),
            SlotMessage::Room { reply } => {
                let Some(capacity) = room::capacity(&self.settings) else {
                    return reply.send(self.slot().map(|_| None));
                };
                self.submit(reply, ctx, move |slot| {
                    let used = slot.list()?.len() as u64;
                    Ok(Some(capacity.saturating_sub(used)))
                });
            }
            SlotMessage::Probed { slot, result } => self.probed(&slot, result, ctx),
            SlotMessage::Counted { slot, room } => self.counted(&slot, room),
            SlotMessage::MechanismLearnt { slot } => self.mechanism_learnt(&slot, ctx),
            SlotMessage::TryAgain => self.try_again(ctx),
        }
    }
}

#[cfg(test)]
mod tests;
