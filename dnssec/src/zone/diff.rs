//! The difference between two versions: what the journal keeps, an IXFR sends and the auditor
//! judges.
//! In: two versions. Out: wire records removed and added; [`super::patch`] applies them. The cost
//! follows the chunks that the versions do not share, and for owners that are equal in both it is
//! that of comparing their bytes: nothing is parsed, nothing allocated.

#[cfg(test)]
mod tests;

use super::chunk::{Chunk, OwnerView};
use super::{ChunkList, ZoneVersion, render};
use std::cmp::Ordering;
use std::sync::Arc;

/// What turns one version into another: uncompressed wire records, signatures included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Records of the old version that the new one lacks.
    pub removed: Vec<u8>,
    /// Records of the new version that the old one lacks.
    pub added: Vec<u8>,
}

impl Difference {
    /// Whether nothing is removed and nothing added.
    pub fn is_empty(&self) -> bool {
        self.removed.is_empty() && self.added.is_empty()
    }
}

/// The difference between two versions of one zone.
pub fn difference(old: &ZoneVersion, new: &ZoneVersion) -> Difference {
    // What is in memory has fewer octets than numbers go to.
    difference_within(old, new, usize::MAX).unwrap_or_default()
}

/// The difference between two versions of one zone; `None` when it has more than `octets_max`
/// octets, with no more than that (and one owner) in memory on the way.
pub fn difference_within(
    old: &ZoneVersion,
    new: &ZoneVersion,
    octets_max: usize,
) -> Option<Difference> {
    let mut difference = Difference::default();
    let mut is_over = false;
    for (old_list, new_list) in [(&old.names, &new.names), (&old.hashes, &new.hashes)] {
        each_difference(old_list, new_list, &KeyRange::default(), |old_owner, new_owner| {
            if is_over {
                return;
            }
            let records = |owner: Option<OwnerView<'_>>| {
                let mut records =
                    owner.map_or(Vec::new(), |owner| render::owner_records(&new.apex, &owner));
                records.sort_unstable();
                records
            };
            let (old, new) = (records(old_owner), records(new_owner));
            let lacks = |list: &[Vec<u8>], record: &Vec<u8>| list.binary_search(record).is_err();
            let removed = old.iter().filter(|record| lacks(&new, record));
            difference.removed.extend(removed.flatten());
            difference.added.extend(new.iter().filter(|record| lacks(&old, record)).flatten());
            is_over = difference.removed.len() + difference.added.len() > octets_max;
        });
    }
    (!is_over).then_some(difference)
}

/// Owner keys from one to before another: what one thread compares.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyRange {
    /// The first key that may be in it.
    start: Vec<u8>,
    /// The first key after it; `None`: it goes to the end.
    end: Option<Vec<u8>>,
}

impl KeyRange {
    /// At most `count` ranges of about as many chunks each, that together hold every key.
    pub fn split(old: &ChunkList, new: &ChunkList, count: usize) -> Vec<KeyRange> {
        let list = if old.len() > new.len() { old } else { new };
        let step = list.len().div_ceil(count.max(1)).max(1);
        let cuts = list.iter().skip(step).step_by(step).map(|chunk| chunk.first_key().to_vec());
        let mut ranges = Vec::with_capacity(count);
        let mut start = Vec::new();
        for cut in cuts {
            let end = Some(cut.clone());
            ranges.push(KeyRange { start: std::mem::replace(&mut start, cut), end });
        }
        ranges.push(KeyRange { start, end: None });
        ranges
    }

    /// The chunks that may have keys of the range.
    fn chunks<'a>(&self, list: &'a [Arc<Chunk>]) -> &'a [Arc<Chunk>] {
        let is_before = |end: &Vec<u8>| list.partition_point(|chunk| chunk.first_key() < &end[..]);
        let end = self.end.as_ref().map_or(list.len(), is_before);
        let after = list[..end].partition_point(|chunk| chunk.first_key() <= &self.start[..]);
        &list[after.saturating_sub(1)..end]
    }

    /// The owners of a chunk that are in the range.
    fn owners<'a>(&self, chunk: &'a Chunk) -> impl Iterator<Item = OwnerView<'a>> + use<'a> {
        let start = match chunk.first_key() < &self.start[..] {
            true => chunk.owners_before(|owner| owner.key() < &self.start[..]),
            false => 0,
        };
        let before_end = |end: &Vec<u8>| chunk.owners_before(|owner| owner.key() < &end[..]);
        let end = self.end.as_ref().map_or(chunk.owner_count(), before_end);
        (start..end).map(|index| chunk.owner(index))
    }
}

/// Calls `differ` for each owner in `range` whose entry differs: the old entry and the new one.
pub(crate) fn each_difference<'a>(
    old: &'a ChunkList,
    new: &'a ChunkList,
    range: &KeyRange,
    mut differ: impl FnMut(Option<OwnerView<'a>>, Option<OwnerView<'a>>),
) {
    let (old, new) = unshared_chunks(range.chunks(old), range.chunks(new));
    let mut old = old.into_iter().flat_map(|chunk| range.owners(chunk)).peekable();
    let mut new = new.into_iter().flat_map(|chunk| range.owners(chunk)).peekable();
    loop {
        let order = match (old.peek(), new.peek()) {
            (None, None) => return,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(left), Some(right)) => {
                // Equal entries have equal keys, and need no look at them.
                if left.as_bytes() == right.as_bytes() {
                    old.next();
                    new.next();
                    continue;
                }
                left.key().cmp(right.key())
            }
        };
        match order {
            Ordering::Less => differ(old.next(), None),
            Ordering::Greater => differ(None, new.next()),
            Ordering::Equal => differ(old.next(), new.next()),
        }
    }
}

/// The chunks that only one of two ordered lists has. A chunk of both has the same first key in
/// both, so walking the two side by side by first keys meets it in both at once; as long as the
/// lists share, only pointers are looked at.
fn unshared_chunks<'a>(
    old: &'a [Arc<Chunk>],
    new: &'a [Arc<Chunk>],
) -> (Vec<&'a Chunk>, Vec<&'a Chunk>) {
    let (mut only_old, mut only_new): (Vec<&Chunk>, Vec<&Chunk>) = (Vec::new(), Vec::new());
    let (mut at_old, mut at_new) = (0, 0);
    while let (Some(left), Some(right)) = (old.get(at_old), new.get(at_new)) {
        let order = match Arc::ptr_eq(left, right) {
            true => Ordering::Equal,
            false => left.first_key().cmp(right.first_key()),
        };
        if order.is_eq() && !is_same(left, right) {
            only_old.push(left);
            only_new.push(right);
        } else if order.is_lt() {
            only_old.push(left);
        } else if order.is_gt() {
            only_new.push(right);
        }
        at_old += usize::from(order.is_le());
        at_new += usize::from(order.is_ge());
    }
    only_old.extend(old[at_old..].iter().map(Arc::as_ref));
    only_new.extend(new[at_new..].iter().map(Arc::as_ref));
    (only_old, only_new)
}

/// Whether two chunks hold the same. Chunks loaded anew from the same file are seldom shared, but
/// often equal.
fn is_same(left: &Arc<Chunk>, right: &Arc<Chunk>) -> bool {
    Arc::ptr_eq(left, right) || left.as_bytes() == right.as_bytes()
}
