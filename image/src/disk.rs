//! The disk as it is shipped: a protective MBR, a GPT, and an EFI system partition (FAT32) with
//! systemd-boot and the unified kernel image. In: the files. Out: a sparse disk image. The rest of
//! the disk that it is written to becomes the data partition at the first boot.
//!
//! By the crates `gpt` and `fatfs`: both write to any file, so nothing has to be mounted. Two
//! traps: `gpt` makes random identifiers, which are replaced here, and `fatfs` without a clock
//! writes entries of month 0, which firmware refuses to rename: boot counting would never count.

use crate::{ImageError, read};
use fatfs::{FatType, FileSystem, FormatVolumeOptions, FsOptions};
use gpt::disk::LogicalBlockSize;
use gpt::mbr::ProtectiveMBR;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use uuid::Uuid;

/// Name of the EFI system partition. `init` knows the disk by it.
pub const ESP_NAME: &str = "anchorite-esp";
const MIB: u64 = 1 << 20;
const SECTOR_OCTETS: u64 = 512;
const ESP_OFFSET: u64 = MIB;
/// Room for three unified kernel images, so that an update never touches the running one.
const ESP_OCTETS: u64 = 192 * MIB;
/// With room for the second table at the end.
const DISK_OCTETS: u64 = ESP_OFFSET + ESP_OCTETS + MIB;
const VOLUME_ID: u32 = 0xa9c4_0217;
const VOLUME_LABEL: &[u8; 11] = b"ANCHORITE  ";

/// Writes the disk image. `files`: paths on the EFI system partition, with contents.
pub fn write(path: &Path, files: &[(&str, &[u8])]) -> Result<(), ImageError> {
    let mut file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)
        .map_err(ImageError::file(path))?;
    file.set_len(DISK_OCTETS).map_err(ImageError::file(path))?;
    let last_block = DISK_OCTETS / SECTOR_OCTETS - 1;
    // The disk is far below the 2 TiB that this field can say.
    ProtectiveMBR::with_lb_size(u32::try_from(last_block).unwrap_or(u32::MAX))
        .overwrite_lba0(&mut file)?;
    let file = write_table(file)?;
    let making = |cause| ImageError::Making { what: "EFI system partition", cause };
    write_fat(Window { file: &file, offset: ESP_OFFSET, octets: ESP_OCTETS, at: 0 }, files)
        .map_err(making)?;
    file.sync_all().map_err(ImageError::file(path))
}

fn write_table(file: File) -> Result<File, ImageError> {
    let config = gpt::GptConfig::new().writable(true).logical_block_size(LogicalBlockSize::Lb512);
    let mut table = config.create_from_device(file, Some(identifier("disk")))?;
    let (first, length) = (ESP_OFFSET / SECTOR_OCTETS, ESP_OCTETS / SECTOR_OCTETS);
    table.add_partition_at(ESP_NAME, 1, first, length, gpt::partition_types::EFI, 0)?;
    let mut partitions = table.partitions().clone();
    for partition in partitions.values_mut() {
        partition.part_guid = identifier(ESP_NAME);
    }
    table.update_partitions(partitions)?;
    Ok(table.write()?)
}

/// An identifier that is the same in every build.
fn identifier(of: &str) -> Uuid {
    let digest = Sha256::digest(format!("anchorite image: {of}"));
    let mut octets = [0; 16];
    octets.copy_from_slice(&digest[..16]);
    uuid::Builder::from_custom_bytes(octets).into_uuid()
}

/// Makes a FAT32 file system in `window`, with these files.
fn write_fat(mut window: Window<'_>, files: &[(&str, &[u8])]) -> io::Result<()> {
    let options = FormatVolumeOptions::new()
        .fat_type(FatType::Fat32)
        .volume_id(VOLUME_ID)
        .volume_label(*VOLUME_LABEL);
    fatfs::format_volume(&mut window, options)?;
    window.rewind()?;
    let system = FileSystem::new(window, FsOptions::new().time_provider(&FIXED_TIME))?;
    for (path, contents) in files {
        let mut folder = system.root_dir();
        let mut names: Vec<&str> = path.split('/').collect();
        let name = names.pop().unwrap_or_default();
        for above in names {
            folder = folder.create_dir(above)?;
        }
        let mut file = folder.create_file(name)?;
        file.truncate()?;
        file.write_all(contents)?;
        file.flush()?;
    }
    system.unmount()
}

