//! Values of the state store as bytes: postcard of one enum per table, with one variant per
//! version, so the first byte is the version, from 0. Old versions are read for ever and written
//! never. postcard has no field names: a variant's struct never changes once released.
//! In: records. Out: bytes, and back; bytes that do not decode are an error, never a panic.

use super::error::{Failure, ValueProblem};
use super::records::{BackupState, Denial, KeyOwner, KeyRecord, KeyState, PolicyState, ZoneState};
use dnssec::key::{KeyId, KeyRole};
use dnssec::{Algorithm, Name, Serial, Timestamp};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The newest version byte of a table's values.
fn newest_version(table: &str) -> u8 {
    match table {
        "history" => 1,
        _ => 0,
    }
}

#[derive(Serialize, Deserialize)]
enum PolicyValue {
    V0(PolicyV0),
}

#[derive(Serialize, Deserialize)]
struct PolicyV0 {
    salt: Vec<u8>,
    salt_changed: u64,
}

#[derive(Serialize, Deserialize)]
enum ZoneValue {
    V0(ZoneV0),
}

#[derive(Serialize, Deserialize)]
struct ZoneV0 {
    policy: String,
    input_serial: Option<u32>,
    output_serial: Option<u32>,
    generation: u64,
    signed_at: Option<u64>,
    denial: Option<DenialV0>,
    last_published: Option<u64>,
}

#[derive(Serialize, Deserialize)]
enum DenialV0 {
    Nsec,
    Nsec3 { hash_algorithm: u8, iterations: u16, salt: Vec<u8>, opt_out: bool },
}

#[derive(Serialize, Deserialize)]
enum KeyValue {
    V0(KeyV0),
}

#[derive(Serialize, Deserialize)]
struct KeyV0 {
    role: RoleV0,
    algorithm: u8,
    bits: u16,
    flags: u16,
    public_key: Option<Vec<u8>>,
    owner: OwnerV0,
    inception: u64,
    state: StateV0,
    backup: BackupV0,
}

#[derive(Serialize, Deserialize)]
enum RoleV0 {
    Ksk,
    Zsk,
    Csk,
}

#[derive(Serialize, Deserialize)]
enum OwnerV0 {
    Zone(Vec<u8>),
    Policy(String),
}

#[derive(Serialize, Deserialize)]
enum StateV0 {
    Intent,
    Present,
    Removing,
    Trashed(u64),
}

#[derive(Serialize, Deserialize)]
enum BackupV0 {
    NotRequired,
    Required,
    Requested,
    Done,
}

pub(super) fn encode_policy(policy: &PolicyState) -> Result<Vec<u8>, Failure> {
    let value = PolicyV0 { salt: policy.salt.clone(), salt_changed: policy.salt_changed.0 };
    encode("policies", &PolicyValue::V0(value))
}

pub(super) fn decode_policy(bytes: &[u8]) -> Result<PolicyState, Failure> {
    let PolicyValue::V0(value) = decode("policies", bytes)?;
    Ok(PolicyState { salt: value.salt, salt_changed: Timestamp(value.salt_changed) })
}

pub(super) fn encode_zone(zone: &ZoneState) -> Result<Vec<u8>, Failure> {
    let value = ZoneV0 {
        policy: zone.policy.clone(),
        input_serial: zone.input_serial.map(|serial| serial.0),
        output_serial: zone.output_serial.map(|serial| serial.0),
        generation: zone.generation,
        signed_at: zone.signed_at.map(|at| at.0),
        denial: zone.denial.clone().map(|denial| match denial {
            Denial::Nsec => DenialV0::Nsec,
            Denial::Nsec3 { hash_algorithm, iterations, salt, opt_out } => {
                DenialV0::Nsec3 { hash_algorithm, iterations, salt, opt_out }
            }
        }),
        last_published: zone.last_published.map(|at| at.0),
    };
    encode("zones", &ZoneValue::V0(value))
}

pub(super) fn decode_zone(bytes: &[u8]) -> Result<ZoneState, Failure> {
    let ZoneValue::V0(value) = decode("zones", bytes)?;
    Ok(ZoneState {
        policy: value.policy,
        input_serial: value.input_serial.map(Serial),
        output_serial: value.output_serial.map(Serial),
        generation: value.generation,
        signed_at: value.signed_at.map(Timestamp),
        denial: value.denial.map(|denial| match denial {
            DenialV0::Nsec => Denial::Nsec,
            DenialV0::Nsec3 { hash_algorithm, iterations, salt, opt_out } => {
                Denial::Nsec3 { hash_algorithm, iterations, salt, opt_out }
            }
        }),
        last_published: value.last_published.map(Timestamp),
    })
}

