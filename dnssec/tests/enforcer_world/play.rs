//! One zone's ten years: the enforcer's core on one side, the world, the parent and an operator on
//! the other, in virtual time from event to event.
//! In: a seed, a cast, and a mutation of the core for tests of the model itself. Out: what was
//! covered, or the first failure with what led to it.

use super::anchors::Following;
use super::keys::ALGORITHMS;
use super::lives::{Cast, Covered, Failure, Why};
use super::mutants::Mistake;
use super::parent::Parent;
use super::policies::{DAY, fit, random_edit, random_policy};
use super::random::Random;
use super::sync::Sync;
use super::versions::KeySet;
use super::world::{Fault, ShownKey, World, is_leaving};
use dnssec::enforcer::{
    Action, Backup, DsSighting, KeyLife, PublishedKeys, RecordKind, RecordState, Scene, SupplyKey,
    ZoneLife, bars_from_unsigned, evaluate, published,
};
use dnssec::first_keys::wanted_bits;
use dnssec::key::KeyId;
use dnssec::policy::Policy;
use dnssec::{Algorithm, KeyTag, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};

/// When every play begins.
pub(crate) const BEGIN: u64 = 1_700_000_000;
/// What is kept of the log for a failure's report.
const LOG_LINES: usize = 60;
/// Evaluations at one and the same second after which the core counts as spinning.
const SPIN_LIMIT: u32 = 50;
/// Evaluations of one life after which the core counts as restless.
const EVALUATIONS_MAX: u64 = 100_000;
/// Keys that somebody knows of, beyond which the operator asks for no more.
pub(crate) const KEYS_MAX: usize = 12;
/// Records that a mutant moves by force at one moment, at most.
const FORCED_LIMIT: u32 = 20;

/// A play that goes on.
#[derive(Clone)]
pub(crate) struct Play {
    pub(crate) cast: Cast,
    pub(crate) mistake: Mistake,
    pub(crate) random: Random,
    pub(crate) world: World,
    pub(crate) parent: Parent,
    pub(crate) policy: Policy,
    pub(crate) life: ZoneLife,
    pub(crate) pool: Vec<SupplyKey>,
    pub(crate) made_count: u32,
    pub(crate) algorithms: BTreeMap<KeyId, Algorithm>,
    /// When the core is asked next.
    pub(crate) look: Option<u64>,
    /// The same for a core that is made hasty.
    pub(crate) early: Option<u64>,
    pub(crate) next_edit: u64,
    pub(crate) next_command: u64,
    pub(crate) next_outage: u64,
    /// Publication is refused until then.
    pub(crate) blocked_until: Option<u64>,
    /// What the operator was last asked to hand over (`true`) or take back.
    pub(crate) said: BTreeSet<(KeyId, bool)>,
    /// The zone's CDS, and the parent that follows it.
    pub(crate) sync: Sync,
    /// What the parent's servers showed last.
    pub(crate) sightings: Vec<DsSighting>,
    pub(crate) next_watch: Option<u64>,
    next_backup: u64,
    next_supply: u64,
    /// Makes the ids of keys differ between zones.
    pub(crate) serial_base: u32,
    spins: u32,
    pub(crate) is_logged: bool,
    pub(crate) log: Vec<String>,
    pub(crate) covered: Covered,
}

/// Plays a seed with a random policy; a failure is played again with its log.
pub(crate) fn play(seed: u64, cast: Cast) -> Result<Covered, Box<Failure>> {
    let mut random = Random::new(seed ^ 0x5EED);
    let mut policy = random_policy(&mut random);
    fit(&mut policy, &cast, &mut random);
    play_policy(seed, cast, &policy, Mistake::None)
}

