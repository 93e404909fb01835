//! One supervisor: an actor that starts, holds, restarts and stops its children in order.
//! In: events of its children's guards, children to adopt. Out: orders, escalation.
//! Never: touches a child's mailbox or state; that is the guard's.
//!
//! A supervisor is a guarded child itself. When it fails (by its own bug, or because a child
//! exceeded its limit and the others have been stopped in reverse order), its children are held
//! with their mailboxes, and start again in order when it does. The root never restarts: its
//! failure is handed to a callback, which should end the process.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use actix::dev::channel;
use actix::{Actor, Addr, Context, Handler, Message, Supervised};
use actix_rt::ArbiterHandle;
use tokio::sync::{mpsc, watch};

use super::child::{Child, ChildRef, OBSERVATIONS_MAX, StopDone};
use super::failure::{Failure, install_panic_hook};
use super::guard::{Event, Exit, Guard, Terms};
use super::health::{Health, HealthTable, lock};
use super::orders::{Order, Orders};
use super::spec::{ChildSpec, OnLimit, RestartLimits, StartOrder, Strategy, SupervisorSpec};

/// Why a child was not added.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddError {
    /// A child of that path has not ended yet.
    #[error("there is a {path} already")]
    PathTaken {
        /// The path.
        path: Arc<str>,
    },
    /// The supervisor has ended, or the arbiter that was asked for has.
    #[error("{supervisor} takes no children any more")]
    Ended {
        /// Path of the supervisor.
        supervisor: Arc<str>,
    },
}

/// A supervisor of the tree; clones mean the same one.
#[derive(Clone)]
pub struct SupervisorRef {
    me: ChildRef<Supervisor>,
    orders: Arc<Orders>,
    ids: Arc<AtomicU64>,
    table: HealthTable,
}

impl fmt::Debug for SupervisorRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SupervisorRef").field(self.me.path()).finish()
    }
}

/// Starts the root of a tree on the current arbiter. `on_failure` is called when the root fails:
/// nothing of the tree runs any more then, and the process should end with that reason.
pub fn start_root(
    spec: SupervisorSpec,
    on_failure: impl FnOnce(Failure) + Send + 'static,
) -> SupervisorRef {
    install_panic_hook();
    let table = HealthTable::default();
    let orders = Arc::new(Orders::default());
    let (own, callback) = (orders.clone(), std::sync::Mutex::new(Some(on_failure)));
    let report = Box::new(move |event| {
        let Event::Exhausted(failure) = event else { return };
        own.give(Order::Terminate);
        let reason = match failure {
            Failure::LimitExceeded { last, .. } => *last,
            other => other,
        };
        if let Some(callback) = lock(&callback).take() {
            callback(reason);
        }
    });
    let path: Arc<str> = spec.name.as_ref().into();
    // A new table has no row yet, so the default is never taken.
    let health = table.open(&path).unwrap_or_default();
    let root = SupervisorSpec { limits: RestartLimits::NEVER, ..spec };
    let ids = Arc::new(AtomicU64::new(1));
    let seat = Seat { id: 0, path, orders: orders.clone(), health, report };
    let (launch, me) = supervisor_seat(&root, seat, table.clone());
    launch();
    orders.give(Order::Start);
    SupervisorRef { me, orders, ids, table }
}

/// What a new child's guard and its reference share.
struct Seat {
    id: u64,
    path: Arc<str>,
    orders: Arc<Orders>,
    health: Arc<Health>,
    report: Box<dyn Fn(Event) + Send>,
}

type Launch = Box<dyn FnOnce() + Send>;

fn supervisor_seat(
    spec: &SupervisorSpec,
    seat: Seat,
    table: HealthTable,
) -> (Launch, ChildRef<Supervisor>) {
    let (path, own) = (seat.path.clone(), seat.orders.clone());
    let (strategy, start_order) = (spec.strategy, spec.start_order);
    let make = move || Supervisor {
        path: path.clone(),
        strategy,
        start_order,
        own: own.clone(),
        table: table.clone(),
        children: Vec::new(),
        closing: None,
    };
    let as_child = ChildSpec {
        name: spec.name.clone(),
        limits: spec.limits,
        mailbox_bound: SUPERVISOR_MAILBOX,
        ..ChildSpec::new("")
    };
    take_seat(&as_child, None, seat, make)
}

