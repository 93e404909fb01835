//! Pid files: the daemon's process number where init scripts look for it. OpenDNSSEC has two
//! daemons, so there are two files. In: paths. Out: files, gone with the daemon.
//! Never: proof that a daemon runs; the control sockets are that.

use std::fs;
use std::path::{Path, PathBuf};
use storage::{FileMode, ReplaceError, replace_file_unsynced};

const MODE: u32 = 0o644;

/// The files; they go when this does.
#[derive(Debug, Default)]
pub struct PidFiles(Vec<PathBuf>);

impl PidFiles {
    /// Writes this process's number into each file. Answers too which could not be written.
    pub fn write(paths: &[PathBuf]) -> (PidFiles, Vec<ReplaceError>) {
        let (mut files, mut errors) = (PidFiles::default(), Vec::new());
        for path in paths {
            match replace_file_unsynced(path, FileMode::PreservedOr(MODE), own().as_bytes()) {
                Ok(()) => files.0.push(path.clone()),
                Err(error) => errors.push(error),
            }
        }
        (files, errors)
    }
}

impl Drop for PidFiles {
    fn drop(&mut self) {
        // Not what another process has written meanwhile.
        let is_own = |path: &&PathBuf| fs::read(path).is_ok_and(|text| text == own().as_bytes());
        for path in self.0.iter().filter(is_own) {
            // One that stays names a process that is gone, as after a kill.
            let _ = fs::remove_file(path);
        }
    }
}

fn own() -> String {
    format!("{}\n", std::process::id())
}

/// The file of this name, or where it usually is: beside the socket, when that is elsewhere.
pub fn beside(socket: &Path, named: &Path, usual: &Path) -> PathBuf {
    match (named == usual, usual.file_name()) {
        (true, Some(name)) => socket.with_file_name(name),
        _ => named.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_have_the_number_and_go_unless_they_are_anothers() {
        let folder = tempfile::tempdir().unwrap();
        let paths =
            ["enforcerd.pid", "signerd.pid", "no/folder.pid"].map(|n| folder.path().join(n));
        let (files, errors) = PidFiles::write(&paths);
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert_eq!(fs::read_to_string(&paths[0]).unwrap(), own());
        fs::write(&paths[1], "1\n").unwrap();
        drop(files);
        assert!(!paths[0].exists() && paths[1].exists());
    }

    #[test]
    fn a_file_in_its_usual_place_follows_the_socket() {
        let usual = Path::new("/run/opendnssec/signerd.pid");
        let own = Path::new("/srv/signer/own.pid");
        let socket = Path::new("/srv/enforcer.sock");
        assert_eq!(beside(socket, usual, usual), Path::new("/srv/signerd.pid"));
        assert_eq!(beside(socket, own, usual), own);
    }
}
