//! `<Zone><ZoneMD/>`: signed versions have a digest of themselves (RFC 8976), which ldns verifies
//! in each, and which goes when the policy no longer wants it.

use std::path::Path;
use std::process::Command;

use anchorite_tests::daemon::{Daemon, Installation, serial_of};
use anchorite_tests::judges;

const ZONE: &str = "example.com";

/// ldns wants a ZONEMD that is right, in a signed zone.
fn ldns_verifies(path: &Path) -> bool {
    let output = Command::new("ldns-verify-zone").args(["-Z", "-Z"]).arg(path).output();
    output.expect("ldns-verify-zone is installed (cargo xtask setup)").status.success()
}

fn zonemd_count(path: &Path) -> usize {
    std::fs::read_to_string(path).unwrap().matches("\tZONEMD\t").count()
}

fn wait_for_newer(daemon: &mut Daemon, path: &Path, serial: u32) -> u32 {
    daemon.wait_for(&["[STATS] example.com "]);
    let newer = serial_of(path);
    assert_ne!(newer, serial, "{}", daemon.log());
    newer
}

#[test]
fn each_version_has_its_digest() {
    let installation = Installation::new("lab");
    let (soa, with_digest) = ("<Serial>unixtime</Serial>\n\t\t\t</SOA>", "</SOA>\n<ZoneMD/>");
    installation.edit("kasp.xml", soa, &soa.replace("</SOA>", with_digest));
    installation.write_zonelist(&[(ZONE, "lab")]);
    installation.write_small_zone(
        ZONE,
        1,
        "a IN A 192.0.2.1\nsub IN NS ns.sub\nns.sub IN A 192.0.2.2",
    );
    let path = installation.signed(ZONE);
    let mut daemon = installation.start();
    daemon.wait_for(&["[STATS] example.com "]);
    let mut serial = serial_of(&path);
    assert!(ldns_verifies(&path) && zonemd_count(&path) == 1);
    judges::all(&path, ZONE).unwrap();
    for number in 2..5 {
        installation.write_small_zone(ZONE, number, &format!("a{number} IN A 192.0.2.1"));
        daemon.reload();
        serial = wait_for_newer(&mut daemon, &path, serial);
        assert!(ldns_verifies(&path), "version {number}");
    }
    // A wrong digest would be seen.
    let text = std::fs::read_to_string(&path).unwrap();
    let tampered = installation.path("tampered");
    std::fs::write(&tampered, text.replace("192.0.2.1", "192.0.2.9")).unwrap();
    assert!(!ldns_verifies(&tampered));
    drop(daemon.stop());
    // Nothing is due: the version stands. Then the policy has changed its mind.
    installation.edit("kasp.xml", "<ZoneMD/>", "");
    let mut daemon = installation.start();
    wait_for_newer(&mut daemon, &path, serial);
    assert_eq!(zonemd_count(&path), 0);
    judges::all(&path, ZONE).unwrap();
}
