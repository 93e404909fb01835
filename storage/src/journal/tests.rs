//! Journals: what was appended comes back, over segments; every torn length and every flipped
//! byte leaves a prefix and is named; what was never committed leaves the disk. Power cuts and
//! failing disks are in `tests/faults.rs` below this folder.

use super::*;
use crate::snapshot::{SnapshotHeader, cleanup, cleanup_all, remove_generation, write_snapshot};
use dnssec::Name;
use proptest::prelude::*;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

mod faults;

fn name(text: &str) -> Name {
    Name::parse(text.as_bytes(), None).unwrap()
}

fn zone() -> Name {
    name("example.")
}

/// An entry from one serial to the next but one, whose lists tell it from others.
fn entry(from: u32, to: u32) -> JournalEntry {
    let list = |mark: u8| [vec![mark], to.to_be_bytes().repeat(3)].concat();
    JournalEntry {
        from: Serial(from),
        to: Serial(to),
        input_serial: to.is_multiple_of(2).then_some(Serial(to / 2)),
        signed_at: Timestamp(1_800_000_000 + u64::from(to)),
        signed: Records { removed: list(1), added: list(2) },
        source: Records { removed: vec![], added: list(3) },
    }
}

fn snapshot(folder: &Path, generation: u64, serial: u32) {
    let serial = Serial(serial);
    let (record_count, signature_count) = (0, 0);
    let header = SnapshotHeader { zone: zone(), generation, serial, record_count, signature_count };
    write_snapshot(folder, &header, &[]).unwrap();
}

/// A segment that leads over these serials.
fn segment(folder: &Path, generation: u64, serials: &[u32]) -> Journal {
    let mut journal = Journal::create(folder, &zone(), generation, Serial(serials[0])).unwrap();
    for step in serials.windows(2) {
        journal.append(&entry(step[0], step[1])).unwrap();
    }
    journal
}

fn recovered(folder: &Path, generation: u64, committed: u32) -> Recovered {
    recover(folder, &zone(), generation, Some(Serial(committed))).unwrap()
}

/// The serials that the entries lead to; they are whole, and in order.
#[track_caller]
fn serials(recovered: &Recovered) -> Vec<u32> {
    for found in &recovered.entries {
        assert_eq!(*found, entry(found.from.0, found.to.0));
    }
    recovered.entries.iter().map(|entry| entry.to.0).collect()
}

fn segments(folder: &Path) -> String {
    let entries = fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.ends_with("journal")).collect();
    names.sort();
    names.join(" ")
}

#[test]
fn entries_come_back_and_the_journal_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let folder = &folder.path().join("signer/journals");
    let mut journal = segment(folder, 3, &[10, 11, 12]);
    assert_eq!(journal.path(), folder.join("example.3.journal"));
    assert_eq!(fs::metadata(journal.path()).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(journal.length(), fs::metadata(journal.path()).unwrap().len());
    let refused = journal.append(&entry(11, 13));
    let last = Serial(12);
    assert!(matches!(refused, Err(JournalError::NotNext { last: found, .. }) if found == last));
    let refused = journal.append(&entry(12, 12));
    assert!(matches!(refused, Err(JournalError::NotNext { .. })));
    drop(journal);
    snapshot(folder, 3, 10);
    let mut found = recovered(folder, 3, 12);
    assert_eq!(serials(&found), [11, 12]);
    assert!(found.damage.is_none());
    let journal = found.journal.as_mut().unwrap();
    assert_eq!((journal.generation(), journal.serial(), journal.entry_count()), (3, Serial(12), 2));
    // The serial may wrap (RFC 1982).
    journal.append(&entry(12, (1 << 31) + 11)).unwrap();
    journal.append(&entry((1 << 31) + 11, 5)).unwrap();
    assert_eq!(serials(&recovered(folder, 3, 5)).len(), 4);
    let mut given = Vec::new();
    let each = |entry: JournalEntry| given.push(entry.to.0);
    let streamed = recover_each(folder, &zone(), 3, Some(Serial(5)), each).unwrap();
    assert_eq!((given.len(), streamed.entries.len(), streamed.serial), (4, 0, Serial(5)));
}

