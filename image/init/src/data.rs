//! The data partition: found or made, checked, mounted on /data. In: the disks of the machine.
//! Out: /data, or why there is none; then the console tells, and offers a way on.
//!
//! A new partition has another name in the table until its file system is complete, so that power
//! may fail at any moment: the next start begins it anew, and a partition with the right name is
//! never formatted. Never: writes to a disk that has something on it (see disks.rs).

use crate::disks::{self, Choice, DATA_NAME, UNFINISHED_NAME};
use crate::kernel_log::notice;
use crate::table::Staged;
use crate::watchdog::Watchdog;
use gpt::disk::LogicalBlockSize;
use gpt::mbr::ProtectiveMBR;
use gpt::{GptConfig, GptDisk};
use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Where the data are mounted.
pub(crate) const FOLDER: &str = "/data";
/// How long disks may take to appear. The first boot, which finds no data, always takes it.
const DISK_WAIT: Duration = Duration::from_secs(2);
/// How long a partition may take to appear after the table was written.
const PARTITION_WAIT: Duration = Duration::from_secs(10);
const LOOK_AGAIN: Duration = Duration::from_millis(20);
const SECTOR_OCTETS: u64 = 512;
/// Partitions begin at whole MiB.
const ALIGNMENT_SECTORS: u64 = 2048;
/// e2fsck(8): up to here everything is right or was put right.
const FSCK_MENDED_MAX: i32 = 1;
/// The block size of every disk that the table is written for.
const BLOCKS: LogicalBlockSize = LogicalBlockSize::Lb512;

// BLKRRPART of <linux/fs.h>: the kernel reads the partition table again.
nix::ioctl_none!(read_table_again, 0x12, 95);

/// Why there are no data.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DataError {
    #[error(
        "there is no disk for the data: it needs one of at least 64 MiB that is blank, or room \
         behind the partitions of the one that this box was started from"
    )]
    NoDisk,
    #[error("{disk}: no room for a data partition of at least 64 MiB")]
    NoRoom { disk: String },
    #[error("{disk}: partition table: {cause}")]
    Table {
        disk: String,
        #[source]
        cause: gpt::GptError,
    },
    #[error("{disk}: {doing}: {cause}")]
    Disk {
        disk: String,
        doing: &'static str,
        #[source]
        cause: io::Error,
    },
    #[error("{disk}: the new partition {name} did not appear")]
    NotThere { disk: String, name: &'static str },
    #[error("{program} of {partition} ended with {code}")]
    Program { program: &'static str, partition: String, code: i32 },
    #[error("{partition}: the file system is damaged (e2fsck ended with {code})")]
    Damaged { partition: String, code: i32 },
    #[error("{partition}: cannot be mounted: {cause}")]
    Mount {
        partition: String,
        #[source]
        cause: Errno,
    },
}

/// How hard e2fsck tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mending {
    /// What cannot lose anything.
    Safe,
    /// Whatever it takes.
    Everything,
}

/// Finds the data partition or makes it, and mounts it.
pub(crate) fn open(watchdog: &mut Watchdog) -> Result<(), DataError> {
    let partition = match find() {
        Choice::Data(partition) => partition,
        Choice::Unfinished { disk, .. } => finish(&disk, watchdog)?,
        Choice::FreeRoomOf(disk) | Choice::Blank(disk) => {
            add_partition(&disk)?;
            finish(&disk, watchdog)?
        }
        Choice::Nowhere => return Err(DataError::NoDisk),
    };
    mount_checked(&partition, Mending::Safe, watchdog)
}

/// Mends the data partition as far as it can be, and mounts it.
pub(crate) fn repair(watchdog: &mut Watchdog) -> Result<(), DataError> {
    match find() {
        Choice::Data(partition) => mount_checked(&partition, Mending::Everything, watchdog),
        _ => open(watchdog),
    }
}

/// Makes the file system of the data partition anew, and mounts it.
pub(crate) fn erase(watchdog: &mut Watchdog) -> Result<(), DataError> {
    let Choice::Data(partition) = find() else { return open(watchdog) };
    format(&partition, watchdog)?;
    mount_checked(&partition, Mending::Safe, watchdog)
}

