//! The enforcer actor: sees to it that every zone has the keys its policy wants, and that they
//! come, roll and leave as caches allow.
//! In: [`EnforcerMessage`] from zones and commands; the clock. Out: [`KeysEvent`] to zones,
//! commands that hand DS records to parents, log lines.
//! What happens is decided in `dnssec::enforcer`; here it is carried out: decisions are durable
//! before anybody hears of them, keys are made in three durable steps, and what was decided but
//! not done when the program ended (a DS to be submitted, a key to be destroyed) is found again in
//! what is remembered, and done.
//! Many zones are looked at together, so that they share their commits; but of one policy only one
//! takes or makes keys or a salt at a time, so that zones that share them do not each make their
//! own. Policies do not wait for each other: one may have its keys in a token that hangs.
//! A zone that waits costs one entry in a table.

mod effects;
mod jobs;
mod keys;
mod lines;
mod messages;
mod observation;
mod pass;
mod removal;
mod sight;
mod signconf;
mod stock;
mod submission;
mod turns;

pub use removal::TRASH_PERIOD;

pub use stock::{Stock, stock_of};

pub use sight::{Asked, Sight, Sights, scene};

pub use messages::{
    Change, ChangeError, EnforcerMessage, KeysEvent, LeavingKey, LifeEdit, Wanted, ZoneKeys,
};

use crate::parent::ParentMessage;
use crate::runtime::{
    Actor, ActorFutureExt, AsyncContext, Child, Clock, Context, Handler, Outbox, Recipient, Reply,
    SpawnHandle, Supervised, WorkerPool, WrapFuture,
};
use crate::settings::EnforcerSettings;
use crate::slot::SlotClient;
use crate::store::StoreClient;
use dnssec::key::KeyId;
use dnssec::policy::Policy;
use dnssec::{Name, Seconds, Timestamp};
use jobs::{Job, JobEnd, Task};
use lines::{Lines, Next};
use observation::Observation;
use signconf::{Signconf, Signconfs};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use stock::StockOrder;
use storage::state::Cause;
use submission::Submission;
use turns::Turns;

/// Requests that may wait; a few per zone are enough.
const QUEUE_LENGTH_MAX: usize = 400_000;
/// How long after a failure a zone is looked at again (catalogue 4.2).
const FAILURE_PAUSE: Seconds = Seconds(60);
/// How often an empty trash is looked at.
const TRASH_ROUND: Seconds = Seconds(86_400);
/// Longest wait for a zone's turn to remember that its parent was told; then the parent may be told
/// a second time.
const REMEMBERED_WITHIN: Duration = Duration::from_secs(3600);

/// The enforcer actor.
pub struct EnforcerActor {
    pass: Arc<pass::Pass>,
    zones: BTreeMap<Name, Watched>,
    /// When to look at which zone.
    agenda: BTreeSet<(Timestamp, Name)>,
    lines: Lines,
    turns: Turns,
    /// Keys to be made ahead, by policy.
    stock: BTreeMap<String, StockOrder>,
    timer: Option<(Timestamp, SpawnHandle)>,
    trash_timer: Option<SpawnHandle>,
    /// Keys about whose DS a command is running, or waits to be run again.
    submitting: BTreeSet<(Name, KeyId)>,
    signconfs: Signconfs,
    observed: EnforcerObserved,
}

/// A zone that asked for its keys.
struct Watched {
    policy: Arc<Policy>,
    to: Recipient<KeysEvent>,
    given: Option<ZoneKeys>,
    next: Option<Timestamp>,
    /// The command that gave it another policy, and whether the zone has asked for its keys under
    /// that one; until a turn under it has ended well.
    given_by: Option<GivenBy>,
    observation: Observation,
    signconf: Signconf,
}

/// Why a zone has the policy that it has.
struct GivenBy {
    cause: Cause,
    is_in_force: bool,
}

/// What operators see of the enforcer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EnforcerObserved {
    /// Zones it looks after.
    pub zones: usize,
    /// Requests that wait for their turn.
    pub waiting: usize,
    /// Requests done since the last start.
    pub answered: u64,
    /// Requests that failed since the last start.
    pub failed: u64,
    /// Signer configuration files that could not be written, or renamed.
    pub unwritten: usize,
}

/// What the enforcer works with.
pub struct EnforcerParts {
    /// The durable facts.
    pub store: StoreClient,
    /// Who asks the parents.
    pub parent: Outbox<ParentMessage>,
    /// The slots by repository.
    pub slots: BTreeMap<String, SlotClient>,
    /// For what blocks in tokens; no zone's work waits for it.
    pub pool: WorkerPool,
    /// For files.
    pub files: WorkerPool,
    /// The time.
    pub clock: Clock,
    /// Whether new keys of deprecated algorithms are allowed (RFC 9905).
    pub allow_deprecated: bool,
    /// `<Enforcer>`.
    pub settings: EnforcerSettings,
}

