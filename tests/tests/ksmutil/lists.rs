//! What only looks: lists in 1.4's columns, exports, and the front end without a daemon.

use crate::lab::{Lab, ZONE, in_state, installation, run};

#[test]
fn without_a_daemon_every_command_says_so() {
    let installation = installation();
    for words in ["setup", "update all", "zone list", "key list", "database backup", "notify"] {
        let said = run(&installation, "ods-ksmutil", &format!("-c conf.xml {words}"), "y\n");
        assert_eq!((said.stdout.as_str(), said.code), ("", 201), "{words}: {said:?}");
        assert!(said.stderr.starts_with("Unable to connect to engine. "), "{words}: {said:?}");
        assert!(said.stderr.contains("ods-control start"), "{words}: {said:?}");
    }
    let said = run(&installation, "ods-ksmutil", "-c no/conf.xml zone list", "");
    said.refuses("cannot read no/conf.xml");
    installation.write("conf.xml", "<Configuration>");
    run(&installation, "ods-ksmutil", "-c conf.xml zone list", "").refuses("conf.xml:1:");
}

#[test]
fn ods_control_passes_on() {
    let lab = Lab::start(installation());
    for (name, words) in [
        ("ods-control", "ksm -c conf.xml zone list"),
        ("anchorite", "ods-ksmutil zone list -c conf.xml"),
        ("ods-ksmutil", "--config=conf.xml ZONE List"),
    ] {
        let said = run(&lab.installation, name, words, "");
        said.is(&lab.done("zone list"), 0);
    }
    let socket = lab.installation.socket();
    let said = run(&lab.installation, "ods-ksmutil", &format!("--socket {socket} zone list"), "");
    said.is(&lab.done("zone list"), 0);
    lab.daemon.stop();
}

#[test]
fn lists_have_the_columns_of_1_4() {
    let lab = Lab::start(installation());
    let list = lab.installation.path("zonelist.xml");
    assert_eq!(
        lab.done("zone list"),
        format!(
            "zonelist filename set to {}.\nFound Zone: ods; on policy default\n",
            list.display()
        )
    );
    assert_eq!(
        lab.done("repository list"),
        "Repositories:\nName:                            Capacity:    RequireBackup:\n\
         SoftHSM                          unset        No\n\n"
    );
    let policies = lab.done("policy list");
    let head = "Policies:\nName:                            Description:\n\
                default                          ";
    assert!(policies.starts_with(head) && policies.ends_with("\n\n"), "{policies}");
    let rolls = lab.done("rollover list");
    assert_eq!(
        rolls,
        "Rollovers:\nZone:                           Keytype:      Rollover expected:\n\
         ods                             ZSK           (not scheduled)\n\n"
    );
    assert_eq!(lab.done("backup list"), "Backups:\nDate:                    Repository:\n\n");
    let verbose = lab.done("zone list -v");
    assert!(verbose.starts_with("SQLite database set to: /"), "{verbose}");
    lab.daemon.stop();
}

#[test]
fn keys_are_listed_as_1_4_lists_them() {
    let lab = Lab::start(installation());
    let keys = lab.keys();
    let (ksk, zsk) = (in_state(&keys, "KSK", "publish")[0], in_state(&keys, "ZSK", "active")[0]);
    assert_eq!((ksk.to.as_str(), zsk.to.as_str()), ("(ready)", "(retire)"));
    assert_eq!((ksk.size.as_str(), ksk.algorithm.as_str()), ("256", "13"));
    assert_eq!((ksk.repository.as_str(), ksk.id.len()), ("SoftHSM", 32));
    let head = "Keys:\nZone:                           Keytype:      State:    Date of next \
                transition:\n";
    let plain = lab.done("key list");
    assert_eq!(
        plain,
        format!(
            "{head}ods                             KSK           publish   {:<20}\n\
             ods                             ZSK           active    (not scheduled)     \n\n",
            ksk.next
        )
    );
    assert_eq!(ksk.next.len(), "2026-11-22 10:00:00".len(), "{ksk:?}");
    assert_eq!(lab.done("key list --zone ODS."), plain);
    assert_eq!(lab.done("key list -t ksk").lines().count(), 4);
    assert_eq!(lab.done("key list -t 256").lines().count(), 4);
    assert_eq!(lab.done("key list -e PUBLISH"), lab.done("key list --keystate 2"));
    assert_eq!(lab.done("key list -e dead"), format!("{head}\n"));
    let unknown = "Error: unable to find a zone named \"other\" in database\n";
    lab.ksm("key list -z other").is(unknown, 1);
    lab.ksm("rollover list -z other").is(unknown, 1);
    lab.ksm("key export -z other").is(unknown, 1);
    lab.ksm("key list -e gone").complains("Error: Unrecognised state gone; should be one of", 1);
    lab.ksm("key list -t DSK").complains("Error: Unrecognised keytype DSK; should be one of", 1);
    lab.daemon.stop();
}

