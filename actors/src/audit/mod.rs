//! The watcher of the auditor: tests it, hears its silence, and sees to its log.
//! In: the clock; [`AuditorMessage`]. Out: entries in the log of verdicts, alarms, [`VigilStatus`].
//! Each zone is used for a test once a day, at its own time of day; soon after the start the first
//! zone that has a version is. When the auditor approves a wrong zone, nothing of any zone is
//! published until it was restarted and passes, or an operator says so.
//! Never: verdicts on candidates; those are the stage's. Limits: one test at a time,
//! [`TESTS_MAX`] zones in one round.

mod messages;
pub mod selftest;
pub mod vigil;

pub use messages::AuditorMessage;
pub use selftest::Specimen;
pub use vigil::{Distrusted, Vigil, VigilStatus};

use crate::runtime::{
    Actor, ActorFutureExt, AsyncContext, Child, Clock, Context, Handler, Reply, Supervised,
    WorkerPool, WrapFuture,
};
use crate::settings::zone_text;
use crate::store::{StoreClient, StoreError};
use crate::system::{RunningZone, Zones};
use crate::zone::ZoneMessage;
use audit_host::Judge;
use dnssec::mutation::MutationKind;
use dnssec::{Name, Seconds, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use storage::state::{TestOutcome, Tested, User, VerdictEntry, VerdictEvent};
use vigil::LastTest;

/// The build of the auditor, as the log of verdicts names it.
pub const AUDITOR: &str = concat!("anchorite-audit ", env!("CARGO_PKG_VERSION"));
/// Time between two looks.
const LOOK_INTERVAL: Duration = Duration::from_secs(10);
/// A zone is used for a test so often.
const TEST_INTERVAL: Seconds = Seconds(86_400);
/// When a zone had no version to test with, it is asked again after this time.
const NO_VERSION_PAUSE: Seconds = Seconds(300);
/// Zones in one round of tests.
const TESTS_MAX: usize = 16;
/// The log is tidied so often, and its last hash told.
const TIDY_INTERVAL: Seconds = Seconds(86_400);
/// Longest wait for a zone's version.
const ZONE_DEADLINE: Duration = Duration::from_secs(10);

/// What the watcher works with.
pub struct AuditorParts {
    /// The time.
    pub clock: Clock,
    /// The auditor.
    pub judge: Arc<Judge>,
    /// What is known of it.
    pub vigil: Arc<Vigil>,
    /// Its log.
    pub store: StoreClient,
    /// Whose versions it is tested with.
    pub zones: Zones,
    /// Threads that wait for it.
    pub pool: WorkerPool,
    /// How long entries of the log are kept.
    pub log_kept: Seconds,
}

/// The watcher.
pub struct AuditorActor {
    parts: Arc<AuditorParts>,
    /// When each zone is due for a test.
    due: BTreeMap<Name, Timestamp>,
    is_testing: bool,
    tidy_due: Timestamp,
    /// The silence that the log tells of.
    is_silent: bool,
}

/// What came of the tests with one zone.
pub type TestReports = Result<Vec<Tested>, String>;

impl AuditorActor {
    /// A watcher; the parts outlive its restarts.
    pub fn new(parts: Arc<AuditorParts>) -> AuditorActor {
        let tidy_due = parts.clock.now();
        AuditorActor { parts, due: BTreeMap::new(), is_testing: false, tidy_due, is_silent: false }
    }

    fn status(&self) -> VigilStatus {
        let parts = &self.parts;
        parts.vigil.status(&parts.judge.status(), parts.clock.uptime())
    }

    fn look(&mut self, ctx: &mut Context<AuditorActor>) {
        self.parts.vigil.retain(|zone| self.parts.zones.get(zone).is_some());
        self.hear();
        let now = self.parts.clock.now();
        if now >= self.tidy_due {
            self.tidy_due = now.plus(TIDY_INTERVAL);
            let parts = self.parts.clone();
            ctx.spawn(async move { tidy(&parts).await }.into_actor(self));
        }
        if self.is_testing {
            return;
        }
        let zones = self.zones_due(now);
        if zones.is_empty() {
            return;
        }
        self.is_testing = true;
        let parts = self.parts.clone();
        let tests = async move {
            let mut without = Vec::new();
            for zone in zones {
                if let Err(reason) = test_once(&parts, &zone).await {
                    tracing::debug!(target: "audit", zone = %zone.text(), reason, "no self test");
                    without.push(zone.settings.name.clone());
                }
            }
            without
        };
        ctx.spawn(tests.into_actor(self).map(move |without, actor, _| {
            actor.is_testing = false;
            let soon = actor.parts.clock.now().plus(NO_VERSION_PAUSE);
            for zone in without {
                actor.due.insert(zone, soon);
            }
        }));
    }

    /// Says when silence begins and ends.
    fn hear(&mut self) {
        let status = self.status();
        match (status.silent_for, self.is_silent) {
            (Some(length), false) => tracing::error!(target: "audit", waiting = status.waiting,
                "ALARM: the auditor has given no verdict for {} s, and {} zones wait for one; the \
                 last versions stay served; look for what keeps its process (see the log) and \
                 restart it", length.as_secs(), status.waiting),
            (None, true) => tracing::warn!(target: "audit", "the auditor gives verdicts again"),
            _ => {}
        }
        self.is_silent = status.silent_for.is_some();
    }

    /// The zones to test with now. While the auditor is not trusted, the first ones, as soon as it
    /// was restarted.
    fn zones_due(&mut self, now: Timestamp) -> Vec<Arc<RunningZone>> {
        let zones = self.parts.zones.all();
        let is_first = self.due.is_empty();
        self.due.retain(|zone, _| zones.iter().any(|one| one.settings.name == *zone));
        for (index, zone) in zones.iter().enumerate() {
            // Soon after the start one zone is enough to test the auditor.
            let wait = match is_first && index == 0 {
                true => 0,
                false => spread(zone.settings.name.as_wire()),
            };
            let name = zone.settings.name.clone();
            self.due.entry(name).or_insert(now.plus(Seconds(wait)));
        }
        if self.parts.vigil.check().is_err() {
            return zones.into_iter().take(TESTS_MAX).collect();
        }
        let is_due = |zone: &Arc<RunningZone>| {
            self.due.get(&zone.settings.name).is_some_and(|due| *due <= now)
        };
        let chosen: Vec<_> = zones.into_iter().filter(is_due).take(TESTS_MAX).collect();
        for zone in &chosen {
            self.due.insert(zone.settings.name.clone(), now.plus(TEST_INTERVAL));
        }
        chosen
    }

    fn trust(
        &self,
        by: Option<User>,
        reason: String,
        reply: Reply<Result<bool, StoreError>>,
        ctx: &mut Context<AuditorActor>,
    ) {
        let parts = self.parts.clone();
        let trust = async move { reply.send(trust(&parts, by, reason).await) };
        ctx.spawn(trust.into_actor(self));
    }
}

/// A zone's own time of day, in seconds: FNV-1a of its name, which spreads well enough.
fn spread(name: &[u8]) -> u64 {
    let hash = name.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, octet| {
        (hash ^ u64::from(octet.to_ascii_lowercase())).wrapping_mul(0x0100_0000_01b3)
    });
    (hash >> 16) % TEST_INTERVAL.0
}

