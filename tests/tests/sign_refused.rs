//! The auditor's gate from end to end: state that was tampered with so that a wrong version comes
//! into being, or cannot. Nothing wrong is published, the old output stays, and what is said
//! names the cause.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use anchorite_tests::judges;
use anchorite_tests::signing::Workplace;
use dnssec::key::PublicKey;
use dnssec::zone::chunk::{Backing, Chunk};
use dnssec::{Name, RrType, Timestamp};
use storage::snapshot::{SectionNumber, SnapshotSection};
use storage::state::{KeyRecord, NewKey};
use storage::{StateStore, open_snapshot, write_snapshot};

const ZONE: &str = "example.com.";

/// The example, signed once.
fn signed_example() -> Workplace {
    let workplace = Workplace::of_repository(ZONE, "examples/zones/example.com.zone");
    workplace.sign(&[]);
    workplace
}

fn zone_name() -> Name {
    Name::parse(ZONE.as_bytes(), None).unwrap()
}

fn change(workplace: &Workplace) {
    workplace.edit_zone("198.51.100.53", "198.51.100.54");
}

/// Files of the built-in token that hold keys.
fn key_files(workplace: &Workplace) -> Vec<PathBuf> {
    let folder = workplace.state().join("tokens/default");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|ending| ending == "key")).collect()
}

/// Writes the store's record of a key anew, with that public key.
fn replace_public_key(store: &StateStore, key: &KeyRecord, public_key: Vec<u8>) {
    store.key_removing(&key.repository, &key.id).unwrap();
    store.key_remove(&key.repository, &key.id).unwrap();
    let intent = NewKey {
        id: key.id.clone(),
        repository: key.repository.clone(),
        role: key.role,
        algorithm: key.algorithm,
        bits: key.bits,
        flags: key.flags,
        owner: key.owner.clone(),
        inception: key.inception,
        backup: key.backup,
    };
    store.key_intent(&intent).unwrap();
    let public_key = PublicKey { algorithm: key.algorithm, bytes: public_key };
    store.key_present(&key.repository, &key.id, &public_key, key.inception).unwrap();
}

/// The state store says of each key that it is the other one, as after a backup of another
/// machine was restored: the token signs, and its own checks are content; no resolver would be.
#[test]
fn signatures_that_the_published_keys_do_not_verify_are_refused() {
    let workplace = signed_example();
    {
        let store = StateStore::open(&workplace.state().join("state.redb"), Timestamp(0)).unwrap();
        let keys = store.keys_of_zone(&zone_name()).unwrap();
        let [one, two] = keys.as_slice() else { panic!("{keys:?}") };
        replace_public_key(&store, one, two.public_key.clone().unwrap());
        replace_public_key(&store, two, one.public_key.clone().unwrap());
    }
    let refusal = workplace.refuse(&[]);
    assert!(refusal.contains("the auditor refused zone example.com"), "{refusal}");
    assert!(refusal.contains("nothing was published"), "{refusal}");
    // It stays so, and the old version stays whole.
    workplace.refuse(&[]);
    judges::all(&workplace.output(), ZONE).unwrap();
}

/// Changes an octet of the signature over an RRset, and writes the snapshot with checksums that
/// fit.
fn spoil_signature(workplace: &Workplace, owner: &str, rr_type: RrType) {
    let folder = workplace.state().join("snapshots");
    let snapshot = open_snapshot(&folder, &zone_name(), 1).unwrap();
    let mut sections: Vec<(SectionNumber, Vec<Vec<u8>>)> = snapshot
        .section_numbers()
        .map(|number| {
            let chunks = snapshot.chunks(number).map(|chunk| chunk.as_ref().to_vec());
            (number, chunks.collect())
        })
        .collect();
    let mut key = Vec::new();
    let owner = Name::parse(owner.as_bytes(), None).unwrap();
    assert!(dnssec::zone::key::push_owner_key(&zone_name(), &owner, &mut key));
    let mut spoiled = 0;
    for bytes in sections.iter_mut().flat_map(|(_, chunks)| chunks) {
        let chunk = Chunk::open(Arc::new(bytes.clone()) as Backing).unwrap();
        let rrset = chunk.find(&key).and_then(|owner| owner.rrset(rr_type));
        let Some(signature) = rrset.and_then(|rrset| rrset.signatures().next()) else { continue };
        let signature = signature.signature;
        let at = bytes.windows(signature.len()).position(|window| window == signature).unwrap();
        bytes[at + 7] ^= 1;
        spoiled += 1;
    }
    assert_eq!(spoiled, 1);
    let slices: Vec<(SectionNumber, Vec<&[u8]>)> = sections
        .iter()
        .map(|(number, chunks)| (*number, chunks.iter().map(Vec::as_slice).collect()))
        .collect();
    let sections: Vec<SnapshotSection<'_>> =
        slices.iter().map(|(number, chunks)| SnapshotSection { number: *number, chunks }).collect();
    write_snapshot(&folder, snapshot.header(), &sections).unwrap();
}

