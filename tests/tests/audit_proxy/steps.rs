//! A primary that signs, changes that come by IXFR, are judged by their difference and go out by
//! IXFR: Knot DNS as the signer, BIND, Knot DNS and NSD as secondaries, NOTIFY on both sides; a
//! link that garbles what passes.
//! `CHANGES=n` makes that many changes instead of [`CHANGES`].

use crate::lab::{Proxy, ZONE, run};
use crate::relay::Relay;
use crate::{approves, free_address};
use anchorite_tests::daemon::{Daemon, WAIT, small_zone};
use anchorite_tests::peers::{Setup, Software, axfr, dig, soa_serial};
use std::io::Write;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const CHANGES: usize = 6;

/// Knot DNS as a primary that signs by itself, changed by DNS UPDATE.
struct Knot {
    daemon: Daemon,
    address: SocketAddr,
    folder: tempfile::TempDir,
}

impl Knot {
    fn start(notify: SocketAddr, policy: &str) -> Knot {
        let (folder, address) = (tempfile::tempdir().unwrap(), free_address());
        let more: String = (0..60).map(|n| format!("n{n} IN A 192.0.2.{n}\n")).collect();
        let text = small_zone(ZONE, 1, &format!("{more}sub IN NS ns.other.example.\n"));
        std::fs::write(folder.path().join("zone"), text).unwrap();
        let (path, port) = (folder.path().display(), address.port());
        let configuration = format!(
            "server:\n  rundir: \"{path}\"\n  listen: 127.0.0.1@{port}\n  udp-workers: 1\n\
             \x20 tcp-workers: 1\n  background-workers: 1\n\
             log:\n  - target: stderr\n    any: info\n\
             database:\n  storage: \"{path}\"\n  journal-db-max-size: 64M\n\
             remote:\n  - id: proxy\n    address: 127.0.0.1@{}\n\
             acl:\n  - id: all\n    address: 127.0.0.0/8\n    action: [transfer, update]\n\
             policy:\n  - id: own\n    algorithm: ecdsap256sha256\n{policy}\
             zone:\n  - domain: {ZONE}\n    storage: \"{path}\"\n    file: zone\n    acl: all\n\
             \x20   zonefile-sync: -1\n    zonefile-load: whole\n    journal-content: changes\n\
             \x20   dnssec-signing: on\n    dnssec-policy: own\n    notify: [proxy]\n",
            notify.port()
        );
        std::fs::write(folder.path().join("knot.conf"), configuration).unwrap();
        let mut command = Command::new("knotd");
        command.arg("-c").arg(folder.path().join("knot.conf")).current_dir(folder.path());
        let mut knot = Knot { daemon: Daemon::spawn(command), address, folder };
        let until = Instant::now() + WAIT;
        while knot.serial().is_none() {
            assert!(Instant::now() < until, "{}", knot.daemon.log());
            knot.daemon.next_line(Duration::from_millis(20));
        }
        knot
    }

    fn serial(&self) -> Option<u32> {
        soa_serial(self.address, ZONE, None)
    }

    /// Has the running server do something, after which it has a newer version.
    fn control(&self, words: &[&str]) -> u32 {
        let before = self.serial();
        let mut command = Command::new("knotc");
        run(command.arg("-b").arg("-s").arg(self.folder.path().join("knot.sock")).args(words));
        let until = Instant::now() + WAIT;
        while self.serial() <= before {
            assert!(Instant::now() < until, "{words:?}");
            std::thread::park_timeout(Duration::from_millis(20));
        }
        self.serial().unwrap()
    }

    /// Makes a change, and gives the serial of the version.
    fn change(&self, lines: &str) -> u32 {
        let (before, port) = (self.serial(), self.address.port());
        let mut command = Command::new("nsupdate");
        let mut child = command.stdin(Stdio::piped()).spawn().expect("cargo xtask setup");
        let text = format!("server 127.0.0.1 {port}\nzone {ZONE}\n{lines}\nsend\n");
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success());
        let after = self.serial();
        assert!(after > before, "{after:?} after {before:?}: {}", self.daemon.log());
        after.unwrap()
    }

    /// The DS of its key.
    fn ds(&self) -> String {
        let mut command = Command::new("sh");
        let script = format!(
            "dig @127.0.0.1 -p {} +noall +answer {ZONE} DNSKEY | dnssec-dsfromkey -2 -f - {ZONE}",
            self.address.port()
        );
        let output = run(command.args(["-c", &script]));
        let text = String::from_utf8(output.stdout).unwrap();
        text.trim().split_once(" DS ").unwrap().1.to_owned()
    }
}

