//! The guard: the future around one actor that survives the actor's panics.
//! In: orders, observations, polls. Out: events to the supervisor, notes in the health table.
//! Never: a torn actor that is polled or dropped through its own hooks.
//!
//! `ContextFut::restart` is the lever: it keeps the context, and with it the mailbox and every
//! address, drops timers and futures, and calls `Supervised::restarting`. It is called at once
//! after a failure, so that whoever waits for an answer held in one of those futures hears of it
//! then and not after the pause; `started` runs after the pause.
//!
//! ```text
//!            Start              panic, ended, Fail
//!   Held ------------> Running --------------------> BackingOff --(pause over)--> Running
//!    ^                  |   |                            |
//!    |  Hold, limit     |   | Stop, Pause                | Stop: Ended, Pause and Hold: Held
//!    +------------------+   v                            v
//!    +<--(done, Pause)-- Stopping --(done or deadline, Stop)--> Ended
//! ```

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{self, Poll, ready};
use std::time::Duration;

use actix::dev::ContextFut;
use actix::dev::channel::AddressReceiver;
use actix::{ActorContext, ActorFuture, Addr, AsyncContext, Context};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, Sleep};

use super::child::{Call, Child, StopDone};
use super::clock;
use super::failure::{Failure, caught};
use super::health::{ChildState, Health};
use super::orders::{Order, Orders};
use super::spec::{Lifetime, RestartLimits};

/// What a guard tells its supervisor.
#[derive(Debug)]
pub(super) enum Event {
    /// `started` has run and what it waited for is done.
    Ready,
    /// It failed and backs off.
    Failed,
    /// It failed too often and is held.
    Exhausted(Failure),
    /// It was paused and is held.
    Held,
    /// It is gone.
    Ended(Exit),
}

/// How a child ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// By itself, as its lifetime allows.
    Normal,
    /// By a failure, and its lifetime allows no restart.
    Failed,
    /// As ordered.
    Ordered,
    /// With its thread.
    ArbiterGone,
}

/// What a guard knows about its child besides the actor.
pub(super) struct Terms {
    pub(super) path: Arc<str>,
    pub(super) lifetime: Lifetime,
    pub(super) limits: RestartLimits,
    pub(super) stop_deadline: Option<Duration>,
    pub(super) orders: Arc<Orders>,
    pub(super) health: Arc<Health>,
    pub(super) ended: watch::Sender<bool>,
    pub(super) report: Box<dyn Fn(Event) + Send>,
}

/// The actor before its first start, and after it.
enum Body<A: Child> {
    Unborn { make: Box<dyn FnMut() -> A + Send>, receiver: Option<AddressReceiver<A>> },
    Born(Box<ContextFut<A, Context<A>>>),
}

enum Phase {
    Held,
    BackingOff(Pin<Box<Sleep>>),
    Running,
    Stopping { done: oneshot::Receiver<()>, deadline: Option<Pin<Box<Sleep>>>, then: AfterStop },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum AfterStop {
    End,
    Hold,
}

pub(super) struct Guard<A: Child> {
    terms: Terms,
    body: Body<A>,
    phase: Phase,
    calls: mpsc::Receiver<Call<A>>,
    /// Keeps the mailbox connected while nobody outside has an address.
    _addr: Addr<A>,
    /// Set by a future that is polled only when nothing in `ctx.wait` is left.
    loaded: Arc<AtomicBool>,
    announced: bool,
    /// `restarting` still has to run.
    torn: bool,
    has_run: bool,
    exhausted: bool,
    gone: bool,
    failures: VecDeque<Instant>,
}

/// Runs a closure on the actor, once.
struct Inject<A: Child>(Option<Call<A>>);

impl<A: Child> ActorFuture<A> for Inject<A> {
    type Output = ();

    fn poll(
        mut self: Pin<&mut Self>,
        actor: &mut A,
        ctx: &mut Context<A>,
        _: &mut task::Context<'_>,
    ) -> Poll<()> {
        if let Some(code) = self.0.take() {
            code(actor, ctx);
        }
        Poll::Ready(())
    }
}

impl<A: Child> Guard<A> {
    pub(super) fn new(
        terms: Terms,
        make: Box<dyn FnMut() -> A + Send>,
        addr: Addr<A>,
        receiver: AddressReceiver<A>,
        calls: mpsc::Receiver<Call<A>>,
    ) -> Guard<A> {
        Guard {
            terms,
            body: Body::Unborn { make, receiver: Some(receiver) },
            phase: Phase::Held,
            calls,
            _addr: addr,
            loaded: Arc::default(),
            announced: false,
            torn: false,
            has_run: false,
            exhausted: false,
            gone: false,
            failures: VecDeque::new(),
        }
    }

