//! The state store: facts come back, refusals refuse, faults of file and disk are named.
//! Crashes and full disks are in `tests/faults.rs` below this folder.

use super::error::ValueProblem;
use super::*;
use dnssec::key::{KeyId, KeyRole, PublicKey};
use dnssec::{Algorithm, Name, Serial};
use std::fs;
use std::os::unix::fs::PermissionsExt;

mod faults;
mod group;
mod lives;

const NOW: Timestamp = Timestamp(1_800_000_000);

fn name(text: &str) -> Name {
    Name::parse(text.as_bytes(), None).unwrap()
}

fn memory() -> StateStore {
    StateStore::open_on(&FaultDisk::default(), Path::new("memory"), NOW).unwrap()
}

fn zone_owner(zone: &Name) -> KeyOwner {
    KeyOwner::Zone(Box::new(zone.clone()))
}

fn key_id(byte: u8) -> KeyId {
    KeyId::new(&[byte; 16]).unwrap()
}

fn new_key(byte: u8, owner: KeyOwner) -> NewKey {
    NewKey {
        id: key_id(byte),
        repository: "SoftHSM".to_owned(),
        role: KeyRole::Zsk,
        algorithm: Algorithm::EcdsaP256Sha256,
        bits: 256,
        flags: 256,
        owner,
        inception: NOW,
        backup: BackupState::Required,
    }
}

fn public_key(byte: u8) -> PublicKey {
    PublicKey { algorithm: Algorithm::EcdsaP256Sha256, bytes: vec![byte; 64] }
}

fn version(serial: u32, generation: u64) -> ZoneState {
    ZoneState {
        policy: "default".to_owned(),
        input_serial: Some(Serial(serial - 1)),
        output_serial: Some(Serial(serial)),
        generation,
        signed_at: Some(NOW),
        denial: Some(Denial::Nsec3 {
            hash_algorithm: 1,
            iterations: 0,
            salt: vec![0xAB],
            opt_out: true,
        }),
        last_published: None,
    }
}

#[test]
fn the_store_lies_beside_the_sqlite_path() {
    let path = state_path(Path::new("/var/opendnssec/kasp.db"));
    assert_eq!(path, Path::new("/var/opendnssec/kasp.db.redb"));
}

#[test]
fn policies_come_back() {
    let store = memory();
    let state = PolicyState { salt: vec![1, 2], salt_changed: NOW };
    store.policy_put("default", &state).unwrap();
    store.policy_put("lab", &PolicyState { salt: vec![], ..state.clone() }).unwrap();
    assert_eq!(store.policy("default").unwrap(), Some(state));
    assert_eq!(store.policies().unwrap().len(), 2);
    store.policy_remove("default").unwrap();
    store.policy_remove("default").unwrap();
    assert_eq!(store.policy("default").unwrap(), None);
    assert_eq!(store.created().unwrap(), NOW);
}

#[test]
fn a_zone_is_one_in_any_case() {
    let store = memory();
    let added = store.zone_add(&name("Example.COM."), "default").unwrap();
    assert_eq!(store.zone(&name("example.com.")).unwrap(), Some(added));
    let again = store.zone_add(&name("EXAMPLE.com."), "default");
    assert!(matches!(again, Err(StateError::ZoneExists { .. })));
    let unknown = store.commit_version(&name("other."), &version(2, 1));
    assert!(matches!(unknown, Err(StateError::ZoneUnknown { .. })));
}

#[test]
fn serials_and_generations_only_rise_rfc1982() {
    let (store, zone) = (memory(), name("example."));
    store.zone_add(&zone, "default").unwrap();
    let none = ZoneState { output_serial: None, ..version(9, 1) };
    let refused = store.commit_version(&zone, &none);
    assert!(matches!(refused, Err(StateError::SerialMissing { .. })));
    store.commit_version(&zone, &version(10, 1)).unwrap();
    store.commit_version(&zone, &version(10, 1)).unwrap();
    for serial in [9, 10, 10 + (1 << 31)] {
        let refused = store.commit_version(&zone, &version(serial, 2));
        assert!(matches!(refused, Err(StateError::SerialNotRising { last: Serial(10), .. })));
    }
    let refused = store.commit_version(&zone, &version(11, 1));
    assert!(matches!(refused, Err(StateError::WrongGeneration { last: 1, new: 1, .. })));
    store.commit_version(&zone, &version(9 + (1 << 31), 2)).unwrap();
    store.commit_version(&zone, &version(5, 3)).unwrap();
    assert_eq!(store.zone(&zone).unwrap(), Some(version(5, 3)));
    store.commit_snapshot(&zone, 4).unwrap();
    assert_eq!(store.zone(&zone).unwrap(), Some(version(5, 4)));
    let refused = store.commit_snapshot(&zone, 3);
    assert!(matches!(refused, Err(StateError::WrongGeneration { .. })));
}

