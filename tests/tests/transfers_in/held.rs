//! What was received and is held by the input breaker, over a restart: changes are asked for anew,
//! a whole zone is found again although its master is gone. Then an operator accepts it.

use crate::lab::{Lab, ZONE, Zone};
use anchorite_tests::daemon::Installation;
use anchorite_tests::peers::Software;
use anchorite_tests::program::anchorite;
use std::process::Command;

/// Has every loss of more than five percent held.
fn strict(installation: &Installation) {
    let growth = "<Growth>none</Growth><TypeGrowth>none</TypeGrowth>";
    let limits = format!("<Shrink>5</Shrink>{growth}<SmallChange>0</SmallChange>");
    installation.edit("kasp.xml", growth, &limits);
}

/// A lab whose master has a version that is held.
fn held(software: Software, zone: &mut Zone) -> Lab {
    let mut lab = Lab::with(software, zone, None, strict);
    zone.thin_out();
    lab.master.replace(&zone.text(), zone.serial);
    lab.daemon().wait_for(&["ALARM", ZONE, "is held and not signed"]);
    lab
}

fn accept(lab: &mut Lab, zone: &Zone) {
    let socket = lab.installation.socket();
    let words = ["-s", &socket, "zone", "input", ZONE, "accept"];
    let output = Command::new(anchorite()).args(words).output().expect("it was built");
    assert!(output.status.success(), "{output:?}");
    lab.daemon().wait_for(&["[STATS]", ZONE]);
    assert_eq!(lab.ours(), zone.wanted());
}

#[test]
fn held_changes_are_asked_for_anew_after_a_restart() {
    let mut zone = Zone::new();
    let mut lab = held(Software::Knot, &mut zone);
    let before = lab.ours();
    assert_ne!(before, zone.wanted());
    lab.daemon.take().expect("it runs").stop();
    lab.daemon = Some(lab.installation.start());
    lab.daemon().wait_for(&["ALARM", ZONE, "is held and not signed"]);
    assert_eq!(lab.ours(), before);
    assert_eq!(lab.daemon().count("request axfr"), 0, "{}", lab.daemon().log());
    accept(&mut lab, &zone);
}

#[test]
fn a_held_zone_is_found_again_without_its_master() {
    let mut zone = Zone::new();
    // It gives whole zones only, which are kept in a file.
    let mut lab = held(Software::Pdns, &mut zone);
    lab.daemon.take().expect("it runs").kill();
    let Lab { master, installation, .. } = lab;
    drop(master);
    let mut daemon = installation.start();
    daemon.wait_for(&["what was received before the restart is used now"]);
    daemon.wait_for(&["ALARM", ZONE, "is held and not signed"]);
    let socket = installation.socket();
    let words = ["-s", &socket, "zone", "input", ZONE, "accept"];
    let output = Command::new(anchorite()).args(words).output().expect("it was built");
    assert!(output.status.success(), "{output:?}");
    daemon.wait_for(&["[STATS]", ZONE]);
    let text = std::fs::read_to_string(installation.signed(ZONE)).expect("it is there");
    assert_eq!(crate::lab::unsigned_records(text.lines()), zone.wanted());
}
