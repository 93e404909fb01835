//! What happened to a zone's keys, as the difference between two moments.
//! In: a zone's life before and after. Out: events by key. Never: a change that leaves no event:
//! what is compared here is all that the enforcer decides by.

use super::state::{Backup, DsAtParent, KeyLife, KeyUse, RecordKind, RecordState, ZoneLife};
use crate::key::{KeyId, KeyRole};
use crate::{Algorithm, KeyTag, Timestamp};
use std::fmt;

/// Something that happened to a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyEvent {
    /// The zone took it.
    Taken {
        /// What it signs.
        role: KeyRole,
        /// Its algorithm.
        algorithm: Algorithm,
        /// Its length, in bits.
        bits: u16,
        /// Its key tag.
        key_tag: KeyTag,
        /// Its repository.
        repository: String,
    },
    /// One of its records went from one state to another.
    Record {
        /// Which.
        kind: RecordKind,
        /// Where it was.
        from: RecordState,
        /// Where it is.
        to: RecordState,
    },
    /// What the parent is known to show changed.
    DsAtParent {
        /// What it was.
        from: DsAtParent,
        /// What it is.
        to: DsAtParent,
    },
    /// It is to come (`true`) or to leave.
    Goal {
        /// Whether it is to come.
        introducing: bool,
    },
    /// It became a standby key, or a regular one.
    Purpose {
        /// What it is kept for now.
        purpose: KeyUse,
    },
    /// It was revoked (RFC 5011).
    Revoked,
    /// Its backup was made, or is missing again.
    Backup {
        /// How it is now.
        backup: Backup,
    },
    /// The zone forgot it.
    Gone,
}

impl fmt::Display for KeyEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyEvent::Taken { role, algorithm, bits, key_tag, repository } => {
                let number = algorithm.number();
                write!(
                    f,
                    "taken as {role} {key_tag}: algorithm {number}, {bits} bits, repository "
                )?;
                f.write_str(repository)
            }
            KeyEvent::Record { kind, from, to } => write!(f, "{kind} {from} -> {to}"),
            KeyEvent::DsAtParent { from, to } => write!(f, "DS at parent {from} -> {to}"),
            KeyEvent::Goal { introducing: true } => f.write_str("is to be introduced"),
            KeyEvent::Goal { introducing: false } => f.write_str("is to be withdrawn"),
            KeyEvent::Purpose { purpose: KeyUse::Standby } => f.write_str("is a standby key"),
            KeyEvent::Purpose { purpose: KeyUse::Regular } => f.write_str("is called to sign"),
            KeyEvent::Revoked => f.write_str("revoked"),
            KeyEvent::Backup { backup: Backup::Done } => f.write_str("backup made"),
            KeyEvent::Backup { backup: Backup::Missing } => f.write_str("backup required"),
            KeyEvent::Backup { backup: Backup::NotRequired } => f.write_str("backup not required"),
            KeyEvent::Gone => f.write_str("removed from the zone"),
        }
    }
}

impl fmt::Display for DsAtParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DsAtParent::Unsubmitted => "unsubmitted",
            DsAtParent::Submit => "submit",
            DsAtParent::Submitted => "submitted",
            DsAtParent::Seen => "seen",
            DsAtParent::Retract => "retract",
            DsAtParent::Retracted => "retracted",
        })
    }
}

/// What happened between two moments, key by key: those of `after` in its order, then those that
/// are gone.
pub fn events(before: &ZoneLife, after: &ZoneLife) -> Vec<(KeyId, KeyEvent)> {
    let mut events = Vec::new();
    let find = |life: &'_ ZoneLife, key: &KeyLife| {
        life.keys.iter().position(|other| other.id == key.id && other.repository == key.repository)
    };
    for key in &after.keys {
        let mut push = |event| events.push((key.id.clone(), event));
        match find(before, key) {
            Some(index) => key_events(&before.keys[index], key, &mut push),
            None => {
                push(taken(key));
                key_events(&newborn(key), key, &mut push);
            }
        }
    }
    let gone = before.keys.iter().filter(|key| find(after, key).is_none());
    events.extend(gone.map(|key| (key.id.clone(), KeyEvent::Gone)));
    events
}

