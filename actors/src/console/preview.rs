//! What another policy will do to a zone's keys, before it does it.
//! In: what is remembered of the zone, its policy and the other one. Out: a line for operators.
//! The core is asked twice, with each policy; what only the new one brings about is said.

use crate::settings::zone_text;
use dnssec::enforcer::{Action, Evaluation, KeyUse, Leaving, Scene, ZoneLife, evaluate};
use dnssec::first_keys::wanted_bits;
use dnssec::policy::{KeyPolicy, Policy};
use dnssec::{Name, Timestamp};

/// A line about a zone that goes from one policy to another.
pub(super) fn line(
    zone: &Name,
    life: &ZoneLife,
    old: &Policy,
    new: &Policy,
    now: Timestamp,
) -> String {
    let (before, after) = (look(life, old, now), look(life, new, now));
    let leaving = |evaluation: &Evaluation| {
        let leaves = evaluation.actions.iter().filter_map(|action| match action {
            Action::KeyLeaves { id, why: Leaving::NotInPolicy | Leaving::SpareStandby } => Some(id),
            _ => None,
        });
        leaves.cloned().collect::<Vec<_>>()
    };
    let known = leaving(&before);
    let mut said: Vec<String> = Vec::new();
    for key in &life.keys {
        if leaving(&after).contains(&key.id) && !known.contains(&key.id) {
            let (role, tag, algorithm) = (key.role, key.key_tag.0, key.algorithm);
            said.push(format!("{role} {tag} ({algorithm}, {} bits) will be rolled out", key.bits));
        }
    }
    let mut expected = coming(&before, old);
    for key in coming(&after, new) {
        match expected.iter().position(|known| *known == key) {
            Some(known) => drop(expected.remove(known)),
            None => said.push(format!("a new {key} will be rolled in")),
        }
    }
    let becomes_unsigned =
        |evaluation: &Evaluation| evaluation.actions.contains(&Action::NoKeysConfigured);
    if becomes_unsigned(&after) && !becomes_unsigned(&before) {
        said.push("it becomes unsigned when its DS is gone from the parent".to_owned());
    }
    let zone = zone_text(zone);
    match said.is_empty() {
        true => format!("Zone {zone}: its keys stay.\n"),
        false => format!("Zone {zone}: {}.\n", said.join("; ")),
    }
}

fn look(life: &ZoneLife, policy: &Policy, now: Timestamp) -> Evaluation {
    let scene = Scene { waits_for_publication: true, ..Scene::new(policy, now, &[]) };
    evaluate(life, &scene)
}

/// The keys that an evaluation wants, in words.
fn coming(evaluation: &Evaluation, policy: &Policy) -> Vec<String> {
    let wanted = evaluation.actions.iter().filter_map(|action| match action {
        Action::KeyWanted { policy_key, purpose } => {
            Some(described(policy.keys.keys.get(*policy_key)?, *purpose))
        }
        _ => None,
    });
    wanted.collect()
}

fn described(key: &KeyPolicy, purpose: KeyUse) -> String {
    let standby = if purpose == KeyUse::Standby { "standby " } else { "" };
    format!("{standby}{} ({}, {} bits)", key.role, key.algorithm, wanted_bits(key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use dnssec::Algorithm;
    use dnssec::enforcer::SupplyKey;
    use dnssec::key::{KeyId, KeyRole};
    use std::time::Duration;

    /// The life of a zone that has just taken a KSK and a ZSK.
    fn life(policy: &Policy, now: Timestamp) -> ZoneLife {
        let keys = [KeyRole::Ksk, KeyRole::Zsk].map(|role| SupplyKey {
            id: KeyId::new(&[role as u8; 16]).unwrap(),
            repository: "token".to_owned(),
            role,
            algorithm: Algorithm::EcdsaP256Sha256,
            bits: 256,
            key_tag: dnssec::KeyTag(role as u16 + 1),
            backup: dnssec::enforcer::Backup::NotRequired,
        });
        evaluate(&ZoneLife::default(), &Scene::new(policy, now, &keys)).life
    }

    #[test]
    fn ten_thousand_zones_are_previewed_in_a_moment() {
        let (now, old) = (Timestamp(1_800_000_000), Policy::anchorite_default("token"));
        let mut new = old.clone();
        new.keys.keys[0].algorithm = Algorithm::EcdsaP384Sha384;
        let (zone, life) = (Name::parse(b"a.example.", None).unwrap(), life(&old, now));
        let said = line(&zone, &life, &old, &new, now);
        assert!(said.contains("KSK 1 (ECDSAP256SHA256, 256 bits) will be rolled out"), "{said}");
        assert!(said.contains("a new KSK (ECDSAP384SHA384, 384 bits) will be rolled in"), "{said}");
        assert_eq!(line(&zone, &life, &old, &old, now), "Zone a.example: its keys stay.\n");
        let begin = crate::runtime::Clock::system();
        let start = begin.uptime();
        for _ in 0..10_000 {
            assert_eq!(line(&zone, &life, &old, &new, now), said);
        }
        let took = begin.uptime() - start;
        assert!(took < Duration::from_secs(5), "{took:?}");
    }
}
