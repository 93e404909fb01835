//! Whether a record may go on to its next state now: all that has to be true, each with its
//! answer. In: life, scene. Out: conditions. Decisions and explanations are this one function.
//! Never: changes.

use super::approval::View;
use super::policy_pass::wanted_keys;
use super::revocation;
use super::scene::{Condition, Gate, Rule, Scene};
use super::standby::is_wanted;
use super::state::{DsAtParent, RecordKind, RecordState, Succession, ZoneLife};
use super::timing::{sighting, sighting_needed, wait};
use crate::Timestamp;
use RecordState::{Hidden, Omnipresent, Rumoured, Unretentive};

/// The state a record goes to next; `None`: it is where it is to be.
pub(super) fn next_state(life: &ZoneLife, key: usize, kind: RecordKind) -> Option<RecordState> {
    let key = &life.keys[key];
    let state = key.state(kind)?;
    match (is_wanted(key, kind), state) {
        (true, Hidden | Unretentive) => Some(Rumoured),
        (true, Rumoured) => Some(Omnipresent),
        (false, Rumoured | Omnipresent) => Some(Unretentive),
        (false, Unretentive) => Some(Hidden),
        (true, Omnipresent) | (false, Hidden) => None,
    }
}

/// What has to be true before a record goes to `wants`.
pub(super) struct Judgement {
    pub(super) conditions: Vec<Condition>,
}

impl Judgement {
    /// Whether all of it is true.
    pub(super) fn allows(&self) -> bool {
        self.conditions.iter().all(|condition| condition.is_met)
    }

    /// Whether a rule or the roll type is in the way: then other records have to move first.
    pub(super) fn waits_for_others(&self) -> bool {
        self.unmet().any(|condition| matches!(condition.gate, Gate::Rule(_) | Gate::RollType(_)))
    }

    fn unmet(&self) -> impl Iterator<Item = &Condition> {
        self.conditions.iter().filter(|condition| !condition.is_met)
    }

    /// Whether the backup of the key is all that is in the way.
    pub(super) fn waits_only_for_backup(&self) -> bool {
        !self.allows() && self.unmet().all(|condition| condition.gate == Gate::Backup)
    }

    /// Whether all that is in the way is that the key has to be revoked before it leaves.
    pub(super) fn is_to_be_revoked(&self) -> bool {
        let is_trusted_on = |condition: &Condition| condition.gate == Gate::AddHoldDown;
        self.conditions.iter().any(is_trusted_on)
            && !self.allows()
            && self.unmet().all(|condition| condition.gate == Gate::RemoveHoldDown)
    }

    /// When the last of the `timed` gates opens, if nothing else is in the way but a backup; and
    /// all of them say when.
    pub(super) fn waits_until(&self, timed: &[Gate]) -> Option<Timestamp> {
        let unmet = || self.unmet().filter(|condition| condition.gate != Gate::Backup);
        let is_timed = unmet().all(|condition| timed.contains(&condition.gate));
        let times: Option<Vec<Timestamp>> = unmet().map(|condition| condition.at).collect();
        times.filter(|_| is_timed)?.into_iter().max()
    }
}

/// Judges whether the record `kind` of `key` may become `wants` now. `before`: the successions at
/// the beginning of this pass over the records; roll types go by those, as in 2.1.
pub(super) fn judge(
    life: &ZoneLife,
    before: &[Succession],
    key: usize,
    kind: RecordKind,
    wants: RecordState,
    scene: &Scene<'_>,
) -> Judgement {
    let mut conditions = Vec::new();
    let yes_no = |gate, is_met| Condition { gate, is_met, at: None, terms: Vec::new() };
    if kind == RecordKind::Ds {
        conditions.extend(parent_conditions(life, key, wants, scene));
    }
    let view = View::of(life);
    if wants == Rumoured
        && let Some(first) = (View { successions: before, ..view }).waits_for(key, kind)
    {
        conditions.push(yes_no(Gate::RollType(first), false));
    }
    for rule in [
        Rule::ChainExists,
        Rule::ChainValid,
        Rule::SignaturesValid,
        Rule::EveryView,
        Rule::SignedAtSource,
    ] {
        // A zone without keys in its policy is to become unsigned.
        let applies = rule != Rule::ChainExists || !wanted_keys(scene.policy).is_empty();
        if applies {
            conditions.push(yes_no(Gate::Rule(rule), view.allows(rule, key, kind, wants)));
        }
    }
    conditions.extend(time_conditions(life, key, kind, wants, scene));
    if wants == Omnipresent && !life.keys[key].backup.is_enough() {
        conditions.push(yes_no(Gate::Backup, false));
    }
    if wants == Unretentive {
        conditions.extend(revocation::conditions(life, key, kind, scene));
    }
    Judgement { conditions }
}

/// What operators or observation have to have said of the parent (catalogue 4.3).
fn parent_conditions(
    life: &ZoneLife,
    key: usize,
    wants: RecordState,
    scene: &Scene<'_>,
) -> Vec<Condition> {
    let needed = match wants {
        Omnipresent => DsAtParent::Seen,
        Hidden => DsAtParent::Unsubmitted,
        Rumoured | Unretentive => return Vec::new(),
    };
    let yes_no = |gate, is_met, at| Condition { gate, is_met, at, terms: Vec::new() };
    let said = life.keys[key].ds_at_parent == needed;
    let mut conditions = vec![yes_no(Gate::DsAtParent(needed), said, None)];
    if scene.parent.is_some() {
        let shown = sighting_needed(wants);
        let sighting = sighting(scene, life, key).filter(|sighting| sighting.shown == shown);
        let at = sighting.map(|sighting| sighting.since);
        conditions.push(yes_no(Gate::ParentShows(shown), sighting.is_some(), at));
    }
    conditions
}

fn time_conditions(
    life: &ZoneLife,
    key: usize,
    kind: RecordKind,
    wants: RecordState,
    scene: &Scene<'_>,
) -> Vec<Condition> {
    let wait = wait(life, key, kind, wants, scene);
    let is_met = wait.until <= scene.now;
    let at = Some(wait.until);
    let mut conditions = vec![Condition { gate: Gate::Time, is_met, at, terms: wait.terms }];
    let goes_by_publication = scene.waits_for_publication
        && kind != RecordKind::Ds
        && matches!(wants, Omnipresent | Hidden);
    if goes_by_publication {
        let at = life.keys[key].record(kind).and_then(|record| record.confirmed);
        let gate = Gate::Published;
        conditions.push(Condition { gate, is_met: at.is_some(), at, terms: Vec::new() });
    }
    conditions
}
