//! The journal of one zone as the publish stage and the zone share it.
//! In: audited versions with their difference to the one before. Out: entries on disk.
//! A journal is begun with the first difference after a snapshot.

use crate::stages::StageError;
use crate::stages::audit::AuditedZone;
use dnssec::zone::diff::Difference;
use dnssec::{Name, Serial, Timestamp};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use storage::journal::{Journal, JournalEntry, JournalError, Records};

/// The journal of a zone; copies mean the same one.
#[derive(Clone, Debug, Default)]
pub struct ZoneJournal(Arc<Mutex<Place>>);

/// Where the next difference goes.
#[derive(Debug, Default)]
enum Place {
    /// Into a journal that it begins.
    #[default]
    New,
    /// Into this one.
    Open(Journal),
    /// Nowhere: no journal leads to the version that it starts from.
    None,
}

impl ZoneJournal {
    /// A journal that is open, or none yet.
    pub fn new(journal: Option<Journal>) -> ZoneJournal {
        ZoneJournal(Arc::new(Mutex::new(journal.map_or(Place::New, Place::Open))))
    }

    /// No journal, and none is to be begun before the next snapshot.
    pub fn unusable() -> ZoneJournal {
        ZoneJournal(Arc::new(Mutex::new(Place::None)))
    }

    /// Whether a difference can be written.
    pub fn is_usable(&self) -> bool {
        !matches!(*self.lock(), Place::None)
    }

    fn lock(&self) -> MutexGuard<'_, Place> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes it: the next difference begins another.
    pub fn clear(&self) {
        *self.lock() = Place::New;
    }

    /// Goes on in a new file, which follows the version of this serial.
    pub fn go_on_in(
        &self,
        folder: &Path,
        zone: &Name,
        generation: u64,
        serial: Serial,
    ) -> Result<(), JournalError> {
        *self.lock() = Place::Open(Journal::create(folder, zone, generation, serial)?);
        Ok(())
    }

    /// Bytes of its file, and entries in it.
    pub fn size(&self) -> (u64, u64) {
        match &*self.lock() {
            Place::Open(journal) => (journal.length(), journal.entry_count()),
            Place::New | Place::None => (0, 0),
        }
    }

    /// Writes the difference that `zone` has; durable when this returns.
    pub(super) fn append(
        &self,
        zone: &AuditedZone,
        folder: &Path,
        generation: u64,
        signed_at: Timestamp,
    ) -> Result<(), StageError> {
        let change = zone.change().ok_or(StageError::NoDifference)?;
        let records = |difference: &Difference| Records {
            removed: difference.removed.clone(),
            added: difference.added.clone(),
        };
        let entry = JournalEntry {
            from: change.from,
            // An audited version has its SOA.
            to: zone.version().serial().ok_or(StageError::NoDifference)?,
            input_serial: zone.unsigned().serial(),
            signed_at,
            signed: records(&change.signed),
            source: records(&change.source),
        };
        let mut place = self.lock();
        if let Place::New = *place {
            let apex = &zone.version().apex;
            *place = Place::Open(Journal::create(folder, apex, generation, change.from)?);
        }
        match &mut *place {
            Place::Open(journal) => Ok(journal.append(&entry)?),
            Place::New | Place::None => Err(StageError::NoDifference),
        }
    }
}
