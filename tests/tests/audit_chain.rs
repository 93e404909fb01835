//! The log of verdicts and the tests of the auditor at a running daemon: every published version
//! has its verdict, also after a kill; the chain is proven; the auditor refuses whatever a version
//! is changed to, and when it did not, nothing is published until it is trusted again.

use anchorite_tests::daemon::{Daemon, Installation, serial_of};
use anchorite_tests::program::anchorite;
use dnssec::{Name, Timestamp};
use std::process::Command;
use storage::StateStore;
use storage::state::{
    Extent, Outcome, TestOutcome, Tested, VerdictEntry, VerdictEvent, state_path,
};

const ZONE: &str = "chain.example";

fn installation() -> Installation {
    let installation = Installation::new("default");
    installation.write_zonelist(&[(ZONE, "default")]);
    write(&installation, 1);
    installation
}

fn write(installation: &Installation, round: u32) {
    let records = format!("www IN A 192.0.2.{round}\nmail IN AAAA 2001:db8::{round}");
    installation.write_small_zone(ZONE, round, &records);
}

fn wait(daemon: &mut Daemon) {
    daemon.wait_for(&[&format!("[STATS] {ZONE} ")]);
}

/// What a command prints, on both ways, and whether it succeeded.
fn say(installation: &Installation, words: &[&str]) -> (String, bool) {
    let mut command = Command::new(anchorite());
    let output = command.args(["-s", &installation.socket()]).args(words).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (String::from_utf8(text).unwrap(), output.status.success())
}

#[track_caller]
fn said(installation: &Installation, words: &[&str]) -> String {
    let (text, is_success) = say(installation, words);
    assert!(is_success, "{words:?}: {text}");
    text
}

/// The store of a daemon that does not run.
fn store(installation: &Installation) -> StateStore {
    let path = state_path(&installation.path("kasp.db"));
    StateStore::open(&path, Timestamp(1)).unwrap()
}

/// Has the auditor's log say that it missed something.
fn plant_missed_test(installation: &Installation) {
    let tested = Tested {
        zone: Name::parse(ZONE.as_bytes(), Some(&Name::root())).unwrap(),
        serial: None,
        mutation: "one bit of a signature changed".to_owned(),
        extent: Extent::Whole,
        outcome: TestOutcome::Missed,
        findings: Vec::new(),
        auditor: "an auditor that lies".to_owned(),
    };
    let event = VerdictEvent::Tested(Box::new(tested));
    store(installation).verdict_append(&VerdictEntry { at: Timestamp(1), event }).unwrap();
}

#[test]
fn every_version_has_its_verdict_and_the_chain_is_proven() {
    let installation = installation();
    let mut daemon = installation.start();
    let mut serials = Vec::new();
    for round in 1..6 {
        if round > 1 {
            write(&installation, round);
            daemon.reload();
        }
        wait(&mut daemon);
        serials.push(serial_of(&installation.signed(ZONE)));
        // The log is as durable as the version.
        daemon.kill();
        let store = store(&installation);
        let entries = store.verdicts(None, 1000).unwrap();
        let approved = entries.iter().filter_map(|entry| match &entry.entry.event {
            VerdictEvent::Judged(judged) if judged.outcome == Outcome::Approve => {
                Some(judged.serial.unwrap().0)
            }
            _ => None,
        });
        let approved: Vec<u32> = approved.collect();
        assert!(serials.iter().all(|serial| approved.contains(serial)), "{serials:?} {approved:?}");
        assert_eq!(store.verdicts_verify(None).unwrap().faults, []);
        drop(store);
        daemon = installation.start();
        daemon.wait_for(&["signer started"]);
    }
    let proof = said(&installation, &["audit", "log", "verify"]);
    assert!(proof.contains("the chain is whole"), "{proof}");
    let (_, known) = proof.split_once("the last hash is ").unwrap();
    let known = known.lines().next().unwrap();
    said(&installation, &["audit", "log", "verify", "--known", known]);
    // A hash that somebody noted, and that the log does not have.
    let (number, _) = known.split_once(':').unwrap();
    let other = format!("{number}:{}", "ab".repeat(32));
    let (text, is_success) = say(&installation, &["audit", "log", "verify", "--known", &other]);
    assert!(!is_success && text.contains("was made anew"), "{text}");
    let lines = said(&installation, &["audit", "log", ZONE, "--number", "3"]);
    assert!(lines.lines().count() == 3 && lines.contains(" approve ("), "{lines}");
    let export = said(&installation, &["audit", "log", "export"]);
    let parsed: Vec<serde_json::Value> =
        export.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let hash = |value: &serde_json::Value, field: &str| value[field].as_str().unwrap().to_owned();
    for pair in parsed.windows(2) {
        assert_eq!(hash(&pair[0], "hash_of_entry"), hash(&pair[1], "previous"));
    }
    daemon.stop();
}