#[test]
fn keys_are_exported_with_their_remarks() {
    let lab = Lab::start(installation());
    lab.ksm("key export --all").is("No keys in READY state or higher to export.\n", 0);
    lab.ksm("key export -z ods -e retire").is("No keys in retire state to export.\n", 0);
    let ksk = in_state(&lab.keys(), "KSK", "publish")[0].clone();
    let text = lab.done("key export -z ods -e publish");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[..2], ["", ";publish KSK DNSKEY record:"], "{text}");
    assert!(lines[2].starts_with("ods.\t3600\tIN\tDNSKEY\t257 3 13 "), "{text}");
    assert!(lines[2].ends_with(&format!(" ;{{id = {} (ksk), size = 256b}}", ksk.tag)), "{text}");
    let ds = lab.done("key export -z ods -e publish --ds");
    let lines: Vec<&str> = ds.lines().collect();
    assert_eq!(lines[1], ";publish KSK DS record (SHA1):", "{ds}");
    assert!(lines[2].starts_with(&format!("ods.\t3600\tIN\tDS\t{} 13 1 ", ksk.tag)), "{ds}");
    assert_eq!(lines[4], ";publish KSK DS record (SHA256):", "{ds}");
    assert!(lines[5].starts_with(&format!("ods.\t3600\tIN\tDS\t{} 13 2 ", ksk.tag)), "{ds}");
    assert!(lines[7].starts_with("WARNING: No active or ready keys seen for this zone."), "{ds}");
    let zsk = lab.done("key export --all -t ZSK");
    assert!(zsk.contains("\n;active ZSK DNSKEY record:\nods.\t") && zsk.contains("(zsk)"), "{zsk}");
    lab.ksm("key export -z ods --all").complains("can not use --all with --zone", 1);
    lab.daemon.stop();
}

#[test]
fn files_are_exported_on_standard_output() {
    let lab = Lab::start(installation());
    let list = lab.done("zonelist export");
    assert!(list.starts_with("<?xml version=\"1.0\"") && list.contains("<Zone name=\"ods\">"));
    lab.ksm("policy export").complains("please specify either --policy <policy> or --all", 1);
    lab.ksm("policy export -a -p default").complains("can not use --all with --policy", 1);
    lab.ksm("policy export -p none").complains("a policy named \"none\" in database", 1);
    let policy = lab.done("policy export -p default");
    assert!(policy.contains("<Policy name=\"default\">"), "{policy}");
    assert!(policy.contains("<Default>PT345600S</Default>"), "{policy}");
    assert!(!policy.contains(">P4D<"), "{policy}");
    // What is exported can be taken in again, and says the same.
    lab.installation.write("kasp.xml", &policy);
    let taken = lab.ksm("update kasp");
    assert_eq!(taken.code, 0, "{taken:?}");
    assert_eq!(lab.done("policy export --all"), policy);
    assert_eq!(lab.keys().len(), 2, "{ZONE} has other keys");
    lab.daemon.stop();
}
