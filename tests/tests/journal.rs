//! The journal of a zone as an operator sees it: a small change is saved as a difference, and read
//! back after a kill; damage is named and mended by the next version; a grown journal becomes a
//! snapshot while the daemon runs.

use anchorite_tests::daemon::{Daemon, Installation, Untouched, serial_of};
use anchorite_tests::judges::dnssec_verify;
use std::path::PathBuf;

const ZONE: &str = "z.example";

/// A zone of 200 names, of which those below `changed` have other addresses and texts.
fn write(installation: &Installation, serial: u32, changed: usize) {
    let record = |number: usize| {
        let round = if number < changed { serial } else { 0 };
        format!(
            "h{number} IN A 192.0.2.{}\nh{number} IN TXT \"{}{round}\"\n",
            number % 250,
            "x".repeat(100)
        )
    };
    let records: String = (0..200).map(record).collect();
    installation.write_small_zone(ZONE, serial, &records);
}

fn started() -> (Installation, Daemon) {
    let installation = Installation::new("default");
    installation.write_zonelist(&[(ZONE, "default")]);
    write(&installation, 1, 0);
    let mut daemon = installation.start();
    daemon.wait_for(&["[STATS] z.example "]);
    (installation, daemon)
}

fn change(installation: &Installation, daemon: &mut Daemon, serial: u32, changed: usize) -> String {
    write(installation, serial, changed);
    daemon.reload();
    daemon.wait_for(&["[STATS] z.example "])
}

fn files(installation: &Installation, end: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(installation.path("signer/snapshots")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.to_string_lossy().ends_with(end)).collect()
}

fn journal(installation: &Installation) -> PathBuf {
    let [journal] = files(installation, ".journal").try_into().unwrap();
    journal
}

/// Another start finds the zone as it was published, without damage, and has nothing to do.
#[track_caller]
fn check_nothing_is_lost(installation: &Installation) {
    let signed = Untouched::look(&installation.signed(ZONE));
    let mut daemon = installation.start();
    daemon.wait_for(&["skip write zone z.example serial "]);
    let lines = daemon.stop();
    signed.check();
    for word in ["[STATS]", "recover", "offset"] {
        assert!(!lines.contains(word), "{lines}");
    }
}

#[test]
fn a_small_change_is_a_difference_and_survives_a_kill() {
    let (installation, mut daemon) = started();
    let snapshot = Untouched::look(&files(&installation, ".snapshot")[0]);
    let stats = change(&installation, &mut daemon, 2, 1);
    // The text, and the SOA: NSEC3 records and addresses stand.
    assert!(stats.contains("RRSIG[new=2 reused="), "{stats}");
    let stats = change(&installation, &mut daemon, 3, 2);
    assert!(stats.contains("RRSIG[new=3 reused="), "{stats}");
    daemon.kill();
    snapshot.check();
    dnssec_verify(&installation.signed(ZONE), ZONE).unwrap();
    check_nothing_is_lost(&installation);
}

#[test]
fn a_damaged_journal_is_named_and_the_next_version_follows_the_published_one() {
    type Damage = fn(&mut Vec<u8>);
    let damages: [(&str, Damage); 3] = [
        ("its end is torn off", |bytes| bytes.truncate(bytes.len() - 7)),
        ("a byte in the middle", |bytes| {
            let at = bytes.len() / 2;
            bytes[at] ^= 4;
        }),
        ("the head", |bytes| bytes[20] ^= 1),
    ];
    for (what, damage) in damages {
        let (installation, mut daemon) = started();
        (2..5).for_each(|serial| {
            change(&installation, &mut daemon, serial, 3);
        });
        daemon.kill();
        let before = serial_of(&installation.signed(ZONE));
        let path = journal(&installation);
        let mut bytes = std::fs::read(&path).unwrap();
        damage(&mut bytes);
        std::fs::write(&path, bytes).unwrap();
        let mut daemon = installation.start();
        let said = daemon.wait_for(&["zone z.example: ", "journal"]);
        assert!(said.contains("offset"), "{what}: {said}");
        daemon.wait_for(&["[STATS] z.example "]);
        dnssec_verify(&installation.signed(ZONE), ZONE).unwrap();
        let after = serial_of(&installation.signed(ZONE));
        assert!(after > before, "{what}: serial {after} after {before}");
        assert!(installation.read("signed/z.example").contains("xxx4\""), "{what}");
        // It is whole again.
        change(&installation, &mut daemon, 5, 3);
        daemon.kill();
        check_nothing_is_lost(&installation);
    }
}

#[test]
fn a_grown_journal_becomes_a_snapshot_while_versions_are_made() {
    let (installation, mut daemon) = started();
    let old = files(&installation, ".snapshot");
    let mut serial = 1;
    while daemon.count("the journal has become snapshot") == 0 {
        serial += 1;
        assert!(serial < 100, "{}", daemon.log());
        change(&installation, &mut daemon, serial, 60);
    }
    daemon.kill();
    let new = files(&installation, ".snapshot");
    assert!(new.len() <= 2 && !new.is_empty() && new != old, "{old:?}, then {new:?}");
    dnssec_verify(&installation.signed(ZONE), ZONE).unwrap();
    check_nothing_is_lost(&installation);
    // What the kill may have left is gone.
    assert_eq!(files(&installation, ".snapshot").len(), 1);
}
