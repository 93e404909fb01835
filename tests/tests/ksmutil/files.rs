//! The files of the configuration: `setup`, `update`, `policy import`, `policy purge`,
//! `zonelist import`, `database backup`.

use crate::lab::{Lab, in_state, installation, run};
use anchorite_tests::daemon::Installation;

fn heads(installation: &Installation) -> String {
    format!(
        "zonelist filename set to {}.\nkasp filename set to {}.\n",
        installation.path("zonelist.xml").display(),
        installation.path("kasp.xml").display()
    )
}

const REPOSITORY: &str = "Repository SoftHSM found\nNo Maximum Capacity set.\nRequireBackup NOT \
                          set; please make sure that you know the potential problems of using \
                          keys which are not recoverable\n";
const NOTIFYING: &str = "Notifying enforcer of new database...\n";

#[test]
fn updates_say_what_they_found() {
    let lab = Lab::start(installation());
    let heads = heads(&lab.installation);
    lab.ksm("update conf").is(&format!("{REPOSITORY}{NOTIFYING}"), 0);
    let policies = "Policy default found\n";
    for words in ["update kasp", "policy import"] {
        let said = lab.ksm(words);
        assert!(said.stdout.starts_with(&heads) && said.stdout.contains(policies), "{said:?}");
        assert!(said.stdout.ends_with(NOTIFYING) && said.code == 0, "{said:?}");
    }
    let zones = "Zone ods found; policy set to default\n";
    for words in ["update zonelist", "zonelist import"] {
        lab.ksm(words).is(&format!("{heads}{zones}{NOTIFYING}"), 0);
    }
    let said = lab.ksm("update all");
    assert!(said.stdout.starts_with(&format!("{heads}{REPOSITORY}Policy ")), "{said:?}");
    assert!(said.stdout.ends_with(&format!("{zones}{NOTIFYING}")) && said.code == 0, "{said:?}");
    lab.daemon.stop();
}

#[test]
fn files_with_faults_change_nothing() {
    let lab = Lab::start(installation());
    let kasp = lab.installation.read("kasp.xml");
    lab.installation.write("kasp.xml", "<KASP>");
    for words in ["update kasp", "policy import"] {
        let said = lab.ksm(words);
        said.complains("Failed to update policies\n", 1);
        assert!(said.stderr.contains("kasp.xml:1:"), "{said:?}");
    }
    lab.ksm("update all").refuses("kasp.xml:1:");
    lab.asked("setup", "y\n").complains("are you sure? [y/N] ", 1);
    lab.installation.write("kasp.xml", &kasp);
    lab.installation.write("zonelist.xml", "<ZoneList><Zone/></ZoneList>");
    let said = lab.ksm("update zonelist");
    said.complains("Failed to update zones\n", 1);
    assert!(said.stderr.contains("zonelist.xml:1:"), "{said:?}");
    lab.installation.write_zonelist(&[("ods", "none")]);
    lab.ksm("update zonelist").complains("Failed to update zones\n", 1);
    assert_eq!(lab.keys().len(), 2);
    lab.daemon.stop();
}

#[test]
fn a_zone_that_is_gone_from_the_list_goes() {
    let mut lab = Lab::start(installation());
    lab.installation.write_small_zone("ods2", 1, "");
    lab.installation.write_zonelist(&[("ods2", "default")]);
    let said = lab.ksm("update zonelist");
    assert_eq!(said.code, 0, "{said:?}");
    let heads = heads(&lab.installation);
    assert_eq!(
        said.stdout,
        format!(
            "{heads}Zone ods2 found; policy set to default\nRemoving zone ods from database\n\
             {NOTIFYING}"
        )
    );
    lab.daemon.wait_for(&["[STATS]", "ods2"]);
    lab.settle();
    assert!(lab.keys().iter().all(|key| key.zone == "ods2"), "{:?}", lab.keys());
    lab.daemon.stop();
}

#[test]
fn a_change_of_algorithm_is_asked_about() {
    let lab = Lab::start(installation());
    let kasp = lab.installation.read("kasp.xml");
    // Without numbers in it, or the file is another one than thought.
    let changed = kasp.replace("<Algorithm>13</Algorithm>", "<Algorithm>15</Algorithm>");
    let changed = changed.replace("length=\"256\">13<", "length=\"256\">15<");
    assert_ne!(changed, kasp);
    lab.installation.write("kasp.xml", &changed);
    let details = "Algorithm change attempted... details:\nPolicy: default, KSK algorithm changed \
                   from 13 to 15.\n";
    let said = lab.asked("update kasp", "n\n");
    assert!(said.stdout.starts_with(details), "{said:?}");
    assert!(said.stdout.contains("*WARNING* This will change the algorithms used as noted above."));
    assert!(said.stdout.ends_with("Are you sure? [y/N] Okay, quitting...\n") && said.code == 0);
    assert!(lab.done("policy export -a").contains(">13</Algorithm>"));
    let said = lab.asked("update all", "y\n");
    assert!(said.stdout.starts_with(details) && said.code == 0, "{said:?}");
    assert!(said.stdout.ends_with(NOTIFYING), "{said:?}");
    assert!(!lab.done("policy export -a").contains(">13</Algorithm>"));
    lab.daemon.stop();
}

