//! The slot actor of one repository: opens its token, keeps it open, lends it to the sign stage,
//! and makes keys. Opening and key generation block, so they run on threads of the slot's own.
//! In: [`SlotMessage`]. Out: the open slot, public keys, or why there are none; a count of
//! openings, which wakes zones that wait for a token.
//! A token that is away, or a module that fails, closes the slot and is tried again by itself;
//! one that lies, or that an operator has to mend, is tried again when the operator says so. A PIN
//! that was refused is not offered again by this process.
//! Never: which key is needed; that is the enforcer's.
//! Limits: pauses of [`PAUSE_FIRST`] doubling to [`PAUSE_MAX`]. A failure that lasts is told once.

mod messages;
mod open;

pub use messages::SlotMessage;
pub use open::{NewToken, OpenSlot, hosted, hosted_within, open_token};

use crate::runtime::{
    Actor, ActorFutureExt, AsyncContext, Child, Clock, Context, Handler, Outbox, Reply,
    SpawnHandle, Supervised, WorkerPool, WrapFuture,
};
use crate::settings::RepositorySettings;
use dnssec::Algorithm;
use dnssec::key::{KeyId, PublicKey};
use hsm::{Disposition, GenerateRequest, Slot, SlotError};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Longest wait for a slot's answer; RSA keys take their time.
pub const SLOT_DEADLINE: Duration = Duration::from_secs(120);
/// Pause before a token is tried again for the first time.
const PAUSE_FIRST: Duration = Duration::from_secs(1);
/// Longest pause: a token that is back is in use well within a minute, opening included.
const PAUSE_MAX: Duration = Duration::from_secs(15);
/// A slot that was open for so long begins with the first pause again; one that opens and fails
/// in turns does not.
const WELL_FOR: Duration = Duration::from_secs(60);

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
#[derive(Clone)]
enum State {
    Opening,
    Open(Arc<dyn Slot>),
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
}

/// How often the token of each repository was opened.
pub type Openings = BTreeMap<String, u64>;

impl SlotActor {
    /// An actor that opens the repository's token when it starts.
    pub fn new(parts: &SlotParts) -> SlotActor {
        let SlotParts { settings, new_token, open, pool, clock, openings } = parts.clone();
        SlotActor {
            settings,
            new_token,
            open,
            pool,
            clock,
            openings,
            state: State::Opening,
            pause: PAUSE_FIRST,
            timer: None,
            is_opening: false,
            took: Duration::ZERO,
            opened_at: Duration::ZERO,
            told: None,
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
        let opening = self.pool.run(move || open(&settings, new_token));
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

    fn opened(&mut self, result: Result<Arc<dyn Slot>, SlotError>, ctx: &mut Context<SlotActor>) {
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
        let State::Open(open) = &self.state else { return };
        // A run that began before the last opening says nothing of this one.
        if !Arc::ptr_eq(open, slot) || error.disposition() == Disposition::Refuse {
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
            State::Opening | State::Open(_) | State::Closed(_) => {}
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
        self.is_opening = false;
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
}

impl Child for SlotActor {
    type Observed = SlotObserved;

    fn observe(&self) -> SlotObserved {
        let failure = self.slot().err().map(|failure| failure.to_string());
        SlotObserved { repository: self.settings.name.clone(), failure }
    }
}

impl Handler<SlotMessage> for SlotActor {
    type Result = ();

    fn handle(&mut self, message: SlotMessage, ctx: &mut Context<SlotActor>) {
        match message {
            SlotMessage::Lease { reply } => reply.send(self.slot()),
            SlotMessage::Generate { request, reply } => {
                let clock = self.clock.clone();
                self.submit(reply, ctx, move |slot| {
                    let key = slot.generate(&request)?;
                    Ok((key, clock.now()))
                });
            }
            SlotMessage::PublicKey { id, algorithm, reply } => {
                self.submit(reply, ctx, move |slot| slot.public_key(&id, algorithm));
            }
            SlotMessage::Failed { slot, error } => self.failed(&slot, error, ctx),
            SlotMessage::TryAgain => self.try_again(ctx),
        }
    }
}

/// What zones and the enforcer hold of a slot.
pub struct SlotClient {
    repository: String,
    outbox: Outbox<SlotMessage>,
}

impl SlotClient {
    /// A client of the repository's slot.
    pub fn new(repository: &str, outbox: Outbox<SlotMessage>) -> SlotClient {
        SlotClient { repository: repository.to_owned(), outbox }
    }

    async fn ask<T>(
        &self,
        message: impl FnOnce(Reply<Result<T, SlotFailure>>) -> SlotMessage,
    ) -> Result<T, SlotFailure> {
        let silent = |error: &dyn std::fmt::Display| SlotFailure::Silent {
            repository: self.repository.clone(),
            cause: error.to_string(),
        };
        let (reply, answer) = Reply::channel();
        let told = self.outbox.tell(message(reply));
        told.map_err(|undelivered| silent(&undelivered.error))?;
        let answer = answer.within(self.outbox.to(), SLOT_DEADLINE).await;
        answer.map_err(|error| silent(&error))?
    }

    /// The open slot, to sign with.
    pub async fn lease(&self) -> Result<Arc<dyn Slot>, SlotFailure> {
        self.ask(|reply| SlotMessage::Lease { reply }).await
    }

    /// Makes a key; says when.
    pub async fn generate(
        &self,
        request: GenerateRequest,
    ) -> Result<(PublicKey, dnssec::Timestamp), SlotFailure> {
        self.ask(|reply| SlotMessage::Generate { request, reply }).await
    }

    /// The public half of a key.
    pub async fn public_key(
        &self,
        id: &KeyId,
        algorithm: Algorithm,
    ) -> Result<PublicKey, SlotFailure> {
        self.ask(|reply| SlotMessage::PublicKey { id: id.clone(), algorithm, reply }).await
    }

    /// Says that a leased slot failed.
    pub fn failed(&self, slot: Arc<dyn Slot>, error: SlotError) {
        // A slot that cannot be told is being restarted already.
        let _ = self.outbox.tell(SlotMessage::Failed { slot, error });
    }
}
