//! The folder of a built-in token: the only file access of this crate's own keys.
//!
//! `token` is the header, `<CKA_ID in hex>.key` a record, `lock` what keeps a second process out.
//! Writing: temporary file, fsync, rename, fsync of the folder; only then the caller may use the
//! key. What a crash leaves behind is a `.tmp` file, which nobody has used: opening removes it.
//! Folder mode 0700, file mode 0600. Limits: [`KEYS_MAX`], [`FILE_LENGTH_MAX`].

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Most keys in one token.
pub(super) const KEYS_MAX: usize = 100_000;
/// Longest file read, in bytes.
const FILE_LENGTH_MAX: u64 = 64 * 1024;
const HEADER_NAME: &str = "token";
const LOCK_NAME: &str = "lock";
const RECORD_SUFFIX: &str = ".key";
const TEMPORARY_SUFFIX: &str = ".tmp";

/// A token's folder, locked against other processes as long as this value lives.
pub(super) struct Folder {
    path: PathBuf,
    _lock: File,
}

/// Why the folder could not be had.
pub(super) enum LockFault {
    InUse,
    Io(io::Error),
}

impl Folder {
    /// Makes the folder where it is missing, and locks it.
    pub(super) fn create(path: &Path) -> Result<Folder, LockFault> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .and_then(|()| sync_folder_of(path))
            .map_err(LockFault::Io)?;
        Folder::open(path)
    }

    /// An error when there is no token in the folder. Nothing is made or changed.
    pub(super) fn check_token(path: &Path) -> io::Result<()> {
        fs::metadata(path.join(HEADER_NAME)).map(drop)
    }

    /// Locks the folder and removes what an interrupted write left.
    pub(super) fn open(path: &Path) -> Result<Folder, LockFault> {
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(path.join(LOCK_NAME))
            .map_err(LockFault::Io)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LockFault::InUse),
            Err(TryLockError::Error(error)) => return Err(LockFault::Io(error)),
        }
        let folder = Folder { path: path.to_owned(), _lock: lock };
        folder.remove_leftovers().map_err(LockFault::Io)?;
        Ok(folder)
    }

    /// Where the header is.
    pub(super) fn header_path(&self) -> PathBuf {
        self.path.join(HEADER_NAME)
    }

    /// Where the record of a key is.
    pub(super) fn record_path(&self, key_hex: &str) -> PathBuf {
        self.path.join(format!("{key_hex}{RECORD_SUFFIX}"))
    }

    /// Every record: the key id in hex as its name says it, and its path.
    pub(super) fn records(&self) -> io::Result<Vec<(String, PathBuf)>> {
        let mut records = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let name = entry.file_name();
            if let Some(key_hex) = name.to_str().and_then(|name| name.strip_suffix(RECORD_SUFFIX)) {
                records.push((key_hex.to_owned(), entry.path()));
            }
        }
        records.sort();
        Ok(records)
    }

    /// Writes a new file so that it is there whole or not at all, also after a power cut.
    pub(super) fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(TEMPORARY_SUFFIX);
        let temporary = PathBuf::from(temporary);
        let written = write_synced(&temporary, bytes)
            .and_then(|()| fs::rename(&temporary, path))
            .and_then(|()| self.sync());
        if written.is_err() {
            // After a failed sync of the folder the name may be there or not: take it back, since
            // the caller will not use the key. What cannot be removed either is not lost: the
            // next opening sees a temporary file, or a whole record under the id that was asked.
            let _ = fs::remove_file(&temporary);
            let _ = fs::remove_file(path);
        }
        written
    }

    /// Removes a file for good.
    pub(super) fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)?;
        self.sync()
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }

    fn remove_leftovers(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let is_leftover =
                entry.file_name().to_str().is_some_and(|name| name.ends_with(TEMPORARY_SUFFIX));
            if is_leftover && !entry.file_type()?.is_dir() {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }
}

/// Reads a whole file, up to the limit.
pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(FILE_LENGTH_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_LENGTH_MAX {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "longer than any file of a token"));
    }
    Ok(bytes)
}

/// Makes a new file that only its owner may read; an existing one is left alone.
pub(super) fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    sync_folder_of(path)
}

/// Makes a name in a folder durable.
fn sync_folder_of(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options.create(true).truncate(true).write(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
