//! A real Nagios watches a daemon while it is broken and mended: a dead token, a refused zone, a
//! master that is gone or hangs, a daemon that is stopped or hangs. Its status file shows the right
//! state of the right service within half a minute, and OK after the mend.
//! In: nagios4 and its plugin check_by_ssh of Debian, OpenSSH's client, our sample objects, our SSH
//! host beside the daemon. Out: seconds from fault to state and back, as in the manual's table.

mod front;
mod nagios;
mod performance;

use anchorite_tests::daemon::{Daemon, Installation};
use anchorite_tests::fault_module::FaultyToken;
use anchorite_tests::peers::{Killed, Peer, Setup, Software};
use anchorite_tests::program::anchorite;
use front::Front;
use nagios::Nagios;
use nix::sys::signal::{Signal, kill};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::{Duration, Instant};

const OK: u8 = 0;
const WARNING: u8 = 1;
const CRITICAL: u8 = 2;
const UNKNOWN: u8 = 3;
/// All services of the samples.
const WELL: [&str; 11] = [
    "health",
    "signatures",
    "publish",
    "audit",
    "keys",
    "ds",
    "hsm",
    "input",
    "output",
    "queue",
    "clock",
];
/// The performance data of some of them, as the manual has it.
const MEASURES: [(&str, &[&str]); 9] = [
    ("health", &["zones", "crit", "warn", "uptime"]),
    ("signatures", &["sig_min"]),
    ("publish", &["age_max", "unpublished"]),
    ("audit", &["refused", "waived", "audited"]),
    ("keys", &["due", "waiting_ds", "unbacked"]),
    ("ds", &["wait_max", "ds_missing"]),
    ("input", &["serial_lag", "last_ok"]),
    ("output", &["behind", "lag_max"]),
    ("queue", &["tasks", "late_max", "jobs"]),
];
/// The zone that an external checker may refuse.
const FILED: &str = "filed.example";
/// The zone that comes from a master.
const FETCHED: &str = "fetched.example";
/// What operators are promised.
const WITHIN: Duration = Duration::from_secs(30);
/// Time for a mend, where the daemon goes by growing pauses.
const MENDED_WITHIN: Duration = Duration::from_secs(90);

struct Site {
    installation: Installation,
    token: FaultyToken,
    /// Where the master answers, or would.
    master: SocketAddr,
}

fn zone_text(serial: u32) -> String {
    format!(
        "$ORIGIN {FETCHED}.\n$TTL 60\n@ IN SOA ns1 hostmaster {serial} 4 2 60 60\n\
         @ IN NS ns1\nns1 IN A 192.0.2.1\n"
    )
}

impl Site {
    fn new(master: &Peer) -> Site {
        let mut installation = Installation::new("tld-optout");
        let token = FaultyToken::installed(&mut installation);
        // Without a backup, health would be a warning, rightly.
        installation.edit("conf.xml", "<RequireBackup/>", "");
        let site = Site { installation, token, master: master.address() };
        site.write_zones();
        site.add_checker();
        site.installation.write_small_zone(FILED, 1, "www IN A 192.0.2.80");
        site
    }

    /// One zone from a file, one from the master.
    fn write_zones(&self) {
        let (address, port) = (self.master.ip(), self.master.port());
        let addns = format!(
            "<?xml version=\"1.0\"?>\n<Adapter><DNS><Inbound><RequestTransfer><Remote>\
             <Address>{address}</Address><Port>{port}</Port></Remote></RequestTransfer>\
             <AllowNotify><Peer><Prefix>127.0.0.1</Prefix></Peer></AllowNotify></Inbound>\
             </DNS></Adapter>\n"
        );
        self.installation.write("addns.xml", &addns);
        self.installation.write_zonelist(&[(FILED, "tld"), (FETCHED, "tld")]);
        let file = self.installation.unsigned(FETCHED);
        let from = format!("<Adapter type=\"File\">{}</Adapter>", file.display());
        let addns = self.installation.path("addns.xml");
        let to = format!("<Adapter type=\"DNS\">{}</Adapter>", addns.display());
        self.installation.edit("zonelist.xml", &from, &to);
    }

