//! Random changes at a master, each of which we are told of, fetch, sign and publish.

use crate::lab::{Lab, Zone};
use anchorite_tests::peers::{Key, Software};

/// Changes, as long as nobody says otherwise: `CHANGES=200` for as many as the promise says.
fn change_count(software: Software) -> usize {
    let count = std::env::var("CHANGES").ok().and_then(|count| count.parse().ok());
    // PowerDNS looks for work once a second.
    count.unwrap_or(if software == Software::Pdns { 12 } else { 30 })
}

/// Makes changes, and compares after each what we publish with what was meant, and in the end with
/// what the master has.
fn check(software: Software, key: Option<Key>) -> Lab {
    let mut zone = Zone::new();
    let mut lab = Lab::new(software, &zone, key);
    for number in 0..change_count(software) {
        match number {
            // Nothing but the serial: no version is made, and what follows fits all the same.
            5 => zone.serial += 1,
            _ => zone.change(),
        }
        lab.master.replace(&zone.text(), zone.serial);
        lab.wait_for_signed(&zone);
    }
    assert_eq!(lab.ours(), lab.theirs());
    lab
}

/// All but the first transfer were of the changes.
fn check_ixfr(software: Software, key: Option<Key>) {
    let lab = check(software, key);
    let daemon = lab.daemon.expect("it runs");
    assert_eq!(daemon.count("request axfr"), 1, "{}", daemon.log());
    assert_eq!(daemon.count("bad packet"), 0, "{}", daemon.log());
}

#[test]
fn changes_from_bind() {
    check_ixfr(Software::Named, Some(Key::new("transfer.key", "hmac-sha256")));
}

#[test]
fn changes_from_knot() {
    check_ixfr(Software::Knot, Some(Key::new("transfer.key", "hmac-sha512")));
}

/// Its differences of two zone files add records at the apex that were there before. Those are
/// refused, and the whole zone is fetched.
#[test]
fn changes_from_nsd() {
    check(Software::Nsd, None);
}

/// It answers a question for changes with the whole zone.
#[test]
fn changes_from_powerdns() {
    let lab = check(Software::Pdns, None);
    let daemon = lab.daemon.expect("it runs");
    assert_eq!(daemon.count("bad packet"), 0, "{}", daemon.log());
}
