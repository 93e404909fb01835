//! `<DelegationSignerSubmitCommand>` and `<DelegationSignerRetractCommand>`: what they are given,
//! and that one that fails is run again; keys that wait for their backup; keys made by hand.

use crate::lab::{Lab, ZONE, installation, is_everywhere, user, write_program};

#[test]
fn a_submit_command_that_fails_is_run_again() {
    let installation = installation();
    let folder = installation.path("");
    let folder = folder.to_str().unwrap().trim_end_matches('/').to_owned();
    write_program(
        &installation,
        "submit",
        &format!(
            "#!/bin/sh\ncat >> {folder}/given\n[ -e {folder}/failed ] && exit 0\n\
             : > {folder}/failed\nexit 1\n"
        ),
    );
    let element = "</AutomaticKeyGenerationPeriod>";
    let command = format!(
        "{element}<DelegationSignerSubmitCommand>{folder}/submit --cka_id\
         </DelegationSignerSubmitCommand>"
    );
    installation.edit("conf.xml", element, &command);
    let mut lab = Lab::start(installation);
    let is_waiting = |lab: &Lab| lab.done("key list -t KSK").contains("waiting for ds-submit");
    for _ in 0..5 {
        if is_waiting(&lab) {
            break;
        }
        lab.done("time leap");
        lab.settle();
    }
    lab.daemon.wait_for(&["<DelegationSignerSubmitCommand> for key ", "it is run again in 60"]);
    assert!(is_waiting(&lab));
    let table = lab.done("key ds-submit");
    assert_eq!(table.lines().count(), 2, "{table}");
    let none = lab.enforcer("key ds-seen -a");
    assert_eq!((none.stdout.as_str(), none.code), ("0 KSK matches found.\n0 KSKs changed.\n", 11));

    lab.done(&format!("time leap -t {}", lab.now() + 61));
    lab.until("key list -t KSK", |text| text.contains("waiting for ds-seen"));
    let given = lab.installation.read("given");
    let keys = lab.keys();
    let id = &keys.iter().find(|key| key[1] == "KSK").unwrap()[8];
    let lines: Vec<&str> = given.lines().collect();
    assert_eq!((lines.len(), lines[0]), (2, lines[1]), "{given}");
    assert!(lines[0].starts_with("ods1. 3600 IN DNSKEY 257 3 13 "), "{given}");
    assert!(lines[0].ends_with(&format!("; {{cka_id = {id}}}")), "{given}");

    let back = lab.enforcer(&format!("time leap -t {}", lab.now() - 600));
    assert_eq!(back.code, 1, "{back:?}");
    assert!(back.stderr.contains("cannot leap back"), "{back:?}");
    let wrong = lab.enforcer(&format!("key ds-gone -z {ZONE} -k {id}"));
    assert_eq!(wrong.code, 11);
    assert!(wrong.stderr.contains("is \"submitted\""), "{wrong:?}");
    let seen = lab.done(&format!("key ds-seen -z {ZONE} -k {id}"));
    assert_eq!(seen, "1 KSK matches found.\n1 KSKs changed.\n");
    lab.step_until(|keys| keys.iter().all(|key| is_everywhere(key)));
    lab.daemon.stop();
}

#[test]
fn keys_wait_for_their_backup() {
    let installation = installation();
    installation.edit("conf.xml", "<PIN>1234</PIN>", "<PIN>1234</PIN><RequireBackup/>");
    let lab = Lab::start(installation);
    // Two in use, and those made ahead.
    lab.until("backup list", |text| text.lines().count() == 4);
    lab.done("time leap");
    lab.settle();
    assert!(lab.keys().iter().all(|key| key[3] == "rumoured"), "{:?}", lab.keys());
    assert_eq!(lab.done("backup prepare"), "info: keys flagged for backup: 4\n");
    assert_eq!(lab.done("backup rollback"), "info: keys unflagged for backup: 4\n");
    assert_eq!(lab.done("backup commit"), "info: keys marked backup done: 0\n");
    assert_eq!(lab.done("backup prepare -r other"), "info: keys flagged for backup: 0\n");
    assert_eq!(lab.done("backup prepare -r SoftHSM"), "info: keys flagged for backup: 4\n");
    let list = lab.enforcer("backup list");
    assert_eq!(list.stderr, "Locator:                         Repository:      Backup state:   \n");
    let is_prepared = |line: &str| line.ends_with(" SoftHSM          Prepared        ");
    assert!(list.stdout.lines().all(is_prepared), "{list:?}");
    assert_eq!(lab.done("backup commit"), "info: keys marked backup done: 4\n");
    lab.settle();
    assert!(lab.keys().iter().all(|key| key[3] == "omnipresent"), "{:?}", lab.keys());
    let history = lab.anchorite(&format!("key history {ZONE}")).stdout;
    let made = format!(" backup commit (by {})\n", user());
    let (_, after) = history.split_once(&made).unwrap_or_else(|| panic!("{history}"));
    assert_eq!(after.matches(" backup made\n").count(), 2, "{history}");
    lab.daemon.stop();
}

