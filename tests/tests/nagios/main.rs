//! A real Nagios watches a daemon while it is broken and mended: a dead token, a refused zone, a
//! master that is gone, a daemon that is stopped. Its status file shows the right state of the
//! right service within half a minute, and OK after the mend.
//! In: nagios4 and the plugins of Debian, our sample objects. Out: seconds from fault to state.

mod nagios;

use anchorite_tests::daemon::{Daemon, Installation};
use anchorite_tests::fault_module::{FaultyToken, module};
use anchorite_tests::peers::{Peer, Setup, Software};
use anchorite_tests::program::anchorite;
use nagios::Nagios;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;

const OK: u8 = 0;
const WARNING: u8 = 1;
const CRITICAL: u8 = 2;
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
        let folder = installation.path("softhsm");
        std::fs::create_dir(&folder).unwrap();
        let token = FaultyToken::new(&folder, &["OpenDNSSEC"]);
        for (name, path) in token.environment() {
            installation.set_environment(name, path);
        }
        let softhsm = "/usr/lib/softhsm/libsofthsm2.so";
        installation.edit("conf.xml", softhsm, &module().display().to_string());
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

    fn nagios(&self) -> Nagios {
        let plugin =
            format!("{} check_anchorite -s {}", anchorite().display(), self.installation.socket());
        // Every other second instead of every minute's.
        let words = [
            ("/usr/bin/check_anchorite", plugin.as_str()),
            ("check_interval 1", "check_interval 2"),
        ];
        Nagios::new("local.cfg", &words)
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
    let mut nagios = site.nagios();
    nagios.start();
    let services = ["health", "signatures", "publish", "audit", "hsm", "input", "queue", "clock"];
    let well: Vec<(&str, u8)> = services.iter().map(|name| (*name, OK)).collect();
    nagios.wait(&well, MENDED_WITHIN);

    // The token is pulled out; nothing is due to be signed.
    site.token.rules("* always unplug before");
    nagios.wait(&[("hsm", CRITICAL), ("health", CRITICAL)], WITHIN);
    site.token.rules("");
    nagios.wait(&well, MENDED_WITHIN);

    // Its module hangs.
    site.token.rules("C_Sign always stall");
    nagios.wait(&[("hsm", CRITICAL)], WITHIN);
    site.token.rules("");
    nagios.wait(&well, MENDED_WITHIN);

    site.installation.write_small_zone(FILED, 2, "www IN A 192.0.2.80\nbad IN A 192.0.2.66");
    site.tell(&["sign", FILED]);
    nagios.wait(&[("audit", CRITICAL), ("health", CRITICAL), ("publish", OK)], WITHIN);
    site.installation.write_small_zone(FILED, 3, "www IN A 192.0.2.80");
    site.tell(&["sign", FILED]);
    nagios.wait(&well, MENDED_WITHIN);

    // Its master is gone: a warning, and an alarm after half of the time that the zone lives.
    let gone = master.kill();
    nagios.wait(&[("input", WARNING), ("publish", OK)], WITHIN);
    nagios.wait(&[("input", CRITICAL), ("health", CRITICAL)], MENDED_WITHIN);
    let master = gone.start();
    nagios.wait(&well, MENDED_WITHIN);

    daemon.stop();
    nagios.wait(&[("health", CRITICAL), ("hsm", CRITICAL)], WITHIN);
    let text = nagios.service("health").unwrap().output;
    assert!(text.contains("the daemon does not run"), "{text}");
    let again = site.installation.start();
    nagios.wait(&well, MENDED_WITHIN);
    again.stop();
    drop(master);
}
