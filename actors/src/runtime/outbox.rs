//! Sending with a bound and with a deadline.
//! In: messages. Out: typed refusals instead of queues that grow in silence.
//!
//! actix bounds a mailbox *per sender*: every clone of an `Addr` or `Recipient` may place one more
//! message than the bound, and `do_send` ignores it. `addr.clone().try_send(..)` in a loop is
//! therefore unbounded. An [`Outbox`] is one sender, kept in a field and not `Clone`; a mailbox
//! holds at most its bound plus one message for each further outbox.
//!
//! An actor that sends to itself with `do_send` starves its own timers, since actix empties the
//! mailbox before it polls them: use `ctx.notify` or `ctx.run_later` for that.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use actix::{MailboxError, Message, Recipient};
use tokio::sync::oneshot;

/// One sender of one kind of message to one actor.
pub struct Outbox<M>
where
    M: Message + Send + 'static,
    M::Result: Send,
{
    to: Arc<str>,
    recipient: Recipient<M>,
}

/// Why a message was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TellError {
    /// The mailbox is full.
    #[error("{to} is overloaded")]
    Overloaded {
        /// Path of the receiver.
        to: Arc<str>,
    },
    /// The receiver has ended.
    #[error("{to} has ended")]
    Gone {
        /// Path of the receiver.
        to: Arc<str>,
    },
}

/// A message that was not taken, and why.
pub struct Undelivered<M> {
    /// The reason.
    pub error: TellError,
    /// The message, to be sent again or dropped.
    pub message: M,
}

impl<M> fmt::Debug for Undelivered<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Undelivered").field("error", &self.error).finish_non_exhaustive()
    }
}

impl<M> From<Undelivered<M>> for TellError {
    fn from(undelivered: Undelivered<M>) -> TellError {
        undelivered.error
    }
}

/// Why a question has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// The receiver failed while it held the question, or has ended. Told at once.
    #[error("{to} dropped the question")]
    Dropped {
        /// Path of the receiver.
        to: Arc<str>,
    },
    /// No answer in time.
    #[error("{to} did not answer within {within:?}")]
    Late {
        /// Path of the receiver.
        to: Arc<str>,
        /// The time it was given.
        within: Duration,
    },
}

impl<M> Outbox<M>
where
    M: Message + Send + 'static,
    M::Result: Send,
{
    /// A sender to `recipient`, which errors call `to`.
    pub fn new(to: impl Into<Arc<str>>, recipient: Recipient<M>) -> Outbox<M> {
        Outbox { to: to.into(), recipient }
    }

    /// Another sender to the same actor; it may place one message beyond the bound, too.
    pub fn fork(&self) -> Outbox<M> {
        Outbox { to: self.to.clone(), recipient: self.recipient.clone() }
    }

    /// Path of the receiver.
    pub fn to(&self) -> &Arc<str> {
        &self.to
    }

    /// Sends without waiting for anything.
    pub fn tell(&self, message: M) -> Result<(), Undelivered<M>> {
        use actix::dev::SendError;
        let to = self.to.clone();
        self.recipient.try_send(message).map_err(|refused| match refused {
            SendError::Full(message) => {
                Undelivered { error: TellError::Overloaded { to }, message }
            }
            SendError::Closed(message) => Undelivered { error: TellError::Gone { to }, message },
        })
    }

    /// Sends, waits for room in the mailbox and for the answer, both together for at most
    /// `within`. Only upwards in the tiers, or actors wait for each other in a circle.
    pub async fn ask(&self, message: M, within: Duration) -> Result<M::Result, AskError> {
        let to = self.to.clone();
        match tokio::time::timeout(within, self.recipient.send(message)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(MailboxError::Closed)) => Err(AskError::Dropped { to }),
            Ok(Err(MailboxError::Timeout)) | Err(_) => Err(AskError::Late { to, within }),
        }
    }
}

/// The sending end of one answer, carried in a message's `reply` field.
#[derive(Debug)]
pub struct Reply<T>(oneshot::Sender<T>);

/// The waiting end of one answer.
#[derive(Debug)]
pub struct Answer<T>(oneshot::Receiver<T>);

impl<T> Reply<T> {
    /// Both ends of one answer.
    pub fn channel() -> (Reply<T>, Answer<T>) {
        let (reply, answer) = oneshot::channel();
        (Reply(reply), Answer(answer))
    }

    /// Answers. The value is lost when nobody waits any more.
    pub fn send(self, answer: T) {
        let _ = self.0.send(answer);
    }

    /// Whether the asker has given up, so that the work may be dropped.
    pub fn is_unwanted(&self) -> bool {
        self.0.is_closed()
    }
}

impl<T> Answer<T> {
    /// Waits for the answer from `to`; an actor that fails with the [`Reply`] in its hands makes
    /// this return at once.
    pub async fn within(self, to: &Arc<str>, within: Duration) -> Result<T, AskError> {
        match tokio::time::timeout(within, self.0).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) => Err(AskError::Dropped { to: to.clone() }),
            Err(_) => Err(AskError::Late { to: to.clone(), within }),
        }
    }
}
