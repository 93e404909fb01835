//! The input breaker at the running daemon: inputs that went out at registries are held, the last
//! good one goes on being signed, and an operator's answer survives a restart and a kill.
//! In: an installation, zone files, commands. Out: what the log, the commands and the signed zone
//! say.

use anchorite_tests::daemon::{Daemon, Installation, WAIT, serial_of};
use anchorite_tests::judges::dnssec_verify;
use anchorite_tests::program::anchorite;
use std::fmt::Write;
use std::process::Command;
use std::time::{Duration, Instant};

const ZONE: &str = "se.example";

/// A zone with these delegations.
fn registry(serial: u32, delegations: std::ops::Range<u32>) -> String {
    let mut records = String::new();
    for number in delegations {
        writeln!(records, "d{number} IN NS ns.example.net.").unwrap();
    }
    anchorite_tests::daemon::small_zone(ZONE, serial, records.trim_end())
}

/// What a command says, on both streams.
fn said(installation: &Installation, words: &str) -> String {
    let mut command = Command::new(anchorite());
    command.args(["-s", &installation.socket()]).args(words.split_ascii_whitespace());
    let output = command.output().unwrap();
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    let first = format!("sock set to {}\n", installation.socket());
    text.strip_prefix(&first).unwrap_or(&text).to_owned()
}

/// A daemon that has signed a zone with 300 delegations.
fn signed() -> (Installation, Daemon) {
    let installation = Installation::new("default");
    installation.write_zonelist(&[(ZONE, "default")]);
    installation.write_zone(ZONE, &registry(1, 0..300));
    let mut daemon = installation.start();
    daemon.wait_for(&["[STATS] se.example "]);
    (installation, daemon)
}

/// Has the zone read again, and waits until it is held with these words.
fn is_held(installation: &Installation, daemon: &mut Daemon, words: &[&str]) {
    let before = std::fs::read(installation.signed(ZONE)).unwrap();
    daemon.reload();
    let mut all = vec!["ALARM: zone se.example", "the last good input goes on being signed"];
    all.extend(words);
    daemon.wait_for(&all);
    assert_eq!(std::fs::read(installation.signed(ZONE)).unwrap(), before);
    assert!(said(installation, "zone input se.example").contains("answer: none yet"));
}

fn has(installation: &Installation, fragment: &str) -> bool {
    let text = std::fs::read_to_string(installation.signed(ZONE)).unwrap();
    dnssec_verify(&installation.signed(ZONE), ZONE).unwrap();
    text.contains(fragment)
}

#[test]
fn two_thirds_of_the_names_are_lost_as_in_de_2010() {
    let (installation, mut daemon) = signed();
    installation.write_zone(ZONE, &registry(2, 0..100));
    let lost = "lost 200 of 300 delegations, limit 10 %: gone d100.se.example., ";
    is_held(&installation, &mut daemon, &[lost, "zone input se.example accept"]);
    let shown = said(&installation, "zone input se.example");
    assert!(shown.contains("serial: 2") && shown.contains(lost), "{shown}");
    let kept = shown.lines().find_map(|line| line.trim().strip_prefix("kept in: ")).unwrap();
    assert!(std::fs::read_to_string(kept).unwrap().contains("d99.se.example."));
    // What is signed goes on being signed, and a restart finds the same.
    daemon.kill();
    let mut daemon = installation.start();
    daemon.wait_for(&["ALARM: zone se.example", lost]);
    assert!(has(&installation, "d299.se.example."));
    // A whole input comes in: nobody has to answer any more.
    installation.write_zone(ZONE, &registry(3, 0..301));
    daemon.reload();
    daemon.wait_for(&["[STATS] se.example "]);
    assert!(has(&installation, "d300.se.example."));
    let shown = said(&installation, "zone input se.example");
    assert_eq!(shown, "no input of zone se.example is held\n");
    assert!(!std::path::Path::new(kept).exists());
    daemon.stop();
}

#[test]
fn names_end_in_the_origin_twice_as_in_se_2009() {
    let (installation, mut daemon) = signed();
    let mut records = String::new();
    for number in 0..300 {
        writeln!(records, "d{number}.se.example IN NS ns.example.net.").unwrap();
    }
    let zone = anchorite_tests::daemon::small_zone(ZONE, 2, records.trim_end());
    installation.write_zone(ZONE, &zone);
    let doubled =
        "B110 300 names more end in the origin twice, limit 3: at d0.se.example.se.example.";
    is_held(&installation, &mut daemon, &[doubled, "final dot"]);
    daemon.stop();
}

