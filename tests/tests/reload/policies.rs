//! Policies change.

use crate::said::enforcer;
use anchorite_tests::daemon::Installation;

#[test]
fn an_import_says_what_it_will_do_and_does_it() {
    let installation = Installation::new("default");
    installation.write_small_zone("a.example", 1, "");
    installation.write_zonelist(&[("a.example", "default")]);
    let mut daemon = installation.start();
    daemon.wait_for(&["[STATS] a.example "]);
    enforcer(&installation, "policy import").is("Policy default already up-to-date\n");
    let before = installation.read("kasp.xml");
    let other =
        before.replacen("<Algorithm length=\"256\">13<", "<Algorithm length=\"384\">14<", 2);
    installation.write("kasp.xml", &other);
    let dry = enforcer(&installation, "policy import --dry-run");
    assert!(dry.stdout.ends_with("Policy default would be updated\n"), "{dry:?}");
    assert!(dry.stdout.contains("will be rolled out; "), "{dry:?}");
    assert!(dry.stdout.contains("a new KSK (ECDSAP384SHA384, 384 bits)"), "{dry:?}");
    let exported = enforcer(&installation, "policy export -p default").stdout;
    assert!(exported.contains("<Algorithm length=\"256\">13</Algorithm>"), "{exported}");
    let done = enforcer(&installation, "policy import");
    done.is("Updated policy default successfully\n");
    assert_eq!(done.stderr.matches("Zone a.example: ").count(), 1, "{done:?}");
    daemon.wait_for(&["[STATS] a.example "]);
    let exported = enforcer(&installation, "policy export --all").stdout;
    assert!(exported.contains("<Algorithm length=\"384\">14</Algorithm>"), "{exported}");
    // What is exported can be imported.
    installation.write("kasp.xml", &exported);
    enforcer(&installation, "update kasp").is("Policy default already up-to-date\n");

    installation.edit("kasp.xml", "name=\"default\"", "name=\"other\"");
    let missing = enforcer(&installation, "policy import");
    missing.refuses("Unable to delete policy default, there are still zones using this policy!");
    installation.edit("kasp.xml", "<Refresh>P3D</Refresh>", "<Refresh>soon</Refresh>");
    let faulty = enforcer(&installation, "policy import");
    faulty.refuses("Unable to validate the KASP XML, please run ods-kaspcheck for more details!\n");
    assert!(faulty.stderr.contains("kasp.xml:"), "{faulty:?}");
    daemon.reload();
    daemon.wait_for(&["the configuration stays as it was"]);
    let policies = enforcer(&installation, "policy list").stdout;
    assert!(policies.contains("default ") && !policies.contains("other "), "{policies}");

    // SIGHUP takes a good one.
    installation.write("kasp.xml", &before.replace("<Resign>PT2H", "<Resign>PT3H"));
    daemon.reload();
    daemon.wait_for(&["zone list updated: 0 removed, 0 added, 1 updated"]);
    let exported = enforcer(&installation, "policy export -p default").stdout;
    assert!(exported.contains("<Resign>PT3H</Resign>"), "{exported}");
    daemon.stop();
}

#[test]
fn policies_without_zones_come_and_go() {
    let installation = Installation::new("default");
    let mut daemon = installation.start();
    daemon.wait_for(&["signer started"]);
    enforcer(&installation, "policy export")
        .refuses("Either --all or --policy needs to be given!\n");
    enforcer(&installation, "policy export -p nope").refuses("Unable to find policy nope!\n");
    enforcer(&installation, "policy purge")
        .is("Purging policies\nNo zones on policy default; purging...\n");
    enforcer(&installation, "policy export -a")
        .is("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<KASP/>\n");
    enforcer(&installation, "update all").is("Created policy default successfully\n");
    installation.edit("kasp.xml", "name=\"default\"", "name=\"other\"");
    enforcer(&installation, "policy import").is("Created policy other successfully\n");
    enforcer(&installation, "policy import -r")
        .is("Policy other already up-to-date\nDeleted policy default successfully\n");
    enforcer(&installation, "policy resalt").is("");
    enforcer(&installation, "update conf").is("");
    enforcer(&installation, "update repositorylist")
        .is("new repositories parsed successful.\nNotifying enforcer of new repositories.\n");
    installation.edit("conf.xml", "<Configuration>", "<Configuration><Odd/>");
    enforcer(&installation, "update conf").refuses("conf.xml:");
    daemon.stop();
}
