//! Loading: rules, classification, chunk bytes; property tests against naive references.

use super::chunk::{Chunk, OwnerKind};
use super::load::{
    Assembly, LimitUnit, Limits, LoadError, LoadWarning, Loaded, Loader, Packer, Place,
};
use super::*;
use crate::Ttl;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub(crate) fn name(text: &str) -> Name {
    Name::parse(text.as_bytes(), None).unwrap()
}

pub(crate) fn soa_rdata() -> Vec<u8> {
    let mut rdata = [name("ns.example.").as_wire(), name("host.example.").as_wire()].concat();
    for number in [7u32, 1800, 900, 604_800, 300] {
        rdata.extend(number.to_be_bytes());
    }
    rdata
}

/// Loads owners and types below `example.`; the RDATA is a fitting constant.
pub(crate) fn load(records: &[(&str, RrType)]) -> Result<Loaded, LoadError> {
    let mut loader = Loader::new(&name("example."), Limits::default());
    let mut add = |owner: &str, rtype: RrType, rdata: &[u8], line: u32| {
        loader.add(&name(owner), rtype, Ttl(60), rdata, Place { source: 0, line })
    };
    add("example.", RrType::SOA, &soa_rdata(), 1)?;
    for (index, (owner, rtype)) in records.iter().enumerate() {
        let rdata = match *rtype {
            RrType::NS | RrType::CNAME | RrType::DNAME => name("x.test.").as_wire().to_vec(),
            RrType::SOA => soa_rdata(),
            RrType::DS => [&[1, 2, 13, 2][..], &[7; 32]].concat(),
            _ => vec![192, 0, 2, 1],
        };
        add(owner, *rtype, &rdata, 2 + index as u32)?;
    }
    loader.finish()
}

fn kinds(records: &[(&str, RrType)]) -> Vec<(String, OwnerKind)> {
    let loaded = load(records).unwrap();
    let owners = loaded.version.names.iter().flat_map(|chunk| chunk.owners());
    owners
        .map(|owner| {
            let name = key::key_to_name(&loaded.version.apex, owner.key()).unwrap();
            (name.to_string(), owner.kind())
        })
        .collect()
}

#[test]
fn cuts_glue_and_occlusion() {
    use OwnerKind::*;
    let kinds = kinds(&[
        ("example.", RrType::NS),
        ("sub.example.", RrType::NS),
        ("ns.sub.example.", RrType::A),
        ("deeper.sub.example.", RrType::NS),
        ("subx.example.", RrType::A),
        ("d.example.", RrType::DNAME),
        ("under.d.example.", RrType::A),
    ]);
    let expect = [
        ("example.", Authoritative),
        ("d.example.", Authoritative),
        ("under.d.example.", Occluded),
        ("sub.example.", Delegation),
        ("deeper.sub.example.", Occluded),
        ("ns.sub.example.", Occluded),
        ("subx.example.", Authoritative),
    ];
    assert_eq!(kinds, expect.map(|(name, kind)| (name.to_owned(), kind)));
}

#[test]
fn rules_stop_the_zone() {
    let (a, cname, ds, soa) = (RrType::A, RrType::CNAME, RrType::DS, RrType::SOA);
    let error = |records: &[(&str, RrType)]| load(records).unwrap_err();
    assert!(matches!(
        error(&[("w.example.", cname), ("w.example.", a)]),
        LoadError::CnameAndOther { place: Place { line: 2, .. }, .. }
    ));
    assert!(matches!(error(&[("w.example.", ds)]), LoadError::DsWithoutDelegation { .. }));
    assert!(matches!(error(&[("w.example.", soa)]), LoadError::SoaBelowApex { .. }));
    assert!(matches!(error(&[("w.example.", RrType(253))]), LoadError::TypeRefused { .. }));

    let mut loader = Loader::new(&name("example."), Limits::default());
    let other = name("example.org.");
    loader.add(&other, soa, Ttl(1), &soa_rdata(), Place::default()).unwrap();
    let error = loader.finish().unwrap_err();
    assert_eq!(
        error.to_string(),
        "zone example. has no SOA record; there is one for example.org.: wrong zone name, or the \
         wrong file?"
    );

    let mut loader = Loader::new(&name("example."), Limits::default());
    let mut second = soa_rdata();
    *second.last_mut().unwrap() = 9;
    for (owner, rdata, line) in
        [("example.", soa_rdata(), 1), ("w.example.", vec![], 5), ("example.", second, 9)]
    {
        let rtype = if owner == "example." { soa } else { RrType(300) };
        loader.add(&name(owner), rtype, Ttl(1), &rdata, Place { source: 0, line }).unwrap();
    }
    let error = loader.finish().unwrap_err();
    assert!(matches!(error, LoadError::SeveralSoas { place: Place { line: 9, .. }, .. }));

    let mut loader = Loader::new(&name("example."), Limits::default());
    for target in ["a.", "b."] {
        let rdata = name(target);
        let owner = name("w.example.");
        loader.add(&owner, RrType::DNAME, Ttl(1), rdata.as_wire(), Place::default()).unwrap();
    }
    loader.add(&name("example."), soa, Ttl(1), &soa_rdata(), Place::default()).unwrap();
    assert!(matches!(loader.finish(), Err(LoadError::SeveralAliases { .. })));

    let mut loader = Loader::new(&name("example."), Limits::default());
    loader.add(&name("example."), soa, Ttl(1), &soa_rdata(), Place::default()).unwrap();
    for first in [1, 2] {
        let long = vec![first; 40_000];
        loader.add(&name("w.example."), RrType(300), Ttl(1), &long, Place::default()).unwrap();
    }
    assert!(matches!(loader.finish(), Err(LoadError::RrsetTooLong { length: 80_024, .. })));

    let limits = Limits { record_count_max: 1, ..Limits::default() };
    let mut loader = Loader::new(&name("example."), limits);
    loader.add(&name("example."), soa, Ttl(1), &soa_rdata(), Place::default()).unwrap();
    let error = loader.add(&name("example."), RrType::A, Ttl(1), &[1; 4], Place::default());
    assert!(matches!(error, Err(LoadError::LimitExceeded { limit: 1, unit: LimitUnit::Records })));

    let limits = Limits { rrset_record_count_max: 2, ..Limits::default() };
    let with_records = |count: u8| {
        let mut loader = Loader::new(&name("example."), limits);
        loader.add(&name("example."), soa, Ttl(1), &soa_rdata(), Place::default()).unwrap();
        for last in (0..count).chain(0..count) {
            let place = Place { source: 0, line: 3 };
            loader.add(&name("w.example."), a, Ttl(1), &[192, 0, 2, last], place).unwrap();
        }
        loader.finish()
    };
    assert!(with_records(2).is_ok(), "duplicates do not count");
    assert_eq!(
        with_records(3).unwrap_err().to_string(),
        "line 3: the A records of w.example. are more than the limit of 2 records per name and type"
    );
}

