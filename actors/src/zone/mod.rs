//! The zone actor: owns one zone's life. It knows what is true about the zone, when the next run
//! is due, and sends the zone through the stages; the run itself is [`pipeline`].
//! In: [`ZoneMessage`], [`KeysEvent`]. Out: [`ZoneStatus`], log lines.
//! After a crash its state is read back from the store and the snapshot; nothing is lost, since
//! nothing is told to anybody before it is durable.
//! Limits: one run at a time; failed runs pause 60 s doubling to 3600 s (catalogue 5.1), and after
//! [`CRASH_COUNT_MAX`] crashed runs the zone is in quarantine: the longest pause at once.

mod compaction;
pub mod gate;
mod input;
mod loading;
mod messages;
pub mod pipeline;
pub mod plan;
mod refresh;
mod report;
mod saving;
pub mod signing;
mod specimen;
mod status;
mod updates;
mod verdicts;
mod waking;

pub(crate) use input::{HELD_SUFFIX, held_path};
pub use messages::ZoneMessage;
pub use plan::Basis;
pub(crate) use refresh::{RECEIVED_SUFFIX, random_per_mille, received_path};
pub use refresh::{ReceivedZone, RefreshStatus};
pub use status::{Phase, ZoneStatus};
pub(crate) use updates::updates_folder;

use crate::enforcer::{EnforcerMessage, KeysEvent, ZoneKeys};
use crate::runtime::{
    Actor, ActorFutureExt, AsyncContext, Child, Context, Handler, Outbox, Progress, SpawnHandle,
    StopDone, Supervised, WorkerPool, WrapFuture,
};
use crate::settings::{ZoneSettings, zone_text};
use crate::slot::Openings;
use crate::stages::StageError;
use crate::stages::publish::{Stored, ZoneJournal};
use ::audit::PublishedVersion;
use audit_host::Copy;
use compaction::Compaction;
use dnssec::serial::enforce_serial;
use dnssec::zone::ZoneVersion;
use dnssec::{Serial, Timestamp};
use pipeline::{Reading, RunEnd, RunError, RunOrder, Services};
use refresh::{Fate, Refreshing};
use std::sync::Arc;
use std::time::Duration;
use storage::state::ZoneState;
use tokio::sync::watch;
use updates::Updating;

/// Pause after the first failed run; doubles with each.
const PAUSE_FIRST: Duration = Duration::from_secs(60);
/// No pause is longer.
const PAUSE_MAX: Duration = Duration::from_secs(3600);
/// Time between two log lines about a run that takes long.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(10);
/// How long a zone waits for the enforcer before it signs with the keys it knows.
const KEYS_DEADLINE: Duration = Duration::from_secs(300);
/// Crashed runs in a row after which a zone is in quarantine.
pub const CRASH_COUNT_MAX: u32 = 3;

/// The actor of one zone.
pub struct ZoneActor {
    /// What it goes by.
    settings: ZoneSettings,
    /// What it is to go by; always the newest.
    newest: watch::Receiver<ZoneSettings>,
    name: String,
    services: Arc<Services>,
    enforcer: Outbox<EnforcerMessage>,
    pool: WorkerPool,
    status: watch::Sender<ZoneStatus>,
    state: Option<ZoneState>,
    stored: Option<Stored>,
    unsigned: Option<Arc<ZoneVersion>>,
    basis: Option<Arc<Basis>>,
    approved: Option<Copy>,
    journal: ZoneJournal,
    /// Generation that the journal belongs to.
    journal_generation: u64,
    compaction: Option<Compaction>,
    progress: Arc<Progress>,
    keys: Option<ZoneKeys>,
    /// What the enforcer was told last of what is published.
    reported: report::Reported,
    reading: Reading,
    /// Of a zone that comes by transfer.
    refreshing: Option<Refreshing>,
    /// Of a zone that is changed by updates.
    updating: Option<Updating>,
    running: bool,
    /// Somebody wants the input read anew, and the run under way may have read it before that.
    again: bool,
    /// The serial that somebody wants the next version to have.
    serial_wanted: Option<Serial>,
    /// Somebody wants all signatures made anew, and no run has begun since.
    clear_wanted: bool,
    /// The run under way makes them.
    clearing: bool,
    /// What caches may have of earlier versions.
    history: Vec<PublishedVersion>,
    /// What the last alarm about a refusal said, and when.
    alarmed: Option<(String, Timestamp)>,
    /// What the published version was made with, when this process made it or found it to stand.
    made_with: Option<(ZoneSettings, ZoneKeys)>,
    /// When all of the published version is to be judged again.
    whole_due: Option<Timestamp>,
    failures: u32,
    crashes: u32,
    timer: Option<SpawnHandle>,
    openings: watch::Receiver<Openings>,
    /// Openings of its keys' tokens when the last try began.
    openings_seen: u64,
    /// When it was last told that something due was left for a token that is away.
    late_told: Option<Timestamp>,
}

