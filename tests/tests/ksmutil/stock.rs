//! Keys made ahead, brought along, copied and thrown away: `key generate`, `key import`,
//! `key delete`, `backup`.

use crate::lab::{Lab, in_state, installation, run};

fn pool(lab: &Lab) -> usize {
    let text = lab.ksm("key list --all").stdout;
    text.lines().filter(|line| line.starts_with("NOT ALLOCATED ")).count()
}

#[test]
fn keys_are_made_ahead_for_so_many_zones() {
    let lab = Lab::start(installation());
    assert_eq!(pool(&lab), 0);
    let text = "Key sharing is Off\n\
                Info: converting P1Y to seconds; M interpreted as 31 days, Y interpreted as 365 \
                days\n\
                Info: 1 zone(s) found on policy \"default\"\n\
                1 new KSK(s) (256 bits) need to be created for policy default: \
                keys_to_generate(1) = keys_needed(1) - keys_available(0).\n\
                1 new ZSK(s) (256 bits) need to be created for policy default: \
                keys_to_generate(1) = keys_needed(1) - keys_available(0).\n";
    let question = "*WARNING* This will create 1 KSKs (256 bits) and 1 ZSKs (256 bits)\n\
                    Are you sure? [y/N] \n";
    let said = lab.asked("key generate -p default -n P1Y", "n\n");
    said.is(&format!("{text}{question}Okay, quitting...\n"), 0);
    let scheduled = "Key generation task scheduled.\n";
    let said = lab.asked("key generate -p default -n P1Y", "y\n");
    said.is(&format!("{text}{question}{scheduled}"), 0);
    lab.until("key list --all", |text| text.matches("NOT ALLOCATED").count() == 2);
    let said = lab.ksm("key generate -p default -n P1Y -A");
    said.complains("No keys need to be created, quitting...\nall done!\n", 0);
    let said = lab.ksm("key generate --policy default --interval P1Y --zonetotal 3 --auto-accept");
    said.complains("generated for a total of 3 zone(s) as specified by zone total parameter\n", 0);
    said.complains("keys_to_generate(2) = keys_needed(3) - keys_available(1).\n", 0);
    lab.until("key list --all", |text| text.matches("NOT ALLOCATED").count() == 6);
    let verbose = lab.done("key list -v -e GENERATE");
    let line = verbose.lines().nth(3).unwrap();
    let head = format!(
        "{:<46}generate  (not scheduled)     (publish)  256     13          ",
        "NOT ALLOCATED"
    );
    assert!(line.starts_with(&head) && line.ends_with(" SoftHSM"), "{line:?}");
    lab.daemon.stop();
}

#[test]
fn generation_has_to_be_asked_for_properly() {
    let lab = Lab::start(installation());
    for (words, complaint) in [
        ("-n P1Y", "Please provide a policy name with the --policy option\n"),
        ("-p default", "Please provide an interval with the --interval option\n"),
        ("-p none -n P1Y", "Error: policy none doesn't exist in database\n"),
        ("-p default -n 1Y", "Error: unable to convert Interval 1Y to seconds"),
        ("-p default -n P1D -Z x", "Error: zonetotal \"x\"; should be numeric only\n"),
        ("-p default -n P1D -Z 0", "the value must be greater than 0\n"),
    ] {
        lab.ksm(&format!("key generate -A {words}")).complains(complaint, 1);
    }
    assert_eq!(pool(&lab), 0);
    lab.daemon.stop();
}

#[test]
fn only_unused_keys_are_deleted() {
    let lab = Lab::start(installation());
    assert_eq!(lab.ksm("key generate -p default -n P1D -A").code, 0);
    lab.until("key list --all", |text| text.matches("NOT ALLOCATED").count() == 2);
    let keys = lab.keys();
    let spare = keys.iter().find(|key| key.zone == "NOT ALLOCATED").unwrap();
    let used = in_state(&keys, "ZSK", "active")[0];
    for words in ["", "--force"] {
        let said = lab.asked(&format!("key delete -k {} {words}", used.id), "y\n");
        said.complains("The enforcer believes that this key is in use, quitting...\n", 1);
    }
    lab.ksm("key delete").complains("Please provide a CKA_ID for the key to delete\n", 255);
    let unknown = "Failed to determine the state of the key\n";
    lab.ksm("key delete -k 00112233").is(unknown, 1);
    lab.ksm("key delete -k none").is(unknown, 1);
    lab.ksm(&format!("key delete -k {} --no-hsm", spare.id)).refuses("--no-hsm cannot be kept");
    assert_eq!(pool(&lab), 2);
    let said = lab.ksm(&format!("key delete -k {}", spare.id));
    said.is(&format!("Key delete successful: {}\n", spare.id), 0);
    assert_eq!(pool(&lab), 1);
    lab.ksm(&format!("key delete -k {}", spare.id)).is(unknown, 1);
    lab.daemon.stop();
}

