//! Keys in the state store: a record for every private key that is, or may be, in a token.
//! Generation takes three steps: [`StateStore::key_intent`] with the CKA_ID that we chose, the
//! token generates, [`StateStore::key_present`] with the public key. After a crash
//! [`StateStore::intents`] says for which ids to look in the token: adopt what is there, retry
//! what is not. Removal is the same backwards: [`StateStore::key_removing`], the token destroys,
//! [`StateStore::key_remove`].
//! ```text
//!              key_present              key_removing             key_remove
//!   Intent ------------------> Present ---------------> Removing -----------> (no record)
//!      +--------------------------- key_removing ---------^  ^
//!                     life_commit |  ^ key_restore           | key_removing
//!                                 v  |                       |
//!                                Trashed --------------------+
//! ```
//! `zone_remove` does both: what the zone has goes into the trash, what was only intended for it
//! is removed. A policy's name or a repository's is taken as it is: case matters.

use super::StateStore;
use super::error::{Failure, StateError};
use super::records::{BackupState, KeyOwner, KeyRecord, KeyState, NewKey};
use super::tables::{KEYS, KEYS_BY_OWNER, owner_key};
use super::values::{decode_key, encode_key};
use dnssec::Name;
use dnssec::Timestamp;
use dnssec::key::{KeyId, PublicKey};
use redb::{ReadableTable, WriteTransaction};

impl StateStore {
    /// Step 1 of generation. When this returns, the id is taken whatever happens.
    pub fn key_intent(&self, key: &NewKey) -> Result<KeyRecord, StateError> {
        let record = KeyRecord {
            id: key.id.clone(),
            repository: key.repository.clone(),
            role: key.role,
            algorithm: key.algorithm,
            bits: key.bits,
            flags: key.flags,
            public_key: None,
            owner: key.owner.clone(),
            inception: key.inception,
            state: KeyState::Intent,
            backup: key.backup,
        };
        self.write(|transaction| {
            if let Some(present) = get(transaction, &key.repository, &key.id)? {
                let (repository, id) = (key.repository.clone(), key.id.clone());
                // The same intent again is the retry of a commit whose end was not seen.
                return if present == record {
                    Ok(present)
                } else {
                    Err(StateError::KeyExists { repository, id }.into())
                };
            }
            put(transaction, &record)?;
            Ok(record)
        })
    }

    /// Step 3 of generation: the key is in the token, and this is its public half. `inception`
    /// is the time of the generation. May be repeated with the same public key.
    pub fn key_present(
        &self,
        repository: &str,
        id: &KeyId,
        public_key: &PublicKey,
        inception: Timestamp,
    ) -> Result<KeyRecord, StateError> {
        self.change(repository, id, |record| {
            let known = record.public_key.as_ref();
            let fits = record.algorithm == public_key.algorithm
                && known.is_none_or(|known| *known == public_key.bytes);
            match record.state {
                KeyState::Intent if fits => {
                    record.state = KeyState::Present;
                    record.public_key = Some(public_key.bytes.clone());
                    record.inception = inception;
                    true
                }
                KeyState::Present => fits,
                KeyState::Intent | KeyState::Removing | KeyState::Trashed { .. } => false,
            }
        })
    }

    /// Step 1 of removal: the key is not used from now on. Its record stays until
    /// [`StateStore::key_remove`].
    pub fn key_removing(&self, repository: &str, id: &KeyId) -> Result<KeyRecord, StateError> {
        self.change(repository, id, |record| {
            record.state = KeyState::Removing;
            true
        })
    }

    /// Step 3 of removal: the token has destroyed the key, or never had it. Refused for a key
    /// that is in use; nothing happens when the key is not known.
    pub fn key_remove(&self, repository: &str, id: &KeyId) -> Result<(), StateError> {
        self.write(|transaction| {
            let Some(record) = get(transaction, repository, id)? else { return Ok(()) };
            if matches!(record.state, KeyState::Present | KeyState::Trashed { .. }) {
                return Err(conflict(&record).into());
            }
            transaction.open_table(KEYS)?.remove((repository, id.as_bytes()))?;
            let owner = owner_key(&record.owner);
            let mut index = transaction.open_table(KEYS_BY_OWNER)?;
            index.remove((owner.as_slice(), repository, id.as_bytes()))?;
            Ok(())
        })
    }