/// What outlives a zone actor's restarts.
#[derive(Clone)]
pub struct ZoneParts {
    /// The zone: a restart finds the newest settings.
    pub settings: watch::Receiver<ZoneSettings>,
    /// Stages, slots, store.
    pub services: Arc<Services>,
    /// Where keys are asked for.
    pub enforcer: Arc<Outbox<EnforcerMessage>>,
    /// For blocking work of its own: opening the snapshot.
    pub pool: WorkerPool,
    /// Where everybody may look.
    pub status: watch::Sender<ZoneStatus>,
    /// Where everybody may see how far a run is.
    pub progress: Arc<Progress>,
    /// Openings of tokens.
    pub openings: watch::Receiver<Openings>,
}

impl ZoneActor {
    /// An actor with nothing loaded yet.
    pub fn new(parts: &ZoneParts) -> ZoneActor {
        let settings = parts.settings.borrow().clone();
        ZoneActor {
            name: zone_text(&settings.name),
            settings,
            newest: parts.settings.clone(),
            services: parts.services.clone(),
            enforcer: parts.enforcer.fork(),
            pool: parts.pool.clone(),
            status: parts.status.clone(),
            state: None,
            stored: None,
            unsigned: None,
            basis: None,
            approved: None,
            journal: ZoneJournal::default(),
            journal_generation: 0,
            compaction: None,
            progress: parts.progress.clone(),
            keys: None,
            reported: None,
            reading: Reading::Read,
            serial_wanted: None,
            refreshing: None,
            updating: None,
            running: false,
            again: false,
            clear_wanted: false,
            clearing: false,
            history: Vec::new(),
            alarmed: None,
            made_with: None,
            whole_due: None,
            failures: 0,
            crashes: 0,
            timer: None,
            openings: parts.openings.clone(),
            openings_seen: 0,
            late_told: None,
        }
    }

    fn set(&self, change: impl FnOnce(&mut ZoneStatus)) {
        self.status.send_modify(change);
    }

    /// A run is due: first the keys, which are as fresh as the run then.
    fn want_run(&mut self, ctx: &mut Context<ZoneActor>) {
        if self.running {
            return;
        }
        if self.state.is_none() {
            return self.load(ctx);
        }
        if self.waits_for_transfer() {
            return self.set(|status| status.phase = Phase::WaitingForTransfer);
        }
        self.set(|status| status.phase = Phase::WaitingForKeys);
        self.openings_seen = self.openings_of_tokens();
        let wanted = crate::enforcer::Wanted {
            zone: self.settings.name.clone(),
            policy: self.settings.policy.clone(),
            to: ctx.address().recipient(),
            signconf: self.settings.signconf.clone(),
        };
        let told = self.enforcer.tell(EnforcerMessage::KeysWanted(wanted));
        let wait = if told.is_ok() { KEYS_DEADLINE } else { PAUSE_FIRST };
        self.run_later(wait, ctx, |actor, ctx| match actor.keys.is_some() {
            true => actor.start(ctx),
            false => actor.want_run(ctx),
        });
    }

