//! A second opinion on updates: RFC 2136 §3.2.5 and §3.4.2.7 as they are written, on a list of
//! records, one at a time and without a thought of speed. Random updates have to come to the same.

use super::tests::{Line, message, name, rdata, zone};
use super::*;
use crate::zone::diff::difference;
use crate::zone::{ZoneVersion, soa_serial};
use proptest::prelude::*;

/// A record; names in lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rr {
    owner: String,
    rtype: u16,
    ttl: u32,
    rdata: Vec<u8>,
}

const APEX: &str = "example.";

fn rr(line: &Line<'_>) -> Rr {
    let (owner, rtype, _, ttl, text) = *line;
    let data = rdata(rtype, text);
    let data = if data.is_empty() { data } else { canonical(rtype, &data) };
    let owner = name(owner).to_lowercase().to_string();
    Rr { owner, rtype: rtype.0, ttl, rdata: data }
}

/// What is in a version.
fn records(version: &ZoneVersion) -> Vec<Rr> {
    let mut found = Vec::new();
    for chunk in version.names.iter() {
        for owner in chunk.owners() {
            let mut wire = Vec::new();
            crate::zone::key::key_to_wire(&version.apex, owner.key(), &mut wire);
            let (shown, _) = Name::from_wire(&wire).unwrap();
            for rrset in owner.rrsets() {
                for data in rrset.rdatas() {
                    found.push(Rr {
                        owner: shown.to_lowercase().to_string(),
                        rtype: rrset.rtype.0,
                        ttl: rrset.ttl.0,
                        rdata: canonical(rrset.rtype, data),
                    });
                }
            }
        }
    }
    found.sort();
    found
}

/// §3.2: the response code of prerequisites.
fn judged(zone: &[Rr], prerequisites: &[Line<'_>]) -> Rcode {
    let mut wanted: Vec<Rr> = Vec::new();
    for line in prerequisites {
        let wish = rr(line);
        let has_name = zone.iter().any(|own| own.owner == wish.owner);
        let has_rrset = zone.iter().any(|own| own.owner == wish.owner && own.rtype == wish.rtype);
        let failed = match (line.2, wish.rtype) {
            (CLASS_ANY, 255) => (!has_name).then_some(Rcode::NXDOMAIN),
            (CLASS_ANY, _) => (!has_rrset).then_some(Rcode::NXRRSET),
            (CLASS_NONE, 255) => has_name.then_some(Rcode::YXDOMAIN),
            (CLASS_NONE, _) => has_rrset.then_some(Rcode::YXRRSET),
            _ => {
                wanted.push(wish);
                None
            }
        };
        if let Some(rcode) = failed {
            return rcode;
        }
    }
    for wish in &wanted {
        let of = |list: &[Rr]| -> BTreeSet<Vec<u8>> {
            let same = |own: &&Rr| own.owner == wish.owner && own.rtype == wish.rtype;
            list.iter().filter(same).map(|own| own.rdata.clone()).collect()
        };
        if of(zone) != of(&wanted) {
            return Rcode::NXRRSET;
        }
    }
    Rcode::NOERROR
}

/// §3.4.2.7: an update after the other; then the TTL of an RRset is one (RFC 2181 §5.2).
fn done(zone: &mut Vec<Rr>, updates: &[Line<'_>]) {
    let (soa, ns, cname) = (RrType::SOA.0, RrType::NS.0, RrType::CNAME.0);
    for line in updates {
        let new = rr(line);
        let is_apex = new.owner == APEX;
        match line.2 {
            CLASS_IN => {
                let at_owner = |own: &Rr| own.owner == new.owner;
                let has_cname = zone.iter().any(|own| at_owner(own) && own.rtype == cname);
                let has_other = zone.iter().any(|own| at_owner(own) && own.rtype != cname);
                let is_left_out = match new.rtype {
                    rtype if rtype == cname => has_other,
                    rtype if rtype == soa => {
                        let old = zone.iter().find(|own| at_owner(own) && own.rtype == soa);
                        old.is_none_or(|old| {
                            let (old, new) = (soa_serial(&old.rdata), soa_serial(&new.rdata));
                            old.unwrap().is_after(new.unwrap())
                        })
                    }
                    _ => has_cname,
                };
                if is_left_out {
                    continue;
                }
                let is_single = [soa, cname, RrType::DNAME.0].contains(&new.rtype);
                zone.retain(|own| {
                    let is_same = own.owner == new.owner && own.rtype == new.rtype;
                    !(is_same && (is_single || own.rdata == new.rdata))
                });
                for own in zone.iter_mut() {
                    if own.owner == new.owner && own.rtype == new.rtype {
                        own.ttl = new.ttl;
                    }
                }
                zone.push(new);
            }
            CLASS_ANY => zone.retain(|own| {
                let is_meant = own.owner == new.owner && [255, own.rtype].contains(&new.rtype);
                !is_meant || is_apex && [soa, ns].contains(&own.rtype)
            }),
            _ => {
                let is_server = |own: &Rr| own.owner == APEX && own.rtype == ns;
                let is_last = zone.iter().filter(|own| is_server(own)).count() == 1;
                zone.retain(|own| {
                    let is_meant =
                        (&own.owner, own.rtype, &own.rdata) == (&new.owner, new.rtype, &new.rdata);
                    !is_meant || own.rtype == soa || is_server(own) && is_last
                });
            }
        }
    }
}

/// Whether there is a DS where nothing is delegated, or at the apex; what is below a delegation or
/// a DNAME is none of the zone's.
fn has_lost_ds(zone: &[Rr]) -> bool {
    let has = |owner: &str, rtype: RrType| {
        zone.iter().any(|own| own.owner == owner && own.rtype == rtype.0)
    };
    let is_hidden = |owner: &str| {
        let above = zone.iter().filter(|own| owner.ends_with(&format!(".{}", own.owner)));
        above.into_iter().any(|own| {
            own.rtype == RrType::DNAME.0 || own.rtype == RrType::NS.0 && own.owner != APEX
        })
    };
    zone.iter()
        .filter(|own| own.rtype == RrType::DS.0)
        .any(|own| own.owner == APEX || !has(&own.owner, RrType::NS) && !is_hidden(&own.owner))
}

fn serial_in(zone: &[Rr]) -> u32 {
    let soa = zone.iter().find(|own| own.rtype == RrType::SOA.0).unwrap();
    soa_serial(&soa.rdata).unwrap().0
}

/// Without the serial, which §3.6 is about.
fn but_serial(zone: &[Rr]) -> BTreeSet<Rr> {
    let mut records: Vec<Rr> = zone.to_vec();
    for own in records.iter_mut().filter(|own| own.rtype == RrType::SOA.0) {
        let at = own.rdata.len() - 20;
        own.rdata[at..at + 4].fill(0);
    }
    records.into_iter().collect()
}

fn owner() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "example",
        "www.example",
        "WWW.example",
        "sub.example",
        "ns.sub.example",
        "alias.example",
        "ent.example",
        "a.ent.example",
        "new.example",
    ])
}

