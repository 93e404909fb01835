//! What holds for every policy, every sequence of commands and every passage of time.

use super::*;
use crate::enforcer::approval::View;
use crate::enforcer::cache_eye::Begins;
use crate::policy::Nsec3Policy;
use proptest::prelude::*;

const ROLL_TYPES: [RollType; 11] = [
    RollType::KskDoubleRrset,
    RollType::KskDoubleDs,
    RollType::KskDoubleSignature,
    RollType::ZskDoubleSignature,
    RollType::ZskPrePublication,
    RollType::ZskDoubleRrsig,
    RollType::CskDoubleRrset,
    RollType::CskSingleSignature,
    RollType::CskDoubleDs,
    RollType::CskDoubleSignature,
    RollType::CskPrePublication,
];

/// A length of time: none, short, long, or as long as can be written.
fn length() -> impl Strategy<Value = Seconds> {
    prop_oneof![
        1 => Just(Seconds(0)),
        8 => (0u64..4000).prop_map(Seconds),
        4 => (0u64..40).prop_map(|count| Seconds(days(count))),
        1 => Just(Seconds(u64::from(u32::MAX))),
    ]
}

fn key_policies() -> impl Strategy<Value = Vec<KeyPolicy>> {
    let key =
        |role: KeyRole, roll_type: RollType, other: bool, lifetime, extra: (u32, bool, bool)| {
            KeyPolicy {
                role,
                roll_type,
                algorithm: if other { Algorithm::Ed25519 } else { Algorithm::EcdsaP256Sha256 },
                lifetime,
                standby: extra.0,
                manual_rollover: extra.1,
                rfc5011: extra.2,
                ..usual_policy().keys.keys[0].clone()
            }
        };
    let extra = || (0u32..2, proptest::bool::weighted(0.1), proptest::bool::weighted(0.2));
    let lifetime = || prop_oneof![Just(Seconds(0)), (1u64..200).prop_map(|d| Seconds(days(d)))];
    let split = (0usize..3, 3usize..6, any::<bool>(), lifetime(), lifetime(), extra(), extra());
    let split = split.prop_map(move |(ksk, zsk, other, long, short, more, less)| {
        vec![
            key(KeyRole::Ksk, ROLL_TYPES[ksk], other, long, more),
            key(KeyRole::Zsk, ROLL_TYPES[zsk], other, short, less),
        ]
    });
    let single = (6usize..11, any::<bool>(), lifetime(), extra());
    let single = single.prop_map(move |(roll_type, other, long, more)| {
        vec![key(KeyRole::Csk, ROLL_TYPES[roll_type], other, long, more)]
    });
    prop_oneof![6 => split, 4 => single, 1 => Just(Vec::new())]
}

fn policies() -> impl Strategy<Value = Policy> {
    let lengths = proptest::collection::vec(length(), 14);
    (key_policies(), lengths, any::<bool>(), proptest::bool::weighted(0.05)).prop_map(
        |(keys, lengths, nsec3, passthrough)| {
            let mut policy = usual_policy();
            policy.passthrough = passthrough;
            policy.keys.keys = keys;
            let nsec3 = nsec3.then_some(Nsec3Policy {
                param_ttl: lengths[0],
                opt_out: false,
                resalt: Seconds(0),
                hash_algorithm: 1,
                iterations: 0,
                salt_length: 0,
            });
            policy.denial = nsec3.map_or(DenialPolicy::Nsec, DenialPolicy::Nsec3);
            policy.signatures.validity_default = lengths[1];
            policy.signatures.validity_denial = lengths[2];
            policy.signatures.jitter = lengths[3];
            policy.signatures.refresh = lengths[4];
            policy.signatures.resign = lengths[5];
            policy.keys.ttl = lengths[6];
            policy.keys.retire_safety = lengths[7];
            policy.keys.publish_safety = lengths[8];
            policy.keys.purge = Some(lengths[9]).filter(|purge| purge.0 % 2 == 0);
            policy.zone.propagation_delay = lengths[10];
            policy.zone.soa_ttl = lengths[11];
            policy.parent.ds_ttl = lengths[12];
            policy.parent.propagation_delay = lengths[13];
            policy
        },
    )
}

#[derive(Clone, Debug)]
enum Step {
    /// Time passes: to the next event, or by some seconds.
    Wait(Option<u32>),
    /// The parent does what it was asked, and the operator says so.
    ParentActs,
    Roll(KeyRole),
    Edit(Box<Policy>),
    /// A version is published with what the keys are to show.
    Publish,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let role = prop_oneof![Just(KeyRole::Ksk), Just(KeyRole::Zsk), Just(KeyRole::Csk)];
    let step = prop_oneof![
        8 => Just(Step::Wait(None)),
        3 => (0u32..3_000_000).prop_map(|seconds| Step::Wait(Some(seconds))),
        4 => Just(Step::ParentActs),
        2 => role.prop_map(Step::Roll),
        1 => policies().prop_map(|policy| Step::Edit(Box::new(policy))),
        4 => Just(Step::Publish),
    ];
    proptest::collection::vec(step, 1..60)
}

/// Whether validators that see a DS can follow it, whatever they hold; for each algorithm.
fn is_whole(life: &ZoneLife) -> bool {
    let view = View::of(life);
    Algorithm::ALL.into_iter().all(|it| view.every_view_is_valid(it, Begins::AtParent))
}

fn act(driver: &mut Driver, step: &Step) {
    match step {
        Step::Wait(None) => {
            let next = driver.last.as_ref().and_then(|last| last.next);
            driver.now = next.unwrap_or(driver.now).max(driver.now);
        }
        Step::Wait(Some(seconds)) => driver.now = driver.now.plus(Seconds(u64::from(*seconds))),
        Step::ParentActs => drop(driver.parent_acts()),
        Step::Roll(role) => driver.life = roll_now(&driver.life, *role),
        Step::Edit(policy) => driver.policy = (**policy).clone(),
        Step::Publish => driver.publish(),
    }
    driver.evaluate();
}

/// How many lives are tried; `PROPTEST_CASES` overrules it.
fn cases() -> ProptestConfig {
    let usual = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => usual,
        None => ProptestConfig { cases: 500, ..usual },
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn a_zone_stays_whole_and_an_evaluation_settles(
        policy in policies(),
        steps in steps(),
        waits_for_publication in any::<bool>(),
    ) {
        let mut driver = Driver::new(policy);
        driver.waits_for_publication = waits_for_publication;
        driver.evaluate();
        let mut has_chain = false;
        for step in &steps {
            let before = driver.told();
            let had_keys = !wanted(&driver.policy);
            act(&mut driver, step);
            let after = driver.told();
            let moves = driver.moves();
            prop_assert!(is_whole(&driver.life), "{step:?}\n{before}\n{after}\n{moves:#?}");
            // While the policy has keys, a chain that is there stays.
            let view = View::of(&driver.life);
            has_chain &= had_keys && !wanted(&driver.policy);
            prop_assert!(!has_chain || view.chain_exists(), "{step:?}\n{before}\n{after}");
            has_chain = view.chain_exists();
            // The driver checks after each evaluation that another one changes nothing more.
            let scene = Scene::new(&driver.policy, driver.now, &[]);
            let again = evaluate(&driver.life, &scene);
            prop_assert!(again.next.is_none_or(|next| next > driver.now));
        }
    }
}

/// Whether the policy wants no keys at all.
fn wanted(policy: &Policy) -> bool {
    policy.passthrough || policy.keys.keys.is_empty()
}
