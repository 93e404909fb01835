//! The log of verdicts: entries come back, every kind of tampering is found and named, files and
//! table are one chain, and old stores get the tables.

use super::*;
use crate::faults::FaultDisk;
use crate::state::tables::are_complete;
use crate::state::{Denial, ZoneState};
use dnssec::Seconds;
use proptest::prelude::*;
use std::path::Path;

fn name(text: &str) -> Name {
    Name::parse(text.as_bytes(), None).unwrap()
}

fn memory() -> StateStore {
    StateStore::open_on(&FaultDisk::default(), Path::new("memory"), Timestamp(1)).unwrap()
}

fn judged(zone: &str, at: u64) -> VerdictEntry {
    let judged = Judged {
        zone: name(zone),
        serial: Some(Serial(at as u32)),
        digest: Some([7; 32]),
        extent: Extent::Difference,
        outcome: Outcome::Approve,
        findings: vec![311],
        finding_count: 5,
        auditor: "1.0".to_owned(),
    };
    VerdictEntry { at: Timestamp(at), event: VerdictEvent::Judged(Box::new(judged)) }
}

fn tested(outcome: TestOutcome) -> VerdictEntry {
    let tested = Tested {
        zone: name("a."),
        serial: None,
        mutation: "one bit of a signature".to_owned(),
        extent: Extent::Whole,
        outcome,
        findings: vec![302],
        auditor: "1.0".to_owned(),
    };
    VerdictEntry { at: Timestamp(5), event: VerdictEvent::Tested(Box::new(tested)) }
}

/// A store on a real disk: older entries are files.
fn on_disk() -> (tempfile::TempDir, StateStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = StateStore::open(&folder.path().join("state"), Timestamp(1)).unwrap();
    (folder, store)
}

fn rewrite(store: &StateStore, number: u64, change: impl Fn(&mut Vec<u8>)) {
    let result = store.write(|transaction| {
        let mut table = transaction.open_table(VERDICTS)?;
        let mut row = table.get(number)?.map(|row| row.value().to_vec()).unwrap();
        change(&mut row);
        table.insert(number, row.as_slice())?;
        Ok(())
    });
    result.unwrap();
}

#[test]
fn entries_come_back_by_zone_and_number() {
    let store = memory();
    let zones = ["a.", "B.", "a.", "a."];
    for (at, zone) in (10..).zip(zones) {
        store.verdict_append(&judged(zone, at)).unwrap();
    }
    let of_b = store.verdicts(Some(&name("b.")), 9).unwrap();
    assert_eq!(of_b.iter().map(|entry| entry.number).collect::<Vec<_>>(), [1]);
    assert_eq!(of_b[0].entry, judged("B.", 11));
    let last = store.verdicts(None, 2).unwrap();
    assert_eq!(last.iter().map(|entry| entry.number).collect::<Vec<_>>(), [2, 3]);
    assert_eq!(last[1].previous, last[0].hash);
    assert_eq!(store.verdicts_from(1, 2).unwrap().len(), 2);
    let proof = store.verdicts_verify(None).unwrap();
    assert_eq!((proof.first, proof.count, proof.faults), (0, 4, vec![]));
    assert_eq!(proof.last, Some((3, last[1].hash)));
}

#[test]
fn every_kind_of_entry_comes_back() {
    let store = memory();
    let by = Some(User { id: 7, name: Some("ines".to_owned()) });
    let trusted = VerdictEvent::Trusted { by, reason: "looked at it".to_owned() };
    let mut entries: Vec<_> = [
        TestOutcome::Caught,
        TestOutcome::OtherFinding,
        TestOutcome::Missed,
        TestOutcome::NoVerdict,
    ]
    .into_iter()
    .map(tested)
    .collect();
    entries.push(VerdictEntry { at: Timestamp(6), event: trusted });
    for outcome in [Outcome::Hold, Outcome::Reject, Outcome::NoVerdict] {
        let mut entry = judged("a.", 7);
        if let VerdictEvent::Judged(judged) = &mut entry.event {
            (judged.outcome, judged.digest, judged.extent) = (outcome, None, Extent::Whole);
        }
        entries.push(entry);
    }
    for entry in &entries {
        store.verdict_append(entry).unwrap();
    }
    let found: Vec<_> =
        store.verdicts_from(0, 99).unwrap().into_iter().map(|entry| entry.entry).collect();
    assert_eq!(found, entries);
}

