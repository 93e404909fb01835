//! The state store: small facts in a redb file, in transactions that are durable when they
//! return. Tables and values are listed in `FORMAT.md`.
//! In: typed facts. Out: the same, or an error that names the file, its cause and what to do.
//! Never: bulk data, secrets, decisions; `Durability::None` (it lets the file swell).
//! After an I/O error redb refuses further work on its handle. The store then opens the file
//! again at the next call, so a full disk heals by itself. After a failed sync it does not: what
//! the kernel says about the file then is not what the disk holds.
//! Not yet: audit log index, backup.

mod announced;
mod copy;
mod disk;
mod error;
mod group;
mod inputs;
mod keys;
mod lives;
mod records;
mod refreshes;
mod slots;
mod spare;
mod tables;
mod values;
mod verdicts;
mod waivers;
mod zones;

pub use error::{StateError, StateOperation};
pub use inputs::{HeldInput, InputAnswer, InputChoice};
pub use lives::{Cause, HistoryEntry, LifeChange, User};
pub use records::{
    BackupState, Denial, KeyOwner, KeyRecord, KeyState, NewKey, PolicyState, ZoneState,
};
pub use refreshes::{Refresh, Refusal, Transferred};
pub use slots::{Canary, TokenRecord};
pub use verdicts::{
    ChainFault, ChainHash, ChainProof, ChainedEntry, Extent, FINDINGS_MAX, Judged, Outcome,
    TestOutcome, Tested, Tidied, VerdictEntry, VerdictEvent,
};
pub use waivers::Waiver;

use crate::faults::FaultDisk;
use disk::DiskBackend;
use dnssec::Timestamp;
use error::Failure;
use redb::{
    Builder, Database, Durability, ReadTransaction, ReadableDatabase, StorageBackend,
    WriteTransaction,
};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

/// Memory that redb may use to cache pages, in bytes.
const CACHE_BYTES_MAX: usize = 32 << 20;
/// Version of the whole file: which tables there are and how their keys look.
pub(crate) const FORMAT_VERSION: u32 = 1;

/// Where the state store lies for the path that `<Datastore><SQLite>` names: beside it, with
/// `.redb` appended.
pub fn state_path(sqlite_path: &Path) -> PathBuf {
    let mut path = OsString::from(sqlite_path);
    path.push(".redb");
    PathBuf::from(path)
}

type Opener = Box<dyn Fn() -> Result<Database, StateError> + Send>;

/// An open state store. One process has it open at a time.
pub struct StateStore {
    path: PathBuf,
    handle: Mutex<Handle>,
    /// Held while a change is made; always taken before the handle.
    writing: Mutex<()>,
    /// Held while files of the log of verdicts are read; exclusively while they change.
    verdict_files: RwLock<()>,
    sync_failed: Arc<AtomicBool>,
}

struct Handle {
    open: Opener,
    /// `None` after an I/O error, until the next call opens the file again.
    database: Option<Database>,
    /// What the operations of one thread write to.
    group: Option<group::Group>,
}

impl std::fmt::Debug for StateStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StateStore").field("path", &self.path).finish_non_exhaustive()
    }
}

impl StateStore {
    /// Opens the store at `path`, or makes it. `now` is written down as the time of its making.
    /// All its pages are checked: a damaged file is refused, a crash is recovered from.
    pub fn open(path: &Path, now: Timestamp) -> Result<StateStore, StateError> {
        if !path.exists() {
            disk::create(path, &new_image(path, now)?)?;
        }
        let sync_failed = Arc::new(AtomicBool::new(false));
        let (own_path, own_flag) = (path.to_owned(), sync_failed.clone());
        let open = move || {
            let backend = DiskBackend::open(&own_path, own_flag.clone())?;
            open_database(&own_path, backend)
        };
        StateStore::open_by(path, sync_failed, Box::new(open))
    }

    /// Opens a store on a disk in memory that can be told to fail; `path` is what errors name.
    /// An empty disk gets a new store, as a file does: in one go.
    pub fn open_on(
        disk: &FaultDisk,
        path: &Path,
        now: Timestamp,
    ) -> Result<StateStore, StateError> {
        if disk.content().is_empty() {
            disk.set_content(new_image(path, now)?);
        }
        let sync_failed = Arc::new(AtomicBool::new(false));
        let (own_path, own_disk, own_flag) = (path.to_owned(), disk.clone(), sync_failed.clone());
        let open = move || open_database(&own_path, own_disk.backend(own_flag.clone()));
        StateStore::open_by(path, sync_failed, Box::new(open))
    }

