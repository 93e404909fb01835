//! Which block device holds the data, and which may be made to. The rule is pure (in: what the
//! kernel lists; out: a choice) and never touches a disk that has something on it: the data
//! partition is made in the free room of the disk that we started from, or on a disk that is blank.

use crate::table::{self, FIRST_STEP_FROM_END, is_first_step};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Name of the partition that holds all state.
pub(crate) const DATA_NAME: &str = "anchorite-data";
/// Its name until its file system is complete.
pub(crate) const UNFINISHED_NAME: &str = "anchorite-new";
/// Name of the EFI system partition of our image.
pub(crate) const ESP_NAME: &str = "anchorite-esp";
/// A smaller disk is not looked at for data.
pub(crate) const DATA_OCTETS_MIN: u64 = 64 << 20;
/// A blank disk is all zeros in that many bytes at its beginning.
const BLANK_OCTETS: u64 = 1 << 20;
const SECTOR_OCTETS: u64 = 512;
const LISTED: &str = "/sys/class/block";
/// Devices that are no disks: by the beginning of their names.
const NO_DISKS: &[&str] = &["loop", "ram", "zram", "sr", "fd", "dm-", "md"];

/// What the kernel says of a block device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BlockDevice {
    /// Its name in /dev.
    pub(crate) name: String,
    /// The disk, if this is a partition.
    pub(crate) disk: Option<String>,
    /// The name in the partition table.
    pub(crate) partition_name: Option<String>,
    pub(crate) octets: u64,
    pub(crate) access: Access,
}

/// Whether it can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    ReadOnly,
    Writable,
}

/// Where the data are or come to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// They are there.
    Data(String),
    /// A partition that was not finished.
    Unfinished { partition: String, disk: String },
    /// Behind the partitions of the disk that we started from.
    FreeRoomOf(String),
    /// On a disk on which there is nothing.
    Blank(String),
    /// Nowhere.
    Nowhere,
}

/// Chooses. `is_blank` is asked only of disks without partitions.
pub(crate) fn choose(devices: &[BlockDevice], is_blank: impl Fn(&BlockDevice) -> bool) -> Choice {
    let named = |name: &str| {
        devices.iter().find(move |device| device.partition_name.as_deref() == Some(name))
    };
    if let Some(data) = named(DATA_NAME) {
        return Choice::Data(data.name.clone());
    }
    if let Some((partition, disk)) =
        named(UNFINISHED_NAME).and_then(|p| p.disk.clone().map(|d| (p, d)))
    {
        return Choice::Unfinished { partition: partition.name.clone(), disk };
    }
    if let Some(disk) = named(ESP_NAME).and_then(|esp| esp.disk.clone()) {
        return Choice::FreeRoomOf(disk);
    }
    let parents: BTreeSet<&str> =
        devices.iter().filter_map(|device| device.disk.as_deref()).collect();
    let free = devices.iter().find(|device| {
        device.disk.is_none()
            && !parents.contains(device.name.as_str())
            && device.access == Access::Writable
            && device.octets >= DATA_OCTETS_MIN
            && is_blank(device)
    });
    free.map_or(Choice::Nowhere, |disk| Choice::Blank(disk.name.clone()))
}

/// The path of a device.
pub(crate) fn path(name: &str) -> PathBuf {
    Path::new("/dev").join(name)
}

/// The block devices that the kernel has now, sorted by name.
pub(crate) fn list() -> Vec<BlockDevice> {
    let entries = fs::read_dir(LISTED).into_iter().flatten().flatten();
    let mut devices: Vec<BlockDevice> = entries
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let is_disk = !NO_DISKS.iter().any(|prefix| name.starts_with(prefix));
            is_disk.then(|| describe(&entry.path(), name)).flatten()
        })
        .collect();
    devices.sort_by(|a, b| a.name.cmp(&b.name));
    devices
}