    /// Sets the one timer of the zone.
    fn run_later(
        &mut self,
        wait: Duration,
        ctx: &mut Context<ZoneActor>,
        then: impl FnOnce(&mut ZoneActor, &mut Context<ZoneActor>) + 'static,
    ) {
        if let Some(timer) = self.timer.take() {
            ctx.cancel_future(timer);
        }
        self.timer = Some(ctx.run_later(wait, |actor, ctx| {
            actor.timer = None;
            then(actor, ctx);
        }));
    }

    fn start(&mut self, ctx: &mut Context<ZoneActor>) {
        let (Some(state), Some(keys)) = (&self.state, &self.keys) else { return };
        self.clearing = std::mem::take(&mut self.clear_wanted);
        if self.clearing {
            (self.stored, self.basis, self.approved) = (None, None, None);
        }
        if let Some(timer) = self.timer.take() {
            ctx.cancel_future(timer);
        }
        let (order, keys) = (self.order(state, keys), keys.clone());
        self.note_received(&order);
        let made_by = self.settings.clone();
        self.running = true;
        self.openings_seen = self.openings_of_tokens();
        self.set(|status| status.phase = Phase::Running);
        let reports = ctx.run_interval(PROGRESS_INTERVAL, |actor, _| {
            status::log_progress(&actor.name, &actor.progress.view());
        });
        let services = self.services.clone();
        let run = async move { services.run(order).await };
        ctx.spawn(run.into_actor(self).map(move |result, actor, ctx| {
            ctx.cancel_future(reports);
            actor.running = false;
            match result {
                Ok(end) => {
                    actor.made_with = Some((made_by, keys.clone()));
                    actor.succeeded(end, keys, ctx);
                }
                Err(error) => actor.failed(&error, ctx),
            }
        }));
    }

    /// What a run begins with now.
    fn order(&self, state: &ZoneState, keys: &ZoneKeys) -> RunOrder {
        RunOrder {
            settings: self.settings.clone(),
            keys: keys.clone(),
            state: state.clone(),
            stored: self.stored.clone(),
            unsigned: self.unsigned.clone(),
            reading: self.reading,
            received: self.received(),
            basis: self.basis.clone(),
            approved: self.approved.clone().filter(|_| !self.is_whole_wanted(keys)),
            history: self.history.clone(),
            journal: self.journal.clone(),
            journal_generation: self.journal_generation,
            generation_next: self.generation_next(),
            progress: self.progress.clone(),
            serial_wanted: self.serial_wanted,
        }
    }

    fn succeeded(&mut self, end: RunEnd, keys: ZoneKeys, ctx: &mut Context<ZoneActor>) {
        let now = self.services.clock.now();
        let fate = Fate::of(&end);
        let next = now.plus(self.settings.policy.signatures.resign);
        status::log_end(&self.name, &end);
        self.crashes = 0;
        // An input that was refused is tried again: time may have mended it, or a waiver.
        let (next, failures, reading) = match &end.refusal {
            None => (next, 0, Reading::Skip),
            Some(_) => {
                let failures = self.failures + 1;
                let pause = dnssec::Seconds(pause_after(failures).as_secs());
                (now.plus(pause).min(next), failures, Reading::Read)
            }
        };
        (self.failures, self.reading) = (failures, reading);
        self.set(|status| {
            status.take(&end.state);
            status.take_end(&end, &keys, next);
            status.ended_well_at = Some(now);
            status.failures = failures;
        });
        self.history.clone_from(&end.history);
        // Keys that came while the run was under way.
        let has_new_keys = self.keys.as_ref().is_some_and(|newest| *newest != keys);
        // It was used, or a newer one was.
        let last = end.state.output_serial;
        self.serial_wanted =
            self.serial_wanted.filter(|wanted| enforce_serial(*wanted, last).is_ok());
        self.take_generation(end.state.generation);
        self.state = Some(end.state);
        self.stored = Some(end.stored);
        self.unsigned = Some(end.unsigned);
        self.basis = Some(end.basis);
        self.approved = end.approved;
        self.tell_late(end.late.as_ref(), now);
        match &end.refusal {
            Some(refusal) => self.tell_refusal(refusal),
            None => self.end_refusal(),
        }
        self.judge_whole_if_due(ctx);
        self.compact_if_due(ctx);
        self.report(keys, ctx);
        self.received_ended(fate, ctx);
        if std::mem::take(&mut self.again) {
            self.read_and_sign(ctx);
        } else if has_new_keys {
            self.start(ctx);
        } else if self.late_told.is_some() && self.openings_of_tokens() != self.openings_seen {
            self.want_run(ctx);
        } else {
            self.wake_at(next, ctx);
        }
    }