#[test]
fn what_was_changed_is_found_and_named() {
    let check = |change: &dyn Fn(&StateStore), faults: &[ChainFault]| {
        let store = memory();
        for at in 0..6 {
            store.verdict_append(&judged("a.", at)).unwrap();
        }
        change(&store);
        assert_eq!(store.verdicts_verify(None).unwrap().faults, faults);
    };
    check(&|_| {}, &[]);
    // The time in the value.
    check(&|store| rewrite(store, 3, |row| row[33] ^= 1), &[ChainFault::Broken { number: 3 }]);
    // Its hash: then it and the one that follows do not fit.
    let faults = [ChainFault::Broken { number: 3 }, ChainFault::Broken { number: 4 }];
    check(&|store| rewrite(store, 3, |row| row[0] ^= 1), &faults);
    // A value with a new hash: the next one does not follow.
    let forge = |store: &StateStore| {
        let previous = store.verdicts_from(3, 1).unwrap()[0].previous;
        rewrite(store, 3, |row| {
            row[33] ^= 1;
            let hash = hash_of(&Link { next: 3, previous }, &row[32..]);
            row[..32].copy_from_slice(&hash);
        });
    };
    check(&forge, &[ChainFault::Broken { number: 4 }]);
    let remove = |numbers: std::ops::Range<u64>| {
        move |store: &StateStore| {
            let numbers = numbers.clone();
            let removed = store.write(|transaction| {
                transaction.open_table(VERDICTS)?.retain_in(numbers, |_, _| false)?;
                Ok(())
            });
            removed.unwrap();
        }
    };
    let missing = ChainFault::Missing { from: 2, to: 3 };
    check(&remove(2..4), &[missing, ChainFault::Broken { number: 4 }]);
    check(&remove(5..6), &[ChainFault::Head { found: Some(4), head: Some(5) }]);
    let missing = ChainFault::Missing { from: 0, to: 0 };
    check(&remove(0..1), &[missing, ChainFault::Broken { number: 1 }]);
    // Cut off at the front, with the base moved: nothing says that the log did it.
    let cut = |store: &StateStore| {
        let end = store.verdicts_from(2, 1).unwrap()[0].previous;
        remove(0..2)(store);
        let link = Link { next: 2, previous: end };
        store.write(|transaction| note(transaction, BASE, &link)).unwrap();
    };
    check(&cut, &[ChainFault::Base { first: 2 }]);
    check(
        &|store| rewrite(store, 1, |row| row.truncate(9)),
        &[ChainFault::Unreadable { number: 1 }, ChainFault::Broken { number: 2 }],
    );
}

#[test]
fn a_chain_made_anew_does_not_have_the_hash_that_was_noted() {
    let (store, other) = (memory(), memory());
    for at in 0..3 {
        store.verdict_append(&judged("a.", at)).unwrap();
        other.verdict_append(&judged("b.", at)).unwrap();
    }
    let known = store.verdicts_verify(None).unwrap().last;
    assert_eq!(store.verdicts_verify(known).unwrap().faults, []);
    let faults = other.verdicts_verify(known).unwrap().faults;
    assert_eq!(faults, [ChainFault::Known { number: 2 }]);
    let faults = memory().verdicts_verify(known).unwrap().faults;
    assert_eq!(faults, [ChainFault::KnownMissing { number: 2 }]);
}

