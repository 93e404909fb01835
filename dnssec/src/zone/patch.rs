//! Applies a difference to a version: the other half of [`super::diff`].
//! RFC 1995 §2 (what a difference is: records that go, then records that come), RFC 4034 §6.3.
//! In: a version, and wire records as [`super::diff::difference`] yields them; they come from a
//! journal or a transfer and are not trusted. Out: the next version, sharing untouched chunks, or
//! the first thing that does not fit: a removed record has to be there, an added one must not.
//! What comes out obeys the rules of [`super::load`], so it could have been loaded; DNSSEC records
//! are taken as they are, whether they are right is the auditor's question.
//! The order of several signatures over one RRset is: kept ones first, then those added.
//! Limits: those of the chunk format and [`super::load::RRSET_BYTES_MAX`]; never: the size of the
//! whole zone, which the caller can read off the version that comes out.

mod error;
mod records;
mod rrset;

#[cfg(test)]
mod tests;

pub use error::{ImpliedField, Part, PatchError};
pub use records::{Rrsigs, adds_at_apex, composed, without_dnssec};

use super::build::ChunkBuilder;
use super::chunk::{Chunk, OwnerKind, OwnerView, RrsetView};
use super::diff::Difference;
use super::replace::{Replacements, replace_owners};
use super::{ChunkList, ZoneVersion, edit, find, key};
use crate::{Name, RrType};
use records::{Changes, OwnerChange, Record, RrsetKey, rrset_key, sort_changes};
use rrset::RrsetDraft;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Most bytes of one owner: offsets in a chunk have 32 bits. Tests of this crate have a lower one.
pub const OWNER_BYTES_MAX: usize = if cfg!(test) { 1 << 20 } else { 1 << 30 };

/// The version with a difference applied; its RRSIGs are signatures of its RRsets.
pub fn apply(version: &ZoneVersion, difference: &Difference) -> Result<ZoneVersion, PatchError> {
    apply_with(version, difference, Rrsigs::OfRrsets)
}

/// The version with a difference applied, which has its RRSIGs as `rrsigs` says.
pub fn apply_with(
    version: &ZoneVersion,
    difference: &Difference,
    rrsigs: Rrsigs,
) -> Result<ZoneVersion, PatchError> {
    let apex = &version.apex;
    let changes = sort_changes(apex, difference, rrsigs)?;
    let hashes = replacements(apex, &version.hashes, &changes.hashes, rrsigs)?;
    let names = replacements(apex, &version.names, &changes.names, rrsigs)?;
    let names = edit::settled(version, &names, |l, r| l.is_same_but_kind(r), edit::single_signed);
    for owner in names.values().flatten().map(|chunk| chunk.owner(0)) {
        if owner.kind() == OwnerKind::Authoritative && owner.rrset(RrType::DS).is_some() {
            return Err(PatchError::DsWithoutDelegation { owner: name_of(apex, owner.key()) });
        }
    }
    let new = ZoneVersion {
        apex: apex.clone(),
        names: replaced(&version.names, &names),
        hashes: replaced(&version.hashes, &hashes),
    };
    let soa = new.apex_owner().and_then(|owner| owner.rrset(RrType::SOA));
    match soa.map_or(0, |soa| usize::from(soa.record_count)) {
        1 => Ok(new),
        count => Err(PatchError::SoaCount { apex: apex.clone(), count }),
    }
}

fn replaced(list: &ChunkList, replacements: &Replacements) -> ChunkList {
    if replacements.is_empty() { list.clone() } else { replace_owners(list, replacements) }
}

/// The owners of a list as the changes make them; of kinds that are still to be settled.
fn replacements(
    apex: &Name,
    list: &ChunkList,
    changes: &Changes<'_>,
    rrsigs: Rrsigs,
) -> Result<Replacements, PatchError> {
    let changed = changes.iter().map(|(key, change)| {
        let owner = changed_owner(apex, key, find(list, key), change, rrsigs)?;
        Ok((key.clone(), owner.map(Arc::new)))
    });
    changed.collect()
}

