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
use super::state::{KeyLife, RecordKind, RecordLife, RecordState, ZoneLife};
use crate::key::KeyId;
use crate::policy::Policy;
use crate::{Seconds, Timestamp};

/// How long validators watch a new key before they trust it (RFC 5011 §2.4.1).
pub const ADD_HOLD_DOWN: Seconds = Seconds(30 * 86_400);
/// How long a revoked key stays published, so that every validator sees it (RFC 5011 §2.4.2).
pub const REMOVE_HOLD_DOWN: Seconds = Seconds(30 * 86_400);

/// Whether validators may have the key as a trust anchor.
fn is_followed(key: &KeyLife) -> bool {
    key.role.signs_keyset() && (key.revoked.is_some() || key.is_anchor)
}

/// Remembers which keys validators may follow by the policy. A policy that has no such keys at
/// all does not say that nobody follows those that were there.
pub(super) fn remember_anchors(life: &mut ZoneLife, policy: &Policy) {
    let mut wanted = policy.keys.keys.iter().filter(|wanted| wanted.role.signs_keyset());
    let says_nothing = wanted.clone().next().is_none();
    let says_so = wanted.any(|wanted| wanted.rfc5011);
    for key in life.keys.iter_mut().filter(|key| key.role.signs_keyset()) {
        let is_there = key.dnskey.state != RecordState::Hidden;
        key.is_anchor = is_there && if says_nothing { key.is_anchor } else { says_so };
    }
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
fn largest_ttl(life: &ZoneLife) -> Seconds {
    let old = life.old_terms.iter().map(|old| old.terms);
    let ttls = life.terms.into_iter().chain(old).map(|terms| terms.dnskey_ttl);
    ttls.max().unwrap_or_default()
}

/// When every validator that follows the zone trusts a key that is omnipresent since `since`: it
/// looks, sees it for the add hold-down time, and looks once more.
fn trusted_at(life: &ZoneLife, since: Timestamp) -> Timestamp {
    let ttl = largest_ttl(life);
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
    let ttl = largest_ttl(life);
    let everywhere = revoked_everywhere_at(life, key, revoked, scene)?;
    Some(everywhere.plus(between_looks(ttl)).plus(REMOVE_HOLD_DOWN.max(ttl)))
}

/// When no cache has the key's DNSKEY without the REVOKE bit any more. `None`: as above.
fn revoked_everywhere_at(
    life: &ZoneLife,
    key: &KeyLife,
    revoked: Timestamp,
    scene: &Scene<'_>,
) -> Option<Timestamp> {
    let shown = match scene.waits_for_publication {
        true => key.dnskey.confirmed?.max(revoked),
        false => revoked,
    };
    let ttl = largest_ttl(life);
    let delays = life.old_terms.iter().map(|old| old.terms.zone_delay);
    let delay = delays.fold(scene.policy.zone.propagation_delay, Seconds::max);
    Some(shown.plus(delay).plus(ttl).plus(scene.policy.keys.publish_safety))
}

/// The earliest moment that a hold-down which still runs counts from. Terms that were in force then
/// are not forgotten before it is over.
pub(super) fn hold_downs_since(life: &ZoneLife, now: Timestamp) -> Option<Timestamp> {
    let since = life.keys.iter().filter(|key| is_followed(key) && key.is_published()).map(|key| {
        let added = key.dnskey.since;
        key.revoked
            .or((added.plus(ADD_HOLD_DOWN).plus(LOOK_MAX).plus(LOOK_MAX) > now).then_some(added))
    });
    since.flatten().min()
}

/// Revokes a key. Its DNSKEY is another one from now on, which no version has shown yet, and it
/// signs nothing but its set.
pub(super) fn revoke(key: &mut KeyLife, now: Timestamp) {
    key.revoked = Some(now);
    key.dnskey.confirmed = None;
    if let Some(rrsig) = key.rrsig.as_mut().filter(|rrsig| rrsig.state.is_served()) {
        *rrsig = RecordLife { state: RecordState::Unretentive, since: now, confirmed: None };
    }
}

/// When the first of the other keys is trusted by all who follow the zone; `None`: never yet.
pub(super) fn another_trusted_at(life: &ZoneLife, key: &KeyLife) -> Option<Timestamp> {
    let staying = life.keys.iter().filter(|other| {
        let is_there = other.dnskey.state == RecordState::Omnipresent && other.signs_keyset();
        other.id != key.id && is_there && other.introducing && other.revoked.is_none()
    });
    staying.map(|other| trusted_at(life, other.dnskey.since)).min()
}

fn condition(gate: Gate, at: Option<Timestamp>, scene: &Scene<'_>) -> Condition {
    Condition { gate, is_met: at.is_some_and(|at| at <= scene.now), at, terms: Vec::new() }
}

/// What has to be true of trust anchors before the record of a leaving key is withdrawn.
pub(super) fn conditions(
    life: &ZoneLife,
    key: usize,
    kind: RecordKind,
    scene: &Scene<'_>,
) -> Vec<Condition> {
    let mut conditions = Vec::new();
    let this = &life.keys[key];
    let signs = !is_hidden(this, RecordKind::Rrsig);
    if kind == RecordKind::Rrsig || kind == RecordKind::Dnskey && signs {
        conditions.extend(signer_condition(life, this, kind, scene));
    }
    if kind == RecordKind::RrsigDnskey && stays_an_anchor(this) {
        conditions.push(condition(Gate::AddHoldDown, None, scene));
        return conditions;
    }
    let is_seen =
        may_be_trusted(life, this, scene) || this.revoked.is_some() && this.is_published();
    let concerns = matches!(kind, RecordKind::Dnskey | RecordKind::RrsigDnskey) && is_seen;
    if !concerns || !is_followed(this) {
        return conditions;
    }
    if let Some(revoked) = this.revoked {
        let at = forgotten_at(life, this, revoked, scene);
        conditions.push(condition(Gate::RemoveHoldDown, at, scene));
        if at.is_none() {
            conditions.push(condition(Gate::Published, None, scene));
        }
        return conditions;
    }
    let becomes_unsigned = wanted_keys(scene.policy).is_empty();
    let (at, is_free) = match becomes_unsigned {
        // Nobody is to trust the zone any more; who still does needs its data signed.
        true => (Some(this.dnskey.since), has_no_ds(life) && is_signed_without(life, this)),
        false => (another_trusted_at(life, this), is_free(life, this)),
    };
    let add = condition(Gate::AddHoldDown, at.filter(|_| is_free), scene);
    let is_met = add.is_met;
    conditions.push(add);
    if is_met {
        // It can be revoked now, but does not leave before it was.
        conditions.push(condition(Gate::RemoveHoldDown, None, scene));
    }
    conditions
}

/// Whether a DNSKEY without the REVOKE bit is published and may be followed, by somebody who has it
/// already or will come to trust it: then it has to sign its set, and goes first.
fn stays_an_anchor(key: &KeyLife) -> bool {
    key.is_anchor && key.revoked.is_none() && key.is_published()
}

/// What trust anchors ask of a signer. A trust point goes with its last key, and only when all its
/// keys were seen revoked (§5): until then a zone that becomes unsigned goes on being signed. In
/// any other zone nobody stops signing while caches have an anchor without its REVOKE bit.
fn signer_condition(
    life: &ZoneLife,
    this: &KeyLife,
    kind: RecordKind,
    scene: &Scene<'_>,
) -> Option<Condition> {
    let becomes_unsigned = wanted_keys(scene.policy).is_empty();
    let is_anchor = |one: &&KeyLife| {
        let is_other = one.id != this.id || kind == RecordKind::Rrsig;
        let is_trusted = becomes_unsigned && may_be_trusted(life, one, scene);
        let counts = is_trusted || one.revoked.is_some();
        is_other && is_followed(one) && one.is_published() && counts
    };
    let mut anchors = life.keys.iter().filter(is_anchor).peekable();
    anchors.peek()?;
    let over = |one: &KeyLife| {
        let at = if becomes_unsigned { forgotten_at } else { revoked_everywhere_at };
        one.revoked.and_then(|revoked| at(life, one, revoked, scene))
    };
    let times: Option<Vec<Timestamp>> = anchors.map(over).collect();
    let gate = if becomes_unsigned { Gate::RemoveHoldDown } else { Gate::Time };
    Some(condition(gate, times.and_then(|times| times.into_iter().max()), scene))
}

/// Whether validators had long enough to trust the key; else it needs no revocation. Whoever begins
/// to follow the zone takes the keys that he sees signing everywhere, however long they are there.
fn may_be_trusted(life: &ZoneLife, key: &KeyLife, scene: &Scene<'_>) -> bool {
    match key.dnskey.state {
        RecordState::Omnipresent => true,
        RecordState::Rumoured => key.dnskey.since.plus(quickest_spread(life)) <= scene.now,
        RecordState::Unretentive | RecordState::Hidden => false,
    }
}

/// The shortest time in which a new DNSKEY RRset takes the place of the old one in all caches.
fn quickest_spread(life: &ZoneLife) -> Seconds {
    let terms = || life.terms.into_iter().chain(life.old_terms.iter().map(|old| old.terms));
    let ttl = terms().map(|terms| terms.dnskey_ttl).min().unwrap_or_default();
    let delay = terms().map(|terms| terms.zone_delay).min().unwrap_or_default();
    Seconds(ttl.0.saturating_add(delay.0))
}

/// Whether the zone's data has signatures that everybody can check when the key is revoked: then
/// it signs nothing but the DNSKEY RRset any more, and validators may have it as it was before.
fn is_signed_without(life: &ZoneLife, key: &KeyLife) -> bool {
    if is_hidden(key, RecordKind::Rrsig) {
        return true;
    }
    let others = life.keys.iter().filter(|one| one.id != key.id && one.revoked.is_none());
    let rest = ZoneLife { keys: others.cloned().collect(), ..life.clone() };
    rest.keys.iter().any(|one| View::of(&rest).has_signatures(one.algorithm))
}

/// A key for which a zone cannot become unsigned (`<Passthrough/>`, or a policy without keys): a
/// CSK that validators follow (RFC 5011) and that alone signs the zone. Revoked, it is another key,
/// and caches would have the one without the signatures of the other. A KSK and a ZSK can take
/// over first: a KSK signs no data, so that it is revoked without harm. `None`: the policy is no
/// such policy, or nothing stands in its way.
pub fn bars_from_unsigned<'a>(life: &'a ZoneLife, policy: &Policy) -> Option<&'a KeyId> {
    let mut keysigners = policy.keys.keys.iter().filter(|wanted| wanted.role.signs_keyset());
    let gives_up = keysigners.clone().next().is_some() && !keysigners.any(|one| one.rfc5011);
    if !wanted_keys(policy).is_empty() || gives_up {
        return None;
    }
    let mut followed = life.keys.iter().filter(|key| {
        key.is_anchor && key.revoked.is_none() && key.is_published() && key.role.signs_zone()
    });
    let lasts = |one: &&KeyLife| {
        let is_out = |kind| one.state(kind) == Some(RecordState::Omnipresent);
        !one.role.signs_keyset() && is_out(RecordKind::Dnskey) && is_out(RecordKind::Rrsig)
    };
    let has_another_signer = || life.keys.iter().any(|one| lasts(&one));
    let bars = |key: &&KeyLife| !is_hidden(key, RecordKind::Rrsig) && !has_another_signer();
    followed.find(bars).map(|key| &key.id)
}

fn is_hidden(key: &KeyLife, kind: RecordKind) -> bool {
    matches!(key.state(kind), None | Some(RecordState::Hidden))
}

/// Whether no cache has a DS of the zone.
fn has_no_ds(life: &ZoneLife) -> bool {
    life.keys.iter().all(|key| is_hidden(key, RecordKind::Ds))
}

/// Whether nothing depends on the key but the DNSKEY RRset it signs: its signatures over the zone
/// are gone, or no DS and no other DNSKEY asks for its algorithm any more. The last signer of an
/// algorithm stops when it is revoked.
pub(super) fn is_free(life: &ZoneLife, key: &KeyLife) -> bool {
    let relies = |other: &KeyLife| {
        let is_other = other.id != key.id && other.algorithm == key.algorithm;
        is_other && other.is_published() && other.revoked.is_none()
    };
    let is_last = || View::of(life).has_no_ds(key.algorithm) && !life.keys.iter().any(relies);
    is_hidden(key, RecordKind::Ds) && (is_hidden(key, RecordKind::Rrsig) || is_last())
}
