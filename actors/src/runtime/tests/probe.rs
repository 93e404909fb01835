//! The actor that the tests break, and the log that it keeps of its life.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::runtime::{
    Actor, AsyncContext, Child, ChildRef, ChildSpec, ChildState, Context, Failure, Handler,
    Message, Reply, StopDone, Strategy, Supervised, SupervisorRef, SupervisorSpec, WrapFuture,
    start_root,
};

/// More virtual time than anything in these tests needs to answer.
pub(super) const LONG: Duration = Duration::from_secs(100);

/// What happened, in order: `name event`.
pub(super) type Log = Arc<Mutex<Vec<String>>>;

pub(super) enum ProbeMessage {
    /// Adds to the sum and answers with it.
    Add(u32),
    /// Spoils the sum, then panics.
    Break,
    /// Keeps the reply in a future that never answers.
    Keep(Reply<u32>),
    /// Ends the actor by itself.
    End,
}

impl Message for ProbeMessage {
    type Result = u32;
}

#[derive(Clone)]
pub(super) struct Probe {
    pub(super) name: &'static str,
    pub(super) sum: u32,
    pub(super) log: Log,
    /// Virtual time that loading takes.
    pub(super) load: Duration,
    /// Virtual time that finishing takes; `None` never finishes.
    pub(super) finish: Option<Duration>,
    pub(super) load_fails: bool,
}

impl Probe {
    pub(super) fn new(name: &'static str, log: &Log) -> Probe {
        let (load, finish) = (Duration::ZERO, Some(Duration::ZERO));
        Probe { name, sum: 0, log: log.clone(), load, finish, load_fails: false }
    }

    fn note(&self, event: &str) {
        self.log.lock().unwrap().push(format!("{} {event}", self.name));
    }
}

impl Actor for Probe {
    type Context = Context<Probe>;

    fn started(&mut self, ctx: &mut Context<Probe>) {
        self.note("started");
        assert!(!self.load_fails, "cannot load");
        let load = crate::runtime::clock::pause(self.load).into_actor(self);
        ctx.wait(actix::fut::ActorFutureExt::map(load, |(), probe: &mut Probe, _| {
            probe.sum = 100;
            probe.note("ready");
        }));
    }

    fn stopped(&mut self, _: &mut Context<Probe>) {
        self.note("stopped");
    }
}

impl Supervised for Probe {
    fn restarting(&mut self, _: &mut Context<Probe>) {
        self.sum = 0;
        self.note("reset");
    }
}

impl Child for Probe {
    type Observed = u32;

    fn observe(&self) -> u32 {
        self.sum
    }

    fn stop_requested(&mut self, ctx: &mut Context<Probe>, done: StopDone) {
        self.note("stopping");
        let finish = self.finish;
        let work = async move {
            match finish {
                Some(time) => crate::runtime::clock::pause(time).await,
                None => std::future::pending().await,
            }
            done.acknowledge();
        };
        ctx.spawn(work.into_actor(self));
    }
}

impl Handler<ProbeMessage> for Probe {
    type Result = u32;

    fn handle(&mut self, message: ProbeMessage, ctx: &mut Context<Probe>) -> u32 {
        match message {
            ProbeMessage::Add(n) => self.sum += n,
            ProbeMessage::Break => {
                self.sum = 6666;
                panic!("{} broke", self.name);
            }
            ProbeMessage::Keep(reply) => {
                let keep = async move {
                    std::future::pending::<()>().await;
                    drop(reply);
                };
                ctx.spawn(keep.into_actor(self));
            }
            ProbeMessage::End => actix::ActorContext::stop(ctx),
        }
        self.sum
    }
}

/// A root whose failures land in the list.
pub(super) fn root(strategy: Strategy) -> (SupervisorRef, Arc<Mutex<Vec<Failure>>>) {
    let failures = Arc::new(Mutex::new(Vec::new()));
    let seen = failures.clone();
    let spec = SupervisorSpec::new("root", strategy);
    (start_root(spec, move |failure| seen.lock().unwrap().push(failure)), failures)
}

pub(super) fn add(sup: &SupervisorRef, name: &'static str, log: &Log) -> ChildRef<Probe> {
    let probe = Probe::new(name, log);
    sup.add(&ChildSpec::new(name), move || probe.clone()).unwrap()
}

/// Takes what the log has so far.
pub(super) fn taken(log: &Log) -> Vec<String> {
    std::mem::take(&mut *log.lock().unwrap())
}

pub(super) fn state(child: &ChildRef<Probe>) -> ChildState {
    child.health().state
}

/// Breaks `child`, waits until the panic has been seen, and checks that the sender hears of it.
pub(super) async fn break_it(child: &ChildRef<Probe>) {
    child.addr().send(ProbeMessage::Break).await.unwrap_err();
}