#[test]
fn what_was_never_committed_leaves_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    snapshot(folder, 1, 10);
    segment(folder, 1, &[10, 11, 12, 13]);
    segment(folder, 2, &[12, 20]);
    segment(folder, 3, &[20, 21]);
    let found = recovered(folder, 1, 11);
    assert_eq!(serials(&found), [11]);
    let mut journal = found.journal.unwrap();
    assert_eq!(fs::metadata(journal.path()).unwrap().len(), journal.length());
    assert!(found.dropped_length > 0 && found.damage.is_none());
    assert_eq!(segments(folder), "example.1.journal");
    journal.append(&entry(11, 13)).unwrap();
    assert_eq!(serials(&recovered(folder, 1, 13)), [11, 13]);
    // Nothing at all after the snapshot.
    let found = recovered(folder, 1, 10);
    assert!(found.entries.is_empty() && found.damage.is_none());
    assert_eq!(found.journal.unwrap().entry_count(), 0);
}

/// A commit that fails leaves an entry that nobody has seen.
#[test]
fn the_last_entry_can_be_taken_back_once() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    snapshot(folder, 1, 10);
    let mut journal = segment(folder, 1, &[10, 11, 12]);
    assert!(journal.retract().unwrap());
    assert!(!journal.retract().unwrap());
    assert_eq!((journal.serial(), journal.entry_count()), (Serial(11), 1));
    journal.append(&entry(11, 14)).unwrap();
    assert_eq!(serials(&recovered(folder, 1, 14)), [11, 14]);
}

/// Every state of the disk during a compaction at serial 12.
#[test]
fn a_compaction_cut_anywhere_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    snapshot(folder, 1, 10);
    segment(folder, 1, &[10, 11, 12]);
    let mut next = Journal::create(folder, &zone(), 2, Serial(12)).unwrap();
    let begun = fs::read(next.path()).unwrap();
    next.append(&entry(12, 13)).unwrap();
    let found = recovered(folder, 1, 13);
    assert_eq!(serials(&found), [11, 12, 13]);
    assert_eq!((found.generation, found.journal.unwrap().generation()), (2, 2));
    // A third segment before the first generation was compacted.
    next.append(&entry(13, 14)).unwrap();
    segment(folder, 3, &[14, 15, 16]);
    let found = recovered(folder, 1, 16);
    assert_eq!(serials(&found), [11, 12, 13, 14, 15, 16]);
    assert_eq!(found.generation, 3);
    // Segment 1 has an entry after 12 that was never committed: segment 2 goes first.
    let mut old = segment(&folder.join("other"), 1, &[10, 11, 12]);
    old.append(&entry(12, 13)).unwrap();
    fs::copy(old.path(), journal_path(folder, &zone(), 1)).unwrap();
    assert_eq!(serials(&recovered(folder, 1, 15)), [11, 12, 13, 14, 15]);
    // Snapshot 2 is written and committed, generation 1 is gone.
    snapshot(folder, 2, 12);
    remove_generation(folder, &zone(), 1).unwrap();
    let found = recovered(folder, 2, 15);
    assert_eq!(serials(&found), [13, 14, 15]);
    // One that was begun and never used does not cut the one before.
    let folder = tempfile::tempdir().unwrap();
    snapshot(folder.path(), 1, 10);
    segment(folder.path(), 1, &[10, 11, 12, 13]);
    fs::write(journal_path(folder.path(), &zone(), 2), begun).unwrap();
    assert_eq!(serials(&recovered(folder.path(), 1, 13)), [11, 12, 13]);
    assert_eq!(segments(folder.path()), "example.1.journal");
}

#[test]
fn a_segment_that_is_in_use_is_not_begun_anew() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    segment(folder, 1, &[10, 11, 12]);
    let refused = Journal::create(folder, &zone(), 1, Serial(11));
    let start = Serial(11);
    assert!(matches!(refused, Err(JournalError::InUse { start: found, .. }) if found == start));
    let journal = Journal::create(folder, &zone(), 1, Serial(20)).unwrap();
    assert_eq!((journal.serial(), journal.entry_count()), (Serial(20), 0));
    fs::write(journal.path(), "rubbish").unwrap();
    segment(folder, 1, &[20, 21]);
}