    fn open_by(
        path: &Path,
        sync_failed: Arc<AtomicBool>,
        open: Opener,
    ) -> Result<StateStore, StateError> {
        let handle = Mutex::new(Handle { open, database: None, group: None });
        let (path, writing) = (path.to_owned(), Mutex::new(()));
        let verdict_files = RwLock::new(());
        let store = StateStore { path, handle, writing, verdict_files, sync_failed };
        store.check_format()?;
        Ok(store)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// When the store was made.
    pub fn created(&self) -> Result<Timestamp, StateError> {
        self.read(tables::created)
    }

    /// Refuses a file of another program or a newer version of this one.
    fn check_format(&self) -> Result<(), StateError> {
        match self.read(tables::format)? {
            Some(FORMAT_VERSION) if self.read(tables::are_complete)? => Ok(()),
            // Tables that came later than the file.
            Some(FORMAT_VERSION) => self.write(tables::create_missing),
            Some(found) => Err(StateError::NewerFormat { path: self.path.clone(), found }),
            None => Err(StateError::NotAStateStore { path: self.path.clone() }),
        }
    }

    /// Runs `work` on one consistent view.
    fn read<T>(
        &self,
        work: impl FnOnce(&ReadTransaction) -> Result<T, Failure>,
    ) -> Result<T, StateError> {
        let mut handle = self.lock();
        let result = self.opened(&mut handle).and_then(|database| {
            let transaction = database.begin_read()?;
            work(&transaction)
        });
        self.finish(&mut handle, StateOperation::Read, result)
    }

    /// Runs `work` in a transaction and commits it durably, or applies nothing of it; within a
    /// group ([`StateStore::together`]) in the group's.
    fn write<T>(
        &self,
        work: impl FnOnce(&WriteTransaction) -> Result<T, Failure>,
    ) -> Result<T, StateError> {
        let mut handle = self.lock();
        if let Some(transaction) = handle.shared() {
            let result = transaction.and_then(work);
            return self.finish(&mut handle, StateOperation::Commit, result);
        }
        drop(handle);
        let _alone = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut handle = self.lock();
        let result = self.opened(&mut handle).and_then(|database| {
            let transaction = begin_durable(database)?;
            let value = work(&transaction)?;
            transaction.commit()?;
            Ok(value)
        });
        self.finish(&mut handle, StateOperation::Commit, result)
    }

    fn lock(&self) -> MutexGuard<'_, Handle> {
        self.handle.lock().unwrap_or_else(|poisoned| {
            // Somebody panicked in a transaction; the file holds none of it. Open it anew.
            let mut handle = poisoned.into_inner();
            (handle.database, handle.group) = (None, None);
            self.handle.clear_poison();
            handle
        })
    }

    fn opened<'a>(&self, handle: &'a mut Handle) -> Result<&'a Database, Failure> {
        if self.sync_failed.load(Ordering::Acquire) {
            return Err(StateError::SyncFailed { path: self.path.clone() }.into());
        }
        let Handle { open, database, .. } = handle;
        Ok(match database {
            Some(database) => database,
            None => database.insert(open()?),
        })
    }

    /// Turns a failure into the caller's error; gives up a handle that redb has given up.
    fn finish<T>(
        &self,
        handle: &mut Handle,
        operation: StateOperation,
        result: Result<T, Failure>,
    ) -> Result<T, StateError> {
        result.map_err(|failure| {
            if failure.ends_handle() {
                handle.close();
            }
            if self.sync_failed.load(Ordering::Acquire) {
                return StateError::SyncFailed { path: self.path.clone() };
            }
            failure.into_state_error(&self.path, operation)
        })
    }
}

/// A transaction that is durable when it is committed.
fn begin_durable(database: &Database) -> Result<WriteTransaction, Failure> {
    let mut transaction = database.begin_write()?;
    transaction.set_durability(Durability::Immediate)?;
    // Costs 0.2 ms, and the file then never depends on a checksum to tell a whole commit from a
    // torn one.
    transaction.set_two_phase_commit(true);
    Ok(transaction)
}

/// The bytes of a new store. redb makes a file in several steps, and refuses it when they were
/// cut short; so it makes it in memory, and the file gets these bytes in one.
fn new_image(path: &Path, now: Timestamp) -> Result<Vec<u8>, StateError> {
    let disk = FaultDisk::default();
    let create = || -> Result<(), Failure> {
        let backend = disk.backend(Arc::new(AtomicBool::new(false)));
        let database = open_database(path, backend)?;
        let transaction = database.begin_write()?;
        tables::create(&transaction, now)?;
        transaction.commit()?;
        Ok(database.close()?)
    };
    create().map_err(|failure| failure.into_state_error(path, StateOperation::Open))?;
    Ok(disk.content())
}

fn open_database(path: &Path, backend: impl StorageBackend) -> Result<Database, StateError> {
    Builder::new()
        .set_cache_size(CACHE_BYTES_MAX)
        // A plain open may panic later on a file that was altered; this one reads every page.
        .set_check_integrity_on_open(true)
        .create_with_backend(backend)
        .map_err(|error| Failure::from(error).into_state_error(path, StateOperation::Open))
}

#[cfg(test)]
mod tests;
