//! When a dead key may be forgotten (`<Purge>`, `key purge`, guard W16). In: life, scene.
//! Out: whether, and when by policy. Never: deleting anything in a token.

use super::policy_pass::Progress;
use super::scene::{Action, DsShown, Scene};
use super::state::{DsAtParent, KeyLife, RecordKind, RecordState, ZoneLife};
use super::successions::is_dead;
use super::timing::sighting;
use crate::Timestamp;
use crate::key::KeyId;

/// Whether the zone may forget a key: all its records are out of the world, and its DS cannot be
/// seen anywhere (guard W16). Unknown keys are nobody's to keep.
pub fn is_removable(life: &ZoneLife, id: &KeyId, scene: &Scene<'_>) -> bool {
    let key = life.keys.iter().position(|key| key.id == *id);
    key.is_none_or(|key| is_removable_at(life, key, scene))
}

/// Whether the DS of a key may still be seen somewhere: at the parent or in a cache. As long as
/// this is so, neither the key nor its zone can go without harm (guard W16).
pub fn ds_may_be_seen(life: &ZoneLife, id: &KeyId, scene: &Scene<'_>) -> bool {
    let Some(key) = life.keys.iter().position(|key| key.id == *id) else { return false };
    let this = &life.keys[key];
    let is_shown = sighting(scene, life, key).is_some_and(|one| one.shown != DsShown::Nowhere);
    let is_hidden = matches!(this.state(RecordKind::Ds), None | Some(RecordState::Hidden));
    is_shown || !is_hidden || this.ds_at_parent != DsAtParent::Unsubmitted
}

fn is_removable_at(life: &ZoneLife, key: usize, scene: &Scene<'_>) -> bool {
    let this = &life.keys[key];
    is_dead(this) && !ds_may_be_seen(life, &this.id, scene)
}

/// When a dead key died: the last transition of its records.
fn died(key: &KeyLife) -> Timestamp {
    let times = RecordKind::ALL.into_iter().filter_map(|kind| key.record(kind));
    times.map(|record| record.since).max().unwrap_or_default()
}

/// The keys that `key purge` removes now.
pub fn removable_keys(life: &ZoneLife, scene: &Scene<'_>) -> Vec<KeyId> {
    let keys = (0..life.keys.len()).filter(|key| is_removable_at(life, *key, scene));
    keys.map(|key| life.keys[key].id.clone()).collect()
}

/// When the policy purges a key; `None`: never, or not yet known.
fn purge_due(life: &ZoneLife, key: usize, scene: &Scene<'_>) -> Option<Timestamp> {
    let after = scene.policy.keys.purge.filter(|after| after.0 != 0)?;
    is_removable_at(life, key, scene).then(|| died(&life.keys[key]).plus(after))
}

/// Removes the keys whose time has come by the policy.
pub(super) fn purge(progress: &mut Progress, scene: &Scene<'_>) {
    let life = &progress.life;
    let is_due = |key: &usize| purge_due(life, *key, scene).is_some_and(|at| at <= scene.now);
    let ids: Vec<KeyId> =
        (0..life.keys.len()).filter(is_due).map(|key| life.keys[key].id.clone()).collect();
    progress.life.keys.retain(|key| !ids.contains(&key.id));
    progress.actions.extend(ids.into_iter().map(|id| Action::Purge { id }));
}

/// When the next dead key is due.
pub(super) fn next_purge(life: &ZoneLife, scene: &Scene<'_>) -> Option<Timestamp> {
    (0..life.keys.len()).filter_map(|key| purge_due(life, key, scene)).min()
}
