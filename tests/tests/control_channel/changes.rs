//! Commands that change something: what becomes of zones, of the log, of the list of zones.

use crate::client::Clients;
use anchorite_tests::daemon::{Installation, serial_of};
use anchorite_tests::judges::dnssec_verify;
use dnssec::Serial;

fn with_zone() -> Installation {
    let installation = Installation::new("default");
    installation.write_small_zone("a.example", 1, "");
    installation.write_zonelist(&[("a.example", "default")]);
    installation
}

#[test]
fn sign_reads_the_input_and_flush_does_not() {
    let installation = with_zone();
    let mut daemon = installation.start();
    daemon.wait_for(&["[STATS] a.example "]);
    let clients = Clients::of(&installation);
    installation.write_small_zone("a.example", 2, "www IN A 192.0.2.2");
    clients.signer("flush").is("All tasks scheduled immediately.\n");
    daemon.wait_for(&["skip write zone a.example"]);
    // In any case, with the final dot or without.
    clients.signer("sign A.Example.").is("Zone A.Example. scheduled for immediate re-sign.\n");
    daemon.wait_for(&["[STATS] a.example "]);
    let text = std::fs::read_to_string(installation.signed("a.example")).unwrap();
    assert!(text.contains("192.0.2.2"), "{text}");
    installation.write_small_zone("a.example", 3, "");
    clients.signer("sign --all").is("All zones scheduled for immediate re-sign.\n");
    daemon.wait_for(&["[STATS] a.example "]);
    installation.write_small_zone("a.example", 4, "www IN A 192.0.2.4");
    clients.enforcer("reload").is("Reloading engine.\n");
    daemon.wait_for(&["signer reloading"]);
    daemon.wait_for(&["[STATS] a.example "]);
    let text = std::fs::read_to_string(installation.signed("a.example")).unwrap();
    assert!(text.contains("192.0.2.4"), "{text}");
    let log = daemon.stop();
    assert!(log.contains("[cmdhandler] received command sign --all from user"), "{log}");
    assert!(log.contains("[cmdhandler] done handling command sign --all: exit code 0"), "{log}");
}

#[test]
fn sign_takes_a_serial_that_is_newer() {
    let installation = with_zone();
    let mut daemon = installation.start();
    daemon.wait_for(&["[STATS] a.example "]);
    let clients = Clients::of(&installation);
    let scheduled = "Zone a.example scheduled for immediate re-sign.\n";
    clients.signer("sign a.example --serial 3000000000").is(scheduled);
    daemon.wait_for(&["[STATS] a.example 3000000000 "]);
    assert_eq!(serial_of(&installation.signed("a.example")), 3_000_000_000);
    dnssec_verify(&installation.signed("a.example"), "a.example").unwrap();
    // The same again is not newer (RFC 1982).
    let refused =
        format!("Error: Unable to enforce serial 3000000000 for zone a.example.\n{scheduled}");
    clients.signer("sign a.example --serial 3000000000").is(&refused);
    // The serial of the input, 1, is newer than that; the time, which is newer than 1, is not.
    clients.signer("clear a.example").is("Internal zone information about a.example cleared");
    daemon.wait_for(&["[STATS] a.example "]);
    let next = Serial(serial_of(&installation.signed("a.example")));
    assert!(next.is_after(Serial(3_000_000_000)), "{next}");
    daemon.stop();
}

#[test]
fn clear_has_every_signature_made_anew_with_a_higher_serial() {
    let installation = with_zone();
    let mut daemon = installation.start();
    let first = daemon.wait_for(&["[STATS] a.example "]);
    let (before, signed) = (serial_of(&installation.signed("a.example")), "a.example");
    let clients = Clients::of(&installation);
    clients.signer("clear a.example").is("Internal zone information about a.example cleared");
    let second = daemon.wait_for(&["[STATS] a.example "]);
    let made = |line: &str| {
        let (_, rest) = line.split_once("RRSIG[new=").unwrap();
        rest.split_once(" reused=0 ").expect(line).0.parse::<u32>().unwrap()
    };
    assert_eq!(made(&first), made(&second));
    assert!(serial_of(&installation.signed(signed)) > before);
    dnssec_verify(&installation.signed(signed), signed).unwrap();
    daemon.stop();
}

#[test]
fn update_brings_zones_in_and_takes_them_out() {
    let installation = with_zone();
    let mut daemon = installation.start();
    daemon.wait_for(&["[STATS] a.example "]);
    let clients = Clients::of(&installation);
    installation.write_small_zone("b.example", 7, "");
    installation.write_zonelist(&[("a.example", "default"), ("b.example", "default")]);
    clients.signer("zones").is("There are 1 zones configured\n- a.example\n");
    clients.signer("update --all").is("Zone list updated: 0 removed, 1 added, 0 updated.\n");
    daemon.wait_for(&["[STATS] b.example "]);
    dnssec_verify(&installation.signed("b.example"), "b.example").unwrap();
    let listed = clients.enforcer("zone list").stdout;
    assert!(listed.contains("\nb.example  "), "{listed}");

    // Another place for the output; the zone goes on with its keys and its serial.
    let serial = serial_of(&installation.signed("b.example"));
    installation.edit("zonelist.xml", "signed/b.example", "signed/b.signed");
    clients.signer("update --all").is("Zone list updated: 0 removed, 0 added, 1 updated.\n");
    daemon.wait_for(&["write zone b.example"]);
    assert!(serial_of(&installation.path("signed/b.signed")) >= serial);

    installation.write_zonelist(&[("b.example", "default")]);
    let said = clients.signer("update --all").stdout;
    assert_eq!(said, "Zone list updated: 1 removed, 0 added, 1 updated.\n");
    clients.signer("zones").is("There are 1 zones configured\n- b.example\n");
    clients.signer("sign a.example").ends("Error: Zone a.example not found.\n", "", 1);

    // A list with a fault changes nothing, and the operator hears where the fault is.
    installation.write("zonelist.xml", "<ZoneList><Zone/></ZoneList>");
    let said = clients.signer("update --all");
    assert_eq!((said.stdout.as_str(), said.code), ("Zone list has errors.\n", Some(0)));
    assert!(said.stderr.contains("zonelist.xml:1:"), "{said:?}");
    clients.signer("zones").is("There are 1 zones configured\n- b.example\n");
    daemon.stop();
}

#[test]
fn verbosity_holds_until_the_next_start() {
    let installation = with_zone();
    let mut daemon = installation.start();
    daemon.wait_for(&["[STATS] a.example "]);
    let clients = Clients::of(&installation);
    clients.enforcer("verbosity 1").is("Verbosity level set to 1.\n");
    clients.signer("sign --all").is("All zones scheduled for immediate re-sign.\n");
    clients.signer("verbosity 6").is("Verbosity level set to 6.\n");
    clients.signer("flush").is("All tasks scheduled immediately.\n");
    daemon.wait_for(&["received command flush"]);
    assert_eq!(daemon.count("received command verbosity 1"), 1);
    assert_eq!(daemon.count("received command sign"), 0);
    daemon.stop();
}