    fn obey(&mut self, order: Order) -> Poll<()> {
        match (order, &mut self.phase) {
            (Order::Terminate, _) => return self.end(Exit::Ordered),
            (Order::Fail(failure), Phase::Running) => self.failed(failure),
            (Order::Start, Phase::Held) => self.run(),
            (Order::Hold, Phase::Running | Phase::BackingOff(_)) => self.hold(),
            (Order::Stop, Phase::Held | Phase::BackingOff(_)) => return self.end(Exit::Ordered),
            (Order::Pause, Phase::Held | Phase::BackingOff(_)) => return self.pause_over(),
            (Order::Stop, Phase::Running) => self.begin_stop(AfterStop::End),
            (Order::Pause, Phase::Running) => self.begin_stop(AfterStop::Hold),
            (Order::Stop, Phase::Stopping { then, .. }) => *then = AfterStop::End,
            (Order::Hold | Order::Pause, Phase::Stopping { .. })
            | (Order::Hold, Phase::Held)
            | (Order::Start | Order::Fail(_), _) => {}
        }
        Poll::Pending
    }

    /// Starts a life: the first, or the next after a reset.
    fn run(&mut self) {
        if let Body::Unborn { make, receiver } = &mut self.body {
            match caught(make) {
                Err(panicked) => return self.failed(panicked.into()),
                Ok(actor) => {
                    let Some(receiver) = receiver.take() else { return };
                    let future = Context::with_receiver(receiver).into_future(actor);
                    self.body = Body::Born(Box::new(future));
                }
            }
        }
        if let Err(failure) = self.reset() {
            return self.failed(failure);
        }
        if std::mem::replace(&mut self.has_run, true) {
            self.terms.health.count_restart();
        }
        (self.announced, self.exhausted, self.torn) = (false, false, true);
        self.loaded = Arc::default();
        let loaded = self.loaded.clone();
        let mark = Inject(Some(Box::new(move |_: &mut A, _: &mut _| loaded.store(true, Relaxed))));
        if let Body::Born(future) = &mut self.body {
            future.ctx().spawn(mark);
        }
        self.phase = Phase::Running;
        self.terms.health.set_state(ChildState::Running);
    }

    /// Drops timers and futures and lets the actor forget; the mailbox stays.
    fn reset(&mut self) -> Result<(), Failure> {
        if self.torn
            && let Body::Born(future) = &mut self.body
        {
            caught(|| future.restart())?;
            self.torn = false;
        }
        Ok(())
    }

    fn hold(&mut self) {
        // A panic in `restarting` leaves `torn` set: the next start tries again and counts it.
        let _ = self.reset();
        self.phase = Phase::Held;
        self.terms.health.set_state(ChildState::Waiting);
    }

    fn failed(&mut self, failure: Failure) {
        let now = clock::instant();
        let limits = self.terms.limits;
        self.terms.health.note_failure(&failure);
        self.failures.retain(|then| now.duration_since(*then) <= limits.period);
        self.failures.push_back(now);
        let failures = self.failures.len() as u32;
        let _ = self.reset();
        if failures > limits.restarts_max {
            tracing::error!(child = %self.terms.path, %failure, failures, "restart limit exceeded");
            self.failures.clear();
            self.exhausted = true;
            self.phase = Phase::Held;
            self.terms.health.set_state(ChildState::Escalated);
            (self.terms.report)(Event::Exhausted(Failure::LimitExceeded {
                child: self.terms.path.clone(),
                failures,
                period: limits.period,
                last: Box::new(failure),
            }));
            return;
        }
        let pause = limits.pause(failures);
        tracing::warn!(child = %self.terms.path, %failure, failures, ?pause, "child failed");
        self.phase = Phase::BackingOff(Box::pin(clock::pause(pause)));
        self.terms.health.set_state(ChildState::BackingOff);
        (self.terms.report)(Event::Failed);
    }

    fn begin_stop(&mut self, then: AfterStop) {
        let (finished, done) = oneshot::channel();
        self.inject(Box::new(move |actor, ctx| actor.stop_requested(ctx, StopDone { finished })));
        let deadline = self.terms.stop_deadline.map(|length| Box::pin(clock::pause(length)));
        self.phase = Phase::Stopping { done, deadline, then };
        self.terms.health.set_state(ChildState::Stopping);
    }

    /// The actor has finished, or its time is over.
    fn stop_over(&mut self, then: AfterStop) -> Poll<()> {
        match then {
            AfterStop::End => self.end(Exit::Ordered),
            AfterStop::Hold => self.pause_over(),
        }
    }