#[test]
fn warnings_name_what_was_dropped() {
    let loaded = load(&[("other.", RrType::A), ("example.", RrType::NSEC)]).unwrap();
    assert!(matches!(&loaded.warnings.first[0], LoadWarning::OutOfZone { .. }));
    assert!(matches!(&loaded.warnings.first[1], LoadWarning::DnssecData { .. }));
    assert!(matches!(&loaded.warnings.first[2], LoadWarning::NoApexNs { .. }));

    let mut loader = Loader::new(&name("example."), Limits::default());
    let owner = name("Example.");
    loader.add(&owner, RrType::SOA, Ttl(1), &soa_rdata(), Place::default()).unwrap();
    for (ttl, last) in [(60, 1), (30, 2), (30, 2)] {
        let rdata = [192, 0, 2, last];
        loader.add(&name("W.example."), RrType::A, Ttl(ttl), &rdata, Place::default()).unwrap();
    }
    let loaded = loader.finish().unwrap();
    assert!(matches!(&loaded.warnings.first[1], LoadWarning::TtlMismatch { used: Ttl(30), .. }));
    let owner = loaded.version.find(b"w\0").unwrap();
    assert_eq!(owner.given_case(), Some(name("W.example.").as_wire()));
    let rrset = owner.rrset(RrType::A).unwrap();
    assert_eq!((rrset.ttl, rrset.record_count), (Ttl(30), 2), "duplicates collapse");
}

#[test]
fn damaged_chunks_are_refused_not_panicked_on() {
    let loaded = load(&[("Sub.example.", RrType::NS), ("sub.example.", RrType::DS)]).unwrap();
    let bytes = loaded.version.names[0].as_bytes().to_vec();
    assert!(Chunk::open(Arc::new(bytes.clone())).is_ok());
    for length in 0..bytes.len() {
        let _ = Chunk::open(Arc::new(bytes[..length].to_vec())).map(|chunk| walk(&chunk));
    }
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1 << bit;
            let _ = Chunk::open(Arc::new(bytes)).map(|chunk| walk(&chunk));
        }
    }
}

/// Reads everything in a chunk.
fn walk(chunk: &Chunk) {
    let mut out = Vec::new();
    render::wire(&name("example."), chunk, &mut out);
    render::text(&name("example."), chunk, &mut out);
}

pub(crate) type Owners = BTreeMap<Name, BTreeSet<RrType>>;