#[test]
fn an_update_leaves_serial_and_generation_alone() {
    let (store, zone) = (memory(), name("example."));
    store.zone_add(&zone, "default").unwrap();
    store.commit_version(&zone, &version(10, 1)).unwrap();
    let published = ZoneState { last_published: Some(NOW), ..version(10, 1) };
    store.zone_update(&zone, &published).unwrap();
    assert_eq!(store.zone(&zone).unwrap(), Some(published));
    let refused = store.zone_update(&zone, &version(11, 1));
    assert!(matches!(refused, Err(StateError::SerialNotRising { .. })));
    let refused = store.zone_update(&zone, &version(10, 2));
    assert!(matches!(refused, Err(StateError::WrongGeneration { .. })));
}

/// desec#418: a zone that was removed and came back published a lower serial.
#[test]
fn a_zone_that_comes_back_goes_on_above_its_serial() {
    let (store, zone) = (memory(), name("example."));
    store.zone_add(&zone, "default").unwrap();
    store.commit_version(&zone, &version(10, 1)).unwrap();
    store.zone_remove(&zone, NOW, &"zone delete".into()).unwrap();
    assert_eq!(store.zone(&zone).unwrap(), None);
    let state = store.zone_add(&zone, "lab").unwrap();
    assert_eq!(state.output_serial, Some(Serial(10)));
    let refused = store.commit_version(&zone, &version(7, 1));
    assert!(matches!(refused, Err(StateError::SerialNotRising { .. })));
    store.commit_version(&zone, &version(11, 1)).unwrap();
}

#[test]
fn versions_of_many_zones_are_all_or_nothing() {
    let (store, a, b) = (memory(), name("a."), name("b."));
    store.zone_add(&a, "default").unwrap();
    let before = store.zone_add(&b, "default").unwrap();
    let missing = ZoneState { output_serial: None, ..version(9, 1) };
    let refused = store.commit_versions([(&b, &version(10, 1)), (&a, &missing)]);
    assert!(matches!(refused, Err(StateError::SerialMissing { .. })));
    assert_eq!(store.zone(&b).unwrap(), Some(before));
    store.commit_versions([(&a, &version(3, 1)), (&b, &version(4, 1))]).unwrap();
    let zones = store.zones().unwrap();
    assert_eq!(zones, [(a, version(3, 1)), (b, version(4, 1))]);
}

#[test]
fn a_key_is_made_in_three_steps_and_leaves_in_three() {
    let (store, zone) = (memory(), name("example."));
    let new = new_key(1, zone_owner(&zone));
    let intent = store.key_intent(&new).unwrap();
    assert_eq!((intent.state, &intent.public_key), (KeyState::Intent, &None));
    assert_eq!(store.key_intent(&new).unwrap(), intent);
    assert_eq!(store.intents().unwrap(), [intent]);
    let other = new_key(1, KeyOwner::Policy("default".to_owned()));
    assert!(matches!(store.key_intent(&other), Err(StateError::KeyExists { .. })));
    let later = Timestamp(NOW.0 + 5);
    let present = store.key_present("SoftHSM", &key_id(1), &public_key(1), later).unwrap();
    assert_eq!((present.state, present.inception), (KeyState::Present, later));
    assert_eq!(store.key_present("SoftHSM", &key_id(1), &public_key(1), NOW).unwrap(), present);
    let wrong = store.key_present("SoftHSM", &key_id(1), &public_key(2), NOW);
    assert!(matches!(wrong, Err(StateError::KeyConflict { state: KeyState::Present, .. })));
    assert!(store.intents().unwrap().is_empty());
    let in_use = store.key_remove("SoftHSM", &key_id(1));
    assert!(matches!(in_use, Err(StateError::KeyConflict { .. })));
    store.key_removing("SoftHSM", &key_id(1)).unwrap();
    assert_eq!(store.removals().unwrap().len(), 1);
    let back = store.key_present("SoftHSM", &key_id(1), &public_key(1), NOW);
    assert!(matches!(back, Err(StateError::KeyConflict { state: KeyState::Removing, .. })));
    store.key_remove("SoftHSM", &key_id(1)).unwrap();
    store.key_remove("SoftHSM", &key_id(1)).unwrap();
    assert!(store.keys_of_zone(&zone).unwrap().is_empty());
    let gone = store.key_removing("SoftHSM", &key_id(1));
    assert!(matches!(gone, Err(StateError::KeyUnknown { .. })));
}

