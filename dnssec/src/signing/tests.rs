//! Plans: who signs what, what is kept, what the messages are.

use super::apex::{ApexPlan, ZoneForm, is_last_kept, plan_soa, plan_zonemd, with_apex};
use super::plan::{Messages, SigningRun, plan_chunk};
use super::reuse::{PublishedKey, Renewal};
use super::*;
use crate::denial::nsec3::{Nsec3Parameters, hash_chunk, link};
use crate::denial::update::{nsec3_replacements, plain_replacements};
use crate::policy::Policy;
use crate::zone::chunk::Chunk;
use crate::zone::diff::difference;
use crate::zone::edit::{apply_edits, edits_between};
use crate::zone::render::owner_records;
use crate::zone::replace::{Replacements, replace_owners};
use crate::zone::tests::{any_owners, load_owners};
use crate::zone::tests::{load, name};
use crate::zone::{ZoneVersion, soa_minimum};
use crate::{Serial, Ttl};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::sync::Arc;

const NOW: Timestamp = Timestamp(1_800_000_000);

fn key(role: KeyRole, byte: u8) -> ZoneKey {
    ZoneKey {
        id: KeyId::new(&[byte; 16]).unwrap(),
        repository: "token".to_owned(),
        role,
        public_key: PublicKey { algorithm: Algorithm::Ed25519, bytes: vec![byte; 32] },
        is_published: true,
        signs: Some(role),
        is_revoked: false,
    }
}

pub(super) fn times(now: Timestamp) -> SigningTimes {
    SigningTimes { now, policy: Policy::anchorite_default("token").signatures, seed: 7 }
}

pub(super) fn apex_plan(keys: &[ZoneKey]) -> ApexPlan {
    ApexPlan {
        form: ZoneForm::Signed,
        soa_ttl: Ttl(3600),
        soa_minimum: 1200,
        serial: Some(Serial(41)),
        keys_ttl: Ttl(900),
        dnskeys: keys.iter().map(ZoneKey::dnskey_rdata).collect(),
        cds: vec![],
        cdnskey: vec![],
        zonemd: None,
        nsec3param: None,
    }
}

/// Signs with signatures that are the first bytes of the message.
pub(super) fn sign(
    version: &ZoneVersion,
    run: &SigningRun<'_>,
    serial: u32,
) -> (ZoneVersion, usize, bool) {
    let fake = |messages: &Messages| -> Vec<Vec<u8>> {
        messages.iter().map(|message| message[..18].to_vec()).collect()
    };
    let mut chunks = Vec::new();
    let (mut made, mut is_same) = (0, true);
    for chunk in version.names.iter() {
        let plan = plan_chunk(run, chunk);
        made += plan.made_count();
        is_same &= plan.is_same_data;
        let signatures: Vec<Vec<Vec<u8>>> = plan.messages.iter().map(fake).collect();
        let iterators =
            signatures.iter().map(|list| list.iter().map(Vec::as_slice)).collect::<Vec<_>>();
        chunks.push(Arc::new(plan.apply(run, chunk, iterators).unwrap()));
    }
    let soa = plan_soa(run, &chunks[0], Serial(serial)).unwrap();
    chunks[0] = Arc::new(soa.apply(run, &soa.messages));
    let signed = ZoneVersion { names: chunks.clone().into(), ..version.clone() };
    if let Some(zonemd) = plan_zonemd(run, &signed, crate::zonemd::zone_digest) {
        chunks[0] = Arc::new(zonemd.apply(run, &zonemd.messages));
    }
    (ZoneVersion { names: chunks.into(), ..version.clone() }, made, is_same)
}

pub(super) fn zone() -> ZoneVersion {
    let records = [
        ("example.", RrType::NS),
        ("*.example.", RrType::A),
        ("sub.example.", RrType::NS),
        ("sub.example.", RrType::DS),
        ("ns.sub.example.", RrType::A),
    ];
    load(&records).unwrap().version
}