/// Random owners below `example.`, from few labels so that they nest.
pub(crate) fn any_owners() -> impl Strategy<Value = Owners> {
    let label = prop_oneof![
        Just("a"),
        Just("b"),
        Just("*"),
        Just("\\000"),
        Just("Z"),
        Just("a-b"),
        Just("\\255")
    ];
    let owner = proptest::collection::vec(label, 0..5)
        .prop_map(|labels| name(&[labels.as_slice(), &["example."]].concat().join(".")));
    let rtype = prop_oneof![
        6 => Just(RrType::A),
        2 => Just(RrType::NS),
        1 => Just(RrType::DS),
        1 => Just(RrType::DNAME),
        1 => Just(RrType(300)),
    ];
    let types = proptest::collection::btree_set(rtype, 1..4);
    proptest::collection::btree_map(owner, types, 0..20).prop_map(|mut owners: Owners| {
        for (owner, types) in owners.iter_mut() {
            if !types.contains(&RrType::NS) || *owner == name("example.") {
                types.remove(&RrType::DS);
            }
            if *owner == name("example.") {
                types.remove(&RrType::DNAME);
            }
        }
        let kept: Owners = owners.clone();
        // A DS below a cut is no delegation's; leave such zones to the rule's own test.
        owners.retain(|owner, types| {
            !types.is_empty() && (!types.contains(&RrType::DS) || !is_occluded(&kept, owner))
        });
        owners
    })
}

/// Whether a name lies below a cut or a DNAME, by walking up.
pub(crate) fn is_occluded(owners: &Owners, owner: &Name) -> bool {
    let apex = name("example.");
    let mut at = owner.clone();
    while at != apex {
        let Some(parent) = at.parent() else { return false };
        let types = owners.get(&parent);
        let covers = |rtype| types.is_some_and(|types| types.contains(&rtype));
        if parent != apex && covers(RrType::NS) || covers(RrType::DNAME) {
            return true;
        }
        at = parent;
    }
    false
}

pub(crate) fn load_owners(owners: &Owners) -> Loaded {
    let texts: Vec<(String, RrType)> = owners
        .iter()
        .rev()
        .flat_map(|(owner, types)| types.iter().map(|rtype| (owner.to_string(), *rtype)))
        .collect();
    let records: Vec<(&str, RrType)> =
        texts.iter().map(|(owner, rtype)| (owner.as_str(), *rtype)).collect();
    load(&records).unwrap()
}

/// Everything in a version, as wire records.
fn rendered(version: &ZoneVersion) -> Vec<u8> {
    let mut out = Vec::new();
    version.chunks().for_each(|chunk| render::wire(&version.apex, chunk, &mut out));
    out
}

proptest! {
    #[test]
    fn parts_and_ranges_make_the_same_zone(
        owners in any_owners(),
        apex_dname in any::<bool>(),
        part_length in 1usize..9,
        range_count in 1usize..7,
    ) {
        let apex = name("example.");
        let mut records: Vec<(Name, RrType, Vec<u8>)> =
            vec![(apex.clone(), RrType::SOA, soa_rdata())];
        for (owner, types) in &owners {
            records.extend(types.iter().map(|rtype| {
                let rdata = match *rtype {
                    RrType::NS | RrType::DNAME => apex.as_wire().to_vec(),
                    _ => owner.as_wire().to_vec(),
                };
                (owner.clone(), *rtype, rdata)
            }));
        }
        if apex_dname {
            records.push((apex.clone(), RrType::DNAME, apex.as_wire().to_vec()));
        }
        let limits = Limits::default();
        let mut loader = Loader::new(&apex, limits);
        let mut parts = Vec::new();
        for part in records.chunks(part_length) {
            let mut packer = Packer::new(&apex, limits);
            for (owner, rtype, rdata) in part {
                let place = Place::default();
                loader.add(owner, *rtype, Ttl(60), rdata, place).unwrap();
                packer.add(owner, *rtype, Ttl(60), rdata, place).unwrap();
            }
            parts.push(packer.finish());
        }
        let whole = loader.finish();
        let assembly = Assembly::new(&apex, parts, limits).unwrap();
        let built: Result<Vec<_>, _> =
            assembly.ranges(range_count).into_iter().map(|range| assembly.build(range)).collect();
        match (whole, built) {
            (Ok(whole), Ok(built)) => {
                let version = assembly.finish(built).version;
                prop_assert_eq!(rendered(&version), rendered(&whole.version));
            }
            (Err(whole), Err(built)) => prop_assert_eq!(whole, built),
            (whole, built) => prop_assert!(false, "{whole:?} and {built:?}"),
        }
    }

    #[test]
    fn loading_sorts_and_classifies_as_the_naive_way(owners in any_owners()) {
        let loaded = load_owners(&owners);
        let apex = name("example.");
        let mut expect: Owners = owners.clone();
        expect.entry(apex.clone()).or_default().insert(RrType::SOA);
        let mut got = Vec::new();
        for owner in loaded.version.names.iter().flat_map(|chunk| chunk.owners()) {
            let owner_name = key::key_to_name(&apex, owner.key()).unwrap();
            let kind = match expect.get(&owner_name) {
                _ if is_occluded(&owners, &owner_name) => OwnerKind::Occluded,
                Some(types) if owner_name != apex && types.contains(&RrType::NS) => {
                    OwnerKind::Delegation
                }
                _ => OwnerKind::Authoritative,
            };
            prop_assert_eq!(owner.kind(), kind);
            prop_assert!(loaded.version.find(owner.key()).is_some());
            got.push((owner_name, owner.rrsets().map(|rrset| rrset.rtype).collect()));
        }
        prop_assert_eq!(got, expect.into_iter().collect::<Vec<_>>());
    }
}
