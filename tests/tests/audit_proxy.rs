//! `anchorite audit-proxy` between other people's signers and whoever transfers the zone: good
//! versions pass unchanged, bad ones do not, and the last good one stays.
//! Signer: dnssec-signzone of BIND. Primary: named or knotd.

use anchorite_tests::daemon::{Daemon, Installation, WAIT, small_zone};
use anchorite_tests::peers::{Peer, Setup, Software, axfr, free_address, soa_serial};
use anchorite_tests::program::anchorite;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

const ZONE: &str = "foreign.example";
const NSEC: &[&str] = &[];
const NSEC3_OPT_OUT: &[&str] = &["-3", "ab", "-H", "0", "-A"];
/// Signatures that were good once.
const EXPIRED: &[&str] = &["-s", "20200101000000", "-e", "20200201000000"];

/// Another signer, with its keys.
struct Signer {
    folder: tempfile::TempDir,
}

#[track_caller]
fn run(command: &mut Command) -> Output {
    let output = command.output().expect("the tools are installed (cargo xtask setup)");
    assert!(output.status.success(), "{command:?}: {output:?}");
    output
}

impl Signer {
    fn new() -> Signer {
        let signer = Signer { folder: tempfile::tempdir().expect("a folder can be made") };
        for role in [&["-f", "KSK"][..], &[]] {
            let mut command = signer.command("dnssec-keygen");
            run(command.args(["-q", "-a", "13"]).args(role).arg(ZONE));
        }
        signer
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.folder.path());
        command
    }

    /// A signed version, one record a line.
    fn sign(&self, serial: u32, options: &[&str]) -> String {
        let records = "www IN A 192.0.2.80\nmail IN A 192.0.2.25\nsub IN NS ns.other.example.\n\
                       *.wild IN TXT \"any\"";
        std::fs::write(self.path("zone"), small_zone(ZONE, serial, records)).unwrap();
        let mut command = self.command("dnssec-signzone");
        command.args(["-S", "-P", "-O", "full", "-o", ZONE, "-f", "signed"]).args(options);
        run(command.arg("zone"));
        let text = std::fs::read_to_string(self.path("signed")).unwrap();
        // Written as it is loaded: comments are of no use to what is cut out below.
        text.lines().filter(|line| !line.starts_with(';')).map(|line| format!("{line}\n")).collect()
    }

    /// The DS that the parent has.
    fn ds(&self) -> String {
        let text = std::fs::read_to_string(self.path(&format!("dsset-{ZONE}."))).unwrap();
        text.lines().next().unwrap().split_once(" DS ").unwrap().1.trim().to_owned()
    }
}

/// Whether a line has this owner and these words behind it.
fn is_of(line: &str, owner: &str, words: &str) -> bool {
    let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
    line.starts_with(&format!("{owner}.{ZONE}. ")) && line.contains(words)
}

