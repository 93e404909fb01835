//! The runtime: supervision on actix. DESIGN sections 5 and 6; STYLE H4 to H8, H17.
//! In: actors ([`Child`]), the tree as data ([`ChildSpec`], [`SupervisorSpec`]).
//! Out: actors whose panics cost one message, a health table, a worker pool, the clock.
//! Never: DNSSEC, files, sockets. This module alone names actix; others use what it re-exports.
//!
//! What it promises:
//! * A panic costs the message in flight, whose sender hears of it at once. The mailbox and every
//!   address stay; the state is reset by `Supervised::restarting` at once, and loaded again by
//!   `Actor::started` after a pause that doubles with each failure.
//! * Failures above the limit go to the supervisor, which stops its children in reverse order and
//!   fails itself; the root's failure goes to a callback.
//! * Stop, hold and observe do not queue behind messages.
//!
//! What it cannot do: a message in flight is not repeated, so work has to be re-derived from
//! durable state. An actor in an endless loop stops its arbiter; the [`Watchdog`] only reports it.
//! An actor that waits in `ctx.wait` answers neither messages nor observations.
//! A crash loop does not spin: each life ends in a pause, and the limit ends the loop.
//!
//! ```
//! use actors::runtime::{
//!     Actor, Child, ChildSpec, Context, Handler, Message, Strategy, Supervised, SupervisorSpec,
//!     start_root, testing,
//! };
//! use std::time::Duration;
//!
//! /// Everything a counter can be told.
//! enum CounterMessage { Add(u32), Break }
//! impl Message for CounterMessage { type Result = u32; }
//!
//! struct Counter { sum: u32 }
//! impl Actor for Counter {
//!     type Context = Context<Counter>;
//!     fn started(&mut self, _: &mut Context<Counter>) { self.sum = 100 } // as if from storage
//! }
//! impl Supervised for Counter {
//!     fn restarting(&mut self, _: &mut Context<Counter>) { self.sum = 0 }
//! }
//! impl Child for Counter {
//!     type Observed = u32;
//!     fn observe(&self) -> u32 { self.sum }
//! }
//! impl Handler<CounterMessage> for Counter {
//!     type Result = u32;
//!     fn handle(&mut self, message: CounterMessage, _: &mut Context<Counter>) -> u32 {
//!         let CounterMessage::Add(n) = message else { panic!("broken") };
//!         self.sum += n;
//!         self.sum
//!     }
//! }
//!
//! testing::test_system(|_clock| async {
//!     let root = SupervisorSpec::new("root", Strategy::OneForOne);
//!     let root = start_root(root, |failure| eprintln!("{failure}"));
//!     let counter = root.add(&ChildSpec::new("counter"), || Counter { sum: 0 }).unwrap();
//!     let outbox = counter.outbox::<CounterMessage>();
//!     let second = Duration::from_secs(1);
//!     assert_eq!(outbox.ask(CounterMessage::Add(1), second).await, Ok(101));
//!     assert!(outbox.ask(CounterMessage::Break, second).await.is_err());
//!     assert_eq!(outbox.ask(CounterMessage::Add(5), second).await, Ok(105)); // loaded again
//!     assert_eq!(counter.observe(second).await, Ok(105));
//!     assert_eq!(counter.health().restarts, 1);
//!     root.stop().await;
//! });
//! ```

mod child;
mod clock;
mod failure;
mod guard;
mod health;
mod orders;
mod outbox;
mod parallel;
mod pool;
mod progress;
mod spec;
mod supervisor;
pub mod testing;
mod watchdog;

#[cfg(test)]
mod tests;

pub use actix::{
    Actor, ActorContext, ActorFuture, ActorFutureExt, Addr, AsyncContext, AtomicResponse, Context,
    Handler, Message, MessageResult, Recipient, ResponseActFuture, ResponseFuture, Running,
    SpawnHandle, StreamHandler, Supervised, WeakRecipient, WrapFuture,
};
pub use actix_rt::{Arbiter, ArbiterHandle, System, SystemRunner};

pub use child::{Child, ChildRef, ObserveError, StopDone};
pub use clock::{Clock, Deadline, LeapError, wall_clock};
pub use failure::{Failure, Panicked};
pub use health::{ChildState, HealthRow, HealthTable};
pub use outbox::{Answer, AskError, Outbox, Reply, TellError, Undelivered};
pub use pool::{JobAnswer, JobError, PoolObserved, PoolSpec, SubmitError, WorkerPool};
pub use progress::{Progress, ProgressView};
pub use spec::{ChildSpec, Lifetime, OnLimit, RestartLimits, StartOrder, Strategy, SupervisorSpec};
pub use supervisor::{AddError, Supervisor, SupervisorRef, start_root};
pub use watchdog::{ArbiterReport, Watchdog};
