//! How long a record has to wait: until no cache holds what was there before (catalogue 4.2,
//! "Timing"; RFC 7583 §3). In: a record, the terms of the policy and of earlier policies.
//! Out: when it may become omnipresent or hidden, and what that is made of.
//! Never: less than OpenDNSSEC 2.1; where it is more, see the list in [`super`].

use super::revocation::hold_downs_since;
use super::scene::{DsShown, DsSighting, Scene};
use super::state::{KeyLife, OldTerms, RecordKind, RecordState, Terms, WaitTerm, ZoneLife};
use crate::policy::{DenialPolicy, Policy};
use crate::{Seconds, Timestamp};
use RecordKind::{Dnskey, Ds, Rrsig, RrsigDnskey};
use RecordState::{Hidden, Omnipresent, Rumoured, Unretentive};

/// TTLs assumed where `<MaxZoneTTL>` is absent (2.x).
pub(super) const MAX_ZONE_TTL_DEFAULT: Seconds = Seconds(86_400);

/// A moment that never comes.
const NEVER: Timestamp = Timestamp(u64::MAX);

impl Terms {
    /// The terms of a policy.
    pub fn of(policy: &Policy) -> Terms {
        let signatures = &policy.signatures;
        let validity = signatures.validity_default.max(signatures.validity_denial);
        let denial_ttl = match &policy.denial {
            DenialPolicy::Nsec => Seconds(0),
            DenialPolicy::Nsec3(nsec3) => nsec3.param_ttl,
        };
        let largest = max_zone_ttl(policy).max(denial_ttl);
        Terms {
            ds_ttl: policy.parent.ds_ttl,
            parent_delay: sum(&[policy.parent.registration_delay, policy.parent.propagation_delay]),
            dnskey_ttl: policy.keys.ttl,
            rrsig_ttl: largest.max(policy.zone.soa_ttl).max(policy.zone.soa_minimum),
            zone_delay: policy.zone.propagation_delay,
            signature_life: sum(&[validity, signatures.jitter]),
            resign: signatures.resign,
            refresh: signatures.refresh,
        }
    }

    /// The longest of both, term by term.
    fn longest(self, other: Terms) -> Terms {
        Terms {
            ds_ttl: self.ds_ttl.max(other.ds_ttl),
            parent_delay: self.parent_delay.max(other.parent_delay),
            dnskey_ttl: self.dnskey_ttl.max(other.dnskey_ttl),
            rrsig_ttl: self.rrsig_ttl.max(other.rrsig_ttl),
            zone_delay: self.zone_delay.max(other.zone_delay),
            signature_life: self.signature_life.max(other.signature_life),
            resign: self.resign.max(other.resign),
            refresh: self.refresh.min(other.refresh),
        }
    }

    /// TTL of the RRset that a record is part of, and the time until a change of it is everywhere.
    fn spread(&self, kind: RecordKind) -> (Seconds, Seconds) {
        match kind {
            Ds => (self.ds_ttl, self.parent_delay),
            Dnskey | RrsigDnskey => (self.dnskey_ttl, self.zone_delay),
            Rrsig => (self.rrsig_ttl, self.zone_delay),
        }
    }

    /// Longest time for which anything lives by these terms.
    fn reach(&self) -> Seconds {
        let ds = sum(&[self.ds_ttl, self.parent_delay]);
        let keys = sum(&[self.dnskey_ttl, self.zone_delay]);
        let rest = [self.rrsig_ttl, self.zone_delay, self.signature_life, self.resign];
        ds.max(keys).max(sum(&rest))
    }
}

fn sum(lengths: &[Seconds]) -> Seconds {
    Seconds(lengths.iter().fold(0, |sum, length| sum.saturating_add(length.0)))
}

/// `<MaxZoneTTL>`, or what 2.x assumes without.
pub(super) fn max_zone_ttl(policy: &Policy) -> Seconds {
    policy.signatures.max_zone_ttl.unwrap_or(MAX_ZONE_TTL_DEFAULT)
}

/// How long resolvers may remember that something is not there (RFC 2308 §5).
fn negative_ttl(policy: &Policy) -> Seconds {
    policy.zone.soa_ttl.min(policy.zone.soa_minimum)
}

