//! The input breaker: each finding by an input that causes just this one, what passes, and the
//! outages in which a bad input was signed as it came.

use std::collections::BTreeSet;

use crate::common::*;
use audit::breaker::{BreakerFinding, BreakerLimits, InputSummary, check, severity};
use audit::{BreakerId, Severity};

type Records = Vec<Rr>;

/// A registry's zone: delegations with two name servers each, glue, some DS.
fn registry() -> Records {
    let mut zone = vec![
        rr("example", SOA, &soa(100, 600)),
        rr("example", NS, &name("a.nic.example")),
        rr("example", NS, &name("b.nic.example")),
        rr("a.nic.example", A, &[192, 0, 2, 1]),
        rr("b.nic.example", A, &[192, 0, 2, 2]),
    ];
    for number in 0..400 {
        let owner = format!("d{number:03}.example");
        zone.push(rr(&owner, NS, &name("ns1.hosting.test")));
        zone.push(rr(&owner, NS, &name(&format!("ns.{owner}"))));
        zone.push(rr(&format!("ns.{owner}"), A, &[192, 0, 2, 9]));
        if number % 4 == 0 {
            zone.push(rr(&owner, DS, &[0, 1, 13, 2, 7, 7]));
        }
    }
    zone
}

fn summary(zone: &[Rr]) -> InputSummary {
    InputSummary::read(&name("example"), &[&block(zone)]).unwrap()
}

fn judge(last: Option<&[Rr]>, new: &[Rr], limits: &BreakerLimits) -> Vec<BreakerFinding> {
    check(&name("example"), last.map(summary).as_ref(), &summary(new), limits)
}

#[track_caller]
fn check_found(change: fn(&mut Records), codes: &[u16]) -> Vec<BreakerFinding> {
    let (last, mut new) = (registry(), registry());
    change(&mut new);
    let limits = BreakerLimits { ttl_maximum: Some(86_400), ..BreakerLimits::default() };
    let findings = judge(Some(&last), &new, &limits);
    let found: Vec<u16> = findings.iter().map(|finding| finding.id.code()).collect();
    assert_eq!(found, codes, "{findings:?}");
    findings
}

fn remove_delegations(zone: &mut Records, which: std::ops::Range<usize>) {
    let gone: BTreeSet<Vec<u8>> = which.map(|n| name(&format!("d{n:03}.example"))).collect();
    zone.retain(|r| !gone.iter().any(|owner| r.owner.ends_with(owner)));
}

type Change = fn(&mut Records);

/// Each finding, and what causes just this.
const CASES: &[(u16, Change)] = &[
    (102, |z| z.retain(|r| r.rtype != SOA)),
    (102, |z| z.push(rr("example", SOA, &soa(101, 600)))),
    (103, |z| {
        for number in 0..400 {
            z.push(rr(&format!("t{number}.example"), TXT, b"\x01t"));
        }
    }),
    (104, |z| {
        let mut at = 0;
        z.retain(|r| {
            at += usize::from(r.rtype == DS);
            r.rtype != DS || at % 4 == 0
        });
    }),
    (105, |z| z.retain(|r| r.rtype != DS)),
    (106, |z| remove_delegations(z, 100..130)),
    (107, |z| {
        let mut servers = z.iter_mut().filter(|r| r.rtype == NS && r.owner == name("example"));
        servers.next().unwrap().rdata = name("ns1.other.test");
        servers.next().unwrap().rdata = name("ns2.other.test");
    }),
    (108, |z| z.push(rr("example", NS, &name("c.other.test")))),
    (109, |z| z.iter_mut().filter(|r| r.rtype == SOA).for_each(|r| r.rdata = soa(99, 600))),
    (110, |z| {
        for number in 0..50 {
            z.push(rr(&format!("h{number}.example.example"), A, &[192, 0, 2, 3]));
        }
    }),
    (111, |z| {
        let mut servers = z.iter_mut().filter(|r| r.rdata == name("ns1.hosting.test"));
        (0..40).for_each(|_| servers.next().unwrap().rdata = name("ns1.hosting.test.example"));
    }),
    (112, |z| z.last_mut().unwrap().ttl = 86_401),
    (113, |z| {
        for number in 0..40 {
            z.push(rr(&format!("h{number}.test"), A, &[192, 0, 2, 3]));
        }
    }),
];

#[test]
fn each_finding_has_an_input_that_causes_just_this_one() {
    let mut covered = BTreeSet::from([101]);
    for &(code, change) in CASES {
        let findings = check_found(change, &[code]);
        covered.insert(code);
        let expected = if code == 108 { Severity::Warn } else { Severity::Hold };
        let expected = if code <= 102 { Severity::Refuse } else { expected };
        assert_eq!(severity(&findings), Some(expected));
    }
    // An input that ends within a record.
    let bytes = block(&registry());
    let cut = InputSummary::read(&name("example"), &[&bytes[..bytes.len() - 1]]).unwrap();
    let limits = BreakerLimits::default();
    let findings = check(&name("example"), Some(&summary(&registry())), &cut, &limits);
    assert_eq!(findings.len(), 1);
    assert_eq!(
        findings[0].to_string(),
        "B101 error: example.: the input cannot be read to its end (1 places) [RFC 1035 3.2.1]; \
         remedy: the transfer or file was cut off; load it again"
    );
    let known: BTreeSet<u16> = BreakerId::ALL.iter().map(|id| id.code()).collect();
    assert_eq!(covered, known);
}

#[test]
fn everyday_changes_pass() {
    check_found(|_| {}, &[]);
    check_found(|z| remove_delegations(z, 0..10), &[]);
    check_found(
        |z| z.iter_mut().filter(|r| r.rtype == SOA).for_each(|r| r.rdata = soa(7_000, 1)),
        &[],
    );
    // A delegation that is called as the zone itself, a wildcard and a DNAME for servers.
    check_found(
        |z| {
            z.push(rr("example.example", NS, &name("ns.example.example")));
            z.push(rr("*.pool.example", A, &[192, 0, 2, 4]));
            z.push(rr("old.example", DNAME, &name("new.test")));
            for number in 0..30 {
                let owner = format!("w{number}.example");
                z.push(rr(&owner, NS, &name(&format!("ns{number}.pool.example"))));
                z.push(rr(&owner, NS, &name(&format!("ns{number}.old.example"))));
            }
        },
        &[],
    );
    // The first input has nothing to be held against.
    assert_eq!(judge(None, &registry(), &BreakerLimits::default()), []);
    assert!(InputSummary::read(b"\x07exam", &[]).is_err());
}

#[test]
fn small_zones_may_change_as_they_like() {
    let small = source();
    let mut other = source();
    other.retain(|r| !matches!(r.rtype, MX | TXT | DS));
    other.push(rr("new.example", A, &[192, 0, 2, 77]));
    assert_eq!(judge(Some(&small), &other, &BreakerLimits::default()), []);
}

/// .se, 12 October 2009: a script lost the final dots.
#[test]
fn se_2009_names_end_in_the_origin_twice() {
    let findings = check_found(
        |z| {
            for record in z.iter_mut().filter(|r| r.rtype == NS) {
                record.rdata.pop();
                record.rdata.extend(name("example"));
            }
        },
        &[110, 107, 111],
    );
    assert_eq!(severity(&findings), Some(Severity::Hold));
}

/// .de, 12 May 2010: a truncated copy with about a third of the names.
#[test]
fn de_2010_two_thirds_of_the_zone_are_missing() {
    let findings = check_found(|z| remove_delegations(z, 130..400), &[103, 104, 104, 104, 106]);
    assert_eq!(severity(&findings), Some(Severity::Hold));
}
