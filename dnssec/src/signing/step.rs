//! How far a change of a zone's keys or of its apex reaches: to the apex alone, or to every name.
//! RFC 6781 §4.1.1.1 (pre-publication), RFC 7583 §3.2.1; OpenDNSSEC's rules of reuse
//! (catalogue 5.2).
//! In: what the last version was made with, and what the next one is. Out: [`Reach`]; of a chunk,
//! whether it has signatures that may not stay.
//!
//! A new DNSKEY, a new DS, a KSK that comes or goes concern the apex. So does a ZSK that takes over
//! from the only one of its algorithm: what the old one signed stands until it comes due
//! ([`super::reuse`]), as long as the old one is published. Where it is not, the chunks that have
//! its signatures are signed anew ([`has_strangers`]), and no others.
//! Never: a smaller reach than the rules of reuse have. A tally by chunk knows every signer, so
//! what it does not show is not there.

use super::reuse::PublishedKey;
use super::{Signer, ZoneKey};
use crate::key::KeyRole;
use crate::zone::chunk::{Chunk, RrsetView};
use crate::{Algorithm, KeyTag};
use std::collections::{BTreeMap, BTreeSet};

/// What a change concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The apex, and chunks with strangers' signatures.
    Apex,
    /// Every name.
    Zone,
}

/// How far the change from one set of keys to another reaches, all else being equal.
pub fn reach(before: &[ZoneKey], after: &[ZoneKey]) -> Reach {
    let (before, after) = (zone_signers(before), zone_signers(after));
    let is_smooth = |algorithm: &Algorithm| match (before.get(algorithm), after.get(algorithm)) {
        (Some(before), Some(after)) => before == after || (before.len() == 1 && after.len() == 1),
        _ => false,
    };
    match before.keys().chain(after.keys()).all(is_smooth) {
        true => Reach::Apex,
        false => Reach::Zone,
    }
}

/// The keys that sign the zone's data, by algorithm.
fn zone_signers(keys: &[ZoneKey]) -> BTreeMap<Algorithm, BTreeSet<KeyTag>> {
    let mut signers: BTreeMap<Algorithm, BTreeSet<KeyTag>> = BTreeMap::new();
    for key in keys.iter().filter(|key| key.signing_role().is_some_and(KeyRole::signs_zone)) {
        signers.entry(key.public_key.algorithm).or_default().insert(key.key_tag());
    }
    signers
}

/// Whether a chunk of the last version has a signature that is not to be there any more, whatever
/// its times: by a key that neither signs nor is published.
pub fn has_strangers(chunk: &Chunk, signers: &[Signer], published: &[PublishedKey]) -> bool {
    let is_stranger = |algorithm: u8, tag: KeyTag| {
        let is_it = |own: Algorithm, own_tag: KeyTag| own.number() == algorithm && own_tag == tag;
        let signs = |it: &Signer| it.role.signs_zone() && is_it(it.algorithm, it.key_tag);
        let shows = |it: &PublishedKey| it.role.signs_zone() && is_it(it.algorithm, it.key_tag);
        !signers.iter().any(signs) && !published.iter().any(shows)
    };
    if !chunk.signers().iter().any(|count| is_stranger(count.algorithm, count.key_tag)) {
        return false;
    }
    let Some(apex) = chunk.find(&[]) else { return true };
    // What only keys sign is at the apex: there each RRset is asked for.
    let is_stranger_at = |rrset: &RrsetView<'_>| {
        rrset.signatures().any(|it| {
            let signs = |own: &Signer| {
                it.is_by(own.algorithm, own.key_tag) && own.signs_at_apex(rrset.rtype)
            };
            is_stranger(it.algorithm, it.key_tag) && !signers.iter().any(signs)
        })
    };
    let mut below = chunk.owners().filter(|owner| !owner.key().is_empty());
    apex.rrsets().any(|rrset| is_stranger_at(&rrset))
        || below.any(|owner| {
            let mut signatures = owner.rrsets().flat_map(|rrset| rrset.signatures());
            signatures.any(|it| is_stranger(it.algorithm, it.key_tag))
        })
}

#[cfg(test)]
mod tests;
