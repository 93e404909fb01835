//! What an actor has to be to live in the tree, and how the rest of the program refers to it.
//! In: questions and addresses. Out: answers with a deadline.
//! Limits: 32 unanswered observations a child.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use actix::dev::ToEnvelope;
use actix::{Actor, Addr, Context, Handler, Message, Supervised};
use tokio::sync::{mpsc, oneshot, watch};

use super::health::{Health, HealthRow};
use super::outbox::Outbox;

/// Observations that may wait for one child.
pub(super) const OBSERVATIONS_MAX: usize = 32;

/// An actor of the tree.
///
/// Three hooks make up its life. `Supervised::restarting` resets the state to "nothing known yet"
/// after a failure; it must not wait. `Actor::started` runs before the first message of every
/// life: load the state with `ctx.wait(..)` there (the mailbox stays closed until it is done)
/// and start the timers, which do not survive a restart. A load that fails panics on purpose: the
/// restart limits are made for that. `Actor::stopping` and `Actor::stopped` run only when the
/// actor ends by itself: what an end by order needs belongs in [`Child::stop_requested`].
pub trait Child: Actor<Context = Context<Self>> + Supervised {
    /// What [`ChildRef::observe`] gives: the state as operators want to see it.
    type Observed: Send + 'static;

    /// Answers from memory; must be quick.
    fn observe(&self) -> Self::Observed;

    /// Finish what is begun, then call [`StopDone::acknowledge`] (or drop it). Comes before the
    /// messages in the mailbox, which are still handled until then.
    fn stop_requested(&mut self, _ctx: &mut Context<Self>, done: StopDone) {
        done.acknowledge();
    }
}

/// An actor's promise to finish before its stop deadline.
#[derive(Debug)]
pub struct StopDone {
    pub(super) finished: oneshot::Sender<()>,
}

impl StopDone {
    /// The work is finished: the actor may be ended.
    pub fn acknowledge(self) {
        // Nobody waits any more when the deadline is past.
        let _ = self.finished.send(());
    }
}

/// Code that a guard runs on its actor, before the next message.
pub(super) type Call<A> = Box<dyn FnOnce(&mut A, &mut Context<A>) + Send>;

/// Why an observation has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ObserveError {
    /// It is held, backs off or has ended; the health table says which.
    #[error("{child} is not running")]
    NotRunning {
        /// Path of the child.
        child: Arc<str>,
    },
    /// It did not answer in time: it loads its state, or its arbiter is busy or stuck.
    #[error("{child} did not answer within {within:?}")]
    Late {
        /// Path of the child.
        child: Arc<str>,
        /// The time it was given.
        within: Duration,
    },
    /// Too many observations wait already.
    #[error("{child} has {OBSERVATIONS_MAX} observations waiting")]
    Overloaded {
        /// Path of the child.
        child: Arc<str>,
    },
}

/// A child of the tree; valid over all its restarts. Keep one in a field and use its address from
/// there: every clone of an address may place one message beyond the mailbox bound.
pub struct ChildRef<A: Child> {
    pub(super) id: u64,
    pub(super) path: Arc<str>,
    pub(super) addr: Addr<A>,
    pub(super) calls: mpsc::Sender<Call<A>>,
    pub(super) health: Arc<Health>,
    pub(super) ended: watch::Receiver<bool>,
}

impl<A: Child> Clone for ChildRef<A> {
    fn clone(&self) -> ChildRef<A> {
        ChildRef {
            id: self.id,
            path: self.path.clone(),
            addr: self.addr.clone(),
            calls: self.calls.clone(),
            health: self.health.clone(),
            ended: self.ended.clone(),
        }
    }
}

impl<A: Child> fmt::Debug for ChildRef<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ChildRef").field(&self.path).finish()
    }
}

impl<A: Child> ChildRef<A> {
    /// Its path in the tree.
    pub fn path(&self) -> &Arc<str> {
        &self.path
    }

    /// Its address.
    pub fn addr(&self) -> &Addr<A> {
        &self.addr
    }

    /// A sender for one kind of message, to be kept in a field.
    pub fn outbox<M>(&self) -> Outbox<M>
    where
        A: Handler<M>,
        A::Context: ToEnvelope<A, M>,
        M: Message + Send + 'static,
        M::Result: Send,
    {
        Outbox::new(self.path.clone(), self.addr.clone().recipient())
    }

    /// Its line in the health table.
    pub fn health(&self) -> HealthRow {
        self.health.row(&self.path)
    }

    /// Asks for its state, ahead of all messages in its mailbox.
    pub async fn observe(&self, within: Duration) -> Result<A::Observed, ObserveError> {
        let child = self.path.clone();
        let (reply, answer) = oneshot::channel();
        let call: Call<A> = Box::new(move |actor, _| {
            // A caller whose time is over does not mind.
            let _ = reply.send(actor.observe());
        });
        match self.calls.try_send(call) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(_)) => {
                return Err(ObserveError::Overloaded { child });
            }
            Err(mpsc::error::TrySendError::Closed(_)) => {
                return Err(ObserveError::NotRunning { child });
            }
        }
        match tokio::time::timeout(within, answer).await {
            Ok(Ok(observed)) => Ok(observed),
            Ok(Err(_)) => Err(ObserveError::NotRunning { child }),
            Err(_) => Err(ObserveError::Late { child, within }),
        }
    }

    /// Waits until it has ended for good.
    pub async fn ended(&self) {
        // An error means that its guard is gone, which is an end too.
        let _ = self.ended.clone().wait_for(|ended| *ended).await;
    }
}