fn describe(folder: &Path, name: String) -> Option<BlockDevice> {
    let read = |file: &str| fs::read_to_string(folder.join(file)).ok();
    let partition_name =
        read("uevent")?.lines().find_map(|line| line.strip_prefix("PARTNAME=")).map(str::to_owned);
    let sectors: u64 = read("size")?.trim().parse().ok()?;
    // A partition's folder lies in that of its disk.
    let disk = read("partition").and_then(|_| {
        let real = fs::canonicalize(folder).ok()?;
        real.parent()?.file_name()?.to_str().map(str::to_owned)
    });
    let access = match read("ro")?.trim() {
        "0" => Access::Writable,
        _ => Access::ReadOnly,
    };
    Some(BlockDevice { name, disk, partition_name, octets: sectors * SECTOR_OCTETS, access })
}

/// Whether there is nothing at the beginning and at the end of a disk. One that cannot be read is
/// not blank.
pub(crate) fn is_blank(device: &BlockDevice) -> bool {
    let opened = File::open(path(&device.name));
    opened.and_then(|file| is_blank_file(&file, device.octets)).unwrap_or(false)
}

/// The same of an open disk of that size. What is left of our own first step, when power failed
/// then, counts as nothing (see table.rs).
pub(crate) fn is_blank_file(file: &File, octets: u64) -> io::Result<bool> {
    let part = |at: u64| -> io::Result<Vec<u8>> {
        let mut buffer = vec![0; BLANK_OCTETS as usize];
        file.read_exact_at(&mut buffer, at)?;
        Ok(buffer)
    };
    let is_nothing = |octets: &[u8]| octets.iter().all(|octet| *octet == 0);
    if octets < 2 * BLANK_OCTETS || !is_nothing(&part(0)?) {
        return Ok(false);
    }
    let mut end = part(octets - BLANK_OCTETS)?;
    let first_step = (BLANK_OCTETS - FIRST_STEP_FROM_END) as usize;
    let sector = &mut end[first_step..first_step + table::SECTOR_OCTETS];
    if <&[u8; table::SECTOR_OCTETS]>::try_from(&*sector).is_ok_and(is_first_step) {
        sector.fill(0);
    }
    Ok(is_nothing(&end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk(name: &str) -> BlockDevice {
        BlockDevice {
            name: name.to_owned(),
            disk: None,
            partition_name: None,
            octets: 1 << 30,
            access: Access::Writable,
        }
    }

    fn partition(name: &str, of: &str, label: &str) -> BlockDevice {
        let partition_name = Some(label.to_owned());
        BlockDevice { disk: Some(of.to_owned()), partition_name, ..disk(name) }
    }

    #[test]
    fn data_that_are_there_come_first() {
        let devices = [
            disk("vda"),
            partition("vda1", "vda", ESP_NAME),
            disk("vdb"),
            partition("vdb1", "vdb", DATA_NAME),
        ];
        assert_eq!(choose(&devices, |_| true), Choice::Data("vdb1".to_owned()));
        assert_eq!(choose(&devices[..2], |_| true), Choice::FreeRoomOf("vda".to_owned()));
    }

    #[test]
    fn an_unfinished_partition_is_finished() {
        let devices = [disk("vda"), partition("vda2", "vda", UNFINISHED_NAME)];
        let expected = Choice::Unfinished { partition: "vda2".to_owned(), disk: "vda".to_owned() };
        assert_eq!(choose(&devices, |_| true), expected);
    }

    #[test]
    fn a_disk_with_something_on_it_is_left_alone() {
        let devices = [disk("sda"), partition("sda1", "sda", "Windows"), disk("sdb"), disk("sdc")];
        let choice = choose(&devices, |device| device.name != "sdb");
        assert_eq!(choice, Choice::Blank("sdc".to_owned()));
        assert_eq!(choose(&devices, |_| false), Choice::Nowhere);
        let small = BlockDevice { octets: DATA_OCTETS_MIN - 1, ..disk("sda") };
        let locked = BlockDevice { access: Access::ReadOnly, ..disk("sdb") };
        assert_eq!(choose(&[small, locked], |_| true), Choice::Nowhere);
    }
}
