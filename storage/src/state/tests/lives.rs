//! Lives of keys: they come back as they were, their history grows with each change, and a store
//! made before there were lives gets them.

use crate::StateStore;
use crate::faults::FaultDisk;
use crate::state::{BackupState, Cause, KeyOwner, KeyState, LifeChange, NewKey, User};
use dnssec::enforcer::{
    Backup, DsAtParent, KeyLife, KeyUse, Minimize, OldTerms, PerRole, RecordKind, RecordLife,
    RecordState, Succession, Terms, ZoneLife,
};
use dnssec::key::{KeyId, KeyRole, PublicKey};
use dnssec::{Algorithm, KeyTag, Name, Seconds, Timestamp};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

fn store() -> StateStore {
    StateStore::open_on(&FaultDisk::default(), Path::new("state.redb"), Timestamp(1)).unwrap()
}

fn zone() -> Name {
    Name::parse(b"example.", None).unwrap()
}

fn states() -> impl Strategy<Value = RecordState> {
    proptest::sample::select(vec![
        RecordState::Hidden,
        RecordState::Rumoured,
        RecordState::Omnipresent,
        RecordState::Unretentive,
    ])
}

fn records() -> impl Strategy<Value = RecordLife> {
    (states(), any::<u64>(), any::<Option<u64>>()).prop_map(|(state, since, confirmed)| {
        RecordLife { state, since: Timestamp(since), confirmed: confirmed.map(Timestamp) }
    })
}

fn keys() -> impl Strategy<Value = KeyLife> {
    let kinds = (records(), records(), records(), records());
    let choices = (0usize..3, 0usize..6, 0usize..3, any::<bool>(), any::<Option<u64>>());
    let id = proptest::collection::vec(any::<u8>(), 1..64);
    (id, any::<u16>(), any::<u64>(), choices, any::<[bool; 6]>(), kinds).prop_map(
        |(id, number, at, (role, parent, backup, standby, revoked), flags, records)| {
            let role = [KeyRole::Ksk, KeyRole::Zsk, KeyRole::Csk][role];
            let of = |kind: RecordKind, record| kind.applies_to(role).then_some(record);
            KeyLife {
                id: KeyId::new(&id).unwrap(),
                repository: format!("r{number}"),
                role,
                algorithm: Algorithm::EcdsaP256Sha256,
                bits: number,
                key_tag: KeyTag(number),
                inception: Timestamp(at),
                introducing: flags[3],
                purpose: if standby { KeyUse::Standby } else { KeyUse::Regular },
                revoked: revoked.map(Timestamp),
                is_anchor: flags[4],
                minimize: Minimize { ds: flags[0], dnskey: flags[1], rrsig: flags[2] },
                ds_at_parent: [
                    DsAtParent::Unsubmitted,
                    DsAtParent::Submit,
                    DsAtParent::Submitted,
                    DsAtParent::Seen,
                    DsAtParent::Retract,
                    DsAtParent::Retracted,
                ][parent],
                ds_was_seen: flags[5] || parent == 3,
                backup: [Backup::NotRequired, Backup::Missing, Backup::Done][backup],
                ds: of(RecordKind::Ds, records.0),
                dnskey: records.1,
                rrsig_dnskey: of(RecordKind::RrsigDnskey, records.2),
                rrsig: of(RecordKind::Rrsig, records.3),
            }
        },
    )
}

