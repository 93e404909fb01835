//! The tables of the state store and their keys (`FORMAT.md`).
//! A zone's key is its name in canonical wire form, a policy's its name, a token key's its
//! repository and CKA_ID. `keys_by_owner` is an index, written with `keys` in one transaction.

use super::FORMAT_VERSION;
use super::error::{Failure, ValueProblem};
use super::records::KeyOwner;
use dnssec::{Name, Timestamp};
use redb::{ReadTransaction, TableDefinition, TableError, WriteTransaction};

/// `format` and `created`.
pub(super) const META: TableDefinition<&str, u64> = TableDefinition::new("meta");
/// Policy name to `PolicyValue`.
pub(super) const POLICIES: TableDefinition<&str, &[u8]> = TableDefinition::new("policies");
/// Zone to `ZoneValue`.
pub(super) const ZONES: TableDefinition<&[u8], &[u8]> = TableDefinition::new("zones");
/// Zone to the last output serial ever committed; stays when the zone is removed.
pub(super) const SERIALS: TableDefinition<&[u8], u32> = TableDefinition::new("serials");
/// Repository and CKA_ID to `KeyValue`.
pub(super) const KEYS: TableDefinition<(&str, &[u8]), &[u8]> = TableDefinition::new("keys");
/// Owner, repository and CKA_ID.
pub(super) const KEYS_BY_OWNER: TableDefinition<(&[u8], &str, &[u8]), ()> =
    TableDefinition::new("keys_by_owner");

/// Zone to `LifeValue`.
pub(super) const LIVES: TableDefinition<&[u8], &[u8]> = TableDefinition::new("lives");
/// Zone and number, from 0, to `EntryValue`; append-only.
pub(super) const HISTORY: TableDefinition<(&[u8], u64), &[u8]> = TableDefinition::new("history");

/// Zone to the digest of what its parent acknowledged last.
pub(super) const ANNOUNCED: TableDefinition<&[u8], &[u8]> = TableDefinition::new("announced");

/// Zone to `InputValue`: the input that an operator was asked about.
pub(super) const INPUTS: TableDefinition<&[u8], &[u8]> = TableDefinition::new("inputs");

/// Zone to `RefreshValue`: what the masters of a zone that comes by transfer said last.
pub(super) const REFRESHES: TableDefinition<&[u8], &[u8]> = TableDefinition::new("refreshes");

/// Zone and number of a finding to `WaiverValue`.
pub(super) const WAIVERS: TableDefinition<(&[u8], u16), &[u8]> = TableDefinition::new("waivers");
/// Zone to what caches may have of its versions.
pub(super) const ERAS: TableDefinition<&[u8], &[u8]> = TableDefinition::new("eras");

/// Number of an entry of the log of verdicts, from 0, to its hash and `VerdictValue`.
pub(super) const VERDICTS: TableDefinition<u64, &[u8]> = TableDefinition::new("verdicts");
/// Places in that log: number of the next entry, and hash of the one before.
pub(super) const VERDICT_CHAIN: TableDefinition<&str, (u64, &[u8])> =
    TableDefinition::new("verdict_chain");

const FORMAT: &str = "format";
const CREATED: &str = "created";

/// Makes all tables, so that readers need not care for missing ones.
pub(super) fn create(transaction: &WriteTransaction, now: Timestamp) -> Result<(), Failure> {
    let mut meta = transaction.open_table(META)?;
    meta.insert(FORMAT, u64::from(FORMAT_VERSION))?;
    meta.insert(CREATED, now.0)?;
    drop(meta);
    create_missing(transaction)
}

/// Makes the tables that are not there yet.
pub(super) fn create_missing(transaction: &WriteTransaction) -> Result<(), Failure> {
    transaction.open_table(POLICIES)?;
    transaction.open_table(ZONES)?;
    transaction.open_table(SERIALS)?;
    transaction.open_table(KEYS)?;
    transaction.open_table(KEYS_BY_OWNER)?;
    transaction.open_table(LIVES)?;
    transaction.open_table(HISTORY)?;
    transaction.open_table(ANNOUNCED)?;
    transaction.open_table(INPUTS)?;
    transaction.open_table(REFRESHES)?;
    transaction.open_table(WAIVERS)?;
    transaction.open_table(ERAS)?;
    transaction.open_table(VERDICTS)?;
    transaction.open_table(VERDICT_CHAIN)?;
    Ok(())
}

/// Whether a file has all tables; those made by earlier versions have fewer.
pub(super) fn are_complete(transaction: &ReadTransaction) -> Result<bool, Failure> {
    let is_missing = |error: Option<TableError>| match error {
        None => Ok(false),
        Some(TableError::TableDoesNotExist(_)) => Ok(true),
        Some(error) => Err(Failure::from(error)),
    };
    let lives = is_missing(transaction.open_table(LIVES).err())?;
    let history = is_missing(transaction.open_table(HISTORY).err())?;
    let inputs = is_missing(transaction.open_table(INPUTS).err())?;
    let refreshes = is_missing(transaction.open_table(REFRESHES).err())?;
    let announced = is_missing(transaction.open_table(ANNOUNCED).err())?;
    let waivers = is_missing(transaction.open_table(WAIVERS).err())?;
    let eras = is_missing(transaction.open_table(ERAS).err())?;
    let verdicts = is_missing(transaction.open_table(VERDICTS).err())?;
    let chain = is_missing(transaction.open_table(VERDICT_CHAIN).err())?;
    let missing = [lives, history, inputs, refreshes, announced, waivers, eras, verdicts, chain];
    Ok(!missing.contains(&true))
}

/// The format of the file; `None` when it has no such entry.
pub(super) fn format(transaction: &ReadTransaction) -> Result<Option<u32>, Failure> {
    let meta = match transaction.open_table(META) {
        Ok(meta) => meta,
        Err(TableError::Storage(error)) => return Err(error.into()),
        // There is none, or it is somebody else's.
        Err(_) => return Ok(None),
    };
    let format = meta.get(FORMAT)?.map(|value| value.value());
    Ok(format.map(|format| u32::try_from(format).unwrap_or(u32::MAX)))
}

/// When the file was made.
pub(super) fn created(transaction: &ReadTransaction) -> Result<Timestamp, Failure> {
    let created = transaction.open_table(META)?.get(CREATED)?.map(|value| Timestamp(value.value()));
    created.ok_or(Failure::Value { table: "meta", problem: ValueProblem::Missing })
}

/// A zone's key: its canonical wire form.
pub(super) fn zone_key(zone: &Name) -> Vec<u8> {
    zone.to_lowercase().as_wire().to_vec()
}

/// An owner's key in the index: `z` and the zone's key, or `p` and the policy's name.
pub(super) fn owner_key(owner: &KeyOwner) -> Vec<u8> {
    match owner {
        KeyOwner::Zone(zone) => [b"z", zone_key(zone).as_slice()].concat(),
        KeyOwner::Policy(policy) => [b"p", policy.as_bytes()].concat(),
    }
}
