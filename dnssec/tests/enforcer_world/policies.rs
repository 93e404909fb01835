//! Random policies, and random edits of a policy: what operators do to kasp.xml.
//! Out: policies that `kaspcheck` lets pass: signatures are replaced before they expire in any
//! cache, and lifetimes leave room for a roll.

use super::keys::ALGORITHMS;
use super::lives::Cast;
use super::random::Random;
use dnssec::key::KeyRole;
use dnssec::policy::{DenialPolicy, KeyPolicy, Nsec3Policy, Policy, RollType};
use dnssec::{Algorithm, Seconds};

pub(crate) const DAY: u64 = 86_400;

pub(crate) const KSK_ROLLS: [RollType; 3] =
    [RollType::KskDoubleRrset, RollType::KskDoubleDs, RollType::KskDoubleSignature];
pub(crate) const ZSK_ROLLS: [RollType; 3] =
    [RollType::ZskDoubleSignature, RollType::ZskPrePublication, RollType::ZskDoubleRrsig];
pub(crate) const CSK_ROLLS: [RollType; 5] = [
    RollType::CskDoubleRrset,
    RollType::CskSingleSignature,
    RollType::CskDoubleDs,
    RollType::CskDoubleSignature,
    RollType::CskPrePublication,
];

const TTLS: [u64; 7] = [1, 60, 300, 3600, 20_000, DAY, 2 * DAY];
const DELAYS: [u64; 6] = [0, 1, 300, 3600, 40_000, DAY];

/// A policy of this seed.
pub(crate) fn random_policy(random: &mut Random) -> Policy {
    let mut policy = Policy::anchorite_default("token");
    randomise_ttls(&mut policy, random);
    randomise_delays(&mut policy, random);
    randomise_signatures(&mut policy, random);
    randomise_denial(&mut policy, random);
    randomise_keys(&mut policy, random);
    policy
}

fn randomise_ttls(policy: &mut Policy, random: &mut Random) {
    policy.keys.ttl = Seconds(random.pick(&TTLS));
    policy.zone.soa_ttl = Seconds(random.pick(&TTLS));
    policy.zone.soa_minimum = Seconds(random.pick(&TTLS));
    policy.parent.ds_ttl = Seconds(random.pick(&TTLS));
    policy.signatures.max_zone_ttl = Some(Seconds(random.pick(&TTLS)));
}

fn randomise_delays(policy: &mut Policy, random: &mut Random) {
    policy.zone.propagation_delay = Seconds(random.pick(&DELAYS));
    policy.parent.propagation_delay = Seconds(random.pick(&DELAYS));
    policy.parent.registration_delay = Seconds(random.pick(&DELAYS));
    policy.keys.publish_safety = Seconds(random.pick(&DELAYS));
    policy.keys.retire_safety = Seconds(random.pick(&DELAYS));
    keep_signatures_fresh(policy);
}

/// Refresh covers what keeps an old signature in use: the resign interval, slow servers, caches.
fn keep_signatures_fresh(policy: &mut Policy) {
    let delay = policy.zone.propagation_delay.0;
    let signatures = &mut policy.signatures;
    let refresh = signatures.refresh.0.max(signatures.resign.0 + delay + 2 * DAY);
    signatures.refresh = Seconds(refresh);
    let least = refresh + 2 * signatures.jitter.0 + signatures.resign.0;
    for validity in [&mut signatures.validity_default, &mut signatures.validity_denial] {
        validity.0 = validity.0.max(least);
    }
}

fn randomise_signatures(policy: &mut Policy, random: &mut Random) {
    let signatures = &mut policy.signatures;
    signatures.resign = Seconds(random.pick(&[600, 3600, 7200, DAY]));
    signatures.refresh = Seconds(random.pick(&[2, 3, 5]) * DAY);
    signatures.jitter = Seconds(random.pick(&[0, 1, 3600, 43_200]));
    signatures.validity_default = Seconds(random.between(4, 20) * DAY);
    signatures.validity_denial = Seconds(random.between(4, 20) * DAY);
    keep_signatures_fresh(policy);
}