/// Ends the use of /data; if somebody still holds a file of it, at least nothing more is written.
pub(crate) fn close() -> Result<(), Errno> {
    match umount2(FOLDER, MntFlags::empty()) {
        // It was not mounted.
        Ok(()) | Err(Errno::EINVAL) => Ok(()),
        Err(cause) => {
            let read_only = MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
            mount(None::<&str>, FOLDER, None::<&str>, read_only, None::<&str>)?;
            Err(cause)
        }
    }
}

/// Waits until the data are there, or until everything that may come has come.
fn find() -> Choice {
    let begun = Instant::now();
    loop {
        let choice = disks::choose(&disks::list(), disks::is_blank);
        let is_certain = matches!(choice, Choice::Data(_) | Choice::Unfinished { .. });
        if is_certain || begun.elapsed() >= DISK_WAIT {
            return choice;
        }
        std::thread::sleep(LOOK_AGAIN);
    }
}

/// Formats the unfinished partition of a disk, and gives it its name.
fn finish(disk: &str, watchdog: &mut Watchdog) -> Result<String, DataError> {
    let unfinished = wait_for(disk, UNFINISHED_NAME)?;
    notice(&format!("{unfinished}: making the file system of the data partition"));
    format(&unfinished, watchdog)?;
    rename_partition(disk)?;
    wait_for(disk, DATA_NAME)
}

fn wait_for(disk: &str, name: &'static str) -> Result<String, DataError> {
    let begun = Instant::now();
    loop {
        let found = disks::list().into_iter().find(|device| {
            device.disk.as_deref() == Some(disk) && device.partition_name.as_deref() == Some(name)
        });
        match found {
            // The kernel lists a device before it makes its node.
            Some(device) if disks::path(&device.name).exists() => return Ok(device.name),
            _ if begun.elapsed() >= PARTITION_WAIT => {
                return Err(DataError::NotThere { disk: disk.to_owned(), name });
            }
            _ => std::thread::sleep(LOOK_AGAIN),
        }
    }
}

/// Adds a partition in the largest free room of a disk, and a table if there is none.
fn add_partition(disk: &str) -> Result<(), DataError> {
    announce(disk, add_partition_to(disk, open_disk(disk)?)?)
}

/// The same, not yet written. The image is smaller than the disk that it was written to, so the
/// second table moves to the disk's end.
pub(crate) fn add_partition_to(disk: &str, staged: Staged) -> Result<Staged, DataError> {
    let table_fault = |cause| DataError::Table { disk: disk.to_owned(), cause };
    let (staged, partitions) = match staged.is_blank() {
        Ok(true) => (staged, BTreeMap::new()),
        _ => {
            let old = open_table(staged).map_err(table_fault)?;
            let partitions = old.partitions().clone();
            (old.take_device(), partitions)
        }
    };
    let number = partitions.keys().max().map_or(1, |last| last + 1);
    let config = GptConfig::new().writable(true).logical_block_size(BLOCKS);
    // A new identifier for the disk, too: that of the image is the same on every box.
    let mut table = config.create_from_device(staged, None).map_err(table_fault)?;
    table.update_partitions(partitions).map_err(table_fault)?;
    let rooms = table.find_free_sectors().into_iter().map(|(start, length)| {
        let first = start.next_multiple_of(ALIGNMENT_SECTORS);
        let length = length.saturating_sub(first - start);
        (length - length % ALIGNMENT_SECTORS, first)
    });
    let (length, first) = rooms.max().unwrap_or_default();
    if length * SECTOR_OCTETS < disks::DATA_OCTETS_MIN {
        return Err(DataError::NoRoom { disk: disk.to_owned() });
    }
    let kind = gpt::partition_types::LINUX_FS;
    table.add_partition_at(UNFINISHED_NAME, number, first, length, kind, 0).map_err(table_fault)?;
    let mut staged = table.write().map_err(table_fault)?;
    let sectors = staged.octets() / SECTOR_OCTETS;
    // The field's largest value stands for every larger disk (UEFI section 5.2.3).
    ProtectiveMBR::with_lb_size(u32::try_from(sectors.saturating_sub(1)).unwrap_or(u32::MAX))
        .overwrite_lba0(&mut staged)
        .map_err(|cause| table_fault(gpt::GptError::Io(io::Error::other(cause))))?;
    Ok(staged)
}

/// Opens the table of a disk, or its backup when only that is whole.
fn open_table(mut staged: Staged) -> Result<GptDisk<Staged>, gpt::GptError> {
    let config = || GptConfig::new().writable(true).logical_block_size(BLOCKS);
    if config().open_from_device(&mut staged).is_ok() {
        return config().open_from_device(staged);
    }
    config().open_from_device(staged.without_first_table())
}

