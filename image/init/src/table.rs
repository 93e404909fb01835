//! Writing a partition table so that power may fail at any moment (UEFI section 5.3.2: a table
//! and its backup, each an array of entries and a header with check sums). In: what the crate
//! `gpt` writes, kept in memory first. Out: the same on the disk, in four steps with a flush after
//! each, so that whatever part of a step is lost, one of the two tables is whole: the old one or
//! the new one. The kernel looks for the backup when it is told to (`gpt` on its command line), and
//! so does the firmware. Limits: sectors of 512 bytes, which a disk writes whole or not at all.
//!
//! ```text
//! 1 entries of the backup   2 its header   3 MBR, entries of the table   4 its header
//! ```
//!
//! On a blank disk, step 1 alone is no table yet: [`is_first_step`] knows what it leaves.

use crate::disks::{UNFINISHED_NAME, is_blank_file};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;

/// Size of a sector.
pub(crate) const SECTOR_OCTETS: usize = 512;
/// Sectors of an array of entries: 128 of them, of 128 bytes.
const ENTRIES_SECTORS: u64 = 32;
const ENTRY_OCTETS: usize = 128;
/// Where an entry has its name, in UTF-16.
const ENTRY_NAME: usize = 56;

type Sector = [u8; SECTOR_OCTETS];

/// A disk, with changes that are not on it yet.
#[derive(Debug)]
pub(crate) struct Staged {
    file: File,
    octets: u64,
    at: u64,
    changed: BTreeMap<u64, Sector>,
}

impl Staged {
    /// A disk without changes.
    pub(crate) fn new(mut file: File) -> io::Result<Staged> {
        let octets = file.seek(SeekFrom::End(0))?;
        Ok(Staged { file, octets, at: 0, changed: BTreeMap::new() })
    }

    /// Size of the disk.
    pub(crate) fn octets(&self) -> u64 {
        self.octets
    }

    /// Leaves the first table out, so that its backup counts. To be called when the first cannot be
    /// read: power failed while it was written.
    pub(crate) fn without_first_table(mut self) -> Staged {
        self.changed.insert(1, [0; SECTOR_OCTETS]);
        self.at = 0;
        self
    }

    /// Whether the disk has nothing on it.
    pub(crate) fn is_blank(&self) -> io::Result<bool> {
        is_blank_file(&self.file, self.octets)
    }

    /// Brings the changes to the disk.
    pub(crate) fn commit(self) -> io::Result<File> {
        for step in self.steps()? {
            for (number, sector) in &step {
                self.file.write_all_at(sector, number * SECTOR_OCTETS as u64)?;
            }
            self.file.sync_all()?;
        }
        Ok(self.file)
    }

    /// The sectors that become others, in the order of the steps.
    fn steps(&self) -> io::Result<[Vec<(u64, Sector)>; 4]> {
        let last = (self.octets / SECTOR_OCTETS as u64).saturating_sub(1);
        let mut steps: [Vec<(u64, Sector)>; 4] = Default::default();
        for (number, sector) in &self.changed {
            let mut old = [0; SECTOR_OCTETS];
            self.file.read_exact_at(&mut old, number * SECTOR_OCTETS as u64)?;
            if old == *sector {
                continue;
            }
            let step = match *number {
                number if number == last => 1,
                number if number >= last.saturating_sub(ENTRIES_SECTORS) => 0,
                1 => 3,
                _ => 2,
            };
            steps[step].push((*number, *sector));
        }
        Ok(steps)
    }

    fn sector(&self, number: u64) -> io::Result<Sector> {
        if let Some(sector) = self.changed.get(&number) {
            return Ok(*sector);
        }
        let mut sector = [0; SECTOR_OCTETS];
        self.file.read_exact_at(&mut sector, number * SECTOR_OCTETS as u64)?;
        Ok(sector)
    }

    /// The sector at the present place, the offset in it, and how much of `wanted` lies there.
    fn seat(&self, wanted: usize) -> (u64, usize, usize) {
        let (number, offset) =
            (self.at / SECTOR_OCTETS as u64, (self.at % SECTOR_OCTETS as u64) as usize);
        let left = usize::try_from(self.octets.saturating_sub(self.at)).unwrap_or(usize::MAX);
        (number, offset, wanted.min(SECTOR_OCTETS - offset).min(left))
    }
}

impl Read for Staged {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (number, offset, count) = self.seat(buffer.len());
        if count > 0 {
            let sector = self.sector(number)?;
            buffer[..count].copy_from_slice(&sector[offset..offset + count]);
            self.at += count as u64;
        }
        Ok(count)
    }
}

impl Write for Staged {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let (number, offset, count) = self.seat(buffer.len());
        if count > 0 {
            let mut sector = self.sector(number)?;
            sector[offset..offset + count].copy_from_slice(&buffer[..count]);
            self.changed.insert(number, sector);
            self.at += count as u64;
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Staged {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.octets.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = target.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.at)
    }
}

/// Where the first step begins to write, in bytes from the disk's end.
pub(crate) const FIRST_STEP_FROM_END: u64 = (ENTRIES_SECTORS + 1) * SECTOR_OCTETS as u64;

/// Whether this sector is what the first step writes to a blank disk: one entry, that of a data
/// partition without a file system.
pub(crate) fn is_first_step(sector: &Sector) -> bool {
    let (entry, others) = sector.split_at(ENTRY_OCTETS);
    let mut name: Vec<u8> = UNFINISHED_NAME.encode_utf16().flat_map(u16::to_le_bytes).collect();
    name.resize(ENTRY_OCTETS - ENTRY_NAME, 0);
    entry[ENTRY_NAME..] == name && others.iter().all(|octet| *octet == 0)
}

#[cfg(test)]
mod tests;
