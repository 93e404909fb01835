//! Lives of keys and entries of their history as bytes. In: `dnssec::enforcer`'s types. Out:
//! bytes, and back. The same rules as in [`super`]: a variant's struct never changes.

use super::{RoleV0, decode, encode};
use crate::state::error::{Failure, ValueProblem};
use crate::state::{Cause, HistoryEntry, User};
use dnssec::enforcer::history::KeyEvent;
use dnssec::enforcer::{
    Backup, DsAtParent, KeyLife, KeyUse, Minimize, OldTerms, PerRole, RecordKind, RecordLife,
    RecordState, Succession, Terms, ZoneLife,
};
use dnssec::key::{KeyId, KeyRole};
use dnssec::{Algorithm, KeyTag, Seconds, Timestamp};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
enum LifeValue {
    V0(LifeV0),
}

#[derive(Serialize, Deserialize)]
struct LifeV0 {
    keys: Vec<KeyLifeV0>,
    successions: Vec<(Vec<u8>, Vec<u8>, u8)>,
    terms: Option<[u64; 8]>,
    old_terms: Vec<(u64, bool, [u64; 8])>,
    roll_now: [bool; 3],
    next_roll: [Option<u64>; 3],
}

#[derive(Serialize, Deserialize)]
struct KeyLifeV0 {
    id: Vec<u8>,
    repository: String,
    role: RoleV0,
    algorithm: u8,
    bits: u16,
    key_tag: u16,
    inception: u64,
    introducing: bool,
    purpose: u8,
    revoked: Option<u64>,
    minimize: [bool; 3],
    ds_at_parent: u8,
    backup: u8,
    records: [Option<RecordV0>; 4],
}

#[derive(Serialize, Deserialize)]
struct RecordV0 {
    state: u8,
    since: u64,
    confirmed: Option<u64>,
}

#[derive(Serialize, Deserialize)]
enum EntryValue {
    /// Without the user who gave the command.
    V0(EntryV0),
    V1(EntryV1),
}

#[derive(Serialize, Deserialize)]
struct EntryV0 {
    at: u64,
    cause: String,
    events: Vec<(Vec<u8>, EventV0)>,
}

#[derive(Serialize, Deserialize)]
struct EntryV1 {
    at: u64,
    cause: String,
    user: Option<(u32, Option<String>)>,
    events: Vec<(Vec<u8>, EventV0)>,
}

#[derive(Serialize, Deserialize)]
enum EventV0 {
    Taken { role: RoleV0, algorithm: u8, bits: u16, key_tag: u16, repository: String },
    Record { kind: u8, from: u8, to: u8 },
    DsAtParent { from: u8, to: u8 },
    Goal { introducing: bool },
    Purpose { purpose: u8 },
    Revoked,
    Backup { backup: u8 },
    Gone,
}

const STATES: [RecordState; 4] = [
    RecordState::Hidden,
    RecordState::Rumoured,
    RecordState::Omnipresent,
    RecordState::Unretentive,
];
const AT_PARENT: [DsAtParent; 6] = [
    DsAtParent::Unsubmitted,
    DsAtParent::Submit,
    DsAtParent::Submitted,
    DsAtParent::Seen,
    DsAtParent::Retract,
    DsAtParent::Retracted,
];
const PURPOSES: [KeyUse; 2] = [KeyUse::Regular, KeyUse::Standby];
/// Bit of `purpose`: validators may follow the key (RFC 5011).
const ANCHOR: u8 = 0x80;
/// Bit of `ds_at_parent`: the parent was known to have the DS. Versions before this one did not
/// write it; for them a DS that is "seen" has it, and no other.
const WAS_SEEN: u8 = 0x80;
const BACKUPS: [Backup; 3] = [Backup::NotRequired, Backup::Missing, Backup::Done];

/// A choice as its place in the list of all choices; the lists above never change their order.
fn number<T: PartialEq, const N: usize>(all: [T; N], value: T) -> u8 {
    // Each list has all its type's values, fewer than 256.
    all.iter().position(|one| *one == value).unwrap_or(0) as u8
}

fn choice<T: Copy, const N: usize>(all: [T; N], number: u8) -> Result<T, Failure> {
    all.get(usize::from(number)).copied().ok_or_else(malformed)
}

fn malformed() -> Failure {
    Failure::Value { table: "lives", problem: ValueProblem::Malformed }
}

fn key_id(bytes: &[u8]) -> Result<KeyId, Failure> {
    KeyId::new(bytes).ok_or_else(malformed)
}

fn role_to(role: KeyRole) -> RoleV0 {
    match role {
        KeyRole::Ksk => RoleV0::Ksk,
        KeyRole::Zsk => RoleV0::Zsk,
        KeyRole::Csk => RoleV0::Csk,
    }
}

fn role_from(role: RoleV0) -> KeyRole {
    match role {
        RoleV0::Ksk => KeyRole::Ksk,
        RoleV0::Zsk => KeyRole::Zsk,
        RoleV0::Csk => KeyRole::Csk,
    }
}

