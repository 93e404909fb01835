//! Zones come, change and go.

use crate::said::enforcer;
use anchorite_tests::daemon::{Daemon, Installation, serial_of};
use anchorite_tests::judges::dnssec_verify;

/// A second policy: the default one by another name, with NSEC.
fn two_policies(installation: &Installation) {
    let text = installation.read("kasp.xml");
    let (begin, end) = (text.find("<Policy ").unwrap(), text.find("</KASP>").unwrap());
    let policy = text[begin..end].replace("name=\"default\"", "name=\"nsec\"");
    let (nsec3, after) = (policy.find("<NSEC3>").unwrap(), policy.find("</NSEC3>").unwrap());
    let policy = format!("{}<NSEC/>{}", &policy[..nsec3], &policy[after + "</NSEC3>".len()..]);
    installation.write("kasp.xml", &format!("{}{policy}{}", &text[..end], &text[end..]));
}

#[test]
fn a_zone_is_added_changed_and_deleted_while_the_daemon_runs() {
    let installation = Installation::new("default");
    two_policies(&installation);
    let list = "<?xml version=\"1.0\"?>\n<ZoneList>\n\t<!-- kept -->\n</ZoneList>\n";
    installation.write("zonelist.xml", list);
    installation.write_small_zone("a.example", 1, "");
    let mut daemon = installation.start();
    daemon.wait_for(&["signer started"]);
    let path = |relative: &str| installation.path(relative).to_string_lossy().into_owned();
    let added = enforcer(&installation, "zone add --zone a.example --xml");
    added.is(&format!(
        "input is set to {}. \noutput is set to {}. \nZone a.example added successfully\n\
         Zonelist {} updated successfully\n",
        path("unsigned/a.example"),
        path("signed/a.example"),
        path("zonelist.xml")
    ));
    assert_eq!(added.stderr, "");
    daemon.wait_for(&["[STATS] a.example "]);
    dnssec_verify(&installation.signed("a.example"), "a.example").unwrap();
    assert!(installation.read("zonelist.xml").contains("<!-- kept -->"));
    enforcer(&installation, "zone add -z A.example.").refuses("zone already exists!");
    enforcer(&installation, "zone add -z b.example -p nope")
        .refuses("Unable to find policy nope needed for adding the zone!\n");
    enforcer(&installation, "zone add -z b.example -j bogus").refuses(
        "Unable to add zone, bogus is not a valid input type! in_type must be File or DNS.\n",
    );
    let none = enforcer(&installation, "zone add");
    assert_eq!(none.code, 255, "{none:?}");
    assert!(none.stderr.starts_with("expected option --zone <zone>\n"), "{none:?}");

    let serial = serial_of(&installation.signed("a.example"));
    let dry = enforcer(&installation, "zone set-policy -z a.example -p nsec --dry-run");
    dry.is("Zone a.example: its keys stay.\n");
    let changed = enforcer(&installation, "zone set-policy -z a.example -p nsec");
    changed.is("Zone a.example policy successfully set to nsec\n");
    daemon.wait_for(&["[STATS] a.example "]);
    let signed = std::fs::read_to_string(installation.signed("a.example")).unwrap();
    assert!(signed.contains("\tNSEC\t") && !signed.contains("NSEC3PARAM"), "{signed}");
    assert!(serial_of(&installation.signed("a.example")) > serial);
    dnssec_verify(&installation.signed("a.example"), "a.example").unwrap();
    assert!(installation.read("zonelist.xml").contains("<Policy>nsec</Policy>"));
    let same = enforcer(&installation, "zone set-policy -z a.example -p nsec");
    assert_eq!((same.stderr.as_str(), same.code), ("Policy same as before, not updating.\n", 0));
    enforcer(&installation, "zone set-policy -z b.example -p nsec")
        .refuses("Unable to update zone, zone does not exist!\n");
    enforcer(&installation, "zone set-policy -z a.example -p nope")
        .refuses("Unable to update zone, policy does not exist!\n");

    enforcer(&installation, "zone delete -z b.example")
        .refuses("Unable to delete zone, zone b.example not found!\n");
    enforcer(&installation, "zone delete -z a.example").is("Deleted zone a.example successfully\n");
    assert_eq!(installation.read("zonelist.xml"), list);
    assert!(installation.signed("a.example").exists());
    // Its serial goes on, its keys are others.
    let serial = serial_of(&installation.signed("a.example"));
    enforcer(&installation, "zone add -z a.example");
    daemon.wait_for(&["[STATS] a.example "]);
    assert!(serial_of(&installation.signed("a.example")) > serial);
    enforcer(&installation, "zone delete --all")
        .is("Deleted zone a.example successfully\nAll zones deleted successfully\n");
    daemon.stop();
}