    fn read_and_sign(&mut self, ctx: &mut Context<ZoneActor>) {
        self.reading = Reading::Read;
        self.again = self.running;
        self.want_run(ctx);
    }

    /// Goes by the newest settings from now on. The next run signs by them; whatever they do not
    /// concern stays. A run under way ends by the old ones.
    fn take_settings(&mut self, ctx: &mut Context<ZoneActor>) {
        self.settings = self.newest.borrow().clone();
        self.take_inbound(ctx);
        self.read_and_sign(ctx);
    }

    /// Waits for the moment; a leap of the clock wakes too.
    fn wake_at(&mut self, at: Timestamp, ctx: &mut Context<ZoneActor>) {
        if let Some(timer) = self.timer.take() {
            ctx.cancel_future(timer);
        }
        let clock = self.services.clock.clone();
        let sleep = async move { clock.sleep_until(at).await };
        self.timer = Some(ctx.spawn(sleep.into_actor(self).map(|(), actor, ctx| {
            actor.timer = None;
            actor.want_run(ctx);
        })));
    }

    fn failed(&mut self, error: &RunError, ctx: &mut Context<ZoneActor>) {
        self.failures += 1;
        match error {
            RunError::Stage(StageError::Crashed { .. }) => self.crashes += 1,
            RunError::Refused(refused) if refused.is_crash => self.crashes += 1,
            _ => {}
        }
        if let RunError::Refused(refused) = error {
            self.set(|status| status.gate.refuse(&refused.refusal));
            self.tell_refusal(&refused.refusal);
        }
        match error {
            RunError::Stage(StageError::Held(held)) => {
                self.set(|status| status.held_input = Some((**held).clone()));
            }
            RunError::Stage(error @ (StageError::Input(_) | StageError::Source(_))) => {
                self.set(|status| status.input_failure = Some(error.to_string()));
            }
            _ => {}
        }
        let in_quarantine = self.crashes >= CRASH_COUNT_MAX;
        tracing::error!(target: "worker", zone = %self.name,
            "CRITICAL: failed to sign zone {}: {error}", self.name);
        if in_quarantine {
            tracing::error!(target: "worker", zone = %self.name, crashes = self.crashes,
                "zone {} is in quarantine: the last version stays served; please report this crash",
                self.name);
        }
        let failures = self.failures;
        self.clear_wanted |= std::mem::take(&mut self.clearing);
        self.set(|status| status.fail(error.to_string(), failures, in_quarantine));
        // The run may have made a version true before it failed: its serial is taken.
        self.state = None;
        self.received_failed(error, ctx);
        if std::mem::take(&mut self.again) {
            return self.read_and_sign(ctx);
        }
        let pause = pause_after(self.failures);
        match error {
            RunError::Slot(_) | RunError::Stage(StageError::Slot { .. }) => {
                self.try_again_in(pause, ctx);
            }
            _ => {
                let pause = if in_quarantine { PAUSE_MAX } else { pause };
                self.run_after(pause, ctx);
            }
        }
    }

    fn run_after(&mut self, pause: Duration, ctx: &mut Context<ZoneActor>) {
        let length = dnssec::Seconds(pause.as_secs());
        let next = self.services.clock.now().plus(length);
        self.set(|status| status.next_run = Some(next));
        self.run_later(pause, ctx, |actor, ctx| actor.want_run(ctx));
    }

