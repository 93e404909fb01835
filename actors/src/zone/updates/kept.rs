//! The journal of a zone's updates: what was acknowledged, until versions with it are durable.
//! In: differences of unsigned versions. Out: the same after any crash. An entry is of a batch, its
//! serials are those of the unsigned zone. Entries stay after they were signed, until the journal
//! is begun anew; which of them are signed is seen by the serial of the unsigned version.
//! Limit: `storage::journal`'s for one entry.

use dnssec::zone::ZoneVersion;
use dnssec::zone::diff::Difference;
use dnssec::zone::patch;
use dnssec::{Name, Serial, Timestamp};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use storage::journal::{JournalEntry, JournalError, Records, read_alone};
use storage::snapshot::remove_generation;

/// There is one journal of a zone at a time.
const GENERATION: u64 = 1;

/// The journal; copies mean the same one. Without a file before the first entry.
#[derive(Clone, Debug, Default)]
pub(super) struct Journal(Arc<Mutex<Option<storage::journal::Journal>>>);

/// What was read back.
pub(super) struct ReadBack {
    /// The unsigned version with all that was acknowledged.
    pub(super) newest: Arc<ZoneVersion>,
    /// Batches that it has more than the signed one.
    pub(super) count: usize,
    pub(super) journal: Journal,
    /// What was lost.
    pub(super) trouble: Option<String>,
}

/// Reads back what was acknowledged after `unsigned` was signed.
pub(super) fn read_back(folder: &Path, zone: &Name, unsigned: Arc<ZoneVersion>) -> ReadBack {
    let nothing =
        |journal, trouble| ReadBack { newest: unsigned.clone(), count: 0, journal, trouble };
    let read = match read_alone(folder, zone, GENERATION) {
        Ok(read) => read,
        Err(error) => return nothing(Journal::default(), Some(error.to_string())),
    };
    let journal = Journal(Arc::new(Mutex::new(read.journal)));
    let trouble = read.damage.map(|damage| damage.to_string());
    let Some(last) = read.entries.last().map(|entry| entry.to) else {
        return nothing(journal, trouble);
    };
    let serial = unsigned.serial();
    if serial == Some(last) {
        return nothing(journal, trouble);
    }
    let Some(at) = read.entries.iter().position(|entry| Some(entry.from) == serial) else {
        let trouble = format!("they lead to serial {last}, and do not follow the zone's content");
        return nothing(Journal::default(), Some(trouble));
    };
    let steps: Vec<Difference> = read.entries[at..]
        .iter()
        .map(|entry| Difference {
            removed: entry.source.removed.clone(),
            added: entry.source.added.clone(),
        })
        .collect();
    match patch::composed(&steps).and_then(|sum| patch::apply(&unsigned, &sum)) {
        Ok(newest) => ReadBack { newest: Arc::new(newest), count: steps.len(), journal, trouble },
        Err(error) => nothing(Journal::default(), Some(error.to_string())),
    }
}

impl Journal {
    /// Its bytes.
    pub(super) fn length(&self) -> u64 {
        self.lock().as_ref().map_or(0, storage::journal::Journal::length)
    }

    /// Whether nothing more can be appended.
    pub(super) fn is_closed(&self) -> bool {
        self.lock().as_ref().is_some_and(storage::journal::Journal::is_closed)
    }

    /// Removes it.
    pub(super) fn forget(&self, folder: &Path, zone: &Name) {
        *self.lock() = None;
        if let Err(error) = remove_generation(folder, zone, GENERATION) {
            tracing::warn!(target: "backup", %zone, %error, "a journal of updates was not removed");
        }
    }

    /// Writes what leads from one unsigned version to another; durable when this returns.
    pub(super) fn append(
        &self,
        folder: &Path,
        zone: &Name,
        (from, to): (Serial, Serial),
        difference: Difference,
        at: Timestamp,
    ) -> Result<(), JournalError> {
        let mut journal = self.lock();
        let Difference { removed, added } = difference;
        let entry = JournalEntry {
            from,
            to,
            input_serial: None,
            signed_at: at,
            signed: Records::default(),
            source: Records { removed, added },
        };
        let mut open = match journal.take() {
            Some(open) => open,
            None => {
                // What may lie there is of no use: it was read back, or could not be.
                let _ = remove_generation(folder, zone, GENERATION);
                storage::journal::Journal::create(folder, zone, GENERATION, from)?
            }
        };
        let appended = open.append(&entry);
        *journal = Some(open);
        appended
    }

    fn lock(&self) -> MutexGuard<'_, Option<storage::journal::Journal>> {
        // The journal says itself what a failure has left of it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