#[test]
fn setup_asks_and_keeps_keys() {
    let lab = Lab::start(installation());
    let question = "*WARNING* This will erase all data in the database; are you sure? [y/N] ";
    for typed in ["", "no\n"] {
        lab.asked("setup", typed).is(&format!("{question}Okay, quitting...\n"), 0);
    }
    let before = lab.keys();
    let said = lab.asked("setup", "y\n");
    assert!(
        said.stdout.starts_with(&format!("{question}{}", heads(&lab.installation))),
        "{said:?}"
    );
    assert!(said.stdout.ends_with(NOTIFYING) && said.code == 0, "{said:?}");
    assert!(said.stderr.contains("NOTE: the keys of 1 zones were kept"), "{said:?}");
    assert_eq!(lab.keys(), before);
    // Scripts say yes like this, too.
    assert_eq!(lab.asked("setup", "y\ny\ny\n").code, 0);
    lab.daemon.stop();
}

#[test]
fn setup_does_not_end_a_zone_whose_ds_is_out() {
    let lab = Lab::start(installation());
    let keys = lab.leap_until(|keys| !in_state(keys, "KSK", "ready").is_empty());
    let ksk = in_state(&keys, "KSK", "ready")[0];
    assert_eq!(lab.ksm(&format!("key ds-seen -z ods -x {}", ksk.tag)).code, 0);
    lab.installation.write_zonelist(&[]);
    for (words, typed) in [("setup", "y\n"), ("update zonelist", "")] {
        let said = lab.asked(words, typed);
        said.complains("Failed to update zones\n", 1);
        assert!(said.stderr.contains(&format!("the DS of key {}", ksk.tag)), "{said:?}");
    }
    lab.ksm("zone delete -z ods").refuses("or give --force");
    assert!(lab.done("zone list").contains("Found zone ods in DB but not zonelist.\n"));
    assert_eq!(lab.ksm("zone delete -z ods --force").code, 0);
    lab.daemon.stop();
}

#[test]
fn policies_without_zones_are_purged_from_the_file() {
    let installation = installation();
    let kasp = installation.read("kasp.xml");
    let (head, rest) = kasp.split_once("<Policy ").unwrap();
    let (policy, tail) = rest.split_once("</Policy>").unwrap();
    let spare = policy.replace("name=\"default\"", "name=\"spare\"");
    let own = format!("<Policy {policy}</Policy>");
    installation.write(
        "kasp.xml",
        &format!("{head}{own}\n\t<!-- kept -->\n\t<Policy {spare}</Policy>{tail}"),
    );
    let lab = Lab::start(installation);
    let before = lab.installation.read("kasp.xml");
    let names = |lab: &Lab| lab.done("policy list").lines().skip(2).count();
    let question = "*WARNING* This feature is experimental and has not been fully tested; are you \
                    sure? [y/N] ";
    lab.asked("policy purge", "n\n").is(&format!("{question}Okay, quitting...\n"), 0);
    assert_eq!(lab.installation.read("kasp.xml"), before);
    let count = names(&lab);
    let said = lab.asked("policy purge", "y\n");
    said.complains("No zones on policy spare; purging...\n", 0);
    assert!(names(&lab) < count);
    let after = lab.installation.read("kasp.xml");
    assert!(!after.contains("spare") && after.contains("<!-- kept -->"), "{after}");
    assert_eq!(lab.installation.read("kasp.xml.backup"), before);
    assert_eq!(lab.asked("policy purge", "y\n").stdout, question);
    lab.daemon.stop();
}

#[test]
fn the_database_is_copied_while_it_is_in_use() {
    let lab = Lab::start(installation());
    let copy = lab.installation.path("copy.redb");
    let said = lab.ksm("database backup -o copy.redb");
    said.is(&format!("Database copied to {}\n", copy.display()), 0);
    let store = storage::StateStore::open(&copy, dnssec::Timestamp(0)).unwrap();
    let ids: Vec<String> = store.keys().unwrap().iter().map(|key| key.id.to_string()).collect();
    for key in lab.keys() {
        assert!(ids.contains(&key.id), "{ids:?}");
    }
    drop(store);
    assert!(lab.done("database backup").starts_with("Database copied to "));
    lab.ksm("database backup -o no/folder/copy").refuses("no/folder/copy");
    let list = lab.done("zone list -v");
    let (_, rest) = list.split_once("set to: ").unwrap();
    let own = format!("{}.redb", rest.lines().next().unwrap());
    lab.ksm(&format!("database backup -o {own}")).refuses("in use");
    assert_eq!(lab.keys().len(), 2);
    lab.daemon.stop();
}

#[test]
fn the_daemon_is_told_and_stopped() {
    let lab = Lab::start(installation());
    lab.ksm("notify").is("Performed a HUP ods-enforcerd\n", 0);
    lab.ksm("start").is("Engine already running.\n", 1);
    lab.ksm("stop").is("Stopping enforcer...\n", 0);
    let Lab { installation, daemon } = lab;
    assert!(daemon.ended().0.success());
    let said = run(&installation, "ods-ksmutil", "-c conf.xml stop", "");
    assert_eq!(said.code, 201, "{said:?}");
}