/// Remembers the terms of the policy before, when it has others now, and forgets those that
/// nothing lives by any more.
pub(super) fn remember_terms(life: &mut ZoneLife, scene: &Scene<'_>) {
    let terms = Terms::of(scene.policy);
    if let Some(before) = life.terms.replace(terms)
        && before != terms
    {
        let old = OldTerms { until: scene.now, is_superseded: false, terms: before };
        life.old_terms.push(old);
    }
    let oldest_wait = hold_downs_since(life, scene.now).unwrap_or(scene.now).min(scene.now);
    loop {
        // What lives longest may live by the terms of several policies, each for a part.
        let all = life.old_terms.iter().fold(terms, |all, old| all.longest(old.terms));
        let reach = all.reach();
        let number = life.old_terms.len();
        life.old_terms.retain(|old| {
            let is_over = old.is_superseded || !scene.waits_for_publication;
            !is_over || old.until.plus(reach).plus(reach) > oldest_wait
        });
        if life.old_terms.len() == number {
            break;
        }
    }
    while life.old_terms.len() > ZoneLife::OLD_TERMS_MAX {
        let oldest = life.old_terms.remove(0);
        let next = &mut life.old_terms[0];
        next.terms = next.terms.longest(oldest.terms);
        next.is_superseded &= oldest.is_superseded;
    }
}

/// How long a record waits.
pub(super) struct Wait {
    /// When it is over.
    pub(super) until: Timestamp,
    /// What it is made of, by today's policy.
    pub(super) terms: Vec<WaitTerm>,
}

/// How long the record `kind` of `key` has to wait before it becomes `wants`.
pub(super) fn wait(
    life: &ZoneLife,
    key: usize,
    kind: RecordKind,
    wants: RecordState,
    scene: &Scene<'_>,
) -> Wait {
    let since = life.keys[key].record(kind).unwrap_or_default().since;
    if matches!(wants, Rumoured | Unretentive) {
        return Wait { until: since, terms: Vec::new() };
    }
    let start = start(life, key, kind, wants, scene);
    let mut terms = spread_terms(life, key, kind, wants, scene);
    let margin = margin(scene.policy, kind, wants);
    let mut until = add(start, &terms).max(old_wait(life, kind, start, scene).plus(margin));
    let replaced = match kind {
        Rrsig => replacements(life, key, wants, scene),
        _ => Vec::new(),
    };
    if !replaced.is_empty() {
        terms.extend(replacement_terms(scene.policy));
        let one_by_one = add(since, &terms).max(smooth_wait(life, since, scene));
        let ends = replaced.into_iter().map(|replaced| match replaced {
            Replaced::OneByOne => one_by_one,
            Replaced::DroppedAt(moment) => dropped_wait(life, moment, scene).min(one_by_one),
        });
        until = ends.fold(until, Timestamp::max);
    }
    Wait { until, terms }
}

/// When the wait of a record begins: the moment of its transition, or, where that is known, of
/// its publication.
fn start(
    life: &ZoneLife,
    key: usize,
    kind: RecordKind,
    wants: RecordState,
    scene: &Scene<'_>,
) -> Timestamp {
    let record = life.keys[key].record(kind).unwrap_or_default();
    let needed = |sighting: &&DsSighting| sighting.shown == sighting_needed(wants);
    let seen = match kind {
        Ds => sighting(scene, life, key).filter(needed).map(|sighting| sighting.since),
        _ if scene.waits_for_publication => record.confirmed,
        _ => None,
    };
    seen.unwrap_or(record.since).max(record.since)
}

/// What the parent's servers were seen to show of a key's DS.
pub(super) fn sighting<'a>(
    scene: &Scene<'a>,
    life: &ZoneLife,
    key: usize,
) -> Option<&'a DsSighting> {
    scene.parent?.iter().find(|sighting| sighting.id == life.keys[key].id)
}

/// What the parent's servers have to show before a DS becomes `wants`.
pub(super) fn sighting_needed(wants: RecordState) -> DsShown {
    match wants {
        Hidden => DsShown::Nowhere,
        _ => DsShown::Everywhere,
    }
}

fn margin(policy: &Policy, kind: RecordKind, wants: RecordState) -> Seconds {
    match kind {
        Ds | Rrsig => Seconds(0),
        Dnskey | RrsigDnskey if wants == Omnipresent => policy.keys.publish_safety,
        Dnskey | RrsigDnskey => policy.keys.retire_safety,
    }
}

fn term(name: &'static str, length: Seconds) -> WaitTerm {
    WaitTerm { name, length, is_subtracted: false }
}

