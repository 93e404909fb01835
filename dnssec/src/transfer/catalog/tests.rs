//! Catalogs read, compared, made; and what breaks one.

use super::*;
use crate::zone::load::{Limits, Loader, Place};
use proptest::prelude::*;

fn name(text: &str) -> Name {
    Name::parse(text.as_bytes(), Some(&Name::root())).unwrap()
}

/// RDATA of a TXT or PTR record.
fn rdata(rtype: RrType, text: &str) -> Vec<u8> {
    match rtype {
        RrType::TXT => txt(text.as_bytes()),
        _ => name(text).as_wire().to_vec(),
    }
}

/// The version of `catz.` with SOA, NS, and these records.
fn version(records: &[(&str, RrType, &str)]) -> ZoneVersion {
    version_with(records, true)
}

fn version_with(records: &[(&str, RrType, &str)], with_server: bool) -> ZoneVersion {
    let mut loader = Loader::new(&name("catz"), Limits::default());
    let mut soa = b"\x07invalid\x00\x07invalid\x00".to_vec();
    [7_u32, 3600, 600, 86_400, 0].iter().for_each(|number| soa.extend(number.to_be_bytes()));
    let mut add = |owner: &str, rtype, rdata: &[u8]| {
        loader.add(&name(owner), rtype, Ttl(0), rdata, Place { source: 0, line: 1 }).unwrap();
    };
    add("catz", RrType::SOA, &soa);
    if with_server {
        add("catz", RrType::NS, b"\x07invalid\x00");
    }
    for (owner, rtype, text) in records {
        add(&format!("{owner}.catz"), *rtype, &rdata(*rtype, text));
    }
    loader.finish().unwrap().version
}

const PTR: RrType = RrType::PTR;
const TXT: RrType = RrType::TXT;

/// A catalog with a version record and these.
fn with(records: &[(&str, RrType, &str)]) -> Result<Catalog, CatalogFault> {
    read(&version(&[&[("version", TXT, "2")], records].concat()))
}

#[test]
fn members_with_their_properties() {
    let catalog = with(&[
        ("A1.zones", PTR, "Example.com"),
        ("group.a1.ZONES", TXT, "gold"),
        ("group.a1.zones", TXT, "fast"),
        ("coo.a1.zones", PTR, "other.catz2"),
        ("b2.zones", PTR, "example.net"),
        ("b2.zones", TXT, "whatever"),
        // Nobody's, or not known: left alone.
        ("group.c3.zones", TXT, "orphan"),
        ("serial.b2.zones", TXT, "9"),
        ("x.ext.b2.zones", TXT, "y"),
        ("ext", TXT, "y"),
        ("zonesx", PTR, "no.example"),
        ("zones", PTR, "no.example"),
        ("zzz", PTR, "no.example"),
    ])
    .unwrap();
    assert_eq!(catalog.name, name("catz"));
    let member = |zone: &str| catalog.members[&name(zone)].clone();
    assert_eq!(catalog.members.len(), 2, "{catalog:?}");
    let gold = member("example.com");
    assert_eq!((gold.label.as_slice(), gold.groups.len()), (b"a1".as_slice(), 2));
    assert!(gold.groups.contains(&b"gold".to_vec()) && gold.groups.contains(&b"fast".to_vec()));
    assert!(may_take_over(&gold, &name("other.catz2")) && !may_take_over(&gold, &name("catz3")));
    let plain = Member { label: b"b2".to_vec(), groups: Vec::new(), moves_to: None };
    assert_eq!(member("example.net"), plain);
    assert!(!may_take_over(&plain, &name("other.catz2")));
    assert_eq!(with(&[]).unwrap().members, BTreeMap::new());
}

#[track_caller]
fn check_broken(records: &[(&str, RrType, &str)], words: &str) {
    let fault = with(records).unwrap_err().to_string();
    assert!(fault.contains(words), "{fault}");
}

