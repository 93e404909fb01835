//! The model against rolls written by hand: with the waits of RFC 7583 §3 they pass, with a wait
//! cut by a second the view that fails is named. If these fail, the model is wrong.

use super::data::Class;
use super::world::{Fault, ShownKey, World};
use dnssec::Algorithm;
use dnssec::Seconds;
use dnssec::key::{KeyId, KeyRole};
use dnssec::policy::Policy;

const KEYS_TTL: u64 = 3600;
const DELAY: u64 = 600;
const DATA_TTL: u64 = 86_400;
const DS_TTL: u64 = 7200;
const PARENT_DELAY: u64 = 1000;
const VALIDITY: u64 = 14 * 86_400;
const JITTER: u64 = 43_200;
const RESIGN: u64 = 7200;
const REFRESH: u64 = 3 * 86_400;
/// Until the last old signature is replaced (RFC 7583 §3.2.1, Dsgn).
const REPLACED: u64 = JITTER + VALIDITY + RESIGN - REFRESH;

fn policy() -> Policy {
    let mut policy = Policy::anchorite_default("token");
    policy.keys.ttl = Seconds(KEYS_TTL);
    policy.keys.publish_safety = Seconds(0);
    policy.keys.retire_safety = Seconds(0);
    policy.zone.propagation_delay = Seconds(DELAY);
    policy.signatures.max_zone_ttl = Some(Seconds(DATA_TTL));
    policy.parent.ds_ttl = Seconds(DS_TTL);
    policy.parent.propagation_delay = Seconds(PARENT_DELAY);
    policy
}

fn id(number: u8) -> KeyId {
    KeyId::new(&[number]).unwrap()
}

/// A key by its flags: `P` published, `K` signs the DNSKEY RRset, `Z` signs the zone, `R` revoked,
/// `B` not backed up.
fn key(number: u8, algorithm: Algorithm, role: KeyRole, flags: &str) -> ShownKey {
    ShownKey {
        id: id(number),
        role,
        algorithm,
        is_revoked: flags.contains('R'),
        is_published: flags.contains('P'),
        signs_keyset: flags.contains('K'),
        signs_zone: flags.contains('Z'),
        is_unbacked: flags.contains('B'),
    }
}

fn ksk(number: u8, flags: &str) -> ShownKey {
    key(number, Algorithm::EcdsaP256Sha256, KeyRole::Ksk, flags)
}

fn zsk(number: u8, flags: &str) -> ShownKey {
    key(number, Algorithm::EcdsaP256Sha256, KeyRole::Zsk, flags)
}

struct Story {
    world: World,
    policy: Policy,
}

impl Story {
    /// KSK 1 and ZSK 2 have signed the zone for long, and the parent shows KSK 1.
    fn signed() -> Story {
        let policy = policy();
        let mut story = Story { world: World::unsigned(1_000_000, &policy), policy };
        story.publish(0, &[ksk(1, "PK"), zsk(2, "PZ")]).unwrap();
        story.ds(DATA_TTL + DELAY, &[1]).unwrap();
        story.world.pass(story.world.now + 100 * 86_400);
        story
    }

    fn publish(&mut self, after: u64, keys: &[ShownKey]) -> Result<(), Fault> {
        self.world.pass(self.world.now + after);
        self.world.publish(keys, &self.policy)
    }

    fn ds(&mut self, after: u64, keys: &[u8]) -> Result<(), Fault> {
        self.world.pass(self.world.now + after);
        let number = |it: &u8| self.world.keys.number(&id(*it), false, Algorithm::EcdsaP256Sha256);
        let numbers: Vec<usize> = keys.iter().map(number).collect();
        self.world.show_ds(super::versions::KeySet::of(&numbers))
    }
}

/// One wait of a story is a second too short.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cut {
    Nothing,
    First,
    Second,
}

impl Cut {
    fn by(self, which: Cut) -> u64 {
        u64::from(self == which)
    }
}

fn first_signing(cut: Cut) -> Result<(), Fault> {
    let policy = policy();
    let mut story = Story { world: World::unsigned(1_000_000, &policy), policy };
    story.publish(0, &[ksk(1, "PK"), zsk(2, "PZ")])?;
    story.ds(DATA_TTL + DELAY - cut.by(Cut::First), &[1])
}

fn pre_publication(cut: Cut) -> Result<(), Fault> {
    let mut story = Story::signed();
    story.publish(0, &[ksk(1, "PK"), zsk(2, "PZ"), zsk(3, "P")])?;
    let ready = KEYS_TTL + DELAY - cut.by(Cut::First);
    story.publish(ready, &[ksk(1, "PK"), zsk(2, "P"), zsk(3, "PZ")])?;
    let dead = REPLACED + DATA_TTL + DELAY - cut.by(Cut::Second);
    story.publish(dead, &[ksk(1, "PK"), zsk(3, "PZ")])
}

fn double_signature_zsk(cut: Cut) -> Result<(), Fault> {
    let mut story = Story::signed();
    story.publish(0, &[ksk(1, "PK"), zsk(2, "PZ"), zsk(3, "PZ")])?;
    let wait = (KEYS_TTL + DELAY).max(DATA_TTL + DELAY) - cut.by(Cut::First);
    story.publish(wait, &[ksk(1, "PK"), zsk(3, "PZ")])
}

