//! A zone goes from one catalog to another when the old one says so (RFC 9432 §4.3.1), and only
//! then; with the same label it keeps its keys.

use crate::lab::{CATALOG, Master, Software, answer, consume, installation, keys, zonelist};
use anchorite_tests::peers::free_address;

#[test]
fn a_zone_changes_its_catalog_when_the_old_one_says_so() {
    let listener = free_address();
    let (old, new) = (CATALOG, "new.example");
    let zone = ("a.test", "same", "");
    let mut master = Master::start(Software::Named, &[zone], listener);
    master.set_all(&[(old, "2", &[zone]), (new, "2", &[])]);
    master.wait_until_served(new);
    let installation = installation(listener);
    consume(&installation, master.address, &[(old, ""), (new, "")]);
    let mut daemon = installation.start();
    daemon.wait_for(&["[STATS] a.test "]);
    let before = keys(&installation, "a.test");

    master.set_all(&[(old, "2", &[zone]), (new, "2", &[zone])]);
    daemon.wait_for(&["catalog new.example: zone a.test belongs to catalog catz.example., which"]);
    assert!(zonelist(&installation).contains("<Catalog name=\"catz.example.\""));

    let given = ("a.test", "same", "coo.same.zones 0 PTR new.example.");
    master.set_all(&[(old, "2", &[given]), (new, "2", &[zone])]);
    daemon.wait_for(&["zone a.test changed: catalog new.example"]);
    // The old one may forget it now.
    master.set_all(&[(old, "2", &[]), (new, "2", &[zone])]);
    daemon.wait_for(&["catalog catz.example serial", "has 0 members"]);
    let shown = answer(&installation, "catalog show new.example");
    assert!(shown.contains("in force") && shown.contains("a.test"), "{shown}");
    assert!(zonelist(&installation).contains("<Catalog name=\"new.example.\""));
    assert_eq!(keys(&installation, "a.test"), before);
    assert_eq!(daemon.count("zone a.test removed"), 0, "{}", daemon.log());
    daemon.stop();
}
