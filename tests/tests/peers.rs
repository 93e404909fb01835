//! The other name servers of Debian transfer from each other as the tests set them up: where a
//! test with one of them fails, it is not for its configuration.
//! In: a small zone in two versions. Out: equal zones, with and without TSIG.

use anchorite_tests::daemon::small_zone;
use anchorite_tests::peers::{Key, Setup, Software};

const ZONE: &str = "zone.example";

fn check(primary: Software, key: Option<&Key>) {
    let with_key = |setup: Setup| match key {
        Some(key) => setup.with_key(key.clone()),
        None => setup,
    };
    let first = small_zone(ZONE, 1, "a IN A 192.0.2.1");
    let mut server = with_key(Setup::primary(primary, ZONE, &first)).start();
    for (serial, secondary) in (2..).zip(Software::ALL) {
        let text = small_zone(ZONE, serial, &format!("a{serial} IN A 192.0.2.1"));
        server.replace(&text, serial);
        let mut other = with_key(Setup::secondary(secondary, ZONE, server.address())).start();
        other.wait_for_serial(serial);
        assert_eq!(server.records(), other.records(), "{primary:?} to {secondary:?}");
        assert!(other.records().iter().any(|line| line.starts_with(&format!("a{serial}."))));
    }
}

#[test]
fn each_takes_the_zone_from_each() {
    for primary in Software::ALL {
        check(primary, None);
    }
}

#[test]
fn each_takes_the_zone_from_each_with_a_key() {
    let key = Key::new("transfer.example", "hmac-sha256");
    for primary in Software::ALL {
        check(primary, Some(&key));
    }
}