/// Its words are no shell's, and what it says by its exit code counts.
#[test]
fn a_retract_command_that_fails_is_run_again() {
    let installation = installation();
    let folder = installation.path("");
    let folder = folder.to_str().unwrap().trim_end_matches('/').to_owned();
    write_program(
        &installation,
        "retract",
        &format!(
            "#!/bin/sh\nprintf '%s|' \"$@\" >> {folder}/given\ncat >> {folder}/given\n\
             [ -e {folder}/failed ] && exit 0\n: > {folder}/failed\nexit 3\n"
        ),
    );
    let element = "</AutomaticKeyGenerationPeriod>";
    let command = format!(
        "{element}<DelegationSignerRetractCommand>{folder}/retract $HOME `id` ;x &gt;{folder}/y\
         </DelegationSignerRetractCommand>"
    );
    installation.edit("conf.xml", element, &command);
    let mut lab = Lab::start(installation);
    lab.step_until(|keys| keys.iter().all(|key| is_everywhere(key)));
    let old = lab.keys().into_iter().find(|key| key[1] == "KSK").unwrap()[8].clone();
    lab.done(&format!("key rollover -z {ZONE} -t KSK"));
    lab.settle();
    let is_to_retract = |lab: &Lab| lab.done("key list -t KSK").contains("waiting for ds-retract");
    for _ in 0..20 {
        if is_to_retract(&lab) {
            break;
        }
        lab.step();
    }
    let failure = ["<DelegationSignerRetractCommand> for key ", "exit status: 3", "again in 60"];
    let line = lab.daemon.wait_for(&failure);
    assert!(line.contains(&old), "{line}");
    assert!(is_to_retract(&lab));
    lab.done(&format!("time leap -t {}", lab.now() + 61));
    lab.until("key list -t KSK", |text| text.contains("waiting for ds-gone"));
    let given = lab.installation.read("given");
    let lines: Vec<&str> = given.lines().collect();
    assert_eq!((lines.len(), lines[0]), (2, lines[1]), "{given}");
    let words = format!("$HOME|`id`|;x|>{folder}/y|{ZONE}. 3600 IN DNSKEY 257 3 13 ");
    assert!(lines[0].starts_with(&words), "{given}");
    assert!(!lab.installation.path("y").exists());
    lab.step_until(|keys| keys.iter().any(|key| key[8] == old && key[2] == "hidden"));
    lab.daemon.stop();
}

#[test]
fn keys_made_by_hand_are_made_when_told() {
    let installation = installation();
    let element = "</AutomaticKeyGenerationPeriod>";
    installation.edit("conf.xml", element, &format!("{element}<ManualKeyGeneration/>"));
    let mut command = installation.command();
    command.args(["--set-time", "now"]);
    let mut daemon = anchorite_tests::daemon::Daemon::spawn(command);
    daemon.wait_for(&["keys are made by hand (<ManualKeyGeneration/>)"]);
    let mut lab = Lab { installation, daemon };
    assert_eq!(lab.enforcer("backup list").stdout, "");
    assert_eq!(lab.done("key generate -p default -d P1Y"), "Key generation task scheduled.\n");
    lab.daemon
        .wait_for(&["1 keys needed for 1 zones covering 31536000 seconds, generating 1 keys"]);
    lab.until("backup list", |text| text.lines().count() >= 2);
    lab.done("enforce");
    lab.until("key list", |text| text.lines().count() == 4);
    lab.daemon.stop();
}