/// Saves, then trusts.
async fn trust(parts: &AuditorParts, by: Option<User>, reason: String) -> Result<bool, StoreError> {
    if parts.vigil.check().is_ok() {
        return Ok(false);
    }
    let event = VerdictEvent::Trusted { by, reason: reason.clone() };
    parts.store.append_verdict(VerdictEntry { at: parts.clock.now(), event }).await?;
    tracing::warn!(target: "audit", "the auditor is trusted again: {reason}");
    parts.vigil.trust();
    // What was held goes on now, not after its pause.
    for zone in parts.zones.all() {
        zone.tell(ZoneMessage::SignNow);
    }
    Ok(true)
}

/// One test that the zone can give; of an auditor that is not trusted, all of them.
async fn test_once(parts: &AuditorParts, zone: &RunningZone) -> Result<(), String> {
    let is_trusted = parts.vigil.check().is_ok();
    let process = || parts.judge.status().process_id;
    // The same process that failed is not asked again and again.
    if !is_trusted && process().is_some() && !parts.vigil.is_restarted(process()) {
        return Ok(());
    }
    let reports = test_zone(parts, zone, !is_trusted).await?;
    let has_passed = reports.iter().all(|tested| tested.outcome == TestOutcome::Caught);
    if !is_trusted && has_passed && parts.vigil.is_restarted(process()) {
        let name = zone.text();
        let reason = format!("it was restarted, and refused what zone {name} was changed to");
        trust(parts, None, reason).await.map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// Tests the auditor with a zone's version: with one kind of change, or with all there are.
async fn test_zone(parts: &AuditorParts, zone: &RunningZone, with_all: bool) -> TestReports {
    let (reply, answer) = Reply::channel();
    zone.tell(ZoneMessage::Specimen { reply });
    let specimen = answer.within(zone.actor.path(), ZONE_DEADLINE).await;
    let specimen = specimen.map_err(|error| error.to_string())?;
    let specimen = specimen.ok_or("it has no version that was made since the start")?;
    let mut seed = [0; 8];
    // Without randomness it is always the same place, which is a test too.
    let _ = getrandom::fill(&mut seed);
    let seed = u64::from_le_bytes(seed);
    // A remainder of a small number.
    let first = (seed % MutationKind::ALL.len() as u64) as usize;
    let mut reports = Vec::new();
    for kind in MutationKind::ALL.iter().cycle().skip(first).take(MutationKind::ALL.len()) {
        let (judge, own, kind) = (parts.judge.clone(), specimen.clone(), *kind);
        let job = move || selftest::test(&judge, &own, kind, seed, AUDITOR);
        let tested = match parts.pool.run(job) {
            Ok(answer) => answer.await.map_err(|error| error.to_string())?,
            Err(error) => return Err(error.to_string()),
        };
        let Some(tested) = tested else { continue };
        note(parts, &tested).await?;
        reports.push(tested);
        if !with_all {
            break;
        }
    }
    match reports.is_empty() {
        true => Err("there is nothing in it that could be changed, or the auditor has no copy of \
                     it and it is too large to be judged as a whole for a test"
            .to_owned()),
        false => Ok(reports),
    }
}

/// Saves what came of a test, and draws the consequences.
async fn note(parts: &AuditorParts, tested: &Tested) -> Result<(), String> {
    let process = parts.judge.status().process_id;
    let at = parts.clock.now();
    let event = VerdictEvent::Tested(Box::new(tested.clone()));
    let saved = parts.store.append_verdict(VerdictEntry { at, event }).await;
    let name = zone_text(&tested.zone);
    let mutation = &tested.mutation;
    match tested.outcome {
        TestOutcome::Caught => tracing::info!(target: "audit", zone = %name,
            "self test: the auditor refused zone {name} with {mutation}"),
        TestOutcome::Missed => {
            // Held at once, whether or not it could be saved.
            parts.vigil.distrust(saved.as_ref().map_or(u64::MAX, |(number, _)| *number), process);
            tracing::error!(target: "audit", zone = %name,
                "ALARM: THE AUDITOR APPROVED A WRONG ZONE: {name} with {mutation}; NOTHING OF ANY \
                 ZONE IS PUBLISHED until it was restarted and passes, or \"anchorite audit trust\" \
                 is said; the last versions stay served");
        }
        TestOutcome::OtherFinding => tracing::error!(target: "audit", zone = %name,
            "ALARM: the auditor refused zone {name} with {mutation}, but for another reason than \
             that (findings {:?})", tested.findings),
        TestOutcome::NoVerdict => tracing::error!(target: "audit", zone = %name,
            "ALARM: the auditor gave no verdict on zone {name} with {mutation}"),
    }
    parts.vigil.tested(LastTest { at, zone: tested.zone.clone(), outcome: tested.outcome });
    saved.map(|_| ()).map_err(|error| error.to_string())
}

/// Tidies the log, and writes its last hash where the store cannot change it.
async fn tidy(parts: &AuditorParts) {
    let now = parts.clock.now();
    match parts.store.tidy_verdicts(now, parts.log_kept).await {
        Ok(tidied) => tracing::debug!(target: "audit", ?tidied, "audit log tidied"),
        Err(error) => tracing::error!(target: "audit", %error, "the audit log was not tidied"),
    }
    match parts.store.verdicts(None, 1).await {
        Ok(last) => {
            for entry in last {
                let hash = hex(&entry.hash);
                tracing::info!(target: "audit", number = entry.number, %hash,
                    "audit log: entry {} has the hash {hash}", entry.number);
            }
        }
        Err(error) => tracing::error!(target: "audit", %error, "the audit log cannot be read"),
    }
}

/// Octets in hexadecimal.
pub fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

impl Actor for AuditorActor {
    type Context = Context<AuditorActor>;

    fn started(&mut self, ctx: &mut Context<AuditorActor>) {
        ctx.run_interval(LOOK_INTERVAL, |actor, ctx| actor.look(ctx));
    }
}

impl Supervised for AuditorActor {
    fn restarting(&mut self, _: &mut Context<AuditorActor>) {
        self.is_testing = false;
    }
}

impl Child for AuditorActor {
    type Observed = VigilStatus;

    fn observe(&self) -> VigilStatus {
        self.status()
    }
}

impl Handler<AuditorMessage> for AuditorActor {
    type Result = ();

    fn handle(&mut self, message: AuditorMessage, ctx: &mut Context<AuditorActor>) {
        match message {
            AuditorMessage::Test { zone, reply } => {
                let parts = self.parts.clone();
                let test = async move {
                    let report = match parts.zones.get(&zone) {
                        Some(zone) => test_zone(&parts, &zone, true).await,
                        None => Err("the zone is not there any more".to_owned()),
                    };
                    reply.send(report);
                };
                ctx.spawn(test.into_actor(self));
            }
            AuditorMessage::Trust { by, reason, reply } => self.trust(by, reason, reply, ctx),
        }
    }
}
