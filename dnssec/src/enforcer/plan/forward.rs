//! The enforcer's core run forward: from moment to moment until a day years ahead.
//! In: a zone's life, a policy, what is assumed of people and parents. Out: [`Plan`].
//! Assumed: keys are there when they are wanted; operators do at once what is theirs; the parent
//! takes a stated delay; each change is published when it is decided. Never: changes outside.

use super::calendar::{self, Entry, Note};
use super::names::KeyName;
use super::{Moment, date};
use crate::enforcer::history;
use crate::enforcer::{
    Action, Backup, DsAtParent, Evaluation, Gate, KeyLife, LimitingTtl, Obstacle, RecordKind,
    RecordState, Scene, SupplyKey, ZoneLife, ds_gone, ds_retract, ds_seen, ds_submit, evaluate,
    removable_keys, roll_now,
};
use crate::first_keys::wanted_bits;
use crate::key::{KeyId, KeyRole};
use crate::policy::Policy;
use crate::{KeyTag, Seconds, Timestamp};
use std::collections::BTreeSet;

/// Most evaluations of one plan.
pub const EVALUATIONS_MAX: usize = 20_000;
/// Most keys of one zone at a time.
pub const KEYS_MAX: usize = 48;
/// Most evaluations at one moment: each does something that the one before made possible.
const SETTLE_MAX: usize = 64;

/// What a plan takes for granted.
#[derive(Clone, Copy, Debug)]
pub struct Assumptions<'a> {
    /// The policy, today's or a proposed one.
    pub policy: &'a Policy,
    /// Where the plan begins.
    pub now: Timestamp,
    /// Where it ends.
    pub until: Timestamp,
    /// How long the parent takes to show or to remove a DS once it was told.
    pub parent_delay: Seconds,
    /// `<RolloverNotification>`; zero: none.
    pub rollover_notification: Seconds,
    /// Whether a command of the configuration hands over new DSs, so that nobody has to.
    pub submits: bool,
    /// Whether a command of the configuration takes DSs back.
    pub retracts: bool,
    /// Repositories with `<RequireBackup/>`.
    pub backed_up: &'a BTreeSet<String>,
}

/// What will happen to the keys of one zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Where it begins.
    pub from: Timestamp,
    /// Where it ends; earlier than asked for when it was cut short.
    pub until: Timestamp,
    /// The parent's delay that it assumes.
    pub parent_delay: Seconds,
    /// What happens, by time.
    pub entries: Vec<Entry>,
    /// The keys in it.
    pub names: Vec<KeyName>,
    /// The same as a history.
    pub moments: Vec<Moment>,
    /// What is wrong with the policy, or worth knowing.
    pub findings: Vec<Finding>,
    /// What would be remembered of the zone at the end.
    pub end: ZoneLife,
}

/// What a plan found out about its policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// No key is ever taken: a roll would take longer than the key lives.
    LifetimeTooShort {
        /// Of which role.
        role: KeyRole,
        /// `<Lifetime>`.
        lifetime: Seconds,
        /// What a roll waits for at least, besides the TTL of the keys.
        ttl: LimitingTtl,
    },
    /// A roll begins before the one before it has ended: it never finishes.
    RollsOverlap {
        /// Of which role.
        role: KeyRole,
        /// When that happens first.
        at: Timestamp,
    },
    /// Nothing is scheduled, and a record has not come to its end: it never will.
    Stuck {
        /// The key.
        key: String,
        /// Which record.
        kind: RecordKind,
        /// Where it should go.
        wants: RecordState,
        /// What is in the way.
        gates: Vec<Gate>,
    },
    /// Keys of this role are never rolled (`<Lifetime>` zero).
    NeverRolled {
        /// Of which role.
        role: KeyRole,
    },
    /// The plan ends early: too much happens, or keys come faster than they leave.
    CutShort {
        /// Where it ends.
        at: Timestamp,
        /// Keys that the zone has then.
        keys: usize,
    },
}

