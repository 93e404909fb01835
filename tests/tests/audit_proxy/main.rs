//! `anchorite audit-proxy` between other people's signers and whoever transfers the zone: good
//! versions pass unchanged, bad ones do not, and the last good one stays.
//! Signer: dnssec-signzone of BIND. Primary: named or knotd.

mod lab;
mod operators;
mod relay;
mod steps;

use anchorite_tests::daemon::{Daemon, Installation, small_zone};
use anchorite_tests::peers::{Peer, Setup, Software, axfr, free_address};
use lab::*;

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

/// An installation whose policy passes a file with this zone through.
fn daemon_for(serial_mode: &str, text: &str) -> Installation {
    let installation = Installation::new("default");
    let kasp = installation.read("kasp.xml");
    let (before, after) = kasp.split_once("<Serial>").unwrap();
    let (_, after) = after.split_once("</Serial>").unwrap();
    let kasp = format!("{before}<Serial>{serial_mode}</Serial>{after}");
    installation
        .write("kasp.xml", &kasp.replacen("<Description>", "<Passthrough/><Description>", 1));
    installation.write_zonelist(&[(ZONE, "default")]);
    installation.write_zone(ZONE, text);
    installation
}

fn daemon_with(serial_mode: &str, text: &str) -> (Installation, Daemon) {
    let installation = daemon_for(serial_mode, text);
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