#[test]
fn ksk_signs_keys_zsk_the_rest_and_nobody_glue() {
    let keys = [key(KeyRole::Ksk, 1), key(KeyRole::Zsk, 2)];
    let version = with_apex(&zone(), &apex_plan(&keys)).unwrap();
    let soa = version.soa_rdata().unwrap();
    assert_eq!((version.serial(), soa_minimum(soa)), (Some(Serial(41)), Some(1200)));
    let (signers, times) = (Signer::of_keys(&keys), times(NOW));
    let run = SigningRun {
        apex: &version.apex,
        signers: &signers,
        times: &times,
        previous: None,
        published: &[],
        renewal: Renewal::Due,
    };
    let (signed, made, _) = sign(&version, &run, 42);
    // NS, A, DS by the ZSK, DNSKEY by the KSK; the SOA besides.
    assert_eq!((made, signed.signature_count()), (4, 5));
    let apex = signed.apex_owner().unwrap();
    let tag_of = |rtype| apex.rrset(rtype).unwrap().signatures().next().unwrap().key_tag;
    assert_eq!(tag_of(RrType::DNSKEY), keys[0].key_tag());
    assert_eq!(tag_of(RrType::SOA), keys[1].key_tag());
    assert_eq!(signed.serial(), Some(Serial(42)));
    let wildcard = signed.find(b"*\0").unwrap().rrset(RrType::A).unwrap();
    // The labels field of the message leaves out the asterisk (RFC 4034 §3.1.3).
    assert_eq!(wildcard.signatures().next().unwrap().signature[3], 1);
    let cut = signed.find(b"sub\0").unwrap();
    assert_eq!(cut.rrset(RrType::NS).unwrap().signature_count, 0);
    assert_eq!(cut.rrset(RrType::DS).unwrap().signature_count, 1);
}

#[test]
fn signatures_are_kept_until_refresh() {
    let keys = [key(KeyRole::Csk, 1)];
    let signers = Signer::of_keys(&keys);
    let version = with_apex(&zone(), &apex_plan(&keys)).unwrap();
    let first_times = times(NOW);
    let run = |times, previous| SigningRun {
        apex: &version.apex,
        signers: &signers,
        published: &[],
        renewal: Renewal::Due,
        times,
        previous,
    };
    let (first, made, _) = sign(&version, &run(&first_times, None), 41);
    assert_eq!(made, 4);

    // One day later nothing is due; after 12 days (14 minus refresh 3, jitter half a day) all is.
    let day = Seconds(86_400);
    let later_times = times(NOW.plus(day));
    let later = run(&later_times, Some(&first));
    let (_, made, is_same) = sign(&version, &later, 42);
    assert_eq!((made, is_same, is_last_kept(&later)), (0, true, true));
    let late_times = times(NOW.plus(Seconds(12 * day.0)));
    let late = run(&late_times, Some(&first));
    let (_, made, is_same) = sign(&version, &late, 42);
    assert_eq!((made, is_same, is_last_kept(&late)), (4, true, false));

    // Another key keeps nothing; a refresh of zero neither.
    let others = Signer::of_keys(&[key(KeyRole::Csk, 9)]);
    let other = SigningRun { signers: &others, ..later };
    assert_eq!(sign(&version, &other, 42).1, 4);
    let mut always = times(NOW.plus(day));
    always.policy.refresh = Seconds(0);
    assert_eq!(sign(&version, &run(&always, Some(&first)), 42).1, 4);
}

#[test]
fn changed_records_are_signed_anew() {
    let keys = [key(KeyRole::Csk, 1)];
    let (signers, times) = (Signer::of_keys(&keys), times(NOW));
    let old = with_apex(&zone(), &apex_plan(&keys)).unwrap();
    let run = SigningRun {
        apex: &old.apex,
        signers: &signers,
        times: &times,
        previous: None,
        published: &[],
        renewal: Renewal::Due,
    };
    let (signed, ..) = sign(&old, &run, 41);
    let records =
        [("example.", RrType::NS), ("*.example.", RrType::A), ("new.example.", RrType::A)];
    let changed = with_apex(&load(&records).unwrap().version, &apex_plan(&keys)).unwrap();
    let run = SigningRun { previous: Some(&signed), ..run };
    let plan = plan_chunk(&run, &changed.names[0]);
    assert_eq!((plan.made_count(), plan.kept_count, plan.is_same_data), (1, 3, false));
    // A slot that returns too few signatures is noticed.
    let none: Vec<std::vec::IntoIter<&[u8]>> = vec![vec![].into_iter()];
    assert!(plan.apply(&run, &changed.names[0], none).is_err());
}

