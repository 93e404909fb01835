//! Replaces a file as a whole: readers see the old content or the new one, never a part.
//! In: a path and a closure that writes the new bytes. Out: the file, synced, in its place.
//! Steps: temporary file in the same folder, write, sync, set mode, rename, sync of the folder.
//! Never: follows a symbolic link at the path (the link itself is replaced); keeps a temporary
//! file after an error or a panic. A kill leaves one behind: [`remove_leftovers`].
//! Limits: the owner of the old file is not carried over, only its mode.

use std::ffi::{OsStr, OsString};
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, BufWriter, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Size of the write buffer, in bytes.
pub const WRITE_BUFFER_BYTES: usize = 1 << 20;
/// How every temporary file of ours ends.
pub(crate) const TEMPORARY_SUFFIX: &str = ".anchorite-tmp";
/// How much of the target's name a temporary file's name repeats, in bytes. The rest of the
/// name needs at most 46, and NAME_MAX is 255.
const TEMPORARY_STEM_BYTES_MAX: usize = 205;
/// A name of a temporary file is unique within the process by this number.
static TEMPORARY_NUMBER: AtomicU64 = AtomicU64::new(0);

/// Permission bits of the new file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileMode {
    /// Those of the file that is replaced; of a new file, these.
    PreservedOr(u32),
    /// These.
    Exactly(u32),
}

/// What was being done when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplaceStep {
    /// Looking at what is there.
    Inspect,
    /// Creating the temporary file.
    Create,
    /// Writing the content.
    Write,
    /// Setting the mode.
    SetMode,
    /// Syncing the content.
    Sync,
    /// Renaming over the old file, or linking a new one.
    Rename,
    /// Syncing the folder; the new content is in place, but a power cut may still undo it.
    SyncFolder,
}