/// Plays a seed with this policy and this mutation.
pub(crate) fn play_policy(
    seed: u64,
    cast: Cast,
    policy: &Policy,
    mistake: Mistake,
) -> Result<Covered, Box<Failure>> {
    let run = |is_logged| {
        let mut play = Play::new(seed, cast, policy, mistake, is_logged);
        let why = play.run();
        (why, play)
    };
    match run(false) {
        (Ok(()), play) => Ok(play.covered()),
        (Err(why), _) => {
            let (_, play) = run(true);
            let skipped = play.log.len().saturating_sub(LOG_LINES);
            Err(Box::new(Failure { seed, why, log: play.log[skipped..].to_vec() }))
        }
    }
}

impl Play {
    pub(crate) fn new(
        seed: u64,
        cast: Cast,
        policy: &Policy,
        mistake: Mistake,
        is_logged: bool,
    ) -> Play {
        let mut world = World::unsigned(BEGIN, policy);
        world.are_servers_late = cast.edit_days == 0;
        world.is_signed_for_ever = cast.edit_days + cast.command_days == 0 && cast.is_eager;
        let mut play = Play {
            cast,
            mistake,
            random: Random::new(seed),
            world,
            parent: Parent::new(cast.is_eager, cast.is_watched),
            policy: policy.clone(),
            life: ZoneLife::default(),
            pool: Vec::new(),
            made_count: 0,
            algorithms: BTreeMap::new(),
            look: Some(BEGIN),
            early: None,
            next_edit: u64::MAX,
            next_command: u64::MAX,
            next_outage: u64::MAX,
            blocked_until: None,
            said: BTreeSet::new(),
            sync: Sync::new(cast.is_eager, &mut Random::new(seed ^ 0xCD5)),
            sightings: Vec::new(),
            next_watch: None,
            next_backup: u64::MAX,
            next_supply: BEGIN,
            serial_base: 0,
            spins: 0,
            is_logged,
            log: Vec::new(),
            covered: Covered::default(),
        };
        play.log(|play| format!("{:?}", play.policy));
        play.next_edit = play.after(cast.edit_days);
        play.next_command = play.after(cast.command_days);
        play.next_outage = play.after(if cast.has_outages { 100 } else { 0 });
        play.next_backup = play.after(if cast.needs_backup { 20 } else { 0 });
        play
    }

    pub(crate) fn covered(mut self) -> Covered {
        self.covered.lives = 1;
        self.covered.seconds = self.world.now - BEGIN;
        self.covered.views = self.world.views;
        self.covered.conservative_misses = self.world.conservative_misses;
        self.covered.learnt = self.world.anchors.learnt;
        self.covered.revocations = self.world.anchors.revocations;
        self.covered
    }

    /// A random moment, `days` ahead on average; never, for 0.
    fn after(&mut self, days: u64) -> u64 {
        if days == 0 {
            return u64::MAX;
        }
        // Half of the moments follow soon, so that troubles come together.
        let span = if self.random.one_in(2) { days * DAY / 10 } else { days * DAY * 2 };
        self.world.now + 1 + self.random.below(span)
    }

    pub(crate) fn log(&mut self, line: impl FnOnce(&Play) -> String) {
        if self.is_logged {
            let text = format!("{} {}", self.world.now - BEGIN, line(self));
            self.log.push(text);
        }
    }

    fn run(&mut self) -> Result<(), Why> {
        let end = BEGIN + self.cast.days * DAY;
        loop {
            match self.next_moment().filter(|next| *next < end) {
                Some(next) => self.go_on(next)?,
                None => {
                    self.world.pass(end);
                    return Ok(());
                }
            }
        }
    }

    /// When something happens next.
    pub(crate) fn next_moment(&self) -> Option<u64> {
        let reports = self.cast.has_outages.then(|| self.world.next_replaced()).flatten();
        let times = [self.look, self.early, self.parent.next(), reports, self.blocked_until];
        let parent = [self.sync.next_poll, self.next_watch];
        let operator = [self.next_edit, self.next_command, self.next_outage, self.next_backup];
        let operator = operator.into_iter().filter(|at| *at != u64::MAX).map(Some);
        times.into_iter().chain(parent).chain(operator).flatten().min()
    }

    /// The keys' states, for reports.
    pub(crate) fn text(&self) -> String {
        text_of(&self.life)
    }

