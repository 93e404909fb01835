//! Policies and zones in the state store.
//! `commit_version` is the moment a snapshot becomes true, `commit_difference` the one of a
//! journal entry: after its file is synced, before anybody outside sees the version.
//! The last serial of a zone outlives the zone, so that a zone removed and added again goes on
//! above it: one serial never has two contents.

use super::StateStore;
use super::error::{Failure, StateError};
use super::records::{PolicyState, ZoneState};
use super::tables::{POLICIES, SERIALS, ZONES, zone_key};
use super::values::{decode_name, decode_policy, decode_zone, encode_policy, encode_zone};
use super::verdicts::{self, VerdictEntry};
use dnssec::{Name, Serial};
use redb::{ReadableTable, Table};

type ZoneTable<'t> = Table<'t, &'static [u8], &'static [u8]>;

impl StateStore {
    /// What is remembered about a policy.
    pub fn policy(&self, name: &str) -> Result<Option<PolicyState>, StateError> {
        self.read(|transaction| {
            let table = transaction.open_table(POLICIES)?;
            table.get(name)?.map(|value| decode_policy(value.value())).transpose()
        })
    }

    /// All policies, by name.
    pub fn policies(&self) -> Result<Vec<(String, PolicyState)>, StateError> {
        self.read(|transaction| {
            let table = transaction.open_table(POLICIES)?;
            let mut policies = Vec::new();
            for entry in table.iter()? {
                let (name, value) = entry?;
                policies.push((name.value().to_owned(), decode_policy(value.value())?));
            }
            Ok(policies)
        })
    }

    /// Remembers this about a policy, in place of what was.
    pub fn policy_put(&self, name: &str, policy: &PolicyState) -> Result<(), StateError> {
        let value = encode_policy(policy);
        self.write(|transaction| {
            transaction.open_table(POLICIES)?.insert(name, value?.as_slice())?;
            Ok(())
        })
    }

    /// Forgets a policy; nothing happens when it is not known.
    pub fn policy_remove(&self, name: &str) -> Result<(), StateError> {
        self.write(|transaction| {
            transaction.open_table(POLICIES)?.remove(name)?;
            Ok(())
        })
    }

    /// What is remembered about a zone.
    pub fn zone(&self, zone: &Name) -> Result<Option<ZoneState>, StateError> {
        self.read(|transaction| {
            let table = transaction.open_table(ZONES)?;
            let value = table.get(zone_key(zone).as_slice())?;
            value.map(|value| decode_zone(value.value())).transpose()
        })
    }

    /// All zones, by the octets of their lower-case wire form.
    pub fn zones(&self) -> Result<Vec<(Name, ZoneState)>, StateError> {
        self.read(|transaction| {
            let table = transaction.open_table(ZONES)?;
            let mut zones = Vec::new();
            for entry in table.iter()? {
                let (name, value) = entry?;
                zones.push((decode_name("zones", name.value())?, decode_zone(value.value())?));
            }
            Ok(zones)
        })
    }

    /// Adds a zone under `policy`. One that was known before goes on above its last serial.
    pub fn zone_add(&self, zone: &Name, policy: &str) -> Result<ZoneState, StateError> {
        self.write(|transaction| {
            let key = zone_key(zone);
            let mut table = transaction.open_table(ZONES)?;
            if table.get(key.as_slice())?.is_some() {
                return Err(StateError::ZoneExists { zone: Box::new(zone.clone()) }.into());
            }
            let serials = transaction.open_table(SERIALS)?;
            let state = ZoneState {
                policy: policy.to_owned(),
                input_serial: None,
                output_serial: serials.get(key.as_slice())?.map(|serial| Serial(serial.value())),
                generation: 0,
                signed_at: None,
                denial: None,
                last_published: None,
            };
            table.insert(key.as_slice(), encode_zone(&state)?.as_slice())?;
            Ok(state)
        })
    }

    /// Remembers this about a zone. Serial and generation must be those in the store: they
    /// change by the commits below only.
    pub fn zone_update(&self, zone: &Name, state: &ZoneState) -> Result<(), StateError> {
        self.write(|transaction| {
            let key = zone_key(zone);
            let mut table = transaction.open_table(ZONES)?;
            let present = get_zone(&table, zone, &key)?;
            check_generation(zone, &present, state.generation, present.generation)?;
            if state.output_serial != present.output_serial {
                return Err(not_rising(zone, present.output_serial, state.output_serial).into());
            }
            table.insert(key.as_slice(), encode_zone(state)?.as_slice())?;
            Ok(())
        })
    }

    /// Makes a version true: serial and generation must be after the last ones. To commit again
    /// what is committed already changes nothing.
    pub fn commit_version(&self, zone: &Name, state: &ZoneState) -> Result<(), StateError> {
        self.commit_versions([(zone, state)])
    }

