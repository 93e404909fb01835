//! A daemon, an SSH host before it, and OpenSSH's client. In: keys and what they may. Out: what the
//! client prints, and its exit code.

use anchorite_tests::daemon::{Daemon, Installation, WAIT};
use anchorite_tests::program::anchorite;
use std::fs::Permissions;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

/// An installation, and the keys of those who come to it.
pub(crate) struct Front {
    pub(crate) installation: Installation,
}

/// The SSH host's process, and where it listens.
pub(crate) struct Host {
    pub(crate) process: Daemon,
    pub(crate) port: u16,
}

impl Front {
    /// With one zone, and these keys: name and options each.
    pub(crate) fn new(keys: &[(&str, &str)]) -> Front {
        let installation = Installation::new("default");
        installation.write_zonelist(&[("a.example", "default")]);
        installation.write_small_zone("a.example", 1, "www IN A 192.0.2.2");
        let front = Front { installation };
        let lines = keys.iter().map(|(name, options)| {
            let line = front.make_key(name, &["-t", "ed25519"]);
            format!("{options} {line}")
        });
        let text: String = lines.collect();
        front.authorize(&text);
        front
    }

    /// Makes a key. Its line for a file of authorized keys.
    pub(crate) fn make_key(&self, name: &str, kind: &[&str]) -> String {
        let path = self.installation.path(&format!("key-{name}"));
        let mut keygen = Command::new("ssh-keygen");
        keygen.args(["-q", "-N", "", "-C", name, "-f"]).arg(&path).args(kind);
        assert!(keygen.status().unwrap().success());
        self.installation.read(&format!("key-{name}.pub"))
    }

    /// Writes the file of authorized keys.
    pub(crate) fn authorize(&self, text: &str) {
        self.installation.write("authorized_keys", text);
        let path = self.installation.path("authorized_keys");
        std::fs::set_permissions(path, Permissions::from_mode(0o644)).unwrap();
    }

    pub(crate) fn host_command(&self) -> Command {
        let path = |name| self.installation.path(name);
        let mut command = Command::new(anchorite());
        command.args(["ssh-host", "--listen", "127.0.0.1:0"]);
        command.arg("--host-key").arg(path("host_key"));
        command.arg("--authorized-keys").arg(path("authorized_keys"));
        command.arg("--socket").arg(self.installation.socket());
        command
    }

    /// Starts the SSH host.
    pub(crate) fn host(&self) -> Host {
        self.host_that(&[])
    }

    /// The same with more options.
    pub(crate) fn host_that(&self, options: &[&str]) -> Host {
        let mut command = self.host_command();
        command.args(options);
        let mut process = Daemon::spawn(command);
        let line = process.wait_for(&["listening on"]);
        let port = line.trim_end().rsplit(':').next().unwrap().parse().unwrap();
        Host { process, port }
    }

    /// OpenSSH's client with the key of that name, and nothing of this machine's own settings.
    pub(crate) fn client(&self, host: &Host, name: &str, arguments: &[&str]) -> Command {
        let path = |name: &str| self.installation.path(name).display().to_string();
        let mut ssh = Command::new("ssh");
        ssh.args(["-F", "/dev/null", "-i", &path(&format!("key-{name}"))]);
        ssh.args(["-p", &host.port.to_string(), "-o", "IdentitiesOnly=yes"]);
        ssh.args(["-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=accept-new"]);
        ssh.args(["-o", &format!("UserKnownHostsFile={}", path("known_hosts"))]);
        ssh.args(["-o", "LogLevel=ERROR"]);
        ssh.args(["-o", &format!("HostKeyAlias={}", "box")]);
        ssh.args(arguments).env_remove("SSH_AUTH_SOCK").env_remove("DISPLAY");
        ssh.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        ssh
    }

    /// Runs a command, and gives exit code, standard output and standard error.
    pub(crate) fn run(&self, host: &Host, name: &str, line: &str) -> (i32, String, String) {
        said(self.client(host, name, &["127.0.0.1", line]).output().unwrap())
    }
}

/// Exit code, standard output and standard error.
pub(crate) fn said(output: Output) -> (i32, String, String) {
    let text = |octets| String::from_utf8_lossy(octets).into_owned();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

/// A client at a terminal.
pub(crate) struct Typist {
    pub(crate) client: Child,
    pub(crate) keyboard: ChildStdin,
    screen: Receiver<Vec<u8>>,
    transcript: String,
    seen: usize,
}

impl Typist {
    /// Starts a client that was told so with a terminal of 80 columns and 24 rows.
    pub(crate) fn new(mut client: Command) -> Typist {
        let mut client = client.stdin(Stdio::piped()).spawn().unwrap();
        let (keyboard, mut output) = (client.stdin.take().unwrap(), client.stdout.take().unwrap());
        let (sender, screen) = channel();
        std::thread::spawn(move || {
            let mut octets = [0; 4096];
            while let Ok(count @ 1..) = output.read(&mut octets) {
                if sender.send(octets[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        Typist { client, keyboard, screen, transcript: String::new(), seen: 0 }
    }

    /// Waits for a text on the screen. What came before it.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, text: &str) -> String {
        let deadline = Instant::now() + WAIT;
        loop {
            if let Some(at) = self.transcript[self.seen..].find(text) {
                let before = self.transcript[self.seen..self.seen + at].to_owned();
                self.seen += at + text.len();
                return before;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match self.screen.recv_timeout(left) {
                Ok(octets) => self.transcript.push_str(&String::from_utf8_lossy(&octets)),
                Err(why) => panic!("{text:?} did not come ({why}):\n{}", self.transcript),
            }
        }
    }

    pub(crate) fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
        self.keyboard.flush().unwrap();
    }

    /// Waits for the client's end. Its exit code.
    pub(crate) fn ended(mut self) -> Option<i32> {
        drop(self.keyboard);
        self.client.wait().unwrap().code()
    }
}