impl EnforcerActor {
    /// An enforcer; the parts outlive its restarts.
    pub fn new(parts: Arc<EnforcerParts>) -> EnforcerActor {
        EnforcerActor {
            pass: Arc::new(pass::Pass::new(parts)),
            zones: BTreeMap::new(),
            agenda: BTreeSet::new(),
            lines: Lines::default(),
            turns: Turns::default(),
            stock: BTreeMap::new(),
            timer: None,
            trash_timer: None,
            submitting: BTreeSet::new(),
            signconfs: Signconfs::default(),
            observed: EnforcerObserved::default(),
        }
    }

    /// Takes a job for a zone that is known; its turn comes when the policy's earlier ones are
    /// done.
    fn take(&mut self, zone: Name, task: Task, ctx: &mut Context<EnforcerActor>) {
        let Some(watched) = self.zones.get(&zone) else {
            return task.refuse(ChangeError::ZoneUnknown(Box::new(zone)));
        };
        if self.lines.waiting_count() >= QUEUE_LENGTH_MAX {
            let error = format!("{QUEUE_LENGTH_MAX} requests wait for the enforcer");
            watched.to.do_send(KeysEvent::Failed { error: error.clone() });
            return task.refuse(ChangeError::Failed(error));
        }
        let policy = watched.policy.clone();
        let Some(task) = self.turns.begin(&zone, &policy.name, task) else { return };
        let job = Job { zone, policy, task, parent: None, given: None };
        let name = job.policy.name.clone();
        self.lines.push(job);
        self.go_on(&name, ctx);
    }

    fn work_on(&mut self, mut job: Job, ctx: &mut Context<EnforcerActor>) {
        let pass = self.pass.clone();
        // Only now: an earlier turn of the zone may have changed what is looked for.
        if let Some(watched) = self.zones.get(&job.zone) {
            job.parent = watched.parent(pass.now());
            job.given = watched.given_by(&job.policy);
        }
        let work = async move { pass.work_on(job).await };
        ctx.spawn(work.into_actor(self).map(|end, actor, ctx| {
            let (zone, policy) = (end.zone.clone(), end.policy.clone());
            actor.done(end, ctx);
            actor.lines.ended(&zone, &policy);
            actor.turn_ended(zone, 1, ctx);
            actor.go_on(&policy, ctx);
        }));
    }

    /// Begins the policy's next jobs; when no zone of it wants anything, makes a key ahead.
    fn go_on(&mut self, policy: &str, ctx: &mut Context<EnforcerActor>) {
        loop {
            match self.lines.next(policy) {
                Next::Begin(job) => self.work_on(*job, ctx),
                Next::Wait => return,
                Next::Idle => break,
            }
        }
        if let Some(order) = self.stock.remove(policy) {
            self.lines.stocking(policy);
            self.stock_up(order, ctx);
        }
    }

    fn stock_up(&mut self, mut order: StockOrder, ctx: &mut Context<EnforcerActor>) {
        let pass = self.pass.clone();
        let work = async move {
            let has_made = pass.stock_one(&mut order).await;
            (order, has_made)
        };
        ctx.spawn(work.into_actor(self).map(|(order, has_made), actor, ctx| {
            let policy = order.policy.name.clone();
            match has_made {
                Ok(true) => drop(actor.stock.entry(policy.clone()).or_insert(order)),
                Ok(false) => {}
                Err(error) => tracing::error!(target: "enforcer", %policy,
                    "key generation failed for policy {policy}: {error}"),
            }
            actor.lines.stocked(&policy);
            actor.go_on(&policy, ctx);
        }));
    }

    /// Has keys made ahead for a policy, when no zone of it wants anything.
    fn order_stock(
        &mut self,
        policy: &Arc<Policy>,
        period: Seconds,
        ctx: &mut Context<EnforcerActor>,
    ) {
        if self.stock.get(&policy.name).is_some_and(|order| order.period >= period) {
            return;
        }
        let zones = self.zones.values().filter(|zone| zone.policy.name == policy.name).count();
        let policy = policy.clone();
        self.take_order(StockOrder { policy, period, zones, pools: 1, is_told: false }, ctx);
    }

    fn take_order(&mut self, order: StockOrder, ctx: &mut Context<EnforcerActor>) {
        let name = order.policy.name.clone();
        self.stock.insert(name.clone(), order);
        self.go_on(&name, ctx);
    }

