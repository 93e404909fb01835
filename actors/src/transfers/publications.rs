//! What is served: of each zone the published version, the steps that lead to it, who may have it,
//! and what is known of its secondaries ([`outbound`](super::outbound)).
//! In: published versions and settings from the zone actors; ends of NOTIFYs, answers to SOA
//! queries. Out: the same, to whoever answers requests; the names of zones with news.
//! A version that is not durable never comes here. Looking one up costs no copy: requests under
//! way keep the version they began with.
//! Never: decisions about answers. Limits: steps by the zone's size ([`History`]), news by the
//! number of zones.

use super::outbound::{NotifyStatus, OutboundStatus, Secondaries};
use super::tally::{AnsweredUpdate, UpdateTally};
use dnssec::transfer::ixfr::{HISTORY_OCTETS_MAX, History, Step};
use dnssec::transfer::peers::{Inbound, Outbound, Peer, Prefix, Remote};
use dnssec::transfer::schedule::{Jitter, Timers};
use dnssec::transfer::watch::{Next, Shown, WatchLimit};
use dnssec::zone::ZoneVersion;
use dnssec::zone::diff::Difference;
use dnssec::{Name, Serial, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use tokio::sync::Notify;

/// Part of the zone's octets that steps may have, as a divisor: when they are more, few of them
/// would be sent.
const HISTORY_SHARE: usize = 2;
/// Steps may always have so many octets.
const HISTORY_OCTETS: usize = 4096;

/// What is known of a zone.
#[derive(Clone, Debug, Default)]
struct Entry {
    version: Option<Arc<ZoneVersion>>,
    /// Octets of its chunks.
    octets: usize,
    history: History,
    outbound: Option<Arc<Outbound>>,
    inbound: Option<Arc<Inbound>>,
    expires: Option<Timestamp>,
    secondaries: Secondaries,
    updates: UpdateTally,
}

/// What a request needs to know of a zone; stays what it is.
#[derive(Clone, Debug)]
pub struct Published {
    /// The published version; `None`: there is none yet.
    pub version: Option<Arc<ZoneVersion>>,
    /// Octets of its chunks.
    pub octets: usize,
    /// `<Outbound>`; `None`: the zone has no DNS output.
    pub outbound: Option<Arc<Outbound>>,
    /// `<Inbound>`; `None`: the zone has no DNS input.
    pub inbound: Option<Arc<Inbound>>,
    /// When it may not be served any more, unless its masters are heard of.
    pub expires: Option<Timestamp>,
}

/// Names of zones that something is to be done about.
#[derive(Debug, Default)]
struct News {
    zones: Mutex<BTreeSet<Name>>,
    wake: Notify,
}

impl News {
    fn add(&self, zones: impl IntoIterator<Item = Name>) {
        lock(&self.zones).extend(zones);
        self.wake.notify_one();
    }

    /// Waits for some, and takes them.
    async fn take(&self) -> BTreeSet<Name> {
        loop {
            let zones = std::mem::take(&mut *lock(&self.zones));
            if !zones.is_empty() {
                return zones;
            }
            self.wake.notified().await;
        }
    }
}

/// What is served.
#[derive(Debug, Default)]
pub struct Publications {
    zones: RwLock<BTreeMap<Name, Arc<Mutex<Entry>>>>,
    /// Zones with a version that secondaries were not told of.
    untold: News,
    /// Zones with a version whose secondaries were not looked at since.
    unwatched: News,
    /// The prefixes of all peers of all zones; `None`: they have to be gathered.
    listed: Mutex<Option<Arc<[Prefix]>>>,
}

impl Publications {
    /// Sets how a zone comes in and goes out; what is not listed there may not have it.
    pub fn set_adapters(
        &self,
        zone: &Name,
        inbound: Option<Arc<Inbound>>,
        outbound: Option<Arc<Outbound>>,
    ) {
        let entry = self.entry_or_new(zone);
        let mut entry = lock(&entry);
        match (&outbound, &entry.outbound) {
            (None, _) => entry.history.clear(),
            // Secondaries that are new to us hear of it, too.
            (Some(new), Some(old)) if old.notify == new.notify => {
                self.unwatched.add([zone.clone()]);
            }
            (Some(_), _) if entry.version.is_some() => self.tell_of(zone),
            (Some(_), _) => {}
        }
        entry.secondaries.keep(outbound.as_deref());
        (entry.inbound, entry.outbound) = (inbound, outbound);
        *lock(&self.listed) = None;
    }

    /// Serves a version that is durable from now on. `change` leads to it from the version of the
    /// serial that comes with it; without one, what was before is forgotten.
    pub fn publish(&self, version: &Arc<ZoneVersion>, change: Option<(Serial, &Difference)>) {
        let change = change.map(|(from, difference)| (from, Arc::new(difference.clone())));
        self.publish_shared(version, change);
    }

    /// The same with a change that is too large to be copied.
    pub fn publish_shared(
        &self,
        version: &Arc<ZoneVersion>,
        change: Option<(Serial, Arc<Difference>)>,
    ) {
        self.put(version, |history, serial, octets| match change {
            Some((from, difference)) => {
                history.push(Step { from, to: serial, difference }, octets);
            }
            None => history.clear(),
        });
    }

    /// Serves a version that was read back, with the steps that lead to it.
    pub fn restore(&self, version: &Arc<ZoneVersion>, steps: Vec<Step>) {
        self.put(version, |history, serial, octets| {
            history.clear();
            steps.into_iter().for_each(|step| history.push(step, octets));
            if history.serial() != Some(serial) {
                history.clear();
            }
        });
    }

    /// How many octets a difference to `version` may have to be of use to secondaries, who else get
    /// the zone; `None`: there are none.
    pub fn step_octets_max(&self, version: &ZoneVersion) -> Option<usize> {
        let entry = self.entry(&version.apex)?;
        let entry = lock(&entry);
        let outbound = entry.outbound.as_ref()?;
        let octets = || octets_of(version).min(HISTORY_OCTETS_MAX);
        (!outbound.provide_transfer.is_empty()).then(octets)
    }

    fn put(&self, version: &Arc<ZoneVersion>, remember: impl FnOnce(&mut History, Serial, usize)) {
        let Some(serial) = version.serial() else { return };
        let zone = &version.apex;
        let Some(entry) = self.entry(zone) else { return };
        let mut entry = lock(&entry);
        if entry.version.as_ref().and_then(|known| known.serial()) == Some(serial) {
            return;
        }
        let octets = octets_of(version);
        (entry.version, entry.octets) = (Some(version.clone()), octets);
        if entry.outbound.is_some() {
            remember(&mut entry.history, serial, HISTORY_OCTETS.max(octets / HISTORY_SHARE));
            drop(entry);
            self.tell_of(zone);
        }
    }

    fn tell_of(&self, zone: &Name) {
        self.untold.add([zone.clone()]);
        self.unwatched.add([zone.clone()]);
    }

    /// Whether this version is what secondaries get.
    pub fn serves(&self, version: &ZoneVersion) -> bool {
        let Some(entry) = self.entry(&version.apex) else { return false };
        let entry = lock(&entry);
        let served = entry.version.as_ref().and_then(|served| served.serial());
        served.is_some() && served == version.serial()
    }

    /// From this moment on the zone is not served, unless a later call puts it off; `None`: never.
    pub fn expire_at(&self, zone: &Name, moment: Option<Timestamp>) {
        if let Some(entry) = self.entry(zone) {
            lock(&entry).expires = moment;
        }
    }

    /// Serves a zone no more: it is gone.
    pub fn withdraw(&self, zone: &Name) {
        self.zones.write().unwrap_or_else(PoisonError::into_inner).remove(zone);
        lock(&self.untold.zones).remove(zone);
        lock(&self.unwatched.zones).remove(zone);
        *lock(&self.listed) = None;
    }

    /// What is known of a zone; `None`: it is none of ours.
    pub fn get(&self, zone: &Name) -> Option<Published> {
        let entry = self.entry(zone)?;
        let entry = lock(&entry);
        Some(Published {
            version: entry.version.clone(),
            octets: entry.octets,
            outbound: entry.outbound.clone(),
            inbound: entry.inbound.clone(),
            expires: entry.expires,
        })
    }

    /// The differences from the version of a serial to `version`; `None`: they are not known.
    pub fn since(
        &self,
        zone: &Name,
        serial: Serial,
        version: &Arc<ZoneVersion>,
    ) -> Option<Vec<Arc<Difference>>> {
        let entry = self.entry(zone)?;
        let entry = lock(&entry);
        // A newer version may have come meanwhile.
        let is_same = entry.version.as_ref().is_some_and(|newest| Arc::ptr_eq(newest, version));
        entry.history.since(serial).filter(|_| is_same)
    }

    /// Whether some zone lists this address: then it has a place when strangers fill the server.
    pub fn lists(&self, address: IpAddr) -> bool {
        let known = lock(&self.listed).clone();
        let listed = known.unwrap_or_else(|| self.gather_listed());
        listed.iter().any(|prefix| prefix.contains(address))
    }

    /// Most zones have the same few.
    fn gather_listed(&self) -> Arc<[Prefix]> {
        let mut listed = BTreeMap::new();
        let mut add = |peers: &[Peer]| {
            let prefixes = peers.iter().filter_map(|peer| peer.prefix);
            listed.extend(prefixes.map(|prefix| (prefix.to_string(), prefix)));
        };
        let zones = self.zones.read().unwrap_or_else(PoisonError::into_inner);
        for entry in zones.values() {
            let entry = lock(entry);
            entry.outbound.iter().for_each(|outbound| add(&outbound.provide_transfer));
            if let Some(inbound) = &entry.inbound {
                add(&inbound.allow_notify);
                add(&inbound.allow_update);
            }
        }
        let listed: Arc<[Prefix]> = listed.into_values().collect();
        *lock(&self.listed) = Some(listed.clone());
        listed
    }

    /// Waits for zones that secondaries are to be told of, and takes them.
    pub async fn untold(&self) -> BTreeSet<Name> {
        self.untold.take().await
    }

    /// Waits for zones whose secondaries are to be looked at, and takes them.
    pub async fn unwatched(&self) -> BTreeSet<Name> {
        self.unwatched.take().await
    }

    /// All that is served is to be told of again: whoever told of it has lost count.
    pub fn all_is_untold(&self) {
        self.untold.add(self.served());
    }

    /// All that is served is to be looked at again.
    pub fn all_is_unwatched(&self) {
        self.unwatched.add(self.served());
    }

    fn served(&self) -> Vec<Name> {
        let zones = self.zones.read().unwrap_or_else(PoisonError::into_inner);
        let served = zones.iter().filter(|(_, entry)| lock(entry).version.is_some());
        served.map(|(zone, _)| zone.clone()).collect()
    }

    /// Notes what a secondary answered to being told.
    pub fn note(&self, zone: &Name, target: SocketAddr, status: NotifyStatus) {
        if let Some(entry) = self.entry(zone) {
            lock(&entry).secondaries.note(target, status);
        }
    }

    /// Notes the version that is published now, and answers which secondaries are to be asked for
    /// it, and when.
    pub fn look_at(&self, zone: &Name, now: Timestamp) -> Vec<(SocketAddr, Timestamp)> {
        let Some(entry) = self.entry(zone) else { return Vec::new() };
        let mut entry = lock(&entry);
        let Some(serial) = entry.version.as_ref().and_then(|version| version.serial()) else {
            return Vec::new();
        };
        let Some(outbound) = entry.outbound.clone() else { return Vec::new() };
        entry.secondaries.published(&outbound, serial, now)
    }

    /// Whom to ask which version he has; `None`: nobody wants to know any more.
    pub fn watched(&self, zone: &Name, target: SocketAddr) -> Option<Remote> {
        let entry = self.entry(zone)?;
        let outbound = lock(&entry).outbound.clone()?;
        let is_watched = outbound.watch != WatchLimit::Off;
        outbound.notify.iter().find(|remote| is_watched && remote.address == target).cloned()
    }

    /// Notes what a secondary showed; when it is to be asked again, and what to say of it.
    pub fn showed(
        &self,
        zone: &Name,
        target: SocketAddr,
        shown: Shown,
        now: Timestamp,
        jitter: Jitter,
    ) -> Option<Next> {
        let entry = self.entry(zone)?;
        let mut entry = lock(&entry);
        let timers = timers(entry.version.as_deref()?);
        let lag_max = entry.outbound.as_ref()?.watch.lag_max(timers)?;
        entry.secondaries.showed(target, shown, (timers, lag_max), now, jitter)
    }

    /// Notes how an update was answered.
    pub fn note_update(&self, zone: &Name, update: AnsweredUpdate) {
        if let Some(entry) = self.entry(zone) {
            lock(&entry).updates.note(update);
        }
    }

    /// How updates were answered; `None`: nobody may send any.
    pub fn updates(&self, zone: &Name) -> Option<UpdateTally> {
        let entry = self.entry(zone)?;
        let entry = lock(&entry);
        let may_any = entry.inbound.as_ref().is_some_and(|it| !it.allow_update.is_empty());
        may_any.then(|| entry.updates.clone())
    }

    /// What operators see; `None`: the zone has no DNS output.
    pub fn status(&self, zone: &Name) -> Option<OutboundStatus> {
        let entry = self.entry(zone)?;
        let entry = lock(&entry);
        let outbound = entry.outbound.as_ref()?;
        let version = entry.version.as_deref();
        Some(OutboundStatus {
            serial: version.and_then(ZoneVersion::serial),
            steps: (entry.history.len(), entry.history.octets()),
            lag_max: outbound.watch.lag_max(version.map(timers).unwrap_or_default()),
            secondaries: entry.secondaries.status(outbound),
        })
    }

    fn entry(&self, zone: &Name) -> Option<Arc<Mutex<Entry>>> {
        self.zones.read().unwrap_or_else(PoisonError::into_inner).get(zone).cloned()
    }

    fn entry_or_new(&self, zone: &Name) -> Arc<Mutex<Entry>> {
        let mut zones = self.zones.write().unwrap_or_else(PoisonError::into_inner);
        zones.entry(zone.clone()).or_default().clone()
    }
}

fn octets_of(version: &ZoneVersion) -> usize {
    version.chunks().map(|chunk| chunk.byte_count()).sum()
}

/// Those of its SOA.
fn timers(version: &ZoneVersion) -> Timers {
    version.soa_rdata().and_then(Timers::of_soa).unwrap_or_default()
}

/// What is in there is whole after each call, so a panic elsewhere leaves it good.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