    /// A checker that wants to see no record `bad`.
    fn add_checker(&self) {
        let text = "#!/bin/sh\nif grep -q '^bad\\.' \"$1\"; then echo a bad name; exit 3; fi\n";
        self.installation.write("strict", text);
        let path = self.installation.path("strict");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        let checker =
            format!("<Checker><Command>{} %file</Command></Checker></Signer>", path.display());
        self.installation.edit("conf.xml", "</Signer>", &checker);
    }

    fn start(&self) -> Daemon {
        let mut daemon = self.installation.start();
        let (one, other) = (format!("[STATS] {FILED} "), format!("[STATS] {FETCHED} "));
        daemon.wait_for_all(&[&[&one], &[&other]]);
        daemon
    }

    #[track_caller]
    fn tell(&self, words: &[&str]) {
        let mut command = Command::new(anchorite());
        command.args(["-s", &self.installation.socket()]).args(words);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{words:?}: {output:?}");
    }

    fn nagios(&self, front: &Front) -> Nagios {
        let mut words = front.words(&self.installation);
        // Every three seconds instead of every minute.
        words.push(("check_interval 1", "check_interval 3".to_owned()));
        Nagios::new("by-ssh.cfg", &words)
    }
}

/// A master that hangs: connections are made by the system, and nobody answers.
struct Hanging {
    _stream: TcpListener,
    _datagram: UdpSocket,
}

impl Hanging {
    fn at(address: SocketAddr) -> Hanging {
        let stream = TcpListener::bind(address).unwrap();
        Hanging { _stream: stream, _datagram: UdpSocket::bind(address).unwrap() }
    }
}

/// What happened, and how long Nagios took to see it.
#[derive(Default)]
struct Journal {
    rows: Vec<String>,
}

impl Journal {
    /// Breaks something, waits for the states, mends it, and waits until all is well.
    #[track_caller]
    fn tell<T, U>(
        &mut self,
        nagios: &Nagios,
        fault: &str,
        break_it: impl FnOnce() -> T,
        wanted: &[(&str, u8)],
        mend: impl FnOnce(T) -> U,
    ) -> U {
        let (begin, broken) = (Instant::now(), break_it());
        let seen = nagios.wait(wanted, begin, WITHIN);
        let (name, state) = wanted[0];
        let output = nagios.service(name).unwrap().output;
        let (begin, mended) = (Instant::now(), mend(broken));
        let back = nagios.wait(&WELL.map(|name| (name, OK)), begin, MENDED_WITHIN);
        let (seen, back) = (seen.as_secs_f32(), back.as_secs_f32());
        let word = ["OK", "WARNING", "CRITICAL", "UNKNOWN"][usize::from(state)];
        self.rows.push(format!("| {fault} | `{name}` {word} | {seen:.0} s | {back:.0} s |"));
        println!("{fault}: {output}: {seen:.1} s, OK again after {back:.1} s");
        mended
    }
}

#[test]
fn quick_the_samples_have_no_errors() {
    for way in ["local.cfg", "by-ssh.cfg"] {
        let said = Nagios::new(way, &[]).checked();
        assert!(said.contains("Total Errors:   0"), "{way}: {said}");
        assert!(said.contains("Total Warnings: 0"), "{way}: {said}");
        assert!(said.contains("Checked 11 services"), "{way}: {said}");
    }
}

/// Each fault shows at the service that is about it, and goes with it.
#[test]
fn faults_show_within_half_a_minute_and_go_with_their_mend() {
    let master = Setup::primary(Software::Nsd, FETCHED, &zone_text(1)).start();
    let site = Site::new(&master);
    let daemon = site.start();
    let front = Front::new(&site.installation);
    let mut nagios = site.nagios(&front);
    nagios.start();
    nagios.wait(&WELL.map(|name| (name, OK)), Instant::now(), MENDED_WITHIN);
    // All came at once, more than one key has sessions.
    assert!(!nagios.log().contains("UNKNOWN"), "{}", nagios.log());
    let mut journal = Journal::default();
    tokens(&site, &nagios, &mut journal);
    for (name, labels) in MEASURES {
        let service = nagios.service(name).unwrap();
        assert_eq!(performance::labels(&service.performance).as_deref(), Ok(labels), "{service:?}");
    }
    refusal(&site, &nagios, &mut journal);
    let master = masters(&site, &nagios, &mut journal, master);
    daemons(&site, &nagios, &mut journal, daemon, front);
    assert!(!nagios.log().contains("out of bounds"), "{}", nagios.log());
    println!("{}", journal.rows.join("\n"));
    drop(master);
}

