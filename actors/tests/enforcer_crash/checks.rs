//! What is true of the state at every moment. In: a store, the token's keys. Out: panics. The
//! rules for caches are written here a second time, from RFC 4035 §5 and what the states mean.

use crate::token::{Keys, REPOSITORY};
use dnssec::enforcer::history::KeyEvent;
use dnssec::enforcer::{KeyLife, RecordKind, RecordState, ZoneLife};
use dnssec::key::KeyId;
use dnssec::{Algorithm, Name};
use std::collections::{BTreeMap, BTreeSet};
use storage::StateStore;
use storage::state::{HistoryEntry, KeyOwner, KeyState};

/// In the zone, signs its keys, signs the rest.
pub(crate) type Uses = BTreeMap<KeyId, [bool; 3]>;

type States = BTreeMap<KeyId, BTreeMap<RecordKind, RecordState>>;

/// Every state in which the history says a zone was, from none at all on. Panics where an event
/// does not follow from those before.
fn states(history: &[HistoryEntry]) -> Vec<States> {
    let mut now = States::new();
    let mut all = vec![now.clone()];
    for entry in history {
        for (id, event) in &entry.events {
            match event {
                KeyEvent::Taken { .. } => {
                    assert!(now.insert(id.clone(), BTreeMap::new()).is_none(), "{id} taken twice");
                }
                KeyEvent::Record { kind, from, to } => {
                    let key = now.get_mut(id).expect("a key is taken before it moves");
                    let was = key.insert(*kind, *to).unwrap_or_default();
                    assert_eq!(was, *from, "a gap in the history of {id}");
                }
                KeyEvent::Gone => assert!(now.remove(id).is_some(), "{id} is gone twice"),
                _ => assert!(now.contains_key(id), "{event} of {id}, which is not there"),
            }
        }
        all.push(now.clone());
    }
    all
}

/// How the zone was to use its keys, at every moment of its history.
pub(crate) fn signers(history: &[HistoryEntry]) -> impl Iterator<Item = Uses> {
    states(history).into_iter().map(|moment| {
        let uses = moment.into_iter().map(|(id, records)| {
            let is_served = |kind| records.get(&kind).is_some_and(|state| state.is_served());
            let kinds = [RecordKind::Dnskey, RecordKind::RrsigDnskey, RecordKind::Rrsig];
            (id, kinds.map(is_served))
        });
        uses.filter(|(_, uses)| uses.contains(&true)).collect()
    })
}

/// Holds the whole state against what has to be true after any crash.
pub(crate) fn check_state(store: &StateStore, zones: &[Name], token: &Keys) {
    let records = store.keys().unwrap();
    for id in token.keys() {
        let record = records.iter().find(|record| record.id == *id);
        assert!(record.is_some(), "key {id} is in the token, and nobody knows");
    }
    let mut held = BTreeSet::new();
    for zone in zones {
        let life = store.life(zone).unwrap().unwrap_or_default();
        for key in &life.keys {
            assert!(held.insert(key.id.clone()), "two zones have key {}", key.id);
            assert!(token.contains_key(&key.id), "key {} of {zone} is lost", key.id);
            let record = store.key(REPOSITORY, &key.id).unwrap().expect("keys in use have records");
            assert_eq!(record.state, KeyState::Present);
            assert_eq!(record.owner, KeyOwner::Zone(Box::new(zone.clone())));
        }
        check_life(&life);
        check_history(&life, &store.history(zone).unwrap());
    }
}

/// The history tells of all that led to the life.
fn check_history(life: &ZoneLife, history: &[HistoryEntry]) {
    let last = states(history).pop().unwrap();
    assert_eq!(last.len(), life.keys.len());
    for key in &life.keys {
        for kind in RecordKind::ALL {
            let told = last[&key.id].get(&kind).copied().unwrap_or_default();
            assert_eq!(told, key.state(kind).unwrap_or_default(), "{kind} of {}", key.id);
        }
    }
}

/// Whatever mix of records caches have, it validates.
pub(crate) fn check_life(life: &ZoneLife) {
    let algorithms = [Algorithm::EcdsaP256Sha256, Algorithm::Ed25519];
    for algorithm in algorithms {
        let of_it = |key: &&KeyLife| key.algorithm == algorithm;
        let keys: Vec<&KeyLife> = life.keys.iter().filter(of_it).collect();
        assert!(is_bogus_nowhere(&keys), "some cache is left without a chain: {keys:#?}");
    }
}

fn is_bogus_nowhere(keys: &[&KeyLife]) -> bool {
    use RecordKind::{Dnskey, Ds, Rrsig, RrsigDnskey};
    let is_everywhere = |key: &KeyLife, kind| key.state(kind) == Some(RecordState::Omnipresent);
    let is_anywhere =
        |key: &KeyLife, kind| key.state(kind).is_some_and(|state| state != RecordState::Hidden);
    let signs_keyset =
        |key: &KeyLife| is_everywhere(key, Dnskey) && is_everywhere(key, RrsigDnskey);
    if !keys.iter().any(|key| is_anywhere(key, Ds)) {
        return true;
    }
    let is_chained = keys.iter().any(|key| is_everywhere(key, Ds) && signs_keyset(key))
        || keys.iter().all(|key| !is_anywhere(key, Ds) || signs_keyset(key))
        || keys.iter().all(|key| {
            let is_signer = is_anywhere(key, RrsigDnskey) && is_anywhere(key, Dnskey);
            !is_signer || is_everywhere(key, Ds)
        });
    let is_signed = keys.iter().any(|key| is_everywhere(key, Dnskey) && is_everywhere(key, Rrsig))
        || keys.iter().all(|key| !is_anywhere(key, Rrsig) || is_everywhere(key, Dnskey))
        || keys
            .iter()
            .filter(|key| key.role.signs_zone())
            .all(|key| !is_anywhere(key, Dnskey) || is_everywhere(key, Rrsig));
    is_chained && is_signed
}