#[track_caller]
fn check_damage(found: &Recovered, file: &str, known: u32, kind: &str) {
    let damage = found.damage.as_ref().expect("damage");
    assert_eq!(damage.path.file_name().unwrap(), file);
    assert_eq!((damage.known, found.serial), (Serial(known), Serial(known)));
    assert!(damage.kind.to_string().contains(kind), "{damage}");
    assert!(found.journal.is_none());
}

#[test]
fn damage_is_named_and_the_next_segment_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    snapshot(folder, 1, 10);
    check_damage(&recovered(folder, 1, 12), "example.1.journal", 10, "missing");
    let found = recovered(folder, 1, 10);
    assert!(found.damage.is_none() && found.journal.is_none() && found.generation == 1);
    let mut journal = segment(folder, 1, &[10, 11]);
    let second = journal.length() as usize;
    journal.append(&entry(11, 12)).unwrap();
    let next = journal.length();
    journal.append(&entry(12, 13)).unwrap();
    let path = journal.path().to_owned();
    let whole = fs::read(&path).unwrap();
    check_damage(&recovered(folder, 1, 14), "example.1.journal", 13, "ends early");

    let mut bytes = whole.clone();
    fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    check_damage(&recovered(folder, 1, 13), "example.1.journal", 12, "torn");
    bytes[second + 20] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let found = recovered(folder, 1, 13);
    check_damage(&found, "example.1.journal", 11, "next whole one");
    let damage = found.damage.as_ref().unwrap();
    assert!(matches!(damage.kind, DamageKind::Record { next: found } if found == next));
    assert_eq!((damage.offset, damage.committed), (second as u64, Some(Serial(13))));
    let text = "after serial 11 up to 13";
    assert!(damage.to_string().ends_with(text), "{damage}");
    // The length too may be damaged.
    bytes[second] ^= 0x11;
    fs::write(&path, &bytes).unwrap();
    check_damage(&recovered(folder, 1, 13), "example.1.journal", 11, "next whole one");
    assert_eq!(fs::read(&path).unwrap(), bytes, "a damaged segment stays");
    // What is made anew goes to the next segment, and then the chain is whole.
    let mut journal = Journal::create(folder, &zone(), found.generation, found.serial).unwrap();
    journal.append(&entry(11, 20)).unwrap();
    let found = recovered(folder, 1, 20);
    assert_eq!((serials(&found), found.generation), (vec![11, 20], 2));
    assert!(found.damage.is_none());
    fs::write(&path, &whole).unwrap();
    assert_eq!(serials(&recovered(folder, 1, 20)), [11, 20], "readable again, and outdated");
}

#[test]
fn damage_of_heads_and_chains_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    snapshot(folder, 1, 10);
    let path = segment(folder, 1, &[10, 11]).path().to_owned();
    let whole = fs::read(&path).unwrap();
    let head_length = format::Head::length(&zone());
    let tampered = |at: usize, kind: &str| {
        let mut bytes = whole.clone();
        bytes[at] ^= 2;
        fs::write(&path, &bytes).unwrap();
        check_damage(&recovered(folder, 1, 11), "example.1.journal", 10, kind);
        assert!(recovered(folder, 1, 10).damage.is_none());
    };
    tampered(0, "head");
    tampered(8, "version 3");
    tampered(24, "head");
    tampered(32, "head");
    // A payload of a newer version, sound.
    let mut bytes = whole[..head_length + 8].to_vec();
    let payload = [1; 20];
    bytes[head_length..head_length + 4].copy_from_slice(&20_u32.to_le_bytes());
    let crc = format::record_crc(20, &payload);
    bytes[head_length + 4..].copy_from_slice(&crc.to_le_bytes());
    bytes.extend(payload);
    fs::write(&path, &bytes).unwrap();
    check_damage(&recovered(folder, 1, 11), "example.1.journal", 10, "version 1");
    // Of another zone or generation, of another version, past the committed serial.
    fs::remove_file(&path).unwrap();
    let other = Journal::create(folder, &name("other."), 1, Serial(10)).unwrap();
    fs::rename(other.path(), &path).unwrap();
    check_damage(&recovered(folder, 1, 11), "example.1.journal", 10, "head");
    fs::remove_file(&path).unwrap();
    segment(folder, 1, &[9, 11]);
    check_damage(&recovered(folder, 1, 11), "example.1.journal", 10, "serial 9");
    segment(folder, 1, &[10, 12]);
    check_damage(&recovered(folder, 1, 11), "example.1.journal", 10, "does not follow");
    // A next segment that starts elsewhere, or has no head.
    segment(folder, 1, &[10, 13]);
    let next = segment(folder, 2, &[11, 14]).path().to_owned();
    check_damage(&recovered(folder, 1, 14), "example.2.journal", 13, "serial 11");
    fs::write(&next, "rubbish").unwrap();
    check_damage(&recovered(folder, 1, 14), "example.2.journal", 13, "head");
    let found = recover(folder, &zone(), 1, None).unwrap();
    check_damage(&found, "example.2.journal", 13, "head");
    fs::remove_file(&next).unwrap();
    assert!(recover(folder, &zone(), 1, None).unwrap().damage.is_none());
    // What cannot be read.
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    check_damage(&recovered(folder, 1, 13), "example.1.journal", 10, "cannot be read");
    let error = recover(folder, &zone(), 7, None).unwrap_err();
    assert!(matches!(error, JournalError::Snapshot(_)) && !error.is_disk_full());
}

