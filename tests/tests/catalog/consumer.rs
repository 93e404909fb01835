//! Zones appear with the catalog, are signed under the policy of their group, and vanish with it.

use crate::lab::{CATALOG, Master, Software, answer, consume, installation, zonelist};
use anchorite_tests::judges::dnssec_verify;
use anchorite_tests::peers::free_address;

fn check(software: Software) {
    let listener = free_address();
    let gold = match software {
        Software::Named => "group.b.zones 0 TXT gold\ngroup.b.zones 0 TXT unknown",
        Software::Knot => "gold",
    };
    let [a, b, c] = [("a.test", "a", ""), ("b.test", "b", gold), ("c.test", "c", "")];
    let mut master = Master::start(software, &[a, b], listener);
    let installation = installation(listener);
    consume(&installation, master.address, &[(CATALOG, "")]);
    let mut daemon = installation.start();
    daemon.wait_for_all(&[&["[STATS] a.test "], &["[STATS] b.test "]]);
    for zone in ["a.test", "b.test"] {
        dnssec_verify(&installation.signed(zone), zone).unwrap();
    }
    let signed = |zone| std::fs::read_to_string(installation.signed(zone)).unwrap();
    assert!(signed("a.test").contains("\tNSEC3PARAM\t") && !signed("a.test").contains("\tNSEC\t"));
    assert!(signed("b.test").contains("\tNSEC\t") && !signed("b.test").contains("NSEC3PARAM"));

    let shown = answer(&installation, &format!("catalog show {CATALOG}"));
    assert!(shown.starts_with("catz.example (consumer): in force\n  serial: "), "{shown}");
    let words = |zone: &str| -> Vec<String> {
        let line = shown.lines().find(|line| line.starts_with(zone)).unwrap_or(&shown);
        line.split_whitespace().map(str::to_owned).collect()
    };
    assert_eq!(words("a.test")[..3], ["a.test", "-", "default"], "{shown}");
    let group = &words("b.test")[1];
    assert!(group.contains("gold") && words("b.test")[2] == "nsec", "{shown}");
    let listed = answer(&installation, "catalog list");
    let line: Vec<&str> = listed.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!((line[1], line[3], line[4]), ("consumer", "2", "in"), "{listed}");
    let zones = answer(&installation, "enforcer zone list");
    assert!(zones.contains("a.test") && zones.contains("b.test"), "{zones}");

    // One comes, one goes, with its keys.
    let trash = answer(&installation, "key trash");
    master.set(&[b, c]);
    daemon.wait_for_all(&[
        &["zone a.test removed: catalog catz.example serial"],
        &["[STATS] c.test "],
    ]);
    let list = zonelist(&installation);
    assert!(!list.contains("a.test") && list.contains("<Catalog name=\"catz.example.\""), "{list}");
    let keys = answer(&installation, "enforcer key list");
    assert!(!keys.contains("a.test") && keys.contains("c.test"), "{keys}");
    assert_ne!(answer(&installation, "key trash"), trash);
    // Another group is another policy, with the same keys.
    if software == Software::Named {
        let before = crate::lab::keys(&installation, "c.test");
        master.set(&[b, ("c.test", "c", "group.c.zones 0 TXT gold")]);
        daemon.wait_for(&["zone c.test changed: catalog catz.example, policy nsec"]);
        daemon.wait_for(&["[STATS] c.test "]);
        assert!(signed("c.test").contains("\tNSEC\t"));
        assert_eq!(crate::lab::keys(&installation, "c.test"), before);
    }
    daemon.stop();
}

#[test]
fn zones_come_and_go_with_a_catalog_of_bind() {
    check(Software::Named);
}

#[test]
fn zones_come_and_go_with_a_catalog_of_knot() {
    check(Software::Knot);
}