    /// `key generate`.
    fn generate(
        &mut self,
        name: Option<&str>,
        period: Option<Seconds>,
        ctx: &mut Context<EnforcerActor>,
    ) {
        let settings = &self.pass.parts.settings;
        let period = period.or(settings.keys_ahead).unwrap_or(stock::PERIOD_DEFAULT);
        let mut policies = BTreeMap::new();
        for zone in self.zones.values() {
            if name.is_none_or(|name| name == zone.policy.name) {
                policies.insert(zone.policy.name.clone(), zone.policy.clone());
            }
        }
        policies.values().for_each(|policy| self.order_stock(policy, period, ctx));
    }

    fn destroy(
        &mut self,
        keys: Vec<(String, KeyId)>,
        reply: Reply<usize>,
        ctx: &mut Context<EnforcerActor>,
    ) {
        let pass = self.pass.clone();
        let work = async move { pass.destroy_now(&keys).await };
        ctx.spawn(work.into_actor(self).map(|count, actor, ctx| {
            reply.send(count);
            // Those that would not go are tried again.
            actor.empty_trash(ctx);
        }));
    }

    /// Goes on with what waited for the end of a zone's jobs.
    fn turn_ended(&mut self, zone: Name, count: usize, ctx: &mut Context<EnforcerActor>) {
        let over = self.turns.end(&zone, count);
        over.deferred.into_iter().for_each(|task| self.take(zone.clone(), task, ctx));
        over.leaving.into_iter().for_each(|reply| reply.send(()));
    }

    /// Does nothing more about a zone; `reply` hears when the job under way has ended.
    fn forget(&mut self, zone: Name, reply: Reply<()>, ctx: &mut Context<EnforcerActor>) {
        if let Some(watched) = self.zones.remove(&zone) {
            self.leave_parent(&zone);
            if let Some(next) = watched.next {
                self.agenda.remove(&(next, zone.clone()));
                self.wind(ctx);
            }
        }
        self.turns.leave(&zone, reply);
        let removed = self.lines.remove(&zone);
        let count = removed.len();
        for job in removed {
            job.task.refuse(ChangeError::ZoneUnknown(Box::new(job.zone)));
        }
        if count > 0 {
            self.turn_ended(zone, count, ctx);
        }
    }

    /// Tells the zone what it did not know, and notes when to look again.
    fn done(&mut self, end: JobEnd, ctx: &mut Context<EnforcerActor>) {
        self.observed.answered += 1;
        if let (Ok(_), Some(cause), Some(watched)) =
            (&end.result, &end.given, self.zones.get_mut(&end.zone))
        {
            watched.given_by.take_if(|given| given.is_in_force && given.cause == *cause);
        }
        let now = self.pass.now();
        let is_short = end.result.as_ref().is_ok_and(|looked| looked.has_taken || end.is_asked);
        if let (true, Some(period)) = (is_short, self.pass.parts.settings.keys_ahead)
            && !self.pass.parts.settings.manual_key_generation
            && let Some(policy) = self.zones.get(&end.zone).map(|zone| zone.policy.clone())
        {
            self.order_stock(&policy, period, ctx);
        }
        let (event, next) = match end.result {
            Ok(looked) => {
                if looked.has_purged {
                    self.empty_trash(ctx);
                }
                self.observe_parent(&end.zone, looked.watched, ctx);
                looked.submissions.into_iter().for_each(|one| self.submit(one, ctx));
                self.write_signconf(&end.zone, looked.signconf, ctx);
                let watched = self.zones.get(&end.zone);
                let shown_ds = watched.map(|watched| watched.shown_ds(now)).unwrap_or_default();
                let keys = ZoneKeys { shown_ds, ..looked.keys };
                (KeysEvent::Ready(keys), looked.next)
            }
            Err(error) => {
                self.observed.failed += 1;
                self.refuse_signconf(&end.zone, &error);
                let next = now.plus(FAILURE_PAUSE);
                (KeysEvent::Failed { error: error.to_string() }, Some(next))
            }
        };
        let Some(watched) = self.zones.get_mut(&end.zone) else { return };
        let is_news = match &event {
            KeysEvent::Ready(keys) => watched.given.as_ref() != Some(keys),
            // A zone that has keys goes on with them; the failure is in the log.
            KeysEvent::Failed { .. } => false,
        };
        if let KeysEvent::Ready(keys) = &event {
            watched.given = Some(keys.clone());
        }
        if end.is_asked || is_news {
            // A zone that is gone does not mind.
            watched.to.do_send(event);
        }
        if let Some(next) = watched.next.take() {
            self.agenda.remove(&(next, end.zone.clone()));
        }
        if let Some(next) = next {
            watched.next = Some(next);
            self.agenda.insert((next, end.zone));
        }
        self.wind(ctx);
    }

