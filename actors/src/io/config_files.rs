//! Reads configuration files as a whole.
//! In: a path and the most bytes that are wanted. Out: the bytes, or why there are none; what files
//! there are.
//! Limit: one byte more than wanted is read at most, so that the reader of the bytes sees that
//! the file is too large and says so with its own limit.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// Why a configuration file was not read.
#[derive(Debug, thiserror::Error)]
pub enum ConfigFileError {
    /// A folder, a device or a pipe.
    #[error("{} is not a regular file", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// What the system says.
    #[error("cannot read {}: {cause}", path.display())]
    Unreadable {
        /// The path.
        path: PathBuf,
        /// The system's words.
        #[source]
        cause: io::Error,
    },
}

/// Reads the file at `path`, but at most one byte more than `bytes_max`.
pub fn read(path: &Path, bytes_max: usize) -> Result<Vec<u8>, ConfigFileError> {
    let fail = |cause| ConfigFileError::Unreadable { path: path.to_owned(), cause };
    // Opening a pipe would wait for its writer, so look before opening.
    if !std::fs::metadata(path).map_err(fail)?.is_file() {
        return Err(ConfigFileError::NotAFile { path: path.to_owned() });
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(fail)?;
    file.take(bytes_max as u64 + 1).read_to_end(&mut bytes).map_err(fail)?;
    Ok(bytes)
}

/// A file of a folder: its name, its octets, when it was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Without the folder.
    pub name: String,
    /// Its length.
    pub octets: u64,
    /// In Unix seconds, where the system knows.
    pub changed: Option<u64>,
}

/// The regular files of a folder by name, links followed; none if it cannot be read.
pub fn list(folder: &Path) -> Vec<Listed> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let listed = entries.filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        let about = std::fs::metadata(entry.path()).ok().filter(std::fs::Metadata::is_file)?;
        let changed = about.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        Some(Listed { name, octets: about.len(), changed: changed.map(|since| since.as_secs()) })
    });
    let mut listed: Vec<Listed> = listed.collect();
    listed.sort_by(|one, other| one.name.cmp(&other.name));
    listed
}

/// Where a path leads to, links followed; the path itself when that is not known.
pub fn resolved(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// Whether a file can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readable {
    /// It can.
    Yes,
    /// It is not there.
    Missing,
    /// It is there, and the system refuses.
    No,
}

/// Whether the file at `path` can be read.
pub fn readable(path: &Path) -> Readable {
    match nix::unistd::access(path, nix::unistd::AccessFlags::R_OK) {
        Ok(()) => Readable::Yes,
        Err(nix::errno::Errno::ENOENT) => Readable::Missing,
        Err(_) => Readable::No,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_at_most_one_byte_more() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("conf.xml");
        std::fs::write(&path, "0123456789").unwrap();
        assert_eq!(read(&path, 10).unwrap(), b"0123456789");
        assert_eq!(read(&path, 4).unwrap(), b"01234");
    }

    #[test]
    fn what_is_no_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = read(folder.path(), 10).unwrap_err();
        assert!(matches!(error, ConfigFileError::NotAFile { .. }), "{error}");
        let missing = folder.path().join("conf.xml");
        let error = read(&missing, 10).unwrap_err();
        assert!(matches!(error, ConfigFileError::Unreadable { .. }), "{error}");
        assert!(error.to_string().contains(missing.to_str().unwrap()), "{error}");
    }
}