    /// Time passes until `next`, and what is due then happens.
    pub(crate) fn go_on(&mut self, next: u64) -> Result<(), Why> {
        self.spins = if next > self.world.now { 0 } else { self.spins + 1 };
        if self.spins > SPIN_LIMIT || self.covered.evaluations > EVALUATIONS_MAX {
            let times = [self.look, self.early, self.parent.next(), self.blocked_until];
            let parent = [self.sync.next_poll, self.next_watch];
            return Err(Why::Spins(format!("at {}: {times:?} {parent:?}", self.world.now)));
        }
        self.world.pass(next);
        self.step()
    }

    fn step(&mut self) -> Result<(), Why> {
        let now = self.world.now;
        if self.sync.next_poll.is_some_and(|at| at <= now) {
            self.poll();
        }
        while let Some(event) = self.parent.take(now) {
            self.parent_event(event)?;
        }
        if self.next_edit <= now && self.world.keys.count() < KEYS_MAX {
            let before = self.policy.clone();
            let what = random_edit(&mut self.policy, &mut self.random);
            fit(&mut self.policy, &self.cast, &mut self.random);
            if self.parent.is_at_work() || self.sync.is_behind() {
                // What the registry has promised it keeps: its terms do not change in between.
                self.policy.parent = before.parent.clone();
            }
            if self.is_barred(&before) {
                self.policy = before;
            }
            self.covered.edits += 1;
            self.world.hear_operator(Following::of(&self.policy), is_leaving(&self.policy));
            self.log(|play| format!("edit of {what}: {:?}", play.policy));
        }
        if self.next_edit <= now {
            self.next_edit = self.after(self.cast.edit_days);
        }
        if self.next_command <= now {
            self.command()?;
            self.next_command = self.after(self.cast.command_days);
        }
        if self.next_outage <= now {
            self.outage()?;
            self.next_outage = self.after(100);
        }
        if self.blocked_until.is_some_and(|until| until <= self.world.now) {
            self.blocked_until = None;
            self.log(|_| "publication works again".to_owned());
        }
        if self.next_backup <= now {
            self.back_up();
            self.next_backup = self.after(20);
        }
        self.evaluate()
    }

    /// Whether the daemon refuses this edit of a policy: validators follow the zone's CSK, and it
    /// would become unsigned.
    pub(crate) fn is_barred(&self, before: &Policy) -> bool {
        let bars = |policy| bars_from_unsigned(&self.life, policy).is_some();
        bars(&self.policy) && !bars(before)
    }

    pub(crate) fn evaluate(&mut self) -> Result<(), Why> {
        self.fill_pool();
        if self.cast.is_watched {
            self.watch();
        }
        let now = Timestamp(self.world.now);
        let told = self.mistake.policy(&self.policy);
        let mut scene = Scene::new(&told, now, &self.pool);
        scene.waits_for_publication = self.cast.has_outages;
        scene.parent = self.cast.is_watched.then_some(self.sightings.as_slice());
        let before = self.life.clone();
        let mut answer = evaluate(&self.life, &scene);
        for _ in 0..FORCED_LIMIT {
            if !self.mistake.after(&mut answer, &self.policy, now) {
                break;
            }
            answer = evaluate(&answer.life, &scene);
        }
        self.covered.evaluations += 1;
        self.look = answer.next.map(|at| at.0.max(now.0));
        let haste = self.mistake.haste(&self.policy);
        let early = self.look.map(|at| at.saturating_sub(haste));
        self.early = early.filter(|at| haste > 0 && *at > now.0);
        self.life = answer.life;
        if self.covered.evaluations.is_multiple_of(16) && matches!(self.mistake, Mistake::None) {
            let again = evaluate(&self.life, &scene);
            if again.life != self.life {
                self.log(|_| "the answer is another one the second time".to_owned());
                self.covered.second_thoughts += 1;
            }
        }
        let is_retry = self.look == Some(now.0 + 60);
        if is_retry && (self.cast.needs_backup || self.cast.is_short_of_keys) {
            // Whatever is missing, it does not come within a minute.
            self.look = Some(now.0 + DAY / 4);
        }
        if self.look == Some(now.0) {
            // Retries are spaced in production; here, too.
            self.look = Some(now.0 + 60);
        }
        if self.cast.is_late && self.random.one_in(8) {
            let late = self.random.pick(&[60, 3600, DAY, 10 * DAY]);
            let late = self.random.below(late);
            self.look = self.look.map(|at| at + late);
        }
        self.note(&before);
        let is_call = |action: &&Action| matches!(action, Action::CallStandby { .. });
        self.covered.calls += answer.actions.iter().filter(is_call).count() as u64;
        if self.world.keys.count() > 3 * KEYS_MAX {
            return Err(Why::TooManyKeys);
        }
        self.tell_parent(&answer.actions);
        self.publish()
    }

