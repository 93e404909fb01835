//! A disk in memory that loses power and fills up on command. For tests, here and elsewhere; the
//! product only makes the first bytes of a new state store on it.
//! In: writes, lengths and syncs of redb or a journal, kept as a log. Out: what a disk may hold
//! after a power cut at any point of that log: all that was synced, and of the rest whatever the
//! test says.
//! Limits: a write is torn at most once; nothing is read wrongly.

use redb::StorageBackend;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One change of the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DiskChange {
    /// Bytes written at an offset.
    Write {
        /// Where.
        offset: u64,
        /// What.
        bytes: Vec<u8>,
    },
    /// A new length.
    SetLength(u64),
    /// All before this is on the disk for good.
    Sync,
}

/// What a power cut made of a change that was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It reached the disk.
    Kept,
    /// It did not.
    Lost,
    /// Of a write, this many bytes from its start did.
    Torn {
        /// Bytes that reached the disk.
        kept_bytes: usize,
    },
}

/// Which operation fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskFault {
    /// Writes and growths fail with ENOSPC.
    Full,
    /// Of a write, this many bytes from its start are written, then it fails with ENOSPC.
    FullWithin {
        /// Bytes that are written.
        kept_bytes: usize,
    },
    /// Syncs fail with EIO.
    SyncFails,
    /// Everything fails with EIO.
    Broken,
}

/// The disk. Clones are the same disk.
#[derive(Clone, Debug, Default)]
pub struct FaultDisk(Arc<Mutex<Disk>>);

#[derive(Debug, Default)]
struct Disk {
    initial: Vec<u8>,
    bytes: Vec<u8>,
    log: Vec<DiskChange>,
    fault: Option<(usize, DiskFault)>,
}

impl FaultDisk {
    /// A disk that holds `bytes`, with an empty log.
    pub fn with_content(bytes: Vec<u8>) -> FaultDisk {
        let disk = Disk { initial: bytes.clone(), bytes, ..Disk::default() };
        FaultDisk(Arc::new(Mutex::new(disk)))
    }

    /// Gives the disk this content, as if it had always been there, and an empty log.
    pub(crate) fn set_content(&self, bytes: Vec<u8>) {
        let mut disk = self.lock();
        disk.initial = bytes.clone();
        disk.bytes = bytes;
        disk.log.clear();
    }

    /// How many changes the log has.
    pub fn change_count(&self) -> usize {
        self.lock().log.len()
    }

    /// The log.
    pub fn changes(&self) -> Vec<DiskChange> {
        self.lock().log.clone()
    }

    /// What the disk holds.
    pub fn content(&self) -> Vec<u8> {
        self.lock().bytes.clone()
    }

    /// From the time when the log has `change_count` changes, `fault` strikes, until
    /// [`FaultDisk::heal`].
    pub fn fail_from(&self, change_count: usize, fault: DiskFault) {
        self.lock().fault = Some((change_count, fault));
    }

    /// No more faults.
    pub fn heal(&self) {
        self.lock().fault = None;
    }

    /// What the disk may hold after a power cut when the first `change_count` changes were made:
    /// those up to the last sync among them, and of the others what `fate` says of each.
    pub fn after_power_cut(
        &self,
        change_count: usize,
        mut fate: impl FnMut(&DiskChange) -> Fate,
    ) -> Vec<u8> {
        let disk = self.lock();
        let made = &disk.log[..change_count.min(disk.log.len())];
        let last_sync = made.iter().rposition(|change| *change == DiskChange::Sync);
        let (safe, open) = made.split_at(last_sync.map_or(0, |position| position + 1));
        let mut bytes = disk.initial.clone();
        safe.iter().for_each(|change| apply(change, &mut bytes));
        for change in open {
            match (fate(change), change) {
                (Fate::Kept, _) => apply(change, &mut bytes),
                (Fate::Torn { kept_bytes }, DiskChange::Write { offset, bytes: written }) => {
                    write_at(*offset, &written[..kept_bytes.min(written.len())], &mut bytes);
                }
                (Fate::Lost | Fate::Torn { .. }, _) => {}
            }
        }
        bytes
    }

    /// Writes at an offset.
    pub(crate) fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.lock().change(DiskChange::Write { offset, bytes: bytes.to_vec() })
    }

    /// Makes the disk this long.
    pub(crate) fn set_length(&self, length: u64) -> io::Result<()> {
        self.lock().change(DiskChange::SetLength(length))
    }

    /// All before this is on the disk for good.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.lock().change(DiskChange::Sync)
    }

    pub(crate) fn backend(&self, sync_failed: Arc<AtomicBool>) -> FaultBackend {
        FaultBackend { disk: self.clone(), sync_failed }
    }

    fn lock(&self) -> MutexGuard<'_, Disk> {
        // Every change is made in one go: a panic elsewhere leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Disk {
    fn change(&mut self, change: DiskChange) -> io::Result<()> {
        let shrinks =
            matches!(change, DiskChange::SetLength(length) if length <= self.bytes.len() as u64);
        let strikes = self.fault.is_some_and(|(from, _)| self.log.len() >= from);
        match (self.fault, &change) {
            (Some((_, DiskFault::SyncFails)), DiskChange::Sync) if strikes => {
                return Err(io::Error::other("sync failed by order of the test"));
            }
            (Some((_, DiskFault::Full)), DiskChange::Write { .. } | DiskChange::SetLength(_))
                if strikes && !shrinks =>
            {
                return Err(io::ErrorKind::StorageFull.into());
            }
            (
                Some((_, DiskFault::FullWithin { kept_bytes })),
                DiskChange::Write { offset, bytes },
            ) if strikes => {
                let bytes = bytes[..kept_bytes.min(bytes.len())].to_vec();
                let part = DiskChange::Write { offset: *offset, bytes };
                apply(&part, &mut self.bytes);
                self.log.push(part);
                return Err(io::ErrorKind::StorageFull.into());
            }
            (Some((_, DiskFault::Broken)), _) if strikes => {
                return Err(io::Error::other("broken by order of the test"));
            }
            _ => {}
        }
        apply(&change, &mut self.bytes);
        self.log.push(change);
        Ok(())
    }
}

fn apply(change: &DiskChange, bytes: &mut Vec<u8>) {
    match change {
        DiskChange::Write { offset, bytes: written } => write_at(*offset, written, bytes),
        DiskChange::SetLength(length) => bytes.resize(*length as usize, 0),
        DiskChange::Sync => {}
    }
}

/// Writes `written` at `offset`, lengthening the disk when a lost change would have done so.
fn write_at(offset: u64, written: &[u8], bytes: &mut Vec<u8>) {
    let start = offset as usize;
    let end = start + written.len();
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    bytes[start..end].copy_from_slice(written);
}

/// The disk as redb sees it.
#[derive(Debug)]
pub(crate) struct FaultBackend {
    disk: FaultDisk,
    sync_failed: Arc<AtomicBool>,
}

impl StorageBackend for FaultBackend {
    fn len(&self) -> io::Result<u64> {
        Ok(self.disk.lock().bytes.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let disk = self.disk.lock();
        let start = usize::try_from(offset).map_err(io::Error::other)?;
        let end = start.saturating_add(out.len());
        let bytes = disk.bytes.get(start..end).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(bytes);
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.disk.set_length(length)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.disk.sync().inspect_err(|_| self.sync_failed.store(true, Ordering::Release))
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.disk.write(offset, data)
    }
}
