//! Reads zone files as a whole, and notices when one changes under its reader.
//! In: a path. Out: its bytes, read between two equal looks at length, time and identity.
//! Not memory-mapped: a file cut short under a mapping would kill the process.
//! Limits: [`FILE_BYTES_MAX`] bytes a file, [`READ_ATTEMPT_COUNT`] attempts.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Largest file that is read, in bytes.
pub const FILE_BYTES_MAX: u64 = 16 << 30;
/// How often a file is read again because it changed meanwhile.
pub const READ_ATTEMPT_COUNT: u32 = 3;

/// Why a zone file was not read. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// There is no such file.
    #[error("zone file {} does not exist; check the path", path.display())]
    Missing {
        /// The path.
        path: PathBuf,
    },
    /// A folder, a device or a pipe.
    #[error("{} is not a regular file", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// It changed each time it was read.
    #[error(
        "zone file {} changes while it is read; have it written under another name and renamed",
        path.display()
    )]
    Changing {
        /// The path.
        path: PathBuf,
    },
    /// Larger than [`FILE_BYTES_MAX`].
    #[error(
        "zone file {} has {length} bytes, more than the limit of {FILE_BYTES_MAX}",
        path.display()
    )]
    TooLarge {
        /// The path.
        path: PathBuf,
        /// Its length in bytes.
        length: u64,
    },
    /// Anything else that the system says.
    #[error("cannot read zone file {}: {cause}", path.display())]
    Unreadable {
        /// The path.
        path: PathBuf,
        /// The system's words.
        #[source]
        cause: io::Error,
    },
}

/// What a file looks like from outside.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Look {
    device: u64,
    inode: u64,
    length: u64,
    modified: (i64, i64),
}

impl Look {
    fn at(metadata: &Metadata) -> Look {
        Look {
            device: metadata.dev(),
            inode: metadata.ino(),
            length: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }
}

/// Reads the file at `path`.
pub fn read(path: &Path) -> Result<Vec<u8>, SourceError> {
    read_with(path, |_| {})
}

/// [`read`], with a hook between reading and the second look, for tests.
fn read_with(path: &Path, mut meanwhile: impl FnMut(u32)) -> Result<Vec<u8>, SourceError> {
    for attempt in 0..READ_ATTEMPT_COUNT {
        let (before, bytes) = read_once(path)?;
        meanwhile(attempt);
        let after = std::fs::metadata(path).map_err(|cause| failure(path, cause))?;
        if Look::at(&after) == before && bytes.len() as u64 == before.length {
            return Ok(bytes);
        }
    }
    Err(SourceError::Changing { path: path.to_owned() })
}

fn read_once(path: &Path) -> Result<(Look, Vec<u8>), SourceError> {
    let fail = |cause| failure(path, cause);
    // Opening a pipe would wait for its writer, so look before opening.
    if !std::fs::metadata(path).map_err(fail)?.is_file() {
        return Err(SourceError::NotAFile { path: path.to_owned() });
    }
    let mut file = File::open(path).map_err(fail)?;
    let look = Look::at(&file.metadata().map_err(fail)?);
    if look.length > FILE_BYTES_MAX {
        return Err(SourceError::TooLarge { path: path.to_owned(), length: look.length });
    }
    let mut bytes = Vec::with_capacity(look.length as usize);
    // One byte more than expected shows a file that grows, and bounds the read.
    (&mut file).take(look.length + 1).read_to_end(&mut bytes).map_err(fail)?;
    Ok((look, bytes))
}

fn failure(path: &Path, cause: io::Error) -> SourceError {
    let path = path.to_owned();
    match cause.kind() {
        io::ErrorKind::NotFound => SourceError::Missing { path },
        _ => SourceError::Unreadable { path, cause },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn file(bytes: &[u8]) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    #[test]
    fn reads_what_is_there() {
        assert_eq!(read(file(b"abc").path()).unwrap(), b"abc");
        let missing = read(Path::new("/nonexistent/zone")).unwrap_err();
        assert!(matches!(missing, SourceError::Missing { .. }));
        let folder = read(Path::new("/")).unwrap_err();
        assert!(matches!(folder, SourceError::NotAFile { .. }));
    }

    #[test]
    fn a_file_that_grows_once_is_read_again() {
        let file = file(b"one");
        let mut appender = File::options().append(true).open(file.path()).unwrap();
        let bytes = read_with(file.path(), |attempt| {
            if attempt == 0 {
                appender.write_all(b" two").unwrap();
            }
        });
        assert_eq!(bytes.unwrap(), b"one two");
    }

    #[test]
    fn a_file_that_grows_all_the_time_is_refused() {
        let file = file(b"one");
        let mut appender = File::options().append(true).open(file.path()).unwrap();
        let error = read_with(file.path(), |_| appender.write_all(b"x").unwrap()).unwrap_err();
        assert!(matches!(error, SourceError::Changing { .. }));
    }

    #[test]
    fn a_file_that_is_replaced_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("zone");
        std::fs::write(&path, "old").unwrap();
        let bytes = read_with(&path, |attempt| {
            if attempt == 0 {
                std::fs::write(folder.path().join("new"), "new").unwrap();
                std::fs::rename(folder.path().join("new"), &path).unwrap();
            }
        });
        assert_eq!(bytes.unwrap(), b"new");
    }
}
