//! Zone snapshots: one file per zone and generation, written once, mapped read-only, checked
//! byte for byte at opening. The format is drawn in `FORMAT.md`.
//! In: opaque chunks in numbered sections. Out: the same chunks as slices of the mapping.
//! Never: which generation is true (the state store says that), what a chunk means.
//! Limits: named in `format`; a whole snapshot is mapped at once, which takes a 64-bit machine
//! for large zones.

mod cleanup;
pub(crate) mod format;
mod names;
mod read;
mod write;

pub use cleanup::{cleanup, cleanup_all, remove_generation};
pub use format::{FORMAT_VERSION, SECTION_COUNT_MAX, SectionNumber, SnapshotHeader};
pub use names::{journal_path, snapshot_path, zone_file_stem};
pub use read::{MappedBytes, Snapshot, open_snapshot, open_snapshot_file, read_header};
pub use write::{SnapshotSection, write_snapshot};

use crate::replace::ReplaceError;
use dnssec::Name;
use std::io;
use std::path::PathBuf;

/// The part of a snapshot file that an error is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotPart {
    /// Fixed fields, zone name and section table.
    Head,
    /// List of the chunks of a section.
    Directory {
        /// The section.
        section: SectionNumber,
    },
    /// A chunk.
    Chunk {
        /// Its section.
        section: SectionNumber,
        /// Its place in the section, from 0.
        index: usize,
    },
    /// Padding between the parts, found by the sum over the whole file.
    Padding,
    /// The last bytes of the file.
    Trailer,
}

impl std::fmt::Display for SnapshotPart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            SnapshotPart::Head => f.write_str("head"),
            SnapshotPart::Directory { section } => write!(f, "directory of section {}", section.0),
            SnapshotPart::Chunk { section, index } => {
                write!(f, "chunk {index} of section {}", section.0)
            }
            SnapshotPart::Padding => f.write_str("padding"),
            SnapshotPart::Trailer => f.write_str("trailer"),
        }
    }
}

/// Why a snapshot could not be written, opened or removed. Offsets are in bytes from the start
/// of the file.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The system refused an operation.
    #[error("snapshot {}: {operation:?} failed", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was being done.
        operation: SnapshotOperation,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// The file could not be written; no file of this generation is in place.
    #[error("snapshot not written")]
    NotWritten(#[from] ReplaceError),
    /// More or larger parts than the format has room for; nothing was written.
    #[error("snapshot {}: more than the format holds ({limit:?})", path.display())]
    TooLarge {
        /// The file that was to be written.
        path: PathBuf,
        /// The limit that was passed.
        limit: SnapshotLimit,
    },
    /// Not a snapshot at all.
    #[error("snapshot {}: offset 0: not a zone snapshot (wrong magic)", path.display())]
    WrongMagic {
        /// The file.
        path: PathBuf,
    },
    /// Written by a newer version of this program (or the version field is damaged).
    #[error("snapshot {}: offset 8: format version {found}, this program reads {}",
        path.display(), FORMAT_VERSION)]
    WrongVersion {
        /// The file.
        path: PathBuf,
        /// The version in the file.
        found: u16,
    },
    /// Shorter or longer than its head says: torn, or something was appended.
    #[error("snapshot {}: offset {found}: file ends here, its head says {expected} bytes",
        path.display())]
    WrongLength {
        /// The file.
        path: PathBuf,
        /// Length that the head states, or the least length of any snapshot.
        expected: u64,
        /// Length of the file.
        found: u64,
    },
    /// A checksum does not match, or a field has a value that no writer writes.
    #[error("snapshot {}: offset {offset}: the {part} is damaged", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// Where the damaged part starts.
        offset: u64,
        /// The damaged part.
        part: SnapshotPart,
    },
    /// Sound, but of another zone.
    #[error("snapshot {}: offset 64: is of zone {found}, not of {expected}", path.display())]
    WrongZone {
        /// The file.
        path: PathBuf,
        /// The zone asked for.
        expected: Box<Name>,
        /// The zone in the file.
        found: Box<Name>,
    },
    /// Sound, but of another generation than its name says.
    #[error("snapshot {}: offset 24: is of generation {found}, not of {expected}",
        path.display())]
    WrongGeneration {
        /// The file.
        path: PathBuf,
        /// The generation asked for.
        expected: u64,
        /// The generation in the file.
        found: u64,
    },
}

/// A limit of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotLimit {
    /// At most [`SECTION_COUNT_MAX`] sections, each number once.
    Sections,
    /// A chunk has less than 4 GiB.
    ChunkLength,
}

/// What was being done with a snapshot file when the system refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotOperation {
    /// Creating the folder of the snapshots.
    CreateFolder,
    /// Opening.
    Open,
    /// Reading the head.
    Read,
    /// Mapping into memory.
    Map,
    /// Listing the folder.
    List,
    /// Removing.
    Remove,
}

impl SnapshotError {
    /// Whether the disk was full: freeing space and trying again helps.
    pub fn is_disk_full(&self) -> bool {
        matches!(self, SnapshotError::NotWritten(ReplaceError::DiskFull { .. }))
    }
}

#[cfg(test)]
mod tests;
