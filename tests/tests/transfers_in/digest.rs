//! The ZONEMD of a zone that comes by AXFR (RFC 8976 §4): one that is wrong is held, one that is
//! right is signed. The zone and its digest are the RFC's first example.

use crate::lab::installation;
use anchorite_tests::peers::{Setup, Software, free_address};

const ZONE: &str = "example";

/// RFC 8976, appendix A.1.
const TEXT: &str = "\
example. 86400 IN SOA ns1 admin 2018031900 1800 900 604800 86400
example. 86400 IN NS ns1
example. 86400 IN NS ns2
example. 86400 IN ZONEMD 2018031900 1 1 c68090d90a7aed716bc459f9340e3d7c1370d4d24b7e2fc3a1ddc0b9\
a87153b9a9713b3c9ae5cc27777f98b8e730044c
ns1 3600 IN A 203.0.113.63
ns2 3600 IN AAAA 2001:db8::63
";

fn text() -> String {
    format!("$ORIGIN example.\n{TEXT}")
}

#[test]
fn a_transferred_zone_with_a_wrong_digest_is_held() {
    let listener = free_address();
    // One address is another: the digest does not hold any more.
    let wrong = text().replace("203.0.113.63", "203.0.113.64");
    let mut master = Setup::primary(Software::Nsd, ZONE, &wrong).notifying(listener).start();
    let installation = installation(ZONE, master.address(), listener, None);
    let mut daemon = installation.start();
    daemon.wait_for(&["transfer done", "serial on disk 2018031900"]);
    daemon.wait_for(&["zone example", "B117"]);
    assert!(!installation.signed(ZONE).exists(), "{}", daemon.log());
    // Without a digest there is nothing to be wrong.
    let line = text().lines().find(|line| line.contains("ZONEMD")).expect("it is there").to_owned();
    let next = text().replace(&(line + "\n"), "").replace("2018031900", "2018031901");
    master.replace(&next, 2_018_031_901);
    daemon.wait_for(&["[STATS] example "]);
    daemon.stop();
}

#[test]
fn a_transferred_zone_with_its_digest_is_signed() {
    let listener = free_address();
    let master = Setup::primary(Software::Nsd, ZONE, &text()).notifying(listener).start();
    let installation = installation(ZONE, master.address(), listener, None);
    let mut daemon = installation.start();
    daemon.wait_for(&["[STATS] example "]);
    assert_eq!(daemon.count("B117"), 0, "{}", daemon.log());
    daemon.stop();
}