    /// The keys that the policy may want, as they stand in tokens.
    fn fill_pool(&mut self) {
        if self.cast.is_late && self.random.one_in(10) {
            return;
        }
        if self.cast.is_short_of_keys {
            if self.world.now < self.next_supply {
                return;
            }
            self.next_supply = self.after(60);
        }
        let backup = if self.cast.needs_backup { Backup::Missing } else { Backup::NotRequired };
        for wanted in &self.policy.keys.keys {
            let bits = wanted_bits(wanted);
            let fits = |key: &SupplyKey| {
                key.role == wanted.role
                    && key.algorithm == wanted.algorithm
                    && key.bits == bits
                    && key.repository == wanted.repository
            };
            let life = &self.life;
            let is_fresh = |key: &SupplyKey| !life.keys.iter().any(|held| held.id == key.id);
            while self.pool.iter().filter(|key| fits(key) && is_fresh(key)).count() < 2 {
                self.made_count += 1;
                let id = KeyId::new(&(self.serial_base + self.made_count).to_be_bytes())
                    .expect("four bytes");
                self.algorithms.insert(id.clone(), wanted.algorithm);
                self.pool.push(SupplyKey {
                    id,
                    repository: wanted.repository.clone(),
                    role: wanted.role,
                    algorithm: wanted.algorithm,
                    bits,
                    // Tags of keys that follow each other are far apart, with and without REVOKE.
                    key_tag: KeyTag((self.made_count * 397 + (self.serial_base >> 24) * 40) as u16),
                    backup,
                });
            }
        }
    }

    /// Counts what the evaluation did.
    fn note(&mut self, before: &ZoneLife) {
        let life = &self.life;
        self.pool.retain(|key| !life.keys.iter().any(|held| held.id == key.id));
        let dead = |key: &KeyLife| {
            let mut states = RecordKind::ALL.into_iter().filter_map(|kind| key.state(kind));
            !key.introducing && states.all(|state| state == RecordState::Hidden)
        };
        for key in life.keys.iter().filter(|key| dead(key)) {
            if before.keys.iter().any(|old| old.id == key.id && !dead(old)) {
                *self.covered.lived.entry(key.role.to_string()).or_default() += 1;
            }
        }
        self.covered.states.insert(hash_of(life));
        if self.is_logged && before.keys != life.keys {
            self.log(|play| format!("keys:\n{}", text_of(&play.life)));
        }
    }

    fn publish(&mut self) -> Result<(), Why> {
        if self.blocked_until.is_some() {
            return Ok(());
        }
        let is_in_zone =
            |key: &&KeyLife| key.is_published() || key.signs_keyset() || key.signs_zone();
        let shown: Vec<ShownKey> =
            self.life.keys.iter().filter(is_in_zone).map(shown_key).collect();
        match self.world.publish(&shown, &self.policy) {
            // No view fails by it, but the version itself is not as RFC 4035 §2.2 wants it.
            Err(Fault::Source { .. }) if !self.cast.checks_claims => {
                self.covered.source_misses += 1;
            }
            result => result?,
        }
        self.publish_cds()?;
        let mut kept = KeySet::EMPTY;
        for key in &self.life.keys {
            for is_revoked in [false, true] {
                if let Some(number) = self.world.keys.find(&key.id, is_revoked) {
                    kept = kept.or(KeySet::of(&[number]));
                }
            }
        }
        self.world.check_removed(kept)?;
        if let Err(fault) = self.check_claims() {
            self.covered.false_claims += 1;
            if self.cast.checks_claims {
                return Err(fault.into());
            }
        }
        if self.cast.has_outages {
            self.report();
        }
        Ok(())
    }

