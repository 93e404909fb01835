//! Chains against naive references, and the published example of RFC 5155.

use super::nsec3::{Nsec3Parameters, hash, hash_chunk, link};
use super::{nsec::with_nsec, *};
use crate::Name;
use crate::zone::chunk::OwnerKind;
use crate::zone::key::key_to_name;
use crate::zone::tests::{Owners, any_owners, is_occluded, load, load_owners, name};
use crate::zone::{ChunkList, ZoneVersion};
use data_encoding::BASE32_DNSSEC;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

fn parameters(opt_out: bool) -> Nsec3Parameters {
    Nsec3Parameters { iterations: 0, salt: vec![], opt_out }
}

fn nsec_chunks(version: &ZoneVersion) -> ChunkList {
    let chunks = &version.names;
    (0..chunks.len())
        .map(|index| Arc::new(with_nsec(&version.apex, chunks, index, Ttl(300))))
        .collect()
}

fn nsec3_chunks(version: &ZoneVersion, parameters: &Nsec3Parameters) -> ChunkList {
    let chunks = &version.names;
    let parts: Vec<_> = (0..chunks.len())
        .map(|index| hash_chunk(&version.apex, chunks, index, parameters))
        .collect();
    link(&parts, parameters, Ttl(300)).unwrap()
}

/// Hashes of RFC 5155 appendix A: salt aabbccdd, 12 iterations.
#[test]
fn hashes_of_rfc5155_appendix_a() {
    let parameters =
        Nsec3Parameters { iterations: 12, salt: vec![0xAA, 0xBB, 0xCC, 0xDD], opt_out: false };
    for (owner, expect) in [
        ("example.", "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom"),
        ("a.example.", "35mthgpgcu1qg68fab165klnsnk3dpvl"),
        ("*.w.example.", "r53bq7cc2uvmubfu5ocmm6pers9tk9en"),
    ] {
        let hash = hash(name(owner).as_wire(), &parameters);
        assert_eq!(BASE32_DNSSEC.encode(&hash), expect);
    }
}

#[test]
fn bitmap_windows_rfc4034_4_1_2() {
    let loaded = load(&[("example.", RrType::A), ("example.", RrType(1234))]).unwrap();
    let mut out = Vec::new();
    push_bitmap(&loaded.version.apex_owner().unwrap(), Chain::Nsec, &mut out);
    // A SOA RRSIG NSEC in window 0, 1234 = 4 * 256 + 210 in window 4.
    let mut expect = vec![0, 6, 0x42, 0, 0, 0, 0, 0x03, 4, 27];
    expect.extend([0; 26]);
    expect.push(0x20);
    assert_eq!(out, expect);
}

/// Types shown at a name, read back out of a bitmap.
fn read_bitmap(mut bitmap: &[u8]) -> BTreeSet<RrType> {
    let mut types = BTreeSet::new();
    while let [window, length, rest @ ..] = bitmap {
        for (at, octet) in rest[..usize::from(*length)].iter().enumerate() {
            for bit in (0..8).filter(|bit| octet & (0x80 >> bit) != 0) {
                types.insert(RrType(u16::from(*window) << 8 | (at * 8 + bit) as u16));
            }
        }
        bitmap = &rest[usize::from(*length)..];
    }
    types
}

/// Every name of the chain with the types its bitmap must show, empty for empty non-terminals.
fn naive_chain(owners: &Owners, chain: Chain, opt_out: bool) -> BTreeMap<Name, BTreeSet<RrType>> {
    let apex = name("example.");
    let mut owners = owners.clone();
    owners.entry(apex.clone()).or_default().insert(RrType::SOA);
    let mut names = BTreeMap::new();
    for (owner, types) in owners.iter().filter(|(owner, _)| !is_occluded(&owners, owner)) {
        let is_cut = *owner != apex && types.contains(&RrType::NS);
        if is_cut && opt_out && !types.contains(&RrType::DS) {
            continue;
        }
        let mut shown: BTreeSet<RrType> = types
            .iter()
            .copied()
            .filter(|rtype| !is_cut || matches!(*rtype, RrType::NS | RrType::DS))
            .collect();
        if chain == Chain::Nsec {
            shown.extend([RrType::NSEC, RrType::RRSIG]);
        } else if !is_cut || types.contains(&RrType::DS) {
            shown.insert(RrType::RRSIG);
        }
        let mut at = owner.clone();
        names.insert(owner.clone(), shown);
        while chain == Chain::Nsec3 && at != apex {
            names.entry(at.clone()).or_default();
            at = at.parent().unwrap();
        }
    }
    names
}