    fn pause_over(&mut self) -> Poll<()> {
        if !self.exhausted {
            self.hold();
        }
        (self.terms.report)(Event::Held);
        Poll::Pending
    }

    fn end(&mut self, exit: Exit) -> Poll<()> {
        self.gone = true;
        if let Body::Born(future) = &mut self.body {
            // Without this its drop would poll the actor once more, torn or not.
            future.ctx().terminate();
        }
        if !self.exhausted {
            self.terms.health.set_state(ChildState::Stopped);
        }
        self.terms.health.set_ended();
        self.terms.ended.send_replace(true);
        (self.terms.report)(Event::Ended(exit));
        Poll::Ready(())
    }

    /// Has `code` run before the next message.
    fn inject(&mut self, code: Call<A>) {
        if let Body::Born(future) = &mut self.body {
            future.ctx().wait(Inject(Some(code)));
        }
    }

    /// Drops what is asked of an actor that cannot answer: the askers hear at once.
    fn refuse_calls(&mut self, cx: &mut task::Context<'_>) {
        while let Poll::Ready(Some(_)) = self.calls.poll_recv(cx) {}
    }

    /// Polls the actor. `Ready` when the phase changed, with the guard's own end inside.
    fn poll_actor(&mut self, cx: &mut task::Context<'_>) -> Poll<Poll<()>> {
        while let Poll::Ready(Some(call)) = self.calls.poll_recv(cx) {
            self.inject(call);
        }
        let Body::Born(future) = &mut self.body else { return Poll::Pending };
        self.terms.health.poll_begins();
        let polled = caught(|| Pin::new(future.as_mut()).poll(cx));
        self.terms.health.poll_ends();
        let failure = match polled {
            Ok(Poll::Pending) => {
                if !self.announced && self.loaded.load(Relaxed) {
                    self.announced = true;
                    (self.terms.report)(Event::Ready);
                }
                return self.poll_stopping(cx);
            }
            Ok(Poll::Ready(())) => None,
            Err(panicked) => Some(Failure::Panic(panicked)),
        };
        if let Phase::Stopping { then, .. } = self.phase {
            if let Some(failure) = failure {
                self.terms.health.note_failure(&failure);
            }
            return Poll::Ready(self.stop_over(then));
        }
        match (self.terms.lifetime, failure) {
            (Lifetime::Transient | Lifetime::Temporary, None) => {
                return Poll::Ready(self.end(Exit::Normal));
            }
            (Lifetime::Temporary, Some(failure)) => {
                self.terms.health.note_failure(&failure);
                return Poll::Ready(self.end(Exit::Failed));
            }
            (_, failure) => self.failed(failure.unwrap_or(Failure::Ended)),
        }
        Poll::Ready(Poll::Pending)
    }

    fn poll_stopping(&mut self, cx: &mut task::Context<'_>) -> Poll<Poll<()>> {
        let Phase::Stopping { done, deadline, then } = &mut self.phase else {
            return Poll::Pending;
        };
        let then = *then;
        if Pin::new(done).poll(cx).is_pending() {
            let Some(timer) = deadline else { return Poll::Pending };
            ready!(timer.as_mut().poll(cx));
            let deadline = self.terms.stop_deadline.unwrap_or_default();
            let failure = Failure::StopDeadline { deadline };
            tracing::warn!(child = %self.terms.path, %failure, "terminated");
            self.terms.health.note_failure(&failure);
        }
        Poll::Ready(self.stop_over(then))
    }
}

impl<A: Child> Future for Guard<A> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<()> {
        let guard = &mut *self;
        loop {
            for order in guard.terms.orders.take(cx.waker()) {
                if guard.obey(order).is_ready() {
                    return Poll::Ready(());
                }
            }
            match &mut guard.phase {
                Phase::Held => {
                    guard.refuse_calls(cx);
                    return Poll::Pending;
                }
                Phase::BackingOff(pause) => {
                    if pause.as_mut().poll(cx).is_pending() {
                        guard.refuse_calls(cx);
                        return Poll::Pending;
                    }
                    guard.run();
                }
                Phase::Running | Phase::Stopping { .. } => match guard.poll_actor(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Poll::Ready(())) => return Poll::Ready(()),
                    Poll::Ready(Poll::Pending) => {}
                },
            }
        }
    }
}

impl<A: Child> Drop for Guard<A> {
    fn drop(&mut self) {
        if !self.gone {
            let _ = self.end(Exit::ArbiterGone);
        }
    }
}