/// What [`Proxy::start`] says of everything.
fn talkative(mut proxy: Proxy) -> Proxy {
    proxy.options = ["--log-level", "6"].map(str::to_owned).to_vec();
    proxy
}

fn change_count() -> usize {
    std::env::var("CHANGES").ok().and_then(|text| text.parse().ok()).unwrap_or(CHANGES)
}

/// The lines of an IXFR, which has four SOAs when it is a difference.
fn soas_of_ixfr(address: SocketAddr, since: u32) -> usize {
    let mut command = dig(address, None);
    command.args(["+noall", "+answer", "+tcp", ZONE, &format!("IXFR={since}")]);
    let text = String::from_utf8(run(&mut command).stdout).unwrap();
    text.lines().filter(|line| line.contains("\tSOA\t")).count()
}

#[track_caller]
fn follow(policy: &str) {
    let listen = free_address();
    let software = [Software::Named, Software::Knot, Software::Nsd];
    let mut peers = software.map(|one| Setup::secondary(one, ZONE, listen).start());
    let knot = Knot::start(listen, policy);
    let told: Vec<SocketAddr> = peers.iter().map(|peer| peer.address()).collect();
    let proxy = talkative(Proxy::telling(listen, knot.address, vec![knot.ds()], &told));
    let mut daemon = proxy.start();
    let first = knot.serial().unwrap();
    proxy.wait_for_serial(&mut daemon, first);
    peers.iter_mut().for_each(|peer| peer.wait_for_serial(first));
    let changes = change_count();
    let mut serials = vec![first];
    for number in 0..changes {
        let name = format!("c{}.{ZONE}.", number / 2);
        let serial = knot.change(&match number % 4 {
            0 => format!("update add {name} 60 A 192.0.2.{number}\nupdate add {name} 60 TXT x"),
            1 => format!("update delete {name} TXT\nupdate add e.{name} 60 AAAA 2001:db8::1"),
            2 => format!("update add {name} 60 NS ns.{name}\nupdate add ns.{name} 60 A 192.0.2.1"),
            _ => format!("update delete n{number}.{ZONE}. A\nupdate delete {name} NS"),
        });
        peers.iter_mut().for_each(|peer| peer.wait_for_serial(serial));
        serials.push(serial);
        let signed = axfr(knot.address, ZONE, None);
        assert_eq!(axfr(listen, ZONE, None), signed, "change {number}");
        for peer in &peers {
            assert_eq!(peer.records(), signed, "change {number}: {}", peer.log());
        }
    }
    approves(&mut daemon, serials[changes]);
    let by_difference = proxy.command_says(&["zone", "audit", ZONE]);
    assert!(by_difference.contains("by its difference"), "{by_difference}");
    let log = daemon.log();
    assert_eq!(log.matches("is approved and passed on").count(), changes + 1, "{log}");
    assert_eq!(log.matches("request axfr to").count(), 1, "the first version alone: {log}");
    assert!(log.matches("/ixfr=").count() >= changes, "{log}");
    assert!(!log.contains("axfr fallback"), "{log}");
    // Of those that a secondary took by UDP no line tells.
    println!("{} IXFRs out by TCP", log.matches("transfer ixfr of serial").count());
    let last = serials[changes - 3];
    assert_eq!(soas_of_ixfr(listen, last), 4);
    // What was passed on is known after a crash, and what comes next follows it.
    daemon.kill();
    let mut daemon = proxy.start();
    proxy.wait_for_serial(&mut daemon, serials[changes]);
    assert_eq!(soas_of_ixfr(listen, last), 4);
    let serial = knot.change(&format!("update add late.{ZONE}. 60 A 192.0.2.99"));
    peers.iter_mut().for_each(|peer| peer.wait_for_serial(serial));
    approves(&mut daemon, serial);
    assert!(!daemon.log().contains("request axfr to"), "{}", daemon.log());
    assert_eq!(axfr(listen, ZONE, None), axfr(knot.address, ZONE, None));
    daemon.stop();
}

