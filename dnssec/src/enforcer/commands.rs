//! What operators say: `ds-submit`, `ds-seen`, `ds-retract`, `ds-gone`, `key rollover`,
//! `ksk-retire`, and RFC 5011 revocation by hand. In: life, key, time. Out: the life afterwards,
//! or why not; then nothing changed. An evaluation follows each.

use super::revocation::{self, is_free};
use super::state::{DsAtParent, KeyLife, RecordState, ZoneLife};
use crate::Timestamp;
use crate::key::{KeyId, KeyRole};
use thiserror::Error;

/// Why a command does not apply. OpenDNSSEC exits with 11 where no key matches.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CommandError {
    /// The zone has no such key.
    #[error("the zone has no key {id}")]
    UnknownKey {
        /// The key asked for.
        id: KeyId,
    },
    /// The key has no DS.
    #[error("key {id} is a {role}: only KSKs and CSKs have a DS")]
    HasNoDs {
        /// The key.
        id: KeyId,
        /// What it is.
        role: KeyRole,
    },
    /// The DS is in another state than the command is for.
    #[error("the DS of key {id} is in state {state:?}; the command is for {needed:?}")]
    WrongState {
        /// The key.
        id: KeyId,
        /// What the parent is known to show.
        state: DsAtParent,
        /// What the command is for.
        needed: DsAtParent,
    },
    /// Nothing else would sign the DNSKEY RRset with a DS at the parent.
    #[error("key {id} is the only one that validators can follow to the zone")]
    OnlyKey {
        /// The key.
        id: KeyId,
    },
    /// A DS or signatures still need the key.
    #[error("key {id} is still in use: its DS and its signatures have to be out of all caches")]
    StillInUse {
        /// The key.
        id: KeyId,
    },
    /// The zone's CDS has asked for what the command would call off.
    #[error(
        "the zone's CDS has asked the parent to remove the DS of key {id}, and it may do so at any \
         time: the key leaves"
    )]
    ToldByCds {
        /// The key.
        id: KeyId,
    },
    /// It was said before.
    #[error("key {id} leaves already")]
    LeavesAlready {
        /// The key.
        id: KeyId,
    },
}

/// What `key ds-submit` says: the DS was handed to the parent.
pub fn ds_submit(life: &ZoneLife, id: &KeyId, now: Timestamp) -> Result<ZoneLife, CommandError> {
    tell(life, id, now, DsAtParent::Submit, DsAtParent::Submitted)
}

/// What `key ds-seen` says: the parent shows the DS.
pub fn ds_seen(life: &ZoneLife, id: &KeyId, now: Timestamp) -> Result<ZoneLife, CommandError> {
    tell(life, id, now, DsAtParent::Submitted, DsAtParent::Seen)
}

/// What `key ds-retract` says: the parent was asked to remove the DS.
pub fn ds_retract(life: &ZoneLife, id: &KeyId, now: Timestamp) -> Result<ZoneLife, CommandError> {
    tell(life, id, now, DsAtParent::Retract, DsAtParent::Retracted)
}

/// What `key ds-gone` says: the parent does not show the DS any more.
pub fn ds_gone(life: &ZoneLife, id: &KeyId, now: Timestamp) -> Result<ZoneLife, CommandError> {
    tell(life, id, now, DsAtParent::Retracted, DsAtParent::Unsubmitted)
}

/// Whether a key is one that the command for DSs in state `needed` is for.
pub fn is_waiting(key: &KeyLife, needed: DsAtParent) -> bool {
    key.role.signs_keyset() && key.ds_at_parent == needed
}

fn find<'a>(life: &'a mut ZoneLife, id: &KeyId) -> Result<&'a mut KeyLife, CommandError> {
    let key = life.keys.iter_mut().find(|key| key.id == *id);
    key.ok_or_else(|| CommandError::UnknownKey { id: id.clone() })
}

/// The wait for caches begins at the moment of the command (catalogue 4.3).
fn tell(
    life: &ZoneLife,
    id: &KeyId,
    now: Timestamp,
    needed: DsAtParent,
    becomes: DsAtParent,
) -> Result<ZoneLife, CommandError> {
    let mut life = life.clone();
    let key = find(&mut life, id)?;
    let (state, role) = (key.ds_at_parent, key.role);
    let Some(ds) = &mut key.ds else {
        return Err(CommandError::HasNoDs { id: id.clone(), role });
    };
    if state != needed {
        return Err(CommandError::WrongState { id: id.clone(), state, needed });
    }
    ds.since = now;
    key.ds_at_parent = becomes;
    match becomes {
        DsAtParent::Seen => key.ds_was_seen = true,
        DsAtParent::Unsubmitted => key.ds_was_seen = false,
        DsAtParent::Submit
        | DsAtParent::Submitted
        | DsAtParent::Retract
        | DsAtParent::Retracted => {}
    }
    Ok(life)
}

/// What `key rollover` says: the keys of a role are to be rolled at the next evaluation.
pub fn roll_now(life: &ZoneLife, role: KeyRole) -> ZoneLife {
    let mut life = life.clone();
    *life.roll_now.get_mut(role) = true;
    life
}

/// What `ods-ksmutil key ksk-retire` says: the KSK is to leave, without a roll. The last one that
/// validators can follow stays (1.x: "a KSK never leaves the zone without an active KSK").
pub fn ksk_retire(life: &ZoneLife, id: &KeyId) -> Result<ZoneLife, CommandError> {
    let mut life = life.clone();
    let key = find(&mut life, id)?;
    if key.ds.is_none() {
        return Err(CommandError::HasNoDs { id: id.clone(), role: key.role });
    }
    if !key.introducing {
        return Err(CommandError::LeavesAlready { id: id.clone() });
    }
    key.introducing = false;
    if has_other_chain(&life, id) {
        Ok(life)
    } else {
        Err(CommandError::OnlyKey { id: id.clone() })
    }
}

/// Whether another key that stays has DS and DNSKEY everywhere.
fn has_other_chain(life: &ZoneLife, id: &KeyId) -> bool {
    let is_out = |record: Option<super::state::RecordLife>| {
        record.is_some_and(|record| record.state == RecordState::Omnipresent)
    };
    life.keys.iter().any(|key| {
        let is_chain = is_out(key.ds) && is_out(Some(key.dnskey)) && is_out(key.rrsig_dnskey);
        key.id != *id && key.introducing && key.revoked.is_none() && is_chain
    })
}

/// Revokes a key by hand (RFC 5011 §2.1). Its DNSKEY becomes another one by that, so its DS and
/// its signatures over the zone have to be gone, and another key has to be there; where validators
/// follow the zone, for as long as they need to trust it.
pub fn revoke(life: &ZoneLife, id: &KeyId, now: Timestamp) -> Result<ZoneLife, CommandError> {
    let before = life;
    let mut life = life.clone();
    let key = find(&mut life, id)?;
    if key.ds.is_none() {
        return Err(CommandError::HasNoDs { id: id.clone(), role: key.role });
    }
    if key.revoked.is_some() {
        return Err(CommandError::LeavesAlready { id: id.clone() });
    }
    if !is_free(before, key) || !key.is_published() {
        return Err(CommandError::StillInUse { id: id.clone() });
    }
    let trusted = revocation::another_trusted_at(before, key);
    let is_trusted = !key.is_anchor || trusted.is_some_and(|at| at <= now);
    key.introducing = false;
    revocation::revoke(key, now);
    if is_trusted && has_other_chain(&life, id) {
        Ok(life)
    } else {
        Err(CommandError::OnlyKey { id: id.clone() })
    }
}