/// The bytes drawn in `FORMAT.md`.
#[test]
fn the_bytes_of_format_md() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = Journal::create(folder.path(), &name("a."), 3, Serial(300)).unwrap();
    let records =
        |removed: &[u8], added: &[u8]| Records { removed: removed.to_vec(), added: added.to_vec() };
    let entry = JournalEntry {
        from: Serial(300),
        to: Serial(301),
        input_serial: Some(Serial(5)),
        signed_at: Timestamp(7),
        signed: records(b"old", b"new"),
        source: records(b"", b"s"),
    };
    journal.append(&entry).unwrap();
    let bytes = fs::read(journal.path()).unwrap();
    let hex: Vec<String> = bytes
        .chunks(16)
        .map(|line| line.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" "))
        .collect();
    let format_md = include_str!("../../FORMAT.md");
    for (index, line) in hex.iter().enumerate() {
        let drawn = format!("{:3}  {line}\n", index * 16);
        assert!(format_md.contains(&drawn), "FORMAT.md lacks:\n{}", hex.join("\n"));
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::create_dir(journal_path(folder, &zone(), 1)).unwrap();
    let error = Journal::create(folder, &zone(), 1, Serial(1)).unwrap_err();
    assert!(matches!(error, JournalError::NotBegun(ReplaceError::IsDirectory { .. })));
    fs::write(folder.join("file"), "").unwrap();
    let error = Journal::create(&folder.join("file"), &zone(), 1, Serial(1)).unwrap_err();
    let create = JournalOperation::CreateFolder;
    assert!(matches!(error, JournalError::Io { operation, .. } if operation == create));
    // The last generation there is has none after it.
    snapshot(folder, u64::MAX, 10);
    segment(folder, u64::MAX, &[10, 11, 12]);
    let found = recovered(folder, u64::MAX, 11);
    assert_eq!((serials(&found), found.generation), (vec![11], u64::MAX));
    assert_eq!(recovered(folder, u64::MAX, 11).journal.unwrap().entry_count(), 1);
}

#[test]
fn too_large_an_entry_is_refused_before_it_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = segment(folder.path(), 1, &[1]);
    // Zeros that are not touched take no memory.
    let mut large = entry(1, 2);
    large.signed.added = vec![0; RECORD_LENGTH_MAX as usize];
    let refused = journal.append(&large).unwrap_err();
    assert!(matches!(refused, JournalError::TooLarge { .. }), "{refused:?}");
    journal.append(&entry(1, 2)).unwrap();
}

#[test]
fn cleaning_keeps_segments_that_may_count() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for generation in 1..=5 {
        snapshot(folder, generation, 10);
        segment(folder, generation, &[10]);
    }
    fs::write(folder.join(".example.6.journal.1-0.anchorite-tmp"), "").unwrap();
    remove_generation(folder, &zone(), 1).unwrap();
    assert_eq!(cleanup(folder, &zone(), 3).unwrap(), 5);
    assert_eq!(segments(folder), "example.3.journal example.4.journal example.5.journal");
    assert_eq!(cleanup_all(folder, [(&zone(), 4)]).unwrap(), 2);
    assert_eq!(segments(folder), "example.4.journal example.5.journal");
    assert_eq!(cleanup_all(folder, [(&zone(), 0)]).unwrap(), 2);
    assert_eq!(fs::read_dir(folder).unwrap().count(), 0);
}