#[test]
fn older_entries_are_files_and_the_chain_goes_through_them() {
    let (folder, store) = on_disk();
    for at in 0..25 {
        store.verdict_append(&judged("a.", at)).unwrap();
        store.tidy_by(Timestamp(at), Seconds(1000), (4, 5)).unwrap();
    }
    let files = store.files(u64::MAX).unwrap();
    assert_eq!(files.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [0, 5, 10, 15]);
    let proof = store.verdicts_verify(None).unwrap();
    assert_eq!((proof.count, proof.faults), (25, vec![]));
    let from = store.verdicts_from(7, 100).unwrap();
    assert_eq!(
        from.iter().map(|entry| entry.number).collect::<Vec<_>>(),
        (7..25).collect::<Vec<_>>()
    );
    let of_zone = store.verdicts(Some(&name("a.")), 22).unwrap();
    assert_eq!(of_zone.first().map(|entry| entry.number), Some(3));
    // Opened again, it goes on.
    drop(store);
    let store = StateStore::open(&folder.path().join("state"), Timestamp(1)).unwrap();
    store.verdict_append(&judged("a.", 25)).unwrap();
    assert_eq!(store.verdicts_verify(None).unwrap().count, 26);
    // Each file is part of the proof.
    let bytes = std::fs::read(&files[1].1).unwrap();
    let mut changed = bytes.clone();
    let end = changed.len() - 1;
    changed[end] ^= 1;
    std::fs::remove_file(&files[1].1).unwrap();
    std::fs::write(&files[1].1, &changed).unwrap();
    assert_eq!(store.verdicts_verify(None).unwrap().faults, [ChainFault::Broken { number: 9 }]);
    std::fs::write(&files[1].1, &bytes[..end - 40]).unwrap();
    assert!(!store.verdicts_verify(None).unwrap().faults.is_empty());
    std::fs::remove_file(&files[1].1).unwrap();
    let missing = ChainFault::Missing { from: 5, to: 9 };
    assert_eq!(store.verdicts_verify(None).unwrap().faults[0], missing);
    std::fs::write(&files[1].1, b"something else").unwrap();
    assert!(store.verdicts_verify(None).is_err());
}

#[test]
fn what_is_removed_after_its_time_leaves_a_provable_chain() {
    let (_folder, store) = on_disk();
    for at in 0..25 {
        store.verdict_append(&judged("a.", at)).unwrap();
    }
    let keep = Seconds(100);
    assert_eq!(store.tidy_by(Timestamp(50), keep, (4, 5)).unwrap().moved, 20);
    // Whole files only: 0 to 9 are over, 10 and 11 too.
    let tidied = store.tidy_by(Timestamp(112), keep, (4, 5)).unwrap();
    assert_eq!(tidied, Tidied { moved: 0, removed: 10 });
    let proof = store.verdicts_verify(None).unwrap();
    assert_eq!((proof.first, proof.count, proof.faults), (10, 16, vec![]));
    assert_eq!(store.verdicts(None, 1000).unwrap().len(), 16);
    // In the table too, once there are no files.
    let tidied = store.tidy_by(Timestamp(122), keep, (4, 5)).unwrap();
    assert_eq!(tidied.removed, 12);
    let proof = store.verdicts_verify(None).unwrap();
    assert_eq!((proof.first, proof.faults), (22, vec![]));
    assert_eq!(store.files(u64::MAX).unwrap(), []);
    // A second time there is nothing to do.
    assert_eq!(store.tidy_by(Timestamp(122), keep, (4, 5)).unwrap(), Tidied::default());
}

#[test]
fn what_a_crash_leaves_between_file_and_table_counts_once() {
    let (_folder, store) = on_disk();
    for at in 0..9 {
        store.verdict_append(&judged("a.", at)).unwrap();
    }
    store.write_first_rows(5);
    assert_eq!(store.verdicts_verify(None).unwrap().count, 9);
    store.tidy_by(Timestamp(9), Seconds(100), (4, 5)).unwrap();
    let proof = store.verdicts_verify(None).unwrap();
    assert_eq!((proof.count, proof.faults), (9, vec![]));
}

