//! What a catalog cannot do: take a zone that an operator added, change anything while it is
//! broken, or take away more than it may at once before an operator has seen that.

use crate::lab::{
    CATALOG, Master, Software, answer, command, consume, installation, keys, zonelist,
};
use anchorite_tests::peers::free_address;

#[test]
fn a_broken_or_shrinking_catalog_changes_nothing_and_a_new_label_is_a_new_zone() {
    let listener = free_address();
    let zones = [("a.test", "a", ""), ("b.test", "b", ""), ("manual.test", "m", "")];
    let mut master = Master::start(Software::Named, &zones, listener);
    let installation = installation(listener);
    installation.write_zonelist(&[("manual.test", "default")]);
    installation.write_small_zone("manual.test", 1, "");
    let limits = "<MostRemovals>50</MostRemovals><SmallRemoval>0</SmallRemoval>";
    consume(&installation, master.address, &[(CATALOG, limits)]);
    let mut daemon = installation.start();
    daemon.wait_for_all(&[
        &["[STATS] a.test "],
        &["[STATS] b.test "],
        &["catalog catz.example: zone manual.test is in zonelist.xml without this catalog"],
    ]);
    let show = format!("catalog show {CATALOG}");
    let shown = answer(&installation, &show);
    assert!(shown.contains(": with zone faults\n"), "{shown}");
    assert!(shown.contains("  zone manual.test is in zonelist.xml without this"), "{shown}");

    // Broken: of a version that is not ours, and empty beside.
    master.set_all(&[(CATALOG, "1", &[])]);
    daemon.wait_for(&["serial 2 is broken and changes nothing", "has schema version \"1\""]);
    let shown = answer(&installation, &show);
    assert!(shown.contains(": broken\n") && shown.contains("only \"2\" is understood"), "{shown}");
    // Two PTR records at one member.
    let twice = [("a.test", "a", ""), ("b.test", "a", "")];
    master.set_all(&[(CATALOG, "2", &twice)]);
    daemon.wait_for(&["serial 3 is broken and changes nothing", "has 2 PTR records"]);

    // All of them would go, or lose their keys.
    master.set(&[("a.test", "other", "")]);
    daemon.wait_for(&["ALARM: catalog catz.example: serial 4 is held", "2 of its 2 zones"]);
    let before = [zonelist(&installation), keys(&installation, "a.test").concat()];
    assert!(before[0].contains("b.test"));
    let shown = answer(&installation, &show);
    assert!(shown.contains("(consumer): held\n") && shown.contains("limit 50 %"), "{shown}");
    let (code, text) = command(&installation, &format!("catalog accept {CATALOG} 3"));
    assert_eq!(
        (code, text.as_str()),
        (1, "catalog catz.example has serial 4 now; nothing was changed\n")
    );
    answer(&installation, &format!("catalog accept {CATALOG} 4"));
    daemon.wait_for_all(&[
        &["zone a.test removed: "],
        &["zone b.test removed: "],
        &["[STATS] a.test "],
    ]);
    let list = zonelist(&installation);
    assert!(!list.contains("b.test") && list.contains("member=\"other.\""), "{list}");
    // §5.4: the zone of the new label has other keys.
    assert_ne!(keys(&installation, "a.test").concat(), before[1]);

    // What an operator added stays, also when the catalog does not list it any more.
    master.set(&[("a.test", "other", "")]);
    daemon.wait_for(&["catalog catz.example serial 5 has 1 members"]);
    assert!(zonelist(&installation).contains("manual.test"));
    let (code, text) = command(&installation, &format!("catalog accept {CATALOG}"));
    assert_eq!((code, text.as_str()), (1, "catalog catz.example is not held\n"));
    let (code, text) = command(&installation, "catalog show nope.example");
    assert_eq!((code, text.as_str()), (1, "catalog nope.example is not in <CatalogList>\n"));
    daemon.stop();
}
