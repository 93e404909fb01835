//! The host key: Ed25519, made at the first start, saved before it is used. In: a path. Out: the
//! key. Never: a new key in place of one that cannot be read, since clients would take the box for
//! another. Limits: a file of at most [`OCTETS_MAX`], in OpenSSH's form, without a passphrase.

use russh::keys::{Algorithm, PrivateKey, key::safe_rng, ssh_key, ssh_key::LineEnding};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

const OCTETS_MAX: u64 = 16 << 10;

/// Why there is no host key.
#[derive(Debug, thiserror::Error)]
pub enum HostKeyError {
    /// It cannot be read or written.
    #[error("{}: {cause}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's words.
        #[source]
        cause: io::Error,
    },
    /// Others may read it.
    #[error("{}: mode {mode:03o} lets others read it; chmod 600 it, or remove it: then a new one \
             is made, and clients have to be told", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It is not a key.
    #[error("{}: {cause}; put the right one back, or remove it: then a new one is made, and \
             clients have to be told", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the reader says.
        #[source]
        cause: ssh_key::Error,
    },
}

/// The key of the file; where there is no file, a new one.
pub fn load_or_make(path: &Path) -> Result<PrivateKey, HostKeyError> {
    let fault = |cause| HostKeyError::File { path: path.to_owned(), cause };
    let damaged = |cause| HostKeyError::Damaged { path: path.to_owned(), cause };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
            let key = PrivateKey::random(&mut safe_rng(), Algorithm::Ed25519).map_err(damaged)?;
            let text = key.to_openssh(LineEnding::LF).map_err(damaged)?;
            save(path, text.as_bytes()).map_err(fault)?;
            tracing::info!(target: "ssh-host", "made the host key {}", path.display());
            return Ok(key);
        }
        Err(cause) => return Err(fault(cause)),
    };
    let mode = file.metadata().map_err(fault)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(HostKeyError::Open { path: path.to_owned(), mode });
    }
    let mut text = String::new();
    file.take(OCTETS_MAX).read_to_string(&mut text).map_err(fault)?;
    PrivateKey::from_openssh(&text).map_err(damaged)
}

/// The file is whole or not there, whenever the power fails.
fn save(path: &Path, octets: &[u8]) -> io::Result<()> {
    let part = path.with_extension("part");
    // One that a start before left half written.
    if let Err(cause) = fs::remove_file(&part)
        && cause.kind() != io::ErrorKind::NotFound
    {
        return Err(cause);
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part)?;
    file.write_all(octets)?;
    file.sync_all()?;
    fs::rename(&part, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_once_and_never_replaced() {
        let folder =
            std::env::temp_dir().join(format!("anchorite-host-key-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("host_key");
        fs::write(path.with_extension("part"), "half").unwrap();
        let made = load_or_make(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(load_or_make(&path).unwrap().public_key(), made.public_key());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(load_or_make(&path), Err(HostKeyError::Open { mode: 0o640, .. })));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "no key").unwrap();
        assert!(matches!(load_or_make(&path), Err(HostKeyError::Damaged { .. })));
        assert_eq!(fs::read(&path).unwrap(), b"no key");
        assert!(matches!(
            load_or_make(&folder.join("nowhere/key")),
            Err(HostKeyError::File { .. })
        ));
        fs::remove_dir_all(&folder).unwrap();
    }
}