/// Messages come at the rate of additions and failures, and are never refused.
const SUPERVISOR_MAILBOX: usize = 1024;

fn take_seat<A: Child>(
    spec: &ChildSpec,
    stop_deadline: Option<std::time::Duration>,
    seat: Seat,
    make: impl FnMut() -> A + Send + 'static,
) -> (Launch, ChildRef<A>) {
    let (sender, receiver) = channel::channel(spec.mailbox_bound);
    let (addr, kept) = (Addr::new(sender.clone()), Addr::new(sender));
    let (calls, calls_receiver) = mpsc::channel(OBSERVATIONS_MAX);
    let (ended, ended_receiver) = watch::channel(false);
    let Seat { id, path, orders, health, report } = seat;
    let terms = Terms {
        path: path.clone(),
        lifetime: spec.lifetime,
        limits: spec.limits,
        stop_deadline,
        orders,
        health: health.clone(),
        ended,
        report,
    };
    let make = Box::new(make);
    let launch = Box::new(move || {
        actix_rt::spawn(Guard::new(terms, make, kept, receiver, calls_receiver));
    });
    (launch, ChildRef { id, path, addr, calls, health, ended: ended_receiver })
}

impl SupervisorRef {
    /// Adds a child on the supervisor's own arbiter; it starts in its turn. `make` builds the
    /// actor with nothing loaded yet. The address is valid at once.
    pub fn add<A: Child>(
        &self,
        spec: &ChildSpec,
        make: impl FnMut() -> A + Send + 'static,
    ) -> Result<ChildRef<A>, AddError> {
        self.adopt(spec.on_limit, &spec.name, None, |seat| {
            take_seat(spec, Some(spec.stop_deadline), seat, make)
        })
    }

    /// The same on another arbiter.
    pub fn add_on<A: Child>(
        &self,
        arbiter: &ArbiterHandle,
        spec: &ChildSpec,
        make: impl FnMut() -> A + Send + 'static,
    ) -> Result<ChildRef<A>, AddError> {
        self.adopt(spec.on_limit, &spec.name, Some(arbiter.clone()), |seat| {
            take_seat(spec, Some(spec.stop_deadline), seat, make)
        })
    }

    /// Adds a supervisor below this one.
    pub fn add_supervisor(&self, spec: &SupervisorSpec) -> Result<SupervisorRef, AddError> {
        let mut orders = Arc::default();
        let me = self.adopt(OnLimit::Escalate, &spec.name, None, |seat| {
            orders = seat.orders.clone();
            supervisor_seat(spec, seat, self.table.clone())
        })?;
        Ok(SupervisorRef { me, orders, ids: self.ids.clone(), table: self.table.clone() })
    }

    fn adopt<A: Child>(
        &self,
        on_limit: OnLimit,
        name: &str,
        arbiter: Option<ArbiterHandle>,
        seat: impl FnOnce(Seat) -> (Launch, ChildRef<A>),
    ) -> Result<ChildRef<A>, AddError> {
        let ended = || AddError::Ended { supervisor: self.me.path.clone() };
        if !self.me.addr.connected() || arbiter.as_ref().is_some_and(|a| !a.alive()) {
            return Err(ended());
        }
        let path: Arc<str> = format!("{}/{name}", self.me.path).into();
        let taken = || AddError::PathTaken { path: path.clone() };
        let health = self.table.open(&path).ok_or_else(taken)?;
        let (id, orders) = (self.ids.fetch_add(1, Relaxed), Arc::new(Orders::default()));
        let parent = self.me.addr.clone();
        // Events are few (restart limits), and losing one would lose a child: no bound here.
        let report = Box::new(move |event| parent.do_send(SupervisorMessage::Report { id, event }));
        let (launch, child) = seat(Seat {
            id,
            path: path.clone(),
            orders: orders.clone(),
            health: health.clone(),
            report,
        });
        let state = EntryState::Waiting;
        let entry = Entry { id, path, orders, health, on_limit, state, leaving: false };
        self.me.addr.do_send(SupervisorMessage::Adopt { entry, arbiter, launch });
        Ok(child)
    }

