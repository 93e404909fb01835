//! Rolls: what is kept of whose signatures.

use super::*;
use crate::denial::is_signed;
use crate::key::{KeyId, PublicKey};
use crate::signing::apex::{is_last_kept, with_apex};
use crate::signing::plan::plan_chunk;
use crate::signing::tests::{apex_plan, sign, times, zone};
use crate::zone::ZoneVersion;
use crate::zone::build::ChunkBuilder;
use crate::{Seconds, Serial};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::sync::Arc;

const NOW: Timestamp = Timestamp(1_800_000_000);
const DAY: Seconds = Seconds(86_400);

/// Whether a key of a test is published, and whether it signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    Active,
    /// Signs, but is not published yet (double RRSIG).
    ActiveOnly,
    Published,
    Gone,
}

fn key(role: KeyRole, algorithm: Algorithm, byte: u8, usage: Use) -> ZoneKey {
    ZoneKey {
        id: KeyId::new(&[byte; 16]).unwrap(),
        repository: "token".to_owned(),
        role,
        public_key: PublicKey { algorithm, bytes: vec![byte; 32] },
        is_published: matches!(usage, Use::Active | Use::Published),
        signs: matches!(usage, Use::Active | Use::ActiveOnly).then_some(role),
        is_revoked: false,
    }
}

fn zsk(byte: u8, usage: Use) -> ZoneKey {
    key(KeyRole::Zsk, Algorithm::Ed25519, byte, usage)
}

fn ksk() -> ZoneKey {
    key(KeyRole::Ksk, Algorithm::Ed25519, 1, Use::Active)
}

/// What a run works with, and the version it signs.
struct Scene {
    keys: Vec<ZoneKey>,
    times: SigningTimes,
    renewal: Renewal,
}

impl Scene {
    fn new(keys: &[ZoneKey], now: Timestamp) -> Scene {
        Scene { keys: keys.to_vec(), times: times(now), renewal: Renewal::Due }
    }

