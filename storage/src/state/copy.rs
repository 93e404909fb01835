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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::PolicyState;

    const NOW: Timestamp = Timestamp(1_800_000_000);

    #[test]
    fn a_copy_holds_what_was_committed_and_lives_apart() {
        let folder = tempfile::tempdir().unwrap();
        let (path, copy) = (folder.path().join("state.redb"), folder.path().join("copy.redb"));
        let store = StateStore::open(&path, NOW).unwrap();
        let salt = |byte| PolicyState { salt: vec![byte], salt_changed: NOW };
        store.policy_put("default", &salt(1)).unwrap();
        store.copy_to(&copy, NOW).unwrap();
        store.policy_put("default", &salt(2)).unwrap();
        let read = |store: &StateStore| store.policy("default").unwrap();
        let other = StateStore::open(&copy, NOW).unwrap();
        assert_eq!((read(&store), read(&other)), (Some(salt(2)), Some(salt(1))));
        drop(other);
        // The next copy takes its place.
        store.copy_to(&copy, NOW).unwrap();
        assert_eq!(read(&StateStore::open(&copy, NOW).unwrap()), Some(salt(2)));
    }

    #[test]
    fn the_store_is_not_copied_over_itself() {
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("state.redb"), folder.path().join("link"));
        let store = StateStore::open(&path, NOW).unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        for place in [&path, &link] {
            assert!(matches!(store.copy_to(place, NOW), Err(StateError::Locked { .. })));
        }
        let nowhere = folder.path().join("no/folder");
        assert!(matches!(store.copy_to(&nowhere, NOW), Err(StateError::Io { .. })));
        assert_eq!(store.created().unwrap(), NOW);
    }
}