/// Runs the core forward.
pub fn plan(life: &ZoneLife, assumptions: &Assumptions<'_>) -> Plan {
    let names = life.keys.iter().map(KeyName::known).collect();
    let mut run = Run {
        assumptions,
        life: life.clone(),
        now: assumptions.now,
        supply: Vec::new(),
        made: 0,
        names,
        moments: Vec::new(),
        notes: Vec::new(),
        findings: never_rolled(assumptions.policy),
    };
    let until = run.go();
    let entries = calendar::entries(&run.moments, &run.notes, &run.names, assumptions);
    Plan {
        from: assumptions.now,
        until,
        parent_delay: assumptions.parent_delay,
        entries,
        names: run.names,
        moments: run.moments,
        findings: run.findings,
        end: run.life,
    }
}

fn never_rolled(policy: &Policy) -> Vec<Finding> {
    let mut roles: Vec<KeyRole> = Vec::new();
    for key in policy.keys.keys.iter().filter(|key| key.lifetime == Seconds(0)) {
        if !roles.contains(&key.role) && !policy.passthrough {
            roles.push(key.role);
        }
    }
    roles.into_iter().map(|role| Finding::NeverRolled { role }).collect()
}

struct Run<'a> {
    assumptions: &'a Assumptions<'a>,
    life: ZoneLife,
    now: Timestamp,
    supply: Vec<SupplyKey>,
    /// Keys made up so far.
    made: u32,
    names: Vec<KeyName>,
    moments: Vec<Moment>,
    notes: Vec<(Timestamp, Note)>,
    findings: Vec<Finding>,
}