#[test]
fn a_list_is_imported_and_exported() {
    let installation = Installation::new("default");
    for zone in ["a.example", "b.example"] {
        installation.write_small_zone(zone, 1, "");
    }
    installation.write_zonelist(&[("a.example", "default")]);
    let mut daemon = installation.start();
    daemon.wait_for(&["[STATS] a.example "]);
    let before = installation.read("zonelist.xml");
    installation.write_zonelist(&[("a.example", "default"), ("b.example", "default")]);
    enforcer(&installation, "zonelist import")
        .is("Zone a.example already up-to-date\nZone b.example created successfully\n");
    daemon.wait_for(&["[STATS] b.example "]);

    // A zone that is gone from the file is kept until somebody says that it may go.
    installation.write("zonelist.xml", &before);
    let kept = enforcer(&installation, "zonelist import");
    kept.is("Zone a.example already up-to-date\n");
    assert!(kept.stderr.contains("zone b.example is not in "), "{kept:?}");
    let exported = enforcer(&installation, "zonelist export");
    assert!(exported.stdout.starts_with("Exported zonelist to "), "{exported:?}");
    assert!(installation.read("zonelist.xml").contains("b.example"));
    installation.write("zonelist.xml", &before);
    enforcer(&installation, "zonelist import -r")
        .is("Zone a.example already up-to-date\nDeleted zone b.example successfully\n");

    installation.write("zonelist.xml", "<ZoneList>\n<Zone/></ZoneList>");
    let faulty = enforcer(&installation, "zonelist import");
    faulty.refuses("Unable to validate the zonelist XML!\n");
    assert!(faulty.stderr.contains("zonelist.xml:2:1"), "{faulty:?}");
    enforcer(&installation, "zone add -z c.example").refuses("zonelist.xml:2:1");
    enforcer(&installation, "zone delete -z a.example").refuses("zonelist.xml:2:1");
    let all = enforcer(&installation, "update all");
    assert_eq!(all.code, 1);
    assert!(all.stdout.starts_with("error: Unable to validate '"), "{all:?}");
    daemon.reload();
    daemon.wait_for(&["the configuration stays as it was"]);
    let listed = enforcer(&installation, "zone list").stdout;
    assert!(listed.contains("\na.example  ") && !listed.contains("b.example"), "{listed}");
    installation.write_zonelist(&[("a.example", "nope")]);
    enforcer(&installation, "zonelist import").refuses("Its policy nope is not known");
    daemon.stop();
}

#[test]
fn a_zone_with_a_ds_at_its_parent_is_not_given_up_w16() {
    let installation = Installation::new("default");
    installation.write_small_zone("a.example", 1, "");
    installation.write_zonelist(&[("a.example", "default")]);
    let mut command = installation.command();
    command.args(["--set-time", "now"]);
    let mut daemon = Daemon::spawn(command);
    daemon.wait_for(&["[STATS] a.example "]);
    // Caches get the new keys, then the signatures, and the parent the DS.
    daemon.wait_for(&["Next update for zone a.example scheduled"]);
    enforcer(&installation, "time leap");
    daemon.wait_for(&["DNSKEY rumoured -> omnipresent"]);
    daemon.wait_for(&["Next update for zone a.example scheduled"]);
    enforcer(&installation, "time leap");
    daemon.wait_for(&["DS with keytag"]);
    enforcer(&installation, "zone delete -z a.example").refuses("may still be at its parent");
    enforcer(&installation, "zone delete --all").refuses("may still be at its parent");
    let list = installation.read("zonelist.xml");
    installation.write_zonelist(&[]);
    enforcer(&installation, "zonelist import -r").refuses("may still be at its parent");
    daemon.reload();
    daemon.wait_for(&["zone a.example is gone from", "goes on being signed"]);
    daemon.wait_for(&["zone a.example"]);
    let listed = enforcer(&installation, "zone list").stdout;
    assert!(listed.contains("\na.example  "), "{listed}");
    installation.write("zonelist.xml", &list);
    enforcer(&installation, "zone delete -z a.example --force")
        .is("Deleted zone a.example successfully\n");
    assert!(!installation.read("zonelist.xml").contains("a.example"));
    daemon.stop();
}
