//! Zones that come by transfer: of each, what its masters said last.
//! In: a zone, what was found. Out: the same.
//! Never: the zone's content, its serial or its timers; those are in its snapshot. Nor what is to
//! be asked next; that follows from this, the time and the settings.

use super::StateStore;
use super::error::StateError;
use super::tables::{REFRESHES, zone_key};
use super::values::{decode, encode};
use dnssec::{Name, Serial, Timestamp};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

const TABLE: &str = "refreshes";

/// What a zone's masters said last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refresh {
    /// When one said last that we have its newest version: expiry counts from there.
    pub confirmed_at: Option<Timestamp>,
    /// The last transfer that was used.
    pub transfer: Option<Transferred>,
    /// The masters that cannot do IXFR, and until when that is believed.
    pub ixfr_refused: Vec<(SocketAddr, Timestamp)>,
    /// The refusals that last.
    pub refusals: Vec<Refusal>,
}

/// A transfer that was used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transferred {
    /// When.
    pub at: Timestamp,
    /// From whom.
    pub from: SocketAddr,
    /// The zone's serial.
    pub serial: Serial,
}

/// A master that does not give us the zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Which.
    pub master: SocketAddr,
    /// Its RCODE, or what else is wrong, for people.
    pub reason: String,
    /// Since when that is so.
    pub since: Timestamp,
}

#[derive(Serialize, Deserialize)]
enum RefreshValue {
    V0(RefreshV0),
}

#[derive(Serialize, Deserialize)]
struct RefreshV0 {
    confirmed_at: Option<u64>,
    transfer: Option<(u64, SocketAddr, u32)>,
    ixfr_refused: Vec<(SocketAddr, u64)>,
    refusals: Vec<(SocketAddr, String, u64)>,
}

impl StateStore {
    /// What a zone's masters said last; the default where nothing is known.
    pub fn refresh(&self, zone: &Name) -> Result<Refresh, StateError> {
        self.read(|transaction| {
            let table = transaction.open_table(REFRESHES)?;
            let Some(bytes) = table.get(zone_key(zone).as_slice())? else {
                return Ok(Refresh::default());
            };
            let RefreshValue::V0(value) = decode(TABLE, bytes.value())?;
            let transfer = value.transfer.map(|(at, from, serial)| Transferred {
                at: Timestamp(at),
                from,
                serial: Serial(serial),
            });
            let refused = value.ixfr_refused.into_iter();
            let refusals = value.refusals.into_iter();
            Ok(Refresh {
                confirmed_at: value.confirmed_at.map(Timestamp),
                transfer,
                ixfr_refused: refused.map(|(master, until)| (master, Timestamp(until))).collect(),
                refusals: refusals
                    .map(|(master, reason, since)| Refusal {
                        master,
                        reason,
                        since: Timestamp(since),
                    })
                    .collect(),
            })
        })
    }

    /// Remembers what a zone's masters said, in the place of what they said before.
    pub fn refresh_put(&self, zone: &Name, refresh: &Refresh) -> Result<(), StateError> {
        let transfer = refresh.transfer.as_ref();
        let refusals = refresh.refusals.iter();
        let value = RefreshV0 {
            confirmed_at: refresh.confirmed_at.map(|at| at.0),
            transfer: transfer.map(|it| (it.at.0, it.from, it.serial.0)),
            ixfr_refused: refresh.ixfr_refused.iter().map(|(it, until)| (*it, until.0)).collect(),
            refusals: refusals.map(|it| (it.master, it.reason.clone(), it.since.0)).collect(),
        };
        let value = encode(TABLE, &RefreshValue::V0(value));
        self.write(|transaction| {
            let mut table = transaction.open_table(REFRESHES)?;
            table.insert(zone_key(zone).as_slice(), value?.as_slice())?;
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::FaultDisk;
    use crate::state::{Cause, tables::are_complete};
    use std::path::Path;

    fn zone() -> Name {
        Name::parse(b"Example.com.", None).unwrap()
    }

    fn refresh() -> Refresh {
        let master = "[2001:db8::1]:5353".parse().unwrap();
        let other = "192.0.2.1:53".parse().unwrap();
        Refresh {
            confirmed_at: Some(Timestamp(9)),
            transfer: Some(Transferred { at: Timestamp(7), from: master, serial: Serial(3) }),
            ixfr_refused: vec![(other, Timestamp(99))],
            refusals: vec![Refusal {
                master: other,
                reason: "answered REFUSED".to_owned(),
                since: Timestamp(8),
            }],
        }
    }

    #[test]
    fn what_masters_said_stays_as_long_as_the_zone() {
        let disk = FaultDisk::default();
        let open = || StateStore::open_on(&disk, Path::new("state"), Timestamp(1)).unwrap();
        let store = open();
        assert_eq!(store.refresh(&zone()).unwrap(), Refresh::default());
        store.refresh_put(&zone(), &refresh()).unwrap();
        drop(store);
        let store = open();
        let lower = Name::parse(b"example.com.", None).unwrap();
        assert_eq!(store.refresh(&lower).unwrap(), refresh());
        let cause = Cause { text: "zone delete".to_owned(), by: None };
        store.zone_remove(&zone(), Timestamp(2), &cause).unwrap();
        assert_eq!(store.refresh(&zone()).unwrap(), Refresh::default());
    }

    /// Files that were made before this table was.
    #[test]
    fn an_older_file_gets_the_table_when_it_is_opened() {
        let disk = FaultDisk::default();
        let open = || StateStore::open_on(&disk, Path::new("state"), Timestamp(1)).unwrap();
        let store = open();
        assert!(store.write(|transaction| Ok(transaction.delete_table(REFRESHES)?)).unwrap());
        assert!(!store.read(are_complete).unwrap());
        drop(store);
        assert_eq!(open().refresh(&zone()).unwrap(), Refresh::default());
    }

    #[test]
    fn a_damaged_value_is_an_error() {
        let disk = FaultDisk::default();
        let store = StateStore::open_on(&disk, Path::new("state"), Timestamp(1)).unwrap();
        let damaged = store.write(|transaction| {
            let mut table = transaction.open_table(REFRESHES)?;
            table.insert(zone_key(&zone()).as_slice(), [9, 9].as_slice())?;
            Ok(())
        });
        damaged.unwrap();
        assert!(store.refresh(&zone()).is_err());
    }
}
