//! Zones go out by transfer: BIND, Knot DNS, NSD and PowerDNS as secondaries, dig and kdig as
//! clients. What a secondary made of our IXFRs is what we serve ourselves (invariant I10).
//! `CHANGES=200` for as many random changes of each secondary as the promise says; usually fewer.

mod lab;
mod lines;

use anchorite_tests::daemon::Installation;
use anchorite_tests::peers::{self, Key, Setup, Software};
use lab::{Lab, ZONE};
use std::net::SocketAddr;
use std::process::Command;

/// `SEED=n` repeats a run.
fn seed() -> u64 {
    let given = std::env::var("SEED").ok().and_then(|text| text.parse().ok());
    let seed = given.unwrap_or(20_261_122);
    println!("SEED={seed}");
    seed
}

/// Random changes that a secondary follows: `CHANGES`, or so many.
fn change_count(usual: usize) -> usize {
    let given = std::env::var("CHANGES").ok().and_then(|text| text.parse().ok());
    given.unwrap_or(usual)
}

/// A secondary follows a zone over so many changes.
fn follow(software: Software, key: Option<Key>, changes: usize) {
    let address = peers::free_address();
    let mut setup = Setup::secondary(software, ZONE, address);
    setup.key.clone_from(&key);
    // Of the first version it hears by NOTIFY, too.
    let mut peer = setup.start();
    let mut lab = Lab::start(address, &[peer.address()], key, seed());
    peer.wait_for_serial(lab.serial());
    for number in 0..changes {
        let serial = lab.change();
        peer.wait_for_serial(serial);
        let (ours, theirs) = (lab.served(), peer.records());
        assert_eq!(theirs, ours, "{software:?} after change {number}: {}", peer.log());
        if number % 20 == 0 || number + 1 == changes {
            lab.verify(&theirs);
        }
    }
    let log = lab.daemon.log();
    let sent = log.matches("transfer ixfr of serial").count();
    // By UDP, too, IXFRs are sent, of which no line tells.
    println!("{software:?}: {changes} changes, {sent} IXFRs by TCP");
    assert!(!log.contains("axfr fallback"), "{log}");
}

#[test]
fn bind_follows_random_changes() {
    follow(Software::Named, None, change_count(30));
}

#[test]
fn knot_follows_random_changes() {
    follow(Software::Knot, None, change_count(30));
}

#[test]
fn nsd_follows_random_changes() {
    follow(Software::Nsd, None, change_count(30));
}

/// It looks for work once a second.
#[test]
fn powerdns_follows_random_changes() {
    follow(Software::Pdns, None, change_count(12));
}

#[test]
fn all_of_them_with_tsig() {
    for software in Software::ALL {
        follow(software, Some(Key::new("transfer.example.com", "hmac-sha256")), 5);
    }
}

/// A daemon that tells nobody.
fn alone() -> Lab {
    Lab::start(peers::free_address(), &[], None, seed())
}

fn kdig(address: SocketAddr, arguments: &[&str]) -> String {
    let (ip, port) = (format!("@{}", address.ip()), address.port().to_string());
    let output = Command::new("kdig").args([&ip, "-p", &port]).args(arguments).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn kdig_gets_axfr_ixfr_and_apex_data() {
    let mut lab = alone();
    let first = lab.serial();
    let second = lab.change();
    let third = lab.change();
    let axfr = kdig(lab.address, &["+tcp", ZONE, "AXFR"]);
    assert_eq!(axfr.matches("\tSOA\t").count(), 2, "{axfr}");
    let ixfr = kdig(lab.address, &["+tcp", ZONE, &format!("IXFR={first}")]);
    assert_eq!(ixfr.matches("\tSOA\t").count(), 4, "one condensed difference: {ixfr}");
    assert!(ixfr.contains(&first.to_string()) && ixfr.contains(&third.to_string()), "{ixfr}");
    assert!(!ixfr.contains(&format!(" {second} ")), "{ixfr}");
    let dnskey = kdig(lab.address, &["+dnssec", ZONE, "DNSKEY"]);
    assert!(dnskey.contains("\tRRSIG\t") && dnskey.contains("aa"), "{dnskey}");
    let below = kdig(lab.address, &[&format!("ns1.{ZONE}"), "A"]);
    assert!(below.contains("SERVFAIL"), "nothing below the apex is told: {below}");
    let badvers = kdig(lab.address, &["+edns=1", ZONE, "SOA"]);
    assert!(badvers.contains("BADVERS"), "{badvers}");
}

#[test]
fn steps_are_known_after_a_restart() {
    let mut lab = alone();
    let first = lab.serial();
    let serial = lab.change();
    let before = lab.served();
    let Lab { installation, daemon, address, key, records } = lab;
    daemon.kill();
    let daemon = installation.start();
    let mut lab = Lab { installation, daemon, address, key, records };
    // Served before it is signed again.
    lab.daemon.wait_for(&["serial", "is served again"]);
    assert_eq!((lab.serial(), lab.served()), (serial, before));
    let ixfr = kdig(lab.address, &["+tcp", ZONE, &format!("IXFR={first}")]);
    assert_eq!(ixfr.matches("\tSOA\t").count(), 4, "{ixfr}");
}

#[test]
fn a_hundred_secondaries_at_once() {
    let lab = alone();
    let expected = lab.served();
    let (address, expected) = (lab.address, &expected);
    std::thread::scope(|scope| {
        for _ in 0..100 {
            scope.spawn(move || assert_eq!(&peers::axfr(address, ZONE, None), expected));
        }
    });
}

#[test]
fn a_zone_that_goes_out_by_transfer_has_no_file() {
    let mut lab = alone();
    lab.change();
    assert!(!lab.installation.signed(ZONE).exists());
    assert!(lab.daemon.log().contains("listening on 127.0.0.1:"));
    let error = {
        let port = format!("<Port>{}</Port>", lab.address.port());
        let second = Installation::new("lab");
        let listener = format!(
            "<WorkerThreads>4</WorkerThreads><Listener><Interface>\
             <Address>127.0.0.1</Address>{port}</Interface></Listener>"
        );
        second.edit("conf.xml", "<WorkerThreads>4</WorkerThreads>", &listener);
        second.start_fails()
    };
    let holder = format!("in use by anchorite (process {})", lab.daemon.pid());
    assert!(error.contains(&holder), "{error}");
}