#[test]
fn jitter_stays_within_its_bounds_and_spreads() {
    let times = times(NOW);
    let policy = &times.policy;
    let (low, high) = (
        NOW.plus(policy.validity_default).minus(policy.jitter),
        NOW.plus(policy.validity_default).plus(policy.jitter),
    );
    let expirations: Vec<Timestamp> =
        (0..1000u32).map(|owner| times.expiration(&owner.to_be_bytes(), RrType::A)).collect();
    assert!(expirations.iter().all(|at| (low..=high).contains(at)));
    let middle = Timestamp(low.0.midpoint(high.0));
    let late = expirations.iter().filter(|at| **at > middle).count();
    assert!((400..600).contains(&late), "{late} of 1000 in the later half");
}

#[test]
fn foreign_dnskeys_are_kept() {
    let mut loader = crate::zone::load::Loader::new(&name("example."), Default::default());
    let foreign = key(KeyRole::Zsk, 77).dnskey_rdata();
    for (rtype, rdata) in
        [(RrType::SOA, crate::zone::tests::soa_rdata()), (RrType::DNSKEY, foreign.clone())]
    {
        loader.add(&name("example."), rtype, Ttl(5), &rdata, Default::default()).unwrap();
    }
    let input = loader.finish().unwrap().version;
    let version = with_apex(&input, &apex_plan(&[key(KeyRole::Csk, 1)])).unwrap();
    let keys = version.apex_owner().unwrap().rrset(RrType::DNSKEY).unwrap();
    assert_eq!((keys.record_count, keys.ttl), (2, Ttl(900)));
    assert!(keys.rdatas().any(|rdata| rdata == foreign));
}

/// Signs every chunk of a list with the fake signatures of [`sign`].
fn sign_list(run: &SigningRun<'_>, list: &[Arc<Chunk>]) -> Vec<Arc<Chunk>> {
    let signed = |chunk: &Arc<Chunk>| {
        let plan = plan_chunk(run, chunk);
        let signatures: Vec<Vec<&[u8]>> = plan
            .messages
            .iter()
            .map(|messages| messages.iter().map(|message| &message[..18]).collect())
            .collect();
        let iterators: Vec<_> = signatures.iter().map(|list| list.iter().copied()).collect();
        Arc::new(plan.apply(run, chunk, iterators).unwrap())
    };
    list.iter().map(signed).collect()
}

/// A version with its NSEC3 chain, signed from nothing.
fn fully_signed(
    version: &ZoneVersion,
    run: &SigningRun<'_>,
    nsec3: &Nsec3Parameters,
) -> ZoneVersion {
    let chunks = &version.names;
    let hashed: Vec<_> =
        (0..chunks.len()).map(|at| hash_chunk(&version.apex, chunks, at, nsec3)).collect();
    let hashes = link(&hashed, nsec3, Ttl(300)).unwrap();
    ZoneVersion {
        apex: version.apex.clone(),
        names: sign_list(run, chunks).into(),
        hashes: sign_list(run, &hashes).into(),
    }
}

fn records(version: &ZoneVersion) -> BTreeSet<Vec<u8>> {
    let owners = version.chunks().flat_map(|chunk| chunk.owners());
    owners.flat_map(|owner| owner_records(&version.apex, &owner)).collect()
}

