//! How far changes of keys reach, and whose signatures are strangers'.

use super::*;
use crate::Timestamp;
use crate::key::{KeyId, PublicKey};
use crate::signing::apex::with_apex;
use crate::signing::plan::SigningRun;
use crate::signing::reuse::Renewal;
use crate::signing::tests::{apex_plan, sign, times, zone};

fn key(role: KeyRole, byte: u8, algorithm: Algorithm) -> ZoneKey {
    ZoneKey {
        id: KeyId::new(&[byte; 16]).unwrap(),
        repository: "token".to_owned(),
        role,
        public_key: PublicKey { algorithm, bytes: vec![byte; 32] },
        is_published: true,
        signs: Some(role),
        is_revoked: false,
    }
}

fn ed(role: KeyRole, byte: u8) -> ZoneKey {
    key(role, byte, Algorithm::Ed25519)
}

fn idle(key: ZoneKey) -> ZoneKey {
    ZoneKey { signs: None, ..key }
}

#[track_caller]
fn check(before: &[ZoneKey], after: &[ZoneKey], expected: Reach) {
    assert_eq!(reach(before, after), expected);
    assert_eq!(reach(after, before), expected);
}

#[test]
fn what_only_concerns_the_dnskey_rrset_stays_at_the_apex() {
    use KeyRole::{Csk, Ksk, Zsk};
    let (ksk, zsk) = (ed(Ksk, 1), ed(Zsk, 2));
    let base = [ksk.clone(), zsk.clone()];
    let with = |more: ZoneKey| [ksk.clone(), zsk.clone(), more];
    check(&base, &with(idle(ed(Zsk, 3))), Reach::Apex);
    check(&base, &with(ed(Ksk, 4)), Reach::Apex);
    let revoked = ZoneKey { is_revoked: true, ..ed(Ksk, 4) };
    check(&with(ed(Ksk, 4)), &with(revoked), Reach::Apex);
    // RFC 6781 section 4.1.1.1: the new ZSK takes over, the old one stays published.
    check(&base, &[ksk.clone(), idle(zsk.clone()), ed(Zsk, 3)], Reach::Apex);
    check(&base, &[ed(Csk, 5)], Reach::Apex);
}

#[test]
fn what_changes_who_signs_everything_reaches_the_zone() {
    use KeyRole::{Ksk, Zsk};
    let (ksk, zsk) = (ed(Ksk, 1), ed(Zsk, 2));
    let base = [ksk.clone(), zsk.clone()];
    check(&base, &[ksk.clone(), zsk.clone(), ed(Zsk, 3)], Reach::Zone);
    let other = key(Zsk, 3, Algorithm::EcdsaP256Sha256);
    check(&base, &[ksk.clone(), zsk, other.clone()], Reach::Zone);
    check(&base, &[ksk.clone(), other], Reach::Zone);
    check(&base, &[ksk], Reach::Zone);
}

#[test]
fn a_signature_by_a_key_that_is_gone_is_a_strangers() {
    let keys = [ed(KeyRole::Ksk, 1), ed(KeyRole::Zsk, 2)];
    let (now, signers) = (times(Timestamp(1_800_000_000)), Signer::of_keys(&keys));
    let published = PublishedKey::of_keys(&keys);
    let zone = with_apex(&zone(), &apex_plan(&keys)).unwrap();
    let run = SigningRun {
        apex: &zone.apex,
        signers: &signers,
        published: &published,
        renewal: Renewal::Due,
        times: &now,
        previous: None,
    };
    let (signed, ..) = sign(&zone, &run, 42);
    let strangers = |keys: &[ZoneKey]| {
        let (signers, published) = (Signer::of_keys(keys), PublishedKey::of_keys(keys));
        signed.names.iter().filter(|chunk| has_strangers(chunk, &signers, &published)).count()
    };
    let [ksk, zsk] = keys;
    let all = signed.names.iter().filter(|chunk| chunk.signature_count() > 0).count();
    assert_eq!(strangers(&[ksk.clone(), zsk.clone()]), 0);
    let next = ed(KeyRole::Zsk, 3);
    assert_eq!(strangers(&[ksk.clone(), idle(zsk.clone()), next.clone()]), 0);
    assert_eq!(strangers(&[ksk.clone(), next.clone()]), all);
    let hidden = ZoneKey { is_published: false, ..zsk.clone() };
    assert_eq!(strangers(&[ksk, hidden, next]), 0);
    // Nobody is left who signed the keys: only the apex's chunk shows it.
    assert_eq!(strangers(&[ed(KeyRole::Ksk, 4), zsk]), 1);
}
