//! The machine as kaspcheck asks about it: files, users, groups.
//! In: paths and names. Out: answers for [`appliance_config::Environment`].
//! Never: changes. Limit: of a file at most [`ZONELIST_BYTES_MAX`] bytes and one are read.

use crate::io::config_files;
use appliance_config::{Environment, FileKind, ZONELIST_BYTES_MAX};
use std::io;
use std::path::Path;

/// The machine that this program runs on.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemEnvironment;

impl Environment for SystemEnvironment {
    fn read(&self, path: &str) -> Option<Vec<u8>> {
        config_files::read(Path::new(path), ZONELIST_BYTES_MAX).ok()
    }

    fn kind(&self, path: &str) -> FileKind {
        kind(Path::new(path))
    }

    /// A file, when one of these holds:
    /// - the state store that goes with `path` ([`storage::state_path`]) is a file;
    /// - `path` itself is one, as on a machine that comes from OpenDNSSEC;
    /// - neither exists, but the folder in which the store will be made: a new installation,
    ///   where nothing is wrong. A path into a folder that does not exist stays an error.
    fn datastore_kind(&self, path: &str) -> FileKind {
        let path = Path::new(path);
        if path.as_os_str().is_empty() {
            return FileKind::Missing;
        }
        let store = storage::state_path(path);
        for found in [kind(&store), kind(path)] {
            if found != FileKind::Missing {
                return found;
            }
        }
        let folder = match store.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        match kind(folder) {
            FileKind::Directory => FileKind::File,
            unknown @ FileKind::Unknown { .. } => unknown,
            _ => FileKind::Missing,
        }
    }

    fn user_exists(&self, name: &str) -> bool {
        matches!(nix::unistd::User::from_name(name), Ok(Some(_)))
    }

    fn group_exists(&self, name: &str) -> bool {
        matches!(nix::unistd::Group::from_name(name), Ok(Some(_)))
    }
}

fn kind(path: &Path) -> FileKind {
    match std::fs::metadata(path) {
        Ok(found) if found.is_file() => FileKind::File,
        Ok(found) if found.is_dir() => FileKind::Directory,
        Ok(_) => FileKind::Other,
        Err(error) if error.kind() == io::ErrorKind::NotFound => FileKind::Missing,
        Err(error) => FileKind::Unknown { reason: reason(&error) },
    }
}

/// strerror's text: Rust's own form adds the number, which OpenDNSSEC's lines do not have.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let number = error.raw_os_error().unwrap_or_default();
    text.strip_suffix(&format!(" (os error {number})")).unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const ALL: SystemEnvironment = SystemEnvironment;

    fn text(path: &Path) -> &str {
        path.to_str().unwrap()
    }

    #[test]
    fn kinds_of_paths() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "abc").unwrap();
        assert_eq!(ALL.kind(text(&file)), FileKind::File);
        assert_eq!(ALL.kind(text(folder.path())), FileKind::Directory);
        assert_eq!(ALL.kind("/dev/null"), FileKind::Other);
        assert_eq!(ALL.kind(text(&folder.path().join("missing"))), FileKind::Missing);
        assert_eq!(ALL.read(text(&file)).unwrap(), b"abc");
        assert_eq!(ALL.read(text(folder.path())), None);
    }

    #[test]
    fn reasons_are_strerrors_words() {
        let reason = |path: &str| match ALL.kind(path) {
            FileKind::Unknown { reason } => reason,
            other => panic!("{other:?}"),
        };
        assert_eq!(reason("/etc/passwd/below"), "Not a directory");
        assert_eq!(reason(&format!("/{}", "x".repeat(300))), "File name too long");
        let folder = tempfile::tempdir().unwrap();
        let circle = folder.path().join("circle");
        std::os::unix::fs::symlink(&circle, &circle).unwrap();
        assert_eq!(reason(text(&circle)), "Too many levels of symbolic links");
    }

    #[test]
    fn datastore_of_a_new_installation_is_no_error_but_a_wrong_path_is() {
        let folder = tempfile::tempdir().unwrap();
        let kind = |name: &str| ALL.datastore_kind(text(&folder.path().join(name)));
        assert_eq!(kind("kasp.db"), FileKind::File);
        assert_eq!(kind("no-such-folder/kasp.db"), FileKind::Missing);
        assert_eq!(kind("no-such-folder/"), FileKind::Missing);
        assert_eq!(kind(""), FileKind::Directory);
        assert_eq!(ALL.datastore_kind(""), FileKind::Missing);
        assert_eq!(ALL.datastore_kind("kasp.db"), FileKind::File);
        fs::create_dir(folder.path().join("folder")).unwrap();
        assert_eq!(kind("folder"), FileKind::Directory);
    }

    #[test]
    fn datastore_exists_as_ours_or_as_opendnssecs() {
        let folder = tempfile::tempdir().unwrap();
        let kind = |name: &str| ALL.datastore_kind(text(&folder.path().join(name)));
        fs::write(folder.path().join("old.db"), "").unwrap();
        assert_eq!(kind("old.db"), FileKind::File);
        fs::write(folder.path().join("new.db.redb"), "").unwrap();
        assert_eq!(kind("new.db"), FileKind::File);
        fs::create_dir(folder.path().join("wrong.db.redb")).unwrap();
        assert_eq!(kind("wrong.db"), FileKind::Directory);
        let below_file = kind("old.db/kasp.db");
        assert_eq!(below_file, FileKind::Unknown { reason: "Not a directory".to_owned() });
    }

    #[test]
    fn users_and_groups() {
        assert!(ALL.user_exists("root") && ALL.group_exists("root"));
        assert!(!ALL.user_exists("no-such-user") && !ALL.group_exists("no-such-group"));
    }
}