fn typed() -> impl Strategy<Value = (RrType, &'static str)> {
    prop::sample::select(vec![
        (RrType::A, "192.0.2.1"),
        (RrType::A, "192.0.2.2"),
        (RrType::A, "192.0.2.9"),
        (RrType::NS, "ns.example"),
        (RrType::NS, "NS2.example"),
        (RrType::TXT, "text"),
        (RrType::CNAME, "www.example"),
        (RrType::CNAME, "x.example"),
        (RrType::SOA, "7"),
        (RrType::SOA, "3"),
        (RrType::SOA, "20"),
        (RrType::DS, "x"),
        (RrType::DNAME, "x.test"),
    ])
}

fn update() -> impl Strategy<Value = Line<'static>> {
    (owner(), typed(), 0..5_u8, 59..62_u32).prop_map(|(owner, (rtype, text), kind, ttl)| match kind
    {
        0 => (owner, TYPE_ANY, CLASS_ANY, 0, ""),
        1 => (owner, rtype, CLASS_ANY, 0, ""),
        2 => (owner, rtype, CLASS_NONE, 0, text),
        _ => (owner, rtype, CLASS_IN, ttl, text),
    })
}

fn prerequisite() -> impl Strategy<Value = Line<'static>> {
    (owner(), typed(), 0..5_u8).prop_map(|(owner, (rtype, text), kind)| match kind {
        0 => (owner, TYPE_ANY, CLASS_ANY, 0, ""),
        1 => (owner, rtype, CLASS_ANY, 0, ""),
        2 => (owner, TYPE_ANY, CLASS_NONE, 0, ""),
        3 => (owner, rtype, CLASS_NONE, 0, ""),
        _ => (owner, rtype, CLASS_IN, 0, text),
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]
    /// Five updates in a row: each has the answer and the outcome of the model.
    #[test]
    fn updates_come_to_what_rfc2136_says(
        rounds in prop::collection::vec(
            (
                prop_oneof![
                    3 => Just(Vec::new()),
                    1 => prop::collection::vec(prerequisite(), 1..3),
                ],
                prop::collection::vec(update(), 0..6),
            ),
            5,
        ),
    ) {
        let mut version = zone();
        for (prerequisites, updates) in rounds {
            let before = records(&version);
            let answer = updated(&message(&prerequisites, &updates), &version);
            let rcode = judged(&before, &prerequisites);
            let mut wanted = before.clone();
            done(&mut wanted, &updates);
            let unfit = has_lost_ds(&wanted);
            let after = match (answer, rcode) {
                (Err(fault), rcode) if rcode != Rcode::NOERROR => {
                    prop_assert_eq!(fault.rcode(), rcode, "{:?} {:?}", prerequisites, before);
                    continue;
                }
                (Err(fault), _) => {
                    prop_assert!(unfit, "{fault}: {updates:?} on {before:?}");
                    prop_assert_eq!(fault.rcode(), Rcode::REFUSED);
                    continue;
                }
                (Ok(after), rcode) => {
                    prop_assert_eq!(rcode, Rcode::NOERROR);
                    after
                }
            };
            prop_assert!(!unfit, "{updates:?} on {before:?}");
            let Some(after) = after else {
                prop_assert_eq!(BTreeSet::from_iter(wanted), BTreeSet::from_iter(before));
                continue;
            };
            let found = records(&after.version);
            prop_assert_eq!(but_serial(&found), but_serial(&wanted), "{:?}", updates);
            let (old, told) = (serial_in(&before), serial_in(&wanted));
            let expected = if told == old { old + 1 } else { told };
            prop_assert_eq!(serial_in(&found), expected);
            prop_assert_eq!(&after.difference, &difference(&version, &after.version));
            version = after.version;
        }
    }
}
