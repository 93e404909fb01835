//! Waivers of the auditor's findings: one finding of one zone, until a moment, for a reason.
//! In: a zone, the number of a finding. Out: the same. One that is over counts for nothing, and is
//! removed with the next change of its zone's.
//! Never: which findings may be waived; that is the auditor's.

use super::StateStore;
use super::error::{Failure, StateError, ValueProblem};
use super::lives::User;
use super::tables::{WAIVERS, zone_key};
use super::values::{decode, decode_name, encode};
use dnssec::{Name, Timestamp};
use redb::ReadableTable;
use serde::{Deserialize, Serialize};

/// One finding of one zone that does not stop publication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiver {
    /// Number of the finding.
    pub finding: u16,
    /// It counts before this moment only.
    pub until: Timestamp,
    /// Why.
    pub reason: String,
    /// When it was given.
    pub given_at: Timestamp,
    /// Who gave it.
    pub given_by: Option<User>,
}

#[derive(Serialize, Deserialize)]
enum WaiverValue {
    V0(WaiverV0),
}

#[derive(Serialize, Deserialize)]
struct WaiverV0 {
    until: u64,
    reason: String,
    given_at: u64,
    given_by: Option<(u32, Option<String>)>,
}

const TABLE: &str = "waivers";

fn encode_waiver(waiver: &Waiver) -> Result<Vec<u8>, Failure> {
    let value = WaiverV0 {
        until: waiver.until.0,
        reason: waiver.reason.clone(),
        given_at: waiver.given_at.0,
        given_by: waiver.given_by.as_ref().map(|user| (user.id, user.name.clone())),
    };
    encode(TABLE, &WaiverValue::V0(value))
}

fn decode_waiver(finding: u16, bytes: &[u8]) -> Result<Waiver, Failure> {
    let WaiverValue::V0(value) = decode(TABLE, bytes)?;
    Ok(Waiver {
        finding,
        until: Timestamp(value.until),
        reason: value.reason,
        given_at: Timestamp(value.given_at),
        given_by: value.given_by.map(|(id, name)| User { id, name }),
    })
}

impl StateStore {
    /// The waivers of a zone, by number; those that are over are among them.
    pub fn waivers_of(&self, zone: &Name) -> Result<Vec<Waiver>, StateError> {
        let key = zone_key(zone);
        self.read(|transaction| {
            let table = transaction.open_table(WAIVERS)?;
            let mut waivers = Vec::new();
            for entry in table.range((key.as_slice(), 0)..=(key.as_slice(), u16::MAX))? {
                let (key, value) = entry?;
                waivers.push(decode_waiver(key.value().1, value.value())?);
            }
            Ok(waivers)
        })
    }

    /// The waivers of all zones.
    pub fn waivers(&self) -> Result<Vec<(Name, Waiver)>, StateError> {
        self.read(|transaction| {
            let table = transaction.open_table(WAIVERS)?;
            let mut waivers = Vec::new();
            for entry in table.iter()? {
                let (key, value) = entry?;
                let (zone, finding) = key.value();
                let zone = decode_name(TABLE, zone)?;
                waivers.push((zone, decode_waiver(finding, value.value())?));
            }
            Ok(waivers)
        })
    }

    /// Waives a finding; a waiver of the same finding is replaced. `now`: those of the zone that
    /// are over then go.
    pub fn waive(&self, zone: &Name, waiver: &Waiver, now: Timestamp) -> Result<(), StateError> {
        let (key, value) = (zone_key(zone), encode_waiver(waiver));
        self.write(|transaction| {
            let mut table = transaction.open_table(WAIVERS)?;
            let mut over = Vec::new();
            for entry in table.range((key.as_slice(), 0)..=(key.as_slice(), u16::MAX))? {
                let (key, value) = entry?;
                let finding = key.value().1;
                if decode_waiver(finding, value.value())?.until <= now {
                    over.push(finding);
                }
            }
            for finding in over {
                table.remove((key.as_slice(), finding))?;
            }
            table.insert((key.as_slice(), waiver.finding), value?.as_slice())?;
            Ok(())
        })
    }

    /// Takes a waiver back; `false`: there was none.
    pub fn unwaive(&self, zone: &Name, finding: u16) -> Result<bool, StateError> {
        let key = zone_key(zone);
        self.write(|transaction| {
            let mut table = transaction.open_table(WAIVERS)?;
            Ok(table.remove((key.as_slice(), finding))?.is_some())
        })
    }
}

/// A zone that is gone has no waivers.
pub(super) fn forget(transaction: &redb::WriteTransaction, zone_key: &[u8]) -> Result<(), Failure> {
    let mut table = transaction.open_table(WAIVERS)?;
    table.retain_in((zone_key, 0)..=(zone_key, u16::MAX), |_, _| false)?;
    Ok(())
}

