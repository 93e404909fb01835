//! One zone's ten years: the enforcer's core on one side, the world, the parent and an operator on
//! the other, in virtual time from event to event.
//! In: a seed, a cast, and a mutation of the core for tests of the model itself. Out: what was
//! covered, or the first failure with what led to it.

use super::keys::ALGORITHMS;
use super::lives::{Cast, Covered, Failure, Why};
use super::mutants::Mistake;
use super::parent::{Parent, ParentEvent};
use super::policies::{DAY, random_edit, random_policy};
use super::random::Random;
use super::versions::KeySet;
use super::world::{Fault, ShownKey, World};
use dnssec::enforcer::{
    Action, Backup, DsAtParent, KeyLife, PublishedKeys, RecordKind, RecordState, Scene, SupplyKey,
    ZoneLife, ds_gone, ds_retract, ds_seen, ds_submit, evaluate, published, roll_now,
};
use dnssec::first_keys::wanted_bits;
use dnssec::key::{KeyId, KeyRole};
use dnssec::policy::Policy;
use dnssec::{Algorithm, KeyTag, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};

/// When every play begins.
const BEGIN: u64 = 1_700_000_000;
/// What is kept of the log for a failure's report.
const LOG_LINES: usize = 60;
/// Evaluations at one and the same second after which the core counts as spinning.
const SPIN_LIMIT: u32 = 50;
/// Evaluations of one life after which the core counts as restless.
const EVALUATIONS_MAX: u64 = 100_000;
/// Keys that somebody knows of, beyond which the operator asks for no more.
const KEYS_MAX: usize = 12;
/// Records that a mutant moves by force at one moment, at most.
const FORCED_LIMIT: u32 = 20;

/// A play that goes on.
pub(crate) struct Play {
    cast: Cast,
    mistake: Mistake,
    random: Random,
    world: World,
    parent: Parent,
    policy: Policy,
    life: ZoneLife,
    pool: Vec<SupplyKey>,
    made_count: u32,
    algorithms: BTreeMap<KeyId, Algorithm>,
    /// When the core is asked next.
    look: Option<u64>,
    /// The same for a core that is made hasty.
    early: Option<u64>,
    next_edit: u64,
    next_command: u64,
    next_outage: u64,
    /// Publication is refused until then.
    blocked_until: Option<u64>,
    /// What the operator was last asked to hand over (`true`) or take back.
    said: BTreeSet<(KeyId, bool)>,
    spins: u32,
    is_logged: bool,
    log: Vec<String>,
    covered: Covered,
}

