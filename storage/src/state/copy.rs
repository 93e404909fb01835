//! A copy of the state store while it is in use (`database backup` of OpenDNSSEC 1.x).
//! In: a path. Out: a store in a file of its own, at one moment between two commits, opened once
//! and found sound. Memory: one buffer. Transactions wait meanwhile.

use super::StateStore;
use super::error::{StateError, StateOperation};
use crate::replace::{FileMode, ReplaceError, replace_file};
use dnssec::Timestamp;
use std::fs::File;
use std::io;
use std::path::Path;

/// The copy is as secret as the store: for its owner only.
const MODE: FileMode = FileMode::Exactly(0o600);

impl StateStore {
    /// Writes a copy of the store to `path`, replacing what is there. Every commit is durable in
    /// the file when it ends, so the file between two commits is a store that was not closed,
    /// which opening it mends.
    pub fn copy_to(&self, path: &Path, now: Timestamp) -> Result<(), StateError> {
        let is_own = std::fs::canonicalize(path)
            .is_ok_and(|place| std::fs::canonicalize(&self.path).is_ok_and(|own| own == place));
        if is_own {
            return Err(StateError::Locked { path: path.to_owned() });
        }
        {
            // Held so that nothing is written meanwhile.
            let _handle = self.lock();
            replace_file(path, MODE, |out| io::copy(&mut File::open(&self.path)?, out)).map_err(
                |error: ReplaceError| StateError::Io {
                    path: path.to_owned(),
                    operation: StateOperation::Commit,
                    cause: io::Error::other(error),
                },
            )?;
        }
        StateStore::open(path, now).map(drop)
    }
}