/// What caches may still have of a zone's versions, as the auditor keeps it; opaque here.
impl StateStore {
    /// The zone's eras; `None`: nothing is remembered.
    pub fn eras(&self, zone: &Name) -> Result<Option<Vec<u8>>, StateError> {
        self.read(|transaction| {
            let table = transaction.open_table(super::tables::ERAS)?;
            let value = table.get(zone_key(zone).as_slice())?;
            let Some(value) = value else { return Ok(None) };
            let EraValue::V0(bytes) = decode("eras", value.value())?;
            Ok(Some(bytes))
        })
    }

    /// Remembers a zone's eras.
    pub fn eras_put(&self, zone: &Name, eras: &[u8]) -> Result<(), StateError> {
        if eras.len() > ERAS_LENGTH_MAX {
            let problem = ValueProblem::Malformed;
            return self.write(|_| Err(Failure::Value { table: "eras", problem }));
        }
        let value = encode("eras", &EraValue::V0(eras.to_vec()));
        self.write(|transaction| {
            let mut table = transaction.open_table(super::tables::ERAS)?;
            table.insert(zone_key(zone).as_slice(), value?.as_slice())?;
            Ok(())
        })
    }
}

/// A zone's eras are never longer, in octets.
const ERAS_LENGTH_MAX: usize = 4 << 20;

#[derive(Serialize, Deserialize)]
enum EraValue {
    V0(Vec<u8>),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::FaultDisk;
    use std::path::Path;

    fn name(text: &str) -> Name {
        Name::parse(text.as_bytes(), None).unwrap()
    }

    fn waiver(finding: u16, until: u64) -> Waiver {
        Waiver {
            finding,
            until: Timestamp(until),
            reason: "the case differs, as agreed".to_owned(),
            given_at: Timestamp(5),
            given_by: Some(User { id: 7, name: Some("ines".to_owned()) }),
        }
    }

    #[test]
    fn a_waiver_is_of_one_finding_of_one_zone_and_lasts() {
        let disk = FaultDisk::default();
        let open = || StateStore::open_on(&disk, Path::new("state"), Timestamp(1)).unwrap();
        let (one, other) = (name("Example.com."), name("example.com.example.com."));
        let store = open();
        store.waive(&one, &waiver(603, 100), Timestamp(9)).unwrap();
        store.waive(&other, &waiver(713, 200), Timestamp(9)).unwrap();
        drop(store);
        let store = open();
        assert_eq!(store.waivers_of(&name("example.com.")).unwrap(), [waiver(603, 100)]);
        assert_eq!(store.waivers().unwrap().len(), 2);
        assert!(store.unwaive(&one, 603).unwrap());
        assert!(!store.unwaive(&one, 603).unwrap());
        assert_eq!(store.waivers_of(&one).unwrap(), []);
        assert_eq!(store.waivers_of(&other).unwrap(), [waiver(713, 200)]);
    }

    #[test]
    fn waivers_that_are_over_go_with_the_next_one() {
        let disk = FaultDisk::default();
        let store = StateStore::open_on(&disk, Path::new("state"), Timestamp(1)).unwrap();
        let zone = name("example.");
        store.waive(&zone, &waiver(603, 100), Timestamp(9)).unwrap();
        store.waive(&zone, &waiver(713, 300), Timestamp(100)).unwrap();
        assert_eq!(store.waivers_of(&zone).unwrap(), [waiver(713, 300)]);
    }

    #[test]
    fn a_zone_that_is_removed_loses_waivers_and_eras() {
        let disk = FaultDisk::default();
        let store = StateStore::open_on(&disk, Path::new("state"), Timestamp(1)).unwrap();
        let zone = name("example.");
        store.zone_add(&zone, "default").unwrap();
        store.waive(&zone, &waiver(603, 100), Timestamp(9)).unwrap();
        store.eras_put(&zone, &[1, 2, 3]).unwrap();
        assert_eq!(store.eras(&zone).unwrap(), Some(vec![1, 2, 3]));
        store.zone_remove(&zone, Timestamp(10), &"gone".into()).unwrap();
        assert_eq!(store.waivers().unwrap(), []);
        assert_eq!(store.eras(&zone).unwrap(), None);
    }

    #[test]
    fn damaged_values_are_errors() {
        let disk = FaultDisk::default();
        let store = StateStore::open_on(&disk, Path::new("state"), Timestamp(1)).unwrap();
        let zone = name("example.");
        let damaged = store.write(|transaction| {
            let key = zone_key(&zone);
            transaction.open_table(WAIVERS)?.insert((key.as_slice(), 1), [9, 9].as_slice())?;
            let mut eras = transaction.open_table(crate::state::tables::ERAS)?;
            eras.insert(key.as_slice(), [0, 5, 1].as_slice())?;
            Ok(())
        });
        damaged.unwrap();
        assert!(store.waivers_of(&zone).is_err());
        assert!(store.waivers().is_err());
        assert!(store.eras(&zone).is_err());
        assert!(store.eras_put(&zone, &vec![0; ERAS_LENGTH_MAX + 1]).is_err());
    }
}