/// Why a file was not replaced. Except at [`ReplaceStep::SyncFolder`] the old file is untouched.
#[derive(Debug, thiserror::Error)]
pub enum ReplaceError {
    /// No space or no quota left.
    #[error("{}: disk full while writing; the old file is untouched, free some space",
        path.display())]
    DiskFull {
        /// The file that was to be replaced.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// The path names a folder.
    #[error("{}: is a directory, a file was expected", path.display())]
    IsDirectory {
        /// The path.
        path: PathBuf,
    },
    /// The path has no folder to write in.
    #[error("{}: its folder does not exist, create it first", path.display())]
    NoFolder {
        /// The path.
        path: PathBuf,
    },
    /// Not allowed to write in the folder.
    #[error("{}: not permitted ({step:?}); check the owner and mode of its folder", path.display())]
    PermissionDenied {
        /// The path.
        path: PathBuf,
        /// What was being done.
        step: ReplaceStep,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// Anything else.
    #[error("{}: {step:?} failed", path.display())]
    Io {
        /// The path.
        path: PathBuf,
        /// What was being done.
        step: ReplaceStep,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
}

/// Replaces the file at `path` by what `write` writes. Returns what `write` returns.
pub fn replace_file<T>(
    path: &Path,
    mode: FileMode,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<T>,
) -> Result<T, ReplaceError> {
    replace_file_by(path, mode, create_temporary, write)
}

/// [`replace_file`] without the syncs, for files that can be made again from what is durable: after
/// a power cut there may be the old content, the new one, or none.
pub fn replace_file_unsynced(
    path: &Path,
    mode: FileMode,
    bytes: &[u8],
) -> Result<(), ReplaceError> {
    let permissions = new_permissions(path, mode)?;
    let write = |out: &mut BufWriter<File>| out.write_all(bytes);
    let (mut temporary, _, ()) = write_unsynced(path, permissions, create_temporary, write)?;
    temporary.rename_to(path).map_err(|cause| failure(path, ReplaceStep::Rename, cause))
}

/// Creates the file at `path` with these bytes and permission bits, whole and synced or not at
/// all. Returns `false`, and changes nothing, when something is there already.
pub(crate) fn create_file(path: &Path, mode: u32, bytes: &[u8]) -> Result<bool, ReplaceError> {
    let permissions = Permissions::from_mode(mode);
    let write = |out: &mut BufWriter<File>| out.write_all(bytes);
    let (temporary, ()) = write_temporary(path, permissions, create_temporary, write)?;
    // A link, unlike a rename, does not replace what another process has just put there.
    match fs::hard_link(&temporary.path, path) {
        Ok(()) => {}
        Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
        Err(cause) => return Err(failure(path, ReplaceStep::Rename, cause)),
    }
    drop(temporary);
    let synced = sync_folder(&folder_of(path));
    synced.map_err(|cause| failure(path, ReplaceStep::SyncFolder, cause))?;
    Ok(true)
}

/// [`replace_file`] with the opening of the temporary file as an argument, for tests.
fn replace_file_by<T>(
    path: &Path,
    mode: FileMode,
    create: impl FnOnce(&Path) -> io::Result<File>,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<T>,
) -> Result<T, ReplaceError> {
    let permissions = new_permissions(path, mode)?;
    let (mut temporary, result) = write_temporary(path, permissions, create, write)?;
    let fail = |step| move |cause| failure(path, step, cause);
    temporary.rename_to(path).map_err(fail(ReplaceStep::Rename))?;
    sync_folder(&folder_of(path)).map_err(fail(ReplaceStep::SyncFolder))?;
    Ok(result)
}

/// Writes and syncs a temporary file for `path`.
fn write_temporary<T>(
    path: &Path,
    permissions: Permissions,
    create: impl FnOnce(&Path) -> io::Result<File>,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<T>,
) -> Result<(TemporaryFile, T), ReplaceError> {
    let (temporary, file, result) = write_unsynced(path, permissions, create, write)?;
    file.sync_all().map_err(|cause| failure(path, ReplaceStep::Sync, cause))?;
    Ok((temporary, result))
}

/// Writes a temporary file for `path`.
fn write_unsynced<T>(
    path: &Path,
    permissions: Permissions,
    create: impl FnOnce(&Path) -> io::Result<File>,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<T>,
) -> Result<(TemporaryFile, File, T), ReplaceError> {
    let fail = |step| move |cause| failure(path, step, cause);
    let file_name =
        path.file_name().ok_or_else(|| ReplaceError::IsDirectory { path: path.to_owned() })?;
    let temporary_path = folder_of(path).join(temporary_name(file_name));
    let file = create(&temporary_path).map_err(fail(ReplaceStep::Create))?;
    let temporary = TemporaryFile { path: temporary_path, renamed: false };
    let mut writer = BufWriter::with_capacity(WRITE_BUFFER_BYTES, file);
    let result = write(&mut writer).map_err(fail(ReplaceStep::Write))?;
    let file = writer.into_inner().map_err(|error| error.into_error());
    let file = file.map_err(fail(ReplaceStep::Write))?;
    file.set_permissions(permissions).map_err(fail(ReplaceStep::SetMode))?;
    Ok((temporary, file, result))
}

fn create_temporary(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Removes the temporary files that killed processes left in `folder`; returns how many. Those
/// of other living processes stay. To be called before this process replaces its first file
/// there: what bears its own number is then from an earlier life.
pub fn remove_leftovers(folder: &Path) -> io::Result<usize> {
    let mut removed_count = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let Some(process) = temporary_process(&entry.file_name()) else { continue };
        let alive =
            process != std::process::id() && Path::new("/proc").join(process.to_string()).exists();
        if !alive {
            fs::remove_file(entry.path())?;
            removed_count += 1;
        }
    }
    Ok(removed_count)
}

/// Makes the folder of the snapshots and journals, and its parents, where they do not exist.
pub(crate) fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    DirBuilder::new().mode(0o700).recursive(true).create(folder)?;
    sync_folder(&folder_of(folder))
}

/// Makes renames, creations and removals in `folder` durable.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// The folder that `path` is in.
pub(crate) fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Whether `cause` means that there is no room.
pub(crate) fn is_disk_full(cause: &io::Error) -> bool {
    matches!(cause.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Whether `name` is a temporary file's for a target whose name starts with `stem`.
pub(crate) fn is_temporary_of(name: &OsStr, stem: &str) -> bool {
    let rest = name.as_bytes().strip_prefix(b".");
    temporary_process(name).is_some() && rest.is_some_and(|rest| rest.starts_with(stem.as_bytes()))
}

fn new_permissions(path: &Path, mode: FileMode) -> Result<Permissions, ReplaceError> {
    let present = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => {
            return Err(ReplaceError::IsDirectory { path: path.to_owned() });
        }
        // A link's own mode says nothing; the file behind it is what the reader sees.
        Ok(_) => fs::metadata(path).ok().map(|metadata| metadata.permissions().mode() & 0o7777),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => None,
        Err(cause) => return Err(failure(path, ReplaceStep::Inspect, cause)),
    };
    Ok(Permissions::from_mode(match mode {
        FileMode::PreservedOr(new) => present.unwrap_or(new),
        FileMode::Exactly(exact) => exact,
    }))
}

fn failure(path: &Path, step: ReplaceStep, cause: io::Error) -> ReplaceError {
    let path = path.to_owned();
    match cause.kind() {
        _ if is_disk_full(&cause) => ReplaceError::DiskFull { path, cause },
        io::ErrorKind::NotFound if step == ReplaceStep::Create => ReplaceError::NoFolder { path },
        io::ErrorKind::PermissionDenied => ReplaceError::PermissionDenied { path, step, cause },
        _ => ReplaceError::Io { path, step, cause },
    }
}

/// `.<start of the target's name>.<process>-<number>.anchorite-tmp`
fn temporary_name(file_name: &OsStr) -> OsString {
    let stem = file_name.as_bytes();
    let mut name = b".".to_vec();
    name.extend_from_slice(&stem[..stem.len().min(TEMPORARY_STEM_BYTES_MAX)]);
    // A number of six digits is unique among the writes that one process has open at a time.
    let number = TEMPORARY_NUMBER.fetch_add(1, Ordering::Relaxed) % 1_000_000;
    let process = std::process::id();
    name.extend_from_slice(format!(".{process}-{number}{TEMPORARY_SUFFIX}").as_bytes());
    OsString::from_vec(name)
}

/// The process that a temporary file's name names; `None` when it is no such name.
fn temporary_process(name: &OsStr) -> Option<u32> {
    let rest = name.as_bytes().strip_prefix(b".")?.strip_suffix(TEMPORARY_SUFFIX.as_bytes())?;
    let dot = rest.iter().rposition(|byte| *byte == b'.')?;
    let (process, number) = str::from_utf8(&rest[dot + 1..]).ok()?.split_once('-')?;
    number.parse::<u32>().ok()?;
    process.parse().ok()
}

/// A file that is written bit by bit, over any time, and takes its place when it is whole. One
/// that is dropped before leaves nothing behind.
#[derive(Debug)]
pub struct PendingFile {
    path: PathBuf,
    // Dropped after the writer, which may still write what it holds.
    writer: BufWriter<File>,
    temporary: TemporaryFile,
}

impl PendingFile {
    /// Begins a file that is to be at `path`.
    pub fn create(path: &Path, mode: FileMode) -> Result<PendingFile, ReplaceError> {
        let permissions = new_permissions(path, mode)?;
        let write = |_: &mut BufWriter<File>| Ok(());
        let (temporary, file, ()) = write_unsynced(path, permissions, create_temporary, write)?;
        let writer = BufWriter::with_capacity(WRITE_BUFFER_BYTES, file);
        Ok(PendingFile { path: path.to_owned(), writer, temporary })
    }

    /// Appends to it.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), ReplaceError> {
        let written = self.writer.write_all(bytes);
        written.map_err(|cause| failure(&self.path, ReplaceStep::Write, cause))
    }

    /// Puts it in its place: synced, and renamed.
    pub fn commit(mut self) -> Result<(), ReplaceError> {
        let fail = |step| move |cause| (step, cause);
        let synced = self.writer.flush().map_err(fail(ReplaceStep::Write)).and_then(|()| {
            self.writer.get_ref().sync_all().map_err(fail(ReplaceStep::Sync))?;
            self.temporary.rename_to(&self.path).map_err(fail(ReplaceStep::Rename))?;
            sync_folder(&folder_of(&self.path)).map_err(fail(ReplaceStep::SyncFolder))
        });
        synced.map_err(|(step, cause)| failure(&self.path, step, cause))
    }
}

/// A temporary file, removed when dropped unless it was renamed.
#[derive(Debug)]
struct TemporaryFile {
    path: PathBuf,
    renamed: bool,
}

impl TemporaryFile {
    fn rename_to(&mut self, path: &Path) -> io::Result<()> {
        fs::rename(&self.path, path)?;
        self.renamed = true;
        Ok(())
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        if !self.renamed {
            // The first error is the one to report; a file that stays is found at the next start.
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests;
