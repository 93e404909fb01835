//! What will happen to a zone next, and when: for people who want to know before it happens.
//! In: policy, keys, the last run. Out: events in the order of their time.
//! Not yet: the steps of rolls; here a key's roll is its due date only.

use crate::key::KeyRole;
use crate::policy::Policy;
use crate::{KeyTag, Seconds, Timestamp};

/// Something that will happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upcoming {
    /// The next signing run.
    Resign,
    /// The first signature enters its refresh window and is replaced by the next run.
    FirstRefresh,
    /// The first signature expires, should no run replace it.
    FirstExpiration,
    /// A key reaches its lifetime.
    KeyRoll {
        /// What it is for.
        role: KeyRole,
        /// Which.
        tag: KeyTag,
    },
}

/// A key whose roll is to be foreseen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RollingKey {
    /// What it is for.
    pub role: KeyRole,
    /// Which.
    pub tag: KeyTag,
    /// When its life began.
    pub inception: Timestamp,
    /// `<Lifetime>`; zero: never rolled.
    pub lifetime: Seconds,
}

/// The events after a run at `now`, by time.
pub fn outlook(
    policy: &Policy,
    keys: &[RollingKey],
    earliest_expiration: Option<Timestamp>,
    now: Timestamp,
) -> Vec<(Timestamp, Upcoming)> {
    let mut events = vec![(now.plus(policy.signatures.resign), Upcoming::Resign)];
    if let Some(expiration) = earliest_expiration {
        events.push((expiration.minus(policy.signatures.refresh), Upcoming::FirstRefresh));
        events.push((expiration, Upcoming::FirstExpiration));
    }
    for key in keys.iter().filter(|key| key.lifetime != Seconds(0)) {
        let roll = Upcoming::KeyRoll { role: key.role, tag: key.tag };
        events.push((key.inception.plus(key.lifetime), roll));
    }
    events.sort_by_key(|(at, _)| *at);
    events
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_in_order_and_eternal_keys_do_not_roll() {
        let policy = Policy::anchorite_default("token");
        let key = |tag, lifetime| RollingKey {
            role: KeyRole::Ksk,
            tag: KeyTag(tag),
            inception: Timestamp(0),
            lifetime: Seconds(lifetime),
        };
        let events = outlook(
            &policy,
            &[key(1, 90 * 86_400), key(2, 0)],
            Some(Timestamp(14 * 86_400)),
            Timestamp(0),
        );
        let expect = [
            (Timestamp(7200), Upcoming::Resign),
            (Timestamp(11 * 86_400), Upcoming::FirstRefresh),
            (Timestamp(14 * 86_400), Upcoming::FirstExpiration),
            (Timestamp(90 * 86_400), Upcoming::KeyRoll { role: KeyRole::Ksk, tag: KeyTag(1) }),
        ];
        assert_eq!(events, expect);
    }
}
