//! Full audits before key events: whenever the keys, what they sign, or the salt of a zone are
//! other ones, all of the version is judged, and small changes in between by what they change.
//! Time is the test's: keys roll in hours.

use crate::lab::{ZONE, installation, run, settle, start, told};
use anchorite_tests::daemon::{Installation, serial_of};
use serde_json::Value;
use std::collections::BTreeMap;

/// Keys that roll every few days.
fn quick() -> Installation {
    let installation = installation();
    for (from, to) in [
        ("<Jitter>PT12H<", "<Jitter>PT0S<"),
        ("<Default>P14D<", "<Default>P4D<"),
        ("<Denial>P14D<", "<Denial>P4D<"),
        ("<Lifetime>P365D<", "<Lifetime>P12D<"),
        ("<Lifetime>P90D<", "<Lifetime>P9D<"),
        ("<Resalt>P100D<", "<Resalt>P7D<"),
        ("<Salt length=\"0\"/>", "<Salt length=\"8\"/>"),
    ] {
        installation.edit("kasp.xml", from, to);
    }
    installation
}

/// What of a signed zone belongs to its keys: DNSKEY records, salt, who signs.
fn of_keys(installation: &Installation) -> Vec<String> {
    let text = std::fs::read_to_string(installation.signed(ZONE)).unwrap();
    let mut found: Vec<String> = text
        .lines()
        .filter_map(|line| {
            let words: Vec<&str> = line.split_ascii_whitespace().collect();
            match *words.get(3)? {
                "DNSKEY" | "NSEC3PARAM" => Some(words[3..].join(" ")),
                // The SOA is signed with each version, other data when their turn comes.
                "RRSIG" if matches!(words[4], "SOA" | "DNSKEY") => {
                    Some(format!("RRSIG {} {}", words[4], words.get(10)?))
                }
                _ => None,
            }
        })
        .collect();
    found.sort();
    found.dedup();
    found
}

/// By serial, how much of it was judged when it was first approved.
fn extents(installation: &Installation) -> BTreeMap<u64, String> {
    let mut extents = BTreeMap::new();
    for line in told(installation, &["audit", "log", "export"]).lines() {
        let entry: Value = serde_json::from_str(line).unwrap();
        let (Some(serial), Some("approve")) = (entry["serial"].as_u64(), entry["verdict"].as_str())
        else {
            continue;
        };
        let extent = entry["extent"].as_str().unwrap().to_owned();
        extents.entry(serial).or_insert(extent);
    }
    extents
}

/// Leaps to the next task, and says what a quick parent does.
fn leap(installation: &Installation) {
    told_enforcer(installation, &["time", "leap"]);
    settle(installation);
    for command in ["ds-seen", "ds-gone"] {
        let list = told_enforcer(installation, &["key", command]);
        if list.lines().count() > 1 {
            told_enforcer(installation, &["key", command, "-a"]);
            settle(installation);
        }
    }
}

fn told_enforcer(installation: &Installation, words: &[&str]) -> String {
    let said = run(installation, "ods-enforcer", words);
    assert_eq!(said.code, 0, "{words:?}: {said:?}");
    said.stdout
}

#[test]
fn before_each_key_event_all_of_the_zone_is_judged() {
    let installation = quick();
    let mut daemon = start(&installation);
    daemon.wait_for(&["[STATS]", ZONE]);
    settle(&installation);
    let (mut events, mut small) = (Vec::new(), Vec::new());
    let mut keys = of_keys(&installation);
    for round in 2..40 {
        let before = serial_of(&installation.signed(ZONE));
        // A change between the events, so that there is a state to be confirmed.
        installation.write_small_zone(ZONE, round, &format!("www IN A 192.0.2.{round}"));
        run(&installation, "ods-signer", &["sign", ZONE]);
        settle(&installation);
        let changed = serial_of(&installation.signed(ZONE));
        assert_ne!(changed, before);
        assert_eq!(of_keys(&installation), keys);
        small.push(changed);
        leap(&installation);
        let now = of_keys(&installation);
        if now != keys {
            events.push(serial_of(&installation.signed(ZONE)));
            keys = now;
        }
    }
    let extents = extents(&installation);
    let of = |serial: &u32| extents[&u64::from(*serial)].as_str();
    assert!(events.len() >= 8, "{} events", events.len());
    let partly: Vec<&u32> = events.iter().filter(|serial| of(serial) != "whole").collect();
    assert!(partly.is_empty(), "{partly:?} of {events:?}: {extents:?}");
    let by_difference = small.iter().filter(|serial| of(serial) == "difference").count();
    assert!(by_difference >= small.len() / 2, "{by_difference} of {}: {extents:?}", small.len());
    assert_eq!(daemon.count("ALARM"), 0, "{}", daemon.log());
    daemon.stop();
}