pub(in crate::state) fn encode_life(life: &ZoneLife) -> Result<Vec<u8>, Failure> {
    let succession = |one: &Succession| {
        let kind = number(RecordKind::ALL, one.kind);
        (one.from.as_bytes().to_vec(), one.to.as_bytes().to_vec(), kind)
    };
    let old_terms = |old: &OldTerms| (old.until.0, old.is_superseded, encode_terms(old.terms));
    let PerRole { ksk, zsk, csk } = life.roll_now;
    let next = &life.next_roll;
    let value = LifeV0 {
        keys: life.keys.iter().map(encode_key_life).collect(),
        successions: life.successions.iter().map(succession).collect(),
        terms: life.terms.map(encode_terms),
        old_terms: life.old_terms.iter().map(old_terms).collect(),
        roll_now: [ksk, zsk, csk],
        next_roll: [next.ksk, next.zsk, next.csk].map(|at| at.map(|at| at.0)),
    };
    encode("lives", &LifeValue::V0(value))
}

pub(in crate::state) fn decode_life(bytes: &[u8]) -> Result<ZoneLife, Failure> {
    let LifeValue::V0(value) = decode("lives", bytes)?;
    let succession = |(from, to, kind): (Vec<u8>, Vec<u8>, u8)| -> Result<Succession, Failure> {
        let kind = choice(RecordKind::ALL, kind)?;
        Ok(Succession { from: key_id(&from)?, to: key_id(&to)?, kind })
    };
    let old_terms = |(until, is_superseded, terms)| OldTerms {
        until: Timestamp(until),
        is_superseded,
        terms: decode_terms(terms),
    };
    let [ksk, zsk, csk] = value.roll_now;
    let next = value.next_roll.map(|at| at.map(Timestamp));
    Ok(ZoneLife {
        keys: value.keys.into_iter().map(decode_key_life).collect::<Result<_, _>>()?,
        successions: value.successions.into_iter().map(succession).collect::<Result<_, _>>()?,
        terms: value.terms.map(decode_terms),
        old_terms: value.old_terms.into_iter().map(old_terms).collect(),
        roll_now: PerRole { ksk, zsk, csk },
        next_roll: PerRole { ksk: next[0], zsk: next[1], csk: next[2] },
    })
}

fn encode_terms(terms: Terms) -> [u64; 8] {
    let Terms {
        ds_ttl,
        parent_delay,
        dnskey_ttl,
        rrsig_ttl,
        zone_delay,
        signature_life,
        resign,
        refresh,
    } = terms;
    [ds_ttl, parent_delay, dnskey_ttl, rrsig_ttl, zone_delay, signature_life, resign, refresh]
        .map(|length| length.0)
}

fn decode_terms(terms: [u64; 8]) -> Terms {
    let [ds_ttl, parent_delay, dnskey_ttl, rrsig_ttl, zone_delay, signature_life, resign, refresh] =
        terms.map(Seconds);
    Terms {
        ds_ttl,
        parent_delay,
        dnskey_ttl,
        rrsig_ttl,
        zone_delay,
        signature_life,
        resign,
        refresh,
    }
}

fn encode_key_life(key: &KeyLife) -> KeyLifeV0 {
    let record = |kind| {
        key.record(kind).map(|record| RecordV0 {
            state: number(STATES, record.state),
            since: record.since.0,
            confirmed: record.confirmed.map(|at| at.0),
        })
    };
    KeyLifeV0 {
        id: key.id.as_bytes().to_vec(),
        repository: key.repository.clone(),
        role: role_to(key.role),
        algorithm: key.algorithm.number(),
        bits: key.bits,
        key_tag: key.key_tag.0,
        inception: key.inception.0,
        introducing: key.introducing,
        purpose: number(PURPOSES, key.purpose) | if key.is_anchor { ANCHOR } else { 0 },
        revoked: key.revoked.map(|at| at.0),
        minimize: [key.minimize.ds, key.minimize.dnskey, key.minimize.rrsig],
        ds_at_parent: number(AT_PARENT, key.ds_at_parent)
            | if key.ds_was_seen { WAS_SEEN } else { 0 },
        backup: number(BACKUPS, key.backup),
        records: RecordKind::ALL.map(record),
    }
}