    /// Pauses after a failure of a token. Not when one of its keys' tokens was opened since the
    /// try began: no other opening will wake this zone.
    fn try_again_in(&mut self, pause: Duration, ctx: &mut Context<ZoneActor>) {
        let is_awake = self.openings_of_tokens() != self.openings_seen;
        let pause = if is_awake { Duration::ZERO } else { pause };
        self.run_after(pause, ctx);
    }
}

/// The pause after so many failures in a row.
fn pause_after(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(10);
    PAUSE_FIRST.saturating_mul(1 << doublings).min(PAUSE_MAX)
}

impl Actor for ZoneActor {
    type Context = Context<ZoneActor>;

    fn started(&mut self, ctx: &mut Context<ZoneActor>) {
        self.wait_for_opening(ctx);
        self.load(ctx);
    }
}

impl Supervised for ZoneActor {
    fn restarting(&mut self, _: &mut Context<ZoneActor>) {
        self.settings = self.newest.borrow().clone();
        self.state = None;
        self.stored = None;
        self.unsigned = None;
        self.basis = None;
        self.approved = None;
        self.journal = ZoneJournal::default();
        self.compaction = None;
        self.keys = None;
        self.reported = None;
        self.reading = Reading::Read;
        self.refreshing = None;
        self.updating = None;
        self.running = false;
        self.again = false;
        self.clear_wanted = false;
        self.clearing = false;
        self.history = Vec::new();
        self.made_with = None;
        self.timer = None;
    }
}

impl Child for ZoneActor {
    type Observed = ZoneStatus;

    fn observe(&self) -> ZoneStatus {
        self.status.borrow().clone()
    }

    /// A run that is cut short has changed nothing but what it made durable.
    fn stop_requested(&mut self, _: &mut Context<ZoneActor>, done: StopDone) {
        done.acknowledge();
    }
}

impl Handler<ZoneMessage> for ZoneActor {
    type Result = ();

    fn handle(&mut self, message: ZoneMessage, ctx: &mut Context<ZoneActor>) {
        match message {
            ZoneMessage::SignNow => self.read_and_sign(ctx),
            ZoneMessage::SignWith { serial } => {
                self.serial_wanted = Some(serial);
                self.read_and_sign(ctx);
            }
            ZoneMessage::RunNow => self.want_run(ctx),
            ZoneMessage::Notified { from, serial } => self.notified(from, serial, ctx),
            ZoneMessage::UpdatesWait { queue } => self.updates_wait(queue, ctx),
            ZoneMessage::Retransfer => self.retransfer(ctx),
            ZoneMessage::SettingsChanged => self.take_settings(ctx),
            ZoneMessage::Clear => {
                self.clear_wanted = true;
                self.read_and_sign(ctx);
            }
            ZoneMessage::Published { reply } => reply.send(self.stored.clone()),
            ZoneMessage::Specimen { reply } => reply.send(self.specimen()),
            ZoneMessage::JudgeWhole { reply } => self.judge_whole(Some(reply), ctx),
        }
    }
}

impl Handler<KeysEvent> for ZoneActor {
    type Result = ();

    fn handle(&mut self, event: KeysEvent, ctx: &mut Context<ZoneActor>) {
        match event {
            KeysEvent::Ready(keys) => self.keys = Some(keys),
            KeysEvent::Failed { error } if self.keys.is_some() => {
                tracing::error!(target: "enforcer", zone = %self.name, %error,
                    "zone {} goes on being signed with the keys there are", self.name);
            }
            KeysEvent::Failed { error } => {
                self.failures += 1;
                let is_new = self.status.borrow().failure.as_ref() != Some(&error);
                // The same again is no news: with a token away, every zone would repeat it.
                if is_new {
                    tracing::error!(target: "enforcer", zone = %self.name, %error,
                        "zone {} has no keys yet", self.name);
                }
                let failures = self.failures;
                self.set(|status| status.fail(error, failures, false));
                return self.try_again_in(PAUSE_FIRST, ctx);
            }
        }
        if !self.running && self.state.is_some() {
            self.start(ctx);
        }
    }
}
