//! Reads zone files, and notices when one changes under its reader.
//! In: a path. Out: its bytes, block by block, and whether length, time and identity are the same
//! after reading as before.
//! Not memory-mapped: a file cut short under a mapping would kill the process.
//! Limits: [`FILE_BYTES_MAX`] bytes a file, [`READ_ATTEMPT_COUNT`] attempts.

use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
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

/// A zone file, open to be read once from its beginning.
pub struct ZoneFile {
    path: PathBuf,
    file: File,
    look: Look,
    read: u64,
}

impl ZoneFile {
    /// Opens the file at `path`.
    pub fn open(path: &Path) -> Result<ZoneFile, SourceError> {
        let fail = |cause| failure(path, cause);
        // Opening a pipe would wait for its writer, so look before opening.
        if !std::fs::metadata(path).map_err(fail)?.is_file() {
            return Err(SourceError::NotAFile { path: path.to_owned() });
        }
        let file = File::open(path).map_err(fail)?;
        let look = Look::at(&file.metadata().map_err(fail)?);
        if look.length > FILE_BYTES_MAX {
            return Err(SourceError::TooLarge { path: path.to_owned(), length: look.length });
        }
        Ok(ZoneFile { path: path.to_owned(), file, look, read: 0 })
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its length when it was opened, in bytes.
    pub fn length(&self) -> u64 {
        self.look.length
    }

    /// Appends at most `most` bytes to `block`; returns whether the end of the file as it was
    /// when it was opened is reached. What was appended to the file since is not read.
    pub fn read_block(&mut self, most: usize, block: &mut Vec<u8>) -> Result<bool, SourceError> {
        let left = self.look.length - self.read;
        let wanted = (most as u64).min(left);
        let got = (&mut self.file).take(wanted).read_to_end(block);
        let got = got.map_err(|cause| failure(&self.path, cause))? as u64;
        self.read += got;
        // A file that was cut short ends early; `is_unchanged` tells.
        Ok(got < wanted || self.read == self.look.length)
    }

    /// Goes back to the beginning.
    pub fn rewind(&mut self) -> Result<(), SourceError> {
        self.read = 0;
        self.file.rewind().map_err(|cause| failure(&self.path, cause))
    }

    /// The last `most` bytes of the file as it was when it was opened, or all. It can be read from
    /// its beginning again after [`ZoneFile::rewind`] only.
    pub fn tail(&mut self, most: usize) -> Result<Vec<u8>, SourceError> {
        let fail = |cause| failure(&self.path, cause);
        let start = self.look.length.saturating_sub(most as u64);
        self.file.seek(SeekFrom::Start(start)).map_err(fail)?;
        let mut bytes = Vec::new();
        (&mut self.file).take(most as u64).read_to_end(&mut bytes).map_err(fail)?;
        Ok(bytes)
    }

    /// Whether there is still the same file, of the same length and time, at the path. Asked
    /// after reading: what was read is a version that stood there as a whole.
    pub fn is_unchanged(&self) -> Result<bool, SourceError> {
        let now = std::fs::metadata(&self.path).map_err(|cause| failure(&self.path, cause))?;
        Ok(Look::at(&now) == self.look)
    }
}

/// Reads with `read` until the file did not change meanwhile; `read` gets it newly opened.
pub fn read_unchanged<T>(
    path: &Path,
    mut read: impl FnMut(&mut ZoneFile) -> T,
) -> Result<T, SourceError> {
    for _ in 0..READ_ATTEMPT_COUNT {
        let mut file = ZoneFile::open(path)?;
        let result = read(&mut file);
        if file.is_unchanged()? {
            return Ok(result);
        }
    }
    Err(SourceError::Changing { path: path.to_owned() })
}

/// The whole file at `path`.
pub fn read(path: &Path) -> Result<Vec<u8>, SourceError> {
    read_unchanged(path, |file| {
        let mut bytes = Vec::with_capacity(file.length() as usize);
        while !file.read_block(usize::MAX, &mut bytes)? {}
        Ok(bytes)
    })?
}

/// Gives a file another name; one that is not there needs none.
pub fn rename(path: &Path, to: &Path) -> io::Result<()> {
    match std::fs::rename(path, to) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(cause),
        _ => Ok(()),
    }
}

/// Removes a file; one that is not there is removed already.
pub fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(cause),
        _ => Ok(()),
    }
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

    /// Reads the whole file and does `meanwhile` before the second look.
    fn read_with(path: &Path, mut meanwhile: impl FnMut(u32)) -> Result<Vec<u8>, SourceError> {
        let mut attempt = 0;
        read_unchanged(path, |file| {
            let mut bytes = Vec::new();
            while !file.read_block(2, &mut bytes).unwrap() {}
            meanwhile(attempt);
            attempt += 1;
            bytes
        })
    }

    #[test]
    fn the_end_of_a_file_is_read_apart() {
        let file = file(b"one two");
        let mut open = ZoneFile::open(file.path()).unwrap();
        assert_eq!(open.tail(3).unwrap(), b"two");
        assert_eq!(open.tail(99).unwrap(), b"one two");
        open.rewind().unwrap();
        let mut bytes = Vec::new();
        assert!(open.read_block(99, &mut bytes).unwrap());
        assert_eq!(bytes, b"one two");
        remove(file.path()).unwrap();
        remove(file.path()).unwrap();
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