fn taken(key: &KeyLife) -> KeyEvent {
    KeyEvent::Taken {
        role: key.role,
        algorithm: key.algorithm,
        bits: key.bits,
        key_tag: key.key_tag,
        repository: key.repository.clone(),
    }
}

/// The key before anything happened to it: what [`KeyEvent::Taken`] leaves unsaid.
fn newborn(key: &KeyLife) -> KeyLife {
    let hidden = |record: super::RecordLife| super::RecordLife {
        state: RecordState::Hidden,
        since: Timestamp(0),
        ..record
    };
    KeyLife {
        introducing: true,
        purpose: KeyUse::Regular,
        revoked: None,
        ds_at_parent: DsAtParent::Unsubmitted,
        ds_was_seen: false,
        backup: Backup::NotRequired,
        ds: key.ds.map(hidden),
        dnskey: hidden(key.dnskey),
        rrsig_dnskey: key.rrsig_dnskey.map(hidden),
        rrsig: key.rrsig.map(hidden),
        ..key.clone()
    }
}

fn key_events(before: &KeyLife, after: &KeyLife, push: &mut impl FnMut(KeyEvent)) {
    if before.introducing != after.introducing {
        push(KeyEvent::Goal { introducing: after.introducing });
    }
    if before.purpose != after.purpose {
        push(KeyEvent::Purpose { purpose: after.purpose });
    }
    if before.revoked.is_none() && after.revoked.is_some() {
        push(KeyEvent::Revoked);
    }
    for kind in RecordKind::ALL {
        if let (Some(from), Some(to)) = (before.state(kind), after.state(kind))
            && from != to
        {
            push(KeyEvent::Record { kind, from, to });
        }
    }
    if before.ds_at_parent != after.ds_at_parent {
        push(KeyEvent::DsAtParent { from: before.ds_at_parent, to: after.ds_at_parent });
    }
    if before.backup != after.backup {
        push(KeyEvent::Backup { backup: after.backup });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Timestamp;
    use crate::enforcer::{Minimize, RecordLife};

    fn key(id: u8) -> KeyLife {
        let record =
            RecordLife { state: RecordState::Hidden, since: Timestamp(5), ..RecordLife::default() };
        KeyLife {
            id: KeyId::new(&[id]).unwrap(),
            repository: "token".to_owned(),
            role: KeyRole::Ksk,
            algorithm: Algorithm::EcdsaP256Sha256,
            bits: 256,
            key_tag: KeyTag(u16::from(id)),
            inception: Timestamp(5),
            introducing: true,
            purpose: KeyUse::Regular,
            revoked: None,
            is_anchor: false,
            minimize: Minimize::default(),
            ds_at_parent: DsAtParent::Unsubmitted,
            ds_was_seen: false,
            backup: Backup::NotRequired,
            ds: Some(record),
            dnskey: record,
            rrsig_dnskey: Some(record),
            rrsig: None,
        }
    }

    fn told(before: &ZoneLife, after: &ZoneLife) -> Vec<String> {
        events(before, after).iter().map(|(id, event)| format!("{id} {event}")).collect()
    }

    #[test]
    fn a_key_is_taken_rolls_and_goes() {
        let empty = ZoneLife::default();
        let mut first = ZoneLife { keys: vec![key(1)], ..ZoneLife::default() };
        first.keys[0].dnskey.state = RecordState::Rumoured;
        assert_eq!(
            told(&empty, &first),
            [
                "01 taken as KSK 1: algorithm 13, 256 bits, repository token",
                "01 DNSKEY hidden -> rumoured",
            ]
        );
        assert_eq!(told(&first, &first), Vec::<String>::new());
        let mut second = first.clone();
        second.keys[0].dnskey.state = RecordState::Omnipresent;
        second.keys[0].ds_at_parent = DsAtParent::Submit;
        second.keys[0].introducing = false;
        assert_eq!(
            told(&first, &second),
            [
                "01 is to be withdrawn",
                "01 DNSKEY rumoured -> omnipresent",
                "01 DS at parent unsubmitted -> submit",
            ]
        );
        assert_eq!(told(&second, &empty), ["01 removed from the zone"]);
    }
}
