//! Places for connections: so many for each peer, so many for strangers, so many in all. RFC 7766
//! §6.2.2, RFC 9210 §4.
//! In: who connects, and whether some zone lists his address. Out: a place, or none. Whoever has
//! been idle longest goes when somebody with a better right comes.
//! Strangers never take the places of those who are listed: what they have is theirs alone, and it
//! is decided before a word is said.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// Most connections.
pub const CONNECTIONS_MAX: usize = 512;
/// Most of them for addresses that no zone lists.
pub const STRANGERS_MAX: usize = 128;
/// Most of one listed address.
pub const LISTED_PEER_MAX: usize = 128;
/// Most of one address that nobody lists.
pub const STRANGER_PEER_MAX: usize = 16;

#[derive(Debug)]
struct Held {
    peer: IpAddr,
    is_listed: bool,
    /// Since when nothing is going on; `None`: something is.
    idle_since: Option<Duration>,
    leave: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Places {
    next: u64,
    held: BTreeMap<u64, Held>,
}

/// The places of a server; clones mean the same.
#[derive(Clone, Debug, Default)]
pub struct Quota {
    places: Arc<Mutex<Places>>,
}

/// A place; given back when it is dropped.
#[derive(Debug)]
pub struct Place {
    quota: Quota,
    number: u64,
    leave: Arc<Notify>,
}

impl Quota {
    /// A place for a connection of `peer`; `None`: there is none.
    pub fn admit(&self, peer: IpAddr, is_listed: bool, now: Duration) -> Option<Place> {
        let mut places = self.lock();
        let own_max = if is_listed { LISTED_PEER_MAX } else { STRANGER_PEER_MAX };
        places.make_room(own_max, |held| held.peer == peer)?;
        if !is_listed {
            places.make_room(STRANGERS_MAX, |held| !held.is_listed)?;
        }
        places.make_room(CONNECTIONS_MAX, |_| true)?;
        let number = places.next;
        places.next += 1;
        let leave = Arc::new(Notify::new());
        let held = Held { peer, is_listed, idle_since: Some(now), leave: leave.clone() };
        places.held.insert(number, held);
        Some(Place { quota: self.clone(), number, leave })
    }

    /// Connections now, and how many of them are strangers'.
    pub fn count(&self) -> (usize, usize) {
        let places = self.lock();
        let strangers = places.held.values().filter(|held| !held.is_listed).count();
        (places.held.len(), strangers)
    }

    fn lock(&self) -> MutexGuard<'_, Places> {
        // The map is whole after each call, so a panic elsewhere leaves it good.
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Places {
    /// Sees to it that fewer than `most` are held of those in `class`; strangers go first.
    fn make_room(&mut self, most: usize, class: impl Fn(&Held) -> bool) -> Option<()> {
        let members = self.held.iter().filter(|(_, held)| class(held));
        if members.clone().count() < most {
            return Some(());
        }
        let idle = members.filter_map(|(number, held)| {
            held.idle_since.map(|since| (held.is_listed, since, *number))
        });
        let (_, _, number) = idle.min()?;
        let held = self.held.remove(&number)?;
        held.leave.notify_one();
        Some(())
    }
}

impl Place {
    /// Something is going on from now on: nobody else gets the place.
    pub fn begin(&self) {
        self.set(None);
    }

    /// Nothing is going on since `now`.
    pub fn rest(&self, now: Duration) {
        self.set(Some(now));
    }

    fn set(&self, idle_since: Option<Duration>) {
        if let Some(held) = self.quota.lock().held.get_mut(&self.number) {
            held.idle_since = idle_since;
        }
    }

    /// Waits until somebody else has got the place.
    pub async fn lost(&self) {
        self.leave.notified().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.quota.lock().held.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    fn address(number: usize) -> IpAddr {
        IpAddr::from([10, 0, (number >> 8) as u8, number as u8])
    }

    fn at(second: usize) -> Duration {
        Duration::from_secs(second as u64)
    }

    fn is_lost(place: &Place) -> bool {
        place.lost().now_or_never().is_some()
    }

    #[test]
    fn strangers_push_out_strangers_only() {
        let quota = Quota::default();
        let listed = quota.admit(address(9999), true, at(0)).unwrap();
        let strangers: Vec<Place> =
            (0..300).map(|n| quota.admit(address(n), false, at(n + 1)).unwrap()).collect();
        assert_eq!(quota.count(), (1 + STRANGERS_MAX, STRANGERS_MAX));
        assert!(strangers[..300 - STRANGERS_MAX].iter().all(is_lost));
        assert!(!strangers[300 - STRANGERS_MAX..].iter().any(is_lost));
        assert!(!is_lost(&listed));
        drop(strangers);
        assert_eq!(quota.count(), (1, 0));
    }

    #[test]
    fn busy_connections_stay_and_fill_the_quota() {
        let quota = Quota::default();
        let one = |n| quota.admit(address(0), false, at(n));
        let places: Vec<Place> = (0..STRANGER_PEER_MAX).filter_map(one).collect();
        places.iter().for_each(Place::begin);
        assert!(one(99).is_none());
        places[3].rest(at(100));
        let last = one(101).unwrap();
        assert!(is_lost(&places[3]) && !is_lost(&last));
        assert!(quota.admit(address(1), false, at(102)).is_some(), "others are not concerned");
    }

    #[test]
    fn a_listed_peer_gets_the_place_of_an_idle_stranger_in_a_full_house() {
        let quota = Quota::default();
        let stranger = quota.admit(address(0), false, at(50)).unwrap();
        let listed: Vec<Place> =
            (1..CONNECTIONS_MAX).map(|n| quota.admit(address(n), true, at(n)).unwrap()).collect();
        let late = quota.admit(address(5000), true, at(999)).unwrap();
        assert!(is_lost(&stranger) && !listed.iter().any(is_lost));
        assert_eq!(quota.count(), (CONNECTIONS_MAX, 0));
        assert!(!is_lost(&late));
    }
}
