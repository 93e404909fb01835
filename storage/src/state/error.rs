//! Errors of the state store. In: what redb and the system say. Out: one enum for callers, with
//! the file, the cause and the remedy.

use super::records::KeyState;
use crate::replace::is_disk_full;
use dnssec::key::KeyId;
use dnssec::{Name, Serial};
use std::io;
use std::path::{Path, PathBuf};

/// What the store was doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateOperation {
    /// Opening or making the file.
    Open,
    /// Taking the lock that keeps a second process out.
    Lock,
    /// Reading.
    Read,
    /// Writing a transaction.
    Commit,
}

/// Why the state store did not do what it was asked. A transaction that failed is not applied;
/// only after an I/O error in a commit (`DiskFull`, `Io`, `SyncFailed`) it may be durable as a
/// whole all the same: read again, or repeat it (every operation may be repeated).
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The path names a folder.
    #[error("state store {}: is a directory, a file was expected", path.display())]
    IsDirectory {
        /// The path.
        path: PathBuf,
    },
    /// The path's folder does not exist.
    #[error("state store {}: its folder does not exist, create it first", path.display())]
    NoFolder {
        /// The path.
        path: PathBuf,
    },
    /// Not allowed to open or make the file.
    #[error("state store {}: not permitted; check owner and mode of the file and its folder",
        path.display())]
    PermissionDenied {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// Another process has it open.
    #[error("state store {}: in use by another process; is a second daemon running?",
        path.display())]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// A sound redb file of something else, an empty file, or a device.
    #[error("state store {}: exists, but is not one of ours; name another file", path.display())]
    NotAStateStore {
        /// The file.
        path: PathBuf,
    },
    /// Made by a newer version of this program.
    #[error("state store {}: format {found}, this program reads {}; install the newer version \
        again", path.display(), super::FORMAT_VERSION)]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// The format of the file.
        found: u32,
    },
    /// Damaged: pages whose checksum is wrong, or no redb file at all.
    #[error("state store {}: damaged; stop, move it aside and restore it from backup",
        path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What redb found.
        #[source]
        cause: Box<redb::Error>,
    },
    /// A value that does not decode although its page is sound.
    #[error("state store {}: table {table}: {problem:?}", path.display())]
    BadValue {
        /// The file.
        path: PathBuf,
        /// The table.
        table: &'static str,
        /// What is wrong with it.
        problem: ValueProblem,
    },
    /// No space or no quota left. The next call tries again.
    #[error("state store {}: disk full; free some space, nothing else is needed", path.display())]
    DiskFull {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// A sync failed, now or before: what is on the disk is unknown. The store does no more work
    /// in this process.
    #[error("state store {}: the disk did not sync; check the disk, then restart",
        path.display())]
    SyncFailed {
        /// The file.
        path: PathBuf,
    },
    /// The system refused an operation.
    #[error("state store {}: {operation:?} failed", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was being done.
        operation: StateOperation,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// redb refused an operation.
    #[error("state store {}: {operation:?} failed", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// What was being done.
        operation: StateOperation,
        /// What redb said.
        #[source]
        cause: Box<redb::Error>,
    },
    /// No such zone in the store.
    #[error("zone {zone}: not known")]
    ZoneUnknown {
        /// The zone.
        zone: Box<Name>,
    },
    /// The zone is there already.
    #[error("zone {zone}: known already")]
    ZoneExists {
        /// The zone.
        zone: Box<Name>,
    },
    /// A version whose serial is not after the last one (RFC 1982 §3.2), or that has none.
    #[error("zone {zone}: serial must rise above {last}, got {new:?}")]
    SerialNotRising {
        /// The zone.
        zone: Box<Name>,
        /// The last serial ever committed.
        last: Serial,
        /// The serial refused.
        new: Option<Serial>,
    },
    /// A version without a serial.
    #[error("zone {zone}: a version needs a serial")]
    SerialMissing {
        /// The zone.
        zone: Box<Name>,
    },
    /// A generation that is not after the true one, or one that changed where it must not.
    #[error("zone {zone}: generation {new} does not follow {last}")]
    WrongGeneration {
        /// The zone.
        zone: Box<Name>,
        /// The true generation.
        last: u64,
        /// The generation refused.
        new: u64,
    },
    /// No such key in the store.
    #[error("repository {repository}: key {id}: not known")]
    KeyUnknown {
        /// The repository.
        repository: String,
        /// The key.
        id: KeyId,
    },
    /// The CKA_ID is taken.
    #[error("repository {repository}: key {id}: known already")]
    KeyExists {
        /// The repository.
        repository: String,
        /// The key.
        id: KeyId,
    },
    /// The key's record says something else than the caller: another public key or state.
    #[error("repository {repository}: key {id}: its record ({state:?}) says otherwise")]
    KeyConflict {
        /// The repository.
        repository: String,
        /// The key.
        id: KeyId,
        /// The state of the record.
        state: KeyState,
    },
}

/// What is wrong with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueProblem {
    /// Its version byte is unknown: written by a newer version of this program.
    Newer {
        /// The version byte.
        version: u8,
    },
    /// It ends early, has bytes left over, or a field is out of range.
    Malformed,
    /// It should be there.
    Missing,
}

impl StateError {
    /// Whether the disk was full: freeing space and trying again helps.
    pub fn is_disk_full(&self) -> bool {
        matches!(self, StateError::DiskFull { .. })
    }
}

/// What can go wrong within a transaction, before the file's path is attached.
pub(super) enum Failure {
    Redb(Box<redb::Error>),
    Value { table: &'static str, problem: ValueProblem },
    State(Box<StateError>),
}

impl Failure {
    /// Whether redb refuses everything on its handle from now on.
    pub(super) fn ends_handle(&self) -> bool {
        match self {
            Failure::Redb(error) => matches!(
                **error,
                redb::Error::Io(_)
                    | redb::Error::PreviousIo
                    | redb::Error::Corrupted(_)
                    | redb::Error::DatabaseClosed
                    | redb::Error::LockPoisoned(_)
            ),
            Failure::Value { .. } | Failure::State(_) => false,
        }
    }

    pub(super) fn into_state_error(self, path: &Path, operation: StateOperation) -> StateError {
        let path = path.to_owned();
        let cause = match self {
            Failure::State(error) => return *error,
            Failure::Value { table, problem } => {
                return StateError::BadValue { path, table, problem };
            }
            Failure::Redb(cause) => cause,
        };
        match *cause {
            redb::Error::Io(cause) if is_disk_full(&cause) => StateError::DiskFull { path, cause },
            // redb's word for "these bytes are no database".
            redb::Error::Io(cause) if cause.kind() == io::ErrorKind::InvalidData => {
                StateError::Corrupt { path, cause: Box::new(redb::Error::Io(cause)) }
            }
            redb::Error::Io(cause) => StateError::Io { path, operation, cause },
            redb::Error::DatabaseAlreadyOpen => StateError::Locked { path },
            corrupt @ redb::Error::Corrupted(_) => {
                StateError::Corrupt { path, cause: Box::new(corrupt) }
            }
            other => StateError::Database { path, operation, cause: Box::new(other) },
        }
    }
}

impl From<StateError> for Failure {
    fn from(error: StateError) -> Failure {
        Failure::State(Box::new(error))
    }
}

macro_rules! from_redb {
    ($($error:ty),*) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Failure {
                Failure::Redb(Box::new(error.into()))
            }
        }
    )*};
}

from_redb!(
    redb::CommitError,
    redb::DatabaseError,
    redb::SetDurabilityError,
    redb::StorageError,
    redb::TableError,
    redb::TransactionError
);
