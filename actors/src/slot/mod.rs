//! The slot actor of one repository: opens its token, keeps it open, lends it to the sign stage,
//! and makes keys. Opening and key generation block, so they run on the worker pool.
//! In: [`SlotMessage`]. Out: the open slot, public keys, or why there are none; a count of
//! openings, which wakes zones that wait for a token.
//! A PIN that was refused is not tried again before the operator restarts the repository.
//! Never: which key is needed; that is the enforcer's.

mod messages;
mod open;

pub use messages::SlotMessage;
pub use open::{NewToken, OpenSlot, hosted, open_token};

use crate::runtime::{
    Actor, ActorFutureExt, AsyncContext, Child, Clock, Context, Handler, Outbox, Reply, Supervised,
    WorkerPool, WrapFuture,
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
/// Longest pause before a token that is away is tried again.
const PAUSE_MAX: Duration = Duration::from_secs(60);

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
    pause: Duration,
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
        let (state, pause) = (State::Opening, Duration::from_secs(1));
        SlotActor { settings, new_token, open, pool, clock, openings, state, pause }
    }

    /// Opens the token on a worker; the mailbox stays closed meanwhile, so that the first
    /// requests find it open.
    fn open(&mut self, ctx: &mut Context<SlotActor>) {
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
        ctx.wait(opened.into_actor(self).map(|result, actor, ctx| actor.opened(result, ctx)));
    }

    fn opened(&mut self, result: Result<Arc<dyn Slot>, SlotError>, ctx: &mut Context<SlotActor>) {
        let repository = &self.settings.name;
        match result {
            Ok(slot) => {
                tracing::info!(target: "hsm", %repository, "HSM opened successfully.");
                self.state = State::Open(slot);
                self.pause = Duration::from_secs(1);
                let name = repository.clone();
                self.openings.send_modify(|counts| *counts.entry(name).or_default() += 1);
            }
            Err(error) => {
                tracing::error!(target: "hsm", %repository, %error, "opening hsm failed");
                if matches!(error.disposition(), Disposition::Retry { .. } | Disposition::Restart) {
                    ctx.run_later(self.pause, |actor, ctx| actor.open(ctx));
                    self.pause = (self.pause * 2).min(PAUSE_MAX);
                }
                self.state = State::Closed(error);
            }
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
        job: impl FnOnce(&dyn Slot) -> Result<T, SlotError> + Send + 'static,
    ) {
        let slot = match self.slot() {
            Ok(slot) => slot,
            Err(failure) => return reply.send(Err(failure)),
        };
        let repository = self.settings.name.clone();
        let submitted = self.pool.submit(
            move || job(slot.as_ref()),
            move |result| {
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
                self.submit(reply, move |slot| {
                    let key = slot.generate(&request)?;
                    Ok((key, clock.now()))
                });
            }
            SlotMessage::PublicKey { id, algorithm, reply } => {
                self.submit(reply, move |slot| slot.public_key(&id, algorithm));
            }
            SlotMessage::Failed { error } => {
                tracing::error!(target: "hsm", repository = %self.settings.name, %error,
                    "signer instructed to reload due to hsm reset");
                let is_closed = matches!(self.state, State::Closed(_));
                match error.disposition() {
                    Disposition::Restart if !is_closed => {
                        self.state = State::Closed(error);
                        ctx.run_later(self.pause, |actor, ctx| actor.open(ctx));
                    }
                    // A token that lies, say: not used before an operator has looked.
                    Disposition::Alarm if !is_closed => self.state = State::Closed(error),
                    _ => {}
                }
            }
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
    pub fn failed(&self, error: SlotError) {
        // A slot that cannot be told is being restarted already.
        let _ = self.outbox.tell(SlotMessage::Failed { error });
    }
}
