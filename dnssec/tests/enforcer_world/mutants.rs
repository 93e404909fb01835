//! Planted mistakes: the core with a wait one second too short, a term left out, or a gate not
//! kept. Each must be found by the model.
//! They work from outside: the core is told another policy than the world has, or what it answers
//! is changed before it is remembered. Nothing in the core knows of them.

use super::sync::{Wish, WrongSync};
use dnssec::enforcer::{
    Condition, Evaluation, Gate, KeyUse, RecordKind, RecordLife, RecordState, Rule, ZoneLife,
};
use dnssec::policy::Policy;
use dnssec::{Seconds, Timestamp};

/// One mistake.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mistake {
    /// None: the core as it is.
    None,
    /// The waits of records of this kind that enter this state are shorter by this part of them.
    Hasty { kinds: &'static [RecordKind], state: RecordState, by: fn(&Policy) -> u64 },
    /// The core is told a policy that is not the world's.
    Told(fn(&mut Policy)),
    /// A gate is not kept.
    Ignores(Ignored),
    /// Terms of earlier policies are forgotten.
    NoOldTerms,
    /// What was decided counts as published.
    DecidedIsPublished,
    /// A gate opens this much before its time.
    Early(Gate, fn(&Policy) -> u64),
    /// A standby key counts as known to all caches as soon as it is introduced.
    StandbyAtOnce,
    /// CDS does not follow the rule.
    Sync(WrongSync),
    /// With `<ShareKeys/>`, a key leaves its token when the first zone has forgotten it.
    FirstForgets,
}

/// A gate that a mutant does not keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ignored {
    Rules(&'static [Rule]),
    DsAtParent,
    Gates(&'static [Gate]),
}

impl Ignored {
    fn is(self, gate: Gate) -> bool {
        match self {
            Ignored::Rules(rules) => rules.iter().any(|rule| gate == Gate::Rule(*rule)),
            Ignored::DsAtParent => matches!(gate, Gate::DsAtParent(_)),
            Ignored::Gates(gates) => gates.contains(&gate),
        }
    }
}

impl Mistake {
    /// The policy that the core is told.
    pub(crate) fn policy(self, policy: &Policy) -> Policy {
        let mut policy = policy.clone();
        if let Mistake::Told(lie) = self {
            lie(&mut policy);
        }
        policy
    }

    /// Changes what the core remembers from its answer; whether it has to be asked again.
    pub(crate) fn after(self, answer: &mut Evaluation, policy: &Policy, now: Timestamp) -> bool {
        let life = &mut answer.life;
        match self {
            Mistake::None | Mistake::Told(_) | Mistake::Sync(_) | Mistake::FirstForgets => {}
            Mistake::Early(Gate::AddHoldDown, by) => {
                return revoke_early(answer, now, by(policy));
            }
            Mistake::Early(gate, by) => return force_early(answer, gate, now, by(policy)),
            Mistake::StandbyAtOnce => stand_by(life),
            Mistake::NoOldTerms => life.old_terms.clear(),
            Mistake::Hasty { kinds, state, by } => hurry(life, kinds, state, now, by(policy)),
            Mistake::DecidedIsPublished => confirm_all(life),
            Mistake::Ignores(gate) => return force(answer, gate, now),
        }
        false
    }

    /// By how many seconds its waits are shorter.
    pub(crate) fn haste(self, policy: &Policy) -> u64 {
        match self {
            Mistake::Hasty { by, .. } | Mistake::Early(_, by) => by(policy),
            _ => 0,
        }
    }

    /// What the zone's CDS asks for.
    pub(crate) fn wish(self, life: &ZoneLife, right: Wish) -> Wish {
        match self {
            Mistake::Sync(wrong) => wrong.wish(life, right),
            _ => right,
        }
    }
}

fn record_mut(key: &mut dnssec::enforcer::KeyLife, kind: RecordKind) -> Option<&mut RecordLife> {
    match kind {
        RecordKind::Ds => key.ds.as_mut(),
        RecordKind::Dnskey => Some(&mut key.dnskey),
        RecordKind::RrsigDnskey => key.rrsig_dnskey.as_mut(),
        RecordKind::Rrsig => key.rrsig.as_mut(),
    }
}

/// Dates the records of these kinds back that have entered `state` now, or of which the operator
/// has spoken now.
fn hurry(life: &mut ZoneLife, kinds: &[RecordKind], state: RecordState, now: Timestamp, by: u64) {
    for key in &mut life.keys {
        for kind in kinds {
            let record = record_mut(key, *kind);
            if let Some(record) = record.filter(|it| it.state == state && it.since == now) {
                record.since = now.minus(Seconds(by));
            }
        }
    }
}

fn confirm_all(life: &mut ZoneLife) {
    for key in &mut life.keys {
        for kind in RecordKind::ALL {
            if let Some(record) = record_mut(key, kind) {
                record.confirmed = record.confirmed.or(Some(record.since));
            }
        }
    }
}

fn stand_by(life: &mut ZoneLife) {
    for key in life.keys.iter_mut().filter(|key| key.purpose == KeyUse::Standby) {
        for kind in RecordKind::ALL {
            if let Some(record) = record_mut(key, kind)
                && record.state == RecordState::Rumoured
            {
                record.state = RecordState::Omnipresent;
            }
        }
    }
}

/// Moves the first record that waits for nothing but the gate.
fn force(answer: &mut Evaluation, gate: Ignored, now: Timestamp) -> bool {
    move_first(answer, now, |condition| gate.is(condition.gate))
}

/// Moves the first record that waits for nothing but the gate, which opens soon.
fn force_early(answer: &mut Evaluation, gate: Gate, now: Timestamp, by: u64) -> bool {
    let soon = now.plus(Seconds(by));
    move_first(answer, now, |it| it.gate == gate && it.at.is_some_and(|at| at <= soon))
}

/// Revokes the first key that waits for nothing but another one to be trusted, which it will soon.
fn revoke_early(answer: &mut Evaluation, now: Timestamp, by: u64) -> bool {
    let soon = now.plus(Seconds(by));
    let is_soon = |it: &Condition| {
        it.is_met || it.gate == Gate::AddHoldDown && it.at.is_some_and(|at| at <= soon)
    };
    let mut obstacles = answer.obstacles.iter();
    let Some(obstacle) = obstacles.find(|it| it.conditions.iter().all(is_soon)) else {
        return false;
    };
    let id = &obstacle.id;
    let Some(key) = answer.life.keys.iter_mut().find(|key| key.id == *id) else { return false };
    (key.revoked, key.dnskey.confirmed) = (Some(now), None);
    true
}

fn move_first(
    answer: &mut Evaluation,
    now: Timestamp,
    is_ignored: impl Fn(&Condition) -> bool,
) -> bool {
    let waits_for_it_only = |it: &&dnssec::enforcer::Obstacle| {
        it.conditions.iter().all(|condition| condition.is_met || is_ignored(condition))
    };
    let Some(obstacle) = answer.obstacles.iter().find(waits_for_it_only) else { return false };
    let (id, kind, wants) = (&obstacle.id, obstacle.kind, obstacle.wants);
    let Some(key) = answer.life.keys.iter_mut().find(|key| key.id == *id) else { return false };
    let Some(record) = record_mut(key, kind) else { return false };
    *record = RecordLife { state: wants, since: now, confirmed: None };
    true
}
