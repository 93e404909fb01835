//! A difference applied to the old version gives the new one, whatever the two are; differences
//! that do not fit are refused, each for its reason, and never panic.

use super::*;
use crate::denial::nsec3::{Nsec3Parameters, hash_chunk, link};
use crate::denial::{is_signed, nsec::with_nsec};
use crate::zone::chunk::SignatureView;
use crate::zone::diff::difference;
use crate::zone::load::{Assembly, DnssecRecords, Limits, Loader, Packer, Place};
use crate::zone::tests::{Owners, any_owners, load, name, soa_rdata};
use crate::zone::{key::push_owner_key, render};
use crate::{KeyTag, Ttl};
use proptest::prelude::*;
use proptest::sample::Index;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

/// A number for a thing: random enough to vary made zones by.
fn number(thing: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    thing.hash(&mut hasher);
    hasher.finish()
}

/// How a made zone is signed.
#[derive(Clone, Copy, Debug)]
enum Signed {
    No,
    Nsec,
    Nsec3 { opt_out: bool },
}

fn any_signed() -> impl Strategy<Value = Signed> {
    prop_oneof![
        Just(Signed::No),
        Just(Signed::Nsec),
        any::<bool>().prop_map(|opt_out| Signed::Nsec3 { opt_out })
    ]
}

/// A zone with these owners; TTLs, numbers of addresses, case and signatures depend on `salt`.
fn zone(owners: &Owners, signed: Signed, salt: u64) -> ZoneVersion {
    let mut loader = Loader::new(&name("example."), Limits::default());
    let mut add = |owner: &Name, rtype, ttl, rdata: &[u8]| {
        loader.add(owner, rtype, Ttl(ttl), rdata, Place::default()).unwrap();
    };
    add(&name("example."), RrType::SOA, 60, &soa_rdata());
    for (owner, types) in owners {
        // Names repeat between versions with few salts, so that some owners stay as they are.
        let vary = number((owner.to_lowercase(), salt % 3));
        let cased = if vary & 16 == 0 { owner.clone() } else { owner.to_lowercase() };
        for rtype in types {
            let ttl = [60, 300][(vary >> 8) as usize & 1];
            match *rtype {
                RrType::A => {
                    let addresses = (0..8).filter(|bit| *bit == 7 || vary >> (9 + bit) & 1 == 1);
                    addresses.for_each(|last| add(&cased, *rtype, ttl, &[192, 0, 2, last]));
                }
                RrType::NS | RrType::DNAME => {
                    let target = ["x.test.", "X.test."][(vary >> 20) as usize & 1];
                    add(&cased, *rtype, ttl, name(target).as_wire());
                }
                RrType::DS => add(&cased, *rtype, ttl, &[&[1, 2, 13, 2][..], &[7; 32]].concat()),
                _ => add(&cased, *rtype, ttl, &vary.to_be_bytes()[..1]),
            }
        }
    }
    with_signatures(&loader.finish().unwrap().version, signed, salt)
}

fn with_signatures(version: &ZoneVersion, signed: Signed, salt: u64) -> ZoneVersion {
    let (apex, chunks) = (&version.apex, &version.names);
    let (names, hashes): (ChunkList, ChunkList) = match signed {
        Signed::No => return version.clone(),
        Signed::Nsec => {
            let chained = |at| Arc::new(with_nsec(apex, chunks, at, Ttl(300)));
            ((0..chunks.len()).map(chained).collect(), Arc::new([]))
        }
        Signed::Nsec3 { opt_out } => {
            let parameters = Nsec3Parameters { iterations: 0, salt: vec![], opt_out };
            let hashed = |at| hash_chunk(apex, chunks, at, &parameters);
            let hashed: Vec<_> = (0..chunks.len()).map(hashed).collect();
            (chunks.clone(), link(&hashed, &parameters, Ttl(300)).unwrap())
        }
    };
    let sign = |list: &ChunkList| list.iter().map(|chunk| fake_signed(chunk, salt)).collect();
    ZoneVersion { apex: apex.clone(), names: sign(&names), hashes: sign(&hashes) }
}