    /// Stops a child within its deadline, takes it out of the tree and the table.
    pub async fn remove<A: Child>(&self, child: &ChildRef<A>) {
        self.me.addr.do_send(SupervisorMessage::Remove { id: child.id });
        child.ended().await;
        self.table.close(&child.path, &child.health);
    }

    /// Stops the children, the last one first, each within its deadline, then the supervisor.
    /// Children that missed their deadline say so in the health table.
    pub async fn stop(&self) {
        self.orders.give(Order::Stop);
        self.me.ended().await;
    }

    /// The supervisor as a child of its parent.
    pub fn as_child(&self) -> &ChildRef<Supervisor> {
        &self.me
    }

    /// The health table of the whole tree.
    pub fn table(&self) -> &HealthTable {
        &self.table
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum EntryState {
    /// Held, until its turn comes.
    Waiting,
    /// Loads, or backs off.
    Starting,
    Ready,
}

/// A child, as its supervisor keeps it.
struct Entry {
    id: u64,
    path: Arc<str>,
    orders: Arc<Orders>,
    health: Arc<Health>,
    on_limit: OnLimit,
    state: EntryState,
    leaving: bool,
}

impl Drop for Entry {
    /// Nothing outlives its supervisor.
    fn drop(&mut self) {
        self.orders.give(Order::Terminate);
    }
}

enum Closing {
    Stop(StopDone),
    Fail(Failure),
}

/// Everything a supervisor is told.
enum SupervisorMessage {
    /// Command. Launches the child and keeps it.
    Adopt { entry: Entry, arbiter: Option<ArbiterHandle>, launch: Launch },
    /// Command. Stops the child for good.
    Remove { id: u64 },
    /// Event from a child's guard.
    Report { id: u64, event: Event },
}

impl Message for SupervisorMessage {
    type Result = ();
}

/// The supervising actor; used through [`SupervisorRef`].
pub struct Supervisor {
    path: Arc<str>,
    strategy: Strategy,
    start_order: StartOrder,
    own: Arc<Orders>,
    table: HealthTable,
    /// In the order of their start.
    children: Vec<Entry>,
    closing: Option<Closing>,
}

impl Actor for Supervisor {
    type Context = Context<Supervisor>;

    fn started(&mut self, _: &mut Context<Supervisor>) {
        self.advance();
    }
}

impl Supervised for Supervisor {
    fn restarting(&mut self, _: &mut Context<Supervisor>) {
        self.closing = None;
        self.hold_from(0);
    }
}

impl Child for Supervisor {
    /// Paths of its children in the order of their start.
    type Observed = Vec<Arc<str>>;

    fn observe(&self) -> Vec<Arc<str>> {
        self.children.iter().map(|child| child.path.clone()).collect()
    }

    fn stop_requested(&mut self, _: &mut Context<Supervisor>, done: StopDone) {
        self.closing = Some(Closing::Stop(done));
        self.close_next();
    }
}

impl Handler<SupervisorMessage> for Supervisor {
    type Result = ();

    fn handle(&mut self, message: SupervisorMessage, _: &mut Context<Supervisor>) {
        match message {
            SupervisorMessage::Adopt { entry, arbiter, launch } => {
                self.adopt(entry, arbiter, launch);
            }
            SupervisorMessage::Remove { id } => {
                if let Some(at) = self.position(id) {
                    self.children[at].leaving = true;
                    self.children[at].orders.give(Order::Stop);
                }
            }
            SupervisorMessage::Report { id, event } => {
                if let Some(at) = self.position(id) {
                    self.heard(at, event);
                }
            }
        }
    }
}

impl Supervisor {
    fn position(&self, id: u64) -> Option<usize> {
        // Ids rise in the order of adoption but for races between adders; those are few.
        let guess = self.children.partition_point(|child| child.id < id);
        if self.children.get(guess).is_some_and(|child| child.id == id) {
            return Some(guess);
        }
        self.children.iter().position(|child| child.id == id)
    }

    fn adopt(&mut self, entry: Entry, arbiter: Option<ArbiterHandle>, launch: Launch) {
        match arbiter {
            // On a dead arbiter the guard is dropped unpolled, and reports that.
            Some(arbiter) => {
                arbiter.spawn_fn(launch);
            }
            None => launch(),
        }
        self.children.push(entry);
        match self.closing {
            Some(_) => self.close_next(),
            None => self.advance(),
        }
    }

    fn heard(&mut self, at: usize, event: Event) {
        let state = self.children[at].state;
        match (event, &self.closing) {
            (Event::Ready, None) if state == EntryState::Starting => {
                self.children[at].state = EntryState::Ready;
                self.advance();
            }
            (Event::Failed, None) if state != EntryState::Waiting => {
                self.children[at].state = EntryState::Starting;
                if self.strategy == Strategy::RestForOne {
                    self.hold_from(at + 1);
                }
            }
            (Event::Exhausted(failure), None) if state != EntryState::Waiting => {
                self.children[at].state = EntryState::Waiting;
                match self.children[at].on_limit {
                    OnLimit::GiveUp => self.children[at].orders.give(Order::Stop),
                    OnLimit::Escalate => self.escalate(failure),
                }
            }
            (Event::Held, Some(Closing::Fail(_))) => {
                self.children[at].state = EntryState::Waiting;
                self.close_next();
            }
            (Event::Ended(exit), _) => self.ended(at, exit),
            // What a child did before it learnt of an order that overrules it.
            (Event::Ready | Event::Failed | Event::Exhausted(_) | Event::Held, _) => {}
        }
    }

    fn ended(&mut self, at: usize, exit: Exit) {
        let child = self.children.remove(at);
        if exit == Exit::Normal || child.leaving {
            self.table.close(&child.path, &child.health);
        }
        match self.closing {
            Some(_) => self.close_next(),
            None if exit == Exit::ArbiterGone => {
                self.escalate(Failure::ArbiterGone { child: child.path.clone() });
            }
            None => self.advance(),
        }
    }

    /// Starts whose turn it is.
    fn advance(&mut self) {
        let in_order = self.start_order == StartOrder::OneAfterAnother
            || self.strategy == Strategy::RestForOne;
        for child in &mut self.children {
            if child.state == EntryState::Waiting && !child.leaving {
                child.orders.give(Order::Start);
                child.state = EntryState::Starting;
            }
            if in_order && child.state == EntryState::Starting {
                return;
            }
        }
    }

    /// Holds the children from `first` on, the last one first.
    fn hold_from(&mut self, first: usize) {
        for child in self.children.iter_mut().skip(first).rev() {
            child.orders.give(Order::Hold);
            child.state = EntryState::Waiting;
        }
    }

    fn escalate(&mut self, failure: Failure) {
        tracing::error!(supervisor = %self.path, %failure, "stopping children, escalating");
        self.closing = Some(Closing::Fail(failure));
        self.close_next();
    }

    /// Orders the last child that still runs to stop; without one, the supervisor is done.
    fn close_next(&mut self) {
        let stop = matches!(self.closing, Some(Closing::Stop(_)));
        let running = |child: &&Entry| stop || child.state != EntryState::Waiting;
        if let Some(last) = self.children.iter().rfind(running) {
            // Repeating an order is harmless: a guard that has begun to obey ignores it.
            last.orders.give(if stop { Order::Stop } else { Order::Pause });
            return;
        }
        match self.closing.take() {
            Some(Closing::Stop(done)) => done.acknowledge(),
            Some(Closing::Fail(failure)) => self.own.give(Order::Fail(failure)),
            None => {}
        }
    }
}
