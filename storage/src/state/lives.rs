//! The lives of zones' keys in the state store, and the history of what happened to them.
//! A life changes by [`StateStore::life_commit`] only, which appends what the change did to the
//! history in the same transaction: nothing is ever removed from there, and a change without an
//! entry cannot be made. Keys that the zone takes change their owner in that transaction too, so
//! no two zones take one key; keys that the zone forgets go into the trash in that transaction,
//! unless another zone shares them, so that a dead key can never be taken for a fresh one.

use super::StateStore;
use super::error::{Failure, StateError};
use super::keys;
use super::records::KeyOwner;
use super::tables::{HISTORY, LIVES, zone_key};
use super::values::decode_name;
use super::values::life::{decode_entry, decode_life, encode_entry, encode_life};
use dnssec::enforcer::history::{KeyEvent, events};
use dnssec::enforcer::{KeyLife, ZoneLife};
use dnssec::key::KeyId;
use dnssec::{Name, Timestamp};
use redb::{ReadableTable, Table, WriteTransaction};
use std::collections::BTreeSet;

/// One change of a zone's keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryEntry {
    /// When.
    pub at: Timestamp,
    /// Why: the enforcer's own pass, or the command and who gave it.
    pub cause: String,
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
    pub cause: &'a str,
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
            trash_unused(transaction, &lives, &before, &events, change.at)?;
            let cause = change.cause.to_owned();
            let entry = HistoryEntry { at: change.at, cause, events };
            append(&mut transaction.open_table(HISTORY)?, &zone, &entry)
        })
    }

    /// Forgets a zone's keys; its history stays, with this as its last entry.
    pub fn life_remove(&self, zone: &Name, at: Timestamp, cause: &str) -> Result<(), StateError> {
        self.write(|transaction| {
            let key = zone_key(zone);
            let mut lives = transaction.open_table(LIVES)?;
            let before = match lives.remove(key.as_slice())? {
                Some(value) => decode_life(value.value())?,
                None => return Ok(()),
            };
            let events = events(&before, &ZoneLife::default());
            trash_unused(transaction, &lives, &before, &events, at)?;
            let entry = HistoryEntry { at, cause: cause.to_owned(), events };
            append(&mut transaction.open_table(HISTORY)?, &key, &entry)
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

/// Puts the keys that a zone forgot into the trash, unless another zone has them too.
fn trash_unused(
    transaction: &WriteTransaction,
    lives: &Table<'_, &'static [u8], &'static [u8]>,
    before: &ZoneLife,
    events: &[(KeyId, KeyEvent)],
    at: Timestamp,
) -> Result<(), Failure> {
    let is_gone =
        |key: &&KeyLife| events.iter().any(|(id, event)| *id == key.id && *event == KeyEvent::Gone);
    let gone: Vec<&KeyLife> = before.keys.iter().filter(is_gone).collect();
    if gone.is_empty() {
        return Ok(());
    }
    let mut used = BTreeSet::new();
    for entry in lives.iter()? {
        let life = decode_life(entry?.1.value())?;
        used.extend(life.keys.into_iter().map(|key| (key.repository, key.id)));
    }
    for key in gone {
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
