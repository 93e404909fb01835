//! Zones in which every record waits for another one: in the middle of a roll the policy drops the
//! coming keys, too. What is half-way in may not be withdrawn, because what was there before is
//! half-way out, and that may not become hidden either. 2.1 stops there for good.
//! In: life, scene. Out: records that time may bring on. Never: changes.
//!
//! A record that is published comes into all caches, whether it is wanted or not. Where it does so
//! by the clock, the rules hold again, and all keys can leave. As long as anything else will move,
//! it waits half-way, as in 2.1.

use super::judgement::{Judgement, judge, next_state};
use super::scene::Scene;
use super::standby::is_wanted;
use super::state::{RecordKind, RecordState, ZoneLife};
use crate::Algorithm;

/// A record of a deadlock that is published, though not wanted, and may come into all caches.
pub(super) struct Ripe {
    pub(super) key: usize,
    pub(super) kind: RecordKind,
    /// What has to be true before.
    pub(super) judgement: Judgement,
}

/// The records that time brings on where nothing else moves any more.
pub(super) fn ripe(life: &ZoneLife, scene: &Scene<'_>) -> Vec<Ripe> {
    let records = (0..life.keys.len()).flat_map(|key| RecordKind::ALL.map(|kind| (key, kind)));
    let is_half_way = |(key, kind): &(usize, RecordKind)| {
        let key = &life.keys[*key];
        key.state(*kind) == Some(RecordState::Rumoured) && !is_wanted(key, *kind)
    };
    let half_way = records.filter(is_half_way);
    let stuck = half_way.filter(|(key, _)| is_deadlocked(life, life.keys[*key].algorithm, scene));
    let ripe = stuck.map(|(key, kind)| {
        let wants = RecordState::Omnipresent;
        Ripe { key, kind, judgement: judge(life, &life.successions, key, kind, wants, scene) }
    });
    ripe.collect()
}

/// Whether all records of an algorithm that are on their way wait for others.
fn is_deadlocked(life: &ZoneLife, algorithm: Algorithm, scene: &Scene<'_>) -> bool {
    let keys = (0..life.keys.len()).filter(|key| life.keys[*key].algorithm == algorithm);
    let mut records = keys.flat_map(|key| RecordKind::ALL.map(|kind| (key, kind)));
    records.all(|(key, kind)| {
        let Some(wants) = next_state(life, key, kind) else { return true };
        judge(life, &life.successions, key, kind, wants, scene).waits_for_others()
    })
}
