//! The auditor's process at a running daemon: it may do next to nothing, and when it is killed,
//! versions go on being audited, none is lost and serials rise.

use anchorite_tests::daemon::{Daemon, Installation};
use anchorite_tests::judges::dnssec_verify;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const ZONES: [&str; 2] = ["a.example", "b.example"];

fn installation() -> Installation {
    let installation = Installation::new("default");
    installation.write_zonelist(&ZONES.map(|zone| (zone, "default")));
    installation
}

fn write(installation: &Installation, serial: u32) {
    for zone in ZONES {
        installation.write_small_zone(zone, serial, &format!("www IN A 192.0.2.{serial}"));
    }
}

/// Serial of the signed file.
fn serial(installation: &Installation, zone: &str) -> u32 {
    let text = installation.read(&format!("signed/{zone}"));
    let soa = text.lines().find(|line| line.contains("\tSOA\t")).expect("there is a SOA");
    let words: Vec<&str> = soa.split_whitespace().collect();
    words[6].parse().unwrap()
}

/// Waits for the next version of both zones.
fn wait(daemon: &mut Daemon) {
    let lines = ZONES.map(|zone| format!("[STATS] {zone} "));
    let lines: Vec<[&str; 1]> = lines.iter().map(|line| [line.as_str()]).collect();
    let wanted: Vec<&[&str]> = lines.iter().map(<[&str; 1]>::as_slice).collect();
    daemon.wait_for_all(&wanted);
}

fn end(host: Pid, signal: Signal) {
    kill(host, signal).expect("the host runs");
}

#[test]
fn versions_go_on_when_the_auditor_is_killed_again_and_again() {
    let installation = installation();
    write(&installation, 1);
    let mut daemon = installation.start();
    wait(&mut daemon);
    let mut last = ZONES.map(|zone| serial(&installation, zone));
    let mut hosts = vec![daemon.audit_host().expect("versions were audited")];
    for round in 2..8 {
        end(hosts[hosts.len() - 1], Signal::SIGKILL);
        write(&installation, round);
        daemon.reload();
        wait(&mut daemon);
        for (zone, last) in ZONES.iter().zip(&mut last) {
            let now = serial(&installation, zone);
            assert!(now > *last, "{zone}: {now} after {last}");
            *last = now;
            let text = installation.read(&format!("signed/{zone}"));
            assert!(text.contains(&format!("192.0.2.{round}\n")), "{zone} has the newest data");
            dnssec_verify(&installation.signed(zone), zone).unwrap();
        }
        let host = daemon.audit_host().expect("another one was started");
        assert!(!hosts.contains(&host), "a new process");
        hosts.push(host);
    }
    let lines = daemon.stop();
    assert!(!lines.contains("refused zone"), "{lines}");
}

/// The auditor has no files but its socket and standard error, and its system calls are filtered.
#[test]
fn the_auditor_may_do_next_to_nothing() {
    let installation = installation();
    write(&installation, 1);
    let mut daemon = installation.start();
    wait(&mut daemon);
    let host = daemon.audit_host().expect("versions were audited");
    let status = std::fs::read_to_string(format!("/proc/{host}/status")).unwrap();
    assert!(status.contains("\nSeccomp:\t2\n"), "{status}");
    assert!(status.contains("\nNoNewPrivs:\t1\n"), "{status}");
    // Other users' processes cannot be looked into; a test's own, not dumpable, by root only.
    if nix::unistd::geteuid().is_root() {
        let files = std::fs::read_dir(format!("/proc/{host}/fd")).unwrap();
        let mut open: Vec<String> = files
            .map(|file| std::fs::read_link(file.unwrap().path()).unwrap().display().to_string())
            .map(|file| file.split(':').next().unwrap_or_default().to_owned())
            .collect();
        open.sort();
        open.dedup();
        assert_eq!(open, ["/dev/null", "pipe", "socket"]);
    }
    daemon.stop();
}
