//! Watching secondaries: after each version, and from time to time, each is asked which version it
//! has (guard W13). In: news of [`Publications`]. Out: SOA queries; what came of them, noted there;
//! alarms in the log.
//! When to ask again is `dnssec::transfer::watch`'s to say. A secondary that is away delays nobody
//! else. What one shows never holds up a zone: it may only take back what it claimed by IXFR.
//! Limits: [`LOOKS_MAX`] questions at a time to each secondary; one waits for each of its zones.

use super::publications::Publications;
use crate::io::soa_query::serial_at;
use crate::runtime::Clock;
use crate::settings::zone_text;
use crate::zone::gate::ServedSerials;
use crate::zone::random_per_mille;
use dnssec::transfer::schedule::Jitter;
use dnssec::transfer::watch::{Remark, Shown, Standing, Trouble};
use dnssec::{Name, Serial, Timestamp};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;

/// Questions that one secondary is asked at a time.
const LOOKS_MAX: usize = 16;

/// Who watches.
#[derive(Clone)]
pub(super) struct Watcher {
    /// What they are to have.
    pub(super) publications: Arc<Publications>,
    /// What they showed by asking us.
    pub(super) served: Arc<ServedSerials>,
    /// The time.
    pub(super) clock: Clock,
    /// Where they are asked from: the first interface of the listener.
    pub(super) source: Option<IpAddr>,
}

/// Zones that one secondary is to be asked about, and when.
#[derive(Default)]
struct Agenda {
    by_time: BTreeSet<(Timestamp, Name)>,
    by_zone: BTreeMap<Name, Timestamp>,
}

impl Agenda {
    /// The earlier of two times counts.
    fn put(&mut self, zone: Name, at: Timestamp) {
        match self.by_zone.get(&zone) {
            Some(known) if *known <= at => return,
            Some(known) => drop(self.by_time.remove(&(*known, zone.clone()))),
            None => {}
        }
        self.by_time.insert((at, zone.clone()));
        self.by_zone.insert(zone, at);
    }

    fn first(&self) -> Option<Timestamp> {
        self.by_time.first().map(|(at, _)| *at)
    }

    fn take_due(&mut self, now: Timestamp) -> Option<Name> {
        self.first().filter(|at| *at <= now)?;
        let (_, zone) = self.by_time.pop_first()?;
        self.by_zone.remove(&zone);
        Some(zone)
    }
}

/// What the watch of one secondary is told.
#[derive(Default)]
struct Orders {
    zones: Mutex<BTreeMap<Name, Timestamp>>,
    wake: Notify,
}

impl Orders {
    fn give(&self, zone: Name, at: Timestamp) {
        // The map is whole after each call, so a panic elsewhere leaves it good.
        self.zones.lock().unwrap_or_else(PoisonError::into_inner).insert(zone, at);
        self.wake.notify_one();
    }