fn decode_key_life(value: KeyLifeV0) -> Result<KeyLife, Failure> {
    let record = |record: Option<RecordV0>| -> Result<Option<RecordLife>, Failure> {
        let Some(record) = record else { return Ok(None) };
        Ok(Some(RecordLife {
            state: choice(STATES, record.state)?,
            since: Timestamp(record.since),
            confirmed: record.confirmed.map(Timestamp),
        }))
    };
    let [ds, dnskey, rrsig_dnskey, rrsig] = value.records;
    let [minimize_ds, minimize_dnskey, minimize_rrsig] = value.minimize;
    let ds_at_parent = choice(AT_PARENT, value.ds_at_parent & !WAS_SEEN)?;
    Ok(KeyLife {
        id: key_id(&value.id)?,
        repository: value.repository,
        role: role_from(value.role),
        algorithm: Algorithm::from_number(value.algorithm).ok_or_else(malformed)?,
        bits: value.bits,
        key_tag: KeyTag(value.key_tag),
        inception: Timestamp(value.inception),
        introducing: value.introducing,
        purpose: choice(PURPOSES, value.purpose & !ANCHOR)?,
        revoked: value.revoked.map(Timestamp),
        is_anchor: value.purpose & ANCHOR != 0,
        minimize: Minimize { ds: minimize_ds, dnskey: minimize_dnskey, rrsig: minimize_rrsig },
        ds_at_parent,
        ds_was_seen: value.ds_at_parent & WAS_SEEN != 0 || ds_at_parent == DsAtParent::Seen,
        backup: choice(BACKUPS, value.backup)?,
        ds: record(ds)?,
        dnskey: record(dnskey)?.ok_or_else(malformed)?,
        rrsig_dnskey: record(rrsig_dnskey)?,
        rrsig: record(rrsig)?,
    })
}

pub(in crate::state) fn encode_entry(entry: &HistoryEntry) -> Result<Vec<u8>, Failure> {
    let event = |(id, event): &(KeyId, KeyEvent)| (id.as_bytes().to_vec(), encode_event(event));
    let value = EntryV1 {
        at: entry.at.0,
        cause: entry.cause.text.clone(),
        user: entry.cause.by.clone().map(|user| (user.id, user.name)),
        events: entry.events.iter().map(event).collect(),
    };
    encode("history", &EntryValue::V1(value))
}

pub(in crate::state) fn decode_entry(bytes: &[u8]) -> Result<HistoryEntry, Failure> {
    let value = match decode("history", bytes)? {
        EntryValue::V0(EntryV0 { at, cause, events }) => EntryV1 { at, cause, user: None, events },
        EntryValue::V1(value) => value,
    };
    let event = |(id, event): (Vec<u8>, EventV0)| Ok((key_id(&id)?, decode_event(event)?));
    let events = value.events.into_iter().map(event).collect::<Result<_, Failure>>()?;
    let by = value.user.map(|(id, name)| User { id, name });
    Ok(HistoryEntry { at: Timestamp(value.at), cause: Cause { text: value.cause, by }, events })
}

fn encode_event(event: &KeyEvent) -> EventV0 {
    match event {
        KeyEvent::Taken { role, algorithm, bits, key_tag, repository } => EventV0::Taken {
            role: role_to(*role),
            algorithm: algorithm.number(),
            bits: *bits,
            key_tag: key_tag.0,
            repository: repository.clone(),
        },
        KeyEvent::Record { kind, from, to } => EventV0::Record {
            kind: number(RecordKind::ALL, *kind),
            from: number(STATES, *from),
            to: number(STATES, *to),
        },
        KeyEvent::DsAtParent { from, to } => {
            EventV0::DsAtParent { from: number(AT_PARENT, *from), to: number(AT_PARENT, *to) }
        }
        KeyEvent::Goal { introducing } => EventV0::Goal { introducing: *introducing },
        KeyEvent::Purpose { purpose } => EventV0::Purpose { purpose: number(PURPOSES, *purpose) },
        KeyEvent::Revoked => EventV0::Revoked,
        KeyEvent::Backup { backup } => EventV0::Backup { backup: number(BACKUPS, *backup) },
        KeyEvent::Gone => EventV0::Gone,
    }
}

fn decode_event(event: EventV0) -> Result<KeyEvent, Failure> {
    Ok(match event {
        EventV0::Taken { role, algorithm, bits, key_tag, repository } => KeyEvent::Taken {
            role: role_from(role),
            algorithm: Algorithm::from_number(algorithm).ok_or_else(malformed)?,
            bits,
            key_tag: KeyTag(key_tag),
            repository,
        },
        EventV0::Record { kind, from, to } => KeyEvent::Record {
            kind: choice(RecordKind::ALL, kind)?,
            from: choice(STATES, from)?,
            to: choice(STATES, to)?,
        },
        EventV0::DsAtParent { from, to } => {
            KeyEvent::DsAtParent { from: choice(AT_PARENT, from)?, to: choice(AT_PARENT, to)? }
        }
        EventV0::Goal { introducing } => KeyEvent::Goal { introducing },
        EventV0::Purpose { purpose } => KeyEvent::Purpose { purpose: choice(PURPOSES, purpose)? },
        EventV0::Revoked => KeyEvent::Revoked,
        EventV0::Backup { backup } => KeyEvent::Backup { backup: choice(BACKUPS, backup)? },
        EventV0::Gone => KeyEvent::Gone,
    })
}