proptest! {
    #[test]
    fn nsec_chain_equals_the_naive_one(owners in any_owners()) {
        let version = load_owners(&owners).version;
        let expect = naive_chain(&owners, Chain::Nsec, false);
        let mut got = BTreeMap::new();
        let mut next_names = Vec::new();
        for chunk in nsec_chunks(&version).iter() {
            for owner in chunk.owners() {
                let Some(nsec) = owner.rrset(RrType::NSEC) else { continue };
                let rdata = nsec.rdatas().next().unwrap();
                let (next, length) = Name::from_wire(rdata).unwrap();
                next_names.push(next);
                let owner = key_to_name(&version.apex, owner.key()).unwrap();
                got.insert(owner, read_bitmap(&rdata[length..]));
            }
        }
        let mut rotated: Vec<Name> = expect.keys().cloned().collect();
        rotated.rotate_left(1);
        prop_assert_eq!(next_names, rotated);
        prop_assert_eq!(got, expect);
    }

    #[test]
    fn nsec3_chain_equals_the_naive_one(owners in any_owners(), opt_out in any::<bool>()) {
        let version = load_owners(&owners).version;
        let parameters = parameters(opt_out);
        let mut expect: Vec<_> = naive_chain(&owners, Chain::Nsec3, opt_out)
            .into_iter()
            .map(|(owner, types)| (hash(owner.to_lowercase().as_wire(), &parameters), types))
            .collect();
        expect.sort();
        let mut got = Vec::new();
        let mut next_hashes = Vec::new();
        for chunk in nsec3_chunks(&version, &parameters).iter() {
            for owner in chunk.owners() {
                let rdata = owner.rrset(RrType::NSEC3).unwrap().rdatas().next().unwrap();
                prop_assert_eq!(&rdata[..6], &[1, u8::from(opt_out), 0, 0, 0, 20][..]);
                let label = &owner.key()[..32];
                let hash: [u8; 20] = BASE32_DNSSEC.decode(label).unwrap().try_into().unwrap();
                next_hashes.push(rdata[6..26].to_vec());
                got.push((hash, read_bitmap(&rdata[26..])));
            }
        }
        let mut rotated: Vec<Vec<u8>> = expect.iter().map(|(hash, _)| hash.to_vec()).collect();
        rotated.rotate_left(1);
        prop_assert_eq!(next_hashes, rotated);
        prop_assert_eq!(got, expect);
    }
}