fn tokens(site: &Site, nagios: &Nagios, journal: &mut Journal) {
    let rules = |rules: &'static str| move || site.token.rules(rules);
    let mend = |()| site.token.rules("");
    // Nothing is due to be signed in either case.
    let away = [("hsm", CRITICAL), ("health", CRITICAL)];
    journal.tell(nagios, "token pulled out", rules("* always unplug before"), &away, mend);
    let hangs = [("hsm", CRITICAL)];
    journal.tell(nagios, "token's module hangs", rules("C_Sign always stall"), &hangs, mend);
}

fn refusal(site: &Site, nagios: &Nagios, journal: &mut Journal) {
    let give = |serial, records| {
        site.installation.write_small_zone(FILED, serial, records);
        site.tell(&["sign", FILED]);
    };
    journal.tell(
        nagios,
        "zone refused by a checker",
        || give(2, "www IN A 192.0.2.80\nbad IN A 192.0.2.66"),
        &[("audit", CRITICAL), ("health", CRITICAL), ("publish", OK)],
        |()| give(3, "www IN A 192.0.2.80"),
    );
    // It stays an alarm, although the zone goes on being signed without it.
    journal.tell(
        nagios,
        "zone file that cannot be read",
        || {
            site.installation.write_zone(FILED, "@ IN SOA what\n");
            site.tell(&["sign", FILED]);
        },
        &[("input", CRITICAL), ("publish", OK)],
        |()| give(4, "www IN A 192.0.2.80"),
    );
}

/// A master that is gone, and one that hangs: a warning, and an alarm after half of the time that
/// the zone lives.
fn masters(site: &Site, nagios: &Nagios, journal: &mut Journal, master: Peer) -> Peer {
    let gone = [("input", WARNING), ("publish", OK)];
    let master = journal.tell(nagios, "master gone", || master.kill(), &gone, Killed::start);
    let gone = [("input", CRITICAL), ("health", CRITICAL)];
    // That takes half of the SOA's expire, 30 seconds, whoever looks.
    let half_of_its_life = || {
        let (begin, killed) = (Instant::now(), master.kill());
        nagios.wait(&gone, begin, MENDED_WITHIN);
        killed
    };
    let fault = "master gone for half of the SOA's expire (30 s)";
    let master = journal.tell(nagios, fault, half_of_its_life, &gone, Killed::start);
    let hang = || (master.kill(), Hanging::at(site.master));
    let mend = |(killed, hanging): (Killed, Hanging)| {
        drop(hanging);
        killed.start()
    };
    let hangs = [("input", WARNING), ("publish", OK)];
    journal.tell(nagios, "master hangs: takes connections, says nothing", hang, &hangs, mend)
}

fn daemons(site: &Site, nagios: &Nagios, journal: &mut Journal, daemon: Daemon, front: Front) {
    let all = WELL.map(|name| (name, CRITICAL));
    let stop = || drop(daemon.stop());
    let daemon = journal.tell(nagios, "daemon stopped", stop, &all, |()| site.installation.start());
    let signal = |signal| kill(daemon.pid(), signal).unwrap();
    let freeze = || signal(Signal::SIGSTOP);
    journal.tell(nagios, "daemon hangs (SIGSTOP)", freeze, &all, |()| signal(Signal::SIGCONT));
    // Nobody could look: that says nothing of the signer.
    let blind = WELL.map(|name| (name, UNKNOWN));
    let end = || front.kill(&site.installation);
    let front = journal.tell(nagios, "SSH host gone", end, &blind, |start| start());
    daemon.stop();
    drop(front);
}
