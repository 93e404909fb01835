//! Standby keys (`<Standby>`; 1.x had them, 2.x ignores them): a ZSK whose DNSKEY is published, or
//! a KSK or CSK whose DS is at the parent, and that signs nothing. A roll takes one that is ready,
//! and another is introduced in its place.

use super::policy_pass::{Progress, RETRY, find_new, fits, new_key, wanted_keys};
use super::scene::{Action, Leaving, Scene};
use super::state::{KeyLife, KeyUse, RecordKind, RecordState, ZoneLife};
use crate::policy::KeyPolicy;

/// The record by which a standby key is there.
fn standby_record(key: &KeyLife) -> RecordKind {
    if key.role.signs_keyset() { RecordKind::Ds } else { RecordKind::Dnskey }
}

/// Whether a record of a key is to be in the world in the end.
pub(super) fn is_wanted(key: &KeyLife, kind: RecordKind) -> bool {
    let is_part = key.purpose == KeyUse::Regular || kind == standby_record(key);
    key.introducing && is_part
}

fn is_standby(key: &KeyLife, wanted: &KeyPolicy) -> bool {
    key.introducing && key.purpose == KeyUse::Standby && fits(key, wanted)
}

/// The oldest standby key that every cache knows already.
pub(super) fn ready_standby(life: &ZoneLife, wanted: &KeyPolicy) -> Option<usize> {
    let is_ready = |key: &KeyLife| {
        let state = key.state(standby_record(key));
        is_standby(key, wanted) && state == Some(RecordState::Omnipresent)
    };
    life.keys.iter().position(is_ready)
}

/// Takes and drops standby keys until there are as many as the policy asks for. The first come
/// when the zone has a key that works.
pub(super) fn standby_pass(progress: &mut Progress, scene: &Scene<'_>) {
    for (policy_key, wanted) in wanted_keys(scene.policy).iter().enumerate() {
        let is_regular =
            |key: &KeyLife| key.introducing && key.purpose == KeyUse::Regular && fits(key, wanted);
        let keys = &progress.life.keys;
        if !keys.iter().any(is_regular) {
            continue;
        }
        let standing: Vec<usize> =
            (0..keys.len()).filter(|key| is_standby(&keys[*key], wanted)).collect();
        let number = usize::try_from(wanted.standby).unwrap_or(usize::MAX);
        for spare in standing.iter().skip(number) {
            let key = &mut progress.life.keys[*spare];
            key.introducing = false;
            let why = Leaving::SpareStandby;
            progress.actions.push(Action::KeyLeaves { id: key.id.clone(), why });
        }
        for _ in standing.len()..number {
            let purpose = KeyUse::Standby;
            let Some(key) = find_new(&progress.life, scene, wanted) else {
                progress.actions.push(Action::KeyWanted { policy_key, purpose });
                progress.look_again(scene.now.plus(RETRY));
                break;
            };
            progress.life.keys.push(new_key(key, wanted, purpose, scene.now));
            let id = key.id.clone();
            progress.actions.push(Action::TakeKey { id, policy_key, purpose });
        }
    }
}
