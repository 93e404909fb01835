//! BIND's `named` on loopback as a signed parent. In: records of the zone `example.`, and what is
//! to be wrong about them. Out: a server, and the anchor that its answers verify to.
//! `named` loads what it is given, signed rightly or not. Never: sleeps; every wait is for a line
//! of its log. A server that is dropped is killed.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use anchorite_tests::daemon::WAIT;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// The parent.
const PARENT: &str = "example";

/// How the parent denies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chain {
    Nsec,
    /// NSEC3 with opt-out: delegations without a DS have no record.
    OptOut,
}

/// How a version of the parent is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signed {
    /// As it should be.
    Well,
    /// Not at all.
    Not,
    /// Until yesterday.
    Expired,
}

pub(crate) struct Named {
    folder: tempfile::TempDir,
    child: Child,
    lines: Receiver<String>,
    chain: Chain,
    serial: u32,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

impl Named {
    /// A parent with keys of its own and nothing but itself.
    pub(crate) fn start(chain: Chain) -> Named {
        let folder = tempfile::tempdir().unwrap();
        keys(folder.path());
        std::fs::write(folder.path().join("zone"), sign(folder.path(), chain, 1, "", Signed::Well))
            .unwrap();
        // Both ports were free a moment ago; where somebody else was faster, others are tried.
        for _ in 0..10 {
            let address = free_address();
            write_configuration(folder.path(), address);
            let (mut child, lines) = spawn(folder.path());
            if wait_for(&lines, &["all zones loaded", "exiting"]).ends_with("all zones loaded") {
                return Named { folder, child, lines, chain, serial: 1, address };
            }
            child.wait().unwrap();
        }
        panic!("named does not start on any of ten ports");
    }

    /// The anchor: DS records of its KSK, one line each.
    pub(crate) fn anchor(&self) -> String {
        let text = std::fs::read_to_string(self.path(&format!("dsset-{PARENT}."))).unwrap();
        let sha256 = text.lines().find(|line| line.split_whitespace().nth(5) == Some("2"));
        sha256.unwrap().to_owned()
    }

    /// Serves a version with these records more; `change` is done to its signed text.
    pub(crate) fn serve(&mut self, records: &str, signed: Signed, change: impl Fn(&str) -> String) {
        self.serial += 1;
        let text = sign(self.folder.path(), self.chain, self.serial, records, signed);
        let changed = change(&text);
        std::fs::write(self.path("new"), changed).unwrap();
        std::fs::rename(self.path("new"), self.path("zone")).unwrap();
        kill(Pid::from_raw(self.child.id() as i32), Signal::SIGHUP).unwrap();
        let loaded = format!("zone {PARENT}/IN: loaded serial {}", self.serial);
        wait_for(&self.lines, &[&loaded]);
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// Waits for a line with one of these.
#[track_caller]
fn wait_for(lines: &Receiver<String>, fragments: &[&str]) -> String {
    let until = Instant::now() + WAIT;
    let mut seen = Vec::new();
    loop {
        match lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(line) if fragments.iter().any(|fragment| line.contains(fragment)) => return line,
            Ok(line) => seen.push(line),
            Err(error) => panic!("named: no {fragments:?} ({error}): {}", seen.join("\n")),
        }
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        // Both fail when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// RDATA of the DSYNC record for NOTIFY(CDS) to a port of scanner.example, in the form that every
/// server reads (RFC 3597 §5).
pub(crate) fn dsync(port: u16) -> String {
    let mut rdata = vec![0, 59, 1];
    rdata.extend(port.to_be_bytes());
    rdata.extend(b"\x07scanner\x07example\x00");
    let hex: String = rdata.iter().map(|octet| format!("{octet:02x}")).collect();
    format!("TYPE66 \\# {} {hex}", rdata.len())
}

fn free_address() -> SocketAddr {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = socket.local_addr().unwrap();
    match TcpListener::bind(address) {
        Ok(_) => address,
        Err(_) => free_address(),
    }
}

fn spawn(folder: &Path) -> (Child, Receiver<String>) {
    let mut command = Command::new("named");
    command.args(["-g", "-c"]).arg(folder.join("named.conf")).current_dir(folder);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("named is installed (cargo xtask setup)");
    let stderr = child.stderr.take().unwrap();
    let (sender, lines) = channel();
    // Ends with the pipe, or when nobody wants the lines any more.
    std::thread::spawn(move || {
        for line in BufReader::new(stderr).split(b'\n').map_while(Result::ok) {
            if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                return;
            }
        }
    });
    (child, lines)
}

fn write_configuration(folder: &Path, address: SocketAddr) {
    let text = format!(
        "options {{ directory \"{0}\"; pid-file none; session-keyfile none; recursion no;\n\
         listen-on port {1} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; notify no;\n\
         dnssec-validation no; allow-query {{ 127.0.0.1; }}; }};\n\
         controls {{ }};\n\
         zone \"{PARENT}\" {{ type primary; file \"{0}/zone\"; }};\n",
        folder.display(),
        address.port()
    );
    std::fs::write(folder.join("named.conf"), text).unwrap();
}

fn run(command: &mut Command) {
    let output = command.output().expect("BIND's tools are installed (cargo xtask setup)");
    assert!(output.status.success(), "{command:?}: {output:?}");
}

fn keys(folder: &Path) {
    let keygen = || {
        let mut command = Command::new("dnssec-keygen");
        command.args(["-q", "-a", "ECDSAP256SHA256", "-K"]).arg(folder);
        command
    };
    run(keygen().args(["-f", "KSK", PARENT]));
    run(keygen().arg(PARENT));
}

/// The text of a version.
fn sign(folder: &Path, chain: Chain, serial: u32, records: &str, signed: Signed) -> String {
    // Other delegations on both sides, so that the chain has links between them.
    let text = format!(
        "$ORIGIN {PARENT}.\n$TTL 300\n@ SOA ns hostmaster {serial} 3600 600 86400 60\n@ NS ns\n\
         ns A 127.0.0.1\nscanner A 127.0.0.1\nalpha NS ns.alpha\nns.alpha A 192.0.2.1\n\
         ods1 NS ns.ods1\nns.ods1 A 192.0.2.2\nzulu NS ns.zulu\nns.zulu A 192.0.2.3\n{records}\n"
    );
    std::fs::write(folder.join("unsigned"), &text).unwrap();
    if signed == Signed::Not {
        return text;
    }
    let mut command = Command::new("dnssec-signzone");
    command.current_dir(folder).args(["-q", "-S", "-K", ".", "-o", PARENT, "-f", "signed"]);
    command.args(match signed {
        Signed::Expired => ["-s", "now-20d", "-e", "now-1d", "-P"],
        _ => ["-s", "now-1d", "-e", "now+400d", "-P"],
    });
    if chain == Chain::OptOut {
        command.args(["-3", "-", "-A", "-H", "0"]);
    }
    run(command.args(["-O", "full", "unsigned"]));
    std::fs::read_to_string(folder.join("signed")).unwrap()
}