fn lives() -> impl Strategy<Value = ZoneLife> {
    let next = any::<[Option<u64>; 3]>();
    let keys = proptest::collection::vec(keys(), 0..4);
    (keys, any::<[bool; 3]>(), next, any::<[u64; 8]>()).prop_map(|(keys, roll, next, old)| {
        let ids: Vec<KeyId> = keys.iter().map(|key| key.id.clone()).collect();
        let pairs = ids.windows(2).map(|pair| Succession {
            from: pair[0].clone(),
            to: pair[1].clone(),
            kind: RecordKind::RrsigDnskey,
        });
        let mut life = ZoneLife { successions: pairs.collect(), keys, ..ZoneLife::default() };
        let [ds_ttl, parent_delay, dnskey_ttl, rrsig_ttl, zone_delay, ..] = old.map(Seconds);
        let [.., signature_life, resign, refresh] = old.map(Seconds);
        let terms = Terms {
            ds_ttl,
            parent_delay,
            dnskey_ttl,
            rrsig_ttl,
            zone_delay,
            signature_life,
            resign,
            refresh,
        };
        let is_superseded = roll[0];
        life.terms = is_superseded.then_some(terms);
        life.old_terms = vec![OldTerms { until: Timestamp(old[0]), is_superseded, terms }];
        life.roll_now = PerRole { ksk: roll[0], zsk: roll[1], csk: roll[2] };
        let [ksk, zsk, csk] = next.map(|at| at.map(Timestamp));
        life.next_roll = PerRole { ksk, zsk, csk };
        life
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_life_comes_back_and_its_events_too(first in lives(), second in lives()) {
        let (store, zone) = (store(), zone());
        let mut before = ZoneLife::default();
        let mut expected = Vec::new();
        for (at, life) in [(2, &first), (3, &second)] {
            let (at, cause) = (Timestamp(at), &Cause::from("pass"));
            let change = LifeChange { zone: &zone, life, taken: &[], at, cause };
            store.life_commit(&change).unwrap();
            let stored = store.life(&zone).unwrap();
            prop_assert_eq!(stored.as_ref(), Some(life));
            if before != *life {
                expected.push(dnssec::enforcer::history::events(&before, life));
            }
            before = life.clone();
        }
        let history = store.history(&zone).unwrap();
        let told: Vec<_> = history.into_iter().map(|entry| entry.events).collect();
        prop_assert_eq!(told, expected);
    }
}

#[test]
fn a_pass_that_changes_nothing_leaves_no_entry() {
    let (store, zone) = (store(), zone());
    let life = ZoneLife::default();
    let change = LifeChange {
        zone: &zone,
        life: &life,
        taken: &[],
        at: Timestamp(5),
        cause: &"pass".into(),
    };
    store.life_commit(&change).unwrap();
    store.life_commit(&change).unwrap();
    assert_eq!(store.history(&zone).unwrap(), []);
    assert_eq!(store.lives().unwrap(), [(zone, life)]);
}

#[test]
fn a_key_is_taken_from_the_pool_with_the_change_that_takes_it() {
    let (store, zone) = (store(), zone());
    let id = KeyId::new(&[7]).unwrap();
    let pool = KeyOwner::Policy("default".to_owned());
    let key = NewKey {
        id: id.clone(),
        repository: "token".to_owned(),
        role: KeyRole::Zsk,
        algorithm: Algorithm::EcdsaP256Sha256,
        bits: 256,
        flags: 256,
        owner: pool,
        inception: Timestamp(1),
        backup: BackupState::NotRequired,
    };
    store.key_intent(&key).unwrap();
    let public_key = PublicKey { algorithm: Algorithm::EcdsaP256Sha256, bytes: vec![1; 64] };
    store.key_present("token", &id, &public_key, Timestamp(1)).unwrap();
    let taken = [("token".to_owned(), id.clone())];
    let life = ZoneLife::default();
    let at = Timestamp(9);
    let change = LifeChange { zone: &zone, life: &life, taken: &taken, at, cause: &"pass".into() };
    store.life_commit(&change).unwrap();
    assert_eq!(store.keys_of_policy("default").unwrap(), []);
    assert_eq!(store.keys_of_zone(&zone).unwrap().len(), 1);
    // A key that nobody knows: nothing of the change is made.
    let other = Name::parse(b"other.", None).unwrap();
    let unknown = [("token".to_owned(), KeyId::new(&[8]).unwrap())];
    let change =
        LifeChange { zone: &other, life: &life, taken: &unknown, at, cause: &"pass".into() };
    assert!(store.life_commit(&change).is_err());
    assert_eq!(store.life(&other).unwrap(), None);
}

#[test]
fn history_outlives_the_zone() {
    let (store, zone) = (store(), zone());
    store.zone_remove(&zone, Timestamp(1), &"zone delete".into()).unwrap();
    assert_eq!(store.history(&zone).unwrap(), []);
    let mut life = ZoneLife::default();
    life.roll_now.zsk = true;
    let at = Timestamp(4);
    let change =
        LifeChange { zone: &zone, life: &life, taken: &[], at, cause: &"key rollover".into() };
    store.life_commit(&change).unwrap();
    let by = Some(User { id: 1000, name: Some("alice".to_owned()) });
    let removal = Cause { text: "zone delete".to_owned(), by };
    store.zone_remove(&zone, Timestamp(6), &removal).unwrap();
    let causes: Vec<_> = store.history(&zone).unwrap().into_iter().map(|e| e.cause).collect();
    assert_eq!(causes, [Cause::from("key rollover"), removal]);
    assert_eq!(store.life(&zone).unwrap(), None);
}

#[test]
fn a_store_made_before_there_were_lives_gets_their_tables() {
    let (disk, path) = (FaultDisk::default(), Path::new("state.redb"));
    drop(StateStore::open_on(&disk, path, Timestamp(1)).unwrap());
    let backend = disk.backend(Arc::new(AtomicBool::new(false)));
    let database = crate::state::open_database(path, backend).unwrap();
    let transaction = database.begin_write().unwrap();
    assert!(transaction.delete_table(crate::state::tables::LIVES).unwrap());
    assert!(transaction.delete_table(crate::state::tables::HISTORY).unwrap());
    transaction.commit().unwrap();
    database.close().unwrap();
    let store = StateStore::open_on(&disk, path, Timestamp(2)).unwrap();
    assert_eq!(store.lives().unwrap(), []);
    assert_eq!(store.created().unwrap(), Timestamp(1));
}

#[test]
fn a_forgotten_key_is_in_the_trash_until_it_is_wanted_back_or_destroyed() {
    let (store, zone) = (store(), zone());
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut key = keys().new_tree(&mut runner).unwrap().current();
    key.repository = "token".to_owned();
    key.id = KeyId::new(&[7]).unwrap();
    let new = NewKey {
        id: key.id.clone(),
        repository: "token".to_owned(),
        role: KeyRole::Zsk,
        algorithm: Algorithm::EcdsaP256Sha256,
        bits: 256,
        flags: 256,
        owner: KeyOwner::Policy("shared".to_owned()),
        inception: Timestamp(1),
        backup: BackupState::NotRequired,
    };
    let public_key = PublicKey { algorithm: Algorithm::EcdsaP256Sha256, bytes: vec![1; 64] };
    store.key_intent(&new).unwrap();
    store.key_present("token", &key.id, &public_key, Timestamp(1)).unwrap();
    let other = Name::parse(b"other.", None).unwrap();
    let with = ZoneLife { keys: vec![key.clone()], ..ZoneLife::default() };
    let commit = |zone: &Name, life: &ZoneLife, at| {
        let at = Timestamp(at);
        store
            .life_commit(&LifeChange { zone, life, taken: &[], at, cause: &"pass".into() })
            .unwrap();
    };
    let state = || store.key("token", &key.id).unwrap().unwrap().state;
    commit(&zone, &with, 2);
    commit(&other, &with, 2);
    commit(&zone, &ZoneLife::default(), 3);
    assert_eq!(state(), KeyState::Present, "another zone shares it");
    commit(&other, &ZoneLife::default(), 4);
    assert_eq!(state(), KeyState::Trashed { since: Timestamp(4) });
    assert_eq!(store.trashed().unwrap().len(), 1);
    assert!(store.key_remove("token", &key.id).is_err(), "it is still in its token");
    store.key_restore("token", &key.id).unwrap();
    assert_eq!(state(), KeyState::Present);
    assert!(store.key_restore("token", &key.id).is_err());
}

#[test]
fn a_zone_that_goes_takes_its_keys_along_and_leaves_those_of_others() {
    let (store, zone) = (store(), zone());
    let key = |number: u8, owner: &KeyOwner| NewKey {
        id: KeyId::new(&[number]).unwrap(),
        repository: "token".to_owned(),
        role: KeyRole::Zsk,
        algorithm: Algorithm::EcdsaP256Sha256,
        bits: 256,
        flags: 256,
        owner: owner.clone(),
        inception: Timestamp(1),
        backup: BackupState::NotRequired,
    };
    let own = KeyOwner::Zone(Box::new(zone.clone()));
    let other = KeyOwner::Zone(Box::new(Name::parse(b"other.", None).unwrap()));
    let public_key = PublicKey { algorithm: Algorithm::EcdsaP256Sha256, bytes: vec![1; 64] };
    // Two that the zone never took, one of them only begun.
    for (number, owner) in [(1, &own), (2, &own), (3, &other)] {
        store.key_intent(&key(number, owner)).unwrap();
        if number != 2 {
            let id = KeyId::new(&[number]).unwrap();
            store.key_present("token", &id, &public_key, Timestamp(1)).unwrap();
        }
    }
    store.zone_remove(&zone, Timestamp(5), &"zone delete".into()).unwrap();
    let states: Vec<_> = store.keys().unwrap().into_iter().map(|key| key.state).collect();
    let trashed = KeyState::Trashed { since: Timestamp(5) };
    assert_eq!(states, [trashed, KeyState::Removing, KeyState::Present]);
}
