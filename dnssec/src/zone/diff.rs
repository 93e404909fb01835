//! The difference between two versions: what the journal keeps, an IXFR sends and the auditor
//! judges.
//! In: two versions. Out: wire records removed and added. The cost follows the chunks that the
//! versions do not share.

use super::chunk::{Chunk, OwnerView};
use super::{ChunkList, ZoneVersion, render};
use std::sync::Arc;

/// What turns one version into another: uncompressed wire records, signatures included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Records of the old version that the new one lacks.
    pub removed: Vec<u8>,
    /// Records of the new version that the old one lacks.
    pub added: Vec<u8>,
}

/// The difference between two versions of one zone.
pub fn difference(old: &ZoneVersion, new: &ZoneVersion) -> Difference {
    let mut difference = Difference::default();
    for (old_list, new_list) in [(&old.names, &new.names), (&old.hashes, &new.hashes)] {
        each_difference(old_list, new_list, |old_owner, new_owner| {
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
        });
    }
    difference
}

/// Calls `differ` for each owner in a chunk that only one list has: the old entry and the new one.
/// Entries may still be equal; chunks that both lists share are passed over.
pub(super) fn each_difference<'a>(
    old: &'a ChunkList,
    new: &'a ChunkList,
    mut differ: impl FnMut(Option<OwnerView<'a>>, Option<OwnerView<'a>>),
) {
    let shared = shared_chunks(old, new);
    let is_own = |chunk: &&Arc<Chunk>| !shared.contains(&Arc::as_ptr(chunk));
    let mut old = old.iter().filter(is_own).flat_map(|chunk| chunk.owners()).peekable();
    let mut new = new.iter().filter(is_own).flat_map(|chunk| chunk.owners()).peekable();
    loop {
        let order = match (old.peek(), new.peek()) {
            (None, None) => return,
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some(old), Some(new)) => old.key().cmp(new.key()),
        };
        match order {
            std::cmp::Ordering::Less => differ(old.next(), None),
            std::cmp::Ordering::Greater => differ(None, new.next()),
            std::cmp::Ordering::Equal => differ(old.next(), new.next()),
        }
    }
}

fn shared_chunks(old: &ChunkList, new: &ChunkList) -> std::collections::HashSet<*const Chunk> {
    let olds: std::collections::HashSet<*const Chunk> = old.iter().map(Arc::as_ptr).collect();
    new.iter().map(Arc::as_ptr).filter(|chunk| olds.contains(chunk)).collect()
}