/// Plays a seed with a random policy; a failure is played again with its log.
pub(crate) fn play(seed: u64, cast: Cast) -> Result<Covered, Box<Failure>> {
    let policy = random_policy(&mut Random::new(seed ^ 0x5EED));
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
    fn new(seed: u64, cast: Cast, policy: &Policy, mistake: Mistake, is_logged: bool) -> Play {
        let mut world = World::unsigned(BEGIN, policy);
        world.are_servers_late = cast.edit_days == 0;
        world.is_signed_for_ever = cast.edit_days + cast.command_days == 0 && cast.is_eager;
        let mut play = Play {
            cast,
            mistake,
            random: Random::new(seed),
            world,
            parent: Parent::new(cast.is_eager),
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
            spins: 0,
            is_logged,
            log: Vec::new(),
            covered: Covered::default(),
        };
        play.log(|play| format!("{:?}", play.policy));
        play.next_edit = play.after(cast.edit_days);
        play.next_command = play.after(cast.command_days);
        play.next_outage = play.after(if cast.has_outages { 100 } else { 0 });
        play
    }

    fn covered(mut self) -> Covered {
        self.covered.lives = 1;
        self.covered.seconds = self.world.now - BEGIN;
        self.covered.views = self.world.views;
        self.covered.conservative_misses = self.world.conservative_misses;
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

    fn log(&mut self, line: impl FnOnce(&Play) -> String) {
        if self.is_logged {
            let text = format!("{} {}", self.world.now - BEGIN, line(self));
            self.log.push(text);
        }
    }

    fn run(&mut self) -> Result<(), Why> {
        let end = BEGIN + self.cast.days * DAY;
        loop {
            let reports = self.cast.has_outages.then(|| self.world.next_replaced()).flatten();
            let times = [self.look, self.early, self.parent.next(), reports, self.blocked_until];
            let script = [Some(self.next_edit), Some(self.next_command), Some(self.next_outage)];
            let next = times.into_iter().chain(script).flatten().min().unwrap_or(end);
            if next >= end {
                self.world.pass(end);
                return Ok(());
            }
            self.spins = if next > self.world.now { 0 } else { self.spins + 1 };
            if self.spins > SPIN_LIMIT || self.covered.evaluations > EVALUATIONS_MAX {
                return Err(Why::Spins);
            }
            self.world.pass(next);
            self.step()?;
        }
    }

    fn step(&mut self) -> Result<(), Why> {
        let now = self.world.now;
        while let Some(event) = self.parent.take(now) {
            self.parent_event(event)?;
        }
        if self.next_edit <= now && self.world.keys.count() < KEYS_MAX {
            let parent = self.policy.parent.clone();
            let what = random_edit(&mut self.policy, &mut self.random);
            if self.parent.is_at_work() {
                // What the registry has promised it keeps: its terms do not change in between.
                self.policy.parent = parent;
            }
            self.covered.edits += 1;
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
        self.evaluate()
    }

    fn parent_event(&mut self, event: ParentEvent) -> Result<(), Why> {
        self.log(|_| format!("{event:?}"));
        let now = Timestamp(self.world.now);
        match event {
            ParentEvent::Shows { id, is_there } => self.show(&id, is_there)?,
            ParentEvent::Asks { id, is_there } => self.ask_parent(&id, is_there)?,
            ParentEvent::Says { id, is_there } => {
                // The registration delay may be another one since the operator asked.
                let shows = self.parent.shows_at(&id).unwrap_or(0);
                let earliest = shows.saturating_sub(self.policy.parent.registration_delay.0);
                if earliest > now.0 {
                    self.parent.plan(earliest, ParentEvent::Says { id, is_there });
                    return Ok(());
                }
                let wanted = if is_there { DsAtParent::Submitted } else { DsAtParent::Retracted };
                if self.ds_at_parent(&id) == Some(wanted) {
                    let done = match is_there {
                        true => ds_seen(&self.life, &id, now),
                        false => ds_gone(&self.life, &id, now),
                    };
                    self.life = done.map_err(|_| Why::GoodCommandRefused("ds-seen/gone"))?;
                }
            }
        }
        Ok(())
    }

    fn ask_parent(&mut self, id: &KeyId, is_there: bool) -> Result<(), Why> {
        let now = self.world.now;
        let wanted = if is_there { DsAtParent::Submit } else { DsAtParent::Retract };
        if self.ds_at_parent(id) != Some(wanted) {
            return Ok(());
        }
        if self.cast.is_eager && !is_there && self.is_other_ds_coming(id) {
            // A prudent operator does not have the last DS removed while the next is not there.
            let event = ParentEvent::Asks { id: id.clone(), is_there };
            let later = self.parent.next().unwrap_or(0).max(now);
            self.parent.plan(if later > now { later } else { now + 3600 }, event);
            return Ok(());
        }
        let done = match is_there {
            true => ds_submit(&self.life, id, Timestamp(now)),
            false => ds_retract(&self.life, id, Timestamp(now)),
        };
        self.life = done.map_err(|_| Why::GoodCommandRefused("ds-submit/retract"))?;
        self.parent.asked(now, id, is_there, &self.policy, &mut self.random);
        while let Some(event) = self.parent.take(now) {
            self.parent_event(event)?;
        }
        Ok(())
    }

    /// Whether this DS is the only one at the parent, and another one is under way.
    fn is_other_ds_coming(&mut self, id: &KeyId) -> bool {
        let number = self.world.keys.number(id, false, self.algorithms[id]);
        let others = self.world.ds_shown().without(KeySet::of(&[number]));
        let is_coming = |key: &KeyLife| {
            use DsAtParent::{Seen, Submit, Submitted};
            key.id != *id && matches!(key.ds_at_parent, Submit | Submitted | Seen)
        };
        others.is_empty() && self.life.keys.iter().any(is_coming)
    }

    fn show(&mut self, id: &KeyId, is_there: bool) -> Result<(), Fault> {
        let number = self.world.keys.number(id, false, self.algorithms[id]);
        let this = KeySet::of(&[number]);
        let shown = self.world.ds_shown();
        self.world.show_ds(if is_there { shown.or(this) } else { shown.without(this) })
    }

    fn ds_at_parent(&self, id: &KeyId) -> Option<DsAtParent> {
        self.life.keys.iter().find(|key| key.id == *id).map(|key| key.ds_at_parent)
    }

    /// The operator rolls a key, or tries a command at a bad moment.
    fn command(&mut self) -> Result<(), Why> {
        let may_roll = self.world.keys.count() < KEYS_MAX;
        if self.life.keys.is_empty() || self.random.one_in(2) && may_roll {
            let role = self.random.pick(&[KeyRole::Ksk, KeyRole::Zsk, KeyRole::Csk]);
            self.log(|_| format!("key rollover {role}"));
            self.life = roll_now(&self.life, role);
            return Ok(());
        }
        let key = self.random.pick(&self.life.keys);
        let now = Timestamp(self.world.now);
        let (name, fits, result) = match self.random.below(4) {
            0 => ("ds-submit", DsAtParent::Submit, ds_submit(&self.life, &key.id, now)),
            1 => ("ds-seen", DsAtParent::Submitted, ds_seen(&self.life, &key.id, now)),
            2 => ("ds-retract", DsAtParent::Retract, ds_retract(&self.life, &key.id, now)),
            _ => ("ds-gone", DsAtParent::Retracted, ds_gone(&self.life, &key.id, now)),
        };
        // Where the command applies, it would be a lie: the parent's own events tell the truth.
        if key.ds_at_parent == fits && key.role != KeyRole::Zsk {
            return Ok(());
        }
        self.covered.refused_commands += 1;
        if result.is_ok() { Err(Why::BadCommandTaken(name)) } else { Ok(()) }
    }

    /// The machine is off for a while, or nothing is published for a while.
    fn outage(&mut self) -> Result<(), Why> {
        self.covered.outages += 1;
        let length = self.random.pick(&[600, DAY / 2, 3 * DAY, 20 * DAY]);
        let until = self.world.now + 1 + self.random.below(length);
        if self.random.one_in(2) {
            self.log(|_| format!("publication is refused until {}", until - BEGIN));
            self.blocked_until = Some(until);
            return Ok(());
        }
        self.log(|_| format!("off until {}", until - BEGIN));
        while let Some(at) = self.parent.next().filter(|at| *at < until) {
            self.world.pass_off(at);
            while let Some(event) = self.parent.take(at) {
                match event {
                    ParentEvent::Shows { id, is_there } => self.show(&id, is_there)?,
                    other => self.parent.plan(until, other),
                }
            }
        }
        self.world.pass_off(until);
        self.world.pass(until);
        Ok(())
    }

    fn evaluate(&mut self) -> Result<(), Why> {
        self.fill_pool();
        let now = Timestamp(self.world.now);
        let told = self.mistake.policy(&self.policy);
        let mut scene = Scene::new(&told, now, &self.pool);
        scene.waits_for_publication = self.cast.has_outages;
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
        self.early = self.look.map(|at| at.saturating_sub(haste)).filter(|at| *at > now.0);
        self.life = answer.life;
        if self.covered.evaluations.is_multiple_of(16) && matches!(self.mistake, Mistake::None) {
            let again = evaluate(&self.life, &scene);
            if again.life != self.life {
                self.log(|_| "the answer is another one the second time".to_owned());
                self.covered.second_thoughts += 1;
            }
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
        for wanted in &self.policy.keys.keys {
            let bits = wanted_bits(wanted);
            let fits = |key: &SupplyKey| {
                key.role == wanted.role
                    && key.algorithm == wanted.algorithm
                    && key.bits == bits
                    && key.repository == wanted.repository
            };
            while self.pool.iter().filter(|key| fits(key)).count() < 2 {
                self.made_count += 1;
                let id = KeyId::new(&self.made_count.to_be_bytes()).expect("four bytes");
                self.algorithms.insert(id.clone(), wanted.algorithm);
                self.pool.push(SupplyKey {
                    id,
                    repository: wanted.repository.clone(),
                    role: wanted.role,
                    algorithm: wanted.algorithm,
                    bits,
                    // Tags of keys that follow each other are far apart, with and without REVOKE.
                    key_tag: KeyTag((self.made_count * 397) as u16),
                    backup: Backup::NotRequired,
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

    /// The operator hears what is to be handed over or taken back; it is said again and again.
    fn tell_parent(&mut self, actions: &[Action]) {
        let said = |action: &Action| match action {
            Action::SubmitDs { id } => Some((id.clone(), true)),
            Action::RetractDs { id } => Some((id.clone(), false)),
            _ => None,
        };
        let said: BTreeSet<(KeyId, bool)> = actions.iter().filter_map(said).collect();
        for (id, is_there) in said.difference(&self.said) {
            self.parent.want(self.world.now, id, *is_there, &mut self.random);
        }
        self.said = said;
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
    }
}

/// The zone's state, whatever its keys are called.
fn hash_of(life: &ZoneLife) -> u64 {
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