/// Puts these bytes in the place of the segments 1 and 2 and recovers, as far as 14 or, with
/// `None`, as it goes.
fn recovered_from(folder: &Path, segments: &[Vec<u8>; 2], committed: Option<u32>) -> Recovered {
    for (generation, bytes) in (1..).zip(segments) {
        fs::write(journal_path(folder, &zone(), generation), bytes).unwrap();
    }
    recover(folder, &zone(), 1, committed.map(Serial)).unwrap()
}

/// What was found is the start of what was there; what is missing is reported, in the file that
/// was changed.
#[track_caller]
fn check_prefix(found: &Recovered, all: &[u32], changed: usize) {
    let serials = serials(found);
    assert_eq!(serials, all[..serials.len()]);
    assert_eq!(found.damage.is_some(), serials.len() < all.len(), "{:?}", found.damage);
    if let Some(damage) = &found.damage {
        let name = format!("example.{}.journal", changed + 1);
        assert_eq!(damage.path.file_name().unwrap(), name.as_str(), "{damage}");
        assert_eq!(damage.known, found.serial);
    }
}

#[test]
fn every_torn_length_and_flipped_byte_leaves_a_prefix_and_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    snapshot(folder, 1, 10);
    let whole = [segment(folder, 1, &[10, 11, 12]), segment(folder, 2, &[12, 13, 14])]
        .map(|journal| fs::read(journal.path()).unwrap());
    let all = [11, 12, 13, 14];
    for changed in 0..2 {
        for position in 0..whole[changed].len() {
            let mut torn = whole.clone();
            torn[changed].truncate(position);
            let found = recovered_from(folder, &torn, Some(14));
            check_prefix(&found, &all, changed);
            assert!(found.damage.is_some(), "{position}");
            // A power cut may also leave the length, and zeros.
            torn[changed].resize(whole[changed].len(), 0);
            check_prefix(&recovered_from(folder, &torn, Some(14)), &all, changed);
            for mask in [0x01, 0x80, 0xFF] {
                let mut flipped = whole.clone();
                flipped[changed][position] ^= mask;
                let found = recovered_from(folder, &flipped, Some(14));
                check_prefix(&found, &all, changed);
                assert!(found.damage.is_some(), "{position}");
                let found = recovered_from(folder, &flipped, None);
                assert!(all.starts_with(&serials(&found)));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Any bytes after any good beginning: a prefix, and never a panic.
    #[test]
    fn random_damage_leaves_a_prefix(
        lists in proptest::collection::vec((0_usize..4000, any::<u8>()), 1..12),
        flips in proptest::collection::vec((any::<proptest::sample::Index>(), 1_u8..), 0..4),
        cut in any::<proptest::sample::Index>(),
        surplus in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        snapshot(folder, 1, 0);
        let mut journal = segment(folder, 1, &[0]);
        let mut entries = Vec::new();
        for (serial, (length, octet)) in (0..).zip(&lists) {
            let mut next = entry(serial, serial + 1);
            next.source.removed = vec![*octet; *length];
            journal.append(&next).unwrap();
            entries.push(next);
        }
        let committed = entries.len() as u32;
        prop_assert_eq!(&recovered(folder, 1, committed).entries, &entries);
        let mut bytes = fs::read(journal.path()).unwrap();
        for (index, mask) in &flips {
            let position = index.index(bytes.len());
            bytes[position] ^= mask;
        }
        bytes.truncate(cut.index(bytes.len() + 1));
        bytes.extend(surplus);
        fs::write(journal.path(), &bytes).unwrap();
        let found = recovered(folder, 1, committed);
        prop_assert!(entries.starts_with(&found.entries));
        prop_assert_eq!(found.damage.is_some(), found.entries.len() < entries.len());
        prop_assert_eq!(found.serial, Serial(found.entries.len() as u32));
    }

    #[test]
    fn any_bytes_are_an_entry_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        prop_assert_eq!(format::decode_payload(&bytes).is_ok(), format::is_payload(&bytes));
        prop_assert!(format::Head::decode(&bytes).is_err());
    }
}