impl Run<'_> {
    /// From event to event; answers where the plan ends.
    fn go(&mut self) -> Timestamp {
        let until = self.assumptions.until;
        let mut evaluations = 0;
        loop {
            let last = self.settle(&mut evaluations);
            if evaluations >= EVALUATIONS_MAX || self.life.keys.len() > KEYS_MAX {
                let keys = self.life.keys.len();
                self.findings.push(Finding::CutShort { at: self.now, keys });
                return self.now;
            }
            let parent = self.parent_due();
            let next = [last.next, parent].into_iter().flatten().filter(|at| *at > self.now).min();
            match next {
                Some(next) if next <= until => self.now = next,
                Some(_) => return until,
                None => {
                    self.say_stuck(&last.obstacles);
                    return until;
                }
            }
        }
    }

    /// Lets happen what happens now, until nothing more does.
    fn settle(&mut self, evaluations: &mut usize) -> Evaluation {
        let mut last = self.evaluate();
        *evaluations += 1;
        for _ in 1..SETTLE_MAX {
            let before = std::mem::replace(&mut self.life, last.life.clone());
            self.heed(&before, &last.actions);
            self.hear_parent();
            self.remember(&before);
            if self.life == before {
                break;
            }
            last = self.evaluate();
            *evaluations += 1;
        }
        last
    }

    fn evaluate(&mut self) -> Evaluation {
        self.stock_up();
        let assumptions = self.assumptions;
        let scene = Scene {
            rollover_notification: assumptions.rollover_notification,
            ..Scene::new(assumptions.policy, self.now, &self.supply)
        };
        evaluate(&self.life, &scene)
    }

    /// Makes up the keys that the policy may want next.
    fn stock_up(&mut self) {
        let life = &self.life;
        self.supply.retain(|key| !life.keys.iter().any(|ours| ours.id == key.id));
        for wanted in &self.assumptions.policy.keys.keys {
            let fits = |key: &&SupplyKey| {
                (key.role, key.algorithm, key.bits)
                    == (wanted.role, wanted.algorithm, wanted_bits(wanted))
                    && key.repository == wanted.repository
            };
            let needed = wanted.standby.min(8) as usize + 1;
            for _ in self.supply.iter().filter(fits).count()..needed {
                self.made += 1;
                let bytes = [b"planned".as_slice(), &self.made.to_be_bytes()].concat();
                let Some(id) = KeyId::new(&bytes) else { continue };
                let needs_backup = self.assumptions.backed_up.contains(&wanted.repository);
                self.supply.push(SupplyKey {
                    id,
                    repository: wanted.repository.clone(),
                    role: wanted.role,
                    algorithm: wanted.algorithm,
                    bits: wanted_bits(wanted),
                    key_tag: free_tag(&self.life, &self.supply, self.made),
                    backup: if needs_backup { Backup::Missing } else { Backup::NotRequired },
                });
            }
        }
    }

    /// Does what the core asks of others, as assumed.
    fn heed(&mut self, before: &ZoneLife, actions: &[Action]) {
        for action in actions {
            match action {
                Action::SubmitDs { id } => self.say(|life, now| ds_submit(life, id, now)),
                Action::RetractDs { id } => self.say(|life, now| ds_retract(life, id, now)),
                Action::BackupMissing { id } => self.back_up(id),
                Action::ManualRollDue { role, .. } if !self.life.roll_now.get(*role) => {
                    self.life = roll_now(&self.life, *role);
                    self.note(Note::RollByHand { role: *role });
                }
                Action::RollImpending { role, at } => {
                    self.note(Note::RollSoon { role: *role, at: *at });
                }
                Action::NoKeysConfigured => self.note(Note::GoesUnsigned),
                Action::LifetimeTooShort { policy_key, lifetime, ttl, .. } => {
                    let wanted = self.assumptions.policy.keys.keys.get(*policy_key);
                    if let Some(role) = wanted.map(|wanted| wanted.role) {
                        self.find(Finding::LifetimeTooShort {
                            role,
                            lifetime: *lifetime,
                            ttl: *ttl,
                        });
                    }
                }
                Action::RollStarted { role, from, .. } => self.look_at_roll(before, *role, from),
                _ => {}
            }
        }
    }

    fn say<E>(&mut self, change: impl FnOnce(&ZoneLife, Timestamp) -> Result<ZoneLife, E>) {
        // What does not apply any more changes nothing.
        if let Ok(life) = change(&self.life, self.now) {
            self.life = life;
        }
    }

    fn back_up(&mut self, id: &KeyId) {
        for key in self.life.keys.iter_mut().filter(|key| key.id == *id) {
            key.backup = Backup::Done;
        }
    }

    /// Notes what the core says again at each look, once.
    fn note(&mut self, note: Note) {
        let is_same = |said: &(Timestamp, Note)| {
            let may_come_again = matches!(note, Note::RollByHand { .. });
            said.1 == note && (said.0 == self.now || !may_come_again)
        };
        if !self.notes.iter().any(is_same) {
            self.notes.push((self.now, note));
        }
    }

    fn find(&mut self, finding: Finding) {
        if !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }

    /// Whether a roll begins before its leaving keys have arrived.
    fn look_at_roll(&mut self, before: &ZoneLife, role: KeyRole, from: &[KeyId]) {
        let is_known = |found: &Finding| match found {
            Finding::RollsOverlap { role: other, .. } => *other == role,
            _ => false,
        };
        let is_on_its_way = |key: &KeyLife| {
            let mut states = RecordKind::ALL.into_iter().filter_map(|kind| key.state(kind));
            from.contains(&key.id) && states.any(|state| state != RecordState::Omnipresent)
        };
        if before.keys.iter().any(is_on_its_way) && !self.findings.iter().any(is_known) {
            self.findings.push(Finding::RollsOverlap { role, at: self.now });
        }
    }

    /// When the parent has done what it was told, for the next key.
    fn parent_due(&self) -> Option<Timestamp> {
        let delay = self.assumptions.parent_delay;
        let told = self.life.keys.iter().filter(|key| {
            matches!(key.ds_at_parent, DsAtParent::Submitted | DsAtParent::Retracted)
        });
        told.filter_map(|key| key.ds.map(|ds| ds.since.plus(delay).max(self.now))).min()
    }

    fn hear_parent(&mut self) {
        let (delay, now) = (self.assumptions.parent_delay, self.now);
        let is_due = |key: &&KeyLife| key.ds.is_some_and(|ds| ds.since.plus(delay) <= now);
        let due = self.life.keys.iter().filter(is_due);
        let due: Vec<(KeyId, DsAtParent)> =
            due.map(|key| (key.id.clone(), key.ds_at_parent)).collect();
        for (id, at_parent) in due {
            match at_parent {
                DsAtParent::Submitted => self.say(|life, now| ds_seen(life, &id, now)),
                DsAtParent::Retracted => self.say(|life, now| ds_gone(life, &id, now)),
                _ => {}
            }
        }
    }

    /// Keeps what happened since `before`, and lets go of dead keys that nobody purges.
    fn remember(&mut self, before: &ZoneLife) {
        for key in &self.life.keys {
            if !self.names.iter().any(|name| name.id == key.id) {
                let name = KeyName::planned(key, self.now, &self.names);
                self.names.push(name);
            }
        }
        let events = history::events(before, &self.life);
        if !events.is_empty() {
            match self.moments.last_mut() {
                Some((at, all)) if *at == self.now => all.extend(events),
                _ => self.moments.push((self.now, events)),
            }
        }
        let scene = Scene::new(self.assumptions.policy, self.now, &[]);
        if self.assumptions.policy.keys.purge.is_none_or(|after| after.0 == 0) {
            let dead = removable_keys(&self.life, &scene);
            self.life.keys.retain(|key| !dead.contains(&key.id) || before.keys.contains(key));
        }
    }

    fn say_stuck(&mut self, obstacles: &[Obstacle]) {
        for obstacle in obstacles {
            let unmet = obstacle.conditions.iter().filter(|condition| !condition.is_met);
            let name = super::names::find(&self.names, &obstacle.id);
            self.findings.push(Finding::Stuck {
                key: name.map_or_else(|| obstacle.id.to_string(), |name| name.text.clone()),
                kind: obstacle.kind,
                wants: obstacle.wants,
                gates: unmet.map(|condition| condition.gate).collect(),
            });
        }
    }
}

