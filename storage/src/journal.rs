//! Zone journals: the differences that came after a snapshot, in segments that are only appended
//! to. The format is drawn in `FORMAT.md`.
//! In: differences between versions, as bytes. Out: the same after any crash, in order; what the
//! disk has lost of them is reported by place and kind, and what is good before it still comes.
//!
//! A zone has a segment for each generation: what came after the snapshot of that generation.
//! Compaction takes the true version v, begins segment G+1 at v ([`Journal::create`]), writes
//! snapshot G+1 of v while new versions go to that segment, commits generation G+1 and removes
//! generation G. A crash between loses nothing: snapshot G and segments G and G+1 make the same
//! versions. Two rules make that sound: a segment ends where the next one starts, and what lies
//! after the committed serial was never published, so [`recover`] takes it off the disk.
//! Never: which serial is true (the state store says that), what records mean.
//! Limits: [`RECORD_LENGTH_MAX`]; one process has a journal open.

mod alone;
mod format;
mod medium;
mod read;
mod recover;
mod search;
mod segment;

pub use crate::snapshot::journal_path;
pub use alone::{Alone, read_alone};
pub use format::FORMAT_VERSION;
pub use recover::{Recovered, recover, recover_each};
pub use segment::Journal;

use crate::replace::{ReplaceError, is_disk_full};
use crate::snapshot::SnapshotError;
use dnssec::{Serial, Timestamp};
use std::io;
use std::path::PathBuf;

/// Longest payload of a record, in bytes: 1 GiB. Checked before anything is allocated.
pub const RECORD_LENGTH_MAX: u32 = 1 << 30;

/// Records that a version lost and got, in wire form without name compression. Storage does not
/// look into them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Records {
    /// Records of the version before that are not in this one.
    pub removed: Vec<u8>,
    /// Records of this version that were not in the one before.
    pub added: Vec<u8>,
}

/// The difference between a version and the one before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalEntry {
    /// Output serial of the version before.
    pub from: Serial,
    /// Output serial of this version; after `from` (RFC 1982 §3.2).
    pub to: Serial,
    /// Serial of the unsigned input that this version was made from.
    pub input_serial: Option<Serial>,
    /// When this version was signed.
    pub signed_at: Timestamp,
    /// Difference of the signed zone.
    pub signed: Records,
    /// Difference of its unsigned source.
    pub source: Records,
}

/// Why a journal could not be written or opened.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// No space or no quota left; the journal is as it was.
    #[error("journal {}: disk full; nothing was changed, free some space", path.display())]
    DiskFull {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// The system refused an operation.
    #[error("journal {}: {operation:?} failed", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was being done.
        operation: JournalOperation,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// A new segment could not be written.
    #[error("journal segment not begun")]
    NotBegun(#[from] ReplaceError),
    /// The snapshot that the journal follows cannot be read.
    #[error("journal without its snapshot")]
    Snapshot(#[from] SnapshotError),
    /// The entry would have a longer payload than [`RECORD_LENGTH_MAX`]; nothing was written.
    #[error("journal {}: the entry to serial {to} has {length} bytes, at most {} are possible",
        path.display(), RECORD_LENGTH_MAX)]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Serial that the entry leads to.
        to: Serial,
        /// Length it could have.
        length: u64,
    },
    /// The entry does not start where the journal ends, or its serial does not rise; nothing was
    /// written.
    #[error("journal {}: ends at serial {last}; an entry from {from} to {to} does not follow",
        path.display())]
    NotNext {
        /// The file.
        path: PathBuf,
        /// Serial that the journal leads to.
        last: Serial,
        /// Where the entry starts.
        from: Serial,
        /// Where it leads to.
        to: Serial,
    },
    /// A write failed earlier, and the file could not be cut back: nothing more is appended. A
    /// new segment of the next generation goes on.
    #[error("journal {}: closed by an earlier failure", path.display())]
    Closed {
        /// The file.
        path: PathBuf,
    },
    /// The segment in place leads to the serial that the new one is to start at: to replace it
    /// would lose how to get there. Nothing was changed.
    #[error("journal {}: holds the way to serial {start}, it is not begun anew", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
        /// Where the new segment was to start.
        start: Serial,
    },
}

/// What was being done with a segment when the system refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JournalOperation {
    /// Creating the folder.
    CreateFolder,
    /// Opening.
    Open,
    /// Writing an entry.
    Write,
    /// Making an entry durable.
    Sync,
    /// Cutting off what was never committed.
    Cut,
    /// Removing a segment that was never committed to.
    Remove,
}

impl JournalError {
    /// Whether the disk was full: freeing space and trying again helps.
    pub fn is_disk_full(&self) -> bool {
        match self {
            JournalError::DiskFull { .. } => true,
            JournalError::NotBegun(error) => matches!(error, ReplaceError::DiskFull { .. }),
            _ => false,
        }
    }
}

fn io_error(path: &std::path::Path, operation: JournalOperation, cause: io::Error) -> JournalError {
    let path = path.to_owned();
    match is_disk_full(&cause) {
        true => JournalError::DiskFull { path, cause },
        false => JournalError::Io { path, operation, cause },
    }
}

/// Committed versions that cannot be read back. It is a value, not an error: the versions before
/// are there.
#[derive(Debug, thiserror::Error)]
#[error("journal {}: offset {offset}: {kind}; nothing is known of the versions after serial \
    {known}{}", path.display(), up_to(*committed))]
pub struct Damage {
    /// The segment.
    pub path: PathBuf,
    /// Where its first bad byte may be, in bytes from the start of the file.
    pub offset: u64,
    /// The last serial that is known.
    pub known: Serial,
    /// The committed serial, which was not reached.
    pub committed: Option<Serial>,
    /// What is wrong there.
    pub kind: DamageKind,
}

fn up_to(committed: Option<Serial>) -> String {
    committed.map_or(String::new(), |serial| format!(" up to {serial}"))
}

/// What is wrong with a journal.
#[derive(Debug, thiserror::Error)]
pub enum DamageKind {
    /// There is no such file.
    #[error("the segment is missing")]
    Missing,
    /// The system cannot read it.
    #[error("the segment cannot be read: {0}")]
    Unreadable(io::Error),
    /// The head is torn or damaged, or of another zone or generation.
    #[error("the head is damaged")]
    Head,
    /// Format or entry of a newer version of this program (or the field is damaged).
    #[error("written in version {found}, which this program does not read")]
    Newer {
        /// The version found.
        found: u16,
    },
    /// The file ends in the middle of a record, or in one whose bytes did not all reach the
    /// disk: a write that was cut short.
    #[error("the last record is torn")]
    Torn,
    /// A record in the middle is damaged: whole ones follow it.
    #[error("a record is damaged, the next whole one is at offset {next}")]
    Record {
        /// Where the next whole record is, in bytes from the start of the file.
        next: u64,
    },
    /// The bytes are whole, but do not follow what is before them, or go past the committed
    /// serial.
    #[error("an entry from serial {from} does not follow")]
    NotNext {
        /// Where the entry, or the segment, starts.
        from: Serial,
    },
    /// The file ends after a whole record, and no other segment goes on.
    #[error("the segment ends early")]
    EndsEarly,
}

#[cfg(test)]
mod tests;
