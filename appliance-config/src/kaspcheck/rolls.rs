//! kaspcheck's own checks of rolls: policies that pass OpenDNSSEC's checks and never end a roll, or
//! not in time (guard W8; RFC 7583 §3).
//! In: a policy, the repositories. Out: report lines. Never: delays of operators.

use super::{Report, Repositories};
use dnssec::enforcer::{ADD_HOLD_DOWN, REMOVE_HOLD_DOWN, Terms};
use dnssec::key::KeyRole;
use dnssec::key_room::{demand, has_room_to_roll};
use dnssec::policy::{KeyPolicy, Policy};

pub(super) fn check(
    file: &str,
    policy: &Policy,
    repositories: Option<&Repositories>,
    report: &mut Report,
) {
    ksk_of_each_zsk(file, policy, report);
    twins(file, policy, report);
    lengths(file, policy, report);
    for (name, capacity) in repositories.iter().flat_map(|known| &known.capacities) {
        room(file, policy, name, *capacity, report);
    }
}

/// A DNSKEY set that no key of an algorithm signs is refused by validators, so nothing rolls there.
fn ksk_of_each_zsk(file: &str, policy: &Policy, report: &mut Report) {
    let keys = &policy.keys.keys;
    for zsk in keys.iter().filter(|key| key.role == KeyRole::Zsk) {
        let is_its = |key: &&KeyPolicy| key.role.signs_keyset() && key.algorithm == zsk.algorithm;
        if !keys.iter().any(|key| is_its(&key)) {
            let (name, algorithm) = (&policy.name, zsk.algorithm.number());
            report.error(format_args!(
                "In policy {name} in {file}, KSK with algorithm {algorithm} not found: no DS would \
                 lead to its ZSK"
            ));
        }
    }
}

/// Keys that cannot be told apart share one key.
fn twins(file: &str, policy: &Policy, report: &mut Report) {
    let keys = &policy.keys.keys;
    for (index, key) in keys.iter().enumerate() {
        let is_twin = |other: &KeyPolicy| {
            (other.role, other.algorithm, other.length_bits)
                == (key.role, key.algorithm, key.length_bits)
                && other.repository == key.repository
        };
        if keys[..index].iter().any(is_twin) {
            let (name, role, number) = (&policy.name, key.role, key.algorithm.number());
            report.warning(format_args!(
                "In policy {name}, {role} of algorithm {number} in repository {} is in {file} \
                 twice: both are one and the same key, rolled by either's Lifetime",
                key.repository
            ));
        }
    }
}

/// Seconds from the beginning of a roll until the new key does all its work; with RFC 5011 until
/// the old one has left.
fn roll_seconds(policy: &Policy, key: &KeyPolicy) -> u64 {
    let terms = Terms::of(policy);
    let sum = |lengths: &[u64]| lengths.iter().fold(0u64, |sum, one| sum.saturating_add(*one));
    let safety = policy.keys.publish_safety.0;
    let dnskey = sum(&[terms.dnskey_ttl.0, terms.zone_delay.0, safety]);
    let ds = sum(&[terms.ds_ttl.0, terms.parent_delay.0]);
    let replaced = sum(&[terms.signature_life.0, terms.resign.0]).saturating_sub(terms.refresh.0);
    let signatures = sum(&[replaced, terms.rrsig_ttl.0, terms.zone_delay.0]);
    let anchors = if key.rfc5011 { ADD_HOLD_DOWN.0 + REMOVE_HOLD_DOWN.0 } else { 0 };
    match key.role {
        KeyRole::Ksk => sum(&[dnskey, ds, anchors]),
        KeyRole::Zsk => sum(&[dnskey, signatures]),
        KeyRole::Csk => sum(&[dnskey, ds, signatures, anchors]),
    }
}

fn lengths(file: &str, policy: &Policy, report: &mut Report) {
    let rolls = |key: &&KeyPolicy| !key.manual_rollover && key.lifetime.0 != 0;
    for key in policy.keys.keys.iter().filter(rolls) {
        let (lifetime, takes) = (key.lifetime.0, roll_seconds(policy, key));
        if lifetime < takes {
            let (name, role) = (&policy.name, key.role);
            report.warning(format_args!(
                "In policy {name}, {role}/Lifetime ({lifetime} seconds) in {file} is less than a \
                 roll takes ({takes} seconds, with all TTLs, delays and lives of signatures): \
                 each roll begins late"
            ));
        }
    }
}

/// A roll needs room for one key more.
fn room(file: &str, policy: &Policy, repository: &str, capacity: u64, report: &mut Report) {
    let needed = demand(repository, [(policy, 1)]).standing;
    if needed > 0 && !has_room_to_roll(capacity, needed) {
        let name = &policy.name;
        report.error(format_args!(
            "Repository ({repository}) has a Capacity of {capacity} keys; a zone of policy {name} \
             in {file} has {needed} in it, and one more during a roll: none could ever be rolled"
        ));
    }
}