#[test]
fn keys_are_found_by_their_owner() {
    let (store, zone) = (memory(), name("example."));
    let policy = KeyOwner::Policy("default".to_owned());
    store.key_intent(&new_key(3, zone_owner(&name("EXAMPLE.")))).unwrap();
    store.key_intent(&new_key(1, zone_owner(&zone))).unwrap();
    store.key_intent(&new_key(2, policy)).unwrap();
    store.key_intent(&new_key(4, zone_owner(&name("xexample.")))).unwrap();
    let ids = |keys: Vec<KeyRecord>| keys.into_iter().map(|key| key.id).collect::<Vec<_>>();
    assert_eq!(ids(store.keys_of_zone(&zone).unwrap()), [key_id(1), key_id(3)]);
    assert_eq!(ids(store.keys_of_policy("default").unwrap()), [key_id(2)]);
    let owner = zone_owner(&zone);
    // What may not be there yet cannot be given to anybody.
    let refused = store.key_set_owner("SoftHSM", &key_id(2), &owner);
    assert!(matches!(refused, Err(StateError::KeyConflict { .. })));
    store.key_present("SoftHSM", &key_id(2), &public_key(2), NOW).unwrap();
    let moved = store.key_set_owner("SoftHSM", &key_id(2), &owner).unwrap();
    assert_eq!(moved.owner, owner);
    assert!(store.keys_of_policy("default").unwrap().is_empty());
    assert_eq!(store.keys_of_zone(&zone).unwrap().len(), 3);
    let (one, unknown) = (key_id(1), key_id(9));
    let pair = [("SoftHSM", &one), ("SoftHSM", &unknown)];
    let refused = store.keys_set_backup(pair, BackupState::Requested);
    assert!(matches!(refused, Err(StateError::KeyUnknown { .. })));
    assert_eq!(store.key("SoftHSM", &one).unwrap().unwrap().backup, BackupState::Required);
    store.keys_set_backup(pair[..1].iter().copied(), BackupState::Done).unwrap();
    assert_eq!(store.key("SoftHSM", &one).unwrap().unwrap().backup, BackupState::Done);
    assert_eq!(store.keys().unwrap().len(), 4);
}

#[test]
fn a_file_keeps_its_facts_and_its_lock() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kasp.db.redb");
    let store = StateStore::open(&path, NOW).unwrap();
    store.zone_add(&name("example."), "default").unwrap();
    let second = StateStore::open(&path, NOW);
    assert!(matches!(second, Err(StateError::Locked { .. })), "{second:?}");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    drop(store);
    let store = StateStore::open(&path, Timestamp(NOW.0 + 1)).unwrap();
    assert_eq!(store.zones().unwrap().len(), 1);
    assert_eq!(store.created().unwrap(), NOW);
}

#[test]
fn files_that_cannot_be_the_store_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let open = |path: &Path| {
        let error = StateStore::open(path, NOW).unwrap_err();
        assert!(error.to_string().contains(&*path.to_string_lossy()), "{error}");
        error
    };
    assert!(matches!(open(folder.path()), StateError::IsDirectory { .. }));
    assert!(matches!(open(&folder.path().join("no/db")), StateError::NoFolder { .. }));
    assert!(matches!(open(Path::new("/dev/null")), StateError::NotAStateStore { .. }));
    let empty = folder.path().join("empty");
    fs::write(&empty, "").unwrap();
    assert!(matches!(open(&empty), StateError::NotAStateStore { .. }));
    let text = folder.path().join("text");
    fs::write(&text, "SQLite format 3\0".repeat(1000)).unwrap();
    assert!(matches!(open(&text), StateError::Corrupt { .. }), "{:?}", open(&text));
    let other = folder.path().join("other");
    let database = Database::create(&other).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(redb::TableDefinition::<u8, u8>::new("theirs")).unwrap();
    transaction.commit().unwrap();
    drop(database);
    assert!(matches!(open(&other), StateError::NotAStateStore { .. }));
}

