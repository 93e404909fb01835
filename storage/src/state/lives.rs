//! The lives of zones' keys in the state store, and the history of what happened to them.
//! A life changes by [`StateStore::life_commit`] only, which appends what the change did to the
//! history in the same transaction: nothing is ever removed from there, and a change without an
//! entry cannot be made. Keys that the zone takes change their owner in that transaction too, so
//! no two zones take one key; keys that the zone forgets go into the trash in that transaction,
//! unless another zone shares them, so that a dead key can never be taken for a fresh one. A zone
//! goes as a whole: its life, what is remembered of it, and its keys, in one transaction.

use super::StateStore;
use super::error::{Failure, StateError};
use super::keys;
use super::records::{KeyOwner, KeyState};
use super::tables::{ANNOUNCED, ERAS, HISTORY, INPUTS, LIVES, REFRESHES, ZONES, zone_key};
use super::values::decode_name;
use super::values::life::{decode_entry, decode_life, encode_entry, encode_life};
use dnssec::enforcer::history::{KeyEvent, events};
use dnssec::enforcer::{KeyLife, ZoneLife};
use dnssec::key::KeyId;
use dnssec::{Name, Timestamp};
use redb::{ReadableTable, Table, WriteTransaction};
use std::collections::BTreeSet;
use std::fmt;

/// A user of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The number that the system knows the user by.
    pub id: u32,
    /// The name that went with the number then; `None`: there was none.
    pub name: Option<String>,
}

impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => f.write_str(name),
            None => write!(f, "user {}", self.id),
        }
    }
}

/// Why something was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// The enforcer's own pass, or the command.
    pub text: String,
    /// Who gave the command; `None`: nobody did, or nobody noted it.
    pub by: Option<User>,
}

impl From<&str> for Cause {
    fn from(text: &str) -> Cause {
        Cause { text: text.to_owned(), by: None }
    }
}

/// One change of a zone's keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryEntry {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub cause: Cause,
    /// What happened, key by key; none when a command was noted that takes effect later.
    pub events: Vec<(KeyId, KeyEvent)>,
}

/// A change of a zone's keys that is to be made durable.
#[derive(Clone, Debug)]
pub struct LifeChange<'a> {
    /// The zone.
    pub zone: &'a Name,
    /// What is remembered of it from now on.
    pub life: &'a ZoneLife,
    /// Keys (repository and id) that are this zone's alone from now on.
    pub taken: &'a [(String, KeyId)],
    /// When.
    pub at: Timestamp,
    /// Why.
    pub cause: &'a Cause,
}

impl StateStore {
    /// What is remembered of a zone's keys; `None` for a zone never enforced.
    pub fn life(&self, zone: &Name) -> Result<Option<ZoneLife>, StateError> {
        self.read(|transaction| {
            let table = transaction.open_table(LIVES)?;
            let value = table.get(zone_key(zone).as_slice())?;
            value.map(|value| decode_life(value.value())).transpose()
        })
    }

    /// The lives of all zones.
    pub fn lives(&self) -> Result<Vec<(Name, ZoneLife)>, StateError> {
        self.read(|transaction| {
            let table = transaction.open_table(LIVES)?;
            let mut lives = Vec::new();
            for entry in table.iter()? {
                let (zone, value) = entry?;
                lives.push((decode_name("lives", zone.value())?, decode_life(value.value())?));
            }
            Ok(lives)
        })
    }

    /// Makes a change durable. One that changes no key and was asked for by nobody leaves no
    /// entry in the history.
    pub fn life_commit(&self, change: &LifeChange<'_>) -> Result<(), StateError> {
        self.write(|transaction| {
            let zone = zone_key(change.zone);
            let mut lives = transaction.open_table(LIVES)?;
            let before = match lives.get(zone.as_slice())? {
                Some(value) => decode_life(value.value())?,
                None => ZoneLife::default(),
            };
            lives.insert(zone.as_slice(), encode_life(change.life)?.as_slice())?;
            let owner = KeyOwner::Zone(Box::new(change.zone.clone()));
            for (repository, id) in change.taken {
                keys::set_owner(transaction, repository, id, &owner)?;
            }
            let events = events(&before, change.life);
            if events.is_empty() && before == *change.life {
                return Ok(());
            }
            trash_unused(transaction, (&lives, &owner), &before, &events, change.at)?;
            let cause = change.cause.clone();
            let entry = HistoryEntry { at: change.at, cause, events };
            append(&mut transaction.open_table(HISTORY)?, &zone, &entry)
        })
    }