/// The text with another signature over the addresses of `owner`.
#[track_caller]
fn with_wrong_signature(text: &str, owner: &str) -> String {
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
fn with_hole(text: &str, owner: &str) -> String {
    let is_gone = |line: &&str| is_of(line, owner, " NSEC ");
    assert_eq!(text.lines().filter(is_gone).count(), 2);
    text.lines().filter(|line| !is_gone(line)).map(|line| format!("{line}\n")).collect()
}

/// A proxy that is started once or more often.
struct Proxy {
    folder: tempfile::TempDir,
    listen: SocketAddr,
    ds: Vec<String>,
}

impl Proxy {
    fn new(listen: SocketAddr, primary: SocketAddr, ds: Vec<String>) -> Proxy {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let (address, port) = (primary.ip(), primary.port());
        let text = format!(
            "<Adapter><DNS><Inbound><RequestTransfer><Remote><Address>{address}</Address>\
             <Port>{port}</Port></Remote></RequestTransfer>\
             <AllowNotify><Peer><Prefix>{address}</Prefix></Peer></AllowNotify></Inbound>\
             <Outbound><ProvideTransfer><Peer><Prefix>127.0.0.1</Prefix></Peer></ProvideTransfer>\
             </Outbound></DNS></Adapter>\n"
        );
        std::fs::write(folder.path().join("addns.xml"), text).unwrap();
        Proxy { folder, listen, ds }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(anchorite());
        command.current_dir(self.folder.path()).args(["audit-proxy", ZONE, "--state", "state"]);
        command.args(["--transfers", "addns.xml", "--listen", &self.listen.to_string()]);
        command.args(self.ds.iter().flat_map(|ds| ["--ds", ds]));
        command
    }

    fn start(&self) -> Daemon {
        Daemon::spawn(self.command())
    }

    fn serial(&self) -> Option<u32> {
        soa_serial(self.listen, ZONE, None)
    }

    /// Waits until this version is served.
    #[track_caller]
    fn wait_for_serial(&self, daemon: &mut Daemon, serial: u32) {
        let until = Instant::now() + WAIT;
        while self.serial() != Some(serial) {
            assert!(Instant::now() < until, "serial {:?}: {}", self.serial(), daemon.log());
            daemon.next_line(Duration::from_millis(20));
        }
    }

    /// What a command on the control socket says.
    fn command_says(&self, words: &[&str]) -> String {
        let socket: PathBuf = self.folder.path().join("state/proxy.sock");
        let output = Command::new(anchorite()).arg("-s").arg(socket).args(words).output().unwrap();
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    }
}

#[track_caller]
fn approves(daemon: &mut Daemon, serial: u32) {
    daemon.wait_for(&[&format!("serial {serial}, is approved and passed on"), ZONE]);
}

/// Waits for the alarm about this version, and that it names the owner.
#[track_caller]
fn refuses(daemon: &mut Daemon, serial: u32, owner: &str) {
    let what = format!("serial {serial}, is rejected");
    let owner = match owner {
        "@" => format!("{ZONE}. SOA: "),
        owner => format!("{owner}.{ZONE}. "),
    };
    daemon.wait_for(&["ALARM", &what, &owner]);
}

#[test]
fn good_versions_pass_and_bad_ones_do_not() {
    let (signer, listen) = (Signer::new(), free_address());
    let first = signer.sign(1, NSEC);
    let setup = Setup::primary(Software::Named, ZONE, &first).notifying(listen);
    let mut primary = setup.start();
    let proxy = Proxy::new(listen, primary.address(), vec![signer.ds()]);
    let mut daemon = proxy.start();
    approves(&mut daemon, 1);
    proxy.wait_for_serial(&mut daemon, 1);
    assert_eq!(axfr(listen, ZONE, None), primary.records(), "not a bit is other");

    let mut bad = |primary: &mut Peer, serial: u32, text: &str, owner: &str| {
        primary.replace(text, serial);
        refuses(&mut daemon, serial, owner);
        assert_eq!(proxy.serial(), Some(1));
    };
    bad(&mut primary, 2, &with_wrong_signature(&signer.sign(2, NSEC), "www"), "www");
    bad(&mut primary, 3, &with_hole(&signer.sign(3, NSEC), "mail"), "mail");
    bad(&mut primary, 4, &signer.sign(4, EXPIRED), "@");
    let said = proxy.command_says(&["zone", "audit", ZONE]);
    assert!(said.contains("signature has expired"), "{said}");

    primary.replace(&signer.sign(5, NSEC), 5);
    approves(&mut daemon, 5);
    proxy.wait_for_serial(&mut daemon, 5);
    assert_eq!(axfr(listen, ZONE, None), primary.records());

    // Neither a crash nor the loss of the primary takes the last good version away.
    primary.replace(&with_wrong_signature(&signer.sign(6, NSEC), "mail"), 6);
    refuses(&mut daemon, 6, "mail");
    daemon.kill();
    drop(primary);
    let mut daemon = proxy.start();
    proxy.wait_for_serial(&mut daemon, 5);
    daemon.stop();
}

#[test]
fn an_opt_out_zone_passes_with_its_own_parameters() {
    let (signer, listen) = (Signer::new(), free_address());
    let text = signer.sign(1, NSEC3_OPT_OUT);
    let mut primary = Setup::primary(Software::Knot, ZONE, &text).notifying(listen).start();
    let proxy = Proxy::new(listen, primary.address(), vec![signer.ds()]);
    let mut daemon = proxy.start();
    approves(&mut daemon, 1);
    proxy.wait_for_serial(&mut daemon, 1);
    assert_eq!(axfr(listen, ZONE, None), primary.records());
    // Other keys, for which the parent has no DS.
    primary.replace(&Signer::new().sign(2, NSEC3_OPT_OUT), 2);
    daemon.wait_for(&["ALARM", "serial 2, is rejected", "A701"]);
    // No keys at all.
    primary.replace(&small_zone(ZONE, 3, ""), 3);
    daemon.wait_for(&["ALARM", "serial 3, is rejected"]);
    assert_eq!(proxy.serial(), Some(1));
    daemon.stop();
}

#[test]
fn a_signed_zone_that_loses_its_keys_is_held_even_where_the_ds_is_not_known() {
    let (signer, listen) = (Signer::new(), free_address());
    let text = signer.sign(1, NSEC);
    let mut primary = Setup::primary(Software::Named, ZONE, &text).notifying(listen).start();
    let proxy = Proxy::new(listen, primary.address(), Vec::new());
    let mut daemon = proxy.start();
    approves(&mut daemon, 1);
    primary.replace(&small_zone(ZONE, 2, ""), 2);
    daemon.wait_for(&["ALARM", "serial 2, is held", "A722"]);
    assert_eq!(proxy.serial(), Some(1));
    daemon.stop();
}

#[test]
fn arguments_that_cannot_work_are_refused() {
    let address = free_address();
    let proxy = Proxy::new(address, address, vec!["12 13".to_owned()]);
    let (status, said) = proxy.start().ended();
    assert_eq!(status.code(), Some(1));
    assert!(said.contains("--ds 12 13: expected the data of a DS record"), "{said}");
    let proxy = Proxy::new(address, address, Vec::new());
    let path = proxy.folder.path().join("addns.xml");
    std::fs::write(&path, "<Adapter><DNS></DNS></Adapter>").unwrap();
    let (status, said) = proxy.start().ended();
    assert_eq!(status.code(), Some(1));
    assert!(said.contains("addns.xml has no <RequestTransfer>"), "{said}");
    assert!(!proxy.folder.path().join("state").exists());
}

/// A daemon whose policy passes a file with this zone through.
fn daemon_with(serial_mode: &str, text: &str) -> (Installation, Daemon) {
    let installation = Installation::new("default");
    let kasp = installation.read("kasp.xml");
    let (before, after) = kasp.split_once("<Serial>").unwrap();
    let (_, after) = after.split_once("</Serial>").unwrap();
    let kasp = format!("{before}<Serial>{serial_mode}</Serial>{after}");
    installation
        .write("kasp.xml", &kasp.replacen("<Description>", "<Passthrough/><Description>", 1));
    installation.write_zonelist(&[(ZONE, "default")]);
    installation.write_zone(ZONE, text);
    let mut command = installation.command();
    command.arg("--once");
    (installation, Daemon::spawn(command))
}

#[test]
fn a_new_serial_breaks_the_signature_of_the_soa() {
    let text = Signer::new().sign(7, NSEC);
    let (_installation, mut daemon) = daemon_with("unixtime", &text);
    daemon.wait_for(&["ALARM", "is rejected", "SOA: signature does not verify"]);
    let (_installation, mut daemon) = daemon_with("keep", &text);
    approves(&mut daemon, 7);
}
