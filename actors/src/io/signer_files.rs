//! Signer configuration files (signconf.xml). In: a path and a text. Out: the file, whole or as it
//! was before; the file of a deleted zone under another name, as OpenDNSSEC has it.
//! They are not synced: what they say is in the state, and they are made again from there when a
//! power cut took them.

use std::ffi::OsString;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use storage::{FileMode, ReplaceError, replace_file_unsynced};

/// Permission bits of a new file: it names keys, but holds none.
const MODE: u32 = 0o644;
/// Permission bits of a new folder.
const FOLDER_MODE: u32 = 0o755;
/// What the name of a deleted zone's file ends with.
const DELETED: &str = ".ZONE_DELETED";

/// Why a file is not as it should be.
#[derive(Debug, thiserror::Error)]
pub enum SignerFileError {
    /// It was not written.
    #[error("{error}{}", cause_of(.error))]
    NotWritten {
        /// Why.
        #[source]
        error: ReplaceError,
    },
    /// It still has its name.
    #[error("{}: not renamed to *{DELETED}: {cause}", path.display())]
    NotPutAside {
        /// The file.
        path: PathBuf,
        /// The system's words.
        #[source]
        cause: io::Error,
    },
}

fn cause_of(error: &ReplaceError) -> String {
    std::error::Error::source(error).map(|cause| format!(" ({cause})")).unwrap_or_default()
}

/// Replaces the file at `path` by one with this text, unless it has it. `false`: it had it. Makes
/// its folder, but not the folder's.
pub fn write(path: &Path, text: &str) -> Result<bool, SignerFileError> {
    if fs::read(path).is_ok_and(|bytes| bytes == text.as_bytes()) {
        return Ok(false);
    }
    if let Some(folder) = path.parent().filter(|folder| !folder.exists()) {
        // When it cannot be made, the file cannot be written, which is said then.
        let _ = DirBuilder::new().mode(FOLDER_MODE).create(folder);
    }
    let replaced = replace_file_unsynced(path, FileMode::PreservedOr(MODE), text.as_bytes());
    replaced.map_err(|error| SignerFileError::NotWritten { error })?;
    Ok(true)
}

/// Gives the file of a deleted zone another name. One that is not there is well.
pub fn put_aside(path: &Path) -> Result<(), SignerFileError> {
    let mut name = OsString::from(path);
    name.push(DELETED);
    match fs::rename(path, name) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
            Err(SignerFileError::NotPutAside { path: path.to_owned(), cause })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_when_it_changes_and_put_aside_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("signconf/a.example.xml");
        assert!(write(&path, "one").unwrap());
        assert!(!write(&path, "one").unwrap());
        assert!(write(&path, "two").unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"two");
        put_aside(&path).unwrap();
        put_aside(&path).unwrap();
        assert!(!path.exists());
        let aside = folder.path().join("signconf/a.example.xml.ZONE_DELETED");
        assert_eq!(fs::read(aside).unwrap(), b"two");
        let error = write(&folder.path().join("no/such/folder.xml"), "one").unwrap_err();
        assert!(error.to_string().contains("no/such/folder.xml: its folder"), "{error}");
        fs::write(&path, "no folder").unwrap();
        let error = put_aside(&path.join("below")).unwrap_err();
        assert!(error.to_string().contains("not renamed to *.ZONE_DELETED"), "{error}");
    }
}