#[test]
fn a_broken_catalog_is_not_used() {
    let fault = |records: &[(&str, RrType, &str)]| read(&version(records)).unwrap_err().to_string();
    assert!(fault(&[]).contains("has 0 TXT records at version.catz.; it needs one"));
    assert!(fault(&[("version", TXT, "1\u{7}")]).contains("version \"1\\x07\"; only \"2\""));
    let serverless = version_with(&[("version", TXT, "2")], false);
    assert_eq!(read(&serverless), Err(CatalogFault::NoServer { catalog: name("catz") }));
    check_broken(&[("version", TXT, "1")], "has 2 TXT records");
    let two = [("a.zones", PTR, "x"), ("a.zones", PTR, "y")];
    check_broken(&two, "a.zones.catz. has 2 PTR records");
    let twice = [("a.zones", PTR, "x"), ("b.zones", PTR, "X")];
    check_broken(&twice, "zone x. is listed twice, the second time at b.zones.catz.");
    let owners = [("a.zones", PTR, "x"), ("coo.a.zones", PTR, "1"), ("coo.a.zones", PTR, "2")];
    check_broken(&owners, "coo.a.zones.catz. has 2 PTR records");
    let texts: Vec<String> = (0..=GROUP_COUNT_MAX).map(|number| number.to_string()).collect();
    let groups = texts.iter().map(|text| ("group.a.zones", TXT, text.as_str()));
    let many: Vec<_> = [("a.zones", PTR, "x")].into_iter().chain(groups).collect();
    check_broken(&many, "group.a.zones.catz. has more than 16 groups");
}

#[test]
fn what_cannot_be_listed_is_refused() {
    let listed = |zone: &str, groups: Vec<Vec<u8>>| Listed { zone: name(zone), era: 0, groups };
    let make = |zones: &[Listed]| version_of(&name("catz"), Serial(1), zones);
    assert!(make(&[listed("a", vec![vec![b'g'; 255]; 16])]).is_ok());
    for zones in [
        vec![listed("a", Vec::new()), listed("A", Vec::new())],
        vec![listed("Catz", Vec::new())],
        vec![listed("a", vec![vec![b'g'; 256]])],
        vec![listed("a", vec![Vec::new(); 17])],
    ] {
        assert!(matches!(make(&zones), Err(ListFault::Zone { .. })), "{zones:?}");
    }
    let long = name(&["x".repeat(63), "y".repeat(63), "z".repeat(63), "a".repeat(30)].join("."));
    let fault = version_of(&long, Serial(1), &[listed("a", Vec::new())]).unwrap_err();
    assert_eq!(fault, ListFault::NameTooLong { catalog: long });
}

proptest! {
    /// What is made is read again, and a zone that comes again is another one.
    #[test]
    fn made_catalogs_are_read(
        zones in prop::collection::btree_map("[a-z]{1,8}", (0_u64..3, 0_usize..3), 0..60),
    ) {
        let listed: Vec<Listed> = zones
            .iter()
            .map(|(zone, (era, groups))| Listed {
                zone: name(zone),
                era: *era,
                groups: (0..*groups).map(|number| vec![b'g', number as u8]).collect(),
            })
            .collect();
        let made = version_of(&name("catz.example"), Serial(5), &listed).unwrap();
        prop_assert_eq!(made.serial(), Some(Serial(5)));
        let catalog = read(&made).unwrap();
        let read_back: Vec<(Name, Vec<Vec<u8>>)> = catalog
            .members
            .iter()
            .map(|(zone, member)| (zone.clone(), member.groups.clone()))
            .collect();
        let mut given: Vec<_> =
            listed.iter().map(|one| (one.zone.clone(), one.groups.clone())).collect();
        given.sort();
        prop_assert_eq!(read_back, given);
        let again: Vec<Listed> =
            listed.iter().map(|one| Listed { era: one.era + 3, ..one.clone() }).collect();
        let again = read(&version_of(&name("catz.example"), Serial(6), &again).unwrap()).unwrap();
        let old = catalog.members;
        let is_other = |(zone, member): (&Name, &Member)| old[zone].label != member.label;
        prop_assert_eq!(again.members.len(), listed.len());
        prop_assert!(again.members.iter().all(is_other));
    }
}