#[test]
fn the_auditor_refuses_whatever_a_version_is_changed_to() {
    let installation = installation();
    let kasp = installation.read("kasp.xml");
    let (before, rest) = kasp.split_once("<NSEC3>").unwrap();
    let (_, after) = rest.split_once("</NSEC3>").unwrap();
    for denial in ["NSEC3", "NSEC"] {
        if denial == "NSEC" {
            installation.write("kasp.xml", &format!("{before}<NSEC/>{after}"));
        }
        let mut daemon = installation.start();
        wait(&mut daemon);
        let signed = installation.read(&format!("signed/{ZONE}"));
        assert!(signed.contains(&format!("\t{denial}\t")), "{signed}");
        let lines = said(&installation, &["audit", "selftest", ZONE]);
        assert_eq!(lines.lines().count(), 5, "{denial}: {lines}");
        assert!(lines.lines().all(|line| line.contains("refused, as it had to be")), "{lines}");
        // By itself, soon after the start.
        daemon.wait_for(&["self test: the auditor refused zone"]);
        let status = said(&installation, &["audit", "status"]);
        assert!(status.contains("last test that it passed: 2"), "{status}");
        daemon.stop();
        write(&installation, 2);
    }
}

#[test]
fn nothing_is_published_while_the_auditor_is_not_trusted() {
    let installation = installation();
    drop(store(&installation));
    plant_missed_test(&installation);
    let mut daemon = installation.start();
    daemon.wait_for(&["CRITICAL", ZONE, "the auditor is not trusted"]);
    assert!(!installation.signed(ZONE).exists());
    let (status, is_success) = say(&installation, &["audit", "status"]);
    assert!(!is_success && status.contains("ALARM"), "{status}");
    said(&installation, &["audit", "trust", "--reason", "it was looked at"]);
    wait(&mut daemon);
    assert!(installation.signed(ZONE).exists());
    let log = said(&installation, &["audit", "log"]);
    assert!(log.contains("auditor trusted again") && log.contains("it was looked at"), "{log}");
    daemon.stop();
}

#[test]
fn an_auditor_that_was_restarted_and_passes_is_trusted_again() {
    let installation = installation();
    let mut daemon = installation.start();
    wait(&mut daemon);
    daemon.stop();
    plant_missed_test(&installation);
    let before = serial_of(&installation.signed(ZONE));
    write(&installation, 2);
    let mut daemon = installation.start();
    daemon.wait_for(&["CRITICAL", ZONE, "the auditor is not trusted"]);
    assert_eq!(serial_of(&installation.signed(ZONE)), before);
    daemon.wait_for(&["the auditor is trusted again: it was restarted"]);
    wait(&mut daemon);
    assert!(serial_of(&installation.signed(ZONE)) > before);
    daemon.stop();
}

/// A zone that is too large to be judged as a whole for a test: the auditor's own copy is used.
#[test]
fn a_large_zone_tests_the_auditor_by_a_difference() {
    let installation = Installation::new("default");
    installation.write_zonelist(&[(ZONE, "default")]);
    let names = |last: u32| {
        let mut records = String::new();
        for number in 0..100_000 {
            records.push_str(&format!("h{number} IN A 192.0.2.{last}\n"));
        }
        records
    };
    installation.write_small_zone(ZONE, 1, &names(1));
    let mut daemon = installation.start();
    wait(&mut daemon);
    let lines = said(&installation, &["audit", "selftest", ZONE]);
    // Of a dropped NSEC3 it says by itself that only all of the zone can tell.
    assert!(lines.contains("one bit of a signature changed (difference)"), "{lines}");
    assert!(lines.lines().all(|line| line.contains("refused, as it had to be")), "{lines}");
    let log = said(&installation, &["audit", "log", "export"]);
    let tested = |line: &&str| line.contains("\"self test\"");
    assert!(log.lines().any(|line| tested(&line)), "{log}");
    assert!(log.lines().filter(tested).all(|line| line.contains("\"difference\"")), "{log}");
    daemon.stop();
}
