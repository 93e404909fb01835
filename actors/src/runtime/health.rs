//! The health table: what every supervised actor is doing, readable from any thread.
//! In: notes from the guards. Out: [`HealthRow`]s in the order of their paths.
//! Never: waits for an actor, so it answers when everything else is stuck.
//! Limit: one row a path; a path returns to use only after its child has ended.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::failure::Failure;

/// What a child is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChildState {
    /// Not running: waits for its turn to start.
    Waiting,
    /// Running, or loading its state.
    Running,
    /// Pauses after a failure.
    BackingOff,
    /// Was told to stop and finishes its work.
    Stopping,
    /// Has ended.
    Stopped,
    /// Exceeded its restart limits.
    Escalated,
}

const STATES: [ChildState; 6] = [
    ChildState::Waiting,
    ChildState::Running,
    ChildState::BackingOff,
    ChildState::Stopping,
    ChildState::Stopped,
    ChildState::Escalated,
];

/// One child's line in the health table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthRow {
    /// Path in the tree, e.g. `anchorite/zones/zone example.com`.
    pub path: Arc<str>,
    /// What it is doing.
    pub state: ChildState,
    /// Times it was started again, after its own failures and with its siblings.
    pub restarts: u32,
    /// Its own failures.
    pub failures: u32,
    /// The last of them, with file and line.
    pub last_failure: Option<Failure>,
    /// Times it was given the processor.
    pub polls: u64,
    /// Whether it has the processor now; when a watchdog reports a stuck arbiter, this is why.
    pub on_processor: bool,
}

/// One child's cell; written by its guard without locks, but for failures.
#[derive(Debug, Default)]
pub(super) struct Health {
    state: AtomicU8,
    ended: AtomicBool,
    restarts: AtomicU32,
    failures: AtomicU32,
    polls: AtomicU64,
    on_processor: AtomicBool,
    last_failure: Mutex<Option<Failure>>,
}

impl Health {
    pub(super) fn set_state(&self, state: ChildState) {
        self.state.store(state as u8, Relaxed);
    }

    /// The path may be used again.
    pub(super) fn set_ended(&self) {
        self.ended.store(true, Relaxed);
    }

    pub(super) fn count_restart(&self) {
        self.restarts.fetch_add(1, Relaxed);
    }

    pub(super) fn note_failure(&self, failure: &Failure) {
        self.failures.fetch_add(1, Relaxed);
        *lock(&self.last_failure) = Some(failure.clone());
    }

    pub(super) fn poll_begins(&self) {
        // Only the guard writes, so load and store lose nothing and cost less than an addition.
        self.polls.store(self.polls.load(Relaxed) + 1, Relaxed);
        self.on_processor.store(true, Relaxed);
    }

    pub(super) fn poll_ends(&self) {
        self.on_processor.store(false, Relaxed);
    }

    pub(super) fn row(&self, path: &Arc<str>) -> HealthRow {
        HealthRow {
            path: path.clone(),
            state: STATES[usize::from(self.state.load(Relaxed))],
            restarts: self.restarts.load(Relaxed),
            failures: self.failures.load(Relaxed),
            last_failure: lock(&self.last_failure).clone(),
            polls: self.polls.load(Relaxed),
            on_processor: self.on_processor.load(Relaxed),
        }
    }
}

/// All children of one tree; clones show the same table.
#[derive(Clone, Debug, Default)]
pub struct HealthTable {
    rows: Arc<Mutex<BTreeMap<Arc<str>, Arc<Health>>>>,
}

impl HealthTable {
    /// Every row, by path.
    pub fn rows(&self) -> Vec<HealthRow> {
        lock(&self.rows).iter().map(|(path, health)| health.row(path)).collect()
    }

    /// The row of `path`.
    pub fn row(&self, path: &str) -> Option<HealthRow> {
        lock(&self.rows).get_key_value(path).map(|(path, health)| health.row(path))
    }

    /// Opens a row; `None` when a child that has not ended has it.
    pub(super) fn open(&self, path: &Arc<str>) -> Option<Arc<Health>> {
        let mut rows = lock(&self.rows);
        if rows.get(path).is_some_and(|old| !old.ended.load(Relaxed)) {
            return None;
        }
        let health = Arc::new(Health::default());
        rows.insert(path.clone(), health.clone());
        Some(health)
    }

    /// Takes the row out, unless another child has the path by now.
    pub(super) fn close(&self, path: &str, health: &Arc<Health>) {
        let mut rows = lock(&self.rows);
        if rows.get(path).is_some_and(|row| Arc::ptr_eq(row, health)) {
            rows.remove(path);
        }
    }
}

/// A panic while the lock is held leaves nothing half written here, so poison is ignored.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