    fn take(&self) -> BTreeMap<Name, Timestamp> {
        std::mem::take(&mut *self.zones.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Watcher {
    /// Watches until it is dropped.
    pub(super) async fn run(self) {
        self.publications.all_is_unwatched();
        let mut orders: BTreeMap<SocketAddr, Arc<Orders>> = BTreeMap::new();
        // They end with this.
        let mut watches = tokio::task::JoinSet::new();
        loop {
            for zone in self.publications.unwatched().await {
                for (target, at) in self.publications.look_at(&zone, self.clock.now()) {
                    let orders = orders.entry(target).or_insert_with(|| {
                        let orders = Arc::<Orders>::default();
                        watches.spawn(self.clone().watch_one(target, orders.clone()));
                        orders
                    });
                    orders.give(zone.clone(), at);
                }
            }
        }
    }

    /// Asks one secondary about whatever is on its agenda.
    async fn watch_one(self, target: SocketAddr, orders: Arc<Orders>) {
        let (mut agenda, mut looks) = (Agenda::default(), FuturesUnordered::new());
        loop {
            orders.take().into_iter().for_each(|(zone, at)| agenda.put(zone, at));
            while looks.len() < LOOKS_MAX
                && let Some(zone) = agenda.take_due(self.clock.now())
            {
                looks.push(self.look(target, zone));
            }
            let next = agenda.first().filter(|_| looks.len() < LOOKS_MAX);
            tokio::select! {
                () = orders.wake.notified() => {}
                () = self.clock.sleep_until(next.unwrap_or_default()), if next.is_some() => {}
                Some((zone, next)) = looks.next(), if !looks.is_empty() => {
                    if let Some(at) = next {
                        agenda.put(zone, at);
                    }
                }
            }
        }
    }

    /// Asks a secondary about one zone. When to ask again; `None`: nobody wants to know any more.
    async fn look(&self, target: SocketAddr, zone: Name) -> (Name, Option<Timestamp>) {
        let Some(remote) = self.publications.watched(&zone, target) else { return (zone, None) };
        let shown = match serial_at(&remote, self.source, &zone, &self.clock).await {
            Ok(serial) => Shown::Serial(serial),
            Err(error) => Shown::Nothing(error.to_string()),
        };
        let (now, jitter) = (self.clock.now(), Jitter(random_per_mille()));
        let next = self.publications.showed(&zone, target, shown.clone(), now, jitter);
        self.take_back(&zone, target, &shown);
        let text = zone_text(&zone);
        match shown {
            Shown::Serial(serial) => tracing::debug!(target: "watch", zone = %text, %target,
                "zone {text}: secondary {target} shows serial {serial}"),
            Shown::Nothing(why) => tracing::debug!(target: "watch", zone = %text, %target,
                "zone {text}: secondary {target} shows no serial: {why}"),
        }
        if let Some(remark) = next.and_then(|next| next.remark) {
            self.say(&zone, target, remark);
        }
        (zone, next.map(|next| next.ask_at))
    }

    /// A version that is not ahead of ours replaces what the same address claimed to have when it
    /// asked for changes.
    fn take_back(&self, zone: &Name, target: SocketAddr, shown: &Shown) {
        let ours = self.publications.get(zone).and_then(|known| known.version?.serial());
        if let (Shown::Serial(serial), Some(ours)) = (shown, ours)
            && (*serial == ours || ours.is_after(*serial))
        {
            self.served.note(zone, target.ip(), *serial, self.clock.now());
        }
    }

    fn say(&self, zone: &Name, target: SocketAddr, remark: Remark) {
        let text = zone_text(zone);
        let Some(status) = self.publications.status(zone) else { return };
        let found = status.secondaries.iter().find(|secondary| secondary.address == target);
        let Some(secondary) = found else { return };
        let ours = status.serial.map_or_else(String::new, |serial| serial.to_string());
        let seen = secondary.seen.map(|(serial, _)| serial);
        match remark {
            Remark::Began(Trouble::Late) => {
                let lag = match secondary.standing {
                    Standing::Behind { since } => self.clock.now().since(since).0,
                    Standing::Unknown | Standing::Current | Standing::Ahead => 0,
                };
                let why = secondary.failing.as_ref().map(|(_, why)| format!(" ({why})"));
                tracing::error!(target: "watch", zone = %text, %target, lag,
                    "ALARM: zone {text}: secondary {target} is behind for {lag} s: it has serial \
                     {} and not {ours}{}; see whether it gets NOTIFY and may transfer the zone",
                    shown_serial(seen), why.unwrap_or_default());
            }
            Remark::Began(Trouble::Ahead) => {
                tracing::error!(target: "watch", zone = %text, %target,
                "ALARM: zone {text}: secondary {target} has serial {}, which was never published \
                 here (newest is {ours}): somebody else feeds it, or an old state was put back; it \
                 will not take new versions before their serial is newer", shown_serial(seen))
            }
            Remark::Began(Trouble::Silent) => {
                let why = secondary.failing.as_ref().map_or("", |(_, why)| why.as_str());
                tracing::warn!(target: "watch", zone = %text, %target,
                    "zone {text}: secondary {target} does not show which version it has: {why}; \
                     let it answer SOA queries from here, or have it not watched");
            }
            Remark::Ended(_) => tracing::info!(target: "watch", zone = %text, %target,
                "zone {text}: secondary {target} has serial {} and is well again",
                shown_serial(seen)),
        }
    }
}

fn shown_serial(seen: Option<Serial>) -> String {
    seen.map_or_else(|| "none".to_owned(), |serial| serial.to_string())
}

#[cfg(test)]
mod tests;
