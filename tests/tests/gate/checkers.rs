//! External checkers: what they refuse, and what happens when they hang, crash or are missing.

use crate::lab::{ZONE, installation, run, script, signed_serial, start, told};
use anchorite_tests::daemon::Installation;
use anchorite_tests::judges;
use std::path::Path;

fn add_checker(installation: &Installation, command: &str, timeout: &str) {
    let checker = format!(
        "<Checker><Command>{command}</Command><Timeout>{timeout}</Timeout></Checker></Signer>"
    );
    installation.edit("conf.xml", "</Signer>", &checker);
}

/// A checker that wants to see no record `bad`, and writes down what it was asked.
fn add_strict_checker(installation: &Installation) {
    let seen = installation.path("seen");
    let text = format!(
        "echo \"$1\" >> {}\nif grep -q '^bad\\.' \"$2\"; then echo found a bad name; exit 3; fi",
        seen.display()
    );
    let path = script(installation, "strict", &text);
    add_checker(installation, &format!("{} %zone %file", path.display()), "PT30S");
}

#[test]
fn a_checker_that_says_no_keeps_the_last_version_served_and_signed() {
    let installation = installation();
    add_strict_checker(&installation);
    let mut daemon = start(&installation);
    daemon.wait_for(&["[STATS]", ZONE]);
    let good = signed_serial(&installation);
    assert_eq!(installation.read("seen"), format!("{ZONE}\n"));
    installation.write_small_zone(ZONE, 2, "www IN A 192.0.2.80\nbad IN A 192.0.2.66");
    run(&installation, "ods-signer", &["sign", ZONE]);
    let last = daemon.wait_for(&["ALARM: zone gate.example", "is rejected", "external checker"]);
    assert!(last.contains("found a bad name"), "{last}");
    assert!(last.contains(&format!("serial {good}, stays served")), "{last}");
    assert!(last.contains("the last good input goes on being signed"), "{last}");
    assert!(last.contains("anchorite zone diff gate.example"), "{last}");
    assert_eq!(signed_serial(&installation), good);
    // What would have changed.
    let diff = told(&installation, &["zone", "diff", ZONE]);
    assert!(diff.contains("+bad.gate.example.\t60\tIN\tA\t192.0.2.66"), "{diff}");
    assert!(diff.contains("\n-gate.example.\t"), "{diff}");
    assert!(diff.contains("; an external checker refused"), "{diff}");
    let shown = told(&installation, &["zone", "audit", ZONE]);
    assert!(shown.contains("rejected at"), "{shown}");
    assert!(shown.contains("found a bad name"), "{shown}");
    // Only this program's user can read the candidate.
    let kept = installation.path("signer/snapshots/refused");
    let mode = |path: &Path| {
        use std::os::unix::fs::PermissionsExt;
        std::fs::metadata(path).unwrap().permissions().mode() & 0o077
    };
    assert_eq!(mode(&kept), 0);
    for file in std::fs::read_dir(&kept).unwrap() {
        assert_eq!(mode(&file.unwrap().path()), 0);
    }
    // The last good input is refreshed when its signatures are due.
    run(&installation, "ods-enforcer", &["time", "leap", "--time", &in_days(12)]);
    daemon.wait_for(&["[STATS]", ZONE]);
    assert!(signed_serial(&installation) > good);
    let signed = std::fs::read_to_string(installation.signed(ZONE)).unwrap();
    assert!(!signed.contains("bad.gate.example."), "{signed}");
    // A good input ends it.
    installation.write_small_zone(ZONE, 3, "www IN A 192.0.2.81");
    run(&installation, "ods-signer", &["sign", ZONE]);
    daemon.wait_for(&["the newest candidate is approved again"]);
    let shown = told(&installation, &["zone", "audit", ZONE]);
    assert!(shown.contains("refused: nothing"), "{shown}");
    daemon.stop();
}

/// A moment on a clock that was set to now at the start, as `time leap` takes it.
fn in_days(days: i64) -> String {
    let now = jiff::Timestamp::now();
    let then = jiff::Timestamp::from_second(now.as_second() + days * 86_400).unwrap();
    then.strftime("%Y-%m-%d-%H:%M:%S").to_string()
}

#[track_caller]
fn check_held(text: &str, timeout: &str, said: &str) {
    let installation = installation();
    let mut daemon = start(&installation);
    daemon.wait_for(&["[STATS]", ZONE]);
    daemon.stop();
    let good = signed_serial(&installation);
    let path = script(&installation, "checker", text);
    add_checker(&installation, &format!("{} %zone %file", path.display()), timeout);
    installation.write_small_zone(ZONE, 2, "www IN A 192.0.2.81");
    let mut daemon = start(&installation);
    let words = ["ALARM: zone gate.example", "is held", "external checker", said, "stays served"];
    daemon.wait_for(&words);
    assert_eq!(signed_serial(&installation), good);
    judges::all(&installation.signed(ZONE), ZONE).unwrap();
    daemon.stop();
}

#[test]
fn a_checker_that_hangs_is_no_approval() {
    check_held("sleep 1000000 & wait", "PT1S", "was killed after 1 seconds");
}

#[test]
fn a_checker_that_crashes_is_no_approval() {
    check_held("kill -SEGV $$", "PT30S", "signal: 11");
}

#[test]
fn a_checker_that_is_missing_is_no_approval() {
    let installation = installation();
    add_checker(&installation, "/nonexistent/checker %file", "PT30S");
    let mut daemon = start(&installation);
    let alarm = daemon.wait_for(&["ALARM: zone gate.example", "is held"]);
    assert!(alarm.contains("cannot run /nonexistent/checker"), "{alarm}");
    assert!(alarm.contains("No version of this zone was ever published."), "{alarm}");
    assert!(!installation.signed(ZONE).exists());
    daemon.stop();
}
