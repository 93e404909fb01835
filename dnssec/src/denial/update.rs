//! The chain after a change: only touched names and their neighbours are made anew.
//! RFC 4035 §2.3, RFC 5155 §7.1; empty non-terminals appear and vanish with the names below them,
//! opt-out DS come and go with all their ancestors (OPENDNSSEC-353).
//! In: the new version's names, the keys of the owners that differ, the old chain. Out:
//! replacements for the signed names, and for the NSEC3 list.
//! The cost follows the change. Whether an empty non-terminal was in the chain is looked up there;
//! whether it is still needed under opt-out is found by walking to the first hashed name below it,
//! past at most [`WALK_OWNER_COUNT_MAX`] insecure delegations. If it has more than that, it stays:
//! RFC 5155 §7.1 allows leaving it out, it does not ask for it.

use super::nsec::chained_owner;
use super::nsec3::{HASH_LENGTH, HashCollision, Nsec3Parameters, hash, is_hashed, nsec3_owner};
use super::{Chain, push_bitmap};
use crate::zone::chunk::{OwnerKind, OwnerView};
use crate::zone::key::{ancestor_lengths, key_to_wire, push_label};
use crate::zone::replace::{Replacements, owners_before, owners_from};
use crate::zone::{ChunkList, ZoneVersion, edit};
use crate::{RrType, Ttl};
use data_encoding::BASE32_DNSSEC;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

/// Most owners that are looked at to see that an empty non-terminal of an opt-out chain may go.
/// Tests of this crate have a small one, so that small zones reach it.
pub const WALK_OWNER_COUNT_MAX: usize = if cfg!(test) { 30 } else { 10_000 };

/// Replacements for the names of a version with an NSEC chain: the touched owners, and the ones
/// before them, whose NSEC points elsewhere now. `new` has no NSEC records itself.
pub fn nsec_replacements(new: &ZoneVersion, touched: &BTreeSet<Vec<u8>>, ttl: Ttl) -> Replacements {
    let in_chain = |owner: &OwnerView<'_>| owner.kind() != OwnerKind::Occluded;
    let mut keys = touched.clone();
    for key in touched {
        if let Some(before) = owners_before(&new.names, key).find(in_chain) {
            keys.insert(before.key().to_vec());
        } else if let Some(last) = owners_before_end(&new.names).find(in_chain) {
            // Nothing before it: the last name of the chain is its neighbour.
            keys.insert(last.key().to_vec());
        }
    }
    let replacement = |key: Vec<u8>| {
        let owner = new.find(&key).map(|owner| {
            let after = Bound::Excluded(owner.key());
            let next = owners_from(&new.names, after).find(in_chain);
            let next = next.map_or(&[][..], |next| next.key());
            Arc::new(chained_owner(&new.apex, &owner, next, ttl))
        });
        (key, owner)
    };
    keys.into_iter().map(replacement).collect()
}

fn owners_before_end(list: &ChunkList) -> impl Iterator<Item = OwnerView<'_>> {
    list.iter().rev().flat_map(|chunk| chunk.owners().rev())
}

/// Replacements for the names of a version with an NSEC3 chain: the touched owners as they are.
pub fn plain_replacements(new: &ZoneVersion, touched: &BTreeSet<Vec<u8>>) -> Replacements {
    let single = |owner: OwnerView<'_>| Arc::new(edit::single(&owner, owner.kind()));
    touched.iter().map(|key| (key.clone(), new.find(key).map(single))).collect()
}

/// Replacements for the NSEC3 list `old_chain`, of the version `old`, so that it fits `new`.
pub fn nsec3_replacements(
    old: &ZoneVersion,
    old_chain: &ChunkList,
    new: &ZoneVersion,
    touched: &BTreeSet<Vec<u8>>,
    parameters: &Nsec3Parameters,
    ttl: Ttl,
) -> Result<Replacements, HashCollision> {
    let mut names: BTreeSet<&[u8]> = touched.iter().map(Vec::as_slice).collect();
    for key in touched {
        names.extend(ancestor_lengths(key, 0).map(|length| &key[..length]));
        names.insert(&[]);
    }
    let mut overlay: BTreeMap<Vec<u8>, Option<Vec<u8>>> = BTreeMap::new();
    let mut comes_or_goes = BTreeSet::new();
    let mut wire = Vec::new();
    let head_length = parameters.param_rdata().len();
    for name in names {
        // Keys come from our own builder and always turn back into names.
        key_to_wire(&new.apex, name, &mut wire);
        let hash = hash(&wire, parameters);
        let mut key = Vec::with_capacity(33);
        push_label(BASE32_DNSSEC.encode(&hash).as_bytes(), &mut key);
        let before = match old.find(name) {
            Some(owner) => own_types(&owner, parameters.opt_out),
            None => chain_bitmap(old_chain, &key, head_length).filter(Vec::is_empty),
        };
        let after = match new.find(name) {
            Some(owner) => own_types(&owner, parameters.opt_out),
            None if before.is_some() => is_kept(new, name, parameters.opt_out).then(Vec::new),
            None => is_made(new, name, touched, parameters.opt_out).then(Vec::new),
        };
        if before == after {
            continue;
        }
        let is_taken = before.is_none() && crate::zone::find(old_chain, &key).is_some();
        if is_taken && !overlay.contains_key(&key) || overlay.get(&key).is_some_and(Option::is_some)
        {
            return Err(HashCollision { hash });
        }
        if before.is_some() != after.is_some() {
            comes_or_goes.insert(key.clone());
        }
        overlay.insert(key, after);
    }
    Ok(linked(&Links { old_chain, overlay: &overlay }, &comes_or_goes, parameters, ttl))
}