fn rename_partition(disk: &str) -> Result<(), DataError> {
    announce(disk, rename_partition_of(disk, open_disk(disk)?)?)
}

/// Gives the unfinished partition its name; not yet written.
pub(crate) fn rename_partition_of(disk: &str, staged: Staged) -> Result<Staged, DataError> {
    let table_fault = |cause| DataError::Table { disk: disk.to_owned(), cause };
    let mut table = open_table(staged).map_err(table_fault)?;
    let mut partitions = table.partitions().clone();
    for partition in partitions.values_mut().filter(|p| p.name == UNFINISHED_NAME) {
        partition.name = DATA_NAME.to_owned();
    }
    table.update_partitions(partitions).map_err(table_fault)?;
    table.write().map_err(table_fault)
}

fn open_disk(disk: &str) -> Result<Staged, DataError> {
    let opened = File::options().read(true).write(true).open(disks::path(disk));
    opened.and_then(Staged::new).map_err(|cause| DataError::Disk {
        disk: disk.to_owned(),
        doing: "open",
        cause,
    })
}

/// Has the table on the disk, and the kernel read it.
fn announce(disk: &str, staged: Staged) -> Result<(), DataError> {
    let fault = |doing| move |cause| DataError::Disk { disk: disk.to_owned(), doing, cause };
    let file = staged.commit().map_err(fault("write"))?;
    // SAFETY: the request has no argument; the descriptor is open.
    unsafe { read_table_again(file.as_raw_fd()) }
        .map_err(|cause| fault("read the table again")(cause.into()))?;
    Ok(())
}

fn format(partition: &str, watchdog: &mut Watchdog) -> Result<(), DataError> {
    let mut command = Command::new("/sbin/mke2fs");
    command.args(["-q", "-F", "-t", "ext4", "-m", "1", "-L", DATA_NAME]);
    command.arg(disks::path(partition));
    match run(command, watchdog) {
        Ok(0) => Ok(()),
        Ok(code) => {
            Err(DataError::Program { program: "mke2fs", partition: partition.to_owned(), code })
        }
        Err(cause) => Err(DataError::Disk { disk: partition.to_owned(), doing: "mke2fs", cause }),
    }
}

fn mount_checked(
    partition: &str,
    mending: Mending,
    watchdog: &mut Watchdog,
) -> Result<(), DataError> {
    let mut command = Command::new("/sbin/e2fsck");
    command.arg(if mending == Mending::Safe { "-p" } else { "-y" }).arg(disks::path(partition));
    let code = run(command, watchdog).map_err(|cause| DataError::Disk {
        disk: partition.to_owned(),
        doing: "e2fsck",
        cause,
    })?;
    if code > FSCK_MENDED_MAX {
        return Err(DataError::Damaged { partition: partition.to_owned(), code });
    }
    if code == FSCK_MENDED_MAX {
        notice(&format!("{partition}: e2fsck has mended the file system"));
    }
    // Nothing on it is a program or a device: whoever can write there gains nothing by it.
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC | MsFlags::MS_NOATIME;
    let path = disks::path(partition);
    mount(Some(&path), FOLDER, Some("ext4"), flags, Some("errors=remount-ro"))
        .map_err(|cause| DataError::Mount { partition: partition.to_owned(), cause })?;
    notice(&format!("{partition} is mounted on {FOLDER}"));
    Ok(())
}

/// Runs a program to its end, and keeps the watchdog quiet meanwhile. Its exit code; -1 for a
/// signal.
fn run(mut command: Command, watchdog: &mut Watchdog) -> io::Result<i32> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let child = command.spawn()?;
    let pid = Pid::from_raw(child.id() as i32);
    loop {
        match waitpid(pid, Some(WaitPidFlag::WNOHANG))? {
            WaitStatus::Exited(_, code) => return Ok(code),
            WaitStatus::Signaled(..) => return Ok(-1),
            _ => {
                watchdog.pet();
                std::thread::sleep(LOOK_AGAIN);
            }
        }
    }
}

/// Writes a file of the data partition so that it is there whole or not at all, even if power
/// fails.
pub(crate) fn write_durably(path: &Path, contents: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    // Settings hold hashes of passphrases, which only root has to see.
    let mut options = File::options();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    io::Write::write_all(&mut file, contents)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    if let Some(folder) = path.parent() {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}