/// The chunk with one or two made-up signatures over each RRset that has to be signed.
fn fake_signed(chunk: &Arc<Chunk>, salt: u64) -> Arc<Chunk> {
    let mut builder = ChunkBuilder::default();
    for owner in chunk.owners() {
        builder.begin_owner_like(&owner);
        for rrset in owner.rrsets() {
            builder.begin_rrset_like(&rrset);
            let made = number((owner.key(), rrset.rtype, rrset.records, salt % 2));
            let count = if is_signed(owner.kind(), rrset.rtype) { 1 + made % 2 } else { 0 };
            for index in 0..count {
                let bytes = (made + index).to_be_bytes();
                builder.push_signature(&SignatureView {
                    algorithm: 13,
                    key_tag: KeyTag(index as u16),
                    expiration: 1_900_000_000 + (made % 1000) as u32,
                    inception: 1_800_000_000,
                    signature: &bytes,
                });
            }
            builder.end_rrset();
        }
        builder.end_owner();
    }
    Arc::new(builder.finish())
}

/// The version as it comes in from a signer before us: with its DNSSEC records as records.
fn kept(version: &ZoneVersion) -> ZoneVersion {
    let limits = Limits::default();
    let packer = Packer::new(&version.apex, limits);
    let mut packer = packer.with_dnssec_records(DnssecRecords::Kept);
    for owner in version.chunks().flat_map(|chunk| chunk.owners()) {
        for record in render::owner_records(&version.apex, &owner) {
            let (owner, length) = Name::from_wire(&record).unwrap();
            let (head, rdata) = record[length..].split_at(10);
            let field = |at: usize| u16::from_be_bytes([head[at], head[at + 1]]);
            let ttl = Ttl(u32::from(field(4)) << 16 | u32::from(field(6)));
            packer.add(&owner, RrType(field(0)), ttl, rdata, Place::default()).unwrap();
        }
    }
    let assembly = Assembly::new(&version.apex, vec![packer.finish()], limits).unwrap();
    let built = assembly.ranges(1).into_iter().map(|range| assembly.build(range).unwrap());
    let built = built.collect();
    assembly.finish(built).version
}

/// All that a version holds, the order of signatures apart: key, kind, case, RDATA in order.
type Contents = Vec<(Vec<u8>, OwnerKind, Option<Vec<u8>>, Vec<Vec<u8>>, Vec<Vec<u8>>)>;

fn contents(version: &ZoneVersion, list: &ChunkList) -> Contents {
    let owner = |owner: OwnerView<'_>| {
        let mut records = render::owner_records(&version.apex, &owner);
        records.sort();
        let rdatas = owner.rrsets().flat_map(|rrset| rrset.rdatas()).map(<[u8]>::to_vec).collect();
        let case = owner.given_case().map(<[u8]>::to_vec);
        (owner.key().to_vec(), owner.kind(), case, records, rdatas)
    };
    list.iter().flat_map(|chunk| chunk.owners()).map(owner).collect()
}

/// Checks what every version has to be: sound chunks, none empty, owners in order.
fn check_structure(version: &ZoneVersion) {
    for list in [&version.names, &version.hashes] {
        let mut last: Option<Vec<u8>> = None;
        for chunk in list.iter() {
            assert!(Chunk::open(Arc::new(chunk.as_bytes().to_vec())).is_ok());
            assert!(chunk.owner_count() > 0);
            for owner in chunk.owners() {
                assert!(last.is_none_or(|last| last.as_slice() < owner.key()));
                last = Some(owner.key().to_vec());
            }
            render::wire(&version.apex, chunk, &mut Vec::new());
        }
    }
}

/// Splits a block of sound wire records.
fn split(mut block: &[u8]) -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    while !block.is_empty() {
        let (_, owner) = Name::from_wire(block).unwrap();
        let length = u16::from_be_bytes([block[owner + 8], block[owner + 9]]);
        let (record, rest) = block.split_at(owner + 10 + usize::from(length));
        records.push(record.to_vec());
        block = rest;
    }
    records
}

/// What is done to a difference to make it wrong, maybe.
#[derive(Clone, Debug)]
enum Mutation {
    FlipBit { at: Index, bit: u8 },
    Cut { at: Index },
    Drop { at: Index },
    Double { at: Index },
    Swap,
    Move { at: Index },
}

