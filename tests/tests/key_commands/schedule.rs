//! What conf.xml has the enforcer do ahead: keys for a time (`<AutomaticKeyGenerationPeriod>`), and
//! the notice of a roll (`<RolloverNotification>`); and what it says that comes next
//! (`look-ahead`).

use crate::lab::{Lab, ZONE, installation, is_everywhere};

/// Gives the key of a role a life.
fn set_lifetime(installation: &anchorite_tests::daemon::Installation, role: &str, length: &str) {
    let start = format!("<{role}>\n\t\t\t\t<Algorithm length=\"256\">13</Algorithm>\n\t\t\t\t");
    let from = format!("{start}<Lifetime>PT0S<");
    installation.edit("kasp.xml", &from, &format!("{start}<Lifetime>{length}<"));
}

#[test]
fn keys_are_made_ahead_and_again_when_one_is_taken() {
    let installation = installation();
    installation.edit("conf.xml", ">P1Y</Automatic", ">P90D</Automatic");
    set_lifetime(&installation, "ZSK", "P30D");
    let mut command = installation.command();
    command.args(["--set-time", "now"]);
    let mut daemon = anchorite_tests::daemon::Daemon::spawn(command);
    let wanted = "keys needed for 1 zones covering 7776000 seconds";
    daemon.wait_for_all(&[
        &["[STATS]", ZONE],
        &["3", wanted, "generating 3 keys for policy default"],
        &["3 new ZSK(s) (256 bits) need to be created."],
    ]);
    let mut lab = Lab { installation, daemon };
    // Two in use; ahead one KSK, which never rolls, and three ZSKs.
    lab.until("backup list", |text| text.lines().count() == 6);
    lab.settle();
    lab.step_until(|keys| keys.iter().all(|key| is_everywhere(key)));
    assert_eq!(lab.enforcer("backup list").stdout.lines().count(), 6);

    // The next one is taken from these, and another one comes in its place.
    let made: Vec<String> = lab.enforcer("backup list").stdout.lines().map(str::to_owned).collect();
    lab.done(&format!("key rollover -z {ZONE} -t ZSK"));
    lab.daemon.wait_for(&[wanted, "generating 1 keys for policy default"]);
    lab.until("backup list", |text| text.lines().count() == 7);
    let list = lab.keys();
    let is_old = |id: &str| made.iter().any(|line| line.starts_with(id));
    assert!(list.len() == 3 && list.iter().all(|key| is_old(&key[8])), "{list:?}");
    lab.daemon.stop();
}

#[test]
fn a_roll_that_is_near_is_told() {
    let installation = installation();
    let element = "</AutomaticKeyGenerationPeriod>";
    let notice = format!("{element}<RolloverNotification>P14D</RolloverNotification>");
    installation.edit("conf.xml", element, &notice);
    set_lifetime(&installation, "KSK", "P365D");
    let mut lab = Lab::start(installation);
    lab.step_until(|keys| keys.iter().all(|key| is_everywhere(key)));
    lab.done(&format!("time leap -t {}", lab.now() + 330 * 86_400));
    lab.settle();
    assert_eq!(lab.daemon.count("is impending"), 0, "{}", lab.daemon.log());
    lab.done("time leap");
    lab.daemon.wait_for(&["KSK Rollover for zone ods1 is impending, rollover will happen at "]);
    assert_eq!(lab.keys().len(), 2, "it has not begun");
    lab.daemon.stop();
}

/// The rows of a table of `look-ahead`, without the times.
fn states(table: &str) -> Vec<Vec<String>> {
    let is_row = |line: &&str| ["KSK ", "ZSK "].iter().any(|role| line.starts_with(role));
    let fields = |line: &str| line.split_whitespace().take(5).map(str::to_owned).collect();
    table.lines().filter(is_row).map(fields).collect()
}

/// The same as `key list` has it.
fn listed(lab: &Lab) -> Vec<Vec<String>> {
    lab.keys().iter().map(|key| key[1..6].to_vec()).collect()
}

#[test]
fn the_next_steps_come_as_they_are_said() {
    let lab = Lab::start(installation());
    let text = lab.done(&format!("look-ahead -z {ZONE}"));
    let steps: Vec<&str> = text.split("\non ").collect();
    assert!(steps[0].starts_with("Current state:\nKey role:     DS:          DNSKEY: "), "{text}");
    for event in ["Submitting DS to parent zone.", "Marking DS as seen."] {
        assert!(text.contains(&format!("\n - {event}\n")), "{event} is not in {text}");
    }
    assert!(text.contains("waiting for ds-seen"), "{text}");
    assert_eq!(states(steps[0]), listed(&lab));

    let first = lab.done(&format!("look-ahead --zone {ZONE} --steps 1"));
    assert_eq!(first.split("\non ").collect::<Vec<_>>()[1].trim(), steps[1].trim());
    let (moment, _) = steps[1].split_once(" zone ods1 will look like:\n").unwrap();
    let queue = lab.done("queue");
    assert!(queue.contains(&format!("Next task scheduled {moment} (")), "{moment}: {queue}");
    lab.done("time leap");
    lab.settle();
    assert_eq!(states(steps[1]), listed(&lab));

    lab.step_until(|keys| keys.iter().all(|key| is_everywhere(key)));
    lab.done(&format!("key rollover -z {ZONE} -t ZSK"));
    lab.settle();
    let rolling = lab.done(&format!("look-ahead -z {ZONE} -s 20"));
    assert!(rolling.contains("\n - Writing signconf.\n"), "{rolling}");

    let missing = lab.enforcer("look-ahead");
    assert_eq!((missing.code, missing.stderr.lines().next()), (255, Some("--zone required")));
    let unknown = lab.enforcer("look-ahead -z nowhere");
    assert_eq!(unknown.stderr, "Could not find zone nowhere in database\n");
    assert_eq!(lab.enforcer(&format!("look-ahead -z {ZONE} -s many")).code, 255);
    lab.daemon.stop();
}