    /// Sets the one timer to the first zone's time.
    fn wind(&mut self, ctx: &mut Context<EnforcerActor>) {
        let first = self.agenda.first().map(|(at, _)| *at);
        match (&self.timer, first) {
            (Some((at, _)), Some(first)) if *at == first => return,
            (None, None) => return,
            _ => {}
        }
        if let Some((_, timer)) = self.timer.take() {
            ctx.cancel_future(timer);
        }
        let Some(at) = first else { return };
        let clock = self.pass.clock();
        let sleep = async move { clock.sleep_until(at).await };
        let timer = ctx.spawn(sleep.into_actor(self).map(|(), actor, ctx| {
            actor.timer = None;
            actor.look_at_due(ctx);
        }));
        self.timer = Some((at, timer));
    }

    fn look_at_due(&mut self, ctx: &mut Context<EnforcerActor>) {
        let now = self.pass.now();
        while let Some((at, _)) = self.agenda.first()
            && *at <= now
        {
            // There is a first one, just looked at.
            let Some((_, zone)) = self.agenda.pop_first() else { break };
            if let Some(watched) = self.zones.get_mut(&zone) {
                watched.next = None;
            }
            self.take(zone, Task::Look, ctx);
        }
        self.wind(ctx);
    }

    /// Tells a parent of a DS, unless that is under way.
    fn submit(&mut self, submission: Submission, ctx: &mut Context<EnforcerActor>) {
        if !self.submitting.insert((submission.zone.clone(), submission.id.clone())) {
            return;
        }
        let run = async move {
            let result = submission.run().await;
            (submission, result)
        };
        ctx.spawn(run.into_actor(self).map(|(submission, result), actor, ctx| match result {
            Ok(()) => actor.submitted(submission, ctx),
            Err(error) => {
                submission.log_failure(&error);
                let clock = actor.pass.clock();
                let again = actor.pass.now().plus(FAILURE_PAUSE);
                let pause = async move { clock.sleep_until(again).await };
                ctx.spawn(pause.into_actor(actor).map(move |(), actor, ctx| {
                    actor.submitting.remove(&(submission.zone.clone(), submission.id));
                    actor.take(submission.zone, Task::Look, ctx);
                }));
            }
        }));
    }

    /// Has the zone remember that its parent was told. Until that is durable or failed, no look at
    /// the zone runs the command again.
    fn submitted(&mut self, submission: Submission, ctx: &mut Context<EnforcerActor>) {
        let (done, answer) = submission.done();
        let Submission { zone, id, .. } = submission;
        self.take(zone.clone(), done, ctx);
        let remembered = async move { answer.within(&"enforcer".into(), REMEMBERED_WITHIN).await };
        ctx.spawn(remembered.into_actor(self).map(|_, actor, _| {
            // A refusal means that somebody said it before; a failure has the zone looked at again.
            actor.submitting.remove(&(zone, id));
        }));
    }

    /// Destroys keys whose time in the trash is over, now and when the next one's is.
    fn empty_trash(&mut self, ctx: &mut Context<EnforcerActor>) {
        if let Some(timer) = self.trash_timer.take() {
            ctx.cancel_future(timer);
        }
        let (pass, clock) = (self.pass.clone(), self.pass.clock());
        let work = async move {
            loop {
                let next = pass.empty_trash().await;
                // Zones that were deleted put keys there too.
                let next = next.unwrap_or_else(|| clock.now().plus(TRASH_ROUND));
                clock.sleep_until(next).await;
            }
        };
        self.trash_timer = Some(ctx.spawn(work.into_actor(self)));
    }

    fn look_at_all(&mut self, ctx: &mut Context<EnforcerActor>) {
        let zones: Vec<Name> = self.zones.keys().cloned().collect();
        zones.into_iter().for_each(|zone| self.take(zone, Task::Look, ctx));
    }

    /// The next turns under another policy are because of this.
    fn policy_given(&mut self, zones: Vec<Name>, cause: &Cause) {
        for zone in zones {
            // One that has not asked for its keys yet has nothing that could change.
            if let Some(watched) = self.zones.get_mut(&zone) {
                watched.given_by = Some(GivenBy { cause: cause.clone(), is_in_force: false });
            }
        }
    }

