//! A zone from a BIND outside the box: fetched, signed, served, and fetched by another BIND, which
//! the box tells of each version; all with TSIG, through the network of the virtual machine.

use crate::machine::{Doors, Machine, Start, blank_disk};
use crate::site::{Site, Way, addns};
use anchorite_tests::daemon::small_zone;
use anchorite_tests::judges;
use anchorite_tests::peers::{self, Key, Setup, Software};
use std::path::Path;

const ZONE: &str = "fetched.example";

/// What `dig` gets of the box: records that Debian's `dnssec-verify` accepts.
#[track_caller]
pub(crate) fn verified(doors: Doors, zone: &str, key: Option<&Key>, folder: &Path) -> Vec<String> {
    let records = peers::axfr(doors.dns, zone, key);
    let file = folder.join(format!("{zone}.transferred"));
    std::fs::write(&file, records.join("\n") + "\n").unwrap();
    judges::dnssec_verify(&file, zone).unwrap();
    records
}

#[test]
fn a_zone_from_a_bind_outside_is_signed_and_served() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    blank_disk(&data, 256);
    let doors = Doors::new();
    let key = Key::new("transfer.key", "hmac-sha256");
    let with = |setup: Setup| setup.with_key(key.clone());
    let text = small_zone(ZONE, 1, "www IN A 192.0.2.80");
    let primary = Setup::primary(Software::Named, ZONE, &text).notifying(doors.dns);
    let mut primary = with(primary).start();
    let mut secondary = with(Setup::secondary(Software::Named, ZONE, doors.dns)).start();
    let addns = addns(primary.address(), &[secondary.address()], Some(&key));
    let zones = [(ZONE, "default", Way::Transfer, Way::Transfer)];
    let site = Site::new(folder.path(), doors, &zones, &[("opendnssec/addns.xml", &addns)]);
    let mut machine = Machine::start_at(Start::Kernel, &[&data, &site.setup], Some(doors));
    machine.wait_for("box1 login: ");

    // The secondary hears of the first version by NOTIFY: it did not exist when that started.
    secondary.wait_for(&["Transfer status: success"]);
    eprintln!("at the secondary {:?} after the start", machine.age());
    let records = verified(doors, ZONE, Some(&key), folder.path());
    assert!(records.iter().any(|record| record.ends_with("192.0.2.80")), "{records:?}");
    assert_eq!(secondary.records(), records);
    let serial = peers::soa_serial(doors.dns, ZONE, Some(&key)).expect("it answers");

    // A change goes the same way: NOTIFY from BIND, by UDP through the network's door.
    let begun = machine.age();
    primary.replace(&small_zone(ZONE, 2, "www IN A 192.0.2.81"), 2);
    secondary.wait_for(&["Transfer status: success"]);
    eprintln!("a change is there in {:?}", machine.age() - begun);
    let records = verified(doors, ZONE, Some(&key), folder.path());
    assert!(records.iter().any(|record| record.ends_with("192.0.2.81")), "{records:?}");
    assert_eq!(secondary.records(), records);
    let later = peers::soa_serial(doors.dns, ZONE, Some(&key)).expect("it answers");
    assert!(later.wrapping_sub(serial) as i32 > 0, "{serial} {later}");
    // Who has no key gets nothing.
    let stranger = peers::dig(doors.dns, None).args([ZONE, "AXFR"]).output().unwrap();
    assert!(!String::from_utf8_lossy(&stranger.stdout).contains("RRSIG"), "{stranger:?}");
    let shown = machine.ssh(&site.key, &format!("zone show {ZONE}")).1;
    assert!(shown.contains("10.0.2.2"), "{shown}");
    machine.press_power_button();
    machine.wait_until_off();
}