    /// Forgets a zone but for its last serial and its history, of which this is the last entry.
    /// Keys that are the zone's alone go into the trash; those whose making was not seen to end
    /// are to be destroyed. Nothing happens when the zone is not known.
    pub fn zone_remove(&self, zone: &Name, at: Timestamp, cause: &Cause) -> Result<(), StateError> {
        self.write(|transaction| {
            let (key, owner) = (zone_key(zone), KeyOwner::Zone(Box::new(zone.clone())));
            transaction.open_table(ZONES)?.remove(key.as_slice())?;
            transaction.open_table(ANNOUNCED)?.remove(key.as_slice())?;
            transaction.open_table(INPUTS)?.remove(key.as_slice())?;
            transaction.open_table(REFRESHES)?.remove(key.as_slice())?;
            transaction.open_table(ERAS)?.remove(key.as_slice())?;
            super::waivers::forget(transaction, &key)?;
            let mut lives = transaction.open_table(LIVES)?;
            let before = lives.remove(key.as_slice())?.map(|value| decode_life(value.value()));
            if let Some(before) = before.transpose()? {
                let events = events(&before, &ZoneLife::default());
                trash_unused(transaction, (&lives, &owner), &before, &events, at)?;
                let entry = HistoryEntry { at, cause: cause.clone(), events };
                append(&mut transaction.open_table(HISTORY)?, &key, &entry)?;
            }
            for record in keys::owned(transaction, &owner)? {
                match record.state {
                    KeyState::Present => {
                        keys::trash(transaction, &record.repository, &record.id, at)?;
                    }
                    KeyState::Intent => keys::put_removing(transaction, &record)?,
                    KeyState::Removing | KeyState::Trashed { .. } => {}
                }
            }
            Ok(())
        })
    }

    /// The history of a zone's keys, oldest first.
    pub fn history(&self, zone: &Name) -> Result<Vec<HistoryEntry>, StateError> {
        let key = zone_key(zone);
        self.read(|transaction| {
            let table = transaction.open_table(HISTORY)?;
            let range = (key.as_slice(), 0)..=(key.as_slice(), u64::MAX);
            let entries = table.range(range)?;
            entries.map(|entry| decode_entry(entry?.1.value())).collect()
        })
    }
}

/// Puts the keys that a zone (`owner`) forgot into the trash, unless another zone has them too.
fn trash_unused(
    transaction: &WriteTransaction,
    (lives, owner): (&Table<'_, &'static [u8], &'static [u8]>, &KeyOwner),
    before: &ZoneLife,
    events: &[(KeyId, KeyEvent)],
    at: Timestamp,
) -> Result<(), Failure> {
    let is_gone =
        |key: &&KeyLife| events.iter().any(|(id, event)| *id == key.id && *event == KeyEvent::Gone);
    let gone = before.keys.iter().filter(is_gone);
    // Most keys are one zone's own: no other has to be looked at, of which there are many.
    let mut shared = Vec::new();
    for key in gone {
        match keys::is_of(transaction, &key.repository, &key.id, owner)? {
            true => keys::trash(transaction, &key.repository, &key.id, at)?,
            false => shared.push(key),
        }
    }
    if shared.is_empty() {
        return Ok(());
    }
    let mut used = BTreeSet::new();
    for entry in lives.iter()? {
        let life = decode_life(entry?.1.value())?;
        used.extend(life.keys.into_iter().map(|key| (key.repository, key.id)));
    }
    for key in shared {
        if !used.contains(&(key.repository.clone(), key.id.clone())) {
            keys::trash(transaction, &key.repository, &key.id, at)?;
        }
    }
    Ok(())
}

fn append(
    table: &mut Table<'_, (&'static [u8], u64), &'static [u8]>,
    zone: &[u8],
    entry: &HistoryEntry,
) -> Result<(), Failure> {
    let last = table.range((zone, 0)..=(zone, u64::MAX))?.next_back().transpose()?;
    let next = last.map_or(0, |(key, _)| key.value().1.saturating_add(1));
    table.insert((zone, next), encode_entry(entry)?.as_slice())?;
    Ok(())
}
