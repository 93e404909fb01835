//! Power that fails while a table is written: every part of every step, on a blank disk and on one
//! that has a table.

use super::*;
use crate::data::{add_partition_to, rename_partition_of};
use crate::disks::{DATA_NAME, ESP_NAME};
use gpt::GptConfig;
use gpt::disk::LogicalBlockSize;

const OCTETS: u64 = 100 << 20;

/// A disk of zeros, without a name.
fn disk() -> File {
    let file = tempfile();
    file.set_len(OCTETS).unwrap();
    file
}

fn tempfile() -> File {
    use std::sync::atomic::{AtomicU32, Ordering};
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("anchorite-table-{}-{number}", std::process::id());
    let path = std::env::temp_dir().join(name);
    let file =
        File::options().read(true).write(true).create(true).truncate(true).open(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    file
}

/// A disk with the EFI system partition of our image, and its backup table where the image ended.
fn shipped() -> File {
    let file = tempfile();
    file.set_len(80 << 20).unwrap();
    let config = GptConfig::new().writable(true).logical_block_size(LogicalBlockSize::Lb512);
    let mut table = config.create_from_device(file, None).unwrap();
    table.add_partition_at(ESP_NAME, 1, 2048, 2048, gpt::partition_types::EFI, 0).unwrap();
    let file = table.write().unwrap();
    file.set_len(OCTETS * 2).unwrap();
    file
}

/// CRC-32 of IEEE 802.3, as the headers have it.
fn crc32(octets: &[u8]) -> u32 {
    !octets.iter().fold(!0_u32, |sum, octet| {
        (0..8).fold(sum ^ u32::from(*octet), |sum, _| (sum >> 1) ^ (0xedb8_8320 * (sum & 1)))
    })
}

/// The names in the table whose header is there, if it is whole: as the kernel reads it.
fn names_at(file: &File, header_sector: u64) -> Option<Vec<String>> {
    let mut header = [0; SECTOR_OCTETS];
    file.read_exact_at(&mut header, header_sector * 512).unwrap();
    let field = |at: usize| u32::from_le_bytes(header[at..at + 4].try_into().unwrap());
    let mut bare = header[..92].to_vec();
    bare[16..20].fill(0);
    if &header[..8] != b"EFI PART" || crc32(&bare) != field(16) {
        return None;
    }
    let mut entries = vec![0; 128 * 128];
    let begin = u64::from_le_bytes(header[72..80].try_into().unwrap());
    file.read_exact_at(&mut entries, begin * 512).unwrap();
    (crc32(&entries) == field(88)).then(|| {
        let used = entries.chunks(128).filter(|entry| entry[..16] != [0; 16]);
        used.map(|entry| {
            let units = entry[56..].chunks(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
            String::from_utf16(&units.take_while(|unit| *unit != 0).collect::<Vec<_>>()).unwrap()
        })
        .collect()
    })
}

/// The partitions as the kernel with `gpt` on its command line lists them.
fn names(file: &File) -> Option<Vec<String>> {
    let last = file.metadata().unwrap().len() / 512 - 1;
    names_at(file, 1).or_else(|| names_at(file, last))
}

fn copy(file: &File) -> File {
    let copy = tempfile();
    copy.set_len(file.metadata().unwrap().len()).unwrap();
    // The rest is zeros: both ends, and where the shipped image ended.
    for at in [0, (80 << 20) - (1 << 20), file.metadata().unwrap().len() - (1 << 20)] {
        let mut octets = vec![0; 1 << 20];
        file.read_exact_at(&mut octets, at).unwrap();
        copy.write_all_at(&octets, at).unwrap();
    }
    copy
}

/// Applies every part of every step of `change` to a disk, and shows what came of it.
fn every_cut(before: &File, change: impl Fn(Staged) -> Staged, check: impl Fn(&File)) -> usize {
    let staged = change(Staged::new(copy(before)).unwrap());
    let steps = staged.steps().unwrap();
    let mut count = 0;
    for (number, step) in steps.iter().enumerate() {
        assert!(step.len() < 8, "step {number} has {} sectors", step.len());
        for parts in 0_u32..1 << step.len() {
            let file = copy(before);
            let whole = steps[..number].iter().flatten();
            let torn = step.iter().enumerate().filter(|(at, _)| parts >> at & 1 == 1);
            for (sector, octets) in whole.chain(torn.map(|(_, part)| part)) {
                file.write_all_at(octets, sector * 512).unwrap();
            }
            check(&file);
            count += 1;
        }
    }
    count
}

fn add(staged: Staged) -> Staged {
    add_partition_to("disk", staged).unwrap()
}

fn rename(staged: Staged) -> Staged {
    rename_partition_of("disk", staged).unwrap()
}

#[test]
fn a_blank_disk_stays_blank_or_has_the_partition() {
    let cuts = every_cut(&disk(), add, |file| {
        if let Some(names) = names(file) {
            return assert_eq!(names, [UNFINISHED_NAME]);
        }
        // The next start begins once more.
        assert!(is_blank_file(file, OCTETS).unwrap(), "neither");
        let again = add(Staged::new(copy(file)).unwrap()).commit().unwrap();
        assert_eq!(names(&again).unwrap(), [UNFINISHED_NAME]);
    });
    assert!(cuts >= 8, "{cuts}");
}

#[test]
fn the_disk_that_the_box_starts_from_always_has_its_first_partition() {
    every_cut(&shipped(), add, |file| {
        let found = names(file).expect("the firmware finds the system");
        assert_eq!(found[0], ESP_NAME);
        if found.len() > 1 {
            return assert_eq!(found[1..], [UNFINISHED_NAME]);
        }
        let again = add(Staged::new(copy(file)).unwrap()).commit().unwrap();
        assert_eq!(names(&again).unwrap(), [ESP_NAME, UNFINISHED_NAME]);
    });
}

#[test]
fn a_partition_has_the_old_name_or_the_new_one() {
    for disk in [disk(), shipped()] {
        let unfinished = add(Staged::new(disk).unwrap()).commit().unwrap();
        every_cut(&unfinished, rename, |file| {
            let names = names(file).unwrap();
            let last = names.last().unwrap();
            assert!([UNFINISHED_NAME, DATA_NAME].contains(&last.as_str()), "{names:?}");
            // Once more, from what is left.
            let renamed = rename(Staged::new(copy(file)).unwrap()).commit().unwrap();
            let last_sector = renamed.metadata().unwrap().len() / 512 - 1;
            for table in [names_at(&renamed, 1), names_at(&renamed, last_sector)] {
                assert_eq!(table.unwrap().last().unwrap(), DATA_NAME);
            }
        });
    }
}

#[test]
fn a_table_that_cannot_be_read_is_not_replaced() {
    let file = shipped();
    // Both headers are there; the entries of both are not.
    for at in [2, (80 << 11) - 33] {
        file.write_all_at(&[0xa5; SECTOR_OCTETS], at * 512).unwrap();
    }
    let refused = add_partition_to("disk", Staged::new(copy(&file)).unwrap());
    assert!(matches!(refused, Err(crate::data::DataError::Table { .. })), "{refused:?}");
}

#[test]
fn what_somebody_else_wrote_is_not_taken_for_blank() {
    let file = disk();
    file.write_all_at(b"data", OCTETS - FIRST_STEP_FROM_END).unwrap();
    assert!(!is_blank_file(&file, OCTETS).unwrap());
    let file = disk();
    file.write_all_at(b"x", 4000).unwrap();
    assert!(!is_blank_file(&file, OCTETS).unwrap());
}