    fn watch(&mut self, wanted: Wanted, ctx: &mut Context<EnforcerActor>) {
        let Wanted { zone, policy, to, signconf } = wanted;
        let watched = match self.zones.remove(&zone) {
            Some(mut known) => {
                if let Some(given) = known.given_by.as_mut().filter(|_| known.policy != policy) {
                    given.is_in_force = true;
                }
                Watched { policy, to, signconf: known.signconf.moved_to(signconf), ..known }
            }
            None => Watched {
                policy,
                to,
                given: None,
                next: None,
                given_by: None,
                observation: Observation::default(),
                signconf: Signconf::at(signconf),
            },
        };
        self.zones.insert(zone.clone(), watched);
        self.take(zone, Task::Keys, ctx);
    }
}

impl Watched {
    /// The command because of which a turn under this policy is taken.
    fn given_by(&self, policy: &Arc<Policy>) -> Option<Cause> {
        let given = self.given_by.as_ref().filter(|given| given.is_in_force);
        given.filter(|_| Arc::ptr_eq(policy, &self.policy)).map(|given| given.cause.clone())
    }
}

impl Actor for EnforcerActor {
    type Context = Context<EnforcerActor>;

    fn started(&mut self, ctx: &mut Context<EnforcerActor>) {
        self.empty_trash(ctx);
        self.look_at_all(ctx);
    }
}

impl Supervised for EnforcerActor {
    /// Who asked stays known; everything else is read back from what is durable, zone by zone.
    fn restarting(&mut self, _: &mut Context<EnforcerActor>) {
        self.agenda.clear();
        self.lines.clear();
        self.turns.clear();
        self.stock.clear();
        self.timer = None;
        self.trash_timer = None;
        self.submitting.clear();
        self.signconfs = Signconfs::default();
        self.observed = EnforcerObserved::default();
        for watched in self.zones.values_mut() {
            watched.next = None;
            watched.signconf.forget();
        }
    }
}

impl Child for EnforcerActor {
    type Observed = EnforcerObserved;

    fn observe(&self) -> EnforcerObserved {
        EnforcerObserved {
            zones: self.zones.len(),
            waiting: self.lines.waiting_count(),
            unwritten: self.signconfs.failed(),
            ..self.observed
        }
    }
}

impl Handler<EnforcerMessage> for EnforcerActor {
    type Result = ();

    fn handle(&mut self, message: EnforcerMessage, ctx: &mut Context<EnforcerActor>) {
        match message {
            EnforcerMessage::KeysWanted(wanted) => self.watch(wanted, ctx),
            EnforcerMessage::PolicyGiven { zones, cause } => self.policy_given(zones, &cause),
            EnforcerMessage::Published { zone, report } => {
                self.take(zone, Task::Published(report), ctx);
            }
            EnforcerMessage::Announced { zone, digest, at } => self.announce(zone, digest, at),
            EnforcerMessage::Change(change) => {
                let Change { zone, edit, cause, reply } = change;
                self.take(zone, Task::Change { edit, cause, adopts: None, reply }, ctx);
            }
            EnforcerMessage::Adopt { key, change } => {
                let Change { zone, edit, cause, reply } = change;
                self.take(zone, Task::Change { edit, cause, adopts: Some(key), reply }, ctx);
            }
            EnforcerMessage::Generate { policy, period } => {
                self.generate(policy.as_deref(), period, ctx);
            }
            EnforcerMessage::Stock { policy, period, pools } => {
                let order = StockOrder { policy, period, zones: pools, pools, is_told: false };
                self.take_order(order, ctx);
            }
            EnforcerMessage::Destroy { keys, reply } => self.destroy(keys, reply, ctx),
            EnforcerMessage::Signconf { zone, reply } => self.want_signconf(zone, reply, ctx),
            EnforcerMessage::PutAside { zone, file, reply } => {
                self.put_signconf_aside(zone, file, reply, ctx);
            }
            EnforcerMessage::Sights { zones, reply } => self.see(zones, reply, ctx),
            EnforcerMessage::Parents { zone, reply } => {
                // Whoever asks hears that there is no answer.
                let _ = self.pass.parts.parent.tell(ParentMessage::Status { zone, reply });
            }
            EnforcerMessage::AtWork { reply } => reply.send(self.turns.zones()),
            EnforcerMessage::Enforce { zone: Some(zone) } => self.take(zone, Task::Look, ctx),
            EnforcerMessage::Enforce { zone: None } => self.look_at_all(ctx),
            EnforcerMessage::Forget { zone, reply } => self.forget(zone, reply, ctx),
            EnforcerMessage::Agenda { reply } => {
                reply.send(self.agenda.iter().cloned().collect());
            }
        }
    }
}