fn any_mutation() -> impl Strategy<Value = Mutation> {
    prop_oneof![
        4 => (any::<Index>(), 0..8u8).prop_map(|(at, bit)| Mutation::FlipBit { at, bit }),
        1 => any::<Index>().prop_map(|at| Mutation::Cut { at }),
        2 => any::<Index>().prop_map(|at| Mutation::Drop { at }),
        1 => any::<Index>().prop_map(|at| Mutation::Double { at }),
        1 => Just(Mutation::Swap),
        2 => any::<Index>().prop_map(|at| Mutation::Move { at }),
    ]
}

impl Mutation {
    fn apply(&self, difference: &mut Difference) {
        let Difference { removed, added } = difference;
        let is_empty = added.is_empty();
        match self {
            Mutation::Swap => std::mem::swap(removed, added),
            _ if is_empty => {}
            Mutation::FlipBit { at, bit } => {
                let at = at.index(added.len());
                added[at] ^= 1 << bit;
            }
            Mutation::Cut { at } => added.truncate(at.index(added.len())),
            Mutation::Drop { at } | Mutation::Double { at } | Mutation::Move { at } => {
                let mut records = split(added);
                let record = records.remove(at.index(records.len()));
                *added = records.concat();
                match self {
                    Mutation::Double { .. } => added.extend([&record[..], &record].concat()),
                    Mutation::Move { .. } => removed.extend(record),
                    _ => {}
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn the_difference_makes_the_new_version_of_the_old(
        before in any_owners(),
        after in any_owners(),
        was in any_signed(),
        is in any_signed(),
        salts in any::<(u64, u64)>(),
    ) {
        let (old, new) = (zone(&before, was, salts.0), zone(&after, is, salts.1));
        let difference = difference(&old, &new);
        let patched = apply(&old, &difference).unwrap();
        check_structure(&patched);
        prop_assert_eq!(contents(&patched, &patched.names), contents(&new, &new.names));
        prop_assert_eq!(contents(&patched, &patched.hashes), contents(&new, &new.hashes));
        prop_assert!(crate::zone::diff::difference(&new, &patched).is_empty());
        // The unsigned zone is what is left when all that a signer made is left away.
        let (plain_old, plain_new) =
            (zone(&before, Signed::No, salts.0), zone(&after, Signed::No, salts.1));
        let plain = without_dnssec(&old.apex, &difference).unwrap();
        let patched_plain = apply(&plain_old, &plain).unwrap();
        prop_assert_eq!(
            contents(&patched_plain, &patched_plain.names),
            contents(&plain_new, &plain_new.names)
        );
        if !difference.is_empty() {
            prop_assert!(apply(&patched, &difference).is_err(), "applied twice");
        }
    }

    #[test]
    fn the_same_of_zones_that_somebody_else_signed(
        before in any_owners(),
        after in any_owners(),
        was in any_signed(),
        is in any_signed(),
        salts in any::<(u64, u64)>(),
    ) {
        let (old, new) = (zone(&before, was, salts.0), zone(&after, is, salts.1));
        let of_ours = difference(&old, &new);
        let (old, new) = (kept(&old), kept(&new));
        let difference = difference(&old, &new);
        let sorted = |records: &[u8]| {
            let mut records: Vec<Vec<u8>> = split(records);
            records.sort_unstable();
            records
        };
        // What a master sends is no other than it is of a zone of ours.
        prop_assert_eq!(sorted(&difference.removed), sorted(&of_ours.removed));
        prop_assert_eq!(sorted(&difference.added), sorted(&of_ours.added));
        let patched = apply_with(&old, &of_ours, Rrsigs::Records).unwrap();
        check_structure(&patched);
        prop_assert_eq!(contents(&patched, &patched.names), contents(&new, &new.names));
        prop_assert!(patched.hashes.is_empty());
        if !difference.is_empty() {
            prop_assert!(apply_with(&patched, &difference, Rrsigs::Records).is_err(), "twice");
        }
    }

    #[test]
    fn composed_differences_lead_where_each_of_them_leads(
        zones in proptest::collection::vec((any_owners(), any_signed(), any::<u64>()), 2..5),
    ) {
        let versions: Vec<ZoneVersion> =
            zones.iter().map(|(owners, signed, salt)| zone(owners, *signed, *salt)).collect();
        let steps: Vec<Difference> =
            versions.windows(2).map(|pair| difference(&pair[0], &pair[1])).collect();
        let (first, last) = (&versions[0], &versions[versions.len() - 1]);
        let patched = apply(first, &composed(&steps).unwrap()).unwrap();
        check_structure(&patched);
        prop_assert_eq!(contents(&patched, &patched.names), contents(last, &last.names));
        prop_assert_eq!(contents(&patched, &patched.hashes), contents(last, &last.hashes));
    }

    #[test]
    fn wrong_differences_are_refused_or_give_a_sound_version(
        before in any_owners(),
        after in any_owners(),
        signed in any_signed(),
        salt in any::<u64>(),
        mutation in any_mutation(),
        swapped in any::<bool>(),
    ) {
        let (old, new) = (zone(&before, signed, 0), zone(&after, signed, salt));
        let mut difference = difference(&old, &new);
        mutation.apply(&mut difference);
        let version = if swapped { &new } else { &old };
        if let Ok(patched) = apply(version, &difference) {
            check_structure(&patched);
            prop_assert_eq!(patched.soa_rdata().map(<[u8]>::len), Some(soa_rdata().len()));
            // The other way it leads back, case and the order of equal things apart.
            let Difference { removed, added } = difference;
            let back = apply(&patched, &Difference { removed: added, added: removed });
            prop_assert!(back.is_ok(), "{back:?}");
        }
    }

    #[test]
    fn any_bytes_are_refused_or_applied(removed: Vec<u8>, added: Vec<u8>) {
        let version = load(&[("a.example.", RrType::A)]).unwrap().version;
        let _ = apply(&version, &Difference { removed, added });
    }
}

#[test]
fn untouched_chunks_are_shared() {
    let owners: Vec<String> = (0..200).map(|at| format!("n{at:03}.example.")).collect();
    let records: Vec<_> = owners.iter().map(|owner| (owner.as_str(), RrType::A)).collect();
    let old = load(&records).unwrap().version;
    let added = record("n100.example.", RrType::TXT, 60, b"\x01t");
    let new = apply(&old, &Difference { removed: vec![], added }).unwrap();
    let shared = |chunk: &Arc<Chunk>| old.names.iter().any(|other| Arc::ptr_eq(chunk, other));
    let own = new.names.iter().filter(|chunk| !shared(chunk)).count();
    assert!(new.names.len() > 10 && (1..=2).contains(&own), "{own} of {}", new.names.len());
    assert!(Arc::ptr_eq(&old.hashes, &new.hashes));
}

#[test]
fn a_cut_that_comes_keeps_the_signatures_below_until_they_go() {
    let old = load(&[("ns.sub.example.", RrType::A), ("other.example.", RrType::A)]).unwrap();
    let old = with_signatures(&old.version, Signed::Nsec, 0);
    let added = record("sub.example.", RrType::NS, 60, name("x.test.").as_wire());
    let new = apply(&old, &Difference { removed: vec![], added: added.clone() }).unwrap();
    let below = new.find(b"sub\0ns\0").unwrap();
    assert_eq!(below.kind(), OwnerKind::Occluded);
    assert_eq!(new.signature_count(), old.signature_count());
    let back = apply(&new, &Difference { removed: added, added: vec![] }).unwrap();
    assert_eq!(contents(&back, &back.names), contents(&old, &old.names));
}

/// A wire record of class IN.
fn record(owner: &str, rtype: RrType, ttl: u32, rdata: &[u8]) -> Vec<u8> {
    let mut record = name(owner).as_wire().to_vec();
    record.extend(rtype.0.to_be_bytes());
    record.extend([0, 1]);
    record.extend(ttl.to_be_bytes());
    record.extend((rdata.len() as u16).to_be_bytes());
    record.extend(rdata);
    record
}

/// RDATA of an RRSIG.
fn rrsig(covered: RrType, labels: u8, ttl: u32, signer: &str, last: u8) -> Vec<u8> {
    let mut rdata = covered.0.to_be_bytes().to_vec();
    rdata.extend([13, labels]);
    rdata.extend(ttl.to_be_bytes());
    rdata.extend([1, 0, 0, 0, 1, 0, 0, 0, 0, 7]);
    rdata.extend(name(signer).as_wire());
    rdata.extend([5, 5, last]);
    rdata
}

/// Applies to a zone with A and RRSIG records at `w.example.`, TTL 60.
fn refusal(removed: &[Vec<u8>], added: &[Vec<u8>]) -> PatchError {
    let version = load(&[("w.example.", RrType::A), ("c.example.", RrType::CNAME)]).unwrap();
    let signature =
        record("w.example.", RrType::RRSIG, 60, &rrsig(RrType::A, 2, 60, "example.", 0));
    let signed = Difference { removed: vec![], added: signature };
    let version = apply(&version.version, &signed).unwrap();
    apply(&version, &Difference { removed: removed.concat(), added: added.concat() }).unwrap_err()
}

const ADDRESS: [u8; 4] = [192, 0, 2, 1];

#[test]
fn records_that_do_not_fit_are_named() {
    let (a, owner) = (RrType::A, name("w.example."));
    let there = record("w.example.", a, 60, &ADDRESS);
    let other = record("w.example.", a, 60, &[192, 0, 2, 2]);
    let missing = PatchError::RecordMissing { owner: owner.clone(), rtype: a };
    assert_eq!(refusal(std::slice::from_ref(&other), &[]), missing);
    assert_eq!(refusal(&[record("w.example.", a, 61, &ADDRESS)], &[]), missing);
    let present = PatchError::RecordPresent { owner: owner.clone(), rtype: a };
    assert_eq!(refusal(&[], std::slice::from_ref(&there)), present);
    assert_eq!(refusal(&[], &[other.clone(), other.clone()]), present);
    assert_eq!(
        refusal(&[], &[record("w.example.", a, 61, &[192, 0, 2, 2])]),
        PatchError::TtlsDiffer { owner: owner.clone(), rtype: a }
    );
    assert_eq!(
        refusal(&[], &[record("w.test.", a, 60, &ADDRESS)]),
        PatchError::OutOfZone { part: Part::Added, owner: name("w.test."), rtype: a }
    );
    let mut chaos = other.clone();
    chaos[owner.as_wire().len() + 3] = 3;
    let not_in = |part| PatchError::ClassNotIn { part, owner: owner.clone(), rtype: a, class: 3 };
    assert_eq!(refusal(&[], std::slice::from_ref(&chaos)), not_in(Part::Added));
    assert_eq!(refusal(&[chaos], &[]), not_in(Part::Removed));
    for length in 1..other.len() {
        let cut = [there.clone(), other[..length].to_vec()];
        let at = there.len();
        assert_eq!(refusal(&cut, &[]), PatchError::Malformed { part: Part::Removed, at });
    }
    let error = refusal(&[], &[record("w.example.", a, 60, &[192, 0, 2])]);
    assert!(matches!(error, PatchError::BadRdata { part: Part::Added, rtype: RrType::A, .. }));
    assert_eq!(
        refusal(&[], &[record("w.example.", RrType(252), 60, &ADDRESS)]),
        PatchError::TypeRefused { owner, rtype: RrType(252) }
    );
}

#[test]
fn signatures_that_do_not_fit_are_named() {
    let (a, txt, owner) = (RrType::A, RrType::TXT, name("w.example."));
    let signature = |ttl, rdata: &[u8]| record("w.example.", RrType::RRSIG, ttl, rdata);
    let misfit = |field| PatchError::SignatureMisfit { owner: owner.clone(), covered: a, field };
    for (rdata, ttl, field) in [
        (rrsig(a, 1, 60, "example.", 1), 60, ImpliedField::Labels),
        (rrsig(a, 2, 61, "example.", 1), 60, ImpliedField::OriginalTtl),
        (rrsig(a, 2, 60, "test.", 1), 60, ImpliedField::Signer),
        (rrsig(a, 2, 61, "example.", 1), 61, ImpliedField::Ttl),
    ] {
        assert_eq!(refusal(&[], &[signature(ttl, &rdata)]), misfit(field));
    }
    // The TTL changes, the signature stays behind with the old one.
    let (there, slower) =
        (record("w.example.", a, 60, &ADDRESS), record("w.example.", a, 61, &ADDRESS));
    assert_eq!(refusal(std::slice::from_ref(&there), &[slower]), misfit(ImpliedField::Ttl));
    let lonely = |covered| PatchError::SignatureWithoutRrset { owner: owner.clone(), covered };
    assert_eq!(refusal(&[there], &[]), lonely(a));
    assert_eq!(refusal(&[], &[signature(60, &rrsig(txt, 2, 60, "example.", 1))]), lonely(txt));
    let here = signature(60, &rrsig(a, 2, 60, "example.", 0));
    let rtype = RrType::RRSIG;
    assert_eq!(refusal(&[], &[here]), PatchError::RecordPresent { owner: owner.clone(), rtype });
    let absent = signature(60, &rrsig(a, 2, 60, "example.", 1));
    assert_eq!(refusal(&[absent], &[]), PatchError::RecordMissing { owner: owner.clone(), rtype });
    let short = signature(60, &rrsig(a, 2, 60, "example.", 1)[..20]);
    let error = refusal(&[short], &[]);
    assert!(matches!(error, PatchError::BadRdata { part: Part::Removed, .. }));
    let many: Vec<_> =
        (1..=255).map(|at| signature(60, &rrsig(a, 2, 60, "example.", at))).collect();
    assert_eq!(refusal(&[], &many), PatchError::TooManySignatures { owner, covered: a });
}

#[test]
fn versions_that_could_not_be_loaded_are_refused() {
    let apex = name("example.");
    let soa = record("example.", RrType::SOA, 60, &soa_rdata());
    let count = |count| PatchError::SoaCount { apex: apex.clone(), count };
    assert_eq!(refusal(std::slice::from_ref(&soa), &[]), count(0));
    let mut second = soa_rdata();
    *second.last_mut().unwrap() = 9;
    let second = record("example.", RrType::SOA, 60, &second);
    assert_eq!(refusal(&[], std::slice::from_ref(&second)), count(2));
    let owner = name("w.example.");
    let below = record("w.example.", RrType::SOA, 60, &soa_rdata());
    assert_eq!(refusal(&[], &[below]), PatchError::SoaBelowApex { owner: owner.clone() });
    let alias = |target: &str| record("c.example.", RrType::CNAME, 60, name(target).as_wire());
    let owner_c = name("c.example.");
    assert_eq!(
        refusal(&[], &[alias("y.test.")]),
        PatchError::SeveralAliases { owner: owner_c.clone(), rtype: RrType::CNAME }
    );
    assert_eq!(
        refusal(&[], &[record("c.example.", RrType::A, 60, &ADDRESS)]),
        PatchError::CnameAndOther { owner: owner_c }
    );
    // A CNAME that differs in the case of its target is the same record.
    assert_eq!(
        refusal(&[], &[alias("X.TEST.")]),
        PatchError::RecordPresent { owner: name("c.example."), rtype: RrType::CNAME }
    );
    let ds = [&[1, 2, 13, 2][..], &[7; 32]].concat();
    assert_eq!(
        refusal(&[], &[record("w.example.", RrType::DS, 60, &ds)]),
        PatchError::DsWithoutDelegation { owner: owner.clone() }
    );
    let nsec3 = [&[1, 0, 0, 0, 0, 20][..], &[7; 20]].concat();
    assert_eq!(
        refusal(&[], &[record("w.example.", RrType::NSEC3, 60, &nsec3)]),
        PatchError::NotHashed { owner: owner.clone() }
    );
    let long: Vec<_> =
        (0..2).map(|first| record("w.example.", RrType(300), 60, &vec![first; 40_000])).collect();
    let rtype = RrType(300);
    let large = PatchError::RrsetTooLarge { owner: owner.clone(), rtype };
    assert_eq!(refusal(&[], &long), large);
    let wide: Vec<_> =
        (0..20).map(|at| record("w.example.", RrType(300 + at), 60, &[1; 60_000])).collect();
    assert_eq!(refusal(&[], &wide), PatchError::OwnerTooLarge { owner });
}

/// A master may write a name in another case when it takes a record away (RFC 4343).
#[test]
fn removed_records_match_in_any_case() {
    let old = load(&[("a.example.", RrType::A), ("w.example.", RrType::NS)]).unwrap().version;
    let removed = record("W.Example.", RrType::NS, 60, name("X.TEST.").as_wire());
    let added = record("w.EXAMPLE.", RrType::A, 60, &ADDRESS);
    let new = apply(&old, &Difference { removed, added }).unwrap();
    let mut key = Vec::new();
    assert!(push_owner_key(&new.apex, &name("w.example."), &mut key));
    let owner = new.find(&key).unwrap();
    assert_eq!(owner.given_case(), Some(name("w.EXAMPLE.").as_wire()));
    assert_eq!(owner.rrsets().map(|rrset| rrset.rtype).collect::<Vec<_>>(), [RrType::A]);
}