/// What is to be done to one RRset, signatures included.
#[derive(Default)]
struct RrsetChange<'c, 'a> {
    old: Option<RrsetView<'a>>,
    removed: Vec<&'c Record<'a>>,
    added: Vec<&'c Record<'a>>,
}

/// A chunk with one owner after a change; `None` when nothing is left of it.
fn changed_owner<'a>(
    apex: &Name,
    key: &[u8],
    old: Option<OwnerView<'a>>,
    change: &OwnerChange<'a>,
    rrsigs: Rrsigs,
) -> Result<Option<Chunk>, PatchError> {
    let mut rrsets: BTreeMap<RrsetKey, RrsetChange<'_, 'a>> = BTreeMap::new();
    for rrset in old.iter().flat_map(|owner| owner.rrsets()) {
        rrsets.entry(rrset_key(rrset.rtype, rrset.ttl)).or_default().old = Some(rrset);
    }
    for record in &change.removed {
        rrsets.entry(record.rrset(rrsigs)).or_default().removed.push(record);
    }
    for record in &change.added {
        rrsets.entry(record.rrset(rrsigs)).or_default().added.push(record);
    }
    let given_case = match change.added_as {
        Some(wire) => Some(wire).filter(|wire| wire.iter().any(u8::is_ascii_uppercase)),
        None => old.and_then(|owner| owner.given_case()),
    };
    let kind = old.map_or(OwnerKind::Authoritative, |owner| owner.kind());
    let owner = name_of(apex, key);
    let mut builder = ChunkBuilder::default();
    builder.begin_owner(key, given_case, kind);
    let mut counts: BTreeMap<RrType, usize> = BTreeMap::new();
    for ((rtype, _), change) in rrsets {
        let draft = RrsetDraft::new(&owner, rtype, change.old, rrsigs);
        let count = write_rrset(apex, draft, &change, &mut builder)?;
        if count > 0 {
            *counts.entry(rtype).or_default() += count;
        }
        if builder.byte_count() > OWNER_BYTES_MAX {
            return Err(PatchError::OwnerTooLarge { owner });
        }
    }
    builder.end_owner();
    check_aliases(&owner, &counts)?;
    Ok((!counts.is_empty()).then(|| builder.finish()))
}

/// Writes an RRset after its change; returns its number of records.
fn write_rrset<'a>(
    apex: &Name,
    mut draft: RrsetDraft<'a>,
    change: &RrsetChange<'_, 'a>,
    builder: &mut ChunkBuilder,
) -> Result<usize, PatchError> {
    if let (Some(old), [], []) = (&change.old, &change.removed[..], &change.added[..]) {
        builder.push_rrset(old);
        return Ok(usize::from(old.record_count));
    }
    change.removed.iter().try_for_each(|record| draft.remove(apex, record))?;
    change.added.iter().try_for_each(|record| draft.add(apex, record))?;
    draft.write(builder)
}

/// RFC 2181 §10.1 (a CNAME stands alone, but for NSEC and RRSIG), RFC 6672 §2.4 (one DNAME).
fn check_aliases(owner: &Name, counts: &BTreeMap<RrType, usize>) -> Result<(), PatchError> {
    for rtype in [RrType::CNAME, RrType::DNAME] {
        if counts.get(&rtype).is_some_and(|count| *count > 1) {
            return Err(PatchError::SeveralAliases { owner: owner.clone(), rtype });
        }
    }
    let is_other = |rtype: &RrType| !matches!(*rtype, RrType::CNAME | RrType::NSEC | RrType::RRSIG);
    if counts.contains_key(&RrType::CNAME) && counts.keys().any(is_other) {
        return Err(PatchError::CnameAndOther { owner: owner.clone() });
    }
    Ok(())
}

/// The name of a key, which was made from a name.
fn name_of(apex: &Name, key: &[u8]) -> Name {
    key::key_to_name(apex, key).unwrap_or_else(Name::root)
}