/// Splits a block of wire records.
fn split(mut block: &[u8]) -> BTreeSet<Vec<u8>> {
    let mut records = BTreeSet::new();
    while !block.is_empty() {
        let (_, owner) = crate::Name::from_wire(block).unwrap();
        let length = u16::from_be_bytes([block[owner + 8], block[owner + 9]]);
        let (record, rest) = block.split_at(owner + 10 + usize::from(length));
        records.insert(record.to_vec());
        block = rest;
    }
    records
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Signing only what a change touches gives the version that signing everything gives, and
    /// the difference between the versions turns the old into the new.
    #[test]
    fn incremental_signing_equals_full_signing(
        before in any_owners(),
        after in any_owners(),
        opt_out in any::<bool>(),
    ) {
        let keys = [key(KeyRole::Ksk, 1), key(KeyRole::Zsk, 2)];
        let (signers, mut times) = (Signer::of_keys(&keys), times(NOW));
        // It is drawn per chunk, and the chunks of the two ways differ.
        times.policy.jitter = Seconds(0);
        let nsec3 = Nsec3Parameters { iterations: 0, salt: vec![], opt_out };
        let apexed = |owners| with_apex(&load_owners(owners).version, &apex_plan(&keys)).unwrap();
        let (old, full) = (apexed(&before), apexed(&after));
        let run = SigningRun {
            apex: &old.apex,
            signers: &signers,
            published: &[],
            renewal: Renewal::Due,
            times: &times,
            previous: None,
        };
        let signed = fully_signed(&old, &run, &nsec3);
        let expect = fully_signed(&full, &run, &nsec3);

        let edits = edits_between(&old, &full);
        let (new, touched) = apply_edits(&old, &edits);
        let names = plain_replacements(&new, &touched);
        let hashes =
            nsec3_replacements(&old, &signed.hashes, &new, &touched, &nsec3, Ttl(300)).unwrap();
        let run = SigningRun { previous: Some(&signed), ..run };
        let sign = |replacements: Replacements| -> Replacements {
            let signed = |owner: Arc<Chunk>| sign_list(&run, &[owner]).remove(0);
            replacements.into_iter().map(|(key, owner)| (key, owner.map(signed))).collect()
        };
        let updated = ZoneVersion {
            apex: old.apex.clone(),
            names: replace_owners(&signed.names, &sign(names)),
            hashes: replace_owners(&signed.hashes, &sign(hashes)),
        };
        prop_assert_eq!(records(&updated), records(&expect));

        let difference = difference(&signed, &updated);
        let (removed, added) = (split(&difference.removed), split(&difference.added));
        let mut replayed = records(&signed);
        prop_assert!(removed.is_subset(&replayed) && added.is_disjoint(&replayed));
        replayed = replayed.difference(&removed).cloned().collect();
        replayed.extend(added);
        prop_assert_eq!(replayed, records(&updated));
    }
}

#[test]
fn zonemd_is_made_when_all_else_is_signed_rfc8976_3_1() {
    let keys = [key(KeyRole::Ksk, 1), key(KeyRole::Zsk, 2)];
    let plan = ApexPlan { zonemd: Some(Ttl(3600)), ..apex_plan(&keys) };
    let version = with_apex(&zone(), &plan).unwrap();
    let (signers, times) = (Signer::of_keys(&keys), times(NOW));
    let run = SigningRun {
        apex: &version.apex,
        signers: &signers,
        times: &times,
        previous: None,
        published: &[],
        renewal: Renewal::Due,
    };
    let (signed, ..) = sign(&version, &run, 42);
    let zonemd = |version: &ZoneVersion| {
        let apex = version.apex_owner().unwrap();
        let rrset = apex.rrset(RrType::ZONEMD).unwrap();
        (rrset.signature_count, rrset.rdatas().next().unwrap().to_vec())
    };
    let digest = crate::zonemd::zone_digest(&signed);
    assert_eq!(zonemd(&signed), (1, crate::zonemd::zonemd_rdata(Serial(42), &digest)));
    // The next run finds its data unchanged, and everything that it would sign kept.
    let plan = ApexPlan { serial: Some(Serial(42)), ..plan };
    let version = with_apex(&zone(), &plan).unwrap();
    let published = PublishedKey::of_keys(&keys);
    let again = SigningRun { previous: Some(&signed), published: &published, ..run };
    let (later, made, is_same) = sign(&version, &again, 43);
    assert_eq!((made, is_same, is_last_kept(&again)), (0, true, true));
    let digest = crate::zonemd::zone_digest(&later);
    assert_eq!(zonemd(&later), (1, crate::zonemd::zonemd_rdata(Serial(43), &digest)));
}
