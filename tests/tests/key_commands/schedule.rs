//! What conf.xml has the enforcer do ahead: keys for a time (`<AutomaticKeyGenerationPeriod>`), and
//! the notice of a roll (`<RolloverNotification>`).

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
