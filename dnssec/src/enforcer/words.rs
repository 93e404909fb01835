//! A key's state in words: OpenDNSSEC 2.x's `key list` (catalogue 1.5.1), 1.x's (1.10.1), and what
//! a key waits for. In: a key's life. Out: words and times. Never: decisions.

use super::state::{DsAtParent, KeyLife, KeyUse, RecordKind, RecordState};
use super::successions::is_dead;
use crate::Timestamp;
use crate::key::KeyRole;
use RecordState::{Hidden as H, Omnipresent as O, Rumoured as R, Unretentive as U};
use std::fmt;

/// A key's state in the words of 1.x.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CompatibilityState {
    /// Nobody saw it.
    Generate,
    /// It is on its way out into the world.
    Publish,
    /// It could be used.
    Ready,
    /// It is used.
    Active,
    /// It is on its way out of the world.
    Retire,
    /// It is out of the world (1.x only; 2.x says "retire").
    Dead,
    /// A CSK whose halves are in different states.
    Mixed,
    /// It is revoked (RFC 5011).
    Revoked,
    /// A standby KSK whose DS is to be handed to the parent (1.x only).
    DsSub,
    /// A standby KSK whose DS is at the parent (1.x only).
    DsPublish,
    /// A standby KSK whose DS is everywhere (1.x only).
    DsReady,
    /// A called standby KSK whose DNSKEY is on its way (1.x only).
    KeyPublish,
}

impl fmt::Display for CompatibilityState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CompatibilityState::Generate => "generate",
            CompatibilityState::Publish => "publish",
            CompatibilityState::Ready => "ready",
            CompatibilityState::Active => "active",
            CompatibilityState::Retire => "retire",
            CompatibilityState::Dead => "dead",
            CompatibilityState::Mixed => "mixed",
            CompatibilityState::Revoked => "revoked",
            CompatibilityState::DsSub => "dssub",
            CompatibilityState::DsPublish => "dspublish",
            CompatibilityState::DsReady => "dsready",
            CompatibilityState::KeyPublish => "keypublish",
        })
    }
}

/// The word of 2.x's `key list`; a revoked key, which 2.x never has, is "revoked".
pub fn compatibility_state(key: &KeyLife) -> CompatibilityState {
    if key.revoked.is_some() && key.is_published() {
        return CompatibilityState::Revoked;
    }
    let state = |kind| key.state(kind).unwrap_or(H);
    let dnskey = state(RecordKind::Dnskey);
    let seen = key.ds_at_parent == DsAtParent::Seen;
    let ksk = || half(state(RecordKind::Ds), dnskey, key.introducing, seen);
    let zsk = || half(state(RecordKind::Rrsig), dnskey, key.introducing, false);
    match key.role {
        KeyRole::Ksk => ksk(),
        KeyRole::Zsk => zsk(),
        KeyRole::Csk if ksk() == zsk() => ksk(),
        KeyRole::Csk => CompatibilityState::Mixed,
    }
}

fn half(
    other: RecordState,
    dnskey: RecordState,
    introducing: bool,
    ds_seen: bool,
) -> CompatibilityState {
    match (introducing, other, dnskey) {
        (_, O, O) => CompatibilityState::Active,
        (_, R, O) if ds_seen => CompatibilityState::Active,
        (true, H, H) => CompatibilityState::Generate,
        (true, H, _) | (true, _, H) => CompatibilityState::Publish,
        (true, ..) if matches!((other, dnskey), (U, U)) => CompatibilityState::Retire,
        (true, ..) => CompatibilityState::Ready,
        (false, U, _) | (false, _, U) | (false, H, H) => CompatibilityState::Retire,
        (false, ..) => CompatibilityState::Ready,
    }
}

/// The word of 1.x's `key list`: with "dead", and with the states of standby KSKs.
pub fn state_word_1x(key: &KeyLife) -> CompatibilityState {
    if is_dead(key) {
        return CompatibilityState::Dead;
    }
    let ds = key.state(RecordKind::Ds);
    if key.introducing && key.role.signs_keyset() && key.purpose == KeyUse::Standby {
        return match (ds, key.ds_at_parent) {
            (Some(O), _) => CompatibilityState::DsReady,
            (_, DsAtParent::Seen) => CompatibilityState::DsPublish,
            _ => CompatibilityState::DsSub,
        };
    }
    if key.introducing && ds == Some(O) && key.dnskey.state == R {
        return CompatibilityState::KeyPublish;
    }
    match compatibility_state(key) {
        // 1.x makes a first ZSK active at once, and calls a standby ZSK ready.
        CompatibilityState::Ready if key.role == KeyRole::Zsk && key.signs_zone() => {
            CompatibilityState::Active
        }
        CompatibilityState::Publish
            if key.role == KeyRole::Zsk && key.dnskey.state == O && !key.signs_zone() =>
        {
            CompatibilityState::Ready
        }
        word => word,
    }
}

/// What `key list` says of a key's next transition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextTransition {
    /// "waiting for ds-submit"
    DsSubmit,
    /// "waiting for ds-seen"
    DsSeen,
    /// "waiting for ds-retract"
    DsRetract,
    /// "waiting for ds-gone"
    DsGone,
    /// "-": nothing is scheduled.
    Nothing,
    /// "now"
    Now,
    /// A moment, printed in local time.
    At(Timestamp),
}

/// What `key list` says of a key: `next` is the zone's next evaluation, as 2.x has it.
pub fn next_transition(key: &KeyLife, next: Option<Timestamp>, now: Timestamp) -> NextTransition {
    match (key.ds_at_parent, next) {
        (DsAtParent::Submit, _) => NextTransition::DsSubmit,
        (DsAtParent::Submitted, _) => NextTransition::DsSeen,
        (DsAtParent::Retract, _) => NextTransition::DsRetract,
        (DsAtParent::Retracted, _) => NextTransition::DsGone,
        (_, None) => NextTransition::Nothing,
        (_, Some(next)) if next < now => NextTransition::Now,
        (_, Some(next)) => NextTransition::At(next),
    }
}
