//! A version that was just read against the one before.
//! In: both. Out: the owners that differ, and a version that shares every chunk without one.
//! Limit: where more than a [`CHANGED_SHARE`]th of the owners differ, all is made anew, which is
//! cheaper then.

use super::{RANGES_PER_WORKER, Sorted, Touched, crashed};
use crate::runtime::WorkerPool;
use crate::stages::StageError;
use dnssec::zone::ZoneVersion;
use dnssec::zone::edit::{apply_edits, edit_ranges, edits_between_in};
use dnssec::zone::replace::Replacements;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Part of the owners that may differ.
const CHANGED_SHARE: usize = 8;
/// So many may always differ.
const CHANGED_COUNT: usize = 1000;

/// What was read, as a change of the version before.
pub(super) fn compared(
    pool: &WorkerPool,
    previous: &Arc<ZoneVersion>,
    sorted: Sorted,
) -> Result<Sorted, StageError> {
    let (old, new) = (previous.clone(), sorted.version.clone());
    let ranges = edit_ranges(&old, &new, pool.workers() * RANGES_PER_WORKER);
    let edits = pool.map(ranges.into(), move |_, range| edits_between_in(&old, &new, range));
    let edits: Replacements = edits.map_err(crashed)?.into_iter().flatten().collect();
    if edits.len() > CHANGED_COUNT.max(owner_count(previous) / CHANGED_SHARE) {
        return Ok(sorted);
    }
    if edits.is_empty() {
        let (version, touched) = (previous.clone(), Touched::Owners(BTreeSet::new()));
        return Ok(Sorted { version, touched, ..sorted });
    }
    let (version, touched) = apply_edits(previous, &edits);
    let (version, touched) = (Arc::new(version), Touched::Owners(touched));
    Ok(Sorted { version, touched, ..sorted })
}

fn owner_count(version: &ZoneVersion) -> usize {
    version.names.iter().map(|chunk| chunk.owner_count()).sum()
}