/// By today's policy: until a change is in no cache any more, as 2.x has it.
fn spread_terms(
    life: &ZoneLife,
    key: usize,
    kind: RecordKind,
    wants: RecordState,
    scene: &Scene<'_>,
) -> Vec<WaitTerm> {
    let policy = scene.policy;
    let zone_delay = term("Zone/PropagationDelay", policy.zone.propagation_delay);
    match kind {
        Ds => {
            let seen = sighting(scene, life, key).map_or(Seconds(0), |sighting| sighting.ttl);
            vec![
                term("Parent/DS/TTL", policy.parent.ds_ttl.max(seen)),
                term("Parent/RegistrationDelay", policy.parent.registration_delay),
                term("Parent/PropagationDelay", policy.parent.propagation_delay),
            ]
        }
        Dnskey | RrsigDnskey => {
            let negative = negative_ttl(policy);
            let ttl = match wants == Omnipresent && is_first_dnskey(life, key, kind) {
                true if negative > policy.keys.ttl => term("Zone/SOA/Minimum", negative),
                _ => term("Keys/TTL", policy.keys.ttl),
            };
            let name = match wants == Omnipresent {
                true => "Keys/PublishSafety",
                false => "Keys/RetireSafety",
            };
            vec![ttl, zone_delay, term(name, margin(policy, kind, wants))]
        }
        Rrsig => {
            let name = match max_zone_ttl(policy) == Terms::of(policy).rrsig_ttl {
                true => "Signatures/MaxZoneTTL",
                false => "Zone/SOA/TTL",
            };
            vec![term(name, Terms::of(policy).rrsig_ttl), zone_delay]
        }
    }
}

/// By today's policy: until the last signature was replaced, one by one as they come into their
/// refresh window.
fn replacement_terms(policy: &Policy) -> [WaitTerm; 4] {
    let signatures = &policy.signatures;
    let validity = signatures.validity_default.max(signatures.validity_denial);
    let refresh = term("Signatures/Refresh", signatures.refresh);
    [
        term("Signatures/Jitter", signatures.jitter),
        term("Signatures/Validity", validity),
        term("Signatures/Resign", signatures.resign),
        WaitTerm { is_subtracted: true, ..refresh },
    ]
}

fn add(moment: Timestamp, terms: &[WaitTerm]) -> Timestamp {
    let added = terms.iter().filter(|term| !term.is_subtracted);
    let subtracted = terms.iter().filter(|term| term.is_subtracted);
    let end = added.fold(moment, |moment, term| moment.plus(term.length));
    subtracted.fold(end, |moment, term| moment.minus(term.length))
}

/// Whether resolvers may remember that the zone has no DNSKEY: no other key has one that was
/// there all the time. One that left may never have been everywhere; but where some cache has a DS,
/// the zone had DNSKEYs everywhere before.
fn is_first_dnskey(life: &ZoneLife, key: usize, kind: RecordKind) -> bool {
    let since = life.keys[key].record(kind).unwrap_or_default().since;
    let has_ds = life.keys.iter().any(|one| one.state(Ds).is_some_and(|ds| ds != Hidden));
    let was_there = |other: usize| {
        let dnskey = life.keys[other].dnskey;
        let is_there = dnskey.state == Omnipresent;
        is_there || has_ds && dnskey.state == Unretentive && dnskey.since >= since
    };
    !(0..life.keys.len()).any(|other| other != key && was_there(other))
}

/// How signatures by a key that stopped signing left the zone.
enum Replaced {
    /// As they came into their refresh window.
    OneByOne,
    /// The last ones with the key's DNSKEY.
    DroppedAt(Timestamp),
}