fn randomise_denial(policy: &mut Policy, random: &mut Random) {
    policy.denial = match random.below(2) {
        0 => DenialPolicy::Nsec,
        _ => DenialPolicy::Nsec3(Nsec3Policy {
            param_ttl: Seconds(random.pick(&[0, 3600, 3 * DAY])),
            opt_out: false,
            resalt: Seconds(0),
            hash_algorithm: 1,
            iterations: 0,
            salt_length: 0,
        }),
    };
}

/// A key of a policy.
pub(crate) fn key(role: KeyRole, algorithm: Algorithm, roll_type: RollType) -> KeyPolicy {
    KeyPolicy {
        role,
        algorithm,
        length_bits: algorithm.is_rsa().then_some(2048),
        lifetime: Seconds(365 * DAY),
        repository: "token".to_owned(),
        standby: 0,
        manual_rollover: false,
        roll_type,
        rfc5011: false,
    }
}

fn lifetime(random: &mut Random) -> Seconds {
    Seconds(match random.below(12) {
        0 => 0,
        1 => random.between(20, 60) * DAY,
        _ => random.between(60, 500) * DAY,
    })
}

fn randomise_keys(policy: &mut Policy, random: &mut Random) {
    policy.keys.purge = random.pick(&[None, Some(Seconds(1)), Some(Seconds(14 * DAY))]);
    let first = random.pick(&ALGORITHMS);
    policy.keys.keys = keys_of(first, random);
    if random.one_in(8) {
        let second = random.pick(&ALGORITHMS);
        if second != first {
            policy.keys.keys.extend(keys_of(second, random));
        }
    }
}

fn keys_of(algorithm: Algorithm, random: &mut Random) -> Vec<KeyPolicy> {
    let mut keys = match random.one_in(3) {
        true => vec![key(KeyRole::Csk, algorithm, random.pick(&CSK_ROLLS))],
        false => vec![
            key(KeyRole::Ksk, algorithm, random.pick(&KSK_ROLLS)),
            key(KeyRole::Zsk, algorithm, random.pick(&ZSK_ROLLS)),
        ],
    };
    for key in &mut keys {
        key.lifetime = lifetime(random);
        key.manual_rollover = random.one_in(12);
    }
    keys
}

/// Gives a policy what the cast is about.
pub(crate) fn fit(policy: &mut Policy, cast: &Cast, random: &mut Random) {
    policy.parent.publishes_cds = cast.has_cds;
    let is_followed = cast.is_followed && !random.one_in(12);
    for key in &mut policy.keys.keys {
        key.rfc5011 = is_followed && key.role.signs_keyset();
        if key.rfc5011 && key.lifetime.0 != 0 {
            // A roll takes both hold-downs.
            key.lifetime = key.lifetime.max(Seconds(150 * DAY));
        }
        key.standby = if cast.has_standby { random.below(3) as u32 } else { 0 };
    }
}

/// What an edit changed, for reports.
pub(crate) fn random_edit(policy: &mut Policy, random: &mut Random) -> &'static str {
    match random.below(13) {
        12 => {
            policy.passthrough = !policy.passthrough;
            "passthrough"
        }
        0 | 1 => {
            randomise_ttls(policy, random);
            "TTLs"
        }
        2 => {
            randomise_delays(policy, random);
            "delays"
        }
        3 => {
            randomise_signatures(policy, random);
            "signatures"
        }
        4 => {
            randomise_denial(policy, random);
            "denial"
        }
        5 | 6 => {
            randomise_keys(policy, random);
            "keys"
        }
        7 => {
            edit_roll_types(policy, random);
            "roll types"
        }
        8 => {
            policy.keys.keys.clear();
            "no keys"
        }
        9 => {
            for key in &mut policy.keys.keys {
                key.repository = random.pick(&["token".to_owned(), "other".to_owned()]);
            }
            "repository"
        }
        10 => {
            *policy = random_policy(random);
            "everything"
        }
        _ => {
            for key in &mut policy.keys.keys {
                key.lifetime = lifetime(random);
            }
            "lifetimes"
        }
    }
}

fn edit_roll_types(policy: &mut Policy, random: &mut Random) {
    for key in &mut policy.keys.keys {
        key.roll_type = match key.role {
            KeyRole::Ksk => random.pick(&KSK_ROLLS),
            KeyRole::Zsk => random.pick(&ZSK_ROLLS),
            KeyRole::Csk => random.pick(&CSK_ROLLS),
        };
    }
}