/// The bitmap of an owner in the chain.
fn own_types(owner: &OwnerView<'_>, opt_out: bool) -> Option<Vec<u8>> {
    is_hashed(owner, opt_out).then(|| {
        let mut bitmap = Vec::new();
        push_bitmap(owner, Chain::Nsec3, &mut bitmap);
        bitmap
    })
}

/// Whether a name without records, which was not in the chain, has to be there: then one of the
/// names that the change has put into the chain is below it.
fn is_made(new: &ZoneVersion, key: &[u8], touched: &BTreeSet<Vec<u8>>, opt_out: bool) -> bool {
    let below = touched.range::<[u8], _>((Bound::Excluded(key), Bound::Unbounded));
    let below = below.take_while(|below| below.starts_with(key));
    below.filter_map(|key| new.find(key)).any(|owner| is_hashed(&owner, opt_out))
}

/// Whether a name without records, which was in the chain, stays there.
fn is_kept(new: &ZoneVersion, key: &[u8], opt_out: bool) -> bool {
    let below = owners_from(&new.names, Bound::Excluded(key));
    let mut below = below.take_while(|owner| owner.key().starts_with(key));
    let Some(first) = below.next() else { return false };
    // The first name below can be occluded only by something above both.
    if first.kind() == OwnerKind::Occluded {
        return false;
    }
    let mut looked_at = 1;
    is_hashed(&first, opt_out)
        || below.any(|owner| {
            looked_at += 1;
            looked_at > WALK_OWNER_COUNT_MAX || is_hashed(&owner, opt_out)
        })
}

/// The chain as it will be: the old list, and what changes in it.
struct Links<'a> {
    old_chain: &'a ChunkList,
    overlay: &'a BTreeMap<Vec<u8>, Option<Vec<u8>>>,
}

impl<'a> Links<'a> {
    fn is_gone(&self, key: &[u8]) -> bool {
        self.overlay.get(key).is_some_and(Option::is_none)
    }

    /// The key after `key`; around the end to the first.
    fn next(&self, key: &'a [u8]) -> &'a [u8] {
        self.first_from(Bound::Excluded(key))
            .or_else(|| self.first_from(Bound::Unbounded))
            .unwrap_or(key)
    }

    fn first_from(&self, start: Bound<&'a [u8]>) -> Option<&'a [u8]> {
        let kept = owners_from(self.old_chain, start).map(|owner| owner.key());
        let kept = kept.into_iter().find(|key| !self.is_gone(key));
        let made = self.overlay.range::<[u8], _>((start, Bound::Unbounded));
        let made =
            made.filter(|(_, bitmap)| bitmap.is_some()).map(|(key, _)| key.as_slice()).next();
        kept.into_iter().chain(made).min()
    }

    /// The key before `key`; around the beginning to the last.
    fn before(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.last_before(key).or_else(|| self.last_before(&[0xFF]))
    }

    fn last_before(&self, key: &[u8]) -> Option<Vec<u8>> {
        let kept = owners_before(self.old_chain, key).map(|owner| owner.key().to_vec());
        let kept = kept.into_iter().find(|key| !self.is_gone(key));
        let made = self.overlay.range::<[u8], _>((Bound::Unbounded, Bound::Excluded(key)));
        let made = made.rev().find(|(_, bitmap)| bitmap.is_some()).map(|(key, _)| key.clone());
        kept.into_iter().chain(made).max()
    }
}

/// The bitmap of a name in the chain.
fn chain_bitmap(chain: &ChunkList, key: &[u8], head_length: usize) -> Option<Vec<u8>> {
    let nsec3 = crate::zone::find(chain, key)?.rrset(RrType::NSEC3)?;
    Some(nsec3.rdatas().next()?.get(head_length + 1 + HASH_LENGTH..)?.to_vec())
}

/// NSEC3 records for all changed names, and for those before one that comes or goes.
fn linked(
    links: &Links<'_>,
    comes_or_goes: &BTreeSet<Vec<u8>>,
    parameters: &Nsec3Parameters,
    ttl: Ttl,
) -> Replacements {
    let head_length = parameters.param_rdata().len();
    let mut keys: BTreeSet<Vec<u8>> = links.overlay.keys().cloned().collect();
    keys.extend(comes_or_goes.iter().filter_map(|key| links.before(key)));
    let replacement = |key: Vec<u8>| {
        if links.is_gone(&key) {
            return (key, None);
        }
        let changed = links.overlay.get(&key).cloned().flatten();
        let kept = || chain_bitmap(links.old_chain, &key, head_length).unwrap_or_default();
        let bitmap = changed.unwrap_or_else(kept);
        let next = hash_of_key(links.next(&key));
        let owner = nsec3_owner(&key, next, &bitmap, parameters, ttl);
        (key, Some(Arc::new(owner)))
    };
    keys.into_iter().map(replacement).collect()
}

/// The hash in the key of an NSEC3 owner; keys are made by the linker from hashes.
fn hash_of_key(key: &[u8]) -> [u8; HASH_LENGTH] {
    let label = key.strip_suffix(&[0]).unwrap_or(key);
    let decoded = BASE32_DNSSEC.decode(label).unwrap_or_default();
    decoded.try_into().unwrap_or_default()
}
