//! Trust anchors that follow the zone by themselves (`<RFC5011/>`; RFC 5011): a leaving KSK is
//! revoked before it goes, and not before another has been there for the add hold-down time
//! (RFC 7583 §3.3.4). Both times count from the publication, where that is known.
//! In: life, scene. Out: conditions on the DNSKEY and its signature. Never: the REVOKE bit itself.
//!
//! A revoked DNSKEY has another key tag and digest, so no DS fits it and no signature but the one
//! over the DNSKEY RRset may depend on it (§2.1): its DS and its RRSIGs are hidden first. Only
//! where its algorithm has no DS at all, nobody needs its RRSIGs, and the last signer may be
//! revoked.

use super::approval::View;
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

/// Longest time between two looks of a validator at its trust anchors (RFC 5011 §2.3).
const LOOK_MAX: Seconds = Seconds(15 * 86_400);
/// Shortest time.
const LOOK_MIN: Seconds = Seconds(3600);

/// How often a validator looks that sees this TTL; where signatures are short, more often.
fn between_looks(ttl: Seconds) -> Seconds {
    Seconds(ttl.0 / 2).min(LOOK_MAX).max(LOOK_MIN)
}

/// The largest TTL of a DNSKEY RRset that caches may hold.
fn largest_ttl(life: &ZoneLife, policy: &Policy) -> Seconds {
    let old = life.old_terms.iter().map(|old| old.terms.dnskey_ttl);
    old.fold(policy.keys.ttl, Seconds::max)
}

/// When every validator that follows the zone trusts a key that is omnipresent since `since`: it
/// looks, sees it for the add hold-down time, and looks once more.
fn trusted_at(life: &ZoneLife, policy: &Policy, since: Timestamp) -> Timestamp {
    let ttl = largest_ttl(life, policy);
    let look = between_looks(ttl);
    since.plus(look).plus(ADD_HOLD_DOWN.max(ttl)).plus(look)
}

/// When every validator has seen for the remove hold-down time that a key is revoked. `None`: no
/// published version shows it yet.
fn forgotten_at(
    life: &ZoneLife,
    key: &KeyLife,
    revoked: Timestamp,
    scene: &Scene<'_>,
) -> Option<Timestamp> {
    let shown = match scene.waits_for_publication {
        true => key.dnskey.confirmed?.max(revoked),
        false => revoked,
    };
    let ttl = largest_ttl(life, scene.policy);
    let delays = life.old_terms.iter().map(|old| old.terms.zone_delay);
    let delay = delays.fold(scene.policy.zone.propagation_delay, Seconds::max);
    let everywhere = shown.plus(delay).plus(ttl).plus(scene.policy.keys.publish_safety);
    Some(everywhere.plus(between_looks(ttl)).plus(REMOVE_HOLD_DOWN.max(ttl)))
}

/// Revokes a key. Its DNSKEY is another one from now on, which no version has shown yet.
pub(super) fn revoke(key: &mut KeyLife, now: Timestamp) {
    key.revoked = Some(now);
    key.dnskey.confirmed = None;
}

/// When the first of the other keys is trusted by all who follow the zone; `None`: never yet.
fn another_trusted_at(life: &ZoneLife, key: usize, policy: &Policy) -> Option<Timestamp> {
    let others = life.keys.iter().enumerate().filter(|(other, _)| *other != key);
    let staying = others.map(|(_, other)| other).filter(|other| {
        let is_there = other.dnskey.state == RecordState::Omnipresent && other.signs_keyset();
        is_there && other.introducing && other.revoked.is_none()
    });
    staying.map(|other| trusted_at(life, policy, other.dnskey.since)).min()
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
    let is_seen = this.dnskey.state == RecordState::Omnipresent
        || this.revoked.is_some() && this.is_published();
    let concerns = matches!(kind, RecordKind::Dnskey | RecordKind::RrsigDnskey)
        && is_seen
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
        let at = forgotten_at(life, this, revoked, scene);
        let mut conditions = vec![condition(Gate::RemoveHoldDown, at)];
        if at.is_none() {
            conditions.push(condition(Gate::Published, None));
        }
        return conditions;
    }
    let at = match wanted_keys(policy).is_empty() {
        // Nobody is to trust the zone any more.
        true => Some(this.dnskey.since),
        false => another_trusted_at(life, key, policy),
    };
    let add = condition(Gate::AddHoldDown, at.filter(|_| is_free(life, this)));
    let mut conditions = vec![add];
    if conditions[0].is_met {
        // It can be revoked now, but does not leave before it was.
        conditions.push(condition(Gate::RemoveHoldDown, None));
    }
    conditions
}

/// Whether nothing depends on the key but the DNSKEY RRset it signs: its signatures over the zone
/// are gone, or no DS and no other DNSKEY asks for its algorithm any more. The last signer of an
/// algorithm stops when it is revoked.
pub(super) fn is_free(life: &ZoneLife, key: &KeyLife) -> bool {
    let is_hidden =
        |key: &KeyLife, kind| matches!(key.state(kind), None | Some(RecordState::Hidden));
    let relies = |other: &KeyLife| {
        let is_other = other.id != key.id && other.algorithm == key.algorithm;
        is_other && other.is_published() && other.revoked.is_none()
    };
    let is_last = || View::of(life).has_no_ds(key.algorithm) && !life.keys.iter().any(relies);
    is_hidden(key, RecordKind::Ds) && (is_hidden(key, RecordKind::Rrsig) || is_last())
}
