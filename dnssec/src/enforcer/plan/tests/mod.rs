//! Tests of plans, explanations and pictures: what they look like, and what holds for all of them.

mod pictures;
mod properties;
mod told;

use super::*;
use crate::enforcer::tests::csk_policy;
use crate::enforcer::{Scene, ZoneLife};
use crate::key::{KeyId, KeyRole};
use crate::policy::{Policy, RollType};
use crate::{Seconds, Timestamp};
use date::DAY;
use std::collections::BTreeSet;

/// 2026-03-01 08:00 UTC.
pub(super) const MARCH: Timestamp = Timestamp(1_772_352_000);

pub(super) fn assumed<'a>(
    policy: &'a Policy,
    backed_up: &'a BTreeSet<String>,
    (now, days): (Timestamp, u64),
) -> Assumptions<'a> {
    let scene = Scene { waits_for_publication: true, ..Scene::new(policy, now, &[]) };
    Assumptions {
        scene,
        until: now.plus(Seconds(days * DAY)),
        parent_delay: PARENT_DELAY_DEFAULT,
        commands: DsCommands::default(),
        backed_up,
        keys_by_hand: false,
        salted: None,
    }
}

/// The plan of a zone that begins in March.
pub(super) fn fresh(policy: &Policy, days: u64) -> Plan {
    plan(&ZoneLife::default(), &assumed(policy, &BTreeSet::new(), (MARCH, days)))
}

/// The history of a zone that began in March, and its plan from some days later on.
pub(super) fn later(policy: &Policy, passed: u64, days: u64) -> (Plan, Plan) {
    let mut past = fresh(policy, passed);
    // What was planned has been made, so it has other ids than what is planned next.
    let made = |id: &KeyId| KeyId::new(&[id.as_bytes(), b"made"].concat()).unwrap();
    past.moments.iter_mut().flat_map(|(_, events)| events).for_each(|(id, _)| *id = made(id));
    past.end.keys.iter_mut().for_each(|key| key.id = made(&key.id));
    for pair in &mut past.end.successions {
        (pair.from, pair.to) = (made(&pair.from), made(&pair.to));
    }
    let now = MARCH.plus(Seconds(passed * DAY));
    let next = plan(&past.end, &assumed(policy, &BTreeSet::new(), (now, days)));
    (past, next)
}

pub(super) fn named(policy: &Policy, plan: Plan) -> ZonePlan {
    ZonePlan { zone: "example.com".to_owned(), policy: policy.name.clone(), plan }
}