/// Makes a set-up disk: a FAT file system without a partition table, as an administrator would make
/// on a USB stick. `paths`: paths on it, with the files that are copied there.
pub fn write_setup_disk(path: &Path, paths: &[(String, &Path)]) -> Result<(), ImageError> {
    let contents = paths.iter().map(|(_, from)| read(from)).collect::<Result<Vec<_>, _>>()?;
    let files: Vec<(&str, &[u8])> = paths
        .iter()
        .zip(&contents)
        .map(|((to, _), octets)| (to.as_str(), octets.as_slice()))
        .collect();
    let file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)
        .map_err(ImageError::file(path))?;
    let octets = 48 * MIB;
    file.set_len(octets).map_err(ImageError::file(path))?;
    let making = |cause| ImageError::Making { what: "set-up disk", cause };
    write_fat(Window { file: &file, offset: 0, octets, at: 0 }, &files).map_err(making)
}

static FIXED_TIME: FixedTime = FixedTime;

/// The one time of all files.
#[derive(Debug)]
struct FixedTime;

impl fatfs::TimeProvider for FixedTime {
    fn get_current_date(&self) -> fatfs::Date {
        fatfs::Date { year: 2026, month: 1, day: 1 }
    }

    fn get_current_date_time(&self) -> fatfs::DateTime {
        let time = fatfs::Time { hour: 0, min: 0, sec: 0, millis: 0 };
        fatfs::DateTime { date: self.get_current_date(), time }
    }
}

/// A part of a file, as a file.
struct Window<'f> {
    file: &'f File,
    offset: u64,
    octets: u64,
    at: u64,
}

impl Window<'_> {
    /// Goes to the place, and gives how much of `wanted` is left there.
    fn seat(&mut self, wanted: usize) -> io::Result<usize> {
        self.file.seek(SeekFrom::Start(self.offset + self.at))?;
        Ok(usize::try_from(self.octets - self.at).unwrap_or(usize::MAX).min(wanted))
    }
}

impl Read for Window<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.seat(buffer.len())?;
        let count = self.file.read(&mut buffer[..count])?;
        self.at += count as u64;
        Ok(count)
    }
}

impl Write for Window<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let count = self.seat(buffer.len())?;
        let count = self.file.write(&buffer[..count])?;
        self.at += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for Window<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.octets.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        let target = target.filter(|at| *at <= self.octets);
        self.at = target.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_disk_reads_back_and_is_the_same_twice() {
        let folder = std::env::temp_dir().join(format!("anchorite-disk-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (one, two) = (folder.join("one"), folder.join("two"));
        let files: [(&str, &[u8]); 2] =
            [("EFI/BOOT/BOOTX64.EFI", b"boot"), ("EFI/Linux/anchorite_1.efi", &[7; 70_000])];
        write(&one, &files).unwrap();
        write(&two, &files).unwrap();
        let digest = |path: &Path| Sha256::digest(std::fs::read(path).unwrap());
        assert_eq!(digest(&one), digest(&two));
        let table = gpt::GptConfig::new().open(&one).unwrap();
        let partition = &table.partitions()[&1];
        assert_eq!((partition.name.as_str(), partition.first_lba), (ESP_NAME, 2048));
        let file = File::options().read(true).write(true).open(&one).unwrap();
        let window = Window { file: &file, offset: ESP_OFFSET, octets: ESP_OCTETS, at: 0 };
        let system = FileSystem::new(window, FsOptions::new()).unwrap();
        let mut read_back = Vec::new();
        let mut image = system.root_dir().open_file("EFI/Linux/anchorite_1.efi").unwrap();
        image.read_to_end(&mut read_back).unwrap();
        assert_eq!(read_back, [7; 70_000]);
        drop(image);
        drop(system);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