    /// Makes versions of several zones true in one transaction: all or, on an error, none.
    pub fn commit_versions<'a>(
        &self,
        versions: impl IntoIterator<Item = (&'a Name, &'a ZoneState)>,
    ) -> Result<(), StateError> {
        self.commit(versions, rising_generation, None)
    }

    /// [`StateStore::commit_version`] with its verdict, in one transaction. Where nothing is
    /// changed, the verdict is in the log already.
    pub fn commit_version_judged(
        &self,
        zone: &Name,
        state: &ZoneState,
        verdict: &VerdictEntry,
    ) -> Result<(), StateError> {
        self.commit([(zone, state)], rising_generation, Some(verdict))
    }

    /// Makes a version true whose difference to the last one is in the journal: its serial must
    /// be after the last one, its generation the true one, as the snapshot is. To commit again
    /// what is committed already changes nothing.
    pub fn commit_difference(&self, zone: &Name, state: &ZoneState) -> Result<(), StateError> {
        self.commit([(zone, state)], same_generation, None)
    }

    /// [`StateStore::commit_difference`] with its verdict, in one transaction.
    pub fn commit_difference_judged(
        &self,
        zone: &Name,
        state: &ZoneState,
        verdict: &VerdictEntry,
    ) -> Result<(), StateError> {
        self.commit([(zone, state)], same_generation, Some(verdict))
    }

    /// Commits versions; `generation` says, of the state in the store and the new one, which
    /// generation the new one must have.
    fn commit<'a>(
        &self,
        versions: impl IntoIterator<Item = (&'a Name, &'a ZoneState)>,
        generation: impl Fn(&ZoneState, &ZoneState) -> u64,
        verdict: Option<&VerdictEntry>,
    ) -> Result<(), StateError> {
        self.write(|transaction| {
            let mut table = transaction.open_table(ZONES)?;
            let mut serials = transaction.open_table(SERIALS)?;
            for (zone, state) in versions {
                let key = zone_key(zone);
                let present = get_zone(&table, zone, &key)?;
                if present == *state {
                    continue;
                }
                let last = serials.get(key.as_slice())?.map(|serial| Serial(serial.value()));
                let serial = rising_serial(zone, last, state.output_serial)?;
                check_generation(zone, &present, state.generation, generation(&present, state))?;
                table.insert(key.as_slice(), encode_zone(state)?.as_slice())?;
                serials.insert(key.as_slice(), serial.0)?;
                if let Some(verdict) = verdict {
                    verdicts::append(transaction, verdict)?;
                }
            }
            Ok(())
        })
    }

    /// Makes a new snapshot true, of the last version or, when its segment of the journal is
    /// there too, of an earlier one: only the generation changes, to a later one. Serials that
    /// were committed since that version was taken stay. To commit the same again changes
    /// nothing.
    pub fn commit_snapshot(&self, zone: &Name, generation: u64) -> Result<(), StateError> {
        self.write(|transaction| {
            let key = zone_key(zone);
            let mut table = transaction.open_table(ZONES)?;
            let present = get_zone(&table, zone, &key)?;
            check_generation(zone, &present, generation, generation.max(present.generation))?;
            let state = ZoneState { generation, ..present };
            table.insert(key.as_slice(), encode_zone(&state)?.as_slice())?;
            Ok(())
        })
    }
}

/// A snapshot has a later generation than the one before.
fn rising_generation(present: &ZoneState, state: &ZoneState) -> u64 {
    state.generation.max(present.generation.saturating_add(1))
}

/// A difference has that of its snapshot. Generation 0 has no snapshot that one could follow.
fn same_generation(present: &ZoneState, _: &ZoneState) -> u64 {
    present.generation.max(1)
}

fn get_zone(table: &ZoneTable<'_>, zone: &Name, key: &[u8]) -> Result<ZoneState, Failure> {
    match table.get(key)? {
        Some(value) => decode_zone(value.value()),
        None => Err(StateError::ZoneUnknown { zone: Box::new(zone.clone()) }.into()),
    }
}

fn check_generation(
    zone: &Name,
    present: &ZoneState,
    new: u64,
    expected: u64,
) -> Result<(), StateError> {
    if new == expected {
        return Ok(());
    }
    let zone = Box::new(zone.clone());
    Err(StateError::WrongGeneration { zone, last: present.generation, new })
}

fn rising_serial(
    zone: &Name,
    last: Option<Serial>,
    new: Option<Serial>,
) -> Result<Serial, StateError> {
    match (last, new) {
        (None, Some(new)) => Ok(new),
        (Some(last), Some(new)) if new.is_after(last) => Ok(new),
        _ => Err(not_rising(zone, last, new)),
    }
}

fn not_rising(zone: &Name, last: Option<Serial>, new: Option<Serial>) -> StateError {
    let zone = Box::new(zone.clone());
    match last {
        Some(last) => StateError::SerialNotRising { zone, last, new },
        None => StateError::SerialMissing { zone },
    }
}
