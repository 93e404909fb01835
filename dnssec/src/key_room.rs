//! Whether a repository has room for the keys that its zones will need (rule HSM-11). OpenDNSSEC
//! calls the room `<Capacity>`; it is a number of private keys.
//! In: policies and how many zones each has, the room, the keys that are there. Out: what zones
//! need at once, and when the repository is full if nothing is done.
//! An estimate for operators: every key is taken to be rolled on its day, all keys of a policy on
//! the same one, and a dead key to go when `<Purge>` says so. Never: which key is made or removed.

use crate::Seconds;
use crate::policy::Policy;

/// A key that has to be made before another one can go. Without room for it nothing is ever rolled,
/// in an emergency neither.
pub const SUCCESSORS_MIN: u64 = 1;

/// What zones need of one repository.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct KeyDemand {
    /// Keys in use and on standby while nothing is rolled.
    pub standing: u64,
    /// Keys there are at most, while keys are rolled and until dead ones are removed; `None` when
    /// dead keys stay for ever.
    pub peak: Option<u64>,
    /// New keys a second.
    pub rate: f64,
}

/// What becomes of a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forecast {
    /// There is room for everything that the policies want.
    Enough,
    /// It is full after about this time.
    FullIn(Seconds),
    /// Its zones need more at once than it has room for: some can never be rolled.
    TooSmall {
        /// Room for so many keys is needed at least.
        needed: u64,
    },
}

/// What the zones of these policies need of a repository; each policy comes with how many zones it
/// has.
pub fn demand<'a>(
    repository: &str,
    policies: impl IntoIterator<Item = (&'a Policy, u64)>,
) -> KeyDemand {
    let mut all = KeyDemand { peak: Some(0), ..KeyDemand::default() };
    for (policy, zone_count) in policies {
        let keys = &policy.keys;
        let set_count = if keys.share_keys { zone_count.min(1) } else { zone_count };
        for key in keys.keys.iter().filter(|key| key.repository == repository) {
            let standing = set_count.saturating_mul(1 + u64::from(key.standby));
            all.standing = all.standing.saturating_add(standing);
            let is_rolled = key.lifetime.0 > 0 && !key.manual_rollover;
            // The successor, and the dead ones before it that are not removed yet.
            let others = match (is_rolled, keys.purge) {
                (false, _) => Some(0),
                (true, Some(purge)) => Some(1 + purge.0.div_ceil(key.lifetime.0)),
                (true, None) if set_count == 0 => Some(0),
                (true, None) => None,
            };
            let most = others.map(|others| standing.saturating_add(set_count * others));
            all.peak = all.peak.zip(most).map(|(peak, most)| peak.saturating_add(most));
            if is_rolled {
                all.rate += set_count as f64 / key.lifetime.0 as f64;
            }
        }
    }
    all
}

/// What becomes of a repository with this room that holds so many keys.
pub fn forecast(capacity: u64, used: u64, demand: &KeyDemand) -> Forecast {
    let needed = demand.standing.saturating_add(SUCCESSORS_MIN);
    if demand.standing > 0 && capacity < needed {
        return Forecast::TooSmall { needed };
    }
    // What is there beyond the zones' own keys is taken to stay.
    let strangers = used.saturating_sub(demand.peak.unwrap_or(demand.standing));
    if demand.peak.is_some_and(|peak| peak.saturating_add(strangers) <= capacity) {
        return Forecast::Enough;
    }
    let room = capacity.saturating_sub(used.max(demand.standing));
    let seconds = room as f64 / demand.rate;
    // A rate of zero has no end: then nothing beyond the standing keys is made.
    match seconds.is_finite() {
        true => Forecast::FullIn(Seconds(seconds as u64)),
        false => Forecast::Enough,
    }
}

/// Whether a zone that needs so many keys may have them in a repository with room for so many more:
/// one that could never be rolled afterwards may not.
pub fn has_room_to_roll(free: u64, wanted: u64) -> bool {
    free >= wanted.saturating_add(SUCCESSORS_MIN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Policy;

    const DAY: u64 = 86_400;

    /// A KSK for a year and a ZSK for 50 days, in repository `hsm`.
    fn policy(share_keys: bool, purge_days: Option<u64>) -> Policy {
        let mut policy = Policy::anchorite_default("hsm");
        let key = policy.keys.keys[0].clone();
        policy.keys.share_keys = share_keys;
        policy.keys.purge = purge_days.map(|days| Seconds(days * DAY));
        policy.keys.keys = [500, 50]
            .map(|days| {
                let lifetime = Seconds(days * DAY);
                let repository = "hsm".to_owned();
                crate::policy::KeyPolicy {
                    lifetime,
                    repository,
                    manual_rollover: false,
                    standby: 0,
                    ..key.clone()
                }
            })
            .to_vec();
        policy
    }

    #[track_caller]
    fn check(policy: &Policy, zones: u64, capacity: u64, used: u64, expected: Forecast) {
        let demand = demand("hsm", [(policy, zones)]);
        assert_eq!(forecast(capacity, used, &demand), expected, "{demand:?}");
    }

    #[test]
    fn keys_that_are_never_removed_fill_every_repository() {
        // A hundred ZSKs and ten KSKs in five hundred days for ten zones, so 0.22 a day.
        let keeping = policy(false, None);
        check(&keeping, 10, 130, 20, Forecast::FullIn(Seconds(500 * DAY)));
        check(&keeping, 10, 130, 75, Forecast::FullIn(Seconds(250 * DAY)));
        check(&keeping, 10, 130, 130, Forecast::FullIn(Seconds(0)));
        check(&keeping, 0, 130, 7, Forecast::Enough);
    }

    #[test]
    fn keys_that_are_removed_leave_room() {
        // KSK, ZSK, a successor of each, and of dead ones one ZSK and one KSK, for ten zones.
        let purging = policy(false, Some(14));
        check(&purging, 10, 60, 20, Forecast::Enough);
        check(&purging, 10, 60, 60, Forecast::Enough);
        // Others' keys take the room.
        check(&purging, 10, 60, 61, Forecast::FullIn(Seconds(0)));
        check(&purging, 10, 42, 20, Forecast::FullIn(Seconds(100 * DAY)));
    }

    #[test]
    fn a_repository_without_room_for_a_successor_is_too_small() {
        let purging = policy(false, Some(14));
        check(&purging, 10, 20, 20, Forecast::TooSmall { needed: 21 });
        check(&purging, 1, 2, 0, Forecast::TooSmall { needed: 3 });
        assert!(has_room_to_roll(3, 2) && !has_room_to_roll(2, 2));
    }

    #[test]
    fn shared_keys_are_counted_once_and_others_not_at_all() {
        let shared = policy(true, Some(14));
        check(&shared, 10_000, 6, 2, Forecast::Enough);
        assert_eq!(demand("hsm", [(&shared, 10_000)]).standing, 2);
        assert_eq!(demand("other", [(&shared, 10_000)]).standing, 0);
        assert_eq!(demand("hsm", [(&shared, 0)]).standing, 0);
    }
}