/// How the signatures of the keys that a key takes over from leave the zone, or its own when it
/// stopped; empty where all RRsets got or lost a signature at once. It was one by one when leaving
/// and coming key were both in the DNSKEY RRset as the change began: a signer keeps a signature as
/// long as its key is published. 2.1 asks whether they still are, and forgets the long wait when
/// the leaving one's DNSKEY goes; and it counts only coming keys that every cache has, but a key
/// that trust anchors keep published (RFC 5011) may be followed by one that is new.
fn replacements(
    life: &ZoneLife,
    key: usize,
    wants: RecordState,
    scene: &Scene<'_>,
) -> Vec<Replaced> {
    let this = &life.keys[key];
    let others = || {
        let others = life.keys.iter().enumerate().filter(|(other, _)| *other != key);
        others.map(|(_, other)| other).filter(|other| other.algorithm == this.algorithm)
    };
    let way = |key: &KeyLife| match key.dnskey.state {
        Rumoured | Omnipresent => Replaced::OneByOne,
        Unretentive | Hidden => Replaced::DroppedAt(key.dnskey.since),
    };
    let is_covered = |life: &ZoneLife| {
        let mut same = life.keys.iter().filter(|one| one.algorithm == this.algorithm);
        same.any(|one| one.state(Rrsig) == Some(Omnipresent))
    };
    let follows = |coming: &KeyLife, leaving: &KeyLife| match coming.dnskey.state {
        Omnipresent => true,
        // Where a third one's signatures are everywhere, no RRset has none but the leaving one's.
        Rumoured => !is_covered(life) && outlives_its_signatures(leaving, scene.policy),
        Unretentive | Hidden => false,
    };
    if wants == Omnipresent {
        let leaving = others().filter(|other| other.state(Rrsig) == Some(Unretentive));
        return leaving.filter(|other| follows(this, other)).map(way).collect();
    }
    let is_coming = |other: &KeyLife| other.state(Rrsig) == Some(Rumoured) && follows(other, this);
    let left = this.rrsig.unwrap_or_default().since;
    let was_there = this.is_published() || this.dnskey.since >= left;
    if was_there && others().any(is_coming) { vec![way(this)] } else { Vec::new() }
}

/// Whether a key that stopped signing is or was published for longer than its signatures were
/// made. Of a DNSKEY that is hidden nothing tells when it left; at the latest when it had to.
fn outlives_its_signatures(key: &KeyLife, policy: &Policy) -> bool {
    let stopped = key.rrsig.unwrap_or_default().since;
    let spread = [policy.keys.ttl, policy.zone.propagation_delay, policy.keys.retire_safety];
    match key.dnskey.state {
        Rumoured | Omnipresent => true,
        Unretentive => key.dnskey.since > stopped,
        Hidden => key.dnskey.since > stopped.plus(sum(&spread)),
    }
}

/// Until when caches may hold signatures that left the zone with their DNSKEY.
fn dropped_wait(life: &ZoneLife, dropped: Timestamp, scene: &Scene<'_>) -> Timestamp {
    let today = Terms::of(scene.policy);
    let all = life.old_terms.iter().fold(today, |all, old| all.longest(old.terms));
    dropped.plus(all.rrsig_ttl).plus(all.zone_delay)
}

/// Until when earlier terms were in force: for ever, while nothing newer is published.
fn in_force_until(old: &OldTerms, scene: &Scene<'_>) -> Timestamp {
    let shows_on = scene.waits_for_publication && !old.is_superseded;
    if shows_on { NEVER } else { old.until }
}

/// Until when caches may hold RRsets from before `start` that were published by earlier terms.
/// What replaced them spread by those terms or by later ones.
fn old_wait(life: &ZoneLife, kind: RecordKind, start: Timestamp, scene: &Scene<'_>) -> Timestamp {
    let (_, today) = Terms::of(scene.policy).spread(kind);
    let mut slowest = today;
    let mut end = Timestamp::default();
    for old in life.old_terms.iter().rev() {
        let (ttl, delay) = old.terms.spread(kind);
        slowest = slowest.max(delay);
        end = end.max(in_force_until(old, scene).min(start).plus(ttl).plus(slowest));
    }
    end
}

/// Until when caches may hold signatures that were replaced one by one since `since`, by the
/// terms then and from then on.
fn smooth_wait(life: &ZoneLife, since: Timestamp, scene: &Scene<'_>) -> Timestamp {
    let today = OldTerms { until: NEVER, is_superseded: true, terms: Terms::of(scene.policy) };
    let all = || life.old_terms.iter().chain([&today]);
    let expires =
        |old: &OldTerms| in_force_until(old, scene).min(since).plus(old.terms.signature_life);
    let last_expires = all().map(expires).max().unwrap_or(since);
    let still_ruled = |old: &&OldTerms| in_force_until(old, scene) >= since;
    let slowest =
        all().filter(still_ruled).fold(today.terms, |slowest, old| slowest.longest(old.terms));
    let replaced = last_expires.plus(slowest.resign).minus(slowest.refresh);
    replaced.plus(slowest.rrsig_ttl).plus(slowest.zone_delay)
}
