//! NOTIFY out: secondaries are told of new versions, each at its own pace. RFC 1996 §3.6, §4.
//! In: news of [`Publications`]. Out: messages; what came of them, noted there.
//! A version that comes while an older one is being told of is told in its stead. A secondary that
//! is away delays nobody else. After a restart all is told again: nobody knows what was heard.
//! Limits: [`TRIES_MAX`] tries, [`ANSWER_MAX`] apart (OpenDNSSEC's); [`TELLING_MAX`] zones at a
//! time for each secondary; of waiting ones the number of zones.

use super::outbound::NotifyStatus;
use super::publications::Publications;
use crate::io::exchange::ExchangeError;
use crate::io::notify::{ANSWER_MAX, tell};
use crate::runtime::Clock;
use crate::settings::zone_text;
use dnssec::transfer::message::RecordData;
use dnssec::transfer::peers::Remote;
use dnssec::zone::ZoneVersion;
use dnssec::{Name, RrType, Seconds, Serial};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// A secondary is told so often before it is given up until the next version.
pub const TRIES_MAX: u32 = 5;
/// Zones that one secondary is told of at a time.
const TELLING_MAX: usize = 64;

/// Who tells.
#[derive(Clone)]
pub(super) struct Teller {
    /// What there is to tell.
    pub(super) publications: Arc<Publications>,
    /// The time.
    pub(super) clock: Clock,
    /// Where it is told from: the first interface of the listener.
    pub(super) source: Option<IpAddr>,
}

/// The zones that one secondary is to be told of.
#[derive(Default)]
struct Queue {
    lists: Mutex<Lists>,
    wake: Notify,
}

#[derive(Default)]
struct Lists {
    waiting: VecDeque<Name>,
    /// Those in `waiting`, or being told.
    known: BTreeSet<Name>,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Lists> {
        // The lists are whole after each call, so a panic elsewhere leaves them good.
        self.lists.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whoever is being told, or waits for it, is told of the newest version in any case.
    fn add(&self, zone: &Name) {
        let mut lists = self.lock();
        if lists.known.insert(zone.clone()) {
            lists.waiting.push_back(zone.clone());
            self.wake.notify_one();
        }
    }

    fn next(&self) -> Option<Name> {
        self.lock().waiting.pop_front()
    }

    /// The zone has been told of, unless there is something newer by now.
    fn end(&self, zone: &Name, has_news: impl FnOnce() -> bool) {
        let mut lists = self.lock();
        // Looked at while nobody can add the zone: a version that comes later adds it anew.
        match has_news() {
            true => lists.waiting.push_back(zone.clone()),
            false => drop(lists.known.remove(zone)),
        }
    }
}

impl Teller {
    /// Tells until it is dropped.
    pub(super) async fn run(self) {
        self.publications.all_is_untold();
        let mut queues: BTreeMap<SocketAddr, Arc<Queue>> = BTreeMap::new();
        // They end with this.
        let mut tellers = tokio::task::JoinSet::new();
        loop {
            for zone in self.publications.untold().await {
                let outbound = self.publications.get(&zone).and_then(|known| known.outbound);
                for remote in outbound.iter().flat_map(|outbound| &outbound.notify) {
                    let queue = queues.entry(remote.address).or_insert_with(|| {
                        let queue = Arc::<Queue>::default();
                        tellers.spawn(self.clone().tell_one(remote.address, queue.clone()));
                        queue
                    });
                    queue.add(&zone);
                }
            }
        }
    }

    /// Tells one secondary of whatever is in its queue.
    async fn tell_one(self, target: SocketAddr, queue: Arc<Queue>) {
        let mut telling = FuturesUnordered::new();
        loop {
            while telling.len() < TELLING_MAX
                && let Some(zone) = queue.next()
            {
                telling.push(self.tell_of(target, zone));
            }
            tokio::select! {
                () = queue.wake.notified() => {}
                Some((zone, told)) = telling.next(), if !telling.is_empty() => {
                    queue.end(&zone, || {
                        told.is_some_and(|told| self.current(&zone, target)
                            .is_some_and(|(_, _, newest)| newest != told))
                    });
                }
            }
        }
    }

    /// What a secondary is to be told now; `None`: nothing any more.
    fn current(
        &self,
        zone: &Name,
        target: SocketAddr,
    ) -> Option<(Remote, Arc<ZoneVersion>, Serial)> {
        let published = self.publications.get(zone)?;
        let outbound = published.outbound?;
        let remote = outbound.notify.iter().find(|remote| remote.address == target)?.clone();
        let version = published.version?;
        let serial = version.serial()?;
        Some((remote, version, serial))
    }

    /// Tells a secondary of one zone, until it knows or is given up. Returns the serial that was
    /// told last.
    async fn tell_of(&self, target: SocketAddr, zone: Name) -> (Name, Option<Serial>) {
        let mut tries = 0;
        let (mut last, mut why) = (None, None);
        while let Some((remote, version, serial)) = self.current(&zone, target) {
            if last != Some(serial) {
                (tries, last, why) = (0, Some(serial), None);
            }
            let next = self.clock.now().plus(Seconds(ANSWER_MAX.as_secs()));
            let next = (tries + 1 < TRIES_MAX).then_some(next);
            self.note(
                &zone,
                target,
                NotifyStatus::Telling { serial, tries, next, why: why.clone() },
            );
            let began = self.clock.uptime();
            let told = self.tell_once(&remote, &zone, &version).await;
            tries += 1;
            let error = match told {
                Ok(()) => {
                    let at = self.clock.now();
                    self.note(&zone, target, NotifyStatus::Acknowledged { serial, at });
                    tracing::debug!(target: "notify", zone = %zone_text(&zone),
                        "zone {}: {target} knows of serial {serial}", zone_text(&zone));
                    break;
                }
                Err(error) => error,
            };
            if tries >= TRIES_MAX {
                self.give_up(&zone, target, serial, &error);
                break;
            }
            why = Some(error.to_string());
            // A refusal comes at once, and is no reason to be told more often.
            self.pause(ANSWER_MAX.saturating_sub(self.clock.uptime().saturating_sub(began))).await;
        }
        (zone, last)
    }

    async fn tell_once(
        &self,
        remote: &Remote,
        zone: &Name,
        version: &ZoneVersion,
    ) -> Result<(), ExchangeError> {
        let apex = version.apex_owner();
        let Some(soa) = apex.and_then(|apex| apex.rrset(RrType::SOA)) else { return Ok(()) };
        let Some(rdata) = soa.rdatas().next() else { return Ok(()) };
        let record = RecordData { owner: zone, rtype: RrType::SOA, ttl: soa.ttl, rdata };
        tell(remote, self.source, zone, record, &self.clock).await
    }

    fn give_up(&self, zone: &Name, target: SocketAddr, serial: Serial, error: &ExchangeError) {
        let (at, text) = (self.clock.now(), zone_text(zone));
        let how = match error {
            ExchangeError::NoAnswer | ExchangeError::Io(_) | ExchangeError::Tls(_) => "unreachable",
            _ => "does not accept it",
        };
        tracing::info!(target: "notify", zone = %text,
            "notify max retry for zone {text}, {} {how}: {error}", target.ip());
        let why = error.to_string();
        self.note(zone, target, NotifyStatus::GivenUp { serial, at, why });
    }

    fn note(&self, zone: &Name, target: SocketAddr, status: NotifyStatus) {
        self.publications.note(zone, target, status);
    }

    async fn pause(&self, length: Duration) {
        self.clock.sleep(length).await;
    }
}
