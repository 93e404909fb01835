//! Trust anchors that follow the zone by themselves (`<RFC5011/>`; RFC 5011): a leaving KSK is
//! revoked before it goes, and not before another has been there for the add hold-down time.
//! In: life, scene. Out: conditions on the DNSKEY and its signature. Never: the REVOKE bit itself.
//!
//! A revoked DNSKEY has another key tag and digest, so no DS fits it and no signature but the one
//! over the DNSKEY RRset may depend on it (§2.1): its DS and its RRSIGs are hidden first.

use super::policy_pass::wanted_keys;
use super::scene::{Condition, Gate, Scene};
use super::state::{KeyLife, RecordKind, RecordState, ZoneLife};
use crate::policy::Policy;
use crate::{Seconds, Timestamp};

/// How long validators watch a new key before they trust it (RFC 5011 §2.4.1).
pub const ADD_HOLD_DOWN: Seconds = Seconds(30 * 86_400);
/// How long a revoked key stays published, so that every validator sees it (RFC 5011 §2.4.2).
pub const REMOVE_HOLD_DOWN: Seconds = Seconds(30 * 86_400);

/// Whether the zone's KSKs are trust anchors somewhere: the policy says so, or it has no keys any
/// more and the key was revoked by hand.
fn is_followed(policy: &Policy, key: &KeyLife) -> bool {
    let says_so = |wanted: &crate::policy::KeyPolicy| wanted.role.signs_keyset() && wanted.rfc5011;
    key.role.signs_keyset() && (key.revoked.is_some() || policy.keys.keys.iter().any(says_so))
}

/// When every validator that follows the zone has seen what became omnipresent at `since` for
/// `hold_down`, and has looked once more: it looks at least once in a TTL (§2.3).
fn trusted_at(policy: &Policy, since: Timestamp, hold_down: Seconds) -> Timestamp {
    since.plus(hold_down.max(policy.keys.ttl)).plus(policy.keys.ttl)
}

/// When the first of the other keys is trusted by all who follow the zone; `None`: never yet.
fn another_trusted_at(life: &ZoneLife, key: usize, policy: &Policy) -> Option<Timestamp> {
    let others = life.keys.iter().enumerate().filter(|(other, _)| *other != key);
    let staying = others.map(|(_, other)| other).filter(|other| {
        let is_there = other.dnskey.state == RecordState::Omnipresent && other.signs_keyset();
        is_there && other.introducing && other.revoked.is_none()
    });
    staying.map(|other| trusted_at(policy, other.dnskey.since, ADD_HOLD_DOWN)).min()
}

/// What has to be true of trust anchors before the record of a leaving key is withdrawn.
pub(super) fn conditions(
    life: &ZoneLife,
    key: usize,
    kind: RecordKind,
    scene: &Scene<'_>,
) -> Vec<Condition> {
    let policy = scene.policy;
    let this = &life.keys[key];
    // What validators never had long enough to trust needs no revocation.
    let concerns = matches!(kind, RecordKind::Dnskey | RecordKind::RrsigDnskey)
        && this.dnskey.state == RecordState::Omnipresent
        && is_followed(policy, this);
    if !concerns {
        return Vec::new();
    }
    let condition = |gate, at: Option<Timestamp>| Condition {
        gate,
        is_met: at.is_some_and(|at| at <= scene.now),
        at,
        terms: Vec::new(),
    };
    if let Some(revoked) = this.revoked {
        return vec![condition(
            Gate::RemoveHoldDown,
            Some(trusted_at(policy, revoked, REMOVE_HOLD_DOWN)),
        )];
    }
    let at = match wanted_keys(policy).is_empty() {
        // Nobody is to trust the zone any more.
        true => Some(this.dnskey.since),
        false => another_trusted_at(life, key, policy),
    };
    let add = condition(Gate::AddHoldDown, at.filter(|_| is_free(this)));
    let mut conditions = vec![add];
    if conditions[0].is_met {
        // It can be revoked now, but does not leave before it was.
        conditions.push(condition(Gate::RemoveHoldDown, None));
    }
    conditions
}

/// Whether nothing depends on the key but the DNSKEY RRset it signs.
pub(super) fn is_free(key: &KeyLife) -> bool {
    let is_hidden = |kind| matches!(key.state(kind), None | Some(RecordState::Hidden));
    is_hidden(RecordKind::Ds) && is_hidden(RecordKind::Rrsig)
}
