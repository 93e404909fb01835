//! Appending on a disk that loses power at every point, fills up in the middle of a write, does
//! not sync or breaks: recovery finds each entry whole or not at all, and whatever was
//! acknowledged.

use super::super::format::Head;
use super::super::segment::End;
use super::*;
use crate::faults::{DiskChange, DiskFault, Fate, FaultDisk};

/// A segment on `disk`, which is empty, that starts at serial 10.
fn journal_on(disk: &FaultDisk) -> Journal {
    let head = Head { zone: zone(), generation: 1, start: Serial(10) }.encode();
    let end = End { serial: Serial(10), length: head.len() as u64, entry_count: 0 };
    disk.set_content(head);
    Journal::on(Box::new(disk.clone()), "disk".into(), 1, end)
}

/// What a restart finds when the disk holds these bytes: the serials, and whether all is well.
fn found_in(folder: &Path, bytes: &[u8], committed: Option<u32>) -> (Vec<u32>, bool) {
    fs::write(journal_path(folder, &zone(), 1), bytes).unwrap();
    let found = recover(folder, &zone(), 1, committed.map(Serial)).unwrap();
    (serials(&found), found.damage.is_none())
}

/// Which power cuts a change may meet with: all of it, nothing, some or every part of a write.
fn fates(change: Option<&DiskChange>, step: usize) -> Vec<Fate> {
    let length = match change {
        Some(DiskChange::Write { bytes, .. }) => bytes.len(),
        _ => 0,
    };
    let torn = (0..length).step_by(step).map(|kept_bytes| Fate::Torn { kept_bytes });
    [Fate::Kept, Fate::Lost].into_iter().chain(torn).collect()
}

/// At every point of the log: what was acknowledged by then is found, what follows is whole or
/// not there, and with the serial that was committed all is well.
/// Writes are torn at every `step`th byte.
fn check_power_cuts(disk: &FaultDisk, folder: &Path, acknowledged: &[(usize, u32)], step: usize) {
    let changes = disk.changes();
    for cut in 0..=changes.len() {
        let before: Vec<u32> = acknowledged
            .iter()
            .take_while(|(change_count, _)| *change_count <= cut)
            .map(|(_, serial)| *serial)
            .collect();
        let last = before.last().copied().unwrap_or(10);
        for fate in fates(cut.checked_sub(1).map(|index| &changes[index]), step) {
            let bytes = disk.after_power_cut(cut, |_| fate);
            let (found, sound) = found_in(folder, &bytes, Some(last));
            assert_eq!((found, sound), (before.clone(), true), "cut {cut}, {fate:?}");
            let (found, _) = found_in(folder, &bytes, None);
            assert!(found.starts_with(&before), "cut {cut}, {fate:?}: {found:?}");
            assert!(found.len() <= before.len() + 1, "cut {cut}, {fate:?}: {found:?}");
        }
    }
}

#[test]
fn a_power_cut_anywhere_leaves_whole_entries() {
    let (disk, folder) = (FaultDisk::default(), tempfile::tempdir().unwrap());
    snapshot(folder.path(), 1, 10);
    let mut journal = journal_on(&disk);
    let mut acknowledged = Vec::new();
    for serial in 11..15 {
        journal.append(&entry(serial - 1, serial)).unwrap();
        acknowledged.push((disk.change_count(), serial));
    }
    // One write and one sync each.
    assert_eq!(disk.change_count(), 8);
    check_power_cuts(&disk, folder.path(), &acknowledged, 1);
}

/// Appends until `fault` strikes at change `from`, heals, and goes on.
fn check_fault(folder: &Path, from: usize, fault: DiskFault) {
    let disk = FaultDisk::default();
    let mut journal = journal_on(&disk);
    disk.fail_from(from, fault);
    let (mut acknowledged, mut failed) = (Vec::new(), false);
    let mut serial = 10;
    while serial < 14 {
        match journal.append(&entry(serial, serial + 1)) {
            Ok(()) => {
                serial += 1;
                acknowledged.push((disk.change_count(), serial));
                continue;
            }
            Err(JournalError::Closed { .. }) => break,
            Err(error) => {
                let full = matches!(fault, DiskFault::Full | DiskFault::FullWithin { .. });
                assert_eq!(error.is_disk_full(), full, "{error:?}");
                assert!(!failed, "healed, but {error:?}");
            }
        }
        failed = true;
        // What could be cut is cut, what could not closes the journal; nothing counts as there.
        assert_eq!(journal.serial(), Serial(serial));
        assert_eq!(journal.entry_count(), u64::from(serial - 10));
        let cuts = !matches!(fault, DiskFault::Broken | DiskFault::SyncFails);
        assert_eq!(journal.is_closed(), !cuts, "{fault:?} from {from}");
        if !journal.is_closed() {
            assert_eq!(disk.content().len() as u64, journal.length());
        }
        disk.heal();
    }
    assert!(failed && (journal.is_closed() || serial == 14), "{fault:?} from {from}");
    if journal.is_closed() {
        assert!(matches!(journal.retract(), Err(JournalError::Closed { .. })));
    }
    check_power_cuts(&disk, folder, &acknowledged, 29);
    let committed = acknowledged.last().map_or(10, |(_, serial)| *serial);
    let (found, sound) = found_in(folder, &disk.content(), Some(committed));
    assert_eq!((found, sound), ((11..=committed).collect(), true), "{fault:?} from {from}");
}

#[test]
fn a_failing_disk_leaves_what_was_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    snapshot(folder.path(), 1, 10);
    for from in 0..4 {
        check_fault(folder.path(), from, DiskFault::Full);
        check_fault(folder.path(), from, DiskFault::SyncFails);
        check_fault(folder.path(), from, DiskFault::Broken);
        for kept_bytes in [1, 8, 40] {
            check_fault(folder.path(), from, DiskFault::FullWithin { kept_bytes });
        }
    }
}

/// A commit that fails takes its entry back: at every point it is there or it is not.
#[test]
fn a_power_cut_while_an_entry_is_taken_back_is_harmless() {
    let (disk, folder) = (FaultDisk::default(), tempfile::tempdir().unwrap());
    snapshot(folder.path(), 1, 10);
    let mut journal = journal_on(&disk);
    journal.append(&entry(10, 11)).unwrap();
    let first = disk.change_count();
    journal.append(&entry(11, 12)).unwrap();
    journal.retract().unwrap();
    journal.append(&entry(11, 13)).unwrap();
    check_power_cuts(&disk, folder.path(), &[(first, 11), (disk.change_count(), 13)], 1);
    journal.append(&entry(13, 14)).unwrap();
    disk.fail_from(0, DiskFault::Broken);
    let error = journal.retract().unwrap_err();
    let cut = JournalOperation::Cut;
    assert!(matches!(error, JournalError::Io { operation, .. } if operation == cut));
    assert!(journal.is_closed());
}
