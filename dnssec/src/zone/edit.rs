//! Changes to an unsigned version: owners come, go, get other records; and what that makes of the
//! names below them (RFC 9499 §7: a new cut occludes what lies under it).
//! In: a version, edits by owner. Out: the new version, sharing untouched chunks, and the keys of
//! all owners whose entry differs.

use super::ZoneVersion;
use super::build::ChunkBuilder;
use super::chunk::{Chunk, OwnerKind, OwnerView};
use super::diff::{KeyRange, each_difference};
use super::key::ancestor_lengths;
use super::replace::{Replacements, owners_from, replace_owners};
use crate::RrType;
use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::Arc;

/// The version with `edits` made, and the keys of the owners that differ. The kind of the owners in
/// `edits` need not be right. An edit that changes nothing is not counted.
pub fn apply_edits(
    version: &ZoneVersion,
    edits: &Replacements,
) -> (ZoneVersion, BTreeSet<Vec<u8>>) {
    let replacements = settled(version, edits, same_records, single);
    let names = replace_owners(&version.names, &replacements);
    (ZoneVersion { names, ..version.clone() }, replacements.into_keys().collect())
}

/// The replacements that `edits` come to: every owner of its right kind, those below a cut that
/// comes or goes among them, and none that stays as it is. `is_same` compares all but the kinds,
/// `copy` makes the chunk of one owner.
pub(super) fn settled(
    version: &ZoneVersion,
    edits: &Replacements,
    is_same: impl Fn(&OwnerView<'_>, &OwnerView<'_>) -> bool,
    copy: impl Fn(&OwnerView<'_>, OwnerKind) -> Chunk,
) -> Replacements {
    let view = View { version, edits };
    let mut wanted: BTreeSet<&[u8]> = edits.keys().map(Vec::as_slice).collect();
    for key in edits.keys() {
        let before = version.find(key);
        if before.is_some_and(|owner| is_cut(&owner)) != view.find(key).is_some_and(|o| is_cut(&o))
        {
            // What lies below changes its kind, maybe.
            let below = owners_from(&version.names, Bound::Excluded(key.as_slice()));
            wanted.extend(below.map(|o| o.key()).take_while(|below| below.starts_with(key)));
        }
    }
    let mut replacements = Replacements::new();
    for key in wanted {
        let (old, new) = (version.find(key), view.find(key));
        let kind = new.as_ref().map(|owner| view.kind(owner));
        let stays = match (&old, &new, kind) {
            (Some(old), Some(new), Some(kind)) => old.kind() == kind && is_same(old, new),
            (None, None, _) => true,
            _ => false,
        };
        if !stays {
            let owner = new.zip(kind).map(|(owner, kind)| Arc::new(copy(&owner, kind)));
            replacements.insert(key.to_vec(), owner);
        }
    }
    replacements
}

/// Edits that turn `old` into `new`; both are unsigned. Chunks that both share are passed over.
pub fn edits_between(old: &ZoneVersion, new: &ZoneVersion) -> Replacements {
    edits_between_in(old, new, &KeyRange::default())
}

/// [`edits_between`] for the owners of one range. Those of all ranges of [`edit_ranges`], put
/// together in any order, are the edits of the versions: so threads can share the work when the
/// versions share no chunk.
pub fn edits_between_in(old: &ZoneVersion, new: &ZoneVersion, range: &KeyRange) -> Replacements {
    let mut edits = Replacements::new();
    each_difference(&old.names, &new.names, range, |old, new| {
        let is_same = match (&old, &new) {
            // Entries may differ in their kind alone; what makes it so is another owner's edit.
            (Some(old), Some(new)) => same_records(old, new),
            _ => false,
        };
        let Some(key) = old.or(new).map(|owner| owner.key().to_vec()) else { return };
        if !is_same {
            edits.insert(key, new.map(|owner| Arc::new(single(&owner, owner.kind()))));
        }
    });
    edits
}

/// At most `count` ranges of owner names, of about the same size, for [`edits_between_in`].
pub fn edit_ranges(old: &ZoneVersion, new: &ZoneVersion, count: usize) -> Vec<KeyRange> {
    KeyRange::split(&old.names, &new.names, count)
}

/// A chunk with one owner, as given but of this kind, without signatures.
pub fn single(owner: &OwnerView<'_>, kind: OwnerKind) -> Chunk {
    let mut builder = ChunkBuilder::default();
    builder.begin_owner(owner.key(), owner.given_case(), kind);
    for rrset in owner.rrsets() {
        builder.begin_rrset_like(&rrset);
        builder.end_rrset();
    }
    builder.end_owner();
    builder.finish()
}

/// A chunk with one owner, as given but of this kind, signatures included.
pub(super) fn single_signed(owner: &OwnerView<'_>, kind: OwnerKind) -> Chunk {
    let mut builder = ChunkBuilder::default();
    builder.push_owner_as(owner, kind);
    builder.finish()
}

/// Whether both have the same records and the same case; signatures do not count.
fn same_records(left: &OwnerView<'_>, right: &OwnerView<'_>) -> bool {
    left.given_case() == right.given_case()
        && left.rrsets().count() == right.rrsets().count()
        && left.rrsets().zip(right.rrsets()).all(|(left, right)| left.same_data(&right))
}

/// Whether names below this one may be occluded by it.
fn is_cut(owner: &OwnerView<'_>) -> bool {
    !owner.key().is_empty() && owner.rrset(RrType::NS).is_some()
        || owner.rrset(RrType::DNAME).is_some()
}

/// A version as it is after the edits.
struct View<'a> {
    version: &'a ZoneVersion,
    edits: &'a Replacements,
}

impl<'a> View<'a> {
    fn find(&self, key: &[u8]) -> Option<OwnerView<'a>> {
        match self.edits.get(key) {
            Some(edit) => edit.as_ref().map(|chunk| chunk.owner(0)),
            None => self.version.find(key),
        }
    }

    fn kind(&self, owner: &OwnerView<'_>) -> OwnerKind {
        let key = owner.key();
        let apex = (!key.is_empty()).then_some(0);
        let mut above = apex.into_iter().chain(ancestor_lengths(key, 0));
        if above.any(|length| self.find(&key[..length]).is_some_and(|owner| is_cut(&owner))) {
            OwnerKind::Occluded
        } else if !key.is_empty() && owner.rrset(RrType::NS).is_some() {
            OwnerKind::Delegation
        } else {
            OwnerKind::Authoritative
        }
    }
}
