//! The stories that are played: one roll of each type, and what else moves a zone's keys. Each
//! begins with a zone that has nothing, and ends when the old keys are out of the token.

use crate::token::REPOSITORY;
use dnssec::key::KeyRole;
use dnssec::policy::{DenialPolicy, KeyPolicy, Policy, RollType};
use dnssec::{Algorithm, Seconds};

/// What the operator does to a zone that is settled.
#[derive(Clone, Debug)]
pub(crate) enum Turn {
    /// `key rollover`.
    Roll(KeyRole),
    /// Another policy.
    Policy(Box<Policy>),
}

/// A story.
#[derive(Clone, Debug)]
pub(crate) struct Story {
    pub(crate) policy: Policy,
    pub(crate) turn: Turn,
    pub(crate) zone_count: usize,
    /// `<AutomaticKeyGenerationPeriod>`.
    pub(crate) keys_ahead: Option<Seconds>,
}

impl Story {
    pub(crate) fn roll(roll_type: RollType) -> Story {
        use RollType::*;
        let role = match roll_type {
            KskDoubleRrset | KskDoubleDs | KskDoubleSignature => KeyRole::Ksk,
            ZskDoubleSignature | ZskPrePublication | ZskDoubleRrsig => KeyRole::Zsk,
            _ => KeyRole::Csk,
        };
        let mut policy = usual_policy();
        if role == KeyRole::Csk {
            let first = policy.keys.keys[0].clone();
            policy.keys.keys = vec![KeyPolicy { role, ..first }];
        }
        for key in policy.keys.keys.iter_mut().filter(|key| key.role == role) {
            key.roll_type = roll_type;
        }
        Story { policy, turn: Turn::Roll(role), zone_count: 1, keys_ahead: None }
    }

    pub(crate) fn algorithm() -> Story {
        let mut policy = usual_policy();
        for key in &mut policy.keys.keys {
            key.algorithm = Algorithm::Ed25519;
        }
        Story { turn: Turn::Policy(Box::new(policy)), ..Story::roll(RollType::ZskPrePublication) }
    }

    pub(crate) fn unsigned() -> Story {
        let mut policy = usual_policy();
        policy.keys.keys.clear();
        Story { turn: Turn::Policy(Box::new(policy)), ..Story::roll(RollType::ZskPrePublication) }
    }

    /// Two zones that take keys made ahead.
    pub(crate) fn pool() -> Story {
        let keys_ahead = Some(Seconds(86_400));
        Story { zone_count: 2, keys_ahead, ..Story::roll(RollType::ZskPrePublication) }
    }
}

/// Times are short, and keys are rolled by the operator only.
fn usual_policy() -> Policy {
    let mut policy = Policy::anchorite_default(REPOSITORY);
    if let DenialPolicy::Nsec3(nsec3) = &mut policy.denial {
        nsec3.salt_length = 8;
        nsec3.resalt = Seconds(100 * 365 * 86_400);
    }
    policy.signatures.resign = Seconds(120);
    policy.signatures.refresh = Seconds(1800);
    policy.signatures.validity_default = Seconds(6000);
    policy.signatures.validity_denial = Seconds(6000);
    policy.signatures.jitter = Seconds(300);
    policy.signatures.max_zone_ttl = Some(Seconds(800));
    policy.keys.ttl = Seconds(600);
    policy.keys.publish_safety = Seconds(20);
    policy.keys.retire_safety = Seconds(20);
    policy.keys.purge = Some(Seconds(3600));
    policy.zone.propagation_delay = Seconds(300);
    policy.parent.ds_ttl = Seconds(1400);
    policy.parent.propagation_delay = Seconds(30);
    for key in &mut policy.keys.keys {
        key.lifetime = Seconds(10 * 365 * 86_400);
    }
    policy
}
