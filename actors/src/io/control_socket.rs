//! The daemon's control sockets: Unix stream sockets on which operators' commands come in.
//! In: paths. Out: listeners that nobody but root, the daemon's user and, if there is one, the
//! configured group can open (mode 0600 or 0660).
//!
//! A socket on which somebody answers is never taken; one that a dead daemon left is replaced.
//! Two daemons that start in the same moment can both find a dead one; the lock of the state file,
//! which a daemon takes first, decides between those of one installation.

use nix::unistd::{Gid, Group, chown};
use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Why there is no control socket.
#[derive(Debug, thiserror::Error)]
pub enum ControlSocketError {
    /// Another daemon listens there.
    #[error("another daemon answers at {}; stop it first", path.display())]
    InUse {
        /// The socket.
        path: PathBuf,
    },
    /// Something that is no socket lies there.
    #[error("{} is there and is not a socket; move it away", path.display())]
    NotASocket {
        /// The path.
        path: PathBuf,
    },
    /// What the system says.
    #[error(
        "cannot listen at {}: {cause}; <SocketFile> in conf.xml names another place",
        path.display()
    )]
    Unusable {
        /// The path.
        path: PathBuf,
        /// The system's words.
        #[source]
        cause: io::Error,
    },
    /// The group does not exist, or the daemon may not give it the socket.
    #[error("cannot give {} to the group {group}: {cause}", path.display())]
    Group {
        /// The path.
        path: PathBuf,
        /// `<Group>`.
        group: String,
        /// The system's words.
        #[source]
        cause: io::Error,
    },
}

/// A socket that is listened on; its file goes when this does.
#[derive(Debug)]
pub struct ControlSocket {
    listener: UnixListener,
    path: PathBuf,
    identity: (u64, u64),
}

impl ControlSocket {
    /// Listens at `path`. `group` may open the socket beside root and this process's user.
    pub fn listen(path: &Path, group: Option<&str>) -> Result<ControlSocket, ControlSocketError> {
        let fail = |cause| ControlSocketError::Unusable { path: path.to_owned(), cause };
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            DirBuilder::new().mode(0o755).recursive(true).create(folder).map_err(fail)?;
        }
        make_room(path)?;
        // Until the mode is set nobody else can connect: that takes the right to write, which no
        // usual umask gives to others.
        let listener = UnixListener::bind(path).map_err(fail)?;
        let mode = match group {
            Some(group) => {
                give_to(path, group)?;
                0o660
            }
            None => 0o600,
        };
        fs::set_permissions(path, Permissions::from_mode(mode)).map_err(fail)?;
        listener.set_nonblocking(true).map_err(fail)?;
        let identity = identity(path).map_err(fail)?;
        Ok(ControlSocket { listener, path: path.to_owned(), identity })
    }

    /// The listener, once more: one for each life of whoever accepts.
    pub fn listener(&self) -> io::Result<UnixListener> {
        self.listener.try_clone()
    }

    /// Where it listens.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes the file away: from now on nobody finds this daemon.
    pub fn remove_file(&self) {
        // Not what somebody else has put there meanwhile.
        if identity(&self.path).is_ok_and(|found| found == self.identity) {
            // A file that stays is replaced at the next start.
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        self.remove_file();
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let metadata = fs::symlink_metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}

/// Removes what a dead daemon left.
fn make_room(path: &Path) -> Result<(), ControlSocketError> {
    let fail = |cause| ControlSocketError::Unusable { path: path.to_owned(), cause };
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(fail(error)),
    };
    if !metadata.file_type().is_socket() {
        return Err(ControlSocketError::NotASocket { path: path.to_owned() });
    }
    match UnixStream::connect(path) {
        Ok(_) => Err(ControlSocketError::InUse { path: path.to_owned() }),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(fail)
        }
        // A full queue of connections is a sign of life, too.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            Err(ControlSocketError::InUse { path: path.to_owned() })
        }
        Err(error) => Err(fail(error)),
    }
}

fn give_to(path: &Path, group: &str) -> Result<(), ControlSocketError> {
    let fail =
        |cause| ControlSocketError::Group { path: path.to_owned(), group: group.to_owned(), cause };
    let found = Group::from_name(group).map_err(|code| fail(code.into()))?;
    let id: Gid = found.ok_or_else(|| fail(io::ErrorKind::NotFound.into()))?.gid;
    chown(path, None, Some(id)).map_err(|code| fail(code.into()))
}

/// Connections that the system closes when this process is gone, and nobody before.
static UNTIL_THE_END: Mutex<Vec<UnixStream>> = Mutex::new(Vec::new());

/// Keeps a connection open until the process has ended: its other end waits for that.
pub fn close_at_exit(stream: UnixStream) {
    UNTIL_THE_END.lock().unwrap_or_else(PoisonError::into_inner).push(stream);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_live_socket_is_not_taken_and_a_dead_one_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run/enforcer.sock");
        let first = ControlSocket::listen(&path, None).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let second = ControlSocket::listen(&path, None).unwrap_err();
        assert!(matches!(second, ControlSocketError::InUse { .. }), "{second}");
        drop(first);
        assert!(!path.exists());
        // What a killed daemon leaves: a file on which nobody listens.
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        let third = ControlSocket::listen(&path, None).unwrap();
        assert!(UnixStream::connect(third.path()).is_ok());
    }

    #[test]
    fn what_is_no_socket_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("enforcer.sock");
        fs::write(&path, "precious").unwrap();
        let error = ControlSocket::listen(&path, None).unwrap_err();
        assert!(matches!(error, ControlSocketError::NotASocket { .. }), "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"precious");
        let below = path.join("x.sock");
        let error = ControlSocket::listen(&below, None).unwrap_err();
        assert!(matches!(error, ControlSocketError::Unusable { .. }), "{error}");
    }

    #[test]
    fn a_group_that_does_not_exist_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("enforcer.sock");
        let error = ControlSocket::listen(&path, Some("no-such-group")).unwrap_err();
        assert!(error.to_string().contains("the group no-such-group"), "{error}");
    }

    #[test]
    fn a_socket_of_somebody_else_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("enforcer.sock");
        let ours = ControlSocket::listen(&path, None).unwrap();
        fs::remove_file(&path).unwrap();
        let _theirs = UnixListener::bind(&path).unwrap();
        drop(ours);
        assert!(path.exists());
    }
}
