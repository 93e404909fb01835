//! What the world has of a zone, whoever gave it out (guard W12): the serial in the signed file,
//! and those that secondaries showed. In: looks at the file, sightings. Out: serials that the next
//! version has to be newer than.
//! Limits: [`PEERS_MAX`] secondaries of a zone; of each what it showed last counts, for
//! [`SIGHTING_KEPT`].

use super::super::pipeline::{RunOrder, Services};
use crate::io::zone_files::ZoneFile;
use dnssec::zonefile::serial_of_file;
use dnssec::{Name, Seconds, Serial, Timestamp};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// How far into a signed file its SOA is looked for, in bytes; signers write it first.
const HEAD_BYTES: usize = 64 << 10;
/// Secondaries remembered of one zone.
const PEERS_MAX: usize = 64;
/// So long a serial counts that a secondary showed, in seconds: one that has it shows it again, and
/// a slip of the hand (`dig ixfr=`) is soon over.
const SIGHTING_KEPT: Seconds = Seconds(7_200);

/// What each secondary of a zone showed, and when.
type Shown = BTreeMap<IpAddr, (Serial, Timestamp)>;

/// Serials that secondaries were seen to have.
#[derive(Default)]
pub struct ServedSerials {
    zones: Mutex<BTreeMap<Name, Shown>>,
}

impl ServedSerials {
    /// Notes that a secondary has a version of this serial, as its request for a transfer says.
    /// Only to be called for peers that may have the zone, after their TSIG was verified. Serial 0
    /// says that there is no version yet.
    pub fn note(&self, zone: &Name, peer: IpAddr, serial: Serial, now: Timestamp) {
        if serial == Serial(0) {
            return;
        }
        let mut zones = self.zones.lock().unwrap_or_else(PoisonError::into_inner);
        let peers = zones.entry(zone.clone()).or_default();
        if peers.len() < PEERS_MAX || peers.contains_key(&peer) {
            peers.insert(peer, (serial, now));
        }
    }

    /// Serials that secondaries of the zone showed lately.
    pub fn shown(&self, zone: &Name, now: Timestamp) -> Vec<Serial> {
        let mut zones = self.zones.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(peers) = zones.get_mut(zone) else { return Vec::new() };
        peers.retain(|_, (_, at)| now < at.plus(SIGHTING_KEPT));
        peers.values().map(|(serial, _)| *serial).collect()
    }
}

impl Services {
    /// What a new version has to be newer than.
    pub(super) async fn served(&self, order: &RunOrder) -> Vec<u32> {
        let mut serials = self.served.shown(&order.settings.name, self.clock.now());
        serials.extend(self.serial_in_file(order).await);
        serials.into_iter().map(|serial| serial.0).collect()
    }

    /// The serial in the signed file when that is newer than the version that is to stand there:
    /// somebody else has written it.
    pub(in crate::zone) async fn served_after(
        &self,
        order: &RunOrder,
        version: Serial,
    ) -> Vec<u32> {
        let found = self.serial_in_file(order).await;
        found.filter(|serial| serial.is_after(version)).map(|one| one.0).into_iter().collect()
    }

    async fn serial_in_file(&self, order: &RunOrder) -> Option<Serial> {
        let output = order.settings.output_file()?.to_owned();
        let zone = order.settings.name.clone();
        let look = self.pool.run(move || serial_of_output(&output, &zone)).ok()?;
        look.await.ok().flatten()
    }
}

/// The serial of the version in a signed file. What cannot be read is no version.
pub(in crate::zone) fn serial_of_output(output: &Path, zone: &Name) -> Option<Serial> {
    let mut head = Vec::new();
    ZoneFile::open(output).ok()?.read_block(HEAD_BYTES, &mut head).ok()?;
    serial_of_file(&head, zone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_secondary_showed_last_counts_for_a_while() {
        let (served, zone) = (ServedSerials::default(), Name::root());
        let peer = |last: u8| IpAddr::from([192, 0, 2, last]);
        let at = |now: u64| served.shown(&zone, Timestamp(now)).iter().map(|one| one.0).collect();
        served.note(&zone, peer(1), Serial(9), Timestamp(10));
        served.note(&zone, peer(2), Serial(7), Timestamp(20));
        served.note(&zone, peer(3), Serial(0), Timestamp(20));
        served.note(&zone, peer(1), Serial(8), Timestamp(30));
        let now: Vec<u32> = at(40);
        assert_eq!(now, [8, 7]);
        let later: Vec<u32> = at(7_220);
        assert_eq!(later, [8]);
        for last in 0..=255 {
            served.note(&zone, peer(last), Serial(1), Timestamp(90_000));
        }
        let many: Vec<u32> = at(90_000);
        assert_eq!(many.len(), PEERS_MAX);
    }
}
