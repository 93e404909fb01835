//! The enforcer's core run forward: from moment to moment until a day years ahead.
//! In: a zone's life, the scene in which the enforcer sees it now, what is assumed of people and
//! parents ([`super::world`]). Out: [`Plan`]. Never: changes outside.

use super::calendar::{self, Entry, Note};
use super::finding::Finding;
use super::names::KeyName;
use super::{DsCommands, Moment};
use crate::enforcer::history;
use crate::enforcer::{
    Action, DsSighting, Evaluation, KeyUse, Obstacle, RecordKind, RecordState, Scene, SupplyKey,
    ZoneLife, evaluate, removable_keys,
};
use crate::key::KeyRole;
use crate::policy::{DenialPolicy, Policy};
use crate::{Seconds, Timestamp};
use std::collections::BTreeSet;

/// Most evaluations of one plan.
pub const EVALUATIONS_MAX: usize = 20_000;
/// Most keys of one zone at a time.
pub const KEYS_MAX: usize = 48;
/// Most new salts of one plan; later ones are left out.
const RESALTS_MAX: usize = 1000;
/// Most evaluations at one moment: each does something that the one before made possible.
const SETTLE_MAX: usize = 64;

/// What a plan begins with, and what it takes for granted of others.
#[derive(Clone, Copy, Debug)]
pub struct Assumptions<'a> {
    /// What the enforcer sees now: policy, time, keys that may be taken, the parent.
    pub scene: Scene<'a>,
    /// Where the plan ends.
    pub until: Timestamp,
    /// How long the parent takes to show or to remove a DS once it was told.
    pub parent_delay: Seconds,
    /// Who tells the parent about DSs.
    pub commands: DsCommands,
    /// Repositories with `<RequireBackup/>`.
    pub backed_up: &'a BTreeSet<String>,
    /// `<ManualKeyGeneration/>`: keys beyond those that are there are made by hand.
    pub keys_by_hand: bool,
    /// When the salt of the policy was made; `None`: it has none, or its age is not known.
    pub salted: Option<Timestamp>,
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

/// Runs the core forward.
pub fn plan(life: &ZoneLife, assumptions: &Assumptions<'_>) -> Plan {
    let scene = &assumptions.scene;
    let names = life.keys.iter().map(KeyName::known).collect();
    let mut run = Run {
        assumptions,
        life: life.clone(),
        now: scene.now,
        supply: scene.supply.to_vec(),
        parent: scene.parent.map(<[DsSighting]>::to_vec),
        made: 0,
        names,
        moments: Vec::new(),
        notes: Vec::new(),
        findings: never_rolled(scene.policy),
    };
    let until = run.go();
    run.resalt(until);
    let entries = calendar::entries(&run.moments, &run.notes, &run.names, assumptions);
    Plan {
        from: scene.now,
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

/// A plan in the making.
pub(super) struct Run<'a> {
    pub(super) assumptions: &'a Assumptions<'a>,
    pub(super) life: ZoneLife,
    pub(super) now: Timestamp,
    pub(super) supply: Vec<SupplyKey>,
    /// What the parent's servers show, where somebody asks them.
    pub(super) parent: Option<Vec<DsSighting>>,
    /// Keys made up so far.
    pub(super) made: u32,
    names: Vec<KeyName>,
    moments: Vec<Moment>,
    pub(super) notes: Vec<(Timestamp, Note)>,
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
            let seen = self.parent.clone();
            self.heed(&last.actions);
            self.judge_rolls(&last.actions);
            self.hear_parent();
            self.remember(&before);
            self.publish();
            if self.life == before && self.parent == seen {
                break;
            }
            last = self.evaluate();
            *evaluations += 1;
        }
        last
    }

    /// The scene that the plan began with, as it is by now.
    fn scene(&self) -> Scene<'_> {
        Scene {
            now: self.now,
            supply: &self.supply,
            parent: self.parent.as_deref(),
            ..self.assumptions.scene
        }
    }

    fn evaluate(&mut self) -> Evaluation {
        self.stock_up();
        evaluate(&self.life, &self.scene())
    }

    fn find(&mut self, finding: Finding) {
        if !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }

    /// Looks for rolls that cannot end, or not in time.
    fn judge_rolls(&mut self, actions: &[Action]) {
        let policy = self.assumptions.scene.policy;
        let mut too_short = Vec::new();
        for action in actions {
            let Action::LifetimeTooShort { policy_key, lifetime, ttl, .. } = action else {
                continue;
            };
            let Some(wanted) = policy.keys.keys.get(*policy_key) else { continue };
            let (role, lifetime, ttl) = (wanted.role, *lifetime, *ttl);
            too_short.push(role);
            self.find(Finding::LifetimeTooShort { role, lifetime, ttl });
        }
        for role in [KeyRole::Ksk, KeyRole::Zsk, KeyRole::Csk] {
            let Some(at) = *self.life.next_roll.get(role) else { continue };
            let mut keys = policy.keys.keys.iter().filter(|key| key.role == role);
            let is_by_clock = keys.any(|key| !key.manual_rollover && key.lifetime.0 > 0);
            let is_known = |one: &Finding| match one {
                Finding::RollsLate { role: other, .. } => *other == role,
                _ => false,
            };
            let is_late = at <= self.now && is_by_clock && !too_short.contains(&role);
            if is_late && self.is_coming(role) && !self.findings.iter().any(is_known) {
                self.findings.push(Finding::RollsLate { role, at });
            }
        }
    }

    /// Whether a key of a role is on its way into the zone.
    fn is_coming(&self, role: KeyRole) -> bool {
        self.life.keys.iter().any(|key| {
            let is_meant = key.role == role && key.introducing && key.purpose == KeyUse::Regular;
            is_meant
                && !RecordKind::ALL
                    .into_iter()
                    .all(|kind| matches!(key.state(kind), None | Some(RecordState::Omnipresent)))
        })
    }

    /// Notes when the policy's salt is made anew.
    fn resalt(&mut self, until: Timestamp) {
        let scene = &self.assumptions.scene;
        let DenialPolicy::Nsec3(nsec3) = &scene.policy.denial else { return };
        let is_signed = !scene.policy.passthrough && !scene.policy.keys.keys.is_empty();
        let Some(salted) = self.assumptions.salted else { return };
        if !is_signed || nsec3.salt_length == 0 || nsec3.resalt.0 == 0 {
            return;
        }
        let first = salted.plus(nsec3.resalt).max(scene.now);
        let moments = std::iter::successors(Some(first), |at| Some(at.plus(nsec3.resalt)));
        let moments = moments.take_while(|at| *at <= until).take(RESALTS_MAX);
        self.notes.extend(moments.map(|at| (at, Note::Resalt)));
    }

    /// Keeps what happened since `before`, and lets go of dead keys that nobody purges.
    fn remember(&mut self, before: &ZoneLife) {
        for key in &self.life.keys {
            if !self.names.iter().any(|name| name.id == key.id) {
                let name = match self.is_planned(&key.id) {
                    true => KeyName::planned(key, self.now, &self.names),
                    false => KeyName::known(key),
                };
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
        if self.assumptions.scene.policy.keys.purge.is_none_or(|after| after.0 == 0) {
            let dead = removable_keys(&self.life, &self.scene());
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
