//! Waivers: what they let pass, for how long, and what cannot be waived; the candidate that was
//! refused, and a signer whose own work is refused.

use crate::lab::{ZONE, installation, plant_foreign_history, run, signed_serial, start, told};
use anchorite_tests::daemon::{Daemon, Installation, WAIT};
use std::time::{Duration, Instant};

/// A daemon whose published version seems to be another signer's, and a new input.
fn held() -> (Installation, Daemon, u32, String) {
    let installation = installation();
    let mut daemon = start(&installation);
    daemon.wait_for(&["[STATS]", ZONE]);
    daemon.stop();
    let good = signed_serial(&installation);
    plant_foreign_history(&installation);
    installation.write_small_zone(ZONE, 2, "www IN A 192.0.2.81");
    let mut daemon = start(&installation);
    let words = ["ALARM: zone gate.example", "is held", "the auditor refused zone"];
    let alarm = daemon.wait_for(&words);
    (installation, daemon, good, alarm)
}

fn moment(seconds: i64) -> String {
    let then = jiff::Timestamp::from_second(jiff::Timestamp::now().as_second() + seconds);
    then.unwrap().strftime("%Y-%m-%d-%H:%M:%S").to_string()
}

#[test]
fn a_held_version_is_told_shown_and_let_pass_by_a_waiver() {
    let (installation, mut daemon, good, alarm) = held();
    assert!(alarm.contains("A721 hold: gate.example."), "{alarm}");
    assert!(alarm.contains("remedy:"), "{alarm}");
    assert!(alarm.contains(&format!("serial {good}, stays served")), "{alarm}");
    assert!(alarm.contains("the last good input goes on being signed"), "{alarm}");
    assert_eq!(signed_serial(&installation), good);
    let diff = told(&installation, &["zone", "diff", ZONE]);
    assert!(diff.contains("-www.gate.example.\t60\tIN\tA\t192.0.2.80"), "{diff}");
    assert!(diff.contains("+www.gate.example.\t60\tIN\tA\t192.0.2.81"), "{diff}");
    assert!(diff.contains("; A721 hold"), "{diff}");
    let shown = told(&installation, &["zone", "audit", ZONE]);
    assert!(shown.contains("held at"), "{shown}");
    // Of another finding it helps nothing.
    let until = moment(86_400);
    let waive = |finding: &str| {
        let words = ["audit", "waive", ZONE, finding, "--until", &until, "--reason", "a move"];
        run(&installation, "anchorite", &words)
    };
    assert_eq!(waive("A603").code, 0);
    daemon.wait_for(&["zone gate.example: waived: A603"]);
    let waived = waive("A721");
    assert_eq!(waived.code, 0, "{waived:?}");
    daemon.wait_for(&["findings A721 are waived until", "a move"]);
    daemon.wait_for(&["the newest candidate is approved again"]);
    assert!(signed_serial(&installation) > good);
    let list = told(&installation, &["audit", "waivers"]);
    assert!(list.contains("gate.example: waived: A721 until"), "{list}");
    told(&installation, &["audit", "unwaive", ZONE, "A721"]);
    told(&installation, &["audit", "unwaive", ZONE, "A603"]);
    assert_eq!(told(&installation, &["audit", "waivers"]), "nothing is waived\n");
    // All of what is published is judged again.
    let shown = told(&installation, &["zone", "audit", ZONE, "--now"]);
    assert!(shown.contains("approved at"), "{shown}");
    assert!(shown.contains("full audit: passed at"), "{shown}");
    daemon.stop();
}

#[test]
fn a_waiver_that_is_over_waives_nothing_and_old_signatures_are_counted_down() {
    let (installation, mut daemon, good, _) = held();
    let until = moment(86_400);
    let words = ["audit", "waive", ZONE, "A721", "--until", &until, "--reason", "a move"];
    assert_eq!(run(&installation, "anchorite", &words).code, 0);
    daemon.wait_for(&["the newest candidate is approved again"]);
    let passed = signed_serial(&installation);
    assert!(passed > good);
    daemon.stop();
    // The same once more, without a new input: what is refused then is the signer's own work.
    plant_foreign_history(&installation);
    let mut daemon = start(&installation);
    daemon.wait_for(&["signer started"]);
    told(&installation, &["zone", "audit", ZONE]);
    run(&installation, "ods-enforcer", &["time", "leap", "--time", &moment(12 * 86_400)]);
    let last = daemon.wait_for(&["ALARM: zone gate.example", "is held"]);
    assert!(last.contains(&format!("serial {passed}, stays served")), "{last}");
    assert!(last.contains("WITHOUT NEW SIGNATURES: the first expires at"), "{last}");
    assert_eq!(signed_serial(&installation), passed);
    assert_eq!(told(&installation, &["audit", "waivers"]), "nothing is waived\n");
    daemon.stop();
}

#[test]
fn what_would_be_bogus_for_everybody_cannot_be_waived() {
    let installation = installation();
    let mut daemon = start(&installation);
    daemon.wait_for(&["[STATS]", ZONE]);
    let until = moment(86_400);
    let refused = |zone: &str, finding: &str, options: &[&str]| {
        let words = [&["audit", "waive", zone, finding], options].concat();
        let said = run(&installation, "anchorite", &words);
        assert_eq!(said.code, 1, "{said:?}");
        said.stderr
    };
    let options = ["--until", until.as_str(), "--reason", "why not"];
    assert!(refused(ZONE, "A302", &options).contains("cannot be waived"));
    assert!(refused(ZONE, "A802", &options).contains("is a warning"));
    assert!(refused(ZONE, "A999", &options).contains("is no finding"));
    assert!(refused("other.example", "A721", &options).contains("is not known"));
    assert!(refused(ZONE, "A721", &options[..2]).contains("--reason is missing"));
    assert!(refused(ZONE, "A721", &options[2..]).contains("--until is missing"));
    let past = ["--until", "2020-01-01", "--reason", "why not"];
    assert!(refused(ZONE, "A721", &past).contains("not in the future"));
    let far = ["--until", "2999-01-01", "--reason", "why not"];
    assert!(refused(ZONE, "A721", &far).contains("more than a year"));
    let nothing = run(&installation, "anchorite", &["zone", "diff", ZONE]);
    assert_eq!((nothing.code, nothing.stderr.as_str()), (1, "no refused candidate is kept\n"));
    daemon.stop();
}

#[test]
fn a_waiver_that_was_given_counts_although_the_daemon_is_killed_before_it_has_an_effect() {
    let (installation, daemon, good, _) = held();
    let until = moment(86_400);
    let words = ["audit", "waive", ZONE, "A721", "--until", &until, "--reason", "a move"];
    assert_eq!(run(&installation, "anchorite", &words).code, 0);
    // It was durable before it was said; the run that goes by it may have come to its end or not.
    daemon.kill();
    let daemon = start(&installation);
    let begin = Instant::now();
    while signed_serial(&installation) <= good {
        assert!(begin.elapsed() < WAIT, "{}", daemon.log());
        std::thread::park_timeout(Duration::from_millis(20));
    }
    let list = told(&installation, &["audit", "waivers"]);
    assert!(list.contains("gate.example: waived: A721 until"), "{list}");
    daemon.stop();
}
