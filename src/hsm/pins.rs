//! PINs that operators gave with `ods-hsmutil login`, kept where the daemon finds them: one file
//! for each token, mode 0600, in a folder of mode 0700 on a file system that lives in memory.
//! In: repositories without `<PIN>`. Out: their PINs; wiped from memory by whoever gets them.
//! Never: a PIN on a disk by our own hand; the folder is refused when it is not tmpfs or ramfs.
//! Limits: root and processes of the same user can read it, and tmpfs may be swapped out, so
//! swap has to be off or encrypted (as for OpenDNSSEC's shared memory).

use appliance_config::{Repository, RepositoryKind};
use nix::sys::statfs::{FsType, TMPFS_MAGIC, statfs};
use nix::unistd::geteuid;
use sha2::{Digest, Sha256};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Names another folder than `/run/anchorite`.
const FOLDER_VARIABLE: &str = "ANCHORITE_RUNTIME_DIRECTORY";
/// The folder of root, and of a user that it belongs to (systemd's RuntimeDirectory).
const SYSTEM_FOLDER: &str = "/run/anchorite";
/// Longest PIN, in bytes: PKCS#11 modules take fewer.
pub(super) const PIN_BYTES_MAX: usize = 255;
const RAMFS_MAGIC: u64 = 0x8584_58f6;

/// Why a PIN could not be kept, read or forgotten.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PinFault {
    #[error("cannot {operation} {}: {cause}", path.display())]
    Io { operation: &'static str, path: PathBuf, cause: io::Error },
    #[error(
        "{} is on a disk, and PINs are kept in memory only; set {FOLDER_VARIABLE} to a folder \
         on a tmpfs",
        path.display()
    )]
    OnDisk { path: PathBuf },
    #[error(
        "{} may be read by others or is not yours; remove it and log in again as the user that \
         the daemon runs as",
        path.display()
    )]
    NotPrivate { path: PathBuf },
}

fn io_fault(operation: &'static str, path: &Path, cause: io::Error) -> PinFault {
    PinFault::Io { operation, path: path.to_owned(), cause }
}

/// The PIN that an operator gave for the token of this repository, if any.
pub(crate) fn pin_of(repository: &Repository) -> Result<Option<Zeroizing<String>>, PinFault> {
    let folder = folder();
    if !is_usable(&folder)? {
        return Ok(None);
    }
    let path = folder.join(file_name(repository));
    let file = OpenOptions::new().read(true).custom_flags(nix::libc::O_NOFOLLOW).open(&path);
    let mut file = match file {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io_fault("open", &path, error)),
    };
    let about = file.metadata().map_err(|error| io_fault("look at", &path, error))?;
    if !about.is_file() || !is_private(&about) {
        return Err(PinFault::NotPrivate { path });
    }
    let mut bytes = Zeroizing::new([0; PIN_BYTES_MAX]);
    let mut length = 0;
    loop {
        match file.read(&mut bytes[length..]) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(io_fault("read", &path, error)),
        }
    }
    let text = std::str::from_utf8(&bytes[..length]).ok().filter(|text| !text.is_empty());
    Ok(text.map(|text| Zeroizing::new(text.to_owned())))
}

/// Keeps the PIN for the daemon and for later commands.
pub(super) fn keep(repository: &Repository, pin: &str) -> Result<(), PinFault> {
    let folder = folder();
    let mut builder = DirBuilder::new();
    let made = builder.recursive(true).mode(0o700).create(&folder);
    made.map_err(|error| io_fault("create", &folder, error))?;
    is_usable(&folder)?;
    let path = folder.join(file_name(repository));
    let temporary = path.with_extension("new");
    forget_file(&temporary)?;
    let written = OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(&temporary)
        .and_then(|mut file| file.write_all(pin.as_bytes()))
        .map_err(|error| io_fault("write", &temporary, error));
    written?;
    forget_file(&path)?;
    fs::rename(&temporary, &path).map_err(|error| io_fault("write", &path, error))
}

/// Wipes the PIN of one repository's token: it did not open it.
pub(super) fn forget(repository: &Repository) -> Result<(), PinFault> {
    forget_file(&folder().join(file_name(repository)))
}

/// Wipes every PIN.
pub(super) fn forget_all() -> Result<(), PinFault> {
    let folder = folder();
    if !is_usable(&folder)? {
        return Ok(());
    }
    let entries = fs::read_dir(&folder).map_err(|error| io_fault("read", &folder, error))?;
    for entry in entries {
        let entry = entry.map_err(|error| io_fault("read", &folder, error))?;
        forget_file(&entry.path())?;
    }
    Ok(())
}

/// Overwrites a file and removes it; that there is none is fine.
fn forget_file(path: &Path) -> Result<(), PinFault> {
    let file = OpenOptions::new().write(true).custom_flags(nix::libc::O_NOFOLLOW).open(path);
    match file.and_then(|file| wipe(&file)).and_then(|()| fs::remove_file(path)) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(io_fault("wipe", path, error)),
        _ => Ok(()),
    }
}

fn wipe(mut file: &File) -> io::Result<()> {
    let length = usize::try_from(file.metadata()?.len()).unwrap_or(PIN_BYTES_MAX);
    file.write_all(&[0; PIN_BYTES_MAX][..length.min(PIN_BYTES_MAX)])
}

fn folder() -> PathBuf {
    if let Some(folder) = std::env::var_os(FOLDER_VARIABLE).filter(|folder| !folder.is_empty()) {
        return PathBuf::from(folder).join("pins");
    }
    let user = geteuid();
    let owner = fs::symlink_metadata(SYSTEM_FOLDER).map(|about| about.uid());
    if user.is_root() || owner.is_ok_and(|owner| owner == user.as_raw()) {
        return Path::new(SYSTEM_FOLDER).join("pins");
    }
    let home = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let home = home.unwrap_or_else(|| PathBuf::from(format!("/run/user/{user}")));
    home.join("anchorite/pins")
}

/// Whether the folder is there; an error when it is not as it has to be.
fn is_usable(folder: &Path) -> Result<bool, PinFault> {
    let about = match fs::symlink_metadata(folder) {
        Ok(about) => about,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(io_fault("look at", folder, error)),
    };
    if !about.is_dir() || !is_private(&about) {
        return Err(PinFault::NotPrivate { path: folder.to_owned() });
    }
    let system = statfs(folder).map_err(|error| io_fault("look at", folder, error.into()))?;
    let FsType(kind) = system.filesystem_type();
    let FsType(tmpfs) = TMPFS_MAGIC;
    if kind != tmpfs && kind as u64 != RAMFS_MAGIC {
        return Err(PinFault::OnDisk { path: folder.to_owned() });
    }
    Ok(true)
}

fn is_private(about: &fs::Metadata) -> bool {
    about.uid() == geteuid().as_raw() && about.mode() & 0o077 == 0
}

/// A PIN belongs to a token, whatever a conf.xml calls it: its place and its label.
fn file_name(repository: &Repository) -> String {
    let place = match &repository.kind {
        RepositoryKind::Module(path) => path,
        RepositoryKind::BuiltIn { directory } => directory,
    };
    let mut hash = Sha256::new();
    hash.update(place.as_os_str().as_encoded_bytes());
    hash.update([0]);
    hash.update(repository.token_label.as_bytes());
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
