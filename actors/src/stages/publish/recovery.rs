//! The last published version, read back after a restart: its snapshot and the journal after it.
//! In: what the store says is true. Out: the version, and the journal to go on with; damage is
//! said, and what was good before it is used.

use super::{Stored, UNSIGNED, ZoneJournal};
use crate::runtime::{Panicked, WorkerPool};
use dnssec::transfer::ixfr::Step;
use dnssec::zone::chunk::{Backing, Chunk, ChunkError};
use dnssec::zone::diff::Difference;
use dnssec::zone::patch::{self, PatchError, Rrsigs};
use dnssec::zone::{ChunkList, ZoneVersion};
use dnssec::{Name, Serial};
use std::path::Path;
use std::sync::Arc;
use storage::journal::{JournalEntry, JournalError, Records, recover};
use storage::snapshot::{MappedBytes, SectionNumber};
use storage::{Snapshot, SnapshotError, open_snapshot};

/// Why nothing could be read back.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    /// The snapshot.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// What is in the snapshot.
    #[error("snapshot: {0}")]
    Chunk(#[from] ChunkError),
    /// The journal cannot even be opened.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A bug.
    #[error("reading it crashed: {0}")]
    Crashed(#[from] Panicked),
}

/// What was read back.
pub struct Recovered {
    /// The last version that could be read.
    pub stored: Stored,
    /// The journal to go on with.
    pub journal: ZoneJournal,
    /// Generation of that journal.
    pub journal_generation: u64,
    /// The steps of the journal that lead to the version.
    pub steps: Vec<Step>,
    /// What was lost, for people: versions after this one had been published.
    pub damage: Option<String>,
}

/// Reads back the version of `generation` and `serial`.
pub fn recovered(
    pool: &WorkerPool,
    folder: &Path,
    zone: &Name,
    generation: u64,
    serial: Option<Serial>,
) -> Result<Recovered, RecoveryError> {
    let snapshot = open_snapshot(folder, zone, generation)?;
    let mut stored = stored_of(pool, &snapshot, zone)?;
    let found = recover(folder, zone, generation, serial)?;
    let mut entries = found.entries.as_slice();
    // All at once, which costs what changed in all; or, to know which one does not fit, each.
    if let Ok(last) = applied(&stored, entries) {
        (stored, entries) = (last, &[]);
    }
    let mut misfit = None;
    for entry in entries {
        match applied(&stored, std::slice::from_ref(entry)) {
            Ok(next) => stored = next,
            Err(error) => {
                misfit = Some(Misfit { from: entry.from, error });
                // What follows cannot be understood either.
                break;
            }
        }
    }
    let damage = found.damage.map(|damage| damage.to_string());
    let journal_generation = found.generation;
    Ok(match misfit {
        None => {
            let journal = ZoneJournal::new(found.journal);
            let steps = found.entries.into_iter().map(step_of).collect();
            Recovered { stored, journal, journal_generation, steps, damage }
        }
        Some(misfit) => {
            let (journal, damage) = (ZoneJournal::unusable(), Some(misfit.to_string()));
            let steps = Vec::new();
            Recovered { stored, journal, journal_generation, steps, damage }
        }
    })
}

/// Reads back a version that was saved as a snapshot, without a journal.
pub fn snapshot_version(
    pool: &WorkerPool,
    folder: &Path,
    zone: &Name,
    generation: u64,
) -> Result<Stored, RecoveryError> {
    stored_of(pool, &open_snapshot(folder, zone, generation)?, zone)
}

/// What secondaries are sent of an entry.
fn step_of(entry: JournalEntry) -> Step {
    let Records { removed, added } = entry.signed;
    let difference = Arc::new(Difference { removed, added });
    Step { from: entry.from, to: entry.to, difference }
}

/// An entry that is sound by itself, but not after the version before it.
#[derive(Debug, thiserror::Error)]
#[error("the journal does not fit the version of serial {from}: {error}")]
struct Misfit {
    from: Serial,
    error: PatchError,
}

fn applied(stored: &Stored, entries: &[JournalEntry]) -> Result<Stored, PatchError> {
    let next = |version: &Arc<ZoneVersion>, of: fn(&JournalEntry) -> &Records| {
        let steps: Vec<Difference> = entries
            .iter()
            .map(|entry| {
                let Records { removed, added } = of(entry).clone();
                Difference { removed, added }
            })
            .collect();
        let difference = patch::composed(&steps)?;
        match difference.is_empty() {
            true => Ok(version.clone()),
            false => patch::apply_with(version, &difference, Rrsigs::of(version)).map(Arc::new),
        }
    };
    Ok(Stored {
        version: next(&stored.version, |entry| &entry.signed)?,
        unsigned: next(&stored.unsigned, |entry| &entry.source)?,
    })
}

/// Takes the versions out of a snapshot; the chunks stay mapped.
fn stored_of(pool: &WorkerPool, snapshot: &Snapshot, apex: &Name) -> Result<Stored, RecoveryError> {
    let list = |number: SectionNumber| -> Result<ChunkList, RecoveryError> {
        let parts: Vec<MappedBytes> = snapshot.chunks(number).collect();
        let open = |_: usize, bytes: &MappedBytes| {
            Chunk::open(Arc::new(bytes.clone()) as Backing).map(Arc::new)
        };
        let chunks = pool.map(parts.into(), open)?;
        Ok(chunks.into_iter().collect::<Result<Vec<_>, _>>()?.into())
    };
    let version = |names, hashes| Arc::new(ZoneVersion { apex: apex.clone(), names, hashes });
    Ok(Stored {
        version: version(list(SectionNumber::OWNERS)?, list(SectionNumber::NSEC3)?),
        unsigned: version(list(UNSIGNED)?, Arc::new([])),
    })
}