#[test]
fn a_test_that_was_missed_is_remembered_until_the_auditor_is_trusted_again() {
    let store = memory();
    store.verdict_append(&tested(TestOutcome::Caught)).unwrap();
    assert_eq!(store.auditor_distrusted().unwrap(), None);
    store.verdict_append(&tested(TestOutcome::Missed)).unwrap();
    store.verdict_append(&tested(TestOutcome::Caught)).unwrap();
    assert_eq!(store.auditor_distrusted().unwrap(), Some(1));
    let event = VerdictEvent::Trusted { by: None, reason: "restarted".to_owned() };
    store.verdict_append(&VerdictEntry { at: Timestamp(9), event }).unwrap();
    assert_eq!(store.auditor_distrusted().unwrap(), None);
}

#[test]
fn a_version_and_its_verdict_become_true_together() {
    let store = memory();
    let zone = name("a.");
    store.zone_add(&zone, "default").unwrap();
    let state = |serial: u32, generation| ZoneState {
        policy: "default".to_owned(),
        input_serial: Some(Serial(1)),
        output_serial: Some(Serial(serial)),
        generation,
        signed_at: None,
        denial: Some(Denial::Nsec),
        last_published: None,
    };
    store.commit_version_judged(&zone, &state(5, 1), &judged("a.", 1)).unwrap();
    store.commit_difference_judged(&zone, &state(6, 1), &judged("a.", 2)).unwrap();
    // Said again, as after a lost answer: nothing is written twice.
    store.commit_difference_judged(&zone, &state(6, 1), &judged("a.", 3)).unwrap();
    // Refused: no verdict either.
    store.commit_difference_judged(&zone, &state(6, 2), &judged("a.", 4)).unwrap_err();
    assert_eq!(store.verdicts(None, 9).unwrap().len(), 2);
}

#[test]
fn a_store_of_an_earlier_version_gets_the_tables() {
    let disk = FaultDisk::default();
    let open = || StateStore::open_on(&disk, Path::new("state"), Timestamp(1)).unwrap();
    let store = open();
    let removed = store.write(|transaction| {
        transaction.delete_table(VERDICTS)?;
        transaction.delete_table(VERDICT_CHAIN)?;
        Ok(())
    });
    removed.unwrap();
    assert!(!store.read(are_complete).unwrap());
    drop(store);
    let store = open();
    assert!(store.read(are_complete).unwrap());
    store.verdict_append(&judged("a.", 1)).unwrap();
    assert_eq!(store.verdicts_verify(None).unwrap().faults, []);
}

#[test]
fn format_md_has_the_bytes() {
    let entry = VerdictEntry {
        at: Timestamp(300),
        event: VerdictEvent::Judged(Box::new(Judged {
            zone: name("a."),
            serial: Some(Serial(300)),
            digest: None,
            extent: Extent::Whole,
            outcome: Outcome::NoVerdict,
            findings: vec![302],
            finding_count: 1,
            auditor: "1.0".to_owned(),
        })),
    };
    let value = encode_event(&entry).ok().unwrap();
    let text: Vec<_> = value.iter().map(|octet| format!("{octet:02x}")).collect();
    let text = text.join(" ");
    let format = include_str!("../../../FORMAT.md");
    assert!(format.contains(&text), "FORMAT.md lacks: {text}");
}

proptest! {
    #[test]
    fn rows_of_any_bytes_never_panic(row in proptest::collection::vec(any::<u8>(), 0..80)) {
        let _ = decode_event(&row);
        let store = memory();
        store.verdict_append(&judged("a.", 1)).unwrap();
        rewrite(&store, 0, |old| old.clone_from(&row));
        prop_assert!(!store.verdicts_verify(None).unwrap().faults.is_empty());
    }
}
