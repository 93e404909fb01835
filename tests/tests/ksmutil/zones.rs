//! Zones come and go: `zone add`, `zone delete`, `zone list`.

use crate::lab::{Lab, installation};
use anchorite_tests::daemon::Installation;

fn listed(lab: &Lab) -> String {
    let text = lab.done("zone list");
    text.lines().skip(1).map(|line| format!("{line}\n")).collect()
}

fn zonelist_is(installation: &Installation) -> String {
    format!("zonelist filename set to {}.\n", installation.path("zonelist.xml").display())
}

#[test]
fn a_zone_is_added_and_deleted() {
    let mut lab = Lab::start(installation());
    lab.installation.write_small_zone("ods2", 1, "");
    let said = lab.ksm("zone add -z ods2 -i unsigned/ods2 -o signed/ods2");
    said.is(&format!("{}Imported zone: ods2\n", zonelist_is(&lab.installation)), 0);
    lab.daemon.wait_for(&["[STATS]", "ods2"]);
    let both = "Found Zone: ods; on policy default\nFound Zone: ods2; on policy default\n";
    assert_eq!(listed(&lab), both);
    let list = lab.installation.read("zonelist.xml");
    assert!(list.contains(&format!("{}", lab.installation.unsigned("ods2").display())), "{list}");
    lab.ksm("zone add --zone ODS2.").complains("Failed to Import zone ODS2.; it already exists", 1);
    let said = lab.ksm("zone delete --zone ods2");
    said.is(&format!("{}zone ods2 deleted successfully\n", zonelist_is(&lab.installation)), 0);
    assert_eq!(listed(&lab), "Found Zone: ods; on policy default\n");
    lab.ksm("zone delete -z ods2").complains("Couldn't find zone ods2", 1);
    lab.daemon.stop();
}

#[test]
fn bad_input_adds_and_deletes_nothing() {
    let lab = Lab::start(installation());
    let before = lab.installation.read("zonelist.xml");
    let missing = lab.ksm("zone add");
    missing.complains("Please specify a zone with the --zone option\n", 1);
    assert!(missing.stderr.starts_with("  zone add\n\t--zone <zone>"), "{missing:?}");
    lab.ksm("zone add -z new -p none")
        .is("Error, can't find policy : none\nFailed to update zones\n", 1);
    lab.ksm("zone add -z new -j NFS").complains("Unrecognised in-type NFS; should be one of", 1);
    lab.ksm("zone add -z new -q NFS").complains("Unrecognised out-type NFS; should be one of", 1);
    lab.ksm("zone add -z a..b").complains("it is not a domain name", 1);
    lab.ksm("zone add -z new --no-xml").refuses("--no-xml cannot be kept: zonelist.xml is the one");
    lab.ksm("zone delete -z ods -m").refuses("Nothing was changed.");
    lab.ksm("zone delete").is("please specify either --zone <zone> or --all\n", 1);
    lab.ksm("zone delete -a -z ods").is("can not use --all with --zone\n", 1);
    let question = "*WARNING* This will remove all zones from OpenDNSSEC; are you sure? [y/N] ";
    for typed in ["n\n", "", "\n", "nonsense y\n"] {
        let said = lab.asked("zone delete --all", typed);
        said.is(&format!("{question}Okay, quitting...\n"), 0);
    }
    assert_eq!(lab.installation.read("zonelist.xml"), before);
    // The first key of this zone was never announced to a parent, so it may go.
    let said = lab.asked("zone delete --all", "Y\n");
    said.complains("zone ods deleted successfully\n", 0);
    lab.ksm("zone list").complains("No zones in DB or zonelist.\n", 0);
    lab.daemon.stop();
}

#[test]
fn a_list_that_was_edited_is_compared() {
    let lab = Lab::start(installation());
    lab.installation.write_zonelist(&[("new", "default")]);
    assert_eq!(
        listed(&lab),
        "Found Zone: new; on policy default (zone not in database)\n\
         Found zone ods in DB but not zonelist.\n"
    );
    lab.installation.write("zonelist.xml", "<ZoneList>");
    let said = lab.ksm("zone list");
    said.complains("couldn't read zonelist\n", 1);
    assert!(said.stderr.contains("zonelist.xml:1:"), "{said:?}");
    lab.daemon.stop();
}