/// A key tag that no other key has or may get with the REVOKE bit (guard W3).
fn free_tag(life: &ZoneLife, supply: &[SupplyKey], number: u32) -> KeyTag {
    let taken: Vec<u16> = life
        .keys
        .iter()
        .map(|key| key.key_tag.0)
        .chain(supply.iter().map(|key| key.key_tag.0))
        .collect();
    let is_free = |tag: &u16| {
        let distance = |other: &u16| tag.wrapping_sub(*other).min(other.wrapping_sub(*tag));
        !taken.iter().any(|other| matches!(distance(other), 0 | 1 | 128 | 129))
    };
    // Spread, as those of real keys are.
    let first = number.wrapping_mul(40_503) as u16;
    let found = (0..u16::MAX).map(|step| first.wrapping_add(step)).find(is_free);
    KeyTag(found.unwrap_or(first))
}

impl Finding {
    /// Whether keys of the policy never come to where they belong.
    pub fn is_fault(&self) -> bool {
        !matches!(self, Finding::NeverRolled { .. })
    }

    /// What it means.
    pub fn text(&self) -> String {
        match self {
            Finding::LifetimeTooShort { role, lifetime, ttl } => {
                let (what, ttl) = match ttl {
                    LimitingTtl::ParentDs(ttl) => ("the DS", ttl),
                    LimitingTtl::MaxZone(ttl) => ("the zone (MaxZoneTTL)", ttl),
                };
                format!(
                    "no roll of the {role}s could ever finish, so no {role} is taken: the \
                     lifetime is {}, and the TTLs of {what} ({}) and of the keys are as long. \
                     Raise Lifetime, or lower the TTLs.",
                    date::length(*lifetime),
                    date::length(*ttl)
                )
            }
            Finding::RollsOverlap { role, at } => format!(
                "rolls of the {role}s never finish: on {} one begins before the one before it has \
                 ended. Raise Lifetime, or shorten what a roll waits for.",
                date::date(*at)
            ),
            Finding::Stuck { key, kind, wants, gates } => format!(
                "the {kind} of {key} never becomes {wants}: {}.",
                gates.iter().map(|gate| super::words::gate(*gate)).collect::<Vec<_>>().join("; ")
            ),
            Finding::NeverRolled { role } => {
                format!("{role}s are never rolled by the clock (Lifetime 0)")
            }
            Finding::CutShort { at, keys } => format!(
                "the plan ends on {}: the zone has {keys} keys then, and more happens than a plan \
                 can hold",
                date::date(*at)
            ),
        }
    }
}