    /// Takes a key out of the trash.
    pub fn key_restore(&self, repository: &str, id: &KeyId) -> Result<KeyRecord, StateError> {
        self.change(repository, id, |record| {
            let is_trashed = matches!(record.state, KeyState::Trashed { .. });
            record.state = KeyState::Present;
            is_trashed
        })
    }

    /// Keys in the trash.
    pub fn trashed(&self) -> Result<Vec<KeyRecord>, StateError> {
        let is_trashed = |key: &KeyRecord| matches!(key.state, KeyState::Trashed { .. });
        Ok(self.keys()?.into_iter().filter(is_trashed).collect())
    }

    /// Gives a key to another owner: one made in advance to the zone that will use it.
    pub fn key_set_owner(
        &self,
        repository: &str,
        id: &KeyId,
        owner: &KeyOwner,
    ) -> Result<KeyRecord, StateError> {
        self.write(|transaction| set_owner(transaction, repository, id, owner))
    }

    /// Notes the backup of keys, in one transaction: all or, on an error, none.
    pub fn keys_set_backup<'a>(
        &self,
        keys: impl IntoIterator<Item = (&'a str, &'a KeyId)>,
        backup: BackupState,
    ) -> Result<(), StateError> {
        self.write(|transaction| {
            for (repository, id) in keys {
                let mut record = required(transaction, repository, id)?;
                record.backup = backup;
                put(transaction, &record)?;
            }
            Ok(())
        })
    }

    /// The record of a key.
    pub fn key(&self, repository: &str, id: &KeyId) -> Result<Option<KeyRecord>, StateError> {
        self.read(|transaction| {
            let table = transaction.open_table(KEYS)?;
            let value = table.get((repository, id.as_bytes()))?;
            value.map(|value| decode_key(repository, id.as_bytes(), value.value())).transpose()
        })
    }

    /// The zone's own keys, in whatever state, by inception. Keys that it shares with others are
    /// its policy's.
    pub fn keys_of_zone(&self, zone: &Name) -> Result<Vec<KeyRecord>, StateError> {
        self.keys_of(&KeyOwner::Zone(Box::new(zone.clone())))
    }

    /// The keys of a policy, in whatever state, by inception.
    pub fn keys_of_policy(&self, policy: &str) -> Result<Vec<KeyRecord>, StateError> {
        self.keys_of(&KeyOwner::Policy(policy.to_owned()))
    }

    /// All keys, by repository and id.
    pub fn keys(&self) -> Result<Vec<KeyRecord>, StateError> {
        self.read(|transaction| {
            let table = transaction.open_table(KEYS)?;
            let mut keys = Vec::new();
            for entry in table.iter()? {
                let (key, value) = entry?;
                let (repository, id) = key.value();
                keys.push(decode_key(repository, id, value.value())?);
            }
            Ok(keys)
        })
    }

    /// Keys whose generation was not seen to end: recovery adopts or retries each.
    pub fn intents(&self) -> Result<Vec<KeyRecord>, StateError> {
        self.keys_in(KeyState::Intent)
    }

    /// Keys whose destruction was not seen to end: recovery destroys each that is still there.
    pub fn removals(&self) -> Result<Vec<KeyRecord>, StateError> {
        self.keys_in(KeyState::Removing)
    }

    fn keys_in(&self, state: KeyState) -> Result<Vec<KeyRecord>, StateError> {
        Ok(self.keys()?.into_iter().filter(|key| key.state == state).collect())
    }

    fn keys_of(&self, owner: &KeyOwner) -> Result<Vec<KeyRecord>, StateError> {
        let mut keys = self.read(|transaction| {
            let index = transaction.open_table(KEYS_BY_OWNER)?;
            let table = transaction.open_table(KEYS)?;
            of_owner(&index, &table, owner)
        })?;
        keys.sort_by(|a, b| (a.inception, &a.id).cmp(&(b.inception, &b.id)));
        Ok(keys)
    }

    /// Changes a record; `change` says whether it may be.
    fn change(
        &self,
        repository: &str,
        id: &KeyId,
        change: impl FnOnce(&mut KeyRecord) -> bool,
    ) -> Result<KeyRecord, StateError> {
        self.write(|transaction| {
            let before = required(transaction, repository, id)?;
            let mut record = before.clone();
            if !change(&mut record) {
                return Err(conflict(&before).into());
            }
            put(transaction, &record)?;
            Ok(record)
        })
    }
}