fn double_ksk(cut: Cut) -> Result<(), Fault> {
    let mut story = Story::signed();
    story.publish(0, &[ksk(1, "PK"), zsk(2, "PZ"), ksk(3, "PK")])?;
    story.ds(KEYS_TTL + DELAY - cut.by(Cut::First), &[3])?;
    let dead = DS_TTL + PARENT_DELAY - cut.by(Cut::Second);
    story.publish(dead, &[ksk(3, "PK"), zsk(2, "PZ")])
}

fn double_ds(cut: Cut) -> Result<(), Fault> {
    let mut story = Story::signed();
    story.ds(0, &[1, 3])?;
    let swap = DS_TTL + PARENT_DELAY - cut.by(Cut::First);
    story.publish(swap, &[ksk(3, "PK"), zsk(2, "PZ")])?;
    story.ds(KEYS_TTL + DELAY - cut.by(Cut::Second), &[3])
}

/// RFC 6781 §4.1.4, the liberal order: the DS set of two algorithms comes last.
fn algorithm(cut: Cut) -> Result<(), Fault> {
    let new = |number, role, flags| key(number, Algorithm::Ed25519, role, flags);
    let mut story = Story::signed();
    let both = [ksk(1, "PK"), zsk(2, "PZ"), new(3, KeyRole::Ksk, "PK"), new(4, KeyRole::Zsk, "PZ")];
    story.publish(0, &both)?;
    story.world.pass(story.world.now + DATA_TTL + DELAY - cut.by(Cut::First));
    let three = story.world.keys.number(&id(3), false, Algorithm::Ed25519);
    story.world.show_ds(super::versions::KeySet::of(&[three]))?;
    story.publish(DS_TTL + PARENT_DELAY - cut.by(Cut::Second), &both[2..])
}

fn going_unsigned(cut: Cut) -> Result<(), Fault> {
    let mut story = Story::signed();
    story.ds(0, &[])?;
    story.publish(DS_TTL + PARENT_DELAY - cut.by(Cut::First), &[])
}

type Told = fn(Cut) -> Result<(), Fault>;

#[track_caller]
fn check(story: Told, cuts: &[Cut]) {
    assert_eq!(story(Cut::Nothing), Ok(()));
    for cut in cuts {
        assert!(story(*cut).is_err(), "the story passes with wait {} cut", *cut as u8);
    }
}

#[test]
fn first_signing_waits_for_unsigned_data_rfc7583_3_1() {
    check(first_signing, &[Cut::First]);
}

#[test]
fn pre_publication_waits_for_keys_and_signatures_rfc7583_3_2_1() {
    check(pre_publication, &[Cut::First, Cut::Second]);
    let fault = pre_publication(Cut::Second).unwrap_err();
    assert!(matches!(fault, Fault::Data { class: Class::Data, is_bogus_to_all: true, .. }));
}

#[test]
fn double_signature_waits_for_the_longer_ttl_rfc7583_3_2_2() {
    check(double_signature_zsk, &[Cut::First]);
}

#[test]
fn double_ksk_waits_for_keys_and_ds_rfc7583_3_3_1() {
    check(double_ksk, &[Cut::First, Cut::Second]);
}

#[test]
fn double_ds_waits_for_ds_and_keys_rfc7583_3_3_2() {
    check(double_ds, &[Cut::First, Cut::Second]);
}

#[test]
fn algorithm_roll_waits_for_signatures_and_ds_rfc6781_4_1_4() {
    check(algorithm, &[Cut::First, Cut::Second]);
}

#[test]
fn going_unsigned_waits_for_ds() {
    check(going_unsigned, &[Cut::First]);
}

#[test]
fn key_forgotten_while_caches_have_its_ds_w16() {
    let mut story = Story::signed();
    story.ds(0, &[]).unwrap();
    let ask = |story: &mut Story, after: u64| {
        story.world.pass(story.world.now + after);
        let kept = super::versions::KeySet::of(&[1]);
        story.world.check_removed(kept)
    };
    assert!(matches!(ask(&mut story, 1), Err(Fault::Removed { .. })));
}

#[test]
fn soa_has_a_ttl_of_its_own() {
    let mut story = Story::signed();
    story.policy.zone.soa_ttl = Seconds(3 * DATA_TTL);
    story.publish(0, &[ksk(1, "PK"), zsk(2, "PZ")]).unwrap();
    story.publish(86_400, &[ksk(1, "PK"), zsk(2, "PZ"), zsk(3, "PZ")]).unwrap();
    let gone = story.publish(DATA_TTL + DELAY, &[ksk(1, "PK"), zsk(3, "PZ")]);
    assert!(matches!(gone, Err(Fault::Data { class: Class::Soa, .. })), "{gone:?}");
}

#[test]
fn lowered_ttl_is_in_caches_for_the_old_time() {
    let told = |after: u64| {
        let mut story = Story::signed();
        story.policy.keys.ttl = Seconds(60);
        story.publish(0, &[ksk(1, "PK"), zsk(2, "PZ"), ksk(3, "PK")])?;
        story.ds(after, &[3])
    };
    assert_eq!(told(KEYS_TTL + DELAY), Ok(()));
    assert!(matches!(told(KEYS_TTL + DELAY - 1), Err(Fault::Chain { .. })));
}
