//! The enforcer actor: sees to it that every zone has the keys its policy wants.
//! In: [`EnforcerMessage::KeysWanted`] from zones. Out: [`KeysEvent`] to them.
//! What is missing is decided in `dnssec::first_keys`; here it is carried out, in three durable
//! steps per key: the intent with an id of our choice, the generation, the record with the public
//! key. After a crash the intent is found again and adopted or repeated, never made twice.
//! One zone of a policy after the other, so that zones that share keys or a salt do not each make
//! their own. Policies do not wait for each other: one may have its keys in a token that hangs.
//! Not yet: rolls, which are the next step of the key timing core.

mod keys;
mod messages;

pub use messages::{EnforcerMessage, KeysEvent, Wanted, ZoneKeys};

use crate::runtime::{
    Actor, ActorFutureExt, AsyncContext, Child, Clock, Context, Handler, Supervised, WrapFuture,
};
use crate::slot::SlotClient;
use crate::store::StoreClient;
use keys::KeyMaker;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Requests that may wait; one per zone is enough.
const QUEUE_LENGTH_MAX: usize = 100_000;

/// The enforcer actor.
pub struct EnforcerActor {
    maker: Arc<KeyMaker>,
    /// By policy; a policy that is here has one zone at work, besides these that wait.
    waiting: BTreeMap<String, VecDeque<Wanted>>,
    observed: EnforcerObserved,
}

/// What operators see of the enforcer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EnforcerObserved {
    /// Zones that wait for their keys.
    pub waiting: usize,
    /// Requests answered since the last start.
    pub answered: u64,
    /// Requests that failed since the last start.
    pub failed: u64,
}

/// What the enforcer works with.
pub struct EnforcerParts {
    /// The durable facts.
    pub store: StoreClient,
    /// The slots by repository.
    pub slots: BTreeMap<String, SlotClient>,
    /// The time.
    pub clock: Clock,
    /// Whether new keys of deprecated algorithms are allowed (RFC 9905).
    pub allow_deprecated: bool,
}

impl EnforcerActor {
    /// An enforcer; the parts outlive its restarts.
    pub fn new(parts: Arc<EnforcerParts>) -> EnforcerActor {
        EnforcerActor {
            maker: Arc::new(KeyMaker::new(parts)),
            waiting: BTreeMap::new(),
            observed: EnforcerObserved::default(),
        }
    }

    fn see_to(&mut self, wanted: Wanted, ctx: &mut Context<EnforcerActor>) {
        let maker = self.maker.clone();
        let work = async move {
            let result = maker.keys_for(&wanted).await;
            (wanted, result)
        };
        ctx.spawn(work.into_actor(self).map(|(wanted, result), actor, ctx| {
            actor.observed.answered += 1;
            actor.observed.failed += u64::from(result.is_err());
            let event = match result {
                Ok(keys) => KeysEvent::Ready(keys),
                Err(error) => KeysEvent::Failed { error: error.to_string() },
            };
            // A zone that is gone does not mind.
            wanted.to.do_send(event);
            actor.next(&wanted.policy.name, ctx);
        }));
    }

    /// The next zone of a policy.
    fn next(&mut self, policy: &str, ctx: &mut Context<EnforcerActor>) {
        match self.waiting.get_mut(policy).and_then(VecDeque::pop_front) {
            Some(wanted) => self.see_to(wanted, ctx),
            None => drop(self.waiting.remove(policy)),
        }
    }

    fn waiting_count(&self) -> usize {
        self.waiting.values().map(VecDeque::len).sum()
    }
}

impl Actor for EnforcerActor {
    type Context = Context<EnforcerActor>;
}

impl Supervised for EnforcerActor {
    /// Zones ask again when they hear nothing.
    fn restarting(&mut self, _: &mut Context<EnforcerActor>) {
        self.waiting.clear();
        self.observed = EnforcerObserved::default();
    }
}

impl Child for EnforcerActor {
    type Observed = EnforcerObserved;

    fn observe(&self) -> EnforcerObserved {
        EnforcerObserved { waiting: self.waiting_count(), ..self.observed }
    }
}

impl Handler<EnforcerMessage> for EnforcerActor {
    type Result = ();

    fn handle(&mut self, message: EnforcerMessage, ctx: &mut Context<EnforcerActor>) {
        let EnforcerMessage::KeysWanted(wanted) = message;
        if self.waiting_count() >= QUEUE_LENGTH_MAX {
            let error = format!("{QUEUE_LENGTH_MAX} zones wait for their keys");
            wanted.to.do_send(KeysEvent::Failed { error });
            return;
        }
        if let Some(queue) = self.waiting.get_mut(&wanted.policy.name) {
            return queue.push_back(wanted);
        }
        self.waiting.insert(wanted.policy.name.clone(), VecDeque::new());
        self.see_to(wanted, ctx);
    }
}