#[test]
fn changes_of_a_signer_go_through_by_differences_to_three_secondaries() {
    follow("");
}

#[test]
fn changes_of_a_salted_nsec3_zone_do_too() {
    follow("    nsec3: on\n    nsec3-salt-length: 4\n    nsec3-iterations: 1\n");
}

#[test]
fn what_only_other_signers_do_passes_too() {
    let listen = free_address();
    let policy = "    nsec3: on\n    nsec3-salt-length: 0\n    nsec3-iterations: 0\n";
    let knot = Knot::start(listen, policy);
    let mut secondary = Setup::secondary(Software::Nsd, ZONE, listen).start();
    let told = [secondary.address()];
    let proxy = talkative(Proxy::telling(listen, knot.address, vec![knot.ds()], &told));
    let mut daemon = proxy.start();
    approves(&mut daemon, knot.serial().unwrap());
    let mut passes = |serial: u32, extent: &str| {
        approves(&mut daemon, serial);
        secondary.wait_for_serial(serial);
        assert_eq!(secondary.records(), axfr(knot.address, ZONE, None));
        let said = proxy.command_says(&["zone", "audit", ZONE]);
        assert!(said.contains(extent), "{said}");
    };
    let file = knot.folder.path().join("knot.conf");
    let text = std::fs::read_to_string(&file).unwrap();
    let with_policy = |now: &str| {
        std::fs::write(&file, text.replace(policy, now)).unwrap();
        knot.control(&["reload"])
    };
    passes(knot.control(&["zone-sign", ZONE]), "by its difference");
    passes(with_policy(&policy.replace("length: 0", "length: 4")), "all of it");
    passes(with_policy(""), "all of it");
    passes(knot.change(&format!("update add x.{ZONE}. 60 A 192.0.2.9")), "by its difference");
    // A key comes: the DNSKEY RRset is another.
    passes(knot.control(&["zone-key-rollover", ZONE, "zsk"]), "all of it");
    passes(knot.change(&format!("update add y.{ZONE}. 60 A 192.0.2.9")), "by its difference");
    daemon.stop();
}

#[test]
fn what_a_link_garbles_is_held_back_and_made_good_when_it_is_over() {
    let listen = free_address();
    let knot = Knot::start(listen, "");
    let relay = Relay::start(knot.address);
    let mut secondary = Setup::secondary(Software::Nsd, ZONE, listen).start();
    let told = [secondary.address()];
    let proxy = talkative(Proxy::telling(listen, relay.address, vec![knot.ds()], &told));
    let mut daemon = proxy.start();
    let first = knot.serial().unwrap();
    secondary.wait_for_serial(first);
    let good = secondary.records();
    relay.garble(true);
    let second = knot.change(&format!("update add bad.{ZONE}. 60 A 192.0.2.66"));
    daemon.wait_for(&["ALARM", &format!("serial {second}, is rejected"), "does not verify"]);
    // It is asked for as a whole then, and is no better.
    daemon.wait_for(&["request axfr to"]);
    assert_eq!((proxy.serial(), secondary.records()), (Some(first), good.clone()));
    assert_eq!(axfr(listen, ZONE, None), good);
    // The next good version heals it, from the last good one on.
    relay.garble(false);
    let third = knot.change(&format!("update add good.{ZONE}. 60 A 192.0.2.67"));
    approves(&mut daemon, third);
    secondary.wait_for_serial(third);
    assert_eq!(secondary.records(), axfr(knot.address, ZONE, None));
    // A single garbled message heals without another version.
    relay.garble(true);
    let fourth = knot.change(&format!("update add again.{ZONE}. 60 A 192.0.2.68"));
    daemon.wait_for(&["ALARM", &format!("serial {fourth}, is rejected")]);
    relay.garble(false);
    proxy.command_says(&["retransfer", ZONE]);
    approves(&mut daemon, fourth);
    secondary.wait_for_serial(fourth);
    daemon.stop();
}
