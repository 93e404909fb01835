//! What operators say in OpenDNSSEC 1.x and not in 2.x (catalogue 1.10): `ds-seen --no-retire`.
//! In: life, key, policy, time. Out: the life afterwards, or why not; then nothing changed. An
//! evaluation follows.

use super::commands::CommandError;
use super::policy_pass::{fits, wanted_keys};
use super::state::{DsAtParent, RecordKind, RecordLife, RecordState, ZoneLife};
use crate::Timestamp;
use crate::key::KeyId;
use crate::policy::Policy;

/// What `key ds-seen --no-retire` says of the KSK before: it goes on working beside the one that
/// takes over, until `key ksk-retire` or the next roll. Nobody may have asked the parent yet to
/// take its DS back, not even by CDS, and the policy has to want such keys. A DS that was on its
/// way out counts as one on its way in, since caches may lack it; and one that nobody has seen at
/// the parent is waited for (`ds-seen`).
pub fn stay(
    life: &ZoneLife,
    id: &KeyId,
    policy: &Policy,
    now: Timestamp,
) -> Result<ZoneLife, CommandError> {
    use RecordState::{Omnipresent, Rumoured, Unretentive};
    let mut life = life.clone();
    let found = life.keys.iter_mut().find(|key| key.id == *id);
    let key = found.ok_or_else(|| CommandError::UnknownKey { id: id.clone() })?;
    let Some(ds) = &mut key.ds else {
        return Err(CommandError::HasNoDs { id: id.clone(), role: key.role });
    };
    match (ds.state, key.ds_at_parent) {
        (Omnipresent | Rumoured, DsAtParent::Seen) => {}
        (Unretentive, DsAtParent::Retract) if policy.parent.publishes_cds => {
            return Err(CommandError::ToldByCds { id: id.clone() });
        }
        (Unretentive, DsAtParent::Retract) => {
            *ds = RecordLife { state: Rumoured, since: now, confirmed: None };
            key.ds_at_parent = match key.ds_was_seen {
                true => DsAtParent::Seen,
                false => DsAtParent::Submitted,
            };
        }
        (_, state) => {
            let needed = DsAtParent::Seen;
            return Err(CommandError::WrongState { id: id.clone(), state, needed });
        }
    }
    let is_wanted = wanted_keys(policy).iter().any(|wanted| fits(key, wanted));
    let leaves = |kind| !matches!(key.state(kind), None | Some(Omnipresent));
    let others = [RecordKind::Dnskey, RecordKind::RrsigDnskey, RecordKind::Rrsig];
    if key.revoked.is_some() || !is_wanted || others.into_iter().any(leaves) {
        return Err(CommandError::LeavesAlready { id: id.clone() });
    }
    key.introducing = true;
    Ok(life)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Driver, START, days, id, policy as policy_of, supply_key};
    use super::super::{ImportState, Scene, ds_seen, evaluate, import_key, ksk_retire, roll_now};
    use super::*;
    use crate::Seconds;
    use crate::key::KeyRole;
    use crate::policy::RollType;

    const KSK_ROLLS: [RollType; 3] =
        [RollType::KskDoubleSignature, RollType::KskDoubleRrset, RollType::KskDoubleDs];

    /// A driver in the middle of a roll of the KSK: the new DS was handed to the parent.
    fn rolling(roll: RollType) -> Driver {
        let mut driver = Driver::new(policy_of(roll, RollType::ZskPrePublication));
        driver.settle(days(1));
        driver.life = roll_now(&driver.life, KeyRole::Ksk);
        for _ in 0..100 {
            let next = driver.evaluate();
            let new = driver.life.keys.last().filter(|key| key.role == KeyRole::Ksk);
            if new.is_some_and(|key| key.ds_at_parent == DsAtParent::Submitted) {
                return driver;
            }
            driver.now = next.unwrap();
        }
        panic!("no DS was submitted: {}", driver.told());
    }

    #[test]
    fn the_old_ksk_works_on_until_it_is_retired() {
        for roll in KSK_ROLLS {
            let mut driver = rolling(roll);
            let (old, new) = (driver.life.keys[0].id.clone(), driver.life.keys[2].id.clone());
            let seen = ds_seen(&driver.life, &new, driver.now).unwrap();
            driver.life = stay(&seen, &old, &driver.policy, driver.now).unwrap();
            driver.settle(days(30));
            assert_eq!(driver.picture(), "KSK OOO-+\nZSK -O-O+\nKSK OOO-+", "{roll:?}");
            driver.life = ksk_retire(&driver.life, &old).unwrap();
            driver.settle(days(60));
            assert_eq!(driver.picture(), "KSK HHH-\nZSK -O-O+\nKSK OOO-+", "{roll:?}");
        }
    }

    /// An imported key is retired before anybody has seen its DS; trust anchors keep its DNSKEY.
    #[test]
    fn a_ds_that_nobody_saw_is_waited_for_when_its_key_stays() {
        let mut driver = Driver::new(policy_of(KSK_ROLLS[0], RollType::ZskPrePublication));
        driver.policy.keys.keys[0].rfc5011 = true;
        driver.settle(days(1));
        let key = supply_key(&driver.policy.keys.keys[0], 900);
        let state = ImportState::Generate;
        driver.life = import_key(&driver.life, &key, state, driver.now, &driver.policy).unwrap();
        let at_parent = |driver: &Driver| driver.life.keys.last().unwrap().ds_at_parent;
        driver.evaluate();
        driver.now = driver.now.plus(Seconds(days(1)));
        driver.evaluate();
        assert_eq!(at_parent(&driver), DsAtParent::Submitted, "{}", driver.told());
        driver.life = ksk_retire(&driver.life, &key.id).unwrap();
        // The driver would ask the parent at once; here the operator takes his time.
        let scene = Scene::new(&driver.policy, driver.now, &[]);
        driver.life = evaluate(&driver.life, &scene).life;
        assert_eq!(at_parent(&driver), DsAtParent::Retract, "{}", driver.told());
        let mut by_cds = driver.policy.clone();
        by_cds.parent.publishes_cds = true;
        let refused = CommandError::ToldByCds { id: key.id.clone() };
        assert_eq!(stay(&driver.life, &key.id, &by_cds, driver.now), Err(refused));
        let stays = |driver: &Driver| stay(&driver.life, &key.id, &driver.policy, driver.now);
        let unseen = stays(&driver).unwrap();
        assert_eq!(unseen.keys.last().unwrap().ds_at_parent, DsAtParent::Submitted);
        driver.life.keys.last_mut().unwrap().ds_was_seen = true;
        assert_eq!(stays(&driver).unwrap().keys.last().unwrap().ds_at_parent, DsAtParent::Seen);
    }

    #[test]
    fn what_the_parent_was_asked_to_remove_does_not_stay() {
        let mut driver = rolling(RollType::KskDoubleSignature);
        let old = driver.life.keys[0].id.clone();
        let stays = |driver: &Driver, id| stay(&driver.life, id, &driver.policy, driver.now);
        driver.life.keys[0].ds_at_parent = DsAtParent::Retracted;
        let (state, needed) = (DsAtParent::Retracted, DsAtParent::Seen);
        let refused = CommandError::WrongState { id: old.clone(), state, needed };
        assert_eq!(stays(&driver, &old), Err(refused));
        driver.life.keys[0].ds_at_parent = DsAtParent::Retract;
        driver.life.keys[0].revoked = Some(START);
        let refused = CommandError::LeavesAlready { id: old.clone() };
        assert_eq!(stays(&driver, &old), Err(refused.clone()));
        driver.life.keys[0].revoked = None;
        driver.policy.keys.keys.retain(|key| key.role != KeyRole::Ksk);
        assert_eq!(stays(&driver, &old), Err(refused));
        let zsk = driver.life.keys[1].id.clone();
        let refused = CommandError::HasNoDs { id: zsk.clone(), role: KeyRole::Zsk };
        assert_eq!(stays(&driver, &zsk), Err(refused));
        let refused = CommandError::UnknownKey { id: id(999) };
        assert_eq!(stays(&driver, &id(999)), Err(refused));
    }
}
