//! The way to the daemon that the samples take: an SSH host beside it, and a key of the role
//! monitor. In: an installation. Out: the words of the samples that are other ones here.

use anchorite_tests::daemon::{Daemon, Installation};
use anchorite_tests::program::anchorite;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

/// A running SSH host.
pub(crate) struct Front {
    pub(crate) host: Daemon,
    port: u16,
}

impl Front {
    /// Makes the key, lets it in, and puts the host's key where the client looks for it: what the
    /// README of the samples says.
    pub(crate) fn new(installation: &Installation) -> Front {
        let path = |name: &str| installation.path(name);
        let mut keygen = Command::new("ssh-keygen");
        keygen.args(["-q", "-t", "ed25519", "-N", "", "-C", "nagios", "-f"]);
        assert!(keygen.arg(path("anchorite_key")).status().unwrap().success());
        let key = installation.read("anchorite_key.pub");
        installation.write("authorized_keys", &format!("role=\"monitor\",restrict {key}"));
        let readable = std::fs::Permissions::from_mode(0o644);
        std::fs::set_permissions(path("authorized_keys"), readable).unwrap();
        let front = Front::start(installation, 0);
        let mut keyscan = Command::new("ssh-keyscan");
        let port = front.port.to_string();
        let seen = keyscan.args(["-t", "ed25519", "-p", &port, "127.0.0.1"]).output().unwrap();
        installation.write("anchorite_known_hosts", &String::from_utf8(seen.stdout).unwrap());
        front
    }

    /// Starts the SSH host; on port 0, a free one.
    fn start(installation: &Installation, port: u16) -> Front {
        let path = |name: &str| installation.path(name);
        let mut command = Command::new(anchorite());
        command.args(["ssh-host", "--listen", &format!("127.0.0.1:{port}")]);
        command.arg("--host-key").arg(path("host_key"));
        command.arg("--authorized-keys").arg(path("authorized_keys"));
        command.arg("--socket").arg(installation.socket());
        let mut host = Daemon::spawn(command);
        let line = host.wait_for(&["listening on"]);
        let port = line.trim_end().rsplit(':').next().unwrap().parse().unwrap();
        Front { host, port }
    }

    /// Kills it; what starts it again, at the same port.
    pub(crate) fn kill(self, installation: &Installation) -> impl FnOnce() -> Front {
        let port = self.port;
        self.host.kill();
        move || Front::start(installation, port)
    }

    /// What stands in the samples, and what stands for it here.
    pub(crate) fn words(&self, installation: &Installation) -> Vec<(&'static str, String)> {
        let path = |name: &str| installation.path(name).display().to_string();
        vec![
            ("192.0.2.1", "127.0.0.1".to_owned()),
            ("_SSH_PORT 22", format!("_SSH_PORT {}", self.port)),
            ("/etc/nagios4/anchorite_key", path("anchorite_key")),
            ("/etc/nagios4/anchorite_known_hosts", path("anchorite_known_hosts")),
        ]
    }
}