#[test]
fn backups_are_noted() {
    let installation = installation();
    installation.edit("conf.xml", "</Repository>", "<RequireBackup/></Repository>");
    let lab = Lab::start(installation);
    assert!(
        lab.done("repository list").contains("SoftHSM                          unset        Yes\n")
    );
    let head = "Backups:\nDate:                    Repository:\n";
    let unbacked = "Repository SoftHSM has unbacked up keys (that will not be used)\n";
    assert_eq!(lab.done("backup list"), format!("{head}{unbacked}\n"));
    let unknown = "Error: unable to find a repository named \"none\" in database\n";
    for verb in ["prepare", "commit", "rollback", "list", "done --force"] {
        lab.ksm(&format!("backup {verb} -r none")).complains(unknown, 1);
    }
    assert_eq!(lab.done("backup commit"), "There were no keys to mark\n");
    assert_eq!(lab.done("backup rollback"), "There were no keys to rollback\n");
    let prepared = lab.done("backup prepare");
    assert!(prepared.starts_with("Marked all repositories as pre-backed up at 2"), "{prepared}");
    let listed = lab.done("backup list -r SoftHSM");
    let uncommitted =
        "Repository SoftHSM has keys prepared for back up which have not been committed\n";
    assert_eq!(listed, format!("{head}{unbacked}{uncommitted}\n"));
    let text = "Rolled back pre-backup of repository SoftHSM\n";
    assert_eq!(lab.done("backup rollback -r SoftHSM"), text);
    assert_eq!(
        lab.done("backup prepare -r SoftHSM").split(" at ").next().unwrap(),
        "Marked repository SoftHSM as pre-backed up"
    );
    let committed = lab.done("backup commit");
    assert!(committed.starts_with("Marked all repositories as backed up at 2"), "{committed}");
    let done = lab.done("backup list -v");
    assert!(done.contains("Pre Backup Date:         Backup Date:             Repository:\n"));
    assert!(
        done.contains("(not recorded)           SoftHSM\n") && !done.contains("unbacked"),
        "{done}"
    );
    lab.daemon.stop();
}

#[test]
fn one_step_backups_are_asked_about() {
    let installation = installation();
    installation.edit("conf.xml", "</Repository>", "<RequireBackup/></Repository>");
    let lab = Lab::start(installation);
    let warning = "*WARNING* One-step backups are deprecated in favour of a two-step process; see \
                   the documentation on key management for the explanation.\n";
    let question = "Do you wish to continue? [y/N] ";
    let said = lab.asked("backup done", "n\n");
    said.is(&format!("{warning}{question}Okay, quitting...\n"), 0);
    let said = lab.asked("backup done", "y\n");
    let text = format!("{warning}{question}Marked all repositories as backed up at 2");
    assert!(said.stdout.starts_with(&text) && said.code == 0, "{said:?}");
    let said = lab.ksm("backup done --force");
    said.is(&format!("{warning}There were no keys to mark\n"), 0);
    lab.daemon.stop();
}

#[test]
fn a_key_from_elsewhere_joins_a_zone() {
    let installation = installation();
    // While no daemon has the token.
    let words = "-c conf.xml generate SoftHSM ecdsa 256";
    let made = run(&installation, "ods-hsmutil", words, "");
    assert_eq!(made.code, 0, "{made:?}");
    let id = made.stdout.split_whitespace().find(|word| word.len() == 32).unwrap_or_else(|| {
        panic!("{made:?}");
    });
    let lab = Lab::start(installation);
    let with = |id: &str, zone: &str, bits: &str, algorithm: &str, rest: &str| {
        lab.ksm(&format!(
            "key import -k {id} -r SoftHSM -z {zone} -b {bits} -g {algorithm} -t ZSK {rest}"
        ))
    };
    let state = "-e PUBLISH -w 20260101";
    with(id, "other", "256", "13", state).complains("a zone named \"other\" in database", 1);
    with(id, "ods", "x", "13", state).complains("Error: Bits \"x\"; should be numeric only", 1);
    with(id, "ods", "256", "17", state).complains("Error: Key algorithm 17 not supported", 1);
    with(id, "ods", "256", "13", "-e GONE -w 20260101").complains("Unrecognised state GONE", 1);
    let bad = with(id, "ods", "256", "13", "-e PUBLISH -w yesterday");
    bad.complains("Error: unable to convert \"yesterday\" into a date\n", 1);
    assert!(bad.stderr.contains("YYYYMMDD[HH[MM[SS]]]"), "{bad:?}");
    with(id, "ods", "256", "13", "-e PUBLISH -w 29990101").refuses("is in the future");
    with(id, "ods", "256", "13", &format!("{state} -y 20300101"))
        .refuses("--retire cannot be kept");
    with("00ff", "ods", "256", "13", state).refuses("No key with the CKA_ID 00ff exists in the");
    let wrong = with(id, "ods", "512", "13", state);
    wrong.complains("Error: couldn't import key\n", 1);
    assert!(wrong.stderr.contains("The key has 256 bits, not 512"), "{wrong:?}");
    lab.ksm(&format!("key import -k {id}")).complains("please specify a repository with", 1);
    assert_eq!(lab.keys().len(), 2);
    let said = with(id, "ods", "256", "ecdsap256sha256", &format!("{state} --check-repository"));
    said.is("Key imported into zone(s)\n", 0);
    assert!(lab.keys().iter().any(|key| key.id == id && key.zone == "ods"), "{:?}", lab.keys());
    with(id, "ods", "256", "13", state).complains("already exists in database", 1);
    lab.daemon.stop();
}
