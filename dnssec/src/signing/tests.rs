//! Plans: who signs what, what is kept, what the messages are.

use super::apex::{ApexPlan, is_soa_signature_kept, plan_soa, with_apex};
use super::plan::{Messages, SigningRun, plan_chunk};
use super::*;
use crate::policy::Policy;
use crate::zone::tests::{load, name};
use crate::zone::{ZoneVersion, soa_minimum};
use crate::{Serial, Ttl};
use std::sync::Arc;

const NOW: Timestamp = Timestamp(1_800_000_000);

fn key(role: KeyRole, byte: u8) -> ZoneKey {
    ZoneKey {
        id: KeyId::new(&[byte; 16]).unwrap(),
        repository: "token".to_owned(),
        role,
        public_key: PublicKey { algorithm: Algorithm::Ed25519, bytes: vec![byte; 32] },
        is_published: true,
        is_active: true,
    }
}

fn times(now: Timestamp) -> SigningTimes {
    SigningTimes { now, policy: Policy::anchorite_default("token").signatures, seed: 7 }
}

fn apex_plan(keys: &[ZoneKey]) -> ApexPlan {
    ApexPlan {
        soa_ttl: Ttl(3600),
        soa_minimum: 1200,
        serial: Some(Serial(41)),
        keys_ttl: Ttl(900),
        dnskeys: keys.iter().map(ZoneKey::dnskey_rdata).collect(),
        cds: vec![],
        cdnskey: vec![],
        nsec3param: None,
    }
}

/// Signs with signatures that are the first bytes of the message.
fn sign(version: &ZoneVersion, run: &SigningRun<'_>, serial: u32) -> (ZoneVersion, usize, bool) {
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
    let signatures: Vec<_> = soa.messages.iter().cloned().collect();
    chunks[0] = Arc::new(soa.apply(run, &signatures));
    (ZoneVersion { names: chunks.into(), ..version.clone() }, made, is_same)
}

fn zone() -> ZoneVersion {
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
    let run = SigningRun { apex: &version.apex, signers: &signers, times: &times, previous: None };
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
    let run =
        |times, previous| SigningRun { apex: &version.apex, signers: &signers, times, previous };
    let (first, made, _) = sign(&version, &run(&first_times, None), 41);
    assert_eq!(made, 4);

    // One day later nothing is due; after 12 days (14 minus refresh 3, jitter half a day) all is.
    let day = Seconds(86_400);
    let later_times = times(NOW.plus(day));
    let later = run(&later_times, Some(&first));
    let (_, made, is_same) = sign(&version, &later, 42);
    assert_eq!((made, is_same, is_soa_signature_kept(&later)), (0, true, true));
    let late_times = times(NOW.plus(Seconds(12 * day.0)));
    let late = run(&late_times, Some(&first));
    let (_, made, is_same) = sign(&version, &late, 42);
    assert_eq!((made, is_same, is_soa_signature_kept(&late)), (4, true, false));

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
    let run = SigningRun { apex: &old.apex, signers: &signers, times: &times, previous: None };
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