    /// Whether the states of the records are true, although no view may depend on it.
    fn check_claims(&self) -> Result<(), Fault> {
        for key in self.life.keys.iter().filter(|key| key.revoked.is_none()) {
            if let Some(number) = self.world.keys.find(&key.id, false) {
                for kind in RecordKind::ALL {
                    if let Some(state) = key.state(kind) {
                        self.world.check_claim(number, kind, state)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Tells the core what the published version holds.
    fn report(&mut self) {
        let (some, all) = self.world.zone_signers();
        let mut report = PublishedKeys {
            at: Timestamp(self.world.now),
            dnskeys: Vec::new(),
            keyset_signers: Vec::new(),
            revoked: Vec::new(),
            named_to_parent: self.sync.named(),
            zone_signers_some: Vec::new(),
            zone_signers_all: Vec::new(),
        };
        for key in &self.life.keys {
            let number = self.world.keys.find(&key.id, key.revoked.is_some());
            if key.is_published() {
                report.dnskeys.push(key.id.clone());
            }
            if key.signs_keyset() {
                report.keyset_signers.push(key.id.clone());
            }
            if key.revoked.is_some() && key.is_published() {
                report.revoked.push(key.id.clone());
            }
            if number.is_some_and(|number| some.has(number)) {
                report.zone_signers_some.push(key.id.clone());
            }
            if number.is_some_and(|number| all.has(number)) {
                report.zone_signers_all.push(key.id.clone());
            }
        }
        let before = std::mem::take(&mut self.life);
        self.life = published(&before, &report);
        if self.life != before {
            // What is confirmed now changes when the core wants to look.
            self.look = Some(self.world.now + 1);
        }
    }
}

fn shown_key(key: &KeyLife) -> ShownKey {
    ShownKey {
        id: key.id.clone(),
        role: key.role,
        algorithm: key.algorithm,
        is_revoked: key.revoked.is_some(),
        is_published: key.is_published(),
        signs_keyset: key.signs_keyset(),
        signs_zone: key.signs_zone(),
        is_unbacked: key.backup == Backup::Missing,
    }
}

/// The zone's state, whatever its keys are called.
pub(crate) fn hash_of(life: &ZoneLife) -> u64 {
    let algorithm = |key: &KeyLife| ALGORITHMS.iter().position(|it| *it == key.algorithm);
    let state = |key: &KeyLife| {
        let records = RecordKind::ALL.map(|kind| key.state(kind));
        (key.role, algorithm(key), records, key.ds_at_parent, key.introducing)
    };
    let mut states: Vec<_> = life.keys.iter().map(state).collect();
    states.sort();
    let mut hasher = DefaultHasher::new();
    states.hash(&mut hasher);
    hasher.finish()
}

fn text_of(life: &ZoneLife) -> String {
    let line = |key: &KeyLife| {
        let record = |kind| match key.record(kind) {
            None => "-".to_owned(),
            Some(record) => {
                let since = record.since.0.saturating_sub(BEGIN);
                let confirmed = record.confirmed.map(|at| at.0.saturating_sub(BEGIN));
                format!("{}@{since}/{confirmed:?}", &record.state.to_string()[..1])
            }
        };
        let records = RecordKind::ALL.map(record).join(" ");
        let goal = if key.introducing { "comes" } else { "leaves" };
        let (role, algorithm, at) = (key.role, key.algorithm, key.ds_at_parent);
        format!("    {} {role} {algorithm} {goal} {records} {at:?}", key.id)
    };
    life.keys.iter().map(line).collect::<Vec<_>>().join("\n")
}
