//! What stays over a restart, a silent master and an operator's order.

use crate::lab::{Lab, ZONE, Zone};
use anchorite_tests::peers::{Key, Software};

#[test]
fn after_a_restart_the_changes_are_asked_for() {
    let mut zone = Zone::new();
    let mut lab = Lab::new(Software::Knot, &zone, None);
    let serial = lab.output_serial();
    lab.daemon.take().expect("it runs").stop();
    zone.change();
    lab.master.replace(&zone.text(), zone.serial);
    lab.daemon = Some(lab.installation.start());
    lab.wait_for_signed(&zone);
    assert!(lab.output_serial() > serial);
    let daemon = lab.daemon.expect("it runs");
    assert_eq!(daemon.count("request axfr"), 0, "{}", daemon.log());
}

#[test]
fn without_its_master_the_zone_stays() {
    let zone = Zone::new();
    let Lab { master, installation, daemon } = Lab::new(Software::Nsd, &zone, None);
    daemon.expect("it runs").stop();
    let address = master.address();
    drop(master);
    let mut daemon = installation.start();
    daemon.wait_for(&["unable to transfer zone", ZONE, &address.ip().to_string()]);
    let text = std::fs::read_to_string(installation.signed(ZONE)).expect("it is still there");
    assert_eq!(crate::lab::unsigned_records(text.lines()), zone.wanted());
    daemon.stop();
}

#[test]
fn retransfer_takes_the_whole_zone() {
    let zone = Zone::new();
    let key = Key::new("transfer.key", "hmac-sha256");
    let mut lab = Lab::new(Software::Named, &zone, Some(key));
    assert_eq!(
        lab.signer("retransfer unknown.example"),
        "Error: Zone unknown.example not found.\n"
    );
    let said = lab.signer(&format!("retransfer {ZONE}"));
    assert_eq!(said, format!("Zone {ZONE} being re-transfered.\n"));
    lab.daemon().wait_for(&["request axfr to 127.0.0.1"]);
    lab.daemon().wait_for(&["transfer done"]);
    assert_eq!(lab.ours(), lab.theirs());
}