/// The keys of an owner, in whatever state, in no order that means anything.
fn of_owner(
    index: &impl ReadableTable<(&'static [u8], &'static str, &'static [u8]), ()>,
    table: &impl ReadableTable<(&'static str, &'static [u8]), &'static [u8]>,
    owner: &KeyOwner,
) -> Result<Vec<KeyRecord>, Failure> {
    let owner = owner_key(owner);
    let mut keys = Vec::new();
    for entry in index.range((owner.as_slice(), "", &[][..])..)? {
        let (entry, _) = entry?;
        let (found, repository, id) = entry.value();
        if found != owner {
            break;
        }
        // Index and table change together; an entry without a record would be a page
        // that lies, and those were refused at opening.
        if let Some(value) = table.get((repository, id))? {
            keys.push(decode_key(repository, id, value.value())?);
        }
    }
    Ok(keys)
}

/// The keys of an owner, in a transaction that does more.
pub(super) fn owned(
    transaction: &WriteTransaction,
    owner: &KeyOwner,
) -> Result<Vec<KeyRecord>, Failure> {
    let index = transaction.open_table(KEYS_BY_OWNER)?;
    let table = transaction.open_table(KEYS)?;
    of_owner(&index, &table, owner)
}

/// Whether a key is this owner's, in a transaction that does more.
pub(super) fn is_of(
    transaction: &WriteTransaction,
    repository: &str,
    id: &KeyId,
    owner: &KeyOwner,
) -> Result<bool, Failure> {
    let record = get(transaction, repository, id)?;
    Ok(record.is_some_and(|record| record.owner == *owner))
}

/// Notes that a key is to be destroyed, in a transaction that does more.
pub(super) fn put_removing(
    transaction: &WriteTransaction,
    record: &KeyRecord,
) -> Result<(), Failure> {
    put(transaction, &KeyRecord { state: KeyState::Removing, ..record.clone() })
}

/// Puts a key into the trash, in a transaction that does more. Keys that have no record, or are
/// on their way out already, are left alone.
pub(super) fn trash(
    transaction: &WriteTransaction,
    repository: &str,
    id: &KeyId,
    since: Timestamp,
) -> Result<(), Failure> {
    match get(transaction, repository, id)? {
        Some(record) if record.state == KeyState::Present => {
            put(transaction, &KeyRecord { state: KeyState::Trashed { since }, ..record })
        }
        _ => Ok(()),
    }
}

/// Gives a key to another owner, in a transaction that does more.
pub(super) fn set_owner(
    transaction: &WriteTransaction,
    repository: &str,
    id: &KeyId,
    owner: &KeyOwner,
) -> Result<KeyRecord, Failure> {
    let before = required(transaction, repository, id)?;
    if before.state != KeyState::Present {
        return Err(conflict(&before).into());
    }
    let old_owner = owner_key(&before.owner);
    let mut index = transaction.open_table(KEYS_BY_OWNER)?;
    index.remove((old_owner.as_slice(), repository, id.as_bytes()))?;
    drop(index);
    let record = KeyRecord { owner: owner.clone(), ..before };
    put(transaction, &record)?;
    Ok(record)
}

fn get(
    transaction: &WriteTransaction,
    repository: &str,
    id: &KeyId,
) -> Result<Option<KeyRecord>, Failure> {
    let table = transaction.open_table(KEYS)?;
    let value = table.get((repository, id.as_bytes()))?;
    value.map(|value| decode_key(repository, id.as_bytes(), value.value())).transpose()
}

fn required(
    transaction: &WriteTransaction,
    repository: &str,
    id: &KeyId,
) -> Result<KeyRecord, Failure> {
    get(transaction, repository, id)?.ok_or_else(|| {
        StateError::KeyUnknown { repository: repository.to_owned(), id: id.clone() }.into()
    })
}

fn put(transaction: &WriteTransaction, record: &KeyRecord) -> Result<(), Failure> {
    let (repository, id) = (record.repository.as_str(), record.id.as_bytes());
    let mut table = transaction.open_table(KEYS)?;
    table.insert((repository, id), encode_key(record)?.as_slice())?;
    let owner = owner_key(&record.owner);
    let mut index = transaction.open_table(KEYS_BY_OWNER)?;
    index.insert((owner.as_slice(), repository, id), ())?;
    Ok(())
}

fn conflict(record: &KeyRecord) -> StateError {
    StateError::KeyConflict {
        repository: record.repository.clone(),
        id: record.id.clone(),
        state: record.state,
    }
}