/// The run's log says what the auditor found, and everything is signed anew.
fn heals(workplace: &Workplace) {
    let output = workplace.run(&["-v"]);
    assert!(output.status.success(), "{output:?}");
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(log.contains("the auditor refused zone example.com: 1 errors"), "{log}");
    assert!(log.contains("mail.example.com"), "{log}");
    assert!(log.contains("signing zone example.com anew"), "{log}");
    judges::all(&workplace.output(), ZONE).unwrap();
    assert_eq!(workplace.sign(&[]).counts().0, 0, "the next run keeps every signature");
}

#[test]
fn a_kept_signature_that_is_wrong_is_refused_and_made_anew() {
    let workplace = signed_example();
    spoil_signature(&workplace, "mail.example.com.", RrType::A);
    change(&workplace);
    heals(&workplace);
}

/// A version that was approved once is judged again before it is written again.
#[test]
fn a_stored_version_that_is_wrong_is_not_delivered() {
    let workplace = signed_example();
    spoil_signature(&workplace, "mail.example.com.", RrType::A);
    fs::remove_file(workplace.output()).unwrap();
    heals(&workplace);
}

#[test]
fn a_damaged_snapshot_is_not_used() {
    let workplace = signed_example();
    let path = workplace.state().join("snapshots/example.com.1.snapshot");
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::remove_file(&path).unwrap();
    fs::write(&path, bytes).unwrap();
    let output = workplace.run(&[]);
    assert!(output.status.success(), "{output:?}");
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(log.contains("unable to recover zone example.com from backup"), "{log}");
    assert!(log.contains("performing full sign"), "{log}");
    judges::all(&workplace.output(), ZONE).unwrap();
}

#[test]
fn key_files_that_changed_places_are_noticed() {
    let workplace = signed_example();
    let files = key_files(&workplace);
    let [one, two] = files.as_slice() else { panic!("{files:?}") };
    let between = workplace.path("between");
    for (from, to) in [(one, &between), (two, one), (&between, two)] {
        fs::rename(from, to).unwrap();
    }
    change(&workplace);
    let refusal = workplace.refuse(&[]);
    assert!(refusal.contains("it holds another key than its name says"), "{refusal}");
    judges::all(&workplace.output(), ZONE).unwrap();
}

/// Keys are not replaced in silence: the parent's DS points to them.
#[test]
fn a_lost_token_stops_the_signing() {
    let workplace = signed_example();
    fs::remove_dir_all(workplace.state().join("tokens")).unwrap();
    change(&workplace);
    let refusal = workplace.refuse(&[]);
    assert!(refusal.contains("tokens/default holds no built-in token"), "{refusal}");
    judges::all(&workplace.output(), ZONE).unwrap();
}

#[test]
fn a_lost_key_is_not_replaced() {
    let workplace = signed_example();
    let before = key_files(&workplace);
    before.iter().for_each(|file| fs::remove_file(file).unwrap());
    change(&workplace);
    let refusal = workplace.refuse(&[]);
    assert!(refusal.contains("was not found, and whether it is lost is unknown"), "{refusal}");
    assert!(key_files(&workplace).is_empty());
}

#[test]
fn a_foreign_token_key_stops_the_signing() {
    let workplace = signed_example();
    fs::write(workplace.state().join("default.token-key"), [7; 32]).unwrap();
    change(&workplace);
    let refusal = workplace.refuse(&[]);
    assert!(refusal.contains("it belongs to another token"), "{refusal}");
}

#[test]
fn a_damaged_store_stops_the_signing() {
    let workplace = signed_example();
    let path = workplace.state().join("state.redb");
    let mut bytes = fs::read(&path).unwrap();
    bytes[..64].fill(0xff);
    fs::write(&path, bytes).unwrap();
    let refusal = workplace.refuse(&[]);
    assert!(refusal.contains("state.redb: damaged; stop, move it aside"), "{refusal}");
}
