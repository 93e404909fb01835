//! Signer configuration files: written when what they say changes and only then, put aside with
//! their zones; a zone is signed whether its file can be written or not.

use crate::lab::{Lab, ZONE, installation, is_everywhere};
use anchorite_tests::daemon::Untouched;

const FILE: &str = "signer/ods1.xml";

#[test]
fn a_file_follows_the_keys_and_the_policy_of_its_zone() {
    let lab = Lab::start(installation());
    let read = || lab.installation.read(FILE);
    lab.until("key list -t KSK", |_| lab.installation.path(FILE).exists());
    let text = read();
    let keys = lab.keys();
    for key in &keys {
        assert!(text.contains(&format!("<Locator>{}</Locator>", key[8])), "{text}");
    }
    assert!(text.contains("<Zone name=\"ods1\">"), "{text}");
    assert!(text.ends_with("</SignerConfiguration>\n"), "{text}");

    let before = Untouched::look(&lab.installation.path(FILE));
    for command in ["enforce", "signconf", "policy import", "update all"] {
        lab.enforcer(command);
    }
    lab.settle();
    assert_eq!(lab.done("signconf"), "");
    before.check();

    // A key comes.
    lab.step_until(|keys| keys.iter().all(|key| is_everywhere(key)));
    lab.done(&format!("key rollover -z {ZONE} -t ZSK"));
    lab.until("key list -t ZSK", |text| text.lines().count() == 4);
    let new = lab.keys().into_iter().find(|key| keys.iter().all(|old| old[8] != key[8]));
    let new = new.unwrap()[8].clone();
    lab.until("queue", |_| read().contains(&new));

    // The policy changes, and whoever spoils the file has it mended.
    lab.installation.edit("kasp.xml", "<Resign>PT12H<", "<Resign>PT11H<");
    lab.enforcer("policy import");
    lab.until("queue", |_| read().contains("<Resign>PT11H</Resign>"));
    let text = read();
    lab.installation.write(FILE, "spoilt");
    lab.done("enforce");
    lab.settle();
    assert_eq!(lab.done("signconf"), "");
    assert_eq!(read(), text);

    // A zone that is deleted takes its file along.
    let gone = lab.done(&format!("zone delete -z {ZONE} --force"));
    assert_eq!(gone, format!("Deleted zone {ZONE} successfully\n"));
    assert!(!lab.installation.path(FILE).exists());
    assert_eq!(lab.installation.read(&format!("{FILE}.ZONE_DELETED")), text);
    let history = lab.anchorite(&format!("key history {ZONE}")).stdout;
    let line = format!(" zone delete -z {ZONE} --force (by {})\n", crate::lab::user());
    assert!(history.contains(&line), "{history}");
    lab.daemon.stop();
}

#[test]
fn a_file_follows_the_salt_of_its_policy() {
    let installation = installation();
    installation.edit("kasp.xml", "<Salt length=\"0\"/>", "<Salt length=\"8\"/>");
    let lab = Lab::start(installation);
    let salt = || {
        let text = lab.installation.read(FILE);
        let (_, rest) = text.split_once("<Salt>").unwrap();
        rest.split_once('<').unwrap().0.to_owned()
    };
    lab.until("queue", |_| lab.installation.path(FILE).exists());
    let before = salt();
    assert_eq!(before.len(), 16);
    let unknown = lab.enforcer("policy resalt -p nope");
    assert_eq!((unknown.code, unknown.stderr.as_str()), (1, "Unable to find policy nope!\n"));
    assert_eq!(lab.done("policy resalt -p default"), "");
    lab.until("queue", |_| salt() != before);
    lab.daemon.stop();
}

#[test]
fn a_file_that_cannot_be_written_is_an_alarm_and_tried_again() {
    let installation = installation();
    installation.edit("zonelist.xml", "/signer/ods1.xml", "/blocked/ods1.xml");
    installation.write("blocked", "no folder");
    let file = installation.path("blocked/ods1.xml");
    let mut command = installation.command();
    command.args(["--set-time", "now"]);
    let mut daemon = anchorite_tests::daemon::Daemon::spawn(command);
    let path = file.to_str().unwrap();
    let alarm =
        ["ALARM: the signer configuration file of zone ods1", path, "tried again in 60 seconds"];
    daemon.wait_for_all(&[&alarm, &["[STATS]", ZONE]]);
    let lab = Lab { installation, daemon };
    lab.settle();
    let refused = lab.enforcer("signconf");
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains(path), "{refused:?}");

    std::fs::remove_file(lab.installation.path("blocked")).unwrap();
    lab.done(&format!("time leap -t {}", lab.now() + 61));
    lab.until("queue", |_| file.exists());
    assert_eq!(lab.done("signconf"), "");
    lab.daemon.stop();
}