pub(super) fn encode_key(key: &KeyRecord) -> Result<Vec<u8>, Failure> {
    let value = KeyV0 {
        role: match key.role {
            KeyRole::Ksk => RoleV0::Ksk,
            KeyRole::Zsk => RoleV0::Zsk,
            KeyRole::Csk => RoleV0::Csk,
        },
        algorithm: key.algorithm.number(),
        bits: key.bits,
        flags: key.flags,
        public_key: key.public_key.clone(),
        owner: match &key.owner {
            KeyOwner::Zone(zone) => OwnerV0::Zone(zone.as_wire().to_vec()),
            KeyOwner::Policy(policy) => OwnerV0::Policy(policy.clone()),
        },
        inception: key.inception.0,
        state: match key.state {
            KeyState::Intent => StateV0::Intent,
            KeyState::Present => StateV0::Present,
            KeyState::Removing => StateV0::Removing,
            KeyState::Trashed { since } => StateV0::Trashed(since.0),
        },
        backup: match key.backup {
            BackupState::NotRequired => BackupV0::NotRequired,
            BackupState::Required => BackupV0::Required,
            BackupState::Requested => BackupV0::Requested,
            BackupState::Done => BackupV0::Done,
        },
    };
    encode("keys", &KeyValue::V0(value))
}

pub(super) fn decode_key(repository: &str, id: &[u8], bytes: &[u8]) -> Result<KeyRecord, Failure> {
    let malformed = || Failure::Value { table: "keys", problem: ValueProblem::Malformed };
    let KeyValue::V0(value) = decode("keys", bytes)?;
    Ok(KeyRecord {
        id: KeyId::new(id).ok_or_else(malformed)?,
        repository: repository.to_owned(),
        role: match value.role {
            RoleV0::Ksk => KeyRole::Ksk,
            RoleV0::Zsk => KeyRole::Zsk,
            RoleV0::Csk => KeyRole::Csk,
        },
        algorithm: Algorithm::from_number(value.algorithm).ok_or_else(malformed)?,
        bits: value.bits,
        flags: value.flags,
        public_key: value.public_key,
        owner: match value.owner {
            OwnerV0::Policy(policy) => KeyOwner::Policy(policy),
            OwnerV0::Zone(wire) => KeyOwner::Zone(Box::new(decode_name("keys", &wire)?)),
        },
        inception: Timestamp(value.inception),
        state: match value.state {
            StateV0::Intent => KeyState::Intent,
            StateV0::Present => KeyState::Present,
            StateV0::Removing => KeyState::Removing,
            StateV0::Trashed(since) => KeyState::Trashed { since: Timestamp(since) },
        },
        backup: match value.backup {
            BackupV0::NotRequired => BackupState::NotRequired,
            BackupV0::Required => BackupState::Required,
            BackupV0::Requested => BackupState::Requested,
            BackupV0::Done => BackupState::Done,
        },
    })
}

/// A name that fills all of `wire`.
pub(super) fn decode_name(table: &'static str, wire: &[u8]) -> Result<Name, Failure> {
    match Name::from_wire(wire) {
        Ok((name, taken)) if taken == wire.len() => Ok(name),
        _ => Err(Failure::Value { table, problem: ValueProblem::Malformed }),
    }
}

pub(super) fn encode(table: &'static str, value: &impl Serialize) -> Result<Vec<u8>, Failure> {
    let malformed = |_| Failure::Value { table, problem: ValueProblem::Malformed };
    postcard::to_allocvec(value).map_err(malformed)
}

pub(super) fn decode<T: DeserializeOwned>(table: &'static str, bytes: &[u8]) -> Result<T, Failure> {
    let problem = match (bytes.first(), postcard::take_from_bytes(bytes)) {
        (Some(&version), _) if version > newest_version(table) => ValueProblem::Newer { version },
        (_, Ok((value, []))) => return Ok(value),
        _ => ValueProblem::Malformed,
    };
    Err(Failure::Value { table, problem })
}

pub(super) mod life;
#[cfg(test)]
mod tests;