    fn with_run<T>(
        &self,
        previous: Option<&ZoneVersion>,
        then: impl FnOnce(&ZoneVersion, &SigningRun<'_>) -> T,
    ) -> T {
        // The DNSKEY RRset stays as it is, so that it is a matter of signatures only.
        let version = with_apex(&zone(), &apex_plan(&[ksk()])).unwrap();
        let signers = Signer::of_keys(&self.keys);
        let published = PublishedKey::of_keys(&self.keys);
        let run = SigningRun {
            apex: &version.apex,
            signers: &signers,
            published: &published,
            renewal: self.renewal,
            times: &self.times,
            previous,
        };
        then(&version, &run)
    }

    /// The signed version, and how many signatures but the SOA's were made for it.
    fn sign(&self, previous: Option<&ZoneVersion>) -> (ZoneVersion, usize) {
        self.with_run(previous, |version, run| {
            let (signed, made, _) = sign(version, run, 42);
            (signed, made)
        })
    }

    fn is_soa_kept(&self, previous: &ZoneVersion) -> bool {
        self.with_run(Some(previous), |_, run| is_last_kept(run))
    }
}

/// Tags of the keys that sign this RRset.
fn tags(version: &ZoneVersion, key: &[u8], rtype: RrType) -> Vec<KeyTag> {
    let rrset = version.find(key).unwrap().rrset(rtype).unwrap();
    rrset.signatures().map(|signature| signature.key_tag).collect()
}

#[test]
fn pre_published_zsk_replaces_signatures_as_they_come_due_rfc7583_3_2_1() {
    let (old, _) =
        Scene::new(&[ksk(), zsk(2, Use::Active), zsk(3, Use::Published)], NOW).sign(None);
    let (retired, new) = (zsk(2, Use::Published), zsk(3, Use::Active));
    let keys = [ksk(), retired.clone(), new.clone()];

    // The roll makes nothing but the SOA's signature (SUPPORT-229).
    let rolled = Scene::new(&keys, NOW.plus(DAY));
    assert!(!rolled.is_soa_kept(&old));
    let (signed, made) = rolled.sign(Some(&old));
    assert_eq!(made, 0);
    assert_eq!(tags(&signed, b"", RrType::SOA), [new.key_tag()]);
    assert_eq!(tags(&signed, b"", RrType::NS), [retired.key_tag()]);
    assert_eq!(tags(&signed, b"*\0", RrType::A), [retired.key_tag()]);
    assert!(rolled.is_soa_kept(&signed));

    // Twelve days later all of them are due.
    let (late, made) = Scene::new(&keys, NOW.plus(Seconds(12 * DAY.0))).sign(Some(&signed));
    assert_eq!(made, 4);
    assert_eq!(tags(&late, b"*\0", RrType::A), [new.key_tag()]);
}

#[test]
fn signatures_of_a_withdrawn_key_go_at_once_support_229() {
    let (old, _) = Scene::new(&[ksk(), zsk(2, Use::Active)], NOW).sign(None);
    let new = zsk(3, Use::Active);
    for retired in [vec![], vec![zsk(2, Use::Gone)]] {
        let keys = [vec![ksk(), new.clone()], retired].concat();
        let (signed, made) = Scene::new(&keys, NOW.plus(DAY)).sign(Some(&old));
        assert_eq!(made, 3);
        assert_eq!(tags(&signed, b"*\0", RrType::A), [new.key_tag()]);
    }
}

#[test]
fn double_signature_roll_signs_with_both_at_once_rfc7583_3_2_2() {
    let retired = zsk(2, Use::Published);
    let (old, _) = Scene::new(&[ksk(), zsk(2, Use::Active)], NOW).sign(None);
    let keys = [ksk(), zsk(2, Use::Active), zsk(3, Use::Active)];
    let (both, made) = Scene::new(&keys, NOW.plus(DAY)).sign(Some(&old));
    assert_eq!(made, 3);
    let pair = [keys[1].key_tag(), keys[2].key_tag()];
    assert_eq!(tags(&both, b"*\0", RrType::A), pair);
    assert_eq!(tags(&both, b"", RrType::SOA), pair);

    // When the first retires, its signatures are not needed, and the SOA has one too many.
    let after = Scene::new(&[ksk(), retired, keys[2].clone()], NOW.plus(DAY));
    assert!(!after.is_soa_kept(&both));
    let (signed, made) = after.sign(Some(&both));
    assert_eq!((made, signed.signature_count()), (0, 5));
    assert_eq!(tags(&signed, b"*\0", RrType::A), [keys[2].key_tag()]);
    // Neither of two active keys is stood in for by a third.
    let next = [ksk(), zsk(3, Use::Published), zsk(4, Use::Active), zsk(5, Use::Active)];
    let (_, made) = Scene::new(&next, NOW.plus(DAY)).sign(Some(&signed));
    assert_eq!(made, 6);
}

/// The roll's wait for the old key's last signature counts from when the new key began to sign
/// (catalogue 4.2): where the new key has signed, the old one's later signature is no stand-in.
#[test]
fn after_a_double_signature_roll_nothing_of_the_old_key_outlives_what_the_new_one_made() {
    let days = |count: u64| NOW.plus(crate::Seconds(count * DAY.0));
    let (old, new) = (zsk(2, Use::Active), zsk(3, Use::Active));
    let (first, _) = Scene::new(&[ksk(), new.clone()], NOW).sign(None);
    let (both, _) = Scene::new(&[ksk(), old, new.clone()], days(5)).sign(Some(&first));
    let keys = [ksk(), zsk(2, Use::Published), new.clone()];
    let (signed, _) = Scene::new(&keys, days(12)).sign(Some(&both));
    assert_eq!(tags(&signed, b"*\0", RrType::A), [new.key_tag()]);
    assert_eq!(tags(&signed, b"", RrType::NS), [new.key_tag()]);
}

#[test]
fn only_a_key_of_the_same_algorithm_and_a_fit_role_stands_in() {
    // A CSK's signatures stand in for a ZSK's (SUPPORT-250), but not for the KSK's.
    let csk = |usage| key(KeyRole::Csk, Algorithm::Ed25519, 6, usage);
    let (old, made) = Scene::new(&[csk(Use::Active)], NOW).sign(None);
    assert_eq!(made, 4);
    let keys = [csk(Use::Published), ksk(), zsk(2, Use::Active)];
    let (signed, made) = Scene::new(&keys, NOW.plus(DAY)).sign(Some(&old));
    assert_eq!(made, 1);
    assert_eq!(tags(&signed, b"", RrType::DNSKEY), [ksk().key_tag()]);
    assert_eq!(tags(&signed, b"", RrType::NS), [csk(Use::Gone).key_tag()]);

    // Another algorithm signs beside it (RFC 6840 §5.11).
    let other = key(KeyRole::Zsk, Algorithm::EcdsaP256Sha256, 7, Use::Active);
    let (_, made) = Scene::new(&[ksk(), zsk(6, Use::Published), other], NOW).sign(Some(&old));
    assert_eq!(made, 4);
    // What is known by its tag only, as a KSK, never signed zone data.
    let masked = key(KeyRole::Ksk, Algorithm::Ed25519, 6, Use::Published);
    let (_, made) = Scene::new(&[ksk(), masked, zsk(2, Use::Active)], NOW).sign(Some(&old));
    assert_eq!(made, 4);
}

#[test]
fn ahead_of_time_everything_is_made_anew_but_what_is_young() {
    let keys = [ksk(), zsk(2, Use::Active)];
    let (old, _) = Scene::new(&keys, NOW).sign(None);
    let resign = times(NOW).policy.resign;
    let ahead = |now| Scene { renewal: Renewal::Ahead, ..Scene::new(&keys, now) };
    assert_eq!(ahead(NOW).sign(Some(&old)).1, 0);
    assert_eq!(ahead(NOW.plus(Seconds(resign.0 - 1))).sign(Some(&old)).1, 0);
    assert_eq!(ahead(NOW.plus(resign)).sign(Some(&old)).1, 4);
}

#[test]
fn signatures_of_one_chunk_come_due_together() {
    let (signed, _) = Scene::new(&[ksk(), zsk(2, Use::Active)], NOW).sign(None);
    let mut distinct = BTreeSet::new();
    for chunk in signed.names.iter() {
        let rrsets = chunk.owners().flat_map(|owner| owner.rrsets());
        let expirations: BTreeSet<u32> =
            rrsets.flat_map(|rrset| rrset.signatures()).map(|it| it.expiration).collect();
        assert!(expirations.len() <= 1, "{expirations:?}");
        distinct.extend(expirations);
    }
    assert!(signed.names.len() == 1 || distinct.len() > 1);
}

fn any_key() -> impl Strategy<Value = ZoneKey> {
    let roles = [KeyRole::Ksk, KeyRole::Zsk, KeyRole::Csk];
    let algorithms = [Algorithm::Ed25519, Algorithm::EcdsaP256Sha256];
    let uses = [Use::Active, Use::ActiveOnly, Use::Published, Use::Gone];
    let select = proptest::sample::select::<Use>;
    (proptest::sample::select(roles.to_vec()), proptest::sample::select(algorithms.to_vec()))
        .prop_flat_map(move |(role, algorithm)| {
            // Few keys, so that previous signatures are often by one of the list.
            (Just(role), Just(algorithm), 1..=4_u8, select(uses.to_vec()))
        })
        .prop_map(|(role, algorithm, byte, usage)| key(role, algorithm, byte, usage))
}

/// Key lists as an enforcer makes them: no key twice.
fn any_keys() -> impl Strategy<Value = Vec<ZoneKey>> {
    proptest::collection::vec(any_key(), 0..6).prop_map(|mut keys| {
        let mut seen = BTreeSet::new();
        keys.retain(|key| seen.insert((key.public_key.algorithm.number(), key.key_tag())));
        keys
    })
}

/// A signature of the last version: key, inception and expiration as seconds from now.
type Given = (ZoneKey, i64, i64);

fn any_given() -> impl Strategy<Value = Vec<Given>> {
    let signature = (any_key(), -20 * 86_400..7200_i64, -86_400..16 * 86_400_i64);
    proptest::collection::vec(signature, 0..5)
}

/// The version with these signatures at each RRset, one after the other of the lists.
fn with_signatures(version: &ZoneVersion, lists: &[Vec<Given>]) -> ZoneVersion {
    let mut lists = lists.iter().cycle();
    let wire = |offset: i64| Timestamp(NOW.0.saturating_add_signed(offset)).to_wire();
    let mut chunks = Vec::new();
    for chunk in version.names.iter() {
        let mut builder = ChunkBuilder::default();
        for owner in chunk.owners() {
            builder.begin_owner_like(&owner);
            for rrset in owner.rrsets() {
                builder.begin_rrset_like(&rrset);
                for (key, inception, expiration) in lists.next().into_iter().flatten() {
                    builder.push_signature(&SignatureView {
                        algorithm: key.public_key.algorithm.number(),
                        key_tag: key.key_tag(),
                        expiration: wire(*expiration),
                        inception: wire(*inception),
                        signature: b"given",
                    });
                }
                builder.end_rrset();
            }
            builder.end_owner();
        }
        chunks.push(Arc::new(builder.finish()));
    }
    ZoneVersion { names: chunks.into(), ..version.clone() }
}

/// Holds the signatures of one RRset against the rules.
fn check_rrset(scene: &Scene, owner: &OwnerView<'_>, rrset: &RrsetView<'_>) {
    let is_fit = |key: &&ZoneKey| signs(key.role, owner, rrset.rtype);
    let active: Vec<&ZoneKey> =
        scene.keys.iter().filter(is_fit).filter(|key| key.signs.is_some()).collect();
    let by = |key: &ZoneKey, signature: &SignatureView<'_>| {
        signature.is_by(key.public_key.algorithm, key.key_tag())
    };
    let is_signed = is_signed(owner.kind(), rrset.rtype);
    let signatures: Vec<SignatureView<'_>> = rrset.signatures().collect();
    // Minimal: as many as there are active keys.
    assert_eq!(signatures.len(), if is_signed { active.len() } else { 0 });
    for signature in &signatures {
        assert!(scene.times.is_kept(signature.inception, signature.expiration));
        let is_active = active.iter().any(|key| by(key, signature));
        let published = scene.keys.iter().filter(is_fit).filter(|key| key.is_published);
        let mut published = published.filter(|key| by(key, signature));
        let is_always_own = owner.key().is_empty()
            && [RrType::SOA, RrType::DNSKEY, RrType::CDS, RrType::CDNSKEY].contains(&rrset.rtype);
        assert!(is_active || (!is_always_own && published.next().is_some()));
        let young = scene.times.is_young(signature.inception);
        assert!(scene.renewal == Renewal::Due || young);
    }
    for key in active.iter().filter(|_| is_signed) {
        let algorithm = key.public_key.algorithm;
        let peers = active.iter().filter(|peer| peer.public_key.algorithm == algorithm);
        let is_alone = peers.clone().count() == 1;
        let is_own = signatures.iter().any(|signature| by(key, signature));
        assert!(is_own || is_alone, "one of two active keys did not sign");
        // Where the list lets the algorithm be validated at all, it can be.
        if peers.clone().any(|peer| peer.is_published) {
            let published = scene.keys.iter().filter(|key| key.is_published);
            let mut of_algorithm = published.filter(|it| it.public_key.algorithm == algorithm);
            assert!(of_algorithm.any(|key| signatures.iter().any(|it| by(key, it))));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    /// Whatever the last version had: each RRset has a signature that is not due, by a published
    /// key, for every algorithm of the active keys that sign it, and none that must not be kept.
    #[test]
    fn every_version_validates(
        keys in any_keys(),
        lists in proptest::collection::vec(any_given(), 1..7),
        renewal in proptest::sample::select(vec![Renewal::Due, Renewal::Ahead]),
    ) {
        let scene = Scene { renewal, ..Scene::new(&keys, NOW) };
        scene.with_run(None, |version, run| {
            let given = with_signatures(version, &lists);
            let run = SigningRun { previous: Some(&given), ..*run };
            let (signed, made, _) = sign(version, &run, 42);
            assert_eq!(signed.serial(), Some(Serial(42)));
            let kept: usize =
                version.names.iter().map(|chunk| plan_chunk(&run, chunk).kept_count).sum();
            let soa = signed.apex_owner().unwrap().rrset(RrType::SOA).unwrap();
            assert_eq!(made + kept + usize::from(soa.signature_count), signed.signature_count());
            for chunk in signed.names.iter() {
                for owner in chunk.owners() {
                    owner.rrsets().for_each(|rrset| check_rrset(&scene, &owner, &rrset));
                }
            }
            // The same run again has nothing to do.
            let again = SigningRun { previous: Some(&signed), ..run };
            let (_, made, _) = sign(version, &again, 43);
            assert_eq!((made, is_last_kept(&again)), (0, true));
        });
    }
}
