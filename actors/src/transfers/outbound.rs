//! What is known of the secondaries of a zone, and what operators and the health check see of it.
//! In: ends of NOTIFYs, answers to SOA queries, published versions. Out: [`OutboundStatus`] for
//! screens, [`OutputHealth`] for the health check. When to ask whom is `dnssec::transfer::watch`'s
//! to say. Never: sockets. Limit: as many secondaries as `<Notify>` lists.

use dnssec::health::snapshot::OutputHealth;
use dnssec::transfer::peers::Outbound;
use dnssec::transfer::schedule::{Jitter, Timers};
use dnssec::transfer::watch::{Next, Secondary, Shown, Standing, Versions, WatchLimit};
use dnssec::{Seconds, Serial, Timestamp};
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// What a secondary answered when it was told of a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotifyStatus {
    /// It is being told.
    Telling {
        /// Of this serial.
        serial: Serial,
        /// How often it was, without an answer that acknowledges it.
        tries: u32,
        /// When it is told again, unless it answers before; `None`: this is the last try.
        next: Option<Timestamp>,
        /// What went wrong last.
        why: Option<String>,
    },
    /// It knows.
    Acknowledged {
        /// Of this serial.
        serial: Serial,
        /// Since then.
        at: Timestamp,
    },
    /// It does not answer, or refuses, and is not told again before the next version.
    GivenUp {
        /// Of this serial.
        serial: Serial,
        /// Since then.
        at: Timestamp,
        /// What went wrong last.
        why: String,
    },
}

/// What operators see of one secondary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecondaryStatus {
    /// Where it is told and asked.
    pub address: SocketAddr,
    /// How it is told of the version; `None`: there is none yet.
    pub notify: Option<NotifyStatus>,
    /// The last serial that it acknowledged to be told of, and when.
    pub last_acknowledged: Option<(Serial, Timestamp)>,
    /// The serial that it showed last when its SOA was asked for, and when.
    pub seen: Option<(Serial, Timestamp)>,
    /// Where it stands by that.
    pub standing: Standing,
    /// Since when it shows none, and why.
    pub failing: Option<(Timestamp, String)>,
    /// When its SOA is asked for next; `None`: it is not watched, or being asked.
    pub next_look: Option<Timestamp>,
}

/// What operators see of a zone's way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboundStatus {
    /// Serial that is served.
    pub serial: Option<Serial>,
    /// Steps that are kept for IXFR, and their octets.
    pub steps: (usize, usize),
    /// A secondary that is behind for longer is an alarm; `None`: they are not watched.
    pub lag_max: Option<Seconds>,
    /// What is known of each secondary.
    pub secondaries: Vec<SecondaryStatus>,
}

impl OutboundStatus {
    /// What this means at `now`.
    pub fn health(&self, now: Timestamp) -> OutputHealth {
        let mut health =
            OutputHealth { secondaries: self.secondaries.len(), ..OutputHealth::default() };
        for secondary in &self.secondaries {
            health.unacknowledged +=
                usize::from(matches!(secondary.notify, Some(NotifyStatus::GivenUp { .. })));
            let Some(limit) = self.lag_max else { continue };
            health.unseen += usize::from(secondary.failing.is_some());
            match secondary.standing {
                Standing::Behind { since } => {
                    let lag = now.since(since);
                    health.behind += 1;
                    health.late += usize::from(lag >= limit);
                    health.lag_max = health.lag_max.max(lag);
                }
                Standing::Ahead => health.ahead += 1,
                Standing::Unknown | Standing::Current => {}
            }
        }
        health
    }
}

/// The secondaries of a zone.
#[derive(Clone, Debug, Default)]
pub(super) struct Secondaries {
    versions: Versions,
    known: BTreeMap<SocketAddr, Known>,
}

/// One of them.
#[derive(Clone, Debug, Default)]
struct Known {
    notify: Option<NotifyStatus>,
    last_acknowledged: Option<(Serial, Timestamp)>,
    watch: Secondary,
    next_look: Option<Timestamp>,
}

impl Secondaries {
    /// Forgets those that are not listed any more.
    pub(super) fn keep(&mut self, outbound: Option<&Outbound>) {
        self.known.retain(|target, _| {
            outbound.is_some_and(|outbound| outbound.notify.iter().any(|it| it.address == *target))
        });
    }

    pub(super) fn note(&mut self, target: SocketAddr, status: NotifyStatus) {
        let known = self.known.entry(target).or_default();
        if let NotifyStatus::Acknowledged { serial, at } = status {
            known.last_acknowledged = Some((serial, at));
        }
        known.notify = Some(status);
    }

    /// A version is published now: whom to ask for it, and when.
    pub(super) fn published(
        &mut self,
        outbound: &Outbound,
        serial: Serial,
        now: Timestamp,
    ) -> Vec<(SocketAddr, Timestamp)> {
        self.versions.publish(serial, now);
        if outbound.watch == WatchLimit::Off {
            self.known.values_mut().for_each(|known| known.next_look = None);
            return Vec::new();
        }
        let look = |remote: &dnssec::transfer::peers::Remote| {
            let known = self.known.entry(remote.address).or_default();
            let at = known.watch.published(now);
            known.next_look = Some(at);
            (remote.address, at)
        };
        outbound.notify.iter().map(look).collect()
    }

    pub(super) fn showed(
        &mut self,
        target: SocketAddr,
        shown: Shown,
        limits: (Timers, Seconds),
        now: Timestamp,
        jitter: Jitter,
    ) -> Option<Next> {
        let known = self.known.get_mut(&target)?;
        let next = known.watch.showed(shown, &self.versions, limits, now, jitter);
        known.next_look = Some(next.ask_at);
        Some(next)
    }

    /// In the order of the list.
    pub(super) fn status(&self, outbound: &Outbound) -> Vec<SecondaryStatus> {
        let nothing = Known::default();
        let status = |remote: &dnssec::transfer::peers::Remote| {
            let known = self.known.get(&remote.address).unwrap_or(&nothing);
            SecondaryStatus {
                address: remote.address,
                notify: known.notify.clone(),
                last_acknowledged: known.last_acknowledged,
                seen: known.watch.seen(),
                standing: known.watch.standing(&self.versions),
                failing: known.watch.failing().map(|(since, why)| (since, why.to_owned())),
                next_look: known.next_look,
            }
        };
        outbound.notify.iter().map(status).collect()
    }
}