#[test]
fn what_an_operator_accepts_is_signed_even_after_a_kill() {
    let (installation, mut daemon) = signed();
    installation.write_zone(ZONE, &registry(2, 0..100));
    is_held(&installation, &mut daemon, &["lost 200 of 300"]);
    let wrong = said(&installation, "zone input se.example accept 0123456789");
    assert!(wrong.contains("nothing was changed"), "{wrong}");
    let accepted = said(&installation, "zone input se.example accept");
    assert_eq!(accepted, "input of zone se.example accepted: it is read and signed now\n");
    // The answer was durable before it was said; the run may have come to its end or not.
    daemon.kill();
    let mut daemon = installation.start();
    let begin = Instant::now();
    while has(&installation, "d100.se.example.") {
        assert!(begin.elapsed() < WAIT, "{}", daemon.log());
        std::thread::park_timeout(Duration::from_millis(20));
    }
    assert!(has(&installation, "d99.se.example."));
    // The answer was to that input; the next one is judged against it.
    installation.write_zone(ZONE, &registry(3, 0..20));
    is_held(&installation, &mut daemon, &["lost 80 of 100"]);
    daemon.stop();
}

#[test]
fn what_an_operator_rejects_stays_rejected_over_a_restart() {
    let (installation, mut daemon) = signed();
    let serial = serial_of(&installation.signed(ZONE));
    installation.write_zone(ZONE, &registry(2, 0..100));
    is_held(&installation, &mut daemon, &["lost 200 of 300"]);
    let rejected = said(&installation, "zone input se.example reject");
    assert!(rejected.contains("rejected: the last good one goes on"), "{rejected}");
    daemon.wait_for(&["with serial 2 is rejected and not signed"]);
    daemon.stop();
    let mut daemon = installation.start();
    daemon.wait_for(&["with serial 2 is rejected and not signed"]);
    assert_eq!(daemon.count("ALARM"), 0, "{}", daemon.log());
    assert!(said(&installation, "zone input se.example").contains("answer: rejected by "));
    assert_eq!(serial_of(&installation.signed(ZONE)), serial);
    daemon.stop();
}

#[test]
fn old_copies_cut_files_and_limits_that_are_switched_off() {
    let (installation, mut daemon) = signed();
    installation.write_zone(ZONE, &registry(0, 0..301));
    is_held(&installation, &mut daemon, &["B109 serial 0 is not newer than 1"]);
    installation.write_zone(ZONE, registry(2, 0..301).trim_end());
    is_held(&installation, &mut daemon, &["B115 the last line of the file is not ended"]);
    let off = "</Parent><InputLimits><FinalNewline>none</FinalNewline></InputLimits>";
    installation.edit("kasp.xml", "</Parent>", off);
    let mut import = Command::new(anchorite());
    import.args(["-s", &installation.socket(), "policy", "import"]);
    assert!(import.status().unwrap().success());
    daemon.wait_for(&["[STATS] se.example "]);
    assert!(has(&installation, "d300.se.example."));
    daemon.stop();
}

#[test]
fn a_held_input_is_shown_beside_the_verdicts_and_goes_with_its_zone() {
    let (installation, mut daemon) = signed();
    installation.write_zone(ZONE, &registry(2, 0..100));
    is_held(&installation, &mut daemon, &["lost 200 of 300"]);
    let shown = said(&installation, "zone audit se.example");
    assert!(shown.contains("input: the input with serial 2 is held and not signed"), "{shown}");
    let shown = said(&installation, "zone input se.example");
    let kept = shown.lines().find_map(|line| line.trim().strip_prefix("kept in: ")).unwrap();
    assert!(std::path::Path::new(kept).exists());
    let deleted = said(&installation, "zone delete -z se.example");
    assert!(deleted.contains("Deleted zone se.example successfully"), "{deleted}");
    daemon.stop();
    // As old snapshots, it is cleared away at the start.
    let mut daemon = installation.start();
    daemon.wait_for(&["signer started"]);
    assert!(!std::path::Path::new(kept).exists());
    daemon.stop();
}
