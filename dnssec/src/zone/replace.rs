//! Replaces some owners of a chunk list: the cost follows the owners replaced, not the zone.
//! In: a list, and for each owner key to change a chunk with that one owner, or nothing when the
//! owner goes. Out: a list that shares every chunk without such an owner.

use super::ChunkList;
use super::build::ChunkBuilder;
use super::chunk::{Chunk, OwnerView};
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

/// New owners by key: a chunk with just that owner, or `None` for an owner that goes.
pub type Replacements = BTreeMap<Vec<u8>, Option<Arc<Chunk>>>;

/// The list with the replacements made.
pub fn replace_owners(list: &ChunkList, replacements: &Replacements) -> ChunkList {
    let mut chunks: Vec<Arc<Chunk>> = Vec::with_capacity(list.len() + 1);
    let mut builder = ChunkBuilder::default();
    let mut copied_to = 0;
    let mut pending = replacements.iter().peekable();
    while let Some((key, _)) = pending.peek() {
        // The chunk that holds the key, or would: the last that does not begin after it.
        let at = list.partition_point(|chunk| chunk.first_key() <= key.as_slice());
        let at = at.saturating_sub(1).max(copied_to);
        chunks.extend(list[copied_to.min(list.len())..at.min(list.len())].iter().cloned());
        let end = list.get(at + 1).map(|next| next.first_key());
        let own = |key: &[u8]| end.is_none_or(|end| key < end);
        let mut changes = Vec::new();
        while let Some((key, change)) = pending.next_if(|(key, _)| own(key)) {
            changes.push((key.as_slice(), change.as_ref()));
        }
        merge(list.get(at), &changes, &mut builder, &mut chunks);
        copied_to = at + 1;
    }
    chunks.extend(list.iter().skip(copied_to).cloned());
    chunks.into()
}

/// Writes the owners of a chunk and the changes that fall into it, in order.
fn merge(
    chunk: Option<&Arc<Chunk>>,
    changes: &[(&[u8], Option<&Arc<Chunk>>)],
    builder: &mut ChunkBuilder,
    chunks: &mut Vec<Arc<Chunk>>,
) {
    let mut changes = changes.iter().peekable();
    let mut push = |owner: OwnerView<'_>, builder: &mut ChunkBuilder| {
        builder.push_owner(&owner);
        if builder.is_full() {
            chunks.push(Arc::new(builder.finish()));
        }
    };
    for owner in chunk.into_iter().flat_map(|chunk| chunk.owners()) {
        while let Some((_, change)) = changes.next_if(|(key, _)| *key < owner.key()) {
            change.iter().for_each(|chunk| push(chunk.owner(0), builder));
        }
        match changes.next_if(|(key, _)| *key == owner.key()) {
            Some((_, change)) => change.iter().for_each(|chunk| push(chunk.owner(0), builder)),
            None => push(owner, builder),
        }
    }
    for (_, change) in changes {
        change.iter().for_each(|chunk| push(chunk.owner(0), builder));
    }
    if !builder.is_empty() {
        chunks.push(Arc::new(builder.finish()));
    }
}

/// The owners of a list from `start` on, in order.
pub fn owners_from<'a>(
    list: &'a ChunkList,
    start: Bound<&'a [u8]>,
) -> impl Iterator<Item = OwnerView<'a>> + 'a {
    let key = match start {
        Bound::Included(key) | Bound::Excluded(key) => key,
        Bound::Unbounded => &[],
    };
    let first = list.partition_point(|chunk| chunk.first_key() <= key).saturating_sub(1);
    let is_before = move |owner: &OwnerView<'_>| match start {
        Bound::Included(key) => owner.key() < key,
        Bound::Excluded(key) => owner.key() <= key,
        Bound::Unbounded => false,
    };
    list[first.min(list.len())..].iter().enumerate().flat_map(move |(number, chunk)| {
        // Only the first chunk has owners before the start.
        let skipped = if number == 0 { chunk.owners_before(is_before) } else { 0 };
        (skipped..chunk.owner_count()).map(|index| chunk.owner(index))
    })
}

/// The owners of a list before `key`, from the nearest on.
pub fn owners_before<'a>(
    list: &'a ChunkList,
    key: &'a [u8],
) -> impl Iterator<Item = OwnerView<'a>> + 'a {
    let end = list.partition_point(|chunk| chunk.first_key() < key);
    list[..end].iter().rev().enumerate().flat_map(move |(number, chunk)| {
        let is_before = move |owner: &OwnerView<'_>| owner.key() < key;
        let count = if number == 0 { chunk.owners_before(is_before) } else { chunk.owner_count() };
        (0..count).rev().map(|index| chunk.owner(index))
    })
}