/// Everything in a list, as wire records.
fn rendered(apex: &Name, list: &ChunkList) -> Vec<u8> {
    let mut out = Vec::new();
    list.iter().for_each(|chunk| crate::zone::render::wire(apex, chunk, &mut out));
    out
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// The version after edits, and both chains, equal those made from nothing.
    #[test]
    fn updates_equal_full_chains(
        before in any_owners(),
        after in any_owners(),
        kept in proptest::collection::vec(any::<bool>(), 40),
        opt_out in any::<bool>(),
    ) {
        // The second zone has some owners of the first, some of its own.
        let mut mixed = before.clone();
        for (index, (owner, types)) in after.iter().enumerate() {
            if kept[index] { mixed.insert(owner.clone(), types.clone()); }
        }
        for (index, owner) in before.keys().enumerate() {
            if kept[20 + index] { mixed.remove(owner); }
        }
        let snapshot = mixed.clone();
        mixed.retain(|owner, types| !types.contains(&RrType::DS) || !is_occluded(&snapshot, owner));
        let (old, full) = (load_owners(&before).version, load_owners(&mixed).version);

        let edits = crate::zone::edit::edits_between(&old, &full);
        let (new, touched) = crate::zone::edit::apply_edits(&old, &edits);
        prop_assert_eq!(rendered(&new.apex, &new.names), rendered(&full.apex, &full.names));
        let owners = |list: &ChunkList| -> Vec<OwnerKind> {
            list.iter().flat_map(|chunk| chunk.owners()).map(|owner| owner.kind()).collect()
        };
        prop_assert_eq!(owners(&new.names), owners(&full.names));

        let parameters = parameters(opt_out);
        let old_nsec = nsec_chunks(&old);
        let replacements = update::nsec_replacements(&new, &touched, Ttl(300));
        let updated = crate::zone::replace::replace_owners(&old_nsec, &replacements);
        prop_assert_eq!(rendered(&new.apex, &updated), rendered(&new.apex, &nsec_chunks(&full)));

        let old_chain = nsec3_chunks(&old, &parameters);
        let replacements =
            update::nsec3_replacements(&old, &old_chain, &new, &touched, &parameters, Ttl(300));
        let updated = crate::zone::replace::replace_owners(&old_chain, &replacements.unwrap());
        let expect = nsec3_chunks(&full, &parameters);
        prop_assert_eq!(rendered(&new.apex, &updated), rendered(&new.apex, &expect));
        let plain = update::plain_replacements(&new, &touched);
        let names = crate::zone::replace::replace_owners(&old.names, &plain);
        prop_assert_eq!(rendered(&new.apex, &names), rendered(&full.apex, &full.names));
    }
}

/// An empty non-terminal above a great many insecure delegations is not worth the walk to the one
/// secure delegation that may be among them: it stays in the chain, until nothing is below it.
#[test]
fn an_empty_non_terminal_above_many_insecure_delegations_stays() {
    let parameters = parameters(true);
    let cuts: Vec<String> = (0..60).map(|at| format!("n{at}.co.example.")).collect();
    let insecure: Vec<_> = cuts.iter().map(|owner| (owner.as_str(), RrType::NS)).collect();
    let mut secure = insecure.clone();
    secure.push(("n59.co.example.", RrType::DS));
    let version = |records: &[(&str, RrType)]| load(records).unwrap().version;
    let step = |old: &ZoneVersion, chain: &ChunkList, new: &ZoneVersion| -> ChunkList {
        let edits = crate::zone::edit::edits_between(old, new);
        let (new, touched) = crate::zone::edit::apply_edits(old, &edits);
        let replacements =
            update::nsec3_replacements(old, chain, &new, &touched, &parameters, Ttl(300));
        crate::zone::replace::replace_owners(chain, &replacements.unwrap())
    };
    let count = |chain: &ChunkList| -> usize { chain.iter().map(|it| it.owner_count()).sum() };
    let (insecure, secure, empty) = (version(&insecure), version(&secure), version(&[]));
    let fresh = nsec3_chunks(&insecure, &parameters);
    assert_eq!(count(&fresh), 1, "the apex");
    let chain = step(&insecure, &fresh, &secure);
    assert_eq!(count(&chain), 3, "a secure delegation and the name above it");
    let apex = &insecure.apex;
    assert_eq!(rendered(apex, &chain), rendered(apex, &nsec3_chunks(&secure, &parameters)));
    let chain = step(&secure, &chain, &insecure);
    assert_eq!(count(&chain), 2, "the empty non-terminal stays");
    let again = step(&insecure, &chain, &secure);
    assert_eq!(rendered(apex, &again), rendered(apex, &nsec3_chunks(&secure, &parameters)));
    let chain = step(&insecure, &chain, &empty);
    assert_eq!(rendered(apex, &chain), rendered(apex, &nsec3_chunks(&empty, &parameters)));
}
