//! What the tests of `anchorite audit-proxy` share: another signer, what is wrong with a zone, a
//! proxy that is started once or more often.

use anchorite_tests::daemon::{Daemon, WAIT, small_zone};
use anchorite_tests::peers::soa_serial;
use anchorite_tests::program::anchorite;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

pub(crate) const ZONE: &str = "foreign.example";
pub(crate) const NSEC: &[&str] = &[];
pub(crate) const NSEC3_OPT_OUT: &[&str] = &["-3", "ab", "-H", "0", "-A"];
/// Signatures that were good once.
pub(crate) const EXPIRED: &[&str] = &["-s", "20200101000000", "-e", "20200201000000"];

/// Another signer, with its keys.
pub(crate) struct Signer {
    pub(crate) folder: tempfile::TempDir,
}

#[track_caller]
pub(crate) fn run(command: &mut Command) -> Output {
    let output = command.output().expect("the tools are installed (cargo xtask setup)");
    assert!(output.status.success(), "{command:?}: {output:?}");
    output
}

impl Signer {
    pub(crate) fn new() -> Signer {
        let signer = Signer { folder: tempfile::tempdir().expect("a folder can be made") };
        for role in [&["-f", "KSK"][..], &[]] {
            let mut command = signer.command("dnssec-keygen");
            run(command.args(["-q", "-a", "13"]).args(role).arg(ZONE));
        }
        signer
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.folder.path());
        command
    }

    /// A signed version, one record a line.
    pub(crate) fn sign(&self, serial: u32, options: &[&str]) -> String {
        self.sign_with(serial, options, "")
    }

    /// The same with more records.
    pub(crate) fn sign_with(&self, serial: u32, options: &[&str], more: &str) -> String {
        let records = "www IN A 192.0.2.80\nmail IN A 192.0.2.25\nsub IN NS ns.other.example.\n\
                       *.wild IN TXT \"any\"";
        std::fs::write(
            self.path("zone"),
            small_zone(ZONE, serial, &format!("{records}\n{more}\n")),
        )
        .unwrap();
        let mut command = self.command("dnssec-signzone");
        command.args(["-S", "-P", "-O", "full", "-o", ZONE, "-f", "signed"]).args(options);
        run(command.arg("zone"));
        let text = std::fs::read_to_string(self.path("signed")).unwrap();
        // Written as it is loaded: comments are of no use to what is cut out below.
        text.lines().filter(|line| !line.starts_with(';')).map(|line| format!("{line}\n")).collect()
    }

    /// The DS that the parent has.
    pub(crate) fn ds(&self) -> String {
        let text = std::fs::read_to_string(self.path(&format!("dsset-{ZONE}."))).unwrap();
        text.lines().next().unwrap().split_once(" DS ").unwrap().1.trim().to_owned()
    }
}

/// Whether a line has this owner and these words behind it.
pub(crate) fn is_of(line: &str, owner: &str, words: &str) -> bool {
    let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
    line.starts_with(&format!("{owner}.{ZONE}. ")) && line.contains(words)
}

/// The text with another signature over the addresses of `owner`.
#[track_caller]
pub(crate) fn with_wrong_signature(text: &str, owner: &str) -> String {
    let mut changed = 0;
    let change = |line: &str| {
        if !is_of(line, owner, " RRSIG A ") {
            return format!("{line}\n");
        }
        changed += 1;
        // The signer's name is followed by base64.
        let (head, signature) = line.rsplit_once(&format!("{ZONE}. ")).unwrap();
        let first = if signature.starts_with('A') { 'B' } else { 'A' };
        format!("{head}{ZONE}. {first}{}\n", &signature[1..])
    };
    let text = text.lines().map(change).collect();
    assert_eq!(changed, 1);
    text
}

/// The text without the NSEC of `owner` and what signs it.
#[track_caller]
pub(crate) fn with_hole(text: &str, owner: &str) -> String {
    let is_gone = |line: &&str| is_of(line, owner, " NSEC ");
    assert_eq!(text.lines().filter(is_gone).count(), 2);
    text.lines().filter(|line| !is_gone(line)).map(|line| format!("{line}\n")).collect()
}

/// A proxy that is started once or more often.
pub(crate) struct Proxy {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) listen: SocketAddr,
    pub(crate) ds: Vec<String>,
    /// Further options.
    pub(crate) options: Vec<String>,
}

impl Proxy {
    pub(crate) fn new(listen: SocketAddr, primary: SocketAddr, ds: Vec<String>) -> Proxy {
        Proxy::telling(listen, primary, ds, &[])
    }

    /// The same, which tells these secondaries.
    pub(crate) fn telling(
        listen: SocketAddr,
        primary: SocketAddr,
        ds: Vec<String>,
        secondaries: &[SocketAddr],
    ) -> Proxy {
        let remote = |at: &SocketAddr| {
            let (address, port) = (at.ip(), at.port());
            format!("<Remote><Address>{address}</Address><Port>{port}</Port></Remote>")
        };
        let told: String = secondaries.iter().map(remote).collect();
        let told = if told.is_empty() { told } else { format!("<Notify>{told}</Notify>") };
        let folder = tempfile::tempdir().expect("a folder can be made");
        let (address, port) = (primary.ip(), primary.port());
        let text = format!(
            "<Adapter><DNS><Inbound><RequestTransfer><Remote><Address>{address}</Address>\
             <Port>{port}</Port></Remote></RequestTransfer>\
             <AllowNotify><Peer><Prefix>{address}</Prefix></Peer></AllowNotify></Inbound>\
             <Outbound><ProvideTransfer><Peer><Prefix>127.0.0.1</Prefix></Peer></ProvideTransfer>\
             {told}</Outbound></DNS></Adapter>\n"
        );
        std::fs::write(folder.path().join("addns.xml"), text).unwrap();
        Proxy { folder, listen, ds, options: Vec::new() }
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(anchorite());
        command.current_dir(self.folder.path()).args(["audit-proxy", ZONE, "--state", "state"]);
        command.args(["--transfers", "addns.xml", "--listen", &self.listen.to_string()]);
        command.args(&self.options);
        command.args(self.ds.iter().flat_map(|ds| ["--ds", ds]));
        command
    }

    pub(crate) fn start(&self) -> Daemon {
        Daemon::spawn(self.command())
    }

    pub(crate) fn serial(&self) -> Option<u32> {
        soa_serial(self.listen, ZONE, None)
    }

    /// Waits until this version is served.
    #[track_caller]
    pub(crate) fn wait_for_serial(&self, daemon: &mut Daemon, serial: u32) {
        let until = Instant::now() + WAIT;
        while self.serial() != Some(serial) {
            assert!(Instant::now() < until, "serial {:?}: {}", self.serial(), daemon.log());
            daemon.next_line(Duration::from_millis(20));
        }
    }

    /// What a command on the control socket says.
    pub(crate) fn command_says(&self, words: &[&str]) -> String {
        let socket: PathBuf = self.folder.path().join("state/proxy.sock");
        let output = Command::new(anchorite()).arg("-s").arg(socket).args(words).output().unwrap();
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    }
}
