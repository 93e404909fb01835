//! The file under redb. In: redb's reads and writes. Out: the same on a locked file, grown with
//! its blocks reserved, so that only growing can meet a full disk, never a write within the file.
//! Never: goes on after a failed sync: that is remembered for the store.

use super::error::{StateError, StateOperation};
use crate::replace::{ReplaceError, create_file, is_disk_full};
use nix::errno::Errno;
use nix::fcntl::posix_fallocate;
use redb::StorageBackend;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A locked file. The lock ends when it is dropped, or its process dies.
#[derive(Debug)]
pub(super) struct DiskBackend {
    file: File,
    sync_failed: Arc<AtomicBool>,
}

impl DiskBackend {
    pub(super) fn open(
        path: &Path,
        sync_failed: Arc<AtomicBool>,
    ) -> Result<DiskBackend, StateError> {
        let file = OpenOptions::new().read(true).write(true).open(path);
        let file = file.map_err(|cause| open_error(path, cause))?;
        // redb would start a new store in an empty file, where a store may have been.
        let metadata = file.metadata().map_err(|cause| open_error(path, cause))?;
        if !metadata.is_file() || metadata.len() == 0 {
            return Err(StateError::NotAStateStore { path: path.to_owned() });
        }
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => StateError::Locked { path: path.to_owned() },
            TryLockError::Error(cause) => {
                StateError::Io { path: path.to_owned(), operation: StateOperation::Lock, cause }
            }
        })?;
        Ok(DiskBackend { file, sync_failed })
    }

    /// Grows the file from `old` to `new` bytes. Where the file system cannot reserve blocks the
    /// file is only lengthened.
    fn grow(&self, old: u64, new: u64) -> io::Result<()> {
        let invalid = |_| io::Error::from(io::ErrorKind::FileTooLarge);
        let (start, length) =
            (i64::try_from(old).map_err(invalid)?, i64::try_from(new - old).map_err(invalid)?);
        let reserved = loop {
            match posix_fallocate(&self.file, start, length) {
                Err(Errno::EINTR) => continue,
                other => break other,
            }
        };
        match reserved {
            Ok(()) => Ok(()),
            Err(Errno::EOPNOTSUPP | Errno::EINVAL | Errno::ENOSYS) => self.file.set_len(new),
            Err(errno) => {
                let cause = io::Error::from(errno);
                if is_disk_full(&cause) {
                    // A part may have been reserved: the file keeps the length that redb knows.
                    self.file.set_len(old)?;
                }
                Err(cause)
            }
        }
    }
}

impl StorageBackend for DiskBackend {
    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(out, offset)
    }

    fn set_len(&self, new: u64) -> io::Result<()> {
        let old = self.len()?;
        if new > old { self.grow(old, new) } else { self.file.set_len(new) }
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data().inspect_err(|_| self.sync_failed.store(true, Ordering::Release))
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.file.write_all_at(data, offset)
    }
}

/// Puts a new store's bytes at `path`. That another process was faster is no error.
pub(super) fn create(path: &Path, image: &[u8]) -> Result<(), StateError> {
    match create_file(path, 0o600, image) {
        Ok(_) => Ok(()),
        Err(ReplaceError::IsDirectory { path }) => Err(StateError::IsDirectory { path }),
        Err(ReplaceError::NoFolder { path }) => Err(StateError::NoFolder { path }),
        Err(
            ReplaceError::DiskFull { cause, .. }
            | ReplaceError::PermissionDenied { cause, .. }
            | ReplaceError::Io { cause, .. },
        ) => Err(open_error(path, cause)),
    }
}

pub(super) fn open_error(path: &Path, cause: io::Error) -> StateError {
    let path = path.to_owned();
    match cause.kind() {
        io::ErrorKind::IsADirectory => StateError::IsDirectory { path },
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => StateError::NoFolder { path },
        io::ErrorKind::PermissionDenied => StateError::PermissionDenied { path, cause },
        _ if is_disk_full(&cause) => StateError::DiskFull { path, cause },
        _ => StateError::Io { path, operation: StateOperation::Open, cause },
    }
}