/// The system's refusals, without depending on who runs the test (root may do everything).
#[test]
fn refusals_of_the_system_have_names() {
    let error = |kind: std::io::ErrorKind| {
        let failure = Failure::from(redb::StorageError::Io(kind.into()));
        failure.into_state_error(Path::new("db"), StateOperation::Commit)
    };
    assert!(error(std::io::ErrorKind::QuotaExceeded).is_disk_full());
    let other = error(std::io::ErrorKind::ReadOnlyFilesystem);
    assert!(matches!(other, StateError::Io { operation: StateOperation::Commit, .. }));
    let denied = disk::open_error(Path::new("db"), std::io::ErrorKind::PermissionDenied.into());
    assert!(matches!(denied, StateError::PermissionDenied { .. }));
}

#[test]
fn newer_formats_and_values_are_refused() {
    let store = memory();
    store.zone_add(&name("example."), "default").unwrap();
    let put = |bytes: &[u8]| {
        let key = tables::zone_key(&name("example."));
        store
            .write(|transaction| {
                transaction.open_table(tables::ZONES)?.insert(key.as_slice(), bytes)?;
                Ok(())
            })
            .unwrap();
        store.zone(&name("example.")).unwrap_err()
    };
    let problem = |error| match error {
        StateError::BadValue { table: "zones", problem, .. } => problem,
        other => panic!("{other:?}"),
    };
    assert_eq!(problem(put(&[1, 2, 3])), ValueProblem::Newer { version: 1 });
    assert_eq!(problem(put(&[0])), ValueProblem::Malformed);
    assert_eq!(problem(put(&[])), ValueProblem::Malformed);
    let disk = FaultDisk::default();
    let store = StateStore::open_on(&disk, Path::new("memory"), NOW).unwrap();
    store
        .write(|transaction| {
            transaction.open_table(tables::META)?.insert("format", 2)?;
            Ok(())
        })
        .unwrap();
    drop(store);
    let newer = StateStore::open_on(&disk, Path::new("memory"), NOW);
    assert!(matches!(newer, Err(StateError::NewerFormat { found: 2, .. })));
}

#[test]
fn a_panic_in_a_transaction_applies_nothing() {
    let store = memory();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _ = store.write(|transaction| -> Result<(), Failure> {
            transaction.open_table(tables::POLICIES)?.insert("half", &[][..])?;
            panic!("in a transaction")
        });
    }));
    assert!(panicked.is_err());
    assert!(store.policies().unwrap().is_empty());
    store.policy_put("whole", &PolicyState { salt: vec![], salt_changed: NOW }).unwrap();
}

/// Journal entries and compactions: the serial rises in one generation, then the generation over
/// an older version.
#[test]
fn differences_keep_the_generation_and_snapshots_the_serial() {
    let (store, zone) = (memory(), name("example."));
    store.zone_add(&zone, "default").unwrap();
    let refused = store.commit_difference(&zone, &version(10, 0));
    assert!(matches!(refused, Err(StateError::WrongGeneration { last: 0, new: 0, .. })));
    store.commit_version(&zone, &version(10, 1)).unwrap();
    store.commit_difference(&zone, &version(11, 1)).unwrap();
    store.commit_difference(&zone, &version(11, 1)).unwrap();
    let refused = store.commit_difference(&zone, &version(11, 2));
    assert!(matches!(refused, Err(StateError::SerialNotRising { .. })));
    let refused = store.commit_difference(&zone, &version(12, 2));
    assert!(matches!(refused, Err(StateError::WrongGeneration { last: 1, new: 2, .. })));
    let none = ZoneState { output_serial: None, ..version(12, 1) };
    assert!(store.commit_difference(&zone, &none).is_err());
    // Snapshot 3 is of serial 11; serial 12 was committed while it was being written.
    store.commit_difference(&zone, &version(12, 1)).unwrap();
    store.commit_snapshot(&zone, 3).unwrap();
    store.commit_snapshot(&zone, 3).unwrap();
    assert_eq!(store.zone(&zone).unwrap(), Some(version(12, 3)));
    // Who has not heard of it does not set it back.
    let refused = store.commit_difference(&zone, &version(13, 1));
    assert!(matches!(refused, Err(StateError::WrongGeneration { last: 3, new: 1, .. })));
    store.commit_difference(&zone, &version(13, 3)).unwrap();
    // The serial outlives the zone.
    store.zone_remove(&zone, NOW, &"zone delete".into()).unwrap();
    assert_eq!(store.zone_add(&zone, "default").unwrap().output_serial, Some(Serial(13)));
    let unknown = store.commit_difference(&name("other."), &version(2, 1));
    assert!(matches!(unknown, Err(StateError::ZoneUnknown { .. })));
}
